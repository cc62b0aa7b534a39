/*
 * A project on a bench: folders, a git server with one repository, and a step
 * that is answered here. As root the task user is another one than ours, so
 * that what runs as whom can be seen; otherwise they are the same.
 */
#ifndef GIT_BENCH_H
#define GIT_BENCH_H

#include <pthread.h>

#include "agent/publish.h"
#include "agent/workspace.h"
#include "base/buf.h"
#include "base/process.h"
#include "pb_test.h"

#define BENCH_TOKEN  "ghp_BenchTokenNobodyMaySee0123456789"
#define BENCH_SECRET "s3cr3t/Value+OfTheProject=="

struct bench {
    char dir[64];     /* everything is below it */
    char origin[128]; /* repositories of the server */
    char url[160];    /* of origin's "acme/site" */
    struct pb_project_dirs dirs;
    struct pb_process server;
    int server_input;
    int server_port;
};

/* pb_step's insides, as far as these tests need them. */
struct pb_step {
    const struct bench *bench;
    struct pb_attempt_plan plan;
    struct pb_task_host host;
    struct pb_mask *mask;
    struct pb_arena arena;
    char name[64];
    char attempt_dir[PB_PROJECT_PATH_TEXT];
    const char *token;       /* given for git_fetch and git_push */
    const char *push_denied; /* kind; NULL = granted */
    bool cancelled;
    pthread_mutex_t lock;
    struct pb_buf log;
};

void bench_open(struct bench *bench);
void bench_close(struct bench *bench);
/* A step for the n-th attempt at an item, with the default plan. */
void step_open(struct pb_step *step, const struct bench *bench, const char *item, int attempt);
void step_close(struct pb_step *step);

/* A shell script; %s-formatted. Fails the test when it fails. As the task user, or as ourselves. */
void as_task(const struct bench *bench, const char *fmt, ...) PB_PRINTF(2, 3);
void as_us(const struct bench *bench, const char *fmt, ...) PB_PRINTF(2, 3);
/* The first line of its output. */
const char *says(const struct bench *bench, const char *fmt, ...) PB_PRINTF(2, 3);

/* Whole rounds; the workspace in the step's arena. */
struct pb_workspace *prepare(struct pb_step *step);
struct pb_publication publish(struct pb_step *step, const struct pb_workspace *workspace);

#endif
