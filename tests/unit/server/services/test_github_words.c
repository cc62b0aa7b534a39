#include <stdio.h>
#include <string.h>

#include "model/limits.h"
#include "pb_test.h"
#include "server/services/github_words.h"

#define ID         "01J00000000000000000000000"
#define ZWSP       "\xe2\x80\x8b"
#define MARKS      "<!-- poppo:item:site/issue-12 -->\n<!-- poppo:" ID " -->\n"
#define PAGE       "https://poppo.example/executions/"
#define WHERE      "https://github.example/acme/site/issues/12#issuecomment-5"
#define TEN(digit) digit digit digit digit digit digit digit digit digit digit
#define SHA(digit) TEN(digit) TEN(digit) TEN(digit) TEN(digit)
#define FACTS_EN                                                                                       \
    "<sub>Execution #" ZWSP "3 · requested by `alice` · attempt 2 · `claude-sonnet` · 7 turns · " \
    "cost $0.1235 · 3 min 5 s</sub>\n"
#define FACTS_JA                                                                                                  \
    "<sub>実行 #" ZWSP "3 · 依頼者 `alice` · 2 回目の試行 · `claude-sonnet` · 7 ターン · 費用 " \
    "$0.1235 · 3 分 5 秒</sub>\n"

enum { EXECUTIONS = 60, REMARKS = 100 };

static struct pb_project project;
static struct pb_work_item item;
static struct pb_execution executions[EXECUTIONS]; /* newest first; the first is shown */
static struct pb_execution *const execution = executions;
static struct pb_remark remarks[REMARKS];
static struct pb_github_story story;
static struct pb_buf buf;

static void start(const char *language)
{
    memset(executions, 0, sizeof(executions));
    memset(remarks, 0, sizeof(remarks));
    project = (struct pb_project){.id = "site", .language = language, .trigger_label = "poppo"};
    item = (struct pb_work_item){.item = "issue-12",
                                 .number = 12,
                                 .title = "Make it blue",
                                 .url = "https://github.example/acme/site/issues/12"};
    *execution = (struct pb_execution){.id = ID,
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
                                       .active_ms = 185000,
                                       .branch = "poppo/issue-12",
                                       .head_sha = SHA("3"),
                                       .title = "Make it blue"};
    story = (struct pb_github_story){.project = &project,
                                     .item = &item,
                                     .execution = execution,
                                     .executions = executions,
                                     .execution_count = 1,
                                     .remarks = remarks,
                                     .base_url = "https://poppo.example"};
    pb_buf_clear(&buf);
}

/* An execution before all others there are. */
static struct pb_execution *before(const char *id, enum pb_execution_status status)
{
    struct pb_execution *row = &executions[story.execution_count];

    assert_true(story.execution_count < EXECUTIONS);
    *row = (struct pb_execution){.id = id,
                                 .number = row[-1].number - 1,
                                 .status = status,
                                 .title = "Make it blue"};
    story.execution_count++;
    return row;
}

/* Something said before all that was said. */
static void said(const char *id, const char *question, const char *text)
{
    assert_true(story.remark_count < REMARKS);
    remarks[story.remark_count++] = (struct pb_remark){
        .execution_id = id, .question = question, .text = text, .said_by = "bob", .url = WHERE};
}

static const char *comment(void)
{
    pb_buf_clear(&buf);
    pb_github_words_comment(&buf, &story);
    assert_false(pb_buf_failed(&buf));
    return pb_buf_string(&buf);
}

static const char *pull(void)
{
    pb_buf_clear(&buf);
    pb_github_words_pull_body(&buf, &story);
    assert_false(pb_buf_failed(&buf));
    return pb_buf_string(&buf);
}

