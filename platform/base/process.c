#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/text.h"

/*
 * The child shares our memory until execve (vfork without its traps: own
 * stack, all signals blocked), so a start costs the same in a process of
 * 800 MB as in one of 8. Everything it needs is prepared before; between
 * clone and execve it allocates nothing, takes no lock and uses raw system
 * calls where glibc's wrapper would reach for our other threads (set*id).
 */
enum { FDS_MAX = 32, CHILD_STACK = 64 << 10, STANDARD_FDS = 3, SIGNAL_LAST = 64 };

/* RLIMIT_NOFILE as it was given to us, once we have raised ours; a soft limit of 0 = we have not. */
static struct rlimit files_given;

struct launch {
    const struct pb_process_spec *spec;
    char *paths; /* what to try, one NUL-terminated path after the other, then "" */
    pid_t parent;
    const char *step; /* out: what the child was doing when it failed */
    int failed_errno; /* out: 0 = execve went through */
};

/* ---- in the child ---- */

#define IN_CHILD static __attribute__((no_sanitize("address", "undefined", "thread")))

IN_CHILD bool step_failed(struct launch *launch, const char *step)
{
    launch->step = step;
    launch->failed_errno = errno;
    return false;
}

/* Handlers are ours, not the program's; what we ignore it should not. */
IN_CHILD void reset_signals(void)
{
    struct sigaction otherwise = {.sa_handler = SIG_DFL};

    for (int number = 1; number <= SIGNAL_LAST; number++)
        (void)sigaction(number, &otherwise, NULL); /* KILL, STOP and glibc's own refuse */
}

