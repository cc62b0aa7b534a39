#include "agent/claude_driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { ARGUMENTS_MAX = 512 };

struct claude {
    const struct pb_attempt_plan *plan; /* borrowed */
    struct pb_stream_json *stream;      /* owned */
    struct pb_buf error_line;           /* of standard error, not yet complete */
    struct pb_buf errors;               /* its beginning */
    unsigned error_lines;
    int round;
};

static const char *const ALLOWED[] = {"Bash",      "Edit",  "MultiEdit", "Write", "NotebookEdit",
                                      "Read",      "Glob",  "Grep",      "LS",    "Task",
                                      "TodoWrite", "Skill", NULL};
/* The net is not for tasks; the others wait for a day after, which a run does not have. */
static const char *const DISALLOWED[] = {"WebFetch",       "WebSearch",     "CronCreate",
                                         "ScheduleWakeup", "EnterWorktree", NULL};

static const char *const QUIET[] = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1",
    "DISABLE_TELEMETRY=1",
    "DISABLE_AUTOUPDATER=1",
    "DISABLE_ERROR_REPORTING=1",
    "GIT_TERMINAL_PROMPT=0",
    "LANG=C.UTF-8",
    "PATH=/usr/local/bin:/usr/bin:/bin",
    "SHELL=/bin/bash",
};

/* Names a project may not set: they are how the box works. Without its own words for it the CLI puts everything
 * temporary, sockets too, below TMPDIR; only where a socket's path would exceed 103 bytes there (a project id of
 * more than 33 letters in the default data folder) it takes a folder of its user in /tmp. */
static const char *const OURS[] = {"HOME",
                                   "TMPDIR",
                                   "TMP",
                                   "TEMP",
                                   "CLAUDE_CODE_TMPDIR",
                                   "XDG_RUNTIME_DIR",
                                   "ANTHROPIC_API_KEY",
                                   "ANTHROPIC_AUTH_TOKEN",
                                   "ANTHROPIC_BASE_URL"};

static void claude_close(void *state)
{
    struct claude *claude = state;

    if (!claude)
        return;
    pb_stream_json_free(claude->stream);
    pb_buf_release(&claude->error_line);
    pb_buf_release(&claude->errors);
    free(claude);
}

static int check_tools(const char *const *tools, struct pb_error *err)
{
    for (size_t i = 0; tools && tools[i]; i++) {
        if (tools[i][0] == '-' || tools[i][0] == '\0')
            return pb_fail_reason(err, PB_ERROR_INVALID, "invalid_settings", "'%s' is no tool",
                                  tools[i]);
        if (i > ARGUMENTS_MAX / 4)
            return pb_fail_reason(err, PB_ERROR_INVALID, "invalid_settings", "more than %d tools",
                                  ARGUMENTS_MAX / 4);
    }
    return 0;
}

static void *claude_open(const struct pb_attempt_plan *plan, int round, struct pb_error *err)
{
    struct claude *claude;

    if (check_tools(plan->allowed_tools, err) < 0 || check_tools(plan->disallowed_tools, err) < 0)
        return NULL;
    if (plan->session_id && !pb_uuid_valid(plan->session_id)) {
        (void)pb_fail_reason(err, PB_ERROR_INVALID, "invalid_settings", "'%s' is no session id",
                             plan->session_id);
        return NULL;
    }
    claude = calloc(1, sizeof(*claude));
    if (claude)
        claude->stream = pb_stream_json_new();
    if (!claude || !claude->stream) {
        claude_close(claude);
        (void)pb_fail(err, PB_ERROR_LIMITED, "no memory for the Claude driver");
        return NULL;
    }
    claude->plan = plan;
    claude->round = round;
    pb_buf_init(&claude->error_line, 64 << 10);
    pb_buf_init(&claude->errors, PB_CLAUDE_STDERR_KEPT);
    return claude;
}

/* Lists of arguments and of variables: sticky failure, checked once at the end. */
struct list {
    struct pb_arena *arena;
    const char **items;
    size_t count, max;
    bool failed;
};

static void list_init(struct list *list, struct pb_arena *arena, size_t max)
{
    *list = (struct list){.arena = arena, .max = max};
    list->items = pb_arena_alloc(arena, (max + 1) * sizeof(char *));
    list->failed = !list->items;
}

static void add(struct list *list, const char *text)
{
    if (list->failed || !text || list->count == list->max)
        list->failed = true;
    else
        list->items[list->count++] = text;
}

static void add_pair(struct list *list, const char *name, const char *value)
{
    add(list, pb_arena_format(list->arena, "%s=%s", name, value));
}

