/* What needs no engine: values, rows as structs, SQL pieces, cursors. */
#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "model/limits.h"
#include "server/store/db_private.h"

struct pb_value pb_value_int(int64_t number)
{
    return (struct pb_value){.kind = PB_VALUE_INT, .number = number};
}

struct pb_value pb_value_time(int64_t ms)
{
    return ms == 0 ? (struct pb_value){.kind = PB_VALUE_NULL} : pb_value_int(ms);
}

struct pb_value pb_value_text(const char *text)
{
    if (!text)
        return (struct pb_value){.kind = PB_VALUE_NULL};
    return (struct pb_value){.kind = PB_VALUE_TEXT, .data = text, .len = strlen(text)};
}

struct pb_value pb_value_bytes(const void *data, size_t len)
{
    return (struct pb_value){.kind = PB_VALUE_BYTES, .data = data, .len = len};
}

int pb_fail_arena(struct pb_error *err)
{
    return pb_fail_reason(err, PB_ERROR_LIMITED, "too_much_data",
                          "the answer is too large for one request");
}

enum { SQL_MAX = 256 << 10 };

/* --- SQL pieces --------------------------------------------------------------------------------- */

const char *pb_sql_once(struct pb_sql *sql, void (*put)(struct pb_buf *text), struct pb_error *err)
{
    char *text = atomic_load_explicit(&sql->text, memory_order_acquire), *made;
    struct pb_buf buf;

    if (text)
        return text;
    pb_buf_init(&buf, SQL_MAX);
    put(&buf);
    made = pb_buf_take(&buf, NULL);
    pb_buf_release(&buf);
    if (!made) {
        (void)pb_fail(err, PB_ERROR_LIMITED, "no memory");
        return NULL;
    }
    if (atomic_compare_exchange_strong(&sql->text, &text, made))
        return made;
    free(made); /* another thread was first */
    return text;
}

void pb_sql_columns(struct pb_buf *sql, const char *alias, const struct pb_columns *columns)
{
    for (size_t i = 0; i < columns->count; i++) {
        pb_buf_text(sql, i ? ", " : "");
        pb_buf_text(sql, alias);
        pb_buf_text(sql, alias[0] ? "." : "");
        pb_buf_text(sql, columns->items[i].name);
    }
}

void pb_sql_insert(struct pb_buf *sql, const struct pb_columns *columns)
{
    pb_sql_columns(sql, "", columns);
    pb_buf_text(sql, ") VALUES (");
    for (size_t i = 0; i < columns->count; i++)
        pb_buf_format(sql, "%s?%zu", i ? ", " : "", i + 1);
    pb_buf_char(sql, ')');
}

void pb_sql_assign(struct pb_buf *sql, const struct pb_columns *columns, unsigned first)
{
    for (size_t i = 0; i < columns->count; i++)
        pb_buf_format(sql, "%s%s = ?%zu", i ? ", " : "", columns->items[i].name, first + i);
}

/* --- rows as structs ----------------------------------------------------------------------------- */

static struct pb_value member_value(const struct pb_column *column, const void *row)
{
    const char *at = (const char *)row + column->offset;

    switch (column->kind) {
    case PB_COLUMN_TEXT:
        return pb_value_text(*(const char *const *)(const void *)at);
    case PB_COLUMN_INT:
        return pb_value_int(*(const int64_t *)(const void *)at);
    case PB_COLUMN_TIME:
        return pb_value_time(*(const int64_t *)(const void *)at);
    case PB_COLUMN_UNKNOWN:
        if (*(const int64_t *)(const void *)at == -1)
            return (struct pb_value){.kind = PB_VALUE_NULL};
        return pb_value_int(*(const int64_t *)(const void *)at);
    case PB_COLUMN_BOOL:
        return pb_value_int(*(const bool *)at);
    case PB_COLUMN_NAME:
        return pb_value_text(pb_names_get(column->names, *(const int *)(const void *)at));
    }
    return (struct pb_value){.kind = PB_VALUE_NULL};
}

