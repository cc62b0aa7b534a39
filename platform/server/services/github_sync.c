#include "server/services/github_sync.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/pool.h"
#include "model/limits.h"
#include "model/project.h"
#include "server/services/github_poll.h"
#include "server/services/platform.h"
#include "server/store/project_store.h"
#include "server/store/store.h"

enum {
    THREADS = 4,
    QUEUE = 64,
    LIST_EVERY_MS = 30 * 1000, /* kicks tell about changes; this is for what they missed */
    BUSY_MS = 200,             /* the pool is full */
    DELAY_MAX_MS = 15 * 60 * 1000,
    FIRST_SPREAD_MS = 2000,
    TABLE = 1024,
};

/* One active project. */
struct slot {
    struct slot *next;
    struct slot *same; /* next one of the same place in the table */
    char id[PB_LIMIT_PROJECT_ID + 1];
    struct pb_github_sync *sync;
    int64_t interval_ms;
    int64_t due_ms; /* steady */
    unsigned failures;
    bool running;
    bool kicked; /* look again as soon as this pass ends */
    bool wanted; /* still in the list; a slot that is not goes when its pass has ended */
    struct pb_github_poll poll; /* the running pass's, else ours */
};

struct pb_github_sync {
    struct pb_platform *platform;
    struct pb_pool *pool;
    struct pb_thread *thread;
    pthread_mutex_t mutex; /* guards everything below */
    pthread_cond_t changed;
    struct slot *slots;
    struct slot *table[TABLE]; /* the same slots by id */
    int64_t list_at_ms;
    atomic_bool stop;
};

static int64_t random_below(int64_t max)
{
    uint32_t number;

    if (max <= 0)
        return 0;
    pb_random(&number, sizeof(number));
    return (int64_t)(number % (uint64_t)max);
}

/* ±10 %, so that many projects do not call at once. */
static int64_t with_jitter(int64_t ms)
{
    return ms - ms / 10 + random_below(ms / 5 + 1);
}

static struct slot **place_of(struct pb_github_sync *sync, const char *id)
{
    unsigned hash = 5381;

    for (const char *c = id; *c; c++)
        hash = hash * 33 + (unsigned char)*c;
    return &sync->table[hash % TABLE];
}

static struct slot *find(struct pb_github_sync *sync, const char *id)
{
    for (struct slot *slot = *place_of(sync, id); slot; slot = slot->same)
        if (strcmp(slot->id, id) == 0)
            return slot;
    return NULL;
}

static void forget(struct pb_github_sync *sync, struct slot *slot)
{
    struct slot **at = place_of(sync, slot->id);

    while (*at != slot)
        at = &(*at)->same;
    *at = slot->same;
    pb_github_poll_release(&slot->poll);
    free(slot);
}

static void drop_unwanted(struct pb_github_sync *sync)
{
    for (struct slot **at = &sync->slots; *at;) {
        struct slot *slot = *at;

        if (slot->wanted || slot->running) {
            at = &slot->next;
            continue;
        }
        *at = slot->next;
        forget(sync, slot);
    }
}

static int want(struct pb_github_sync *sync, const struct pb_project *project, struct pb_error *err)
{
    struct slot *slot = find(sync, project->id);
    int64_t spread =
        project->poll_interval_ms < FIRST_SPREAD_MS ? project->poll_interval_ms : FIRST_SPREAD_MS;

    if (!slot) {
        slot = calloc(1, sizeof(*slot));
        if (!slot || strlen(project->id) >= sizeof(slot->id)) {
            free(slot);
            return pb_fail(err, PB_ERROR_UNAVAILABLE, "no memory to poll project %s", project->id);
        }
        memcpy(slot->id, project->id, strlen(project->id) + 1);
        slot->sync = sync;
        slot->due_ms = pb_clock_steady_ms() + (sync->slots ? random_below(spread) : 0);
        slot->next = sync->slots;
        sync->slots = slot;
        slot->same = *place_of(sync, slot->id);
        *place_of(sync, slot->id) = slot;
    }
    slot->interval_ms = project->poll_interval_ms > 0 ? project->poll_interval_ms
                                                      : sync->platform->settings.poll_interval_ms;
    slot->wanted = true;
    return 0;
}

/* All active projects, page by page; called with the mutex held, and only by the one thread. */
static int list_projects(struct pb_github_sync *sync, struct pb_error *err)
{
    static const enum pb_project_status ACTIVE[] = {PB_PROJECT_ACTIVE};
    struct pb_db *db = pb_store_reader(sync->platform->store, err);
    char cursor[PB_LIMIT_CURSOR + 1] = "";
    struct pb_arena arena;
    int r = db ? 0 : -1;
    bool more = r == 0;

    while (more) {
        struct pb_project_list list;
        struct pb_project_filter filter = {.page = {.limit = PB_LIMIT_PAGE,
                                                    .cursor = *cursor ? cursor : NULL},
                                           .statuses = ACTIVE,
                                           .status_count = 1};

        pb_arena_init(&arena, 32 << 20);
        r = pb_project_list(db, &arena, &filter, &list, err);
        for (size_t i = 0; r == 0 && i < list.count; i++)
            r = want(sync, &list.items[i], err);
        more = r == 0 && list.next_cursor && strlen(list.next_cursor) < sizeof(cursor);
        if (more)
            memcpy(cursor, list.next_cursor, strlen(list.next_cursor) + 1);
        pb_arena_release(&arena);
    }
    return r;
}

