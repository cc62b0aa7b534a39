/*
 * A schedule makes executions of a project at times that a cron text says.
 *
 *   due_at    the moment that the cron text names: it names the execution, too
 *   next_at   when we act on it: a little later by the schedule's own jitter,
 *             or when we look again (GitHub did not answer, the last run goes on)
 *
 * Both are 0 while it is switched off. One moment makes one execution at most,
 * however often it is looked at: the execution's key is the schedule and due_at.
 */
#ifndef PB_MODEL_SCHEDULE_H
#define PB_MODEL_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "model/cron.h"
#include "model/names.h"

/* What happens to times at which the platform was down: policy, name */
#define PB_MISSED_POLICIES(X)                                           \
    X(RUN_ONCE, "run_once") /* the last of them, as soon as possible */ \
    X(SKIP, "skip")

/* What happens while the last run goes on: policy, name */
#define PB_OVERLAP_POLICIES(X)                                                       \
    X(SKIP, "skip")                                                                  \
    X(QUEUE, "queue") /* it starts when the last one has ended; one at most waits */ \
    X(CANCEL_PREVIOUS, "cancel_previous")

/* How the last time went: result, name */
#define PB_SCHEDULE_RESULTS(X)                                \
    X(NONE, "")                                               \
    X(STARTED, "started")                                     \
    X(WAITING, "waiting") /* for the last run to end */       \
    X(OVERLAPPED, "overlapped")                               \
    X(MISSED, "missed")                                       \
    X(RETRYING, "retrying") /* the issue could not be read */ \
    X(FAILED, "failed")

enum pb_missed_policy {
#define X(policy, name) PB_MISSED_##policy,
    PB_MISSED_POLICIES(X)
#undef X
};

enum pb_overlap_policy {
#define X(policy, name) PB_OVERLAP_##policy,
    PB_OVERLAP_POLICIES(X)
#undef X
};

enum pb_schedule_result {
#define X(result, name) PB_SCHEDULE_##result,
    PB_SCHEDULE_RESULTS(X)
#undef X
};

extern const struct pb_names PB_MISSED_NAMES;
extern const struct pb_names PB_OVERLAP_NAMES;
extern const struct pb_names PB_SCHEDULE_RESULT_NAMES;

enum { PB_SCHEDULE_JITTER_MAX_MS = 3600 * 1000 };

struct pb_schedule {
    const char *id; /* ULID */
    const char *project_id;
    int64_t version; /* grows with every change people make: the ETag */

    const char *name; /* unique in its project */
    const char *cron;
    const char *time_zone;
    bool enabled;
    int64_t jitter_ms; /* up to so much later, always the same for this schedule */
    enum pb_missed_policy missed;
    enum pb_overlap_policy overlap;
    int64_t issue_number; /* 0: title and prompt */
    const char *title;
    const char *prompt;
    int64_t priority;

    int64_t due_at;
    int64_t next_at;
    int64_t failures; /* of this moment */
    int64_t last_at;
    enum pb_schedule_result last_result;
    const char *last_detail;
    const char *last_execution_id;

    const char *created_by;
    int64_t created_at;
    int64_t updated_at;
};

/* Checks every field people can set; findings as pb_project_check(). */
size_t pb_schedule_check(const struct pb_schedule *schedule, struct pb_error *ret_findings,
                         size_t max);
/* How much later than due it acts: 0 … jitter_ms - 1. */
int64_t pb_schedule_delay(const struct pb_schedule *schedule);
/* Its first moment after this one; both times 0 when it is switched off or never due. */
void pb_schedule_aim(struct pb_schedule *schedule, const struct pb_cron *cron,
                     const struct pb_time_zone *zone, int64_t after_ms);

#endif