void pb_columns_values(const struct pb_columns *columns, const void *row,
                       struct pb_value *ret_values)
{
    for (size_t i = 0; i < columns->count; i++)
        ret_values[i] = member_value(&columns->items[i], row);
}

static int read_text(struct pb_rows *rows, int column, struct pb_arena *arena,
                     const char **ret_text, struct pb_error *err)
{
    const char *text = pb_rows_text(rows, column);

    *ret_text = NULL;
    if (!text)
        return 0;
    *ret_text = pb_arena_text(arena, text);
    return *ret_text ? 0 : pb_fail_arena(err);
}

static int read_member(struct pb_rows *rows, int index, const struct pb_column *column,
                       struct pb_arena *arena, void *row, struct pb_error *err)
{
    char *at = (char *)row + column->offset;
    int named = 0;

    switch (column->kind) {
    case PB_COLUMN_TEXT:
        return read_text(rows, index, arena, (const char **)(void *)at, err);
    case PB_COLUMN_INT:
    case PB_COLUMN_TIME:
        *(int64_t *)(void *)at = pb_rows_int(rows, index);
        return 0;
    case PB_COLUMN_UNKNOWN:
        *(int64_t *)(void *)at = pb_rows_is_null(rows, index) ? -1 : pb_rows_int(rows, index);
        return 0;
    case PB_COLUMN_BOOL:
        *(bool *)at = pb_rows_int(rows, index) != 0;
        return 0;
    case PB_COLUMN_NAME:
        if (!pb_names_find(column->names, pb_rows_text(rows, index), &named))
            return pb_fail(err, PB_ERROR_INTERNAL, "the database has an unknown %s '%s'",
                           column->name, pb_rows_text(rows, index));
        memcpy(at, &named, sizeof(named));
        return 0;
    }
    return 0;
}

int pb_rows_read(struct pb_rows *rows, int first, const struct pb_columns *columns,
                 struct pb_arena *arena, void *ret_row, struct pb_error *err)
{
    for (size_t i = 0; i < columns->count; i++) {
        if (read_member(rows, first + (int)i, &columns->items[i], arena, ret_row, err) < 0)
            return -1;
    }
    return 0;
}

int pb_db_list(struct pb_db *db, const char *sql, const struct pb_values *values,
               struct pb_arena *arena, size_t item_size, pb_read_fn *read,
               struct pb_array *ret_array, struct pb_error *err)
{
    struct pb_rows *rows = pb_db_query(db, sql, values, err);
    char *items = NULL;
    size_t count = 0, capacity = 0;
    int r;

    if (!rows)
        return -1;
    while ((r = pb_rows_next(rows, err)) > 0) {
        if (count == capacity) {
            size_t larger = capacity ? capacity * 2 : 16;
            char *moved = pb_arena_alloc(arena, larger * item_size);

            r = moved ? 0 : pb_fail_arena(err);
            if (r < 0)
                break;
            if (count > 0)
                memcpy(moved, items, count * item_size);
            items = moved;
            capacity = larger;
        }
        r = read(rows, arena, items + count * item_size, err);
        if (r < 0)
            break;
        count++;
    }
    pb_rows_end(rows);
    if (r < 0)
        return -1;
    *ret_array = (struct pb_array){items, count};
    return 0;
}

int pb_db_one(struct pb_db *db, const char *sql, const struct pb_values *values,
              struct pb_arena *arena, size_t item_size, pb_read_fn *read, void **ret_item,
              struct pb_error *err)
{
    struct pb_rows *rows = pb_db_query(db, sql, values, err);
    void *item = NULL;
    int r;

    if (!rows)
        return -1;
    r = pb_rows_next(rows, err);
    if (r > 0) {
        item = pb_arena_alloc(arena, item_size);
        r = item ? read(rows, arena, item, err) : pb_fail_arena(err);
    }
    pb_rows_end(rows);
    if (r < 0)
        return -1;
    *ret_item = item;
    return 0;
}

