/* How attempts end, and whether another one follows: see "what nodes report" in execution_control.h. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "model/failure.h"
#include "model/limits.h"
#include "model/retry.h"
#include "model/work_item.h"
#include "server/services/execution_report_private.h"
#include "server/services/node_hub.h"
#include "server/store/log_store.h"
#include "server/store/project_store.h"
#include "server/store/work_item_store.h"

enum {
    QUOTA_SHORTEST_MS = 10 * 1000,
    QUOTA_LONGEST_MS = 24 * 3600 * 1000,
    AGAIN_STEP_MS = 1000, /* times the number of attempts so far */
    AGAIN_LONGEST_MS = 30 * 1000,
};

/* --- the end of an attempt -------------------------------------------------------------------------------- */

static void measure_log(struct report *report)
{
    struct pb_log_info info;
    struct pb_error err;

    if (pb_log_stat(report->platform->log_store, report->claim->execution, &info, &err) < 0)
        return; /* the counts are a convenience of lists; the log itself is asked when it is shown */
    report->execution->log_lines = (int64_t)info.lines;
    report->execution->log_bytes = (int64_t)info.bytes;
}

static int close_attempt(struct report *report, enum pb_attempt_status status, const char *outcome,
                         struct pb_error *err)
{
    report->attempt->status = status;
    report->attempt->outcome = outcome;
    report->attempt->ended_at = report->now_ms; /* not before it began, whatever the clock says */
    if (report->attempt->ended_at < report->attempt->started_at)
        report->attempt->ended_at = report->attempt->started_at;
    report->ended = true;
    measure_log(report);
    return pb_attempt_save(report->db, report->attempt, err);
}

/* When the next attempt may begin after the `failed`-th that failed with this kind; 0 = it was the last. */
static int next_attempt(struct report *report, enum pb_failure_kind kind, int64_t failed,
                        int64_t due_ms, int64_t *ret_at, struct pb_error *err)
{
    struct pb_project *project;

    if (pb_project_load(report->db, report->arena, report->execution->project_id, &project, err) <
        0)
        return -1;
    *ret_at = pb_retry_at(&(struct pb_retry_case){
        .kind = kind,
        .failed = failed,
        .limit = kind == PB_FAILURE_NODE_LOST ? -1 : project->retry_limit,
        .due_ms = due_ms,
        .now_ms = report->now_ms,
        .percent = report->platform->settings.retry_percent,
        .seed = report->execution->id,
    });
    return 0;
}

/* Back to the queue, with the session it has. */
static int put_back(struct report *report, int64_t at_ms, struct pb_error *err)
{
    struct pb_execution *execution = report->execution;

    execution->available_at = at_ms;
    execution->resume = execution->resume || execution->session_id;
    return pb_report_apply(report, PB_EXECUTION_EVENT_LOSE, err);
}

/* Nobody took it: it has cost nothing, so it is tried for ever, less and less often. */
static int64_t pause_unaccepted(const struct report *report)
{
    int64_t pause = AGAIN_STEP_MS * report->execution->attempt_count;

    pause = pause < AGAIN_LONGEST_MS ? pause : AGAIN_LONGEST_MS;
    return pause * report->platform->settings.retry_percent / 100;
}

/* The attempt went with its node. */
static int give_back(struct report *report, const char *why, bool was_accepted,
                     struct pb_error *err)
{
    struct pb_execution *execution = report->execution;
    int64_t at = report->now_ms + pause_unaccepted(report);

    execution->lost_count += was_accepted;
    if (was_accepted &&
        next_attempt(report, PB_FAILURE_NODE_LOST, execution->lost_count, 0, &at, err) < 0)
        return -1;
    if (at || execution->status == PB_EXECUTION_CANCELLING)
        return put_back(report, at, err);
    execution->reason_kind = "node_lost";
    execution->reason = why;
    return pb_report_apply(report, PB_EXECUTION_EVENT_FAIL, err);
}

/* Another attempt if the kind of failure passes by itself and there is one left: true. */
static int try_again(struct report *report, const struct pb_failure *failure, int64_t due_ms,
                     bool *ret_again, struct pb_error *err)
{
    struct pb_execution *execution = report->execution;
    int kind = PB_FAILURE_PLATFORM;
    int64_t at = 0;

    *ret_again = false;
    if (!failure || execution->status == PB_EXECUTION_CANCELLING ||
        !pb_names_find(&PB_FAILURE_NAMES, failure->name, &kind))
        return 0;
    if (next_attempt(report, (enum pb_failure_kind)kind, execution->retry_count + 1, due_ms, &at,
                     err) < 0)
        return -1;
    if (!at)
        return 0;
    execution->retry_count++;
    execution->reason = execution->reason_kind = NULL;
    *ret_again = true;
    return put_back(report, at, err);
}

static int on_lost(struct report *report, struct pb_error *err)
{
    bool was_accepted = report->attempt->status != PB_ATTEMPT_ASSIGNED;

    if (report->attempt->status == PB_ATTEMPT_ENDED)
        return 0;
    report->attempt->reason_kind = "node_lost";
    report->attempt->reason = report->detail;
    if (close_attempt(report, PB_ATTEMPT_LOST, "lost", err) < 0)
        return -1;
    return give_back(report, report->detail, was_accepted, err);
}