TEST(a_finished_one_in_english)
{
    start("en");
    item.pr_number = 13;
    execution->summary = "Painted it.\n\nChecked: 12 tests. cc @bob";
    assert_string_equal(comment(), MARKS
                        "**✅ Done** · pull request #13 · [log and details](" PAGE ID ")\n\n"
                        "Painted it.\n\nChecked: 12 tests. cc @" ZWSP "bob\n\n---\n\n"
                        "A comment here or on the pull request continues the work.\n\n" FACTS_EN);
}

TEST(a_finished_one_in_japanese)
{
    start("ja");
    item.pr_number = 13;
    execution->summary = "青くしました。\n\n確認: テスト 12 件";
    assert_string_equal(
        comment(), MARKS
        "**✅ 完了しました** · プルリクエスト #13 · [ログと詳細](" PAGE ID ")\n\n"
        "青くしました。\n\n確認: テスト 12 件\n\n---\n\n"
        "ここ、またはプルリクエストにコメントすると、作業の続きを依頼できます。\n\n" FACTS_JA);
}

TEST(a_failure_says_why_and_what_now)
{
    start("en");
    execution->status = PB_EXECUTION_FAILED;
    execution->reason_kind = "auth";
    execution->reason = "HTTP 401, said @proxy";
    assert_string_equal(
        comment(),
        MARKS "**❌ Failed** · [log and details](" PAGE ID ")\n\n"
              "The Claude API key was not accepted.\n\n"
              "> HTTP 401, said @" ZWSP "proxy\n\n"
              "**What now:** Enter a valid key in the project's settings, then re-run.\n\n"
              "To run it again, set the label `poppo` once more.\n\n" FACTS_EN);
}

TEST(a_question_is_quoted_and_says_how_to_answer)
{
    start("ja");
    execution->status = PB_EXECUTION_WAITING_INPUT;
    execution->question = "どの青ですか？\n1. 紺\n2. 空色";
    assert_non_null(
        strstr(comment(), "> どの青ですか？\n> 1. 紺\n> 2. 空色\n\nこの Issue にコメントで回答"));
}

#define ASKED_EN                      \
    "**Question**\n> Which blue?\n\n" \
    "**Answer** by `bob` ([comment](" WHERE "))\n> Navy, says @" ZWSP "carol\n> Thanks\n\n"

TEST(an_answered_question_stays_with_its_answer)
{
    static const enum pb_execution_status LATER[] = {PB_EXECUTION_QUEUED, PB_EXECUTION_RUNNING,
                                                     PB_EXECUTION_SUCCEEDED, PB_EXECUTION_FAILED};

    start("en");
    said(ID, "Which blue?", "Navy, says @carol\nThanks");
    for (size_t i = 0; i < COUNT(LATER); i++) {
        execution->status = LATER[i];
        assert_non_null(strstr(comment(), ASKED_EN));
        assert_null(strstr(comment(), "attempt")); /* the answer's is no second try */
    }
    assert_non_null(strstr(pull(), "### What was asked\n\n> Make it blue\n\n" ASKED_EN));
    project.language = "ja";
    assert_non_null(strstr(comment(), "**質問**\n> Which blue?\n\n**回答** `bob`（[コメント](" WHERE
                                      ")）\n> Navy"));
}

TEST(questions_are_told_in_their_order_and_the_newest_count)
{
    start("en");
    execution->attempt_count = 9;
    said(ID, "Q6?", "A6");
    said(ID, "Q5?", "A5");
    said(ID, "Q4?", "A4");
    said(ID, "Q3?", "A3");
    said(ID, "Q2?", "A2");
    said(ID, "Q1?", "A1");
    comment();
    assert_null(strstr(pb_buf_string(&buf), "Q1?"));
    assert_non_null(strstr(pb_buf_string(&buf), "Q2?"));
    assert_true(strstr(pb_buf_string(&buf), "Q2?") < strstr(pb_buf_string(&buf), "A2"));
    assert_true(strstr(pb_buf_string(&buf), "A2") < strstr(pb_buf_string(&buf), "Q6?"));
}

