#include "server/services/scheduler.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/pool.h"
#include "server/services/node_hub.h"
#include "server/services/platform.h"
#include "server/services/scheduler_private.h"

enum { IDLE_MS = 60 * 1000, AFTER_FAILURE_MS = 2000 };

struct pb_scheduler {
    struct pb_platform *platform;
    struct pb_thread *thread;
    struct pb_look *look; /* the thread's own */

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;
    struct pb_queue_scope kicked;
    bool is_kicked;
    bool is_stopping;
};

/* Steady time to look again even if nobody kicks. */
static int64_t next_look(struct pb_scheduler *scheduler, int64_t due)
{
    int64_t now = pb_clock_steady_ms();
    int64_t wall = pb_clock_wall_ms();
    int64_t sweep = pb_node_hub_next_sweep(scheduler->platform->node_hub);
    int64_t next = now + IDLE_MS;

    if (sweep && sweep < next)
        next = sweep;
    if (due && now + (due - wall) < next)
        next = now + (due - wall);
    return next > now ? next : now;
}

/* --- the thread ------------------------------------------------------------------------------------------------ */

/* False = stop. Without a kick it is about everything: something became due. */
static bool wait_for_work(struct pb_scheduler *scheduler, int64_t until,
                          struct pb_queue_scope *ret_scope)
{
    struct timespec at = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};
    bool go_on;

    (void)pthread_mutex_lock(&scheduler->lock);
    while (!scheduler->is_kicked && !scheduler->is_stopping && pb_clock_steady_ms() < until)
        (void)pthread_cond_timedwait(&scheduler->wake, &scheduler->lock, &at);
    *ret_scope = scheduler->kicked;
    ret_scope->is_all = ret_scope->is_all || !scheduler->is_kicked;
    scheduler->is_kicked = false;
    scheduler->kicked.is_all = false;
    scheduler->kicked.count = 0;
    go_on = !scheduler->is_stopping;
    (void)pthread_mutex_unlock(&scheduler->lock);
    return go_on;
}

static void run(void *arg)
{
    struct pb_scheduler *scheduler = arg;
    struct pb_queue_scope scope;
    int64_t until = 0;

    while (wait_for_work(scheduler, until, &scope)) {
        int64_t due = 0;
        struct pb_error err;

        if (pb_look_at_queue(scheduler->look, &scope, &due, &err) == 0) {
            until = next_look(scheduler, due);
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
    scheduler->look = pb_look_new(platform, err);
    if (scheduler->look)
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
    if (scheduler->thread)
        pb_thread_join(&scheduler->thread);
    pb_look_free(scheduler->look);
    (void)pthread_cond_destroy(&scheduler->wake);
    (void)pthread_mutex_destroy(&scheduler->lock);
    free(scheduler);
}

static void kick(struct pb_scheduler *scheduler, const char *project_id)
{
    struct pb_queue_scope *kicked;
    bool is_there = false;

    if (!scheduler)
        return;
    (void)pthread_mutex_lock(&scheduler->lock);
    kicked = &scheduler->kicked;
    for (size_t i = 0; project_id && i < kicked->count; i++)
        is_there = is_there || strcmp(kicked->ids[i], project_id) == 0;
    if (!project_id || (!is_there && kicked->count == PB_SCOPE_PROJECTS))
        kicked->is_all = true;
    else if (!is_there)
        (void)snprintf(kicked->ids[kicked->count++], sizeof(kicked->ids[0]), "%s", project_id);
    scheduler->is_kicked = true;
    (void)pthread_cond_signal(&scheduler->wake);
    (void)pthread_mutex_unlock(&scheduler->lock);
}

void pb_scheduler_kick(struct pb_scheduler *scheduler)
{
    kick(scheduler, NULL);
}

void pb_scheduler_kick_project(struct pb_scheduler *scheduler, const char *project_id)
{
    kick(scheduler, project_id);
}
