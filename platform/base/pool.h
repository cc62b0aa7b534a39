/* Worker threads for straight-line blocking work, with a queue that is bounded, in time too if wanted. */
#ifndef PB_BASE_POOL_H
#define PB_BASE_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct pb_pool;

/* `name` shows in ps -T. */
struct pb_pool *pb_pool_new(const char *name, unsigned threads, size_t queue_max,
                            struct pb_error *err) PB_MUST_CHECK;
/* False when the queue is full: answer 503, do not wait. */
bool pb_pool_submit(struct pb_pool *pool, void (*fn)(void *arg), void *arg) PB_MUST_CHECK;
/* The same, but when no thread has taken it `within_ms` from now, `late` is called instead, by whoever calls
 * pb_pool_expire(). All work of one pool that may be late is given the same time. */
bool pb_pool_submit_within(struct pb_pool *pool, int64_t within_ms, void (*fn)(void *arg),
                           void (*late)(void *arg), void *arg) PB_MUST_CHECK;
/* Calls `late` for what has waited too long. Any thread, every now and then. */
void pb_pool_expire(struct pb_pool *pool);
/* Threads that wait for work. Who began to wait last is called first. */
unsigned pb_pool_idle(struct pb_pool *pool);
/* Finishes what is queued, then joins. NULL is fine. */
void pb_pool_free(struct pb_pool *pool);

/* A thread of its own, for services that need one (writer, log writer, outgoing calls). */
struct pb_thread;
struct pb_thread *pb_thread_start(const char *name, void (*fn)(void *arg), void *arg,
                                  struct pb_error *err) PB_MUST_CHECK;
void pb_thread_join(struct pb_thread **thread);

#endif
