/*
 * An event loop: descriptors, timers, signals, and work posted by other
 * threads. The door to libuv. A loop belongs to the thread that runs it;
 * only pb_loop_post() and pb_loop_stop() may be called from others.
 */
#ifndef PB_BASE_LOOP_H
#define PB_BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct pb_loop;
struct pb_loop_timer;
struct pb_loop_fd;
struct pb_loop_signal;

enum { PB_LOOP_READ = 1, PB_LOOP_WRITE = 2 };

struct pb_loop *pb_loop_new(struct pb_error *err) PB_MUST_CHECK;
/* After it has stopped; NULL is fine. Timers and watches still there go with it (their pointers are dead), what was
 * posted and has not run never will. */
void pb_loop_free(struct pb_loop *loop);
void pb_loop_run(struct pb_loop *loop); /* until pb_loop_stop() */
void pb_loop_stop(struct pb_loop *loop);
/* Runs fn(arg) on the loop's thread, in order of posting. False once the loop has been freed,
 * memory ran out, or a million posts wait. */
bool pb_loop_post(struct pb_loop *loop, void (*fn)(void *arg), void *arg);

/* First after `delay_ms`, then every `repeat_ms` (0 = once). The timer is the caller's until cancelled, also after
 * it fired; it may be cancelled inside its own callback. NULL when memory is short. */
struct pb_loop_timer *pb_loop_timer_start(struct pb_loop *loop, int64_t delay_ms, int64_t repeat_ms,
                                          void (*fn)(void *arg), void *arg);
void pb_loop_timer_cancel(struct pb_loop_timer **timer); /* sets *timer NULL; NULL is fine */

/* Watches a descriptor (not owned; becomes non-blocking). NULL when it cannot be watched or is already. `events` in the callback is a set of PB_LOOP_*; errors show as both. */
struct pb_loop_fd *pb_loop_fd_watch(struct pb_loop *loop, int fd, int events,
                                    void (*fn)(void *arg, int events), void *arg);
void pb_loop_fd_change(struct pb_loop_fd *watch, int events); /* 0 pauses */
void pb_loop_fd_unwatch(struct pb_loop_fd **watch);           /* before the descriptor is closed */

struct pb_loop_signal *pb_loop_signal_watch(struct pb_loop *loop, int number,
                                            void (*fn)(void *arg, int number), void *arg);
void pb_loop_signal_unwatch(struct pb_loop_signal **watch);

#endif
