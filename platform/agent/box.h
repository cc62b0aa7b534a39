/*
 * The walls around a task: its user, its PID namespace, its capabilities.
 * The only door to the kernel's namespace and capability calls.
 *
 *   poppo-shim ── control socket ── keeper (PID 1 of the box, task user)
 *                                      └─ the task's first process ─ …
 *
 * pb_box_open() clones the keeper, which moves to the task's user at once and
 * then waits; only after that does the shim give up root and read the plan, so
 * nothing anybody else has written is read with privileges. pb_box_start()
 * hands the command to the keeper, which forks it, waits for it, kills what it
 * leaves behind, and reports.
 *
 * When the shim dies the box dies: the kernel kills the keeper, and a PID
 * namespace does not outlive its first process. Where no namespace can be had
 * (level PLAIN) the keeper is a subreaper and kills its descendants itself,
 * which a process that is faster than it could escape: that is why the level is
 * written down and shown.
 */
#ifndef PB_AGENT_BOX_H
#define PB_AGENT_BOX_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

/* level, name in state.json */
#define PB_BOX_LEVELS(X)                                               \
    X(PID_NAMESPACE, "pid_namespace")   /* made by root */             \
    X(USER_NAMESPACE, "user_namespace") /* made by an ordinary user */ \
    X(PLAIN, "plain")                   /* neither is allowed here */

enum pb_box_level {
#define X(level, name) PB_BOX_##level,
    PB_BOX_LEVELS(X)
#undef X
};

const char *pb_box_level_name(enum pb_box_level level);

struct pb_box_user {
    bool switches; /* started as root: the box becomes task_uid, the shim runner_uid */
    uid_t runner_uid;
    uid_t task_uid;
    gid_t gid;
};

enum { PB_BOX_WEAKNESS_TEXT = 200 };

struct pb_box {
    pid_t keeper;
    int pidfd;   /* readable when the keeper is gone */
    int control; /* to the keeper */
    enum pb_box_level level;
    char weakness[PB_BOX_WEAKNESS_TEXT]; /* PLAIN: why it is no better one; else "" */
};

struct pb_box_command {
    const char *const *argv;
    const char *const *envp;
    const char *cwd;
    int input; /* the task's 0, 1 and 2 */
    int output;
    int errors;
};

/* What the keeper says at the end; all zero when it was killed before it could speak. */
struct pb_box_report {
    bool is_complete;
    int code; /* -1 when a signal ended the task */
    int signal;
    int leaked; /* processes that outlived the task's first one and were killed */
};

/* The calling process must have one thread. as root or not. */
int pb_box_open(const struct pb_box_user *user, struct pb_box *ret_box,
                struct pb_error *err) PB_MUST_CHECK;
/* What a box is here, tried with one that is thrown away. ret_weakness as above. */
int pb_box_probe(const struct pb_box_user *user, enum pb_box_level *ret_level,
                 char ret_weakness[PB_BOX_WEAKNESS_TEXT], struct pb_error *err) PB_MUST_CHECK;
/* Gives up everything but the runner's user and the right to send signals. Without `switches`: only the small
 * things. No way back. */
int pb_box_become_runner(const struct pb_box_user *user, struct pb_error *err) PB_MUST_CHECK;
/* Returns when the program was started, or not: NOT_FOUND, DENIED … */
int pb_box_start(struct pb_box *box, const struct pb_box_command *command,
                 struct pb_error *err) PB_MUST_CHECK;
/* To the task's first process. */
void pb_box_signal(struct pb_box *box, int number);
/* Everything in the box. Its end is then read as usual. */
void pb_box_kill(struct pb_box *box);
/* After box->control or box->pidfd became readable: waits for the keeper's end (soon) and says how it went. */
int pb_box_finish(struct pb_box *box, struct pb_box_report *ret_report,
                  struct pb_error *err) PB_MUST_CHECK;

#endif
