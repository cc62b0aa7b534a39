#include "net/websocket.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "net/tls_private.h" /* PB_TLS_RECORD_MAX */
#include "net/websocket_private.h"

enum {
    MESSAGE_MAX = 1024 * 1024,
    QUEUE_MAX = 1024 * 1024,
    CONTROL_ROOM = 1024, /* beyond queue_max, for close and ping */
    READS_MAX = 16,      /* per event */
};

const struct pb_websocket_limits PB_WEBSOCKET_LIMITS = {
    .connect_ms = 10000,
    .ping_ms = 30000,
    .silence_ms = 75000,
    .close_ms = 5000,
};

static void finish(struct pb_websocket *ws, int code, const char *reason);
static void lose(struct pb_websocket *ws);
static void arm_timer(struct pb_websocket *ws);

void pb_websocket_ref(struct pb_websocket *ws)
{
    atomic_fetch_add_explicit(&ws->refs, 1, memory_order_relaxed);
}

void pb_websocket_unref(struct pb_websocket *ws)
{
    if (!ws || atomic_fetch_sub_explicit(&ws->refs, 1, memory_order_acq_rel) != 1)
        return;
    pb_websocket_reader_free(ws->reader);
    pb_buf_release(&ws->in);
    pb_out_queue_clear(&ws->out);
    pb_out_queue_clear(&ws->pending);
    pthread_mutex_destroy(&ws->lock);
    free(ws);
}

struct pb_websocket *pb_websocket_new(struct pb_loop *loop, bool is_server,
                                      const struct pb_websocket_options *options)
{
    struct pb_websocket *ws = calloc(1, sizeof(*ws));

    if (!ws)
        return NULL;
    atomic_init(&ws->refs, 1);
    ws->loop = loop;
    ws->is_server = is_server;
    ws->limits = PB_WEBSOCKET_LIMITS;
    ws->events = options->events;
    ws->arg = options->arg;
    ws->queue_max = options->queue_max ? options->queue_max : QUEUE_MAX;
    ws->transport.fd = -1;
    ws->start_ms = pb_clock_steady_ms();
    pb_buf_init(&ws->in, 2 * PB_TRANSPORT_SCRATCH + 64 * 1024);
    pthread_mutex_init(&ws->lock, NULL);
    ws->reader = pb_websocket_reader_new(is_server,
                                         options->message_max ? options->message_max : MESSAGE_MAX);
    if (!ws->reader) {
        pb_websocket_unref(ws);
        return NULL;
    }
    return ws;
}

static enum pb_websocket_state state_of(struct pb_websocket *ws)
{
    enum pb_websocket_state state;

    pthread_mutex_lock(&ws->lock);
    state = ws->state;
    pthread_mutex_unlock(&ws->lock);
    return state;
}

/* Queues our close frame. The lock is held. */
static void put_close(struct pb_websocket *ws, int code, const char *reason)
{
    char payload[PB_WEBSOCKET_CONTROL_MAX];
    size_t len = 0;

    if (code != 1005) {
        payload[0] = (char)(code >> 8);
        payload[1] = (char)code;
        len = pb_utf8_cut(reason, strlen(reason), sizeof(payload) - 2);
        memcpy(payload + 2, reason, len);
        len += 2;
    }
    ws->state = PB_WEBSOCKET_CLOSING;
    (void)pb_websocket_put(ws, PB_WEBSOCKET_CLOSE, payload, len, SIZE_MAX);
}

static void set_verdict(struct pb_websocket *ws, int code, const char *reason, size_t len)
{
    if (ws->code != 0)
        return;
    ws->code = code;
    (void)snprintf(ws->reason, sizeof(ws->reason), "%.*s", (int)pb_utf8_cut(reason, len, 125),
                   reason);
}

struct close_wish {
    struct pb_websocket *ws;
    int code;
    char reason[PB_WEBSOCKET_REASON_TEXT];
};

/* On the loop thread. */
static void close_now(struct pb_websocket *ws, int code, const char *reason)
{
    enum pb_websocket_state state = state_of(ws);

    if (state == PB_WEBSOCKET_CONNECTING) {
        finish(ws, code, reason);
        return;
    }
    if (state != PB_WEBSOCKET_OPEN)
        return;
    set_verdict(ws, code, reason, strlen(reason));
    ws->start_ms = pb_clock_steady_ms();
    pthread_mutex_lock(&ws->lock);
    put_close(ws, code, reason);
    pb_websocket_post_flush(ws);
    pthread_mutex_unlock(&ws->lock);
    pb_websocket_pause(ws, false); /* to hear the answer; messages before it are dropped */
    arm_timer(ws);
}

static void close_posted(void *arg)
{
    struct close_wish *wish = arg;

    close_now(wish->ws, wish->code, wish->reason);
    pb_websocket_unref(wish->ws);
    free(wish);
}

