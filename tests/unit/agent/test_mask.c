#include <string.h>

#include "agent/mask.h"
#include "base/text.h"
#include "pb_test.h"

static const char TOKEN[] = "ghp_a/b+c\"d\\e%f&0123456789";

static void assert_masked(struct pb_mask *mask, const char *text, const char *expected)
{
    struct pb_buf buf;

    pb_buf_init(&buf, 1 << 20);
    (void)pb_mask_apply(mask, text, strlen(text), &buf);
    assert_string_equal(pb_buf_string(&buf), expected);
    pb_buf_release(&buf);
}

static struct pb_mask *mask_of(const char *value)
{
    struct pb_error err = {0};
    struct pb_mask *mask = pb_mask_new();

    assert_non_null(mask);
    assert_int_equal(pb_mask_add(mask, value, &err), 0);
    return mask;
}

TEST(a_value_is_blanked_wherever_it_stands)
{
    struct pb_mask *mask = mask_of("s3cret-value");

    assert_masked(mask, "s3cret-value", "***");
    assert_masked(mask, "a s3cret-value b s3cret-value", "a *** b ***");
    assert_masked(mask, "s3cret-values3cret-value", "******");
    assert_masked(mask, "s3cret-valu", "s3cret-valu");
    assert_masked(mask, "", "");
    pb_mask_free(mask);
}

TEST(json_percent_and_hex_shapes_are_blanked)
{
    struct pb_mask *mask = mask_of(TOKEN);

    assert_masked(mask, "\"ghp_a/b+c\\\"d\\\\e%f&0123456789\"", "\"***\"");
    assert_masked(mask, "\"ghp_a\\/b+c\\\"d\\\\e%f&0123456789\"", "\"***\"");
    assert_masked(mask, "?t=ghp_a%2Fb%2Bc%22d%5Ce%25f%260123456789", "?t=***");
    assert_masked(mask, "?t=ghp_a%2fb%2bc%22d%5ce%25f%260123456789", "?t=***");
    assert_masked(mask, "x6768705f612f622b6322645c6525662630313233343536373839", "x***");
    pb_mask_free(mask);
}

TEST(base64_is_found_at_every_alignment)
{
    struct pb_mask *mask = mask_of(TOKEN);

    for (size_t before = 0; before < 6; before++) {
        for (size_t after = 0; after < 4; after++) {
            struct pb_buf plain, encoded;
            pb_buf_init(&plain, 1000);
            pb_buf_init(&encoded, 1000);
            pb_buf_bytes(&plain, "user:x", before);
            pb_buf_text(&plain, TOKEN);
            pb_buf_bytes(&plain, "tail", after);
            pb_buf_base64(&encoded, plain.data, plain.len);
            assert_true(pb_mask_finds(mask, encoded.data, encoded.len));
            pb_buf_clear(&encoded);
            pb_buf_base64url(&encoded, plain.data, plain.len);
            assert_true(pb_mask_finds(mask, encoded.data, encoded.len));
            pb_buf_release(&plain);
            pb_buf_release(&encoded);
        }
    }
    pb_mask_free(mask);
}

TEST(overlapping_values_hide_all_they_cover)
{
    struct pb_error err = {0};
    struct pb_mask *mask = mask_of("abcdefgh");

    assert_int_equal(pb_mask_add(mask, "fghijklm", &err), 0);
    assert_int_equal(pb_mask_add(mask, "abcdef", &err), 0);
    assert_masked(mask, "<abcdefghijklm>", "<***>");
    assert_masked(mask, "<abcdef>", "<***>");
    pb_mask_free(mask);
}

TEST(each_line_of_a_key_is_a_value)
{
    struct pb_mask *mask = mask_of("-----BEGIN KEY-----\nMIIEvQIBADAN\nab\n-----END KEY-----\n");

    assert_masked(mask, "1: MIIEvQIBADAN", "1: ***");
    assert_masked(mask, "ab", "ab");
    pb_mask_free(mask);
}

TEST(short_values_are_left_alone_and_long_ones_refused)
{
    struct pb_error err = {0};
    struct pb_mask *mask = mask_of("12345");
    static char big[PB_MASK_VALUE_MAX + 2];

    assert_masked(mask, "12345", "12345");
    memset(big, 'x', PB_MASK_VALUE_MAX + 1);
    assert_int_equal(pb_mask_add(mask, big, &err), -1);
    assert_int_equal(err.code, PB_ERROR_TOO_LARGE);
    pb_mask_free(mask);
    pb_mask_free(NULL);
}

TEST(no_mask_copies)
{
    assert_masked(NULL, "anything", "anything");
    assert_false(pb_mask_finds(NULL, "anything", 8));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_blanked_wherever_it_stands),
        cmocka_unit_test(json_percent_and_hex_shapes_are_blanked),
        cmocka_unit_test(base64_is_found_at_every_alignment),
        cmocka_unit_test(overlapping_values_hide_all_they_cover),
        cmocka_unit_test(each_line_of_a_key_is_a_value),
        cmocka_unit_test(short_values_are_left_alone_and_long_ones_refused),
        cmocka_unit_test(no_mask_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
