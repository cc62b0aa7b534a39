/* Remarks: what people said to executions. Rows and texts live in the arena. */
#ifndef PB_SERVER_STORE_REMARK_STORE_H
#define PB_SERVER_STORE_REMARK_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "model/remark.h"
#include "server/store/db.h"
#include "server/store/page.h"

struct pb_remark_list {
    struct pb_remark *items;
    size_t count;
    const char *next_cursor; /* of a page; NULL otherwise */
};

/* As the execution's last; its number is given by the store. */
int pb_remark_add(struct pb_db *db, const struct pb_remark *remark,
                  struct pb_error *err) PB_MUST_CHECK;
/* Of all executions of a work item: newest first, at most `limit`. */
int pb_remark_list(struct pb_db *db, struct pb_arena *arena, int64_t work_item_id, size_t limit,
                   struct pb_remark_list *ret_list, struct pb_error *err) PB_MUST_CHECK;
/* Of one execution, newest first. */
int pb_remark_page(struct pb_db *db, struct pb_arena *arena, const char *execution_id,
                   const struct pb_page *page, struct pb_remark_list *ret_list,
                   struct pb_error *err) PB_MUST_CHECK;

#endif
