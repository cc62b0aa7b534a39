/*
 * The whole of what may be asked of root on a node. Fixed-size requests over
 * a SEQPACKET socket, one reply each; descriptors come with the request.
 * poppo-boxd reads nothing but these and opens nothing but
 * <data_dir>/projects/<checked id>.
 *
 * Who may ask for what is decided by SO_PEERCRED: the node's user anything,
 * a project's runner user only for its own slot.
 */
#ifndef PB_AGENT_BOXD_PROTOCOL_H
#define PB_AGENT_BOXD_PROTOCOL_H

#include <stdint.h>

/* name, number, word in the log, descriptors at least, at most, may a runner ask? */
#define PB_BOXD_OPS(X)                                    \
    X(PREPARE_PROJECT, 1, "prepare_project", 0, 0, false) \
    X(SPAWN_RUNNER, 2, "spawn_runner", 1, 1, false)       \
    X(SPAWN_SHIM, 3, "spawn_shim", 3, 4, true)            \
    X(SPAWN_BROKER, 4, "spawn_broker", 2, 2, true)        \
    X(REMOVE_PROJECT, 5, "remove_project", 0, 0, false)   \
    X(KILL, 6, "kill", 0, 0, true)                        \
    X(BOX_LEVEL, 7, "box_level", 0, 0, false)

enum pb_boxd_op {
#define X(op, number, word, fds_min, fds_max, runner_may) PB_BOXD_##op = number,
    PB_BOXD_OPS(X)
#undef X
};

enum { PB_BOXD_VERSION = 1 };

#define PB_BOXD_SOCKET "boxd.sock" /* in run_dir */

struct pb_boxd_request {
    uint32_t version;
    uint32_t op;
    uint32_t slot;
    int32_t pid; /* KILL; together with the start time, so that a pid used again is never hit */
    uint64_t start_time; /* KILL */
    char project[64];    /* PREPARE, SPAWN_RUNNER, REMOVE: with its NUL */
};

struct pb_boxd_reply {
    uint32_t version;
    int32_t code; /* enum pb_error_code; 0 = done */
    int32_t pid;  /* BOX_LEVEL: enum pb_box_level */
    char reason[40];
    char message[212];
};

#endif
