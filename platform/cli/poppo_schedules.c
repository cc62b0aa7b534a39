/* poppo schedules … */
#include "base/text.h"
#include "cli/cli_command.h"
#include "cli/cli_format.h"
#include "cli/cli_list.h"
#include "cli/cli_words.h"

enum { PATH_BYTES = 1024, TEXT_BYTES = 4096 };

static const char *show_time(struct pb_arena *arena, const struct pb_json *object, const char *name)
{
    return pb_cli_time(arena, pb_json_text(object, name, NULL));
}

static const char *show_enabled(struct pb_arena *arena, const struct pb_json *schedule,
                                const char *name)
{
    (void)arena;
    return pb_json_bool(schedule, name, false) ? pb_say("on", "オン") : pb_say("off", "オフ");
}

static const struct pb_cli_field FIELDS[] = {
    {"SCHEDULE", "スケジュール", "name", PB_CLI_GIVES, NULL, NULL},
    {"", "", "enabled", PB_CLI_LEFT, show_enabled, NULL},
    {"WHEN", "時刻", "cron", PB_CLI_LEFT, NULL, NULL},
    {"TIME ZONE", "タイムゾーン", "time_zone", PB_CLI_LEFT, NULL, NULL},
    {"NEXT", "次回", "next_at", PB_CLI_LEFT, show_time, NULL},
    {"LAST", "前回", "last.at", PB_CLI_LEFT, pb_cli_show_ago, NULL},
    {"RESULT", "結果", "last.result", PB_CLI_LEFT, NULL, pb_cli_schedule_words},
};

/* Of the first word's project. */
static int put_path(struct pb_cli *cli, struct pb_buf *path, struct pb_error *err)
{
    pb_buf_text(path, "/api/projects/");
    pb_cli_put_encoded(path, cli->args.words[0]);
    pb_buf_text(path, "/schedules");
    return pb_buf_failed(path) ? pb_cli_fail_too_long(err) : 0;
}

int pb_poppo_schedules_list(struct pb_cli *cli, struct pb_error *err)
{
    struct pb_buf path;
    int r;

    pb_buf_init(&path, PATH_BYTES);
    r = put_path(cli, &path, err);
    if (r == 0)
        r = pb_cli_list(cli, pb_buf_string(&path), FIELDS, sizeof(FIELDS) / sizeof(FIELDS[0]), err);
    pb_buf_release(&path);
    return r < 0 ? pb_fail_in(err, "%s", cli->args.words[0]) : 0;
}

/* --- one: PROJECT NAME -------------------------------------------------------------------------- */

static const char *id_in(const struct pb_json *items, const char *name)
{
    for (size_t i = 0; i < pb_json_count(items); i++) {
        const struct pb_json *item = pb_json_at(items, i);

        if (pb_text_equal(pb_json_text(item, "name", NULL), name) ||
            pb_text_equal(pb_json_text(item, "id", NULL), name))
            return pb_json_text(item, "id", NULL);
    }
    return NULL;
}

/* "/api/schedules/ID" of the two words, in the arena; NULL = there is none. */
static const char *find(struct pb_cli *cli, struct pb_error *err)
{
    struct pb_http_answer answer;
    struct pb_json *list = NULL;
    const char *found = NULL;
    const char *id;
    struct pb_buf path;

    pb_buf_init(&path, PATH_BYTES);
    if (put_path(cli, &path, err) == 0 && pb_cli_api_call(cli->api, "GET", pb_buf_string(&path),
                                                          NULL, &cli->arena, &answer, err) == 0)
        list = pb_cli_api_json(&answer, err);
    if (!list)
        goto out;
    id = id_in(pb_json_get(list, "items"), cli->args.words[1]);
    found = id ? pb_arena_format(&cli->arena, "/api/schedules/%s", id) : NULL;
    if (!id)
        (void)pb_fail_reason(err, PB_ERROR_NOT_FOUND, "schedule_not_found",
                             pb_say("%s has no schedule '%s'",
                                    "%s にスケジュール '%s' はありません"),
                             cli->args.words[0], cli->args.words[1]);
    else if (!found)
        (void)pb_fail(err, PB_ERROR_LIMITED, "out of memory");
out:
    pb_json_free(list);
    pb_buf_release(&path);
    return found;
}

int pb_poppo_schedules_run(struct pb_cli *cli, struct pb_error *err)
{
    const char *schedule = find(cli, err);
    const char *path = schedule ? pb_arena_format(&cli->arena, "%s/run", schedule) : NULL;
    struct pb_json *execution = NULL;
    int r;

    if (!schedule)
        return -1;
    r = path ? pb_cli_send(cli, "POST", path, NULL, &execution, err)
             : pb_fail(err, PB_ERROR_LIMITED, "out of memory");
    if (r == 0 && execution)
        r = pb_poppo_execution_say(cli, execution, err);
    pb_json_free(execution);
    return r;
}

static int say_next(struct pb_cli *cli, const struct pb_json *schedule, struct pb_error *err)
{
    const char *next = pb_cli_time(&cli->arena, pb_json_text(schedule, "next_at", NULL));
    struct pb_buf text;
    int r;

    pb_buf_init(&text, TEXT_BYTES);
    pb_buf_format(&text, "%s: %s", pb_json_text(schedule, "name", ""),
                  show_enabled(&cli->arena, schedule, "enabled"));
    if (*next)
        pb_buf_format(&text, pb_say(", next at %s", "（次回 %s）"), next);
    pb_buf_char(&text, '\n');
    r = pb_cli_print(cli, &text, err);
    pb_buf_release(&text);
    return r;
}

int pb_poppo_schedules_switch(struct pb_cli *cli, struct pb_error *err)
{
    bool on = pb_text_equal(cli->command->verb, "on");
    const char *path = find(cli, err);
    struct pb_json *schedule = NULL;
    int r;

    if (!path)
        return -1;
    r = pb_cli_send(cli, "PUT", path, on ? "{\"enabled\":true}" : "{\"enabled\":false}", &schedule,
                    err);
    if (r == 0 && schedule)
        r = say_next(cli, schedule, err);
    pb_json_free(schedule);
    return r;
}
