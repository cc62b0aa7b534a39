/*
 * The node's one connection to the platform. It dials out, reconnects with
 * jitter, and passes frames on between the platform, the supervisor and the
 * runners without reading their bodies. It holds no right but its node key.
 *
 *   platform ⇄ WebSocket ⇄ link ⇄ stream pair ⇄ supervisor    node-scope frames
 *                           ├──── SEQPACKET pair              descriptors
 *                           └──── stream pair per runner      project-scope frames
 *
 * Supervisor → link: frames; over the other pair messages, each a project's id and one descriptor: our end of that
 * runner's pair. Link → supervisor: a frame, or {"op":"up"} (say hello now) and {"op":"down","reason"}.
 *
 * Runner pairs live as long as one connection: when it ends, all are closed.
 * Frames for a project without a runner are dropped: whatever matters is
 * repeated until it is answered.
 */
#ifndef PB_AGENT_LINK_H
#define PB_AGENT_LINK_H

#include "base/error.h"

enum { PB_LINK_SUPERVISOR_FD = 3, PB_LINK_RUNNERS_FD = 4 };

struct pb_link_options {
    const char *platform_url; /* ws://… or wss://… of /api/node/ws */
    const char *node_key_file;
    const char *ca_file; /* NULL = the system's store */
    int supervisor;      /* descriptors, taken over */
    int runners;
};

/* Serves until the supervisor's end closes or a signal comes. */
int pb_link_run(const struct pb_link_options *options, struct pb_error *err) PB_MUST_CHECK;

#endif
