/*
 * The privileged part of a node, as small as it can be: takes the requests of
 * agent/boxd_protocol.h one at a time, does each, reaps its children. It has
 * no network, keeps no state, and reads no file anybody else writes. When it
 * dies nothing dies with it; a new one takes over at the same socket.
 */
#ifndef PB_AGENT_BOXD_H
#define PB_AGENT_BOXD_H

#include <sys/types.h>

#include "base/error.h"

struct pb_boxd_options {
    const char *data_dir;
    const char *run_dir;
    const char *bin_dir;
    uid_t uid_base;
    uid_t node_uid;
};

/* Serves until SIGTERM or SIGINT. -1 + err if it could not start. */
int pb_boxd_serve(const struct pb_boxd_options *options, struct pb_error *err) PB_MUST_CHECK;

/* The slot rule, by itself so that it can be tested: may this user ask for this? */
int pb_boxd_check_peer(const struct pb_boxd_options *options, uid_t peer, unsigned op,
                       unsigned slot, struct pb_error *err) PB_MUST_CHECK;
/* Every uid of every slot must exist in our user namespace. */
int pb_boxd_check_uid_map(const char *uid_map, uid_t uid_base, struct pb_error *err) PB_MUST_CHECK;

#endif
