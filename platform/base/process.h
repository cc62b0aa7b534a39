/*
 * Child processes: an argv array, an environment built from zero, a clean
 * descriptor table. Never a shell. Children are waited for by pidfd.
 */
#ifndef PB_BASE_PROCESS_H
#define PB_BASE_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct pb_process_fd {
    int from; /* ours */
    int to;   /* theirs; 0, 1 and 2 are /dev/null unless listed */
};

struct pb_process_spec {
    const char *const *argv; /* NULL-terminated; argv[0] is also the path unless `path` is set */
    const char *path;        /* NULL: argv[0], looked up in PATH of *envp* when it has no slash */
    const char *const *envp; /* NULL-terminated; NULL = empty environment */
    const char *cwd;         /* NULL: ours */
    const struct pb_process_fd *fds;
    size_t fd_count;
    bool new_session;     /* setsid */
    bool die_with_parent; /* PR_SET_PDEATHSIG SIGKILL; the *thread* that spawns counts as parent */
    uid_t uid;            /* with `gid`, only if set_ids */
    gid_t gid;
    bool set_ids; /* setgroups(0), setresgid, setresuid, no_new_privs */
};

struct pb_process {
    pid_t pid;
    int pidfd; /* readable when it has ended; owned */
};

/* Everything up to a successful execve has happened when this returns 0 (a failed exec is reported here). */
int pb_process_spawn(const struct pb_process_spec *spec, struct pb_process *ret_process,
                     struct pb_error *err) PB_MUST_CHECK;
/* Reaps. ret_status as waitpid(2). */
int pb_process_wait(struct pb_process *process, int *ret_status,
                    struct pb_error *err) PB_MUST_CHECK;
/* Sends a signal by pidfd; an ended process is success. */
void pb_process_signal(const struct pb_process *process, int signal_number);

/* Raises the number of descriptors we may have open as far as that is allowed; how many it is now. */
int pb_process_descriptors(void);

/* Start time of a process in clock ticks since boot (/proc/PID/stat field 22); 0 if there is none.
 * With the boot id it tells a process from a later one of the same pid. */
uint64_t pb_process_start_time(pid_t pid);
/* /proc/sys/kernel/random/boot_id, 36 characters and a NUL; "" where unreadable. */
const char *pb_process_boot_id(void);

/* No core dumps, not inspectable by others of the same user, a name in ps: every process of ours says this first.
 * PR_SET_DUMPABLE 0 also keeps /proc/PID/environ and mem from the task user. */
void pb_process_harden(const char *name);

/* As many descriptors as this process may have, for those with a few per project or connection. What it starts gets
 * the limit it was given itself. Before there are threads. */
void pb_process_raise_files(void);

#endif
