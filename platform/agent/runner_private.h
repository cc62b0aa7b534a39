/* Parts of the runner: runner.c (life, control), runner_link.c (the platform), runner_sweep.c (what was left behind). */
#ifndef PB_AGENT_RUNNER_PRIVATE_H
#define PB_AGENT_RUNNER_PRIVATE_H

#include <stdbool.h>

#include "agent/attempt.h"
#include "agent/broker_link.h"
#include "agent/frame_pipe.h"
#include "agent/journal.h"
#include "agent/project_dirs.h"
#include "agent/runner.h"
#include "agent/spawn.h"
#include "agent/task.h"
#include "base/buf.h"
#include "base/loop.h"

enum { PB_RUNNER_ATTEMPTS_MAX = 256 };

/* How it was asked to stop. */
enum pb_runner_stop {
    PB_RUNNER_GO_ON,
    PB_RUNNER_DRAIN,  /* nothing new; gone when the last attempt is reported */
    PB_RUNNER_REMOVE, /* everything is ended and forgotten */
};

struct pb_runner {
    const struct pb_runner_settings *settings;
    struct pb_project_dirs dirs;
    struct pb_spawn *spawn;
    struct pb_task_host task_host;
    struct pb_journal *journal;
    struct pb_broker_link *broker;
    struct pb_loop *loop;
    int lock;    /* data/runner.lock */
    int control; /* to the supervisor; -1 = it is gone */
    struct pb_loop_fd *control_watch;
    struct pb_loop_timer *tick;
    int64_t max_concurrent;
    enum pb_runner_stop stop;
    bool has_drained; /* said so */

    struct pb_attempt_host attempt_host;
    struct pb_attempt *attempts[PB_RUNNER_ATTEMPTS_MAX]; /* owned */
    size_t attempt_count;

    struct pb_frame_pipe *link; /* to poppo-link; NULL = offline */
};

/* ---- runner.c ---- */

struct pb_attempt *pb_runner_find(struct pb_runner *runner, const char *execution, int64_t attempt);
size_t pb_runner_working(const struct pb_runner *runner);
int pb_runner_add(struct pb_runner *runner, struct pb_attempt *attempt,
                  struct pb_error *err) PB_MUST_CHECK;
/* Lets attempts begin whose item nobody works on. */
void pb_runner_begin_waiting(struct pb_runner *runner);

/* ---- runner_link.c ---- */

void pb_runner_link_open(struct pb_runner *runner, int fd); /* takes it over; says hello */
void pb_runner_link_close(struct pb_runner *runner);
void pb_runner_link_send(struct pb_runner *runner, const struct pb_buf *frame);
bool pb_runner_link_is_busy(const struct pb_runner *runner);

/* ---- runner_sweep.c ---- */

/* Before anything is restored: ends brief commands of an earlier life, and removes the folders of attempts that are
 * not in the journal. */
void pb_runner_sweep(struct pb_runner *runner, const struct pb_journal_row *rows, size_t count);

#endif
