#include "agent/broker_link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/crypto.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/text.h"

enum {
    ANSWER_MS = 5000,
    ANSWER_MAX = 64 << 10,
    REQUEST_MAX = 64 << 10,
    BACKLOG = 128,
    TELL_TRIES = 3,
};

static const char SOCKET[] = "broker.sock";

/* What is told to the broker again after its death. The texts are one secret block. */
struct registered {
    struct registered *next;
    struct pb_buf request; /* the JSON message, secret */
    char attempt[80];
};

struct pb_broker_link {
    const struct pb_project_dirs *dirs; /* borrowed */
    struct pb_spawn *spawn;             /* borrowed */
    pthread_mutex_t lock;               /* guards the rest */
    int listener;                       /* -1 = none */
    int control;                        /* connected; -1 = none */
    struct registered *registered;
};

struct pb_broker_link *pb_broker_link_new(const struct pb_project_dirs *dirs,
                                          struct pb_spawn *spawn, struct pb_error *err)
{
    struct pb_broker_link *link = calloc(1, sizeof(*link));

    if (!link) {
        (void)pb_fail(err, PB_ERROR_LIMITED, "no memory for the broker's link");
        return NULL;
    }
    link->dirs = dirs;
    link->spawn = spawn;
    link->listener = link->control = -1;
    pthread_mutex_init(&link->lock, NULL);
    return link;
}

static void free_registered(struct registered *registered)
{
    pb_buf_release(&registered->request);
    free(registered);
}

void pb_broker_link_free(struct pb_broker_link *link)
{
    if (!link)
        return;
    pb_close(&link->listener);
    pb_close(&link->control);
    while (link->registered) {
        struct registered *next = link->registered->next;
        free_registered(link->registered);
        link->registered = next;
    }
    pthread_mutex_destroy(&link->lock);
    free(link);
}

void pb_broker_dummy_key(char ret_dummy[PB_BROKER_DUMMY_TEXT])
{
    uint8_t random_bytes[32];
    struct pb_buf text;

    pb_random(random_bytes, sizeof(random_bytes));
    pb_buf_init(&text, PB_BROKER_DUMMY_TEXT - 1);
    pb_buf_text(&text, "sk-ant-poppo-");
    pb_buf_base64url(&text, random_bytes, sizeof(random_bytes));
    memcpy(ret_dummy, pb_buf_string(&text), text.len + 1);
    pb_buf_release(&text);
}

int pb_broker_link_listener(struct pb_broker_link *link)
{
    int listener;

    pthread_mutex_lock(&link->lock);
    listener = link->listener;
    pthread_mutex_unlock(&link->lock);
    return listener;
}

void pb_broker_link_give_listener(struct pb_broker_link *link, int listener)
{
    pthread_mutex_lock(&link->lock);
    if (link->listener < 0)
        link->listener = listener;
    else
        pb_close(&listener);
    pthread_mutex_unlock(&link->lock);
}

/* Sockets. */

static int make_listener(int port, struct pb_error *err)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0)
        return pb_fail_errno(err, "socket");
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(fd, BACKLOG) < 0) {
        if (errno == EADDRINUSE)
            (void)pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "busy",
                                 "port %d of 127.0.0.1, the broker's, is used by another program",
                                 port);
        else
            (void)pb_fail_errno(err, "listen on 127.0.0.1:%d", port);
        pb_close(&fd);
    }
    return fd;
}

