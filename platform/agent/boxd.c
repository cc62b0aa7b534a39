#include "agent/boxd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/box.h"
#include "agent/boxd_protocol.h"
#include "agent/fd_message.h"
#include "agent/launch_private.h"
#include "agent/project_dirs.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/process.h"
#include "base/text.h"
#include "wire/message.h"

enum { BACKLOG = 64, REQUEST_DEADLINE_MS = 2000, KILL_TRIES = 100 };

struct boxd {
    const struct pb_boxd_options *options;
    int listener;
    int signals;
};

/* One request on its way. */
struct call {
    const struct pb_boxd_options *options;
    const struct pb_boxd_request *request;
    const struct pb_project_dirs *dirs;
    const int *fds;
    size_t fd_count;
    pid_t pid; /* out */
};

static const struct op {
    enum pb_boxd_op op;
    const char *word;
    size_t fds_min;
    size_t fds_max;
    bool runner_may;
} OPS[] = {
#define X(op_, number, word_, min_, max_, runner_) {PB_BOXD_##op_, word_, min_, max_, runner_},
    PB_BOXD_OPS(X)
#undef X
};

static const struct op *find_op(unsigned number)
{
    for (size_t i = 0; i < sizeof(OPS) / sizeof(OPS[0]); i++) {
        if ((unsigned)OPS[i].op == number)
            return &OPS[i];
    }
    return NULL;
}

static const char *op_word(unsigned number)
{
    const struct op *row = find_op(number);

    return row ? row->word : "?";
}

int pb_boxd_check_peer(const struct pb_boxd_options *options, uid_t peer, unsigned op,
                       unsigned slot, struct pb_error *err)
{
    const struct op *row = find_op(op);

    if (!row)
        return pb_fail(err, PB_ERROR_INVALID, "request %u is unknown", op);
    if (slot < PB_SLOT_MIN || slot > PB_SLOT_MAX)
        return pb_fail(err, PB_ERROR_INVALID, "slot %u does not exist", slot);
    if (peer == options->node_uid || peer == 0)
        return 0;
    if (row->runner_may && peer == options->uid_base + 2 * slot)
        return 0;
    return pb_fail(err, PB_ERROR_DENIED, "uid %u may not ask for %s in slot %u", peer, row->word,
                   slot);
}

/* Lines "first outside count". */
int pb_boxd_check_uid_map(const char *uid_map, uid_t uid_base, struct pb_error *err)
{
    uint64_t first_needed = (uint64_t)uid_base + 2 * PB_SLOT_MIN;
    uint64_t last_needed = (uint64_t)uid_base + 2 * PB_SLOT_MAX + 1;
    char *rest;

    for (const char *line = uid_map; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        uint64_t first = strtoull(line, &rest, 10);
        uint64_t count;

        (void)strtoull(rest, &rest, 10);
        count = strtoull(rest, NULL, 10);
        if (count > 0 && first <= first_needed && last_needed - first < count)
            return 0;
    }
    return pb_fail(
        err, PB_ERROR_INVALID,
        "the user ids %llu to %llu do not exist here (see /proc/self/uid_map): set uid_base to "
        "the start of a range of %llu that does",
        (unsigned long long)first_needed, (unsigned long long)last_needed,
        (unsigned long long)(last_needed - first_needed + 1));
}

/* ---- what can be asked ---- */

static int started(struct pb_process *process, struct call *call)
{
    call->pid = process->pid;
    pb_close(&process->pidfd); /* reaped with all the others, on SIGCHLD */
    return 0;
}

static int spawn_runner(struct call *call, struct pb_error *err)
{
    struct pb_process process;

    return pb_launch_runner(call->options->bin_dir, call->dirs, call->fds, &process, err) < 0
               ? -1
               : started(&process, call);
}

static int spawn_broker(struct call *call, struct pb_error *err)
{
    struct pb_process process;

    return pb_launch_broker(call->options->bin_dir, call->dirs, call->fds, &process, err) < 0
               ? -1
               : started(&process, call);
}

static int spawn_shim(struct call *call, struct pb_error *err)
{
    struct pb_process process;

    return pb_launch_shim(call->options->bin_dir, call->dirs, call->fds, call->fd_count, &process,
                          err) < 0
               ? -1
               : started(&process, call);
}

