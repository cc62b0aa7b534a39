/*
 * Whose an access token is. Those looked at lately are remembered, so that a person's next request costs no
 * signature and no look into the database. What is remembered holds for as long as the generation of users
 * and sessions stays, and no longer than the token and its session.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "server/services/access_token.h"
#include "server/services/auth_private.h"
#include "server/services/platform.h"
#include "server/store/identity_store.h"
#include "server/store/store.h"

/* --- known tokens ----------------------------------------------------------------------------------------- */

static void forget(struct known_token *known)
{
    pb_wipe_free(known->token);
    free(known->username);
    free(known->language);
    free(known->session_id);
    memset(known, 0, sizeof(*known));
}

void pb_auth_forget_tokens(struct pb_auth *auth, int64_t wall_ms)
{
    (void)pthread_mutex_lock(&auth->lock);
    for (size_t i = 0; i < TOKENS_KNOWN_MAX; i++)
        if (auth->known[i].until_ms <= wall_ms)
            forget(&auth->known[i]);
    (void)pthread_mutex_unlock(&auth->lock);
}

/* By the end of the signature, which nobody chooses. */
static struct known_token *place_of(struct pb_auth *auth, const char *token, size_t len)
{
    uint32_t sum = 0;

    for (size_t i = len > 8 ? len - 8 : 0; i < len; i++)
        sum = sum * 31 + (unsigned char)token[i];
    return &auth->known[sum % TOKENS_KNOWN_MAX];
}

/* The token's place, if it is known and still holds; under the lock. */
static struct known_token *find(struct pb_auth *auth, const char *token)
{
    uint64_t generation = pb_store_generation(auth->platform->store, PB_STORE_PEOPLE);
    size_t len = strlen(token);
    struct known_token *known = place_of(auth, token, len);

    if (!known->token || known->len != len || !pb_secret_equal(known->token, token, len))
        return NULL;
    return known->generation == generation && pb_clock_wall_ms() < known->until_ms ? known : NULL;
}

static bool recall(struct pb_auth *auth, const char *token, struct pb_arena *arena,
                   struct pb_principal *ret)
{
    const struct known_token *known;
    bool found = false;

    (void)pthread_mutex_lock(&auth->lock);
    known = find(auth, token);
    if (known) {
        *ret = (struct pb_principal){
            .user_id = known->user_id,
            .username = pb_arena_text(arena, known->username),
            .role = known->role,
            .language = pb_arena_text(arena, known->language),
            .session_id = pb_arena_text(arena, known->session_id),
        };
        found = ret->username && ret->session_id;
    }
    (void)pthread_mutex_unlock(&auth->lock);
    return found;
}

bool pb_auth_recall_role(struct pb_auth *auth, const char *access_token, enum pb_role *ret_role)
{
    const struct known_token *known;

    (void)pthread_mutex_lock(&auth->lock);
    known = find(auth, access_token);
    if (known)
        *ret_role = known->role;
    (void)pthread_mutex_unlock(&auth->lock);
    return known != NULL;
}

static void remember(struct pb_auth *auth, const char *token, uint64_t generation, int64_t until_ms,
                     const struct pb_principal *who)
{
    struct known_token made = {
        .len = strlen(token),
        .token = strdup(token),
        .generation = generation,
        .until_ms = until_ms,
        .user_id = who->user_id,
        .role = who->role,
        .username = strdup(who->username),
        .language = who->language ? strdup(who->language) : NULL,
        .session_id = strdup(who->session_id),
    };
    struct known_token *place, old = made;

    if (generation > 0 && made.token && made.username && made.session_id) {
        (void)pthread_mutex_lock(&auth->lock);
        place = place_of(auth, token, made.len);
        old = *place;
        *place = made;
        (void)pthread_mutex_unlock(&auth->lock);
    }
    forget(&old);
}

/* --- any token ---------------------------------------------------------------------------------------- */

static int ended(struct pb_error *err)
{
    return pb_fail_reason(err, PB_ERROR_UNAUTHENTICATED, "session_ended",
                          "this session has ended; sign in again");
}

/* The user of a session that is good, and until when it is if nothing happens. */
static int user_of_session(struct pb_auth *auth, const char *session_id, int64_t user_id,
                           struct pb_arena *arena, struct pb_user **ret_user, int64_t *ret_until_ms,
                           struct pb_error *err)
{
    struct pb_db *db = pb_store_reader(auth->platform->store, err);
    struct pb_session *session;

    if (!db || pb_session_find(db, arena, session_id, &session, err) < 0)
        return -1;
    if (!session || session->revoked_at || session->expires_at <= pb_clock_wall_ms() ||
        session->user_id != user_id)
        return ended(err);
    *ret_until_ms = session->expires_at;
    if (pb_user_load(db, arena, user_id, ret_user, err) < 0)
        return err->code == PB_ERROR_NOT_FOUND ? ended(err) : -1;
    return (*ret_user)->disabled ? ended(err) : 0;
}

int pb_auth_principal(struct pb_auth *auth, const char *access_token, struct pb_arena *arena,
                      struct pb_principal *ret, struct pb_error *err)
{
    uint64_t generation = pb_store_generation(auth->platform->store, PB_STORE_PEOPLE);
    struct pb_access_claims claims;
    struct pb_user *user;
    int64_t until_ms;

    if (recall(auth, access_token, arena, ret))
        return 0;
    if (pb_access_token_read(auth->signing_key, access_token, pb_clock_wall_ms() / 1000, arena,
                             &claims, err) < 0 ||
        user_of_session(auth, claims.session_id, claims.user_id, arena, &user, &until_ms, err) < 0)
        return -1;
    if (until_ms > claims.expires_at * 1000)
        until_ms = claims.expires_at * 1000;
    *ret = (struct pb_principal){
        .user_id = user->id,
        .username = user->username,
        .role = user->role,
        .language = user->language,
        .session_id = claims.session_id,
    };
    remember(auth, access_token, generation, until_ms, ret);
    return 0;
}

int pb_auth_session_check(struct pb_auth *auth, const char *session_id, int64_t user_id,
                          struct pb_error *err)
{
    struct pb_arena arena;
    struct pb_user *user;
    int64_t until_ms;
    int r;

    pb_arena_init(&arena, 64 << 10);
    r = user_of_session(auth, session_id, user_id, &arena, &user, &until_ms, err);
    pb_arena_release(&arena);
    return r;
}
