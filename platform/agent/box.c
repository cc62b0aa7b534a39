#include "agent/box.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/box_private.h"
#include "agent/fd_message.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/process.h"

enum { SETTLED = 'r', KEEPER_CONTROL_FD = 3, CAPABILITY_LAST = 63, START_DEADLINE_S = 20 };

static const char *const LEVELS[] = {
#define X(level, name) [PB_BOX_##level] = name,
    PB_BOX_LEVELS(X)
#undef X
};

const char *pb_box_level_name(enum pb_box_level level)
{
    return LEVELS[level];
}

/* ---- inside: from the clone to the keeper ---- */

static void drop_bounding_set(void)
{
    for (int capability = 0; capability <= CAPABILITY_LAST; capability++)
        (void)prctl(PR_CAPBSET_DROP, capability, 0, 0, 0); /* EINVAL above the last one */
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

static int set_capabilities(uint32_t low)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{.effective = low, .permitted = low}};

    return (int)syscall(SYS_capset, &header, data);
}

static int switch_user(uid_t uid, gid_t gid)
{
    return setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0
               ? -1
               : 0;
}

static int write_proc(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

    pb_close(&fd);
    return n < 0 ? -1 : 0;
}

/* Inside a user namespace we are who we were, and nobody else exists. */
static int map_own_user(uid_t uid, gid_t gid)
{
    char map[64];

    (void)snprintf(map, sizeof(map), "%u %u 1\n", uid, uid);
    if (write_proc("/proc/self/setgroups", "deny") < 0 || write_proc("/proc/self/uid_map", map) < 0)
        return -1;
    (void)snprintf(map, sizeof(map), "%u %u 1\n", gid, gid);
    return write_proc("/proc/self/gid_map", map);
}

/* A /proc of the box's own: the task sees itself and what it started. In a user namespace inside a container
 * the kernel refuses this; the processes are still walled off, only their list is not. */
static int mount_own_proc(bool must)
{
    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        return must ? -1 : 0;
    if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
        return must ? -1 : 0;
    return 0;
}

static int enter_walls(const struct pb_box_user *user, enum pb_box_level level, uid_t uid,
                       gid_t gid)
{
    if (level == PB_BOX_USER_NAMESPACE && map_own_user(uid, gid) < 0)
        return -1;
    if (level != PB_BOX_PLAIN && mount_own_proc(level == PB_BOX_PID_NAMESPACE) < 0)
        return -1;
    drop_bounding_set();
    if (user->switches && switch_user(user->task_uid, user->gid) < 0)
        return -1;
    if (set_capabilities(0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -1;
    /* After the change of user, which clears it. In PLAIN the keeper must live on to kill its own. */
    if (level == PB_BOX_PLAIN)
        return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
}

static void live_inside(const struct pb_box_user *user, enum pb_box_level level, int control,
                        uid_t uid, gid_t gid)
{
    char settled = SETTLED;
    int32_t failure = 0;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0 ||
        dup3(control, KEEPER_CONTROL_FD, O_CLOEXEC) < 0)
        failure = errno;
    (void)close_range(KEEPER_CONTROL_FD + 1, ~0U, 0);
    (void)setsid();
    if (!failure && enter_walls(user, level, uid, gid) < 0)
        failure = errno;
    pb_process_harden("poppo-box");
    if (failure) {
        settled = 0;
        (void)send(KEEPER_CONTROL_FD, &settled, 1, MSG_NOSIGNAL);
        (void)send(KEEPER_CONTROL_FD, &failure, sizeof(failure), MSG_NOSIGNAL);
        _exit(1);
    }
    if (send(KEEPER_CONTROL_FD, &settled, 1, MSG_NOSIGNAL) != 1)
        _exit(1);
    pb_box_keeper(KEEPER_CONTROL_FD, level);
}

/* ---- outside ---- */

static unsigned long flags_of(enum pb_box_level level)
{
    switch (level) {
    case PB_BOX_PID_NAMESPACE:
        return CLONE_NEWPID | CLONE_NEWNS;
    case PB_BOX_USER_NAMESPACE:
        return CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS;
    case PB_BOX_PLAIN:
        return 0;
    }
    return 0;
}

/* Reads exactly `len` bytes; false at the end of the stream, after an error or after the socket's deadline. */
static bool read_exactly(int sock, void *data, size_t len)
{
    size_t got = 0;

    while (got < len) {
        ssize_t n = recv(sock, (char *)data + got, len - got, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        got += (size_t)n;
    }
    return true;
}

static int wait_settled(int control, struct pb_error *err)
{
    char word;
    int32_t failure;

    if (!read_exactly(control, &word, 1))
        return pb_fail(err, PB_ERROR_INTERNAL, "the box ended before it stood");
    if (word == SETTLED)
        return 0;
    if (!read_exactly(control, &failure, sizeof(failure)))
        return pb_fail(err, PB_ERROR_INTERNAL, "the box ended before it stood");
    errno = failure;
    return pb_fail_errno(err, "make the box");
}

static void close_box(struct pb_box *box)
{
    pb_close(&box->pidfd);
    pb_close(&box->control);
}

static int open_at_level(const struct pb_box_user *user, enum pb_box_level level,
                         struct pb_box *ret_box, struct pb_error *err)
{
    struct timeval deadline = {.tv_sec = START_DEADLINE_S};
    struct pb_box box = {.pidfd = -1, .control = -1, .level = level};
    uid_t uid = geteuid();
    gid_t gid = getegid();
    int pair[2];

    if (pb_fd_pair(SOCK_STREAM, pair, err) < 0)
        return -1;
    (void)setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof(deadline));
    box.control = pair[0];
    box.keeper = (pid_t)syscall(SYS_clone, flags_of(level) | CLONE_PIDFD | SIGCHLD, NULL,
                                &box.pidfd, NULL, NULL);
    if (box.keeper == 0) {
        live_inside(user, level, pair[1], uid, gid);
        _exit(1);
    }
    pb_close(&pair[1]);
    if (box.keeper < 0) {
        (void)pb_fail_errno(err, "clone at level %s", LEVELS[level]);
        pb_close(&pair[0]);
        return -1;
    }
    if (wait_settled(box.control, err) < 0) {
        pb_box_kill(&box);
        while (waitpid(box.keeper, NULL, 0) < 0 && errno == EINTR)
            continue;
        close_box(&box);
        return pb_fail_in(err, "level %s", LEVELS[level]);
    }
    *ret_box = box;
    return 0;
}

int pb_box_open(const struct pb_box_user *user, struct pb_box *ret_box, struct pb_error *err)
{
    enum pb_box_level best = geteuid() == 0 ? PB_BOX_PID_NAMESPACE : PB_BOX_USER_NAMESPACE;

    struct pb_error why;

    if (open_at_level(user, best, ret_box, &why) == 0)
        return 0;
    if (open_at_level(user, PB_BOX_PLAIN, ret_box, err) < 0)
        return -1;
    (void)snprintf(ret_box->weakness, sizeof(ret_box->weakness), "%s", why.message);
    return 0;
}

/* The keeper waits for an order, and ends when there can be none. */
int pb_box_probe(const struct pb_box_user *user, enum pb_box_level *ret_level,
                 char ret_weakness[PB_BOX_WEAKNESS_TEXT], struct pb_error *err)
{
    struct pb_box box;

    if (pb_box_open(user, &box, err) < 0)
        return -1;
    pb_close(&box.control);
    while (waitpid(box.keeper, NULL, 0) < 0 && errno == EINTR)
        continue;
    close_box(&box);
    *ret_level = box.level;
    (void)snprintf(ret_weakness, PB_BOX_WEAKNESS_TEXT, "%s", box.weakness);
    return 0;
}

int pb_box_become_runner(const struct pb_box_user *user, struct pb_error *err)
{
    if (user->switches) {
        /* CAP_KILL stays: the task runs as another user, and the kernel asks for it also when it delivers
         * the keeper's parent-death signal. */
        if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || switch_user(user->runner_uid, user->gid) < 0)
            return pb_fail_errno(err, "become the runner's user");
    }
    if (set_capabilities(user->switches ? 1U << CAP_KILL : 0) < 0)
        return pb_fail_errno(err, "give up capabilities");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return pb_fail_errno(err, "forbid new privileges");
    pb_process_harden("poppo-shim");
    return 0;
}

