#include "server/services/github_words.h"

#include <string.h>

#include "model/failure.h"
#include "server/services/github_quiet.h"
#include "server/services/github_summary.h"
#include "server/services/github_words_private.h"

enum {
    ALL_CHARS = 60000, /* below GitHub's 65,536 */
    SUMMARY_CHARS_MIN = 4000,
    SUMMARY_CHARS_SHORT = 4000, /* in the comment, when the pull request has all of it */
    CHECKED_CHARS = 8000,
    QUESTION_CHARS = 10000,
    DETAIL_CHARS = 1000,
    TITLE_CHARS = 200,
    NEXT_SHOWN = 3,
};

void pb_github_words_marker(struct pb_buf *buf, const char *project_id, const char *item)
{
    pb_buf_format(buf, PB_GITHUB_MARKER "item:%s/%s -->", project_id, item);
}

/* --- the comment -------------------------------------------------------------------------------------- */

static void put_by(struct pb_buf *buf, const struct pb_github_story *story)
{
    pb_buf_text(buf, PB_SAY(story, " by ", "（中止した人: "));
    pb_github_put_code(buf, story->execution->cancel_by);
    pb_buf_text(buf, PB_SAY(story, "", "）"));
}

/* The status and what belongs to it. */
static void put_status(struct pb_buf *buf, const struct pb_github_story *story)
{
    const struct pb_execution *execution = story->execution;

    pb_buf_format(buf, "**%s**", pb_github_status_words(story, execution->status));
    if (execution->status == PB_EXECUTION_WAITING_QUOTA && execution->available_at) {
        pb_buf_text(buf, PB_SAY(story, " until ", "（再開予定: "));
        pb_github_put_time(buf, execution->available_at);
        pb_buf_text(buf, PB_SAY(story, "", "）"));
    }
    if (execution->status == PB_EXECUTION_SUCCEEDED && execution->no_changes)
        pb_buf_text(buf,
                    PB_SAY(story, ": no changes were needed", "（変更は必要ありませんでした）"));
    if ((execution->status == PB_EXECUTION_CANCELLED ||
         execution->status == PB_EXECUTION_CANCELLING) &&
        pb_github_has(execution->cancel_by))
        put_by(buf, story);
}

/* "✅ Done · draft pull request #13 · log and details" */
static void put_heading(struct pb_buf *buf, const struct pb_github_story *story)
{
    bool is_running = !pb_execution_is_final(story->execution->status);

    put_status(buf, story);
    if (story->item->pr_number)
        pb_buf_format(buf, PB_SAY(story, " · pull request #%lld", " · プルリクエスト #%lld"),
                      (long long)story->item->pr_number);
    pb_buf_text(buf, " · ");
    pb_github_put_link(buf, story, story->execution,
                       is_running ? PB_SAY(story, "watch it live", "ライブログを見る")
                                  : PB_SAY(story, "log and details", "ログと詳細"));
    pb_buf_text(buf, "\n\n");
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
    if (pb_github_has(execution->reason))
        pb_github_put_quoted(buf, execution->reason, DETAIL_CHARS);
    pb_buf_format(buf, "%s %s\n\n", PB_SAY(story, "**What now:**", "**次にすること:**"),
                  pb_failure_next(failure, story->project->language));
}

static void put_question(struct pb_buf *buf, const struct pb_github_story *story)
{
    if (story->execution->status != PB_EXECUTION_WAITING_INPUT ||
        !pb_github_has(story->execution->question))
        return;
    pb_github_put_quoted(buf, story->execution->question, QUESTION_CHARS);
    pb_buf_text(
        buf, PB_SAY(story,
                    "Please answer with a comment here. People with write access are heard; the "
                    "work then goes on where it stopped.\n\n",
                    "この Issue にコメントで回答してください（リポジトリへの書き込み権限がある方の"
                    "コメントを受け付けます）。回答があると、中断したところから作業を続けます。"
                    "\n\n"));
}