TEST(the_comment_that_began_it_is_quoted)
{
    start("en");
    said(ID, NULL, "now green");
    assert_non_null(
        strstr(comment(), "**Asked** by `bob` ([comment](" WHERE "))\n> now green\n\n"));
    remarks[0].url = "https://evil) [x](y";
    assert_non_null(strstr(comment(), "**Asked** by `bob`\n> now green\n\n"));
}

static void two_before(void)
{
    struct pb_execution *row = before("01J2", PB_EXECUTION_SUCCEEDED);

    row->summary = "## Summary\n\n- Painted it, closes #7\n- and more";
    row->head_sha = SHA("2");
    row->usage = (struct pb_execution_usage){.calls = 1, .cost_micro_usd = 20000};
    row = before("01J1", PB_EXECUTION_FAILED);
    row->reason_kind = "auth";
    row->usage = (struct pb_execution_usage){.calls = 1, .cost_micro_usd = 5000};
    said("01J2", "Which blue?", "Navy");
}

#define COMMIT "[`2222222`](https://github.example/acme/site/commit/" SHA("2") ")"

TEST(what_was_before_is_folded_in_english)
{
    start("en");
    two_before();
    comment();
    assert_string_equal(strstr(pb_buf_string(&buf), "\n<details>"),
                        "\n<details>\n<summary>Earlier: 2 · $0.0250</summary>\n\n"
                        "- [#" ZWSP "2](" PAGE "01J2) ✅ Done · " COMMIT
                        " · $0.0200 · Painted it, closes #" ZWSP "7\n"
                        "  - ❓ Which blue?\n"
                        "  - 💬 `bob`: Navy\n"
                        "- [#" ZWSP "1](" PAGE
                        "01J1) ❌ Failed · $0.0050 · The Claude API key was not accepted.\n"
                        "\n</details>\n");
}

TEST(what_was_before_is_folded_in_japanese)
{
    start("ja");
    two_before();
    executions[2].status = PB_EXECUTION_CANCELLED;
    executions[2].cancel_by = "carol";
    comment();
    assert_non_null(strstr(pb_buf_string(&buf), "<summary>以前の実行: 2 件 · $0.0250</summary>"));
    assert_non_null(strstr(pb_buf_string(&buf), "🚫 中止されました · $0.0050 · `carol`\n"));
}

TEST(the_list_of_what_was_before_is_bounded)
{
    start("en");
    execution->number = 40;
    for (int i = 0; i < 15; i++)
        before("01J0", PB_EXECUTION_SUCCEEDED);
    comment();
    assert_non_null(strstr(pb_buf_string(&buf), "Earlier: 15<"));
    assert_non_null(strstr(pb_buf_string(&buf), "- [#" ZWSP "30]("));
    assert_null(strstr(pb_buf_string(&buf), "- [#" ZWSP "29]("));
    assert_non_null(
        strstr(pb_buf_string(&buf), "- [older ones](https://poppo.example/projects/site)\n"));
    story.has_more = true;
    assert_non_null(strstr(comment(), "Earlier: 15 and more<"));
}

TEST(what_waits_behind_it_is_named)
{
    start("en");
    executions[1] = executions[0];
    executions[0] = (struct pb_execution){.id = "01J4",
                                          .number = 4,
                                          .status = PB_EXECUTION_QUEUED,
                                          .requested_by = "bob"};
    story.execution = &executions[1];
    story.execution_count = 2;
    assert_non_null(strstr(comment(), "<sub>Then: [#" ZWSP "4](" PAGE "01J4) `bob`</sub>\n"));
    assert_null(strstr(comment(), "<details>"));
}

TEST(whoever_cancelled_is_named)
{
    start("en");
    execution->cancel_by = "carol";
    execution->status = PB_EXECUTION_CANCELLING;
    assert_non_null(strstr(comment(), "**🛑 Cancelling** by `carol` ·"));
    execution->status = PB_EXECUTION_CANCELLED;
    assert_non_null(strstr(comment(), "**🚫 Cancelled** by `carol` ·"));
    project.language = "ja";
    assert_non_null(strstr(comment(), "**🚫 中止されました**（中止した人: `carol`） ·"));
}

