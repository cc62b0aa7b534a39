#include "server/services/scheduler.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/pool.h"
#include "model/project.h"
#include "server/services/events.h"
#include "server/services/execution_control.h"
#include "server/services/execution_private.h"
#include "server/services/github_effects.h"
#include "server/services/node_hub.h"
#include "server/services/platform.h"
#include "server/store/store.h"

enum {
    ROUND_MAX = 200, /* rows looked at in one round; more follow in the next */
    ARENA_MAX = 32 << 20,
    IDLE_MS = 60 * 1000,
    AFTER_FAILURE_MS = 2000,
    DUE_MAX = 100,
};

struct pb_scheduler {
    struct pb_platform *platform;
    struct pb_thread *thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;
    bool is_kicked;
    bool is_stopping;
};

/* --- why something waits ------------------------------------------------------------------------------------ */

static const struct pb_queued_reason REASONS[] = {
    {"starting", "It is about to start.", "まもなく開始します。"},
    {"no_node", "No node is connected. It starts as soon as one is.",
     "接続中のノードがありません。ノードが接続されると開始します。"},
    {"agent_starting", "The project's agent is starting.",
     "プロジェクトのエージェントを起動しています。"},
    {"agent_down", "The project's agent does not run; see the project page.",
     "プロジェクトのエージェントが動いていません。プロジェクトのページを確認してください。"},
    {"project_full", "The project already runs as many executions as it may at once.",
     "プロジェクトの同時実行数の上限に達しています。空きができると開始します。"},
    {"work_item_busy", "Another execution of the same issue comes first.",
     "同じ Issue の別の実行が先にあります。それが終わると開始します。"},
    {"not_yet", "It waits a moment before it is tried again.", "再試行まで少し待っています。"},
    {"project_stopped", "The project is stopped. Start it to go on.",
     "プロジェクトが停止しています。開始すると続行します。"},
    {"project_paused", "The project is paused. Start it to go on.",
     "プロジェクトが一時停止しています。開始すると続行します。"},
    {"project_closed", "The project is archived or deleted.",
     "プロジェクトはアーカイブまたは削除されています。"},
};

const struct pb_queued_reason *pb_queued_reason_find(const char *code)
{
    for (size_t i = 0; code && i < sizeof(REASONS) / sizeof(REASONS[0]); i++)
        if (strcmp(REASONS[i].code, code) == 0)
            return &REASONS[i];
    return NULL;
}

static const char *blocked_by_project(const char *status_name)
{
    int status;

    if (!pb_names_find(&PB_PROJECT_STATUS_NAMES, status_name, &status))
        return "project_closed";
    switch ((enum pb_project_status)status) {
    case PB_PROJECT_ACTIVE:
        return NULL;
    case PB_PROJECT_PAUSED:
        return "project_paused";
    case PB_PROJECT_STOPPED:
        return "project_stopped";
    case PB_PROJECT_ARCHIVED:
    case PB_PROJECT_DELETED:
    case PB_PROJECT_STATUS_COUNT:
        break;
    }
    return "project_closed";
}

const char *pb_scheduler_blocked_by(const struct pb_queue_row *row, int64_t started, int64_t now_ms)
{
    const char *why = blocked_by_project(row->project_status);

    if (why)
        return why;
    if (row->work_item_busy)
        return "work_item_busy";
    if (row->available_at > now_ms)
        return "not_yet";
    return row->active + started >= row->max_concurrent ? "project_full" : NULL;
}

/* --- one round ---------------------------------------------------------------------------------------------- */

struct start {
    const struct pb_queue_row *row;
    const char *node_id;
    struct pb_execution *claimed; /* NULL: somebody else moved it meanwhile */
};

struct reason {
    const struct pb_queue_row *row;
    const char *code;
};

struct round {
    struct pb_platform *platform;
    struct pb_arena *arena;
    int64_t now_ms;
    struct pb_queue queue;
    struct start starts[ROUND_MAX];
    size_t start_count;
    struct reason reasons[ROUND_MAX];
    size_t reason_count;
};

static int64_t started_of(const struct round *round, const char *project_id)
{
    int64_t count = 0;

    for (size_t i = 0; i < round->start_count; i++)
        count += strcmp(round->starts[i].row->project_id, project_id) == 0;
    return count;
}

