#include "server/store/schedule_store.h"

#include <string.h>

#include "model/limits.h"
#include "server/store/db_private.h"

#define S(kind, member) PB_COLUMN(kind, struct pb_schedule, member)

/* What is set once. */
static const struct pb_column FIXED[] = {
    S(TEXT, id), S(INT, version), S(TEXT, project_id), S(TEXT, created_by), S(INT, created_at),
};

/* What people set. */
static const struct pb_column SETTINGS[] = {
    S(TEXT, name),
    S(TEXT, cron),
    S(TEXT, time_zone),
    S(BOOL, enabled),
    S(INT, jitter_ms),
    PB_COLUMN_NAMED(struct pb_schedule, missed, PB_MISSED_NAMES),
    PB_COLUMN_NAMED(struct pb_schedule, overlap, PB_OVERLAP_NAMES),
    S(TIME, issue_number),
    S(TEXT, title),
    S(TEXT, prompt),
    S(INT, priority),
    S(INT, updated_at),
};

/* What happens. */
static const struct pb_column OBSERVED[] = {
    S(TIME, due_at),
    S(TIME, next_at),
    S(INT, failures),
    S(TIME, last_at),
    PB_COLUMN_NAMED(struct pb_schedule, last_result, PB_SCHEDULE_RESULT_NAMES),
    S(TEXT, last_detail),
    S(TEXT, last_execution_id),
};

static const struct pb_columns COLUMNS[] = {PB_COLUMNS(FIXED), PB_COLUMNS(SETTINGS),
                                            PB_COLUMNS(OBSERVED)};
enum { GROUPS = sizeof(COLUMNS) / sizeof(COLUMNS[0]), COLUMNS_MAX = 32, SQL_MAX = 8192 };

static int read_schedule(struct pb_rows *rows, struct pb_arena *arena, void *ret_item,
                         struct pb_error *err)
{
    int first = 0;

    for (size_t i = 0; i < GROUPS; i++) {
        if (pb_rows_read(rows, first, &COLUMNS[i], arena, ret_item, err) < 0)
            return -1;
        first += (int)COLUMNS[i].count;
    }
    return 0;
}

static int list(struct pb_db *db, struct pb_arena *arena, const char *rest,
                const struct pb_values *values, struct pb_schedule_list *ret_list,
                struct pb_error *err)
{
    struct pb_array array = {0};
    struct pb_buf sql;
    int r;

    pb_buf_init(&sql, SQL_MAX);
    pb_buf_text(&sql, "SELECT ");
    for (size_t i = 0; i < GROUPS; i++) {
        pb_buf_text(&sql, i ? ", " : "");
        pb_sql_columns(&sql, "", &COLUMNS[i]);
    }
    pb_buf_text(&sql, " FROM schedules");
    pb_buf_text(&sql, rest);
    r = pb_db_list(db, pb_buf_string(&sql), values, arena, sizeof(struct pb_schedule),
                   read_schedule, &array, err);
    pb_buf_release(&sql);
    if (r == 0)
        *ret_list = (struct pb_schedule_list){array.items, array.count};
    return r;
}

/* --- writing ------------------------------------------------------------------------------------------ */

static int check_free(struct pb_db *db, const struct pb_schedule *schedule, struct pb_error *err)
{
    int64_t others = 0;

    if (pb_db_number(db,
                     "SELECT count(*) FROM schedules WHERE project_id = ?1 AND name = ?2 AND "
                     "id <> ?3",
                     PB_VALUES(T(schedule->project_id), T(schedule->name), T(schedule->id)),
                     &others, err) < 0)
        return -1;
    if (others == 0)
        return 0;
    (void)pb_fail_field(err, "name", "the project has a schedule '%.100s' already", schedule->name);
    err->code = PB_ERROR_CONFLICT;
    memcpy(err->reason, "schedule_exists", sizeof("schedule_exists"));
    return -1;
}

static int check_room(struct pb_db *db, const struct pb_schedule *schedule, struct pb_error *err)
{
    int64_t count = 0;

    if (pb_db_number(db, "SELECT count(*) FROM schedules WHERE project_id = ?1",
                     PB_VALUES(T(schedule->project_id)), &count, err) < 0)
        return -1;
    if (count >= PB_LIMIT_SCHEDULES_PER_PROJECT)
        return pb_fail_reason(err, PB_ERROR_LIMITED, "too_many_schedules",
                              "a project has at most %d schedules", PB_LIMIT_SCHEDULES_PER_PROJECT);
    return 0;
}

