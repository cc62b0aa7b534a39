/* poppo logs --search: lines that match, page by page, each with its number. */
#include <string.h>

#include "base/text.h"
#include "cli/cli_command.h"
#include "cli/cli_text.h"
#include "cli/cli_words.h"

enum {
    PAGE_ARENA = 32 << 20,
    TEXT_MAX = 16 << 20,
    PAGE = 1000,
    TIME_AT = 11, /* of the clock in "2026-11-22T10:06:07.037Z" */
    TIME_LEN = 8,
};

static void put_part(struct pb_buf *text, const struct pb_json *hit, const char *name)
{
    const char *part = pb_json_text(hit, name, "");

    pb_cli_put_clean(text, part, strlen(part), false);
}

static void put_hit(struct pb_cli *cli, struct pb_buf *text, const struct pb_json *hit)
{
    const char *time = pb_json_text(hit, "time", "");

    pb_buf_format(text, "%lld: ", (long long)pb_json_int(hit, "line", 0) + 1);
    if (pb_cli_args_has(&cli->args, PB_CLI_TIMES) && strlen(time) > TIME_AT + TIME_LEN)
        pb_buf_format(text, "%.*s ", TIME_LEN, time + TIME_AT);
    put_part(text, hit, "before");
    pb_buf_text(text, cli->colours ? "\x1b[1;31m" : "");
    put_part(text, hit, "match");
    pb_buf_text(text, cli->colours ? "\x1b[0m" : "");
    put_part(text, hit, "after");
    pb_buf_char(text, '\n');
}

/* The hits of one answer, or the answer itself. */
static int show(struct pb_cli *cli, const struct pb_http_answer *answer, const struct pb_json *page,
                struct pb_error *err)
{
    const struct pb_json *items = pb_json_get(page, "items");
    struct pb_buf text;
    int r;

    pb_buf_init(&text, TEXT_MAX);
    if (pb_cli_args_has(&cli->args, PB_CLI_JSON)) {
        pb_buf_bytes(&text, answer->body, answer->len);
        pb_buf_char(&text, '\n');
    } else {
        for (size_t i = 0; i < pb_json_count(items); i++)
            put_hit(cli, &text, pb_json_at(items, i));
    }
    r = pb_cli_print(cli, &text, err);
    pb_buf_release(&text);
    return r;
}

/* One page from *from on, which moves; *ret_more says that there are lines behind it. */
static int read_page(struct pb_cli *cli, const char *query, int64_t *from, bool *ret_more,
                     struct pb_error *err)
{
    struct pb_http_answer answer;
    struct pb_json *page = NULL;
    struct pb_arena arena;
    const char *path;
    int64_t next;
    int r = -1;

    pb_arena_init(&arena, PAGE_ARENA);
    path = pb_arena_format(&arena, "%s&limit=%d&from=%lld", query, PAGE, (long long)*from);
    if (!path) {
        (void)pb_fail(err, PB_ERROR_LIMITED, "out of memory");
        goto out;
    }
    if (pb_cli_api_call(cli->api, "GET", path, NULL, &arena, &answer, err) < 0)
        goto out;
    page = pb_cli_api_json(&answer, err);
    if (!page || show(cli, &answer, page, err) < 0)
        goto out;
    next = pb_json_int(page, "next", 0);
    *ret_more = next > *from && next < pb_json_int(page, "lines", 0);
    *from = next;
    r = 0;
out:
    pb_json_free(page);
    pb_arena_release(&arena);
    return r;
}

int pb_poppo_log_search(struct pb_cli *cli, const char *id, struct pb_error *err)
{
    struct pb_buf query;
    int64_t from = 0;
    bool more = true;
    int r = 0;

    if (pb_cli_args_has(&cli->args, PB_CLI_FOLLOW) || pb_cli_args_has(&cli->args, PB_CLI_TAIL))
        return pb_fail_reason(err, PB_ERROR_INVALID, "usage", "%s",
                              pb_say("--search goes through the whole log: leave out --follow "
                                     "and --tail",
                                     "--search はログ全体を調べます。--follow と --tail は"
                                     "指定できません"));
    pb_buf_init(&query, 4096);
    pb_buf_format(&query, "/api/executions/%s/log/search?regex=%s&case=%s&q=", id,
                  pb_cli_args_has(&cli->args, PB_CLI_REGEX) ? "true" : "false",
                  pb_cli_args_has(&cli->args, PB_CLI_CASE) ? "true" : "false");
    pb_cli_put_encoded(&query, cli->args.values[PB_CLI_SEARCH]);
    if (pb_buf_failed(&query))
        r = pb_fail_field(err, "q", "what is searched for is too long");
    while (r == 0 && more)
        r = read_page(cli, pb_buf_string(&query), &from, &more, err);
    pb_buf_release(&query);
    return r;
}
