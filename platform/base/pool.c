#include "base/pool.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum { NAME_BYTES = 16, THREADS_MAX = 256 }; /* the kernel keeps 15 characters and a NUL */

struct job {
    void (*fn)(void *arg);
    void (*late)(void *arg); /* NULL: it waits as long as it takes */
    void *arg;
    int64_t until_ms;
};

/* A thread of a pool that waits for a job, on its own stack. */
struct idle {
    struct idle *next;
    pthread_cond_t called;
    bool is_called;
};

/* Who became idle last is called first: what little work there is stays with few threads, whose caches are
 * warm, while the others keep nothing. */
struct pb_pool {
    unsigned thread_count;
    struct pb_thread **threads;

    pthread_mutex_t lock; /* guards what follows */
    struct idle *idle;
    struct job *jobs; /* a ring of queue_max */
    size_t queue_max;
    size_t first;
    size_t count;
    bool closing;
};

struct pb_thread {
    pthread_t id;
    char name[NAME_BYTES];
    void (*fn)(void *arg);
    void *arg;
};

static void *thread_main(void *arg)
{
    struct pb_thread *thread = arg;

    (void)pthread_setname_np(pthread_self(), thread->name);
    thread->fn(thread->arg);
    return NULL;
}

/* Signals are for the thread with the loop; a crash still is for the one that crashed. */
static int create_without_signals(struct pb_thread *thread)
{
    static const int OWN[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP};
    sigset_t blocked;
    sigset_t before;
    int r;

    (void)sigfillset(&blocked);
    for (size_t i = 0; i < sizeof(OWN) / sizeof(OWN[0]); i++)
        (void)sigdelset(&blocked, OWN[i]);
    (void)pthread_sigmask(SIG_SETMASK, &blocked, &before);
    r = pthread_create(&thread->id, NULL, thread_main, thread);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r;
}

struct pb_thread *pb_thread_start(const char *name, void (*fn)(void *arg), void *arg,
                                  struct pb_error *err)
{
    struct pb_thread *thread = calloc(1, sizeof(*thread));
    int r = ENOMEM;

    if (thread) {
        (void)snprintf(thread->name, sizeof(thread->name), "%s", name);
        thread->fn = fn;
        thread->arg = arg;
        r = create_without_signals(thread);
    }
    if (r != 0) {
        free(thread);
        (void)pb_fail(err, PB_ERROR_UNAVAILABLE, "start thread %s: %s", name, strerrordesc_np(r));
        return NULL;
    }
    return thread;
}

void pb_thread_join(struct pb_thread **thread)
{
    if (!*thread)
        return;
    (void)pthread_join((*thread)->id, NULL);
    free(*thread);
    *thread = NULL;
}

/* Under the lock. */
static void call_one(struct pb_pool *pool)
{
    struct idle *idle = pool->idle;

    if (!idle)
        return;
    pool->idle = idle->next;
    idle->is_called = true;
    (void)pthread_cond_signal(&idle->called);
}

/* Under the lock. */
static void wait_for_call(struct pb_pool *pool, struct idle *idle)
{
    idle->is_called = false;
    idle->next = pool->idle;
    pool->idle = idle;
    while (!idle->is_called)
        (void)pthread_cond_wait(&idle->called, &pool->lock);
}

/* The next job, or false when the pool closes and nothing is left. */
static bool next_job(struct pb_pool *pool, struct idle *idle, struct job *ret_job)
{
    bool found;

    (void)pthread_mutex_lock(&pool->lock);
    while (pool->count == 0 && !pool->closing)
        wait_for_call(pool, idle);
    found = pool->count > 0;
    if (found) {
        *ret_job = pool->jobs[pool->first];
        pool->first = (pool->first + 1) % pool->queue_max;
        pool->count--;
    }
    (void)pthread_mutex_unlock(&pool->lock);
    return found;
}

static void work(void *arg)
{
    struct idle idle = {.called = PTHREAD_COND_INITIALIZER};
    struct job job;

    while (next_job(arg, &idle, &job))
        job.fn(job.arg);
    (void)pthread_cond_destroy(&idle.called);
}

