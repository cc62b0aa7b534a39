/* poppo run, poppo cancel, poppo executions change */
#include "base/text.h"
#include "cli/cli_command.h"
#include "cli/cli_words.h"

enum { TEXT_BYTES = 4096 };

int pb_poppo_execution_say(struct pb_cli *cli, const struct pb_json *execution,
                           struct pb_error *err)
{
    struct pb_buf text;
    int r;

    pb_buf_init(&text, TEXT_BYTES);
    pb_buf_format(&text, "%s: %s\n", pb_poppo_execution_name(&cli->arena, execution),
                  pb_cli_status_words(pb_json_text(execution, "status", NULL)));
    r = pb_cli_print(cli, &text, err);
    pb_buf_release(&text);
    return r;
}

/* Does it, and says what came of it. */
static int act(struct pb_cli *cli, const char *method, const char *verb, const char *body,
               struct pb_error *err)
{
    struct pb_json *execution = NULL;
    int r = pb_poppo_execution_send(cli, method, verb, body, &execution, err);

    if (r == 0 && execution)
        r = pb_poppo_execution_say(cli, execution, err);
    pb_json_free(execution);
    return r;
}

int pb_poppo_cancel(struct pb_cli *cli, struct pb_error *err)
{
    return act(cli, "POST", "/cancel", NULL, err);
}

/* --- how urgent it is -------------------------------------------------------------------------- */

/* What was given of --priority and --deadline, as members. */
static void put_urgency(const struct pb_cli_args *args, struct pb_json_writer *w)
{
    const char *deadline = args->values[PB_CLI_DEADLINE];

    if (pb_cli_args_has(args, PB_CLI_PRIORITY))
        pb_json_put_text(w, "priority", args->values[PB_CLI_PRIORITY]);
    if (pb_text_equal(deadline, "none"))
        pb_json_put_null(w, "deadline_at");
    else if (deadline)
        pb_json_put_text(w, "deadline_at", deadline);
}

int pb_poppo_executions_change(struct pb_cli *cli, struct pb_error *err)
{
    struct pb_json_writer w;
    struct pb_buf body;
    int r;

    if (!pb_cli_args_has(&cli->args, PB_CLI_PRIORITY) &&
        !pb_cli_args_has(&cli->args, PB_CLI_DEADLINE) && !pb_cli_args_has(&cli->args, PB_CLI_NOW))
        return pb_fail_reason(err, PB_ERROR_INVALID, "usage", "%s",
                              pb_say("say what changes: --priority, --deadline or --now",
                                     "--priority、--deadline、--now のいずれかを指定してください"));
    pb_buf_init(&body, TEXT_BYTES);
    pb_json_writer_init(&w, &body);
    pb_json_begin_object(&w, NULL);
    put_urgency(&cli->args, &w);
    if (pb_cli_args_has(&cli->args, PB_CLI_NOW))
        pb_json_put_bool(&w, "now", true);
    pb_json_end_object(&w);
    r = pb_buf_failed(&body) ? pb_cli_fail_too_long(err)
                             : act(cli, "PATCH", "", pb_buf_string(&body), err);
    pb_buf_release(&body);
    return r;
}

/* --- run -------------------------------------------------------------------------------------- */

static int put_wish(struct pb_cli *cli, struct pb_buf *path, struct pb_buf *body,
                    struct pb_error *err)
{
    const char *word = cli->args.words[1];
    struct pb_json_writer w;
    uint64_t issue;

    if (!pb_parse_u64(word + (word[0] == '#'), INT32_MAX, &issue))
        return pb_fail_reason(err, PB_ERROR_INVALID, "usage",
                              pb_say("'%s' is no issue number", "'%s' は Issue 番号ではありません"),
                              word);
    pb_buf_text(path, "/api/projects/");
    pb_cli_put_encoded(path, cli->args.words[0]);
    pb_buf_text(path, "/executions");
    pb_json_writer_init(&w, body);
    pb_json_begin_object(&w, NULL);
    pb_json_put_int(&w, "issue_number", (int64_t)issue);
    put_urgency(&cli->args, &w);
    pb_json_end_object(&w);
    return pb_buf_failed(path) || pb_buf_failed(body) ? pb_cli_fail_too_long(err) : 0;
}

/* The answer is shown or printed; its id is kept for following. */
static int enqueue(struct pb_cli *cli, const char **ret_id, struct pb_error *err)
{
    struct pb_http_answer answer;
    struct pb_json *execution = NULL;
    struct pb_buf path, body;
    int r = -1;

    pb_buf_init(&path, TEXT_BYTES);
    pb_buf_init(&body, TEXT_BYTES);
    if (put_wish(cli, &path, &body, err) == 0 &&
        pb_cli_api_call(cli->api, "POST", pb_buf_string(&path), pb_buf_string(&body), &cli->arena,
                        &answer, err) == 0)
        execution = pb_cli_api_json(&answer, err);
    if (!execution)
        goto out;
    *ret_id = pb_arena_text(&cli->arena, pb_json_text(execution, "id", ""));
    if (!pb_cli_args_has(&cli->args, PB_CLI_JSON))
        r = pb_poppo_execution_say(cli, execution, err);
    else if (fprintf(cli->out, "%s\n", answer.body) < 0)
        (void)pb_cli_fail_output(err);
    else
        r = 0;
out:
    pb_json_free(execution);
    pb_buf_release(&path);
    pb_buf_release(&body);
    return r;
}

/* Not succeeding is a failure of `poppo run --follow`: scripts go on only after a success. */
static int judge(struct pb_cli *cli, const char *id, struct pb_error *err)
{
    const char *path = pb_arena_format(&cli->arena, "/api/executions/%s", id);
    struct pb_http_answer answer;
    struct pb_json *execution;
    const char *status;
    const char *why;
    int r = 0;

    if (!path)
        return pb_fail(err, PB_ERROR_LIMITED, "out of memory");
    if (pb_cli_api_call(cli->api, "GET", path, NULL, &cli->arena, &answer, err) < 0)
        return -1;
    execution = pb_cli_api_json(&answer, err);
    if (!execution)
        return -1;
    status = pb_json_text(execution, "status", "");
    why = pb_poppo_sentence(pb_json_get(execution, "reason"));
    if (!pb_text_equal(status, "succeeded"))
        r = pb_fail_reason(err, PB_ERROR_UNPROCESSABLE, "execution_not_succeeded", "%s: %s%s%s",
                           pb_poppo_execution_name(&cli->arena, execution),
                           pb_cli_status_words(status), why ? ": " : "", why ? why : "");
    pb_json_free(execution);
    return r;
}

int pb_poppo_run(struct pb_cli *cli, struct pb_error *err)
{
    const char *id = NULL;

    if (enqueue(cli, &id, err) < 0)
        return -1;
    if (!pb_cli_args_has(&cli->args, PB_CLI_FOLLOW))
        return 0;
    if (pb_poppo_follow(cli, &(struct pb_poppo_follow){.id = id, .follow = true}, err) < 0)
        return -1;
    return judge(cli, id, err);
}