/* Sorts the rows into those that start and those that wait, and why. */
static void choose(struct round *round)
{
    round->start_count = round->reason_count = 0;
    for (size_t i = 0; i < round->queue.count && i < ROUND_MAX; i++) {
        const struct pb_queue_row *row = &round->queue.items[i];
        const char *why =
            pb_scheduler_blocked_by(row, started_of(round, row->project_id), round->now_ms);
        const char *node_id = NULL;

        if (!why)
            node_id = pb_node_hub_where(round->platform->node_hub, row->project_id, &why);
        if (node_id)
            round->starts[round->start_count++] = (struct start){.row = row, .node_id = node_id};
        else if (!row->queued_reason || strcmp(row->queued_reason, why) != 0)
            round->reasons[round->reason_count++] = (struct reason){row, why};
    }
}

static int write_round(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct round *round = arg;
    int64_t lease = round->now_ms + round->platform->settings.offline_limit_ms;

    for (size_t i = 0; i < round->start_count; i++) {
        struct start *start = &round->starts[i];

        start->claimed = NULL;
        if (pb_execution_claim(db, round->arena, start->row->execution_id, start->node_id,
                               round->now_ms, lease, &start->claimed, err) < 0) {
            if (err->code == PB_ERROR_CONFLICT || err->code == PB_ERROR_NOT_FOUND)
                continue;
            return -1;
        }
        if (pb_execution_leave_effect(db, start->claimed, round->now_ms, err) < 0)
            return -1;
    }
    for (size_t i = 0; i < round->reason_count; i++)
        if (pb_execution_set_queued_reason(db, round->reasons[i].row->execution_id,
                                           round->reasons[i].code, err) < 0 &&
            err->code != PB_ERROR_NOT_FOUND)
            return -1;
    return 0;
}

static void give_back(struct pb_platform *platform, const struct pb_execution *execution)
{
    struct pb_error err;

    if (pb_execution_lost(platform,
                          &(struct pb_attempt_claim){execution->project_id, execution->id,
                                                     execution->attempt_count, execution->fence,
                                                     NULL},
                          "its agent could not be reached", &err) < 0)
        pb_log_fail(PB_LOG_WARN, "scheduler", &err, "execution=%s", execution->id);
}

static void announce(struct round *round)
{
    struct pb_platform *platform = round->platform;

    for (size_t i = 0; i < round->reason_count; i++)
        pb_events_execution(platform->events, round->reasons[i].row->project_id,
                            round->reasons[i].row->execution_id);
    for (size_t i = 0; i < round->start_count; i++) {
        const struct pb_execution *execution = round->starts[i].claimed;

        if (!execution)
            continue;
        if (!pb_node_hub_assign(platform->node_hub, execution->id))
            give_back(platform, execution);
        pb_events_execution(platform->events, execution->project_id, execution->id);
        pb_events_project(platform->events, execution->project_id);
    }
    if (round->start_count > 0)
        pb_github_effects_kick(platform->github_effects);
}

/* Rows that could start come first, then the head of the whole queue for its reasons. ret_more: the round was
 * full, there may be more to start. */
static int play_round(struct pb_platform *platform, struct pb_db *db, bool runnable_only,
                      bool *ret_more, struct pb_error *err)
{
    struct round *round = calloc(1, sizeof(*round));
    struct pb_arena arena;
    int r;

    if (!round)
        return pb_fail(err, PB_ERROR_LIMITED, "out of memory");
    pb_arena_init(&arena, ARENA_MAX);
    *round = (struct round){.platform = platform, .arena = &arena, .now_ms = pb_clock_wall_ms()};
    r = pb_execution_queue(db, &arena, round->now_ms, runnable_only, ROUND_MAX, &round->queue, err);
    if (r == 0)
        choose(round);
    if (r == 0 && round->start_count + round->reason_count > 0) {
        r = pb_store_write(platform->store, write_round, round, err);
        if (r == 0)
            announce(round);
    }
    *ret_more = r == 0 && round->start_count == ROUND_MAX;
    pb_arena_release(&arena);
    free(round);
    return r;
}

/* --- quota windows that open ---------------------------------------------------------------------------------- */

static int write_due(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct pb_execution *execution = arg;

    execution->resume = true;
    execution->available_at = 0;
    execution->reason = execution->reason_kind = NULL;
    return pb_execution_apply(db, execution, PB_EXECUTION_EVENT_DUE, pb_clock_wall_ms(), err);
}

static int release_due(struct pb_platform *platform, struct pb_db *db, struct pb_error *err)
{
    struct pb_execution_list list;
    struct pb_arena arena;
    int r;

    pb_arena_init(&arena, ARENA_MAX);
    r = pb_execution_due(db, &arena, pb_clock_wall_ms(), DUE_MAX, &list, err);
    for (size_t i = 0; r == 0 && i < list.count; i++) {
        r = pb_store_write(platform->store, write_due, &list.items[i], err);
        if (r == 0) {
            pb_execution_note(platform, list.items[i].id, 's',
                              "the waiting time is over; queued again");
            pb_execution_announce(platform, list.items[i].project_id, list.items[i].id);
        } else if (err->code == PB_ERROR_CONFLICT) {
            r = 0; /* somebody was first */
        }
    }
    pb_arena_release(&arena);
    return r;
}

