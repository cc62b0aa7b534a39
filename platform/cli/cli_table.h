/*
 * Aligned columns for people. Columns are as wide as their widest cell; when
 * the line is wider than the terminal, the one column marked `gives` is cut.
 */
#ifndef PB_CLI_CLI_TABLE_H
#define PB_CLI_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"

enum { PB_CLI_COLUMNS = 12 };

struct pb_cli_column {
    const char *title;
    bool right; /* numbers */
    bool gives;
};

struct pb_cli_table;

/* Lives in the arena, as do the copies of its cells. NULL when that is full. */
struct pb_cli_table *pb_cli_table_new(struct pb_arena *arena, const struct pb_cli_column *columns,
                                      size_t count) PB_MUST_CHECK;
/* One cell per column; a NULL cell is empty. */
int pb_cli_table_add(struct pb_cli_table *table, const char *const *cells,
                     struct pb_error *err) PB_MUST_CHECK;
/* width 0 = as wide as it gets. */
void pb_cli_table_write(const struct pb_cli_table *table, size_t width, struct pb_buf *buf);

#endif
