#include "server/store/project_store.h"

#include <stdio.h>
#include <string.h>

#include "server/store/db_private.h"

#define P(kind, member) PB_COLUMN(kind, struct pb_project, member)

/* What people set. */
static const struct pb_column SETTINGS[] = {
    P(TEXT, name),
    PB_COLUMN_NAMED(struct pb_project, status, PB_PROJECT_STATUS_NAMES),
    P(TEXT, github_owner),
    P(TEXT, github_repo),
    P(TEXT, github_api_url),
    P(TEXT, github_git_url),
    P(TEXT, trigger_label),
    P(TEXT, label_prefix),
    P(INT, poll_interval_ms),
    P(TEXT, driver),
    P(TEXT, command),
    P(TEXT, anthropic_base_url),
    P(TEXT, model),
    P(TEXT, permission_mode),
    P(TEXT, allowed_tools),
    P(TEXT, disallowed_tools),
    P(INT, max_turns),
    P(INT, max_budget_micro_usd),
    P(TEXT, instructions),
    P(TEXT, language),
    P(BOOL, allow_workflow_files),
    P(TEXT, working_directory),
    P(INT, wall_ms),
    P(INT, silence_ms),
    P(INT, max_concurrent),
    P(INT, queue_weight),
    P(UNKNOWN, retry_limit),
    P(TEXT, active_hours),
    P(TEXT, time_zone),
    P(INT, updated_at),
};

/* What is seen. */
static const struct pb_column OBSERVED[] = {
    PB_COLUMN_NAMED(struct pb_project, health, PB_PROJECT_HEALTH_NAMES),
    P(TEXT, health_reason),
    PB_COLUMN_NAMED(struct pb_project, agent_state, PB_AGENT_STATE_NAMES),
    P(TEXT, agent_detail),
    P(TIME, agent_since),
    P(TIME, agent_pid),
    P(INT, agent_restarts),
    P(TEXT, default_branch),
    P(TEXT, node_id),
};

/* What is set once. */
static const struct pb_column FIXED[] = {
    P(TEXT, id),
    P(INT, version),
    P(TEXT, created_by),
    P(INT, created_at),
};

static const struct pb_columns COLUMNS[] = {
    PB_COLUMNS(FIXED),
    PB_COLUMNS(SETTINGS),
    PB_COLUMNS(OBSERVED),
};
enum { COLUMN_GROUPS = sizeof(COLUMNS) / sizeof(COLUMNS[0]), COLUMNS_MAX = 64 };

static int read_project(struct pb_rows *rows, struct pb_arena *arena, void *ret_item,
                        struct pb_error *err)
{
    int first = 0;

    for (size_t i = 0; i < COLUMN_GROUPS; i++) {
        if (pb_rows_read(rows, first, &COLUMNS[i], arena, ret_item, err) < 0)
            return -1;
        first += (int)COLUMNS[i].count;
    }
    return 0;
}

static void put_select(struct pb_buf *sql)
{
    pb_buf_text(sql, "SELECT ");
    for (size_t i = 0; i < COLUMN_GROUPS; i++) {
        pb_buf_text(sql, i ? ", " : "");
        pb_sql_columns(sql, "", &COLUMNS[i]);
    }
    pb_buf_text(sql, " FROM projects");
}

/* --- writing ------------------------------------------------------------------------------------- */

int pb_project_rival(struct pb_db *db, const struct pb_project *project,
                     char ret_id[PB_LIMIT_PROJECT_ID + 1], struct pb_error *err)
{
    static const char SQL[] = "SELECT id FROM projects WHERE github_api_url = ?1 AND "
                              "lower(github_owner) = lower(?2) AND lower(github_repo) = lower(?3) "
                              "AND status <> 'deleted' AND id <> ?4";
    struct pb_rows *rows =
        pb_db_query(db, SQL,
                    PB_VALUES(T(project->github_api_url), T(project->github_owner),
                              T(project->github_repo), T(project->id)),
                    err);
    int r;

    if (!rows)
        return -1;
    r = pb_rows_next(rows, err);
    if (r >= 0)
        (void)snprintf(ret_id, PB_LIMIT_PROJECT_ID + 1, "%s", r ? pb_rows_text(rows, 0) : "");
    pb_rows_end(rows);
    return r < 0 ? -1 : 0;
}

