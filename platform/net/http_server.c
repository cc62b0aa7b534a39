#include "net/http_server.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "net/address_private.h"
#include "net/http_server_private.h"

enum {
    HEAD_MAX = 16 * 1024,
    BODY_MAX = 1024 * 1024,
    CONNECTIONS_MAX = 10000,
    HELD_MAX = 64 * 1024 * 1024,
    BACKLOG = 1024,
    ACCEPTS_MAX = 64, /* per event */
    ACCEPT_PAUSE_MS = 100,
    TICK_MS_MAX = 1000,
};

const struct pb_http_limits PB_HTTP_LIMITS = {
    .handshake_ms = 10000,
    .head_ms = 10000,
    .body_grace_ms = 10000,
    .body_rate = 1024,
    .idle_ms = 60000,
    .stall_ms = 60000,
    .linger_ms = 2000,
};

static void list_remove(struct pb_http_list *list, struct pb_http_connection *connection)
{
    if (connection->prev)
        connection->prev->next = connection->next;
    else
        list->first = connection->next;
    if (connection->next)
        connection->next->prev = connection->prev;
    else
        list->last = connection->prev;
    connection->prev = connection->next = NULL;
}

static void list_append(struct pb_http_list *list, struct pb_http_connection *connection)
{
    connection->prev = list->last;
    connection->next = NULL;
    if (list->last)
        list->last->next = connection;
    else
        list->first = connection;
    list->last = connection;
}

static bool list_has(const struct pb_http_list *list, const struct pb_http_connection *connection)
{
    return connection->prev || list->first == connection;
}

static struct pb_http_list *list_of(struct pb_http_server *server,
                                    const struct pb_http_connection *connection)
{
    return connection->is_idle ? &server->idle : &server->busy;
}

static void tick_list(const struct pb_http_list *list, int64_t now_ms)
{
    struct pb_http_connection *connection = list->first;

    while (connection) {
        struct pb_http_connection *next = connection->next;

        pb_http_connection_tick(connection, now_ms);
        connection = next;
    }
}

