/*
 * A work item's clone: made before the run, packed up after it.
 *
 *   origin ──fetch, R──> data/cache.git ──clone --shared, T──> workspace/<item>
 *                              ↑ alternates                        │ commit and bundle, T
 *   origin <──push, R── attempts/<x>/publish.git <──fetch, R── exchange/result.bundle
 *
 * The runner's user never runs git in a workspace: what a task has touched can
 * make git run anything (filters, fsmonitor, hooks) and send a token anywhere
 * (insteadOf). Inside, only the task user runs it, without a token; out of it
 * comes a bundle, which is hostile input (agent/publish.h).
 *
 * The workspace and the HOME of a work item are kept between its attempts. A
 * plan that resumes finds them as they were left, uncommitted files too. One
 * that does not begins at the published branch, or at the base branch; what
 * was there is kept under refs/poppo/kept/. When others have pushed to the
 * branch meanwhile, theirs counts and ours is kept the same way.
 *
 * Invariants: 1. cache.git is written by one fetch at a time and never pruned
 * of objects: workspaces borrow from it. 2. Nothing here believes a sha that
 * came out of the workspace; what is known of the branch is in workspace.json,
 * written by us before the run.
 *
 * Blocking, on the runner's worker thread. Errors carry the failure kind in
 * err->reason (model/failure.h): "github_auth", "github_scope", "repo_gone",
 * "repo_empty", "network", "disk", "workspace", "invalid_settings", "cancelled",
 * and the platform's own kinds when it denies a credential.
 */
#ifndef PB_AGENT_WORKSPACE_H
#define PB_AGENT_WORKSPACE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/step.h"
#include "base/arena.h"
#include "base/error.h"

enum {
    PB_GIT_SHA_TEXT = 65, /* SHA-256 repositories have 64 digits */
    PB_WORKSPACE_NOTES_MAX = 100 << 10,
};

struct pb_workspace {
    const char *path;                 /* absolute */
    const char *home;                 /* absolute; exists */
    const char *temp;                 /* absolute; exists: the attempt's own, nobody else's */
    bool has_repository;              /* false: an empty folder, nothing will be published */
    char base_sha[PB_GIT_SHA_TEXT];   /* head of the base branch when the attempt began */
    char branch_sha[PB_GIT_SHA_TEXT]; /* head of our branch at origin then; "" = there was none */
    const char *agent_notes;          /* CLAUDE.md of the base branch, "" = none */
};

/* Makes the attempt's workspace.json as its last act. With that file there it touches nothing and reads it:
 * so it may be called again after a restart, also while the task runs. Texts in the arena. */
int pb_workspace_prepare(struct pb_step *step, struct pb_arena *arena,
                         struct pb_workspace **ret_workspace, struct pb_error *err) PB_MUST_CHECK;

/* After the run, before pb_publish(): commits what is left (author of the plan, "Requested-by:"), and packs
 * the commits that are new. May be called again. *ret_has_commits false: there is nothing to publish. */
int pb_workspace_wrap_up(struct pb_step *step, const struct pb_workspace *workspace,
                         bool *ret_has_commits, struct pb_error *err) PB_MUST_CHECK;

/* rm -r as the task user, also of folders it has locked itself out of; missing is success. `other` and
 * `should_stop` may be NULL. */
int pb_workspace_remove_trees(const struct pb_task_host *host, const char *one, const char *other,
                              bool (*should_stop)(void *arg), void *arg,
                              struct pb_error *err) PB_MUST_CHECK;
/* Removes a work item's clone and HOME (as the task user). Missing is success. For the collector of old workspaces
 * that is to come. */
int pb_workspace_remove(const struct pb_task_host *host, const char *item,
                        struct pb_error *err) PB_MUST_CHECK;

#endif
