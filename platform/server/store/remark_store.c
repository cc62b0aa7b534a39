#include "server/store/remark_store.h"

#include <stdio.h>

#include "server/store/db_private.h"

#define R(kind, member) PB_COLUMN(kind, struct pb_remark, member)

static const struct pb_column ITEMS[] = {
    R(TEXT, execution_id), R(INT, number), R(TEXT, question), R(TEXT, text),
    R(TEXT, said_by),      R(TEXT, url),   R(INT, said_at),
};
static const struct pb_columns COLUMNS = PB_COLUMNS(ITEMS);

int pb_remark_add(struct pb_db *db, const struct pb_remark *remark, struct pb_error *err)
{
    int64_t number;

    if (pb_db_number(db, "SELECT coalesce(max(number), 0) + 1 FROM remarks WHERE execution_id = ?1",
                     PB_VALUES(T(remark->execution_id)), &number, err) < 0)
        return -1;
    return pb_db_run(db,
                     "INSERT INTO remarks (execution_id, number, question, text, said_by, url, "
                     "said_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                     PB_VALUES(T(remark->execution_id), I(number), T(remark->question),
                               T(remark->text), T(remark->said_by), T(remark->url),
                               I(remark->said_at)),
                     NULL, err);
}

static int read_remark(struct pb_rows *rows, struct pb_arena *arena, void *ret_item,
                       struct pb_error *err)
{
    return pb_rows_read(rows, 0, &COLUMNS, arena, ret_item, err);
}

int pb_remark_list(struct pb_db *db, struct pb_arena *arena, int64_t work_item_id, size_t limit,
                   struct pb_remark_list *ret_list, struct pb_error *err)
{
    struct pb_array array = {0};

    if (pb_db_list(db,
                   "SELECT r.execution_id, r.number, r.question, r.text, r.said_by, r.url, "
                   "r.said_at FROM remarks AS r JOIN executions AS e ON e.id = r.execution_id "
                   "WHERE e.work_item_id = ?1 "
                   "ORDER BY e.created_at DESC, e.id DESC, r.number DESC LIMIT ?2",
                   PB_VALUES(I(work_item_id), I((int64_t)limit)), arena, sizeof(struct pb_remark),
                   read_remark, &array, err) < 0)
        return -1;
    *ret_list = (struct pb_remark_list){.items = array.items, .count = array.count};
    return 0;
}

int pb_remark_page(struct pb_db *db, struct pb_arena *arena, const char *execution_id,
                   const struct pb_page *page, struct pb_remark_list *ret_list,
                   struct pb_error *err)
{
    size_t limit = pb_page_limit(page);
    struct pb_remark_list list = {0};
    struct pb_position position;
    struct pb_array array = {0};
    int64_t before = INT64_MAX;
    char text[24];

    if (pb_page_position(page, arena, &position, err) < 0 ||
        pb_position_number(&position, &before, err) < 0 ||
        pb_db_list(db,
                   "SELECT execution_id, number, question, text, said_by, url, said_at "
                   "FROM remarks WHERE execution_id = ?1 AND number < ?2 "
                   "ORDER BY number DESC LIMIT ?3",
                   PB_VALUES(T(execution_id), I(before), I((int64_t)limit + 1)), arena,
                   sizeof(struct pb_remark), read_remark, &array, err) < 0)
        return -1;
    list.items = array.items;
    list.count = array.count;
    if (list.count > limit) {
        list.count = limit;
        (void)snprintf(text, sizeof(text), "%lld", (long long)list.items[limit - 1].number);
        if (pb_page_next(arena, text, "", &list.next_cursor, err) < 0)
            return -1;
    }
    *ret_list = list;
    return 0;
}
