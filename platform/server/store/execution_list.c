/*
 * Lists of executions. A page is read from one index, newest first, and costs the same wherever it is. A
 * search for text looks at so many rows and no more: when the page is not full by then, its cursor says
 * where to look on.
 */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "model/limits.h"
#include "server/store/execution_rows_private.h"

enum { SQL_MAX = 64 << 10, SEARCH_ROWS = 3000 };

/* Parameters of the statements; not each has all of them. */
enum {
    BY_PROJECT = 1,
    BY_ITEM,
    BY_ISSUE,
    BEFORE_TIME,
    BEFORE_ID,
    LIMIT,
    BY_NUMBER,
    BY_TITLE,
    SINCE_TIME,
    SINCE_ID
};

/* What is looked for, and where. */
struct looking {
    const struct pb_execution_filter *filter;
    const char *pattern; /* of the title; NULL = any */
    int64_t issue;       /* or of this issue; -1 = none is meant */
    struct pb_position before;
    int64_t before_time;
    const char *since_id; /* how far back a search goes; NULL = to the end */
    int64_t since_time;
    size_t limit;
};

/* --- statements ---------------------------------------------------------------------------------- */

/* "shop", "#42", and where the page begins, of the table `as`; `status` NULL = any. */
static void put_conditions(struct pb_buf *sql, const struct looking *l, const char *as,
                           const char *status)
{
    pb_buf_text(sql, " WHERE 1 = 1");
    if (l->filter->project_id)
        pb_buf_format(sql, " AND %s.project_id = ?%d", as, BY_PROJECT);
    if (l->filter->work_item_id)
        pb_buf_format(sql, " AND %s.work_item_id = ?%d", as, BY_ITEM);
    if (l->filter->number)
        pb_buf_format(sql, " AND %s.number = ?%d", as, BY_NUMBER);
    if (l->issue >= 0 && !l->pattern)
        pb_buf_format(sql, " AND %s.issue_number = ?%d", as, BY_ISSUE);
    if (status)
        pb_buf_format(sql, " AND %s.status = '%s'", as, status);
    if (l->before.is_set)
        pb_buf_format(sql, " AND (%s.created_at, %s.id) < (?%d, ?%d)", as, as, BEFORE_TIME,
                      BEFORE_ID);
}

static void put_order(struct pb_buf *sql, const char *as)
{
    pb_buf_format(sql, " ORDER BY %s.created_at DESC, %s.id DESC LIMIT ?%d", as, as, LIMIT);
}

static const char *only_status(const struct looking *l)
{
    return l->filter->status_count == 1 ? pb_execution_status_name(l->filter->statuses[0]) : NULL;
}

/* Each status's newest from its own index, merged. One statement with IN would read the history of
 * everything else on its way. */
static void put_merged(struct pb_buf *sql, const struct looking *l)
{
    pb_buf_text(sql, " WHERE e.id IN (SELECT m.id FROM (");
    for (size_t i = 0; i < l->filter->status_count; i++) {
        pb_buf_text(sql, i ? " UNION ALL " : "");
        pb_buf_text(sql, "SELECT * FROM (SELECT x.id, x.created_at FROM executions AS x");
        put_conditions(sql, l, "x", pb_execution_status_name(l->filter->statuses[i]));
        put_order(sql, "x");
        pb_buf_text(sql, ") AS s");
    }
    pb_buf_text(sql, ") AS m");
    put_order(sql, "m");
    pb_buf_text(sql, ") ORDER BY e.created_at DESC, e.id DESC");
}

/* Those down to `since` that match; their rows are fetched afterwards, a page of them. */
static void put_search(struct pb_buf *sql, const struct looking *l)
{
    pb_buf_text(sql, " WHERE e.id IN (SELECT x.id FROM executions AS x");
    put_conditions(sql, l, "x", only_status(l));
    if (l->since_id)
        pb_buf_format(sql, " AND (x.created_at, x.id) >= (?%d, ?%d)", SINCE_TIME, SINCE_ID);
    for (size_t i = 0; l->filter->status_count > 1 && i < l->filter->status_count; i++)
        pb_buf_format(sql, "%s'%s'%s", i ? ", " : " AND x.status IN (",
                      pb_execution_status_name(l->filter->statuses[i]),
                      i + 1 < l->filter->status_count ? "" : ")");
    pb_buf_format(sql, " AND (lower(x.title) LIKE ?%d ESCAPE '\\' OR x.issue_number = ?%d)",
                  BY_TITLE, BY_ISSUE);
    put_order(sql, "x");
    pb_buf_text(sql, ") ORDER BY e.created_at DESC, e.id DESC");
}

