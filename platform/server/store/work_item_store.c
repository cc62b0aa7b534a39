#include "server/store/work_item_store.h"

#include <stdio.h>

#include "base/text.h"
#include "server/store/db_private.h"

#define W(kind, member) PB_COLUMN(kind, struct pb_work_item, member)

static const struct pb_column ITEMS[] = {
    W(INT, id),
    W(TEXT, project_id),
    PB_COLUMN_NAMED(struct pb_work_item, kind, PB_WORK_ITEM_KIND_NAMES),
    W(TIME, number),
    W(TEXT, item),
    W(TEXT, title),
    W(TEXT, url),
    W(TEXT, author),
    W(TEXT, session_id),
    W(TEXT, branch),
    W(TIME, pr_number),
    W(TEXT, pr_url),
    W(TIME, comment_id),
    W(TEXT, label_event_key),
    W(TEXT, seen_updated_at),
    W(TIME, last_comment_at),
    W(TEXT, state),
    W(INT, created_at),
    W(INT, updated_at),
};
static const struct pb_columns COLUMNS = PB_COLUMNS(ITEMS);
/* The same without what identifies it and when it was made: what a save writes. */
static const struct pb_columns SAVED = {ITEMS + 5, sizeof(ITEMS) / sizeof(ITEMS[0]) - 5};
enum { COLUMNS_MAX = 32, SQL_MAX = 8192 };

static int read_item(struct pb_rows *rows, struct pb_arena *arena, void *ret_item,
                     struct pb_error *err)
{
    return pb_rows_read(rows, 0, &COLUMNS, arena, ret_item, err);
}

/* SELECT … FROM work_items <rest> */
static int list(struct pb_db *db, struct pb_arena *arena, const char *rest,
                const struct pb_values *values, struct pb_array *ret_array, struct pb_error *err)
{
    struct pb_buf sql;
    int r;

    pb_buf_init(&sql, SQL_MAX);
    pb_buf_text(&sql, "SELECT ");
    pb_sql_columns(&sql, "", &COLUMNS);
    pb_buf_text(&sql, " FROM work_items ");
    pb_buf_text(&sql, rest);
    r = pb_db_list(db, pb_buf_string(&sql), values, arena, sizeof(struct pb_work_item), read_item,
                   ret_array, err);
    pb_buf_release(&sql);
    return r;
}

int pb_work_item_put(struct pb_db *db, const struct pb_work_item *item, int64_t *ret_id,
                     struct pb_error *err)
{
    return pb_db_number(
        db,
        "INSERT INTO work_items (project_id, kind, number, item, title, url, author, created_at, "
        "updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) "
        "ON CONFLICT (project_id, item) DO UPDATE SET title = excluded.title, "
        "url = coalesce(excluded.url, work_items.url), "
        "author = coalesce(excluded.author, work_items.author), updated_at = excluded.updated_at "
        "RETURNING id",
        PB_VALUES(T(item->project_id), T(pb_names_get(&PB_WORK_ITEM_KIND_NAMES, (int)item->kind)),
                  pb_value_time(item->number), T(item->item), T(item->title), T(item->url),
                  T(item->author), I(item->created_at), I(item->updated_at)),
        ret_id, err);
}

int pb_work_item_put_task(struct pb_db *db, const char *project_id, const char *title,
                          const char *author, int64_t now_ms, int64_t *ret_id, struct pb_error *err)
{
    return pb_db_number(
        db,
        "INSERT INTO work_items (project_id, kind, item, title, author, created_at, updated_at) "
        "SELECT ?1, 'task', 'task-' || (count(*) + 1), ?2, ?3, ?4, ?4 FROM work_items "
        "WHERE project_id = ?1 AND kind = 'task' RETURNING id",
        PB_VALUES(T(project_id), T(title), T(author), I(now_ms)), ret_id, err);
}