int pb_db_number(struct pb_db *db, const char *sql, const struct pb_values *values,
                 int64_t *ret_number, struct pb_error *err)
{
    struct pb_rows *rows = pb_db_query(db, sql, values, err);
    int r;

    if (!rows)
        return -1;
    r = pb_rows_next(rows, err);
    if (r >= 0)
        *ret_number = r > 0 ? pb_rows_int(rows, 0) : 0;
    pb_rows_end(rows);
    return r < 0 ? -1 : 0;
}

/* --- pages --------------------------------------------------------------------------------------- */

size_t pb_page_limit(const struct pb_page *page)
{
    if (page->limit == 0)
        return PB_LIMIT_PAGE_DEFAULT;
    return page->limit < PB_LIMIT_PAGE ? page->limit : PB_LIMIT_PAGE;
}

static int fail_cursor(struct pb_error *err)
{
    return pb_fail_field(err, "cursor", "not a cursor of this list");
}

int pb_page_position(const struct pb_page *page, struct pb_arena *arena,
                     struct pb_position *ret_position, struct pb_error *err)
{
    struct pb_position position = {0};
    struct pb_buf plain;
    const char *line;
    int r = -1;

    if (!page->cursor) {
        *ret_position = position;
        return 0;
    }
    pb_buf_init(&plain, PB_LIMIT_CURSOR);
    if (strlen(page->cursor) > PB_LIMIT_CURSOR ||
        !pb_buf_unbase64(&plain, page->cursor, strlen(page->cursor)) || pb_buf_failed(&plain) ||
        memchr(pb_buf_string(&plain), 0, plain.len) || !pb_utf8_valid(plain.data, plain.len)) {
        fail_cursor(err);
        goto out;
    }
    line = strrchr(pb_buf_string(&plain), '\n');
    if (!line) {
        fail_cursor(err);
        goto out;
    }
    position.is_set = true;
    position.text = pb_arena_bytes(arena, plain.data, (size_t)(line - plain.data));
    position.key = pb_arena_text(arena, line + 1);
    if (!position.text || !position.key) {
        pb_fail_arena(err);
        goto out;
    }
    *ret_position = position;
    r = 0;
out:
    pb_buf_release(&plain);
    return r;
}

int pb_position_number(const struct pb_position *position, int64_t *ret_number,
                       struct pb_error *err)
{
    if (!position->is_set)
        return 0;
    if (!pb_parse_i64(position->text, INT64_MIN, INT64_MAX, ret_number))
        return fail_cursor(err);
    return 0;
}

int pb_page_next(struct pb_arena *arena, const char *text, const char *key, const char **ret_cursor,
                 struct pb_error *err)
{
    struct pb_buf plain, cursor;
    char *made;

    pb_buf_init(&plain, PB_LIMIT_CURSOR * 3 / 4);
    pb_buf_init(&cursor, PB_LIMIT_CURSOR);
    pb_buf_format(&plain, "%s\n%s", text, key);
    pb_buf_base64url(&cursor, pb_buf_string(&plain), plain.len);
    made = pb_buf_failed(&plain) || pb_buf_failed(&cursor)
               ? NULL
               : pb_arena_text(arena, pb_buf_string(&cursor));
    pb_buf_release(&plain);
    pb_buf_release(&cursor);
    if (!made)
        return pb_fail_arena(err);
    *ret_cursor = made;
    return 0;
}

const char *pb_like_pattern(struct pb_arena *arena, const char *text)
{
    size_t len = pb_utf8_cut(text, strlen(text), PB_LIMIT_QUERY);
    struct pb_buf pattern;
    char *made;

    pb_buf_init(&pattern, 4 * PB_LIMIT_QUERY + 16);
    pb_buf_char(&pattern, '%');
    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (c == '%' || c == '_' || c == '\\')
            pb_buf_char(&pattern, '\\');
        pb_buf_char(&pattern, c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c);
    }
    pb_buf_char(&pattern, '%');
    made = pb_arena_text(arena, pb_buf_string(&pattern));
    pb_buf_release(&pattern);
    return made;
}
