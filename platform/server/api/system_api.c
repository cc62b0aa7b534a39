/* Health, nodes, counts. */
#include "base/log.h"
#include "server/api/handlers.h"
#include "server/api/problem.h"
#include "server/api/request.h"
#include "server/services/health.h"
#include "server/services/platform.h"
#include "server/services/reading.h"

int healthz(struct pb_request *req, struct pb_error *err)
{
    (void)err;
    pb_json_begin_object(&req->json, NULL);
    pb_json_put_text(&req->json, "status", "ok");
    pb_json_put_text(&req->json, "version", PB_VERSION);
    pb_json_end_object(&req->json);
    return 0;
}

/* Anybody may ask: what is our own mistake is for the log. */
static const char *detail_of(const struct pb_health_check *check)
{
    return check->is_ok || check->err.code == PB_ERROR_INTERNAL ? NULL : check->err.message;
}

static void put_checks(struct pb_json_writer *w, const struct pb_health *health)
{
    pb_json_begin_array(w, "checks");
    for (int i = 0; i < PB_CHECK_COUNT; i++) {
        const struct pb_health_check *check = &health->checks[i];

        pb_json_begin_object(w, NULL);
        pb_json_put_text(w, "name", pb_health_name((enum pb_health_name)i));
        pb_json_put_bool(w, "ok", check->is_ok);
        pb_json_put_text(w, "code", check->is_ok ? NULL : pb_error_reason(&check->err));
        pb_json_put_text(w, "detail", detail_of(check));
        pb_json_end_object(w);
    }
    pb_json_end_array(w);
}

static const struct pb_error *first_failure(const struct pb_health *health)
{
    int i = 0;

    while (health->checks[i].is_ok)
        i++;
    return &health->checks[i].err;
}

int readyz(struct pb_request *req, struct pb_error *err)
{
    struct pb_json_writer *w = &req->json;
    struct pb_health health;

    pb_health_look(req->platform, &health);
    if (health.is_ready) {
        pb_json_begin_object(w, NULL);
        pb_json_put_text(w, "status", "ok");
        pb_json_put_text(w, "version", PB_VERSION);
    } else {
        *err = *first_failure(&health);
        pb_log_fail(PB_LOG_WARN, "health", err, "not ready");
        req->status = 503;
        req->content_type = "application/problem+json";
        pb_request_header(req, "Retry-After", "2");
        pb_problem_begin(w, PB_ERROR_UNAVAILABLE, err, req->request_id);
    }
    put_checks(w, &health);
    pb_json_end_object(w);
    return 0;
}

int nodes_list(struct pb_request *req, struct pb_error *err)
{
    return pb_read_nodes(req->platform, req->arena, &req->json, err);
}

int stats_show(struct pb_request *req, struct pb_error *err)
{
    return pb_read_stats(req->platform, req->arena, &req->json, err);
}
