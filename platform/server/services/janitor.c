#include "server/services/janitor.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/pool.h"
#include "server/services/auth.h"
#include "server/services/platform.h"
#include "server/store/github_cache.h"
#include "server/store/identity_store.h"
#include "server/store/outbox_store.h"
#include "server/store/store.h"

#define MINUTE_MS ((int64_t)60 * 1000)
#define DAY_MS    (24 * 60 * MINUTE_MS)

enum { ROUND_MINUTES = 10 };

struct pb_janitor {
    struct pb_platform *platform;
    struct pb_thread *thread;
    pthread_mutex_t lock; /* guards is_stopping */
    pthread_cond_t wake;
    bool is_stopping;
};

/* What is thrown away, and how old it is by then. */
static const struct {
    int (*purge)(struct pb_db *db, int64_t before_ms, struct pb_error *err);
    int64_t age_ms;
} PURGES[] = {
    {pb_session_purge, 7 * DAY_MS},
    {pb_outbox_purge, 7 * DAY_MS},
    {pb_github_cache_purge, 30 * DAY_MS},
};

static int write_purge(struct pb_db *db, void *arg, struct pb_error *err)
{
    const size_t *which = arg;

    return PURGES[*which].purge(db, pb_clock_wall_ms() - PURGES[*which].age_ms, err);
}

int pb_janitor_tidy(struct pb_platform *platform, struct pb_error *err)
{
    pb_auth_tidy(platform->auth);
    for (size_t i = 0; i < sizeof(PURGES) / sizeof(PURGES[0]); i++)
        if (pb_store_write(platform->store, write_purge, &i, err) < 0)
            return -1;
    return 0;
}

/* False = stop. */
static bool wait_a_round(struct pb_janitor *janitor)
{
    int64_t until = pb_clock_steady_ms() + ROUND_MINUTES * MINUTE_MS;
    struct timespec at = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};
    bool go_on;

    (void)pthread_mutex_lock(&janitor->lock);
    while (!janitor->is_stopping && pb_clock_steady_ms() < until)
        (void)pthread_cond_timedwait(&janitor->wake, &janitor->lock, &at);
    go_on = !janitor->is_stopping;
    (void)pthread_mutex_unlock(&janitor->lock);
    return go_on;
}

static void run(void *arg)
{
    struct pb_janitor *janitor = arg;
    struct pb_error err;

    while (wait_a_round(janitor))
        if (pb_janitor_tidy(janitor->platform, &err) < 0)
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
    janitor->is_stopping = true;
    (void)pthread_cond_signal(&janitor->wake);
    (void)pthread_mutex_unlock(&janitor->lock);
    pb_thread_join(&janitor->thread);
    (void)pthread_cond_destroy(&janitor->wake);
    (void)pthread_mutex_destroy(&janitor->lock);
    free(janitor);
}
