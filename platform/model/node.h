/*
 * A node is a machine that runs projects. It dials the platform and proves
 * itself with its own key, of which only the SHA-256 is kept. Its boot id tells
 * a node that came back from one that started anew (and lost what ran).
 */
#ifndef PB_MODEL_NODE_H
#define PB_MODEL_NODE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "model/names.h"

#define PB_NODE_STATUSES(X) \
    X(OFFLINE, "offline")   \
    X(ONLINE, "online")

enum pb_node_status {
#define X(status, name) PB_NODE_##status,
    PB_NODE_STATUSES(X)
#undef X
        PB_NODE_STATUS_COUNT
};

extern const struct pb_names PB_NODE_STATUS_NAMES;

struct pb_node {
    const char *id; /* ULID */
    const char *name;
    const char *key_sha256; /* hex */
    enum pb_node_status status;
    const char *version;
    const char *boot_id;
    const char *capacity;  /* JSON {"cpus","memory_bytes","slots"} */
    const char *load;      /* JSON of the last node_status, without its projects */
    const char *isolation; /* full strong basic minimal none */
    int64_t last_seen_at;
    int64_t created_at;
};

bool pb_node_name_valid(const char *name); /* ^[a-z0-9][a-z0-9.-]{0,62}$ */
const char *pb_node_status_name(enum pb_node_status status);

#endif
