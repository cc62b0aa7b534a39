#include "server/store/execution_store.h"

#include <string.h>

#include "model/limits.h"
#include "server/store/execution_rows_private.h"

#define E(kind, member)     PB_COLUMN(kind, struct pb_execution, member)
#define USAGE(kind, member) PB_COLUMN_OF(kind, struct pb_execution, #member, usage.member)

/* What was asked: written once. */
static const struct pb_column ASKED[] = {
    E(TEXT, id),           E(TEXT, project_id),
    E(INT, number),        E(INT, version),
    E(TIME, work_item_id), E(TIME, issue_number),
    E(TEXT, title),        PB_COLUMN_NAMED(struct pb_execution, trigger, PB_TRIGGER_NAMES),
    E(TEXT, requested_by), E(TEXT, dedupe_key),
    E(TEXT, driver),       E(INT, created_at),
};

/* What became of it. */
static const struct pb_column CHANGING[] = {
    PB_COLUMN_NAMED(struct pb_execution, status, PB_EXECUTION_STATUS_NAMES),
    E(BOOL, resume),
    E(INT, priority),
    E(TIME, deadline_at),
    E(TEXT, labels),
    E(INT, place),
    E(TIME, available_at),
    E(TEXT, queued_reason),
    E(TEXT, held_by),
    E(INT, fence),
    E(INT, attempt_count),
    E(INT, lost_count),
    E(INT, retry_count),
    E(TEXT, node_id),
    E(TIME, cancel_requested_at),
    E(TEXT, cancel_by),
    E(TEXT, reason_kind),
    E(TEXT, reason),
    E(TEXT, summary),
    E(TEXT, question),
    E(BOOL, no_changes),
    E(TEXT, branch),
    E(TEXT, base_sha),
    E(TEXT, head_sha),
    E(TIME, pr_number),
    E(TEXT, pr_url),
    E(INT, files_changed),
    E(INT, insertions),
    E(INT, deletions),
    E(TEXT, session_id),
    E(TEXT, model),
    E(INT, num_turns),
    USAGE(INT, calls),
    USAGE(INT, input_tokens),
    USAGE(INT, output_tokens),
    USAGE(INT, cache_read_tokens),
    USAGE(INT, cache_write_tokens),
    USAGE(UNKNOWN, cost_micro_usd),
    E(TEXT, logs),
    E(INT, log_lines),
    E(INT, log_bytes),
    E(TIME, started_at),
    E(TIME, completed_at),
    E(INT, updated_at),
};

/* Read along. */
static const struct pb_column JOINED[] = {
    E(TEXT, project_name), E(TEXT, github_owner), E(TEXT, github_repo),  E(TEXT, item),
    E(TEXT, issue_url),    E(INT, active_ms),     E(TIME, active_since),
};

static const struct pb_columns ASKED_COLUMNS = PB_COLUMNS(ASKED);
static const struct pb_columns CHANGING_COLUMNS = PB_COLUMNS(CHANGING);
static const struct pb_columns JOINED_COLUMNS = PB_COLUMNS(JOINED);
enum { COLUMNS_MAX = 64, SQL_MAX = 64 << 10 };

void pb_execution_put_columns(struct pb_buf *sql)
{
    pb_buf_text(sql, "SELECT ");
    pb_sql_columns(sql, "e", &ASKED_COLUMNS);
    pb_buf_text(sql, ", ");
    pb_sql_columns(sql, "e", &CHANGING_COLUMNS);
    pb_buf_text(sql, ", p.name, p.github_owner, p.github_repo, w.item, w.url, "
                     "(SELECT coalesce(sum(a.ended_at - a.started_at), 0) FROM attempts AS a "
                     "WHERE a.execution_id = e.id), "
                     "CASE WHEN e.completed_at IS NULL THEN "
                     "(SELECT max(a.started_at) FROM attempts AS a "
                     "WHERE a.execution_id = e.id AND a.ended_at IS NULL) END, e.prompt");
}

void pb_execution_put_from(struct pb_buf *sql)
{
    pb_buf_text(sql, " FROM executions AS e JOIN projects AS p ON p.id = e.project_id "
                     "LEFT JOIN work_items AS w ON w.id = e.work_item_id");
}

void pb_execution_put_select(struct pb_buf *sql)
{
    pb_execution_put_columns(sql);
    pb_execution_put_from(sql);
}

