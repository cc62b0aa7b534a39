#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "net/http_server_private.h"

enum { HEAD_OUT_MAX = 256 * 1024 };

struct pb_http_exchange *pb_http_exchange_new(struct pb_http_connection *connection,
                                              struct pb_http_request *request)
{
    struct pb_http_exchange *exchange = calloc(1, sizeof(*exchange));

    if (!exchange)
        return NULL;
    atomic_init(&exchange->refs, 2);
    exchange->loop = connection->server->loop;
    exchange->loop_thread = pthread_self();
    exchange->request = *request;
    *request = (struct pb_http_request){0};
    exchange->is_tls = connection->transport.tls != NULL;
    exchange->is_head = strcmp(exchange->request.method, "HEAD") == 0;
    memcpy(exchange->peer, connection->peer, sizeof(exchange->peer));
    pthread_mutex_init(&exchange->lock, NULL);
    pthread_cond_init(&exchange->quiet, NULL);
    exchange->connection = connection;
    exchange->keep_alive = exchange->request.keep_alive;
    exchange->announced = -1;
    return exchange;
}

void pb_http_exchange_unref(struct pb_http_exchange *exchange)
{
    if (atomic_fetch_sub_explicit(&exchange->refs, 1, memory_order_acq_rel) != 1)
        return;
    pb_out_queue_clear(&exchange->pending);
    pb_http_request_release(&exchange->request);
    pthread_cond_destroy(&exchange->quiet);
    pthread_mutex_destroy(&exchange->lock);
    free(exchange);
}

const char *pb_http_method(const struct pb_http_exchange *exchange)
{
    return exchange->request.method;
}

const char *pb_http_path(const struct pb_http_exchange *exchange)
{
    return exchange->request.path;
}

const char *pb_http_query(const struct pb_http_exchange *exchange)
{
    return exchange->request.query;
}

const char *pb_http_header(const struct pb_http_exchange *exchange, const char *name)
{
    return pb_http_request_header(&exchange->request, name);
}

size_t pb_http_headers(const struct pb_http_exchange *exchange,
                       const struct pb_http_header **ret_headers)
{
    *ret_headers = exchange->request.headers;
    return exchange->request.header_count;
}

const char *pb_http_body(const struct pb_http_exchange *exchange, size_t *ret_len)
{
    *ret_len = exchange->request.body_len;
    return exchange->request.body ? exchange->request.body : "";
}

const char *pb_http_peer(const struct pb_http_exchange *exchange)
{
    return exchange->peer;
}

bool pb_http_is_tls(const struct pb_http_exchange *exchange)
{
    return exchange->is_tls;
}

