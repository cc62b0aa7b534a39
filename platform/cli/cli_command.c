#include "cli/cli_command.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "cli/cli_text.h"
#include "cli/cli_words.h"

enum { PAIR_COLUMN = 16 };

#define LIST    (PB_CLI_BIT(LIMIT) | PB_CLI_BIT(JSON))
#define URGENCY (PB_CLI_BIT(PRIORITY) | PB_CLI_BIT(DEADLINE))

const struct pb_cli_command PB_CLI_COMMANDS[] = {
    {"login", NULL, "", 0, 0, PB_CLI_BIT(URL) | PB_CLI_BIT(USERNAME) | PB_CLI_BIT(ALLOW_PLAIN_HTTP),
     pb_poppo_login, "sign in; the password is asked for, or read from a pipe",
     "ログインします（パスワードは入力を求めるか、パイプから読み取ります）"},
    {"logout", NULL, "", 0, 0, 0, pb_poppo_logout, "end the session", "ログアウトします"},
    {"projects", "list", "", 0, 0, LIST, pb_poppo_projects_list, "all projects",
     "プロジェクトを一覧します"},
    {"projects", "show", "PROJECT", 1, 1, PB_CLI_BIT(JSON), pb_poppo_projects_show,
     "one project and how it is doing", "プロジェクトの状態と設定を表示します"},
    {"projects", "start", "PROJECT", 1, 1, PB_CLI_BIT(JSON), pb_poppo_projects_act,
     "look for work again", "プロジェクトを開始します"},
    {"projects", "pause", "PROJECT", 1, 1, PB_CLI_BIT(JSON), pb_poppo_projects_act,
     "start nothing new; what runs goes on",
     "新しい実行を始めないようにします（実行中のものは続きます）"},
    {"projects", "stop", "PROJECT", 1, 1, PB_CLI_BIT(JSON), pb_poppo_projects_act,
     "look for no more work; what runs is cancelled",
     "プロジェクトを停止します（実行中のものは中止されます）"},
    {"projects", "restart", "PROJECT", 1, 1, PB_CLI_BIT(JSON), pb_poppo_projects_act,
     "start its agent anew; what runs goes on",
     "エージェントを再起動します（実行中のものは続きます）"},
    {"executions", "list", "", 0, 0, LIST | PB_CLI_BIT(PROJECT) | PB_CLI_BIT(STATUS),
     pb_poppo_executions_list, "the newest executions", "実行を新しい順に一覧します"},
    {"executions", "show", "EXECUTION", 1, 1, PB_CLI_BIT(JSON), pb_poppo_executions_show,
     "one execution and its result", "実行の内容と結果を表示します"},
    {"executions", "change", "EXECUTION", 1, 1, URGENCY | PB_CLI_BIT(NOW) | PB_CLI_BIT(JSON),
     pb_poppo_executions_change, "how urgent a queued one is",
     "待機中の実行の優先度や期限を変更します"},
    {"logs", NULL, "EXECUTION", 1, 1,
     PB_CLI_BIT(FOLLOW) | PB_CLI_BIT(TAIL) | PB_CLI_BIT(TIMES) | PB_CLI_BIT(SEARCH) |
         PB_CLI_BIT(REGEX) | PB_CLI_BIT(CASE) | PB_CLI_BIT(JSON),
     pb_poppo_logs, "what it wrote", "実行のログを表示します"},
    {"run", NULL, "PROJECT ISSUE", 2, 2,
     URGENCY | PB_CLI_BIT(FOLLOW) | PB_CLI_BIT(TIMES) | PB_CLI_BIT(JSON), pb_poppo_run,
     "let the agent work on an issue now", "Issue の作業を今すぐ依頼します"},
    {"cancel", NULL, "EXECUTION", 1, 1, PB_CLI_BIT(JSON), pb_poppo_cancel, "end an execution",
     "実行を中止します"},
    {"queue", "show", "", 0, 0, PB_CLI_BIT(JSON), pb_poppo_queue_show,
     "the queue of all projects together", "全プロジェクトのキューの状態を表示します"},
    {"queue", "pause", "[NOTE]", 0, 1, PB_CLI_BIT(JSON), pb_poppo_queue_pause,
     "start nothing new in any project; what runs goes on",
     "すべてのプロジェクトで新しい実行を始めないようにします"},
    {"queue", "resume", "", 0, 0, PB_CLI_BIT(JSON), pb_poppo_queue_resume, "go on after a pause",
     "キューを再開します"},
    {"schedules", "list", "PROJECT", 1, 1, PB_CLI_BIT(JSON), pb_poppo_schedules_list,
     "what starts by itself, and when", "プロジェクトのスケジュールを一覧します"},
    {"schedules", "run", "PROJECT SCHEDULE", 2, 2, PB_CLI_BIT(JSON), pb_poppo_schedules_run,
     "run it now, besides when it is due", "スケジュールの作業を今すぐ依頼します"},
    {"schedules", "on", "PROJECT SCHEDULE", 2, 2, PB_CLI_BIT(JSON), pb_poppo_schedules_switch,
     "switch it on", "スケジュールをオンにします"},
    {"schedules", "off", "PROJECT SCHEDULE", 2, 2, PB_CLI_BIT(JSON), pb_poppo_schedules_switch,
     "switch it off", "スケジュールをオフにします"},
    {"nodes", "list", "", 0, 0, PB_CLI_BIT(JSON), pb_poppo_nodes_list,
     "the machines that run projects", "ノードを一覧します"},
    {"version", NULL, "", 0, 0, 0, pb_poppo_version, "version of this command",
     "このコマンドのバージョンを表示します"},
    {"man", NULL, "", 0, 0, 0, pb_poppo_man, "the manual, as a page for man(1)",
     "マニュアルを man(1) の形式で出力します"},
    {"help", NULL, "[COMMAND]", 0, 1, 0, pb_poppo_help, "this, or more about one command",
     "使い方を表示します"},
    {NULL, NULL, NULL, 0, 0, 0, NULL, NULL, NULL},
};

