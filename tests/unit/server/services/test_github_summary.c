#include <string.h>

#include "pb_test.h"
#include "server/services/github_summary.h"

static void assert_part(struct pb_github_part part, const char *text)
{
    char copy[200] = {0};

    assert_true(part.len < sizeof(copy));
    memcpy(copy, part.text ? part.text : "", part.len);
    assert_string_equal(copy, text);
}

TEST(what_was_checked_is_the_last_part_that_says_so)
{
    static const struct {
        const char *text;
        const char *done;
        const char *checked;
    } ROWS[] = {
        {"Did it.\n\nChecked: 12 tests.", "Did it.", "12 tests."},
        {"Did it.\n\n**Checked:** 12 tests.\n\nAnd more.", "Did it.", "12 tests.\n\nAnd more."},
        {"Did it.\n\n**Checked**: 12 tests.", "Did it.", "12 tests."},
        {"Did it.\n\n## Checked\n\n- a\n- b\n", "Did it.", "- a\n- b"},
        {"Did it.\n### What was checked\na", "Did it.", "a"},
        {"- Checked: the old way\n\nChecked: the new way", "- Checked: the old way", "the new way"},
        {"直しました。\n\n確認: テスト 12 件", "直しました。", "テスト 12 件"},
        {"直しました。\n\n**確認：**\n- テスト", "直しました。", "- テスト"},
        {"直しました。\n\n### 確認したこと\nテスト", "直しました。", "テスト"},
        {"確認しましたが、変更は不要でした。", "確認しましたが、変更は不要でした。", ""},
        {"Checked the code, nothing to do.", "Checked the code, nothing to do.", ""},
        {"Checked: all", "", "all"},
        {"Did it.\n\nChecked:", "Did it.", ""},
        {"", "", ""},
    };

    for (size_t i = 0; i < COUNT(ROWS); i++) {
        struct pb_github_summary summary = pb_github_summary_split(ROWS[i].text);

        assert_part(summary.done, ROWS[i].done);
        assert_part(summary.checked, ROWS[i].checked);
    }
}

TEST(the_first_line_that_says_something)
{
    static const char *const ROWS[][2] = {
        {"Did it.\nMore.", "Did it."},
        {"\n\n## Summary\n\n- Did it.\n- More.", "Did it."},
        {"> **Did** it.", "**Did** it."},
        {"`greet()` works", "`greet()` works"},
        {"# Only a heading", "Only a heading"},
        {"-- x", "x"},
        {"\n \n", ""},
        {"", ""},
    };

    for (size_t i = 0; i < COUNT(ROWS); i++)
        assert_part(pb_github_summary_line(ROWS[i][0]), ROWS[i][1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_checked_is_the_last_part_that_says_so),
        cmocka_unit_test(the_first_line_that_says_something),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
