/*
 * What the platform does by itself when an attempt failed: nothing, or
 * another attempt, at once, after a pause, or when the provider says so.
 *
 * One row per kind that passes by itself; every other kind is for a person to
 * mend. Pauses double from try to try up to a cap and are shortened by up to a
 * quarter, differently for each execution, so that what failed together does
 * not come back together.
 */
#ifndef PB_MODEL_RETRY_H
#define PB_MODEL_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "model/failure.h"

enum pb_retry_way {
    PB_RETRY_WAY_NEVER,
    PB_RETRY_WAY_NOW,     /* straight back into the queue */
    PB_RETRY_WAY_BACKOFF, /* base, 2 × base, 4 × base … up to cap */
    PB_RETRY_WAY_DUE,     /* when the provider's window opens; backoff while it does not say */
};

struct pb_retry_rule {
    enum pb_retry_way way;
    int64_t tries; /* at most so many further attempts */
    int64_t base_ms;
    int64_t cap_ms;
};

const struct pb_retry_rule *pb_retry_rule(enum pb_failure_kind kind);

/* An attempt failed, the `failed`-th of this execution that did (from 1). */
struct pb_retry_case {
    enum pb_failure_kind kind;
    int64_t failed;
    int64_t limit;  /* the project's own limit of further attempts; -1 = the rule's alone */
    int64_t due_ms; /* when the provider's window opens; 0 = it did not say */
    int64_t now_ms;
    int64_t percent;  /* of the pauses: 100; tests hurry */
    const char *seed; /* the execution's id */
};

/* When to try again; 0 = not by itself. */
int64_t pb_retry_at(const struct pb_retry_case *failed);

#endif
