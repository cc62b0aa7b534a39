/* Rows of the table executions, shared by execution_store.c and execution_queue.c. */
#ifndef PB_SERVER_STORE_EXECUTION_ROWS_PRIVATE_H
#define PB_SERVER_STORE_EXECUTION_ROWS_PRIVATE_H

#include "server/store/db_private.h"
#include "server/store/execution_store.h"

/* "SELECT … FROM executions AS e JOIN projects … LEFT JOIN work_items …": what pb_execution_read() reads. */
void pb_execution_put_select(struct pb_buf *sql);
int pb_execution_read(struct pb_rows *rows, struct pb_arena *arena, void *ret_item,
                      struct pb_error *err);

#endif
