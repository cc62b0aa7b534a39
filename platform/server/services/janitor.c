#include "server/services/janitor.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/pool.h"
#include "server/services/auth.h"
#include "server/services/history_prune.h"
#include "server/services/log_prune.h"
#include "server/services/platform.h"
#include "server/store/github_cache.h"
#include "server/store/identity_store.h"
#include "server/store/outbox_store.h"
#include "server/store/store.h"

#define DAY_MS ((int64_t)24 * 60 * 60 * 1000)

enum { STEP = 200 }; /* rows thrown away in one change */

struct pb_janitor {
    struct pb_platform *platform;
    struct pb_thread *thread;
    atomic_bool is_stopping; /* set with the lock held */
    pthread_mutex_t lock;
    pthread_cond_t wake;
};

typedef int purge_fn(struct pb_db *db, int64_t before_ms, int64_t limit, int64_t *ret_removed,
                     struct pb_error *err);

/* Rows that nothing else hangs on. */
static const struct {
    purge_fn *purge;
    int64_t days; /* 0 = setting audit_days */
} PURGES[] = {
    {pb_session_purge, 7},
    {pb_outbox_purge, 7},
    {pb_github_cache_purge, 30},
    {pb_audit_purge, 0},
};

struct purging {
    purge_fn *purge;
    int64_t before_ms;
    int64_t removed;
};

static int write_purge(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct purging *purging = arg;

    return purging->purge(db, purging->before_ms, STEP, &purging->removed, err);
}

static int purge_rows(struct pb_platform *platform, const atomic_bool *stop, struct pb_error *err)
{
    for (size_t i = 0; i < sizeof(PURGES) / sizeof(PURGES[0]); i++) {
        int64_t days = PURGES[i].days ? PURGES[i].days : platform->settings.audit_days;
        struct purging purging = {.purge = PURGES[i].purge,
                                  .before_ms = pb_clock_wall_ms() - days * DAY_MS};

        if (days == 0)
            continue;
        do {
            if (pb_store_write(platform->store, write_purge, &purging, err) < 0)
                return -1;
        } while (purging.removed == STEP && !atomic_load(stop));
    }
    return 0;
}

/* Logs and executions, as far as settings say. */
static int prune(struct pb_platform *platform, const atomic_bool *stop, struct pb_error *err)
{
    const struct pb_platform_settings *settings = &platform->settings;
    int64_t now = pb_clock_wall_ms(), logs = 0, large = 0, executions = 0;
    int r = 0;

    if (settings->execution_days > 0)
        r = pb_history_prune(platform, now - settings->execution_days * DAY_MS, stop, &executions,
                             err);
    if (r == 0 && settings->log_days > 0)
        r = pb_log_prune_old(platform, now - settings->log_days * DAY_MS, stop, &logs, err);
    if (r == 0 && settings->project_log_limit > 0)
        r = pb_log_prune_large(platform, settings->project_log_limit, stop, &large, err);
    if (executions + logs + large > 0)
        pb_log_info("janitor", "thrown away: executions=%lld old_logs=%lld large_logs=%lld",
                    (long long)executions, (long long)logs, (long long)large);
    return r;
}

static int tidy(struct pb_platform *platform, const atomic_bool *stop, struct pb_error *err)
{
    pb_auth_tidy(platform->auth);
    if (purge_rows(platform, stop, err) < 0)
        return -1;
    return prune(platform, stop, err);
}

int pb_janitor_tidy(struct pb_platform *platform, struct pb_error *err)
{
    static const atomic_bool NEVER;

    return tidy(platform, &NEVER, err);
}

/* False = stop. */
static bool wait_a_round(struct pb_janitor *janitor)
{
    int64_t until = pb_clock_steady_ms() + janitor->platform->settings.tidy_interval_ms;
    struct timespec at = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};
    bool go_on;

    (void)pthread_mutex_lock(&janitor->lock);
    while (!atomic_load(&janitor->is_stopping) && pb_clock_steady_ms() < until)
        (void)pthread_cond_timedwait(&janitor->wake, &janitor->lock, &at);
    go_on = !atomic_load(&janitor->is_stopping);
    (void)pthread_mutex_unlock(&janitor->lock);
    return go_on;
}

static void run(void *arg)
{
    struct pb_janitor *janitor = arg;
    struct pb_error err;

    while (wait_a_round(janitor))
        if (tidy(janitor->platform, &janitor->is_stopping, &err) < 0)
            pb_log_fail(PB_LOG_WARN, "janitor", &err, "tidying up");
}

struct pb_janitor *pb_janitor_start(struct pb_platform *platform, struct pb_error *err)
{
    struct pb_janitor *janitor = calloc(1, sizeof(*janitor));
    pthread_condattr_t steady;

    if (!janitor) {
        (void)pb_fail(err, PB_ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    janitor->platform = platform;
    (void)pthread_mutex_init(&janitor->lock, NULL);
    (void)pthread_condattr_init(&steady);
    (void)pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&janitor->wake, &steady);
    (void)pthread_condattr_destroy(&steady);
    janitor->thread = pb_thread_start("janitor", run, janitor, err);
    if (!janitor->thread) {
        pb_janitor_stop(janitor);
        return NULL;
    }
    return janitor;
}

void pb_janitor_stop(struct pb_janitor *janitor)
{
    if (!janitor)
        return;
    (void)pthread_mutex_lock(&janitor->lock);
    atomic_store(&janitor->is_stopping, true);
    (void)pthread_cond_signal(&janitor->wake);
    (void)pthread_mutex_unlock(&janitor->lock);
    pb_thread_join(&janitor->thread);
    (void)pthread_cond_destroy(&janitor->wake);
    (void)pthread_mutex_destroy(&janitor->lock);
    free(janitor);
}
