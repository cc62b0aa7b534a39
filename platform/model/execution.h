/*
 * An execution is one piece of work, usually one GitHub issue, from its
 * trigger to its result. It is tried in attempts: lease, fence, log position
 * and exit belong to the attempt, status and result to the execution.
 *
 *   QUEUED --assign--> ASSIGNED --prepare--> PREPARING --run--> RUNNING
 *     ^ |                 |                     |                  |
 *     | |                 +---------------------+------------------+
 *     | |                               |
 *     | |      +------------+-----------+----+-------------+----------------+
 *     | |    lose    ask / request_approval  defer       cancel          an outcome
 *     | |      |       |               |       |           |                |
 *     | |      |       v               v       v           v                v
 *     | |   QUEUED  WAITING_INPUT  WAITING_  WAITING_  CANCELLING     SUCCEEDED FAILED
 *     | |              |           APPROVAL  QUOTA         |          TIMED_OUT
 *     | |              |               |       |           |          BUDGET_EXHAUSTED
 *     +-|--- reply ----+---------------+       |           |          CANCELLED
 *     +-|--- due ------------------------------+           |
 *       +--- cancel (also from waiting_*) ---> CANCELLED <-+ whatever it reports,
 *                                                            unless it had succeeded
 *
 * Invariants
 *  1. Status changes only through pb_execution_next(); every caller is in
 *     server/services/execution_control.c.
 *  2. Nothing leaves a final state.
 *  3. The outcomes are open from ASSIGNED and PREPARING too: a node goes on
 *     while the platform is down, and then reports the end without the middle.
 *  4. Losing an attempt loses no work: it leads back to QUEUED, and only from
 *     CANCELLING to CANCELLED.
 *  5. Cancelling is decided where nothing runs (QUEUED, WAITING_*) and asked
 *     for where something does. Who finished before the request arrived has
 *     succeeded; every other report confirms the cancelling.
 *  6. A waiting execution runs nowhere. Its answer makes it QUEUED again, with
 *     the same session.
 *  7. The fence grows with every assignment. A report with an older one is
 *     refused: that attempt has lost the right to speak.
 */
#ifndef PB_MODEL_EXECUTION_H
#define PB_MODEL_EXECUTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "model/names.h"

/* status, name in JSON, SQL and CLI, final? */
#define PB_EXECUTION_STATUSES(X)                   \
    X(QUEUED, "queued", false)                     \
    X(ASSIGNED, "assigned", false)                 \
    X(PREPARING, "preparing", false)               \
    X(RUNNING, "running", false)                   \
    X(WAITING_INPUT, "waiting_input", false)       \
    X(WAITING_APPROVAL, "waiting_approval", false) \
    X(WAITING_QUOTA, "waiting_quota", false)       \
    X(CANCELLING, "cancelling", false)             \
    X(SUCCEEDED, "succeeded", true)                \
    X(FAILED, "failed", true)                      \
    X(TIMED_OUT, "timed_out", true)                \
    X(BUDGET_EXHAUSTED, "budget_exhausted", true)  \
    X(CANCELLED, "cancelled", true)

enum pb_execution_status {
#define X(status, name, final) PB_EXECUTION_##status,
    PB_EXECUTION_STATUSES(X)
#undef X
        PB_EXECUTION_STATUS_COUNT
};

/* event, its name in messages ("a succeeded execution cannot be cancelled") */
#define PB_EXECUTION_EVENTS(X)                       \
    X(ASSIGN, "assigned")                            \
    X(PREPARE, "prepared")                           \
    X(RUN, "run")                                    \
    X(SUCCEED, "finished")                           \
    X(FAIL, "failed")                                \
    X(TIME_OUT, "timed out")                         \
    X(EXHAUST, "ended by its budget")                \
    X(CONFIRM, "reported as cancelled")              \
    X(ASK, "made to wait for input")                 \
    X(REQUEST_APPROVAL, "made to wait for approval") \
    X(DEFER, "made to wait for quota")               \
    X(REPLY, "answered")                             \
    X(DUE, "continued")                              \
    X(CANCEL, "cancelled")                           \
    X(LOSE, "put back into the queue")

