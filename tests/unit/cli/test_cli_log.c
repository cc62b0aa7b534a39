#include <stdio.h>
#include <string.h>

#include "cli/cli_log.h"
#include "pb_test.h"

static void assert_line(const char *line, bool colours, bool times, const char *expected)
{
    const struct pb_cli_log_style style = {colours, times};
    struct pb_buf buf;

    pb_buf_init(&buf, 4096);
    pb_cli_put_log_line(&buf, line, strlen(line), &style);
    assert_string_equal(pb_buf_string(&buf), expected);
    pb_buf_release(&buf);
}

TEST(people_see_the_text)
{
    assert_line("1795316767037 o hello", false, false, "hello\n");
    assert_line("1795316767037 x it failed", false, false, "it failed\n");
    assert_line("1795316767037 o ", false, false, "\n");
    assert_line("1795316767037 o  two  blanks", false, false, " two  blanks\n");
}

TEST(times_are_put_in_front)
{
    assert_line("1795316767037 o hello", false, true, "03:06:07 hello\n");
}

TEST(streams_have_colours_on_a_terminal)
{
    assert_line("1 x bad", true, false, "\x1b[31mbad\x1b[0m\n");
    assert_line("1 o plain", true, false, "plain\n");
    assert_line("1 o \x1b[32mown", true, false, "\x1b[32mown\x1b[0m\n"); /* ends with its line */
}

TEST(a_line_cannot_drive_the_terminal)
{
    assert_line("1 o a\x1b[2J\rb", false, false, "ab\n");
    assert_line("1 o a\x1b[2J\rb", true, false, "ab\x1b[0m\n");
}

TEST(a_line_of_another_form_is_shown_whole)
{
    static const char *const LINES[] = {
        "", "no number", "12345", "123 o", "99999999999999999999 o x", "12 long x"};

    for (size_t i = 0; i < COUNT(LINES); i++) {
        char expected[64];

        (void)snprintf(expected, sizeof(expected), "%s\n", LINES[i]);
        assert_line(LINES[i], false, true, expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(people_see_the_text),
        cmocka_unit_test(times_are_put_in_front),
        cmocka_unit_test(streams_have_colours_on_a_terminal),
        cmocka_unit_test(a_line_cannot_drive_the_terminal),
        cmocka_unit_test(a_line_of_another_form_is_shown_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
