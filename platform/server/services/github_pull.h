/* Pull requests at GitHub: finding the one of a branch, opening it as a draft, bringing its text up to date. */
#ifndef PB_SERVER_SERVICES_GITHUB_PULL_H
#define PB_SERVER_SERVICES_GITHUB_PULL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "server/services/github_repo.h"

struct pb_github_pull {
    int64_t number;
    const char *url;
    const char *body;
    const char *head_sha;
    bool is_open;
};

struct pb_github_pull_wish {
    const char *title;
    const char *head; /* branch in the same repository */
    const char *base;
    const char *body;
};

/* The branch's open one, else its newest; number 0 = it never had any. */
int pb_github_pull_find(const struct pb_github_repo *repo, const char *branch,
                        struct pb_arena *arena, struct pb_github_pull *ret_pull,
                        struct pb_error *err) PB_MUST_CHECK;
/* As a draft, or as an ordinary one where there are no drafts. CONFLICT "github_exists" when there is an open one,
 * UNPROCESSABLE "github_no_commits" when the branch has nothing the base does not have. */
int pb_github_pull_create(const struct pb_github_repo *repo, const struct pb_github_pull_wish *wish,
                          struct pb_arena *arena, struct pb_github_pull *ret_pull,
                          struct pb_error *err) PB_MUST_CHECK;
int pb_github_pull_set_body(const struct pb_github_repo *repo, int64_t number, const char *body,
                            struct pb_error *err) PB_MUST_CHECK;

#endif