TEST(quota_says_until_when)
{
    start("en");
    execution->status = PB_EXECUTION_WAITING_QUOTA;
    execution->available_at = 1795338000000;
    execution->reason_kind = "rate_limit";
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
        execution->status = (enum pb_execution_status)status;
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
    execution->usage.cost_micro_usd = -1;
    assert_null(strstr(comment(), "$"));
}

TEST(a_requester_cannot_break_out_of_the_line)
{
    start("en");
    execution->requested_by = "a`b @c\n# d";
    assert_non_null(strstr(comment(), "requested by `ab @c# d` ·"));
}

TEST(the_pull_request_tells_what_was_asked_done_checked_and_spent)
{
    start("en");
    execution->summary = "Painted it.\nFixes #1\n\n**Checked:** 12 tests.\n";
    pb_github_words_pull_title(&buf, &story);
    assert_string_equal(pb_buf_string(&buf), "Make it blue (#12)");
    assert_string_equal(pull(),
                        "<!-- poppo:" ID " -->\n"
                        "Refs #12 · [log and details](" PAGE ID ")\n\n"
                        "### What was asked\n\n> Make it blue\n\n"
                        "### What was done\n\nPainted it.\nFixes #" ZWSP "1\n\n"
                        "### What was checked\n\n12 tests.\n\n"
                        "### What it cost\n\n$0.1235 for 4 calls, 1000 tokens in, 200 out\n\n"
                        "<sub>Execution #" ZWSP
                        "3 · requested by `alice` · attempt 2 · `claude-sonnet` · 7 turns · "
                        "3 min 5 s</sub>\n");
}

TEST(the_pull_request_in_japanese)
{
    start("ja");
    execution->summary = "青くしました。\n\n確認：テスト 12 件";
    assert_string_equal(pull(), "<!-- poppo:" ID " -->\n"
                                "Refs #12 · [ログと詳細](" PAGE ID ")\n\n"
                                "### 依頼内容\n\n> Make it blue\n\n"
                                "### 実施したこと\n\n青くしました。\n\n"
                                "### 確認したこと\n\nテスト 12 件\n\n"
                                "### 費用\n\n$0.1235、呼び出し 4 回、入力 1000 トークン、出力 200 "
                                "トークン\n\n"
                                "<sub>実行 #" ZWSP "3 · 依頼者 `alice` · 2 回目の試行 · "
                                "`claude-sonnet` · 7 ターン · 3 分 5 秒</sub>\n");
}

TEST(the_pull_request_keeps_what_earlier_executions_did)
{
    start("en");
    item.pr_number = 13;
    execution->summary = "Made it green.\n\nChecked: looked at it.";
    said(ID, NULL, "now green");
    two_before();
    executions[1].pr_number = 13;
    executions[1].summary = "Painted it.\n\nChecked: 12 tests.\n```\nopen";
    pull();
    assert_non_null(strstr(pb_buf_string(&buf), "> Make it blue\n\n**Asked** by `bob`"));
    assert_string_equal(strstr(pb_buf_string(&buf), "\n<details>"),
                        "\n<details>\n<summary>Earlier: 1 · $0.0200</summary>\n\n"
                        "- [#" ZWSP "2](" PAGE "01J2) · " COMMIT " · $0.0200\n"
                        "  - ❓ Which blue?\n"
                        "  - 💬 `bob`: Navy\n"
                        "\nPainted it.\n\nChecked: 12 tests.\n```\nopen\n```\n\n"
                        "</details>\n");
}