int pb_schedule_insert(struct pb_db *db, const struct pb_schedule *schedule, struct pb_error *err)
{
    struct pb_value values[COLUMNS_MAX];
    struct pb_column all[COLUMNS_MAX];
    struct pb_columns columns = {all, 0};
    struct pb_schedule row = *schedule;
    struct pb_buf sql;
    int r;

    if (check_free(db, schedule, err) < 0 || check_room(db, schedule, err) < 0)
        return -1;
    row.version = 1;
    for (size_t i = 0; i < GROUPS; i++) {
        memcpy(all + columns.count, COLUMNS[i].items, COLUMNS[i].count * sizeof(all[0]));
        columns.count += COLUMNS[i].count;
    }
    pb_columns_values(&columns, &row, values);
    pb_buf_init(&sql, SQL_MAX);
    pb_buf_text(&sql, "INSERT INTO schedules (");
    pb_sql_insert(&sql, &columns);
    r = pb_db_run(db, pb_buf_string(&sql), &(struct pb_values){values, columns.count}, NULL, err);
    pb_buf_release(&sql);
    return r;
}

/* UPDATE … SET <groups> <more>; ?1 is the id, ?2 the version. */
static int update(struct pb_db *db, const struct pb_schedule *schedule, size_t first_group,
                  const char *more, int64_t *ret_changed, struct pb_error *err)
{
    struct pb_value values[COLUMNS_MAX] = {T(schedule->id), I(schedule->version)};
    size_t count = 2;
    struct pb_buf sql;
    int r;

    pb_buf_init(&sql, SQL_MAX);
    pb_buf_text(&sql, "UPDATE schedules SET ");
    for (size_t i = first_group; i < GROUPS; i++) {
        pb_buf_text(&sql, i > first_group ? ", " : "");
        pb_sql_assign(&sql, &COLUMNS[i], (unsigned)count + 1);
        pb_columns_values(&COLUMNS[i], schedule, values + count);
        count += COLUMNS[i].count;
    }
    pb_buf_text(&sql, more);
    r = pb_db_run(db, pb_buf_string(&sql), &(struct pb_values){values, count}, ret_changed, err);
    pb_buf_release(&sql);
    return r;
}

static int fail_not_found(const char *id, struct pb_error *err)
{
    return pb_fail_reason(err, PB_ERROR_NOT_FOUND, "schedule_not_found", "no schedule '%.40s'", id);
}

int pb_schedule_save(struct pb_db *db, const struct pb_schedule *schedule, struct pb_error *err)
{
    int64_t changed = 0;

    if (check_free(db, schedule, err) < 0 ||
        update(db, schedule, 1, ", version = version + 1 WHERE id = ?1 AND version = ?2", &changed,
               err) < 0)
        return -1;
    if (changed == 0)
        return pb_fail_reason(err, PB_ERROR_PRECONDITION, "changed_meanwhile",
                              "the schedule was changed meanwhile");
    return 0;
}

int pb_schedule_observe(struct pb_db *db, const struct pb_schedule *schedule, struct pb_error *err)
{
    int64_t changed = 0;

    if (update(db, schedule, 2, " WHERE id = ?1 AND ?2 >= 0", &changed, err) < 0)
        return -1;
    return changed > 0 ? 0 : fail_not_found(schedule->id, err);
}

int pb_schedule_remove(struct pb_db *db, const char *id, struct pb_error *err)
{
    int64_t changed = 0;

    if (pb_db_run(db, "DELETE FROM schedules WHERE id = ?1", PB_VALUES(T(id)), &changed, err) < 0)
        return -1;
    return changed > 0 ? 0 : fail_not_found(id, err);
}

/* --- reading ------------------------------------------------------------------------------------------- */

int pb_schedule_load(struct pb_db *db, struct pb_arena *arena, const char *id,
                     struct pb_schedule **ret_schedule, struct pb_error *err)
{
    struct pb_schedule_list found = {0};

    if (list(db, arena, " WHERE id = ?1", PB_VALUES(T(id)), &found, err) < 0)
        return -1;
    if (found.count == 0)
        return fail_not_found(id, err);
    *ret_schedule = found.items;
    return 0;
}

int pb_schedule_list(struct pb_db *db, struct pb_arena *arena, const char *project_id,
                     struct pb_schedule_list *ret_list, struct pb_error *err)
{
    return list(db, arena, " WHERE project_id = ?1 ORDER BY name", PB_VALUES(T(project_id)),
                ret_list, err);
}

int pb_schedule_due(struct pb_db *db, struct pb_arena *arena, int64_t now_ms, size_t limit,
                    struct pb_schedule_list *ret_list, struct pb_error *err)
{
    return list(db, arena, " WHERE next_at <= ?1 ORDER BY next_at, id LIMIT ?2",
                PB_VALUES(I(now_ms), I((int64_t)limit)), ret_list, err);
}

int pb_schedule_next_at(struct pb_db *db, int64_t *ret_at, struct pb_error *err)
{
    return pb_db_number(db, "SELECT min(next_at) FROM schedules WHERE next_at IS NOT NULL",
                        PB_NO_VALUES, ret_at, err);
}
