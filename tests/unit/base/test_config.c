#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/config.h"
#include "base/fs.h"
#include "pb_test.h"

static const struct pb_setting ROWS[] = {
    {"listen", "127.0.0.1:3000", PB_SETTING_TEXT, PB_SETTING_RESTART, false,
     "address for browsers"},
    {"max_executions", "100", PB_SETTING_INTEGER, PB_SETTING_RELOAD, false, "running at once"},
    {"webhooks", "true", PB_SETTING_BOOLEAN, PB_SETTING_RELOAD, false, "accept webhooks"},
    {"poll_interval", "30s", PB_SETTING_DURATION_MS, PB_SETTING_RELOAD, false, "between looks"},
    {"body_limit", "1m", PB_SETTING_BYTES, PB_SETTING_RESTART, false, "largest request"},
    {"api_token", "", PB_SETTING_TEXT, PB_SETTING_RESTART, true, "secret of the thing"},
    {0},
};

static struct pb_config *config_new(void)
{
    struct pb_error err;
    struct pb_config *config = pb_config_new(ROWS, &err);

    assert_non_null(config);
    return config;
}

static const char *file_of(const char *text, size_t len)
{
    static char path[] = "/tmp/poppo-test-config-XXXXXX";
    struct pb_error err;
    int fd;

    memcpy(path + sizeof(path) - 7, "XXXXXX", 6);
    fd = mkostemp(path, O_CLOEXEC);
    assert_true(fd >= 0);
    assert_ok(pb_fs_write_all(fd, text, len, &err), &err);
    pb_close(&fd);
    return path;
}

static int read_text(struct pb_config *config, const char *text, struct pb_error *err)
{
    const char *path = file_of(text, strlen(text));
    int r = pb_config_read_file(config, path, err);

    (void)unlink(path);
    return r;
}

/* As on the command line. */
static int set_option(struct pb_config *config, const char *name, const char *value,
                      struct pb_error *err)
{
    char option[200];
    char *argv[] = {option, option, NULL};
    int argc = 2;
    int r;

    (void)snprintf(option, sizeof(option), "--%s=%s", name, value);
    for (char *at = option; *at != '='; at++)
        *at = (char)(*at == '_' ? '-' : *at);
    r = pb_config_read_arguments(config, &argc, argv, err);
    assert_true(r < 0 || argc == 1);
    return r;
}

TEST(defaults_hold_until_something_else_is_said)
{
    struct pb_config *config = config_new();

    assert_string_equal(pb_config_text(config, "listen"), "127.0.0.1:3000");
    assert_int_equal(pb_config_int(config, "max_executions"), 100);
    assert_true(pb_config_bool(config, "webhooks"));
    assert_int_equal(pb_config_int(config, "poll_interval"), 30000);
    assert_int_equal(pb_config_int(config, "body_limit"), 1 << 20);
    assert_string_equal(pb_config_source(config, "listen"), "default");
    pb_config_free(config);
    pb_config_free(NULL);
}

TEST(later_sources_win_and_are_known)
{
    struct pb_config *config = config_new();
    struct pb_error err;
    char *argv[] = {(char[]){"x"}, (char[]){"--max-executions=7"}, NULL};
    int argc = 2;

    assert_ok(read_text(config, "max_executions = 5\nlisten=file:1\nwebhooks=off\n", &err), &err);
    assert_string_equal(pb_config_source(config, "listen"), "file");
    assert_int_equal(setenv("POPPO_MAX_EXECUTIONS", "6", 1), 0);
    assert_int_equal(setenv("POPPO_WEBHOOKS", "yes", 1), 0);
    assert_ok(pb_config_read_environment(config, &err), &err);
    assert_string_equal(pb_config_source(config, "webhooks"), "environment");
    assert_true(pb_config_bool(config, "webhooks"));
    assert_int_equal(pb_config_int(config, "max_executions"), 6);
    assert_ok(pb_config_read_arguments(config, &argc, argv, &err), &err);
    assert_int_equal(pb_config_int(config, "max_executions"), 7);
    assert_string_equal(pb_config_source(config, "max_executions"), "command line");
    assert_string_equal(pb_config_text(config, "listen"), "file:1");
    (void)unsetenv("POPPO_MAX_EXECUTIONS");
    (void)unsetenv("POPPO_WEBHOOKS");
    pb_config_free(config);
}

