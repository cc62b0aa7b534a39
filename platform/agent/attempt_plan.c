#include "agent/attempt_plan.h"

#include <string.h>

#include "base/id.h"
#include "base/text.h"
#include "wire/message.h"

enum { ITEM_MAX = 64, LIST_MAX = 1000, TEMP_LETTERS = 8 };

/* It names folders. */
static bool is_item(const char *text)
{
    size_t len = strlen(text);

    if (len == 0 || len > ITEM_MAX || text[0] == '.' || text[0] == '-')
        return false;
    for (; *text; text++) {
        if (!((*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
              (*text >= '0' && *text <= '9') || strchr("._-", *text)))
            return false;
    }
    return true;
}

static bool is_variable_name(const char *text)
{
    if (!*text || (*text >= '0' && *text <= '9'))
        return false;
    for (; *text; text++) {
        if (!((*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
              (*text >= '0' && *text <= '9') || *text == '_'))
            return false;
    }
    return true;
}

static int no_memory(struct pb_error *err)
{
    return pb_fail(err, PB_ERROR_LIMITED, "the plan of an attempt is too large");
}

/* A copy in the arena; `otherwise` (which may be NULL) when the member is missing or null. */
static int read_text(const struct pb_json *object, const char *name, const char *otherwise,
                     struct pb_arena *arena, const char **ret_text, struct pb_error *err)
{
    const char *text = pb_json_text(object, name, otherwise);

    *ret_text = pb_arena_text(arena, text);
    return text && !*ret_text ? no_memory(err) : 0;
}

static int read_list(const struct pb_json *object, const char *name, struct pb_arena *arena,
                     const char *const **ret_list, struct pb_error *err)
{
    const struct pb_json *array = pb_json_get(object, name);
    size_t count = pb_json_is_array(array) ? pb_json_count(array) : 0;
    const char **list;

    if (count > LIST_MAX)
        return pb_fail_field(err, name, "%s has more than %d entries", name, LIST_MAX);
    list = pb_arena_alloc(arena, (count + 1) * sizeof(*list));
    if (!list)
        return no_memory(err);
    for (size_t i = 0; i < count; i++) {
        const char *text = pb_json_as_text(pb_json_at(array, i), NULL);

        if (!text)
            return pb_fail_field(err, name, "%s is no list of texts", name);
        list[i] = pb_arena_text(arena, text);
        if (!list[i])
            return no_memory(err);
    }
    *ret_list = list;
    return 0;
}

int pb_attempt_plan_read_env(const struct pb_json *object, struct pb_arena *arena,
                             const char *const **ret_env, struct pb_error *err)
{
    size_t count = pb_json_is_object(object) ? pb_json_count(object) : 0;
    const char **list;
    const char *name = NULL;
    size_t i = 0;

    if (count > LIST_MAX)
        return pb_fail_field(err, "env", "more than %d variables", LIST_MAX);
    list = pb_arena_alloc(arena, (count + 1) * sizeof(*list));
    if (!list)
        return no_memory(err);
    while (count > 0 && (name = pb_json_next_name(object, name))) {
        const char *value = pb_json_text(object, name, NULL);

        if (!value || !is_variable_name(name))
            return pb_fail_field(err, "env", "'%.60s' is no variable with a text", name);
        list[i] = pb_arena_format(arena, "%s=%s", name, value);
        if (!list[i++])
            return no_memory(err);
    }
    *ret_env = list;
    return 0;
}

static int read_repo(const struct pb_json *body, struct pb_arena *arena,
                     struct pb_attempt_plan *plan, struct pb_error *err)
{
    const struct pb_json *repo = pb_json_get(body, "repo");

    if (read_text(repo, "url", NULL, arena, &plan->repo.url, err) < 0 ||
        read_text(repo, "base_branch", "", arena, &plan->repo.base_branch, err) < 0 ||
        read_text(repo, "branch", "", arena, &plan->repo.branch, err) < 0 ||
        read_text(repo, "default_branch", plan->repo.base_branch, arena, &plan->repo.default_branch,
                  err) < 0)
        return -1;
    if (plan->repo.url && (!*plan->repo.url || !*plan->repo.branch))
        return pb_fail_field(err, "repo", "a repository needs url and branch");
    return 0;
}

static int read_people(const struct pb_json *body, struct pb_arena *arena,
                       struct pb_attempt_plan *plan, struct pb_error *err)
{
    const struct pb_json *author = pb_json_get(body, "author");
    const struct pb_json *session = pb_json_get(body, "session");

    plan->resume = pb_json_bool(session, "resume", false);
    return read_text(author, "name", "PoppoBuilder", arena, &plan->author_name, err) < 0 ||
                   read_text(author, "email", "poppo@localhost", arena, &plan->author_email, err) <
                       0 ||
                   read_text(session, "id", NULL, arena, &plan->session_id, err) < 0 ||
                   read_text(body, "requested_by", "", arena, &plan->requested_by, err) < 0
               ? -1
               : 0;
}

static int read_task(const struct pb_json *body, struct pb_arena *arena,
                     struct pb_attempt_plan *plan, struct pb_error *err)
{
    return read_text(body, "title", "", arena, &plan->title, err) < 0 ||
                   read_text(body, "prompt", "", arena, &plan->prompt, err) < 0 ||
                   read_text(body, "system_prompt", "", arena, &plan->system_prompt, err) < 0 ||
                   read_text(body, "driver", "", arena, &plan->driver, err) < 0 ||
                   read_text(body, "model", "", arena, &plan->model, err) < 0 ||
                   read_text(body, "permission_mode", "", arena, &plan->permission_mode, err) < 0 ||
                   read_text(body, "anthropic_base_url", "https://api.anthropic.com", arena,
                             &plan->anthropic_base_url, err) < 0 ||
                   read_list(body, "allowed_tools", arena, &plan->allowed_tools, err) < 0 ||
                   read_list(body, "disallowed_tools", arena, &plan->disallowed_tools, err) < 0 ||
                   read_list(body, "command", arena, &plan->command, err) < 0 ||
                   read_list(body, "env_secrets", arena, &plan->env_secrets, err) < 0 ||
                   pb_attempt_plan_read_env(pb_json_get(body, "env"), arena, &plan->env, err) < 0
               ? -1
               : 0;
}

static int64_t at_least_zero(int64_t value)
{
    return value > 0 ? value : 0;
}

static void read_numbers(const struct pb_json *body, struct pb_attempt_plan *plan)
{
    double budget = pb_json_number(body, "max_budget_usd", 0);

    plan->number = at_least_zero(pb_json_int(body, "number", 0));
    plan->max_turns = at_least_zero(pb_json_int(body, "max_turns", 0));
    plan->max_budget_micro_usd = budget > 0 && budget < 1e9 ? (int64_t)(budget * 1e6 + 0.5) : 0;
    plan->wall_ms = at_least_zero(pb_json_int(body, "wall_ms", 0));
    plan->silence_ms = at_least_zero(pb_json_int(body, "silence_ms", 0));
    plan->allow_workflow_files = pb_json_bool(body, "allow_workflow_files", false);
}

int pb_attempt_plan_read(const struct pb_json *body, struct pb_arena *arena,
                         struct pb_attempt_plan **ret_plan, struct pb_error *err)
{
    struct pb_attempt_plan *plan = pb_arena_alloc(arena, sizeof(*plan));
    struct pb_attempt_ref ref;

    if (!plan)
        return no_memory(err);
    if (pb_attempt_ref_read(body, &ref, err) < 0)
        return -1;
    plan->execution = pb_arena_text(arena, ref.execution);
    plan->attempt = ref.attempt;
    plan->fence = ref.fence;
    plan->name = pb_arena_format(arena, "%s.%lld", ref.execution, (long long)ref.attempt);
    if (!plan->execution || !plan->name)
        return no_memory(err);
    if (read_text(body, "item", "", arena, &plan->item, err) < 0)
        return -1;
    if (!is_item(plan->item))
        return pb_fail_field(err, "item", "item names no work item");
    read_numbers(body, plan);
    if (read_repo(body, arena, plan, err) < 0 || read_people(body, arena, plan, err) < 0 ||
        read_task(body, arena, plan, err) < 0)
        return -1;
    *ret_plan = plan;
    return 0;
}

const char *pb_attempt_temp_name(const char *attempt_name)
{
    size_t kept = PB_ULID_TEXT - 1 - TEMP_LETTERS;

    return strlen(attempt_name) > kept ? attempt_name + kept : attempt_name;
}

bool pb_attempt_temp_name_valid(const char *name)
{
    return strspn(name, "0123456789ABCDEFGHJKMNPQRSTVWXYZ") == TEMP_LETTERS &&
           name[TEMP_LETTERS] == '.' && strspn(name + TEMP_LETTERS + 1, "0123456789") > 0;
}
