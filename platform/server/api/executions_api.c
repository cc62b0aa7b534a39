/* Executions: lists, single ones, start, cancel, retry. */
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "model/limits.h"
#include "model/priority.h"
#include "server/api/handlers.h"
#include "server/api/request.h"
#include "server/services/execution_control.h"
#include "server/services/github_pin.h"
#include "server/services/platform.h"
#include "server/services/project_control.h"
#include "server/services/reading.h"

enum { KEY_MAX = 100 }; /* bytes of an Idempotency-Key */

int executions_list(struct pb_request *req, struct pb_error *err)
{
    struct pb_page_wish wish = {
        .cursor = pb_request_query(req, "cursor"),
        .query = pb_request_query(req, "q"),
        .statuses = pb_request_query(req, "status"),
        .project = pb_request_query(req, "project"),
    };

    if (pb_request_limit(req, &wish.limit, err) < 0 ||
        pb_request_query_int(req, "number", 1, INT64_MAX, 0, &wish.number, err) < 0)
        return -1;
    if (wish.number > 0 && !(wish.project && *wish.project))
        return pb_fail_field(err, "number", "number needs a project: each counts from 1");
    req->generation = pb_read_generation(req->platform);
    return pb_read_executions(req->platform, &wish, req->arena, &req->json, &req->is_lasting, err);
}

static int reply_execution(struct pb_request *req, const char *id, int status, struct pb_error *err)
{
    req->status = status;
    return pb_read_execution(req->platform, id, req->arena, &req->json, err);
}

int executions_show(struct pb_request *req, struct pb_error *err)
{
    return reply_execution(req, req->id, 200, err);
}

int executions_attempts(struct pb_request *req, struct pb_error *err)
{
    return pb_read_attempts(req->platform, req->id, req->arena, &req->json, err);
}

int executions_remarks(struct pb_request *req, struct pb_error *err)
{
    struct pb_page_wish wish = {.cursor = pb_request_query(req, "cursor")};

    if (pb_request_limit(req, &wish.limit, err) < 0)
        return -1;
    return pb_read_remarks(req->platform, req->id, &wish, req->arena, &req->json, err);
}

/* --- start ------------------------------------------------------------------------------------------------ */

static void wrong(struct pb_request *req, const char *field, const char *sentence)
{
    struct pb_error err;

    (void)pb_fail_field(&err, field, "%s", sentence);
    pb_request_field(req, &err);
}

/* Either an issue, or a title with a prompt. */
static int check_create(struct pb_request *req, struct pb_error *err)
{
    bool has_issue = pb_json_get(req->body, "issue_number");
    const char *title = pb_json_text(req->body, "title", NULL);
    const char *prompt = pb_json_text(req->body, "prompt", NULL);
    const char *key = pb_http_header(req->exchange, "Idempotency-Key");

    if (has_issue && (title || prompt))
        wrong(req, "issue_number", "either an issue, or a title and a prompt, not both");
    if (!has_issue && !(title && *title))
        wrong(req, "title", "a title is needed");
    if (!has_issue && !(prompt && *prompt))
        wrong(req, "prompt", "a prompt is needed");
    if (key && strlen(key) > KEY_MAX) /* not ours to cut: two of them might become the same */
        wrong(req, "Idempotency-Key", "at most 100 bytes");
    return req->field_count > 0 ? pb_request_fields_fail(req, err) : 0;
}

/* The trigger's key: the client's own, so that a repeated request starts nothing twice, or a new one. */
static const char *key_of(struct pb_request *req, bool *ret_is_given)
{
    const char *given = pb_http_header(req->exchange, "Idempotency-Key");
    char id[PB_ULID_TEXT];

    *ret_is_given = given && *given;
    if (*ret_is_given)
        return pb_request_text(req, "ui:%s/%s", req->who->username, given);
    pb_ulid(id);
    return pb_request_text(req, "ui:%s", id);
}

static int pin(struct pb_request *req, struct pb_enqueue *wish, struct pb_error *err)
{
    struct pb_github_pinned pinned;

    if (wish->issue_number == 0)
        return 0;
    if (pb_github_pin_issue(req->platform, req->id, wish->issue_number, req->arena, &pinned, err) <
        0)
        return -1;
    wish->title = pinned.title;
    wish->url = pinned.url;
    wish->author = pinned.author;
    wish->prompt = pinned.prompt;
    wish->labels = pinned.labels;
    return 0;
}

/* A member's time; 0 for null, and for a text that is no time, which becomes a finding. */
static int64_t read_time(struct pb_request *req, const char *name)
{
    const char *text = pb_json_text(req->body, name, NULL);
    int64_t time = 0;

    if (text && !pb_clock_parse(text, &time))
        wrong(req, name, "a time looks like 2027-03-01T09:00:00Z");
    return time;
}

int executions_create(struct pb_request *req, struct pb_error *err)
{
    struct pb_project *project;
    const char *id = NULL;
    bool is_given;
    struct pb_enqueue wish = {
        .project_id = req->id,
        .issue_number = pb_json_int(req->body, "issue_number", 0),
        .title = pb_json_text(req->body, "title", NULL),
        .prompt = pb_json_text(req->body, "prompt", NULL),
        .trigger = PB_TRIGGER_UI,
        .requested_by = req->who->username,
        .dedupe_key = key_of(req, &is_given),
        .driver = pb_json_text(req->body, "driver", NULL),
        .deadline_at = read_time(req, "deadline_at"),
    };

    if (!pb_priority_find(pb_json_text(req->body, "priority", NULL), &wish.priority))
        wish.priority = PB_PRIORITY_NORMAL;
    if (check_create(req, err) < 0 ||
        pb_project_get(req->platform, req->id, req->arena, &project, err) < 0)
        return -1;
    if (is_given &&
        pb_execution_find(req->platform, req->id, wish.dedupe_key, req->arena, &id, err) < 0)
        return -1;
    if (!id && (pin(req, &wish, err) < 0 ||
                pb_execution_enqueue(req->platform, &wish, req->arena, &id, err) < 0))
        return -1;
    pb_request_header(req, "Location", pb_request_text(req, "/api/executions/%s", id));
    return reply_execution(req, id, 201, err);
}

int executions_update(struct pb_request *req, struct pb_error *err)
{
    struct pb_urgency urgency = {
        .has_deadline = pb_json_get(req->body, "deadline_at"),
        .deadline_at = read_time(req, "deadline_at"),
        .now = pb_json_bool(req->body, "now", false),
    };

    urgency.has_priority =
        pb_priority_find(pb_json_text(req->body, "priority", NULL), &urgency.priority);
    if (req->field_count > 0)
        return pb_request_fields_fail(req, err);
    if (pb_execution_set_urgency(req->platform, req->id, &urgency, req->who->username, err) < 0)
        return -1;
    return reply_execution(req, req->id, 200, err);
}

int executions_cancel(struct pb_request *req, struct pb_error *err)
{
    if (pb_execution_cancel(req->platform, req->id, req->who->username, err) < 0)
        return -1;
    return reply_execution(req, req->id, 202, err);
}

int executions_retry(struct pb_request *req, struct pb_error *err)
{
    bool same = strcmp(pb_json_text(req->body, "session", ""), "same") == 0;
    const char *id = NULL;

    if (pb_execution_retry(req->platform, req->id, req->who->username, same, req->arena, &id, err) <
        0)
        return -1;
    pb_request_header(req, "Location", pb_request_text(req, "/api/executions/%s", id));
    return reply_execution(req, id, 201, err);
}
