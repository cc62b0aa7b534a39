/* Between task.c (handles) and task_run.c (commands run to their end). */
#ifndef PB_AGENT_TASK_PRIVATE_H
#define PB_AGENT_TASK_PRIVATE_H

#include <stdbool.h>

#include "agent/box.h"
#include "agent/task.h"

struct pb_task {
    int rundir;
    int control;  /* to the shim; -1 = it is gone */
    int files[2]; /* by enum pb_task_file; -1 = there is none */
    struct pb_loop_fd *watch;
    struct pb_loop_timer *soon; /* a task that was over before it was watched */
    const struct pb_task_events *events;
    void *arg;
    char weakness[PB_BOX_WEAKNESS_TEXT]; /* of its box */
    bool *was_closed;                    /* on the stack of a callback in progress */
};

int pb_task_say(struct pb_task *task, const char *word, struct pb_error *err) PB_MUST_CHECK;
/* Without exit.json: PB_TASK_LOST. */
void pb_task_read_exit(const struct pb_task *task, struct pb_task_exit *ret_exit);

#endif
