#include "server/store/cluster_store.h"

#include "base/id.h"
#include "server/store/db_private.h"

#define N(kind, member) PB_COLUMN(kind, struct pb_node, member)

static const struct pb_column ITEMS[] = {
    N(TEXT, id),         N(TEXT, name),
    N(TEXT, key_sha256), PB_COLUMN_NAMED(struct pb_node, status, PB_NODE_STATUS_NAMES),
    N(TEXT, version),    N(TEXT, boot_id),
    N(TEXT, capacity),   N(TEXT, load),
    N(TEXT, isolation),  N(TIME, last_seen_at),
    N(INT, created_at),
};
static const struct pb_columns COLUMNS = PB_COLUMNS(ITEMS);

#define NODE_SELECT                                                                      \
    "SELECT id, name, key_sha256, status, version, boot_id, capacity, load, isolation, " \
    "last_seen_at, created_at FROM nodes "

static int read_node(struct pb_rows *rows, struct pb_arena *arena, void *ret_item,
                     struct pb_error *err)
{
    return pb_rows_read(rows, 0, &COLUMNS, arena, ret_item, err);
}

static int find(struct pb_db *db, struct pb_arena *arena, const char *sql, const char *key,
                struct pb_node **ret_node, struct pb_error *err)
{
    void *found = NULL;

    if (pb_db_one(db, sql, PB_VALUES(T(key)), arena, sizeof(struct pb_node), read_node, &found,
                  err) < 0)
        return -1;
    *ret_node = found;
    return 0;
}

int pb_node_put(struct pb_db *db, struct pb_arena *arena, const char *name, const char *key_sha256,
                int64_t now_ms, const char **ret_id, struct pb_error *err)
{
    struct pb_node *node = NULL;
    char id[PB_ULID_TEXT];

    pb_ulid(id);
    if (pb_db_run(db,
                  "INSERT INTO nodes (id, name, key_sha256, created_at) VALUES (?1, ?2, ?3, ?4) "
                  "ON CONFLICT (name) DO UPDATE SET key_sha256 = excluded.key_sha256",
                  PB_VALUES(T(id), T(name), T(key_sha256), I(now_ms)), NULL, err) < 0 ||
        find(db, arena, NODE_SELECT "WHERE name = ?1", name, &node, err) < 0)
        return pb_fail_in(err, "node '%s'", name);
    *ret_id = node->id;
    return 0;
}

int pb_node_load(struct pb_db *db, struct pb_arena *arena, const char *id,
                 struct pb_node **ret_node, struct pb_error *err)
{
    struct pb_node *node = NULL;

    if (find(db, arena, NODE_SELECT "WHERE id = ?1", id, &node, err) < 0)
        return -1;
    if (!node)
        return pb_fail_reason(err, PB_ERROR_NOT_FOUND, "node_not_found", "no node '%.40s'", id);
    *ret_node = node;
    return 0;
}

int pb_node_find(struct pb_db *db, struct pb_arena *arena, const char *key_sha256,
                 struct pb_node **ret_node, struct pb_error *err)
{
    return find(db, arena, NODE_SELECT "WHERE key_sha256 = ?1", key_sha256, ret_node, err);
}

int pb_node_list(struct pb_db *db, struct pb_arena *arena, struct pb_node_list *ret_list,
                 struct pb_error *err)
{
    struct pb_array found = {0};

    if (pb_db_list(db, NODE_SELECT "ORDER BY name", PB_NO_VALUES, arena, sizeof(struct pb_node),
                   read_node, &found, err) < 0)
        return -1;
    *ret_list = (struct pb_node_list){found.items, found.count};
    return 0;
}

int pb_node_save(struct pb_db *db, const struct pb_node *node, struct pb_error *err)
{
    int64_t changed = 0;

    if (pb_db_run(db,
                  "UPDATE nodes SET status = ?2, version = ?3, boot_id = ?4, capacity = ?5, "
                  "load = ?6, isolation = ?7, last_seen_at = ?8 WHERE id = ?1",
                  PB_VALUES(T(node->id), T(pb_node_status_name(node->status)), T(node->version),
                            T(node->boot_id), T(node->capacity), T(node->load), T(node->isolation),
                            pb_value_time(node->last_seen_at)),
                  &changed, err) < 0)
        return -1;
    if (changed == 0)
        return pb_fail_reason(err, PB_ERROR_NOT_FOUND, "node_not_found", "no node '%.40s'",
                              node->id);
    return 0;
}

int pb_node_all_offline(struct pb_db *db, struct pb_error *err)
{
    return pb_db_run(db, "UPDATE nodes SET status = 'offline' WHERE status <> 'offline'",
                     PB_NO_VALUES, NULL, err);
}