TEST(a_file_may_have_comments_blanks_and_no_last_newline)
{
    struct pb_config *config = config_new();
    struct pb_error err;

    assert_ok(read_text(config, "# a comment\r\n\n   \n  listen =  a = b # kept  \r\nbody_limit=2G",
                        &err),
              &err);
    assert_string_equal(pb_config_text(config, "listen"), "a = b # kept");
    assert_true(pb_config_int(config, "body_limit") == 2LL << 30);
    assert_ok(read_text(config, "", &err), &err);
    pb_config_free(config);
}

TEST(a_bad_line_is_named_with_its_file_and_number)
{
    static const struct {
        const char *text, *says;
    } CASES[] = {
        {"\n\nno_such = 1\n", ":3: no setting is called 'no_such'"},
        {"listen\n", ":1: expected name = value"},
        {"max_executions = many\n", ":1: max_executions: 'many' is not a whole number"},
        {"poll_interval = 10\n", "is not a duration like"},
        {"body_limit = 99999999999g\n", "is not a size like"},
        {"webhooks = maybe\n", "is not true or false"},
    };
    struct pb_config *config = config_new();
    struct pb_error err;
    const char *path;

    for (size_t i = 0; i < COUNT(CASES); i++) {
        assert_refused(read_text(config, CASES[i].text, &err), &err, PB_ERROR_INVALID);
        if (!strstr(err.message, CASES[i].says))
            fail_msg("'%s' does not say '%s'", err.message, CASES[i].says);
    }
    assert_int_equal(pb_config_int(config, "max_executions"), 100);
    assert_refused(pb_config_read_file(config, "/no/such", &err), &err, PB_ERROR_NOT_FOUND);
    path = file_of("listen=a\0b\n", 11);
    assert_refused(pb_config_read_file(config, path, &err), &err, PB_ERROR_INVALID);
    (void)unlink(path);
    pb_config_free(config);
}

TEST(durations_and_sizes_have_units)
{
    static const struct {
        const char *name, *text;
        int64_t value; /* -1: refused */
    } CASES[] = {
        {"poll_interval", "250ms", 250},  {"poll_interval", "5m", 300000},
        {"poll_interval", "2h", 7200000}, {"poll_interval", "1d", 86400000},
        {"poll_interval", "0", 0},        {"poll_interval", "10", -1},
        {"poll_interval", "-1s", -1},     {"poll_interval", "s", -1},
        {"poll_interval", "1 s", -1},     {"poll_interval", "9223372036854775807s", -1},
        {"body_limit", "4096", 4096},     {"body_limit", "64K", 65536},
        {"body_limit", "1t", 1LL << 40},  {"body_limit", "1x", -1},
        {"max_executions", "-5", -5},     {"max_executions", "", -1},
    };
    struct pb_config *config = config_new();
    struct pb_error err;

    for (size_t i = 0; i < COUNT(CASES); i++) {
        if (CASES[i].value == -1) {
            assert_refused(set_option(config, CASES[i].name, CASES[i].text, &err), &err,
                           PB_ERROR_INVALID);
            assert_string_equal(err.field, CASES[i].name);
        } else {
            assert_ok(set_option(config, CASES[i].name, CASES[i].text, &err), &err);
            assert_true(pb_config_int(config, CASES[i].name) == CASES[i].value);
        }
    }
    pb_config_free(config);
}

TEST(the_command_line_keeps_what_is_not_ours)
{
    struct pb_config *config = config_new();
    struct pb_error err;
    char *argv[] = {(char[]){"prog"},
                    (char[]){"serve"},
                    (char[]){"--listen"},
                    (char[]){"a:1"},
                    (char[]){"--other=1"},
                    (char[]){"--no-webhooks"},
                    (char[]){"-v"},
                    (char[]){"--body_limit=1k"},
                    (char[]){"--"},
                    (char[]){"--listen=b"},
                    NULL};
    int argc = 10;

    assert_ok(pb_config_read_arguments(config, &argc, argv, &err), &err);
    assert_int_equal(argc, 6);
    assert_string_equal(argv[1], "serve");
    assert_string_equal(argv[2], "--other=1");
    assert_string_equal(argv[3], "-v");
    assert_string_equal(argv[4], "--");
    assert_string_equal(argv[5], "--listen=b");
    assert_null(argv[6]);
    assert_string_equal(pb_config_text(config, "listen"), "a:1");
    assert_false(pb_config_bool(config, "webhooks"));
    assert_int_equal(pb_config_int(config, "body_limit"), 1024);
    pb_config_free(config);
}

