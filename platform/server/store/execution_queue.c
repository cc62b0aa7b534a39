/* The half of execution_store.h that the scheduler lives on: claims, the queue, what becomes due.
 * */
#include "server/store/execution_rows_private.h"

static int insert_attempt(struct pb_db *db, const struct pb_execution *execution, int64_t now_ms,
                          int64_t lease_until_ms, struct pb_error *err)
{
    return pb_db_run(db,
                     "INSERT INTO attempts (execution_id, number, fence, node_id, status, "
                     "assigned_at, lease_until) VALUES (?1, ?2, ?3, ?4, 'assigned', ?5, ?6)",
                     PB_VALUES(T(execution->id), I(execution->attempt_count), I(execution->fence),
                               T(execution->node_id), I(now_ms), pb_value_time(lease_until_ms)),
                     NULL, err);
}

int pb_execution_claim(struct pb_db *db, struct pb_arena *arena, const char *id,
                       const char *node_id, int64_t now_ms, int64_t lease_until_ms,
                       struct pb_execution **ret_execution, struct pb_error *err)
{
    enum pb_execution_status from, to;
    struct pb_execution *execution = NULL;

    if (pb_execution_load(db, arena, id, &execution, err) < 0)
        return -1;
    from = execution->status;
    if (pb_execution_next(from, PB_EXECUTION_EVENT_ASSIGN, &to, err) < 0)
        return pb_fail_reason(err, PB_ERROR_CONFLICT, "changed_meanwhile", "execution %s is %s", id,
                              pb_execution_status_name(from));
    execution->status = to;
    execution->fence++;
    execution->attempt_count++;
    execution->node_id = node_id;
    execution->queued_reason = NULL;
    execution->updated_at = now_ms;
    if (pb_execution_save(db, execution, from, err) < 0 ||
        insert_attempt(db, execution, now_ms, lease_until_ms, err) < 0)
        return pb_fail_in(err, "claim %s", id);
    execution->version++;
    *ret_execution = execution;
    return 0;
}

/* --- the queue -----------------------------------------------------------------------------------
 * */

#define Q(kind, member) PB_COLUMN(kind, struct pb_queue_row, member)

static const struct pb_column QUEUE_ITEMS[] = {
    Q(TEXT, execution_id),   Q(TEXT, project_id),   Q(TIME, work_item_id),  Q(TEXT, driver),
    Q(TEXT, queued_reason),  Q(TIME, available_at), Q(INT, priority),       Q(INT, created_at),
    Q(TEXT, project_status), Q(TEXT, node_id),      Q(INT, max_concurrent), Q(INT, active),
    Q(BOOL, work_item_busy),
};
static const struct pb_columns QUEUE = PB_COLUMNS(QUEUE_ITEMS);

/* Counters, not rows: a project's history costs nothing here. */
#define ACTIVE                                                               \
    "(SELECT coalesce(sum(c.count), 0) FROM execution_counts AS c WHERE "    \
    "c.project_id = e.project_id AND c.status IN ('assigned', 'preparing', " \
    "'running', 'cancelling'))"

/* One execution per work item at a time, in the order they came. */
#define BUSY                                                                       \
    "EXISTS (SELECT 1 FROM executions AS o WHERE o.work_item_id = e.work_item_id " \
    "AND o.id <> e.id AND (o.status IN ('assigned', 'preparing', 'running', "      \
    "'cancelling', 'waiting_input', 'waiting_approval', 'waiting_quota') OR "      \
    "(o.status = 'queued' AND (o.created_at, o.id) < (e.created_at, e.id))))"

#define QUEUE_SELECT                                                                           \
    "SELECT e.id, e.project_id, e.work_item_id, e.driver, e.queued_reason, "                   \
    "e.available_at, e.priority, e.created_at, p.status, p.node_id, p.max_concurrent, " ACTIVE \
    ", " BUSY " FROM executions AS e JOIN projects AS p ON p.id = e.project_id "               \
    "WHERE e.status = 'queued'"
