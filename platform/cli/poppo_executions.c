/* poppo executions list, poppo executions show */
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/cli_command.h"
#include "cli/cli_format.h"
#include "cli/cli_list.h"
#include "cli/cli_prose.h"
#include "cli/cli_words.h"

enum { PATH_BYTES = 4096, OUTPUT_MAX = 4 << 20, ULID_LEN = 26 };

/* --- which one: PROJECT#NUMBER ---------------------------------------------------------------- */

/* Is it the project that is missing, or the execution in it? */
static int fail_none(struct pb_cli *cli, const char *project, int64_t number, struct pb_error *err)
{
    struct pb_http_answer answer;
    struct pb_buf path;
    int r = -1;

    pb_buf_init(&path, PATH_BYTES);
    pb_buf_text(&path, "/api/projects/");
    pb_cli_put_encoded(&path, project);
    if (pb_cli_api_call(cli->api, "GET", pb_buf_string(&path), NULL, &cli->arena, &answer, err) ==
        0)
        r = pb_fail_reason(err, PB_ERROR_NOT_FOUND, "execution_not_found",
                           pb_say("the project '%s' has no execution #%lld",
                                  "プロジェクト '%s' に実行 #%lld はありません"),
                           project, (long long)number);
    else if (err->code == PB_ERROR_NOT_FOUND)
        r = pb_fail_reason(err, PB_ERROR_NOT_FOUND, "project_not_found",
                           pb_say("there is no project '%s'", "プロジェクト '%s' はありません"),
                           project);
    pb_buf_release(&path);
    return r;
}

static int find_by_number(struct pb_cli *cli, const char *project, int64_t number,
                          const char **ret_id, struct pb_error *err)
{
    struct pb_http_answer answer;
    const struct pb_json *item;
    struct pb_json *page = NULL;
    struct pb_buf path;
    int r = -1;

    pb_buf_init(&path, PATH_BYTES);
    pb_buf_format(&path, "/api/executions?limit=1&number=%lld&project=", (long long)number);
    pb_cli_put_encoded(&path, project);
    if (pb_buf_failed(&path))
        r = pb_cli_fail_too_long(err);
    else if (pb_cli_api_call(cli->api, "GET", pb_buf_string(&path), NULL, &cli->arena, &answer,
                             err) == 0)
        page = pb_cli_api_json(&answer, err);
    item = pb_json_at(pb_json_get(page, "items"), 0);
    if (pb_json_int(item, "number", 0) == number) {
        *ret_id = pb_arena_text(&cli->arena, pb_json_text(item, "id", ""));
        r = *ret_id ? 0 : pb_fail(err, PB_ERROR_LIMITED, "out of memory");
    } else if (page) {
        r = fail_none(cli, project, number, err);
    }
    pb_json_free(page);
    pb_buf_release(&path);
    return r;
}

int pb_poppo_execution_id(struct pb_cli *cli, const char *word, const char **ret_id,
                          struct pb_error *err)
{
    const char *hash = strrchr(word, '#');
    const char *project;
    uint64_t number;

    if (!hash && strlen(word) == ULID_LEN) {
        *ret_id = word;
        return 0;
    }
    if (!hash || hash == word || !pb_parse_u64(hash + 1, INT64_MAX, &number) || number == 0)
        return pb_fail_reason(err, PB_ERROR_INVALID, "usage",
                              pb_say("'%s' is no execution: write PROJECT#NUMBER or an id",
                                     "'%s' は実行ではありません。PROJECT#番号 または ID を指定"
                                     "してください"),
                              word);
    project = pb_arena_bytes(&cli->arena, word, (size_t)(hash - word));
    if (!project)
        return pb_fail(err, PB_ERROR_LIMITED, "out of memory");
    return find_by_number(cli, project, (int64_t)number, ret_id, err);
}

/* --- list ------------------------------------------------------------------------------------- */

const char *pb_poppo_execution_name(struct pb_arena *arena, const struct pb_json *execution)
{
    const char *name =
        pb_arena_format(arena, "%s#%lld", pb_json_text(pb_json_get(execution, "project"), "id", ""),
                        (long long)pb_json_int(execution, "number", 0));

    return name ? name : "";
}

static const char *show_name(struct pb_arena *arena, const struct pb_json *execution,
                             const char *name)
{
    (void)name; /* it is made of two members */
    return pb_poppo_execution_name(arena, execution);
}

static const char *show_issue(struct pb_arena *arena, const struct pb_json *execution,
                              const char *name)
{
    int64_t issue = pb_json_int(execution, name, 0);

    return issue ? pb_arena_format(arena, "#%lld", (long long)issue) : "";
}

static const char *show_worked(struct pb_arena *arena, const struct pb_json *execution,
                               const char *name)
{
    return pb_cli_worked(arena, pb_json_int(execution, name, 0),
                         pb_json_text(execution, "active_since", NULL), pb_clock_wall_ms());
}

