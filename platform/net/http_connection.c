#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/http_server_private.h"
#include "net/tls_private.h"

enum {
    IN_MAX = 64 * 1024,      /* unread requests behind the one being answered */
    READS_MAX = 16,          /* per event, so that one client does not hold up the others */
    LINGER_MAX = 256 * 1024, /* bytes thrown away after our last words */
};

static const char CONTINUE[] = "HTTP/1.1 100 Continue\r\n\r\n";

static void advance(struct pb_http_connection *connection);

static void enter(struct pb_http_connection *connection)
{
    connection->depth++;
}

/* Frees a closed connection nobody uses any more. */
static void leave(struct pb_http_connection *connection)
{
    if (--connection->depth > 0 || connection->state != PB_HTTP_CLOSED)
        return;
    pb_http_parser_free(connection->parser);
    free(connection);
}

static bool wants_read(const struct pb_http_connection *connection)
{
    if (connection->peer_ended || connection->state == PB_HTTP_CLOSED)
        return false;
    if (connection->state == PB_HTTP_LINGERING)
        return true;
    return connection->in.len < IN_MAX;
}

static void watch_again(struct pb_http_connection *connection)
{
    int events;

    if (connection->state == PB_HTTP_CLOSED)
        return;
    events = pb_transport_events(&connection->transport, wants_read(connection),
                                 connection->out.bytes > 0);
    if (events != connection->watched)
        pb_loop_fd_change(connection->watch, events);
    connection->watched = events;
}

static void shut(struct pb_http_connection *connection)
{
    struct pb_http_exchange *exchange = connection->exchange;

    if (connection->state == PB_HTTP_CLOSED)
        return;
    enter(connection);
    connection->state = PB_HTTP_CLOSED;
    pb_loop_fd_unwatch(&connection->watch);
    pb_transport_close(&connection->transport);
    pb_out_queue_clear(&connection->out);
    pb_buf_release(&connection->in);
    pb_http_server_forget(connection->server, connection);
    connection->exchange = NULL;
    if (exchange) {
        pb_http_exchange_note_gone(exchange, true);
        pb_http_exchange_unref(exchange);
    }
    leave(connection);
}

void pb_http_connection_close(struct pb_http_connection *connection)
{
    shut(connection);
}

void pb_http_connection_detach(struct pb_http_connection *connection,
                               struct pb_transport *ret_transport, struct pb_buf *ret_in)
{
    *ret_transport = connection->transport;
    *ret_in = connection->in;
    connection->transport = (struct pb_transport){.fd = -1};
    pb_buf_init(&connection->in, IN_MAX + PB_TRANSPORT_SCRATCH);
    shut(connection);
}

/* Our last words are on their way; waits a little for the client to read them. */
static void linger(struct pb_http_connection *connection)
{
    connection->state = PB_HTTP_LINGERING;
    connection->since_ms = pb_clock_steady_ms();
    pb_buf_clear(&connection->in);
    if (connection->out.bytes == 0)
        pb_transport_end(&connection->transport);
    if (connection->peer_ended && connection->out.bytes == 0)
        shut(connection);
}

static void become_idle(struct pb_http_connection *connection)
{
    connection->since_ms = pb_clock_steady_ms();
    if (!connection->is_idle)
        pb_http_server_note_idle(connection->server, connection, true);
    connection->is_idle = true;
}

static void become_busy(struct pb_http_connection *connection)
{
    if (!connection->is_idle)
        return;
    pb_http_server_note_idle(connection->server, connection, false);
    connection->is_idle = false;
}

static void advance_posted(void *arg)
{
    struct pb_http_connection *connection = arg;

    connection->advance_posted = false;
    if (connection->state == PB_HTTP_OPEN)
        advance(connection);
    watch_again(connection);
    leave(connection);
}

