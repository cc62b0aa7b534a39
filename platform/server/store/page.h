/*
 * Keyset pages: a list gives `limit` rows and a cursor, the text that says
 * where the next page begins. Rows that come or go in between shift nothing,
 * and page 10,000 costs what page 1 costs. To callers a cursor is opaque.
 */
#ifndef PB_SERVER_STORE_PAGE_H
#define PB_SERVER_STORE_PAGE_H

#include <stddef.h>

struct pb_page {
    size_t limit;       /* 0 = PB_LIMIT_PAGE_DEFAULT; at most PB_LIMIT_PAGE */
    const char *cursor; /* NULL = from the start. A malformed one is INVALID, field "cursor" */
};

/* Every struct pb_…_list: `items` (in the arena), `count`, and `next_cursor`, NULL at the end. */

#endif
