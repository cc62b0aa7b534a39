/*
 * The refresh cookie. HttpOnly, SameSite=Strict, Path=/. On TLS (ours, or a
 * proxy's when base_url says https) or on a loopback name it is
 * `__Host-poppo-TAG` and Secure; plain HTTP by another name
 * needs the setting allow_plain_http and then uses `poppo-TAG` without Secure
 * (browsers drop `__Host-` and Secure cookies there). TAG is the installation's
 * own: browsers keep cookies by host name without the port, so two platforms on
 * one host would sign each other's people out.
 */
#ifndef PB_SERVER_MIDDLEWARE_COOKIE_H
#define PB_SERVER_MIDDLEWARE_COOKIE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "net/http_server.h"

struct pb_cookie_policy {
    bool is_https; /* people reach us over TLS, whoever speaks it */
    bool allow_plain_http;
    const char *tag; /* what makes the name this installation's own */
};

/* NULL when the browser sent none. */
const char *pb_cookie_read(const struct pb_http_exchange *exchange, struct pb_cookie_policy policy,
                           struct pb_arena *arena);

/* The Set-Cookie value; token NULL removes it. DENIED with reason "plain_http" where it would not be safe. */
int pb_cookie_write(const struct pb_http_exchange *exchange, struct pb_cookie_policy policy,
                    const char *token, int64_t max_age_s, struct pb_arena *arena,
                    const char **ret_header, struct pb_error *err) PB_MUST_CHECK;

/* Requests that the cookie alone allows must come from our own pages: Sec-Fetch-Site same-origin or none, or
 * an Origin that is our Host. A client that sends neither is no browser. DENIED with reason "cross_site". */
int pb_cookie_check_origin(const struct pb_http_exchange *exchange,
                           struct pb_error *err) PB_MUST_CHECK;

/* Is this Host header ("localhost:3000", "[::1]") a loopback name? */
bool pb_host_is_loopback(const char *host);

#endif
