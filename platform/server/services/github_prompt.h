/*
 * What the agent is asked: the rules first, then the issue or comment between
 * two lines with a random mark, as data. Nobody who writes an issue knows the
 * mark, so no text can pretend to end there and go on as rules.
 */
#ifndef PB_SERVER_SERVICES_GITHUB_PROMPT_H
#define PB_SERVER_SERVICES_GITHUB_PROMPT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* A comment that is handed on: its author may write. */
struct pb_github_said {
    const char *login;
    int64_t at;
    const char *body;
};

struct pb_github_ask {
    const char *language; /* of the rules: ja or en. Answers follow the issue's own language */
    const char *owner;
    const char *repo;
    const char *branch;
    int64_t number;
    const char *title;
    const char *url;
    const char *author;
    const char *body;
    const struct pb_github_said *comments; /* oldest first */
    size_t comment_count;
    size_t left_out; /* comments of people who may not write */
};

/* At most PB_LIMIT_PROMPT bytes: of many comments the newest are kept. */
void pb_github_prompt_issue(struct pb_buf *buf, const struct pb_github_ask *ask);

/* Somebody wrote a comment: an answer to the question asked (`question` not NULL), or a wish for more. The issue
 * is repeated in short, in case the session is gone. `on_number` is where it was written. */
void pb_github_prompt_comment(struct pb_buf *buf, const struct pb_github_ask *ask,
                              const struct pb_github_said *said, int64_t on_number,
                              const char *question);

#endif
