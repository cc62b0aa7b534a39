#include "server/middleware/cookie.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

enum { NAME_TEXT = 64 };

/* Length of the name without its port. */
static size_t name_len(const char *host)
{
    const char *bracket = host[0] == '[' ? strchr(host, ']') : NULL;

    return bracket ? (size_t)(bracket - host) + 1 : strcspn(host, ":");
}

bool pb_host_is_loopback(const char *host)
{
    static const char *const NAMES[] = {"localhost", "127.0.0.1", "[::1]"};
    size_t len = host ? name_len(host) : 0;

    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++)
        if (len == strlen(NAMES[i]) && strncasecmp(host, NAMES[i], len) == 0)
            return true;
    return len > 10 && strncasecmp(host + len - 10, ".localhost", 10) == 0;
}

static bool is_safe(const struct pb_http_exchange *exchange, struct pb_cookie_policy policy)
{
    return policy.is_https || pb_http_is_tls(exchange) ||
           pb_host_is_loopback(pb_http_header(exchange, "Host"));
}

static void make_name(bool safe, const char *tag, char ret_name[NAME_TEXT])
{
    (void)snprintf(ret_name, NAME_TEXT, "%spoppo-%s", safe ? "__Host-" : "", tag);
}

const char *pb_cookie_read(const struct pb_http_exchange *exchange, struct pb_cookie_policy policy,
                           struct pb_arena *arena)
{
    const char *at = pb_http_header(exchange, "Cookie");
    char name[NAME_TEXT];
    size_t len;

    make_name(is_safe(exchange, policy), policy.tag, name);
    len = strlen(name);
    while (at && *at) {
        size_t cookie = strcspn(at, ";");

        if (cookie > len && at[len] == '=' && memcmp(at, name, len) == 0)
            return pb_arena_bytes(arena, at + len + 1, cookie - len - 1);
        at += cookie;
        at += strspn(at, "; ");
    }
    return NULL;
}

int pb_cookie_write(const struct pb_http_exchange *exchange, struct pb_cookie_policy policy,
                    const char *token, int64_t max_age_s, struct pb_arena *arena,
                    const char **ret_header, struct pb_error *err)
{
    bool safe = is_safe(exchange, policy);
    char name[NAME_TEXT];
    const char *header;

    if (!safe && !policy.allow_plain_http)
        return pb_fail_reason(
            err, PB_ERROR_DENIED, "plain_http",
            "signing in over plain HTTP is allowed only on this machine itself; use "
            "HTTPS, or set allow_plain_http");
    make_name(safe, policy.tag, name);
    header = pb_arena_format(arena, "%s=%s; Path=/; HttpOnly; SameSite=Strict%s; Max-Age=%lld",
                             name, token ? token : "", safe ? "; Secure" : "",
                             token ? (long long)max_age_s : 0LL);
    if (!header)
        return pb_fail(err, PB_ERROR_LIMITED, "request too large");
    *ret_header = header;
    return 0;
}

/* "http://HOST" or "https://HOST" against the Host header. */
static bool is_own_origin(const char *origin, const char *host)
{
    const char *rest = strstr(origin, "://");

    return rest && host && pb_text_equal_nocase(rest + 3, host);
}

int pb_cookie_check_origin(const struct pb_http_exchange *exchange, struct pb_error *err)
{
    const char *site = pb_http_header(exchange, "Sec-Fetch-Site");
    const char *origin = pb_http_header(exchange, "Origin");
    bool ok = true;

    if (site)
        ok = strcmp(site, "same-origin") == 0 || strcmp(site, "none") == 0;
    if (ok && origin)
        ok = is_own_origin(origin, pb_http_header(exchange, "Host"));
    if (!ok)
        return pb_fail_reason(err, PB_ERROR_DENIED, "cross_site",
                              "this request came from another site's page");
    return 0;
}
