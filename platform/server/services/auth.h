/*
 * Who is asking: first administrator, passwords, sessions, tokens, tickets.
 *
 * A sign-in makes a session row. The browser then holds two things: an access
 * token (JWT, HS256, 10 minutes, in memory) that names the session, and a
 * refresh token (cookie, HttpOnly, SameSite=Strict) that is replaced at every
 * use. A refresh token used twice means that somebody has a copy: the session
 * ends for both. A token is worth nothing once its session row is revoked,
 * and neither is a ticket; live connections of the session are closed.
 *
 * Passwords: argon2id, the same time for unknown names, a few at a time. After
 * five failures an account+address pair waits 1, 2, 4 … 300 s (kept in memory).
 */
#ifndef PB_SERVER_SERVICES_AUTH_H
#define PB_SERVER_SERVICES_AUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "model/user.h"

struct pb_auth;
struct pb_platform;

enum {
    PB_ACCESS_TOKEN_SECONDS = 600,
    PB_SESSION_SECONDS = 30 * 24 * 3600,
    PB_WS_TICKET_SECONDS = 30,
};

/* Somebody who proved who they are; lives in the request's arena. */
struct pb_principal {
    int64_t user_id;
    const char *username;
    enum pb_role role;
    const char *language;
    const char *session_id;
    const char *address;    /* for the audit row */
    const char *request_id; /* for the audit row */
};

struct pb_signed_in {
    struct pb_principal principal;
    const char *access_token;
    const char *refresh_token; /* for the cookie */
    int64_t refresh_expires_at;
};

struct pb_client_info {
    const char *address;
    const char *user_agent;
    const char *request_id;
};

struct pb_auth *pb_auth_open(struct pb_platform *platform, struct pb_error *err) PB_MUST_CHECK;
void pb_auth_close(struct pb_auth *auth); /* NULL is fine */

/* Eight hexadecimal digits that are this installation's own, as long as its signing key is. */
const char *pb_auth_tag(const struct pb_auth *auth);

/* First administrator. The token is made anew at each start while there is none; only its hash is kept. */
int pb_auth_setup_required(struct pb_auth *auth, bool *ret_required,
                           struct pb_error *err) PB_MUST_CHECK;
int pb_auth_setup_token(struct pb_auth *auth, struct pb_arena *arena, const char **ret_token,
                        struct pb_error *err) PB_MUST_CHECK;
int pb_auth_setup(struct pb_auth *auth, const char *token, const char *username,
                  const char *password, const char *language, const struct pb_client_info *client,
                  struct pb_arena *arena, struct pb_signed_in *ret,
                  struct pb_error *err) PB_MUST_CHECK;

/* UNAUTHENTICATED "login_failed"; LIMITED "login_delayed" with the seconds in the message, "busy" when too
 * many sign in at once. */
int pb_auth_login(struct pb_auth *auth, const char *username, const char *password,
                  const struct pb_client_info *client, struct pb_arena *arena,
                  struct pb_signed_in *ret, struct pb_error *err) PB_MUST_CHECK;
/* UNAUTHENTICATED "session_ended" or "session_reused". */
int pb_auth_refresh(struct pb_auth *auth, const char *refresh_token,
                    const struct pb_client_info *client, struct pb_arena *arena,
                    struct pb_signed_in *ret, struct pb_error *err) PB_MUST_CHECK;
/* Unknown or ended sessions are success. */
int pb_auth_logout(struct pb_auth *auth, const char *refresh_token,
                   struct pb_error *err) PB_MUST_CHECK;

int pb_auth_set_language(struct pb_auth *auth, int64_t user_id, const char *language,
                         struct pb_error *err) PB_MUST_CHECK;

/* An access token → principal. UNAUTHENTICATED "token_invalid" | "token_expired" | "session_ended". */
int pb_auth_principal(struct pb_auth *auth, const char *access_token, struct pb_arena *arena,
                      struct pb_principal *ret, struct pb_error *err) PB_MUST_CHECK;

/* The same for loop threads, which must not wait: false when nothing is remembered of this token. */
bool pb_auth_recall_role(struct pb_auth *auth, const char *access_token, enum pb_role *ret_role);

/* Is this session still that user's, and good? UNAUTHENTICATED "session_ended". */
int pb_auth_session_check(struct pb_auth *auth, const char *session_id, int64_t user_id,
                          struct pb_error *err) PB_MUST_CHECK;

/* One-time ticket for a WebSocket, 30 s; the oldest of a session's more than 20 are forgotten. Using it says whose it
 * is, not whether the session is still good: ask pb_auth_session_check() once its end would be noticed. */
int pb_auth_ticket_new(struct pb_auth *auth, const struct pb_principal *who, struct pb_arena *arena,
                       const char **ret_ticket, struct pb_error *err) PB_MUST_CHECK;
int pb_auth_ticket_use(struct pb_auth *auth, const char *ticket, struct pb_arena *arena,
                       struct pb_principal *ret, struct pb_error *err) PB_MUST_CHECK;

/* Forgets expired delays and tickets; the janitor calls it. */
void pb_auth_tidy(struct pb_auth *auth);

#endif
