#include <math.h>
#include <string.h>

#include "base/json.h"
#include "pb_test.h"

static struct pb_json *parse(const char *text)
{
    struct pb_error err;
    struct pb_json *root = pb_json_parse(text, strlen(text), &err);

    if (!root)
        fail_msg("%s: %s", text, err.message);
    return root;
}

TEST(members_are_found_with_their_type)
{
    struct pb_json *root =
        parse("{\"t\":\"x\",\"i\":-7,\"d\":1.5,\"b\":true,\"n\":null,\"a\":[1,\"z\"]}");

    assert_string_equal(pb_json_text(root, "t", "-"), "x");
    assert_int_equal(pb_json_int(root, "i", 0), -7);
    assert_true(pb_json_number(root, "d", 0) > 1.4);
    assert_true(pb_json_number(root, "i", 0) < -6.9);
    assert_true(pb_json_bool(root, "b", false));
    assert_true(pb_json_is_null(pb_json_get(root, "n")));
    assert_true(pb_json_is_array(pb_json_get(root, "a")));
    assert_int_equal(pb_json_count(pb_json_get(root, "a")), 2);
    assert_int_equal(pb_json_as_int(pb_json_at(pb_json_get(root, "a"), 0), 0), 1);
    assert_string_equal(pb_json_as_text(pb_json_at(pb_json_get(root, "a"), 1), ""), "z");
    assert_null(pb_json_at(pb_json_get(root, "a"), 2));
    assert_int_equal(pb_json_count(root), 6);
    pb_json_free(root);
}

TEST(what_is_missing_or_of_another_type_is_the_default)
{
    struct pb_json *root = parse("{\"t\":1,\"i\":\"1\",\"b\":0,\"d\":\"1\",\"r\":1.0}");

    assert_string_equal(pb_json_text(root, "t", "-"), "-");
    assert_int_equal(pb_json_int(root, "i", 9), 9);
    assert_int_equal(pb_json_int(root, "r", 9), 9);
    assert_true(pb_json_bool(root, "b", true));
    assert_true(pb_json_number(root, "d", 2) > 1.9);
    assert_string_equal(pb_json_text(root, "gone", "-"), "-");
    assert_null(pb_json_text(NULL, "t", NULL));
    assert_null(pb_json_get(NULL, "t"));
    assert_null(pb_json_get(pb_json_get(root, "t"), "t"));
    assert_false(pb_json_is_null(NULL));
    assert_false(pb_json_is_object(NULL));
    assert_int_equal(pb_json_count(NULL), 0);
    assert_null(pb_json_at(root, 0));
    assert_null(pb_json_next_name(NULL, NULL));
    pb_json_free(root);
    pb_json_free(NULL);
}

TEST(a_needed_member_names_itself_when_it_is_not_there)
{
    struct pb_json *root = parse("{\"t\":1,\"i\":\"1\",\"ok\":\"yes\",\"n\":4}");
    struct pb_error err = {0};
    int64_t value = 5;

    assert_string_equal(pb_json_need_text(root, "ok", &err), "yes");
    assert_ok(pb_json_need_int(root, "n", &value, &err), &err);
    assert_int_equal(value, 4);
    assert_null(pb_json_need_text(root, "t", &err));
    assert_int_equal(err.code, PB_ERROR_INVALID);
    assert_string_equal(err.field, "t");
    assert_null(pb_json_need_text(root, "gone", &err));
    assert_string_equal(err.field, "gone");
    assert_refused(pb_json_need_int(root, "i", &value, &err), &err, PB_ERROR_INVALID);
    assert_string_equal(err.field, "i");
    assert_refused(pb_json_need_int(NULL, "x", &value, &err), &err, PB_ERROR_INVALID);
    assert_int_equal(value, 4);
    pb_json_free(root);
}