static const struct pb_cli_command *find_noun(const char *noun)
{
    const struct pb_cli_command *row = PB_CLI_COMMANDS;

    while (row->noun && strcmp(row->noun, noun) != 0)
        row++;
    return row->noun ? row : NULL;
}

static int fail_usage(struct pb_error *err, const char *en, const char *ja, const char *what)
{
    return pb_fail_reason(err, PB_ERROR_INVALID, "usage", "%s '%s'", pb_say(en, ja), what);
}

const struct pb_cli_command *pb_cli_command_find(const char *const *argv, size_t count,
                                                 size_t *ret_used, struct pb_error *err)
{
    const struct pb_cli_command *first = count > 0 ? find_noun(argv[0]) : NULL;

    if (count == 0) {
        (void)pb_fail_reason(err, PB_ERROR_INVALID, "usage", "%s",
                             pb_say("a command is missing", "コマンドがありません"));
        return NULL;
    }
    if (!first) {
        (void)fail_usage(err, "there is no command", "コマンドがありません:", argv[0]);
        return NULL;
    }
    *ret_used = 1;
    if (!first->verb || count == 1 || argv[1][0] == '-')
        return first;
    *ret_used = 2;
    for (const struct pb_cli_command *row = first; row->noun; row++)
        if (pb_text_equal(row->noun, first->noun) && pb_text_equal(row->verb, argv[1]))
            return row;
    (void)fail_usage(err, "there is no command", "コマンドがありません:", argv[1]);
    return NULL;
}

void pb_cli_command_usage(const struct pb_cli_command *row, struct pb_buf *buf)
{
    pb_buf_format(buf, "poppo %s", row->noun);
    if (row->verb)
        pb_buf_format(buf, " %s", row->verb);
    if (*row->words)
        pb_buf_format(buf, " %s", row->words);
}

int pb_cli_command_check(const struct pb_cli_command *command, const struct pb_cli_args *args,
                         struct pb_error *err)
{
    struct pb_buf usage;

    if (args->word_count >= command->min_words && args->word_count <= command->max_words)
        return 0;
    pb_buf_init(&usage, 256);
    pb_cli_command_usage(command, &usage);
    (void)(args->word_count < command->min_words
               ? fail_usage(err, "something is missing; it is",
                            "引数が足りません:", pb_buf_string(&usage))
               : fail_usage(err, "too many words; it is",
                            "引数が多すぎます:", pb_buf_string(&usage)));
    pb_buf_release(&usage);
    return -1;
}