int pb_work_item_load(struct pb_db *db, struct pb_arena *arena, int64_t id,
                      struct pb_work_item **ret_item, struct pb_error *err)
{
    struct pb_array found = {0};

    if (list(db, arena, "WHERE id = ?1", PB_VALUES(I(id)), &found, err) < 0)
        return -1;
    if (found.count == 0)
        return pb_fail_reason(err, PB_ERROR_NOT_FOUND, "work_item_not_found", "no work item %lld",
                              (long long)id);
    *ret_item = found.items;
    return 0;
}

int pb_work_item_find(struct pb_db *db, struct pb_arena *arena, const char *project_id,
                      int64_t number, struct pb_work_item **ret_item, struct pb_error *err)
{
    struct pb_array found = {0};

    if (list(db, arena, "WHERE project_id = ?1 AND number = ?2 AND kind = 'issue' LIMIT 1",
             PB_VALUES(T(project_id), I(number)), &found, err) < 0)
        return -1;
    if (found.count == 0 &&
        list(db, arena, "WHERE project_id = ?1 AND pr_number = ?2 ORDER BY id DESC LIMIT 1",
             PB_VALUES(T(project_id), I(number)), &found, err) < 0)
        return -1;
    *ret_item = found.count > 0 ? found.items : NULL;
    return 0;
}

int pb_work_item_list(struct pb_db *db, struct pb_arena *arena, const char *project_id,
                      const struct pb_page *page, struct pb_work_item_list *ret_list,
                      struct pb_error *err)
{
    size_t limit = pb_page_limit(page);
    struct pb_work_item_list items = {0};
    struct pb_array found = {0};
    struct pb_position position;
    int64_t before = INT64_MAX;
    char text[24];

    if (pb_page_position(page, arena, &position, err) < 0 ||
        pb_position_number(&position, &before, err) < 0 ||
        list(db, arena, "WHERE project_id = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3",
             PB_VALUES(T(project_id), I(before), I((int64_t)limit + 1)), &found, err) < 0)
        return -1;
    items.items = found.items;
    items.count = found.count;
    if (items.count > limit) {
        items.count = limit;
        snprintf(text, sizeof(text), "%lld", (long long)items.items[limit - 1].id);
        if (pb_page_next(arena, text, "", &items.next_cursor, err) < 0)
            return -1;
    }
    *ret_list = items;
    return 0;
}

static void put_save(struct pb_buf *sql)
{
    pb_buf_text(sql, "UPDATE work_items SET ");
    pb_sql_assign(sql, &SAVED, 2);
    pb_buf_text(sql, " WHERE id = ?1");
}

int pb_work_item_save(struct pb_db *db, const struct pb_work_item *item, struct pb_error *err)
{
    struct pb_value values[COLUMNS_MAX] = {I(item->id)};
    static struct pb_sql sql;
    const char *text = pb_sql_once(&sql, put_save, err);
    struct pb_error otherwise;

    if (!text)
        return -1;
    (void)pb_fail_reason(&otherwise, PB_ERROR_NOT_FOUND, "work_item_not_found", "no work item %lld",
                         (long long)item->id);
    pb_columns_values(&SAVED, item, values + 1);
    return pb_db_run_one(db, text, &(struct pb_values){values, SAVED.count + 1}, &otherwise, err);
}

int pb_work_item_note(struct pb_db *db, int64_t id, const char *session_id, const char *branch,
                      int64_t now_ms, struct pb_error *err)
{
    struct pb_error otherwise;

    (void)pb_fail_reason(&otherwise, PB_ERROR_NOT_FOUND, "work_item_not_found", "no work item %lld",
                         (long long)id);
    return pb_db_run_one(db,
                         "UPDATE work_items SET session_id = coalesce(?2, session_id), "
                         "branch = coalesce(?3, branch), updated_at = ?4 WHERE id = ?1",
                         PB_VALUES(I(id), T(session_id), T(branch), I(now_ms)), &otherwise, err);
}
