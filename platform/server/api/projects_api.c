/* Projects and their environment: from JSON to the model and into the services. */
#include <string.h>

#include "base/text.h"
#include "model/env_var.h"
#include "model/project.h"
#include "server/api/handlers.h"
#include "server/api/projects_private.h"
#include "server/api/request.h"
#include "server/services/env_control.h"
#include "server/services/node_hub.h"
#include "server/services/platform.h"
#include "server/services/project_control.h"
#include "server/services/reading.h"
#include "server/services/time_zones.h"

enum {
    DEFAULT_WALL_MS = 3600 * 1000,
    DEFAULT_SILENCE_MS = 600 * 1000,
    AGENT_LOG_MAX = 4 << 20,
};

#define DEFAULT_TOOLS "[\"Bash\",\"Edit\",\"Write\",\"Read\",\"Glob\",\"Grep\"]"

/* --- reading ---------------------------------------------------------------------------------------------- */

int projects_list(struct pb_request *req, struct pb_error *err)
{
    struct pb_page_wish wish = {
        .cursor = pb_request_query(req, "cursor"),
        .query = pb_request_query(req, "q"),
        .statuses = pb_request_query(req, "status"),
    };

    if (pb_request_limit(req, &wish.limit, err) < 0)
        return -1;
    return pb_read_projects(req->platform, &wish, req->arena, &req->json, err);
}

static int reply_project(struct pb_request *req, const char *id, int status, struct pb_error *err)
{
    int64_t version;

    if (pb_read_project(req->platform, id, req->arena, &req->json, &version, err) < 0)
        return -1;
    req->status = status;
    pb_request_header(req, "ETag", pb_request_text(req, "\"%lld\"", (long long)version));
    return 0;
}

int projects_show(struct pb_request *req, struct pb_error *err)
{
    return reply_project(req, req->id, 200, err);
}

/* --- from JSON -------------------------------------------------------------------------------------------- */

/* How a member of the body becomes a member of the struct. */
enum member_kind {
    MEMBER_TEXT,    /* kept as it is; "" and null are NULL */
    MEMBER_URL,     /* the same, without slashes at the end */
    MEMBER_LIST,    /* JSON text */
    MEMBER_SECONDS, /* → ms */
    MEMBER_MONEY,   /* USD → micro USD; null is 0 */
    MEMBER_INTEGER, /* null is 0 */
    MEMBER_LIMIT,   /* null is -1 */
    MEMBER_BOOLEAN,
};

#define MEMBER(json, kind, member)                               \
    {                                                            \
        json, MEMBER_##kind, offsetof(struct pb_project, member) \
    }

static const struct {
    const char *name;
    enum member_kind kind;
    size_t offset;
} MEMBERS[] = {
    MEMBER("id", TEXT, id),
    MEMBER("name", TEXT, name),
    MEMBER("github_owner", TEXT, github_owner),
    MEMBER("github_repo", TEXT, github_repo),
    MEMBER("github_api_url", URL, github_api_url),
    MEMBER("github_git_url", URL, github_git_url),
    MEMBER("anthropic_base_url", URL, anthropic_base_url),
    MEMBER("default_branch", TEXT, default_branch),
    MEMBER("trigger_label", TEXT, trigger_label),
    MEMBER("label_prefix", TEXT, label_prefix),
    MEMBER("poll_interval_seconds", SECONDS, poll_interval_ms),
    MEMBER("timeout_seconds", SECONDS, wall_ms),
    MEMBER("silence_timeout_seconds", SECONDS, silence_ms),
    MEMBER("max_concurrent", INTEGER, max_concurrent),
    MEMBER("queue_weight", INTEGER, queue_weight),
    MEMBER("retry_limit", LIMIT, retry_limit),
    MEMBER("active_hours", TEXT, active_hours),
    MEMBER("time_zone", TEXT, time_zone),
    MEMBER("driver", TEXT, driver),
    MEMBER("command", LIST, command),
    MEMBER("model", TEXT, model),
    MEMBER("permission_mode", TEXT, permission_mode),
    MEMBER("allowed_tools", LIST, allowed_tools),
    MEMBER("disallowed_tools", LIST, disallowed_tools),
    MEMBER("max_turns", INTEGER, max_turns),
    MEMBER("max_budget_usd", MONEY, max_budget_micro_usd),
    MEMBER("instructions", TEXT, instructions),
    MEMBER("language", TEXT, language),
    MEMBER("allow_workflow_files", BOOLEAN, allow_workflow_files),
};