TEST(a_title_closes_nothing)
{
    start("en");
    item.title = "Fixes #7\n@bob <!-- x --> closes https://github.com/a/b/issues/1";
    pb_github_words_pull_title(&buf, &story);
    assert_string_equal(pb_buf_string(&buf),
                        "F" ZWSP "ixes #" ZWSP "7 @" ZWSP "bob c" ZWSP
                        "loses https://redirect.github.com/a/b/issues/1 (#12)");
}

TEST(a_silent_agent_is_named_as_such)
{
    start("ja");
    pull();
    assert_non_null(
        strstr(pb_buf_string(&buf), "### 実施したこと\n\nエージェントからの要約はありません。"));
    assert_non_null(strstr(pb_buf_string(&buf), "### 確認したこと\n\n何を確認したか"));
}

static size_t count_chars(const char *text)
{
    size_t count = 0;

    for (; *text; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return count;
}

static void fill(char *text, size_t size, const char *with)
{
    size_t len = strlen(with);

    memset(text, 0, size);
    for (size_t i = 0; i + len < size; i += len)
        memcpy(text + i, with, len);
}

/* Everything there can be, as long as it can be, of what grows most. */
TEST(the_longest_texts_stay_below_github_s_limit)
{
    static const char *const FILLS[] = {"@a", "\n\n", "あ", "fix /issues/1 "};
    static char text[PB_LIMIT_SUMMARY];
    static char question[PB_LIMIT_QUESTION];
    static char url[PB_LIMIT_URL];

    for (size_t i = 0; i < COUNT(FILLS); i++) {
        start("en");
        fill(text, sizeof(text), FILLS[i]);
        fill(question, sizeof(question), FILLS[i]);
        fill(url, sizeof(url), "x");
        story.base_url = url;
        story.pull_problem = text;
        execution->number = 1000;
        execution->reason_kind = "auth";
        execution->summary = execution->reason = text;
        execution->question = question;
        while (story.execution_count < EXECUTIONS)
            *before(ID, PB_EXECUTION_SUCCEEDED) = *execution;
        for (int64_t n = 1; n < EXECUTIONS; n++)
            executions[n].number -= n;
        while (story.remark_count < REMARKS)
            said(ID, question, text);
        for (int status = 0; status < PB_EXECUTION_STATUS_COUNT; status++) {
            execution->status = (enum pb_execution_status)status;
            assert_true(count_chars(comment()) < 65536);
            assert_non_null(strstr(pb_buf_string(&buf), "</details>"));
        }
        assert_true(count_chars(pull()) < 65536);
        assert_non_null(strstr(pb_buf_string(&buf), "</details>"));
    }
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
        cmocka_unit_test(an_answered_question_stays_with_its_answer),
        cmocka_unit_test(questions_are_told_in_their_order_and_the_newest_count),
        cmocka_unit_test(the_comment_that_began_it_is_quoted),
        cmocka_unit_test(what_was_before_is_folded_in_english),
        cmocka_unit_test(what_was_before_is_folded_in_japanese),
        cmocka_unit_test(the_list_of_what_was_before_is_bounded),
        cmocka_unit_test(what_waits_behind_it_is_named),
        cmocka_unit_test(whoever_cancelled_is_named),
        cmocka_unit_test(quota_says_until_when),
        cmocka_unit_test(every_status_has_words_in_both_languages),
        cmocka_unit_test(a_missing_pull_request_is_explained),
        cmocka_unit_test(unknown_cost_is_not_said),
        cmocka_unit_test(a_requester_cannot_break_out_of_the_line),
        cmocka_unit_test(the_pull_request_tells_what_was_asked_done_checked_and_spent),
        cmocka_unit_test(the_pull_request_in_japanese),
        cmocka_unit_test(the_pull_request_keeps_what_earlier_executions_did),
        cmocka_unit_test(a_title_closes_nothing),
        cmocka_unit_test(a_silent_agent_is_named_as_such),
        cmocka_unit_test(the_longest_texts_stay_below_github_s_limit),
        cmocka_unit_test(a_comment_starts_with_its_marker),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
