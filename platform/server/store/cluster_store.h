/* Nodes. Rows and texts live in the arena. */
#ifndef PB_SERVER_STORE_CLUSTER_STORE_H
#define PB_SERVER_STORE_CLUSTER_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "model/node.h"
#include "server/store/db.h"

struct pb_node_list {
    struct pb_node *items;
    size_t count;
};

/* Makes the node of this name, or gives the existing one this key; ret_id either way. */
int pb_node_put(struct pb_db *db, struct pb_arena *arena, const char *name, const char *key_sha256,
                int64_t now_ms, const char **ret_id, struct pb_error *err) PB_MUST_CHECK;
/* NOT_FOUND, reason "node_not_found". */
int pb_node_load(struct pb_db *db, struct pb_arena *arena, const char *id,
                 struct pb_node **ret_node, struct pb_error *err) PB_MUST_CHECK;
/* By key; NULL if there is none. */
int pb_node_find(struct pb_db *db, struct pb_arena *arena, const char *key_sha256,
                 struct pb_node **ret_node, struct pb_error *err) PB_MUST_CHECK;
/* By name. */
int pb_node_list(struct pb_db *db, struct pb_arena *arena, struct pb_node_list *ret_list,
                 struct pb_error *err) PB_MUST_CHECK;
/* Everything but id, name, key_sha256 and created_at. */
int pb_node_save(struct pb_db *db, const struct pb_node *node, struct pb_error *err) PB_MUST_CHECK;
/* At start: nobody is connected yet. */
int pb_node_all_offline(struct pb_db *db, struct pb_error *err) PB_MUST_CHECK;

#endif
