#include "server/services/github_words.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "model/failure.h"
#include "server/services/github_quiet.h"
#include "server/services/github_text.h"

enum {
    SUMMARY_CHARS = 40000,
    QUESTION_CHARS = 12000,
    DETAIL_CHARS = 1000,
    TITLE_CHARS = 200,
};

/* status, how it is called in the comment */
static const struct {
    const char *en;
    const char *ja;
} HEADINGS[PB_EXECUTION_STATUS_COUNT] = {
    [PB_EXECUTION_QUEUED] = {"⏳ Queued", "⏳ 順番を待っています"},
    [PB_EXECUTION_ASSIGNED] = {"⏳ Starting", "⏳ 開始しています"},
    [PB_EXECUTION_PREPARING] = {"🔧 Preparing the workspace", "🔧 作業の準備をしています"},
    [PB_EXECUTION_RUNNING] = {"🔧 Working on it", "🔧 作業しています"},
    [PB_EXECUTION_WAITING_INPUT] = {"❓ A question before I go on", "❓ 確認したいことがあります"},
    [PB_EXECUTION_WAITING_APPROVAL] = {"✋ Waiting for approval", "✋ 承認を待っています"},
    [PB_EXECUTION_WAITING_QUOTA] = {"⏸️ Waiting for quota",
                                    "⏸️ 利用上限の解除を待っています"},
    [PB_EXECUTION_CANCELLING] = {"🛑 Cancelling", "🛑 中止しています"},
    [PB_EXECUTION_SUCCEEDED] = {"✅ Done", "✅ 完了しました"},
    [PB_EXECUTION_FAILED] = {"❌ Failed", "❌ 失敗しました"},
    [PB_EXECUTION_TIMED_OUT] = {"⌛ Out of time", "⌛ 制限時間を超えました"},
    [PB_EXECUTION_BUDGET_EXHAUSTED] = {"💰 Budget used up", "💰 予算を使い切りました"},
    [PB_EXECUTION_CANCELLED] = {"🚫 Cancelled", "🚫 中止されました"},
};

static bool is_ja(const struct pb_github_story *story)
{
    return pb_text_equal(story->project->language, "ja");
}

/* A macro, so that the compiler sees both texts when they are formats. */
#define SAY(story, en, ja) (is_ja(story) ? (ja) : (en))

static bool has(const char *text)
{
    return text && *text;
}

/* Names and labels between backticks: no link, no notification. */
static void put_code(struct pb_buf *buf, const char *text)
{
    pb_buf_char(buf, '`');
    for (const char *c = text; *c; c++)
        if (*c != '`' && (unsigned char)*c >= ' ')
            pb_buf_char(buf, *c);
    pb_buf_char(buf, '`');
}

static void put_cost(struct pb_buf *buf, int64_t micro_usd)
{
    int64_t rounded = (micro_usd + 50) / 100;

    pb_buf_format(buf, "$%lld.%04lld", (long long)(rounded / 10000), (long long)(rounded % 10000));
}

/* "2026-11-22 10:06 UTC" */
static void put_time(struct pb_buf *buf, int64_t wall_ms)
{
    char text[PB_CLOCK_TEXT];

    pb_clock_format(wall_ms, text);
    pb_buf_format(buf, "%.10s %.5s UTC", text, text + 11);
}

static void put_duration(struct pb_buf *buf, const struct pb_github_story *story, int64_t ms)
{
    int64_t seconds = ms / 1000;

    if (seconds >= 3600)
        pb_buf_format(buf, SAY(story, "%lld h %lld min", "%lld 時間 %lld 分"),
                      (long long)(seconds / 3600), (long long)(seconds % 3600 / 60));
    else if (seconds >= 60)
        pb_buf_format(buf, SAY(story, "%lld min %lld s", "%lld 分 %lld 秒"),
                      (long long)(seconds / 60), (long long)(seconds % 60));
    else
        pb_buf_format(buf, SAY(story, "%lld s", "%lld 秒"), (long long)seconds);
}