void pb_websocket_close(struct pb_websocket *ws, int code, const char *reason)
{
    struct close_wish *wish = calloc(1, sizeof(*wish));

    /* Posted also from the loop thread, so that closed() never runs inside this call. Without
     * the memory to ask nicely the connection ends when its deadline passes. */
    if (!wish)
        return;
    wish->ws = ws;
    wish->code = code;
    (void)snprintf(wish->reason, sizeof(wish->reason), "%s", reason ? reason : "");
    pb_websocket_ref(ws);
    if (pb_loop_post(ws->loop, close_posted, wish))
        return;
    free(wish);
    pb_websocket_unref(ws);
}

/* The end, with whatever verdict there is. Drops the connection's own reference. */
static void finish(struct pb_websocket *ws, int code, const char *reason)
{
    pthread_mutex_lock(&ws->lock);
    if (ws->state == PB_WEBSOCKET_CLOSED) {
        pthread_mutex_unlock(&ws->lock);
        return;
    }
    ws->state = PB_WEBSOCKET_CLOSED;
    pb_out_queue_clear(&ws->pending);
    ws->queued = 0;
    pthread_mutex_unlock(&ws->lock);
    pb_websocket_dial_cancel(ws->dial);
    ws->dial = NULL;
    pb_loop_timer_cancel(&ws->timer);
    pb_loop_fd_unwatch(&ws->watch);
    if (ws->transport.fd >= 0 && code != 1006 && !ws->has_ended)
        pb_transport_end(&ws->transport);
    pb_transport_close(&ws->transport);
    pb_out_queue_clear(&ws->out);
    ws->events->closed(ws->arg, ws, code, reason);
    pb_websocket_unref(ws);
}

static void finish_with_verdict(struct pb_websocket *ws)
{
    finish(ws, ws->code, ws->reason);
}

/* Both sides have said good-bye, or the peer broke the rules: nothing left but to send what we
 * have. */
static bool is_done(const struct pb_websocket *ws)
{
    return ws->heard_close && ws->out.bytes == 0;
}

static bool take_drained(struct pb_websocket *ws)
{
    bool due;

    pthread_mutex_lock(&ws->lock);
    due = ws->above && ws->state == PB_WEBSOCKET_OPEN && ws->queued <= ws->queue_max / 2;
    if (due)
        ws->above = false;
    pthread_mutex_unlock(&ws->lock);
    return due;
}

/* Loop thread, and nobody of the owner's above us. */
static void flush(struct pb_websocket *ws)
{
    bool sent;

    pthread_mutex_lock(&ws->lock);
    sent = ws->state != PB_WEBSOCKET_CLOSED && pb_websocket_send_out(ws);
    pthread_mutex_unlock(&ws->lock);
    if (state_of(ws) == PB_WEBSOCKET_CLOSED)
        return;
    if (!sent) {
        lose(ws);
        return;
    }
    if (is_done(ws)) {
        finish_with_verdict(ws);
        return;
    }
    if (ws->violated && ws->out.bytes == 0 && !ws->has_ended) {
        ws->has_ended = true;
        pb_transport_end(&ws->transport);
    }
    pb_websocket_watch_again(ws);
    if (ws->events->drained && take_drained(ws))
        ws->events->drained(ws->arg, ws);
}

void pb_websocket_flush_posted(void *arg)
{
    struct pb_websocket *ws = arg;

    pthread_mutex_lock(&ws->lock);
    ws->flush_posted = false;
    pthread_mutex_unlock(&ws->lock);
    flush(ws);
    pb_websocket_unref(ws);
}

static void take_close(struct pb_websocket *ws, const struct pb_websocket_incoming *incoming)
{
    ws->heard_close = true;
    set_verdict(ws, incoming->code, incoming->data, incoming->len);
    pthread_mutex_lock(&ws->lock);
    if (ws->state == PB_WEBSOCKET_OPEN)
        put_close(ws, incoming->code, "");
    pthread_mutex_unlock(&ws->lock);
    ws->start_ms = pb_clock_steady_ms();
    arm_timer(ws);
}

static void take_violation(struct pb_websocket *ws)
{
    const char *words;
    int code = pb_websocket_reader_violation(ws->reader, &words);

    ws->violated = true;
    set_verdict(ws, code, words, strlen(words));
    pthread_mutex_lock(&ws->lock);
    if (ws->state == PB_WEBSOCKET_OPEN)
        put_close(ws, code, words);
    pthread_mutex_unlock(&ws->lock);
    ws->start_ms = pb_clock_steady_ms();
    arm_timer(ws);
}

