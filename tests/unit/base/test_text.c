#include <string.h>

#include "base/text.h"
#include "pb_test.h"

TEST(numbers_are_whole_strings_within_bounds)
{
    uint64_t u = 5;
    int64_t i = 5;

    assert_true(pb_parse_u64("18446744073709551615", UINT64_MAX, &u));
    assert_true(u == UINT64_MAX);
    assert_true(pb_parse_i64("-9223372036854775808", INT64_MIN, INT64_MAX, &i));
    assert_true(i == INT64_MIN);
    assert_true(pb_parse_i64("9223372036854775807", INT64_MIN, INT64_MAX, &i));
    assert_true(i == INT64_MAX);
    assert_true(pb_parse_i64("-0", -1, 1, &i));
    assert_int_equal(i, 0);
}

TEST(what_is_no_number_leaves_the_output_alone)
{
    static const char *const BAD[] = {"",
                                      " 1",
                                      "1 ",
                                      "+1",
                                      "0x1",
                                      "1.0",
                                      "1e3",
                                      "--1",
                                      "-",
                                      "18446744073709551616",
                                      "99999999999999999999999",
                                      "101"};
    uint64_t u = 5;
    int64_t i = 5;

    assert_false(pb_parse_u64(NULL, 1, &u));
    assert_false(pb_parse_i64(NULL, 0, 1, &i));
    assert_false(pb_parse_u64("-1", 100, &u));
    for (size_t n = 0; n < COUNT(BAD); n++) {
        assert_false(pb_parse_u64(BAD[n], 100, &u));
        assert_false(pb_parse_i64(BAD[n], -100, 100, &i));
    }
    assert_false(pb_parse_i64("-101", -100, 100, &i));
    assert_false(pb_parse_i64("-9223372036854775809", INT64_MIN, INT64_MAX, &i));
    assert_int_equal(u, 5);
    assert_int_equal(i, 5);
}

TEST(texts_compare)
{
    assert_true(pb_text_equal("a", "a") && !pb_text_equal("a", "A"));
    assert_true(pb_text_equal(NULL, NULL) && !pb_text_equal(NULL, "") && !pb_text_equal("", NULL));
    assert_true(pb_text_equal_nocase("Content-TYPE", "content-type"));
    assert_false(pb_text_equal_nocase("ab", "abc"));
    assert_false(pb_text_equal_nocase("[", "{")); /* only letters have case */
    assert_true(pb_text_starts("abc", "ab") && pb_text_starts("abc", "") &&
                !pb_text_starts("a", "ab"));
    assert_true(pb_text_ends("abc", "bc") && pb_text_ends("abc", "") && !pb_text_ends("c", "bc"));
}

TEST(utf8_is_what_unicode_says_it_is)
{
    static const char *const GOOD[] = {"",
                                       "plain ascii, long enough for the fast way",
                                       "ポッポ",
                                       "\xf4\x8f\xbf\xbf",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "\x7f"};
    static const char *const BAD[] = {
        "\x80",         "\xc0\xaf",         "\xc1\xbf",         "\xe0\x9f\xbf",
        "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
        "\xff",         "\xe3\x83",         "12345678\xe3\x83", "\xe3\x83x",
        "\xc3"};

    for (size_t i = 0; i < COUNT(GOOD); i++)
        assert_true(pb_utf8_valid(GOOD[i], strlen(GOOD[i])));
    for (size_t i = 0; i < COUNT(BAD); i++)
        assert_false(pb_utf8_valid(BAD[i], strlen(BAD[i])));
    assert_true(pb_utf8_valid("a\0b", 3));
}

TEST(a_cut_spares_characters)
{
    const char *text = "aポb"; /* 1 + 3 + 1 bytes */

    assert_int_equal(pb_utf8_cut(text, 5, 5), 5);
    assert_int_equal(pb_utf8_cut(text, 5, 4), 4);
    assert_int_equal(pb_utf8_cut(text, 5, 3), 1);
    assert_int_equal(pb_utf8_cut(text, 5, 2), 1);
    assert_int_equal(pb_utf8_cut(text, 5, 1), 1);
    assert_int_equal(pb_utf8_cut(text, 5, 0), 0);
    assert_int_equal(pb_utf8_cut("\x80\x80\x80\x80\x80\x80", 6, 5), 5);
}

