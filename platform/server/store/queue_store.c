#include "server/store/queue_store.h"

#include "model/priority.h"
#include "server/store/execution_rows_private.h"

enum { ACTIVE_MOST = 100000 }; /* more than nodes can run */

/* --- what is kept in each row ---------------------------------------------------------------------- */

/* Of one work item the oldest open execution goes first. */
static int is_busy(struct pb_db *db, const struct pb_execution *row, bool *ret_busy,
                   struct pb_error *err)
{
    int64_t found = 0;

    if (row->work_item_id &&
        pb_db_number(db, PB_QUEUE_BEFORE("?1", "?2", "?3"),
                     PB_VALUES(I(row->work_item_id), I(row->created_at), T(row->id)), &found,
                     err) < 0)
        return -1;
    *ret_busy = found != 0;
    return 0;
}

int pb_queue_settle(struct pb_db *db, struct pb_execution *row, struct pb_error *err)
{
    bool busy = false;

    if (row->status == PB_EXECUTION_QUEUED && is_busy(db, row, &busy, err) < 0)
        return -1;
    pb_queue_settle_as(row, busy);
    return 0;
}

void pb_queue_settle_as(struct pb_execution *row, bool busy)
{
    row->place = pb_queue_place(row->created_at, row->priority, row->deadline_at);
    if (!pb_execution_is_final(row->status))
        row->completed_at = 0;
    else if (!row->completed_at)
        row->completed_at = row->updated_at;
    if (row->status != PB_EXECUTION_QUEUED) {
        row->queued_reason = row->held_by = NULL;
        row->available_at = row->status == PB_EXECUTION_WAITING_QUOTA ? row->available_at : 0;
        return;
    }
    if (busy)
        row->queued_reason = "work_item_busy";
    else if (row->available_at > row->updated_at)
        row->queued_reason = "not_yet";
    else if (!row->held_by)
        row->queued_reason = NULL;
    if (busy || row->available_at > row->updated_at)
        row->held_by = NULL;
    else
        row->available_at = 0;
}

int pb_queue_next_of_item(struct pb_db *db, const struct pb_execution *ended, struct pb_error *err)
{
    if (!ended->work_item_id)
        return 0;
    return pb_db_run(db,
                     "UPDATE executions SET queued_reason = "
                     "CASE WHEN available_at IS NOT NULL THEN 'not_yet' END "
                     "WHERE status = 'queued' AND queued_reason = 'work_item_busy' AND id = "
                     "(SELECT o.id FROM executions AS o WHERE o.work_item_id = ?1 AND "
                     "o.completed_at IS NULL ORDER BY o.created_at, o.id LIMIT 1)",
                     PB_VALUES(I(ended->work_item_id)), NULL, err);
}

/* --- projects ---------------------------------------------------------------------------------------- */

#define P(kind, member) PB_COLUMN(kind, struct pb_queue_project, member)

static const struct pb_column PROJECT_ITEMS[] = {
    P(TEXT, id),
    PB_COLUMN_NAMED(struct pb_queue_project, status, PB_PROJECT_STATUS_NAMES),
    P(INT, max_concurrent),
    P(INT, queue_weight),
    P(TEXT, active_hours),
    P(TEXT, time_zone),
    P(INT, active),
    P(INT, queued),
};
static const struct pb_columns PROJECT = PB_COLUMNS(PROJECT_ITEMS);

/* Counters, not rows: a project's history costs nothing here. */
#define PROJECT_COLUMNS                                                   \
    "p.id, p.status, p.max_concurrent, p.queue_weight, p.active_hours, "  \
    "p.time_zone, "                                                       \
    "(SELECT coalesce(sum(c.count), 0) FROM execution_counts AS c WHERE " \
    "c.project_id = p.id AND c.status IN ('assigned', 'preparing', "      \
    "'running', 'cancelling')), "                                         \
    "(SELECT coalesce(sum(c.count), 0) FROM execution_counts AS c WHERE " \
    "c.project_id = p.id AND c.status = 'queued') "

#define READY "e.status = 'queued' AND e.queued_reason IS NULL"

/* From project to project over the index of ready rows: a step for each project, not for each row. */
static const char READY_PROJECTS[] =
    "WITH RECURSIVE ready (id) AS ("
    "SELECT (SELECT min(e.project_id) FROM executions AS e WHERE " READY " AND e.project_id > ?1) "
    "UNION ALL "
    "SELECT (SELECT min(e.project_id) FROM executions AS e WHERE " READY
    " AND e.project_id > r.id) "
    "FROM ready AS r WHERE r.id IS NOT NULL) "
    "SELECT " PROJECT_COLUMNS "FROM (SELECT id FROM ready WHERE id IS NOT NULL LIMIT ?2) AS f "
    "JOIN projects AS p ON p.id = f.id ORDER BY p.id";

static const char ONE_PROJECT[] = "SELECT " PROJECT_COLUMNS "FROM projects AS p WHERE p.id = ?1";

