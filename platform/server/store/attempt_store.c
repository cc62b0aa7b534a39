/* The half of execution_store.h about attempts. */
#include "server/store/execution_rows_private.h"

#define A(kind, member)     PB_COLUMN(kind, struct pb_attempt, member)
#define USAGE(kind, member) PB_COLUMN_OF(kind, struct pb_attempt, #member, usage.member)

static const struct pb_column KEYS[] = {
    A(TEXT, execution_id), A(INT, number), A(INT, fence), A(TEXT, node_id), A(INT, assigned_at),
};

static const struct pb_column CHANGING[] = {
    PB_COLUMN_NAMED(struct pb_attempt, status, PB_ATTEMPT_STATUS_NAMES),
    A(TEXT, outcome),
    A(TIME, started_at),
    A(TIME, ended_at),
    A(TIME, lease_until),
    A(INT, next_line),
    A(TEXT, session_id),
    A(TEXT, reason_kind),
    A(TEXT, reason),
    A(UNKNOWN, exit_code),
    A(TIME, exit_signal),
    A(INT, num_turns),
    USAGE(INT, calls),
    USAGE(INT, input_tokens),
    USAGE(INT, output_tokens),
    USAGE(INT, cache_read_tokens),
    USAGE(INT, cache_write_tokens),
    USAGE(UNKNOWN, cost_micro_usd),
};

static const struct pb_columns KEY_COLUMNS = PB_COLUMNS(KEYS);
static const struct pb_columns CHANGING_COLUMNS = PB_COLUMNS(CHANGING);
enum { COLUMNS_MAX = 32, SQL_MAX = 8192 };

static int read_attempt(struct pb_rows *rows, struct pb_arena *arena, void *ret_item,
                        struct pb_error *err)
{
    if (pb_rows_read(rows, 0, &KEY_COLUMNS, arena, ret_item, err) < 0)
        return -1;
    return pb_rows_read(rows, (int)KEY_COLUMNS.count, &CHANGING_COLUMNS, arena, ret_item, err);
}

static void put_select(struct pb_buf *sql)
{
    pb_buf_text(sql, "SELECT ");
    pb_sql_columns(sql, "a", &KEY_COLUMNS);
    pb_buf_text(sql, ", ");
    pb_sql_columns(sql, "a", &CHANGING_COLUMNS);
    pb_buf_text(sql, " FROM attempts AS a");
}

static int list(struct pb_db *db, struct pb_arena *arena, const char *rest,
                const struct pb_values *values, struct pb_attempt_list *ret_list,
                struct pb_error *err)
{
    struct pb_array array = {0};
    struct pb_buf sql;
    int r;

    pb_buf_init(&sql, SQL_MAX);
    put_select(&sql);
    pb_buf_text(&sql, rest);
    r = pb_db_list(db, pb_buf_string(&sql), values, arena, sizeof(struct pb_attempt), read_attempt,
                   &array, err);
    pb_buf_release(&sql);
    if (r == 0)
        *ret_list = (struct pb_attempt_list){array.items, array.count};
    return r;
}

static int fail_no_attempt(const char *execution_id, int64_t number, struct pb_error *err)
{
    return pb_fail_reason(err, PB_ERROR_NOT_FOUND, "attempt_not_found",
                          "execution %.40s has no attempt %lld", execution_id, (long long)number);
}

int pb_attempt_load(struct pb_db *db, struct pb_arena *arena, const char *execution_id,
                    int64_t number, struct pb_attempt **ret_attempt, struct pb_error *err)
{
    struct pb_attempt_list found = {0};

    if (list(db, arena, " WHERE a.execution_id = ?1 AND a.number = ?2",
             PB_VALUES(T(execution_id), I(number)), &found, err) < 0)
        return -1;
    if (found.count == 0)
        return fail_no_attempt(execution_id, number, err);
    *ret_attempt = found.items;
    return 0;
}

struct both {
    struct pb_execution execution;
    struct pb_attempt attempt; /* execution_id NULL: there is none of this number */
};

static int read_both(struct pb_rows *rows, struct pb_arena *arena, void *ret_item,
                     struct pb_error *err)
{
    struct both *both = ret_item;
    int column;

    if (pb_execution_read_whole(rows, arena, &both->execution, &column, err) < 0)
        return -1;
    if (pb_rows_is_null(rows, column))
        return 0;
    if (pb_rows_read(rows, column, &KEY_COLUMNS, arena, &both->attempt, err) < 0)
        return -1;
    return pb_rows_read(rows, column + (int)KEY_COLUMNS.count, &CHANGING_COLUMNS, arena,
                        &both->attempt, err);
}

