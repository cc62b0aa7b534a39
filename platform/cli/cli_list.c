#include "cli/cli_list.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "cli/cli_format.h"
#include "cli/cli_table.h"
#include "cli/cli_words.h"
#include "model/limits.h"

enum { PATH_BYTES = 4096, OUTPUT_MAX = 4 << 20, NAME_TEXT = 40 };

const char *pb_cli_show_count(struct pb_arena *arena, const struct pb_json *object,
                              const char *name)
{
    return pb_cli_count(arena, pb_json_int(object, name, -1));
}

const char *pb_cli_show_bytes(struct pb_arena *arena, const struct pb_json *object,
                              const char *name)
{
    return pb_cli_bytes(arena, pb_json_int(object, name, -1));
}

const char *pb_cli_show_ago(struct pb_arena *arena, const struct pb_json *object, const char *name)
{
    return pb_cli_ago(arena, pb_json_text(object, name, NULL), pb_clock_wall_ms());
}

static const char *cell(struct pb_arena *arena, const struct pb_cli_field *field,
                        const struct pb_json *item)
{
    const char *dot = strchr(field->member, '.');
    const char *name = dot ? dot + 1 : field->member;
    char outer[NAME_TEXT];

    if (dot) {
        (void)snprintf(outer, sizeof(outer), "%.*s", (int)(dot - field->member), field->member);
        item = pb_json_get(item, outer);
    }
    if (field->show)
        return field->show(arena, item, name);
    return field->words ? field->words(pb_json_text(item, name, NULL))
                        : pb_json_text(item, name, "");
}

static int add_rows(struct pb_arena *arena, struct pb_cli_table *table, const struct pb_json *items,
                    const struct pb_cli_field *fields, size_t count, struct pb_error *err)
{
    for (size_t i = 0; i < pb_json_count(items); i++) {
        const char *cells[PB_CLI_COLUMNS];

        for (size_t k = 0; k < count; k++)
            cells[k] = cell(arena, &fields[k], pb_json_at(items, i));
        if (pb_cli_table_add(table, cells, err) < 0)
            return -1;
    }
    return 0;
}

int pb_cli_list_write(struct pb_arena *arena, const struct pb_json *page,
                      const struct pb_cli_field *fields, size_t count, size_t width,
                      struct pb_buf *buf, struct pb_error *err)
{
    struct pb_cli_column columns[PB_CLI_COLUMNS];
    struct pb_cli_table *table;

    for (size_t i = 0; i < count; i++)
        columns[i] = (struct pb_cli_column){pb_say(fields[i].en, fields[i].ja),
                                            fields[i].place == PB_CLI_RIGHT,
                                            fields[i].place == PB_CLI_GIVES};
    table = pb_cli_table_new(arena, columns, count);
    if (!table)
        return pb_fail(err, PB_ERROR_LIMITED, "out of memory");
    if (add_rows(arena, table, pb_json_get(page, "items"), fields, count, err) < 0)
        return -1;
    pb_cli_table_write(table, width, buf);
    if (pb_json_text(page, "next_cursor", NULL))
        pb_buf_format(buf,
                      pb_say("… and more; --limit shows up to %d\n",
                             "… ほかにもあります（--limit で最大 %d 件）\n"),
                      PB_LIMIT_PAGE);
    return 0;
}

static int put_limit(struct pb_cli *cli, struct pb_buf *path, struct pb_error *err)
{
    uint64_t limit;

    if (!(cli->command->options & PB_CLI_BIT(LIMIT)))
        return 0;
    if (pb_cli_args_number(&cli->args, PB_CLI_LIMIT, PB_LIMIT_PAGE, PB_LIMIT_PAGE_DEFAULT, &limit,
                           err) < 0)
        return -1;
    pb_buf_format(path, "%climit=%llu", strchr(pb_buf_string(path), '?') ? '&' : '?',
                  (unsigned long long)limit);
    return pb_buf_failed(path) ? pb_cli_fail_too_long(err) : 0;
}

int pb_cli_list(struct pb_cli *cli, const char *path, const struct pb_cli_field *fields,
                size_t count, struct pb_error *err)
{
    struct pb_json *page = NULL;
    struct pb_buf whole, text;
    int r = -1;

    pb_buf_init(&whole, PATH_BYTES);
    pb_buf_init(&text, OUTPUT_MAX);
    pb_buf_text(&whole, path);
    if (put_limit(cli, &whole, err) == 0)
        r = pb_cli_get(cli, pb_buf_string(&whole), &page, err);
    if (r == 0 && page)
        r = pb_cli_list_write(&cli->arena, page, fields, count, cli->width, &text, err) < 0
                ? -1
                : pb_cli_print(cli, &text, err);
    pb_json_free(page);
    pb_buf_release(&whole);
    pb_buf_release(&text);
    return r;
}
