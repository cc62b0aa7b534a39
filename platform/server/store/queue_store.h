/*
 * The queue as the scheduler reads it: never whole.
 *
 * A queued row without a reason of its own is "ready" and lies in an index by
 * project and place. A row that waits for something of its own is not in it:
 * for its time ("not_yet"), for another execution of its work item
 * ("work_item_busy"), or for a limit ("user_full", "label_full", held_by says
 * which). The first two are kept in step by every insert and save; the last by
 * pb_queue_hold() and pb_queue_release(). So each call here reads as many rows
 * as it gives, whatever the queue's length.
 *
 * Why a ready row waits is not in the row: its project is full, paused,
 * closed …; who wants to know asks pb_queue_project().
 */
#ifndef PB_SERVER_STORE_QUEUE_STORE_H
#define PB_SERVER_STORE_QUEUE_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "model/execution.h"
#include "model/project.h"
#include "model/queue_limit.h"
#include "server/store/db.h"

/* A project, as far as its queue is concerned. */
struct pb_queue_project {
    const char *id;
    enum pb_project_status status;
    int64_t max_concurrent;
    int64_t queue_weight;
    const char *active_hours; /* NULL = always */
    const char *time_zone;    /* NULL = UTC */
    int64_t active;           /* its executions on nodes now */
    int64_t queued;           /* ready or not */
};
struct pb_queue_projects {
    struct pb_queue_project *items;
    size_t count;
};

/* Those with a ready row, by id, after this one ("" = from the first). */
int pb_queue_projects(struct pb_db *db, struct pb_arena *arena, const char *after_id, size_t limit,
                      struct pb_queue_projects *ret_projects, struct pb_error *err) PB_MUST_CHECK;
/* Any one; NOT_FOUND, reason "project_not_found". */
int pb_queue_project(struct pb_db *db, struct pb_arena *arena, const char *id,
                     struct pb_queue_project **ret_project, struct pb_error *err) PB_MUST_CHECK;

struct pb_queue_row {
    const char *execution_id;
    const char *project_id;
    const char *requested_by;
    const char *labels; /* JSON array, or NULL */
    int64_t place;
};
struct pb_queue_rows {
    struct pb_queue_row *items;
    size_t count;
};

/* A project's ready rows in their order. */
int pb_queue_heads(struct pb_db *db, struct pb_arena *arena, const char *project_id, size_t limit,
                   struct pb_queue_rows *ret_rows, struct pb_error *err) PB_MUST_CHECK;
/* How many ready rows of its project go before this execution; counts no further than `most`. */
int pb_queue_ahead(struct pb_db *db, const struct pb_execution *execution, int64_t most,
                   int64_t *ret_count, struct pb_error *err) PB_MUST_CHECK;

/* --- limits --------------------------------------------------------------------------------------- */

/* What works now; `node` is the node's id. */
struct pb_queue_loads {
    struct pb_queue_load *items;
    size_t count;
};
int pb_queue_active(struct pb_db *db, struct pb_arena *arena, struct pb_queue_loads *ret_loads,
                    struct pb_error *err) PB_MUST_CHECK;

/* A row, ready or held by another limit, has met this one. One that waits for something else is left alone.
 * held_by becomes "<project> <limit_key>": projects wait for the same limit side by side. */
int pb_queue_hold(struct pb_db *db, const char *execution_id, const char *reason,
                  const char *limit_key, struct pb_error *err) PB_MUST_CHECK;
/* The first rows that have this held_by. */
int pb_queue_held_by(struct pb_db *db, struct pb_arena *arena, const char *held_by, size_t limit,
                     struct pb_queue_rows *ret_rows, struct pb_error *err) PB_MUST_CHECK;
/* A held row is ready again. */
int pb_queue_release(struct pb_db *db, const char *execution_id,
                     struct pb_error *err) PB_MUST_CHECK;
/* Every held_by there is. */
struct pb_queue_held {
    const char **items;
    size_t count;
};
int pb_queue_held(struct pb_db *db, struct pb_arena *arena, struct pb_queue_held *ret_held,
                  struct pb_error *err) PB_MUST_CHECK;

/* Rows whose time has come, at most `count`. */
int pb_queue_release_due(struct pb_db *db, int64_t now_ms, int64_t count, int64_t *ret_released,
                         struct pb_error *err) PB_MUST_CHECK;

/* By kind, project, subject. */
int pb_queue_limit_list(struct pb_db *db, struct pb_arena *arena,
                        struct pb_queue_limits *ret_limits, struct pb_error *err) PB_MUST_CHECK;
/* Makes the limits exactly these. */
int pb_queue_limit_replace(struct pb_db *db, const struct pb_queue_limits *limits,
                           struct pb_error *err) PB_MUST_CHECK;

#endif