static void say_lost(const struct report *report)
{
    const struct pb_attempt_claim *claim = report->claim;
    const char *why = report->detail;

    pb_log_warn("execution", "execution=%s attempt=%lld lost: %s", claim->execution,
                (long long)claim->attempt, why);
    pb_execution_note(report->platform, claim->execution, 'w', "attempt %lld lost: %s",
                      (long long)claim->attempt, why);
}

int pb_execution_lost(struct pb_platform *platform, const struct pb_attempt_claim *claim,
                      const char *why, struct pb_error *err)
{
    struct report report = {
        .platform = platform, .claim = claim, .fn = on_lost, .say = say_lost, .detail = why};

    return pb_report_run(&report, err);
}

struct refusal {
    const char *kind;
    const char *reason;
};

static int on_refused(struct report *report, struct pb_error *err)
{
    const struct refusal *refusal = report->detail;
    const struct pb_failure *failure = pb_failure_find(refusal->kind ? refusal->kind : "platform");
    bool again;

    if (report->attempt->status == PB_ATTEMPT_ENDED)
        return 0;
    report->attempt->reason_kind = failure->name;
    report->attempt->reason = refusal->reason;
    if (close_attempt(report, PB_ATTEMPT_ENDED, "failed", err) < 0)
        return -1;
    if (try_again(report, failure, 0, &again, err) < 0)
        return -1;
    if (again)
        return 0;
    report->execution->reason_kind = failure->name;
    report->execution->reason = refusal->reason;
    return pb_report_apply(report, PB_EXECUTION_EVENT_FAIL, err);
}

static void say_refused(const struct report *report)
{
    const struct refusal *refusal = report->detail;

    pb_execution_note(report->platform, report->claim->execution, 'x',
                      "the node refused attempt %lld: %s", (long long)report->claim->attempt,
                      refusal->reason ? refusal->reason : "no reason given");
}

int pb_execution_refused(struct pb_platform *platform, const struct pb_attempt_claim *claim,
                         const char *kind, const char *reason, struct pb_error *err)
{
    struct refusal refusal = {kind, reason};
    struct report report = {.platform = platform,
                            .claim = claim,
                            .fn = on_refused,
                            .say = say_refused,
                            .detail = &refusal};

    return pb_report_run(&report, err);
}

/* --- results ---------------------------------------------------------------------------------------------- */

static void fill_attempt(struct pb_attempt *attempt, const struct pb_attempt_outcome *outcome)
{
    attempt->reason_kind = outcome->kind;
    attempt->reason = outcome->reason;
    attempt->exit_code = outcome->exit_code;
    attempt->exit_signal = outcome->signal;
    attempt->num_turns = outcome->num_turns;
    attempt->next_line = outcome->last_line;
    attempt->usage = outcome->usage;
    if (outcome->session_id && *outcome->session_id)
        attempt->session_id = outcome->session_id;
}

/* When the provider says; a moment that has passed is not taken for "at once", or a clock that is wrong would
 * make us ask without end. */
static int64_t window_opens(const struct report *report, int64_t resume_at_ms)
{
    int64_t percent = report->platform->settings.retry_percent;
    int64_t latest = report->now_ms + QUOTA_LONGEST_MS;
    int64_t pause =
        resume_at_ms ? QUOTA_SHORTEST_MS : pb_retry_rule(PB_FAILURE_RATE_LIMIT)->base_ms;
    int64_t at = report->now_ms + pause * percent / 100;

    at = resume_at_ms > at ? resume_at_ms : at;
    return at < latest ? at : latest;
}

static void fill_execution(struct report *report, const struct pb_attempt_outcome *outcome,
                           enum pb_execution_outcome which)
{
    struct pb_execution *execution = report->execution;

    execution->reason_kind = which == PB_EXECUTION_OUTCOME_SUCCEEDED ? NULL : outcome->kind;
    execution->reason = which == PB_EXECUTION_OUTCOME_SUCCEEDED ? NULL : outcome->reason;
    execution->summary = outcome->summary;
    execution->question = which == PB_EXECUTION_OUTCOME_WAITING_INPUT ? outcome->question : NULL;
    execution->no_changes = outcome->no_changes;
    execution->num_turns += outcome->num_turns;
    execution->files_changed = outcome->files_changed;
    execution->insertions = outcome->insertions;
    execution->deletions = outcome->deletions;
    if (outcome->base_sha && *outcome->base_sha)
        execution->base_sha = outcome->base_sha;
    if (outcome->pushed) {
        execution->branch = outcome->branch;
        execution->head_sha = outcome->head_sha;
    }
    execution->available_at = 0;
    if (which == PB_EXECUTION_OUTCOME_WAITING_QUOTA)
        execution->available_at = window_opens(report, outcome->resume_at_ms);
}

