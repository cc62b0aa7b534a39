/* A step from the inside: step.c (what its thread may ask), attempt_steps.c (which there are). */
#ifndef PB_AGENT_STEP_PRIVATE_H
#define PB_AGENT_STEP_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "agent/attempt_private.h"
#include "agent/publish.h"
#include "agent/step.h"
#include "agent/workspace.h"
#include "base/pool.h"

struct pb_step {
    struct pb_attempt
        *attempt; /* its loop's; the thread reads only what does not change while it runs */
    int (*work)(struct pb_step *step, struct pb_error *err);
    void (*done)(struct pb_attempt *attempt, struct pb_step *step); /* on the loop */
    struct pb_thread *thread;
    struct pb_step **slot; /* where the attempt keeps it while it runs */
    atomic_bool is_cancelled;

    pthread_mutex_t lock; /* guards the question and its answer */
    pthread_cond_t answered;
    unsigned asked; /* questions so far */
    char request[96];
    char purpose[24];
    bool is_waiting;
    bool has_answer;
    struct pb_credential credential;
    struct pb_json *env; /* owned: the answer to purpose "env" */
    struct pb_error refusal;
    bool is_refused;

    /* what the work leaves for done() */
    int r;
    struct pb_error err;
    struct pb_arena arena;
    struct pb_workspace *workspace; /* in the arena */
    struct pb_publication publication;
    bool has_commits;
    struct pb_task *task;
    struct pb_task_spec spec; /* of launch */
};

/* Starts the thread; done() follows on the loop. -1: no thread, nothing follows. */
int pb_step_start(struct pb_step *step, struct pb_step **slot, struct pb_error *err) PB_MUST_CHECK;
struct pb_step *pb_step_new(struct pb_attempt *attempt,
                            int (*work)(struct pb_step *, struct pb_error *),
                            void (*done)(struct pb_attempt *, struct pb_step *),
                            struct pb_error *err) PB_MUST_CHECK;
void pb_step_free(struct pb_step *step);
void pb_step_cancel(struct pb_step *step);
/* The question in the air, again. */
void pb_step_ask_again(struct pb_step *step);
bool pb_step_answer(struct pb_step *step, const struct pb_json *body);
/* Any purpose; the answer stays in the step. */
int pb_step_ask(struct pb_step *step, const char *purpose, struct pb_error *err) PB_MUST_CHECK;

#endif
