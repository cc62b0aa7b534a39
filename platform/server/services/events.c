#include "server/services/events.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/pool.h"
#include "server/services/auth.h"
#include "server/services/events_private.h"
#include "server/services/node_hub.h"
#include "server/services/platform.h"
#include "server/services/queue_gate.h"
#include "server/services/views.h"
#include "server/store/cluster_store.h"
#include "server/store/execution_store.h"
#include "server/store/log_store.h"
#include "server/store/project_store.h"
#include "server/store/store.h"

enum {
    OBJECT_MAX = 1 << 20,
    ARENA_MAX = 4 << 20,
    IDLE_MS = 2500,
    SESSIONS_MS = 2500, /* between two looks at all sessions */
    PORTION_MS = 10,    /* of such a look at once: events do not wait for it */
    TIDY_MS = 2000,
};

/* One tick's work, taken out from under the lock. */
struct batch {
    struct dirty *dirty;
    size_t count;
    struct log_item *logs;
    bool lost;
};

/* --- what changed: called by everybody ---------------------------------------------------------------- */

static void topic_name(char ret_name[TOPIC_MAX], const char *kind, const char *id)
{
    (void)snprintf(ret_name, TOPIC_MAX, "%s:%s", kind, id);
}

static bool is_watched(struct pb_events *events, const char *whole, const char *kind,
                       const char *id)
{
    char name[TOPIC_MAX];

    topic_name(name, kind, id);
    return pb_topic_find(events, whole) || pb_topic_find(events, name);
}

static void mark(struct pb_events *events, enum dirty_kind kind, const char *id,
                 const char *project_id)
{
    struct dirty *dirty;

    for (size_t i = 0; i < events->dirty_count; i++)
        if (events->dirty[i].kind == kind && strcmp(events->dirty[i].id, id) == 0)
            return;
    if (events->dirty_count == DIRTY_MAX) {
        events->dirty_lost = true;
    } else {
        dirty = &events->dirty[events->dirty_count++];
        *dirty = (struct dirty){.kind = kind};
        (void)snprintf(dirty->id, sizeof(dirty->id), "%s", id);
        (void)snprintf(dirty->project_id, sizeof(dirty->project_id), "%s", project_id);
    }
    (void)pthread_cond_signal(&events->wake);
}

void pb_events_execution(struct pb_events *events, const char *project_id, const char *execution_id)
{
    char project_topic[TOPIC_MAX];

    if (!events)
        return;
    topic_name(project_topic, "project", project_id);
    (void)pthread_mutex_lock(&events->lock);
    if (is_watched(events, "executions", "execution", execution_id) ||
        pb_topic_find(events, project_topic))
        mark(events, DIRTY_EXECUTION, execution_id, project_id);
    (void)pthread_mutex_unlock(&events->lock);
}

static void project_event(struct pb_events *events, enum dirty_kind kind, const char *project_id)
{
    if (!events)
        return;
    (void)pthread_mutex_lock(&events->lock);
    if (is_watched(events, "projects", "project", project_id))
        mark(events, kind, project_id, project_id);
    (void)pthread_mutex_unlock(&events->lock);
}

void pb_events_project(struct pb_events *events, const char *project_id)
{
    project_event(events, DIRTY_PROJECT, project_id);
}

void pb_events_project_deleted(struct pb_events *events, const char *project_id)
{
    project_event(events, DIRTY_PROJECT_DELETED, project_id);
}

void pb_events_node(struct pb_events *events, const char *node_id)
{
    if (!events)
        return;
    (void)pthread_mutex_lock(&events->lock);
    if (pb_topic_find(events, "nodes"))
        mark(events, DIRTY_NODE, node_id, "");
    (void)pthread_mutex_unlock(&events->lock);
}

/* With the lock held. Text that does not fit any more is left out: the head tells that it is there. */
static void queue_log(struct pb_events *events, const char *execution_id, int64_t from,
                      int64_t count, const char *text, size_t len)
{
    struct log_item *item;

    if (events->log_bytes + len > LOG_QUEUE_MAX)
        count = 0, len = 0;
    item = malloc(sizeof(*item) + len);
    if (!item)
        return;
    *item = (struct log_item){.from = from, .count = count, .len = len};
    (void)snprintf(item->execution_id, sizeof(item->execution_id), "%s", execution_id);
    if (len > 0)
        memcpy(item->text, text, len);
    events->log_bytes += len;
    *events->logs_tail = item;
    events->logs_tail = &item->next;
    (void)pthread_cond_signal(&events->wake);
}

