#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/text.h"
#include "pb_test.h"

static const uint8_t KEY[PB_KEY_BYTES] = "0123456789abcdef0123456789abcde";

TEST(hashes_match_the_published_vectors)
{
    char hex[PB_SHA256_TEXT];
    uint8_t digest[PB_SHA256_BYTES];
    uint8_t expected[PB_SHA256_BYTES];
    uint8_t key[20];

    pb_sha256_text("abc", 3, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    pb_sha256_text("", 0, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    memset(key, 0x0b, sizeof(key)); /* RFC 4231, case 1 */
    pb_hmac_sha256(key, sizeof(key), "Hi There", 8, digest);
    assert_true(pb_unhex("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
                         expected, sizeof(expected)));
    assert_memory_equal(digest, expected, sizeof(digest));
    pb_hmac_sha256(NULL, 0, NULL, 0, digest);
    assert_true(pb_unhex("b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad",
                         expected, sizeof(expected)));
    assert_memory_equal(digest, expected, sizeof(digest));
}

TEST(random_bytes_differ)
{
    uint8_t a[64] = {0};
    uint8_t b[64] = {0};

    pb_random(a, sizeof(a));
    pb_random(b, sizeof(b));
    assert_false(pb_secret_equal(a, b, sizeof(a)));
    assert_true(pb_secret_equal(a, a, sizeof(a)));
}

TEST(wiping_leaves_zeros)
{
    char secret[16] = "hunter2";
    char zeros[16] = {0};

    pb_wipe(secret, sizeof(secret));
    assert_memory_equal(secret, zeros, sizeof(secret));
    pb_wipe(NULL, 0);
    pb_wipe_free(NULL);
    pb_wipe_free(strdup("x"));
}

TEST(what_is_sealed_can_be_unsealed)
{
    static const size_t SIZES[] = {0, 1, 15, 16, 17, 1000, 100000};
    struct pb_error err;

    for (size_t i = 0; i < COUNT(SIZES); i++) {
        char *plain = calloc(1, SIZES[i] + 1);
        struct pb_buf sealed;
        struct pb_buf back;

        pb_random(plain, SIZES[i]);
        pb_buf_init(&sealed, 1 << 20);
        pb_buf_init(&back, 1 << 20);
        pb_buf_text(&back, "before");
        assert_ok(pb_seal(KEY, "name", 4, plain, SIZES[i], &sealed, &err), &err);
        assert_int_equal(sealed.len, SIZES[i] + PB_SEAL_OVERHEAD);
        assert_ok(pb_unseal(KEY, "name", 4, sealed.data, sealed.len, &back, &err), &err);
        assert_int_equal(back.len, SIZES[i] + 6);
        assert_memory_equal(back.data + 6, plain, SIZES[i]);
        pb_buf_release(&sealed);
        pb_buf_release(&back);
        free(plain);
    }
}

TEST(the_same_value_is_never_sealed_to_the_same_bytes)
{
    struct pb_error err;
    struct pb_buf sealed;

    pb_buf_init(&sealed, 1000);
    assert_ok(pb_seal(KEY, NULL, 0, "x", 1, &sealed, &err), &err);
    assert_ok(pb_seal(KEY, NULL, 0, "x", 1, &sealed, &err), &err);
    assert_memory_not_equal(sealed.data, sealed.data + sealed.len / 2, 12);
    pb_buf_release(&sealed);
}

static void assert_denied(const uint8_t *key, const char *aad, const struct pb_buf *sealed,
                          size_t len)
{
    struct pb_error err;
    struct pb_buf back;

    pb_buf_init(&back, 1000);
    pb_buf_text(&back, "kept");
    assert_refused(pb_unseal(key, aad, strlen(aad), sealed->data, len, &back, &err), &err,
                   PB_ERROR_DENIED);
    assert_string_equal(pb_buf_string(&back), "kept");
    pb_buf_release(&back);
}

TEST(another_key_name_length_or_bit_is_denied)
{
    uint8_t other[PB_KEY_BYTES];
    struct pb_error err;
    struct pb_buf sealed;

    memcpy(other, KEY, sizeof(other));
    other[31] ^= 1;
    pb_buf_init(&sealed, 1000);
    assert_ok(pb_seal(KEY, "a/token", 7, "hunter2", 7, &sealed, &err), &err);
    assert_denied(other, "a/token", &sealed, sealed.len);
    assert_denied(KEY, "b/token", &sealed, sealed.len);
    assert_denied(KEY, "", &sealed, sealed.len);
    for (size_t len = 0; len < sealed.len; len++)
        assert_denied(KEY, "a/token", &sealed, len);
    for (size_t bit = 0; bit < sealed.len * 8; bit++) {
        sealed.data[bit / 8] ^= (char)(1 << bit % 8);
        assert_denied(KEY, "a/token", &sealed, sealed.len);
        sealed.data[bit / 8] ^= (char)(1 << bit % 8);
    }
    pb_buf_release(&sealed);
}

TEST(a_buffer_without_room_is_too_large_not_half_filled)
{
    struct pb_error err;
    struct pb_buf sealed;
    struct pb_buf small;

    pb_buf_init(&sealed, 100);
    pb_buf_init(&small, 5);
    assert_refused(pb_seal(KEY, NULL, 0, "123456", 6, &small, &err), &err, PB_ERROR_TOO_LARGE);
    pb_buf_clear(&small);
    assert_ok(pb_seal(KEY, NULL, 0, "123456", 6, &sealed, &err), &err);
    assert_refused(pb_unseal(KEY, NULL, 0, sealed.data, sealed.len, &small, &err), &err,
                   PB_ERROR_TOO_LARGE);
    assert_int_equal(small.len, 0);
    pb_buf_release(&sealed);
    pb_buf_release(&small);
}

TEST(a_password_verifies_against_its_hash_only)
{
    char hash[PB_PASSWORD_HASH_TEXT];
    char again[PB_PASSWORD_HASH_TEXT];
    struct pb_error err;

    assert_ok(pb_password_hash("correct horse", hash, &err), &err);
    assert_ok(pb_password_hash("correct horse", again, &err), &err);
    assert_int_equal(strncmp(hash, "$argon2id$v=19$m=19456,t=2,p=1$", 31), 0);
    assert_string_not_equal(hash, again);
    assert_true(pb_password_verify("correct horse", hash));
    assert_false(pb_password_verify("correct hors", hash));
    assert_false(pb_password_verify("", hash));
    assert_false(pb_password_verify("correct horse", NULL));
    assert_false(pb_password_verify("correct horse", ""));
    assert_false(pb_password_verify("correct horse", "$argon2id$garbage"));
}

TEST(a_password_of_a_thousand_pages_is_refused)
{
    char hash[PB_PASSWORD_HASH_TEXT] = "untouched";
    char password[1026];
    struct pb_error err;

    memset(password, 'x', sizeof(password) - 1);
    password[sizeof(password) - 1] = '\0';
    assert_refused(pb_password_hash(password, hash, &err), &err, PB_ERROR_INVALID);
    assert_string_equal(err.field, "password");
    assert_string_equal(hash, "untouched");
    assert_false(pb_password_verify(password, NULL));
}

static void *verify_nobody(void *arg)
{
    *(bool *)arg = pb_password_verify("anything", NULL);
    return NULL;
}

TEST(more_than_two_wait_their_turn_and_all_get_one)
{
    pthread_t threads[6];
    bool verified[6] = {true, true, true, true, true, true};

    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, verify_nobody, &verified[i]), 0);
    for (size_t i = 0; i < COUNT(threads); i++) {
        (void)pthread_join(threads[i], NULL);
        assert_false(verified[i]);
    }
}