static void on_tick(void *arg)
{
    struct pb_http_server *server = arg;
    int64_t now_ms = pb_clock_steady_ms();

    /* A tick closes or moves only its own connection, so `next` stays good. */
    tick_list(&server->busy, now_ms);
    tick_list(&server->idle, now_ms);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t tick_ms(const struct pb_http_limits *limits)
{
    int64_t ms = 4 * TICK_MS_MAX;

    ms = least(ms, limits->handshake_ms);
    ms = least(ms, limits->head_ms);
    ms = least(ms, limits->body_grace_ms);
    ms = least(ms, limits->idle_ms);
    ms = least(ms, limits->stall_ms);
    ms = least(ms, limits->linger_ms);
    return ms / 4 + 1;
}

void pb_http_server_note_idle(struct pb_http_server *server, struct pb_http_connection *connection,
                              bool is_idle)
{
    struct pb_http_list *from = list_of(server, connection);

    if (list_has(from, connection))
        list_remove(from, connection);
    else
        server->count++;
    list_append(is_idle ? &server->idle : &server->busy, connection);
    if (!server->tick) {
        int64_t ms = tick_ms(&server->limits);

        server->tick = pb_loop_timer_start(server->loop, ms, ms, on_tick, server);
    }
}

static struct pb_http_connection *slowest(const struct pb_http_server *server)
{
    struct pb_http_connection *found = NULL;

    for (struct pb_http_connection *at = server->busy.first; at; at = at->next)
        if (at->held > 0 && (!found || at->wrote_ms < found->wrote_ms))
            found = at;
    return found;
}

void pb_http_server_note_held(struct pb_http_server *server, struct pb_http_connection *connection)
{
    struct pb_http_connection *loser;

    server->held = server->held - connection->held + connection->out.held;
    connection->held = connection->out.held;
    while (server->held > server->options.held_max && (loser = slowest(server)))
        pb_http_connection_close(loser);
}

void pb_http_server_forget(struct pb_http_server *server, struct pb_http_connection *connection)
{
    server->held -= connection->held;
    connection->held = 0;
    list_remove(list_of(server, connection), connection);
    if (--server->count > 0)
        return;
    pb_loop_timer_cancel(&server->tick); /* an empty server sleeps */
    if (server->is_stopping)
        pb_loop_timer_cancel(&server->grace);
}

size_t pb_http_server_connections(const struct pb_http_server *server)
{
    return atomic_load(&server->count);
}

void pb_http_server_set_limits(struct pb_http_server *server, const struct pb_http_limits *limits)
{
    server->limits = *limits;
    pb_loop_timer_cancel(&server->tick);
}

/* No room even after closing an idle one: a short word, if the socket takes it, and good-bye. */
static void turn_away(struct pb_http_server *server, int fd)
{
    struct pb_buf reply;

    pb_buf_init(&reply, 4096);
    pb_http_write_refusal(&reply, 503, "unavailable", "too many connections");
    if (!server->options.tls)
        (void)send(fd, reply.data, reply.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    pb_buf_release(&reply);
    (void)shutdown(fd, SHUT_WR);
    (void)close(fd);
}

/* Descriptors are given out from the lowest free number: a high one says that few are left. */
static bool is_full(const struct pb_http_server *server, int fd)
{
    const struct pb_http_server_options *options = &server->options;

    return server->count >= options->connections_max ||
           (options->fd_max > 0 && fd >= options->fd_max);
}

static void admit(struct pb_http_server *server, int fd, const struct sockaddr_storage *address)
{
    char peer[PB_HTTP_PEER_TEXT];
    int on = 1;

    if (is_full(server, fd)) {
        if (!server->idle.first) {
            turn_away(server, fd);
            return;
        }
        pb_http_connection_close(server->idle.first);
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    pb_address_text(address, peer, sizeof(peer));
    (void)pb_http_connection_start(server, fd, peer); /* memory short: closed, nothing else to do */
}

static void resume_accept(void *arg)
{
    struct pb_http_server *server = arg;

    pb_loop_timer_cancel(&server->accept_pause);
    if (server->accept_watch)
        pb_loop_fd_change(server->accept_watch, PB_LOOP_READ);
}

/* Without a descriptor to spare the waiting client would be announced forever: the reserve lets us
 * take it and hang up; then we rest a moment. */
static void cope_without_descriptors(struct pb_http_server *server)
{
    int fd;

    pb_close(&server->reserve_fd);
    fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0)
        turn_away(server, fd);
    server->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (server->idle.first)
        pb_http_connection_close(server->idle.first);
    pb_loop_fd_change(server->accept_watch, 0);
    if (!server->accept_pause)
        server->accept_pause =
            pb_loop_timer_start(server->loop, ACCEPT_PAUSE_MS, 0, resume_accept, server);
    if (!server->accept_pause)
        pb_loop_fd_change(server->accept_watch, PB_LOOP_READ);
}

static void on_accept(void *arg, int events)
{
    struct pb_http_server *server = arg;

    (void)events;
    for (int i = 0; i < ACCEPTS_MAX; i++) {
        struct sockaddr_storage address;
        socklen_t len = sizeof(address);
        int fd = accept4(server->listen_fd, (struct sockaddr *)&address, &len,
                         SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd >= 0) {
            admit(server, fd, &address);
            continue;
        }
        if (errno == EINTR || errno == ECONNABORTED)
            continue;
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            cope_without_descriptors(server);
        return;
    }
}

/* The first of several asks for the address alone, so that a stranger on it is noticed, and lets the others
 * in afterwards. */
static int set_up_listener(int fd, const struct pb_http_server_options *options,
                           const struct sockaddr_storage *address, socklen_t len)
{
    int on = 1;

    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
        return -1;
    if (options->beside && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0)
        return -1;
    if (bind(fd, (const struct sockaddr *)address, len) < 0)
        return -1;
    if (options->is_shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0)
        return -1;
    return listen(fd, BACKLOG);
}

static int find_address(const struct pb_http_server_options *options,
                        struct sockaddr_storage *ret_address, socklen_t *ret_len,
                        struct pb_error *err)
{
    char host[PB_HOST_TEXT];
    uint16_t port;

    *ret_len = sizeof(*ret_address);
    if (options->beside)
        return getsockname(options->beside->listen_fd, (struct sockaddr *)ret_address, ret_len) < 0
                   ? pb_fail_errno(err, "address of another server")
                   : 0;
    if (pb_address_split(options->listen, strlen(options->listen), -1, host, &port, err) < 0)
        return -1;
    return pb_address_numeric(host, port, ret_address, ret_len, err);
}

static int open_listener(const struct pb_http_server_options *options, struct pb_error *err)
{
    const char *words = options->listen ? options->listen : "the same address";
    struct sockaddr_storage address;
    socklen_t len;
    int fd;

    if (find_address(options, &address, &len, err) < 0)
        return pb_fail_in(err, "listen on '%s'", words);
    fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return pb_fail_errno(err, "listen on '%s'", words);
    if (set_up_listener(fd, options, &address, len) < 0) {
        if (errno == EADDRINUSE)
            (void)pb_fail_reason(err, PB_ERROR_CONFLICT, "address_in_use",
                                 "listen on '%s': someone else does already", words);
        else
            (void)pb_fail_errno(err, "listen on '%s'", words);
        pb_close(&fd);
        return -1;
    }
    return fd;
}

static void set_defaults(struct pb_http_server_options *options)
{
    if (options->head_max == 0)
        options->head_max = HEAD_MAX;
    if (options->body_max == 0)
        options->body_max = BODY_MAX;
    if (options->connections_max == 0)
        options->connections_max = CONNECTIONS_MAX;
    if (options->held_max == 0)
        options->held_max = HELD_MAX;
}

struct pb_http_server *pb_http_server_new(struct pb_loop *loop,
                                          const struct pb_http_server_options *options,
                                          struct pb_error *err)
{
    struct pb_http_server *server = calloc(1, sizeof(*server));

    if (!server) {
        (void)pb_fail(err, PB_ERROR_LIMITED, "out of memory");
        return NULL;
    }
    server->loop = loop;
    server->options = *options;
    server->limits = PB_HTTP_LIMITS;
    set_defaults(&server->options);
    server->reserve_fd = -1;
    server->owns_listen_fd =
        (options->listen || options->beside) && options->listen_fd <= 0; /* 0 is stdin: not set */
    server->listen_fd = server->owns_listen_fd ? open_listener(options, err) : options->listen_fd;
    if (server->listen_fd < 0)
        goto fail;
    if (fcntl(server->listen_fd, F_SETFL, fcntl(server->listen_fd, F_GETFL) | O_NONBLOCK) < 0) {
        (void)pb_fail_errno(err, "listening socket");
        goto fail;
    }
    server->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    server->accept_watch =
        pb_loop_fd_watch(loop, server->listen_fd, PB_LOOP_READ, on_accept, server);
    if (!server->accept_watch) {
        (void)pb_fail(err, PB_ERROR_LIMITED, "out of memory");
        goto fail;
    }
    return server;
fail:
    pb_http_server_free(server);
    return NULL;
}

uint16_t pb_http_server_port(const struct pb_http_server *server)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof(address);

    if (getsockname(server->listen_fd, (struct sockaddr *)&address, &len) < 0)
        return 0;
    if (address.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

static void close_all(struct pb_http_server *server)
{
    while (server->busy.first)
        pb_http_connection_close(server->busy.first);
    while (server->idle.first)
        pb_http_connection_close(server->idle.first);
}

static void stop_accepting(struct pb_http_server *server)
{
    pb_loop_timer_cancel(&server->accept_pause);
    pb_loop_fd_unwatch(&server->accept_watch);
    if (server->owns_listen_fd)
        pb_close(&server->listen_fd);
}

static void on_grace_over(void *arg)
{
    struct pb_http_server *server = arg;

    pb_loop_timer_cancel(&server->grace);
    close_all(server);
}

void pb_http_server_stop(struct pb_http_server *server, int64_t grace_ms)
{
    struct pb_http_connection *connection;

    stop_accepting(server);
    server->is_stopping = true;
    while (server->idle.first)
        pb_http_connection_close(server->idle.first);
    for (connection = server->busy.first; connection; connection = connection->next)
        pb_http_connection_stop(connection);
    if (server->count > 0 && !server->grace)
        server->grace = pb_loop_timer_start(server->loop, grace_ms, 0, on_grace_over, server);
}

void pb_http_server_free(struct pb_http_server *server)
{
    if (!server)
        return;
    stop_accepting(server);
    close_all(server);
    pb_loop_timer_cancel(&server->tick);
    pb_loop_timer_cancel(&server->grace);
    pb_close(&server->reserve_fd);
    free(server);
}
