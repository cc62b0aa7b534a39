/* poppo queue: the queue of all projects together, pause, resume */
#include "base/clock.h"
#include "cli/cli_command.h"
#include "cli/cli_format.h"
#include "cli/cli_words.h"

enum { TEXT_MAX = 1 << 20, BODY_BYTES = 8192 };

static void put_state(struct pb_cli *cli, struct pb_buf *text, const struct pb_json *queue)
{
    const struct pb_json *pause = pb_json_get(queue, "pause");
    const char *state = pb_say("open", "受付中");

    if (pb_json_bool(queue, "paused", false))
        state = pb_arena_format(&cli->arena, pb_say("paused by %s, %s", "一時停止中（%s、%s）"),
                                pb_json_text(pause, "by", ""),
                                pb_cli_ago(&cli->arena, pb_json_text(pause, "at", NULL),
                                           pb_clock_wall_ms()));
    pb_cli_put_pair(text, pb_say("Queue", "キュー"), state);
    pb_cli_put_pair(text, pb_say("Note", "理由"), pb_json_text(pause, "note", NULL));
    pb_cli_put_pair(text, pb_say("Executions", "実行"),
                    pb_arena_format(&cli->arena,
                                    pb_say("%lld queued, %lld running, %lld waiting",
                                           "待機 %lld、実行中 %lld、回答待ち %lld"),
                                    (long long)pb_json_int(queue, "queued", 0),
                                    (long long)pb_json_int(queue, "running", 0),
                                    (long long)pb_json_int(queue, "waiting", 0)));
}

static void put_limits(struct pb_cli *cli, struct pb_buf *text, const struct pb_json *limits)
{
    for (size_t i = 0; i < pb_json_count(limits); i++) {
        const struct pb_json *limit = pb_json_at(limits, i);

        pb_cli_put_pair(text, pb_say("Limit", "同時実行の上限"),
                        pb_arena_format(&cli->arena,
                                        pb_say("%s %s, %s: %lld at once", "%s %s（%s）: %lld 件"),
                                        pb_cli_limit_words(pb_json_text(limit, "kind", NULL)),
                                        pb_json_text(limit, "subject", ""),
                                        pb_json_text(limit, "project",
                                                     pb_say("all projects", "全プロジェクト")),
                                        (long long)pb_json_int(limit, "max", 0)));
    }
}

static int say(struct pb_cli *cli, const char *method, const char *path, const char *body,
               struct pb_error *err)
{
    struct pb_json *queue = NULL;
    struct pb_buf text;
    int r = pb_cli_send(cli, method, path, body, &queue, err);

    pb_buf_init(&text, TEXT_MAX);
    if (r == 0 && queue) {
        put_state(cli, &text, queue);
        put_limits(cli, &text, pb_json_get(queue, "limits"));
        r = pb_cli_print(cli, &text, err);
    }
    pb_buf_release(&text);
    pb_json_free(queue);
    return r;
}

int pb_poppo_queue_show(struct pb_cli *cli, struct pb_error *err)
{
    return say(cli, "GET", "/api/queue", NULL, err);
}

int pb_poppo_queue_resume(struct pb_cli *cli, struct pb_error *err)
{
    return say(cli, "POST", "/api/queue/resume", NULL, err);
}

int pb_poppo_queue_pause(struct pb_cli *cli, struct pb_error *err)
{
    struct pb_json_writer w;
    struct pb_buf body;
    int r;

    pb_buf_init(&body, BODY_BYTES);
    pb_json_writer_init(&w, &body);
    pb_json_begin_object(&w, NULL);
    if (cli->args.word_count > 0)
        pb_json_put_text(&w, "note", cli->args.words[0]);
    pb_json_end_object(&w);
    r = pb_buf_failed(&body) ? pb_cli_fail_too_long(err)
                             : say(cli, "POST", "/api/queue/pause", pb_buf_string(&body), err);
    pb_buf_release(&body);
    return r;
}
