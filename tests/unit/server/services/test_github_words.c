#include <stdio.h>
#include <string.h>

#include "model/limits.h"
#include "pb_test.h"
#include "server/services/github_words.h"

#define ID    "01J00000000000000000000000"
#define ZWSP  "\xe2\x80\x8b"
#define MARKS "<!-- poppo:item:site/issue-12 -->\n<!-- poppo:" ID " -->\n"

static struct pb_project project;
static struct pb_work_item item;
static struct pb_execution execution;
static struct pb_github_story story;
static struct pb_buf buf;

static void start(const char *language)
{
    project = (struct pb_project){.id = "site", .language = language};
    item = (struct pb_work_item){.item = "issue-12", .number = 12, .title = "Make it blue"};
    execution = (struct pb_execution){.id = ID,
                                      .number = 3,
                                      .status = PB_EXECUTION_SUCCEEDED,
                                      .requested_by = "alice",
                                      .attempt_count = 2,
                                      .model = "claude-sonnet",
                                      .num_turns = 7,
                                      .usage = {.calls = 4,
                                                .input_tokens = 900,
                                                .cache_read_tokens = 100,
                                                .output_tokens = 200,
                                                .cost_micro_usd = 123456},
                                      .started_at = 1795338000000,
                                      .completed_at = 1795338185000,
                                      .branch = "poppo/issue-12",
                                      .files_changed = 2,
                                      .insertions = 10,
                                      .deletions = 3,
                                      .title = "Make it blue"};
    story = (struct pb_github_story){.project = &project,
                                     .item = &item,
                                     .execution = &execution,
                                     .base_url = "https://poppo.example"};
    pb_buf_clear(&buf);
}

static const char *comment(void)
{
    pb_buf_clear(&buf);
    pb_github_words_comment(&buf, &story);
    assert_false(pb_buf_failed(&buf));
    return pb_buf_string(&buf);
}

TEST(a_finished_one_in_english)
{
    start("en");
    item.pr_number = 13;
    execution.summary = "Painted it.\n\nChecked: 12 tests. cc @bob";
    assert_string_equal(comment(), MARKS
                        "**✅ Done** · [log and details](https://poppo.example/executions/" ID
                        ")\n\n"
                        "Draft pull request: #13\n\n"
                        "A comment here or on the pull request continues the work.\n\n"
                        "<sub>Execution #" ZWSP
                        "3 · requested by `alice` · attempt 2 · `claude-sonnet` · 7 turns · cost "
                        "$0.1235 · 3 min 5 s</sub>\n\n---\n\n"
                        "Painted it.\n\nChecked: 12 tests. cc @" ZWSP "bob\n");
}

TEST(a_finished_one_in_japanese)
{
    start("ja");
    item.pr_number = 13;
    execution.summary = "青くしました。\n\n確認: テスト 12 件";
    assert_string_equal(
        comment(),
        MARKS "**✅ 完了しました** · [ログと詳細](https://poppo.example/executions/" ID ")\n\n"
              "ドラフトのプルリクエスト: #13\n\n"
              "ここ、またはプルリクエストにコメントすると、作業の続きを依頼できます。\n\n"
              "<sub>実行 #" ZWSP
              "3 · 依頼者 `alice` · 2 回目の試行 · `claude-sonnet` · 7 ターン · 費用 $0.1235 · "
              "3 分 5 秒</sub>\n\n---\n\n"
              "青くしました。\n\n確認: テスト 12 件\n");
}

TEST(a_failure_says_why_and_what_now)
{
    start("en");
    execution.status = PB_EXECUTION_FAILED;
    execution.reason_kind = "auth";
    execution.reason = "HTTP 401, said @proxy";
    assert_string_equal(
        comment(),
        MARKS "**❌ Failed** · [log and details](https://poppo.example/executions/" ID ")\n\n"
              "The Claude API key was not accepted.\n\n"
              "> HTTP 401, said @" ZWSP "proxy\n\n"
              "**What now:** Enter a valid key in the project's settings, then re-run.\n\n"
              "<sub>Execution #" ZWSP
              "3 · requested by `alice` · attempt 2 · `claude-sonnet` · 7 turns · cost "
              "$0.1235 · 3 min 5 s</sub>\n");
}

TEST(a_question_is_quoted_and_says_how_to_answer)
{
    start("ja");
    execution.status = PB_EXECUTION_WAITING_INPUT;
    execution.question = "どの青ですか？\n1. 紺\n2. 空色";
    assert_non_null(
        strstr(comment(), "> どの青ですか？\n> 1. 紺\n> 2. 空色\n\nこの Issue にコメントで回答"));
}

TEST(quota_says_until_when)
{
    start("en");
    execution.status = PB_EXECUTION_WAITING_QUOTA;
    execution.available_at = 1795338000000;
    execution.reason_kind = "rate_limit";
    assert_non_null(strstr(comment(), "**⏸️ Waiting for quota** until 2026-11-22 09:00 UTC"));
    project.language = "ja";
    assert_non_null(
        strstr(comment(), "利用上限の解除を待っています**（再開予定: 2026-11-22 09:00 UTC）"));
}