/* Says which of the two unique rules is broken, before the engine says it less clearly. */
static int check_free(struct pb_db *db, const struct pb_project *project, struct pb_error *err)
{
    char rival[PB_LIMIT_PROJECT_ID + 1];

    if (project->status == PB_PROJECT_DELETED)
        return 0;
    if (pb_project_rival(db, project, rival, err) < 0)
        return -1;
    if (!*rival)
        return 0;
    pb_fail_field(err, "github_repo", "%s/%s belongs to project '%s' already",
                  project->github_owner, project->github_repo, rival);
    err->code = PB_ERROR_CONFLICT;
    memcpy(err->reason, "repository_taken", sizeof("repository_taken"));
    return -1;
}

int pb_project_insert(struct pb_db *db, const struct pb_project *project, struct pb_error *err)
{
    struct pb_project row = *project;
    struct pb_value values[COLUMNS_MAX];
    struct pb_column all[COLUMNS_MAX];
    struct pb_columns columns = {all, 0};
    struct pb_buf sql;
    int64_t changed = 0;
    int r = -1;

    if (check_free(db, project, err) < 0)
        return -1;
    row.version = 1;
    for (size_t i = 0; i < COLUMN_GROUPS; i++) {
        memcpy(all + columns.count, COLUMNS[i].items, COLUMNS[i].count * sizeof(all[0]));
        columns.count += COLUMNS[i].count;
    }
    pb_buf_init(&sql, 8192);
    pb_buf_text(&sql, "INSERT INTO projects (");
    pb_sql_insert(&sql, &columns);
    pb_buf_text(&sql, " ON CONFLICT (id) DO NOTHING");
    pb_columns_values(&columns, &row, values);
    if (pb_db_run(db, pb_buf_string(&sql), &(struct pb_values){values, columns.count}, &changed,
                  err) < 0)
        goto out;
    if (changed == 0) {
        pb_fail_field(err, "id", "there is a project '%s' already", project->id);
        err->code = PB_ERROR_CONFLICT;
        memcpy(err->reason, "project_exists", sizeof("project_exists"));
        goto out;
    }
    r = 0;
out:
    pb_buf_release(&sql);
    return r;
}

/* UPDATE projects SET <columns> WHERE id = …, with `more` appended to SET and to WHERE. */
static int update(struct pb_db *db, const struct pb_columns *columns,
                  const struct pb_project *project, bool is_versioned, int64_t *ret_changed,
                  struct pb_error *err)
{
    struct pb_value values[COLUMNS_MAX] = {T(project->id), I(project->version)};
    struct pb_buf sql;
    int r;

    pb_columns_values(columns, project, values + 2);
    pb_buf_init(&sql, 8192);
    pb_buf_text(&sql, "UPDATE projects SET ");
    pb_sql_assign(&sql, columns, 3);
    pb_buf_text(&sql, is_versioned ? ", version = version + 1 WHERE id = ?1 AND version = ?2"
                                   : " WHERE id = ?1 AND ?2 >= 0");
    r = pb_db_run(db, pb_buf_string(&sql), &(struct pb_values){values, columns->count + 2},
                  ret_changed, err);
    pb_buf_release(&sql);
    return r;
}

