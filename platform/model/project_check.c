/* pb_project_check(): one row per field, so a new setting is one new row. */
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "model/active_hours.h"
#include "model/finding_private.h"
#include "model/project.h"

struct check {
    const struct pb_project *project;
    const struct pb_project_rules *rules;
};

/* What `field` (the API's name) is about; the sentence goes to *err. */
typedef int check_fn(const struct check *check, const char *field, struct pb_error *err);

/* --- texts ------------------------------------------------------------------------------------ */

static bool has_control(const char *text, const char *allowed)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if ((c < 0x20 || c == 0x7f) && !strchr(allowed, *text))
            return true;
    }
    return false;
}

static size_t characters(const char *text)
{
    size_t count = 0;

    for (; *text; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return count;
}

static int check_text(const char *field, const char *text, size_t max_characters,
                      const char *allowed_controls, struct pb_error *err)
{
    if (!pb_utf8_valid(text, strlen(text)) || has_control(text, allowed_controls))
        return PB_FINDING(err, field, "characters", "control characters do not belong here");
    if (characters(text) > max_characters)
        return PB_FINDING(err, field, "too_long", "at most %zu characters", max_characters);
    return 0;
}

static bool is_blank(const char *text)
{
    return !text || text[strspn(text, " \t")] == '\0';
}

static int check_id(const struct check *check, const char *field, struct pb_error *err)
{
    if (is_blank(check->project->id))
        return PB_FINDING(err, field, "required", "a project needs an id");
    if (!pb_project_id_valid(check->project->id))
        return PB_FINDING(err, field, "format",
                          "an id is made of a-z, 0-9 and '-', begins with a letter or digit, and "
                          "has at most %d characters",
                          PB_LIMIT_PROJECT_ID);
    return 0;
}

static int check_name(const struct check *check, const char *field, struct pb_error *err)
{
    if (is_blank(check->project->name))
        return PB_FINDING(err, field, "required", "a project needs a name");
    return check_text(field, check->project->name, PB_LIMIT_PROJECT_NAME_CHARS, "", err);
}

static int check_owner(const struct check *check, const char *field, struct pb_error *err)
{
    const char *owner = check->project->github_owner;

    if (is_blank(owner))
        return PB_FINDING(err, field, "required", "the repository's owner is missing");
    if (!pb_github_owner_valid(owner))
        return PB_FINDING(err, field, "format",
                          "'%.60s' cannot be an owner on GitHub: letters, digits and '-', at most "
                          "%d characters",
                          owner, PB_LIMIT_GITHUB_OWNER);
    return 0;
}

static int check_repo(const struct check *check, const char *field, struct pb_error *err)
{
    const char *repo = check->project->github_repo;

    if (is_blank(repo))
        return PB_FINDING(err, field, "required", "the repository's name is missing");
    if (!pb_github_repo_valid(repo))
        return PB_FINDING(err, field, "format",
                          "'%.60s' cannot be a repository on GitHub: letters, digits, '.', '_' and "
                          "'-', at most %d characters, without '.git' at the end",
                          repo, PB_LIMIT_GITHUB_REPO);
    return 0;
}

static int check_url(const char *field, const char *url, struct pb_error *err)
{
    if (url && !pb_project_url_valid(url))
        return PB_FINDING(err, field, "format",
                          "not an address like https://host/path (no user name, '?' or '#')");
    return 0;
}

static int check_api_url(const struct check *check, const char *field, struct pb_error *err)
{
    if (is_blank(check->project->github_api_url))
        return PB_FINDING(err, field, "required", "the address of GitHub's API is missing");
    return check_url(field, check->project->github_api_url, err);
}

static int check_git_url(const struct check *check, const char *field, struct pb_error *err)
{
    return check_url(field, check->project->github_git_url, err);
}

static int check_anthropic_url(const struct check *check, const char *field, struct pb_error *err)
{
    return check_url(field, check->project->anthropic_base_url, err);
}

/* GitHub refuses none of these, but a comma would make two labels of one in queries. */
static int check_label(const struct check *check, const char *field, struct pb_error *err)
{
    const char *label = check->project->trigger_label;

    if (is_blank(label))
        return PB_FINDING(err, field, "required", "a label is needed that starts the work");
    if (strchr(label, ','))
        return PB_FINDING(err, field, "characters", "a label has no ','");
    if (check_text(field, label, PB_LIMIT_LABEL_CHARS, "", err) < 0)
        return -1;
    if (check->project->label_prefix && !is_blank(check->project->label_prefix) &&
        pb_text_starts(label, check->project->label_prefix))
        return PB_FINDING(err, field, "duplicate",
                          "'%.60s' begins with the prefix of the labels that report the state",
                          label);
    return 0;
}

static int check_label_prefix(const struct check *check, const char *field, struct pb_error *err)
{
    const char *prefix = check->project->label_prefix;

    if (is_blank(prefix))
        return PB_FINDING(err, field, "required",
                          "a prefix is needed for the labels that report the state");
    if (strchr(prefix, ','))
        return PB_FINDING(err, field, "characters", "a label has no ','");
    return check_text(field, prefix, PB_LIMIT_LABEL_PREFIX_CHARS, "", err);
}

static int check_model(const struct check *check, const char *field, struct pb_error *err)
{
    static const char ALLOWED[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/@[]-";
    const char *model = check->project->model;

    if (!model)
        return 0;
    if (model[0] == '\0' || strchr("._:/@[]-", model[0]) || strspn(model, ALLOWED) != strlen(model))
        return PB_FINDING(err, field, "characters",
                          "a model's name is made of letters, digits and . _ : / @ [ ] -");
    if (strlen(model) > PB_LIMIT_MODEL)
        return PB_FINDING(err, field, "too_long", "at most %d characters", PB_LIMIT_MODEL);
    return 0;
}

static int check_instructions(const struct check *check, const char *field, struct pb_error *err)
{
    const char *text = check->project->instructions;

    if (!text)
        return 0;
    if (strlen(text) > PB_LIMIT_INSTRUCTIONS)
        return PB_FINDING(err, field, "too_long", "at most %d bytes", PB_LIMIT_INSTRUCTIONS);
    return check_text(field, text, PB_LIMIT_INSTRUCTIONS, "\n\r\t", err);
}

static int check_directory(const struct check *check, const char *field, struct pb_error *err)
{
    const char *path = check->project->working_directory;

    if (!path)
        return 0;
    if (path[0] != '/' || strstr(path, "/../") || pb_text_ends(path, "/.."))
        return PB_FINDING(err, field, "format", "an absolute path without '..' is needed");
    return check_text(field, path, PB_LIMIT_PATH, "", err);
}

/* --- choices and numbers ---------------------------------------------------------------------- */

static int check_choice(const char *field, const char *value, const struct pb_names *names,
                        const char *choices, struct pb_error *err)
{
    int ignored;

    if (pb_names_find(names, value, &ignored))
        return 0;
    return PB_FINDING(err, field, "choice", "'%.60s' is none of %s", value ? value : "", choices);
}

static int check_driver(const struct check *check, const char *field, struct pb_error *err)
{
    return check_choice(field, check->project->driver, &PB_DRIVER_NAMES, "claude, command, noop",
                        err);
}

static int check_permission_mode(const struct check *check, const char *field, struct pb_error *err)
{
    if (!check->project->permission_mode)
        return 0;
    return check_choice(field, check->project->permission_mode, &PB_PERMISSION_MODE_NAMES,
                        "default, acceptEdits, dontAsk, bypassPermissions, plan", err);
}

static int check_language(const struct check *check, const char *field, struct pb_error *err)
{
    return check_choice(field, check->project->language, &PB_LANGUAGE_NAMES, "ja, en", err);
}

static int check_range(const char *field, int64_t value, int64_t min, int64_t max, const char *unit,
                       struct pb_error *err)
{
    if (value >= min && value <= max)
        return 0;
    return PB_FINDING(err, field, "range", "from %lld to %lld%s", (long long)min, (long long)max,
                      unit);
}

static int check_poll(const struct check *check, const char *field, struct pb_error *err)
{
    int64_t min = check->rules->min_poll_interval_ms;

    if (check->project->poll_interval_ms < min && min % 1000 != 0)
        return PB_FINDING(err, field, "range", "at least %lld ms", (long long)min);
    if (check->project->poll_interval_ms < min)
        return PB_FINDING(err, field, "range", "at least %lld seconds", (long long)(min / 1000));
    if (check->project->poll_interval_ms > PB_LIMIT_POLL_SECONDS * INT64_C(1000))
        return PB_FINDING(err, field, "range", "at most %d seconds", PB_LIMIT_POLL_SECONDS);
    return 0;
}

static int check_wall(const struct check *check, const char *field, struct pb_error *err)
{
    /* Parts of a second count, so that tests need not wait; the words stay in seconds. */
    if (check->project->wall_ms >= PB_LIMIT_WALL_SECONDS_MIN * INT64_C(1000) &&
        check->project->wall_ms <= PB_LIMIT_WALL_SECONDS * INT64_C(1000))
        return 0;
    return check_range(field, check->project->wall_ms / 1000, PB_LIMIT_WALL_SECONDS_MIN,
                       PB_LIMIT_WALL_SECONDS, " seconds", err);
}

static int check_silence(const struct check *check, const char *field, struct pb_error *err)
{
    if (check_range(field, check->project->silence_ms / 1000, PB_LIMIT_SILENCE_SECONDS_MIN,
                    PB_LIMIT_WALL_SECONDS, " seconds", err) < 0)
        return -1;
    if (check->project->silence_ms > check->project->wall_ms)
        return PB_FINDING(err, field, "range", "not longer than the time limit of the whole run");
    return 0;
}

static int check_concurrent(const struct check *check, const char *field, struct pb_error *err)
{
    return check_range(field, check->project->max_concurrent, 1, PB_LIMIT_CONCURRENT, "", err);
}

static int check_weight(const struct check *check, const char *field, struct pb_error *err)
{
    return check_range(field, check->project->queue_weight, 1, PB_LIMIT_QUEUE_WEIGHT, "", err);
}

static int check_retries(const struct check *check, const char *field, struct pb_error *err)
{
    return check_range(field, check->project->retry_limit < 0 ? 0 : check->project->retry_limit, 0,
                       PB_LIMIT_RETRIES, "", err);
}

static int check_hours(const struct check *check, const char *field, struct pb_error *err)
{
    struct pb_active_hours ignored;
    struct pb_error why = {0};

    if (!check->project->active_hours ||
        pb_active_hours_parse(check->project->active_hours, &ignored, &why) == 0)
        return 0;
    return PB_FINDING(err, field, "format", "%s", why.message);
}

static int check_zone(const struct check *check, const char *field, struct pb_error *err)
{
    if (!check->project->time_zone || pb_time_zone_name_valid(check->project->time_zone))
        return 0;
    return PB_FINDING(err, field, "format", "a time zone is a name like 'Asia/Tokyo'");
}

static int check_turns(const struct check *check, const char *field, struct pb_error *err)
{
    return check_range(field, check->project->max_turns, 0, PB_LIMIT_TURNS, " (0 = no limit)", err);
}

static int check_budget(const struct check *check, const char *field, struct pb_error *err)
{
    int64_t budget = check->project->max_budget_micro_usd;

    if (budget >= 0 && budget <= PB_LIMIT_BUDGET_USD * INT64_C(1000000))
        return 0;
    return PB_FINDING(err, field, "range", "from 0 to %d USD (0 = no limit)", PB_LIMIT_BUDGET_USD);
}

/* --- lists ------------------------------------------------------------------------------------ */

struct list_rule {
    const char *field;
    size_t max_items;
    size_t max_bytes;
    bool is_tools; /* no leading '-': it would be read as a flag */
};

static int check_item(const struct list_rule *rule, const struct pb_json *item, size_t index,
                      struct pb_error *err)
{
    const char *text = pb_json_as_text(item, NULL);

    if (!text || (rule->is_tools && is_blank(text)))
        return PB_FINDING(err, rule->field, "format", "entry %zu is not a text", index + 1);
    if (strlen(text) > rule->max_bytes)
        return PB_FINDING(err, rule->field, "too_long", "entry %zu has more than %zu bytes",
                          index + 1, rule->max_bytes);
    if (rule->is_tools && text[0] == '-')
        return PB_FINDING(err, rule->field, "format", "entry %zu begins with '-'", index + 1);
    if (has_control(text, rule->is_tools ? "" : "\n\t"))
        return PB_FINDING(err, rule->field, "characters", "entry %zu has control characters",
                          index + 1);
    return 0;
}

static int check_list(const struct list_rule *rule, const char *json, struct pb_error *err)
{
    struct pb_error ignored = {0};
    struct pb_json *list = pb_json_parse(json, strlen(json), &ignored);
    int r = -1;

    if (!list || !pb_json_is_array(list)) {
        PB_FINDING(err, rule->field, "format", "a list of texts is needed");
        goto out;
    }
    if (pb_json_count(list) > rule->max_items) {
        PB_FINDING(err, rule->field, "too_long", "at most %zu entries", rule->max_items);
        goto out;
    }
    for (size_t i = 0; i < pb_json_count(list); i++) {
        if (check_item(rule, pb_json_at(list, i), i, err) < 0)
            goto out;
    }
    r = 0;
out:
    pb_json_free(list);
    return r;
}

static int check_allowed(const struct check *check, const char *field, struct pb_error *err)
{
    const struct list_rule rule = {field, PB_LIMIT_TOOLS, PB_LIMIT_TOOL, true};

    return check->project->allowed_tools ? check_list(&rule, check->project->allowed_tools, err)
                                         : 0;
}

static int check_disallowed(const struct check *check, const char *field, struct pb_error *err)
{
    const struct list_rule rule = {field, PB_LIMIT_TOOLS, PB_LIMIT_TOOL, true};

    return check->project->disallowed_tools
               ? check_list(&rule, check->project->disallowed_tools, err)
               : 0;
}

static int check_command(const struct check *check, const char *field, struct pb_error *err)
{
    const struct list_rule rule = {field, PB_LIMIT_COMMAND_ARGS, PB_LIMIT_COMMAND_ARG, false};
    const char *command = check->project->command;
    bool is_needed = pb_text_equal(check->project->driver, "command");

    if (is_needed && (!command || pb_text_equal(command, "[]")))
        return PB_FINDING(err, field, "required", "the driver 'command' needs a command");
    return command ? check_list(&rule, command, err) : 0;
}

/* --- all of them ------------------------------------------------------------------------------ */

static const struct {
    const char *field;
    check_fn *check;
} CHECKS[] = {
    {"id", check_id},
    {"name", check_name},
    {"github_owner", check_owner},
    {"github_repo", check_repo},
    {"github_api_url", check_api_url},
    {"github_git_url", check_git_url},
    {"anthropic_base_url", check_anthropic_url},
    {"trigger_label", check_label},
    {"label_prefix", check_label_prefix},
    {"poll_interval_seconds", check_poll},
    {"timeout_seconds", check_wall},
    {"silence_timeout_seconds", check_silence},
    {"max_concurrent", check_concurrent},
    {"queue_weight", check_weight},
    {"retry_limit", check_retries},
    {"active_hours", check_hours},
    {"time_zone", check_zone},
    {"driver", check_driver},
    {"command", check_command},
    {"model", check_model},
    {"permission_mode", check_permission_mode},
    {"allowed_tools", check_allowed},
    {"disallowed_tools", check_disallowed},
    {"max_turns", check_turns},
    {"max_budget_usd", check_budget},
    {"instructions", check_instructions},
    {"language", check_language},
    {"working_directory", check_directory},
};

size_t pb_project_check(const struct pb_project *project, const struct pb_project_rules *rules,
                        struct pb_error *ret_findings, size_t max)
{
    const struct check check = {project, rules};
    size_t count = 0;

    for (size_t i = 0; i < sizeof(CHECKS) / sizeof(CHECKS[0]); i++) {
        struct pb_error finding = {0};

        if (CHECKS[i].check(&check, CHECKS[i].field, &finding) == 0)
            continue;
        if (count < max)
            ret_findings[count] = finding;
        count++;
    }
    return count;
}
