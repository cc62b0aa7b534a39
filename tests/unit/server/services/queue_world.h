/*
 * The queue with everything around it, for tests: a real store, the real
 * services of executions and scheduler, and doubles of what lies beyond: node
 * hub, events, GitHub effects, the logs' lines. A look at the queue happens
 * when the test says so.
 */
#ifndef PB_TEST_QUEUE_WORLD_H
#define PB_TEST_QUEUE_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "model/execution.h"
#include "model/project.h"
#include "model/queue_limit.h"
#include "pb_test.h"
#include "server/services/execution_control.h"
#include "server/services/platform.h"
#include "server/services/scheduler_private.h"

enum { QUEUE_WORLD_SENT = 4096 };

struct queue_world {
    char dir[64];
    struct pb_platform platform;
    struct pb_arena arena;
    struct pb_error err;
    struct pb_look *look;

    const char
        *why_not; /* no project can start anything, for this reason; NULL = all can, on "node-1" */
    bool refuses; /* assignments cannot be sent */
    int unknown_writes; /* so many of the next writes happen and are reported as UNAVAILABLE */
    size_t events;      /* of executions */

    struct {
        char id[32];
    } sent[QUEUE_WORLD_SENT]; /* what was assigned */
    size_t sent_count;
    size_t cancels, discards;
};

extern struct queue_world queue_world;

int queue_world_setup(void **state);
int queue_world_teardown(void **state);
/* The same over what is in `dir` already. */
void queue_world_open(const char *dir);
void queue_world_close(void);

/* A project that runs `concurrent` at once; `change` (may be NULL) alters the rest before it is made. */
void queue_world_project(const char *id, int64_t concurrent, void (*change)(struct pb_project *));
void queue_world_change(const char *id, void (*change)(struct pb_project *));
void queue_world_limits(const struct pb_queue_limit *limits, size_t count);

/* Queues an execution; only what differs from a plain one is given. */
const char *queue_world_enqueue(const char *project, struct pb_enqueue wish);
/* How many were assigned by a look at everything; queue_world.sent has them from sent_count on. */
size_t queue_world_look(void);
int64_t queue_world_next(void); /* what the last look said is due next */

struct pb_execution *queue_world_load(const char *id);
struct pb_attempt *queue_world_attempt(const char *id); /* its newest */
const struct pb_waiting *queue_world_why(const char *id);
/* The claim of its present attempt. */
struct pb_attempt_claim queue_world_claim(const char *id);
/* Its attempt was accepted, and has ended with this outcome and kind. */
void queue_world_finish(const char *id, const char *outcome, const char *kind);

#endif