enum pb_execution_event {
#define X(event, words) PB_EXECUTION_EVENT_##event,
    PB_EXECUTION_EVENTS(X)
#undef X
        PB_EXECUTION_EVENT_COUNT
};

/* what an attempt says at its end (message 47, attempts.outcome), the event it is for its execution
 * */
#define PB_EXECUTION_OUTCOMES(X)                              \
    X(SUCCEEDED, "succeeded", SUCCEED)                        \
    X(FAILED, "failed", FAIL)                                 \
    X(TIMED_OUT, "timed_out", TIME_OUT)                       \
    X(BUDGET_EXHAUSTED, "budget_exhausted", EXHAUST)          \
    X(CANCELLED, "cancelled", CONFIRM)                        \
    X(WAITING_INPUT, "waiting_input", ASK)                    \
    X(WAITING_APPROVAL, "waiting_approval", REQUEST_APPROVAL) \
    X(WAITING_QUOTA, "waiting_quota", DEFER)                  \
    X(LOST, "lost", LOSE)

enum pb_execution_outcome {
#define X(outcome, name, event) PB_EXECUTION_OUTCOME_##outcome,
    PB_EXECUTION_OUTCOMES(X)
#undef X
        PB_EXECUTION_OUTCOME_COUNT
};

#define PB_ATTEMPT_STATUSES(X)  \
    X(ASSIGNED, "assigned")     \
    X(ACCEPTED, "accepted")     \
    X(PREPARING, "preparing")   \
    X(RUNNING, "running")       \
    X(PUBLISHING, "publishing") \
    X(ENDED, "ended")           \
    X(LOST, "lost")

enum pb_attempt_status {
#define X(status, name) PB_ATTEMPT_##status,
    PB_ATTEMPT_STATUSES(X)
#undef X
        PB_ATTEMPT_STATUS_COUNT
};

#define PB_TRIGGERS(X)      \
    X(LABEL, "label")       \
    X(COMMENT, "comment")   \
    X(UI, "ui")             \
    X(API, "api")           \
    X(RETRY, "retry")       \
    X(SCHEDULE, "schedule") \
    X(WEBHOOK, "webhook")

enum pb_execution_trigger {
#define X(trigger, name) PB_TRIGGER_##trigger,
    PB_TRIGGERS(X)
#undef X
        PB_TRIGGER_COUNT
};

extern const struct pb_names PB_EXECUTION_STATUS_NAMES;
extern const struct pb_names PB_ATTEMPT_STATUS_NAMES;
extern const struct pb_names PB_EXECUTION_OUTCOME_NAMES;
extern const struct pb_names PB_TRIGGER_NAMES;

/* Where `event` leads from `from`. CONFLICT, reason "already_final" or "not_now", if there is no
 * such move. */
int pb_execution_next(enum pb_execution_status from, enum pb_execution_event event,
                      enum pb_execution_status *ret_to, struct pb_error *err) PB_MUST_CHECK;
enum pb_execution_event pb_execution_event_of(enum pb_execution_outcome outcome);

const char *pb_execution_status_name(enum pb_execution_status status);
const char *pb_attempt_status_name(enum pb_attempt_status status);
const char *pb_execution_trigger_name(enum pb_execution_trigger trigger);
bool pb_execution_is_final(enum pb_execution_status status);
/* A node has it: ASSIGNED, PREPARING, RUNNING, CANCELLING. */
bool pb_execution_is_active(enum pb_execution_status status);
bool pb_execution_is_waiting(enum pb_execution_status status);

/* What it used so far, counted by the broker. */
struct pb_execution_usage {
    int64_t calls;
    int64_t input_tokens;
    int64_t output_tokens;
    int64_t cache_read_tokens;
    int64_t cache_write_tokens;
    int64_t cost_micro_usd; /* -1 unknown */
};

