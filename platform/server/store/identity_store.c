#include "server/store/identity_store.h"

#include <stdio.h>
#include <string.h>

#include "model/limits.h"
#include "server/store/db_private.h"

static int cursor_of_id(struct pb_arena *arena, int64_t id, const char **ret_cursor,
                        struct pb_error *err)
{
    char text[24];

    snprintf(text, sizeof(text), "%lld", (long long)id);
    return pb_page_next(arena, text, "", ret_cursor, err);
}

/* --- users --------------------------------------------------------------------------------------- */

#define U(kind, member) PB_COLUMN(kind, struct pb_user, member)

static const struct pb_column USER_ITEMS[] = {
    U(INT, id),
    U(TEXT, username),
    U(TEXT, password_hash),
    PB_COLUMN_NAMED(struct pb_user, role, PB_ROLE_NAMES),
    U(TEXT, language),
    U(BOOL, disabled),
    U(INT, created_at),
    U(TIME, last_login_at),
};
static const struct pb_columns USER = PB_COLUMNS(USER_ITEMS);

#define USER_SELECT                                                              \
    "SELECT id, username, password_hash, role, language, disabled, created_at, " \
    "last_login_at FROM users "

static int read_user(struct pb_rows *rows, struct pb_arena *arena, void *ret_item,
                     struct pb_error *err)
{
    return pb_rows_read(rows, 0, &USER, arena, ret_item, err);
}

static int find_user(struct pb_db *db, struct pb_arena *arena, const char *sql,
                     const struct pb_values *values, struct pb_user **ret_user,
                     struct pb_error *err)
{
    void *found = NULL;

    if (pb_db_one(db, sql, values, arena, sizeof(struct pb_user), read_user, &found, err) < 0)
        return -1;
    *ret_user = found;
    return 0;
}

static int fail_no_user(int64_t id, struct pb_error *err)
{
    return pb_fail_reason(err, PB_ERROR_NOT_FOUND, "user_not_found", "no user %lld", (long long)id);
}

int pb_user_insert(struct pb_db *db, const struct pb_user *user, int64_t *ret_id,
                   struct pb_error *err)
{
    int64_t taken = 0;

    if (pb_db_number(db, "SELECT count(*) FROM users WHERE lower(username) = lower(?1)",
                     PB_VALUES(T(user->username)), &taken, err) < 0)
        return -1;
    if (taken > 0) {
        pb_fail_field(err, "username", "there is a user '%s' already", user->username);
        err->code = PB_ERROR_CONFLICT;
        memcpy(err->reason, "username_taken", sizeof("username_taken"));
        return -1;
    }
    return pb_db_number(db,
                        "INSERT INTO users (username, password_hash, role, created_at, language, "
                        "disabled) VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING id",
                        PB_VALUES(T(user->username), T(user->password_hash),
                                  T(pb_role_name(user->role)), I(user->created_at),
                                  T(user->language), I(user->disabled)),
                        ret_id, err);
}

int pb_user_load(struct pb_db *db, struct pb_arena *arena, int64_t id, struct pb_user **ret_user,
                 struct pb_error *err)
{
    struct pb_user *found = NULL;

    if (find_user(db, arena, USER_SELECT "WHERE id = ?1", PB_VALUES(I(id)), &found, err) < 0)
        return -1;
    if (!found)
        return fail_no_user(id, err);
    *ret_user = found;
    return 0;
}

int pb_user_find(struct pb_db *db, struct pb_arena *arena, const char *username,
                 struct pb_user **ret_user, struct pb_error *err)
{
    return find_user(db, arena, USER_SELECT "WHERE lower(username) = lower(?1)",
                     PB_VALUES(T(username)), ret_user, err);
}

int pb_user_save(struct pb_db *db, const struct pb_user *user, struct pb_error *err)
{
    int64_t changed = 0;

    if (pb_db_run(db,
                  "UPDATE users SET password_hash = ?2, role = ?3, language = ?4, disabled = ?5, "
                  "last_login_at = ?6 WHERE id = ?1",
                  PB_VALUES(I(user->id), T(user->password_hash), T(pb_role_name(user->role)),
                            T(user->language), I(user->disabled),
                            pb_value_time(user->last_login_at)),
                  &changed, err) < 0)
        return -1;
    return changed > 0 ? 0 : fail_no_user(user->id, err);
}

int pb_user_count_admins(struct pb_db *db, int64_t *ret_count, struct pb_error *err)
{
    return pb_db_number(db, "SELECT count(*) FROM users WHERE role = 'admin' AND disabled = 0",
                        PB_NO_VALUES, ret_count, err);
}

