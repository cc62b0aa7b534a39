#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#include "base/pool.h"
#include "pb_test.h"

static atomic_int done;
static sem_t finished;

static void count(void *arg)
{
    (void)arg;
    atomic_fetch_add(&done, 1);
    (void)sem_post(&finished);
}

struct gate {
    sem_t entered;
    sem_t open;
};

static void wait_at_gate(void *arg)
{
    struct gate *gate = arg;

    (void)sem_post(&gate->entered);
    (void)sem_wait(&gate->open);
}

static void gate_init(struct gate *gate)
{
    (void)sem_init(&gate->entered, 0, 0);
    (void)sem_init(&gate->open, 0, 0);
}

TEST(everything_accepted_is_done_before_the_pool_is_gone)
{
    struct pb_error err;
    struct pb_pool *pool = pb_pool_new("test", 3, 1000, &err);

    assert_non_null(pool);
    (void)sem_init(&finished, 0, 0);
    atomic_store(&done, 0);
    for (int i = 0; i < 1000; i++)
        assert_true(pb_pool_submit(pool, count, NULL));
    pb_pool_free(pool);
    assert_int_equal(atomic_load(&done), 1000);
    pb_pool_free(NULL);
}

static void note_thread(void *arg)
{
    *(pthread_t *)arg = pthread_self();
    (void)sem_post(&finished);
}

static void wait_until_idle(struct pb_pool *pool, unsigned threads)
{
    while (pb_pool_idle(pool) < threads)
        (void)sched_yield();
}

TEST(one_job_after_the_other_is_the_work_of_one_thread)
{
    struct pb_error err;
    struct pb_pool *pool = pb_pool_new("test", 4, 10, &err);
    pthread_t first, next;

    assert_non_null(pool);
    (void)sem_init(&finished, 0, 0);
    for (int i = 0; i < 100; i++) {
        wait_until_idle(pool, 4);
        assert_true(pb_pool_submit(pool, note_thread, i ? &next : &first));
        (void)sem_wait(&finished);
        assert_true(i == 0 || pthread_equal(first, next));
    }
    pb_pool_free(pool);
}

TEST(a_full_queue_refuses_and_recovers)
{
    struct pb_error err;
    struct gate gate;
    struct pb_pool *pool = pb_pool_new("test", 1, 2, &err);

    gate_init(&gate);
    (void)sem_init(&finished, 0, 0);
    atomic_store(&done, 0);
    assert_true(pb_pool_submit(pool, wait_at_gate, &gate));
    (void)sem_wait(&gate.entered); /* the thread is busy, the queue empty */
    assert_true(pb_pool_submit(pool, count, NULL));
    assert_true(pb_pool_submit(pool, count, NULL));
    assert_false(pb_pool_submit(pool, count, NULL));
    assert_false(pb_pool_submit(pool, count, NULL));
    (void)sem_post(&gate.open);
    (void)sem_wait(&finished); /* both counted: there is room again */
    (void)sem_wait(&finished);
    assert_true(pb_pool_submit(pool, count, NULL));
    pb_pool_free(pool);
    assert_int_equal(atomic_load(&done), 3);
}

TEST(as_many_work_at_once_as_there_are_threads)
{
    struct pb_error err;
    struct gate gate;
    struct pb_pool *pool = pb_pool_new("test", 4, 10, &err);

    gate_init(&gate);
    for (int i = 0; i < 4; i++)
        assert_true(pb_pool_submit(pool, wait_at_gate, &gate));
    for (int i = 0; i < 4; i++)
        (void)sem_wait(&gate.entered); /* hangs if one waits for another */
    for (int i = 0; i < 4; i++)
        (void)sem_post(&gate.open);
    pb_pool_free(pool);
}

static void look_at_thread(void *arg)
{
    char *name = arg;
    sigset_t blocked;

    (void)pthread_sigmask(SIG_BLOCK, NULL, &blocked);
    (void)pthread_getname_np(pthread_self(), name, 16);
    name[15] = sigismember(&blocked, SIGTERM) && !sigismember(&blocked, SIGSEGV) ? 'y' : 'n';
}

TEST(threads_are_named_and_leave_signals_to_the_loop)
{
    struct pb_error err;
    char name[16] = "";
    char long_name[16] = "";
    struct pb_pool *pool = pb_pool_new("handlers-with-a-long-name", 1, 1, &err);
    struct pb_thread *thread;
    sigset_t blocked;

    assert_true(pb_pool_submit(pool, look_at_thread, long_name));
    pb_pool_free(pool);
    assert_memory_equal(long_name, "handlers-wi-0", 14);
    assert_int_equal(long_name[15], 'y');
    thread = pb_thread_start("writer", look_at_thread, name, &err);
    assert_non_null(thread);
    pb_thread_join(&thread);
    assert_null(thread);
    pb_thread_join(&thread);
    assert_string_equal(name, "writer");
    assert_int_equal(name[15], 'y');
    (void)pthread_sigmask(SIG_BLOCK, NULL, &blocked);
    assert_false(sigismember(&blocked, SIGTERM));
}

TEST(a_pool_of_nothing_is_refused)
{
    struct pb_error err = {0};

    assert_null(pb_pool_new("test", 0, 1, &err));
    assert_int_equal(err.code, PB_ERROR_INVALID);
    assert_null(pb_pool_new("test", 1, 0, &err));
    assert_null(pb_pool_new("test", 100000, 1, &err));
}

static void note_late(void *arg)
{
    atomic_int *late = arg;

    atomic_fetch_add(late, 1);
}

TEST(what_no_thread_takes_in_time_is_told_so_and_never_runs)
{
    struct pb_error err;
    struct gate gate;
    struct pb_pool *pool = pb_pool_new("test", 1, 3, &err);
    atomic_int late = 0;

    gate_init(&gate);
    (void)sem_init(&finished, 0, 0);
    atomic_store(&done, 0);
    assert_true(pb_pool_submit(pool, wait_at_gate, &gate));
    (void)sem_wait(&gate.entered);
    assert_true(pb_pool_submit_within(pool, -1, count, note_late, &late));
    assert_true(pb_pool_submit_within(pool, 3600 * 1000, count, note_late, &late));
    assert_true(pb_pool_submit(pool, count, NULL)); /* waits as long as it takes */
    assert_false(pb_pool_submit(pool, count, NULL));
    pb_pool_expire(pool);
    assert_int_equal(atomic_load(&late), 1);
    assert_true(pb_pool_submit(pool, count, NULL)); /* its place is free */
    (void)sem_post(&gate.open);
    pb_pool_free(pool);
    assert_int_equal(atomic_load(&late), 1);
    assert_int_equal(atomic_load(&done), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_no_thread_takes_in_time_is_told_so_and_never_runs),
        cmocka_unit_test(everything_accepted_is_done_before_the_pool_is_gone),
        cmocka_unit_test(one_job_after_the_other_is_the_work_of_one_thread),
        cmocka_unit_test(a_full_queue_refuses_and_recovers),
        cmocka_unit_test(as_many_work_at_once_as_there_are_threads),
        cmocka_unit_test(threads_are_named_and_leave_signals_to_the_loop),
        cmocka_unit_test(a_pool_of_nothing_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