static void take_ping(struct pb_websocket *ws, const struct pb_websocket_incoming *ping)
{
    pthread_mutex_lock(&ws->lock);
    /* Who pings without reading gets no more pongs: the bound holds. */
    if (ws->state == PB_WEBSOCKET_OPEN && pb_websocket_put(ws, PB_WEBSOCKET_PONG, ping->data,
                                                           ping->len, ws->queue_max + CONTROL_ROOM))
        pb_websocket_push(ws);
    pthread_mutex_unlock(&ws->lock);
}

static void take(struct pb_websocket *ws, const struct pb_websocket_incoming *incoming)
{
    switch (incoming->opcode) {
    case PB_WEBSOCKET_TEXT:
    case PB_WEBSOCKET_BINARY:
        if (state_of(ws) == PB_WEBSOCKET_OPEN)
            ws->events->message(ws->arg, ws, incoming->opcode == PB_WEBSOCKET_TEXT, incoming->data,
                                incoming->len);
        return;
    case PB_WEBSOCKET_PING:
        take_ping(ws, incoming);
        return;
    case PB_WEBSOCKET_CLOSE:
        take_close(ws, incoming);
        return;
    case PB_WEBSOCKET_PONG: /* heard_ms has been set */
    case PB_WEBSOCKET_CONTINUATION:
        return;
    }
}

/* Hands out messages until the bytes given to the reader are used up or someone says stop. */
static void read_messages(struct pb_websocket *ws)
{
    const char *rest;
    size_t len;

    while (!ws->is_paused && !ws->heard_close && !ws->violated) {
        struct pb_websocket_incoming incoming;
        enum pb_websocket_read result = pb_websocket_reader_next(ws->reader, &incoming);

        if (result == PB_WEBSOCKET_WANTS_MORE)
            break;
        if (result == PB_WEBSOCKET_VIOLATION)
            take_violation(ws);
        else
            take(ws, &incoming);
    }
    len = pb_websocket_reader_rest(ws->reader, &rest);
    if (len > 0 && ws->is_paused)
        pb_buf_bytes(&ws->in, rest, len);
}

/* What a pause has left. */
static void read_rest(struct pb_websocket *ws)
{
    struct pb_buf in = ws->in;

    pb_buf_init(&ws->in, in.max);
    pb_websocket_reader_give(ws->reader, in.data, in.len);
    read_messages(ws);
    pb_buf_release(&in);
}

static void read_again(void *arg)
{
    struct pb_websocket *ws = arg;

    if (!ws->is_paused && state_of(ws) != PB_WEBSOCKET_CLOSED) {
        read_rest(ws);
        flush(ws);
    }
    pb_websocket_unref(ws);
}

static void post_read_again(struct pb_websocket *ws)
{
    pb_websocket_ref(ws);
    if (!pb_loop_post(ws->loop, read_again, ws))
        pb_websocket_unref(ws);
}

void pb_websocket_pause(struct pb_websocket *ws, bool paused)
{
    if (ws->is_paused == paused)
        return;
    ws->is_paused = paused;
    ws->heard_ms = pb_clock_steady_ms();
    if (!paused)
        post_read_again(ws); /* the reader may hold whole messages already */
    pb_websocket_watch_again(ws);
}

static void lose(struct pb_websocket *ws)
{
    if (ws->heard_close || ws->violated)
        finish_with_verdict(ws);
    else
        finish(ws, 1006, "connection lost");
}

static void receive(struct pb_websocket *ws)
{
    char *scratch = pb_transport_scratch();

    if (ws->in.len > 0)
        read_rest(ws);
    for (int i = 0; i < READS_MAX && !ws->is_paused && ws->transport.fd >= 0; i++) {
        ssize_t got = pb_transport_read(&ws->transport, scratch, PB_TRANSPORT_SCRATCH);

        if (got == PB_TRANSPORT_AGAIN)
            return;
        if (got <= 0) {
            lose(ws);
            return;
        }
        ws->heard_ms = pb_clock_steady_ms();
        if (ws->heard_close || ws->violated)
            continue; /* thrown away, so that our last words are not lost to a reset */
        pb_websocket_reader_give(ws->reader, scratch, (size_t)got);
        read_messages(ws);
        if (got < PB_TLS_RECORD_MAX && !ws->transport.tls)
            return;
    }
}

