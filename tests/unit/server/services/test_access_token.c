#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "pb_test.h"
#include "server/services/access_token.h"

static const uint8_t KEY[PB_KEY_BYTES] = {1, 2, 3};
static const uint8_t OTHER[PB_KEY_BYTES] = {3, 2, 1};

static const char *made(struct pb_arena *arena, int64_t expires_at)
{
    struct pb_error err;
    const char *token = NULL;

    pb_arena_init(arena, 64 << 10);
    assert_ok(pb_access_token_sign(KEY,
                                   &(struct pb_access_claims){7, "session-1", 1000, expires_at},
                                   arena, &token, &err),
              &err);
    return token;
}

static void refused(const uint8_t *key, const char *token, int64_t now, const char *reason)
{
    struct pb_access_claims claims;
    struct pb_arena arena;
    struct pb_error err;

    pb_arena_init(&arena, 64 << 10);
    assert_refused(pb_access_token_read(key, token, now, &arena, &claims, &err), &err,
                   PB_ERROR_UNAUTHENTICATED);
    assert_string_equal(err.reason, reason);
    pb_arena_release(&arena);
}

TEST(what_was_signed_is_read)
{
    struct pb_access_claims claims;
    struct pb_arena arena;
    struct pb_error err;
    const char *token = made(&arena, 1600);

    assert_ok(pb_access_token_read(KEY, token, 1599, &arena, &claims, &err), &err);
    assert_int_equal(claims.user_id, 7);
    assert_string_equal(claims.session_id, "session-1");
    assert_int_equal(claims.expires_at, 1600);
    pb_arena_release(&arena);
}

TEST(it_ends_at_its_second)
{
    struct pb_arena arena;
    const char *token = made(&arena, 1600);

    refused(KEY, token, 1600, "token_expired");
    pb_arena_release(&arena);
}

TEST(another_key_does_not_open_it)
{
    struct pb_arena arena;
    const char *token = made(&arena, 1600);

    refused(OTHER, token, 1000, "token_invalid");
    pb_arena_release(&arena);
}

TEST(no_character_of_it_can_be_another)
{
    struct pb_arena arena;
    const char *token = made(&arena, 1600);
    char *bent = pb_arena_text(&arena, token);

    for (size_t i = 0; bent[i]; i++) {
        char before = bent[i];

        bent[i] = before == 'A' ? 'B' : 'A';
        /* The last character of base64 may carry unused bits: ours must still be the one we write. */
        refused(KEY, bent, 1000, "token_invalid");
        bent[i] = before;
    }
    pb_arena_release(&arena);
}

/* Signed with our key, but under a header we never write. */
static void with_header(const char *json)
{
    struct pb_arena arena;
    const char *token = made(&arena, 1600);
    const char *payload = strchr(token, '.');
    const char *end = strchr(payload + 1, '.');
    uint8_t mac[PB_SHA256_BYTES];
    struct pb_buf bent;

    pb_buf_init(&bent, 4096);
    pb_buf_base64url(&bent, json, strlen(json));
    pb_buf_bytes(&bent, payload, (size_t)(end - payload));
    pb_hmac_sha256(KEY, sizeof(KEY), bent.data, bent.len, mac);
    pb_buf_char(&bent, '.');
    pb_buf_base64url(&bent, mac, sizeof(mac));
    refused(KEY, pb_buf_string(&bent), 1000, "token_invalid");
    pb_buf_release(&bent);
    pb_arena_release(&arena);
}

TEST(there_is_one_header_and_no_choice_of_algorithm)
{
    with_header("{\"alg\":\"none\"}");
    with_header("{\"alg\":\"HS256\",\"typ\":\"JWT\"}");
    with_header("{\"alg\":\"HS512\",\"typ\":\"JWT\"}");
    with_header("{\"alg\":\"RS256\",\"jku\":\"http://x\"}");
}

TEST(noise_is_refused)
{
    static const char *const NOISE[] = {"", ".", "..", "a.b", "a.b.c", "a.b.c.d", "\xff.\xff.\xff"};

    for (size_t i = 0; i < COUNT(NOISE); i++)
        refused(KEY, NOISE[i], 0, "token_invalid");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_signed_is_read),
        cmocka_unit_test(it_ends_at_its_second),
        cmocka_unit_test(another_key_does_not_open_it),
        cmocka_unit_test(no_character_of_it_can_be_another),
        cmocka_unit_test(there_is_one_header_and_no_choice_of_algorithm),
        cmocka_unit_test(noise_is_refused),
    };

    pb_crypto_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
