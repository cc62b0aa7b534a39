#include "cli/cli_prose.h"
#include "pb_test.h"

static void assert_read(const char *text, const char *expected)
{
    struct pb_buf buf;

    pb_buf_init(&buf, 1 << 20);
    pb_cli_put_prose(&buf, "Summary", text);
    assert_string_equal(pb_buf_string(&buf), expected);
    pb_buf_release(&buf);
}

TEST(paragraphs_are_indented_and_keep_their_lines)
{
    assert_read("One.\nTwo.\n\n\nThree.\n\n", "\nSummary:\n  One.\n  Two.\n\n  Three.\n");
    assert_read("last line open", "\nSummary:\n  last line open\n");
}

TEST(the_question_is_not_said_twice)
{
    assert_read("Before.\n\n```poppo-question\nWhich one?\n\nA or B?\n```\nAfter.",
                "\nSummary:\n  Before.\n\n  After.\n");
    assert_read("```poppo-question\nWhich one?\n```\n", "");
    assert_read("```poppo-question\nnever closed", "");
}

TEST(comments_are_not_for_reading)
{
    assert_read("<!-- poppo:summary -->\nDone <!-- in part -->here.\n",
                "\nSummary:\n  Done here.\n");
    assert_read("a<!-- one\ntwo\nthree -->b<!---->c\n", "\nSummary:\n  a\n  bc\n");
    assert_read("a\n<!-- x -->\nb", "\nSummary:\n  a\n  b\n");
    assert_read("seen\n<!-- never closed\n```\nhidden", "\nSummary:\n  seen\n");
    assert_read("<!-- all -->", "");
}

TEST(code_keeps_all_of_its_lines)
{
    assert_read("```html\n<!-- stays -->\n\n<p>\n```\n<!-- goes -->",
                "\nSummary:\n  ```html\n  <!-- stays -->\n  \n  <p>\n  ```\n");
    assert_read("~~~\n```poppo-question\n~~~\n", "\nSummary:\n  ~~~\n  ```poppo-question\n  ~~~\n");
}

TEST(nothing_has_no_name)
{
    assert_read("", "");
    assert_read(NULL, "");
    assert_read(" \n\t\n", "");
}

TEST(it_cannot_drive_the_terminal)
{
    assert_read("a\x1b[2Jb", "\nSummary:\n  ab\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paragraphs_are_indented_and_keep_their_lines),
        cmocka_unit_test(the_question_is_not_said_twice),
        cmocka_unit_test(comments_are_not_for_reading),
        cmocka_unit_test(code_keeps_all_of_its_lines),
        cmocka_unit_test(nothing_has_no_name),
        cmocka_unit_test(it_cannot_drive_the_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
