#include <string.h>

#include "base/clock.h"
#include "server/services/github_quiet.h"
#include "server/services/github_words_private.h"

enum {
    REMARKS = 5, /* the newest of an execution */
    REMARK_CHARS = 1200,
    LOGIN_CHARS = 60,
    URL_LEN = 500,
    SHA_SHORT = 7,
};

/* status, how it is called at GitHub */
static const struct {
    const char *en;
    const char *ja;
} STATUSES[PB_EXECUTION_STATUS_COUNT] = {
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

const char *pb_github_status_words(const struct pb_github_story *story,
                                   enum pb_execution_status status)
{
    return PB_SAY(story, STATUSES[status].en, STATUSES[status].ja);
}

void pb_github_put_code(struct pb_buf *buf, const char *text)
{
    pb_buf_char(buf, '`');
    for (const char *c = text; *c; c++)
        if (*c != '`' && (unsigned char)*c >= ' ')
            pb_buf_char(buf, *c);
    pb_buf_char(buf, '`');
}

void pb_github_put_cost(struct pb_buf *buf, int64_t micro_usd)
{
    int64_t rounded = (micro_usd + 50) / 100;

    pb_buf_format(buf, "$%lld.%04lld", (long long)(rounded / 10000), (long long)(rounded % 10000));
}

void pb_github_put_time(struct pb_buf *buf, int64_t wall_ms)
{
    char text[PB_CLOCK_TEXT];

    pb_clock_format(wall_ms, text);
    pb_buf_format(buf, "%.10s %.5s UTC", text, text + 11);
}

static void put_duration(struct pb_buf *buf, const struct pb_github_story *story, int64_t ms)
{
    int64_t seconds = ms / 1000;

    if (seconds >= 3600)
        pb_buf_format(buf, PB_SAY(story, "%lld h %lld min", "%lld 時間 %lld 分"),
                      (long long)(seconds / 3600), (long long)(seconds % 3600 / 60));
    else if (seconds >= 60)
        pb_buf_format(buf, PB_SAY(story, "%lld min %lld s", "%lld 分 %lld 秒"),
                      (long long)(seconds / 60), (long long)(seconds % 60));
    else
        pb_buf_format(buf, PB_SAY(story, "%lld s", "%lld 秒"), (long long)seconds);
}

void pb_github_put_link(struct pb_buf *buf, const struct pb_github_story *story,
                        const struct pb_execution *execution, const char *words)
{
    pb_buf_format(buf, "[%s](%s/executions/%s)", words, story->base_url, execution->id);
}

void pb_github_put_number(struct pb_buf *buf, const struct pb_github_story *story,
                          const struct pb_execution *execution)
{
    pb_buf_format(buf, "[#\xe2\x80\x8b%lld](%s/executions/%s)", (long long)execution->number,
                  story->base_url, execution->id);
}

/* Addresses come from GitHub and stand between brackets. */
static bool is_address(const char *url)
{
    return pb_github_has(url) && strlen(url) <= URL_LEN &&
           (pb_text_starts(url, "https://") || pb_text_starts(url, "http://")) &&
           !strpbrk(url, " \t\r\n()<>[]\\");
}

/* The work item's page ends with the repository's and "/issues/12". */
void pb_github_put_commit(struct pb_buf *buf, const struct pb_github_story *story, const char *sha)
{
    const char *url = story->item->url;
    const char *end = is_address(url) ? strstr(url, "/issues/") : NULL;

    if (end)
        pb_buf_format(buf, "[`%.*s`](%.*s/commit/%s)", SHA_SHORT, sha, (int)(end - url), url, sha);
    else
        pb_buf_format(buf, "`%.*s`", SHA_SHORT, sha);
}

size_t pb_github_chars(const struct pb_buf *buf)
{
    size_t chars = 0;

    for (size_t i = 0; i < buf->len; i++)
        chars += ((unsigned char)buf->data[i] & 0xc0) != 0x80;
    return chars;
}

void pb_github_put_quoted(struct pb_buf *buf, const char *text, size_t max_chars)
{
    size_t chars = 0;
    struct pb_buf quiet;

    pb_buf_init(&quiet, PB_GITHUB_WORDS_MAX);
    pb_github_quiet(&quiet, text, max_chars);
    buf->failed |= pb_buf_failed(&quiet);
    pb_buf_text(buf, "> ");
    for (const char *c = pb_buf_string(&quiet); *c; c++) {
        chars += ((unsigned char)*c & 0xc0) != 0x80;
        if (chars > max_chars + 100 && *c == '\n') { /* empty lines without end */
            pb_buf_text(buf, "\n> …");
            break;
        }
        pb_buf_char(buf, *c);
        if (*c == '\n') {
            pb_buf_text(buf, "> ");
            chars += 2;
        }
    }
    pb_buf_text(buf, "\n\n");
    pb_buf_release(&quiet);
}

void pb_github_put_part(struct pb_buf *buf, const char *text, size_t len, size_t max_chars)
{
    struct pb_buf part;

    pb_buf_init(&part, len + 1);
    pb_buf_bytes(&part, text, len);
    buf->failed |= pb_buf_failed(&part);
    pb_github_quiet(buf, pb_buf_string(&part), max_chars);
    pb_buf_release(&part);
}

/* "**Answer** by `bob` ([comment](…)):" and the text. */
static void put_remark(struct pb_buf *buf, const struct pb_github_story *story,
                       const struct pb_remark *remark)
{
    if (pb_github_has(remark->question)) {
        pb_buf_text(buf, PB_SAY(story, "**Question**\n", "**質問**\n"));
        pb_github_put_quoted(buf, remark->question, REMARK_CHARS);
        pb_buf_text(buf, PB_SAY(story, "**Answer** by ", "**回答** "));
    } else {
        pb_buf_text(buf, PB_SAY(story, "**Asked** by ", "**依頼** "));
    }
    pb_github_put_code(buf, remark->said_by);
    if (is_address(remark->url))
        pb_buf_format(buf, PB_SAY(story, " ([comment](%s))", "（[コメント](%s)）"), remark->url);
    pb_buf_char(buf, '\n');
    pb_github_put_quoted(buf, remark->text, REMARK_CHARS);
}

/* The list is newest first; they are told in the order they were said. */
void pb_github_put_remarks(struct pb_buf *buf, const struct pb_github_story *story)
{
    const struct pb_remark *told[REMARKS];
    size_t count = 0;

    for (size_t i = 0; i < story->remark_count && count < REMARKS; i++)
        if (pb_text_equal(story->remarks[i].execution_id, story->execution->id))
            told[count++] = &story->remarks[i];
    while (count)
        put_remark(buf, story, told[--count]);
}

/* An answer makes an attempt of its own, which is no second try. */
static int64_t count_tries(const struct pb_github_story *story)
{
    int64_t tries = story->execution->attempt_count;

    for (size_t i = 0; i < story->remark_count; i++)
        if (pb_text_equal(story->remarks[i].execution_id, story->execution->id) &&
            pb_github_has(story->remarks[i].question))
            tries--;
    return tries;
}

bool pb_github_has_cost(const struct pb_execution *execution)
{
    return execution->usage.calls && execution->usage.cost_micro_usd >= 0;
}

void pb_github_put_facts(struct pb_buf *buf, const struct pb_github_story *story, bool with_cost)
{
    const struct pb_execution *execution = story->execution;
    int64_t tries = count_tries(story);

    pb_buf_format(buf,
                  PB_SAY(story, "<sub>Execution #\xe2\x80\x8b%lld", "<sub>実行 #\xe2\x80\x8b%lld"),
                  (long long)execution->number);
    if (pb_github_has(execution->requested_by)) {
        pb_buf_text(buf, PB_SAY(story, " · requested by ", " · 依頼者 "));
        pb_github_put_code(buf, execution->requested_by);
    }
    if (tries > 1)
        pb_buf_format(buf, PB_SAY(story, " · attempt %lld", " · %lld 回目の試行"),
                      (long long)tries);
    if (pb_github_has(execution->model)) {
        pb_buf_text(buf, " · ");
        pb_github_put_code(buf, execution->model);
    }
    if (execution->num_turns)
        pb_buf_format(buf, PB_SAY(story, " · %lld turn%s", " · %lld ターン"),
                      (long long)execution->num_turns, execution->num_turns == 1 ? "" : "s");
    if (with_cost && pb_github_has_cost(execution)) {
        pb_buf_text(buf, PB_SAY(story, " · cost ", " · 費用 "));
        pb_github_put_cost(buf, execution->usage.cost_micro_usd);
    }
    if (execution->active_ms && pb_execution_is_final(execution->status)) {
        pb_buf_text(buf, " · ");
        put_duration(buf, story, execution->active_ms);
    }
    pb_buf_text(buf, "</sub>\n");
}