static size_t put_strings(struct pb_buf *buf, const char *const *strings)
{
    size_t count = 0;

    for (; strings && strings[count]; count++)
        pb_buf_bytes(buf, strings[count], strlen(strings[count]) + 1);
    return count;
}

static int send_order(struct pb_box *box, const struct pb_box_command *command,
                      struct pb_error *err)
{
    const int fds[3] = {command->input, command->output, command->errors};
    struct pb_box_order order;
    struct pb_buf text;
    int r = -1;

    pb_buf_init(&text, PB_BOX_ORDER_MAX);
    order.argc = (uint32_t)put_strings(&text, command->argv);
    order.envc = (uint32_t)put_strings(&text, command->envp);
    pb_buf_bytes(&text, command->cwd, strlen(command->cwd) + 1);
    order.bytes = (uint32_t)text.len;
    if (pb_buf_failed(&text) || order.argc == 0) {
        (void)pb_fail(err, PB_ERROR_TOO_LARGE,
                      "the command with its environment is empty or too long");
        goto out;
    }
    if (pb_fd_message_send(box->control, &order, sizeof(order), fds, 3, err) < 0)
        goto out;
    if (pb_fs_write_all(box->control, text.data, text.len, err) < 0)
        goto out;
    r = 0;
out:
    if (text.data)
        explicit_bzero(text.data, text.len);
    pb_buf_release(&text);
    return r;
}

int pb_box_start(struct pb_box *box, const struct pb_box_command *command, struct pb_error *err)
{
    struct pb_box_answer answer;

    if (send_order(box, command, err) < 0)
        return -1;
    if (!read_exactly(box->control, &answer, sizeof(answer)))
        return pb_fail(err, PB_ERROR_INTERNAL, "the box did not answer");
    if (answer.start_errno) {
        errno = answer.start_errno;
        return pb_fail_errno(err, "%.*s", (int)sizeof(answer.step), answer.step);
    }
    return 0;
}

void pb_box_signal(struct pb_box *box, int number)
{
    char word = (char)number;

    (void)send(box->control, &word, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void pb_box_kill(struct pb_box *box)
{
    if (box->level == PB_BOX_PLAIN)
        pb_box_signal(box, PB_BOX_SIGNAL_KILL_ALL);
    else
        (void)syscall(SYS_pidfd_send_signal, box->pidfd, SIGKILL, NULL, 0);
}

int pb_box_finish(struct pb_box *box, struct pb_box_report *ret_report, struct pb_error *err)
{
    struct pb_box_report report;

    if (!read_exactly(box->control, &report, sizeof(report)))
        report = (struct pb_box_report){.code = -1, .signal = SIGKILL};
    while (waitpid(box->keeper, NULL, 0) < 0) {
        if (errno != EINTR)
            return pb_fail_errno(err, "wait for the box");
    }
    *ret_report = report;
    return 0;
}
