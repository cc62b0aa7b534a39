#include "base/loop.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <uv.h>

enum { POSTS_MAX = 1 << 20 };

struct post {
    struct post *next;
    void (*fn)(void *arg);
    void *arg;
};

struct pb_loop {
    uv_loop_t uv;
    uv_async_t wake;
    atomic_bool stopping;

    pthread_mutex_t lock; /* guards what follows */
    struct post *first;
    struct post **last;
    size_t count;
    bool freed; /* the struct stays so that a late pb_loop_post() can be told */
    struct pb_loop *older;
};

struct pb_loop_timer {
    uv_timer_t uv; /* first: libuv's handle is ours */
    void (*fn)(void *arg);
    void *arg;
};

struct pb_loop_fd {
    uv_poll_t uv;
    void (*fn)(void *arg, int events);
    void *arg;
};

struct pb_loop_signal {
    uv_signal_t uv;
    void (*fn)(void *arg, int number);
    void *arg;
};

/* Freed loops: a few dozen bytes each, a handful per process. */
static pthread_mutex_t freed_lock = PTHREAD_MUTEX_INITIALIZER;
static struct pb_loop *freed_loops;

static struct post *take_posts(struct pb_loop *loop)
{
    struct post *first;

    (void)pthread_mutex_lock(&loop->lock);
    first = loop->first;
    loop->first = NULL;
    loop->last = &loop->first;
    loop->count = 0;
    (void)pthread_mutex_unlock(&loop->lock);
    return first;
}

static void on_wake(uv_async_t *wake)
{
    struct pb_loop *loop = wake->data;
    bool stopping = atomic_load(&loop->stopping); /* before: what was posted first still runs */
    struct post *post = take_posts(loop);

    while (post) {
        struct post *next = post->next;

        post->fn(post->arg);
        free(post);
        post = next;
    }
    if (stopping)
        uv_stop(&loop->uv);
}

struct pb_loop *pb_loop_new(struct pb_error *err)
{
    struct pb_loop *loop = calloc(1, sizeof(*loop));
    int r;

    if (!loop) {
        (void)pb_fail(err, PB_ERROR_UNAVAILABLE, "no memory for an event loop");
        return NULL;
    }
    loop->last = &loop->first;
    (void)pthread_mutex_init(&loop->lock, NULL);
    r = uv_loop_init(&loop->uv);
    if (r < 0)
        goto fail;
    r = uv_async_init(&loop->uv, &loop->wake, on_wake);
    if (r < 0) {
        (void)uv_loop_close(&loop->uv);
        goto fail;
    }
    loop->wake.data = loop;
    return loop;
fail:
    (void)pthread_mutex_destroy(&loop->lock);
    free(loop);
    (void)pb_fail(err, PB_ERROR_UNAVAILABLE, "event loop: %s", uv_strerror(r));
    return NULL;
}

void pb_loop_run(struct pb_loop *loop)
{
    while (!atomic_load(&loop->stopping))
        (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
    atomic_store(&loop->stopping, false);
}

void pb_loop_stop(struct pb_loop *loop)
{
    atomic_store(&loop->stopping, true);
    (void)uv_async_send(&loop->wake);
}

bool pb_loop_post(struct pb_loop *loop, void (*fn)(void *arg), void *arg)
{
    struct post *post = malloc(sizeof(*post));
    bool taken = false;

    if (!post)
        return false;
    *post = (struct post){.fn = fn, .arg = arg};
    (void)pthread_mutex_lock(&loop->lock);
    if (!loop->freed && loop->count < POSTS_MAX) {
        *loop->last = post;
        loop->last = &post->next;
        loop->count++;
        taken = true;
        (void)uv_async_send(
            &loop->wake); /* under the lock: the handle cannot be closed meanwhile */
    }
    (void)pthread_mutex_unlock(&loop->lock);
    if (!taken)
        free(post);
    return taken;
}

/* All our handles are the first member of what was allocated for them, except the loop's own. */
static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    struct pb_loop *loop = arg;

    if (!uv_is_closing(handle))
        uv_close(handle, handle == (uv_handle_t *)&loop->wake ? NULL : free_handle);
}

static void forget_posts(struct pb_loop *loop)
{
    struct post *post = take_posts(loop);

    while (post) {
        struct post *next = post->next;

        free(post);
        post = next;
    }
}

