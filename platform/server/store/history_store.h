/*
 * History that is thrown away: executions that ended long ago, with their
 * attempts and remarks. The keys of their triggers stay, so that nothing is
 * done a second time, and so does the work item.
 */
#ifndef PB_SERVER_STORE_HISTORY_STORE_H
#define PB_SERVER_STORE_HISTORY_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "server/store/db.h"

struct pb_old_execution {
    const char *id;
    const char *project_id;
    int64_t completed_at;
    bool may_go; /* it is not among its project's newest */
};

struct pb_old_executions {
    struct pb_old_execution *items;
    size_t count;
};

struct pb_history_wish {
    int64_t before_ms;    /* completed before */
    int64_t keep;         /* the newest of a project that stay; its last one always does */
    int64_t completed_at; /* the last one seen; 0 and "" = from the oldest on */
    const char *id;
    size_t limit;
};

/* By the time of their end, the oldest first. */
int pb_history_old(struct pb_db *db, struct pb_arena *arena, const struct pb_history_wish *wish,
                   struct pb_old_executions *ret_list, struct pb_error *err) PB_MUST_CHECK;
/* With the counters of pb_project_counts() in step. One that is gone, or goes on, is left alone. */
int pb_history_remove(struct pb_db *db, const char *id, struct pb_error *err) PB_MUST_CHECK;

#endif