/* The reply has gone out completely. */
static void finish_exchange(struct pb_http_connection *connection)
{
    struct pb_http_exchange *exchange = connection->exchange;

    connection->last = connection->last || !exchange->keep_alive;
    connection->exchange = NULL;
    pb_http_exchange_unref(exchange);
    if (connection->last || connection->server->is_stopping) {
        linger(connection);
        return;
    }
    become_idle(connection);
    if (connection->in.len == 0 && connection->peer_ended) {
        linger(connection);
        return;
    }
    /* Inside the handler's own reply call, so the next request has to wait for the loop. */
    if (!connection->is_advancing && connection->in.len > 0 && !connection->advance_posted) {
        connection->advance_posted =
            pb_loop_post(connection->server->loop, advance_posted, connection);
        if (connection->advance_posted)
            enter(connection);
        else
            shut(connection);
    }
}

/* Without a proper end, so that the client sees its reply is incomplete. */
static void cut(struct pb_http_connection *connection)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    (void)setsockopt(connection->transport.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    shut(connection);
}

static bool send_out(struct pb_http_connection *connection)
{
    ssize_t sent = pb_transport_flush(&connection->transport, &connection->out);

    if (sent < 0) {
        shut(connection);
        return false;
    }
    if (sent > 0 || connection->out.bytes == 0)
        connection->wrote_ms = pb_clock_steady_ms();
    if (connection->exchange && sent > 0)
        pb_http_exchange_note_sent(connection->exchange, (size_t)sent);
    return true;
}

static void flush(struct pb_http_connection *connection)
{
    struct pb_http_collected collected = {0};
    bool was_empty = connection->out.bytes == 0;

    if (connection->exchange)
        collected = pb_http_exchange_collect(connection->exchange, &connection->out);
    if (was_empty)
        connection->wrote_ms = pb_clock_steady_ms();
    if (connection->out.bytes > 0 && !send_out(connection))
        return;
    pb_http_server_note_held(connection->server, connection);
    if (connection->state == PB_HTTP_CLOSED)
        return;
    if (collected.ended && collected.aborted)
        cut(connection);
    else if (collected.ended && connection->out.bytes == 0)
        finish_exchange(connection);
    else if (connection->state == PB_HTTP_LINGERING && connection->out.bytes == 0)
        linger(connection);
}

void pb_http_connection_flush(struct pb_http_connection *connection)
{
    enter(connection);
    if (connection->state != PB_HTTP_CLOSED)
        flush(connection);
    watch_again(connection);
    leave(connection);
}

/* Says why not, then ends. */
static void refuse(struct pb_http_connection *connection, int status, const char *code,
                   const char *detail)
{
    struct pb_buf reply;

    become_busy(connection);
    pb_buf_init(&reply, 8192);
    pb_http_write_refusal(&reply, status, code, detail);
    if (!pb_out_queue_copy(&connection->out, reply.data, reply.len))
        pb_out_queue_clear(&connection->out);
    pb_buf_release(&reply);
    connection->last = true;
    connection->state = PB_HTTP_LINGERING;
    connection->since_ms = connection->wrote_ms = pb_clock_steady_ms();
    if (send_out(connection))
        linger(connection);
}

static void begin_exchange(struct pb_http_connection *connection)
{
    struct pb_http_request request;

    pb_http_parser_take(connection->parser, &request);
    request.keep_alive = request.keep_alive && !connection->last;
    connection->exchange = pb_http_exchange_new(connection, &request);
    if (!connection->exchange) {
        pb_http_request_release(&request);
        shut(connection);
        return;
    }
    connection->server->options.handle(connection->server->options.arg, connection->exchange);
}

static void welcome_body(struct pb_http_connection *connection)
{
    if (!pb_http_parser_take_continue(connection->parser))
        return;
    if (!pb_out_queue_copy(&connection->out, CONTINUE, sizeof(CONTINUE) - 1))
        shut(connection);
    else
        (void)send_out(connection);
}