struct pb_loop *pb_http_loop(const struct pb_http_exchange *exchange)
{
    return exchange->loop;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool pb_http_decode(const char *text, size_t len, bool query, char *out)
{
    for (size_t i = 0; i < len; i++) {
        int high, low;

        if (text[i] != '%') {
            *out++ = text[i] == '+' && query ? ' ' : text[i];
            continue;
        }
        high = i + 2 < len ? hex_value(text[i + 1]) : -1;
        low = high >= 0 ? hex_value(text[i + 2]) : -1;
        if (high < 0 || low < 0 || high + low == 0)
            return false;
        *out++ = (char)(high * 16 + low);
        i += 2;
    }
    *out = '\0';
    return true;
}

static void flush_posted(void *arg)
{
    struct pb_http_exchange *exchange = arg;
    struct pb_http_connection *connection;

    pthread_mutex_lock(&exchange->lock);
    exchange->flush_posted = false;
    connection = exchange->connection;
    pthread_mutex_unlock(&exchange->lock);
    if (connection)
        pb_http_connection_flush(connection);
    pb_http_exchange_unref(exchange);
}

/* Gets the connection to collect; called with the lock held, returns without it. */
static void kick(struct pb_http_exchange *exchange)
{
    struct pb_http_connection *connection = exchange->connection;
    bool on_loop = pthread_equal(exchange->loop_thread, pthread_self());

    /* The loop exists as long as there is a connection, hence posting under the lock. */
    if (connection && !on_loop && !exchange->flush_posted) {
        atomic_fetch_add_explicit(&exchange->refs, 1, memory_order_relaxed);
        exchange->flush_posted = pb_loop_post(exchange->loop, flush_posted, exchange);
        if (!exchange->flush_posted)
            atomic_fetch_sub_explicit(&exchange->refs, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&exchange->lock);
    if (connection && on_loop)
        pb_http_connection_flush(connection);
}

/* Appends if the client is still there. Memory short = the reply cannot be completed. */
static void put(struct pb_http_exchange *exchange, const void *data, size_t len)
{
    if (!exchange->connection || exchange->aborted)
        return;
    if (!pb_out_queue_copy(&exchange->pending, data, len)) {
        exchange->aborted = true;
        return;
    }
    exchange->waiting += len;
    if (exchange->waiting >= PB_HTTP_DRAINED_BELOW)
        exchange->above = true;
}

static void put_shared(struct pb_http_exchange *exchange, struct pb_shared_bytes *body)
{
    if (!exchange->connection || exchange->aborted || exchange->has_no_body)
        return;
    if (!pb_out_queue_share(&exchange->pending, body)) {
        exchange->aborted = true;
        return;
    }
    exchange->announced = -1; /* all of it */
    exchange->waiting += body->len;
}

static bool status_has_no_body(int status)
{
    return status < 200 || status == 204 || status == 304;
}

static void put_head(struct pb_http_exchange *exchange, int status,
                     const struct pb_http_header *headers, size_t header_count, int64_t length)
{
    bool is_old = exchange->request.minor == 0;
    struct pb_buf head;

    assert(!exchange->begun);
    exchange->begun = true;
    exchange->has_no_body = exchange->is_head || status_has_no_body(status);
    exchange->is_chunked = length < 0 && !is_old && !status_has_no_body(status);
    exchange->announced = exchange->has_no_body ? -1 : length;
    if ((length < 0 && is_old) || pb_http_asks_close(headers, header_count))
        exchange->keep_alive = false;
    pb_buf_init(&head, HEAD_OUT_MAX);
    pb_http_write_head(&head, status, headers, header_count);
    if (exchange->is_chunked)
        pb_buf_text(&head, "Transfer-Encoding: chunked\r\n");
    else if (length > 0 || (length == 0 && !status_has_no_body(status)))
        pb_buf_format(&head, "Content-Length: %lld\r\n", (long long)length);
    if (!exchange->keep_alive)
        pb_buf_text(&head, "Connection: close\r\n");
    else if (is_old)
        pb_buf_text(&head, "Connection: keep-alive\r\n");
    pb_buf_text(&head, "\r\n");
    if (pb_buf_failed(&head))
        exchange->aborted = true;
    put(exchange, head.data, head.len);
    pb_buf_release(&head);
}

static void put_body(struct pb_http_exchange *exchange, const void *data, size_t len)
{
    char size[24];
    struct pb_buf line;

    if (exchange->has_no_body || len == 0)
        return;
    if (exchange->announced >= 0) {
        if ((uint64_t)len > (uint64_t)exchange->announced)
            len = (size_t)exchange->announced; /* the client would take it for the next reply */
        exchange->announced -= (int64_t)len;
    }
    if (!exchange->is_chunked) {
        put(exchange, data, len);
        return;
    }
    pb_buf_init(&line, sizeof(size));
    pb_buf_format(&line, "%zx\r\n", len);
    put(exchange, line.data, line.len);
    put(exchange, data, len);
    put(exchange, "\r\n", 2);
    pb_buf_release(&line);
}

/* Waits until no callback is running, unless we are inside one. */
static void wait_quiet(struct pb_http_exchange *exchange)
{
    if (pthread_equal(exchange->loop_thread, pthread_self()))
        return;
    while (exchange->is_calling)
        pthread_cond_wait(&exchange->quiet, &exchange->lock);
}

/* The lock is held; gives it back and the handler's reference too. */
static void finish(struct pb_http_exchange *exchange)
{
    if (exchange->is_chunked && !exchange->has_no_body)
        put(exchange, "0\r\n\r\n", 5);
    if (exchange->announced > 0)
        exchange->aborted = true; /* shorter than announced: the client must notice */
    exchange->ended = true;
    wait_quiet(exchange);
    kick(exchange);
    pb_http_exchange_unref(exchange);
}

void pb_http_reply(struct pb_http_exchange *exchange, int status,
                   const struct pb_http_header *headers, size_t header_count, const void *body,
                   size_t len)
{
    pthread_mutex_lock(&exchange->lock);
    put_head(exchange, status, headers, header_count, (int64_t)len);
    put_body(exchange, body, len);
    finish(exchange);
}

void pb_http_reply_shared(struct pb_http_exchange *exchange, int status,
                          const struct pb_http_header *headers, size_t header_count,
                          struct pb_shared_bytes *body)
{
    pthread_mutex_lock(&exchange->lock);
    put_head(exchange, status, headers, header_count, (int64_t)body->len);
    put_shared(exchange, body);
    finish(exchange);
}

void pb_http_reply_begin(struct pb_http_exchange *exchange, int status,
                         const struct pb_http_header *headers, size_t header_count, int64_t length)
{
    pthread_mutex_lock(&exchange->lock);
    put_head(exchange, status, headers, header_count, length);
    kick(exchange);
}

size_t pb_http_reply_write(struct pb_http_exchange *exchange, const void *data, size_t len)
{
    size_t waiting;

    pthread_mutex_lock(&exchange->lock);
    assert(exchange->begun && !exchange->ended);
    put_body(exchange, data, len);
    kick(exchange);
    pthread_mutex_lock(&exchange->lock);
    waiting = exchange->waiting;
    pthread_mutex_unlock(&exchange->lock);
    return waiting;
}

void pb_http_reply_end(struct pb_http_exchange *exchange)
{
    pthread_mutex_lock(&exchange->lock);
    assert(exchange->begun && !exchange->ended);
    finish(exchange);
}

void pb_http_reply_abort(struct pb_http_exchange *exchange)
{
    pthread_mutex_lock(&exchange->lock);
    exchange->aborted = true;
    exchange->is_chunked = false;
    finish(exchange);
}

/* Calls `fn` without the lock, so that it may write. The lock is held before and after. */
static void call(struct pb_http_exchange *exchange, void (*fn)(void *arg))
{
    void *arg = exchange->arg;

    exchange->is_calling = true;
    pthread_mutex_unlock(&exchange->lock);
    fn(arg);
    pthread_mutex_lock(&exchange->lock);
    exchange->is_calling = false;
    pthread_cond_broadcast(&exchange->quiet);
}

static bool gone_is_due(const struct pb_http_exchange *exchange)
{
    return exchange->gone && !exchange->ended && (exchange->told_gone || !exchange->connection);
}

static bool drained_is_due(const struct pb_http_exchange *exchange)
{
    return exchange->drained && !exchange->ended && exchange->above &&
           exchange->waiting < PB_HTTP_DRAINED_BELOW;
}

static void call_posted(void *arg)
{
    struct pb_http_exchange *exchange = arg;

    pthread_mutex_lock(&exchange->lock);
    exchange->call_posted = false;
    if (gone_is_due(exchange)) {
        void (*gone)(void *arg) = exchange->gone;

        exchange->gone = NULL;
        call(exchange, gone);
    }
    if (drained_is_due(exchange)) {
        exchange->above = false;
        call(exchange, exchange->drained);
    }
    pthread_mutex_unlock(&exchange->lock);
    pb_http_exchange_unref(exchange);
}

/* Never at once: the handler may be in the middle of a reply call of its own. The lock is held. */
static void post_calls_due(struct pb_http_exchange *exchange)
{
    if (exchange->call_posted || !(gone_is_due(exchange) || drained_is_due(exchange)))
        return;
    atomic_fetch_add_explicit(&exchange->refs, 1, memory_order_relaxed);
    exchange->call_posted = pb_loop_post(exchange->loop, call_posted, exchange);
    if (!exchange->call_posted)
        atomic_fetch_sub_explicit(&exchange->refs, 1, memory_order_relaxed);
}

void pb_http_reply_watch(struct pb_http_exchange *exchange, void (*drained)(void *arg),
                         void (*gone)(void *arg), void *arg)
{
    pthread_mutex_lock(&exchange->lock);
    exchange->drained = drained;
    exchange->gone = gone;
    exchange->arg = arg;
    post_calls_due(exchange); /* what was to be told may have happened already */
    pthread_mutex_unlock(&exchange->lock);
}

struct pb_http_collected pb_http_exchange_collect(struct pb_http_exchange *exchange,
                                                  struct pb_out_queue *out)
{
    struct pb_http_collected collected;

    pthread_mutex_lock(&exchange->lock);
    pb_out_queue_splice(out, &exchange->pending);
    collected.ended = exchange->ended;
    collected.aborted = exchange->aborted;
    pthread_mutex_unlock(&exchange->lock);
    return collected;
}

void pb_http_exchange_note_sent(struct pb_http_exchange *exchange, size_t len)
{
    pthread_mutex_lock(&exchange->lock);
    /* 100 Continue went the same way and is not counted. */
    exchange->waiting -= len < exchange->waiting ? len : exchange->waiting;
    post_calls_due(exchange);
    pthread_mutex_unlock(&exchange->lock);
}

void pb_http_exchange_note_gone(struct pb_http_exchange *exchange, bool is_cut)
{
    pthread_mutex_lock(&exchange->lock);
    exchange->told_gone = true;
    if (is_cut) {
        exchange->connection = NULL;
        exchange->waiting = 0;
        pb_out_queue_clear(&exchange->pending);
    }
    post_calls_due(exchange);
    pthread_mutex_unlock(&exchange->lock);
}

void pb_http_exchange_note_last(struct pb_http_exchange *exchange)
{
    pthread_mutex_lock(&exchange->lock);
    if (!exchange->begun)
        exchange->keep_alive = false;
    pthread_mutex_unlock(&exchange->lock);
}

int pb_http_exchange_upgrade(struct pb_http_exchange *exchange, struct pb_transport *ret_transport,
                             struct pb_buf *ret_in)
{
    struct pb_http_connection *connection;

    pthread_mutex_lock(&exchange->lock);
    assert(!exchange->begun && pthread_equal(exchange->loop_thread, pthread_self()));
    connection = exchange->connection;
    if (connection)
        exchange->begun = exchange->ended = true;
    pthread_mutex_unlock(&exchange->lock);
    if (!connection)
        return -1;
    pb_http_connection_detach(connection, ret_transport, ret_in);
    return 0;
}

void pb_http_exchange_upgraded(struct pb_http_exchange *exchange, bool is_open)
{
    if (is_open) {
        pb_http_exchange_unref(exchange); /* the handler's */
        return;
    }
    pthread_mutex_lock(&exchange->lock);
    exchange->begun = exchange->ended = false;
    pthread_mutex_unlock(&exchange->lock);
}