/* Made for this test: openssl genrsa 2048 */
static const char RSA_KEY[] = "-----BEGIN PRIVATE KEY-----\n"
                              "MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQCZKfmeEgvF+Kri\n"
                              "uba6VOE8OSMeJ8zVr9afWYcz/BuoNTBq3tz3tEs6dS3kf6s7ONbJg9hE+tZIF0Zb\n"
                              "ATz1FVJkse9S0D6FJp6PST7JINaNKJED2A2orj7KrGmcgggghv9s3bW/fDKNwS6Z\n"
                              "KGsUb752jM64VTT1w2sWSCGmSFsM5ukHZXKgk01rcBAYYQPV4TopVIzaDOdKJCR1\n"
                              "JRxuw2GPUzMZxUPwNxMIzTLnglFx03wYuw2livNxfYBTdiiaRiABeaBqcfciQ1qN\n"
                              "0oZ9NXaQc0MBzOe1QBNpXdnWg5d0tmjlaWCnk5lS2+agQ79CLyBO4JOD5T/MDUfX\n"
                              "q7Rn1xOzAgMBAAECggEANcmW3psJxWlRYbPEZuU9/+801Pc3KOfKYEWJhIkJkWW0\n"
                              "biN7yAVp0cqq5i6rjG2miDgj7/2C2OhLjdP+ezcUq0YNfLCi9BGe50TaprlAf2v6\n"
                              "mTX7ffxLEtO/dvX3Mq0V8D5gADH2cu+flKusBw5C/dDvG67YnWIWLkoAfyuzxfCZ\n"
                              "z8Sa4ahYEt9U3GPo1jP2Cf3Ot2+zbBJdWM8F0bIzlKJciMooZkBtv7d9Dy6+Wooi\n"
                              "fe+kU89w+xE6BPF+7vux1AEw8LLAoiqyM22W5iZ0RZ5kJflDRFeNGYUw9w4QqLwi\n"
                              "orWuFiIYBN9p1J9Ri34BNwXxipkTbK2fwOt6sKZWKQKBgQDYVRCt6h4ggD/Am27g\n"
                              "01rNUktmHSQkZZzmv2aqDhXA/NOz/WOSxy+K0G9CW/2LJxzFbKsOHwYNTjpECqL0\n"
                              "OyFZb3OjllUrJdOXIuUFS6SXLCSmvbcgpeclNMFkIX0VI9kNqx63sFUXXIVkvYAk\n"
                              "X8wRebFoARQUj7SRa4F5ZNURdwKBgQC1P7O99UG2JJog1y388fFTzV8UxXJ6neYB\n"
                              "gmUtILsYJfVsMEunqBG1tl4hlzvKF8OduNdvEE32wuDC0URwnt9bpYiB87eEPhIf\n"
                              "0+NvPmMS5C7SrS71MTJ+t5J/yDC5hb8ekyEEYM/xCejvq9M1f6bHdHpBm1NgaEKj\n"
                              "r15eg/g+pQKBgQDE4G2kiQtP8seSRyKaU18wurNJxD2PLjajvQ72tojPsIgOJw2G\n"
                              "l+XJhDWtA8Dz8e16MpJd8Jf2Zfoa0D9K28FW/loUR41NDkjJJAWfUx8AQTk90iwl\n"
                              "9zYsIx3ZPazzH0O677+t1jkqYJY5f0huUgyK3uA4Ubrvl3TyXw9e5ggOswKBgQCe\n"
                              "mIktFOhU+x4q0l8ZUJO8op4qTMNpa7URaQojPNq5vK1N58yrfbNRb6xadD0LD1RK\n"
                              "NK2+L2QpIkkN75OVgE8toGEcZSgV/UJau0vt0YdbxnL6QjQutMfcfcEhMwj/rXqY\n"
                              "xGFFtXj/D47V+WItE+/Z45/+vG1ulIyLMi6/QXb9SQKBgG0F1Ikh+lnrV3QIAr/0\n"
                              "xytHBPHsd9fUBvvik7RUjUZeRRRHApTLYhiO2lNJITJDiG03mIpavPy+2bHKBT/p\n"
                              "ytJKBFeCb86aWzuXG5nxrkgJfnDDqlogDCRUN0yP/39yYW0I9TLnLAaD8THeOR71\n"
                              "Av3Pi2xXRuo7Xl3b2ASxNVU3\n"
                              "-----END PRIVATE KEY-----\n";
