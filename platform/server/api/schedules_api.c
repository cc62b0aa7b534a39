/* Schedules: from JSON to the model and into the service. */
#include <string.h>

#include "base/clock.h"
#include "model/priority.h"
#include "model/schedule.h"
#include "server/api/handlers.h"
#include "server/api/request.h"
#include "server/services/platform.h"
#include "server/services/reading.h"
#include "server/services/schedules.h"

int schedules_list(struct pb_request *req, struct pb_error *err)
{
    return pb_schedules_show(req->platform, req->id, req->arena, &req->json, err);
}

static int reply_schedule(struct pb_request *req, const char *id, int status, struct pb_error *err)
{
    int64_t version;

    if (pb_schedule_show(req->platform, id, req->arena, &req->json, &version, err) < 0)
        return -1;
    req->status = status;
    pb_request_header(req, "ETag", pb_request_text(req, "\"%lld\"", (long long)version));
    return 0;
}

int schedules_show(struct pb_request *req, struct pb_error *err)
{
    return reply_schedule(req, req->id, 200, err);
}

/* --- from JSON -------------------------------------------------------------------------------------------- */

static void set_text(const struct pb_json *body, const char *name, const char **member)
{
    const char *text;

    if (!pb_json_get(body, name))
        return;
    text = pb_json_text(body, name, "");
    *member = *text ? text : NULL;
}

static int word_of(const struct pb_json *body, const char *name, const struct pb_names *names,
                   int otherwise)
{
    int value;

    return pb_names_find(names, pb_json_text(body, name, NULL), &value) ? value : otherwise;
}

/* Overwrites what the body names, checks the whole, collects what is wrong. */
static int fill(struct pb_request *req, struct pb_schedule *schedule, struct pb_error *err)
{
    const struct pb_json *body = req->body;
    struct pb_error findings[PB_REQUEST_FIELD_ERRORS];
    size_t count;

    set_text(body, "name", &schedule->name);
    set_text(body, "cron", &schedule->cron);
    set_text(body, "time_zone", &schedule->time_zone);
    set_text(body, "title", &schedule->title);
    set_text(body, "prompt", &schedule->prompt);
    schedule->enabled = pb_json_bool(body, "enabled", schedule->enabled);
    schedule->jitter_ms = pb_json_int(body, "jitter_seconds", schedule->jitter_ms / 1000) * 1000;
    schedule->missed =
        (enum pb_missed_policy)word_of(body, "missed", &PB_MISSED_NAMES, (int)schedule->missed);
    schedule->overlap =
        (enum pb_overlap_policy)word_of(body, "overlap", &PB_OVERLAP_NAMES, (int)schedule->overlap);
    if (pb_json_get(body, "issue_number"))
        schedule->issue_number = pb_json_int(body, "issue_number", 0);
    if (pb_json_get(body, "priority") &&
        !pb_priority_find(pb_json_text(body, "priority", NULL), &schedule->priority))
        schedule->priority = PB_PRIORITY_NORMAL;
    count = pb_schedule_check(schedule, findings, PB_REQUEST_FIELD_ERRORS);
    for (size_t i = 0; i < count && i < PB_REQUEST_FIELD_ERRORS; i++)
        pb_request_field(req, &findings[i]);
    return req->field_count > 0 ? pb_request_fields_fail(req, err) : 0;
}

/* --- create, change --------------------------------------------------------------------------------------- */

int schedules_create(struct pb_request *req, struct pb_error *err)
{
    struct pb_schedule schedule = {
        .project_id = req->id,
        .time_zone = "UTC",
        .enabled = true,
        .missed = PB_MISSED_RUN_ONCE,
        .overlap = PB_OVERLAP_SKIP,
    };

    if (fill(req, &schedule, err) < 0 ||
        pb_schedule_create(req->platform, &schedule, req->who, req->arena, err) < 0)
        return -1;
    pb_request_header(req, "Location", pb_request_text(req, "/api/schedules/%s", schedule.id));
    return reply_schedule(req, schedule.id, 201, err);
}

int schedules_update(struct pb_request *req, struct pb_error *err)
{
    const char *match = pb_http_header(req->exchange, "If-Match");
    struct pb_schedule *schedule;

    if (pb_schedule_get(req->platform, req->id, req->arena, &schedule, err) < 0)
        return -1;
    if (match && strcmp(match, "*") != 0 &&
        strcmp(match, pb_request_text(req, "\"%lld\"", (long long)schedule->version)) != 0)
        return pb_fail_reason(err, PB_ERROR_PRECONDITION, "changed_meanwhile",
                              "the schedule was changed meanwhile (it is at version %lld)",
                              (long long)schedule->version);
    if (fill(req, schedule, err) < 0 ||
        pb_schedule_change(req->platform, schedule, req->who, err) < 0)
        return -1;
    return reply_schedule(req, req->id, 200, err);
}

int schedules_delete(struct pb_request *req, struct pb_error *err)
{
    if (pb_schedule_delete(req->platform, req->id, req->who, err) < 0)
        return -1;
    req->status = 204;
    return 0;
}

int schedules_run(struct pb_request *req, struct pb_error *err)
{
    const char *id;

    if (pb_schedule_run_now(req->platform, req->id, req->who, req->arena, &id, err) < 0)
        return -1;
    pb_request_header(req, "Location", pb_request_text(req, "/api/executions/%s", id));
    req->status = 201;
    return pb_read_execution(req->platform, id, req->arena, &req->json, err);
}

int checks_schedule(struct pb_request *req, struct pb_error *err)
{
    return pb_schedule_preview(pb_json_text(req->body, "cron", ""),
                               pb_json_text(req->body, "time_zone", "UTC"), pb_clock_wall_ms(),
                               &req->json, err);
}