/* The control socket's address by way of its folder's descriptor: paths of sockets are short. */
static int control_address(const struct pb_broker_link *link, struct sockaddr_un *ret_address,
                           int *ret_dirfd, struct pb_error *err)
{
    int dirfd = open(link->dirs->data, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (dirfd < 0)
        return pb_fail_errno(err, "open '%s'", link->dirs->data);
    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    (void)snprintf(ret_address->sun_path, sizeof(ret_address->sun_path), "/proc/self/fd/%d/%s",
                   dirfd, SOCKET);
    *ret_dirfd = dirfd;
    return 0;
}

static int make_control(const struct pb_broker_link *link, struct pb_error *err)
{
    struct sockaddr_un address;
    int dirfd, fd;

    if (control_address(link, &address, &dirfd, err) < 0)
        return -1;
    (void)unlinkat(dirfd, SOCKET, 0);
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        fchmodat(dirfd, SOCKET, 0600, 0) < 0 || listen(fd, 8) < 0) {
        (void)pb_fail_errno(err, "listen on '%s/%s'", link->dirs->data, SOCKET);
        pb_close(&fd);
    }
    pb_close(&dirfd);
    return fd;
}

/* -1 without an error set: nobody is there. */
static int dial(const struct pb_broker_link *link)
{
    struct pb_error ignored = {0};
    struct timeval patience = {.tv_sec = ANSWER_MS / 1000};
    struct sockaddr_un address;
    int dirfd, fd;

    if (control_address(link, &address, &dirfd, &ignored) < 0)
        return -1;
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd >= 0 && (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 ||
                    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
                    connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0))
        pb_close(&fd);
    pb_close(&dirfd);
    return fd;
}

/* One question, one answer. UNREACHABLE: the broker is gone, and the connection with it. */
static int ask(struct pb_broker_link *link, const char *request, size_t len, struct pb_error *err)
{
    char text[ANSWER_MAX];
    struct pb_json *answer;
    ssize_t got = -1;
    int r = 0;

    if (send(link->control, request, len, MSG_NOSIGNAL) == (ssize_t)len)
        got = recv(link->control, text, sizeof(text), 0);
    if (got <= 0) {
        pb_close(&link->control);
        return pb_fail(err, PB_ERROR_UNREACHABLE, "the broker does not answer");
    }
    answer = pb_json_parse(text, (size_t)got, err);
    if (!answer)
        return -1;
    if (!pb_json_bool(answer, "ok", false))
        r = pb_fail(err, PB_ERROR_INVALID, "broker: %s", pb_json_text(answer, "error", "refused"));
    pb_json_free(answer);
    return r;
}

/* The process. */

static int start_broker(struct pb_broker_link *link, struct pb_error *err)
{
    int control;
    pid_t pid;
    int r;

    if (link->listener < 0)
        link->listener = make_listener(link->dirs->port, err);
    if (link->listener < 0)
        return -1;
    control = make_control(link, err);
    if (control < 0)
        return -1;
    r = pb_spawn_broker(link->spawn, link->dirs->slot, link->listener, control, &pid, err);
    pb_close(&control);
    if (r < 0)
        return pb_fail_in(err, "start the broker");
    /* The socket listens already: the new process answers as soon as it runs. */
    link->control = dial(link);
    return link->control < 0
               ? pb_fail(err, PB_ERROR_UNREACHABLE, "the broker's socket cannot be reached")
               : 0;
}

static int tell_all(struct pb_broker_link *link, struct pb_error *err)
{
    for (struct registered *at = link->registered; at; at = at->next)
        if (ask(link, at->request.data, at->request.len, err) < 0)
            return -1;
    return 0;
}

static bool is_alive(struct pb_broker_link *link)
{
    struct pollfd control = {.fd = link->control, .events = POLLIN};

    /* It never speaks unasked, so anything there is its end. */
    if (link->control >= 0 && poll(&control, 1, 0) != 0)
        pb_close(&link->control);
    return link->control >= 0;
}

/* A broker that knows all registered attempts. One that is already there may know them from before. */
static int connect_broker(struct pb_broker_link *link, struct pb_error *err)
{
    if (is_alive(link))
        return 0;
    link->control = dial(link);
    if (link->control >= 0 && tell_all(link, err) == 0)
        return 0;
    pb_close(&link->control);
    if (start_broker(link, err) < 0)
        return -1;
    return tell_all(link, err);
}

/* What callers ask for. */