static const char *list_of(struct pb_request *req, const struct pb_json *list)
{
    struct pb_buf text;
    const char *copy;

    pb_buf_init(&text, 1 << 20);
    pb_json_dump(&text, list);
    copy = pb_buf_failed(&text) ? NULL : pb_arena_text(req->arena, pb_buf_string(&text));
    pb_buf_release(&text);
    return copy;
}

static int64_t scaled(const struct pb_json *body, const char *name, double factor)
{
    double value = pb_json_number(body, name, 0) * factor;

    if (value > 9e15 || value < -9e15)
        return value > 0 ? (int64_t)9e15 : (int64_t)-9e15;
    return (int64_t)(value < 0 ? value - 0.5 : value + 0.5);
}

static void set_member(struct pb_request *req, void *member, enum member_kind kind,
                       const char *name, const struct pb_json *value)
{
    const char *text = pb_json_as_text(value, "");

    switch (kind) {
    case MEMBER_TEXT:
        *(const char **)member = *text ? text : NULL;
        break;
    case MEMBER_URL:
        *(const char **)member = pb_request_url(req, text);
        break;
    case MEMBER_LIST:
        *(const char **)member = list_of(req, value);
        break;
    case MEMBER_SECONDS:
        *(int64_t *)member = scaled(req->body, name, 1e3);
        break;
    case MEMBER_MONEY:
        *(int64_t *)member = scaled(req->body, name, 1e6);
        break;
    case MEMBER_INTEGER:
        *(int64_t *)member = pb_json_as_int(value, 0);
        break;
    case MEMBER_LIMIT:
        *(int64_t *)member = pb_json_as_int(value, -1);
        break;
    case MEMBER_BOOLEAN:
        *(bool *)member = pb_json_bool(req->body, name, false);
        break;
    }
}

/* A token as people paste it: without the spaces and line breaks around it. */
static const char *secret_of(struct pb_request *req, const char *name)
{
    const char *text = pb_json_text(req->body, name, "");
    struct pb_error wrong;
    size_t len;

    while (*text == ' ' || *text == '\n' || *text == '\r' || *text == '\t')
        text++;
    for (len = strlen(text); len > 0 && strchr(" \n\r\t", text[len - 1]);)
        len--;
    for (size_t i = 0; i < len; i++)
        if (text[i] <= ' ' || text[i] > '~') {
            (void)pb_fail_field(&wrong, name, "%s has characters that no key has", name);
            pb_request_field(req, &wrong);
            return NULL;
        }
    return len > 0 ? pb_arena_bytes(req->arena, text, len) : NULL;
}

/* Overwrites what the body names, checks the whole, collects what is wrong. */
static int fill(struct pb_request *req, struct pb_project *project,
                struct pb_project_secrets *secrets, struct pb_error *err)
{
    const struct pb_project_rules rules = {req->platform->settings.min_poll_interval_ms};
    struct pb_error findings[PB_REQUEST_FIELD_ERRORS];
    const struct pb_time_zone *zone;
    size_t count;

