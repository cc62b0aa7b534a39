/* What the comment and the pull request are put together from (github_parts.c, github_history.c). */
#ifndef PB_SERVER_SERVICES_GITHUB_WORDS_PRIVATE_H
#define PB_SERVER_SERVICES_GITHUB_WORDS_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "server/services/github_words.h"

static inline bool pb_github_is_ja(const struct pb_github_story *story)
{
    return pb_text_equal(story->project->language, "ja");
}

/* A macro, so that the compiler sees both texts when they are formats. */
#define PB_SAY(story, en, ja) (pb_github_is_ja(story) ? (ja) : (en))

static inline bool pb_github_has(const char *text)
{
    return text && *text;
}

/* "✅ Done", "❌ 失敗しました". */
const char *pb_github_status_words(const struct pb_github_story *story,
                                   enum pb_execution_status status);

/* Names and labels between backticks: no link, no notification. */
void pb_github_put_code(struct pb_buf *buf, const char *text);
void pb_github_put_cost(struct pb_buf *buf, int64_t micro_usd);
/* "2026-11-22 10:06 UTC" */
void pb_github_put_time(struct pb_buf *buf, int64_t wall_ms);
/* "[words](page of the execution)" */
void pb_github_put_link(struct pb_buf *buf, const struct pb_github_story *story,
                        const struct pb_execution *execution, const char *words);
/* "[#3](page of the execution)", which is no issue's number. */
void pb_github_put_number(struct pb_buf *buf, const struct pb_github_story *story,
                          const struct pb_execution *execution);
/* "[`1a2b3c4`](page of the commit)" */
void pb_github_put_commit(struct pb_buf *buf, const struct pb_github_story *story, const char *sha);
/* Quieted, each line behind "> ", so that the text cannot leave its place; cut at `max_chars` written. */
void pb_github_put_quoted(struct pb_buf *buf, const char *text, size_t max_chars);
/* Quieted. */
void pb_github_put_part(struct pb_buf *buf, const char *text, size_t len, size_t max_chars);
/* What people said to the execution: the comment it began with, questions and their answers. */
void pb_github_put_remarks(struct pb_buf *buf, const struct pb_github_story *story);
/* One line: who asked, how often tried, what it cost (if that is not said elsewhere), how long it took. */
void pb_github_put_facts(struct pb_buf *buf, const struct pb_github_story *story, bool with_cost);
/* The broker counts in calls: without any nothing is known. */
bool pb_github_has_cost(const struct pb_execution *execution);

/* The executions before this one, folded: a line each. Nothing when there are none. */
void pb_github_put_history(struct pb_buf *buf, const struct pb_github_story *story);
/* The same for those that pushed, with what they did. */
void pb_github_put_pushed_before(struct pb_buf *buf, const struct pb_github_story *story);

size_t pb_github_chars(const struct pb_buf *buf);

#endif
