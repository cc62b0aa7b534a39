/* Rows of the table executions, shared by execution_store.c, execution_queue.c and queue_store.c. */
#ifndef PB_SERVER_STORE_EXECUTION_ROWS_PRIVATE_H
#define PB_SERVER_STORE_EXECUTION_ROWS_PRIVATE_H

#include "server/store/db_private.h"
#include "server/store/execution_store.h"

/* "SELECT … FROM executions AS e JOIN projects … LEFT JOIN work_items …": what pb_execution_read() reads. */
void pb_execution_put_select(struct pb_buf *sql);
/* Its two halves: behind the first, more columns may follow. */
void pb_execution_put_columns(struct pb_buf *sql);
void pb_execution_put_from(struct pb_buf *sql);
int pb_execution_read(struct pb_rows *rows, struct pb_arena *arena, void *ret_item,
                      struct pb_error *err);
/* The same with the prompt; *ret_columns (may be NULL): how many it has read. */
int pb_execution_read_whole(struct pb_rows *rows, struct pb_arena *arena,
                            struct pb_execution *ret_execution, int *ret_columns,
                            struct pb_error *err) PB_MUST_CHECK;
int pb_execution_fail_not_found(const char *id, struct pb_error *err);

/* Brings what the queue keeps of a row in line with the rest of it, before it is written: its place, and
 * why it cannot start. */
int pb_queue_settle(struct pb_db *db, struct pb_execution *row, struct pb_error *err) PB_MUST_CHECK;
/* The same where it is known whether an older execution of its work item is open. */
void pb_queue_settle_as(struct pb_execution *row, bool busy);
/* Is one? Of one work item the oldest open execution goes first. */
#define PB_QUEUE_BEFORE(item, created_at, id)                                              \
    "SELECT 1 FROM executions WHERE work_item_id = " item " AND completed_at IS NULL AND " \
    "(created_at, id) < (" created_at ", " id ") LIMIT 1"
/* An execution of a work item has ended: the next one's turn. */
int pb_queue_next_of_item(struct pb_db *db, const struct pb_execution *ended,
                          struct pb_error *err) PB_MUST_CHECK;

#endif