static int read_project(struct pb_rows *rows, struct pb_arena *arena, void *ret_item,
                        struct pb_error *err)
{
    return pb_rows_read(rows, 0, &PROJECT, arena, ret_item, err);
}

int pb_queue_projects(struct pb_db *db, struct pb_arena *arena, const char *after_id, size_t limit,
                      struct pb_queue_projects *ret_projects, struct pb_error *err)
{
    struct pb_array array = {0};

    if (pb_db_list(db, READY_PROJECTS, PB_VALUES(T(after_id), I((int64_t)limit)), arena,
                   sizeof(struct pb_queue_project), read_project, &array, err) < 0)
        return -1;
    *ret_projects = (struct pb_queue_projects){array.items, array.count};
    return 0;
}

int pb_queue_project(struct pb_db *db, struct pb_arena *arena, const char *id,
                     struct pb_queue_project **ret_project, struct pb_error *err)
{
    void *found = NULL;

    if (pb_db_one(db, ONE_PROJECT, PB_VALUES(T(id)), arena, sizeof(struct pb_queue_project),
                  read_project, &found, err) < 0)
        return -1;
    if (!found)
        return pb_fail_reason(err, PB_ERROR_NOT_FOUND, "project_not_found", "no project '%s'", id);
    *ret_project = found;
    return 0;
}

/* --- rows ---------------------------------------------------------------------------------------------- */

#define Q(kind, member) PB_COLUMN(kind, struct pb_queue_row, member)

static const struct pb_column ROW_ITEMS[] = {
    Q(TEXT, execution_id), Q(TEXT, project_id), Q(TEXT, requested_by),
    Q(TEXT, labels),       Q(INT, place),
};
static const struct pb_columns ROW = PB_COLUMNS(ROW_ITEMS);

static int read_row(struct pb_rows *rows, struct pb_arena *arena, void *ret_item,
                    struct pb_error *err)
{
    return pb_rows_read(rows, 0, &ROW, arena, ret_item, err);
}

#define ROW_SELECT \
    "SELECT e.id, e.project_id, e.requested_by, e.labels, e.place FROM executions AS e WHERE "

static int list_rows(struct pb_db *db, struct pb_arena *arena, const char *sql, const char *key,
                     size_t limit, struct pb_queue_rows *ret_rows, struct pb_error *err)
{
    struct pb_array array = {0};

    if (pb_db_list(db, sql, PB_VALUES(T(key), I((int64_t)limit)), arena,
                   sizeof(struct pb_queue_row), read_row, &array, err) < 0)
        return -1;
    *ret_rows = (struct pb_queue_rows){array.items, array.count};
    return 0;
}

int pb_queue_heads(struct pb_db *db, struct pb_arena *arena, const char *project_id, size_t limit,
                   struct pb_queue_rows *ret_rows, struct pb_error *err)
{
    return list_rows(db, arena,
                     ROW_SELECT READY " AND e.project_id = ?1 ORDER BY e.place, e.id LIMIT ?2",
                     project_id, limit, ret_rows, err);
}

int pb_queue_held_by(struct pb_db *db, struct pb_arena *arena, const char *held_by, size_t limit,
                     struct pb_queue_rows *ret_rows, struct pb_error *err)
{
    return list_rows(db, arena, ROW_SELECT "e.held_by = ?1 ORDER BY e.place, e.id LIMIT ?2",
                     held_by, limit, ret_rows, err);
}

int pb_queue_ahead(struct pb_db *db, const struct pb_execution *execution, int64_t most,
                   int64_t *ret_count, struct pb_error *err)
{
    return pb_db_number(db,
                        "SELECT count(*) FROM (SELECT 1 AS one FROM executions AS e WHERE " READY
                        " AND e.project_id = ?1 AND (e.place, e.id) < (?2, ?3) LIMIT ?4) AS before",
                        PB_VALUES(T(execution->project_id), I(execution->place), T(execution->id),
                                  I(most)),
                        ret_count, err);
}

/* --- limits --------------------------------------------------------------------------------------------- */

#define W(kind, member) PB_COLUMN(kind, struct pb_queue_load, member)

static const struct pb_column ACTIVE_ITEMS[] = {
    W(TEXT, project_id),
    W(TEXT, requested_by),
    W(TEXT, labels),
    W(TEXT, node),
};
static const struct pb_columns ACTIVE = PB_COLUMNS(ACTIVE_ITEMS);

static int read_active(struct pb_rows *rows, struct pb_arena *arena, void *ret_item,
                       struct pb_error *err)
{
    return pb_rows_read(rows, 0, &ACTIVE, arena, ret_item, err);
}

int pb_queue_active(struct pb_db *db, struct pb_arena *arena, struct pb_queue_loads *ret_loads,
                    struct pb_error *err)
{
    struct pb_array array = {0};

    if (pb_db_list(db,
                   "SELECT project_id, requested_by, labels, node_id FROM executions "
                   "WHERE status IN ('assigned', 'preparing', 'running', 'cancelling') LIMIT ?1",
                   PB_VALUES(I(ACTIVE_MOST)), arena, sizeof(struct pb_queue_load), read_active,
                   &array, err) < 0)
        return -1;
    *ret_loads = (struct pb_queue_loads){array.items, array.count};
    return 0;
}

