#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"
#include "pb_test.h"

enum { HANG_MS = 10000 };

/* What callbacks share: the loop they run on and what they saw. */
struct scene {
    struct pb_loop *loop;
    struct pb_loop_timer *timer;
    struct pb_loop_timer *hang;
    struct pb_loop_fd *watch;
    struct pb_loop_signal *signal;
    int fds[2];
    int events;
    int count;
    char order[32];
};

static void on_hang(void *arg)
{
    (void)arg;
    fail_msg("nothing happened for %d ms", HANG_MS);
}

static int set_up(void **state)
{
    static struct scene scene;
    struct pb_error err;

    scene = (struct scene){.fds = {-1, -1}};
    scene.loop = pb_loop_new(&err);
    if (!scene.loop)
        return -1;
    scene.hang = pb_loop_timer_start(scene.loop, HANG_MS, 0, on_hang, NULL);
    *state = &scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;

    pb_loop_timer_cancel(&scene->hang);
    pb_loop_free(scene->loop);
    for (int i = 0; i < 2; i++)
        if (scene->fds[i] >= 0)
            (void)close(scene->fds[i]);
    return 0;
}

static void stop(void *arg)
{
    struct scene *scene = arg;

    pb_loop_stop(scene->loop);
}

static void tick(void *arg)
{
    struct scene *scene = arg;

    if (++scene->count == 3) {
        pb_loop_timer_cancel(&scene->timer);
        pb_loop_stop(scene->loop);
    }
}

static void a_timer_fires_after_its_delay_and_repeats(void **state)
{
    struct scene *scene = *state;
    int64_t start = pb_clock_steady_ms();

    scene->timer = pb_loop_timer_start(scene->loop, 20, 5, tick, scene);
    pb_loop_run(scene->loop);
    assert_int_equal(scene->count, 3);
    assert_null(scene->timer);
    assert_true(pb_clock_steady_ms() - start >= 28); /* libuv counts whole milliseconds */
}

static void a_fired_timer_is_still_the_callers_to_cancel(void **state)
{
    struct scene *scene = *state;

    scene->timer = pb_loop_timer_start(scene->loop, -5, 0, stop, scene);
    pb_loop_run(scene->loop);
    assert_non_null(scene->timer);
    pb_loop_timer_cancel(&scene->timer);
    assert_null(scene->timer);
    pb_loop_timer_cancel(&scene->timer);
}

static void a_cancelled_timer_does_not_fire(void **state)
{
    struct scene *scene = *state;
    struct pb_loop_timer *last;

    scene->timer = pb_loop_timer_start(scene->loop, 1, 0, on_hang, NULL);
    last = pb_loop_timer_start(scene->loop, 30, 0, stop, scene);
    pb_loop_timer_cancel(&scene->timer);
    pb_loop_run(scene->loop);
    pb_loop_timer_cancel(&last);
}

static void on_event(void *arg, int events)
{
    struct scene *scene = arg;

    scene->events |= events;
    pb_loop_fd_change(scene->watch, 0);
    pb_loop_stop(scene->loop);
}

static void a_descriptor_is_reported_when_it_can_be_read_or_written(void **state)
{
    struct scene *scene = *state;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, scene->fds), 0);
    scene->watch = pb_loop_fd_watch(scene->loop, scene->fds[0], PB_LOOP_WRITE, on_event, scene);
    assert_non_null(scene->watch);
    pb_loop_run(scene->loop);
    assert_int_equal(scene->events, PB_LOOP_WRITE);
    scene->events = 0;
    assert_int_equal(write(scene->fds[1], "x", 1), 1);
    pb_loop_fd_change(scene->watch, PB_LOOP_READ);
    pb_loop_run(scene->loop);
    assert_int_equal(scene->events, PB_LOOP_READ);
    pb_loop_fd_unwatch(&scene->watch);
    assert_null(scene->watch);
    pb_loop_fd_unwatch(&scene->watch);
}

static void a_peer_that_closes_can_be_read(void **state)
{
    struct scene *scene = *state;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, scene->fds), 0);
    scene->watch = pb_loop_fd_watch(scene->loop, scene->fds[0], PB_LOOP_READ, on_event, scene);
    (void)close(scene->fds[1]);
    scene->fds[1] = -1;
    pb_loop_run(scene->loop);
    assert_true(scene->events & PB_LOOP_READ);
    pb_loop_fd_unwatch(&scene->watch);
}

static void a_paused_descriptor_is_silent(void **state)
{
    struct scene *scene = *state;
    struct pb_loop_timer *last;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, scene->fds), 0);
    scene->watch = pb_loop_fd_watch(scene->loop, scene->fds[0], 0, on_event, scene);
    assert_int_equal(write(scene->fds[1], "x", 1), 1);
    last = pb_loop_timer_start(scene->loop, 20, 0, stop, scene);
    pb_loop_run(scene->loop);
    assert_int_equal(scene->events, 0);
    pb_loop_timer_cancel(&last);
    pb_loop_fd_unwatch(&scene->watch);
}

static void a_descriptor_may_be_unwatched_in_its_callback(void *arg, int events)
{
    struct scene *scene = arg;

    scene->events = events;
    pb_loop_fd_unwatch(&scene->watch);
    (void)close(scene->fds[0]);
    scene->fds[0] = -1;
    pb_loop_stop(scene->loop);
}