static void put_load_both(struct pb_buf *sql)
{
    pb_execution_put_columns(sql);
    pb_buf_text(sql, ", ");
    pb_sql_columns(sql, "t", &KEY_COLUMNS);
    pb_buf_text(sql, ", ");
    pb_sql_columns(sql, "t", &CHANGING_COLUMNS);
    pb_execution_put_from(sql);
    pb_buf_text(sql, " LEFT JOIN attempts AS t ON t.execution_id = e.id AND t.number = ?2 "
                     "WHERE e.id = ?1");
}

int pb_attempt_load_both(struct pb_db *db, struct pb_arena *arena, const char *execution_id,
                         int64_t number, struct pb_execution **ret_execution,
                         struct pb_attempt **ret_attempt, struct pb_error *err)
{
    struct both *both;
    static struct pb_sql sql;
    const char *text = pb_sql_once(&sql, put_load_both, err);
    void *found = NULL;

    if (!text || pb_db_one(db, text, PB_VALUES(T(execution_id), I(number)), arena,
                           sizeof(struct both), read_both, &found, err) < 0)
        return -1;
    if (!found)
        return pb_execution_fail_not_found(execution_id, err);
    both = found;
    if (!both->attempt.execution_id)
        return fail_no_attempt(execution_id, number, err);
    *ret_execution = &both->execution;
    *ret_attempt = &both->attempt;
    return 0;
}

int pb_attempt_list(struct pb_db *db, struct pb_arena *arena, const char *execution_id,
                    struct pb_attempt_list *ret_list, struct pb_error *err)
{
    return list(db, arena, " WHERE a.execution_id = ?1 ORDER BY a.number",
                PB_VALUES(T(execution_id)), ret_list, err);
}

int pb_attempt_live(struct pb_db *db, struct pb_arena *arena, const char *project_id,
                    const char *node_id, struct pb_attempt_list *ret_list, struct pb_error *err)
{
    struct pb_buf rest;
    int r;

    pb_buf_init(&rest, 1024);
    pb_buf_text(&rest, " JOIN executions AS e ON e.id = a.execution_id "
                       "WHERE a.status NOT IN ('ended', 'lost')");
    pb_buf_text(&rest, project_id ? " AND e.project_id = ?1" : "");
    pb_buf_text(&rest, node_id ? " AND a.node_id = ?2" : "");
    pb_buf_text(&rest, " ORDER BY a.execution_id, a.number");
    r = list(db, arena, pb_buf_string(&rest), PB_VALUES(T(project_id), T(node_id)), ret_list, err);
    pb_buf_release(&rest);
    return r;
}

static void put_save(struct pb_buf *sql)
{
    pb_buf_text(sql, "UPDATE attempts SET ");
    pb_sql_assign(sql, &CHANGING_COLUMNS, 4);
    pb_buf_text(sql, " WHERE execution_id = ?1 AND number = ?2 AND fence = ?3");
}

int pb_attempt_save(struct pb_db *db, const struct pb_attempt *attempt, struct pb_error *err)
{
    struct pb_value values[COLUMNS_MAX] = {T(attempt->execution_id), I(attempt->number),
                                           I(attempt->fence)};
    static struct pb_sql sql;
    const char *text = pb_sql_once(&sql, put_save, err);
    struct pb_error otherwise;

    if (!text)
        return -1;
    (void)pb_fail_reason(&otherwise, PB_ERROR_CONFLICT, "stale_fence",
                         "attempt %s.%lld is not at fence %lld", attempt->execution_id,
                         (long long)attempt->number, (long long)attempt->fence);
    pb_columns_values(&CHANGING_COLUMNS, attempt, values + 3);
    return pb_db_run_one(db, text, &(struct pb_values){values, CHANGING_COLUMNS.count + 3},
                         &otherwise, err);
}

int pb_attempt_usage_sum(struct pb_db *db, const char *execution_id,
                         struct pb_execution_usage *ret_usage, struct pb_error *err)
{
    struct pb_rows *rows =
        pb_db_query(db,
                    "SELECT coalesce(sum(calls), 0), coalesce(sum(input_tokens), 0), "
                    "coalesce(sum(output_tokens), 0), coalesce(sum(cache_read_tokens), 0), "
                    "coalesce(sum(cache_write_tokens), 0), coalesce(sum(cost_micro_usd), -1) "
                    "FROM attempts WHERE execution_id = ?1",
                    PB_VALUES(T(execution_id)), err);
    int r;

    if (!rows)
        return -1;
    r = pb_rows_next(rows, err);
    if (r > 0)
        *ret_usage = (struct pb_execution_usage){pb_rows_int(rows, 0), pb_rows_int(rows, 1),
                                                 pb_rows_int(rows, 2), pb_rows_int(rows, 3),
                                                 pb_rows_int(rows, 4), pb_rows_int(rows, 5)};
    pb_rows_end(rows);
    return r < 0 ? -1 : 0;
}
