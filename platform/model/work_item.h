/*
 * A work item is what executions work on: a GitHub issue, or a task typed in
 * by a person. Workspace, HOME, session, branch, pull request and the one
 * comment belong to it and outlive each execution.
 */
#ifndef PB_MODEL_WORK_ITEM_H
#define PB_MODEL_WORK_ITEM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "model/names.h"

#define PB_WORK_ITEM_KINDS(X) \
    X(ISSUE, "issue")         \
    X(TASK, "task")

enum pb_work_item_kind {
#define X(kind, name) PB_WORK_ITEM_##kind,
    PB_WORK_ITEM_KINDS(X)
#undef X
        PB_WORK_ITEM_KIND_COUNT
};

extern const struct pb_names PB_WORK_ITEM_KIND_NAMES;

struct pb_work_item {
    int64_t id;
    const char *project_id;
    enum pb_work_item_kind kind;
    int64_t number;   /* the issue's; 0 for a task */
    const char *item; /* "issue-12", "task-3": names its folders and its branch */
    const char *title;
    const char *url;
    const char *author;
    const char *session_id;
    const char *branch;
    int64_t pr_number;
    const char *pr_url;
    int64_t comment_id;          /* the sticky comment; 0 not yet made */
    const char *label_event_key; /* newest trigger seen */
    const char *seen_updated_at; /* GitHub's text, compared for equality only */
    int64_t last_comment_at;
    const char *state; /* free for the GitHub services, e.g. "closed", "not_allowed" */
    int64_t created_at;
    int64_t updated_at;
};

#endif