static int fill_work_item(struct report *report, const struct pb_attempt_outcome *outcome,
                          struct pb_error *err)
{
    const char *session_id =
        outcome->session_id && *outcome->session_id ? outcome->session_id : NULL;

    return pb_work_item_note(report->db, report->execution->work_item_id, session_id,
                             outcome->pushed ? outcome->branch : NULL, report->now_ms, err);
}

static int on_finished(struct report *report, struct pb_error *err)
{
    const struct pb_attempt_outcome *outcome = report->detail;
    struct pb_execution *execution = report->execution;
    bool was_cancelling = execution->status == PB_EXECUTION_CANCELLING;
    const char *cancelled_because = execution->reason;
    bool again = false;
    int found;
    enum pb_execution_outcome which;

    if (!pb_names_find(&PB_EXECUTION_OUTCOME_NAMES, outcome->outcome, &found))
        return pb_fail(err, PB_ERROR_INVALID, "there is no outcome '%.40s'",
                       outcome->outcome ? outcome->outcome : "");
    if (report->attempt->status == PB_ATTEMPT_ENDED)
        return 0; /* a repeat: our answer was lost */
    which = (enum pb_execution_outcome)found;
    fill_attempt(report->attempt, outcome);
    if (!execution->started_at)
        execution->started_at = report->now_ms;
    if (!report->attempt->started_at)
        report->attempt->started_at = report->now_ms;
    if (outcome->session_id && *outcome->session_id)
        execution->session_id = outcome->session_id;
    if (close_attempt(report,
                      which == PB_EXECUTION_OUTCOME_LOST ? PB_ATTEMPT_LOST : PB_ATTEMPT_ENDED,
                      outcome->outcome, err) < 0 ||
        fill_work_item(report, outcome, err) < 0 ||
        pb_report_sum_usage(report, &execution->usage, err) < 0)
        return -1;
    if (which == PB_EXECUTION_OUTCOME_LOST)
        return give_back(report, outcome->reason, true, err);
    fill_execution(report, outcome, which);
    if (which == PB_EXECUTION_OUTCOME_FAILED &&
        try_again(report, pb_failure_find(outcome->kind), outcome->resume_at_ms, &again, err) < 0)
        return -1;
    if (again)
        return 0;
    if (was_cancelling && which != PB_EXECUTION_OUTCOME_SUCCEEDED) {
        execution->reason_kind = "cancelled";
        execution->reason = cancelled_because;
    }
    return pb_report_apply(report, pb_execution_event_of(which), err);
}

static void say_finished(const struct report *report)
{
    const struct pb_attempt_claim *claim = report->claim;
    const struct pb_attempt_outcome *outcome = report->detail;
    bool is_again = report->status == PB_EXECUTION_QUEUED;
    const char *status = is_again ? outcome->outcome : pb_execution_status_name(report->status);

    pb_log_info("execution", "execution=%s attempt=%lld %s kind=%s", claim->execution,
                (long long)claim->attempt, status, outcome->kind ? outcome->kind : "");
    pb_execution_note(report->platform, claim->execution, 's', "attempt %lld ended: %s%s%s%s",
                      (long long)claim->attempt, status, is_again && outcome->kind ? " " : "",
                      is_again && outcome->kind ? outcome->kind : "",
                      is_again ? "; it is tried again" : "");
}

int pb_execution_finished(struct pb_platform *platform, const struct pb_attempt_claim *claim,
                          const struct pb_attempt_outcome *outcome, struct pb_error *err)
{
    struct report report = {.platform = platform,
                            .claim = claim,
                            .fn = on_finished,
                            .say = say_finished,
                            .detail = outcome};

    return pb_report_run(&report, err);
}

/* --- cancelled without the node ----------------------------------------------------------------------------- */

static int on_cancel_given_up(struct report *report, struct pb_error *err)
{
    if (report->execution->status != PB_EXECUTION_CANCELLING ||
        report->attempt->status == PB_ATTEMPT_ENDED)
        return 0;
    report->attempt->reason_kind = "cancelled";
    report->attempt->reason = report->detail;
    if (close_attempt(report, PB_ATTEMPT_LOST, "cancelled", err) < 0)
        return -1;
    return pb_report_apply(report, PB_EXECUTION_EVENT_CONFIRM, err);
}

static void say_cancel_given_up(const struct report *report)
{
    pb_log_warn("execution", "execution=%s attempt=%lld %s", report->claim->execution,
                (long long)report->claim->attempt, (const char *)report->detail);
    pb_execution_note(report->platform, report->claim->execution, 'w', "attempt %lld: %s",
                      (long long)report->claim->attempt, (const char *)report->detail);
}

int pb_execution_give_up_cancel(struct pb_platform *platform, const struct pb_attempt_claim *claim,
                                struct pb_error *err)
{
    struct report report = {.platform = platform,
                            .claim = claim,
                            .fn = on_cancel_given_up,
                            .say = say_cancel_given_up,
                            .detail = "its node did not confirm in time; cancelled without it"};

    if (pb_report_run(&report, err) < 0)
        return -1;
    if (report.ended)
        pb_node_hub_discard(platform->node_hub, claim);
    return 0;
}