struct pb_pool *pb_pool_new(const char *name, unsigned threads, size_t queue_max,
                            struct pb_error *err)
{
    struct pb_pool *pool;

    if (threads == 0 || threads > THREADS_MAX || queue_max == 0) {
        (void)pb_fail(err, PB_ERROR_INVALID, "pool %s: %u threads, queue of %zu", name, threads,
                      queue_max);
        return NULL;
    }
    pool = calloc(1, sizeof(*pool));
    if (!pool) {
        (void)pb_fail(err, PB_ERROR_UNAVAILABLE, "no memory for pool %s", name);
        return NULL;
    }
    (void)pthread_mutex_init(&pool->lock, NULL);
    pool->queue_max = queue_max;
    pool->jobs = calloc(queue_max, sizeof(*pool->jobs));
    pool->threads = calloc(threads, sizeof(struct pb_thread *));
    if (!pool->jobs || !pool->threads) {
        (void)pb_fail(err, PB_ERROR_UNAVAILABLE, "no memory for pool %s", name);
        pb_pool_free(pool);
        return NULL;
    }
    while (pool->thread_count < threads) {
        char label[NAME_BYTES];

        (void)snprintf(label, sizeof(label), "%.11s-%u", name, pool->thread_count);
        pool->threads[pool->thread_count] = pb_thread_start(label, work, pool, err);
        if (!pool->threads[pool->thread_count]) {
            pb_pool_free(pool);
            return NULL;
        }
        pool->thread_count++;
    }
    return pool;
}

static bool submit(struct pb_pool *pool, const struct job *job)
{
    bool taken = false;

    (void)pthread_mutex_lock(&pool->lock);
    if (pool->count < pool->queue_max && !pool->closing) {
        pool->jobs[(pool->first + pool->count) % pool->queue_max] = *job;
        pool->count++;
        taken = true;
        call_one(pool);
    }
    (void)pthread_mutex_unlock(&pool->lock);
    return taken;
}

bool pb_pool_submit(struct pb_pool *pool, void (*fn)(void *arg), void *arg)
{
    return submit(pool, &(struct job){.fn = fn, .arg = arg});
}

bool pb_pool_submit_within(struct pb_pool *pool, int64_t within_ms, void (*fn)(void *arg),
                           void (*late)(void *arg), void *arg)
{
    return submit(pool, &(struct job){.fn = fn,
                                      .late = late,
                                      .arg = arg,
                                      .until_ms = pb_clock_steady_ms() + within_ms});
}

/* The oldest job, if its time has passed. */
static bool take_late(struct pb_pool *pool, int64_t now_ms, struct job *ret_job)
{
    bool found;

    (void)pthread_mutex_lock(&pool->lock);
    *ret_job = pool->jobs[pool->first];
    found = pool->count > 0 && ret_job->late && ret_job->until_ms < now_ms;
    if (found) {
        pool->first = (pool->first + 1) % pool->queue_max;
        pool->count--;
    }
    (void)pthread_mutex_unlock(&pool->lock);
    return found;
}

void pb_pool_expire(struct pb_pool *pool)
{
    int64_t now_ms = pb_clock_steady_ms();
    struct job job;

    while (take_late(pool, now_ms, &job))
        job.late(job.arg);
}

unsigned pb_pool_idle(struct pb_pool *pool)
{
    unsigned count = 0;

    (void)pthread_mutex_lock(&pool->lock);
    for (const struct idle *idle = pool->idle; idle; idle = idle->next)
        count++;
    (void)pthread_mutex_unlock(&pool->lock);
    return count;
}

void pb_pool_free(struct pb_pool *pool)
{
    if (!pool)
        return;
    (void)pthread_mutex_lock(&pool->lock);
    pool->closing = true;
    while (pool->idle)
        call_one(pool);
    (void)pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->thread_count; i++)
        pb_thread_join(&pool->threads[i]);
    (void)pthread_mutex_destroy(&pool->lock);
    free(pool->threads);
    free(pool->jobs);
    free(pool);
}
