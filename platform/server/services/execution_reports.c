/* What nodes report about attempts: see "what nodes report" in execution_control.h. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "model/work_item.h"
#include "server/services/events.h"
#include "server/services/execution_report_private.h"
#include "server/store/store.h"
#include "server/store/work_item_store.h"

static int stale(const struct pb_attempt_claim *claim, struct pb_error *err)
{
    return pb_fail_reason(err, PB_ERROR_CONFLICT, "stale_fence",
                          "attempt %lld of %s with fence %lld is not the present one",
                          (long long)claim->attempt, claim->execution, (long long)claim->fence);
}

static int load_claim(struct pb_db *db, struct pb_arena *arena,
                      const struct pb_attempt_claim *claim, struct pb_execution **ret_execution,
                      struct pb_attempt **ret_attempt, struct pb_error *err)
{
    if (pb_attempt_load_both(db, arena, claim->execution, claim->attempt, ret_execution,
                             ret_attempt, err) < 0)
        return -1;
    if (strcmp((*ret_execution)->project_id, claim->project_id) != 0)
        return pb_fail_reason(err, PB_ERROR_NOT_FOUND, "execution_not_found",
                              "execution %s is not of project %s", claim->execution,
                              claim->project_id);
    if ((*ret_attempt)->fence != claim->fence || (*ret_execution)->fence != claim->fence ||
        (*ret_attempt)->status == PB_ATTEMPT_LOST ||
        (claim->node_id && !pb_text_equal((*ret_attempt)->node_id, claim->node_id)))
        return stale(claim, err);
    return 0;
}

static int write_report(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct report *report = arg;
    struct pb_arena arena;
    int r;

    pb_arena_init(&arena, PB_EXECUTION_ARENA_MAX);
    report->db = db;
    report->arena = &arena;
    report->now_ms = pb_clock_wall_ms();
    report->changed = report->ended = false;
    r = load_claim(db, &arena, report->claim, &report->execution, &report->attempt, err);
    if (r == 0)
        r = report->fn(report, err);
    if (r == 0)
        report->status = report->execution->status;
    pb_arena_release(&arena);
    return r;
}

int pb_report_run(struct report *report, struct pb_error *err)
{
    const struct pb_attempt_claim *claim = report->claim;

    if (pb_store_write(report->platform->store, write_report, report, err) < 0)
        return -1;
    if (report->ended && report->say)
        report->say(report);
    if (report->ended)
        pb_execution_announce_end(report->platform, claim->project_id, claim->execution,
                                  report->status);
    else if (report->changed)
        pb_execution_announce(report->platform, claim->project_id, claim->execution);
    return 0;
}

int pb_report_apply(struct report *report, enum pb_execution_event event, struct pb_error *err)
{
    report->changed = true;
    return pb_execution_apply(report->db, report->execution, event, report->now_ms, err);
}

int pb_report_sum_usage(struct report *report, struct pb_execution_usage *ret_sum,
                        struct pb_error *err)
{
    if (report->attempt->number > 1)
        return pb_attempt_usage_sum(report->db, report->execution->id, ret_sum, err);
    *ret_sum = report->attempt->usage;
    return 0;
}

/* --- accepted, progress, usage -------------------------------------------------------------------------- */

static int on_accepted(struct report *report, struct pb_error *err)
{
    if (report->attempt->status != PB_ATTEMPT_ASSIGNED)
        return 0; /* a repeat */
    report->attempt->status = PB_ATTEMPT_ACCEPTED;
    return pb_attempt_save(report->db, report->attempt, err);
}

int pb_execution_accepted(struct pb_platform *platform, const struct pb_attempt_claim *claim,
                          struct pb_error *err)
{
    struct report report = {.platform = platform, .claim = claim, .fn = on_accepted};

    return pb_report_run(&report, err);
}

struct progress {
    enum pb_attempt_status status;
    const char *session_id;
};

static int note_session(struct report *report, const char *session_id, struct pb_error *err)
{
    struct pb_work_item *item;

    if (!session_id || !*session_id)
        return 0;
    report->attempt->session_id = session_id;
    report->execution->session_id = session_id;
    if (pb_work_item_load(report->db, report->arena, report->execution->work_item_id, &item, err) <
        0)
        return -1;
    if (item->session_id && strcmp(item->session_id, session_id) == 0)
        return 0;
    item->session_id = session_id;
    item->updated_at = report->now_ms;
    return pb_work_item_save(report->db, item, err);
}

/* The execution follows its attempt: assigned → preparing → running. While cancelling it stays there. */
static int follow(struct report *report, enum pb_attempt_status status, struct pb_error *err)
{
    struct pb_execution *execution = report->execution;

    if (!execution->started_at)
        execution->started_at = report->now_ms;
    if (execution->status == PB_EXECUTION_ASSIGNED &&
        pb_report_apply(report, PB_EXECUTION_EVENT_PREPARE, err) < 0)
        return -1;
    if (status == PB_ATTEMPT_PREPARING || execution->status != PB_EXECUTION_PREPARING)
        return 0;
    return pb_report_apply(report, PB_EXECUTION_EVENT_RUN, err);
}