    for (size_t i = 0; i < sizeof(MEMBERS) / sizeof(MEMBERS[0]); i++) {
        const struct pb_json *value = pb_json_get(req->body, MEMBERS[i].name);

        if (value)
            set_member(req, (char *)project + MEMBERS[i].offset, MEMBERS[i].kind, MEMBERS[i].name,
                       value);
    }
    if (!project->github_api_url)
        project->github_api_url = req->platform->settings.github_api_url;
    if (pb_text_equal(project->anthropic_base_url, req->platform->settings.anthropic_base_url))
        project->anthropic_base_url = NULL; /* follows the platform's setting */
    secrets->github_token = secret_of(req, "github_token");
    secrets->anthropic_api_key = secret_of(req, "anthropic_api_key");
    count = pb_project_check(project, &rules, findings, PB_REQUEST_FIELD_ERRORS);
    for (size_t i = 0; i < count && i < PB_REQUEST_FIELD_ERRORS; i++)
        pb_request_field(req, &findings[i]);
    if (count == 0 && pb_time_zone_find(project->time_zone, &zone, &findings[0]) < 0)
        pb_request_field(req, &findings[0]);
    return req->field_count > 0 ? pb_request_fields_fail(req, err) : 0;
}

/* --- create, change --------------------------------------------------------------------------------------- */

int pb_projects_make(struct pb_request *req, const char **ret_id, struct pb_error *err)
{
    const struct pb_platform_settings *settings = &req->platform->settings;
    char suggested[PB_LIMIT_PROJECT_ID + 1];
    struct pb_project_secrets secrets;
    struct pb_project project = {
        .status = pb_json_bool(req->body, "start", true) ? PB_PROJECT_ACTIVE : PB_PROJECT_STOPPED,
        .github_api_url = settings->github_api_url,
        .trigger_label = "poppo",
        .label_prefix = "poppo:",
        .poll_interval_ms = settings->poll_interval_ms,
        .driver = "claude",
        .permission_mode = "acceptEdits",
        .allowed_tools = DEFAULT_TOOLS,
        .language = req->who->language ? req->who->language : settings->default_language,
        .wall_ms = DEFAULT_WALL_MS,
        .silence_ms = DEFAULT_SILENCE_MS,
        .max_concurrent = 1,
        .queue_weight = 10,
        .retry_limit = -1,
    };
    bool wants_id = !pb_json_get(req->body, "id");

    if (wants_id) { /* only to be checked with the rest; the service finds one that is free */
        pb_project_id_suggest(pb_json_text(req->body, "github_repo", ""), suggested);
        project.id = suggested;
    }
    project.name = pb_request_text(req, "%s/%s", pb_json_text(req->body, "github_owner", ""),
                                   pb_json_text(req->body, "github_repo", ""));
    if (fill(req, &project, &secrets, err) < 0)
        return -1;
    if (wants_id)
        project.id = NULL;
    if (pb_project_create(req->platform, &project, &secrets, req->who, req->arena, err) < 0)
        return -1;
    *ret_id = project.id;
    return 0;
}

int projects_create(struct pb_request *req, struct pb_error *err)
{
    const char *id;

    if (pb_projects_make(req, &id, err) < 0)
        return -1;
    pb_request_header(req, "Location", pb_request_text(req, "/api/projects/%s", id));
    return reply_project(req, id, 201, err);
}

/* If-Match: "7". A version that is not the present one is refused before anything is looked at. */
static int check_match(struct pb_request *req, int64_t version, struct pb_error *err)
{
    const char *match = pb_http_header(req->exchange, "If-Match");

    if (!match || strcmp(match, "*") == 0 ||
        strcmp(match, pb_request_text(req, "\"%lld\"", (long long)version)) == 0)
        return 0;
    return pb_fail_reason(err, PB_ERROR_PRECONDITION, "changed_meanwhile",
                          "the project was changed meanwhile (it is at version %lld)",
                          (long long)version);
}

int projects_update(struct pb_request *req, struct pb_error *err)
{
    struct pb_project_secrets secrets;
    struct pb_project *project;

    if (pb_project_get(req->platform, req->id, req->arena, &project, err) < 0 ||
        check_match(req, project->version, err) < 0 || fill(req, project, &secrets, err) < 0 ||
        pb_project_update(req->platform, project, &secrets, req->who, err) < 0)
        return -1;
    return reply_project(req, req->id, 200, err);
}