void pb_events_log(struct pb_events *events, const char *execution_id, int64_t from, int64_t count,
                   const char *text, size_t len)
{
    char name[TOPIC_MAX];

    if (!events)
        return;
    topic_name(name, "log", execution_id);
    (void)pthread_mutex_lock(&events->lock);
    if (pb_topic_find(events, name))
        queue_log(events, execution_id, from, count, text, len);
    (void)pthread_mutex_unlock(&events->lock);
}

void pb_events_log_head(struct pb_events *events, const char *execution_id)
{
    pb_events_log(events, execution_id, 0, 0, NULL, 0);
}

/* --- telling it: the thread of its own ------------------------------------------------------------------ */

static void publish(struct pb_events *events, const char *topic, const char *event,
                    const char *data)
{
    struct topic *found;

    (void)pthread_mutex_lock(&events->lock);
    found = pb_topic_find(events, topic);
    if (found)
        pb_topic_publish(events, found, event, data);
    (void)pthread_mutex_unlock(&events->lock);
}

static void publish_both(struct pb_events *events, const char *whole, const char *kind,
                         const char *id, const char *event, const char *data)
{
    char name[TOPIC_MAX];

    topic_name(name, kind, id);
    publish(events, whole, event, data);
    publish(events, name, event, data);
}

static int render_execution(struct pb_events *events, struct pb_db *db, struct pb_arena *arena,
                            const struct dirty *dirty, struct pb_json_writer *w,
                            struct pb_error *err)
{
    struct pb_execution *execution;
    struct pb_attempt_list attempts;
    struct pb_log_info info;

    if (pb_execution_load(db, arena, dirty->id, &execution, err) < 0 ||
        pb_attempt_list(db, arena, dirty->id, &attempts, err) < 0 ||
        pb_log_stat(events->platform->log_store, dirty->id, &info, err) < 0 ||
        pb_queue_explain(events->platform, db, arena, execution, 1, err) < 0)
        return -1;
    pb_view_execution(w, NULL, execution, &info, &attempts);
    return 0;
}

static int render_project(struct pb_events *events, struct pb_db *db, struct pb_arena *arena,
                          const struct dirty *dirty, struct pb_json_writer *w, struct pb_error *err)
{
    struct pb_project *project;

    if (pb_project_load(db, arena, dirty->id, &project, err) < 0)
        return -1;
    return pb_view_project(events->platform, db, arena, w, NULL, project, err);
}

static int render_node(struct pb_events *events, struct pb_db *db, struct pb_arena *arena,
                       const struct dirty *dirty, struct pb_json_writer *w, struct pb_error *err)
{
    struct pb_node *node;

    if (pb_node_load(db, arena, dirty->id, &node, err) < 0)
        return -1;
    pb_view_node(w, NULL, node, pb_node_hub_agents_on(events->platform->node_hub, dirty->id));
    return 0;
}

static int render_deleted(struct pb_events *events, struct pb_db *db, struct pb_arena *arena,
                          const struct dirty *dirty, struct pb_json_writer *w, struct pb_error *err)
{
    (void)events;
    (void)db;
    (void)arena;
    (void)err;
    pb_json_begin_object(w, NULL);
    pb_json_put_text(w, "kind", "project");
    pb_json_put_text(w, "id", dirty->id);
    pb_json_end_object(w);
    return 0;
}

static const struct {
    int (*render)(struct pb_events *events, struct pb_db *db, struct pb_arena *arena,
                  const struct dirty *dirty, struct pb_json_writer *w, struct pb_error *err);
    const char *event;
    const char *whole; /* topic of all of them */
    const char *kind;  /* topic of this one */
} KINDS[] = {
    [DIRTY_EXECUTION] = {render_execution, "execution", "executions", "execution"},
    [DIRTY_PROJECT] = {render_project, "project", "projects", "project"},
    [DIRTY_NODE] = {render_node, "node", "nodes", "node"},
    [DIRTY_PROJECT_DELETED] = {render_deleted, "deleted", "projects", "project"},
};