static int on_progress(struct report *report, struct pb_error *err)
{
    const struct progress *progress = report->detail;
    struct pb_attempt *attempt = report->attempt;
    bool new_session = progress->session_id && *progress->session_id &&
                       (!report->execution->session_id ||
                        strcmp(report->execution->session_id, progress->session_id) != 0);

    if (attempt->status == PB_ATTEMPT_ENDED)
        return 0;
    if (note_session(report, progress->session_id, err) < 0)
        return -1;
    if (progress->status > attempt->status) {
        attempt->status = progress->status;
        if (!attempt->started_at)
            attempt->started_at = report->now_ms;
        if (follow(report, progress->status, err) < 0)
            return -1;
    }
    if (pb_attempt_save(report->db, attempt, err) < 0)
        return -1;
    if (!report->changed && new_session) {
        report->changed = true;
        report->execution->updated_at = report->now_ms;
        return pb_execution_save(report->db, report->execution, report->execution->status, err);
    }
    return 0;
}

int pb_execution_progress(struct pb_platform *platform, const struct pb_attempt_claim *claim,
                          const char *state, const char *detail, const char *session_id,
                          struct pb_error *err)
{
    struct progress progress = {.session_id = session_id};
    struct report report = {.platform = platform,
                            .claim = claim,
                            .fn = on_progress,
                            .detail = &progress};
    int status;

    if (!pb_names_find(&PB_ATTEMPT_STATUS_NAMES, state, &status) || status < PB_ATTEMPT_PREPARING ||
        status > PB_ATTEMPT_PUBLISHING)
        return pb_fail(err, PB_ERROR_INVALID, "there is no attempt state '%.40s'",
                       state ? state : "");
    progress.status = (enum pb_attempt_status)status;
    if (pb_report_run(&report, err) < 0)
        return -1;
    pb_log_debug("execution", "execution=%s attempt=%lld %s %s", claim->execution,
                 (long long)claim->attempt, state, detail ? detail : "");
    return 0;
}

static int on_used(struct report *report, struct pb_error *err)
{
    struct pb_execution_usage sum;

    if (report->attempt->status == PB_ATTEMPT_ENDED)
        return 0;
    report->attempt->usage = *(const struct pb_execution_usage *)report->detail;
    if (pb_attempt_save(report->db, report->attempt, err) < 0 ||
        pb_report_sum_usage(report, &sum, err) < 0)
        return -1;
    return pb_execution_set_usage(report->db, report->claim->execution, &sum, report->now_ms, err);
}

int pb_execution_used(struct pb_platform *platform, const struct pb_attempt_claim *claim,
                      const struct pb_execution_usage *usage, struct pb_error *err)
{
    struct report report = {.platform = platform, .claim = claim, .fn = on_used, .detail = usage};

    if (pb_report_run(&report, err) < 0)
        return -1;
    pb_events_execution(platform->events, claim->project_id, claim->execution);
    return 0;
}

/* --- still theirs? ---------------------------------------------------------------------------- */

/* An honest node's last lines come by then: who was silent for longer has lost its attempts. Later ones would belong to
 * a log that nobody counts, or that has been thrown away. */
static int check_open(const struct pb_platform *platform, const struct pb_execution *execution,
                      struct pb_error *err)
{
    int64_t patience = platform->settings.offline_limit_ms + platform->settings.offline_grace_ms;

    if (!pb_execution_is_final(execution->status) ||
        pb_clock_wall_ms() - execution->completed_at <= patience)
        return 0;
    return pb_fail(err, PB_ERROR_NOT_FOUND, "execution %s ended long ago", execution->id);
}

int pb_execution_may_log(struct pb_platform *platform, const struct pb_attempt_claim *claim,
                         struct pb_error *err)
{
    struct pb_db *db = pb_store_reader(platform->store, err);
    struct pb_execution *execution;
    struct pb_attempt *attempt;
    struct pb_arena arena;
    int r;

    if (!db)
        return -1;
    pb_arena_init(&arena, PB_EXECUTION_ARENA_MAX);
    r = load_claim(db, &arena, claim, &execution, &attempt, err);
    if (r == 0)
        r = check_open(platform, execution, err);
    pb_arena_release(&arena);
    return r;
}

int pb_execution_check_fence(struct pb_platform *platform, const struct pb_attempt_claim *claim,
                             struct pb_error *err)
{
    struct pb_db *db = pb_store_reader(platform->store, err);
    struct pb_execution *execution;
    struct pb_attempt *attempt;
    struct pb_arena arena;
    int r;

    if (!db)
        return -1;
    pb_arena_init(&arena, PB_EXECUTION_ARENA_MAX);
    r = load_claim(db, &arena, claim, &execution, &attempt, err);
    if (r < 0 && err->code == PB_ERROR_CONFLICT)
        (void)pb_fail_reason(err, PB_ERROR_DENIED, "stale_fence",
                             "attempt %lld of %s is no longer the present one",
                             (long long)claim->attempt, claim->execution);
    if (r == 0 &&
        (attempt->status == PB_ATTEMPT_ENDED || !pb_execution_is_active(execution->status)))
        r = pb_fail_reason(err, PB_ERROR_DENIED, "stale_fence", "attempt %lld of %s has ended",
                           (long long)claim->attempt, claim->execution);
    if (r == 0 && execution->status == PB_EXECUTION_CANCELLING)
        r = pb_fail_reason(err, PB_ERROR_DENIED, "cancelled", "%s is being cancelled",
                           claim->execution);
    pb_arena_release(&arena);
    return r;
}
