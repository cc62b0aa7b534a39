/* The whole queue: how it stands, pause, resume, limits. */
#include <string.h>

#include "server/api/handlers.h"
#include "server/api/request.h"
#include "server/services/queue_control.h"

int queue_show(struct pb_request *req, struct pb_error *err)
{
    return pb_queue_show(req->platform, req->arena, &req->json, err);
}

int queue_pause(struct pb_request *req, struct pb_error *err)
{
    if (pb_queue_pause(req->platform, pb_json_text(req->body, "note", NULL), req->who, err) < 0)
        return -1;
    return queue_show(req, err);
}

int queue_resume(struct pb_request *req, struct pb_error *err)
{
    if (pb_queue_resume(req->platform, req->who, err) < 0)
        return -1;
    return queue_show(req, err);
}

static bool is_member(const char *name)
{
    static const char *const NAMES[] = {"kind", "project", "subject", "max"};

    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++)
        if (strcmp(NAMES[i], name) == 0)
            return true;
    return false;
}

static int read_limit(const struct pb_json *item, struct pb_queue_limit *ret_limit,
                      struct pb_error *err)
{
    int kind;

    for (const char *name = NULL; (name = pb_json_next_name(item, name));)
        if (!is_member(name))
            return pb_fail_field(err, "limits", "there is no member '%.40s' here", name);
    if (!pb_names_find(&PB_QUEUE_LIMIT_NAMES, pb_json_text(item, "kind", NULL), &kind))
        return pb_fail_field(err, "limits", "kind must be one of user|label|node");
    if (!pb_json_is_int(pb_json_get(item, "max")))
        return pb_fail_field(err, "limits", "max must be a whole number");
    *ret_limit = (struct pb_queue_limit){
        .kind = (enum pb_queue_limit_kind)kind,
        .project_id = pb_json_text(item, "project", ""),
        .subject = pb_json_text(item, "subject", ""),
        .max = pb_json_int(item, "max", 0),
    };
    return pb_queue_limit_check(ret_limit, err);
}

int queue_limits_replace(struct pb_request *req, struct pb_error *err)
{
    const struct pb_json *items = pb_json_get(req->body, "limits");
    struct pb_queue_limits limits = {NULL, pb_json_count(items)};
    struct pb_error wrong;

    limits.items = pb_arena_alloc(req->arena, (limits.count + 1) * sizeof(*limits.items));
    if (!limits.items)
        return pb_fail(err, PB_ERROR_LIMITED, "too many limits");
    for (size_t i = 0; i < limits.count; i++)
        if (read_limit(pb_json_at(items, i), &limits.items[i], &wrong) < 0)
            pb_request_field(req, &wrong);
    if (req->field_count > 0)
        return pb_request_fields_fail(req, err);
    if (pb_queue_set_limits(req->platform, &limits, req->who, err) < 0)
        return -1;
    return queue_show(req, err);
}