int pb_project_save(struct pb_db *db, const struct pb_project *project, struct pb_error *err)
{
    static const struct pb_columns SETTING_COLUMNS = PB_COLUMNS(SETTINGS);
    int64_t changed = 0;

    if (check_free(db, project, err) < 0 ||
        update(db, &SETTING_COLUMNS, project, true, &changed, err) < 0)
        return -1;
    if (changed == 0)
        return pb_fail_reason(err, PB_ERROR_PRECONDITION, "changed_meanwhile",
                              "project '%s' was changed meanwhile", project->id);
    return 0;
}

int pb_project_observe(struct pb_db *db, const struct pb_project *project, struct pb_error *err)
{
    static const struct pb_columns OBSERVED_COLUMNS = PB_COLUMNS(OBSERVED);
    int64_t changed = 0;

    if (update(db, &OBSERVED_COLUMNS, project, false, &changed, err) < 0)
        return -1;
    if (changed == 0)
        return pb_fail_reason(err, PB_ERROR_NOT_FOUND, "project_not_found", "no project '%s'",
                              project->id);
    return 0;
}

int pb_project_remove(struct pb_db *db, const char *id, struct pb_error *err)
{
    if (pb_db_run(db, "DELETE FROM secrets WHERE scope = 'project' AND project_id = ?1",
                  PB_VALUES(T(id)), NULL, err) < 0)
        return -1;
    return pb_db_run(db, "DELETE FROM projects WHERE id = ?1", PB_VALUES(T(id)), NULL, err);
}

/* --- reading ------------------------------------------------------------------------------------- */

static void put_load(struct pb_buf *sql)
{
    put_select(sql);
    pb_buf_text(sql, " WHERE id = ?1");
}

int pb_project_load(struct pb_db *db, struct pb_arena *arena, const char *id,
                    struct pb_project **ret_project, struct pb_error *err)
{
    static struct pb_sql sql;
    const char *text = pb_sql_once(&sql, put_load, err);
    void *found = NULL;

    if (!text || pb_db_one(db, text, PB_VALUES(T(id)), arena, sizeof(struct pb_project),
                           read_project, &found, err) < 0)
        return -1;
    if (!found)
        return pb_fail_reason(err, PB_ERROR_NOT_FOUND, "project_not_found", "no project '%s'", id);
    *ret_project = found;
    return 0;
}

/* Parameters of the list. */
enum { AFTER_NAME = 1, AFTER_ID, BY_WORDS, LIMIT };

/* From one index; `status` NULL = all but the deleted. */
static void put_conditions(struct pb_buf *sql, const char *status, bool has_position,
                           bool has_words)
{
    if (status)
        pb_buf_format(sql, " WHERE status = '%s'", status);
    else
        pb_buf_text(sql, " WHERE status <> 'deleted'");
    if (has_position)
        pb_buf_format(sql, " AND (name, id) > (?%d, ?%d)", AFTER_NAME, AFTER_ID);
    if (has_words)
        pb_buf_format(sql,
                      " AND lower(id || ' ' || name || ' ' || github_owner || '/' || github_repo) "
                      "LIKE ?%d ESCAPE '\\'",
                      BY_WORDS);
    pb_buf_format(sql, " ORDER BY name, id LIMIT ?%d", LIMIT);
}

/* Each status's first from the index, merged: with IN all there are would be sorted for a page. */
static void put_merged(struct pb_buf *sql, const struct pb_project_filter *filter,
                       bool has_position, bool has_words)
{
    pb_buf_text(sql, " WHERE id IN (SELECT m.id FROM (");
    for (size_t i = 0; i < filter->status_count; i++) {
        pb_buf_text(sql, i ? " UNION ALL " : "");
        pb_buf_text(sql, "SELECT * FROM (SELECT id, name FROM projects");
        put_conditions(sql, pb_project_status_name(filter->statuses[i]), has_position, has_words);
        pb_buf_text(sql, ") AS s");
    }
    pb_buf_format(sql, ") AS m ORDER BY m.name, m.id LIMIT ?%d) ORDER BY name, id", LIMIT);
}

