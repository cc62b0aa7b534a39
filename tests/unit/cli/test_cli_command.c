#include <stdlib.h>
#include <string.h>

#include "cli/cli_command.h"
#include "cli/cli_words.h"
#include "pb_test.h"

static const struct pb_cli_command *find(size_t count, const char *one, const char *two,
                                         size_t *ret_used, struct pb_error *err)
{
    return pb_cli_command_find((const char *const[]){one, two}, count, ret_used, err);
}

TEST(a_noun_alone_is_its_list)
{
    struct pb_error err = {0};
    size_t used = 0;

    assert_string_equal(find(1, "projects", NULL, &used, &err)->verb, "list");
    assert_int_equal(used, 1);
    assert_string_equal(find(2, "projects", "--json", &used, &err)->verb, "list");
    assert_int_equal(used, 1);
    assert_string_equal(find(2, "projects", "stop", &used, &err)->verb, "stop");
    assert_int_equal(used, 2);
}

TEST(a_command_without_verbs_takes_its_words)
{
    struct pb_error err = {0};
    size_t used = 0;

    assert_string_equal(find(2, "logs", "app#1", &used, &err)->noun, "logs");
    assert_int_equal(used, 1);
}

TEST(what_there_is_not_is_refused)
{
    struct pb_error err = {0};
    size_t used;

    assert_null(find(0, NULL, NULL, &used, &err));
    assert_string_equal(err.reason, "usage");
    assert_null(find(1, "frob", NULL, &used, &err));
    assert_null(find(2, "projects", "frob", &used, &err));
    assert_int_equal(pb_cli_exit_code(&err), 2);
}

TEST(words_are_counted)
{
    struct pb_error err = {0};
    size_t used;
    const struct pb_cli_command *run = find(1, "run", NULL, &used, &err);

    assert_ok(pb_cli_command_check(run, &(struct pb_cli_args){.word_count = 2}, &err), &err);
    assert_refused(pb_cli_command_check(run, &(struct pb_cli_args){.word_count = 1}, &err), &err,
                   PB_ERROR_INVALID);
    assert_non_null(strstr(err.message, "poppo run PROJECT ISSUE"));
    assert_refused(pb_cli_command_check(run, &(struct pb_cli_args){.word_count = 3}, &err), &err,
                   PB_ERROR_INVALID);
}

TEST(help_names_every_command)
{
    struct pb_error err = {0};
    struct pb_buf text;

    pb_buf_init(&text, 64 << 10);
    assert_ok(pb_cli_help(NULL, &text, &err), &err);
    for (const struct pb_cli_command *row = PB_CLI_COMMANDS; row->noun; row++) {
        assert_non_null(strstr(pb_buf_string(&text), row->noun));
        assert_non_null(row->en);
        assert_non_null(row->ja);
        assert_non_null(row->run);
        assert_true(row->max_words <= PB_CLI_WORDS_MAX);
    }
    pb_buf_clear(&text);
    assert_ok(pb_cli_help("projects", &text, &err), &err);
    assert_non_null(strstr(pb_buf_string(&text), "poppo projects restart PROJECT"));
    assert_refused(pb_cli_help("frob", &text, &err), &err, PB_ERROR_INVALID);
    pb_buf_release(&text);
}

TEST(the_manual_is_well_formed_in_both_languages)
{
    static const char *const LANGUAGES[] = {"C", "ja_JP.UTF-8"};

    for (size_t i = 0; i < COUNT(LANGUAGES); i++) {
        struct pb_error err = {0};
        struct pb_cli cli = {0};
        char *text = NULL;
        size_t len = 0;

        assert_int_equal(setenv("LC_ALL", LANGUAGES[i], 1), 0);
        pb_cli_words_init();
        cli.out = open_memstream(&text, &len);
        assert_non_null(cli.out);
        assert_ok(pb_poppo_man(&cli, &err), &err);
        assert_int_equal(fclose(cli.out), 0);
        assert_int_equal(strncmp(text, ".TH POPPO 1 ", 12), 0);
        for (const struct pb_cli_command *row = PB_CLI_COMMANDS; row->noun; row++)
            assert_non_null(strstr(text, row->noun));
        assert_non_null(strstr(text, "\\-n, \\-\\-limit N\n"));
        assert_non_null(strstr(text, "\n.B 3\n"));
        assert_null(strstr(text, "\n\n"));
        free(text);
    }
    assert_int_equal(setenv("LC_ALL", "C", 1), 0);
    pb_cli_words_init();
}

TEST(pairs_line_up_and_empty_ones_are_left_out)
{
    struct pb_buf text;

    pb_buf_init(&text, 4096);
    pb_cli_put_pair(&text, "Title", "日本\x1b[2J語");
    pb_cli_put_pair(&text, "次にすること", "x");
    pb_cli_put_pair(&text, "A name that is too long", "x");
    pb_cli_put_pair(&text, "Empty", "");
    pb_cli_put_pair(&text, "None", NULL);
    assert_string_equal(pb_buf_string(&text), "Title           日本語\n"
                                              "次にすること    x\n"
                                              "A name that is too long x\n");
    pb_buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_noun_alone_is_its_list),
        cmocka_unit_test(a_command_without_verbs_takes_its_words),
        cmocka_unit_test(what_there_is_not_is_refused),
        cmocka_unit_test(words_are_counted),
        cmocka_unit_test(help_names_every_command),
        cmocka_unit_test(the_manual_is_well_formed_in_both_languages),
        cmocka_unit_test(pairs_line_up_and_empty_ones_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
