#include "server/services/access_token.h"

#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/text.h"

enum { TOKEN_MAX = 2048, KEY_ID_BYTES = 6 };

/* The header's text, base64url; the same for every token of one key. */
static void put_header(struct pb_buf *buf, const uint8_t key[PB_KEY_BYTES])
{
    uint8_t digest[PB_SHA256_BYTES];
    struct pb_buf text;

    pb_sha256(key, PB_KEY_BYTES, digest);
    pb_buf_init(&text, 256);
    pb_buf_text(&text, "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"");
    pb_buf_base64url(&text, digest, KEY_ID_BYTES);
    pb_buf_text(&text, "\"}");
    pb_buf_base64url(buf, text.data, text.len);
    pb_buf_release(&text);
}

static void put_signature(struct pb_buf *buf, const uint8_t key[PB_KEY_BYTES], const char *data,
                          size_t len)
{
    uint8_t mac[PB_SHA256_BYTES];

    pb_hmac_sha256(key, PB_KEY_BYTES, data, len, mac);
    pb_buf_base64url(buf, mac, sizeof(mac));
}

int pb_access_token_sign(const uint8_t key[PB_KEY_BYTES], const struct pb_access_claims *claims,
                         struct pb_arena *arena, const char **ret_token, struct pb_error *err)
{
    struct pb_json_writer w;
    struct pb_buf signature;
    struct pb_buf payload;
    struct pb_buf token;
    const char *copy;

    pb_buf_init(&payload, TOKEN_MAX);
    pb_buf_init(&token, TOKEN_MAX);
    pb_buf_init(&signature, 64);
    pb_json_writer_init(&w, &payload);
    pb_json_begin_object(&w, NULL);
    pb_json_put_int(&w, "sub", claims->user_id);
    pb_json_put_text(&w, "sid", claims->session_id);
    pb_json_put_int(&w, "iat", claims->issued_at);
    pb_json_put_int(&w, "exp", claims->expires_at);
    pb_json_end_object(&w);
    put_header(&token, key);
    pb_buf_char(&token, '.');
    pb_buf_base64url(&token, payload.data, payload.len);
    put_signature(&signature, key, token.data, token.len);
    pb_buf_char(&token, '.');
    pb_buf_text(&token, pb_buf_string(&signature));
    copy = pb_buf_failed(&token) ? NULL : pb_arena_text(arena, pb_buf_string(&token));
    pb_buf_release(&payload);
    pb_buf_release(&token);
    pb_buf_release(&signature);
    if (!copy)
        return pb_fail(err, PB_ERROR_LIMITED, "token too long");
    *ret_token = copy;
    return 0;
}

static int invalid(struct pb_error *err)
{
    return pb_fail_reason(err, PB_ERROR_UNAUTHENTICATED, "token_invalid",
                          "the access token is not one of ours");
}

static bool is_signed(const uint8_t key[PB_KEY_BYTES], const char *token, const char *signature)
{
    struct pb_buf expected;
    bool ok;

    pb_buf_init(&expected, 64);
    put_signature(&expected, key, token, (size_t)(signature - token) - 1);
    ok = strlen(signature) == expected.len &&
         pb_secret_equal(signature, pb_buf_string(&expected), expected.len);
    pb_buf_release(&expected);
    return ok;
}

static bool has_our_header(const uint8_t key[PB_KEY_BYTES], const char *token, size_t len)
{
    struct pb_buf header;
    bool ok;

    pb_buf_init(&header, 512);
    put_header(&header, key);
    ok = header.len == len && memcmp(token, pb_buf_string(&header), len) == 0;
    pb_buf_release(&header);
    return ok;
}

static int read_claims(const char *payload, size_t len, struct pb_arena *arena,
                       struct pb_access_claims *ret, struct pb_error *err)
{
    struct pb_json *root = NULL;
    struct pb_buf text;
    int r = -1;

    pb_buf_init(&text, TOKEN_MAX);
    if (!pb_buf_unbase64(&text, payload, len))
        goto out;
    root = pb_json_parse(pb_buf_string(&text), text.len, err);
    ret->user_id = pb_json_int(root, "sub", 0);
    ret->issued_at = pb_json_int(root, "iat", 0);
    ret->expires_at = pb_json_int(root, "exp", 0);
    ret->session_id = pb_arena_text(arena, pb_json_text(root, "sid", NULL));
    if (root && ret->session_id)
        r = 0;
out:
    pb_json_free(root);
    pb_buf_release(&text);
    return r < 0 ? invalid(err) : 0;
}

int pb_access_token_read(const uint8_t key[PB_KEY_BYTES], const char *token, int64_t now_s,
                         struct pb_arena *arena, struct pb_access_claims *ret_claims,
                         struct pb_error *err)
{
    const char *payload = strlen(token) < TOKEN_MAX ? strchr(token, '.') : NULL;
    const char *signature = payload ? strchr(payload + 1, '.') : NULL;
    struct pb_access_claims claims;

    if (!signature || !has_our_header(key, token, (size_t)(payload - token)) ||
        !is_signed(key, token, signature + 1))
        return invalid(err);
    if (read_claims(payload + 1, (size_t)(signature - payload) - 1, arena, &claims, err) < 0)
        return -1;
    if (claims.expires_at <= now_s)
        return pb_fail_reason(err, PB_ERROR_UNAUTHENTICATED, "token_expired",
                              "the access token has expired; refresh it");
    *ret_claims = claims;
    return 0;
}
