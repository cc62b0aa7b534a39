#include "server/services/execution_control.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/text.h"
#include "model/limits.h"
#include "model/work_item.h"
#include "server/services/counters.h"
#include "server/services/events.h"
#include "server/services/execution_private.h"
#include "server/services/github_effects.h"
#include "server/services/log_hub.h"
#include "server/services/node_hub.h"
#include "server/services/platform.h"
#include "server/services/scheduler.h"
#include "server/store/execution_store.h"
#include "server/store/log_store.h"
#include "server/store/outbox_store.h"
#include "server/store/project_store.h"
#include "server/store/remark_store.h"
#include "server/store/store.h"
#include "server/store/work_item_store.h"

#define SYNC_ISSUE "sync_issue"

/* --- one change ------------------------------------------------------------------------------------------- */

int pb_execution_leave_effect(struct pb_db *db, const struct pb_execution *execution,
                              int64_t now_ms, struct pb_error *err)
{
    if (execution->issue_number == 0)
        return 0;
    return pb_outbox_put(db, execution->project_id, execution->work_item_id, execution->id,
                         SYNC_ISSUE, NULL, now_ms, err);
}

int pb_execution_apply(struct pb_db *db, struct pb_execution *execution,
                       enum pb_execution_event event, int64_t now_ms, struct pb_error *err)
{
    enum pb_execution_status from = execution->status;
    enum pb_execution_status to;

    if (pb_execution_next(from, event, &to, err) < 0)
        return -1;
    execution->status = to;
    execution->updated_at = now_ms;
    if (pb_execution_is_final(to))
        execution->completed_at = now_ms > execution->started_at ? now_ms : execution->started_at;
    if (pb_execution_save(db, execution, from, err) < 0)
        return -1;
    execution->version++; /* as the row has it now: one writer function may apply twice */
    return pb_execution_leave_effect(db, execution, now_ms, err);
}

void pb_execution_announce(struct pb_platform *platform, const char *project_id,
                           const char *execution_id)
{
    pb_events_execution(platform->events, project_id, execution_id);
    pb_events_project(platform->events, project_id);
    pb_github_effects_kick(platform->github_effects);
    pb_scheduler_kick_project(platform->scheduler, project_id);
}

void pb_execution_announce_end(struct pb_platform *platform, const char *project_id,
                               const char *execution_id, enum pb_execution_status status)
{
    struct pb_error err;

    if (pb_log_set_complete(platform->log_store, execution_id, pb_execution_is_final(status),
                            &err) < 0)
        pb_log_fail(PB_LOG_WARN, "execution", &err, "execution=%s end of log", execution_id);
    if (pb_execution_is_final(status))
        pb_count_ended(status);
    pb_events_log_head(platform->events, execution_id);
    pb_execution_announce(platform, project_id, execution_id);
    pb_node_hub_attempt_ended(platform->node_hub, project_id);
}

/* --- enqueue ------------------------------------------------------------------------------------------------ */

static int put_issue(struct pb_db *db, struct pb_arena *arena, const struct pb_enqueue *wish,
                     int64_t now_ms, int64_t *ret_id, struct pb_error *err)
{
    return pb_work_item_put(db,
                            &(struct pb_work_item){
                                .project_id = wish->project_id,
                                .kind = PB_WORK_ITEM_ISSUE,
                                .number = wish->issue_number,
                                .item = pb_arena_format(arena, "issue-%lld",
                                                        (long long)wish->issue_number),
                                .title = wish->title,
                                .url = wish->url,
                                .author = wish->author,
                                .created_at = now_ms,
                                .updated_at = now_ms,
                            },
                            ret_id, err);
}

/* The one it names, its issue's, or a task that nobody has spoken of before. */
static int find_work_item(struct pb_db *db, struct pb_arena *arena, const struct pb_enqueue *wish,
                          int64_t now_ms, struct pb_work_item **ret_item, struct pb_error *err)
{
    int64_t id = wish->work_item_id;

    if (id || wish->issue_number) {
        if (!id && put_issue(db, arena, wish, now_ms, &id, err) < 0)
            return -1;
        return pb_work_item_load(db, arena, id, ret_item, err);
    }
    *ret_item = pb_arena_alloc(arena, sizeof(**ret_item));
    if (!*ret_item)
        return pb_fail(err, PB_ERROR_LIMITED, "request too large");
    return pb_work_item_put_task(db, wish->project_id, wish->title, wish->requested_by, now_ms,
                                 &(*ret_item)->id, err);
}

