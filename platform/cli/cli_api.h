/*
 * The platform's HTTP API as the signed-in person. The session file says where
 * and as whom; an access token that has run out is replaced on the way, once
 * per call. Answers of 2xx are success, everything else is an error that has
 * the problem document's code as its reason and says so in the reader's language.
 *
 * UNREACHABLE with reason "platform_unreachable" or "not_a_platform": nothing
 * that speaks our API answered there.
 */
#ifndef PB_CLI_CLI_API_H
#define PB_CLI_CLI_API_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"
#include "net/http_client.h"

struct pb_cli_api;

struct pb_cli_api *pb_cli_api_open(struct pb_error *err) PB_MUST_CHECK;
void pb_cli_api_close(struct pb_cli_api *api); /* NULL is fine */

/* Signs in at `url` and keeps the session. */
int pb_cli_api_login(struct pb_cli_api *api, const char *url, const char *username,
                     const char *password, struct pb_error *err) PB_MUST_CHECK;
/* Forgets the session here, then ends it there; not being signed in is success. */
int pb_cli_api_logout(struct pb_cli_api *api, struct pb_error *err) PB_MUST_CHECK;

/* path: with its query; body: JSON or NULL. Answers live in the arena. */
int pb_cli_api_call(struct pb_cli_api *api, const char *method, const char *path, const char *body,
                    struct pb_arena *arena, struct pb_http_answer *ret_answer,
                    struct pb_error *err) PB_MUST_CHECK;
/* The answer's JSON, to be freed; "not_a_platform" when it is none. */
struct pb_json *pb_cli_api_json(const struct pb_http_answer *answer,
                                struct pb_error *err) PB_MUST_CHECK;

/* "http://localhost:3000/" → the address as we keep it. INVALID "usage" when it is none; DENIED "plain_http" for
 * http to another machine, unless allowed. */
int pb_cli_url_read(const char *text, bool allow_plain_http, struct pb_buf *ret_url,
                    struct pb_error *err) PB_MUST_CHECK;
/* One path segment or query value. */
void pb_cli_put_encoded(struct pb_buf *buf, const char *text);

#endif
