#include <string.h>

#include "cli/cli_text.h"
#include "pb_test.h"

static void assert_clean(const char *text, bool colours, const char *expected)
{
    struct pb_buf buf;

    pb_buf_init(&buf, 4096);
    pb_cli_put_clean(&buf, text, strlen(text), colours);
    assert_string_equal(pb_buf_string(&buf), expected);
    pb_buf_release(&buf);
}

static void assert_cut(const char *text, size_t columns, const char *expected)
{
    struct pb_buf buf;

    pb_buf_init(&buf, 4096);
    pb_cli_put_cut(&buf, text, columns);
    assert_string_equal(pb_buf_string(&buf), expected);
    assert_true(pb_cli_width(pb_buf_string(&buf)) <= columns);
    pb_buf_release(&buf);
}

TEST(full_width_characters_take_two_columns)
{
    assert_int_equal(pb_cli_width(""), 0);
    assert_int_equal(pb_cli_width("abc"), 3);
    assert_int_equal(pb_cli_width("日本語"), 6);
    assert_int_equal(pb_cli_width("ｱｲｳ"), 3);
    assert_int_equal(pb_cli_width("実行#7"), 6);
    assert_int_equal(pb_cli_width("e\xcc\x81"), 1); /* a combining accent takes none */
    assert_int_equal(pb_cli_width("\xff"), 1);
}

TEST(nothing_can_drive_the_terminal)
{
    assert_clean("a\x1b[2Jb", false, "ab");
    assert_clean("a\x1b]0;title\ab", false, "ab");
    assert_clean("a\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\b", false, "alinkb");
    assert_clean("a\x1b"
                 "cb",
                 false, "ab");
    assert_clean("a\r\b\x07\x7f\nb", false, "ab");
    assert_clean("a\xc2\x9b"
                 "2Jb",
                 false, "a2Jb"); /* C1 CSI */
    assert_clean("a\xe2\x80\xae"
                 "b",
                 false, "ab"); /* right-to-left override */
    assert_clean("unfinished\x1b[31", false, "unfinished");
    assert_clean("unfinished\x1b", false, "unfinished");
    assert_clean("unfinished\x1b]0;", true, "unfinished");
}

TEST(colours_stay_only_where_they_are_wanted)
{
    assert_clean("\x1b[1;31mred\x1b[0m", true, "\x1b[1;31mred\x1b[0m");
    assert_clean("\x1b[1;31mred\x1b[0m", false, "red");
    assert_clean("\x1b[2J", true, "");
}

TEST(what_people_read_stays)
{
    assert_clean("日本語\t和 tab", false, "日本語\t和 tab");
    assert_clean("bad \xff utf", false, "bad \xef\xbf\xbd utf");
    assert_clean("cut \xe6\x97", false, "cut \xef\xbf\xbd\xef\xbf\xbd");
}

TEST(a_cut_spares_characters_and_columns)
{
    assert_cut("abc", 3, "abc");
    assert_cut("abcd", 3, "ab…");
    assert_cut("日本語", 6, "日本語");
    assert_cut("日本語", 5, "日本…");
    assert_cut("日本語", 4, "日…");
    assert_cut("日本語", 1, "…");
    assert_cut("abc", 0, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_width_characters_take_two_columns),
        cmocka_unit_test(nothing_can_drive_the_terminal),
        cmocka_unit_test(colours_stay_only_where_they_are_wanted),
        cmocka_unit_test(what_people_read_stays),
        cmocka_unit_test(a_cut_spares_characters_and_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