int pb_execution_read(struct pb_rows *rows, struct pb_arena *arena, void *ret_item,
                      struct pb_error *err)
{
    int asked = (int)ASKED_COLUMNS.count, changing = (int)CHANGING_COLUMNS.count;

    if (pb_rows_read(rows, 0, &ASKED_COLUMNS, arena, ret_item, err) < 0 ||
        pb_rows_read(rows, asked, &CHANGING_COLUMNS, arena, ret_item, err) < 0)
        return -1;
    return pb_rows_read(rows, asked + changing, &JOINED_COLUMNS, arena, ret_item, err);
}

int pb_execution_read_whole(struct pb_rows *rows, struct pb_arena *arena,
                            struct pb_execution *ret_execution, int *ret_columns,
                            struct pb_error *err)
{
    int column = (int)(ASKED_COLUMNS.count + CHANGING_COLUMNS.count + JOINED_COLUMNS.count);
    const char *prompt;

    if (pb_execution_read(rows, arena, ret_execution, err) < 0)
        return -1;
    prompt = pb_rows_text(rows, column);
    ret_execution->prompt = pb_arena_text(arena, prompt);
    if (ret_columns)
        *ret_columns = column + 1;
    return prompt && !ret_execution->prompt ? pb_fail_arena(err) : 0;
}

static int read_with_prompt(struct pb_rows *rows, struct pb_arena *arena, void *ret_item,
                            struct pb_error *err)
{
    return pb_execution_read_whole(rows, arena, ret_item, NULL, err);
}

/* --- counters ------------------------------------------------------------------------------------ */

#define COUNT "INSERT INTO execution_counts (project_id, status, count) VALUES "
#define ADD_COUNT                                      \
    " ON CONFLICT (project_id, status) DO UPDATE SET " \
    "count = execution_counts.count + excluded.count"

static int count_new(struct pb_db *db, const char *project_id, struct pb_error *err)
{
    return pb_db_run(db, COUNT "(?1, 'queued', 1)" ADD_COUNT, PB_VALUES(T(project_id)), NULL, err);
}

static int count_move(struct pb_db *db, const char *project_id, enum pb_execution_status from,
                      enum pb_execution_status to, struct pb_error *err)
{
    return pb_db_run(db, COUNT "(?1, ?2, -1), (?1, ?3, 1)" ADD_COUNT,
                     PB_VALUES(T(project_id), T(pb_execution_status_name(from)),
                               T(pb_execution_status_name(to))),
                     NULL, err);
}

/* What a new row needs to know: its number, and whether it is its turn; if its project's queue has room. */
static int find_place(struct pb_db *db, struct pb_execution *row, struct pb_error *err)
{
    struct pb_rows *rows = pb_db_query(
        db,
        "SELECT (SELECT coalesce(max(number), 0) + 1 FROM executions WHERE project_id = ?1), "
        "(SELECT count FROM execution_counts WHERE project_id = ?1 AND status = 'queued'), "
        "(" PB_QUEUE_BEFORE("?2", "?3", "?4") ")",
        PB_VALUES(T(row->project_id), I(row->work_item_id), I(row->created_at), T(row->id)), err);
    int64_t queued = 0;
    bool busy = false;
    int r;

    if (!rows)
        return -1;
    r = pb_rows_next(rows, err);
    if (r > 0) {
        row->number = pb_rows_int(rows, 0);
        queued = pb_rows_int(rows, 1);
        busy = !pb_rows_is_null(rows, 2);
    }
    pb_rows_end(rows);
    if (r >= 0 && queued >= PB_LIMIT_QUEUED_PER_PROJECT)
        return pb_fail_reason(err, PB_ERROR_LIMITED, "queue_full",
                              "%d executions of project '%s' are waiting already",
                              PB_LIMIT_QUEUED_PER_PROJECT, row->project_id);
    pb_queue_settle_as(row, busy);
    return r < 0 ? -1 : 0;
}

/* --- inserting ----------------------------------------------------------------------------------- */

int pb_execution_take_key(struct pb_db *db, const char *project_id, const char *dedupe_key,
                          const char *execution_id, int64_t now_ms, struct pb_error *err)
{
    struct pb_error otherwise;

    (void)pb_fail_reason(&otherwise, PB_ERROR_CONFLICT, "duplicate",
                         "'%s' was taken already in project '%s'", dedupe_key, project_id);
    return pb_db_run_one(db,
                         "INSERT INTO trigger_keys (project_id, dedupe_key, execution_id, "
                         "created_at) VALUES (?1, ?2, ?3, ?4) "
                         "ON CONFLICT (project_id, dedupe_key) DO NOTHING",
                         PB_VALUES(T(project_id), T(dedupe_key), T(execution_id), I(now_ms)),
                         &otherwise, err);
}