/* Reads up to one request out of the bytes; what is behind it waits in `in`. */
static void parse(struct pb_http_connection *connection, const char *data, size_t len)
{
    bool was_in_body = pb_http_parser_in_body(connection->parser);
    const struct pb_http_refusal *refusal;
    enum pb_http_progress progress;
    size_t used;

    if (pb_http_parser_is_idle(connection->parser)) {
        become_busy(connection);
        connection->since_ms = pb_clock_steady_ms();
    }
    progress = pb_http_parser_feed(connection->parser, data, len, &used);
    if (!was_in_body && pb_http_parser_in_body(connection->parser))
        connection->since_ms = pb_clock_steady_ms();
    if (progress == PB_HTTP_REFUSED) {
        refusal = pb_http_parser_refusal(connection->parser);
        refuse(connection, refusal->status, refusal->code, refusal->detail);
        return;
    }
    if (progress == PB_HTTP_MORE) {
        welcome_body(connection);
        return;
    }
    pb_buf_bytes(&connection->in, data + used, len - used);
    if (pb_buf_failed(&connection->in))
        shut(connection);
    else
        begin_exchange(connection);
}

/* Works through what has been read until a request has to be waited for. */
static void advance(struct pb_http_connection *connection)
{
    if (connection->is_advancing)
        return;
    connection->is_advancing = true;
    while (connection->state == PB_HTTP_OPEN && !connection->exchange && connection->in.len > 0) {
        struct pb_buf in = connection->in;

        pb_buf_init(&connection->in, in.max);
        parse(connection, in.data, in.len);
        pb_buf_release(&in);
    }
    connection->is_advancing = false;
    if (connection->state == PB_HTTP_OPEN && !connection->exchange && connection->peer_ended)
        shut(connection);
}

static void take_input(struct pb_http_connection *connection, const char *data, size_t len)
{
    if (connection->state == PB_HTTP_LINGERING) {
        connection->lingered += len;
        if (connection->lingered > LINGER_MAX)
            shut(connection);
        return;
    }
    if (connection->exchange || connection->in.len > 0) {
        pb_buf_bytes(&connection->in, data, len);
        if (pb_buf_failed(&connection->in))
            shut(connection);
    } else {
        connection->is_advancing = true;
        parse(connection, data, len);
        connection->is_advancing = false;
    }
    if (connection->state == PB_HTTP_OPEN)
        advance(connection);
}

static void note_end(struct pb_http_connection *connection)
{
    connection->peer_ended = true;
    /* It may only have closed its half: the reply is still sent. */
    if (connection->exchange)
        pb_http_exchange_note_gone(connection->exchange, false);
    else if (connection->out.bytes == 0 && connection->in.len == 0)
        shut(connection);
}

static void receive(struct pb_http_connection *connection)
{
    char *scratch = pb_transport_scratch();

    for (int i = 0; i < READS_MAX && wants_read(connection); i++) {
        ssize_t got = pb_transport_read(&connection->transport, scratch, PB_TRANSPORT_SCRATCH);

        if (got == PB_TRANSPORT_AGAIN)
            return;
        if (got == PB_TRANSPORT_FAILED)
            shut(connection);
        else if (got == 0)
            note_end(connection);
        else
            take_input(connection, scratch, (size_t)got);
        if (got > 0 && got < PB_TLS_RECORD_MAX && !connection->transport.tls)
            return; /* the socket is empty, most likely; if not we are called again */
    }
}

static void shake_hands(struct pb_http_connection *connection)
{
    int r = pb_transport_handshake(&connection->transport);

    if (r == PB_TRANSPORT_FAILED)
        shut(connection);
    if (r != 0)
        return;
    connection->state = PB_HTTP_OPEN;
    become_idle(connection);
}

