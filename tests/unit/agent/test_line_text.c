#include <string.h>

#include "agent/line_text.h"
#include "base/text.h"
#include "pb_test.h"
#include "wire/message.h"

static void expect(const char *in, size_t len, const char *out)
{
    struct pb_buf text;

    pb_buf_init(&text, 64 << 10);
    pb_line_text(&text, in, len);
    assert_string_equal(pb_buf_string(&text), out);
    pb_buf_release(&text);
}

TEST(text_stays_and_controls_go)
{
    expect("plain\ttext", 10, "plain\ttext");
    expect("日本語", strlen("日本語"), "日本語");
    expect("a\0b\a\b\x7f"
           "c",
           7, "abc");
    expect("a\xc2\x9b"
           "31mb",
           7, "a31mb"); /* C1 control as UTF-8 */
    expect("progress\r100%", 13, "progress100%");
}

TEST(colours_stay_and_other_escapes_go)
{
    expect("\x1b[1;31mred\x1b[0m", 14, "\x1b[1;31mred\x1b[0m");
    expect("\x1b[2J\x1b[Hx", 8, "x");
    expect("\x1b]0;title\ax", 11, "0;titlex"); /* harmless without its beginning */
    expect("\x1b[?25lx", 7, "x");
    expect("a\x1b", 2, "a");
    expect("a\x1b[12", 5, "a");
    expect("\x1b[1\x1b[2Jm", 8, "m"); /* a sequence inside a sequence makes no new one */
}

TEST(bytes_that_are_no_text_are_shown_as_such)
{
    expect("a\xff\xfe"
           "b",
           4,
           "a\xef\xbf\xbd\xef\xbf\xbd"
           "b");
    expect("\xe6\x97", 2, "\xef\xbf\xbd\xef\xbf\xbd"); /* a character cut at the end */
}

TEST(a_long_line_is_cut_between_characters_and_says_so)
{
    static char in[3 * PB_MESSAGE_LINE_MAX + 1];
    struct pb_buf text;

    for (size_t i = 0; i + 3 <= sizeof(in) - 1; i += 3)
        memcpy(in + i, "あ", 3);
    pb_buf_init(&text, 64 << 10);
    pb_line_text(&text, in, strlen(in));
    assert_true(text.len <= PB_MESSAGE_LINE_MAX);
    assert_true(text.len > PB_MESSAGE_LINE_MAX - 16);
    assert_true(pb_text_ends(pb_buf_string(&text), PB_LINE_TEXT_CUT));
    assert_true(pb_utf8_valid(text.data, text.len));
    pb_buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_stays_and_controls_go),
        cmocka_unit_test(colours_stay_and_other_escapes_go),
        cmocka_unit_test(bytes_that_are_no_text_are_shown_as_such),
        cmocka_unit_test(a_long_line_is_cut_between_characters_and_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
