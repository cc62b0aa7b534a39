#include "server/api/router.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/pool.h"
#include "base/text.h"
#include "server/api/body.h"
#include "server/api/problem.h"
#include "server/api/reply_cache.h"
#include "server/api/request.h"
#include "server/api/request_stats.h"
#include "server/api/route_private.h"
#include "server/api/static_files.h"
#include "server/middleware/authenticate.h"
#include "server/middleware/security_headers.h"
#include "server/services/counters.h"
#include "server/services/platform.h"
#include "server/services/reading.h"

/* How long a request may wait for a thread. */
enum { QUICK_WAIT_MS = 5000, SLOW_WAIT_MS = 15000, EXPIRE_EVERY_MS = 1000 };

struct pb_router {
    struct pb_platform *platform;
    struct pb_static_files *files;
    struct pb_loop_timer *expire;
    struct pb_reply_cache *kept; /* owned */
};

/* One request on its way to a pool thread. */
struct job {
    struct pb_router *router;
    struct pb_http_exchange *exchange;
    const struct route *route;
    const char *id; /* inside the exchange's path */
    size_t id_len;
    int64_t came_us;
};

static void expire_jobs(void *arg)
{
    struct pb_router *router = arg;

    pb_pool_expire(router->platform->pool);
    pb_pool_expire(router->platform->slow_pool);
}

struct pb_router *pb_router_new(struct pb_platform *platform, struct pb_static_files *files,
                                struct pb_error *err)
{
    struct pb_router *router = calloc(1, sizeof(*router));

    if (!router) {
        (void)pb_fail(err, PB_ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    router->platform = platform;
    router->files = files;
    router->kept = pb_reply_cache_new(err);
    router->expire =
        pb_loop_timer_start(platform->loop, EXPIRE_EVERY_MS, EXPIRE_EVERY_MS, expire_jobs, router);
    if (router->kept && router->expire)
        return router;
    (void)pb_fail(err, PB_ERROR_INTERNAL, "out of memory");
    pb_router_free(router);
    return NULL;
}

void pb_router_free(struct pb_router *router)
{
    if (!router)
        return;
    pb_loop_timer_cancel(&router->expire);
    pb_reply_cache_free(router->kept);
    free(router);
}

static bool has_header(const struct pb_http_header *headers, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(headers[i].name, name) == 0)
            return true;
    return false;
}

static void reply(struct pb_http_exchange *exchange, int status, const char *content_type,
                  const struct pb_http_header *more, size_t more_count, const struct pb_buf *body,
                  const char *request_id)
{
    struct pb_http_header headers[PB_REQUEST_HEADERS + PB_SECURITY_HEADERS + 3];
    size_t count = pb_security_headers(headers, 0, pb_http_is_tls(exchange));

    headers[count++] = (struct pb_http_header){"X-Request-Id", request_id};
    if (!has_header(more, more_count, "Cache-Control"))
        headers[count++] = (struct pb_http_header){"Cache-Control", "no-store"};
    if (status != 204)
        headers[count++] = (struct pb_http_header){"Content-Type", content_type};
    for (size_t i = 0; i < more_count; i++)
        headers[count++] = more[i];
    pb_http_reply(exchange, status, headers, count, body->data, body->len);
}

/* A refusal made on the loop, before there is a request. */
static void refuse(struct pb_http_exchange *exchange, int status, const char *title,
                   const char *code, const char *detail)
{
    static const struct pb_http_header RETRY[] = {{"Retry-After", "1"}};
    char id[PB_REQUEST_ID_TEXT];
    struct pb_buf body;

    pb_request_id(exchange, id);
    pb_buf_init(&body, 4096);
    pb_problem_write_status(&body, status, title, code, detail, id);
    reply(exchange, status, "application/problem+json", RETRY, status == 503, &body, id);
    pb_buf_release(&body);
}

static size_t kind_of(const struct route *route)
{
    return route ? (size_t)(route - PB_ROUTES) : PB_REQUESTS_OTHER;
}

/* It has been answered. What hands its exchange on takes as long as it takes. */
static void note_done(const struct job *job, int status, bool is_handed_on)
{
    int64_t took_us = pb_request_clock_us() - job->came_us;
    int64_t slow_ms = job->router->platform->settings.slow_request_ms;

    pb_request_count(kind_of(job->route), status, took_us);
    if (job->route && !is_handed_on && slow_ms > 0 && took_us / 1000 >= slow_ms)
        pb_log_warn("api", "took_ms=%lld slow: %s %s status=%d", (long long)(took_us / 1000),
                    job->route->method, job->route->path, status);
}

static void collect_field(void *arg, const struct pb_error *err)
{
    pb_request_field(arg, err);
}

static int read_body(struct pb_request *req, const struct route *route, struct pb_json **ret_root,
                     struct pb_error *err)
{
    const char *type = pb_http_header(req->exchange, "Content-Type");
    const char *text;
    size_t len;