#define QUEUE_ORDER " ORDER BY e.priority DESC, e.created_at, e.id LIMIT ?2"

static const char ALL_QUEUED[] = QUEUE_SELECT " AND ?1 = ?1" QUEUE_ORDER;
/* || '' keeps the planner from going project by project: the queue is short, its index has the
 * order. */
static const char RUNNABLE[] =
    QUEUE_SELECT " AND p.status || '' = 'active' AND coalesce(e.available_at, 0) <= ?1 AND " ACTIVE
                 " < p.max_concurrent AND NOT " BUSY QUEUE_ORDER;

static int read_queue_row(struct pb_rows *rows, struct pb_arena *arena, void *ret_item,
                          struct pb_error *err)
{
    return pb_rows_read(rows, 0, &QUEUE, arena, ret_item, err);
}

int pb_execution_queue(struct pb_db *db, struct pb_arena *arena, int64_t now_ms, bool runnable_only,
                       size_t limit, struct pb_queue *ret_queue, struct pb_error *err)
{
    struct pb_array array = {0};

    if (pb_db_list(db, runnable_only ? RUNNABLE : ALL_QUEUED,
                   PB_VALUES(I(now_ms), I((int64_t)limit)), arena, sizeof(struct pb_queue_row),
                   read_queue_row, &array, err) < 0)
        return -1;
    *ret_queue = (struct pb_queue){array.items, array.count};
    return 0;
}

int pb_execution_due(struct pb_db *db, struct pb_arena *arena, int64_t now_ms, size_t limit,
                     struct pb_execution_list *ret_list, struct pb_error *err)
{
    struct pb_array array = {0};
    struct pb_buf sql;
    int r;

    pb_buf_init(&sql, 16 << 10);
    pb_execution_put_select(&sql);
    pb_buf_text(&sql, " WHERE e.status = 'waiting_quota' AND e.available_at <= ?1 "
                      "ORDER BY e.available_at LIMIT ?2");
    r = pb_db_list(db, pb_buf_string(&sql), PB_VALUES(I(now_ms), I((int64_t)limit)), arena,
                   sizeof(struct pb_execution), pb_execution_read, &array, err);
    pb_buf_release(&sql);
    if (r < 0)
        return -1;
    *ret_list = (struct pb_execution_list){.items = array.items, .count = array.count};
    return 0;
}

int pb_execution_next_due(struct pb_db *db, int64_t now_ms, int64_t *ret_at, struct pb_error *err)
{
    /* A queued one whose time has come waits for something else; a quota one is due right now. */
    return pb_db_number(db,
                        "SELECT min(available_at) FROM executions WHERE "
                        "status IN ('queued', 'waiting_quota') AND available_at IS NOT NULL AND "
                        "(available_at > ?1 OR status = 'waiting_quota')",
                        PB_VALUES(I(now_ms)), ret_at, err);
}

int pb_execution_stats_since(struct pb_db *db, int64_t since_ms,
                             struct pb_execution_stats *ret_stats, struct pb_error *err)
{
    struct pb_rows *rows =
        pb_db_query(db,
                    "SELECT coalesce(sum(CASE WHEN status = 'succeeded' THEN 1 ELSE 0 END), 0), "
                    "coalesce(sum(CASE WHEN status IN ('failed', 'timed_out', 'budget_exhausted') "
                    "THEN 1 ELSE 0 END), 0), coalesce(sum(cost_micro_usd), 0) "
                    "FROM executions WHERE completed_at IS NOT NULL AND completed_at >= ?1",
                    PB_VALUES(I(since_ms)), err);
    int r;

    if (!rows)
        return -1;
    r = pb_rows_next(rows, err);
    if (r > 0)
        *ret_stats = (struct pb_execution_stats){pb_rows_int(rows, 0), pb_rows_int(rows, 1),
                                                 pb_rows_int(rows, 2)};
    pb_rows_end(rows);
    return r < 0 ? -1 : 0;
}