/* As that user itself, so that nobody else can be hit. Then that user may hit us, too: again until we were the
 * faster one. */
static void kill_all_of(uid_t uid, gid_t gid)
{
    for (int i = 0; i < KILL_TRIES; i++) {
        int status = 0;
        pid_t pid = fork();

        if (pid == 0) {
            if (setresgid(gid, gid, gid) == 0 && setresuid(uid, uid, uid) == 0)
                (void)kill(-1, SIGKILL);
            _exit(0);
        }
        if (pid < 0 || (waitpid(pid, &status, 0) == pid && WIFEXITED(status)))
            return;
    }
}

/* The runner's first: it is the one who could have more started. */
static void kill_project(const struct pb_project_dirs *dirs)
{
    kill_all_of(dirs->runner_uid, dirs->gid);
    kill_all_of(dirs->task_uid, dirs->gid);
}

/* May take long, so it runs beside; see answer_beside(). */
static int remove_project(const struct call *call, struct pb_error *err)
{
    int r;

    kill_project(call->dirs);
    r = pb_project_dirs_remove(call->dirs, err);
    kill_project(call->dirs); /* what a request that waited meanwhile has started */
    return r;
}

static bool is_of_slot(pid_t pid, const struct pb_project_dirs *dirs)
{
    char path[64];
    struct stat st;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    /* The owner of the folder may be root for a process that cannot be inspected; its real uid is in status. */
    if (stat(path, &st) == 0 && (st.st_uid == dirs->runner_uid || st.st_uid == dirs->task_uid))
        return true;
    {
        struct pb_error ignored;
        struct pb_buf text;
        uint64_t uid = 0;
        char *at;

        (void)snprintf(path, sizeof(path), "/proc/%d/status", pid);
        pb_buf_init(&text, 16 << 10);
        if (pb_fs_read(AT_FDCWD, path, &text, &ignored) == 0 && text.data &&
            (at = strstr(text.data, "\nUid:\t"))) {
            at += strlen("\nUid:\t");
            at[strcspn(at, "\t\n")] = '\0';
            if (!pb_parse_u64(at, UINT32_MAX, &uid))
                uid = 0;
        }
        pb_buf_release(&text);
        return uid == dirs->runner_uid || uid == dirs->task_uid;
    }
}

static int kill_process(struct call *call, struct pb_error *err)
{
    pid_t pid = call->request->pid;
    int pidfd = pid > 1 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
    int r = 0;

    if (pidfd < 0)
        return 0; /* gone */
    if (pb_process_start_time(pid) == call->request->start_time) {
        if (is_of_slot(pid, call->dirs))
            (void)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
        else
            r = pb_fail(err, PB_ERROR_DENIED, "process %d is not of slot %u", pid,
                        call->dirs->slot);
    }
    pb_close(&pidfd);
    return r;
}

static int find_box_level(struct call *call, struct pb_error *err)
{
    const struct pb_box_user user = {true, call->dirs->runner_uid, call->dirs->task_uid,
                                     call->dirs->gid};
    char weakness[PB_BOX_WEAKNESS_TEXT];
    enum pb_box_level level;

    if (pb_box_probe(&user, &level, weakness, err) < 0)
        return -1;
    if (*weakness)
        pb_log_warn("boxd", "runs cannot be walled off from each other: %s", weakness);
    call->pid = (pid_t)level;
    return 0;
}

static int perform(struct call *call, struct pb_error *err)
{
    switch ((enum pb_boxd_op)call->request->op) {
    case PB_BOXD_PREPARE_PROJECT:
        return pb_project_dirs_make(call->dirs, err);
    case PB_BOXD_SPAWN_RUNNER:
        return spawn_runner(call, err);
    case PB_BOXD_SPAWN_SHIM:
        return spawn_shim(call, err);
    case PB_BOXD_SPAWN_BROKER:
        return spawn_broker(call, err);
    case PB_BOXD_KILL:
        return kill_process(call, err);
    case PB_BOXD_REMOVE_PROJECT:
        return remove_project(call, err);
    case PB_BOXD_BOX_LEVEL:
        return find_box_level(call, err);
    }
    return pb_fail(err, PB_ERROR_INVALID, "request %u is unknown", call->request->op);
}