static void put_link(struct pb_buf *buf, const struct pb_github_story *story, const char *words)
{
    pb_buf_format(buf, "[%s](%s/executions/%s)", words, story->base_url, story->execution->id);
}

void pb_github_words_marker(struct pb_buf *buf, const char *project_id, const char *item)
{
    pb_buf_format(buf, PB_GITHUB_MARKER "item:%s/%s -->", project_id, item);
}

static void put_heading(struct pb_buf *buf, const struct pb_github_story *story)
{
    const struct pb_execution *execution = story->execution;
    bool running = !pb_execution_is_final(execution->status);

    pb_buf_format(buf, "**%s**",
                  SAY(story, HEADINGS[execution->status].en, HEADINGS[execution->status].ja));
    if (execution->status == PB_EXECUTION_WAITING_QUOTA && execution->available_at) {
        pb_buf_text(buf, SAY(story, " until ", "（再開予定: "));
        put_time(buf, execution->available_at);
        pb_buf_text(buf, SAY(story, "", "）"));
    }
    if (execution->status == PB_EXECUTION_SUCCEEDED && execution->no_changes)
        pb_buf_text(buf, SAY(story, ": no changes were needed", "（変更は必要ありませんでした）"));
    if (execution->status == PB_EXECUTION_CANCELLED && has(execution->cancel_by)) {
        pb_buf_text(buf, SAY(story, " by ", "（中止した人: "));
        put_code(buf, execution->cancel_by);
        pb_buf_text(buf, SAY(story, "", "）"));
    }
    pb_buf_text(buf, " · ");
    put_link(buf, story,
             running ? SAY(story, "watch it live", "ライブログを見る")
                     : SAY(story, "log and details", "ログと詳細"));
    pb_buf_text(buf, "\n\n");
}

/* Every line behind "> ", so that the text cannot leave its place. */
static void put_quoted(struct pb_buf *buf, const char *text, size_t max_chars)
{
    struct pb_buf quiet;

    pb_buf_init(&quiet, PB_GITHUB_WORDS_MAX);
    pb_github_quiet(&quiet, text, max_chars);
    buf->failed |= pb_buf_failed(&quiet);
    pb_buf_text(buf, "> ");
    for (const char *c = pb_buf_string(&quiet); *c; c++) {
        pb_buf_char(buf, *c);
        if (*c == '\n')
            pb_buf_text(buf, "> ");
    }
    pb_buf_text(buf, "\n\n");
    pb_buf_release(&quiet);
}

/* Why it failed or waits, the case's detail, and what happens next. */
static void put_reason(struct pb_buf *buf, const struct pb_github_story *story)
{
    const struct pb_execution *execution = story->execution;
    const struct pb_failure *failure = pb_failure_find(execution->reason_kind);

    if (!failure || execution->status == PB_EXECUTION_SUCCEEDED ||
        execution->status == PB_EXECUTION_CANCELLED ||
        execution->status == PB_EXECUTION_WAITING_INPUT)
        return;
    pb_buf_format(buf, "%s\n\n", pb_failure_sentence(failure, story->project->language));
    if (has(execution->reason))
        put_quoted(buf, execution->reason, DETAIL_CHARS);
    pb_buf_format(buf, "%s %s\n\n", SAY(story, "**What now:**", "**次にすること:**"),
                  pb_failure_next(failure, story->project->language));
}

static void put_question(struct pb_buf *buf, const struct pb_github_story *story)
{
    if (story->execution->status != PB_EXECUTION_WAITING_INPUT || !has(story->execution->question))
        return;
    put_quoted(buf, story->execution->question, QUESTION_CHARS);
    pb_buf_text(
        buf, SAY(story,
                 "Please answer with a comment here. People with write access are heard; the "
                 "work then goes on where it stopped.\n\n",
                 "この Issue にコメントで回答してください（リポジトリへの書き込み権限がある方の"
                 "コメントを受け付けます）。回答があると、中断したところから作業を続けます。\n\n"));
}