TEST(what_is_no_strict_json_is_refused)
{
    static const struct {
        const char *text;
        size_t len; /* 0: strlen */
    } BAD[] = {
        {"", 0},
        {"{", 0},
        {"[1,]", 0},
        {"{\"a\":1,\"a\":2}", 0},
        {"01", 0},
        {"'a'", 0},
        {"{a:1}", 0},
        {"[1] x", 0},
        {"NaN", 0},
        {"1e999", 0},
        {"\"\xff\"", 0},
        {"\"\xed\xa0\x80\"", 0},
        {"\"\\ud800\"", 0},
        {"\"\\u0000\"", 0},
        {"\"a\nb\"", 0},
        {"\"a\0b\"", 5},
        {"[1]\0", 4},
        {"123456789012345678901", 0},
        {"// x\n1", 0},
        {"\"\\", 0},
    };
    struct pb_error err;

    for (size_t i = 0; i < COUNT(BAD); i++) {
        size_t len = BAD[i].len ? BAD[i].len : strlen(BAD[i].text);
        struct pb_json *root = pb_json_parse(BAD[i].text, len, &err);

        if (root)
            fail_msg("accepted: %s", BAD[i].text);
        assert_int_equal(err.code, PB_ERROR_INVALID);
        assert_non_null(strstr(err.message, "line "));
    }
}

static struct pb_json *parse_nested(unsigned depth, struct pb_error *err)
{
    struct pb_json *root;
    struct pb_buf buf;

    pb_buf_init(&buf, 1 << 20);
    for (unsigned i = 0; i < depth; i++)
        pb_buf_text(&buf, i % 2 ? "{\"a\":" : "[");
    pb_buf_text(&buf, "\"[[[[{{{{\\\"[\"");
    for (unsigned i = depth; i-- > 0;)
        pb_buf_char(&buf, i % 2 ? '}' : ']');
    root = pb_json_parse(buf.data, buf.len, err);
    pb_buf_release(&buf);
    return root;
}

TEST(depth_and_number_of_values_are_limited)
{
    struct pb_error err;
    struct pb_buf buf;
    struct pb_json *root = parse_nested(PB_JSON_DEPTH_MAX, &err);

    assert_non_null(root);
    pb_json_free(root);
    assert_null(parse_nested(PB_JSON_DEPTH_MAX + 1, &err));
    assert_int_equal(err.code, PB_ERROR_INVALID);
    pb_buf_init(&buf, 1 << 20);
    pb_buf_char(&buf, '[');
    for (int i = 0; i < 300000; i++)
        pb_buf_text(&buf, i ? ",1" : "1");
    pb_buf_char(&buf, ']');
    assert_null(pb_json_parse(buf.data, buf.len, &err));
    assert_int_equal(err.code, PB_ERROR_TOO_LARGE);
    pb_buf_release(&buf);
}

TEST(names_come_in_the_order_they_were_read)
{
    struct pb_json *root = parse("{\"z\":1,\"a\":{\"y\":[],\"b\":\"\"},\"m\":null}");
    struct pb_buf buf;
    const char *name = pb_json_next_name(root, NULL);

    assert_string_equal(name, "z");
    name = pb_json_next_name(root, name);
    assert_string_equal(name, "a");
    name = pb_json_next_name(root, name);
    assert_string_equal(name, "m");
    assert_null(pb_json_next_name(root, name));
    assert_null(pb_json_next_name(root, "no such name"));
    pb_buf_init(&buf, 1000);
    pb_json_dump(&buf, root);
    assert_string_equal(pb_buf_string(&buf), "{\"z\":1,\"a\":{\"y\":[],\"b\":\"\"},\"m\":null}");
    pb_buf_clear(&buf);
    pb_json_dump(&buf, pb_json_get(pb_json_get(root, "a"), "b"));
    assert_string_equal(pb_buf_string(&buf), "\"\"");
    pb_buf_clear(&buf);
    pb_json_dump(&buf, NULL);
    assert_true(pb_buf_failed(&buf));
    pb_buf_release(&buf);
    pb_json_free(root);
}