/* ---- one connection, one request ---- */

static void reply(int client, pid_t pid, const struct pb_error *err)
{
    struct pb_boxd_reply answer = {.version = PB_BOXD_VERSION, .pid = pid};
    struct pb_error ignored;

    if (err) {
        answer.code = (int32_t)err->code;
        (void)snprintf(answer.reason, sizeof(answer.reason), "%s", err->reason);
        (void)snprintf(answer.message, sizeof(answer.message), "%s", err->message);
    }
    if (pb_fd_message_send(client, &answer, sizeof(answer), NULL, 0, &ignored) < 0)
        pb_log_debug("boxd", "nobody waited for the answer");
}

static bool names_a_project(unsigned op)
{
    return op == PB_BOXD_PREPARE_PROJECT || op == PB_BOXD_SPAWN_RUNNER ||
           op == PB_BOXD_REMOVE_PROJECT;
}

static int check(const struct boxd *boxd, uid_t peer, const struct pb_boxd_request *request,
                 size_t fd_count, struct pb_project_dirs *ret_dirs, struct pb_error *err)
{
    struct pb_project_place place = {.data_dir = boxd->options->data_dir,
                                     .slot = request->slot,
                                     .as_root = true,
                                     .uid_base = boxd->options->uid_base};
    const struct op *op = find_op(request->op);

    if (request->version != PB_BOXD_VERSION)
        return pb_fail(err, PB_ERROR_INVALID, "protocol version %u is not ours", request->version);
    if (pb_boxd_check_peer(boxd->options, peer, request->op, request->slot, err) < 0)
        return -1;
    if (fd_count < op->fds_min || fd_count > op->fds_max)
        return pb_fail(err, PB_ERROR_INVALID, "%s with %zu descriptors", op->word, fd_count);
    if (!memchr(request->project, '\0', sizeof(request->project))) /* cut, it would be another's */
        return pb_fail(err, PB_ERROR_INVALID, "this is no project id");
    place.project = names_a_project(request->op) ? request->project : "none";
    return pb_project_dirs_name(&place, ret_dirs, err);
}

/* Removing a tree takes as long as it takes; a child does it and answers. */
static void answer_beside(struct call *call, int client)
{
    struct pb_error err = {0};
    pid_t pid = fork();

    if (pid == 0) {
        int r = perform(call, &err);

        reply(client, 0, r < 0 ? &err : NULL);
        _exit(0);
    }
    if (pid < 0) {
        (void)pb_fail_errno(&err, "fork");
        reply(client, 0, &err);
    }
}

static void serve(struct boxd *boxd, int client, uid_t peer)
{
    struct pb_boxd_request request = {0};
    struct pb_fd_message message;
    struct pb_project_dirs dirs;
    struct pb_error err = {0};
    struct call call;

    if (pb_fd_message_receive(client, &request, sizeof(request), &message, &err) != 1 ||
        message.len == 0)
        return;
    if (message.is_cut || message.len != sizeof(request)) {
        (void)pb_fail(&err, PB_ERROR_INVALID, "a request of %zu bytes is none", message.len);
        reply(client, 0, &err);
        goto out;
    }
    if (check(boxd, peer, &request, message.fd_count, &dirs, &err) < 0) {
        pb_log_fail(PB_LOG_WARN, "boxd", &err, "uid=%u request refused", peer);
        reply(client, 0, &err);
        goto out;
    }
    call = (struct call){boxd->options, &request, &dirs, message.fds, message.fd_count, 0};
    if (request.op == PB_BOXD_REMOVE_PROJECT) {
        answer_beside(&call, client);
    } else if (perform(&call, &err) < 0) {
        pb_log_fail(PB_LOG_WARN, "boxd", &err, "slot=%u %s failed", request.slot,
                    op_word(request.op));
        reply(client, 0, &err);
    } else {
        pb_log_debug("boxd", "slot=%u %s pid=%d", request.slot, op_word(request.op), call.pid);
        reply(client, call.pid, NULL);
    }
out:
    pb_fd_message_close(&message);
}

/* The next client waits meanwhile, so nobody may sit here without asking: a second is plenty, as askers send
 * their request in the same breath as they connect. */
