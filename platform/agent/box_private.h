/* Between box.c (makes the walls) and box_keeper.c (lives inside). */
#ifndef PB_AGENT_BOX_PRIVATE_H
#define PB_AGENT_BOX_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/box.h"

/* What the shim sends: this, then `bytes` of text: argv, envp and cwd, each string with its NUL. Three descriptors
 * come with the first byte. */
struct pb_box_order {
    uint32_t bytes;
    uint32_t argc;
    uint32_t envc;
};

/* What the keeper answers to it. */
struct pb_box_answer {
    int32_t start_errno; /* 0 = the program runs */
    char step[28];       /* what failed: "enter the folder", "start the program" */
};

/* The step whose NOT_FOUND means that there is no such program. */
#define PB_BOX_STEP_EXEC "start the program"

enum {
    PB_BOX_ORDER_MAX = 4 << 20,
    PB_BOX_SIGNAL_KILL_ALL = 'k', /* else the byte is a signal number */
};

/* Never returns. The walls stand, the user is the task's. */
void pb_box_keeper(int control, enum pb_box_level level) __attribute__((noreturn));

#endif
