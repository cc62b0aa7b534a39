/* poppo logs: ranges of lines by their numbers, which never change, so nothing is missed or doubled. */
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/cli_command.h"
#include "cli/cli_log.h"
#include "cli/cli_words.h"
#include "model/limits.h"

enum {
    RANGE_ARENA = 72 << 20, /* 2000 of the longest lines, twice */
    TEXT_MAX = 64 << 20,
    FIRST_PAUSE_MS = 200,
    LONGEST_PAUSE_MS = 2000,
    PATIENCE_MS = 60 * 1000, /* a platform that is being restarted */
};

struct reading {
    struct pb_cli *cli;
    const struct pb_poppo_follow *wish;
    int64_t next; /* the line to ask for */
    bool complete;
};

/* An execution as it is now: how many lines, and whether somebody has to do something first. */
struct standing {
    int64_t lines;
    bool waits_for_people;
};

static int ask_standing(struct reading *in, struct standing *ret_standing, struct pb_error *err)
{
    struct pb_http_answer answer;
    struct pb_json *execution = NULL;
    struct pb_arena arena;
    const char *path;
    const char *status;
    int r = -1;

    pb_arena_init(&arena, 16 << 20);
    path = pb_arena_format(&arena, "/api/executions/%s", in->wish->id);
    if (!path)
        (void)pb_fail(err, PB_ERROR_LIMITED, "out of memory");
    else if (pb_cli_api_call(in->cli->api, "GET", path, NULL, &arena, &answer, err) == 0)
        execution = pb_cli_api_json(&answer, err);
    if (execution) {
        status = pb_json_text(execution, "status", "");
        *ret_standing = (struct standing){
            .lines = pb_json_int(pb_json_get(execution, "log"), "lines", 0),
            .waits_for_people =
                pb_text_equal(status, "waiting_input") || pb_text_equal(status, "waiting_approval"),
        };
        r = 0;
    }
    pb_json_free(execution);
    pb_arena_release(&arena);
    return r;
}

static bool header_number(const struct pb_http_answer *answer, const char *name, int64_t *ret_value)
{
    const char *text = pb_http_answer_header(answer, name);

    return text && pb_parse_i64(text, 0, INT64_MAX, ret_value);
}

/* Shows the lines of one answer; *ret_count = how many there were. */
static int show(struct reading *in, const struct pb_http_answer *answer, int64_t *ret_count,
                struct pb_error *err)
{
    const struct pb_cli_log_style style = {
        .colours = in->cli->colours,
        .times = pb_cli_args_has(&in->cli->args, PB_CLI_TIMES),
    };
    const char *at = answer->body;
    const char *end = answer->body + answer->len;
    struct pb_buf text;
    int64_t count = 0;
    int r;

    pb_buf_init(&text, TEXT_MAX);
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t len = (size_t)((newline ? newline : end) - at);

        if (in->wish->raw) {
            pb_buf_bytes(&text, at, len);
            pb_buf_char(&text, '\n');
        } else {
            pb_cli_put_log_line(&text, at, len, &style);
        }
        at += len + 1;
        count++;
    }
    r = pb_cli_print(in->cli, &text, err);
    if (r == 0 && fflush(in->cli->out) == EOF)
        r = pb_cli_fail_output(err);
    pb_buf_release(&text);
    *ret_count = count;
    return r;
}

/* One range; *ret_more says that there are lines after it already. */
static int read_range(struct reading *in, bool *ret_more, struct pb_error *err)
{
    struct pb_http_answer answer;
    struct pb_arena arena;
    const char *path;
    int64_t from = in->next;
    int64_t lines = 0;
    int64_t count = 0;
    int r = -1;

    pb_arena_init(&arena, RANGE_ARENA);
    path = pb_arena_format(&arena, "/api/executions/%s/log?from=%lld&count=%d", in->wish->id,
                           (long long)in->next, PB_LIMIT_LOG_READ_LINES);
    if (!path) {
        (void)pb_fail(err, PB_ERROR_LIMITED, "out of memory");
        goto out;
    }
    if (pb_cli_api_call(in->cli->api, "GET", path, NULL, &arena, &answer, err) < 0 ||
        show(in, &answer, &count, err) < 0)
        goto out;
    (void)header_number(&answer, "X-Log-From", &from);
    (void)header_number(&answer, "X-Log-Lines", &lines);
    in->next = from + count;
    in->complete = in->next >= lines &&
                   pb_text_equal(pb_http_answer_header(&answer, "X-Log-Complete"), "true");
    *ret_more = count > 0 && in->next < lines;
    r = 0;
out:
    pb_arena_release(&arena);
    return r;
}

