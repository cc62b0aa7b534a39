/* Logs of executions: lines, marks, search, download. */
#include <string.h>

#include "base/text.h"
#include "model/limits.h"
#include "server/api/handlers.h"
#include "server/api/log_download.h"
#include "server/api/request.h"
#include "server/services/log_reading.h"
#include "server/services/platform.h"

enum { HITS_MAX = 10000, HITS_DEFAULT = 200 };

/* --- lines ------------------------------------------------------------------------------------------------ */

static void add_headers(struct pb_request *req, const struct pb_log_part *part)
{
    pb_request_header(req, "X-Log-Lines", pb_request_text(req, "%lld", (long long)part->lines));
    pb_request_header(req, "X-Log-Bytes", pb_request_text(req, "%lld", (long long)part->bytes));
    pb_request_header(req, "X-Log-From", pb_request_text(req, "%lld", (long long)part->from));
    pb_request_header(req, "X-Log-Complete", part->complete ? "true" : "false");
    if (part->dropped > 0)
        pb_request_header(req, "X-Log-Dropped",
                          pb_request_text(req, "%lld", (long long)part->dropped));
    if (part->damaged_lines > 0)
        pb_request_header(req, "X-Log-Damaged",
                          pb_request_text(req, "%lld-%lld", (long long)part->damaged_from + 1,
                                          (long long)(part->damaged_from + part->damaged_lines)));
}

/* Lines keep their numbers for ever: a full range of a complete log is asked for once. */
static void let_keep(struct pb_request *req, const struct pb_log_wish *wish,
                     const struct pb_log_part *part)
{
    const char *known = pb_http_header(req->exchange, "If-None-Match");
    const char *etag;

    if (!part->complete || part->damaged_lines > 0 || wish->tail > 0 || part->count != wish->count)
        return;
    etag = pb_request_text(req, "\"%x-%lld-%lld\"", part->birth, (long long)part->from,
                           (long long)part->count);
    pb_request_header(req, "ETag", etag);
    pb_request_header(req, "Cache-Control", "private, max-age=31536000, immutable");
    if (known && strstr(known, etag)) {
        req->status = 304;
        pb_buf_clear(&req->out);
    }
}

int executions_log(struct pb_request *req, struct pb_error *err)
{
    struct pb_log_wish wish;
    struct pb_log_part part;

    if (pb_request_query_int(req, "from", 0, INT64_MAX, 0, &wish.from, err) < 0 ||
        pb_request_query_int(req, "count", 1, PB_LIMIT_LOG_READ_LINES, 500, &wish.count, err) < 0 ||
        pb_request_query_int(req, "tail", 1, PB_LIMIT_LOG_READ_LINES, 0, &wish.tail, err) < 0 ||
        pb_read_log(req->platform, req->id, &wish, &req->out, &part, err) < 0)
        return -1;
    req->content_type = "text/plain; charset=utf-8";
    add_headers(req, &part);
    let_keep(req, &wish, &part);
    return 0;
}

int executions_log_raw(struct pb_request *req, struct pb_error *err)
{
    return pb_log_download(req, err);
}

/* --- marks and search ------------------------------------------------------------------------------------- */

int executions_log_marks(struct pb_request *req, struct pb_error *err)
{
    int64_t from;

    if (pb_request_query_int(req, "from", 0, INT64_MAX, 0, &from, err) < 0)
        return -1;
    return pb_read_log_marks(req->platform, req->id, from, &req->json, err);
}

static int read_switch(struct pb_request *req, const char *name, bool otherwise, bool *ret_value,
                       struct pb_error *err)
{
    const char *text = pb_request_query(req, name);

    if (text && strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
        return pb_fail_field(err, name, "%s is true or false", name);
    *ret_value = text ? strcmp(text, "true") == 0 : otherwise;
    return 0;
}

int executions_log_search(struct pb_request *req, struct pb_error *err)
{
    struct pb_log_search_wish wish = {.query = pb_request_query(req, "q")};

    if (!wish.query)
        return pb_fail_field(err, "q", "say what is searched for");
    if (read_switch(req, "regex", false, &wish.is_regex, err) < 0 ||
        read_switch(req, "case", false, &wish.is_exact, err) < 0 ||
        read_switch(req, "text", true, &wish.with_text, err) < 0 ||
        pb_request_query_int(req, "from", 0, INT64_MAX, 0, &wish.from, err) < 0 ||
        pb_request_query_int(req, "limit", 1, HITS_MAX, HITS_DEFAULT, &wish.limit, err) < 0)
        return -1;
    return pb_read_log_search(req->platform, req->id, &wish, &req->json, err);
}