/* All that are written when a row is made. */
static struct pb_columns all_columns(struct pb_column ret_items[COLUMNS_MAX])
{
    size_t count = ASKED_COLUMNS.count + CHANGING_COLUMNS.count;

    memcpy(ret_items, ASKED, sizeof(ASKED));
    memcpy(ret_items + ASKED_COLUMNS.count, CHANGING, sizeof(CHANGING));
    ret_items[count] = (struct pb_column)E(TEXT, prompt);
    return (struct pb_columns){ret_items, count + 1};
}

static void put_insert(struct pb_buf *sql)
{
    struct pb_column items[COLUMNS_MAX];
    struct pb_columns columns = all_columns(items);

    pb_buf_text(sql, "INSERT INTO executions (");
    pb_sql_insert(sql, &columns);
}

static int insert_row(struct pb_db *db, const struct pb_execution *row, struct pb_error *err)
{
    static struct pb_sql sql;
    const char *text = pb_sql_once(&sql, put_insert, err);
    struct pb_value values[COLUMNS_MAX];
    struct pb_column items[COLUMNS_MAX];
    struct pb_columns columns = all_columns(items);

    if (!text)
        return -1;
    pb_columns_values(&columns, row, values);
    return pb_db_run(db, text, &(struct pb_values){values, columns.count}, NULL, err);
}

int pb_execution_insert(struct pb_db *db, const struct pb_execution *execution, int64_t *ret_number,
                        struct pb_error *err)
{
    struct pb_execution row = *execution;

    row.version = 1;
    row.status = PB_EXECUTION_QUEUED;
    if (pb_execution_take_key(db, row.project_id, row.dedupe_key, row.id, row.created_at, err) <
            0 ||
        find_place(db, &row, err) < 0)
        return -1;
    if (insert_row(db, &row, err) < 0 || count_new(db, row.project_id, err) < 0)
        return pb_fail_in(err, "execution %s", row.id);
    *ret_number = row.number;
    return 0;
}

/* --- loading ------------------------------------------------------------------------------------- */

/* The first row of "SELECT … <rest>"; NULL if there is none. */
static int load_one(struct pb_db *db, struct pb_arena *arena, const char *rest,
                    const struct pb_values *values, pb_read_fn *read,
                    struct pb_execution **ret_execution, struct pb_error *err)
{
    void *found = NULL;
    struct pb_buf sql;
    int r;

    pb_buf_init(&sql, SQL_MAX);
    pb_execution_put_select(&sql);
    pb_buf_text(&sql, rest);
    r = pb_db_one(db, pb_buf_string(&sql), values, arena, sizeof(struct pb_execution), read, &found,
                  err);
    pb_buf_release(&sql);
    if (r == 0)
        *ret_execution = found;
    return r;
}

int pb_execution_fail_not_found(const char *id, struct pb_error *err)
{
    return pb_fail_reason(err, PB_ERROR_NOT_FOUND, "execution_not_found", "no execution '%.40s'",
                          id);
}

static void put_load(struct pb_buf *sql)
{
    pb_execution_put_select(sql);
    pb_buf_text(sql, " WHERE e.id = ?1");
}

int pb_execution_load(struct pb_db *db, struct pb_arena *arena, const char *id,
                      struct pb_execution **ret_execution, struct pb_error *err)
{
    static struct pb_sql sql;
    const char *text = pb_sql_once(&sql, put_load, err);
    void *found = NULL;

    if (!text || pb_db_one(db, text, PB_VALUES(T(id)), arena, sizeof(struct pb_execution),
                           read_with_prompt, &found, err) < 0)
        return -1;
    if (!found)
        return pb_execution_fail_not_found(id, err);
    *ret_execution = found;
    return 0;
}

int pb_execution_newest_of(struct pb_db *db, struct pb_arena *arena, int64_t work_item_id,
                           struct pb_execution **ret_execution, struct pb_error *err)
{
    return load_one(db, arena,
                    " WHERE e.work_item_id = ?1 ORDER BY e.created_at DESC, e.id DESC LIMIT 1",
                    PB_VALUES(I(work_item_id)), pb_execution_read, ret_execution, err);
}

