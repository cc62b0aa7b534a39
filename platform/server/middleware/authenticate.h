/* Who sends this request: the access token in its Authorization header. */
#ifndef PB_SERVER_MIDDLEWARE_AUTHENTICATE_H
#define PB_SERVER_MIDDLEWARE_AUTHENTICATE_H

#include "base/arena.h"
#include "base/error.h"
#include "net/http_server.h"
#include "server/services/auth.h"

/* UNAUTHENTICATED with reason "token_missing" when there is none, else as pb_auth_principal(). */
int pb_authenticate(struct pb_auth *auth, const struct pb_http_exchange *exchange,
                    const char *request_id, struct pb_arena *arena,
                    const struct pb_principal **ret_who, struct pb_error *err) PB_MUST_CHECK;

/* The token behind "Bearer "; NULL when there is none. */
const char *pb_bearer_token(const struct pb_http_exchange *exchange);

#endif
