#include "server/api/request.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/id.h"
#include "base/text.h"

void pb_request_id(const struct pb_http_exchange *exchange, char ret_id[PB_REQUEST_ID_TEXT])
{
    static const char FIT[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    const char *given = pb_http_header(exchange, "X-Request-Id");
    size_t len = given ? strlen(given) : 0;

    if (len > 0 && len < PB_REQUEST_ID_TEXT && strspn(given, FIT) == len)
        memcpy(ret_id, given, len + 1);
    else
        pb_ulid(ret_id);
}

void pb_request_header(struct pb_request *req, const char *name, const char *value)
{
    if (req->header_count < PB_REQUEST_HEADERS)
        req->headers[req->header_count++] = (struct pb_http_header){name, value};
}

void pb_request_field(struct pb_request *req, const struct pb_error *err)
{
    if (req->field_count < PB_REQUEST_FIELD_ERRORS)
        req->fields[req->field_count++] = *err;
}

int pb_request_fields_fail(struct pb_request *req, struct pb_error *err)
{
    *err = req->fields[0];
    return -1;
}

/* Decodes one name or value of the query; NULL when it is not decodable. */
static char *decoded(struct pb_request *req, const char *text, size_t len)
{
    char *out = pb_arena_alloc(req->arena, len + 1);

    return out && pb_http_decode(text, len, true, out) ? out : NULL;
}

const char *pb_request_query(struct pb_request *req, const char *name)
{
    const char *at = pb_http_query(req->exchange);
    size_t name_len = strlen(name);

    while (*at) {
        size_t len = strcspn(at, "&");
        const char *equals = memchr(at, '=', len);
        size_t key_len = equals ? (size_t)(equals - at) : len;

        /* Our names need no escapes, so an escaped spelling of one is simply another name. */
        if (key_len == name_len && memcmp(at, name, name_len) == 0)
            return equals ? decoded(req, equals + 1, len - key_len - 1) : "";
        at += len;
        if (*at == '&')
            at++;
    }
    return NULL;
}

int pb_request_query_int(struct pb_request *req, const char *name, int64_t low, int64_t high,
                         int64_t otherwise, int64_t *ret_value, struct pb_error *err)
{
    const char *text = pb_request_query(req, name);
    int64_t value = otherwise;

    if (text && !pb_parse_i64(text, low, high, &value))
        return pb_fail_field(err, name, "%s must be a whole number from %lld to %lld", name,
                             (long long)low, (long long)high);
    *ret_value = value;
    return 0;
}

int pb_request_limit(struct pb_request *req, size_t *ret_limit, struct pb_error *err)
{
    int64_t limit;

    if (pb_request_query_int(req, "limit", 1, 200, 50, &limit, err) < 0)
        return -1;
    *ret_limit = (size_t)limit;
    return 0;
}

const char *pb_request_url(struct pb_request *req, const char *text)
{
    size_t len = strlen(text);

    while (len > 0 && text[len - 1] == '/')
        len--;
    return len > 0 ? pb_arena_bytes(req->arena, text, len) : NULL;
}

const char *pb_request_text(struct pb_request *req, const char *fmt, ...)
{
    char text[512];
    const char *copy;
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    copy = pb_arena_text(req->arena, text);
    return copy ? copy : "";
}

void pb_request_client(struct pb_request *req, struct pb_client_info *ret)
{
    const char *agent = pb_http_header(req->exchange, "User-Agent");

    if (agent && !pb_utf8_valid(agent, strlen(agent)))
        agent = NULL; /* it is kept as text */
    *ret = (struct pb_client_info){
        .address = pb_http_peer(req->exchange),
        .user_agent = agent ? agent : "",
        .request_id = req->request_id,
    };
}
