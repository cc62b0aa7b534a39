#include <string.h>

#include "model/failure.h"
#include "server/services/github_quiet.h"
#include "server/services/github_summary.h"
#include "server/services/github_words_private.h"

enum {
    SHOWN = 10,  /* executions in a list */
    REMARKS = 3, /* of each, the newest */
    LINE_CHARS = 140,
    PUSHED_SHOWN = 5,
    PUSHED_CHARS = 3000,
};

/* Of the executions before the one shown; a follow-up that waits behind it is none of them. */
static const struct pb_execution *earlier(const struct pb_github_story *story, size_t i)
{
    const struct pb_execution *execution = &story->executions[i];

    return execution->number < story->execution->number ? execution : NULL;
}

/* " · a · b": what is known of it in numbers. */
static void put_figures(struct pb_buf *buf, const struct pb_github_story *story,
                        const struct pb_execution *execution)
{
    if (execution->pr_number && execution->pr_number != story->item->pr_number)
        pb_buf_format(buf, " · #%lld", (long long)execution->pr_number);
    if (pb_github_has(execution->head_sha)) {
        pb_buf_text(buf, " · ");
        pb_github_put_commit(buf, story, execution->head_sha);
    }
    if (pb_github_has_cost(execution)) {
        pb_buf_text(buf, " · ");
        pb_github_put_cost(buf, execution->usage.cost_micro_usd);
    }
}

/* What came of it, in one line. Models' and people's words come last, where Markdown they leave open ends
 * with the line. */
static void put_outcome(struct pb_buf *buf, const struct pb_github_story *story,
                        const struct pb_execution *execution)
{
    const struct pb_failure *failure = pb_failure_find(execution->reason_kind);
    struct pb_github_part line =
        pb_github_summary_line(pb_github_has(execution->summary) ? execution->summary : "");
    struct pb_buf text;

    if (execution->status == PB_EXECUTION_CANCELLED && pb_github_has(execution->cancel_by)) {
        pb_buf_text(buf, " · ");
        pb_github_put_code(buf, execution->cancel_by);
    } else if (execution->status != PB_EXECUTION_SUCCEEDED && failure) {
        pb_buf_format(buf, " · %s", pb_failure_sentence(failure, story->project->language));
    } else if (line.len) {
        pb_buf_init(&text, line.len + 1);
        pb_buf_bytes(&text, line.text, line.len);
        pb_buf_text(buf, " · ");
        pb_github_quiet_line(buf, pb_buf_string(&text), LINE_CHARS);
        pb_buf_release(&text);
    }
    pb_buf_char(buf, '\n');
}

static void put_said(struct pb_buf *buf, const struct pb_remark *remark)
{
    pb_buf_text(buf, "  - ");
    if (pb_github_has(remark->question)) {
        pb_buf_text(buf, "❓ ");
        pb_github_quiet_line(buf, remark->question, LINE_CHARS);
        pb_buf_text(buf, "\n  - ");
    }
    pb_buf_text(buf, "💬 ");
    pb_github_put_code(buf, remark->said_by);
    pb_buf_text(buf, ": ");
    pb_github_quiet_line(buf, remark->text, LINE_CHARS);
    pb_buf_char(buf, '\n');
}

static void put_all_said(struct pb_buf *buf, const struct pb_github_story *story,
                         const struct pb_execution *execution)
{
    const struct pb_remark *said[REMARKS];
    size_t count = 0;

    for (size_t i = 0; i < story->remark_count && count < REMARKS; i++)
        if (pb_text_equal(story->remarks[i].execution_id, execution->id))
            said[count++] = &story->remarks[i];
    while (count)
        put_said(buf, said[--count]);
}

struct sum {
    size_t count;
    int64_t cost;
};

static struct sum add_up(const struct pb_github_story *story,
                         bool (*counts)(const struct pb_execution *))
{
    struct sum sum = {0};

    for (size_t i = 0; i < story->execution_count; i++) {
        const struct pb_execution *execution = earlier(story, i);

        if (!execution || !counts(execution))
            continue;
        sum.count++;
        if (pb_github_has_cost(execution))
            sum.cost += execution->usage.cost_micro_usd;
    }
    return sum;
}

/* "Earlier: 2 · $0.0457" */
static void begin_fold(struct pb_buf *buf, const struct pb_github_story *story,
                       const struct sum *sum)
{
    pb_buf_text(buf, "\n<details>\n<summary>");
    pb_buf_format(buf, PB_SAY(story, "Earlier: %zu%s", "以前の実行: %zu 件%s"), sum->count,
                  story->has_more ? PB_SAY(story, " and more", "以上") : "");
    if (sum->cost) {
        pb_buf_text(buf, " · ");
        pb_github_put_cost(buf, sum->cost);
    }
    pb_buf_text(buf, "</summary>\n\n");
}

static void put_older_link(struct pb_buf *buf, const struct pb_github_story *story)
{
    pb_buf_format(buf,
                  PB_SAY(story, "- [older ones](%s/projects/%s)\n",
                         "- [それより前の実行](%s/projects/%s)\n"),
                  story->base_url, story->project->id);
}

static bool any(const struct pb_execution *execution)
{
    return execution != NULL;
}

static void put_row(struct pb_buf *buf, const struct pb_github_story *story,
                    const struct pb_execution *execution)
{
    pb_buf_text(buf, "- ");
    pb_github_put_number(buf, story, execution);
    pb_buf_format(buf, " %s", pb_github_status_words(story, execution->status));
    put_figures(buf, story, execution);
    put_outcome(buf, story, execution);
    put_all_said(buf, story, execution);
}

void pb_github_put_history(struct pb_buf *buf, const struct pb_github_story *story)
{
    struct sum sum = add_up(story, any);
    size_t shown = 0;

    if (!sum.count)
        return;
    begin_fold(buf, story, &sum);
    for (size_t i = 0; i < story->execution_count && shown < SHOWN; i++)
        if (earlier(story, i)) {
            put_row(buf, story, &story->executions[i]);
            shown++;
        }
    if (shown < sum.count || story->has_more)
        put_older_link(buf, story);
    pb_buf_text(buf, "\n</details>\n");
}

static bool was_pushed(const struct pb_execution *execution)
{
    return execution && pb_github_has(execution->head_sha);
}

static void put_pushed(struct pb_buf *buf, const struct pb_github_story *story,
                       const struct pb_execution *execution)
{
    pb_buf_text(buf, "- ");
    pb_github_put_number(buf, story, execution);
    put_figures(buf, story, execution);
    pb_buf_char(buf, '\n');
    put_all_said(buf, story, execution);
    pb_buf_char(buf, '\n');
    if (pb_github_has(execution->summary)) {
        pb_github_put_part(buf, execution->summary, strlen(execution->summary), PUSHED_CHARS);
        pb_buf_text(buf, "\n\n");
    }
}

void pb_github_put_pushed_before(struct pb_buf *buf, const struct pb_github_story *story)
{
    struct sum sum = add_up(story, was_pushed);
    size_t shown = 0;

    if (!sum.count)
        return;
    begin_fold(buf, story, &sum);
    for (size_t i = 0; i < story->execution_count && shown < PUSHED_SHOWN; i++)
        if (was_pushed(earlier(story, i))) {
            put_pushed(buf, story, &story->executions[i]);
            shown++;
        }
    if (shown < sum.count)
        put_older_link(buf, story);
    pb_buf_text(buf, "</details>\n");
}