TEST(every_status_has_words_in_both_languages)
{
    for (int status = 0; status < PB_EXECUTION_STATUS_COUNT; status++) {
        char english[512];

        start("en");
        execution.status = (enum pb_execution_status)status;
        snprintf(english, sizeof(english), "%s", comment());
        assert_null(strstr(english, "(null)"));
        project.language = "ja";
        assert_string_not_equal(comment(), english);
        assert_null(strstr(comment(), "(null)"));
    }
}

TEST(a_missing_pull_request_is_explained)
{
    start("en");
    story.pull_problem = "The token may not.";
    assert_non_null(
        strstr(comment(),
               "The work is on the branch `poppo/issue-12`, but no pull request could be "
               "opened:\n\n> The token may not.\n\n"));
}

TEST(unknown_cost_is_not_said)
{
    start("en");
    execution.usage.cost_micro_usd = -1;
    assert_null(strstr(comment(), "$"));
}

TEST(a_requester_cannot_break_out_of_the_line)
{
    start("en");
    execution.requested_by = "a`b @c\n# d";
    assert_non_null(strstr(comment(), "requested by `ab @c# d` ·"));
}

TEST(the_pull_request_tells_what_was_asked_done_checked_and_spent)
{
    start("en");
    execution.summary = "Painted it.\nFixes #1\n\n**Checked:** 12 tests.\n";
    pb_github_words_pull_title(&buf, &story);
    assert_string_equal(pb_buf_string(&buf), "Make it blue (#12)");
    pb_buf_clear(&buf);
    pb_github_words_pull_body(&buf, &story);
    assert_string_equal(
        pb_buf_string(&buf),
        "<!-- poppo:" ID " -->\n"
        "Refs #12 · [log and details](https://poppo.example/executions/" ID ")\n\n"
        "### What was asked\n> Make it blue\n\n"
        "Files changed: 2 (+10 −3)\n\n"
        "### What it cost\n4 calls, 1000 tokens in, 200 out\n"
        "<sub>Execution #" ZWSP
        "3 · requested by `alice` · attempt 2 · `claude-sonnet` · 7 turns · cost $0.1235 · "
        "3 min 5 s</sub>\n\n"
        "### What was done\nPainted it.\nFixes #" ZWSP "1\n\n"
        "### What was checked\n**Checked:** 12 tests.\n");
}

TEST(a_silent_agent_is_named_as_such)
{
    start("ja");
    pb_github_words_pull_body(&buf, &story);
    assert_non_null(
        strstr(pb_buf_string(&buf), "### 実施したこと\nエージェントからの要約はありません。"));
    assert_non_null(strstr(pb_buf_string(&buf), "### 確認したこと\n何を確認したか"));
}

TEST(the_longest_texts_stay_below_github_s_limit)
{
    static char summary[PB_LIMIT_SUMMARY * 2];
    static char question[PB_LIMIT_QUESTION];
    size_t chars = 0;

    start("en");
    for (size_t i = 0; i + 3 < sizeof(summary); i += 2)
        memcpy(summary + i, "@a", 3);
    memset(question, '\n', sizeof(question) - 1);
    execution.summary = summary;
    execution.reason = summary;
    execution.reason_kind = "auth";
    execution.status = PB_EXECUTION_FAILED;
    story.pull_problem = summary;
    for (const char *c = comment(); *c; c++)
        chars += ((unsigned char)*c & 0xc0) != 0x80;
    assert_true(chars < 60000);
    chars = 0;
    execution.status = PB_EXECUTION_WAITING_INPUT;
    execution.question = question;
    for (const char *c = comment(); *c; c++)
        chars += ((unsigned char)*c & 0xc0) != 0x80;
    assert_true(chars < 60000);
}

TEST(a_comment_starts_with_its_marker)
{
    struct pb_buf marker;

    pb_buf_init(&marker, 256);
    pb_github_words_marker(&marker, "site", "issue-12");
    start("en");
    assert_memory_equal(comment(), pb_buf_string(&marker), marker.len);
    pb_buf_release(&marker);
}

static int set_up(void **state __attribute__((unused)))
{
    pb_buf_init(&buf, PB_GITHUB_WORDS_MAX);
    return 0;
}

static int tear_down(void **state __attribute__((unused)))
{
    pb_buf_release(&buf);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_finished_one_in_english),
        cmocka_unit_test(a_finished_one_in_japanese),
        cmocka_unit_test(a_failure_says_why_and_what_now),
        cmocka_unit_test(a_question_is_quoted_and_says_how_to_answer),
        cmocka_unit_test(quota_says_until_when),
        cmocka_unit_test(every_status_has_words_in_both_languages),
        cmocka_unit_test(a_missing_pull_request_is_explained),
        cmocka_unit_test(unknown_cost_is_not_said),
        cmocka_unit_test(a_requester_cannot_break_out_of_the_line),
        cmocka_unit_test(the_pull_request_tells_what_was_asked_done_checked_and_spent),
        cmocka_unit_test(a_silent_agent_is_named_as_such),
        cmocka_unit_test(the_longest_texts_stay_below_github_s_limit),
        cmocka_unit_test(a_comment_starts_with_its_marker),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
