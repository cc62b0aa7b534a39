#include "cli/cli_table.h"

#include <assert.h>
#include <string.h>

#include "cli/cli_text.h"
#include "cli/cli_words.h"

enum { GAP = 2, NARROWEST = 10, CELL_MAX = 64 << 10 };

struct row {
    struct row *next;
    const char *cells[PB_CLI_COLUMNS];
};

struct pb_cli_table {
    struct pb_arena *arena; /* borrowed: outlives us */
    const struct pb_cli_column *columns;
    size_t count;
    size_t widths[PB_CLI_COLUMNS];
    struct row *first;
    struct row *last;
};

struct pb_cli_table *pb_cli_table_new(struct pb_arena *arena, const struct pb_cli_column *columns,
                                      size_t count)
{
    struct pb_cli_table *table = pb_arena_alloc(arena, sizeof(*table));

    assert(count > 0 && count <= PB_CLI_COLUMNS);
    if (!table)
        return NULL;
    table->arena = arena;
    table->columns = columns;
    table->count = count;
    for (size_t i = 0; i < count; i++)
        table->widths[i] = pb_cli_width(columns[i].title);
    return table;
}

static const char *clean_copy(struct pb_arena *arena, const char *text)
{
    struct pb_buf clean;
    const char *copy;

    pb_buf_init(&clean, CELL_MAX);
    pb_cli_put_clean(&clean, text ? text : "", text ? strlen(text) : 0, false);
    copy = pb_arena_text(arena, pb_buf_string(&clean));
    pb_buf_release(&clean);
    return copy;
}

int pb_cli_table_add(struct pb_cli_table *table, const char *const *cells, struct pb_error *err)
{
    struct row *row = pb_arena_alloc(table->arena, sizeof(*row));

    for (size_t i = 0; row && i < table->count; i++) {
        row->cells[i] = clean_copy(table->arena, cells[i]);
        if (!row->cells[i])
            row = NULL;
        else if (pb_cli_width(row->cells[i]) > table->widths[i])
            table->widths[i] = pb_cli_width(row->cells[i]);
    }
    if (!row)
        return pb_fail(err, PB_ERROR_LIMITED, "%s",
                       pb_say("more rows than fit; ask for fewer with --limit",
                              "行が多すぎます。--limit で減らしてください"));
    if (table->last)
        table->last->next = row;
    else
        table->first = row;
    table->last = row;
    return 0;
}

static void put_blanks(struct pb_buf *buf, size_t count)
{
    while (count-- > 0)
        pb_buf_char(buf, ' ');
}

/* The last column is not filled up: no line ends in blanks. */
static void put_row(struct pb_buf *buf, const struct pb_cli_table *table, const size_t *widths,
                    const char *const *cells)
{
    for (size_t i = 0; i < table->count; i++) {
        size_t used, blanks;
        struct pb_buf cell;

        pb_buf_init(&cell, CELL_MAX);
        pb_cli_put_cut(&cell, cells[i], widths[i]);
        used = pb_cli_width(pb_buf_string(&cell)); /* a full-width character may not fit the cut */
        blanks = used < widths[i] ? widths[i] - used : 0;
        if (table->columns[i].right)
            put_blanks(buf, blanks);
        pb_buf_text(buf, pb_buf_string(&cell));
        if (i + 1 < table->count)
            put_blanks(buf, (table->columns[i].right ? 0 : blanks) + GAP);
        pb_buf_release(&cell);
    }
    while (buf->len > 0 && buf->data[buf->len - 1] == ' ')
        buf->data[--buf->len] = '\0';
    pb_buf_char(buf, '\n');
}

static void fit(const struct pb_cli_table *table, size_t width, size_t *widths)
{
    size_t total = (table->count - 1) * GAP;

    for (size_t i = 0; i < table->count; i++)
        total += widths[i] = table->widths[i];
    if (width == 0 || total <= width)
        return;
    for (size_t i = 0; i < table->count; i++)
        if (table->columns[i].gives) {
            size_t excess = total - width;

            widths[i] = widths[i] > excess + NARROWEST ? widths[i] - excess
                        : widths[i] < NARROWEST        ? widths[i]
                                                       : NARROWEST;
        }
}

void pb_cli_table_write(const struct pb_cli_table *table, size_t width, struct pb_buf *buf)
{
    const char *titles[PB_CLI_COLUMNS];
    size_t widths[PB_CLI_COLUMNS] = {0};

    fit(table, width, widths);
    for (size_t i = 0; i < table->count; i++)
        titles[i] = table->columns[i].title;
    put_row(buf, table, widths, titles);
    for (const struct row *row = table->first; row; row = row->next)
        put_row(buf, table, widths, row->cells);
}