static void put_pull(struct pb_buf *buf, const struct pb_github_story *story)
{
    if (story->item->pr_number) {
        pb_buf_format(buf,
                      SAY(story, "Draft pull request: #%lld", "ドラフトのプルリクエスト: #%lld"),
                      (long long)story->item->pr_number);
        pb_buf_text(buf, "\n\n");
    }
    if (has(story->pull_problem) && has(story->execution->branch)) {
        pb_buf_text(buf, SAY(story, "The work is on the branch ", "作業結果はブランチ "));
        put_code(buf, story->execution->branch);
        pb_buf_text(buf, SAY(story, ", but no pull request could be opened:\n\n",
                             " にありますが、プルリクエストを作成できませんでした:\n\n"));
        put_quoted(buf, story->pull_problem, DETAIL_CHARS);
    }
}

/* One line: who asked, how often tried, what it cost, how long it took. */
static void put_facts(struct pb_buf *buf, const struct pb_github_story *story)
{
    const struct pb_execution *execution = story->execution;

    pb_buf_format(buf,
                  SAY(story, "<sub>Execution #\xe2\x80\x8b%lld", "<sub>実行 #\xe2\x80\x8b%lld"),
                  (long long)execution->number);
    if (has(execution->requested_by)) {
        pb_buf_text(buf, SAY(story, " · requested by ", " · 依頼者 "));
        put_code(buf, execution->requested_by);
    }
    if (execution->attempt_count > 1)
        pb_buf_format(buf, SAY(story, " · attempt %lld", " · %lld 回目の試行"),
                      (long long)execution->attempt_count);
    if (has(execution->model)) {
        pb_buf_text(buf, " · ");
        put_code(buf, execution->model);
    }
    if (execution->num_turns)
        pb_buf_format(buf, SAY(story, " · %lld turns", " · %lld ターン"),
                      (long long)execution->num_turns);
    if (execution->usage.calls && execution->usage.cost_micro_usd >= 0) {
        pb_buf_text(buf, SAY(story, " · cost ", " · 費用 "));
        put_cost(buf, execution->usage.cost_micro_usd);
    }
    if (execution->started_at && execution->completed_at >= execution->started_at) {
        pb_buf_text(buf, " · ");
        put_duration(buf, story, execution->completed_at - execution->started_at);
    }
    pb_buf_text(buf, "</sub>\n");
}

static void put_summary(struct pb_buf *buf, const struct pb_github_story *story)
{
    if (!has(story->execution->summary) || !pb_execution_is_final(story->execution->status))
        return;
    pb_buf_text(buf, "\n---\n\n");
    pb_github_quiet(buf, story->execution->summary, SUMMARY_CHARS);
    pb_buf_char(buf, '\n');
}

void pb_github_words_comment(struct pb_buf *buf, const struct pb_github_story *story)
{
    pb_github_words_marker(buf, story->project->id, story->item->item);
    pb_buf_format(buf, "\n" PB_GITHUB_MARKER "%s -->\n", story->execution->id);
    put_heading(buf, story);
    put_question(buf, story);
    put_reason(buf, story);
    put_pull(buf, story);
    if (story->execution->status == PB_EXECUTION_SUCCEEDED)
        pb_buf_text(
            buf, SAY(story, "A comment here or on the pull request continues the work.\n\n",
                     "ここ、またはプルリクエストにコメントすると、作業の続きを依頼できます。\n\n"));
    put_facts(buf, story);
    put_summary(buf, story);
}

void pb_github_words_pull_title(struct pb_buf *buf, const struct pb_github_story *story)
{
    struct pb_buf line;

    pb_buf_init(&line, 4096);
    pb_github_text_line(&line,
                        has(story->item->title) ? story->item->title : story->execution->title,
                        TITLE_CHARS);
    buf->failed |= pb_buf_failed(&line);
    pb_github_quiet(buf, pb_buf_string(&line), TITLE_CHARS);
    pb_buf_release(&line);
    pb_buf_format(buf, " (#%lld)", (long long)story->item->number);
}