static void refresh(struct pb_github_sync *sync)
{
    struct pb_error err = {0};
    int64_t now = pb_clock_steady_ms();

    for (struct slot *slot = sync->slots; slot; slot = slot->next)
        slot->wanted = false;
    sync->list_at_ms = now + LIST_EVERY_MS;
    if (list_projects(sync, &err) < 0) {
        pb_log_fail(PB_LOG_ERROR, "github_sync", &err, "projects not listed, again in a second");
        for (struct slot *slot = sync->slots; slot; slot = slot->next)
            slot->wanted = true;
        sync->list_at_ms = now + 1000;
    }
    drop_unwanted(sync);
}

/* After a failure twice as long each time; never before GitHub's own time. */
static int64_t delay_after(const struct slot *slot, bool failed, int64_t retry_at)
{
    int64_t delay = slot->interval_ms;
    int64_t until = retry_at ? retry_at - pb_clock_wall_ms() : 0;

    if (failed) {
        for (unsigned i = 1; i < slot->failures && delay < DELAY_MAX_MS; i++)
            delay *= 2;
        if (delay > DELAY_MAX_MS && slot->interval_ms < DELAY_MAX_MS)
            delay = DELAY_MAX_MS;
    }
    return with_jitter(delay > until ? delay : until);
}

static void run_pass(void *arg)
{
    struct slot *slot = arg;
    struct pb_github_sync *sync = slot->sync;
    struct pb_error err = {0};
    int64_t retry_at = 0;
    int r = 0;

    if (!atomic_load(&sync->stop))
        r = pb_github_poll_pass(sync->platform, slot->id, &slot->poll, &sync->stop, &retry_at,
                                &err);
    if (r < 0 && !atomic_load(&sync->stop))
        pb_log_fail(PB_LOG_WARN, "github_sync", &err, "project=%s not polled", slot->id);
    pthread_mutex_lock(&sync->mutex);
    slot->running = false;
    slot->failures = r < 0 ? slot->failures + 1 : 0;
    slot->due_ms = pb_clock_steady_ms();
    if (!slot->kicked)
        slot->due_ms += delay_after(slot, r < 0, retry_at);
    slot->kicked = false;
    pthread_cond_signal(&sync->changed);
    pthread_mutex_unlock(&sync->mutex);
}

/* Starts what is due; returns when to look again. */
static int64_t start_due(struct pb_github_sync *sync)
{
    int64_t now = pb_clock_steady_ms();
    int64_t next = sync->list_at_ms;

    for (struct slot *slot = sync->slots; slot; slot = slot->next) {
        if (slot->running)
            continue;
        if (slot->due_ms <= now) {
            slot->running = true;
            if (pb_pool_submit(sync->pool, run_pass, slot))
                continue;
            slot->running = false;
            slot->due_ms = now + BUSY_MS;
        }
        if (slot->due_ms < next)
            next = slot->due_ms;
    }
    return next;
}

static void run(void *arg)
{
    struct pb_github_sync *sync = arg;

    pthread_mutex_lock(&sync->mutex);
    while (!atomic_load(&sync->stop)) {
        struct timespec at;
        int64_t next;

        if (pb_clock_steady_ms() >= sync->list_at_ms)
            refresh(sync);
        next = start_due(sync);
        at = (struct timespec){.tv_sec = next / 1000, .tv_nsec = next % 1000 * 1000000};
        pthread_cond_timedwait(&sync->changed, &sync->mutex, &at);
    }
    pthread_mutex_unlock(&sync->mutex);
}

struct pb_github_sync *pb_github_sync_start(struct pb_platform *platform, struct pb_error *err)
{
    struct pb_github_sync *sync = calloc(1, sizeof(*sync));
    pthread_condattr_t attr;

    if (!sync) {
        pb_fail(err, PB_ERROR_UNAVAILABLE, "out of memory for polling");
        return NULL;
    }
    sync->platform = platform;
    pthread_mutex_init(&sync->mutex, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&sync->changed, &attr);
    pthread_condattr_destroy(&attr);
    sync->pool = pb_pool_new("github-poll", THREADS, QUEUE, err);
    if (sync->pool)
        sync->thread = pb_thread_start("github-sync", run, sync, err);
    if (!sync->thread) {
        pb_github_sync_stop(sync);
        return NULL;
    }
    return sync;
}

void pb_github_sync_stop(struct pb_github_sync *sync)
{
    if (!sync)
        return;
    pthread_mutex_lock(&sync->mutex);
    atomic_store(&sync->stop, true);
    pthread_cond_signal(&sync->changed);
    pthread_mutex_unlock(&sync->mutex);
    if (sync->thread)
        pb_thread_join(&sync->thread);
    pb_pool_free(sync->pool);
    for (struct slot *slot = sync->slots; slot; slot = slot->next)
        slot->wanted = slot->running = false;
    drop_unwanted(sync);
    pthread_cond_destroy(&sync->changed);
    pthread_mutex_destroy(&sync->mutex);
    free(sync);
}

void pb_github_sync_kick(struct pb_github_sync *sync, const char *project_id)
{
    int64_t now = pb_clock_steady_ms();

    if (!sync)
        return;
    pthread_mutex_lock(&sync->mutex);
    sync->list_at_ms = now;
    for (struct slot *slot = sync->slots; slot; slot = slot->next) {
        if (project_id && strcmp(slot->id, project_id) != 0)
            continue;
        slot->kicked = slot->running;
        slot->due_ms = now;
    }
    pthread_cond_signal(&sync->changed);
    pthread_mutex_unlock(&sync->mutex);
}
