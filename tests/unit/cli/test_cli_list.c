#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/cli_list.h"
#include "cli/cli_words.h"
#include "pb_test.h"

static const struct pb_cli_field FIELDS[] = {
    {"NAME", "名前", "id", PB_CLI_LEFT, NULL, NULL},
    {"STATUS", "状態", "status", PB_CLI_LEFT, NULL, pb_cli_status_words},
    {"WAITING", "待ち", "counts.waiting", PB_CLI_RIGHT, pb_cli_show_count, NULL},
    {"FREE", "空き", "free", PB_CLI_RIGHT, pb_cli_show_bytes, NULL},
    {"TITLE", "題", "title", PB_CLI_GIVES, NULL, NULL},
};

static void assert_list(const char *page, size_t width, const char *expected)
{
    struct pb_error err = {0};
    struct pb_json *json = pb_json_parse(page, strlen(page), &err);
    struct pb_arena arena;
    struct pb_buf text;

    assert_non_null(json);
    pb_arena_init(&arena, 1 << 20);
    pb_buf_init(&text, 1 << 20);
    assert_ok(pb_cli_list_write(&arena, json, FIELDS, COUNT(FIELDS), width, &text, &err), &err);
    assert_string_equal(pb_buf_string(&text), expected);
    pb_buf_release(&text);
    pb_arena_release(&arena);
    pb_json_free(json);
}

static int set_up(void **state)
{
    (void)state;
    (void)setenv("LC_ALL", "C.UTF-8", 1);
    pb_cli_words_init();
    return 0;
}

TEST(each_item_is_a_row_and_each_field_a_column)
{
    assert_list(
        "{\"items\":[{\"id\":\"a\",\"status\":\"waiting_input\",\"counts\":{\"waiting\":12},"
        "\"free\":2048,\"title\":\"x\"},{\"id\":\"long-name\",\"status\":\"new\","
        "\"counts\":{\"waiting\":0},\"free\":null,\"title\":\"y\"}],\"next_cursor\":null}",
        0,
        "NAME       STATUS              WAITING     FREE  TITLE\n"
        "a          waiting for answer       12  2.0 KiB  x\n"
        "long-name  new                       0           y\n");
}

TEST(what_is_missing_is_empty)
{
    assert_list("{\"items\":[{\"id\":\"a\"},{}]}", 0, "NAME  STATUS  WAITING  FREE  TITLE\na\n\n");
    assert_list("{}", 0, "NAME  STATUS  WAITING  FREE  TITLE\n");
}

TEST(more_pages_are_said_and_a_long_title_is_cut)
{
    assert_list(
        "{\"items\":[{\"id\":\"a\",\"title\":\"a very long title indeed\"}],\"next_cursor\":\"c\"}",
        48,
        "NAME  STATUS  WAITING  FREE  TITLE\n"
        "a                            a very long title …\n"
        "… and more; --limit shows up to 200\n");
}

TEST(titles_are_in_the_language_of_the_reader)
{
    (void)setenv("LC_ALL", "ja_JP.UTF-8", 1);
    pb_cli_words_init();
    assert_list("{\"items\":[{\"id\":\"a\",\"status\":\"failed\"}]}", 0,
                "名前  状態  待ち  空き  題\na     失敗\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_item_is_a_row_and_each_field_a_column, set_up),
        cmocka_unit_test_setup(what_is_missing_is_empty, set_up),
        cmocka_unit_test_setup(more_pages_are_said_and_a_long_title_is_cut, set_up),
        cmocka_unit_test_setup(titles_are_in_the_language_of_the_reader, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