TEST(a_boolean_needs_no_value_but_takes_one)
{
    struct pb_config *config = config_new();
    struct pb_error err;
    char *argv[] = {(char[]){"prog"},       (char[]){"--webhooks"}, (char[]){"false"},
                    (char[]){"--webhooks"}, (char[]){"serve"},      NULL};
    int argc = 5;

    assert_ok(pb_config_read_arguments(config, &argc, argv, &err), &err);
    assert_true(pb_config_bool(config, "webhooks"));
    assert_int_equal(argc, 2);
    assert_string_equal(argv[1], "serve");
    pb_config_free(config);
}

TEST(an_option_without_or_with_a_bad_value_is_refused)
{
    struct pb_config *config = config_new();
    struct pb_error err;
    char *missing[] = {(char[]){"prog"}, (char[]){"--listen"}, NULL};
    char *bad[] = {(char[]){"prog"}, (char[]){"--max-executions=x"}, NULL};
    int argc = 2;

    assert_refused(pb_config_read_arguments(config, &argc, missing, &err), &err, PB_ERROR_INVALID);
    argc = 2;
    assert_refused(pb_config_read_arguments(config, &argc, bad, &err), &err, PB_ERROR_INVALID);
    assert_non_null(strstr(err.message, "command line"));
    pb_config_free(config);
}

TEST(a_secret_is_not_printed_anywhere)
{
    static const struct pb_setting SECRET_NUMBER[] = {
        {"pin", "1234", PB_SETTING_INTEGER, PB_SETTING_RESTART, true, "a number to hide"}, {0}};
    struct pb_error err;
    struct pb_config *config = pb_config_new(SECRET_NUMBER, &err);
    struct pb_buf help;

    assert_refused(set_option(config, "pin", "hunter2", &err), &err, PB_ERROR_INVALID);
    assert_null(strstr(err.message, "hunter2"));
    pb_buf_init(&help, 10000);
    pb_config_help(config, &help);
    assert_null(strstr(pb_buf_string(&help), "1234"));
    assert_non_null(strstr(pb_buf_string(&help), "pin"));
    pb_buf_release(&help);
    pb_config_free(config);
}

TEST(the_help_comes_from_the_rows)
{
    struct pb_config *config = config_new();
    struct pb_buf help;

    pb_buf_init(&help, 10000);
    pb_config_help(config, &help);
    assert_non_null(
        strstr(pb_buf_string(&help), "  --max-executions=NUMBER\n        running at once (100)\n"));
    pb_buf_release(&help);
    pb_config_free(config);
}

TEST(a_row_with_a_bad_default_is_our_mistake_and_found_at_start)
{
    static const struct pb_setting BAD[] = {{"n", "many", PB_SETTING_INTEGER, PB_SETTING_RESTART,
                                             false, ""},
                                            {0}};
    struct pb_error err;

    assert_null(pb_config_new(BAD, &err));
    assert_int_equal(err.code, PB_ERROR_INTERNAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_hold_until_something_else_is_said),
        cmocka_unit_test(later_sources_win_and_are_known),
        cmocka_unit_test(a_file_may_have_comments_blanks_and_no_last_newline),
        cmocka_unit_test(a_bad_line_is_named_with_its_file_and_number),
        cmocka_unit_test(durations_and_sizes_have_units),
        cmocka_unit_test(the_command_line_keeps_what_is_not_ours),
        cmocka_unit_test(a_boolean_needs_no_value_but_takes_one),
        cmocka_unit_test(an_option_without_or_with_a_bad_value_is_refused),
        cmocka_unit_test(a_secret_is_not_printed_anywhere),
        cmocka_unit_test(the_help_comes_from_the_rows),
        cmocka_unit_test(a_row_with_a_bad_default_is_our_mistake_and_found_at_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
