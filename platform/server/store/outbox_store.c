#include "server/store/outbox_store.h"

#include "server/store/db_private.h"

#define O(kind, member) PB_COLUMN(kind, struct pb_outbox_row, member)

static const struct pb_column ITEMS[] = {
    O(INT, id),      O(TEXT, project_id), O(INT, work_item_id), O(TEXT, execution_id),
    O(TEXT, kind),   O(TEXT, payload),    O(INT, revision),     O(INT, attempts),
    O(INT, next_at), O(TEXT, last_error), O(INT, created_at),   O(TIME, done_at),
};
static const struct pb_columns COLUMNS = PB_COLUMNS(ITEMS);

static int read_row(struct pb_rows *rows, struct pb_arena *arena, void *ret_item,
                    struct pb_error *err)
{
    return pb_rows_read(rows, 0, &COLUMNS, arena, ret_item, err);
}

int pb_outbox_put(struct pb_db *db, const char *project_id, int64_t work_item_id,
                  const char *execution_id, const char *kind, const char *payload, int64_t now_ms,
                  struct pb_error *err)
{
    return pb_db_run(
        db,
        "INSERT INTO outbox (project_id, work_item_id, execution_id, kind, payload, next_at, "
        "created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6) "
        "ON CONFLICT (work_item_id, kind) WHERE done_at IS NULL DO UPDATE SET "
        "execution_id = excluded.execution_id, payload = excluded.payload, "
        "next_at = excluded.next_at, attempts = 0, revision = outbox.revision + 1",
        PB_VALUES(T(project_id), I(work_item_id), T(execution_id), T(kind), T(payload), I(now_ms)),
        NULL, err);
}

int pb_outbox_due(struct pb_db *db, struct pb_arena *arena, int64_t now_ms, size_t limit,
                  struct pb_outbox_list *ret_list, struct pb_error *err)
{
    struct pb_array found = {0};

    if (pb_db_list(db,
                   "SELECT id, project_id, work_item_id, execution_id, kind, payload, revision, "
                   "attempts, next_at, last_error, created_at, done_at FROM outbox "
                   "WHERE done_at IS NULL AND next_at <= ?1 ORDER BY next_at, id LIMIT ?2",
                   PB_VALUES(I(now_ms), I((int64_t)limit)), arena, sizeof(struct pb_outbox_row),
                   read_row, &found, err) < 0)
        return -1;
    *ret_list = (struct pb_outbox_list){found.items, found.count};
    return 0;
}

int pb_outbox_next_at(struct pb_db *db, int64_t *ret_at, struct pb_error *err)
{
    return pb_db_number(db, "SELECT min(next_at) FROM outbox WHERE done_at IS NULL", PB_NO_VALUES,
                        ret_at, err);
}

int pb_outbox_done(struct pb_db *db, int64_t id, int64_t revision, int64_t now_ms, bool *ret_more,
                   struct pb_error *err)
{
    int64_t changed = 0, live = 0;

    if (pb_db_run(db,
                  "UPDATE outbox SET done_at = ?3, last_error = NULL "
                  "WHERE id = ?1 AND revision = ?2 AND done_at IS NULL",
                  PB_VALUES(I(id), I(revision), I(now_ms)), &changed, err) < 0 ||
        pb_db_number(db, "SELECT count(*) FROM outbox WHERE id = ?1 AND done_at IS NULL",
                     PB_VALUES(I(id)), &live, err) < 0)
        return -1;
    *ret_more = changed == 0 && live > 0;
    return 0;
}

int pb_outbox_retry(struct pb_db *db, int64_t id, int64_t revision, int64_t next_at,
                    const char *error, struct pb_error *err)
{
    return pb_db_run(db,
                     "UPDATE outbox SET next_at = ?3, last_error = ?4, attempts = attempts + 1 "
                     "WHERE id = ?1 AND revision = ?2 AND done_at IS NULL",
                     PB_VALUES(I(id), I(revision), I(next_at), T(error)), NULL, err);
}

int pb_outbox_give_up(struct pb_db *db, int64_t id, int64_t revision, int64_t now_ms,
                      const char *error, struct pb_error *err)
{
    return pb_db_run(db,
                     "UPDATE outbox SET done_at = ?3, last_error = ?4, attempts = attempts + 1 "
                     "WHERE id = ?1 AND revision = ?2 AND done_at IS NULL",
                     PB_VALUES(I(id), I(revision), I(now_ms), T(error)), NULL, err);
}

int pb_outbox_purge(struct pb_db *db, int64_t before_ms, int64_t limit, int64_t *ret_removed,
                    struct pb_error *err)
{
    return pb_db_run(db,
                     "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox "
                     "WHERE done_at IS NOT NULL AND done_at < ?1 ORDER BY done_at LIMIT ?2)",
                     PB_VALUES(I(before_ms), I(limit)), ret_removed, err);
}