static void put_list(struct pb_buf *sql, const struct looking *l)
{
    pb_execution_put_select(sql);
    if (l->pattern) {
        put_search(sql, l);
    } else if (l->filter->status_count > 1) {
        put_merged(sql, l);
    } else {
        put_conditions(sql, l, "e", only_status(l));
        put_order(sql, "e");
    }
}

/* --- looking ------------------------------------------------------------------------------------- */

/* "#42" is an issue's number and nothing else; "42" may be in a title, too. */
static int read_filter(const struct pb_execution_filter *filter, struct pb_arena *arena,
                       struct looking *ret, struct pb_error *err)
{
    const char *query = filter->query ? filter->query : "";
    bool is_number = pb_parse_i64(query + (*query == '#'), 0, INT64_MAX, &ret->issue);

    *ret = (struct looking){
        .filter = filter,
        .issue = is_number ? ret->issue : -1,
        .limit = pb_page_limit(&filter->page),
    };
    if (pb_page_position(&filter->page, arena, &ret->before, err) < 0 ||
        pb_position_number(&ret->before, &ret->before_time, err) < 0)
        return -1;
    if (!*query || (*query == '#' && is_number))
        return 0;
    ret->pattern = pb_like_pattern(arena, query);
    return ret->pattern ? 0 : pb_fail_arena(err);
}

/* The last of the rows that a search may look at. */
static int find_since(struct pb_db *db, struct pb_arena *arena, struct looking *l,
                      struct pb_error *err)
{
    size_t count = l->filter->search_rows ? l->filter->search_rows : SEARCH_ROWS;
    struct pb_rows *rows;
    struct pb_buf sql;
    int r = -1;

    pb_buf_init(&sql, SQL_MAX);
    pb_buf_text(&sql, "SELECT x.created_at, x.id FROM executions AS x");
    put_conditions(&sql, l, "x", only_status(l));
    pb_buf_format(&sql, " ORDER BY x.created_at DESC, x.id DESC LIMIT 1 OFFSET ?%d", LIMIT);
    rows = pb_db_query(db, pb_buf_string(&sql),
                       PB_VALUES(T(l->filter->project_id), I(l->filter->work_item_id), I(l->issue),
                                 I(l->before_time), T(l->before.key), I((int64_t)count - 1),
                                 I(l->filter->number)),
                       err);
    if (!rows)
        goto out;
    r = pb_rows_next(rows, err);
    if (r > 0) {
        l->since_time = pb_rows_int(rows, 0);
        l->since_id = pb_arena_text(arena, pb_rows_text(rows, 1));
        r = l->since_id ? 0 : pb_fail_arena(err);
    }
    pb_rows_end(rows);
out:
    pb_buf_release(&sql);
    return r;
}

/* Where the next page begins: behind the last row of a full one, or where the search stopped. */
static int finish_page(struct pb_arena *arena, const struct looking *l,
                       struct pb_execution_list *list, struct pb_error *err)
{
    bool is_full = list->count > l->limit;
    const char *id = l->since_id;
    int64_t at = l->since_time;
    char time[24];

    if (is_full) {
        list->count = l->limit;
        id = list->items[l->limit - 1].id;
        at = list->items[l->limit - 1].created_at;
    }
    if (!id)
        return 0;
    (void)snprintf(time, sizeof(time), "%lld", (long long)at);
    return pb_page_next(arena, time, id, &list->next_cursor, err);
}

int pb_execution_list(struct pb_db *db, struct pb_arena *arena,
                      const struct pb_execution_filter *filter, struct pb_execution_list *ret_list,
                      struct pb_error *err)
{
    struct pb_execution_list list = {0};
    struct pb_array array = {0};
    struct looking l = {0};
    struct pb_buf sql;
    int r;

    if (read_filter(filter, arena, &l, err) < 0 ||
        (l.pattern && find_since(db, arena, &l, err) < 0))
        return -1;
    pb_buf_init(&sql, SQL_MAX);
    put_list(&sql, &l);
    r = pb_db_list(db, pb_buf_string(&sql),
                   PB_VALUES(T(filter->project_id), I(filter->work_item_id), I(l.issue),
                             I(l.before_time), T(l.before.key), I((int64_t)l.limit + 1),
                             I(filter->number), T(l.pattern), I(l.since_time), T(l.since_id)),
                   arena, sizeof(struct pb_execution), pb_execution_read, &array, err);
    pb_buf_release(&sql);
    if (r < 0)
        return -1;
    list.items = array.items;
    list.count = array.count;
    if (finish_page(arena, &l, &list, err) < 0)
        return -1;
    *ret_list = list;
    return 0;
}