/* Until it is time to look again, or nobody reads what we write any more (`poppo logs -f | head`). */
static bool pause_for(struct pb_cli *cli, int ms)
{
    struct pollfd reader = {.fd = fileno(cli->out)};

    return poll(&reader, 1, ms) <= 0 || !(reader.revents & (POLLERR | POLLHUP | POLLNVAL));
}

/* Lines that are there already. */
static int read_all(struct reading *in, bool *ret_some, struct pb_error *err)
{
    int64_t first = in->next;
    bool more = true;

    while (more)
        if (read_range(in, &more, err) < 0)
            return -1;
    *ret_some = in->next > first;
    return 0;
}

/* Should a failed look be repeated? The platform may be on its way up again. */
static bool is_passing(const struct pb_error *err, int64_t lost_at)
{
    return (err->code == PB_ERROR_UNREACHABLE || err->code == PB_ERROR_UNAVAILABLE) &&
           pb_clock_steady_ms() - lost_at < PATIENCE_MS;
}

static int follow(struct reading *in, struct pb_error *err)
{
    struct standing standing = {0};
    int64_t heard_at = pb_clock_steady_ms();
    int pause_ms = FIRST_PAUSE_MS;

    while (!in->complete && !standing.waits_for_people) {
        bool some = false;
        int r =
            ask_standing(in, &standing, err); /* first: lines written before it waits are shown */

        if (r == 0)
            r = read_all(in, &some, err);
        if (r < 0 && !is_passing(err, heard_at))
            return -1;
        if (r == 0)
            heard_at = pb_clock_steady_ms();
        pause_ms = some                              ? FIRST_PAUSE_MS
                   : pause_ms * 2 < LONGEST_PAUSE_MS ? pause_ms * 2
                                                     : LONGEST_PAUSE_MS;
        if (!in->complete && !standing.waits_for_people && !pause_for(in->cli, pause_ms))
            return 0;
    }
    if (standing.waits_for_people)
        (void)fputs(pb_say("poppo: it waits for an answer on the issue\n",
                           "poppo: Issue での回答を待っています\n"),
                    stderr);
    return 0;
}

int pb_poppo_follow(struct pb_cli *cli, const struct pb_poppo_follow *wish, struct pb_error *err)
{
    struct reading in = {.cli = cli, .wish = wish};
    struct standing standing;
    bool some;

    if (wish->tail > 0) {
        if (ask_standing(&in, &standing, err) < 0)
            return -1;
        in.next = standing.lines > wish->tail ? standing.lines - wish->tail : 0;
    }
    if (wish->follow)
        return follow(&in, err);
    return read_all(&in, &some, err);
}

int pb_poppo_logs(struct pb_cli *cli, struct pb_error *err)
{
    struct pb_poppo_follow wish = {
        .follow = pb_cli_args_has(&cli->args, PB_CLI_FOLLOW),
        .raw = pb_cli_args_has(&cli->args, PB_CLI_JSON),
    };
    uint64_t tail;

    if (pb_cli_args_number(&cli->args, PB_CLI_TAIL, INT32_MAX, 0, &tail, err) < 0 ||
        pb_poppo_execution_id(cli, cli->args.words[0], &wish.id, err) < 0)
        return -1;
    if (pb_cli_args_has(&cli->args, PB_CLI_SEARCH))
        return pb_poppo_log_search(cli, wish.id, err);
    wish.tail = (int64_t)tail;
    return pb_poppo_follow(cli, &wish, err) < 0 ? pb_fail_in(err, "%s", cli->args.words[0]) : 0;
}
