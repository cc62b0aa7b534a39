/* Which logs a project holds, and that one was given up. The rows of executions, not the lines. */
#ifndef PB_SERVER_STORE_LOG_HOLDING_H
#define PB_SERVER_STORE_LOG_HOLDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "server/store/db.h"

struct pb_log_holding {
    const char *id; /* of the execution */
    int64_t created_at;
    int64_t completed_at; /* 0 while it goes on */
    int64_t bytes;        /* its log had when it ended; 0 while it runs */
    bool is_kept;         /* not given up */
};

struct pb_log_holdings {
    struct pb_log_holding *items;
    size_t count;
};

/* A project's executions from the newest on; `after` (NULL: from the first) is the last one seen. */
int pb_log_holdings_list(struct pb_db *db, struct pb_arena *arena, const char *project_id,
                         const struct pb_log_holding *after, size_t limit,
                         struct pb_log_holdings *ret_list, struct pb_error *err) PB_MUST_CHECK;
/* Those of executions that completed before `before_ms`, the oldest first; the ones given up are not among
 * them. `after` as above. */
int pb_log_holdings_old(struct pb_db *db, struct pb_arena *arena, int64_t before_ms,
                        const struct pb_log_holding *after, size_t limit,
                        struct pb_log_holdings *ret_list, struct pb_error *err) PB_MUST_CHECK;
/* Its execution has no log any more. */
int pb_log_holding_drop(struct pb_db *db, const char *id, int64_t now_ms,
                        struct pb_error *err) PB_MUST_CHECK;

#endif
