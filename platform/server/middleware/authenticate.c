#include "server/middleware/authenticate.h"

#include <strings.h>

const char *pb_bearer_token(const struct pb_http_exchange *exchange)
{
    const char *header = pb_http_header(exchange, "Authorization");

    if (!header || strncasecmp(header, "Bearer ", 7) != 0)
        return NULL;
    for (header += 7; *header == ' ';)
        header++;
    return *header ? header : NULL;
}

int pb_authenticate(struct pb_auth *auth, const struct pb_http_exchange *exchange,
                    const char *request_id, struct pb_arena *arena,
                    const struct pb_principal **ret_who, struct pb_error *err)
{
    const char *token = pb_bearer_token(exchange);
    struct pb_principal *who = pb_arena_alloc(arena, sizeof(*who));

    if (!who)
        return pb_fail(err, PB_ERROR_LIMITED, "request too large");
    if (!token)
        return pb_fail_reason(err, PB_ERROR_UNAUTHENTICATED, "token_missing",
                              "this needs an access token");
    if (pb_auth_principal(auth, token, arena, who, err) < 0)
        return -1;
    who->address = pb_http_peer(exchange);
    who->request_id = request_id;
    *ret_who = who;
    return 0;
}
