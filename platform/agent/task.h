/*
 * Running something as the task user: the only way the runner starts a
 * program that a stranger may have written or may influence (the agent's CLI,
 * a project's command, git inside a workspace).
 *
 * Every task has a run directory, made here, owned by the runner's user, and
 * a poppo-shim that owns the process:
 *
 *   run directory: stdin  output  errors  state.json  exit.json  ctl.sock
 *
 * The shim survives the runner. Whoever holds the run directory's path can
 * find the task again (pb_task_adopt): while the shim lives, by ctl.sock; once
 * it is gone, by exit.json; a run directory with state.json but neither is a
 * task whose shim was killed, and its processes died with it.
 *
 * output and errors are written by the shim alone and only grow, so a reader
 * that remembers offsets loses nothing and reads nothing twice.
 */
#ifndef PB_AGENT_TASK_H
#define PB_AGENT_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/project_dirs.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/loop.h"

struct pb_task;
struct pb_spawn;

/* Where and as whom tasks run. Filled in once by the runner; any thread may use it. */
struct pb_task_host {
    const struct pb_project_dirs *dirs; /* borrowed */
    struct pb_spawn *spawn;             /* borrowed: through poppo-boxd, or directly */
};

struct pb_task_spec {
    /* Absolute path below dirs->attempts; made here. NULL (pb_task_run only): a throw-away one. */
    const char *rundir;
    const char *const *argv; /* argv[0] is an absolute path, or looked up in PATH of envp */
    const char *const *envp; /* the whole environment; nothing is inherited */
    const char *cwd;         /* absolute; must be enterable by the task user */
    const void *input;       /* standard input, NULL = empty */
    size_t input_len;
    int64_t wall_ms;       /* whole life, watched by the shim itself; 0 = none */
    int64_t kill_grace_ms; /* between SIGTERM and SIGKILL at wall_ms; 0 = 5 s */
    uint64_t
        output_max; /* bytes of output and of errors; 0 = 256 MiB; beyond it the task is ended */
    int listener;   /* a listening socket the shim keeps open beside the task; -1 = none */
    bool is_brief;  /* no fsync: for commands whose result nobody looks for after a restart */

    /* pb_task_run only; called between reads, both may be NULL. */
    bool (*should_stop)(
        void *arg); /* true: the task is killed, the call fails with reason "cancelled" */
    void (*errors_grew)(void *arg, const char *data, size_t len);
    void *arg;
};

/* How a task ended, as the shim wrote it down. */
enum pb_task_reason {
    PB_TASK_EXITED,       /* by itself, or by a signal of its own */
    PB_TASK_KILLED,       /* by a signal nobody here sent (out of memory, an administrator) */
    PB_TASK_WALL_CLOCK,   /* wall_ms passed */
    PB_TASK_ASKED,        /* pb_task_signal() */
    PB_TASK_OUTPUT_LIMIT, /* wrote more than output_max */
    PB_TASK_DISK_FULL,    /* its output could not be stored */
    PB_TASK_LOST,         /* no word of the end: the shim itself was killed */
};

struct pb_task_exit {
    enum pb_task_reason reason;
    int code;           /* exit code, -1 if a signal ended it */
    int signal;         /* 0 if it exited */
    bool oom;           /* the kernel killed for memory while it ran */
    int leaked;         /* processes that were still there after the task's end, and were killed */
    int64_t started_ms; /* wall clock */
    int64_t ended_ms;
};

const char *pb_task_reason_name(enum pb_task_reason reason);
enum pb_task_reason pb_task_reason_named(const char *name); /* LOST for an unknown one */

/* The reason of errors that say nothing about the command: its shim, or the command itself, was killed from
 * outside. It may be run again. */
#define PB_TASK_INTERRUPTED "interrupted"

/* Returns when the process runs (or could not be started: the error says why; reason "cli_missing" when
 * argv[0] does not exist). Blocks for a few milliseconds. */
int pb_task_start(const struct pb_task_host *host, const struct pb_task_spec *spec,
                  struct pb_task **ret_task, struct pb_error *err) PB_MUST_CHECK;

/* Finds a task by its run directory. NOT_FOUND: it was never started, so it may be started now. */
int pb_task_adopt(const struct pb_task_host *host, const char *rundir, struct pb_task **ret_task,
                  struct pb_error *err) PB_MUST_CHECK;

/* Lets go of the handle; the task lives on. NULL is fine. */
void pb_task_close(struct pb_task *task);

struct pb_task_events {
    void (*grew)(void *arg); /* output or errors have new bytes: read until 0 */
    /* Everything is in the files. Called once; no event follows. Close the task here if you like. */
    void (*ended)(void *arg, const struct pb_task_exit *exit);
};
/* Why it is not walled off from other processes of the node; "" when it is, or was found again. */
const char *pb_task_weakness(const struct pb_task *task);

/* From now on, events on this loop's thread. A task that has ended already reports so soon. */
int pb_task_watch(struct pb_task *task, struct pb_loop *loop, const struct pb_task_events *events,
                  void *arg, struct pb_error *err) PB_MUST_CHECK;

/* Bytes at an offset; 0 = none there yet; -1 + err. */
enum pb_task_file { PB_TASK_OUTPUT, PB_TASK_ERRORS };
ssize_t pb_task_read(struct pb_task *task, enum pb_task_file file, uint64_t offset, void *ret_data,
                     size_t max, struct pb_error *err) PB_MUST_CHECK;

enum pb_task_signal { PB_TASK_INT, PB_TASK_TERM, PB_TASK_KILL };
/* INT and TERM go to the task's first process, KILL to everything in its box. An ended task is success. */
int pb_task_signal(struct pb_task *task, enum pb_task_signal number,
                   struct pb_error *err) PB_MUST_CHECK;

/* The listening socket the shim has kept (see pb_task_spec.listener); -1 + err if it has none. */
int pb_task_listener(struct pb_task *task, struct pb_error *err) PB_MUST_CHECK;

/* Runs to the end and collects. Blocking: worker threads only. A nonzero exit is not an error here; TIMEOUT at
 * wall_ms (which must be given); UNAVAILABLE, reason PB_TASK_INTERRUPTED or "oom", when it was killed. Maxima are the buffers' own. ret_out and ret_err may be NULL. */
int pb_task_run(const struct pb_task_host *host, const struct pb_task_spec *spec,
                struct pb_buf *ret_out, struct pb_buf *ret_err, struct pb_task_exit *ret_exit,
                struct pb_error *err) PB_MUST_CHECK;

#endif