/* The paragraph in which the agent tells what it checked starts with this (prompts ask for it). */
static bool starts_checked(const char *line)
{
    static const char *const WORDS[] = {"Checked", "確認"};

    line += strspn(line, "#*_- \t");
    for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++)
        if (pb_text_starts(line, WORDS[i]))
            return true;
    return false;
}

/* Where that paragraph begins; NULL when there is none. */
static const char *find_checked(const char *summary)
{
    for (const char *line = summary; line; line = strchr(line, '\n')) {
        if (*line == '\n')
            line++;
        if (starts_checked(line))
            return line;
    }
    return NULL;
}

static void put_trimmed(struct pb_buf *buf, const char *text, size_t len)
{
    while (len && (text[len - 1] == '\n' || text[len - 1] == ' '))
        len--;
    pb_buf_bytes(buf, text, len);
}

/* What was done, then what was checked: two parts of one summary. */
static void put_done_and_checked(struct pb_buf *buf, const struct pb_github_story *story)
{
    struct pb_buf quiet;
    const char *summary;
    const char *checked;

    pb_buf_init(&quiet, PB_GITHUB_WORDS_MAX);
    if (has(story->execution->summary))
        pb_github_quiet(&quiet, story->execution->summary, SUMMARY_CHARS);
    buf->failed |= pb_buf_failed(&quiet);
    summary = pb_buf_string(&quiet);
    checked = find_checked(summary);
    if (!checked)
        checked = summary + strlen(summary);
    pb_buf_format(buf, "### %s\n", SAY(story, "What was done", "実施したこと"));
    put_trimmed(buf, summary, (size_t)(checked - summary));
    if (checked == summary)
        pb_buf_text(buf, SAY(story, "The agent left no summary.",
                             "エージェントからの要約はありません。"));
    pb_buf_format(buf, "\n\n### %s\n", SAY(story, "What was checked", "確認したこと"));
    put_trimmed(buf, checked, strlen(checked));
    if (!*checked)
        pb_buf_text(buf,
                    SAY(story, "The agent did not say what it checked. Please review with care.",
                        "何を確認したか、エージェントからの報告はありません。注意してレビューして"
                        "ください。"));
    pb_buf_char(buf, '\n');
    pb_buf_release(&quiet);
}

static void put_changes(struct pb_buf *buf, const struct pb_github_story *story)
{
    const struct pb_execution *execution = story->execution;

    if (!execution->files_changed)
        return;
    pb_buf_format(buf,
                  SAY(story, "Files changed: %lld (+%lld −%lld)\n\n",
                      "変更したファイル: %lld（+%lld −%lld）\n\n"),
                  (long long)execution->files_changed, (long long)execution->insertions,
                  (long long)execution->deletions);
}

static void put_tokens(struct pb_buf *buf, const struct pb_github_story *story)
{
    const struct pb_execution_usage *usage = &story->execution->usage;

    if (usage->calls)
        pb_buf_format(buf,
                      SAY(story, "%lld calls, %lld tokens in, %lld out\n",
                          "%lld 回の呼び出し、入力 %lld トークン、出力 %lld トークン\n"),
                      (long long)usage->calls,
                      (long long)(usage->input_tokens + usage->cache_read_tokens +
                                  usage->cache_write_tokens),
                      (long long)usage->output_tokens);
}

void pb_github_words_pull_body(struct pb_buf *buf, const struct pb_github_story *story)
{
    pb_buf_format(buf, PB_GITHUB_MARKER "%s -->\n", story->execution->id);
    pb_buf_format(buf, "Refs #%lld · ", (long long)story->item->number);
    put_link(buf, story, SAY(story, "log and details", "ログと詳細"));
    pb_buf_format(buf, "\n\n### %s\n", SAY(story, "What was asked", "依頼内容"));
    put_quoted(buf, has(story->item->title) ? story->item->title : story->execution->title,
               TITLE_CHARS);
    put_changes(buf, story);
    pb_buf_format(buf, "### %s\n", SAY(story, "What it cost", "費用"));
    put_tokens(buf, story);
    put_facts(buf, story);
    pb_buf_char(buf, '\n');
    put_done_and_checked(buf, story);
}
