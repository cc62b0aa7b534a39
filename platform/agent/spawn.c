#include "agent/spawn.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/boxd_protocol.h"
#include "agent/fd_message.h"
#include "agent/launch_private.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/process.h"
#include "base/text.h"

enum { CONNECT_PATIENCE_MS = 5000, RETRY_MS = 50, REPLY_DEADLINE_S = 60, PATH_TEXT = 512 };

struct pb_spawn {
    char boxd[PATH_TEXT]; /* "" = directly */
    char bin_dir[PATH_TEXT];
    char data_dir[PATH_TEXT];
    uid_t uid_base;
    int port_base;
};

struct pb_spawn *pb_spawn_new(const struct pb_spawn_options *options, struct pb_error *err)
{
    struct pb_spawn *spawn = calloc(1, sizeof(*spawn));

    if (!spawn) {
        (void)pb_fail(err, PB_ERROR_LIMITED, "no memory");
        return NULL;
    }
    (void)snprintf(spawn->boxd, PATH_TEXT, "%s", options->boxd_socket ? options->boxd_socket : "");
    (void)snprintf(spawn->bin_dir, PATH_TEXT, "%s", options->bin_dir);
    (void)snprintf(spawn->data_dir, PATH_TEXT, "%s", options->data_dir);
    spawn->uid_base = options->uid_base;
    spawn->port_base = options->port_base;
    return spawn;
}

void pb_spawn_free(struct pb_spawn *spawn)
{
    free(spawn);
}

int pb_spawn_own_folder(char ret_path[512], struct pb_error *err)
{
    ssize_t len = readlink("/proc/self/exe", ret_path, 511);
    char *slash;

    if (len < 0)
        return pb_fail_errno(err, "find our own program");
    ret_path[len] = '\0';
    slash = strrchr(ret_path, '/');
    if (!slash)
        return pb_fail(err, PB_ERROR_INTERNAL, "our own program has no folder");
    *slash = '\0';
    return 0;
}

/* ---- through poppo-boxd ---- */

static int connect_once(const struct pb_spawn *spawn)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval deadline = {.tv_sec = REPLY_DEADLINE_S};
    int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", spawn->boxd);
    if (sock >= 0 && connect(sock, (struct sockaddr *)&address, sizeof(address)) < 0) {
        int number = errno;

        pb_close(&sock);
        errno = number;
    }
    if (sock >= 0)
        (void)setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof(deadline));
    return sock;
}

/* A boxd that was killed is back within a second. */
static int connect_boxd(const struct pb_spawn *spawn, struct pb_error *err)
{
    int64_t deadline = pb_clock_steady_ms() + CONNECT_PATIENCE_MS;

    for (;;) {
        int sock = connect_once(spawn);

        if (sock >= 0)
            return sock;
        if ((errno != ECONNREFUSED && errno != ENOENT && errno != EAGAIN) ||
            pb_clock_steady_ms() >= deadline)
            return pb_fail_errno(err, "reach poppo-boxd at %s", spawn->boxd);
        (void)poll(NULL, 0, RETRY_MS);
    }
}

static int read_reply(int sock, pid_t *ret_pid, struct pb_error *err)
{
    struct pb_fd_message message;
    struct pb_boxd_reply reply;

    if (pb_fd_message_receive(sock, &reply, sizeof(reply), &message, err) != 1)
        return pb_fail_reason(err, PB_ERROR_TIMEOUT, PB_SPAWN_BOXD_GONE,
                              "poppo-boxd did not answer");
    pb_fd_message_close(&message);
    if (message.len != sizeof(reply) || reply.version != PB_BOXD_VERSION)
        return pb_fail_reason(err, PB_ERROR_UNAVAILABLE, PB_SPAWN_BOXD_GONE,
                              "poppo-boxd ended before it answered");
    reply.reason[sizeof(reply.reason) - 1] = '\0';
    reply.message[sizeof(reply.message) - 1] = '\0';
    if (reply.code != 0)
        return pb_fail_reason(err, (enum pb_error_code)reply.code, reply.reason, "%s",
                              reply.message);
    *ret_pid = reply.pid;
    return 0;
}

static int ask_boxd(struct pb_spawn *spawn, struct pb_boxd_request *request, const int *fds,
                    size_t fd_count, pid_t *ret_pid, struct pb_error *err)
{
    int sock = connect_boxd(spawn, err);
    int r = -1;

    if (sock < 0)
        return -1;
    request->version = PB_BOXD_VERSION;
    if (pb_fd_message_send(sock, request, sizeof(*request), fds, fd_count, err) == 0 &&
        read_reply(sock, ret_pid, err) == 0)
        r = 0;
    pb_close(&sock);
    return r;
}

static struct pb_boxd_request request_of(enum pb_boxd_op op, const char *project, unsigned slot)
{
    struct pb_boxd_request request = {.op = (uint32_t)op, .slot = slot};

    if (project)
        (void)snprintf(request.project, sizeof(request.project), "%s", project);
    return request;
}

/* ---- directly ---- */

static int own_dirs(const struct pb_spawn *spawn, const char *project, unsigned slot,
                    struct pb_project_dirs *ret_dirs, struct pb_error *err)
{
    struct pb_project_place place = {.data_dir = spawn->data_dir,
                                     .project = project,
                                     .slot = slot,
                                     .uid_base = spawn->uid_base,
                                     .port_base = spawn->port_base};

