/* poppo projects … */
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/cli_command.h"
#include "cli/cli_format.h"
#include "cli/cli_list.h"
#include "cli/cli_words.h"

enum { PATH_BYTES = 1024, OUTPUT_MAX = 4 << 20 };

static const struct pb_cli_field FIELDS[] = {
    {"PROJECT", "プロジェクト", "id", PB_CLI_LEFT, NULL, NULL},
    {"STATUS", "状態", "status", PB_CLI_LEFT, NULL, pb_cli_project_status_words},
    {"HEALTH", "健全性", "health", PB_CLI_LEFT, NULL, pb_cli_health_words},
    {"AGENT", "エージェント", "agent.state", PB_CLI_LEFT, NULL, pb_cli_agent_words},
    {"QUEUED", "待機", "counts.queued", PB_CLI_RIGHT, pb_cli_show_count, NULL},
    {"RUNNING", "実行", "counts.running", PB_CLI_RIGHT, pb_cli_show_count, NULL},
    {"WAITING", "回答待ち", "counts.waiting", PB_CLI_RIGHT, pb_cli_show_count, NULL},
    {"OK", "成功", "counts.succeeded", PB_CLI_RIGHT, pb_cli_show_count, NULL},
    {"FAILED", "失敗", "counts.failed", PB_CLI_RIGHT, pb_cli_show_count, NULL},
    {"REPOSITORY", "リポジトリ", "github_url", PB_CLI_GIVES, NULL, NULL},
};

int pb_poppo_projects_list(struct pb_cli *cli, struct pb_error *err)
{
    return pb_cli_list(cli, "/api/projects", FIELDS, sizeof(FIELDS) / sizeof(FIELDS[0]), err);
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
    r = pb_buf_failed(&path) ? pb_cli_fail_too_long(err)
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
