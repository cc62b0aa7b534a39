/* Work items. Rows and texts live in the arena. */
#ifndef PB_SERVER_STORE_WORK_ITEM_STORE_H
#define PB_SERVER_STORE_WORK_ITEM_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "model/work_item.h"
#include "server/store/db.h"
#include "server/store/page.h"

struct pb_work_item_list {
    struct pb_work_item *items;
    size_t count;
    const char *next_cursor;
};

/* Makes it, or brings title, url and author of the existing one up to date; ret_id either way. */
int pb_work_item_put(struct pb_db *db, const struct pb_work_item *item, int64_t *ret_id,
                     struct pb_error *err) PB_MUST_CHECK;
/* Makes a task: its number is given by the store ("task-<n>" in item). */
int pb_work_item_put_task(struct pb_db *db, const char *project_id, const char *title,
                          const char *author, int64_t now_ms, int64_t *ret_id,
                          struct pb_error *err) PB_MUST_CHECK;
/* NOT_FOUND, reason "work_item_not_found". */
int pb_work_item_load(struct pb_db *db, struct pb_arena *arena, int64_t id,
                      struct pb_work_item **ret_item, struct pb_error *err) PB_MUST_CHECK;
/* The issue with this number, or the one whose pull request has it; NULL if there is none. */
int pb_work_item_find(struct pb_db *db, struct pb_arena *arena, const char *project_id,
                      int64_t number, struct pb_work_item **ret_item,
                      struct pb_error *err) PB_MUST_CHECK;
/* Newest first. */
int pb_work_item_list(struct pb_db *db, struct pb_arena *arena, const char *project_id,
                      const struct pb_page *page, struct pb_work_item_list *ret_list,
                      struct pb_error *err) PB_MUST_CHECK;
/* Everything but project, kind, number and item. NOT_FOUND. */
int pb_work_item_save(struct pb_db *db, const struct pb_work_item *item,
                      struct pb_error *err) PB_MUST_CHECK;
/* What an attempt leaves: its session, its branch (NULL = as before). NOT_FOUND. */
int pb_work_item_note(struct pb_db *db, int64_t id, const char *session_id, const char *branch,
                      int64_t now_ms, struct pb_error *err) PB_MUST_CHECK;

#endif
