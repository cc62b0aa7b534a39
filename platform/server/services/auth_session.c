/* Sessions and their refresh tokens: "<session>.<random>.<mac>", of which the row keeps the hash.
 *
 * The mac tells a token that we once gave from noise: only the former, when it is no longer the
 * current one, means that somebody has a copy. The one just replaced is still good for a few seconds,
 * because two tabs may refresh at the same time; it then gives no new refresh token.
 */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "server/services/access_token.h"
#include "server/services/auth_private.h"
#include "server/services/events.h"
#include "server/services/platform.h"
#include "server/store/identity_store.h"
#include "server/store/store.h"

enum { GRACE_MS = 10 * 1000, RANDOM_BYTES = 32, REFRESH_MAX = 400 };

const char *pb_auth_random_text(struct pb_arena *arena)
{
    uint8_t bytes[RANDOM_BYTES];
    struct pb_buf text;
    const char *copy;

    pb_random(bytes, sizeof(bytes));
    pb_buf_init(&text, 128);
    pb_buf_base64url(&text, bytes, sizeof(bytes));
    copy = pb_arena_text(arena, pb_buf_string(&text));
    pb_buf_release(&text);
    return copy;
}

int pb_auth_audit(struct pb_db *db, const char *username, const char *action,
                  const struct pb_client_info *client, struct pb_error *err)
{
    struct pb_buf actor;
    int r;

    pb_buf_init(&actor, 256);
    pb_buf_format(&actor, "user:%s", username);
    r = pb_audit_append(db,
                        &(struct pb_audit){
                            .at = pb_clock_wall_ms(),
                            .actor = pb_buf_string(&actor),
                            .action = action,
                            .object = pb_buf_string(&actor),
                            .address = client ? client->address : NULL,
                            .request_id = client ? client->request_id : NULL,
                        },
                        err);
    pb_buf_release(&actor);
    return r;
}

/* --- refresh tokens --------------------------------------------------------------------------------------- */

static void mac_of(const struct pb_auth *auth, const char *text, size_t len,
                   struct pb_buf *ret_text)
{
    uint8_t mac[PB_SHA256_BYTES];
    struct pb_buf labelled;

    pb_buf_init(&labelled, REFRESH_MAX);
    pb_buf_text(&labelled, "refresh ");
    pb_buf_bytes(&labelled, text, len);
    pb_hmac_sha256(auth->signing_key, sizeof(auth->signing_key), labelled.data, labelled.len, mac);
    pb_buf_base64url(ret_text, mac, sizeof(mac));
    pb_buf_release(&labelled);
}

static const char *make_refresh(const struct pb_auth *auth, const char *session_id,
                                struct pb_arena *arena, char ret_hash[PB_SHA256_TEXT])
{
    const char *random = pb_auth_random_text(arena);
    struct pb_buf token;
    struct pb_buf mac;
    const char *copy = NULL;

    pb_buf_init(&token, REFRESH_MAX);
    pb_buf_init(&mac, 64);
    if (random) {
        pb_buf_format(&token, "%s.%s", session_id, random);
        mac_of(auth, token.data, token.len, &mac);
        pb_buf_format(&token, ".%s", pb_buf_string(&mac));
        copy = pb_arena_text(arena, pb_buf_string(&token));
        pb_sha256_text(token.data, token.len, ret_hash);
    }
    pb_buf_release(&token);
    pb_buf_release(&mac);
    return copy;
}

/* The session it names, if we made it. */
static const char *session_of(const struct pb_auth *auth, const char *token, struct pb_arena *arena)
{
    const char *last = strlen(token) < REFRESH_MAX ? strrchr(token, '.') : NULL;
    struct pb_buf mac;
    bool ok;

    if (!last)
        return NULL;
    pb_buf_init(&mac, 64);
    mac_of(auth, token, (size_t)(last - token), &mac);
    ok = strlen(last + 1) == mac.len && pb_secret_equal(last + 1, pb_buf_string(&mac), mac.len);
    pb_buf_release(&mac);
    return ok ? pb_arena_bytes(arena, token, strcspn(token, ".")) : NULL;
}