/* First everything is copied out of the way, then to where it belongs: 3→4 and 4→3 both survive. */
IN_CHILD bool arrange_fds(struct launch *launch)
{
    const struct pb_process_spec *spec = launch->spec;
    int staged[FDS_MAX + STANDARD_FDS];
    int target[FDS_MAX + STANDARD_FDS];
    size_t count = 0;
    int above = STANDARD_FDS;
    bool listed[STANDARD_FDS] = {false, false, false};

    for (size_t i = 0; i < spec->fd_count; i++) {
        if (spec->fds[i].to >= above)
            above = spec->fds[i].to + 1;
        if (spec->fds[i].to < STANDARD_FDS)
            listed[spec->fds[i].to] = true;
    }
    for (size_t i = 0; i < spec->fd_count; i++, count++) {
        target[count] = spec->fds[i].to;
        staged[count] = fcntl(spec->fds[i].from, F_DUPFD_CLOEXEC, above);
        if (staged[count] < 0)
            return step_failed(launch, "copy a descriptor for");
    }
    for (int fd = 0; fd < STANDARD_FDS; fd++) {
        int null = listed[fd] ? -1 : open("/dev/null", O_RDWR | O_CLOEXEC);

        if (listed[fd])
            continue;
        target[count] = fd;
        staged[count] = null < 0 ? -1 : fcntl(null, F_DUPFD_CLOEXEC, above);
        if (staged[count] < 0)
            return step_failed(launch, "open /dev/null for");
        count++;
    }
    if (syscall(SYS_close_range, 0U, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
        return step_failed(launch, "close the descriptors for");
    for (size_t i = 0; i < count; i++)
        if (dup2(staged[i], target[i]) < 0)
            return step_failed(launch, "place a descriptor for");
    return true;
}

IN_CHILD bool drop_ids(struct launch *launch)
{
    const struct pb_process_spec *spec = launch->spec;

    if (!spec->set_ids)
        return true;
    if (syscall(SYS_setgroups, (size_t)0, NULL) < 0 ||
        syscall(SYS_setresgid, spec->gid, spec->gid, spec->gid) < 0 ||
        syscall(SYS_setresuid, spec->uid, spec->uid, spec->uid) < 0)
        return step_failed(launch, "change the user of");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return step_failed(launch, "forbid new privileges to");
    return true;
}

IN_CHILD bool prepare(struct launch *launch)
{
    const struct pb_process_spec *spec = launch->spec;

    reset_signals();
    if (spec->new_session && setsid() < 0)
        return step_failed(launch, "make a session for");
    if (!arrange_fds(launch))
        return false;
    if (files_given.rlim_cur > 0 && setrlimit(RLIMIT_NOFILE, &files_given) < 0)
        return step_failed(launch, "limit the descriptors of");
    if (!drop_ids(launch))
        return false;
    if (spec->cwd && chdir(spec->cwd) < 0)
        return step_failed(launch, "enter the folder for");
    if (spec->die_with_parent) { /* after the ids: changing them clears it */
        if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
            return step_failed(launch, "tie the life of");
        if (getppid() != launch->parent) {
            errno = ESRCH;
            return step_failed(launch, "tie the life of");
        }
    }
    return true;
}

IN_CHILD int child(void *arg)
{
    static char *const NOTHING[] = {NULL};
    struct launch *launch = arg;
    char *const *envp = (char *const *)(uintptr_t)launch->spec->envp;
    char *const *argv = (char *const *)(uintptr_t)launch->spec->argv;
    sigset_t none;
    int worst = ENOENT;

    if (prepare(launch)) {
        (void)sigemptyset(&none);
        (void)pthread_sigmask(SIG_SETMASK, &none, NULL);
        for (const char *path = launch->paths; *path; path += strlen(path) + 1) {
            (void)execve(path, argv, envp ? envp : NOTHING);
            if (errno != ENOENT && errno != ENOTDIR)
                worst = errno;
            if (worst != ENOENT && worst != EACCES)
                break;
        }
        errno = worst;
        (void)step_failed(launch, "start");
    }
    (void)syscall(SYS_exit_group, 127);
    return 127;
}

/* ---- in the parent ---- */

static const char *path_of(const struct pb_process_spec *spec)
{
    for (const char *const *var = spec->envp; var && *var; var++)
        if (pb_text_starts(*var, "PATH="))
            return *var + strlen("PATH=");
    return NULL;
}

/* Every place the program may be, in the order of PATH. */
static char *candidates(const struct pb_process_spec *spec, struct pb_error *err)
{
    const char *name = spec->path ? spec->path : spec->argv[0];
    const char *dir = path_of(spec);
    struct pb_buf list;
    char *taken;

    pb_buf_init(&list, 64 << 10);
    if (strchr(name, '/')) {
        pb_buf_bytes(&list, name, strlen(name) + 1);
    } else {
        while (dir && *dir) {
            size_t len = strcspn(dir, ":");

            if (dir[0] == '/') { /* a relative place would be the attacker's */
                pb_buf_bytes(&list, dir, len);
                pb_buf_char(&list, '/');
                pb_buf_bytes(&list, name, strlen(name) + 1);
            }
            dir += len + (dir[len] == ':');
        }
    }
    pb_buf_char(&list, '\0');
    taken = pb_buf_take(&list, NULL);
    if (!taken)
        (void)pb_fail(err, PB_ERROR_UNAVAILABLE, "start %s: no memory, or PATH too long", name);
    pb_buf_release(&list);
    return taken;
}

static int check_spec(const struct pb_process_spec *spec, struct pb_error *err)
{
    if (!spec->argv || !spec->argv[0] || !spec->argv[0][0])
        return pb_fail(err, PB_ERROR_INVALID, "no program to start");
    if (spec->fd_count > FDS_MAX)
        return pb_fail(err, PB_ERROR_INVALID, "more than %d descriptors for %s", FDS_MAX,
                       spec->argv[0]);
    for (size_t i = 0; i < spec->fd_count; i++)
        if (spec->fds[i].to < 0 || spec->fds[i].from < 0)
            return pb_fail(err, PB_ERROR_INVALID, "a negative descriptor for %s", spec->argv[0]);
    return 0;
}

/* Returns when the child has called execve or has ended. */
static int clone_child(struct launch *launch, struct pb_process *ret_process, struct pb_error *err)
{
    void *stack = mmap(NULL, CHILD_STACK, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    sigset_t all;
    sigset_t before;
    int r = 0;

    if (stack == MAP_FAILED)
        return pb_fail_errno(err, "stack for a child");
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    ret_process->pidfd = -1;
    ret_process->pid =
        clone(child, (char *)stack + CHILD_STACK, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD,
              launch, &ret_process->pidfd);
    if (ret_process->pid < 0)
        r = pb_fail_errno(err, "clone");
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)munmap(stack, CHILD_STACK);
    return r;
}

/* The child that could not start; it has nothing to tell. */
static void reap(struct pb_process *process)
{
    while (waitpid(process->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    pb_close(&process->pidfd);
}

int pb_process_spawn(const struct pb_process_spec *spec, struct pb_process *ret_process,
                     struct pb_error *err)
{
    struct launch launch = {.spec = spec, .parent = getpid()};
    struct pb_process started;
    int r;

    if (check_spec(spec, err) < 0)
        return -1;
    launch.paths = candidates(spec, err);
    if (!launch.paths)
        return -1;
    r = clone_child(&launch, &started, err);
    free(launch.paths);
    if (r < 0)
        return pb_fail_in(err, "start %s", spec->argv[0]);
    if (launch.failed_errno != 0) {
        reap(&started);
        errno = launch.failed_errno;
        return pb_fail_errno(err, "%s %s", launch.step, spec->argv[0]);
    }
    *ret_process = started;
    return 0;
}

int pb_process_wait(struct pb_process *process, int *ret_status, struct pb_error *err)
{
    pid_t got;

    do {
        got = waitpid(process->pid, ret_status, 0);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return pb_fail_errno(err, "wait for process %ld", (long)process->pid);
    pb_close(&process->pidfd);
    process->pid = -1;
    return 0;
}

void pb_process_signal(const struct pb_process *process, int signal_number)
{
    if (process->pidfd >= 0)
        (void)syscall(SYS_pidfd_send_signal, process->pidfd, signal_number, NULL, 0U);
}

uint64_t pb_process_start_time(pid_t pid)
{
    enum { FIELD_AFTER_NAME = 3, FIELD_START_TIME = 22 };
    struct pb_error ignored;
    struct pb_buf stat;
    char path[32];
    uint64_t start = 0;
    char *at;

    (void)snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
    pb_buf_init(&stat, 4096);
    if (pb_fs_read(AT_FDCWD, path, &stat, &ignored) == 0) {
        at = strrchr(pb_buf_string(&stat), ')'); /* the name before it may hold anything */
        for (int field = FIELD_AFTER_NAME - 1; at && field < FIELD_START_TIME; field++)
            at = strchr(at + 1, ' ');
        if (at) {
            at[1 + strcspn(at + 1, " ")] = '\0';
            if (!pb_parse_u64(at + 1, UINT64_MAX, &start))
                start = 0;
        }
    }
    pb_buf_release(&stat);
    return start;
}

int pb_process_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 0; /* cannot be; a caller that needs some will say so */
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit); /* refused: it stays as it was */
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur < INT_MAX ? (int)limit.rlim_cur : INT_MAX;
}

static char boot_id[37];

static void read_boot_id(void)
{
    struct pb_error ignored;
    struct pb_buf text;

    pb_buf_init(&text, 256);
    if (pb_fs_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", &text, &ignored) == 0 &&
        text.len >= sizeof(boot_id) - 1)
        memcpy(boot_id, text.data, sizeof(boot_id) - 1);
    pb_buf_release(&text);
}

const char *pb_process_boot_id(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, read_boot_id);
    return boot_id;
}

void pb_process_harden(const char *name)
{
    struct rlimit none = {0, 0};

    (void)prctl(PR_SET_NAME, name, 0, 0, 0);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    (void)setrlimit(RLIMIT_CORE, &none);
}

void pb_process_raise_files(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= limit.rlim_max)
        return;
    files_given = limit;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        files_given.rlim_cur = 0; /* then it stays as it is */
}