    if (!route->body)
        return 0;
    if (!type || strncasecmp(type, "application/json", 16) != 0)
        return pb_fail(err, PB_ERROR_UNSUPPORTED, "the body must be application/json");
    text = pb_http_body(req->exchange, &len);
    *ret_root = pb_json_parse(text, len, err);
    if (!*ret_root)
        return pb_fail_in(err, "the body is not valid JSON");
    if (!pb_json_is_object(*ret_root))
        return pb_fail(err, PB_ERROR_INVALID, "the body must be a JSON object");
    req->body = *ret_root;
    pb_body_check(req->body, route->body, collect_field, req);
    return req->field_count > 0 ? pb_request_fields_fail(req, err) : 0;
}

static int read_id(struct pb_request *req, const struct job *job, struct pb_error *err)
{
    char *id;

    if (!job->id)
        return 0;
    id = pb_arena_alloc(req->arena, job->id_len + 1);
    if (!id)
        return pb_fail(err, PB_ERROR_LIMITED, "request too large");
    if (!pb_http_decode(job->id, job->id_len, false, id))
        return pb_fail(err, PB_ERROR_NOT_FOUND, "no such thing");
    req->id = id;
    return 0;
}

static int authorize(struct pb_request *req, const struct route *route, struct pb_error *err)
{
    if (route->permission == PB_PERMIT_PUBLIC)
        return 0;
    if (pb_authenticate(req->platform->auth, req->exchange, req->request_id, req->arena, &req->who,
                        err) < 0)
        return -1;
    if (!pb_role_may(req->who->role, route->permission))
        return pb_fail_reason(err, PB_ERROR_DENIED, "role",
                              "your role may not do this; an administrator can change it");
    return 0;
}

static int answer(struct pb_request *req, const struct job *job, struct pb_json **ret_root,
                  struct pb_error *err)
{
    if (authorize(req, job->route, err) < 0 || read_id(req, job, err) < 0 ||
        read_body(req, job->route, ret_root, err) < 0)
        return -1;
    if (job->route->handler(req, err) < 0)
        return -1;
    if (pb_buf_failed(&req->out))
        return pb_fail(err, PB_ERROR_INTERNAL, "reply larger than %zu bytes", req->out.max);
    return 0;
}

static void add_retry_after(struct pb_request *req, const struct pb_error *err)
{
    if (err->code == PB_ERROR_UNAVAILABLE || err->code == PB_ERROR_LIMITED)
        pb_request_header(req, "Retry-After", "2");
    if (err->code == PB_ERROR_UNAUTHENTICATED)
        pb_request_header(req, "WWW-Authenticate", "Bearer");
}

static void reply_problem(struct pb_request *req, const struct job *job, const struct pb_error *err)
{
    int status = pb_error_http_status(err->code);

    req->status = status;
    if (status >= 500)
        pb_log_fail(PB_LOG_WARN, "api", err, "%s %s", job->route->method, job->route->path);
    else
        pb_log_debug("api", "%s %s status=%d code=%s", job->route->method, job->route->path, status,
                     pb_error_reason(err));
    add_retry_after(req, err);
    pb_buf_clear(&req->out);
    pb_problem_write(&req->out, err, req->fields, req->field_count, req->request_id);
    reply(req->exchange, status, "application/problem+json", req->headers, req->header_count,
          &req->out, req->request_id);
}

/* --- replies that are kept ---------------------------------------------------------------------------------- */

/* What such a reply depends on beside the data. False when it is too long to be kept. */
static bool key_of(const struct pb_http_exchange *exchange, enum pb_role role,
                   char ret_key[PB_REPLY_KEY_MAX])
{
    int len = snprintf(ret_key, PB_REPLY_KEY_MAX, "%d %s?%s", (int)role, pb_http_path(exchange),
                       pb_http_query(exchange));

    return len > 0 && len < PB_REPLY_KEY_MAX && strcmp(pb_http_method(exchange), "GET") == 0;
}

static bool is_known(const struct pb_http_exchange *exchange, const char *etag)
{
    const char *known = pb_http_header(exchange, "If-None-Match");

    return known && strstr(known, etag);
}

/* Gives a lasting reply its ETag, and keeps it for the next who asks. */
static void reply_lasting(struct pb_request *req, const struct job *job)
{
    char key[PB_REPLY_KEY_MAX], etag[PB_ETAG_TEXT];

    pb_reply_etag(req->out.data, req->out.len, etag);
    if (key_of(req->exchange, req->who->role, key))
        pb_reply_cache_keep(job->router->kept, key, req->generation, req->out.data, req->out.len,
                            etag);
    pb_request_header(req, "ETag", etag);
    if (is_known(req->exchange, etag)) {
        req->status = 304;
        pb_buf_clear(&req->out);
    }
    reply(req->exchange, req->status, req->content_type, req->headers, req->header_count, &req->out,
          req->request_id);
}

/* From the loop, without a thread: the asker's token is known, and nothing has changed since. */
static bool answer_kept(const struct job *job)
{
    struct pb_platform *platform = job->router->platform;
    const char *token = pb_bearer_token(job->exchange);
    struct pb_http_header headers[PB_SECURITY_HEADERS + 4];
    char key[PB_REPLY_KEY_MAX], etag[PB_ETAG_TEXT], id[PB_REQUEST_ID_TEXT];
    struct pb_shared_bytes *body = NULL;
    enum pb_role role;
    size_t count;
    int status;

    if (token && pb_auth_recall_role(platform->auth, token, &role) &&
        pb_role_may(role, job->route->permission) && key_of(job->exchange, role, key))
        body = pb_reply_cache_find(job->router->kept, key, pb_read_generation(platform), etag);
    if (!body)
        return false;
    pb_request_id(job->exchange, id);
    count = pb_security_headers(headers, 0, pb_http_is_tls(job->exchange));
    headers[count++] = (struct pb_http_header){"X-Request-Id", id};
    headers[count++] = (struct pb_http_header){"Cache-Control", "no-store"};
    headers[count++] = (struct pb_http_header){"Content-Type", "application/json"};
    headers[count++] = (struct pb_http_header){"ETag", etag};
    status = is_known(job->exchange, etag) ? 304 : 200;
    if (status == 304)
        pb_http_reply(job->exchange, status, headers, count, NULL, 0);
    else
        pb_http_reply_shared(job->exchange, status, headers, count, body);
    pb_shared_bytes_unref(body);
    pb_count(PB_COUNTER_KEPT_REPLIES, 1);
    note_done(job, status, false);
    return true;
}

/* --- requests ----------------------------------------------------------------------------------------------- */

static void serve(const struct job *job)
{
    struct pb_json *root = NULL;
    struct pb_arena arena;
    struct pb_error err = {.code = PB_ERROR_INTERNAL}; /* of a handler that fails without a word */
    char id[PB_REQUEST_ID_TEXT];
    struct pb_request req = {
        .platform = job->router->platform,
        .exchange = job->exchange,
        .arena = &arena,
        .request_id = id,
        .status = 200,
        .content_type = "application/json",
    };

    pb_request_id(job->exchange, id);
    pb_log_request(id);
    pb_arena_init(&arena, PB_REQUEST_ARENA_MAX);
    pb_buf_init(&req.out, PB_REQUEST_REPLY_MAX);
    pb_json_writer_init(&req.json, &req.out);
    if (answer(&req, job, &root, &err) < 0)
        reply_problem(&req, job, &err);
    else if (req.is_lasting)
        reply_lasting(&req, job);
    else if (!req.is_answered)
        reply(req.exchange, req.status, req.content_type, req.headers, req.header_count, &req.out,
              id);
    note_done(job, req.status, req.is_answered);
    pb_buf_release(&req.out);
    pb_json_free(root);
    pb_arena_release(&arena);
    pb_log_request(NULL);
}

/* On a pool thread. */
static void run(void *arg)
{
    serve(arg);
    free(arg);
}

static void refuse_busy(const struct job *job)
{
    refuse(job->exchange, 503, "Not available right now", "busy",
           "The platform is busy; try again");
    note_done(job, 503, false);
}

/* No thread was free for so long. */
static void run_late(void *arg)
{
    struct job *job = arg;

    refuse_busy(job);
    free(job);
}

static bool submit(struct pb_platform *platform, const struct job *found)
{
    bool is_slow = found->route->pool == ROUTE_SLOW;
    struct job *job = malloc(sizeof(*job));

    if (!job)
        return false;
    *job = *found;
    if (pb_pool_submit_within(is_slow ? platform->slow_pool : platform->pool,
                              is_slow ? SLOW_WAIT_MS : QUICK_WAIT_MS, run, run_late, job))
        return true;
    free(job);
    return false;
}

static bool is_api(const char *path)
{
    return pb_text_starts(path, "/api/") || strcmp(path, "/healthz") == 0 ||
           strcmp(path, "/readyz") == 0 || strcmp(path, "/metrics") == 0;
}

static void dispatch(struct pb_router *router, struct pb_http_exchange *exchange)
{
    int status;
    struct job found = {.router = router, .exchange = exchange, .came_us = pb_request_clock_us()};
    int index = pb_router_match(pb_http_method(exchange), pb_http_path(exchange), &found.id,
                                &found.id_len, &status);

    if (index < 0 && status == 405) {
        refuse(exchange, 405, "Not allowed", "method_not_allowed",
               "This address does not take that method");
        note_done(&found, 405, false);
        return;
    }
    if (index < 0) {
        refuse(exchange, 404, "Not found", "not_found", "There is no such endpoint");
        note_done(&found, 404, false);
        return;
    }
    found.route = &PB_ROUTES[index];
    if (found.route->pool == ROUTE_LOOP)
        serve(&found);
    else if (answer_kept(&found))
        return;
    else if (!submit(router->platform, &found))
        refuse_busy(&found);
}

static void answer_file(const struct pb_router *router, struct pb_http_exchange *exchange)
{
    int64_t came_us = pb_request_clock_us();
    int status = pb_static_files_answer(router->files, exchange);

    pb_request_count(PB_REQUESTS_FILES, status, pb_request_clock_us() - came_us);
}

void pb_router_handle(void *arg, struct pb_http_exchange *exchange)
{
    struct pb_router *router = arg;

    if (is_api(pb_http_path(exchange)))
        dispatch(router, exchange);
    else if (router->files)
        answer_file(router, exchange);
    else
        refuse(exchange, 404, "Not found", "not_found", "There is no web UI here");
}
