#include "server/services/schedule_runner.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/pool.h"
#include "server/services/platform.h"
#include "server/services/schedule_fire.h"
#include "server/store/schedule_store.h"
#include "server/store/store.h"

enum { AT_ONCE = 20, IDLE_MS = 60 * 1000, AFTER_FAILURE_MS = 5000 };

struct pb_schedule_runner {
    struct pb_platform *platform;
    struct pb_thread *thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;
    bool is_kicked;
    bool is_stopping;
};

/* Steady time of the next look. */
static int64_t next_look(struct pb_schedule_runner *runner)
{
    int64_t now = pb_clock_steady_ms();
    int64_t wait = IDLE_MS;
    int64_t at = 0;
    struct pb_error err;
    struct pb_db *db = pb_store_reader(runner->platform->store, &err);

    if (!db || pb_schedule_next_at(db, &at, &err) < 0)
        return now + AFTER_FAILURE_MS;
    if (at && at - pb_clock_wall_ms() < wait)
        wait = at - pb_clock_wall_ms();
    return wait > 0 ? now + wait : now;
}

/* False = stop. */
static bool wait_for_work(struct pb_schedule_runner *runner, int64_t until)
{
    struct timespec at = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};
    bool go_on;

    (void)pthread_mutex_lock(&runner->lock);
    while (!runner->is_kicked && !runner->is_stopping && pb_clock_steady_ms() < until)
        (void)pthread_cond_timedwait(&runner->wake, &runner->lock, &at);
    runner->is_kicked = false;
    go_on = !runner->is_stopping;
    (void)pthread_mutex_unlock(&runner->lock);
    return go_on;
}

static void run(void *arg)
{
    struct pb_schedule_runner *runner = arg;
    int64_t until = 0;

    while (wait_for_work(runner, until)) {
        struct pb_error err;
        size_t count;

        if (pb_schedule_fire_due(runner->platform, AT_ONCE, &count, &err) == 0) {
            until = next_look(runner);
        } else {
            pb_log_fail(PB_LOG_WARN, "schedule", &err, "trying again soon");
            until = pb_clock_steady_ms() + AFTER_FAILURE_MS;
        }
    }
}

struct pb_schedule_runner *pb_schedule_runner_start(struct pb_platform *platform,
                                                    struct pb_error *err)
{
    struct pb_schedule_runner *runner = calloc(1, sizeof(*runner));
    pthread_condattr_t steady;

    if (!runner) {
        (void)pb_fail(err, PB_ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    runner->platform = platform;
    (void)pthread_mutex_init(&runner->lock, NULL);
    (void)pthread_condattr_init(&steady);
    (void)pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&runner->wake, &steady);
    (void)pthread_condattr_destroy(&steady);
    runner->thread = pb_thread_start("schedules", run, runner, err);
    if (!runner->thread) {
        pb_schedule_runner_stop(runner);
        return NULL;
    }
    return runner;
}

void pb_schedule_runner_stop(struct pb_schedule_runner *runner)
{
    if (!runner)
        return;
    (void)pthread_mutex_lock(&runner->lock);
    runner->is_stopping = true;
    (void)pthread_cond_signal(&runner->wake);
    (void)pthread_mutex_unlock(&runner->lock);
    if (runner->thread)
        pb_thread_join(&runner->thread);
    (void)pthread_cond_destroy(&runner->wake);
    (void)pthread_mutex_destroy(&runner->lock);
    free(runner);
}

void pb_schedule_runner_kick(struct pb_schedule_runner *runner)
{
    if (!runner)
        return;
    (void)pthread_mutex_lock(&runner->lock);
    runner->is_kicked = true;
    (void)pthread_cond_signal(&runner->wake);
    (void)pthread_mutex_unlock(&runner->lock);
}
