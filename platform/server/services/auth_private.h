/* What auth.c, auth_session.c and auth_principal.c (whose a token is) share. */
#ifndef PB_SERVER_SERVICES_AUTH_PRIVATE_H
#define PB_SERVER_SERVICES_AUTH_PRIVATE_H

#include <pthread.h>
#include <stdint.h>

#include "base/crypto.h"
#include "server/services/auth.h"

struct pb_db;
struct pb_login_delay;

enum { TICKETS_MAX = 1000, TICKETS_PER_SESSION_MAX = 20, SIGN_INS_MAX = 3, TOKENS_KNOWN_MAX = 512 };

struct ticket {
    uint8_t hash[PB_SHA256_BYTES];
    int64_t expires_at; /* steady ms */
    int64_t user_id;
    enum pb_role role;
    char *username; /* owned; NULL = the place is free */
    char *session_id;
};

/* A token that was found good; see auth_principal.c. */
struct known_token {
    char *token; /* owned, as the other texts; NULL = the place is free */
    size_t len;
    uint64_t generation; /* of people, before it was looked at */
    int64_t until_ms;
    int64_t user_id;
    enum pb_role role;
    char *username;
    char *language; /* NULL = none chosen */
    char *session_id;
};

struct pb_auth {
    struct pb_platform *platform;
    uint8_t signing_key[PB_KEY_BYTES];
    char tag[9]; /* the beginning of the key's hash */
    struct pb_login_delay *delay;
    pthread_mutex_t lock; /* guards what follows */
    unsigned sign_ins;    /* passwords being looked at: each costs memory, time and a thread */
    struct ticket tickets[TICKETS_MAX];
    struct known_token known[TOKENS_KNOWN_MAX];
};

/* 32 random bytes as base64url; NULL past the arena's limit. */
const char *pb_auth_random_text(struct pb_arena *arena);

/* Those that end by then. */
void pb_auth_forget_tokens(struct pb_auth *auth, int64_t wall_ms);

/* Makes a session for somebody who has just proved who they are. */
int pb_auth_sign_in(struct pb_auth *auth, const struct pb_user *user,
                    const struct pb_client_info *client, struct pb_arena *arena,
                    struct pb_signed_in *ret, struct pb_error *err) PB_MUST_CHECK;

int pb_auth_audit(struct pb_db *db, const char *username, const char *action,
                  const struct pb_client_info *client, struct pb_error *err) PB_MUST_CHECK;

#endif