/* --- sessions ------------------------------------------------------------------------------------ */

#define S(kind, member) PB_COLUMN(kind, struct pb_session, member)

static const struct pb_column SESSION_ITEMS[] = {
    S(TEXT, id),         S(INT, user_id),     S(TEXT, refresh_hash), S(TEXT, previous_hash),
    S(TIME, rotated_at), S(INT, created_at),  S(INT, expires_at),    S(TIME, last_seen_at),
    S(TEXT, address),    S(TEXT, user_agent), S(TIME, revoked_at),
};
static const struct pb_columns SESSION = PB_COLUMNS(SESSION_ITEMS);

static int read_session(struct pb_rows *rows, struct pb_arena *arena, void *ret_item,
                        struct pb_error *err)
{
    return pb_rows_read(rows, 0, &SESSION, arena, ret_item, err);
}

int pb_session_insert(struct pb_db *db, const struct pb_session *session, struct pb_error *err)
{
    return pb_db_run(db,
                     "INSERT INTO sessions (id, user_id, refresh_hash, created_at, expires_at, "
                     "last_seen_at, address, user_agent) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                     PB_VALUES(T(session->id), I(session->user_id), T(session->refresh_hash),
                               I(session->created_at), I(session->expires_at),
                               pb_value_time(session->last_seen_at), T(session->address),
                               T(session->user_agent)),
                     NULL, err);
}

int pb_session_find(struct pb_db *db, struct pb_arena *arena, const char *id,
                    struct pb_session **ret_session, struct pb_error *err)
{
    void *found = NULL;

    if (pb_db_one(db,
                  "SELECT id, user_id, refresh_hash, previous_hash, rotated_at, created_at, "
                  "expires_at, last_seen_at, address, user_agent, revoked_at FROM sessions "
                  "WHERE id = ?1",
                  PB_VALUES(T(id)), arena, sizeof(struct pb_session), read_session, &found,
                  err) < 0)
        return -1;
    *ret_session = found;
    return 0;
}

int pb_session_rotate(struct pb_db *db, const char *id, const char *old_hash, const char *new_hash,
                      int64_t now_ms, int64_t expires_at, struct pb_error *err)
{
    int64_t changed = 0;

    if (pb_db_run(db,
                  "UPDATE sessions SET previous_hash = refresh_hash, refresh_hash = ?3, "
                  "rotated_at = ?4, last_seen_at = ?4, expires_at = ?5 "
                  "WHERE id = ?1 AND refresh_hash = ?2 AND revoked_at IS NULL",
                  PB_VALUES(T(id), T(old_hash), T(new_hash), I(now_ms), I(expires_at)), &changed,
                  err) < 0)
        return -1;
    if (changed == 0)
        return pb_fail_reason(err, PB_ERROR_CONFLICT, "refresh_reused",
                              "this refresh token was used already");
    return 0;
}

int pb_session_revoke(struct pb_db *db, const char *id, int64_t now_ms, struct pb_error *err)
{
    return pb_db_run(db, "UPDATE sessions SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL",
                     PB_VALUES(T(id), I(now_ms)), NULL, err);
}

int pb_session_revoke_all(struct pb_db *db, int64_t user_id, const char *except_id, int64_t now_ms,
                          struct pb_error *err)
{
    return pb_db_run(db,
                     "UPDATE sessions SET revoked_at = ?2 WHERE user_id = ?1 AND "
                     "revoked_at IS NULL AND id <> coalesce(?3, '')",
                     PB_VALUES(I(user_id), I(now_ms), T(except_id)), NULL, err);
}

int pb_session_purge(struct pb_db *db, int64_t before_ms, int64_t limit, int64_t *ret_removed,
                     struct pb_error *err)
{
    int64_t ended, many;

    if (pb_db_run(db,
                  "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions "
                  "WHERE expires_at < ?1 OR revoked_at < ?1 LIMIT ?2)",
                  PB_VALUES(I(before_ms), I(limit)), &ended, err) < 0 ||
        pb_db_run(db,
                  "DELETE FROM sessions WHERE id IN (SELECT id FROM (SELECT id, row_number() "
                  "OVER (PARTITION BY user_id ORDER BY created_at DESC, id) AS place "
                  "FROM sessions) AS ranked WHERE place > ?1 LIMIT ?2)",
                  PB_VALUES(I(PB_LIMIT_SESSIONS_PER_USER), I(limit)), &many, err) < 0)
        return -1;
    *ret_removed = ended > many ? ended : many;
    return 0;
}