static int check_project(const struct pb_project *project, struct pb_error *err)
{
    if (project->status == PB_PROJECT_DELETED || project->status == PB_PROJECT_ARCHIVED)
        return pb_fail_reason(err, PB_ERROR_CONFLICT, "project_closed", "project %s is %s",
                              project->id, pb_project_status_name(project->status));
    return 0;
}

/* With the question the execution has open, if any. */
static int keep_remark(struct pb_db *db, const struct pb_remark *said,
                       const struct pb_execution *execution, struct pb_error *err)
{
    struct pb_remark remark = *said;

    remark.execution_id = execution->id;
    remark.question = execution->question;
    return pb_remark_add(db, &remark, err);
}

static int insert(struct pb_db *db, const struct pb_enqueue *wish, const char *id,
                  struct pb_arena *arena, struct pb_error *err)
{
    int64_t now = pb_clock_wall_ms();
    char address[PB_LOG_ADDRESS];
    struct pb_execution execution;
    struct pb_project *project;
    struct pb_work_item *item;
    int64_t number;

    if (pb_project_load(db, arena, wish->project_id, &project, err) < 0 ||
        check_project(project, err) < 0 || find_work_item(db, arena, wish, now, &item, err) < 0 ||
        pb_log_address(id, address, err) < 0)
        return -1;
    execution = (struct pb_execution){
        .id = id,
        .project_id = wish->project_id,
        .status = PB_EXECUTION_QUEUED,
        .work_item_id = item->id,
        .issue_number = item->number,
        .title = wish->title,
        .trigger = wish->trigger,
        .requested_by = wish->requested_by,
        .dedupe_key = wish->dedupe_key,
        .prompt = wish->prompt,
        .driver = wish->driver ? wish->driver : project->driver,
        .resume = wish->resume,
        .labels = wish->labels,
        .priority = wish->priority ? wish->priority : pb_execution_priority_of(wish->labels),
        .deadline_at = wish->deadline_at,
        .model = project->model,
        .session_id = wish->resume ? item->session_id : NULL,
        .logs = address,
        .usage = {.cost_micro_usd = -1},
        .created_at = now,
        .updated_at = now,
    };
    if (pb_execution_insert(db, &execution, &number, err) < 0 ||
        (wish->remark && keep_remark(db, wish->remark, &execution, err) < 0))
        return -1;
    return pb_execution_leave_effect(db, &execution, now, err);
}

int pb_execution_queue(struct pb_db *db, const struct pb_enqueue *wish, const char *id,
                       struct pb_error *err)
{
    struct pb_arena arena;
    int r;

    if (wish->prompt && strlen(wish->prompt) > PB_LIMIT_PROMPT)
        return pb_fail_field(err, "prompt", "the prompt is longer than %d bytes", PB_LIMIT_PROMPT);
    pb_arena_init(&arena, PB_EXECUTION_ARENA_MAX);
    r = insert(db, wish, id, &arena, err);
    pb_arena_release(&arena);
    return r;
}

void pb_execution_announce_queued(struct pb_platform *platform, const struct pb_enqueue *wish,
                                  const char *id)
{
    pb_log_info("execution", "execution=%s project=%s trigger=%s queued", id, wish->project_id,
                pb_execution_trigger_name(wish->trigger));
    pb_execution_note(platform, id, 's', "queued by %s (%s)",
                      wish->requested_by ? wish->requested_by : "the platform",
                      pb_execution_trigger_name(wish->trigger));
    pb_execution_announce(platform, wish->project_id, id);
}

struct enqueue {
    const struct pb_enqueue *wish;
    const char *id;
};

static int write_enqueue(struct pb_db *db, void *arg, struct pb_error *err)
{
    const struct enqueue *job = arg;

    return pb_execution_queue(db, job->wish, job->id, err);
}

int pb_execution_enqueue(struct pb_platform *platform, const struct pb_enqueue *wish,
                         struct pb_arena *arena, const char **ret_id, struct pb_error *err)
{
    char id[PB_ULID_TEXT];
    const char *copy;

    pb_ulid(id);
    copy = pb_arena_text(arena, id);
    if (!copy)
        return pb_fail(err, PB_ERROR_LIMITED, "request too large");
    if (pb_store_write(platform->store, write_enqueue, &(struct enqueue){wish, id}, err) < 0)
        return -1;
    pb_execution_announce_queued(platform, wish, id);
    *ret_id = copy;
    return 0;
}

int pb_execution_find(struct pb_platform *platform, const char *project_id, const char *dedupe_key,
                      struct pb_arena *arena, const char **ret_id, struct pb_error *err)
{
    struct pb_db *db = pb_store_reader(platform->store, err);

