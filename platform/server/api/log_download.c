#include "server/api/log_download.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/loop.h"
#include "model/limits.h"
#include "server/api/request.h"
#include "server/middleware/security_headers.h"
#include "server/services/platform.h"
#include "server/services/reading.h"

enum {
    PIECE_MAX = 1 << 20,
    WAITING_MAX = 512 << 10, /* bytes the client has not taken; then we wait */
    STALL_MS = 60 * 1000,    /* a client that takes nothing for so long is given up */
};

/* Shared with the loop thread, and freed there after the reply has ended. */
struct flow {
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    bool is_drained;
    bool is_gone;
};

static void on_drained(void *arg)
{
    struct flow *flow = arg;

    (void)pthread_mutex_lock(&flow->lock);
    flow->is_drained = true;
    (void)pthread_cond_signal(&flow->changed);
    (void)pthread_mutex_unlock(&flow->lock);
}

static void on_gone(void *arg)
{
    struct flow *flow = arg;

    (void)pthread_mutex_lock(&flow->lock);
    flow->is_gone = true;
    (void)pthread_cond_signal(&flow->changed);
    (void)pthread_mutex_unlock(&flow->lock);
}

static struct flow *flow_new(void)
{
    struct flow *flow = calloc(1, sizeof(*flow));
    pthread_condattr_t steady;

    if (!flow)
        return NULL;
    (void)pthread_mutex_init(&flow->lock, NULL);
    (void)pthread_condattr_init(&steady);
    (void)pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&flow->changed, &steady);
    (void)pthread_condattr_destroy(&steady);
    return flow;
}

static void flow_free(void *arg)
{
    struct flow *flow = arg;

    (void)pthread_cond_destroy(&flow->changed);
    (void)pthread_mutex_destroy(&flow->lock);
    free(flow);
}

static void flow_expect(struct flow *flow)
{
    (void)pthread_mutex_lock(&flow->lock);
    flow->is_drained = false;
    (void)pthread_mutex_unlock(&flow->lock);
}

/* False when the client has gone or takes nothing. */
static bool flow_wait(struct flow *flow)
{
    int64_t until = pb_clock_steady_ms() + STALL_MS;
    struct timespec at = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};
    bool ok;

    (void)pthread_mutex_lock(&flow->lock);
    while (!flow->is_drained && !flow->is_gone && pb_clock_steady_ms() < until)
        (void)pthread_cond_timedwait(&flow->changed, &flow->lock, &at);
    ok = flow->is_drained && !flow->is_gone;
    (void)pthread_mutex_unlock(&flow->lock);
    return ok;
}

/* "<ms> <stream> <text>\n" → "<text>\n" */
static void strip(struct pb_buf *piece)
{
    size_t kept = 0;

    for (size_t at = 0; at < piece->len;) {
        char *newline = memchr(piece->data + at, '\n', piece->len - at);
        size_t end = newline ? (size_t)(newline - piece->data) + 1 : piece->len;
        char *space = memchr(piece->data + at, ' ', end - at);
        size_t text = space ? (size_t)(space - piece->data) + 3 : at;

        if (text > end - 1)
            text = end - 1;
        memmove(piece->data + kept, piece->data + text, end - text);
        kept += end - text;
        at = end;
    }
    piece->len = kept;
}

/* True when the whole log was sent. */
static bool send_all(struct pb_request *req, struct flow *flow, struct pb_buf *piece,
                     struct pb_log_part *part, struct pb_error *err)
{
    struct pb_log_wish wish = {.from = part->from, .count = PB_LIMIT_LOG_READ_LINES};

    while (part->count > 0) {
        wish.from = part->from + part->count;
        strip(piece);
        flow_expect(flow);
        if (pb_http_reply_write(req->exchange, piece->data, piece->len) > WAITING_MAX &&
            !flow_wait(flow))
            return false;
        pb_buf_clear(piece);
        if (pb_read_log(req->platform, req->id, &wish, piece, part, err) < 0)
            return false;
    }
    return true;
}

static void begin(struct pb_request *req)
{
    struct pb_http_header headers[PB_SECURITY_HEADERS + 4];
    size_t count = pb_security_headers(headers, 0, pb_http_is_tls(req->exchange));

    headers[count++] = (struct pb_http_header){"Content-Type", "text/plain; charset=utf-8"};
    headers[count++] =
        (struct pb_http_header){"Content-Disposition",
                                pb_request_text(req, "attachment; filename=\"%s.log\"", req->id)};
    headers[count++] = (struct pb_http_header){"Cache-Control", "no-store"};
    headers[count++] = (struct pb_http_header){"X-Request-Id", req->request_id};
    pb_http_reply_begin(req->exchange, 200, headers, count, -1);
}

int pb_log_download(struct pb_request *req, struct pb_error *err)
{
    struct pb_log_wish first = {.from = 0, .count = PB_LIMIT_LOG_READ_LINES};
    struct pb_loop *loop = pb_http_loop(req->exchange);
    struct pb_log_part part;
    struct pb_buf piece;
    struct flow *flow;

    pb_buf_init(&piece, PIECE_MAX);
    if (pb_read_log(req->platform, req->id, &first, &piece, &part, err) < 0) {
        pb_buf_release(&piece);
        return -1;
    }
    flow = flow_new();
    if (!flow) {
        pb_buf_release(&piece);
        return pb_fail(err, PB_ERROR_LIMITED, "out of memory");
    }
    begin(req);
    req->is_answered = true;
    pb_http_reply_watch(req->exchange, on_drained, on_gone, flow);
    if (send_all(req, flow, &piece, &part, err))
        pb_http_reply_end(req->exchange);
    else
        pb_http_reply_abort(req->exchange);
    pb_buf_release(&piece);
    if (!pb_loop_post(loop, flow_free, flow)) /* behind any callback still on its way */
        flow_free(flow);
    return 0;
}
