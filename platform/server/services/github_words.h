/*
 * What we say at GitHub, in the project's language: the one comment and the
 * pull request. Pure functions of the rows, so that the same state always
 * gives the same text. What models and strangers wrote is quieted first
 * (github_quiet.h), so that it does nothing and hides nothing. Both stay below
 * GitHub's limit: the summary gets what the rest leaves.
 */
#ifndef PB_SERVER_SERVICES_GITHUB_WORDS_H
#define PB_SERVER_SERVICES_GITHUB_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "model/execution.h"
#include "model/project.h"
#include "model/remark.h"
#include "model/work_item.h"

/* What any comment or pull request of ours contains. Comments with it never trigger anything. */
#define PB_GITHUB_MARKER "<!-- poppo:"

/* The longest text made here, in bytes. */
enum { PB_GITHUB_WORDS_MAX = 512 << 10 };

struct pb_github_story {
    const struct pb_project *project;
    const struct pb_work_item *item;
    const struct pb_execution *execution;  /* the one shown */
    const struct pb_execution *executions; /* all of the work item, newest first */
    size_t execution_count;
    bool has_more;                   /* executions, older than these */
    const struct pb_remark *remarks; /* of all of them, newest first */
    size_t remark_count;
    const char *base_url; /* where people find us; no slash at the end */
    const char
        *pull_problem; /* why there is no pull request though there are commits; NULL = none */
};

/* First line of the one comment: what it is found by. */
void pb_github_words_marker(struct pb_buf *buf, const char *project_id, const char *item);
void pb_github_words_comment(struct pb_buf *buf, const struct pb_github_story *story);
void pb_github_words_pull_title(struct pb_buf *buf, const struct pb_github_story *story);
void pb_github_words_pull_body(struct pb_buf *buf, const struct pb_github_story *story);

#endif
