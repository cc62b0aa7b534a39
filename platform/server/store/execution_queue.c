/* The half of execution_store.h that the scheduler lives on: claims, the queue, what becomes due.
 * */
#include "server/store/execution_rows_private.h"

static int insert_attempt(struct pb_db *db, const struct pb_execution *execution,
                          const struct pb_claim *claim, struct pb_error *err)
{
    return pb_db_run(db,
                     "INSERT INTO attempts (execution_id, number, fence, node_id, status, "
                     "assigned_at, lease_until, claim_token) "
                     "VALUES (?1, ?2, ?3, ?4, 'assigned', ?5, ?6, ?7)",
                     PB_VALUES(T(execution->id), I(execution->attempt_count), I(execution->fence),
                               T(execution->node_id), I(claim->now_ms),
                               pb_value_time(claim->lease_until_ms), T(claim->token)),
                     NULL, err);
}

/* Is the execution's present attempt the one that this claim made before? */
static int is_repeated(struct pb_db *db, const struct pb_execution *execution,
                       const struct pb_claim *claim, bool *ret_repeated, struct pb_error *err)
{
    int64_t number = 0;

    if (claim->token && execution->attempt_count > 0 &&
        pb_db_number(db, "SELECT number FROM attempts WHERE claim_token = ?1 AND execution_id = ?2",
                     PB_VALUES(T(claim->token), T(execution->id)), &number, err) < 0)
        return -1;
    *ret_repeated = number > 0 && number == execution->attempt_count;
    return 0;
}

int pb_execution_claim(struct pb_db *db, struct pb_arena *arena, const struct pb_claim *claim,
                       struct pb_execution **ret_execution, struct pb_error *err)
{
    enum pb_execution_status from, to;
    struct pb_execution *execution = NULL;
    bool repeated = false;

    if (pb_execution_load(db, arena, claim->execution_id, &execution, err) < 0)
        return -1;
    from = execution->status;
    if (from == PB_EXECUTION_ASSIGNED && is_repeated(db, execution, claim, &repeated, err) < 0)
        return -1;
    if (repeated) {
        *ret_execution = execution;
        return 0;
    }
    if (execution->queued_reason ||
        pb_execution_next(from, PB_EXECUTION_EVENT_ASSIGN, &to, err) < 0)
        return pb_fail_reason(err, PB_ERROR_CONFLICT, "changed_meanwhile", "execution %s is %s%s",
                              claim->execution_id, pb_execution_status_name(from),
                              execution->queued_reason ? " and not ready" : "");
    execution->status = to;
    execution->fence++;
    execution->attempt_count++;
    execution->node_id = claim->node_id;
    execution->updated_at = claim->now_ms;
    if (pb_execution_save(db, execution, from, err) < 0 ||
        insert_attempt(db, execution, claim, err) < 0)
        return pb_fail_in(err, "claim %s", claim->execution_id);
    execution->version++;
    *ret_execution = execution;
    return 0;
}

int pb_execution_is_claimed(struct pb_db *db, const char *token, bool *ret_claimed,
                            struct pb_error *err)
{
    int64_t number = 0;

    if (pb_db_number(db, "SELECT number FROM attempts WHERE claim_token = ?1", PB_VALUES(T(token)),
                     &number, err) < 0)
        return -1;
    *ret_claimed = number > 0;
    return 0;
}

/* --- what is due ----------------------------------------------------------------------------------- */

static int list(struct pb_db *db, struct pb_arena *arena, const char *rest,
                const struct pb_values *values, struct pb_execution_list *ret_list,
                struct pb_error *err)
{
    struct pb_array array = {0};
    struct pb_buf sql;
    int r;

    pb_buf_init(&sql, 16 << 10);
    pb_execution_put_select(&sql);
    pb_buf_text(&sql, rest);
    r = pb_db_list(db, pb_buf_string(&sql), values, arena, sizeof(struct pb_execution),
                   pb_execution_read, &array, err);
    pb_buf_release(&sql);
    if (r == 0)
        *ret_list = (struct pb_execution_list){.items = array.items, .count = array.count};
    return r;
}

int pb_execution_due(struct pb_db *db, struct pb_arena *arena, int64_t now_ms, size_t limit,
                     struct pb_execution_list *ret_list, struct pb_error *err)
{
    return list(db, arena,
                " WHERE e.available_at <= ?1 AND e.status = 'waiting_quota' "
                "ORDER BY e.available_at LIMIT ?2",
                PB_VALUES(I(now_ms), I((int64_t)limit)), ret_list, err);
}

int pb_execution_cancelling(struct pb_db *db, struct pb_arena *arena, size_t limit,
                            struct pb_execution_list *ret_list, struct pb_error *err)
{
    return list(db, arena,
                " WHERE e.status = 'cancelling' ORDER BY e.cancel_requested_at, e.id LIMIT ?1",
                PB_VALUES(I((int64_t)limit)), ret_list, err);
}

/* Only what waits for a time has one: settling a row takes it away, so does the time itself. */
int pb_execution_next_due(struct pb_db *db, int64_t *ret_at, struct pb_error *err)
{
    return pb_db_number(db,
                        "SELECT min(available_at) FROM executions WHERE available_at IS NOT NULL",
                        PB_NO_VALUES, ret_at, err);
}

int pb_execution_agenda(struct pb_db *db, struct pb_execution_agenda *ret_agenda,
                        struct pb_error *err)
{
    struct pb_rows *rows = pb_db_query(
        db,
        "SELECT (SELECT min(available_at) FROM executions WHERE available_at IS NOT NULL), "
        "(SELECT count(*) FROM (SELECT 1 AS one FROM executions WHERE status = 'cancelling' "
        "LIMIT 1) AS c), "
        "(SELECT count(*) FROM (SELECT 1 AS one FROM executions WHERE held_by IS NOT NULL "
        "LIMIT 1) AS h)",
        PB_NO_VALUES, err);
    int r;

    if (!rows)
        return -1;
    r = pb_rows_next(rows, err);
    if (r > 0)
        *ret_agenda = (struct pb_execution_agenda){pb_rows_int(rows, 0), pb_rows_int(rows, 1) > 0,
                                                   pb_rows_int(rows, 2) > 0};
    pb_rows_end(rows);
    return r < 0 ? -1 : 0;
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
