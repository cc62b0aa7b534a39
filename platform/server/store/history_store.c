#include "server/store/history_store.h"

#include "server/store/db_private.h"

static int read_old(struct pb_rows *rows, struct pb_arena *arena, void *ret_item,
                    struct pb_error *err)
{
    struct pb_old_execution *item = ret_item;

    item->id = pb_arena_text(arena, pb_rows_text(rows, 0));
    item->project_id = pb_arena_text(arena, pb_rows_text(rows, 1));
    item->completed_at = pb_rows_int(rows, 2);
    item->may_go = pb_rows_int(rows, 3) != 0;
    return item->id && item->project_id ? 0 : pb_fail_arena(err);
}

int pb_history_old(struct pb_db *db, struct pb_arena *arena, const struct pb_history_wish *wish,
                   struct pb_old_executions *ret_list, struct pb_error *err)
{
    struct pb_array array;
    int64_t keep = wish->keep > 1 ? wish->keep : 1; /* numbers go on from the last one */

    if (pb_db_list(db,
                   "SELECT e.id, e.project_id, e.completed_at, "
                   "CASE WHEN e.number <= (SELECT max(o.number) FROM executions AS o "
                   "WHERE o.project_id = e.project_id) - ?4 THEN 1 ELSE 0 END "
                   "FROM executions AS e "
                   "WHERE e.completed_at < ?1 AND (e.completed_at, e.id) > (?2, ?3) "
                   "ORDER BY e.completed_at, e.id LIMIT ?5",
                   PB_VALUES(I(wish->before_ms), I(wish->completed_at), T(wish->id), I(keep),
                             I((int64_t)wish->limit)),
                   arena, sizeof(struct pb_old_execution), read_old, &array, err) < 0)
        return -1;
    *ret_list = (struct pb_old_executions){array.items, array.count};
    return 0;
}

int pb_history_remove(struct pb_db *db, const char *id, struct pb_error *err)
{
    if (pb_db_run(db,
                  "UPDATE execution_counts SET count = count - 1 WHERE (project_id, status) = "
                  "(SELECT e.project_id, e.status FROM executions AS e "
                  "WHERE e.id = ?1 AND e.completed_at IS NOT NULL)",
                  PB_VALUES(T(id)), NULL, err) < 0)
        return -1;
    return pb_db_run(db, "DELETE FROM executions WHERE id = ?1 AND completed_at IS NOT NULL",
                     PB_VALUES(T(id)), NULL, err);
}