static void a_watch_can_end_itself(void **state)
{
    struct scene *scene = *state;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, scene->fds), 0);
    scene->watch = pb_loop_fd_watch(scene->loop, scene->fds[0], PB_LOOP_WRITE,
                                    a_descriptor_may_be_unwatched_in_its_callback, scene);
    pb_loop_run(scene->loop);
    assert_int_equal(scene->events, PB_LOOP_WRITE);
    assert_null(scene->watch);
}

static void what_cannot_be_watched_is_refused(void **state)
{
    struct scene *scene = *state;

    assert_null(pb_loop_fd_watch(scene->loop, 9999, PB_LOOP_READ, on_event, scene));
    assert_null(pb_loop_signal_watch(scene->loop, SIGKILL, NULL, NULL));
}

static void on_signal(void *arg, int number)
{
    struct scene *scene = arg;

    scene->events = number;
    pb_loop_stop(scene->loop);
}

static void raise_usr1(void *arg)
{
    (void)arg;
    (void)kill(getpid(), SIGUSR1);
}

static void a_signal_becomes_a_call(void **state)
{
    struct scene *scene = *state;

    scene->signal = pb_loop_signal_watch(scene->loop, SIGUSR1, on_signal, scene);
    assert_non_null(scene->signal);
    assert_true(pb_loop_post(scene->loop, raise_usr1, NULL));
    pb_loop_run(scene->loop);
    assert_int_equal(scene->events, SIGUSR1);
    pb_loop_signal_unwatch(&scene->signal);
    assert_null(scene->signal);
}

static void append_a(void *arg)
{
    struct scene *scene = arg;

    scene->order[strlen(scene->order)] = 'a';
}

static void append_b_and_post_c(void *arg);

static void append_c_and_stop(void *arg)
{
    struct scene *scene = arg;

    scene->order[strlen(scene->order)] = 'c';
    pb_loop_stop(scene->loop);
}

static void append_b_and_post_c(void *arg)
{
    struct scene *scene = arg;

    scene->order[strlen(scene->order)] = 'b';
    assert_true(pb_loop_post(scene->loop, append_c_and_stop, scene));
}

static void posts_run_in_order_also_those_posted_meanwhile(void **state)
{
    struct scene *scene = *state;

    assert_true(pb_loop_post(scene->loop, append_a, scene));
    assert_true(pb_loop_post(scene->loop, append_b_and_post_c, scene));
    assert_true(pb_loop_post(scene->loop, append_a, scene));
    pb_loop_run(scene->loop);
    assert_string_equal(scene->order, "abac");
}

static void what_was_posted_before_stop_still_runs(void **state)
{
    struct scene *scene = *state;

    assert_true(pb_loop_post(scene->loop, stop, scene));
    assert_true(pb_loop_post(scene->loop, append_a, scene));
    pb_loop_run(scene->loop);
    assert_string_equal(scene->order, "a");
}

static void add_one(void *arg)
{
    struct scene *scene = arg;

    if (++scene->count == 4000)
        pb_loop_stop(scene->loop);
}

static void *post_thousand(void *arg)
{
    struct scene *scene = arg;

    for (int i = 0; i < 1000; i++)
        if (!pb_loop_post(scene->loop, add_one, scene))
            return NULL;
    return arg;
}

static void many_threads_may_post(void **state)
{
    struct scene *scene = *state;
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, post_thousand, scene), 0);
    pb_loop_run(scene->loop);
    for (int i = 0; i < 4; i++) {
        void *ok = NULL;

        (void)pthread_join(threads[i], &ok);
        assert_non_null(ok);
    }
    assert_int_equal(scene->count, 4000);
}

TEST(a_freed_loop_refuses_posts)
{
    struct pb_error err;
    struct pb_loop *loop = pb_loop_new(&err);
    struct pb_loop_timer *timer = pb_loop_timer_start(loop, 1000, 0, on_hang, NULL);

    assert_non_null(timer);                         /* goes with the loop */
    assert_true(pb_loop_post(loop, on_hang, NULL)); /* never runs */
    pb_loop_free(loop);
    assert_false(pb_loop_post(loop, on_hang, NULL));
    pb_loop_free(NULL);
}

static void *stop_from_outside(void *arg)
{
    stop(arg);
    return NULL;
}

static void a_stopped_loop_can_run_again(void **state)
{
    struct scene *scene = *state;
    pthread_t thread;

    for (int i = 0; i < 50; i++) {
        assert_int_equal(pthread_create(&thread, NULL, stop_from_outside, scene), 0);
        pb_loop_run(scene->loop);
        (void)pthread_join(thread, NULL);
    }
}

#define ON_LOOP(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_LOOP(a_timer_fires_after_its_delay_and_repeats),
        ON_LOOP(a_fired_timer_is_still_the_callers_to_cancel),
        ON_LOOP(a_cancelled_timer_does_not_fire),
        ON_LOOP(a_descriptor_is_reported_when_it_can_be_read_or_written),
        ON_LOOP(a_peer_that_closes_can_be_read),
        ON_LOOP(a_paused_descriptor_is_silent),
        ON_LOOP(a_watch_can_end_itself),
        ON_LOOP(what_cannot_be_watched_is_refused),
        ON_LOOP(a_signal_becomes_a_call),
        ON_LOOP(posts_run_in_order_also_those_posted_meanwhile),
        ON_LOOP(what_was_posted_before_stop_still_runs),
        ON_LOOP(many_threads_may_post),
        ON_LOOP(a_stopped_loop_can_run_again),
        cmocka_unit_test(a_freed_loop_refuses_posts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