static void tell(struct pb_events *events, struct pb_db *db, const struct dirty *dirty)
{
    struct pb_json_writer w;
    struct pb_arena arena;
    struct pb_error err;
    struct pb_buf json;
    char project[TOPIC_MAX];

    pb_arena_init(&arena, ARENA_MAX);
    pb_buf_init(&json, OBJECT_MAX);
    pb_json_writer_init(&w, &json);
    if (KINDS[dirty->kind].render(events, db, &arena, dirty, &w, &err) < 0) {
        if (err.code != PB_ERROR_NOT_FOUND)
            pb_log_fail(PB_LOG_WARN, "events", &err,
                        "%s=%s browsers see its change after a reload only",
                        KINDS[dirty->kind].event, dirty->id);
    } else if (!pb_buf_failed(&json)) {
        publish_both(events, KINDS[dirty->kind].whole, KINDS[dirty->kind].kind, dirty->id,
                     KINDS[dirty->kind].event, pb_buf_string(&json));
        topic_name(project, "project", dirty->project_id);
        if (dirty->kind == DIRTY_EXECUTION)
            publish(events, project, "execution", pb_buf_string(&json));
    }
    pb_buf_release(&json);
    pb_arena_release(&arena);
}

static void tell_log(struct pb_events *events, const struct log_item *item)
{
    struct pb_log_info info = {.lines = 0};
    char name[TOPIC_MAX];
    struct topic *topic;
    struct pb_error err;
    bool has_head = item->count == 0 &&
                    pb_log_stat(events->platform->log_store, item->execution_id, &info, &err) == 0;

    topic_name(name, "log", item->execution_id);
    (void)pthread_mutex_lock(&events->lock);
    topic = pb_topic_find(events, name);
    if (topic && item->count > 0)
        pb_topic_send_log(events, topic, item->from, item->count, item->text, item->len);
    if (topic && has_head)
        pb_topic_send_head(events, topic, (int64_t)info.lines, (int64_t)info.bytes, info.complete);
    (void)pthread_mutex_unlock(&events->lock);
}

static void tell_all(struct pb_events *events, struct batch *batch)
{
    struct pb_error err;
    struct pb_db *db = pb_store_reader(events->platform->store, &err);

    if (!db) {
        pb_log_fail(PB_LOG_WARN, "events", &err,
                    "browsers cannot be told what changed, they fetch again");
        batch->lost = true;
    }
    for (size_t i = 0; db && i < batch->count; i++)
        tell(events, db, &batch->dirty[i]);
    while (batch->logs) {
        struct log_item *item = batch->logs;

        batch->logs = item->next;
        tell_log(events, item);
        free(item);
    }
    (void)pthread_mutex_lock(&events->lock);
    if (batch->lost) {
        pb_topics_refetch_all(events);
        events->stats.overruns++;
    }
    pb_subscribers_catch_up(events);
    (void)pthread_mutex_unlock(&events->lock);
}

/* The sessions of those who watch, on their way through a look at all of them. */
struct sessions {
    struct watcher *watchers; /* owned; NULL = none is under way */
    size_t count;
    size_t at;
    int64_t next_ms; /* steady: of the next look */
};

static void check_session(struct pb_events *events, const struct watcher *watcher)
{
    struct pb_error err;

    if (pb_auth_session_check(events->platform->auth, watcher->session_id, watcher->user_id,
                              &err) == 0)
        return;
    if (err.code == PB_ERROR_UNAUTHENTICATED)
        pb_events_session_ended(events, watcher->session_id);
    else
        pb_log_fail(PB_LOG_WARN, "events", &err,
                    "cannot see whether a live connection's session is still good");
}

/* Are those who watch still signed in? What ends a session here says so at once; this finds the rest. */
static void check_sessions(struct pb_events *events, struct sessions *sessions)
{
    int64_t now = pb_clock_steady_ms();

    if (!sessions->watchers && now < sessions->next_ms)
        return;
    if (!sessions->watchers) {
        sessions->next_ms = now + SESSIONS_MS;
        sessions->watchers = pb_watchers(events, &sessions->count);
        sessions->at = 0;
    }
    while (sessions->at < sessions->count && pb_clock_steady_ms() < now + PORTION_MS)
        check_session(events, &sessions->watchers[sessions->at++]);
    if (sessions->at == sessions->count) {
        free(sessions->watchers);
        sessions->watchers = NULL;
    }
}

static void tidy(struct pb_events *events, int64_t now_ms)
{
    (void)pthread_mutex_lock(&events->lock);
    pb_subscribers_catch_up(events);
    pb_subscribers_beat(events, now_ms);
    pb_topics_tidy(events, now_ms);
    (void)pthread_mutex_unlock(&events->lock);
}

