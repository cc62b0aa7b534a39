/* A pass over a project, shared by its two halves: labels and comments. */
#ifndef PB_SERVER_SERVICES_GITHUB_POLL_PRIVATE_H
#define PB_SERVER_SERVICES_GITHUB_POLL_PRIVATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "model/project.h"
#include "model/work_item.h"
#include "server/services/github_issue.h"
#include "server/services/github_poll.h"
#include "server/services/platform.h"
#include "server/store/db.h"

struct pb_github_pass {
    struct pb_platform *platform;
    struct pb_project *project;
    struct pb_github_poll *poll;
    const atomic_bool *stop;
    struct pb_db *db; /* this thread's reader */
    struct pb_arena arena;
    struct pb_github_repo repo;
    bool has_facts; /* asked for in this pass */
};

enum { PB_GITHUB_PASS_ARENA = 16 << 20 };

/* Failures that concern one issue only: it was deleted or moved between two calls. */
bool pb_github_pass_may_go_on(const struct pb_error *err);
/* The repository as it is now, at most once per pass: problems of its own are errors, a renamed default branch is
 * noted in the project. */
int pb_github_pass_facts(struct pb_github_pass *pass, struct pb_error *err) PB_MUST_CHECK;

/* What is written into a work item; 0 and NULL leave a column alone. */
struct pb_github_seen {
    const char *project_id;
    const struct pb_github_issue *issue; /* made when missing; NULL = it exists */
    int64_t number;
    const char *label_event_key;
    const char *updated_text;
    const char *state;
    int64_t comment_at; /* never goes back */
};
int pb_github_pass_save_seen(struct pb_github_pass *pass, const struct pb_github_seen *seen,
                             struct pb_error *err) PB_MUST_CHECK;

int pb_github_poll_labels(struct pb_github_pass *pass, struct pb_error *err) PB_MUST_CHECK;
int pb_github_poll_comments(struct pb_github_pass *pass, struct pb_error *err) PB_MUST_CHECK;

#endif