static void put_pull_problem(struct pb_buf *buf, const struct pb_github_story *story)
{
    if (!pb_github_has(story->pull_problem) || !pb_github_has(story->execution->branch))
        return;
    pb_buf_text(buf, PB_SAY(story, "The work is on the branch ", "作業結果はブランチ "));
    pb_github_put_code(buf, story->execution->branch);
    pb_buf_text(buf, PB_SAY(story, ", but no pull request could be opened:\n\n",
                            " にありますが、プルリクエストを作成できませんでした:\n\n"));
    pb_github_put_quoted(buf, story->pull_problem, DETAIL_CHARS);
}

/* How people go on from here. */
static void put_next(struct pb_buf *buf, const struct pb_github_story *story)
{
    if (story->execution->status == PB_EXECUTION_SUCCEEDED) {
        pb_buf_text(
            buf,
            PB_SAY(story, "A comment here or on the pull request continues the work.\n\n",
                   "ここ、またはプルリクエストにコメントすると、作業の続きを依頼できます。\n\n"));
        return;
    }
    if (!pb_execution_is_final(story->execution->status))
        return;
    pb_buf_text(buf,
                PB_SAY(story, "To run it again, set the label ", "もう一度実行するには、ラベル "));
    pb_github_put_code(buf, story->project->trigger_label);
    pb_buf_text(buf, PB_SAY(story, " once more.\n\n", " を付け直してください。\n\n"));
}

/* Follow-ups that wait behind the execution shown. */
static void put_waiting_behind(struct pb_buf *buf, const struct pb_github_story *story)
{
    size_t shown = 0;

    for (size_t i = story->execution_count; i-- > 0 && shown < NEXT_SHOWN;) {
        const struct pb_execution *execution = &story->executions[i];

        if (execution->number <= story->execution->number ||
            pb_execution_is_final(execution->status))
            continue;
        pb_buf_text(buf, shown++ ? ", " : PB_SAY(story, "<sub>Then: ", "<sub>次の実行: "));
        pb_github_put_number(buf, story, execution);
        if (pb_github_has(execution->requested_by)) {
            pb_buf_char(buf, ' ');
            pb_github_put_code(buf, execution->requested_by);
        }
    }
    if (shown)
        pb_buf_text(buf, "</sub>\n");
}

static size_t limit_of(size_t used, size_t most)
{
    size_t left = used + SUMMARY_CHARS_MIN < ALL_CHARS ? ALL_CHARS - used : SUMMARY_CHARS_MIN;

    return left < most ? left : most;
}

static void put_summary(struct pb_buf *buf, const struct pb_github_story *story, size_t used)
{
    const char *summary = story->execution->summary;

    if (!pb_github_has(summary) || !pb_execution_is_final(story->execution->status))
        return;
    pb_github_quiet(buf, summary,
                    limit_of(used, story->item->pr_number ? SUMMARY_CHARS_SHORT : ALL_CHARS));
    pb_buf_text(buf, "\n\n---\n\n"); /* from here on it is us again */
}

void pb_github_words_comment(struct pb_buf *buf, const struct pb_github_story *story)
{
    struct pb_buf end;

    pb_github_words_marker(buf, story->project->id, story->item->item);
    pb_buf_format(buf, "\n" PB_GITHUB_MARKER "%s -->\n", story->execution->id);
    put_heading(buf, story);
    put_reason(buf, story);
    put_pull_problem(buf, story);
    pb_github_put_remarks(buf, story);
    put_question(buf, story);
    pb_buf_init(&end, PB_GITHUB_WORDS_MAX);
    put_next(&end, story);
    pb_github_put_facts(&end, story, true);
    put_waiting_behind(&end, story);
    pb_github_put_history(&end, story);
    put_summary(buf, story, pb_github_chars(buf) + pb_github_chars(&end));
    buf->failed |= pb_buf_failed(&end);
    pb_buf_text(buf, pb_buf_string(&end));
    pb_buf_release(&end);
}