static void accept_one(struct boxd *boxd)
{
    int client = accept4(boxd->listener, NULL, NULL, SOCK_CLOEXEC);
    struct pollfd ready = {client, POLLIN, 0};
    struct ucred peer = {.uid = (uid_t)-1};
    socklen_t len = sizeof(peer);

    if (client < 0)
        return;
    if (getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
        (peer.uid == 0 || peer.uid == boxd->options->node_uid ||
         (peer.uid > boxd->options->uid_base && (peer.uid - boxd->options->uid_base) % 2 == 0 &&
          (peer.uid - boxd->options->uid_base) / 2 <= PB_SLOT_MAX)) &&
        poll(&ready, 1, REQUEST_DEADLINE_MS) == 1)
        serve(boxd, client, peer.uid);
    pb_close(&client);
}

/* ---- life ---- */

static int listen_at(const char *run_dir, struct pb_error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    mode_t mask;
    int sock, r;

    if (snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", run_dir, PB_BOXD_SOCKET) >=
        (int)sizeof(address.sun_path))
        return pb_fail(err, PB_ERROR_INVALID,
                       "run_dir is too long: a socket's path may have 107 bytes");
    sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (sock < 0)
        return pb_fail_errno(err, "make a socket");
    (void)unlink(
        address.sun_path); /* left by one that was killed; two at once are kept apart by the lock */
    mask = umask(0); /* who may ask is decided by uid; never there without the right to connect */
    r = bind(sock, (struct sockaddr *)&address, sizeof(address));
    (void)umask(mask);
    if (r < 0 || listen(sock, BACKLOG) < 0) {
        (void)pb_fail_errno(err, "listen at %s", address.sun_path);
        pb_close(&sock);
        return -1;
    }
    return sock;
}

static int watch_signals(void)
{
    sigset_t watched;

    (void)sigemptyset(&watched);
    (void)sigaddset(&watched, SIGCHLD);
    (void)sigaddset(&watched, SIGTERM);
    (void)sigaddset(&watched, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &watched, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* False: time to go. */
static bool on_signal(const struct boxd *boxd)
{
    struct signalfd_siginfo info;
    bool go_on = true;

    while (read(boxd->signals, &info, sizeof(info)) == sizeof(info)) {
        if (info.ssi_signo != SIGCHLD)
            go_on = false;
    }
    while (waitpid(-1, NULL, WNOHANG) > 0)
        continue;
    return go_on;
}

static int check_uid_map(const struct pb_boxd_options *options, struct pb_error *err)
{
    struct pb_buf map;
    int r;

    pb_buf_init(&map, 64 << 10);
    r = pb_fs_read(AT_FDCWD, "/proc/self/uid_map", &map, err);
    if (r == 0)
        r = pb_boxd_check_uid_map(pb_buf_string(&map), options->uid_base, err);
    pb_buf_release(&map);
    return r;
}

int pb_boxd_serve(const struct pb_boxd_options *options, struct pb_error *err)
{
    struct boxd boxd = {.options = options, .listener = -1, .signals = -1};
    char lock_path[600];
    int lock = -1;
    int r = -1;

    (void)snprintf(lock_path, sizeof(lock_path), "%s/boxd.lock", options->run_dir);
    if (check_uid_map(options, err) < 0 || pb_fs_mkdirs(options->run_dir, 0755, err) < 0)
        return -1;
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    lock = pb_fs_lock(lock_path, err);
    boxd.signals = lock < 0 ? -1 : watch_signals();
    boxd.listener = boxd.signals < 0 ? -1 : listen_at(options->run_dir, err);
    if (boxd.listener < 0)
        goto out;
    pb_log_info("boxd", "ready at %s/%s", options->run_dir, PB_BOXD_SOCKET);
    for (bool go_on = true; go_on;) {
        struct pollfd polls[2] = {{boxd.listener, POLLIN, 0}, {boxd.signals, POLLIN, 0}};

        if (poll(polls, 2, -1) < 0 && errno != EINTR)
            break;
        if (polls[1].revents)
            go_on = on_signal(&boxd);
        if (go_on && polls[0].revents)
            accept_one(&boxd);
    }
    r = 0;
out:
    pb_close(&boxd.listener);
    pb_close(&boxd.signals);
    pb_close(&lock);
    return r;
}
