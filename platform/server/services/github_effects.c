#include "server/services/github_effects.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/pool.h"
#include "server/services/execution_control.h"
#include "server/services/github_client.h"
#include "server/services/github_show.h"
#include "server/services/platform.h"
#include "server/store/outbox_store.h"
#include "server/store/store.h"

enum {
    THREADS = 4,
    JOBS = 8, /* at once, waiting for a thread included */
    LOOK_EVERY_MS = 5000,
    LOOK_GAP_MS = 50, /* whoever kicks does not know whether it is about GitHub at all */
    RETRY_FIRST_MS = 2000,
    RETRY_MAX_MS = 15 * 60 * 1000,
    TEMPORARY_TRIES = 300, /* about three days */
    CONFLICT_TRIES = 8,
    EXECUTION_ID = 40,
};

/* One row being worked on. */
struct job {
    struct pb_github_effects *effects;
    bool taken;
    int64_t row;
    int64_t revision;
    int64_t attempts;
    int64_t work_item_id;
    char execution_id[EXECUTION_ID];
};

struct pb_github_effects {
    struct pb_platform *platform;
    struct pb_github_shown *shown; /* owned, as the next two */
    struct pb_pool *pool;
    struct pb_thread *thread;
    pthread_mutex_t mutex; /* guards everything below */
    pthread_cond_t changed;
    struct job jobs[JOBS];
    uint64_t ended; /* jobs */
    bool kicked;
    bool stop;
};

/* How a row goes on, as one write. */
struct verdict {
    const struct job *job;
    enum { DONE, RETRY, GIVE_UP } what;
    int64_t at;
    const char *error;
};

static int write_verdict(struct pb_db *db, void *arg, struct pb_error *err)
{
    const struct verdict *verdict = arg;
    const struct job *job = verdict->job;
    bool more;

    switch (verdict->what) {
    case DONE:
        return pb_outbox_done(db, job->row, job->revision, verdict->at, &more, err);
    case RETRY:
        return pb_outbox_retry(db, job->row, job->revision, verdict->at, verdict->error, err);
    case GIVE_UP:
        break;
    }
    return pb_outbox_give_up(db, job->row, job->revision, verdict->at, verdict->error, err);
}

/* Twice as long each time, with some chance in it; never before GitHub's own time. */
static int64_t retry_time(const struct job *job, int64_t github_says)
{
    int64_t delay = RETRY_FIRST_MS;
    int64_t at;
    uint32_t chance;

    for (int64_t i = 0; i < job->attempts && delay < RETRY_MAX_MS; i++)
        delay *= 2;
    if (delay > RETRY_MAX_MS)
        delay = RETRY_MAX_MS;
    pb_random(&chance, sizeof(chance));
    at = pb_clock_wall_ms() + delay / 2 + (int64_t)(chance % (uint64_t)(delay / 2 + 1));
    return at > github_says ? at : github_says;
}

static bool is_worth_retrying(const struct job *job, const struct pb_error *err)
{
    if (err->code == PB_ERROR_CONFLICT || err->code == PB_ERROR_INTERNAL)
        return job->attempts < CONFLICT_TRIES;
    if (err->code == PB_ERROR_UNAUTHENTICATED || strcmp(err->reason, "secret_missing") == 0)
        return job->attempts < TEMPORARY_TRIES; /* somebody may enter a good token */
    return pb_github_is_temporary(err) && job->attempts < TEMPORARY_TRIES;
}

/* What people should know is in the execution's log: the first failure, and that it was given up. */
static struct verdict judge(struct job *job, int64_t github_says, const struct pb_error *err)
{
    struct pb_platform *platform = job->effects->platform;

    if (is_worth_retrying(job, err)) {
        if (job->attempts == 0)
            pb_execution_note(platform, job->execution_id, 'w',
                              "GitHub not up to date yet, trying again: %s", err->message);
        return (struct verdict){.job = job,
                                .what = RETRY,
                                .at = retry_time(job, github_says),
                                .error = err->message};
    }
    pb_execution_note(platform, job->execution_id, 'x',
                      "GitHub could not be brought up to date: %s", err->message);
    return (struct verdict){.job = job,
                            .what = GIVE_UP,
                            .at = pb_clock_wall_ms(),
                            .error = err->message};
}

static void work(struct job *job)
{
    struct pb_github_effects *effects = job->effects;
    struct verdict verdict = {.job = job, .what = DONE};
    struct pb_error err = {0};
    struct pb_error store_err = {0};
    int64_t github_says = 0;

    if (pb_github_show(effects->platform, effects->shown, job->work_item_id, &github_says, &err) <
        0) {
        if (strcmp(err.reason, "stopping") == 0)
            return; /* the row is due again at the next start */
        verdict = judge(job, github_says, &err);
        pb_log_fail(verdict.what == RETRY ? PB_LOG_INFO : PB_LOG_WARN, "github_effects", &err,
                    "execution=%s %s", job->execution_id,
                    verdict.what == RETRY ? "later" : "given up");
    } else {
        verdict.at = pb_clock_wall_ms();
    }
    if (pb_store_write(effects->platform->store, write_verdict, &verdict, &store_err) < 0)
        pb_log_fail(PB_LOG_WARN, "github_effects", &store_err, "execution=%s will be shown again",
                    job->execution_id);
}

static void run_job(void *arg)
{
    struct job *job = arg;
    struct pb_github_effects *effects = job->effects;
    bool stop;

    pthread_mutex_lock(&effects->mutex);
    stop = effects->stop;
    pthread_mutex_unlock(&effects->mutex);
    if (!stop)
        work(job);
    pthread_mutex_lock(&effects->mutex);
    job->taken = false;
    effects->ended++;
    effects->kicked = true;
    pthread_cond_signal(&effects->changed);
    pthread_mutex_unlock(&effects->mutex);
}