TEST(the_writer_places_commas_and_names)
{
    struct pb_json_writer w;
    struct pb_buf buf;

    pb_buf_init(&buf, 1000);
    pb_json_writer_init(&w, &buf);
    pb_json_begin_object(&w, NULL);
    pb_json_put_text(&w, "t", "x");
    pb_json_put_text(&w, "no", NULL);
    pb_json_put_int(&w, "i", INT64_MIN);
    pb_json_begin_array(&w, "a");
    pb_json_put_bool(&w, NULL, true);
    pb_json_put_bool(&w, NULL, false);
    pb_json_begin_object(&w, NULL);
    pb_json_end_object(&w);
    pb_json_begin_array(&w, NULL);
    pb_json_end_array(&w);
    pb_json_end_array(&w);
    pb_json_put_raw(&w, "r", "[1]");
    pb_json_put_time(&w, "at", 1795341967037);
    pb_json_put_time(&w, "never", 0);
    pb_json_end_object(&w);
    assert_false(pb_buf_failed(&buf));
    assert_string_equal(
        pb_buf_string(&buf),
        "{\"t\":\"x\",\"no\":null,\"i\":-9223372036854775808,\"a\":[true,false,{},[]],"
        "\"r\":[1],\"at\":\"2026-11-22T10:06:07.037Z\",\"never\":null}");
    pb_json_free(parse(pb_buf_string(&buf)));
    pb_buf_release(&buf);
}

TEST(numbers_are_short_and_read_back_the_same)
{
    static const struct {
        double value;
        const char *text;
    } CASES[] = {{0.1, "0.1"},
                 {1.0 / 3, "0.33333333333333331"},
                 {12, "12"},
                 {-0.0421, "-0.0421"},
                 {1e300, "1e+300"},
                 {(double)NAN, "null"},
                 {(double)INFINITY, "null"}};
    struct pb_json_writer w;
    struct pb_buf buf;

    pb_buf_init(&buf, 1000);
    for (size_t i = 0; i < COUNT(CASES); i++) {
        pb_buf_clear(&buf);
        pb_json_writer_init(&w, &buf);
        pb_json_put_number(&w, NULL, CASES[i].value);
        assert_string_equal(pb_buf_string(&buf), CASES[i].text);
    }
    pb_buf_release(&buf);
}

TEST(millionths_are_written_as_they_are)
{
    static const struct {
        int64_t value;
        const char *text;
    } CASES[] = {
        {0, "0"},
        {1, "0.000001"},
        {-1, "-0.000001"},
        {100000, "0.1"},
        {1500000, "1.5"},
        {-12034500, "-12.0345"},
        {7000000, "7"},
        {INT64_MAX, "9223372036854.775807"},
        {INT64_MIN, "-9223372036854.775808"},
    };

    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct pb_json_writer w;
        struct pb_buf buf;

        pb_buf_init(&buf, 1000);
        pb_json_writer_init(&w, &buf);
        pb_json_put_millionths(&w, NULL, CASES[i].value);
        assert_string_equal(pb_buf_string(&buf), CASES[i].text);
        pb_buf_release(&buf);
    }
}

TEST(too_deep_or_unbalanced_writing_fails_the_buffer)
{
    struct pb_json_writer w;
    struct pb_buf buf;

    pb_buf_init(&buf, 1000);
    pb_json_writer_init(&w, &buf);
    for (int i = 0; i < PB_JSON_WRITER_DEPTH; i++)
        pb_json_begin_array(&w, NULL);
    assert_false(pb_buf_failed(&buf));
    pb_json_begin_array(&w, NULL);
    assert_true(pb_buf_failed(&buf));
    for (int i = 0; i <= PB_JSON_WRITER_DEPTH; i++)
        pb_json_end_array(&w);
    pb_buf_clear(&buf);
    pb_json_writer_init(&w, &buf);
    pb_json_end_object(&w);
    assert_true(pb_buf_failed(&buf));
    pb_buf_release(&buf);
}

/* One byte after the other, as the rule says it. */
static void expect_byte(struct pb_buf *buf, unsigned char c)
{
    if (c >= 0x80)
        pb_buf_text(buf, "\xef\xbf\xbd");
    else if (strchr("\"\\", c) && c)
        pb_buf_format(buf, "\\%c", c);
    else if (c >= '\b' && c <= '\r' && c != '\v')
        pb_buf_format(buf, "\\%c", "btn?fr"[c - '\b']);
    else if (c < 0x20 || c == 0x7f)
        pb_buf_format(buf, "\\u%04x", c);
    else
        pb_buf_char(buf, (char)c);
}