static const struct pb_cli_field FIELDS[] = {
    {"EXECUTION", "実行", "number", PB_CLI_LEFT, show_name, NULL},
    {"STATUS", "状態", "status", PB_CLI_LEFT, NULL, pb_cli_status_words},
    {"ISSUE", "ISSUE", "issue_number", PB_CLI_RIGHT, show_issue, NULL},
    {"TITLE", "タイトル", "title", PB_CLI_GIVES, NULL, NULL},
    {"BY", "依頼者", "requested_by", PB_CLI_LEFT, NULL, NULL},
    {"TOOK", "所要時間", "active_ms", PB_CLI_RIGHT, show_worked, NULL},
    {"COST", "費用", "cost_usd", PB_CLI_RIGHT, pb_cli_money, NULL},
    {"CREATED", "作成", "created_at", PB_CLI_LEFT, pb_cli_show_ago, NULL},
};

static void put_filter(struct pb_cli *cli, struct pb_buf *path, const char *name,
                       enum pb_cli_option option)
{
    if (!pb_cli_args_has(&cli->args, option))
        return;
    pb_buf_format(path, "%c%s=", strchr(pb_buf_string(path), '?') ? '&' : '?', name);
    pb_cli_put_encoded(path, cli->args.values[option]);
}

int pb_poppo_executions_list(struct pb_cli *cli, struct pb_error *err)
{
    struct pb_buf path;
    int r;

    pb_buf_init(&path, PATH_BYTES);
    pb_buf_text(&path, "/api/executions");
    put_filter(cli, &path, "project", PB_CLI_PROJECT);
    put_filter(cli, &path, "status", PB_CLI_STATUS);
    r = pb_buf_failed(&path) ? pb_cli_fail_too_long(err)
                             : pb_cli_list(cli, pb_buf_string(&path), FIELDS,
                                           sizeof(FIELDS) / sizeof(FIELDS[0]), err);
    pb_buf_release(&path);
    return r;
}

/* --- one -------------------------------------------------------------------------------------- */

const char *pb_poppo_sentence(const struct pb_json *value)
{
    return pb_json_text(value, pb_say("en", "ja"), NULL);
}

/* Why it waits, until when, and how many go first. */
static void put_waiting(struct pb_cli *cli, struct pb_buf *text, const struct pb_json *waiting)
{
    pb_cli_put_pair(text, pb_say("Waits for", "待機の理由"), pb_poppo_sentence(waiting));
    pb_cli_put_pair(text, pb_say("Until", "再開予定"),
                    pb_cli_time(&cli->arena, pb_json_text(waiting, "until", NULL)));
    if (pb_json_int(waiting, "position", 0) > 0)
        pb_cli_put_pair(text, pb_say("Place", "順番"),
                        pb_arena_format(&cli->arena,
                                        pb_say("%lld; %lld are queued in the project",
                                               "%lld 番目（プロジェクト内の待機は %lld 件）"),
                                        (long long)pb_json_int(waiting, "position", 0),
                                        (long long)pb_json_int(waiting, "queued", 0)));
}

static void put_urgency(struct pb_cli *cli, struct pb_buf *text, const struct pb_json *execution)
{
    pb_cli_put_pair(text, pb_say("Priority", "優先度"),
                    pb_cli_priority_words(pb_json_text(execution, "priority", NULL)));
    pb_cli_put_pair(text, pb_say("Deadline", "期限"),
                    pb_cli_time(&cli->arena, pb_json_text(execution, "deadline_at", NULL)));
}

static void put_reason(struct pb_buf *text, const struct pb_json *execution)
{
    const struct pb_json *reason = pb_json_get(execution, "reason");

    pb_cli_put_pair(text, pb_say("Reason", "理由"), pb_poppo_sentence(reason));
    pb_cli_put_pair(text, pb_say("Detail", "詳細"), pb_json_text(reason, "detail", NULL));
    pb_cli_put_pair(text, pb_say("What now", "次にすること"),
                    pb_poppo_sentence(pb_json_get(reason, "next")));
}

static void put_result(struct pb_cli *cli, struct pb_buf *text, const struct pb_json *execution)
{
    const struct pb_json *changes = pb_json_get(execution, "changes");
    const struct pb_json *usage = pb_json_get(execution, "usage");

    pb_cli_put_pair(text, pb_say("Branch", "ブランチ"), pb_json_text(execution, "branch", NULL));
    pb_cli_put_pair(text, pb_say("Pull request", "PR"),
                    pb_json_text(pb_json_get(execution, "pull_request"), "url", NULL));
    if (pb_json_int(changes, "files", 0) > 0)
        pb_cli_put_pair(text, pb_say("Changes", "変更"),
                        pb_arena_format(&cli->arena,
                                        pb_say("%lld files, +%lld -%lld",
                                               "%lld ファイル、+%lld -%lld"),
                                        (long long)pb_json_int(changes, "files", 0),
                                        (long long)pb_json_int(changes, "insertions", 0),
                                        (long long)pb_json_int(changes, "deletions", 0)));
    if (pb_json_int(usage, "calls", 0) > 0)
        pb_cli_put_pair(text, pb_say("Tokens", "トークン"),
                        pb_arena_format(&cli->arena,
                                        pb_say("%lld in, %lld out", "入力 %lld、出力 %lld"),
                                        (long long)(pb_json_int(usage, "input_tokens", 0) +
                                                    pb_json_int(usage, "cache_read_tokens", 0) +
                                                    pb_json_int(usage, "cache_write_tokens", 0)),
                                        (long long)pb_json_int(usage, "output_tokens", 0)));
    pb_cli_put_pair(text, pb_say("Cost", "費用"), pb_cli_money(&cli->arena, execution, "cost_usd"));
}

