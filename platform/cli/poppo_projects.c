/* poppo projects … */
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/cli_command.h"
#include "cli/cli_format.h"
#include "cli/cli_table.h"
#include "cli/cli_words.h"
#include "model/limits.h"

enum { PATH_BYTES = 1024, OUTPUT_MAX = 4 << 20 };

static int add_row(struct pb_cli *cli, struct pb_cli_table *table, const struct pb_json *project,
                   struct pb_error *err)
{
    const struct pb_json *counts = pb_json_get(project, "counts");
    const char *cells[] = {
        pb_json_text(project, "id", ""),
        pb_cli_project_status_words(pb_json_text(project, "status", NULL)),
        pb_cli_health_words(pb_json_text(project, "health", NULL)),
        pb_cli_agent_words(pb_json_text(pb_json_get(project, "agent"), "state", NULL)),
        pb_cli_count(&cli->arena, pb_json_int(counts, "queued", -1)),
        pb_cli_count(&cli->arena, pb_json_int(counts, "running", -1)),
        pb_cli_count(&cli->arena, pb_json_int(counts, "waiting", -1)),
        pb_cli_count(&cli->arena, pb_json_int(counts, "succeeded", -1)),
        pb_cli_count(&cli->arena, pb_json_int(counts, "failed", -1)),
        pb_json_text(project, "github_url", ""),
    };

    return pb_cli_table_add(table, cells, err);
}

static int show_list(struct pb_cli *cli, const struct pb_json *page, struct pb_error *err)
{
    const struct pb_cli_column columns[] = {
        {pb_say("PROJECT", "プロジェクト"), false, false},
        {pb_say("STATUS", "状態"), false, false},
        {pb_say("HEALTH", "健全性"), false, false},
        {pb_say("AGENT", "エージェント"), false, false},
        {pb_say("QUEUED", "待機"), true, false},
        {pb_say("RUNNING", "実行"), true, false},
        {pb_say("WAITING", "回答待ち"), true, false},
        {pb_say("OK", "成功"), true, false},
        {pb_say("FAILED", "失敗"), true, false},
        {pb_say("REPOSITORY", "リポジトリ"), false, true},
    };
    struct pb_cli_table *table =
        pb_cli_table_new(&cli->arena, columns, sizeof(columns) / sizeof(columns[0]));
    const struct pb_json *items = pb_json_get(page, "items");
    struct pb_buf text;
    int r = table ? 0 : pb_fail(err, PB_ERROR_LIMITED, "out of memory");

    for (size_t i = 0; r == 0 && i < pb_json_count(items); i++)
        r = add_row(cli, table, pb_json_at(items, i), err);
    pb_buf_init(&text, OUTPUT_MAX);
    if (r == 0) {
        pb_cli_table_write(table, cli->width, &text);
        if (pb_json_text(page, "next_cursor", NULL))
            pb_buf_text(&text, pb_say("… and more; --limit shows up to 200\n",
                                      "… ほかにもあります（--limit で最大 200 件）\n"));
        r = pb_cli_print(cli, &text, err);
    }
    pb_buf_release(&text);
    return r;
}

int pb_poppo_projects_list(struct pb_cli *cli, struct pb_error *err)
{
    struct pb_json *page = NULL;
    struct pb_buf path;
    uint64_t limit;
    int r = -1;

    pb_buf_init(&path, PATH_BYTES);
    if (pb_cli_args_number(&cli->args, PB_CLI_LIMIT, PB_LIMIT_PAGE, PB_LIMIT_PAGE_DEFAULT, &limit,
                           err) < 0)
        goto out;
    pb_buf_format(&path, "/api/projects?limit=%llu", (unsigned long long)limit);
    r = pb_cli_get(cli, pb_buf_string(&path), &page, err);
    if (r == 0 && page)
        r = show_list(cli, page, err);
out:
    pb_json_free(page);
    pb_buf_release(&path);
    return r;
}

static void put_agent(struct pb_cli *cli, struct pb_buf *text, const struct pb_json *agent)
{
    const char *detail = pb_json_text(agent, "detail", NULL);
    const char *ago =
        pb_cli_ago(&cli->arena, pb_json_text(agent, "since", NULL), pb_clock_wall_ms());
    struct pb_buf line;

    pb_buf_init(&line, 4096);
    pb_buf_text(&line, pb_cli_agent_words(pb_json_text(agent, "state", NULL)));
    if (*ago)
        pb_buf_format(&line, " (%s)", ago);
    if (detail && *detail)
        pb_buf_format(&line, ": %s", detail);
    pb_cli_put_pair(text, pb_say("Agent", "エージェント"), pb_buf_string(&line));
    pb_buf_release(&line);
}

static void put_secret(struct pb_buf *text, const char *name, const struct pb_json *secret)
{
    pb_cli_put_pair(text, name,
                    pb_json_bool(secret, "set", false) ? pb_say("set", "設定済み")
                                                       : pb_say("not set", "未設定"));
}

