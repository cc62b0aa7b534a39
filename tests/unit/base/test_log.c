#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "pb_test.h"

static char captured[1 << 17];
static int real_stderr;
static FILE *file;

/* From here on standard error is a file, until captured_text(). */
static void capture(void)
{
    file = tmpfile();
    assert_non_null(file);
    real_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
}

static const char *captured_text(void)
{
    ssize_t len;

    (void)dup2(real_stderr, STDERR_FILENO);
    (void)close(real_stderr);
    len = pread(fileno(file), captured, sizeof(captured) - 1, 0);
    (void)fclose(file);
    captured[len > 0 ? len : 0] = '\0';
    return captured;
}

TEST(an_event_is_one_line_of_keys_and_values)
{
    pb_log_init("poppo-test", PB_LOG_INFO, false);
    pb_clock_set_for_test(1795341967037);
    capture();
    pb_log_info("scheduler", "execution=%s node=%s assigned", "01J", "n1");
    pb_clock_set_for_test(0);
    assert_string_equal(captured_text(),
                        "time=2026-11-22T10:06:07.037Z level=info program=poppo-test "
                        "component=scheduler execution=01J node=n1 assigned\n");
}

TEST(a_line_names_the_request_it_is_written_for)
{
    pb_log_init("poppo-test", PB_LOG_INFO, false);
    capture();
    pb_log_request("abc\n1");
    pb_log_info("api", "in it");
    pb_log_init("poppo-test", PB_LOG_INFO, true);
    pb_log_info("api", "as JSON");
    pb_log_request(NULL);
    pb_log_info("api", "behind it");
    (void)captured_text();
    assert_non_null(strstr(captured, "component=api request=abc\\x0a1 in it\n"));
    assert_non_null(strstr(captured, "\"request\":\"abc\\n1\",\"message\":\"as JSON\""));
    assert_non_null(strstr(captured, "\"component\":\"api\",\"message\":\"behind it\""));
    assert_null(pb_log_request_id());
}

TEST(what_is_below_the_level_is_not_said)
{
    pb_log_init("poppo-test", PB_LOG_WARN, false);
    capture();
    pb_log_info("x", "no");
    pb_log_debug("x", "no");
    pb_log_fail(PB_LOG_INFO, "x", &(struct pb_error){.message = "no"}, "no");
    pb_log_warn("x", "yes1");
    pb_log_error("x", "yes2");
    (void)captured_text();
    assert_null(strstr(captured, "no\n"));
    assert_non_null(strstr(captured, "level=warn program=poppo-test component=x yes1\n"));
    assert_non_null(strstr(captured, "level=error program=poppo-test component=x yes2\n"));
}

TEST(an_error_is_told_behind_the_sentence)
{
    struct pb_error err;

    pb_log_init("poppo-test", PB_LOG_DEBUG, false);
    (void)pb_fail(&err, PB_ERROR_NOT_FOUND, "no such node");
    capture();
    pb_log_fail(PB_LOG_DEBUG, "hub", &err, "node=%s", "n1");
    assert_non_null(strstr(captured_text(), "component=hub node=n1: no such node\n"));
}

TEST(a_text_cannot_forge_a_second_line)
{
    pb_log_init("poppo-test", PB_LOG_INFO, false);
    capture();
    pb_log_info("x", "a\nlevel=error b\x1b[31m\xff ポ");
    (void)captured_text();
    assert_ptr_equal(strchr(captured, '\n'), captured + strlen(captured) - 1);
    assert_non_null(strstr(captured, "a\\x0alevel=error b\\x1b[31m\\xff ポ\n"));
}

TEST(json_lines_are_json)
{
    struct pb_error err;
    struct pb_json *root;

    pb_log_init("poppo-test", PB_LOG_INFO, true);
    capture();
    pb_log_info("x", "say \"hi\"\n\xff");
    (void)captured_text();
    assert_ptr_equal(strchr(captured, '\n'), captured + strlen(captured) - 1);
    root = pb_json_parse(captured, strlen(captured), &err);
    assert_non_null(root);
    assert_string_equal(pb_json_text(root, "message", ""), "say \"hi\"\n\xef\xbf\xbd");
    assert_string_equal(pb_json_text(root, "level", ""), "info");
    assert_string_equal(pb_json_text(root, "component", ""), "x");
    assert_string_equal(pb_json_text(root, "program", ""), "poppo-test");
    pb_json_free(root);
    pb_log_init("poppo-test", PB_LOG_INFO, false);
}

TEST(hidden_values_are_blanked_wherever_they_stand)
{
    pb_log_hide("hunter2-secret");
    pb_log_hide("short"); /* too short to blank without blanking words */
    pb_log_hide("");
    pb_log_hide(NULL);
    capture();
    pb_log_info("x", "a=hunter2-secret b=hunter2-secrethunter2-secret short hunter2-secre");
    assert_non_null(strstr(captured_text(), "x a=*** b=****** short hunter2-secre\n"));
}

TEST(a_hidden_value_at_the_cut_does_not_show_its_beginning)
{
    char text[5000];
    const char *secret = "a-secret-of-some-length-0123456789";

    pb_log_hide(secret);
    memset(text, 'x', sizeof(text));
    (void)snprintf(text + 4096 - 10, 100, "%s", secret);
    capture();
    pb_log_info("x", "%s", text);
    (void)captured_text();
    assert_null(strstr(captured, "a-secret"));
    assert_non_null(strstr(captured, "***\n"));
}

TEST(at_most_64_values_are_hidden_the_newest)
{
    char name[32];

    for (int i = 0; i < 70; i++) {
        (void)snprintf(name, sizeof(name), "secret-number-%02d", i);
        pb_log_hide(name);
        pb_log_hide(name); /* twice is once */
    }
    capture();
    pb_log_info("x", "secret-number-05 secret-number-06 secret-number-69");
    assert_non_null(strstr(captured_text(), "x secret-number-05 *** ***\n"));
}

TEST(a_long_event_is_cut_between_characters)
{
    char text[6000];
    const char *line;

    for (size_t i = 0; i + 3 < sizeof(text); i += 3)
        memcpy(text + i, "ポ", 4);
    capture();
    pb_log_info("x", "%s", text);
    line = strstr(captured_text(), "component=x ") + strlen("component=x ");
    assert_int_equal(strlen(line), 4096 / 3 * 3 + 1);
    assert_null(strstr(line, "\\x"));
}

TEST(levels_have_names)
{
    enum pb_log_level level = PB_LOG_ERROR;

    assert_true(pb_log_level_parse("debug", &level));
    assert_int_equal(level, PB_LOG_DEBUG);
    assert_false(pb_log_level_parse("loud", &level));
    assert_false(pb_log_level_parse(NULL, &level));
    assert_int_equal(level, PB_LOG_DEBUG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_is_one_line_of_keys_and_values),
        cmocka_unit_test(a_line_names_the_request_it_is_written_for),
        cmocka_unit_test(what_is_below_the_level_is_not_said),
        cmocka_unit_test(an_error_is_told_behind_the_sentence),
        cmocka_unit_test(a_text_cannot_forge_a_second_line),
        cmocka_unit_test(json_lines_are_json),
        cmocka_unit_test(hidden_values_are_blanked_wherever_they_stand),
        cmocka_unit_test(a_hidden_value_at_the_cut_does_not_show_its_beginning),
        cmocka_unit_test(at_most_64_values_are_hidden_the_newest),
        cmocka_unit_test(a_long_event_is_cut_between_characters),
        cmocka_unit_test(levels_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