/* A free place, or NULL when all are taken or this work item is being shown. */
static struct job *place_for(struct pb_github_effects *effects, const struct pb_outbox_row *row)
{
    struct job *place = NULL;

    for (size_t i = 0; i < JOBS; i++) {
        struct job *job = &effects->jobs[i];

        if (job->taken && job->work_item_id == row->work_item_id)
            return NULL;
        if (!job->taken && !place)
            place = job;
    }
    return place;
}

static void start(struct pb_github_effects *effects, const struct pb_outbox_row *row)
{
    struct job *job = place_for(effects, row);
    const char *execution_id = row->execution_id ? row->execution_id : "";

    if (!job)
        return;
    *job = (struct job){.effects = effects,
                        .taken = true,
                        .row = row->id,
                        .revision = row->revision,
                        .attempts = row->attempts,
                        .work_item_id = row->work_item_id};
    memcpy(job->execution_id, execution_id, strnlen(execution_id, EXECUTION_ID - 1));
    if (!pb_pool_submit(effects->pool, run_job, job))
        job->taken = false;
}

/* Starts what is due and has a place; returns when the next row is due (wall clock; 0 = none). Whoever kicks
 * does not wait for the database; a row that was worked on while it was read is left to the next look. */
static int64_t start_due(struct pb_github_effects *effects, uint64_t ended)
{
    struct pb_error err = {0};
    struct pb_db *db = pb_store_reader(effects->platform->store, &err);
    struct pb_outbox_list list = {0};
    struct pb_arena arena;
    int64_t next = 0;

    pb_arena_init(&arena, 4 << 20);
    if (!db || pb_outbox_due(db, &arena, pb_clock_wall_ms(), 4 * JOBS, &list, &err) < 0 ||
        pb_outbox_next_at(db, &next, &err) < 0)
        pb_log_fail(PB_LOG_ERROR, "github_effects", &err, "outbox not read, again soon");
    pthread_mutex_lock(&effects->mutex);
    for (size_t i = 0; i < list.count && ended == effects->ended; i++)
        start(effects, &list.items[i]);
    pthread_mutex_unlock(&effects->mutex);
    pb_arena_release(&arena);
    return next;
}

/* Rows that are due but have no place wait for a job to end, which wakes us. */
static int64_t wait_ms(int64_t next)
{
    int64_t ms = next ? next - pb_clock_wall_ms() : LOOK_EVERY_MS;

    return ms <= 0 || ms > LOOK_EVERY_MS ? LOOK_EVERY_MS : ms;
}

/* Until then, or until we stop; until a kick, too, if one is to be heard. */
static void wait_until(struct pb_github_effects *effects, int64_t until, bool hear_kicks)
{
    struct timespec at = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};

    while (!(hear_kicks && effects->kicked) && !effects->stop && pb_clock_steady_ms() < until)
        pthread_cond_timedwait(&effects->changed, &effects->mutex, &at);
}

static void run(void *arg)
{
    struct pb_github_effects *effects = arg;

    pthread_mutex_lock(&effects->mutex);
    while (!effects->stop) {
        int64_t looked_at = pb_clock_steady_ms();
        uint64_t ended = effects->ended;
        int64_t next;

        effects->kicked = false;
        pthread_mutex_unlock(&effects->mutex);
        next = start_due(effects, ended);
        pthread_mutex_lock(&effects->mutex);
        wait_until(effects, looked_at + wait_ms(next), true);
        wait_until(effects, looked_at + LOOK_GAP_MS, false);
    }
    pthread_mutex_unlock(&effects->mutex);
}

struct pb_github_effects *pb_github_effects_start(struct pb_platform *platform,
                                                  struct pb_error *err)
{
    struct pb_github_effects *effects = calloc(1, sizeof(*effects));
    pthread_condattr_t attr;

    if (!effects) {
        pb_fail(err, PB_ERROR_UNAVAILABLE, "out of memory for GitHub effects");
        return NULL;
    }
    effects->platform = platform;
    pthread_mutex_init(&effects->mutex, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&effects->changed, &attr);
    pthread_condattr_destroy(&attr);
    effects->shown = pb_github_shown_new(err);
    if (effects->shown)
        effects->pool = pb_pool_new("github-effects", THREADS, JOBS, err);
    if (effects->pool)
        effects->thread = pb_thread_start("github-outbox", run, effects, err);
    if (!effects->thread) {
        pb_github_effects_stop(effects);
        return NULL;
    }
    return effects;
}

void pb_github_effects_stop(struct pb_github_effects *effects)
{
    if (!effects)
        return;
    pthread_mutex_lock(&effects->mutex);
    effects->stop = true;
    pthread_cond_signal(&effects->changed);
    pthread_mutex_unlock(&effects->mutex);
    if (effects->thread)
        pb_thread_join(&effects->thread);
    pb_pool_free(effects->pool);
    pb_github_shown_free(effects->shown);
    pthread_cond_destroy(&effects->changed);
    pthread_mutex_destroy(&effects->mutex);
    free(effects);
}

void pb_github_effects_kick(struct pb_github_effects *effects)
{
    if (!effects)
        return;
    pthread_mutex_lock(&effects->mutex);
    effects->kicked = true;
    pthread_cond_signal(&effects->changed);
    pthread_mutex_unlock(&effects->mutex);
}
