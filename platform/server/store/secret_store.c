/* The second half of project_store.h: environment variables and sealed secrets. */
#include <stdlib.h>

#include "model/limits.h"
#include "server/store/db_private.h"
#include "server/store/project_store.h"

/* --- environment variables ----------------------------------------------------------------------- */

static const struct pb_column ENV_ITEMS[] = {
    PB_COLUMN(INT, struct pb_env_var, id),         PB_COLUMN(TEXT, struct pb_env_var, project_id),
    PB_COLUMN(TEXT, struct pb_env_var, key),       PB_COLUMN(TEXT, struct pb_env_var, value),
    PB_COLUMN(BOOL, struct pb_env_var, encrypted),
};
static const struct pb_columns ENV = PB_COLUMNS(ENV_ITEMS);

static int read_env(struct pb_rows *rows, struct pb_arena *arena, void *ret_item,
                    struct pb_error *err)
{
    return pb_rows_read(rows, 0, &ENV, arena, ret_item, err);
}

int pb_env_var_list(struct pb_db *db, struct pb_arena *arena, const char *project_id,
                    struct pb_env_var_list *ret_list, struct pb_error *err)
{
    struct pb_array array = {0};

    if (pb_db_list(db,
                   "SELECT id, project_id, key, value, encrypted FROM project_env_vars "
                   "WHERE project_id = ?1 ORDER BY key",
                   PB_VALUES(T(project_id)), arena, sizeof(struct pb_env_var), read_env, &array,
                   err) < 0)
        return -1;
    *ret_list = (struct pb_env_var_list){array.items, array.count};
    return 0;
}

int pb_env_var_replace(struct pb_db *db, const char *project_id, const struct pb_env_var *vars,
                       size_t count, struct pb_error *err)
{
    if (count > PB_LIMIT_ENV_VARS_PER_PROJECT)
        return pb_fail_field(err, "env", "at most %d variables", PB_LIMIT_ENV_VARS_PER_PROJECT);
    if (pb_db_run(db, "DELETE FROM project_env_vars WHERE project_id = ?1",
                  PB_VALUES(T(project_id)), NULL, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (pb_db_run(db,
                      "INSERT INTO project_env_vars (project_id, key, value, encrypted) "
                      "VALUES (?1, ?2, ?3, ?4)",
                      PB_VALUES(T(project_id), T(vars[i].key), T(vars[i].value),
                                I(vars[i].encrypted)),
                      NULL, err) < 0)
            return pb_fail_in(err, "variable '%s'", vars[i].key);
    }
    return 0;
}

/* --- secrets ------------------------------------------------------------------------------------- */

#define S(kind, member) PB_COLUMN(kind, struct pb_secret, member)

static const struct pb_column SECRET_ITEMS[] = {
    S(INT, id),          S(TEXT, scope),        S(TEXT, project_id), S(TEXT, name),
    S(INT, version),     S(TEXT, kek_id),       S(TEXT, created_by), S(INT, created_at),
    S(TIME, expires_at), S(TIME, last_used_at),
};
static const struct pb_columns SECRET = PB_COLUMNS(SECRET_ITEMS);

#define SECRET_COLUMNS                                                                   \
    "id, scope, project_id, name, version, kek_id, created_by, created_at, expires_at, " \
    "last_used_at"

static int copy_bytes(struct pb_rows *rows, int column, struct pb_arena *arena,
                      const void **ret_data, size_t *ret_len, struct pb_error *err)
{
    const void *data = pb_rows_bytes(rows, column, ret_len);

    *ret_data = pb_arena_bytes(arena, data ? data : "", *ret_len);
    return *ret_data ? 0 : pb_fail_arena(err);
}

static int read_secret_head(struct pb_rows *rows, struct pb_arena *arena, void *ret_item,
                            struct pb_error *err)
{
    return pb_rows_read(rows, 0, &SECRET, arena, ret_item, err);
}

static int read_secret(struct pb_rows *rows, struct pb_arena *arena, void *ret_item,
                       struct pb_error *err)
{
    struct pb_secret *secret = ret_item;
    int at = (int)SECRET.count;

    if (read_secret_head(rows, arena, secret, err) < 0 ||
        copy_bytes(rows, at, arena, &secret->wrapped_dek, &secret->wrapped_dek_len, err) < 0)
        return -1;
    return copy_bytes(rows, at + 1, arena, &secret->sealed, &secret->sealed_len, err);
}

int pb_secret_next_version(struct pb_db *db, const char *scope, const char *project_id,
                           const char *name, int64_t *ret_version, struct pb_error *err)
{
    return pb_db_number(db,
                        "SELECT coalesce(max(version), 0) + 1 FROM secrets "
                        "WHERE scope = ?1 AND project_id = ?2 AND name = ?3",
                        PB_VALUES(T(scope), T(project_id), T(name)), ret_version, err);
}

int pb_secret_insert(struct pb_db *db, const struct pb_secret *secret, struct pb_error *err)
{
    return pb_db_run(
        db,
        "INSERT INTO secrets (scope, project_id, name, version, kek_id, wrapped_dek, sealed, "
        "created_by, created_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        PB_VALUES(T(secret->scope), T(secret->project_id), T(secret->name), I(secret->version),
                  T(secret->kek_id), pb_value_bytes(secret->wrapped_dek, secret->wrapped_dek_len),
                  pb_value_bytes(secret->sealed, secret->sealed_len), T(secret->created_by),
                  I(secret->created_at), pb_value_time(secret->expires_at)),
        NULL, err);
}

