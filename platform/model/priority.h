/*
 * How urgent an execution is, and its place in its project's queue.
 *
 * A place is a moment: who has the earlier one goes first. It is worked out
 * once, when the execution is queued or somebody changes its urgency, so that
 * an index can keep the queue in order:
 *
 *   place = the earlier of   queued − head start of its priority
 *                            deadline − head start of "critical"
 *
 *   priority    critical   high   normal   low
 *   head start      48 h    4 h        0  −8 h
 *
 * So age counts as much as priority does, and nothing starves: a low one is
 * overtaken only by what is queued within 8 h after it (normal), 12 h (high)
 * or 56 h (critical), and then it goes first. A deadline that is still far
 * away changes nothing; one within two days lifts an execution as "critical"
 * would. A deadline is a wish: what misses it still runs.
 */
#ifndef PB_MODEL_PRIORITY_H
#define PB_MODEL_PRIORITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/names.h"

/* priority, name in JSON and CLI, what is kept in the row, head start in hours */
#define PB_PRIORITIES(X)      \
    X(LOW, "low", -1, -8)     \
    X(NORMAL, "normal", 0, 0) \
    X(HIGH, "high", 1, 4)     \
    X(CRITICAL, "critical", 2, 48)

enum pb_priority {
#define X(priority, name, value, hours) PB_PRIORITY_##priority = (value),
    PB_PRIORITIES(X)
#undef X
};

/* The word of a stored number; of the nearest priority for one that is none. */
const char *pb_priority_name(int64_t priority);
/* False for a word that is none. */
bool pb_priority_find(const char *name, int64_t *ret_priority) PB_MUST_CHECK;
/* The highest of the "priority:<word>" labels (any case); false leaves *ret_priority alone. */
bool pb_priority_from_labels(const char *const *labels, size_t count,
                             int64_t *ret_priority) PB_MUST_CHECK;

/* deadline_at 0 = none */
int64_t pb_queue_place(int64_t queued_at, int64_t priority, int64_t deadline_at);

#endif