static void forget(struct pb_broker_link *link, const char *attempt)
{
    for (struct registered **at = &link->registered; *at; at = &(*at)->next) {
        struct registered *found = *at;
        if (strcmp(found->attempt, attempt) != 0)
            continue;
        *at = found->next;
        free_registered(found);
        return;
    }
}

static struct registered *remember(struct pb_broker_link *link,
                                   const struct pb_broker_registration *registration,
                                   struct pb_error *err)
{
    struct registered *registered = calloc(1, sizeof(*registered));
    struct pb_json_writer w;

    if (!registered) {
        (void)pb_fail(err, PB_ERROR_LIMITED, "no memory for the broker's registration");
        return NULL;
    }
    pb_buf_init(&registered->request, REQUEST_MAX);
    registered->request.secret = true;
    (void)snprintf(registered->attempt, sizeof(registered->attempt), "%s", registration->attempt);
    pb_json_writer_init(&w, &registered->request);
    pb_json_begin_object(&w, NULL);
    pb_json_put_text(&w, "op", "attempt");
    pb_json_put_text(&w, "attempt", registration->attempt);
    pb_json_put_text(&w, "dummy", registration->dummy);
    pb_json_put_text(&w, "key", registration->key);
    pb_json_put_text(&w, "base_url", registration->base_url);
    pb_json_put_text(&w, "usage_file", registration->usage_file);
    pb_json_end_object(&w);
    if (pb_buf_failed(&registered->request)) {
        (void)pb_fail(err, PB_ERROR_TOO_LARGE, "the broker's registration is too long");
        free_registered(registered);
        return NULL;
    }
    registered->next = link->registered;
    link->registered = registered;
    return registered;
}

static int tell(struct pb_broker_link *link, const struct pb_broker_registration *registration,
                struct pb_error *err)
{
    struct registered *registered;

    /* Connect first: what is remembered is told to a new broker by connecting. */
    forget(link, registration->attempt);
    if (connect_broker(link, err) < 0)
        return -1;
    registered = remember(link, registration, err);
    if (!registered)
        return -1;
    if (ask(link, registered->request.data, registered->request.len, err) == 0)
        return 0;
    forget(link, registration->attempt);
    return -1;
}

int pb_broker_link_register(struct pb_broker_link *link,
                            const struct pb_broker_registration *registration, struct pb_error *err)
{
    int r = -1;

    pthread_mutex_lock(&link->lock);
    for (int i = 0; i < TELL_TRIES && r < 0; i++) {
        r = tell(link, registration, err);
        if (r < 0 && err->code != PB_ERROR_UNREACHABLE)
            break; /* else it died while it was told: the next one is */
    }
    pthread_mutex_unlock(&link->lock);
    return r;
}

int pb_broker_link_end(struct pb_broker_link *link, const char *attempt, struct pb_error *err)
{
    struct pb_json_writer w;
    struct pb_buf request;
    int r = 0;

    pb_buf_init(&request, REQUEST_MAX);
    pb_json_writer_init(&w, &request);
    pb_json_begin_object(&w, NULL);
    pb_json_put_text(&w, "op", "end");
    pb_json_put_text(&w, "attempt", attempt);
    pb_json_end_object(&w);
    pthread_mutex_lock(&link->lock);
    forget(link, attempt);
    if (link->control < 0)
        link->control = dial(link);
    if (link->control >= 0 && ask(link, request.data, request.len, err) < 0)
        /* A broker that is gone has forgotten it as well. */
        r = link->control < 0 ? 0 : -1;
    pthread_mutex_unlock(&link->lock);
    pb_buf_release(&request);
    return r;
}

int pb_broker_link_check(struct pb_broker_link *link, struct pb_error *err)
{
    int r;

    pthread_mutex_lock(&link->lock);
    r = link->registered ? connect_broker(link, err) : 0;
    pthread_mutex_unlock(&link->lock);
    return r;
}