int pb_secret_load(struct pb_db *db, struct pb_arena *arena, const char *scope,
                   const char *project_id, const char *name, struct pb_secret **ret_secret,
                   struct pb_error *err)
{
    void *found = NULL;

    if (pb_db_one(db,
                  "SELECT " SECRET_COLUMNS ", wrapped_dek, sealed FROM secrets WHERE scope = ?1 "
                  "AND project_id = ?2 AND name = ?3 ORDER BY version DESC LIMIT 1",
                  PB_VALUES(T(scope), T(project_id), T(name)), arena, sizeof(struct pb_secret),
                  read_secret, &found, err) < 0)
        return -1;
    if (!found)
        return pb_fail_reason(err, PB_ERROR_NOT_FOUND, "secret_not_found", "'%s' is not set", name);
    *ret_secret = found;
    return 0;
}

int pb_secret_list(struct pb_db *db, struct pb_arena *arena, const char *scope,
                   const char *project_id, struct pb_secret_list *ret_list, struct pb_error *err)
{
    struct pb_array array = {0};

    if (pb_db_list(db,
                   "SELECT " SECRET_COLUMNS " FROM secrets AS s WHERE scope = ?1 AND "
                   "project_id = ?2 AND version = (SELECT max(version) FROM secrets AS n WHERE "
                   "n.scope = s.scope AND n.project_id = s.project_id AND n.name = s.name) "
                   "ORDER BY name",
                   PB_VALUES(T(scope), T(project_id)), arena, sizeof(struct pb_secret),
                   read_secret_head, &array, err) < 0)
        return -1;
    *ret_list = (struct pb_secret_list){array.items, array.count};
    return 0;
}

int pb_secret_used(struct pb_db *db, int64_t id, int64_t now_ms, struct pb_error *err)
{
    return pb_db_run(db, "UPDATE secrets SET last_used_at = ?2 WHERE id = ?1",
                     PB_VALUES(I(id), I(now_ms)), NULL, err);
}

int pb_secret_prune(struct pb_db *db, const char *scope, const char *project_id, const char *name,
                    int64_t keep, struct pb_error *err)
{
    return pb_db_run(db,
                     "DELETE FROM secrets WHERE scope = ?1 AND project_id = ?2 AND name = ?3 AND "
                     "version <= (SELECT max(version) FROM secrets WHERE scope = ?1 AND "
                     "project_id = ?2 AND name = ?3) - ?4",
                     PB_VALUES(T(scope), T(project_id), T(name), I(keep)), NULL, err);
}

int pb_secret_any(struct pb_db *db, bool *ret_any, struct pb_error *err)
{
    int64_t any = 0;

    if (pb_db_number(db,
                     "SELECT EXISTS (SELECT 1 FROM secrets) OR EXISTS (SELECT 1 FROM "
                     "project_env_vars WHERE encrypted = 1)",
                     PB_NO_VALUES, &any, err) < 0)
        return -1;
    *ret_any = any != 0;
    return 0;
}