static const char WEAK_RSA_KEY[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIICeAIBADANBgkqhkiG9w0BAQEFAASCAmIwggJeAgEAAoGBALMyb6we3RZjBg4f\n"
    "pcTUN+KvWzLhG398n56foaqpXmw2oB/qBafuVxQ/582ICdgCSfjtIp/untlEzjvO\n"
    "0BBq/z+xOuU13Yc1glHfAFIIejKV6RcdnFLQYKO29M0NmGlvLtG3xrlWr8dT4mgc\n"
    "0k+0ZZ613VFOB2bUgAFEwkpubsPfAgMBAAECgYBuXTLP9BZAUm6JRk6HIhjlQRDP\n"
    "DjssUmnQfQpJnJRt21rVLQGcwrrY2t7+A7nkUsySRiJcE8+7ipfl1+LnKa7X2IrO\n"
    "F1072GKem2gd+bm9mn8udfDTOpESiawxfDhevBeSy3+KjsqBH9IIsD4bligUujgR\n"
    "8eFti1aGOwEB/KhJOQJBANkavntZKpOS5KLsGXoV/Hl2wVnMrnMFAZl3ZsxowxFn\n"
    "kfnyJ/pugCbIUQbKV/zE10Yb48ENGJOm19FPVNetbKMCQQDTTRvc51jV+ngMYrTL\n"
    "AGrT93ASk3oAQvxh6FAfi/bjFPHS/JG541jU28dfW34KzhCYPzxO68J/w89FUae8\n"
    "zuOVAkEAsom60edfCyNG4PC2dt7z1NOjZ/zaDX61dQZrRHh2yq5YrqrE077hpoMf\n"
    "lyz5tMYPnvk6kDz71Bjl7JyH0iItbwJBAK+J9qTNORsC6qp3cfTXkugnPt7fz9HZ\n"
    "1GvOIIokr+U06DU8iB/ixFCJiRcqHgsB5/1jQ0nZSIr19AKFdJFBWwUCQQCWGt2f\n"
    "GFIiE1y2xxsSPVNn+/MX66luBeTIJTIv4sjHGXRdBws015I6A7TYa/27e+wmUVrk\n"
    "kITvUNgfUIsN09Wl\n"
    "-----END PRIVATE KEY-----\n";
static const char EC_KEY[] = "-----BEGIN EC PRIVATE KEY-----\n"
                             "MHcCAQEEII6r8Tt2lpeJSTmHChk8V/Rk9GGzfoEcP3EyGGXhLikKoAoGCCqGSM49\n"
                             "AwEHoUQDQgAE7l1aU2xw2NZyx/pr1lseboz7gn7+R2GuFiDLB+pS7hyMki72Ab33\n"
                             "G6KAW5V5XKPCE5DI0f3A4SRlI3mWYvDP8A==\n"
                             "-----END EC PRIVATE KEY-----\n";
static const char LOCKED_KEY[] =
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
    "MIIFLTBXBgkqhkiG9w0BBQ0wSjApBgkqhkiG9w0BBQwwHAQIHaS5OZoHq9cCAggA\n"
    "MAwGCCqGSIb3DQIJBQAwHQYJYIZIAWUDBAECBBAAC60c8OKlVuMydZ5CsnQPBIIE\n"
    "0AwqmLlbWumelpB/69nGeWlZ1mfvLb0Pk6Sc8Lj375IpYPUNl8StlRXBSdrk71Na\n"
    "ynmuYZVkKzbhnDrxYSE+n0NkPK5JESPDpvdHNz1RN3xn1cc3g5rFaX5cDE3wFQKi\n"
    "cL9cKJXpYgmIIMsNTFT+GN9OXN/cegqsVHwWr7j3ZVbLvYyaLpp5/U65qLAkF7nQ\n"
    "F+T8NXR58XqBzzYXGb+z7v+G7tSluiLuGal/LsHkjBUXGEdIOI1kIbh4Zkm6K3dv\n"
    "vXYDzgh7+89XtUKO6RJUyV7L3gxJi4B9tVq6SF7fxZZFIMEJijDgSzTu9Xa+CjOW\n"
    "RABa6Ci8R22xzKF/9ySlpHARJf5WtIQm5RB1ZrQQVIE21tNNgeqxFZdofP8Ez7S4\n"
    "pOoCORVxycT43CF6ZI6qfTikTF4CkP4IXd+alqf17gsqs6AnKDCD0CuSYRVYkGbZ\n"
    "yXYwngxNOH0CLjp1rz+Wl/2DxSZpEfiVHXbTEshUd0QirVUye9M9OXY/hSbDLpXs\n"
    "3Y2IQR1VXEt7fBFAMNpLzjzkPhGgq+ek0L++rF+NwkR2w0eR+saTSRATVf+swk/U\n"
    "xmMG1yOeGz1VN6N6LnCTPe8ZSmBhUVahwCmvtD/diEcevr7AULvIddv8KOas4ibf\n"
    "gt+7SUo71B74ardLZXERP4GZRoiA6s2BZEnAsML5klH5ZYn5u7w/Ditw0v2n9YPG\n"
    "Esc/5eWmwKE94xDfjKyvfqOCa2fQkTg3unEs28Rr9oHOSLxNCWsazwc+vIdSDDBD\n"
    "tIgWRAYeYZ3BRVKjd61iSq3w+jcDFuEw6R1udOPGnyxVpX0Rj47P1w38IQ2rifV/\n"
    "9Q6rKx2dqRkCct12A3aOxtIvivGUMlMk+8W8cLiDk8DEE+omdLkrrSAjNArWwRcL\n"
    "b25hNzRqTaTVVnsIpwhOHb19ARDmRPaa8ZD30dMEoigQDzHA96xUtTCjhJOPngt8\n"
    "3qU1l9Vdlt6cT7NoktCrB3lkQP1V+u9dJly2Fyf8gt3iRozivi88mm4InKLJ4edu\n"
    "jsTxaY7ODFuqz7IGeZy9dX2lzkUinxlIx6KaT1Jvw0LD7xMpDEFbCJZ+9uLdBEx/\n"
    "XMcPWj2TLx2vX7STLg/2u5CfnzjTE05GPgL3MDzWa257x0i6lYw1+gAe2YLq24Ng\n"
    "ZYg2wZ2k7jZZsZRvKeVWhlkX3Sql7enr1zvQXBbihRdfj4CD+IOfYpMj8bRpPXV0\n"
    "fAv0lDyGwwgGBqwLhdQXPUEpSYR/30MPdQjBQqBj1LbNTla95+hniaRIqTTRDNYw\n"
    "AC6qocCa0StGRjYFsTbQ+JQ5yMqWyOM3NQJrTv8u7ZnqX9ImDJHtBTH6RnQTybeA\n"
    "5gppO+xYuMyvthpH7/WITBY3KFQjyFvm7FIvH0ytT3a5iHJ/y8W3bZSKhmTqsm66\n"
    "NEHMUvEeci3x0TUF0PVpK/I2r7sIDzOh+36ZmZW+FXhHUblbFGncmUDHaJ2r34+Z\n"
    "CIafiLDjYX5isHrGvzhg/zD+vnArnVpVQzfNmsFY1cjOTC0fq0499fXo/ffXwWTo\n"
    "9UkmZwdoqZtL0eSvfq1MwO2qO+GqyY83uR0GhKfoaWES+eiQAOvdbMYTdXXuFdwj\n"
    "r2oQEAYQY1P2ayeZUl0ayaNbJ/1SvaAhKn64Y8PsrA1e\n"
    "-----END ENCRYPTED PRIVATE KEY-----\n";
/* openssl dgst -sha256 -sign */
static const char SIGNATURE[] = "6f822fb1910279513bfdcb29c3260ff9f041cc0dfe9a6111118bd077dbd473ef"
                                "d5709cd0cf71b6fd8a9d588d38744131633ee38f76a750994a93a97ddc4d314c"
                                "6785199e4c26ae19608b748b17d56ee6ea5143532cfe56b732dc8ecf03b5bb97"
                                "c145792c8b48922cb599b7a5f9166f6a678b31d86c18fe1bb858c525325af7a5"
                                "27e39f404751ecd6bb5b5853ad0e85a1fb0ef1438c54e81c4a3612f7126b57df"
                                "25017719fa65210608855ffd34b747a5f114e8ea2dca2fa2d93512c2d032ce80"
                                "322b4bee9a46ff2da21c27432f337d6ed4d2abd04b4e2c17b7459de76375158a"
                                "80035f9828c9e1b50a0fef228d9c74f8129ab7695936607a3ddd8eada4302036";

TEST(rs256_signatures_are_those_openssl_makes)
{
    struct pb_error err;
    struct pb_buf signature;
    struct pb_buf hex;

    pb_buf_init(&signature, 1000);
    pb_buf_init(&hex, 1000);
    assert_ok(pb_sign_rs256(RSA_KEY, strlen(RSA_KEY), "head.body", 9, &signature, &err), &err);
    pb_buf_hex(&hex, signature.data, signature.len);
    assert_string_equal(pb_buf_string(&hex), SIGNATURE);
    pb_buf_release(&signature);
    pb_buf_release(&hex);
}

TEST(keys_that_are_not_plain_strong_rsa_are_refused)
{
    static const char *const BAD[] = {"", "no pem", WEAK_RSA_KEY, EC_KEY, LOCKED_KEY};
    struct pb_error err;
    struct pb_buf signature;

    pb_buf_init(&signature, 1000);
    for (size_t i = 0; i < COUNT(BAD); i++)
        assert_refused(pb_sign_rs256(BAD[i], strlen(BAD[i]), "x", 1, &signature, &err), &err,
                       PB_ERROR_INVALID);
    assert_int_equal(signature.len, 0);
    pb_buf_release(&signature);
    pb_buf_init(&signature, 10);
    assert_refused(pb_sign_rs256(RSA_KEY, strlen(RSA_KEY), "x", 1, &signature, &err), &err,
                   PB_ERROR_TOO_LARGE);
    pb_buf_release(&signature);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_match_the_published_vectors),
        cmocka_unit_test(random_bytes_differ),
        cmocka_unit_test(wiping_leaves_zeros),
        cmocka_unit_test(what_is_sealed_can_be_unsealed),
        cmocka_unit_test(the_same_value_is_never_sealed_to_the_same_bytes),
        cmocka_unit_test(another_key_name_length_or_bit_is_denied),
        cmocka_unit_test(a_buffer_without_room_is_too_large_not_half_filled),
        cmocka_unit_test(a_password_verifies_against_its_hash_only),
        cmocka_unit_test(a_password_of_a_thousand_pages_is_refused),
        cmocka_unit_test(more_than_two_wait_their_turn_and_all_get_one),
        cmocka_unit_test(rs256_signatures_are_those_openssl_makes),
        cmocka_unit_test(keys_that_are_not_plain_strong_rsa_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
