/* What Prometheus reads. */
#include <inttypes.h>
#include <string.h>

#include "base/crypto.h"
#include "base/fs.h"
#include "base/log.h"
#include "server/api/handlers.h"
#include "server/api/request.h"
#include "server/api/request_stats.h"
#include "server/api/router.h"
#include "server/middleware/authenticate.h"
#include "server/services/metric_text.h"
#include "server/services/metrics.h"
#include "server/services/platform.h"

enum { TOKEN_MIN = 20, TOKEN_MAX = 4096 }; /* characters; shorter ones can be guessed */

static const char TYPE[] = "text/plain; version=0.0.4; charset=utf-8";

/* --- who may read it ---------------------------------------------------------------------------------------- */

/* The file is read each time, so a new token needs no restart. */
static bool is_scraper(const struct pb_request *req)
{
    const char *path = req->platform->settings.metrics_token_file;
    const char *shown = pb_bearer_token(req->exchange);
    struct pb_error err = {0};
    struct pb_buf token;
    bool is_it = false;

    if (!*path || !shown)
        return false;
    pb_buf_init(&token, TOKEN_MAX);
    token.secret = true;
    if (pb_fs_read_line(path, &token, &err) < 0)
        pb_log_fail(PB_LOG_ERROR, "metrics", &err, "metrics_token_file");
    else
        is_it = token.len >= TOKEN_MIN && token.len == strlen(shown) &&
                pb_secret_equal(token.data, shown, token.len);
    pb_buf_release(&token);
    return is_it;
}

static int authorize(struct pb_request *req, struct pb_error *err)
{
    if (is_scraper(req))
        return 0;
    if (pb_authenticate(req->platform->auth, req->exchange, req->request_id, req->arena, &req->who,
                        err) < 0)
        return -1;
    if (!pb_role_may(req->who->role, PB_PERMIT_ADMINISTER))
        return pb_fail_reason(err, PB_ERROR_DENIED, "role",
                              "only administrators and the token of metrics_token_file may read "
                              "the metrics");
    return 0;
}

/* --- requests ----------------------------------------------------------------------------------------------- */

struct request_kind {
    const char *method;
    const char *path;
};

static struct request_kind kind_at(const struct pb_route_info *routes, size_t count, size_t kind)
{
    if (kind < count)
        return (struct request_kind){routes[kind].method, routes[kind].path};
    return kind == PB_REQUESTS_FILES ? (struct request_kind){"GET", "(file)"}
                                     : (struct request_kind){"", "(none)"};
}

static void put_statuses(struct pb_buf *out, struct request_kind is, size_t kind)
{
    int statuses[PB_REQUESTS_STATUSES];
    uint64_t counts[PB_REQUESTS_STATUSES];
    size_t found = pb_request_statuses(kind, statuses, counts);

    for (size_t i = 0; i < found; i++)
        pb_buf_format(out,
                      "poppo_http_requests_total{method=\"%s\",path=\"%s\",status=\"%d\"} %" PRIu64
                      "\n",
                      is.method, is.path, statuses[i], counts[i]);
}

static void put_times(struct pb_buf *out, struct request_kind is, size_t kind)
{
    static const char *const BOUNDS[] = {
#define X(seconds, text) text,
        PB_REQUEST_BUCKETS(X)
#undef X
    };
    static const char NAME[] = "poppo_http_request_duration_seconds";
    struct pb_request_stats stats;

    pb_request_stats(kind, &stats);
    if (stats.count == 0)
        return;
    for (size_t i = 0; i < PB_REQUEST_BUCKET_COUNT; i++)
        pb_buf_format(out, "%s_bucket{method=\"%s\",path=\"%s\",le=\"%s\"} %" PRIu64 "\n", NAME,
                      is.method, is.path, BOUNDS[i], stats.within[i]);
    pb_buf_format(out, "%s_bucket{method=\"%s\",path=\"%s\",le=\"+Inf\"} %" PRIu64 "\n", NAME,
                  is.method, is.path, stats.count);
    pb_buf_format(out, "%s_sum{method=\"%s\",path=\"%s\"} %.6f\n", NAME, is.method, is.path,
                  (double)stats.took_us / 1e6);
    pb_buf_format(out, "%s_count{method=\"%s\",path=\"%s\"} %" PRIu64 "\n", NAME, is.method,
                  is.path, stats.count);
}

/* A route nobody asked for has no rows. */
static void put_requests(struct pb_buf *out)
{
    struct pb_route_info routes[PB_REQUESTS_ROUTES];
    size_t count = pb_router_routes(routes, PB_REQUESTS_ROUTES);

    pb_metric_family(
        out, "poppo_http_requests_total", "counter",
        "Requests answered, by route; (file) is the web UI, (none) no address of ours.");
    for (size_t kind = 0; kind < PB_REQUESTS_KINDS; kind++)
        put_statuses(out, kind_at(routes, count, kind), kind);
    pb_metric_family(out, "poppo_http_request_duration_seconds", "histogram",
                     "From the whole request to the whole reply, by route.");
    for (size_t kind = 0; kind < PB_REQUESTS_KINDS; kind++)
        put_times(out, kind_at(routes, count, kind), kind);
}

int metrics_show(struct pb_request *req, struct pb_error *err)
{
    if (authorize(req, err) < 0)
        return -1;
    req->content_type = TYPE;
    pb_metrics_put(req->platform, &req->out);
    put_requests(&req->out);
    return 0;
}