static void on_socket(void *arg, int events)
{
    struct pb_websocket *ws = arg;

    pb_websocket_ref(ws);
    if (ws->transport.tls || (events & PB_LOOP_READ))
        receive(ws);
    flush(ws);
    pb_websocket_unref(ws);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t next_deadline(struct pb_websocket *ws)
{
    int64_t due;

    switch (state_of(ws)) {
    case PB_WEBSOCKET_CONNECTING:
        return ws->start_ms + ws->limits.connect_ms;
    case PB_WEBSOCKET_CLOSING:
        return ws->start_ms + ws->limits.close_ms;
    case PB_WEBSOCKET_OPEN:
    case PB_WEBSOCKET_CLOSED:
        break;
    }
    due = ws->pinged_ms + ws->limits.ping_ms;
    return ws->is_paused ? due : least(due, ws->heard_ms + ws->limits.silence_ms);
}

static void on_timer(void *arg)
{
    struct pb_websocket *ws = arg;
    int64_t now_ms = pb_clock_steady_ms();
    enum pb_websocket_state state = state_of(ws);

    pb_websocket_ref(ws);
    if (now_ms < next_deadline(ws))
        ; /* armed for something that has moved */
    else if (state == PB_WEBSOCKET_CONNECTING)
        finish(ws, 1006, "no answer within the connect deadline");
    else if (state == PB_WEBSOCKET_CLOSING && (ws->heard_close || ws->violated))
        finish_with_verdict(ws);
    else if (state == PB_WEBSOCKET_CLOSING)
        finish(ws, 1006, "no answer to our close");
    else if (!ws->is_paused && now_ms >= ws->heard_ms + ws->limits.silence_ms)
        finish(ws, 1006, "nothing heard for too long");
    else {
        ws->pinged_ms = now_ms;
        pthread_mutex_lock(&ws->lock);
        if (pb_websocket_put(ws, PB_WEBSOCKET_PING, "", 0, ws->queue_max + CONTROL_ROOM))
            pb_websocket_push(ws);
        pthread_mutex_unlock(&ws->lock);
    }
    arm_timer(ws);
    pb_websocket_unref(ws);
}

static void arm_timer(struct pb_websocket *ws)
{
    pb_loop_timer_cancel(&ws->timer);
    if (state_of(ws) != PB_WEBSOCKET_CLOSED)
        ws->timer = pb_loop_timer_start(ws->loop, next_deadline(ws) - pb_clock_steady_ms(), 0,
                                        on_timer, ws);
}

void pb_websocket_set_limits(struct pb_websocket *ws, const struct pb_websocket_limits *limits)
{
    ws->limits = *limits;
    arm_timer(ws);
}

int pb_websocket_open(struct pb_websocket *ws, struct pb_transport *transport, struct pb_buf *in,
                      const void *greeting, size_t greeting_len)
{
    ws->transport = *transport;
    ws->watched = PB_LOOP_READ;
    ws->watch = pb_loop_fd_watch(ws->loop, ws->transport.fd, PB_LOOP_READ, on_socket, ws);
    if (!ws->watch || !pb_out_queue_copy(&ws->out, greeting, greeting_len)) {
        pb_loop_fd_unwatch(&ws->watch);
        pb_transport_close(&ws->transport);
        pb_buf_release(in);
        return -1;
    }
    ws->start_ms = ws->heard_ms = ws->pinged_ms = pb_clock_steady_ms();
    pb_websocket_ref(ws); /* the connection's own, until closed() */
    pthread_mutex_lock(&ws->lock);
    ws->loop_thread = pthread_self();
    ws->state = PB_WEBSOCKET_OPEN;
    ws->queued = greeting_len;
    pb_websocket_post_flush(ws);
    pthread_mutex_unlock(&ws->lock);
    pb_buf_bytes(&ws->in, in->data, in->len);
    pb_buf_release(in);
    post_read_again(ws);
    arm_timer(ws);
    return 0;
}

static void on_dialled(void *arg, struct pb_transport *transport, struct pb_buf *in,
                       const char *problem)
{
    struct pb_websocket *ws = arg;

    ws->dial = NULL;
    if (!transport) {
        finish(ws, 1006, problem);
        return;
    }
    if (pb_websocket_open(ws, transport, in, "", 0) < 0) {
        finish(ws, 1006, "out of memory");
        return;
    }
    pb_websocket_unref(ws); /* the one that held it while connecting; opening took its own */
    if (ws->events->opened)
        ws->events->opened(ws->arg, ws);
}

struct pb_websocket *pb_websocket_connect(struct pb_loop *loop, const char *url,
                                          const struct pb_http_header *headers, size_t header_count,
                                          struct pb_tls_client *tls,
                                          const struct pb_websocket_options *options,
                                          struct pb_error *err)
{
    struct pb_websocket *ws = pb_websocket_new(loop, false, options);

    if (!ws) {
        (void)pb_fail(err, PB_ERROR_LIMITED, "out of memory");
        return NULL;
    }
    ws->dial = pb_websocket_dial_start(loop, url, headers, header_count, tls, on_dialled, ws, err);
    if (!ws->dial) {
        pb_websocket_unref(ws);
        return NULL;
    }
    pb_websocket_ref(ws); /* the connection's own, until closed() */
    arm_timer(ws);
    return ws;
}
