#include <string.h>

#include "cli/cli_args.h"
#include "pb_test.h"

static const unsigned SOME = PB_CLI_BIT(LIMIT) | PB_CLI_BIT(FOLLOW) | PB_CLI_BIT(URL);

static int parse(const char *const *words, struct pb_cli_args *args, struct pb_error *err)
{
    size_t count = 0;

    while (words[count])
        count++;
    return pb_cli_args_read(words, count, SOME, args, err);
}

#define PARSE(args, err, ...) parse((const char *const[]){__VA_ARGS__, NULL}, args, err)

TEST(a_value_may_stand_in_four_ways)
{
    struct pb_error err = {0};
    struct pb_cli_args args;

    assert_ok(PARSE(&args, &err, "--limit=5"), &err);
    assert_string_equal(args.values[PB_CLI_LIMIT], "5");
    assert_ok(PARSE(&args, &err, "--limit", "6"), &err);
    assert_string_equal(args.values[PB_CLI_LIMIT], "6");
    assert_ok(PARSE(&args, &err, "-n", "7"), &err);
    assert_string_equal(args.values[PB_CLI_LIMIT], "7");
    assert_ok(PARSE(&args, &err, "-n8"), &err);
    assert_string_equal(args.values[PB_CLI_LIMIT], "8");
}

TEST(options_and_words_mix)
{
    struct pb_error err = {0};
    struct pb_cli_args args;

    assert_ok(PARSE(&args, &err, "a", "-f", "b#1", "--url", "http://x"), &err);
    assert_int_equal(args.word_count, 2);
    assert_string_equal(args.words[0], "a");
    assert_string_equal(args.words[1], "b#1");
    assert_true(pb_cli_args_has(&args, PB_CLI_FOLLOW));
    assert_false(pb_cli_args_has(&args, PB_CLI_LIMIT));
}

TEST(after_two_dashes_everything_is_a_word)
{
    struct pb_error err = {0};
    struct pb_cli_args args;

    assert_ok(PARSE(&args, &err, "--", "-f", "--limit"), &err);
    assert_int_equal(args.word_count, 2);
    assert_string_equal(args.words[0], "-f");
    assert_false(pb_cli_args_has(&args, PB_CLI_FOLLOW));
    assert_ok(PARSE(&args, &err, "-"), &err);
    assert_string_equal(args.words[0], "-");
}

TEST(what_is_not_allowed_here_is_refused)
{
    static const char *const WRONG[][3] = {
        {"--bogus"},      {"-z"},  {"--tail", "5"}, {"--limit"}, {"-n"},
        {"--follow=yes"}, {"-fx"}, {"---"},         {"--lim=5"},
    };
    struct pb_error err = {0};
    struct pb_cli_args args;

    for (size_t i = 0; i < COUNT(WRONG); i++) {
        assert_refused(parse(WRONG[i], &args, &err), &err, PB_ERROR_INVALID);
        assert_string_equal(err.reason, "usage");
    }
}

TEST(too_many_words_are_refused)
{
    struct pb_error err = {0};
    struct pb_cli_args args;

    assert_refused(PARSE(&args, &err, "a", "b", "c", "d", "e"), &err, PB_ERROR_INVALID);
}

TEST(help_is_allowed_everywhere)
{
    struct pb_error err = {0};
    struct pb_cli_args args;

    assert_ok(pb_cli_args_read((const char *const[]){"-h"}, 1, 0, &args, &err), &err);
    assert_true(pb_cli_args_has(&args, PB_CLI_HELP));
}

TEST(numbers_have_a_range_and_a_default)
{
    struct pb_error err = {0};
    struct pb_cli_args args;
    uint64_t value = 99;

    assert_ok(PARSE(&args, &err, "-f"), &err);
    assert_ok(pb_cli_args_number(&args, PB_CLI_LIMIT, 200, 50, &value, &err), &err);
    assert_int_equal(value, 50);
    assert_ok(PARSE(&args, &err, "-n", "200"), &err);
    assert_ok(pb_cli_args_number(&args, PB_CLI_LIMIT, 200, 50, &value, &err), &err);
    assert_int_equal(value, 200);
    for (size_t i = 0; i < 5; i++) {
        const char *const wrong[] = {"0", "201", "-1", "five", ""};

        assert_ok(PARSE(&args, &err, "--limit", wrong[i]), &err);
        assert_refused(pb_cli_args_number(&args, PB_CLI_LIMIT, 200, 50, &value, &err), &err,
                       PB_ERROR_INVALID);
        assert_int_equal(value, 200);
    }
}

TEST(help_has_a_line_for_each_option_of_the_command)
{
    struct pb_buf text;

    pb_buf_init(&text, 4096);
    pb_cli_args_help(SOME, &text);
    assert_non_null(strstr(pb_buf_string(&text), "-n, --limit N"));
    assert_non_null(strstr(pb_buf_string(&text), "--url URL"));
    assert_null(strstr(pb_buf_string(&text), "--tail"));
    pb_buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_may_stand_in_four_ways),
        cmocka_unit_test(options_and_words_mix),
        cmocka_unit_test(after_two_dashes_everything_is_a_word),
        cmocka_unit_test(what_is_not_allowed_here_is_refused),
        cmocka_unit_test(too_many_words_are_refused),
        cmocka_unit_test(help_is_allowed_everywhere),
        cmocka_unit_test(numbers_have_a_range_and_a_default),
        cmocka_unit_test(help_has_a_line_for_each_option_of_the_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