/* --- the pull request --------------------------------------------------------------------------------- */

static const char *title_of(const struct pb_github_story *story)
{
    return pb_github_has(story->item->title) ? story->item->title : story->execution->title;
}

void pb_github_words_pull_title(struct pb_buf *buf, const struct pb_github_story *story)
{
    pb_github_quiet_line(buf, title_of(story), TITLE_CHARS);
    pb_buf_format(buf, " (#%lld)", (long long)story->item->number);
}

static void put_section(struct pb_buf *buf, const char *title, const struct pb_github_part *part,
                        size_t max_chars, const char *otherwise)
{
    pb_buf_format(buf, "### %s\n\n", title);
    if (part->len)
        pb_github_put_part(buf, part->text, part->len, max_chars);
    else
        pb_buf_text(buf, otherwise);
    pb_buf_text(buf, "\n\n");
}

static void put_asked(struct pb_buf *buf, const struct pb_github_story *story)
{
    pb_buf_format(buf, "### %s\n\n", PB_SAY(story, "What was asked", "依頼内容"));
    pb_github_put_quoted(buf, title_of(story), TITLE_CHARS);
    pb_github_put_remarks(buf, story);
}

static void put_cost(struct pb_buf *buf, const struct pb_github_story *story)
{
    const struct pb_execution_usage *usage = &story->execution->usage;

    if (!usage->calls)
        return;
    pb_buf_format(buf, "### %s\n\n", PB_SAY(story, "What it cost", "費用"));
    if (pb_github_has_cost(story->execution)) {
        pb_github_put_cost(buf, usage->cost_micro_usd);
        pb_buf_text(buf, PB_SAY(story, " for ", "、"));
    }
    pb_buf_format(buf,
                  PB_SAY(story, "%lld call%s, %lld tokens in, %lld out\n\n",
                         "呼び出し %lld 回%s、入力 %lld トークン、出力 %lld トークン\n\n"),
                  (long long)usage->calls, usage->calls == 1 || pb_github_is_ja(story) ? "" : "s",
                  (long long)(usage->input_tokens + usage->cache_read_tokens +
                              usage->cache_write_tokens),
                  (long long)usage->output_tokens);
}

void pb_github_words_pull_body(struct pb_buf *buf, const struct pb_github_story *story)
{
    const char *text = pb_github_has(story->execution->summary) ? story->execution->summary : "";
    struct pb_github_summary summary = pb_github_summary_split(text);
    struct pb_buf end;

    pb_buf_format(buf, PB_GITHUB_MARKER "%s -->\n", story->execution->id);
    pb_buf_format(buf, "Refs #%lld · ", (long long)story->item->number);
    pb_github_put_link(buf, story, story->execution,
                       PB_SAY(story, "log and details", "ログと詳細"));
    pb_buf_text(buf, "\n\n");
    put_asked(buf, story);
    pb_buf_init(&end, PB_GITHUB_WORDS_MAX);
    put_section(&end, PB_SAY(story, "What was checked", "確認したこと"), &summary.checked,
                CHECKED_CHARS,
                PB_SAY(story, "The agent did not say what it checked. Please review with care.",
                       "何を確認したか、エージェントからの報告はありません。注意してレビューして"
                       "ください。"));
    put_cost(&end, story);
    pb_github_put_facts(&end, story, false);
    pb_github_put_pushed_before(&end, story);
    put_section(buf, PB_SAY(story, "What was done", "実施したこと"), &summary.done,
                limit_of(pb_github_chars(buf) + pb_github_chars(&end), ALL_CHARS),
                PB_SAY(story, "The agent left no summary.",
                       "エージェントからの要約はありません。"));
    buf->failed |= pb_buf_failed(&end);
    pb_buf_text(buf, pb_buf_string(&end));
    pb_buf_release(&end);
}
