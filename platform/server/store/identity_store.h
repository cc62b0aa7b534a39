/*
 * Who may come in: users, sessions, settings kept by the platform itself, and
 * the audit trail, which is only ever appended to. Rows and texts live in the
 * arena.
 */
#ifndef PB_SERVER_STORE_IDENTITY_STORE_H
#define PB_SERVER_STORE_IDENTITY_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "model/user.h"
#include "server/store/db.h"
#include "server/store/page.h"

/* CONFLICT, reason "username_taken", also when it differs in case only. */
int pb_user_insert(struct pb_db *db, const struct pb_user *user, int64_t *ret_id,
                   struct pb_error *err) PB_MUST_CHECK;
/* NOT_FOUND, reason "user_not_found". */
int pb_user_load(struct pb_db *db, struct pb_arena *arena, int64_t id, struct pb_user **ret_user,
                 struct pb_error *err) PB_MUST_CHECK;
/* NULL if there is none: telling that apart from a wrong password is nobody's business. */
int pb_user_find(struct pb_db *db, struct pb_arena *arena, const char *username,
                 struct pb_user **ret_user, struct pb_error *err) PB_MUST_CHECK;
/* Everything but id, username and created_at. */
int pb_user_save(struct pb_db *db, const struct pb_user *user, struct pb_error *err) PB_MUST_CHECK;
/* Administrators who are not disabled. */
int pb_user_count_admins(struct pb_db *db, int64_t *ret_count, struct pb_error *err) PB_MUST_CHECK;

/* A signed-in browser. Access tokens name it; revoking it ends them. */
struct pb_session {
    const char *id; /* random */
    int64_t user_id;
    const char *refresh_hash;  /* of the refresh token now valid */
    const char *previous_hash; /* of the one before: seen again later, it was stolen */
    int64_t rotated_at;
    int64_t created_at;
    int64_t expires_at;
    int64_t last_seen_at;
    const char *address;
    const char *user_agent;
    int64_t revoked_at;
};

int pb_session_insert(struct pb_db *db, const struct pb_session *session,
                      struct pb_error *err) PB_MUST_CHECK;
/* NULL if there is none (revoked and expired ones are there until purged). */
int pb_session_find(struct pb_db *db, struct pb_arena *arena, const char *id,
                    struct pb_session **ret_session, struct pb_error *err) PB_MUST_CHECK;
/* Compare-and-set on refresh_hash: the old hash moves to previous_hash. CONFLICT, reason
 * "refresh_reused". */
int pb_session_rotate(struct pb_db *db, const char *id, const char *old_hash, const char *new_hash,
                      int64_t now_ms, int64_t expires_at, struct pb_error *err) PB_MUST_CHECK;
int pb_session_revoke(struct pb_db *db, const char *id, int64_t now_ms,
                      struct pb_error *err) PB_MUST_CHECK;
/* All of a user's but `except_id` (NULL = all). */
int pb_session_revoke_all(struct pb_db *db, int64_t user_id, const char *except_id, int64_t now_ms,
                          struct pb_error *err) PB_MUST_CHECK;
/* Removes those expired or revoked before `before_ms`, and a user's oldest beyond
 * PB_LIMIT_SESSIONS_PER_USER: `limit` of each at most, fewer only when there are no more. */
int pb_session_purge(struct pb_db *db, int64_t before_ms, int64_t limit, int64_t *ret_removed,
                     struct pb_error *err) PB_MUST_CHECK;

/* NULL in ret_value if it was never set. */
int pb_setting_get(struct pb_db *db, struct pb_arena *arena, const char *key,
                   const char **ret_value, struct pb_error *err) PB_MUST_CHECK;
/* value NULL removes it. */
int pb_setting_put(struct pb_db *db, const char *key, const char *value, int64_t now_ms,
                   struct pb_error *err) PB_MUST_CHECK;

struct pb_audit {
    int64_t id;
    int64_t at;
    const char *actor;  /* "user:alice", "node:local", "platform" */
    const char *action; /* "project.create", "secret.reveal", "login.failed" */
    const char *object; /* "project:site", … */
    const char *detail; /* JSON, never a secret */
    const char *address;
    const char *request_id;
};

struct pb_audit_list {
    struct pb_audit *items;
    size_t count;
    const char *next_cursor;
};

int pb_audit_append(struct pb_db *db, const struct pb_audit *entry,
                    struct pb_error *err) PB_MUST_CHECK;
/* Removes the oldest entries as far as they are of before then, `limit` at most. */
int pb_audit_purge(struct pb_db *db, int64_t before_ms, int64_t limit, int64_t *ret_removed,
                   struct pb_error *err) PB_MUST_CHECK;
/* Newest first; `object` NULL = all. */
int pb_audit_list(struct pb_db *db, struct pb_arena *arena, const char *object,
                  const struct pb_page *page, struct pb_audit_list *ret_list,
                  struct pb_error *err) PB_MUST_CHECK;

#endif