/* --- the thread ------------------------------------------------------------------------------------------------ */

static int look(struct pb_scheduler *scheduler, struct pb_error *err)
{
    struct pb_platform *platform = scheduler->platform;
    struct pb_db *db = pb_store_reader(platform->store, err);
    bool more = true;

    if (!db)
        return -1;
    pb_node_hub_sweep(platform->node_hub);
    if (release_due(platform, db, err) < 0)
        return -1;
    while (more)
        if (play_round(platform, db, true, &more, err) < 0)
            return -1;
    return play_round(platform, db, false, &more, err);
}

/* Steady time to wake at even if nobody kicks. What becomes due is asked from the moment the last look began:
 * a row whose time came while we looked was not seen as due then. */
static int64_t next_look(struct pb_scheduler *scheduler, int64_t looked_at)
{
    int64_t now = pb_clock_steady_ms();
    int64_t wall = pb_clock_wall_ms();
    int64_t sweep = pb_node_hub_next_sweep(scheduler->platform->node_hub);
    int64_t next = now + IDLE_MS;
    struct pb_error err;
    struct pb_db *db = pb_store_reader(scheduler->platform->store, &err);
    int64_t due = 0;

    if (sweep && sweep < next)
        next = sweep;
    if (db && pb_execution_next_due(db, looked_at, &due, &err) == 0 && due &&
        now + (due - wall) < next)
        next = now + (due - wall);
    return next > now ? next : now;
}

/* False = stop. */
static bool wait_for_work(struct pb_scheduler *scheduler, int64_t until)
{
    struct timespec at = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};
    bool go_on;

    (void)pthread_mutex_lock(&scheduler->lock);
    while (!scheduler->is_kicked && !scheduler->is_stopping && pb_clock_steady_ms() < until)
        (void)pthread_cond_timedwait(&scheduler->wake, &scheduler->lock, &at);
    scheduler->is_kicked = false;
    go_on = !scheduler->is_stopping;
    (void)pthread_mutex_unlock(&scheduler->lock);
    return go_on;
}

static void run(void *arg)
{
    struct pb_scheduler *scheduler = arg;
    struct pb_error err;
    int64_t until = 0;

    while (wait_for_work(scheduler, until)) {
        int64_t looked_at = pb_clock_wall_ms();

        if (look(scheduler, &err) == 0) {
            until = next_look(scheduler, looked_at);
        } else {
            pb_log_fail(PB_LOG_WARN, "scheduler", &err, "trying again soon");
            until = pb_clock_steady_ms() + AFTER_FAILURE_MS;
        }
    }
}

struct pb_scheduler *pb_scheduler_start(struct pb_platform *platform, struct pb_error *err)
{
    struct pb_scheduler *scheduler = calloc(1, sizeof(*scheduler));
    pthread_condattr_t steady;

    if (!scheduler) {
        (void)pb_fail(err, PB_ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    scheduler->platform = platform;
    (void)pthread_mutex_init(&scheduler->lock, NULL);
    (void)pthread_condattr_init(&steady);
    (void)pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&scheduler->wake, &steady);
    (void)pthread_condattr_destroy(&steady);
    scheduler->thread = pb_thread_start("scheduler", run, scheduler, err);
    if (!scheduler->thread) {
        pb_scheduler_stop(scheduler);
        return NULL;
    }
    return scheduler;
}

void pb_scheduler_stop(struct pb_scheduler *scheduler)
{
    if (!scheduler)
        return;
    (void)pthread_mutex_lock(&scheduler->lock);
    scheduler->is_stopping = true;
    (void)pthread_cond_signal(&scheduler->wake);
    (void)pthread_mutex_unlock(&scheduler->lock);
    pb_thread_join(&scheduler->thread);
    (void)pthread_cond_destroy(&scheduler->wake);
    (void)pthread_mutex_destroy(&scheduler->lock);
    free(scheduler);
}

void pb_scheduler_kick(struct pb_scheduler *scheduler)
{
    if (!scheduler)
        return;
    (void)pthread_mutex_lock(&scheduler->lock);
    scheduler->is_kicked = true;
    (void)pthread_cond_signal(&scheduler->wake);
    (void)pthread_mutex_unlock(&scheduler->lock);
}