static void add_tools(struct list *list, const char *option, const char *const *tools,
                      const char *const *otherwise)
{
    if (!tools || !tools[0])
        tools = otherwise;
    add(list, option);
    for (size_t i = 0; tools[i]; i++)
        add(list, tools[i]);
}

/* Markdown may begin with '-', so values go in one argument with their option. */
static void add_system_prompt(struct list *list, const struct pb_attempt_plan *plan,
                              const struct pb_driver_place *place)
{
    const char *notes = place->agent_notes ? place->agent_notes : "";
    const char *system = plan->system_prompt ? plan->system_prompt : "";
    size_t room = PB_CLAUDE_PROMPT_MAX, system_len = pb_utf8_cut(system, strlen(system), room);
    size_t notes_len = pb_utf8_cut(notes, strlen(notes), room - system_len);

    if (system_len + notes_len == 0)
        return;
    add(list, pb_arena_format(list->arena, "--append-system-prompt=%.*s%s%s%.*s%s", (int)system_len,
                              system, system_len && notes_len ? "\n\n" : "",
                              notes_len ? "# CLAUDE.md of this repository (base branch)\n\n" : "",
                              (int)notes_len, notes,
                              notes[notes_len] ? "\n\n(cut: CLAUDE.md is too long)" : ""));
}

static void add_session(struct list *list, const struct pb_attempt_plan *plan, int round)
{
    char fresh[PB_UUID_TEXT];

    if (round == 1 && plan->session_id) {
        add(list, plan->resume ? "--resume" : "--session-id");
        add(list, plan->session_id);
        return;
    }
    pb_driver_session_id(plan, round, fresh);
    add(list, "--session-id");
    add(list, pb_arena_text(list->arena, fresh));
}

static void add_arguments(struct list *argv, const struct claude *claude,
                          const struct pb_driver_place *place)
{
    const struct pb_attempt_plan *plan = claude->plan;
    const char *mode = plan->permission_mode;

    add(argv, place->claude_path);
    add(argv, "-p");
    add_pair(argv, "--output-format", "stream-json");
    add(argv, "--verbose");
    add_pair(argv, "--setting-sources", "user");
    add(argv, "--strict-mcp-config");
    add_pair(argv, "--permission-mode", mode && mode[0] ? mode : "acceptEdits");
    if (plan->model && plan->model[0])
        add_pair(argv, "--model", plan->model);
    if (plan->max_turns > 0)
        add(argv, pb_arena_format(argv->arena, "--max-turns=%lld", (long long)plan->max_turns));
    if (plan->max_budget_micro_usd > 0)
        add(argv, pb_arena_format(argv->arena, "--max-budget-usd=%lld.%06lld",
                                  (long long)(plan->max_budget_micro_usd / 1000000),
                                  (long long)(plan->max_budget_micro_usd % 1000000)));
    add_session(argv, plan, claude->round);
    add_system_prompt(argv, plan, place);
    add_tools(argv, "--allowedTools", plan->allowed_tools, ALLOWED);
    add_tools(argv, "--disallowedTools", plan->disallowed_tools, DISALLOWED);
}

static bool has_name(const char *variable, const char *name, size_t len)
{
    return strncmp(variable, name, len) == 0 && variable[len] == '=';
}

static bool is_set(const struct list *envp, const char *variable)
{
    size_t len = strcspn(variable, "=");

    for (size_t i = 0; i < envp->count; i++)
        if (has_name(envp->items[i], variable, len))
            return true;
    return false;
}

static bool is_ours(const char *variable)
{
    for (size_t i = 0; i < sizeof(OURS) / sizeof(OURS[0]); i++)
        if (has_name(variable, OURS[i], strlen(OURS[i])))
            return true;
    return false;
}

static void add_author(struct list *envp, const struct pb_attempt_plan *plan)
{
    static const char *const NAMES[][2] = {{"GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL"},
                                           {"GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"}};

    for (size_t i = 0; i < 2 && plan->author_name && plan->author_email; i++) {
        add_pair(envp, NAMES[i][0], plan->author_name);
        add_pair(envp, NAMES[i][1], plan->author_email);
    }
}

static void add_environment(struct list *envp, const struct pb_attempt_plan *plan,
                            const struct pb_driver_place *place)
{
    add_pair(envp, "HOME", place->home);
    add_pair(envp, "TMPDIR", place->temp);
    if (place->dummy_key) {
        add_pair(envp, "ANTHROPIC_API_KEY", place->dummy_key);
        add(envp, pb_arena_format(envp->arena, "ANTHROPIC_BASE_URL=http://127.0.0.1:%d",
                                  place->broker_port));
    }
    for (size_t i = 0; plan->env && plan->env[i]; i++)
        if (!is_ours(plan->env[i]) && !is_set(envp, plan->env[i]))
            add(envp, plan->env[i]);
    for (size_t i = 0; i < sizeof(QUIET) / sizeof(QUIET[0]); i++)
        if (!is_set(envp, QUIET[i]))
            add(envp, QUIET[i]);
    add_author(envp, plan);
}