    return pb_project_dirs_name(&place, ret_dirs, err);
}

static bool is_direct(const struct pb_spawn *spawn)
{
    return spawn->boxd[0] == '\0';
}

/* Runner and broker live on without us; who reaps them is decided by poppo-agent. */
static void let_go(struct pb_process *process, pid_t *ret_pid)
{
    *ret_pid = process->pid;
    pb_close(&process->pidfd);
}

int pb_spawn_prepare_project(struct pb_spawn *spawn, const char *project, unsigned slot,
                             struct pb_error *err)
{
    struct pb_boxd_request request = request_of(PB_BOXD_PREPARE_PROJECT, project, slot);
    struct pb_project_dirs dirs;
    pid_t pid;

    if (!is_direct(spawn))
        return ask_boxd(spawn, &request, NULL, 0, &pid, err);
    return own_dirs(spawn, project, slot, &dirs, err) < 0 ? -1 : pb_project_dirs_make(&dirs, err);
}

int pb_spawn_remove_project(struct pb_spawn *spawn, const char *project, unsigned slot,
                            struct pb_error *err)
{
    struct pb_boxd_request request = request_of(PB_BOXD_REMOVE_PROJECT, project, slot);
    struct pb_project_dirs dirs;
    pid_t pid;

    if (!is_direct(spawn))
        return ask_boxd(spawn, &request, NULL, 0, &pid, err);
    return own_dirs(spawn, project, slot, &dirs, err) < 0 ? -1 : pb_project_dirs_remove(&dirs, err);
}

int pb_spawn_runner(struct pb_spawn *spawn, const char *project, unsigned slot, int control,
                    pid_t *ret_pid, struct pb_error *err)
{
    struct pb_boxd_request request = request_of(PB_BOXD_SPAWN_RUNNER, project, slot);
    struct pb_project_dirs dirs;
    struct pb_process process;

    if (!is_direct(spawn))
        return ask_boxd(spawn, &request, &control, 1, ret_pid, err);
    if (own_dirs(spawn, project, slot, &dirs, err) < 0 ||
        pb_launch_runner(spawn->bin_dir, &dirs, &control, &process, err) < 0)
        return -1;
    let_go(&process, ret_pid);
    return 0;
}

int pb_spawn_broker(struct pb_spawn *spawn, unsigned slot, int listener, int control,
                    pid_t *ret_pid, struct pb_error *err)
{
    const int fds[] = {listener, control};
    struct pb_boxd_request request = request_of(PB_BOXD_SPAWN_BROKER, NULL, slot);
    struct pb_project_dirs dirs;
    struct pb_process process;

    if (!is_direct(spawn))
        return ask_boxd(spawn, &request, fds, 2, ret_pid, err);
    if (own_dirs(spawn, "broker", slot, &dirs, err) < 0 ||
        pb_launch_broker(spawn->bin_dir, &dirs, fds, &process, err) < 0)
        return -1;
    let_go(&process, ret_pid);
    return 0;
}

int pb_spawn_shim(struct pb_spawn *spawn, unsigned slot, int plan, int rundir, int ready,
                  int listener, struct pb_error *err)
{
    const int fds[] = {plan, rundir, ready, listener};
    size_t fd_count = listener < 0 ? 3 : 4;
    struct pb_boxd_request request = request_of(PB_BOXD_SPAWN_SHIM, NULL, slot);
    struct pb_project_dirs dirs;
    struct pb_process process;
    int status;
    pid_t pid;

    if (!is_direct(spawn))
        return ask_boxd(spawn, &request, fds, fd_count, &pid, err);
    if (own_dirs(spawn, "shim", slot, &dirs, err) < 0 ||
        pb_launch_shim(spawn->bin_dir, &dirs, fds, fd_count, &process, err) < 0)
        return -1;
    return pb_process_wait(&process, &status,
                           err); /* the one that forked; the shim itself is on its own */
}

int pb_spawn_kill(struct pb_spawn *spawn, unsigned slot, pid_t pid, uint64_t start_time,
                  struct pb_error *err)
{
    struct pb_boxd_request request = request_of(PB_BOXD_KILL, NULL, slot);
    pid_t ignored;
    int pidfd;

    request.pid = pid;
    request.start_time = start_time;
    if (!is_direct(spawn))
        return ask_boxd(spawn, &request, NULL, 0, &ignored, err);
    pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd >= 0 && pb_process_start_time(pid) == start_time)
        (void)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
    pb_close(&pidfd);
    return 0;
}

int pb_spawn_box_level(struct pb_spawn *spawn, enum pb_box_level *ret_level, struct pb_error *err)
{
    struct pb_boxd_request request = request_of(PB_BOXD_BOX_LEVEL, NULL, PB_SLOT_MIN);
    const struct pb_box_user ourselves = {.switches = false};
    char weakness[PB_BOX_WEAKNESS_TEXT];
    pid_t level;

    if (is_direct(spawn))
        return pb_box_probe(&ourselves, ret_level, weakness, err);
    if (ask_boxd(spawn, &request, NULL, 0, &level, err) < 0)
        return -1;
    *ret_level = (enum pb_box_level)level;
    return 0;
}