int pb_project_list(struct pb_db *db, struct pb_arena *arena,
                    const struct pb_project_filter *filter, struct pb_project_list *ret_list,
                    struct pb_error *err)
{
    size_t limit = pb_page_limit(&filter->page);
    struct pb_project_list list = {0};
    struct pb_array array = {0};
    struct pb_position position;
    const char *pattern = NULL;
    struct pb_buf sql;
    int r;

    if (pb_page_position(&filter->page, arena, &position, err) < 0)
        return -1;
    if (filter->query && filter->query[0] && !(pattern = pb_like_pattern(arena, filter->query)))
        return pb_fail_arena(err);
    pb_buf_init(&sql, 8192);
    put_select(&sql);
    if (filter->status_count > 1)
        put_merged(&sql, filter, position.is_set, pattern);
    else
        put_conditions(&sql,
                       filter->status_count ? pb_project_status_name(filter->statuses[0]) : NULL,
                       position.is_set, pattern);
    r = pb_db_list(db, pb_buf_string(&sql),
                   PB_VALUES(T(position.text), T(position.key), T(pattern), I((int64_t)limit + 1)),
                   arena, sizeof(struct pb_project), read_project, &array, err);
    pb_buf_release(&sql);
    if (r < 0)
        return -1;
    list.items = array.items;
    list.count = array.count;
    if (list.count > limit) {
        list.count = limit;
        if (pb_page_next(arena, list.items[limit - 1].name, list.items[limit - 1].id,
                         &list.next_cursor, err) < 0)
            return -1;
    }
    *ret_list = list;
    return 0;
}

/* What has ended is most of what there is, and nobody asks for all of it together. */
static void put_open_counts(struct pb_buf *sql)
{
    const char *lead =
        "SELECT status, sum(count) FROM execution_counts WHERE count > 0 AND status IN (";

    for (int i = 0; i < PB_EXECUTION_STATUS_COUNT; i++) {
        if (pb_execution_is_final((enum pb_execution_status)i))
            continue;
        pb_buf_format(sql, "%s'%s'", lead, pb_execution_status_name((enum pb_execution_status)i));
        lead = ", ";
    }
    pb_buf_text(sql, ") GROUP BY status");
}

static int read_counts(struct pb_rows *rows, struct pb_execution_counts *ret_counts,
                       struct pb_error *err)
{
    struct pb_execution_counts counts = {{0}};
    int r, status;

    while ((r = pb_rows_next(rows, err)) > 0) {
        if (pb_names_find(&PB_EXECUTION_STATUS_NAMES, pb_rows_text(rows, 0), &status))
            counts.by_status[status] = pb_rows_int(rows, 1);
    }
    pb_rows_end(rows);
    if (r == 0)
        *ret_counts = counts;
    return r;
}

int pb_project_counts(struct pb_db *db, const char *project_id,
                      struct pb_execution_counts *ret_counts, struct pb_error *err)
{
    struct pb_rows *rows =
        pb_db_query(db, "SELECT status, count FROM execution_counts WHERE project_id = ?1",
                    PB_VALUES(T(project_id)), err);

    return rows ? read_counts(rows, ret_counts, err) : -1;
}

int pb_project_open_counts(struct pb_db *db, struct pb_execution_counts *ret_counts,
                           struct pb_error *err)
{
    struct pb_rows *rows;
    struct pb_buf sql;

    pb_buf_init(&sql, 1024);
    put_open_counts(&sql);
    rows = pb_db_query(db, pb_buf_string(&sql), PB_NO_VALUES, err);
    pb_buf_release(&sql);
    return rows ? read_counts(rows, ret_counts, err) : -1;
}

int pb_project_count(struct pb_db *db, enum pb_project_status status, int64_t *ret_count,
                     struct pb_error *err)
{
    return pb_db_number(db, "SELECT count(*) FROM projects WHERE status = ?1",
                        PB_VALUES(T(pb_project_status_name(status))), ret_count, err);
}