static int claude_build(void *state, const struct pb_driver_place *place, struct pb_arena *arena,
                        struct pb_driver_command *ret_command, struct pb_error *err)
{
    const struct claude *claude = state;
    const char *prompt = claude->plan->prompt ? claude->plan->prompt : "";
    struct list argv, envp;

    if (!place->claude_path || !place->claude_path[0])
        return pb_fail_reason(err, PB_ERROR_NOT_FOUND, "cli_missing",
                              "no Claude Code CLI is configured (setting claude_path)");
    list_init(&argv, arena, ARGUMENTS_MAX);
    list_init(&envp, arena, 2 * ARGUMENTS_MAX);
    add_arguments(&argv, claude, place);
    add_environment(&envp, claude->plan, place);
    if (argv.failed || envp.failed)
        return pb_fail(err, PB_ERROR_LIMITED, "the command for claude is too long");
    *ret_command = (struct pb_driver_command){
        .argv = argv.items,
        .envp = envp.items,
        .cwd = place->workspace,
        .input = prompt,
        .input_len = strlen(prompt),
    };
    return 0;
}

static void end_error_line(struct claude *claude, const struct pb_driver_sink *sink)
{
    struct pb_buf *line = &claude->error_line;

    if (line->len > 0 && claude->error_lines < PB_CLAUDE_STDERR_LINES)
        sink->line(sink->arg, 'e', pb_buf_string(line), line->len);
    else if (line->len > 0 && claude->error_lines == PB_CLAUDE_STDERR_LINES)
        sink->line(sink->arg, 'w', "more on standard error is not shown", 35);
    claude->error_lines += line->len > 0;
    pb_buf_clear(line);
}

static void feed_errors(struct claude *claude, const char *data, size_t len,
                        const struct pb_driver_sink *sink)
{
    size_t room = PB_CLAUDE_STDERR_KEPT - claude->errors.len;

    pb_buf_bytes(&claude->errors, data, len < room ? len : room);
    for (const char *end = data + len; data < end;) {
        const char *newline = memchr(data, '\n', (size_t)(end - data));
        size_t piece = (size_t)((newline ? newline : end) - data);
        size_t fits = claude->error_line.max - claude->error_line.len;
        pb_buf_bytes(&claude->error_line, data, piece < fits ? piece : fits);
        if (newline)
            end_error_line(claude, sink);
        data += piece + (newline ? 1 : 0);
    }
}

static void claude_feed(void *state, enum pb_task_file file, const char *data, size_t len,
                        const struct pb_driver_sink *sink)
{
    struct claude *claude = state;

    if (file == PB_TASK_ERRORS)
        feed_errors(claude, data, len, sink);
    else
        pb_stream_json_feed(claude->stream, data, len, sink->line, sink->arg);
}

static void claude_finish(void *state, const struct pb_driver_sink *sink)
{
    struct claude *claude = state;

    pb_stream_json_end(claude->stream, sink->line, sink->arg);
    end_error_line(claude, sink);
}

static bool claude_is_final(const void *state)
{
    const struct claude *claude = state;

    return pb_stream_json_facts(claude->stream)->has_result;
}

static const char *claude_session_id(const void *state)
{
    const struct claude *claude = state;

    return pb_stream_json_facts(claude->stream)->session_id;
}

static int claude_classify(void *state, const struct pb_run_end *end, struct pb_arena *arena,
                           struct pb_outcome *ret_outcome, struct pb_error *err)
{
    struct claude *claude = state;
    struct pb_claude_end known = {
        .facts = pb_stream_json_facts(claude->stream),
        .errors = pb_buf_string(&claude->errors),
        .run = end,
        .round = claude->round,
    };

    return pb_claude_classify(&known, arena, ret_outcome, err);
}

const struct pb_driver PB_DRIVER_CLAUDE = {
    .name = "claude",
    .has_process = true,
    .needs_repository = true,
    .needs_broker = true,
    .open = claude_open,
    .close = claude_close,
    .build = claude_build,
    .feed = claude_feed,
    .finish = claude_finish,
    .is_final = claude_is_final,
    .session_id = claude_session_id,
    .classify = claude_classify,
};