void pb_loop_free(struct pb_loop *loop)
{
    if (!loop)
        return;
    (void)pthread_mutex_lock(&loop->lock);
    loop->freed = true;
    (void)pthread_mutex_unlock(&loop->lock);
    forget_posts(loop);
    uv_walk(&loop->uv, close_handle, loop);
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT); /* only close callbacks are left */
    if (uv_loop_close(&loop->uv) != 0)
        abort(); /* a handle that is not ours: impossible */
    (void)pthread_mutex_lock(&freed_lock);
    loop->older = freed_loops;
    freed_loops = loop;
    (void)pthread_mutex_unlock(&freed_lock);
}

static void on_timer(uv_timer_t *uv)
{
    struct pb_loop_timer *timer = (struct pb_loop_timer *)uv;

    timer->fn(timer->arg);
}

struct pb_loop_timer *pb_loop_timer_start(struct pb_loop *loop, int64_t delay_ms, int64_t repeat_ms,
                                          void (*fn)(void *arg), void *arg)
{
    struct pb_loop_timer *timer = calloc(1, sizeof(*timer));

    if (!timer)
        return NULL;
    timer->fn = fn;
    timer->arg = arg;
    (void)uv_timer_init(&loop->uv, &timer->uv);
    uv_update_time(&loop->uv); /* its clock stands still while a callback works */
    (void)uv_timer_start(&timer->uv, on_timer, delay_ms > 0 ? (uint64_t)delay_ms : 0,
                         repeat_ms > 0 ? (uint64_t)repeat_ms : 0);
    return timer;
}

void pb_loop_timer_cancel(struct pb_loop_timer **timer)
{
    if (*timer)
        uv_close((uv_handle_t *)&(*timer)->uv, free_handle);
    *timer = NULL;
}

static void on_fd(uv_poll_t *uv, int status, int uv_events)
{
    struct pb_loop_fd *watch = (struct pb_loop_fd *)uv;
    int events = 0;

    if (status < 0)
        events = PB_LOOP_READ | PB_LOOP_WRITE;
    if (uv_events & UV_READABLE)
        events |= PB_LOOP_READ;
    if (uv_events & UV_WRITABLE)
        events |= PB_LOOP_WRITE;
    watch->fn(watch->arg, events);
}

void pb_loop_fd_change(struct pb_loop_fd *watch, int events)
{
    int uv_events =
        (events & PB_LOOP_READ ? UV_READABLE : 0) | (events & PB_LOOP_WRITE ? UV_WRITABLE : 0);

    if (uv_events == 0)
        (void)uv_poll_stop(&watch->uv);
    else
        (void)uv_poll_start(&watch->uv, uv_events, on_fd);
}

struct pb_loop_fd *pb_loop_fd_watch(struct pb_loop *loop, int fd, int events,
                                    void (*fn)(void *arg, int events), void *arg)
{
    struct pb_loop_fd *watch = calloc(1, sizeof(*watch));

    if (!watch)
        return NULL;
    watch->fn = fn;
    watch->arg = arg;
    if (uv_poll_init(&loop->uv, &watch->uv, fd) < 0) {
        free(watch);
        return NULL;
    }
    pb_loop_fd_change(watch, events);
    return watch;
}

void pb_loop_fd_unwatch(struct pb_loop_fd **watch)
{
    if (*watch)
        uv_close((uv_handle_t *)&(*watch)->uv, free_handle);
    *watch = NULL;
}

static void on_signal(uv_signal_t *uv, int number)
{
    struct pb_loop_signal *watch = (struct pb_loop_signal *)uv;

    watch->fn(watch->arg, number);
}

struct pb_loop_signal *pb_loop_signal_watch(struct pb_loop *loop, int number,
                                            void (*fn)(void *arg, int number), void *arg)
{
    struct pb_loop_signal *watch = calloc(1, sizeof(*watch));

    if (!watch)
        return NULL;
    watch->fn = fn;
    watch->arg = arg;
    if (uv_signal_init(&loop->uv, &watch->uv) < 0) {
        free(watch);
        return NULL;
    }
    if (uv_signal_start(&watch->uv, on_signal, number) < 0) {
        uv_close((uv_handle_t *)&watch->uv, free_handle);
        return NULL;
    }
    return watch;
}

void pb_loop_signal_unwatch(struct pb_loop_signal **watch)
{
    if (*watch)
        uv_close((uv_handle_t *)&(*watch)->uv, free_handle);
    *watch = NULL;
}