TEST(a_byte_is_written_the_same_wherever_it_stands)
{
    enum { LEN = 19 };
    struct pb_buf got, expected;

    pb_buf_init(&got, 1000);
    pb_buf_init(&expected, 1000);
    for (int c = 0; c < 256; c++) {
        for (size_t place = 0; place < LEN; place++) {
            char text[LEN];

            memset(text, 'a', sizeof(text));
            text[place] = (char)c;
            pb_buf_clear(&got);
            pb_buf_clear(&expected);
            pb_buf_json_string(&got, text, sizeof(text));
            pb_buf_char(&expected, '"');
            for (size_t i = 0; i < LEN; i++)
                expect_byte(&expected, (unsigned char)text[i]);
            pb_buf_char(&expected, '"');
            assert_string_equal(pb_buf_string(&got), pb_buf_string(&expected));
        }
    }
    pb_buf_release(&got);
    pb_buf_release(&expected);
}

TEST(characters_of_any_length_stay_whole_between_plain_ones)
{
    static const char TEXT[] = "日本語の題名 and plain words, é, 😀\" end";
    struct pb_buf buf;

    pb_buf_init(&buf, 1000);
    for (size_t skip = 0; skip < sizeof("日本語") - 1; skip += 3) {
        pb_buf_clear(&buf);
        pb_buf_json_string(&buf, TEXT + skip, sizeof(TEXT) - 1 - skip);
        assert_non_null(strstr(pb_buf_string(&buf), "語の題名 and plain words, é, 😀\\\" end\""));
    }
    pb_buf_release(&buf);
}

TEST(a_string_that_does_not_fit_fails_its_buffer)
{
    for (size_t max = 0; max < 20; max++) {
        struct pb_buf buf;

        pb_buf_init(&buf, max);
        pb_buf_json_string(&buf, "eighteen bytes\nmore", 19);
        assert_true(pb_buf_failed(&buf));
        assert_true(buf.len <= max);
        pb_buf_char(&buf, 'x');
        pb_buf_text(&buf, "x");
        assert_true(pb_buf_failed(&buf));
        pb_buf_release(&buf);
    }
}

TEST(any_bytes_become_a_string_that_json_reads)
{
    struct pb_buf buf;
    char all[256];
    struct pb_json *root;

    pb_buf_init(&buf, 4000);
    pb_buf_json_string(&buf, "q\" b\\ n\n t\t \x01\x7f ポ \xff|\xe3\x83", 23);
    assert_string_equal(pb_buf_string(&buf), "\"q\\\" b\\\\ n\\n t\\t \\u0001\\u007f ポ "
                                             "\xef\xbf\xbd|\xef\xbf\xbd\xef\xbf\xbd\"");
    for (size_t i = 0; i < sizeof(all); i++)
        all[i] = (char)(i + 1);
    pb_buf_clear(&buf);
    pb_buf_json_string(&buf, all, 255); /* all but NUL, which our reader refuses */
    root = parse(pb_buf_string(&buf));
    assert_true(pb_json_is_text(root));
    pb_json_free(root);
    pb_buf_clear(&buf);
    pb_buf_json_string(&buf, "a\0b", 3);
    assert_string_equal(pb_buf_string(&buf), "\"a\\u0000b\"");
    pb_buf_release(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_found_with_their_type),
        cmocka_unit_test(what_is_missing_or_of_another_type_is_the_default),
        cmocka_unit_test(a_needed_member_names_itself_when_it_is_not_there),
        cmocka_unit_test(what_is_no_strict_json_is_refused),
        cmocka_unit_test(depth_and_number_of_values_are_limited),
        cmocka_unit_test(names_come_in_the_order_they_were_read),
        cmocka_unit_test(the_writer_places_commas_and_names),
        cmocka_unit_test(numbers_are_short_and_read_back_the_same),
        cmocka_unit_test(millionths_are_written_as_they_are),
        cmocka_unit_test(too_deep_or_unbalanced_writing_fails_the_buffer),
        cmocka_unit_test(a_byte_is_written_the_same_wherever_it_stands),
        cmocka_unit_test(characters_of_any_length_stay_whole_between_plain_ones),
        cmocka_unit_test(a_string_that_does_not_fit_fails_its_buffer),
        cmocka_unit_test(any_bytes_become_a_string_that_json_reads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
