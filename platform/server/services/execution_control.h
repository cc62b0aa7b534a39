/*
 * Executions: enqueue, reply, cancel, retry, and what nodes report about
 * them. The only caller of pb_execution_next(), so the only place where a
 * status changes.
 *
 * Every change is one transaction that also leaves a `sync_issue` row in the
 * outbox when the work item is a GitHub issue. After the commit, and only
 * then: events are published, the GitHub effects are kicked, the scheduler
 * is kicked. A crash in between loses nothing: effects are level-triggered
 * from the row, the scheduler looks at the table when it starts.
 *
 * Reports carry execution, attempt and fence. A fence that is not the row's
 * is CONFLICT with reason "stale_fence", and nothing changes.
 */
#ifndef PB_SERVER_SERVICES_EXECUTION_CONTROL_H
#define PB_SERVER_SERVICES_EXECUTION_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "model/execution.h"
#include "model/remark.h"

struct pb_platform;

struct pb_enqueue {
    const char *project_id;
    int64_t issue_number; /* 0 = not about an issue: a work item of its own is made */
    int64_t work_item_id; /* 0 = found or made by (project, issue_number) */
    const char *title;
    const char *url;    /* the issue's page; NULL = unknown */
    const char *author; /* the issue's author; NULL = unknown */
    const char *prompt; /* pinned as of the trigger */
    enum pb_execution_trigger trigger;
    const char *requested_by;       /* login on GitHub, or user name here */
    const char *dedupe_key;         /* contract: "label:…", "comment:…", "ui:…" */
    bool resume;                    /* continue the work item's session when it has one */
    const char *driver;             /* NULL = the project's */
    const char *labels;             /* JSON array: the issue's; NULL = none */
    int64_t priority;               /* model/priority.h; NORMAL = as the labels say */
    int64_t deadline_at;            /* 0 = none */
    const struct pb_remark *remark; /* the comment that is the trigger; NULL = none was */
};

/* CONFLICT with reason "duplicate" when the project has seen this dedupe_key (also as a reply). */
int pb_execution_enqueue(struct pb_platform *platform, const struct pb_enqueue *wish,
                         struct pb_arena *arena, const char **ret_id,
                         struct pb_error *err) PB_MUST_CHECK;

/* The execution this trigger made or answered; NULL in ret_id when it was never seen. */
int pb_execution_find(struct pb_platform *platform, const char *project_id, const char *dedupe_key,
                      struct pb_arena *arena, const char **ret_id,
                      struct pb_error *err) PB_MUST_CHECK;

/* An answer for an execution that waits for input or approval: the same execution is queued again with
 * `prompt` and its session; `answer` (its text, by whom, where, when) is kept with the question. CONFLICT
 * "duplicate" for a key seen before, CONFLICT "not_waiting" when it no longer waits (the caller then
 * enqueues). */
int pb_execution_reply(struct pb_platform *platform, const char *id, const char *prompt,
                       const struct pb_remark *answer, const char *dedupe_key,
                       struct pb_error *err) PB_MUST_CHECK;

/* Urgency of an execution that is not final; what is queued changes its place. */
struct pb_urgency {
    bool has_priority;
    int64_t priority;
    bool has_deadline;
    int64_t deadline_at; /* 0 = none */
    bool now;            /* does not wait for its next try any longer */
};
int pb_execution_set_urgency(struct pb_platform *platform, const char *id,
                             const struct pb_urgency *urgency, const char *by,
                             struct pb_error *err) PB_MUST_CHECK;

/* The issue's labels are these now: what is queued for it takes over its labels and, if they are others than
 * before, the priority that they name. */
int pb_execution_follow_labels(struct pb_platform *platform, int64_t work_item_id,
                               const char *labels, struct pb_error *err) PB_MUST_CHECK;

/* At once when nothing runs, else the node is told and `cancelled` follows its report, or the cancel timeout.
 * Cancelling twice is success; a final execution is CONFLICT "already_final". */
int pb_execution_cancel(struct pb_platform *platform, const char *id, const char *by,
                        struct pb_error *err) PB_MUST_CHECK;

/* A new execution of the same work item with the same prompt, trigger "retry". CONFLICT unless the old one
 * is final or waits. */