    return db ? pb_execution_find_key(db, arena, project_id, dedupe_key, ret_id, err) : -1;
}

/* --- reply -------------------------------------------------------------------------------------------------- */

struct reply {
    const char *id;
    const char *prompt;
    const struct pb_remark *answer;
    const char *dedupe_key;
    char project_id[PB_LIMIT_PROJECT_ID + 1]; /* out */
};

static int write_reply(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct reply *reply = arg;
    int64_t now = pb_clock_wall_ms();
    struct pb_execution *execution;
    struct pb_arena arena;
    int r = -1;

    pb_arena_init(&arena, PB_EXECUTION_ARENA_MAX);
    if (pb_execution_load(db, &arena, reply->id, &execution, err) < 0)
        goto out;
    if (!pb_execution_is_waiting(execution->status)) {
        (void)pb_fail_reason(err, PB_ERROR_CONFLICT, "not_waiting",
                             "execution %s waits for nothing", reply->id);
        goto out;
    }
    (void)snprintf(reply->project_id, sizeof(reply->project_id), "%s", execution->project_id);
    if (pb_execution_take_key(db, execution->project_id, reply->dedupe_key, reply->id, now, err) <
            0 ||
        pb_execution_set_prompt(db, reply->id, reply->prompt, err) < 0 ||
        keep_remark(db, reply->answer, execution, err) < 0)
        goto out;
    execution->resume = true;
    execution->question = NULL;
    execution->reason = execution->reason_kind = NULL;
    execution->available_at = 0;
    r = pb_execution_apply(db, execution,
                           execution->status == PB_EXECUTION_WAITING_QUOTA
                               ? PB_EXECUTION_EVENT_DUE
                               : PB_EXECUTION_EVENT_REPLY,
                           now, err);
out:
    pb_arena_release(&arena);
    return r;
}

int pb_execution_reply(struct pb_platform *platform, const char *id, const char *prompt,
                       const struct pb_remark *answer, const char *dedupe_key, struct pb_error *err)
{
    struct reply reply = {.id = id, .prompt = prompt, .answer = answer, .dedupe_key = dedupe_key};

    if (pb_store_write(platform->store, write_reply, &reply, err) < 0)
        return pb_fail_in(err, "reply to %s", id);
    pb_execution_note(platform, id, 's', "answered by %s", answer->said_by);
    pb_execution_announce(platform, reply.project_id, id);
    return 0;
}

/* --- cancel ------------------------------------------------------------------------------------------------- */

struct cancel {
    const char *id;
    const char *by;
    /* out */
    char project_id[PB_LIMIT_PROJECT_ID + 1];
    enum pb_execution_status status;
    int64_t attempt;
    int64_t fence;
    bool changed;
};

static int apply_cancel(struct pb_db *db, struct cancel *cancel, struct pb_execution *execution,
                        int64_t now_ms, struct pb_arena *arena, struct pb_error *err)
{
    if (execution->status == PB_EXECUTION_CANCELLING || execution->status == PB_EXECUTION_CANCELLED)
        return 0;
    if (pb_execution_is_final(execution->status))
        return pb_fail_reason(err, PB_ERROR_CONFLICT, "already_final", "already %s",
                              pb_execution_status_name(execution->status));
    cancel->changed = true;
    execution->cancel_requested_at = now_ms;
    execution->cancel_by = cancel->by;
    execution->reason_kind = "cancelled";
    execution->reason = pb_arena_format(arena, "cancelled by %s", cancel->by);
    return pb_execution_apply(db, execution, PB_EXECUTION_EVENT_CANCEL, now_ms, err);
}

static int write_cancel(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct cancel *cancel = arg;
    struct pb_execution *execution;
    struct pb_arena arena;
    int r;

    pb_arena_init(&arena, PB_EXECUTION_ARENA_MAX);
    r = pb_execution_load(db, &arena, cancel->id, &execution, err);
    if (r == 0)
        r = apply_cancel(db, cancel, execution, pb_clock_wall_ms(), &arena, err);
    if (r == 0) {
        (void)snprintf(cancel->project_id, sizeof(cancel->project_id), "%s", execution->project_id);
        cancel->status = execution->status;
        cancel->attempt = execution->attempt_count;
        cancel->fence = execution->fence;
    }
    pb_arena_release(&arena);
    return r;
}

int pb_execution_cancel(struct pb_platform *platform, const char *id, const char *by,
                        struct pb_error *err)
{
    struct cancel cancel = {.id = id, .by = by};

