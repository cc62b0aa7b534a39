#include "server/api/log_download.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/pool.h"
#include "server/api/log_range.h"
#include "server/api/request.h"
#include "server/middleware/security_headers.h"
#include "server/services/log_reading.h"
#include "server/services/platform.h"

enum {
    PIECE_MAX = 1 << 20,
    WAITING_MAX = 512 << 10, /* bytes the client has not taken; then we wait */
};

/* A reply on its way. No thread waits for the client: when it has taken what there is, a thread of the pool
 * reads on. One that takes nothing is cut by the HTTP server. */
struct download {
    struct pb_pool *pool;              /* borrowed */
    struct pb_http_exchange *exchange; /* ours until it is ended */
    struct pb_log_reader *reader;      /* owned */
    int64_t at, end;
    pthread_mutex_t lock; /* guards what follows */
    bool is_running;      /* a thread has it: callbacks only leave word */
    bool is_drained;
    bool is_gone;
};

/* Outside the lock, by whoever runs it, or by a callback when nobody does. */
static void finish(struct download *download, bool is_whole)
{
    if (is_whole)
        pb_http_reply_end(download->exchange);
    else
        pb_http_reply_abort(download->exchange);
    pb_read_log_close(download->reader);
    (void)pthread_mutex_destroy(&download->lock);
    free(download);
}

static bool write_piece(struct download *download, size_t *ret_waiting)
{
    int64_t left = download->end - download->at;
    struct pb_buf piece;
    struct pb_error err;
    bool ok;

    (void)pthread_mutex_lock(&download->lock);
    download->is_drained = false;
    ok = !download->is_gone;
    (void)pthread_mutex_unlock(&download->lock);
    if (!ok)
        return false;
    pb_buf_init(&piece, left < PIECE_MAX ? (size_t)left : PIECE_MAX);
    ok = pb_read_log_text(download->reader, download->at, &piece, &err) == 0;
    if (ok)
        *ret_waiting = pb_http_reply_write(download->exchange, piece.data, piece.len);
    else
        pb_log_fail(PB_LOG_WARN, "api", &err, "the log ends early");
    download->at += (int64_t)piece.len;
    pb_buf_release(&piece);
    return ok;
}

/* False: a callback has it now. */
static bool keep(struct download *download)
{
    bool keeps;

    (void)pthread_mutex_lock(&download->lock);
    keeps = download->is_drained || download->is_gone;
    download->is_running = keeps;
    (void)pthread_mutex_unlock(&download->lock);
    return keeps;
}

static void run(void *arg)
{
    struct download *download = arg;
    size_t waiting = 0;

    while (download->at < download->end) {
        if (!write_piece(download, &waiting)) {
            finish(download, false);
            return;
        }
        if (waiting > WAITING_MAX && download->at < download->end && !keep(download))
            return;
    }
    finish(download, true);
}

/* Leaves word; true when nobody runs it, and the caller is to. */
static bool take_over(struct download *download, bool *word)
{
    bool is_ours;

    (void)pthread_mutex_lock(&download->lock);
    *word = true;
    is_ours = !download->is_running;
    download->is_running = true;
    (void)pthread_mutex_unlock(&download->lock);
    return is_ours;
}

/* On the loop thread. */
static void on_drained(void *arg)
{
    struct download *download = arg;

    if (take_over(download, &download->is_drained) &&
        !pb_pool_submit(download->pool, run, download))
        finish(download, false); /* too much to do: the client asks for the rest */
}

static void on_gone(void *arg)
{
    struct download *download = arg;

    if (take_over(download, &download->is_gone))
        finish(download, false);
}

static struct download *download_new(struct pb_request *req, struct pb_log_reader *reader)
{
    struct download *download = calloc(1, sizeof(*download));

    if (!download)
        return NULL;
    download->pool = req->platform->slow_pool;
    download->exchange = req->exchange;
    download->reader = reader;
    download->is_running = true;
    (void)pthread_mutex_init(&download->lock, NULL);
    return download;
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

/* The reader is the reply's. */
static int send(struct pb_request *req, struct pb_log_reader *reader, const struct part *part,
                struct pb_error *err)
{
    struct pb_http_header headers[PB_SECURITY_HEADERS + 8];
    size_t count = add_headers(req, part, headers);
    struct download *download = download_new(req, reader);

    if (!download) {
        pb_read_log_close(reader);
        return pb_fail(err, PB_ERROR_LIMITED, "out of memory");
    }
    pb_http_reply_begin(req->exchange, part->kind == PB_LOG_RANGE_PART ? 206 : 200, headers, count,
                        part->end - part->from);
    req->is_answered = true;
    if (strcmp(pb_http_method(req->exchange), "HEAD") != 0) {
        download->at = part->from;
        download->end = part->end;
    }
    pb_http_reply_watch(req->exchange, on_drained, on_gone, download);
    run(download);
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
        return send(req, reader, &part, err);
    pb_read_log_close(reader);
    return 0;
}