int projects_delete(struct pb_request *req, struct pb_error *err)
{
    if (pb_project_delete(req->platform, req->id, req->who, err) < 0)
        return -1;
    req->status = 204;
    return 0;
}

int projects_start(struct pb_request *req, struct pb_error *err)
{
    if (pb_project_start(req->platform, req->id, req->who, err) < 0)
        return -1;
    return reply_project(req, req->id, 202, err);
}

int projects_pause(struct pb_request *req, struct pb_error *err)
{
    if (pb_project_pause(req->platform, req->id, req->who, err) < 0)
        return -1;
    return reply_project(req, req->id, 202, err);
}

int projects_stop(struct pb_request *req, struct pb_error *err)
{
    if (pb_project_stop(req->platform, req->id, req->who, err) < 0)
        return -1;
    return reply_project(req, req->id, 202, err);
}

int projects_restart(struct pb_request *req, struct pb_error *err)
{
    if (pb_project_restart(req->platform, req->id, req->who, err) < 0)
        return -1;
    return reply_project(req, req->id, 202, err);
}

int projects_logs(struct pb_request *req, struct pb_error *err)
{
    int64_t from, count, tail, first, total;
    struct pb_project *project;

    if (pb_request_query_int(req, "from", 0, INT64_MAX, 0, &from, err) < 0 ||
        pb_request_query_int(req, "count", 1, PB_LIMIT_LOG_READ_LINES, 500, &count, err) < 0 ||
        pb_request_query_int(req, "tail", 1, PB_LIMIT_LOG_READ_LINES, 0, &tail, err) < 0 ||
        pb_project_get(req->platform, req->id, req->arena, &project, err) < 0 ||
        pb_node_hub_agent_log(req->platform->node_hub, req->id, from, count, tail, &req->out,
                              &first, &total, err) < 0)
        return -1;
    req->content_type = "text/plain; charset=utf-8";
    pb_request_header(req, "X-Log-Lines", pb_request_text(req, "%lld", (long long)total));
    pb_request_header(req, "X-Log-From", pb_request_text(req, "%lld", (long long)first));
    pb_request_header(req, "X-Log-Complete", "false");
    return 0;
}

/* --- environment ------------------------------------------------------------------------------------------ */

int env_list(struct pb_request *req, struct pb_error *err)
{
    return pb_env_show(req->platform, req->id, req->arena, &req->json, err);
}

static bool is_member(const char *name)
{
    return strcmp(name, "key") == 0 || strcmp(name, "value") == 0 || strcmp(name, "encrypted") == 0;
}

static int read_var(const struct pb_json *item, struct pb_env_var *ret, struct pb_error *err)
{
    for (const char *name = NULL; (name = pb_json_next_name(item, name));)
        if (!is_member(name))
            return pb_fail_field(err, "items", "there is no member '%.40s' here", name);
    *ret = (struct pb_env_var){
        .key = pb_json_text(item, "key", ""),
        .value = pb_json_text(item, "value", NULL),
        .encrypted = pb_json_bool(item, "encrypted", false),
    };
    return pb_env_var_check(ret->key, ret->value ? ret->value : "", err);
}

int env_replace(struct pb_request *req, struct pb_error *err)
{
    const struct pb_json *items = pb_json_get(req->body, "items");
    size_t count = pb_json_count(items);
    struct pb_env_var *vars = pb_arena_alloc(req->arena, (count + 1) * sizeof(*vars));
    struct pb_error wrong;

    if (!vars)
        return pb_fail(err, PB_ERROR_LIMITED, "too many variables");
    for (size_t i = 0; i < count; i++)
        if (read_var(pb_json_at(items, i), &vars[i], &wrong) < 0)
            pb_request_field(req, &wrong);
    if (req->field_count > 0)
        return pb_request_fields_fail(req, err);
    if (pb_env_replace(req->platform, req->id, vars, count, req->who, err) < 0)
        return -1;
    return pb_env_show(req->platform, req->id, req->arena, &req->json, err);
}