/* --- settings ------------------------------------------------------------------------------------ */

static int read_value(struct pb_rows *rows, struct pb_arena *arena, void *ret_item,
                      struct pb_error *err)
{
    const char **value = ret_item;

    *value = pb_arena_text(arena, pb_rows_text(rows, 0));
    return *value ? 0 : pb_fail_arena(err);
}

int pb_setting_get(struct pb_db *db, struct pb_arena *arena, const char *key,
                   const char **ret_value, struct pb_error *err)
{
    void *found = NULL;

    if (pb_db_one(db, "SELECT value FROM settings WHERE key = ?1", PB_VALUES(T(key)), arena,
                  sizeof(const char *), read_value, &found, err) < 0)
        return -1;
    *ret_value = found ? *(const char **)found : NULL;
    return 0;
}

int pb_setting_put(struct pb_db *db, const char *key, const char *value, int64_t now_ms,
                   struct pb_error *err)
{
    if (!value)
        return pb_db_run(db, "DELETE FROM settings WHERE key = ?1", PB_VALUES(T(key)), NULL, err);
    return pb_db_run(db,
                     "INSERT INTO settings (key, value, updated_at) VALUES (?1, ?2, ?3) "
                     "ON CONFLICT (key) DO UPDATE SET value = excluded.value, "
                     "updated_at = excluded.updated_at",
                     PB_VALUES(T(key), T(value), I(now_ms)), NULL, err);
}

/* --- audit trail --------------------------------------------------------------------------------- */

#define A(kind, member) PB_COLUMN(kind, struct pb_audit, member)

static const struct pb_column AUDIT_ITEMS[] = {
    A(INT, id),      A(INT, at),      A(TEXT, actor),   A(TEXT, action),
    A(TEXT, object), A(TEXT, detail), A(TEXT, address), A(TEXT, request_id),
};
static const struct pb_columns AUDIT = PB_COLUMNS(AUDIT_ITEMS);

static int read_audit(struct pb_rows *rows, struct pb_arena *arena, void *ret_item,
                      struct pb_error *err)
{
    return pb_rows_read(rows, 0, &AUDIT, arena, ret_item, err);
}

int pb_audit_append(struct pb_db *db, const struct pb_audit *entry, struct pb_error *err)
{
    return pb_db_run(db,
                     "INSERT INTO audit_log (at, actor, action, object, detail, address, "
                     "request_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                     PB_VALUES(I(entry->at), T(entry->actor), T(entry->action), T(entry->object),
                               T(entry->detail), T(entry->address), T(entry->request_id)),
                     NULL, err);
}

int pb_audit_purge(struct pb_db *db, int64_t before_ms, int64_t limit, int64_t *ret_removed,
                   struct pb_error *err)
{
    /* Ids are in the order of time: the first ones are the old ones, and nothing else is looked at. */
    return pb_db_run(db,
                     "DELETE FROM audit_log WHERE at < ?1 AND "
                     "id IN (SELECT id FROM audit_log ORDER BY id LIMIT ?2)",
                     PB_VALUES(I(before_ms), I(limit)), ret_removed, err);
}

int pb_audit_list(struct pb_db *db, struct pb_arena *arena, const char *object,
                  const struct pb_page *page, struct pb_audit_list *ret_list, struct pb_error *err)
{
    static const char ALL[] = "SELECT id, at, actor, action, object, detail, address, request_id "
                              "FROM audit_log WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
    static const char OF_OBJECT[] =
        "SELECT id, at, actor, action, object, detail, address, request_id "
        "FROM audit_log WHERE id < ?1 AND object = ?3 ORDER BY id DESC LIMIT ?2";
    size_t limit = pb_page_limit(page);
    struct pb_audit_list list = {0};
    struct pb_array found = {0};
    struct pb_position position;
    int64_t before = INT64_MAX;

    if (pb_page_position(page, arena, &position, err) < 0 ||
        pb_position_number(&position, &before, err) < 0 ||
        pb_db_list(db, object ? OF_OBJECT : ALL,
                   PB_VALUES(I(before), I((int64_t)limit + 1), T(object)), arena,
                   sizeof(struct pb_audit), read_audit, &found, err) < 0)
        return -1;
    list.items = found.items;
    list.count = found.count;
    if (list.count > limit) {
        list.count = limit;
        if (cursor_of_id(arena, list.items[limit - 1].id, &list.next_cursor, err) < 0)
            return -1;
    }
    *ret_list = list;
    return 0;
}
