/*
 * Tokens that were looked at lately, and whose they are, so that a person's next request costs no signature
 * and no look into the database. What is remembered holds for as long as the generation of users and
 * sessions stays, and no longer than the token and its session.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "server/services/auth_private.h"
#include "server/services/platform.h"
#include "server/store/store.h"

static void forget(struct known_token *known)
{
    pb_wipe_free(known->token);
    free(known->username);
    free(known->language);
    free(known->session_id);
    memset(known, 0, sizeof(*known));
}

void pb_auth_forget_all(struct pb_auth *auth)
{
    for (size_t i = 0; i < TOKENS_KNOWN_MAX; i++)
        forget(&auth->known[i]);
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

bool pb_auth_recall(struct pb_auth *auth, const char *token, struct pb_arena *arena,
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

void pb_auth_remember(struct pb_auth *auth, const char *token, uint64_t generation,
                      int64_t until_ms, const struct pb_principal *who)
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