static void put_counts(struct pb_cli *cli, struct pb_buf *text, const struct pb_json *counts)
{
    pb_cli_put_pair(text, pb_say("Executions", "実行"),
                    pb_arena_format(&cli->arena,
                                    pb_say("%lld queued, %lld running, %lld waiting, "
                                           "%lld succeeded, %lld failed",
                                           "待機 %lld、実行中 %lld、回答待ち %lld、成功 %lld、"
                                           "失敗 %lld"),
                                    (long long)pb_json_int(counts, "queued", 0),
                                    (long long)pb_json_int(counts, "running", 0),
                                    (long long)pb_json_int(counts, "waiting", 0),
                                    (long long)pb_json_int(counts, "succeeded", 0),
                                    (long long)pb_json_int(counts, "failed", 0)));
}

static void put_project(struct pb_cli *cli, struct pb_buf *text, const struct pb_json *project)
{
    const struct pb_json *health = pb_json_get(project, "health_reason");
    const struct pb_json *secrets = pb_json_get(project, "secrets");
    const char *model = pb_json_text(project, "model", "");

    pb_cli_put_pair(text, pb_say("Project", "プロジェクト"), pb_json_text(project, "id", ""));
    pb_cli_put_pair(text, pb_say("Name", "名前"), pb_json_text(project, "name", ""));
    pb_cli_put_pair(text, pb_say("Repository", "リポジトリ"),
                    pb_json_text(project, "github_url", ""));
    pb_cli_put_pair(text, pb_say("Status", "状態"),
                    pb_cli_project_status_words(pb_json_text(project, "status", NULL)));
    pb_cli_put_pair(text, pb_say("Health", "健全性"),
                    pb_cli_health_words(pb_json_text(project, "health", NULL)));
    pb_cli_put_pair(text, pb_say("Reason", "理由"), pb_json_text(health, pb_say("en", "ja"), NULL));
    put_agent(cli, text, pb_json_get(project, "agent"));
    put_counts(cli, text, pb_json_get(project, "counts"));
    pb_cli_put_pair(text, pb_say("Label", "ラベル"), pb_json_text(project, "trigger_label", ""));
    pb_cli_put_pair(text, pb_say("Branch", "ブランチ"),
                    pb_json_text(project, "default_branch", NULL));
    pb_cli_put_pair(text, pb_say("Model", "モデル"),
                    *model ? model : pb_say("the CLI's default", "CLI の既定値"));
    pb_cli_put_pair(text, pb_say("Time limit", "制限時間"),
                    pb_cli_duration(&cli->arena,
                                    pb_json_int(project, "timeout_seconds", 0) * 1000));
    put_secret(text, pb_say("GitHub token", "GitHub トークン"),
               pb_json_get(secrets, "github_token"));
    put_secret(text, pb_say("Claude API key", "Claude API キー"),
               pb_json_get(secrets, "anthropic_api_key"));
}

static int call(struct pb_cli *cli, const char *method, const char *verb, struct pb_json **ret_json,
                struct pb_error *err)
{
    struct pb_buf path;
    int r;

    pb_buf_init(&path, PATH_BYTES);
    pb_buf_text(&path, "/api/projects/");
    pb_cli_put_encoded(&path, cli->args.words[0]);
    if (verb)
        pb_buf_format(&path, "/%s", verb);
    r = pb_buf_failed(&path) ? pb_fail(err, PB_ERROR_TOO_LARGE, "name too long")
                             : pb_cli_send(cli, method, pb_buf_string(&path), NULL, ret_json, err);
    pb_buf_release(&path);
    return r < 0 ? pb_fail_in(err, "%s", cli->args.words[0]) : 0;
}

int pb_poppo_projects_show(struct pb_cli *cli, struct pb_error *err)
{
    struct pb_json *project = NULL;
    struct pb_buf text;
    int r = call(cli, "GET", NULL, &project, err);

    pb_buf_init(&text, OUTPUT_MAX);
    if (r == 0 && project) {
        put_project(cli, &text, project);
        r = pb_cli_print(cli, &text, err);
    }
    pb_buf_release(&text);
    pb_json_free(project);
    return r;
}

int pb_poppo_projects_act(struct pb_cli *cli, struct pb_error *err)
{
    struct pb_json *project = NULL;
    struct pb_buf text;
    int r = call(cli, "POST", cli->command->verb, &project, err);

    pb_buf_init(&text, OUTPUT_MAX);
    if (r == 0 && project) {
        pb_buf_format(&text, "%s: %s\n", pb_json_text(project, "id", ""),
                      pb_cli_project_status_words(pb_json_text(project, "status", NULL)));
        r = pb_cli_print(cli, &text, err);
    }
    pb_buf_release(&text);
    pb_json_free(project);
    return r;
}