static void wait_until(struct pb_events *events, int64_t steady_ms)
{
    struct timespec at = {.tv_sec = steady_ms / 1000, .tv_nsec = steady_ms % 1000 * 1000000};

    (void)pthread_cond_timedwait(&events->wake, &events->lock, &at);
}

/* With the lock held. */
static bool has_work(const struct pb_events *events)
{
    return events->dirty_count > 0 || events->logs || events->dirty_lost;
}

/* Waits for something to tell, at most `idle_ms`, and for the tick to come round. False = stop. */
static bool take(struct pb_events *events, int64_t told_ms, int64_t idle_ms, struct batch *ret)
{
    int64_t idle_until = pb_clock_steady_ms() + idle_ms;
    bool go_on;

    (void)pthread_mutex_lock(&events->lock);
    while (!events->is_stopping && !has_work(events) && pb_clock_steady_ms() < idle_until)
        wait_until(events, idle_until);
    while (!events->is_stopping && has_work(events) && pb_clock_steady_ms() < told_ms + TICK_MS)
        wait_until(events, told_ms + TICK_MS);
    memcpy(ret->dirty, events->dirty, events->dirty_count * sizeof(events->dirty[0]));
    ret->count = events->dirty_count;
    ret->logs = events->logs;
    ret->lost = events->dirty_lost;
    events->dirty_count = 0;
    events->dirty_lost = false;
    events->logs = NULL;
    events->logs_tail = &events->logs;
    events->log_bytes = 0;
    go_on = !events->is_stopping;
    (void)pthread_mutex_unlock(&events->lock);
    return go_on;
}

static void run(void *arg)
{
    struct pb_events *events = arg;
    struct batch batch = {.dirty = calloc(DIRTY_MAX, sizeof(struct dirty))};
    struct sessions sessions = {0};
    int64_t told_ms = 0, tidy_ms = 0;
    bool go_on = batch.dirty != NULL;

    while (go_on) {
        int64_t now;

        go_on = take(events, told_ms, sessions.watchers ? PORTION_MS : IDLE_MS, &batch);
        now = pb_clock_steady_ms();
        if (batch.count > 0 || batch.logs || batch.lost) {
            tell_all(events, &batch);
            told_ms = now;
        }
        check_sessions(events, &sessions);
        if (now >= tidy_ms + TIDY_MS) {
            tidy(events, now);
            tidy_ms = now;
        }
    }
    free(sessions.watchers);
    free(batch.dirty);
}

struct pb_events *pb_events_start(struct pb_platform *platform, struct pb_error *err)
{
    struct pb_events *events = calloc(1, sizeof(*events));
    pthread_condattr_t steady;

    if (!events) {
        (void)pb_fail(err, PB_ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    events->platform = platform;
    events->logs_tail = &events->logs;
    (void)pthread_mutex_init(&events->lock, NULL);
    (void)pthread_condattr_init(&steady);
    (void)pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&events->wake, &steady);
    (void)pthread_condattr_destroy(&steady);
    events->thread = pb_thread_start("events", run, events, err);
    if (!events->thread) {
        pb_events_close(events);
        return NULL;
    }
    return events;
}

void pb_events_stats(struct pb_events *events, struct pb_events_stats *ret_stats)
{
    (void)pthread_mutex_lock(&events->lock);
    *ret_stats = events->stats;
    ret_stats->topics = events->topic_count;
    ret_stats->changed = events->dirty_count;
    ret_stats->log_bytes = events->log_bytes;
    (void)pthread_mutex_unlock(&events->lock);
}

void pb_events_finish(struct pb_events *events)
{
    if (!events)
        return;
    (void)pthread_mutex_lock(&events->lock);
    events->is_stopping = true;
    (void)pthread_cond_signal(&events->wake);
    (void)pthread_mutex_unlock(&events->lock);
    pb_thread_join(&events->thread);
}

void pb_events_close(struct pb_events *events)
{
    if (!events)
        return;
    pb_events_finish(events);
    while (events->logs) {
        struct log_item *item = events->logs;

        events->logs = item->next;
        free(item);
    }
    pb_topics_free(events);
    (void)pthread_cond_destroy(&events->wake);
    (void)pthread_mutex_destroy(&events->lock);
    free(events);
}
