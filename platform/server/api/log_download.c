#include "server/api/log_download.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "server/api/log_range.h"
#include "server/api/request.h"
#include "server/middleware/security_headers.h"
#include "server/services/log_reading.h"
#include "server/services/platform.h"

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

/* --- the reply ------------------------------------------------------------------------------------------- */

/* What is asked for of a text of this size. */
struct part {
    enum pb_log_range_kind kind;
    int64_t from, end, size;
    const char *etag;
};

/* Range counts only for GET, and only while the text is the one the client has a part of. */
static void choose_part(struct pb_request *req, struct part *part)
{
    const char *range = pb_http_header(req->exchange, "Range");
    const char *only_if = pb_http_header(req->exchange, "If-Range");

    if (strcmp(pb_http_method(req->exchange), "GET") != 0 ||
        (only_if && strcmp(only_if, part->etag) != 0))
        range = NULL;
    part->kind = pb_log_range_of(range, part->size, &part->from, &part->end);
    if (part->kind == PB_LOG_RANGE_ALL)
        part->end = part->size;
}

static size_t add_headers(struct pb_request *req, const struct part *part,
                          struct pb_http_header *headers)
{
    size_t count = pb_security_headers(headers, 0, pb_http_is_tls(req->exchange));

    headers[count++] = (struct pb_http_header){"Content-Type", "text/plain; charset=utf-8"};
    headers[count++] =
        (struct pb_http_header){"Content-Disposition",
                                pb_request_text(req, "attachment; filename=\"%s.log\"", req->id)};
    headers[count++] = (struct pb_http_header){"Cache-Control", "private, no-cache"};
    headers[count++] = (struct pb_http_header){"Accept-Ranges", "bytes"};
    headers[count++] = (struct pb_http_header){"ETag", part->etag};
    headers[count++] = (struct pb_http_header){"X-Request-Id", req->request_id};
    if (part->kind == PB_LOG_RANGE_PART)
        headers[count++] =
            (struct pb_http_header){"Content-Range",
                                    pb_request_text(req, "bytes %lld-%lld/%lld",
                                                    (long long)part->from, (long long)part->end - 1,
                                                    (long long)part->size)};
    if (part->kind == PB_LOG_RANGE_NONE)
        headers[count++] =
            (struct pb_http_header){"Content-Range",
                                    pb_request_text(req, "bytes */%lld", (long long)part->size)};
    return count;
}

/* True when all of it was sent. */
static bool send_part(struct pb_request *req, struct pb_log_reader *reader, const struct part *part,
                      struct flow *flow)
{
    struct pb_buf piece;
    struct pb_error err;
    bool ok = true;

    for (int64_t at = part->from; ok && at < part->end;) {
        int64_t left = part->end - at;

        pb_buf_init(&piece, left < PIECE_MAX ? (size_t)left : PIECE_MAX);
        flow_expect(flow);
        if (pb_read_log_text(reader, at, &piece, &err) < 0) {
            pb_log_fail(PB_LOG_WARN, "api", &err, "the log ends early");
            ok = false;
        } else if (pb_http_reply_write(req->exchange, piece.data, piece.len) > WAITING_MAX) {
            ok = flow_wait(flow);
        }
        at += (int64_t)piece.len;
        pb_buf_release(&piece);
    }
    return ok;
}

static int send(struct pb_request *req, struct pb_log_reader *reader, const struct part *part,
                struct pb_error *err)
{
    struct pb_http_header headers[PB_SECURITY_HEADERS + 8];
    size_t count = add_headers(req, part, headers);
    struct pb_loop *loop = pb_http_loop(req->exchange);
    struct flow *flow = flow_new();

    if (!flow)
        return pb_fail(err, PB_ERROR_LIMITED, "out of memory");
    pb_http_reply_begin(req->exchange, part->kind == PB_LOG_RANGE_PART ? 206 : 200, headers, count,
                        part->end - part->from);
    req->is_answered = true;
    pb_http_reply_watch(req->exchange, on_drained, on_gone, flow);
    if (strcmp(pb_http_method(req->exchange), "HEAD") == 0 || send_part(req, reader, part, flow))
        pb_http_reply_end(req->exchange);
    else
        pb_http_reply_abort(req->exchange);
    if (!pb_loop_post(loop, flow_free, flow)) /* behind any callback still on its way */
        flow_free(flow);
    return 0;
}

/* Without a body. */
static void send_status(struct pb_request *req, const struct part *part, int status)
{
    struct pb_http_header headers[PB_SECURITY_HEADERS + 8];
    size_t count = add_headers(req, part, headers);

    pb_http_reply(req->exchange, status, headers, count, "", 0);
    req->is_answered = true;
}

int pb_log_download(struct pb_request *req, struct pb_error *err)
{
    struct pb_log_reader *reader = pb_read_log_open(req->platform, req->id, err);
    const char *known = pb_http_header(req->exchange, "If-None-Match");
    struct pb_log_part whole;
    struct part part = {0};
    int r = 0;

    if (!reader)
        return -1;
    whole = pb_read_log_part(reader);
    part.size = pb_read_log_size(reader);
    part.etag = pb_request_text(req, "\"%x-%lld\"", whole.birth, (long long)whole.bytes);
    choose_part(req, &part);
    if (known && strstr(known, part.etag))
        send_status(req, &part, 304);
    else if (part.kind == PB_LOG_RANGE_NONE)
        send_status(req, &part, 416);
    else
        r = send(req, reader, &part, err);
    pb_read_log_close(reader);
    return r;
}
