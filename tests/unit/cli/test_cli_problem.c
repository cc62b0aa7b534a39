#include <stdlib.h>
#include <string.h>

#include "cli/cli_problem.h"
#include "cli/cli_words.h"
#include "pb_test.h"

static void use(const char *language)
{
    assert_int_equal(setenv("LC_ALL", language, 1), 0);
    pb_cli_words_init();
}

static void assert_said(const char *problem, const char *expected)
{
    struct pb_error err = {0};
    struct pb_json *json = pb_json_parse(problem, strlen(problem), &err);
    struct pb_buf text;

    assert_non_null(json);
    pb_buf_init(&text, 1 << 16);
    pb_cli_put_problem(json, &text);
    assert_string_equal(pb_buf_string(&text), expected);
    pb_buf_release(&text);
    pb_json_free(json);
}

static const char FIELDS[] =
    "{\"code\":\"invalid\",\"detail\":\"Two fields are wrong\",\"errors\":["
    "{\"field\":\"priority\",\"code\":\"choice\",\"detail\":\"One of low, high\"},"
    "{\"field\":\"title\",\"code\":\"required\",\"detail\":\"Is required\"}]}";

TEST(english_is_what_the_platform_says)
{
    use("C.UTF-8");
    assert_said("{\"code\":\"already_final\",\"detail\":\"It is over\"}", "It is over");
    assert_said("{\"code\":\"newer\",\"title\":\"Conflict\"}", "Conflict");
    assert_said(FIELDS, "Two fields are wrong: priority: One of low, high; title: Is required");
}

TEST(japanese_readers_get_japanese)
{
    use("ja_JP.UTF-8");
    assert_said("{\"code\":\"already_final\",\"detail\":\"It is over\"}", "すでに終了しています");
    assert_said(FIELDS, "入力に誤りがあります: priority: 選べない値です（One of low, high）; "
                        "title: 入力が必要です");
}

TEST(the_platforms_words_stay_where_ours_say_too_little)
{
    use("ja_JP.UTF-8");
    assert_said("{\"code\":\"not_now\",\"detail\":\"It is starting\"}",
                "現在の状態では行えません（It is starting）");
    assert_said("{\"code\":\"newer_than_us\",\"detail\":\"So it is\"}", "So it is");
}

TEST(what_broke_inside_is_found_by_its_request)
{
    use("ja_JP.UTF-8");
    assert_said("{\"code\":\"internal\",\"detail\":\"See the log\",\"request_id\":\"01J\"}",
                "プラットフォームの内部で問題が起きました: 01J");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(english_is_what_the_platform_says),
        cmocka_unit_test(japanese_readers_get_japanese),
        cmocka_unit_test(the_platforms_words_stay_where_ours_say_too_little),
        cmocka_unit_test(what_broke_inside_is_found_by_its_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