    if (pb_store_write(platform->store, write_cancel, &cancel, err) < 0)
        return pb_fail_in(err, "cancel %s", id);
    if (cancel.changed) {
        pb_log_info("execution", "execution=%s by=%s %s", id, by,
                    pb_execution_status_name(cancel.status));
        pb_execution_note(platform, id, 's', "cancelled by %s", by);
    }
    if (cancel.status == PB_EXECUTION_CANCELLING)
        pb_node_hub_cancel(platform->node_hub,
                           &(struct pb_attempt_claim){cancel.project_id, id, cancel.attempt,
                                                      cancel.fence, NULL});
    if (cancel.status == PB_EXECUTION_CANCELLED && cancel.changed)
        pb_execution_announce_end(platform, cancel.project_id, id, cancel.status);
    else
        pb_execution_announce(platform, cancel.project_id, id);
    return 0;
}

/* --- retry -------------------------------------------------------------------------------------------------- */

/* A waiting one would keep its work item busy, so it ends first. */
static int end_waiting(struct pb_platform *platform, const struct pb_execution *execution,
                       const char *by, struct pb_error *err)
{
    if (pb_execution_is_waiting(execution->status))
        return pb_execution_cancel(platform, execution->id, by, err);
    if (!pb_execution_is_final(execution->status))
        return pb_fail_reason(err, PB_ERROR_CONFLICT, "not_final", "it is still %s",
                              pb_execution_status_name(execution->status));
    return 0;
}

int pb_execution_retry(struct pb_platform *platform, const char *id, const char *by,
                       bool same_session, struct pb_arena *arena, const char **ret_id,
                       struct pb_error *err)
{
    struct pb_db *db = pb_store_reader(platform->store, err);
    struct pb_execution *old;
    char key[PB_ULID_TEXT];

    if (!db || pb_execution_load(db, arena, id, &old, err) < 0 ||
        end_waiting(platform, old, by, err) < 0)
        return pb_fail_in(err, "retry %s", id);
    pb_ulid(key);
    return pb_execution_enqueue(platform,
                                &(struct pb_enqueue){
                                    .project_id = old->project_id,
                                    .issue_number = old->issue_number,
                                    .work_item_id = old->work_item_id,
                                    .title = old->title,
                                    .prompt = old->prompt,
                                    .trigger = PB_TRIGGER_RETRY,
                                    .requested_by = by,
                                    .dedupe_key = pb_arena_format(arena, "retry:%s", key),
                                    .resume = same_session,
                                    .driver = old->driver,
                                    .labels = old->labels,
                                    .priority = old->priority,
                                },
                                arena, ret_id, err);
}

/* --- pull request, notes ------------------------------------------------------------------------------------ */

struct pull_request {
    const char *id;
    int64_t number;
    const char *url;
    char project_id[PB_LIMIT_PROJECT_ID + 1]; /* out */
};

static int write_pull_request(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct pull_request *pull = arg;
    struct pb_execution *execution;
    struct pb_work_item *item;
    struct pb_arena arena;
    int r = -1;

    pb_arena_init(&arena, PB_EXECUTION_ARENA_MAX);
    if (pb_execution_load(db, &arena, pull->id, &execution, err) < 0 ||
        pb_work_item_load(db, &arena, execution->work_item_id, &item, err) < 0)
        goto out;
    (void)snprintf(pull->project_id, sizeof(pull->project_id), "%s", execution->project_id);
    execution->pr_number = item->pr_number = pull->number;
    execution->pr_url = item->pr_url = pull->url;
    execution->updated_at = item->updated_at = pb_clock_wall_ms();
    if (pb_work_item_save(db, item, err) == 0)
        r = pb_execution_save(db, execution, execution->status, err);
out:
    pb_arena_release(&arena);
    return r;
}

int pb_execution_set_pull_request(struct pb_platform *platform, const char *id, int64_t number,
                                  const char *url, struct pb_error *err)
{
    struct pull_request pull = {.id = id, .number = number, .url = url};

    if (pb_store_write(platform->store, write_pull_request, &pull, err) < 0)
        return pb_fail_in(err, "pull request of %s", id);
    pb_events_execution(platform->events, pull.project_id, id);
    return 0;
}

void pb_execution_note(struct pb_platform *platform, const char *id, char stream, const char *fmt,
                       ...)
{
    char text[1024];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    text[pb_utf8_cut(text, strlen(text), sizeof(text) - 1)] = '\0';
    pb_log_hub_note(platform->log_hub, id, stream, text);
}
