#include "server/store/log_holding.h"

#include "server/store/db_private.h"

static int read_holding(struct pb_rows *rows, struct pb_arena *arena, void *ret_item,
                        struct pb_error *err)
{
    struct pb_log_holding *item = ret_item;

    item->id = pb_arena_text(arena, pb_rows_text(rows, 0));
    item->created_at = pb_rows_int(rows, 1);
    item->bytes = pb_rows_int(rows, 2);
    item->completed_at = pb_rows_int(rows, 3);
    item->is_kept = !pb_rows_is_null(rows, 4);
    return item->id ? 0 : pb_fail_arena(err);
}

int pb_log_holdings_list(struct pb_db *db, struct pb_arena *arena, const char *project_id,
                         const struct pb_log_holding *after, size_t limit,
                         struct pb_log_holdings *ret_list, struct pb_error *err)
{
    struct pb_array array;

    if (pb_db_list(db,
                   "SELECT id, created_at, log_bytes, completed_at, logs FROM executions "
                   "WHERE project_id = ?1 AND (created_at, id) < (?2, ?3) "
                   "ORDER BY created_at DESC, id DESC LIMIT ?4",
                   PB_VALUES(T(project_id), I(after ? after->created_at : INT64_MAX),
                             T(after ? after->id : ""), I((int64_t)limit)),
                   arena, sizeof(struct pb_log_holding), read_holding, &array, err) < 0)
        return -1;
    *ret_list = (struct pb_log_holdings){array.items, array.count};
    return 0;
}

int pb_log_holdings_old(struct pb_db *db, struct pb_arena *arena, int64_t before_ms,
                        const struct pb_log_holding *after, size_t limit,
                        struct pb_log_holdings *ret_list, struct pb_error *err)
{
    struct pb_array array;

    if (pb_db_list(db,
                   "SELECT id, created_at, log_bytes, completed_at, logs FROM executions "
                   "WHERE logs IS NOT NULL AND completed_at < ?1 AND (completed_at, id) > (?2, ?3) "
                   "ORDER BY completed_at, id LIMIT ?4",
                   PB_VALUES(I(before_ms), I(after ? after->completed_at : 0),
                             T(after ? after->id : ""), I((int64_t)limit)),
                   arena, sizeof(struct pb_log_holding), read_holding, &array, err) < 0)
        return -1;
    *ret_list = (struct pb_log_holdings){array.items, array.count};
    return 0;
}

int pb_log_holding_drop(struct pb_db *db, const char *id, int64_t now_ms, struct pb_error *err)
{
    return pb_db_run(db,
                     "UPDATE executions SET logs = NULL, log_lines = 0, log_bytes = 0, "
                     "version = version + 1, updated_at = ?2 WHERE id = ?1 AND logs IS NOT NULL",
                     PB_VALUES(T(id), I(now_ms)), NULL, err);
}
