/* Shared by polling, effects and pinning. */
#ifndef PB_SERVER_SERVICES_GITHUB_PIN_PRIVATE_H
#define PB_SERVER_SERVICES_GITHUB_PIN_PRIVATE_H

#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "model/project.h"
#include "model/work_item.h"
#include "server/services/github_issue.h"

struct pb_platform;

/* The project's repository with its token. Close it also to wipe the token. NOT_FOUND "secret_missing". */
int pb_github_open_project(struct pb_platform *platform, const struct pb_project *project,
                           const char *purpose, struct pb_github_repo *ret_repo,
                           struct pb_error *err) PB_MUST_CHECK;

/* The work item's branch, or the one it will have. `item` may be NULL. */
void pb_github_branch(struct pb_buf *buf, const struct pb_work_item *item, int64_t number);

struct pb_github_pin {
    const char *title;
    const char *prompt;
    int64_t newest_comment_at; /* GitHub's clock; 0 = no comment yet */
};

/* The issue's text and the comments so far as a prompt. `item` may be NULL. */
int pb_github_pin(const struct pb_github_repo *repo, const struct pb_project *project,
                  const struct pb_work_item *item, const struct pb_github_issue *issue,
                  struct pb_arena *arena, struct pb_github_pin *ret_pin,
                  struct pb_error *err) PB_MUST_CHECK;

#endif