/* --- sessions --------------------------------------------------------------------------------------------- */

static int sign_access(const struct pb_auth *auth, const struct pb_user *user,
                       const char *session_id, struct pb_arena *arena, struct pb_signed_in *ret,
                       struct pb_error *err)
{
    int64_t now_s = pb_clock_wall_ms() / 1000;

    ret->principal = (struct pb_principal){
        .user_id = user->id,
        .username = pb_arena_text(arena, user->username),
        .role = user->role,
        .language = pb_arena_text(arena, user->language),
        .session_id = session_id,
    };
    return pb_access_token_sign(auth->signing_key,
                                &(struct pb_access_claims){user->id, session_id, now_s,
                                                           now_s + PB_ACCESS_TOKEN_SECONDS},
                                arena, &ret->access_token, err);
}

struct sign_in {
    const struct pb_user *user;
    const struct pb_session *session;
    const struct pb_client_info *client;
};

static int insert_session(struct pb_db *db, void *arg, struct pb_error *err)
{
    const struct sign_in *in = arg;
    struct pb_arena arena;
    struct pb_user *user;
    int r = -1;

    pb_arena_init(&arena, 16 << 10);
    if (pb_user_load(db, &arena, in->user->id, &user, err) < 0)
        goto out;
    user->last_login_at = in->session->created_at;
    if (pb_user_save(db, user, err) < 0 || pb_session_insert(db, in->session, err) < 0)
        goto out;
    r = pb_auth_audit(db, user->username, "session.start", in->client, err);
out:
    pb_arena_release(&arena);
    return r;
}

int pb_auth_sign_in(struct pb_auth *auth, const struct pb_user *user,
                    const struct pb_client_info *client, struct pb_arena *arena,
                    struct pb_signed_in *ret, struct pb_error *err)
{
    int64_t now = pb_clock_wall_ms();
    const char *id = pb_auth_random_text(arena);
    char hash[PB_SHA256_TEXT];
    struct pb_signed_in made = {.refresh_expires_at = now + (int64_t)PB_SESSION_SECONDS * 1000};
    struct pb_session session;

    made.refresh_token = id ? make_refresh(auth, id, arena, hash) : NULL;
    if (!made.refresh_token)
        return pb_fail(err, PB_ERROR_LIMITED, "out of memory");
    session = (struct pb_session){
        .id = id,
        .user_id = user->id,
        .refresh_hash = hash,
        .created_at = now,
        .last_seen_at = now,
        .expires_at = made.refresh_expires_at,
        .address = client->address,
        .user_agent =
            pb_arena_bytes(arena, client->user_agent,
                           pb_utf8_cut(client->user_agent, strlen(client->user_agent), 200)),
    };
    if (sign_access(auth, user, id, arena, &made, err) < 0 ||
        pb_store_write(auth->platform->store, insert_session,
                       &(struct sign_in){user, &session, client}, err) < 0)
        return -1;
    *ret = made;
    return 0;
}

static int ended(struct pb_error *err)
{
    return pb_fail_reason(err, PB_ERROR_UNAUTHENTICATED, "session_ended",
                          "this session has ended; sign in again");
}

struct rotation {
    const char *session_id;
    const char *old_hash;
    const char *new_hash;
    int64_t expires_at;
    bool reused;   /* out: somebody used a copy; the session has been ended */
    bool replaced; /* out: false = within the grace of the one before */
};