TEST(base64_there_and_back)
{
    static const struct {
        const char *plain, *padded, *url;
    } CASES[] = {
        {"", "", ""},
        {"f", "Zg==", "Zg"},
        {"fo", "Zm8=", "Zm8"},
        {"foo", "Zm9v", "Zm9v"},
        {"\xfb\xff", "+/8=", "-_8"},
        {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
    };

    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct pb_buf buf;

        pb_buf_init(&buf, 100);
        pb_buf_base64(&buf, CASES[i].plain, strlen(CASES[i].plain));
        assert_string_equal(pb_buf_string(&buf), CASES[i].padded);
        pb_buf_clear(&buf);
        pb_buf_base64url(&buf, CASES[i].plain, strlen(CASES[i].plain));
        assert_string_equal(pb_buf_string(&buf), CASES[i].url);
        pb_buf_clear(&buf);
        assert_true(pb_buf_unbase64(&buf, CASES[i].padded, strlen(CASES[i].padded)));
        assert_string_equal(pb_buf_string(&buf), CASES[i].plain);
        pb_buf_clear(&buf);
        assert_true(pb_buf_unbase64(&buf, CASES[i].url, strlen(CASES[i].url)));
        assert_string_equal(pb_buf_string(&buf), CASES[i].plain);
        pb_buf_release(&buf);
    }
}

TEST(what_is_no_base64_adds_nothing)
{
    static const char *const BAD[] = {"Z",    "Zg=",  "Zg===", "Z===",   "=",        "====",
                                      "Zh==", "Zm9=", "Zm 9",  "Zm9v\n", "Zg==Zg==", "Zm9vZ"};
    struct pb_buf buf;

    pb_buf_init(&buf, 100);
    pb_buf_text(&buf, "kept");
    for (size_t i = 0; i < COUNT(BAD); i++) {
        assert_false(pb_buf_unbase64(&buf, BAD[i], strlen(BAD[i])));
        assert_string_equal(pb_buf_string(&buf), "kept");
    }
    pb_buf_release(&buf);
    pb_buf_init(&buf, 2);
    assert_false(pb_buf_unbase64(&buf, "Zm9v", 4)); /* no room is a refusal too */
    pb_buf_release(&buf);
}

TEST(hex_there_and_back)
{
    struct pb_buf buf;
    uint8_t bytes[3] = {1, 2, 3};

    pb_buf_init(&buf, 100);
    pb_buf_hex(&buf, "\x00\xff\x10", 3);
    assert_string_equal(pb_buf_string(&buf), "00ff10");
    assert_true(pb_unhex("00FFa0", bytes, 3));
    assert_memory_equal(bytes, "\x00\xff\xa0", 3);
    assert_false(pb_unhex("00ff1", bytes, 3));
    assert_false(pb_unhex("00ff1000", bytes, 3));
    assert_false(pb_unhex("00ff1g", bytes, 3));
    assert_memory_equal(bytes, "\x00\xff\xa0", 3);
    pb_buf_release(&buf);
    pb_buf_init(&buf, 3);
    pb_buf_hex(&buf, "\x00\xff", 2);
    assert_true(pb_buf_failed(&buf));
    pb_buf_release(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_whole_strings_within_bounds),
        cmocka_unit_test(what_is_no_number_leaves_the_output_alone),
        cmocka_unit_test(texts_compare),
        cmocka_unit_test(utf8_is_what_unicode_says_it_is),
        cmocka_unit_test(a_cut_spares_characters),
        cmocka_unit_test(base64_there_and_back),
        cmocka_unit_test(what_is_no_base64_adds_nothing),
        cmocka_unit_test(hex_there_and_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
