#include <stdlib.h>

#include "cli/cli_command.h"
#include "cli/cli_words.h"
#include "pb_test.h"

static void use(const char *language)
{
    assert_int_equal(setenv("LC_ALL", language, 1), 0);
    pb_cli_words_init();
}

static void assert_explained(const char *reason, const char *message, const char *expected)
{
    struct pb_error err;
    struct pb_buf text;

    (void)pb_fail_reason(&err, PB_ERROR_INVALID, reason, "%s", message);
    pb_buf_init(&text, 4096);
    pb_cli_explain(&err, &text);
    assert_string_equal(pb_buf_string(&text), expected);
    pb_buf_release(&text);
}

TEST(people_read_what_happened_and_what_helps)
{
    use("C.UTF-8");
    assert_explained("login_failed", "Wrong name", "poppo: Wrong name\n  try again\n");
    assert_explained("something_new", "It broke", "poppo: It broke\n");
    use("ja_JP.UTF-8");
    assert_explained("login_failed", "違います", "poppo: 違います\n  もう一度お試しください\n");
    assert_explained("something_new", "It broke", "poppo: It broke\n");
}

TEST(messages_cannot_drive_the_terminal)
{
    use("C.UTF-8");
    assert_explained("something_new", "a\x1b]0;x\a b", "poppo: a b\n");
}

TEST(exit_codes_tell_scripts_what_kind_it_was)
{
    static const struct {
        const char *reason;
        int code;
    } ROWS[] = {{"usage", 2},           {"platform_unreachable", 3},
                {"not_a_platform", 3},  {"login_failed", 1},
                {"not_found", 1},       {"not_signed_in", 1},
                {"execution_failed", 1}};

    for (size_t i = 0; i < COUNT(ROWS); i++) {
        struct pb_error err;

        (void)pb_fail_reason(&err, PB_ERROR_INVALID, ROWS[i].reason, "x");
        assert_int_equal(pb_cli_exit_code(&err), ROWS[i].code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(people_read_what_happened_and_what_helps),
        cmocka_unit_test(messages_cannot_drive_the_terminal),
        cmocka_unit_test(exit_codes_tell_scripts_what_kind_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