/* Why a queued execution does not run yet, for people. */
struct pb_waiting {
    const char *code;
    const char *en;
    const char *ja;
    int64_t until;    /* it ends by itself then; 0 unknown */
    int64_t position; /* its place among those of its project that are ready, from 1; 0 it is not */
    int64_t queued;   /* how many of its project are queued, ready or not */
};

/*
 * Texts are NULL when there is none, times 0, numbers 0 unless said otherwise.
 * Whoever filled the struct says how long the texts live (the store: as long
 * as its arena).
 */
struct pb_execution {
    const char *id; /* ULID */
    const char *project_id;
    int64_t number;  /* counts up per project */
    int64_t version; /* grows with every change of the row */
    enum pb_execution_status status;

    /* what is asked */
    int64_t work_item_id; /* 0 none */
    int64_t issue_number; /* 0 none */
    const char *title;
    enum pb_execution_trigger trigger;
    const char *requested_by;
    const char *dedupe_key;
    const char *prompt; /* loaded with one execution, NULL in lists */
    const char *driver; /* PB_DRIVER_NAMES (model/project.h) */
    const char *labels; /* JSON array: the issue's */
    bool resume;        /* the work item's session goes on */
    int64_t priority;   /* model/priority.h */
    int64_t deadline_at;
    int64_t place; /* in its project's queue; kept by the store */

    /* where it stands */
    int64_t available_at; /* not before; waiting_quota: due then */
    const char
        *queued_reason;  /* why it cannot start, of its own; NULL = it could. Kept by the store */
    const char *held_by; /* the limit it waits for; NULL = none */
    int64_t fence;
    int64_t attempt_count;
    int64_t lost_count;  /* attempts lost so far */
    int64_t retry_count; /* attempts that failed and were tried again */
    const char *node_id;
    int64_t cancel_requested_at;
    const char *cancel_by;

    /* how it ended, or why it waits */
    const char *reason_kind; /* PB_FAILURES' names (model/failure.h) */
    const char *reason;
    const char *summary;
    const char *question;
    bool no_changes;
    const char *branch;
    const char *base_sha;
    const char *head_sha;
    int64_t pr_number;
    const char *pr_url;
    int64_t files_changed;
    int64_t insertions;
    int64_t deletions;

    /* the model */
    const char *session_id;
    const char *model;
    int64_t num_turns;
    struct pb_execution_usage usage; /* all attempts together */

    /* the log */
    const char *logs; /* address, see server/store/log_store.h */
    int64_t log_lines;
    int64_t log_bytes;

    int64_t created_at;
    int64_t started_at;
    int64_t completed_at;
    int64_t updated_at;

    /* read along from its project and work item; never written through here */
    const char *project_name;
    const char *github_owner;
    const char *github_repo;
    const char *item; /* "issue-12" */
    const char *issue_url;
    /* read along from its attempts: time spent waiting is not in it */
    int64_t active_ms;    /* of those that have ended */
    int64_t active_since; /* the one that works now; 0 none does */
    /* worked out for people when it is shown; NULL = nobody has */
    const struct pb_waiting *waiting;
};

struct pb_attempt {
    const char *execution_id;
    int64_t number; /* from 1 */
    int64_t fence;
    const char *node_id;
    enum pb_attempt_status status;
    const char *outcome; /* PB_EXECUTION_OUTCOMES' names; NULL while it lives */
    int64_t assigned_at;
    int64_t started_at;
    int64_t ended_at;
    int64_t lease_until;
    int64_t next_line; /* lines below it are durable */
    const char *session_id;
    const char *reason_kind;
    const char *reason;
    int64_t exit_code; /* -1 unknown */
    int64_t exit_signal;
    int64_t num_turns;
    struct pb_execution_usage usage;
};

#endif
