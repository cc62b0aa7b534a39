/*
 * Access tokens: JWT with exactly one header that we ever write or read
 * (HS256, our key id), so there is no algorithm to choose and nothing to
 * confuse. They name a session and live ten minutes; whether the session
 * still stands is asked from its row.
 */
#ifndef PB_SERVER_SERVICES_ACCESS_TOKEN_H
#define PB_SERVER_SERVICES_ACCESS_TOKEN_H

#include <stdint.h>

#include "base/arena.h"
#include "base/crypto.h"
#include "base/error.h"

struct pb_access_claims {
    int64_t user_id;
    const char *session_id;
    int64_t issued_at; /* seconds since 1970 */
    int64_t expires_at;
};

int pb_access_token_sign(const uint8_t key[PB_KEY_BYTES], const struct pb_access_claims *claims,
                         struct pb_arena *arena, const char **ret_token,
                         struct pb_error *err) PB_MUST_CHECK;

/* UNAUTHENTICATED with reason "token_invalid" or "token_expired". */
int pb_access_token_read(const uint8_t key[PB_KEY_BYTES], const char *token, int64_t now_s,
                         struct pb_arena *arena, struct pb_access_claims *ret_claims,
                         struct pb_error *err) PB_MUST_CHECK;

#endif