int pb_execution_last_of(struct pb_db *db, struct pb_arena *arena, const char *project_id,
                         struct pb_execution **ret_execution, struct pb_error *err)
{
    return load_one(db, arena,
                    " WHERE e.project_id = ?1 ORDER BY e.created_at DESC, e.id DESC LIMIT 1",
                    PB_VALUES(T(project_id)), pb_execution_read, ret_execution, err);
}

static int read_id(struct pb_rows *rows, struct pb_arena *arena, void *ret_item,
                   struct pb_error *err)
{
    const char **id = ret_item;

    *id = pb_arena_text(arena, pb_rows_text(rows, 0));
    return *id ? 0 : pb_fail_arena(err);
}

int pb_execution_find_key(struct pb_db *db, struct pb_arena *arena, const char *project_id,
                          const char *dedupe_key, const char **ret_id, struct pb_error *err)
{
    void *found = NULL;

    if (pb_db_one(db,
                  "SELECT execution_id FROM trigger_keys WHERE project_id = ?1 AND dedupe_key = ?2",
                  PB_VALUES(T(project_id), T(dedupe_key)), arena, sizeof(const char *), read_id,
                  &found, err) < 0)
        return -1;
    *ret_id = found ? *(const char **)found : NULL;
    return 0;
}

/* --- changing ------------------------------------------------------------------------------------ */

static void put_save(struct pb_buf *sql)
{
    pb_buf_text(sql, "UPDATE executions SET ");
    pb_sql_assign(sql, &CHANGING_COLUMNS, 4);
    pb_buf_text(sql, ", version = version + 1 WHERE id = ?1 AND version = ?2 AND status = ?3");
}

int pb_execution_save(struct pb_db *db, const struct pb_execution *execution,
                      enum pb_execution_status from, struct pb_error *err)
{
    struct pb_value values[COLUMNS_MAX] = {T(execution->id), I(execution->version),
                                           T(pb_execution_status_name(from))};
    struct pb_execution row = *execution;
    static struct pb_sql sql;
    const char *text = pb_sql_once(&sql, put_save, err);
    struct pb_error otherwise;

    if (!text || pb_queue_settle(db, &row, err) < 0)
        return -1;
    (void)pb_fail_reason(&otherwise, PB_ERROR_CONFLICT, "changed_meanwhile",
                         "execution %s was changed meanwhile", execution->id);
    pb_columns_values(&CHANGING_COLUMNS, &row, values + 3);
    if (pb_db_run_one(db, text, &(struct pb_values){values, CHANGING_COLUMNS.count + 3}, &otherwise,
                      err) < 0)
        return -1;
    if (execution->status == from)
        return 0;
    if (count_move(db, execution->project_id, from, execution->status, err) < 0)
        return -1;
    return pb_execution_is_final(execution->status) ? pb_queue_next_of_item(db, &row, err) : 0;
}

/* One narrow UPDATE; the id is ?1. */
static int change(struct pb_db *db, const char *sql, const struct pb_values *values,
                  struct pb_error *err)
{
    int64_t changed = 0;

    if (pb_db_run(db, sql, values, &changed, err) < 0)
        return -1;
    return changed > 0 ? 0 : pb_execution_fail_not_found(values->values[0].data, err);
}

int pb_execution_set_prompt(struct pb_db *db, const char *id, const char *prompt,
                            struct pb_error *err)
{
    return change(db, "UPDATE executions SET prompt = ?2 WHERE id = ?1",
                  PB_VALUES(T(id), T(prompt)), err);
}

int pb_execution_set_usage(struct pb_db *db, const char *id, const struct pb_execution_usage *usage,
                           int64_t now_ms, struct pb_error *err)
{
    struct pb_value cost = usage->cost_micro_usd < 0 ? T(NULL) : I(usage->cost_micro_usd);

    return change(db,
                  "UPDATE executions SET calls = ?2, input_tokens = ?3, output_tokens = ?4, "
                  "cache_read_tokens = ?5, cache_write_tokens = ?6, cost_micro_usd = ?7, "
                  "updated_at = ?8 WHERE id = ?1",
                  PB_VALUES(T(id), I(usage->calls), I(usage->input_tokens), I(usage->output_tokens),
                            I(usage->cache_read_tokens), I(usage->cache_write_tokens), cost,
                            I(now_ms)),
                  err);
}