static void on_socket(void *arg, int events)
{
    struct pb_http_connection *connection = arg;
    bool is_tls = connection->transport.tls != NULL;

    enter(connection);
    if (connection->state == PB_HTTP_HANDSHAKE)
        shake_hands(connection);
    if (connection->out.bytes > 0 && (is_tls || (events & PB_LOOP_WRITE)))
        flush(connection);
    if (connection->state != PB_HTTP_HANDSHAKE && (is_tls || (events & PB_LOOP_READ)))
        receive(connection);
    watch_again(connection);
    leave(connection);
}

int pb_http_connection_start(struct pb_http_server *server, int fd, const char *peer)
{
    struct pb_http_connection *connection = calloc(1, sizeof(*connection));

    if (!connection) {
        (void)close(fd);
        return -1;
    }
    connection->server = server;
    connection->transport.fd = fd;
    connection->since_ms = connection->wrote_ms = pb_clock_steady_ms();
    connection->state = server->options.tls ? PB_HTTP_HANDSHAKE : PB_HTTP_OPEN;
    pb_buf_init(&connection->in, IN_MAX + PB_TRANSPORT_SCRATCH);
    (void)snprintf(connection->peer, sizeof(connection->peer), "%s", peer);
    connection->parser = pb_http_parser_new(server->options.head_max, server->options.body_max);
    if (server->options.tls)
        connection->transport.tls = pb_tls_session_accept(server->options.tls, fd);
    connection->watched = PB_LOOP_READ;
    connection->watch = pb_loop_fd_watch(server->loop, fd, PB_LOOP_READ, on_socket, connection);
    if (!connection->parser || !connection->watch ||
        (server->options.tls && !connection->transport.tls)) {
        pb_loop_fd_unwatch(&connection->watch);
        pb_transport_close(&connection->transport);
        pb_http_parser_free(connection->parser);
        free(connection);
        return -1;
    }
    connection->is_idle = connection->state == PB_HTTP_OPEN;
    pb_http_server_note_idle(server, connection, connection->is_idle);
    return 0;
}

void pb_http_connection_stop(struct pb_http_connection *connection)
{
    enter(connection);
    connection->last = true;
    if (connection->exchange)
        pb_http_exchange_note_last(connection->exchange);
    else if (connection->is_idle)
        shut(connection);
    leave(connection);
}

static bool is_too_slow(const struct pb_http_connection *connection, int64_t elapsed_ms)
{
    const struct pb_http_limits *limits = &connection->server->limits;
    int64_t over_ms = elapsed_ms - limits->body_grace_ms;

    if (!pb_http_parser_in_body(connection->parser))
        return elapsed_ms > limits->head_ms;
    return over_ms > 0 && (int64_t)pb_http_parser_body_bytes(connection->parser) <
                              limits->body_rate * over_ms / 1000;
}

static void tick_open(struct pb_http_connection *connection, int64_t now_ms)
{
    const struct pb_http_limits *limits = &connection->server->limits;
    int64_t elapsed_ms = now_ms - connection->since_ms;

    if (connection->out.bytes > 0 && now_ms - connection->wrote_ms > limits->stall_ms)
        shut(connection);
    else if (connection->exchange)
        return; /* the handler's time */
    else if (connection->is_idle && elapsed_ms > limits->idle_ms)
        linger(connection);
    else if (!connection->is_idle && is_too_slow(connection, elapsed_ms))
        refuse(connection, 408, "timeout", "the request came too slowly");
}

void pb_http_connection_tick(struct pb_http_connection *connection, int64_t now_ms)
{
    const struct pb_http_limits *limits = &connection->server->limits;
    int64_t elapsed_ms = now_ms - connection->since_ms;

    enter(connection);
    if (connection->state == PB_HTTP_HANDSHAKE && elapsed_ms > limits->handshake_ms)
        shut(connection);
    else if (connection->state == PB_HTTP_LINGERING && elapsed_ms > limits->linger_ms)
        shut(connection);
    else if (connection->state == PB_HTTP_OPEN)
        tick_open(connection, now_ms);
    watch_again(connection);
    leave(connection);
}