int pb_queue_hold(struct pb_db *db, const char *execution_id, const char *reason,
                  const char *limit_key, struct pb_error *err)
{
    return pb_db_run(db,
                     "UPDATE executions SET queued_reason = ?2, "
                     "held_by = project_id || ' ' || ?3 "
                     "WHERE id = ?1 AND status = 'queued' AND "
                     "(queued_reason IS NULL OR held_by IS NOT NULL)",
                     PB_VALUES(T(execution_id), T(reason), T(limit_key)), NULL, err);
}

int pb_queue_release(struct pb_db *db, const char *execution_id, struct pb_error *err)
{
    return pb_db_run(db,
                     "UPDATE executions SET queued_reason = NULL, held_by = NULL "
                     "WHERE id = ?1 AND status = 'queued' AND held_by IS NOT NULL",
                     PB_VALUES(T(execution_id)), NULL, err);
}

static int read_key(struct pb_rows *rows, struct pb_arena *arena, void *ret_item,
                    struct pb_error *err)
{
    const char **key = ret_item;

    *key = pb_arena_text(arena, pb_rows_text(rows, 0));
    return *key ? 0 : pb_fail_arena(err);
}

int pb_queue_held(struct pb_db *db, struct pb_arena *arena, struct pb_queue_held *ret_held,
                  struct pb_error *err)
{
    struct pb_array array = {0};

    if (pb_db_list(db,
                   "WITH RECURSIVE held (key) AS ("
                   "SELECT (SELECT min(e.held_by) FROM executions AS e "
                   "WHERE e.held_by IS NOT NULL) "
                   "UNION ALL SELECT (SELECT min(e.held_by) FROM executions AS e "
                   "WHERE e.held_by > h.key) FROM held AS h WHERE h.key IS NOT NULL) "
                   "SELECT key FROM held WHERE key IS NOT NULL",
                   PB_NO_VALUES, arena, sizeof(const char *), read_key, &array, err) < 0)
        return -1;
    *ret_held = (struct pb_queue_held){array.items, array.count};
    return 0;
}

int pb_queue_release_due(struct pb_db *db, int64_t now_ms, int64_t count, int64_t *ret_released,
                         struct pb_error *err)
{
    return pb_db_run(db,
                     "UPDATE executions SET available_at = NULL, queued_reason = "
                     "CASE WHEN queued_reason = 'not_yet' THEN NULL ELSE queued_reason END "
                     "WHERE status = 'queued' AND id IN (SELECT o.id FROM executions AS o "
                     "WHERE o.available_at <= ?1 AND o.status = 'queued' "
                     "ORDER BY o.available_at LIMIT ?2)",
                     PB_VALUES(I(now_ms), I(count)), ret_released, err);
}

#define L(kind, member) PB_COLUMN(kind, struct pb_queue_limit, member)

static const struct pb_column LIMIT_ITEMS[] = {
    PB_COLUMN_NAMED(struct pb_queue_limit, kind, PB_QUEUE_LIMIT_NAMES),
    L(TEXT, project_id),
    L(TEXT, subject),
    L(INT, max),
};
static const struct pb_columns LIMIT = PB_COLUMNS(LIMIT_ITEMS);

static int read_limit(struct pb_rows *rows, struct pb_arena *arena, void *ret_item,
                      struct pb_error *err)
{
    return pb_rows_read(rows, 0, &LIMIT, arena, ret_item, err);
}

int pb_queue_limit_list(struct pb_db *db, struct pb_arena *arena,
                        struct pb_queue_limits *ret_limits, struct pb_error *err)
{
    struct pb_array array = {0};

    if (pb_db_list(db,
                   "SELECT kind, project_id, subject, max FROM queue_limits "
                   "ORDER BY kind, project_id, subject",
                   PB_NO_VALUES, arena, sizeof(struct pb_queue_limit), read_limit, &array, err) < 0)
        return -1;
    *ret_limits = (struct pb_queue_limits){array.items, array.count};
    return 0;
}

int pb_queue_limit_replace(struct pb_db *db, const struct pb_queue_limits *limits,
                           struct pb_error *err)
{
    if (pb_db_run(db, "DELETE FROM queue_limits", PB_NO_VALUES, NULL, err) < 0)
        return -1;
    for (size_t i = 0; i < limits->count; i++) {
        const struct pb_queue_limit *limit = &limits->items[i];

        if (pb_db_run(db,
                      "INSERT INTO queue_limits (kind, project_id, subject, max) "
                      "VALUES (?1, ?2, ?3, ?4)",
                      PB_VALUES(T(pb_names_get(&PB_QUEUE_LIMIT_NAMES, (int)limit->kind)),
                                T(limit->project_id), T(limit->subject), I(limit->max)),
                      NULL, err) < 0)
            return -1;
    }
    return 0;
}