static void put_execution(struct pb_cli *cli, struct pb_buf *text, const struct pb_json *execution)
{
    const char *trigger = pb_json_text(execution, "trigger", NULL);
    const char *by = pb_json_text(execution, "requested_by", "");

    pb_cli_put_pair(text, pb_say("Execution", "実行"),
                    pb_poppo_execution_name(&cli->arena, execution));
    pb_cli_put_pair(text, "ID", pb_json_text(execution, "id", ""));
    pb_cli_put_pair(text, pb_say("Title", "タイトル"), pb_json_text(execution, "title", ""));
    pb_cli_put_pair(text, "Issue", pb_json_text(execution, "issue_url", NULL));
    pb_cli_put_pair(text, pb_say("Status", "状態"),
                    pb_cli_status_words(pb_json_text(execution, "status", NULL)));
    put_waiting(cli, text, pb_json_get(execution, "queued_reason"));
    put_reason(text, execution);
    put_urgency(cli, text, execution);
    pb_cli_put_pair(text, pb_say("Asked by", "依頼者"),
                    pb_arena_format(&cli->arena, *by ? "%s (%s)" : "%s%s",
                                    *by ? by : pb_cli_trigger_words(trigger),
                                    *by ? pb_cli_trigger_words(trigger) : ""));
    pb_cli_put_pair(text, pb_say("Created", "作成"),
                    pb_cli_time(&cli->arena, pb_json_text(execution, "created_at", NULL)));
    pb_cli_put_pair(text, pb_say("Took", "所要時間"),
                    pb_cli_worked(&cli->arena, pb_json_int(execution, "active_ms", 0),
                                  pb_json_text(execution, "active_since", NULL),
                                  pb_clock_wall_ms()));
    pb_cli_put_pair(text, pb_say("Attempts", "試行"),
                    pb_cli_count(&cli->arena, pb_json_int(execution, "attempt_count", -1)));
    put_result(cli, text, execution);
    pb_cli_put_prose(text, pb_say("Question", "質問"), pb_json_text(execution, "question", NULL));
    pb_cli_put_prose(text, pb_say("Summary", "要約"), pb_json_text(execution, "summary", NULL));
}

/* What was refused because it has ended: which one that is, and how it ended. */
static int fail_ended(struct pb_cli *cli, const char *id, struct pb_error *err)
{
    const char *path = pb_arena_format(&cli->arena, "/api/executions/%s", id);
    struct pb_error refused = *err;
    struct pb_json *execution = NULL;
    struct pb_http_answer answer;

    if (!path)
        return pb_fail(err, PB_ERROR_LIMITED, "out of memory");
    if (pb_cli_api_call(cli->api, "GET", path, NULL, &cli->arena, &answer, err) == 0)
        execution = pb_cli_api_json(&answer, err);
    if (!execution)
        return -1;
    (void)pb_fail_reason(err, refused.code, refused.reason,
                         pb_say("%s has already ended: %s", "%s はすでに終了しています: %s"),
                         pb_poppo_execution_name(&cli->arena, execution),
                         pb_cli_status_words(pb_json_text(execution, "status", NULL)));
    pb_json_free(execution);
    return -1;
}

int pb_poppo_execution_send(struct pb_cli *cli, const char *method, const char *verb,
                            const char *body, struct pb_json **ret_json, struct pb_error *err)
{
    const char *id;
    const char *path;

    if (pb_poppo_execution_id(cli, cli->args.words[0], &id, err) < 0)
        return -1;
    path = pb_arena_format(&cli->arena, "/api/executions/%s%s", id, verb);
    if (!path)
        return pb_fail(err, PB_ERROR_LIMITED, "out of memory");
    if (pb_cli_send(cli, method, path, body, ret_json, err) == 0)
        return 0;
    if (pb_text_equal(pb_error_reason(err), "already_final"))
        return fail_ended(cli, id, err);
    return pb_fail_in(err, "%s", cli->args.words[0]);
}

int pb_poppo_executions_show(struct pb_cli *cli, struct pb_error *err)
{
    struct pb_json *execution = NULL;
    struct pb_buf text;
    int r = pb_poppo_execution_send(cli, "GET", "", NULL, &execution, err);

    pb_buf_init(&text, OUTPUT_MAX);
    if (r == 0 && execution) {
        put_execution(cli, &text, execution);
        r = pb_cli_print(cli, &text, err);
    }
    pb_buf_release(&text);
    pb_json_free(execution);
    return r;
}