static void put_overview(struct pb_buf *buf)
{
    pb_buf_text(buf, pb_say("usage: poppo COMMAND [options]\n\n",
                            "使い方: poppo コマンド [オプション]\n\n"));
    for (const struct pb_cli_command *row = PB_CLI_COMMANDS; row->noun; row++) {
        struct pb_buf left;

        pb_buf_init(&left, 256);
        pb_cli_command_usage(row, &left);
        pb_buf_format(buf, "  %-36s  %s\n", pb_buf_string(&left), pb_say(row->en, row->ja));
        pb_buf_release(&left);
    }
    pb_buf_text(buf, pb_say("\nEXECUTION is PROJECT#NUMBER (sample-app#7) or an id.\n"
                            "`poppo help COMMAND` lists a command's options.\n",
                            "\nEXECUTION は PROJECT#番号（例: sample-app#7）または ID です。\n"
                            "各コマンドのオプションは `poppo help コマンド` で表示します。\n"));
}

int pb_cli_help(const char *noun, struct pb_buf *buf, struct pb_error *err)
{
    const struct pb_cli_command *first = noun ? find_noun(noun) : NULL;

    if (!noun) {
        put_overview(buf);
        return 0;
    }
    if (!first)
        return fail_usage(err, "there is no command", "コマンドがありません:", noun);
    for (const struct pb_cli_command *row = first; row->noun; row++) {
        if (strcmp(row->noun, noun) != 0)
            continue;
        pb_cli_command_usage(row, buf);
        pb_buf_format(buf, "\n  %s\n", pb_say(row->en, row->ja));
        pb_cli_args_help(row->options, buf);
        pb_buf_char(buf, '\n');
    }
    return 0;
}

int pb_cli_fail_output(struct pb_error *err)
{
    int cause = errno;

    return pb_fail_reason(err, PB_ERROR_UNAVAILABLE, cause == EPIPE ? "nobody_reads" : "output",
                          "%s: %s", pb_say("write the output", "出力の書き込み"), strerror(cause));
}

int pb_cli_fail_too_long(struct pb_error *err)
{
    return pb_fail(err, PB_ERROR_TOO_LARGE, "%s",
                   pb_say("what was typed is too long", "入力が長すぎます"));
}

int pb_cli_print(struct pb_cli *cli, const struct pb_buf *buf, struct pb_error *err)
{
    if (pb_buf_failed(buf))
        return pb_fail(err, PB_ERROR_TOO_LARGE, "%s",
                       pb_say("more than can be shown at once",
                              "一度に表示できる量を超えています"));
    if (buf->len > 0 && fwrite(buf->data, 1, buf->len, cli->out) != buf->len)
        return pb_cli_fail_output(err);
    return 0;
}

int pb_cli_send(struct pb_cli *cli, const char *method, const char *path, const char *body,
                struct pb_json **ret_json, struct pb_error *err)
{
    struct pb_http_answer answer;

    if (pb_cli_api_call(cli->api, method, path, body, &cli->arena, &answer, err) < 0)
        return -1;
    if (pb_cli_args_has(&cli->args, PB_CLI_JSON)) {
        *ret_json = NULL;
        if (fwrite(answer.body, 1, answer.len, cli->out) != answer.len ||
            fputc('\n', cli->out) == EOF)
            return pb_cli_fail_output(err);
        return 0;
    }
    *ret_json = pb_cli_api_json(&answer, err);
    return *ret_json ? 0 : -1;
}

int pb_cli_get(struct pb_cli *cli, const char *path, struct pb_json **ret_json,
               struct pb_error *err)
{
    return pb_cli_send(cli, "GET", path, NULL, ret_json, err);
}

void pb_cli_put_pair(struct pb_buf *buf, const char *name, const char *value)
{
    size_t width = pb_cli_width(name);

    if (!value || !*value)
        return;
    pb_buf_text(buf, name);
    do
        pb_buf_char(buf, ' ');
    while (++width < PAIR_COLUMN);
    pb_cli_put_clean(buf, value, strlen(value), false);
    pb_buf_char(buf, '\n');
}