static int rotate(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct rotation *rotation = arg;
    int64_t now = pb_clock_wall_ms();
    struct pb_session *session;
    struct pb_arena arena;
    int r = -1;

    pb_arena_init(&arena, 16 << 10);
    rotation->reused = rotation->replaced = false;
    if (pb_session_find(db, &arena, rotation->session_id, &session, err) < 0)
        goto out;
    if (!session || session->revoked_at || session->expires_at <= now) {
        (void)ended(err);
        goto out;
    }
    if (strcmp(session->refresh_hash, rotation->old_hash) == 0) {
        rotation->replaced = true;
        r = pb_session_rotate(db, session->id, rotation->old_hash, rotation->new_hash, now,
                              rotation->expires_at, err);
    } else if (session->previous_hash && strcmp(session->previous_hash, rotation->old_hash) == 0 &&
               now - session->rotated_at < GRACE_MS) {
        r = 0;
    } else {
        rotation->reused = true;
        r = pb_session_revoke(db, session->id, now, err);
    }
out:
    pb_arena_release(&arena);
    return r;
}

/* Session and user as they are after the rotation. */
static int load_user(struct pb_auth *auth, const char *session_id, struct pb_arena *arena,
                     struct pb_user **ret_user, struct pb_error *err)
{
    struct pb_db *db = pb_store_reader(auth->platform->store, err);
    struct pb_session *session;

    if (!db || pb_session_find(db, arena, session_id, &session, err) < 0)
        return -1;
    if (!session)
        return ended(err);
    if (pb_user_load(db, arena, session->user_id, ret_user, err) < 0)
        return err->code == PB_ERROR_NOT_FOUND ? ended(err) : -1;
    return (*ret_user)->disabled ? ended(err) : 0;
}

int pb_auth_refresh(struct pb_auth *auth, const char *refresh_token,
                    const struct pb_client_info *client, struct pb_arena *arena,
                    struct pb_signed_in *ret, struct pb_error *err)
{
    const char *session_id = session_of(auth, refresh_token, arena);
    struct pb_signed_in made = {.refresh_expires_at =
                                    pb_clock_wall_ms() + (int64_t)PB_SESSION_SECONDS * 1000};
    char old_hash[PB_SHA256_TEXT];
    char new_hash[PB_SHA256_TEXT];
    struct rotation rotation;
    struct pb_user *user;

    if (!session_id)
        return ended(err);
    made.refresh_token = make_refresh(auth, session_id, arena, new_hash);
    if (!made.refresh_token)
        return pb_fail(err, PB_ERROR_LIMITED, "out of memory");
    pb_sha256_text(refresh_token, strlen(refresh_token), old_hash);
    rotation =
        (struct rotation){session_id, old_hash, new_hash, made.refresh_expires_at, false, false};
    if (pb_store_write(auth->platform->store, rotate, &rotation, err) < 0)
        return -1;
    if (rotation.reused) {
        pb_events_session_ended(auth->platform->events, session_id);
        pb_log_warn("auth",
                    "address=%s a refresh token was used twice: somebody has a copy of the cookie, "
                    "so its session has ended; its user signs in again",
                    client->address);
        return pb_fail_reason(err, PB_ERROR_UNAUTHENTICATED, "session_reused",
                              "this session was used from two places and has ended; sign in again");
    }
    if (!rotation.replaced)
        made.refresh_token = NULL;
    if (load_user(auth, session_id, arena, &user, err) < 0)
        return -1;
    if (sign_access(auth, user, session_id, arena, &made, err) < 0)
        return -1;
    *ret = made;
    return 0;
}

static int revoke(struct pb_db *db, void *arg, struct pb_error *err)
{
    return pb_session_revoke(db, arg, pb_clock_wall_ms(), err);
}

int pb_auth_logout(struct pb_auth *auth, const char *refresh_token, struct pb_error *err)
{
    struct pb_arena arena;
    const char *session_id;
    char id[64] = "";

    pb_arena_init(&arena, 16 << 10);
    session_id = session_of(auth, refresh_token, &arena);
    if (session_id && strlen(session_id) < sizeof(id))
        memcpy(id, session_id, strlen(session_id) + 1);
    pb_arena_release(&arena);
    if (!id[0])
        return 0;
    if (pb_store_write(auth->platform->store, revoke, id, err) < 0)
        return -1;
    pb_events_session_ended(auth->platform->events, id);
    return 0;
}
