/*
 * What stands between a queued execution and its start, in code and in words.
 *
 * Reasons of the execution itself (its time, its issue, a limit) are in its
 * row. Reasons of everything around it are worked out here, the same way for
 * the scheduler and for who looks at the queue: nothing is written when a
 * project with a hundred thousand queued executions is paused.
 */
#ifndef PB_SERVER_SERVICES_QUEUE_GATE_H
#define PB_SERVER_SERVICES_QUEUE_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "model/execution.h"
#include "server/store/cluster_store.h"
#include "server/store/queue_store.h"

struct pb_platform;

/* The state of everything that a look at the queue shares. In its arena. */
struct pb_queue_world {
    struct pb_platform *platform;
    int64_t now_ms;
    const char *pause; /* what is said about it; NULL = the queue runs */
    struct pb_queue_limits limits;
    struct pb_queue_tally *tally; /* what works now; NULL when there are no limits */
    struct pb_node_list nodes;    /* read only when there are limits */
};

int pb_queue_world_read(struct pb_platform *platform, struct pb_db *db, struct pb_arena *arena,
                        int64_t now_ms, struct pb_queue_world *ret_world,
                        struct pb_error *err) PB_MUST_CHECK;

/* Where a project's executions can start. */
struct pb_queue_gate {
    const char *why;     /* NULL = open; else a code of pb_queued_reason_find() */
    int64_t until;       /* it opens by itself then; 0 unknown */
    const char *node_id; /* open: there. Good until the node hub is closed */
};
int pb_queue_gate_of(struct pb_queue_world *world, const struct pb_queue_project *project,
                     struct pb_queue_gate *ret_gate, struct pb_error *err) PB_MUST_CHECK;

/* The name of a node, as limits know it; the id of one that is not there any more; NULL for NULL. */
const char *pb_queue_node_name(const struct pb_queue_world *world, const char *node_id);

/* Works out `waiting` of those that are queued. */
int pb_queue_explain(struct pb_platform *platform, struct pb_db *db, struct pb_arena *arena,
                     struct pb_execution *executions, size_t count,
                     struct pb_error *err) PB_MUST_CHECK;

/* The code of the limit whose key this is: "user_full", "label_full", "node_full". */
const char *pb_queue_limit_code(const char *limit_key);

/* A code in words; NULL for one that is not known. */
struct pb_queued_reason {
    const char *code;
    const char *en;
    const char *ja;
};
const struct pb_queued_reason *pb_queued_reason_find(const char *code);

#endif
