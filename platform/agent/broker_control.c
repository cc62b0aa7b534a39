#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/broker_private.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"

enum { PEERS_MAX = 8 };

struct peer {
    struct pb_broker_control *control; /* NULL = free */
    int fd;
    struct pb_loop_fd *watch;
};

struct pb_broker_control {
    struct pb_broker *broker; /* borrowed */
    int listener;             /* borrowed */
    struct pb_loop_fd *watch;
    struct peer peers[PEERS_MAX];
};

static int open_usage_file(const char *path, struct pb_error *err)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0640);

    return fd < 0 ? pb_fail_errno(err, "open '%s'", path) : fd;
}

static int on_attempt(struct pb_broker *broker, const struct pb_json *request,
                      struct pb_json_writer *w, struct pb_error *err)
{
    static const char *const NAMES[] = {"attempt", "dummy", "key", "base_url", "usage_file"};
    const char *texts[5];
    int usage_fd;

    (void)w;
    for (size_t i = 0; i < 5; i++) {
        texts[i] = pb_json_need_text(request, NAMES[i], err);
        if (!texts[i])
            return -1;
    }
    usage_fd = open_usage_file(texts[4], err);
    if (usage_fd < 0)
        return -1;
    if (pb_broker_register(broker, texts[0], texts[1], texts[2], texts[3], usage_fd, err) < 0) {
        pb_close(&usage_fd);
        return -1;
    }
    return 0;
}

static int on_end(struct pb_broker *broker, const struct pb_json *request, struct pb_json_writer *w,
                  struct pb_error *err)
{
    const char *name = pb_json_need_text(request, "attempt", err);

    (void)w;
    if (!name)
        return -1;
    pb_broker_end(broker, name);
    return 0;
}

static int on_status(struct pb_broker *broker, const struct pb_json *request,
                     struct pb_json_writer *w, struct pb_error *err)
{
    (void)request;
    (void)err;
    pb_json_put_text(w, "version", PB_VERSION);
    pb_json_put_int(w, "pid", getpid());
    pb_json_begin_array(w, "attempts");
    for (const struct pb_broker_attempt *at = broker->attempts; at; at = at->next) {
        pb_json_begin_object(w, NULL);
        pb_json_put_text(w, "attempt", at->name);
        pb_json_put_int(w, "calls", at->calls);
        pb_json_end_object(w);
    }
    pb_json_end_array(w);
    return 0;
}

static int on_stop(struct pb_broker *broker, const struct pb_json *request,
                   struct pb_json_writer *w, struct pb_error *err)
{
    (void)request;
    (void)w;
    (void)err;
    pb_loop_stop(broker->loop);
    return 0;
}

static const struct {
    const char *op;
    /* Adds members to the answer. */
    int (*fn)(struct pb_broker *broker, const struct pb_json *request, struct pb_json_writer *w,
              struct pb_error *err);
} OPS[] = {
    {"attempt", on_attempt},
    {"end", on_end},
    {"status", on_status},
    {"stop", on_stop},
};

static int do_request(struct pb_broker *broker, const char *text, size_t len,
                      struct pb_json_writer *w, struct pb_error *err)
{
    struct pb_json *request = pb_json_parse(text, len, err);
    const char *op = pb_json_text(request, "op", "");
    int r;

    if (!request)
        return -1;
    r = pb_fail(err, PB_ERROR_INVALID, "unknown op '%.40s'", op);
    for (size_t i = 0; i < sizeof(OPS) / sizeof(OPS[0]); i++)
        if (strcmp(OPS[i].op, op) == 0)
            r = OPS[i].fn(broker, request, w, err);
    pb_json_free(request);
    return r;
}

static void answer(struct peer *peer, const char *text, size_t len)
{
    struct pb_error err = {0};
    struct pb_json_writer w;
    struct pb_buf out;

    pb_buf_init(&out, PB_BROKER_MESSAGE_MAX);
    pb_json_writer_init(&w, &out);
    pb_json_begin_object(&w, NULL);
    pb_json_put_bool(&w, "ok", true);
    if (do_request(peer->control->broker, text, len, &w, &err) < 0) {
        pb_buf_clear(&out);
        pb_json_writer_init(&w, &out);
        pb_json_begin_object(&w, NULL);
        pb_json_put_bool(&w, "ok", false);
        pb_json_put_text(&w, "error", err.message);
    }
    pb_json_end_object(&w);
    /* A peer that does not read its answers loses them, and then the connection. */
    if (send(peer->fd, pb_buf_string(&out), out.len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        (void)shutdown(peer->fd, SHUT_RDWR);
    pb_buf_release(&out);
}

static void drop(struct peer *peer)
{
    pb_loop_fd_unwatch(&peer->watch);
    pb_close(&peer->fd);
    peer->control = NULL;
}

static void on_request(void *arg, int events)
{
    struct peer *peer = arg;
    char text[PB_BROKER_MESSAGE_MAX];
    ssize_t got;

    (void)events;
    got = recv(peer->fd, text, sizeof(text), MSG_DONTWAIT | MSG_TRUNC);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0 || (size_t)got > sizeof(text))
        drop(peer);
    else
        answer(peer, text, (size_t)got);
    pb_wipe(text, sizeof(text)); /* keys were in it */
}

static bool is_ours(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
           (peer.uid == 0 || peer.uid == geteuid());
}

static void on_connection(void *arg, int events)
{
    struct pb_broker_control *control = arg;
    int fd = accept4(control->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)events;
    if (fd < 0)
        return;
    if (!is_ours(fd)) {
        pb_log_warn("broker", "a stranger at the control socket, ignoring");
        pb_close(&fd);
        return;
    }
    for (size_t i = 0; i < PEERS_MAX; i++) {
        struct peer *peer = &control->peers[i];
        if (peer->control)
            continue;
        *peer = (struct peer){.control = control, .fd = fd};
        peer->watch = pb_loop_fd_watch(control->broker->loop, fd, PB_LOOP_READ, on_request, peer);
        if (!peer->watch)
            drop(peer);
        return;
    }
    pb_close(&fd); /* all places are taken */
}

struct pb_broker_control *pb_broker_control_new(struct pb_broker *broker, int listener,
                                                struct pb_error *err)
{
    struct pb_broker_control *control = calloc(1, sizeof(*control));

    if (!control) {
        (void)pb_fail(err, PB_ERROR_LIMITED, "no memory for the control socket");
        return NULL;
    }
    control->broker = broker;
    control->listener = listener;
    control->watch = pb_loop_fd_watch(broker->loop, listener, PB_LOOP_READ, on_connection, control);
    if (!control->watch) {
        (void)pb_fail(err, PB_ERROR_INTERNAL, "the control socket cannot be watched");
        free(control);
        return NULL;
    }
    return control;
}

bool pb_broker_control_has_peers(const struct pb_broker_control *control)
{
    for (size_t i = 0; i < PEERS_MAX; i++)
        if (control->peers[i].control)
            return true;
    return false;
}

void pb_broker_control_free(struct pb_broker_control *control)
{
    if (!control)
        return;
    pb_loop_fd_unwatch(&control->watch);
    for (size_t i = 0; i < PEERS_MAX; i++)
        if (control->peers[i].control)
            drop(&control->peers[i]);
    free(control);
}