int pb_execution_retry(struct pb_platform *platform, const char *id, const char *by,
                       bool same_session, struct pb_arena *arena, const char **ret_id,
                       struct pb_error *err) PB_MUST_CHECK;

/* GitHub effects: the pull request that shows this execution's work. Recorded on the work item too. */
int pb_execution_set_pull_request(struct pb_platform *platform, const char *id, int64_t number,
                                  const char *url, struct pb_error *err) PB_MUST_CHECK;

/* A line of ours in the execution's log (stream 's' ours, 'w' warning, 'x' error). Waits a
 * few ms until it is durable; a failure is logged here. Safe after the execution has ended. */
void pb_execution_note(struct pb_platform *platform, const char *id, char stream, const char *fmt,
                       ...) PB_PRINTF(4, 5);

/* --- what nodes report; called by node_hub and scheduler -------------------------------------------- */

struct pb_attempt_claim {
    const char *project_id; /* of the link it came over; a mismatch is NOT_FOUND */
    const char *execution;
    int64_t attempt;
    int64_t fence;
    const char
        *node_id; /* who says it; another node's attempt is CONFLICT. NULL = the platform itself */
};

/* attempt_result, as read from the wire. Texts may be NULL. */
struct pb_attempt_outcome {
    const char *outcome; /* succeeded|failed|timed_out|… or "lost" */
    const char *kind;    /* failure kind (model/failure.h) */
    const char *reason;
    int64_t resume_at_ms; /* waiting_quota: when to go on */
    const char *summary, *question;
    bool no_changes;
    const char *branch, *base_sha, *head_sha;
    bool pushed;
    int64_t files_changed, insertions, deletions;
    const char *session_id;
    int64_t num_turns, cli_cost_micro_usd;
    struct pb_execution_usage usage;
    int64_t exit_code, signal; /* -1 = none */
    int64_t last_line;
};

int pb_execution_accepted(struct pb_platform *platform, const struct pb_attempt_claim *claim,
                          struct pb_error *err) PB_MUST_CHECK;
/* The node will not take it (bad settings, no slot, disk): queued again, or failed when `kind` says that
 * trying again cannot help. */
int pb_execution_refused(struct pb_platform *platform, const struct pb_attempt_claim *claim,
                         const char *kind, const char *reason, struct pb_error *err) PB_MUST_CHECK;
/* state: preparing|running|publishing */
int pb_execution_progress(struct pb_platform *platform, const struct pb_attempt_claim *claim,
                          const char *state, const char *detail, const char *session_id,
                          struct pb_error *err) PB_MUST_CHECK;
int pb_execution_used(struct pb_platform *platform, const struct pb_attempt_claim *claim,
                      const struct pb_execution_usage *usage, struct pb_error *err) PB_MUST_CHECK;
/* Repeated results of an attempt that already ended are success, so that the node may forget it. */
int pb_execution_finished(struct pb_platform *platform, const struct pb_attempt_claim *claim,
                          const struct pb_attempt_outcome *outcome,
                          struct pb_error *err) PB_MUST_CHECK;
/* The attempt is gone with its node: queued again, or failed(node_lost) after PB_LIMIT_ATTEMPTS_LOST. */
int pb_execution_lost(struct pb_platform *platform, const struct pb_attempt_claim *claim,
                      const char *why, struct pb_error *err) PB_MUST_CHECK;
/* It was cancelled, and its node does not say so in time: cancelled without it. Nothing changes when it has
 * ended meanwhile. */
int pb_execution_give_up_cancel(struct pb_platform *platform, const struct pb_attempt_claim *claim,
                                struct pb_error *err) PB_MUST_CHECK;
/* May lines of this attempt still come? Also of one that has ended, as long as no newer one took its place
 * (CONFLICT "stale_fence") and it did not end longer ago than a node may be silent (NOT_FOUND). */
int pb_execution_may_log(struct pb_platform *platform, const struct pb_attempt_claim *claim,
                         struct pb_error *err) PB_MUST_CHECK;
/* Is this attempt, with this fence, still the one that may act? DENIED otherwise. */
int pb_execution_check_fence(struct pb_platform *platform, const struct pb_attempt_claim *claim,
                             struct pb_error *err) PB_MUST_CHECK;

#endif
