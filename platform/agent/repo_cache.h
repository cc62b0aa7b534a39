/*
 * The project's bare copy of its repository: data/cache.git, branches of
 * origin as its own branches, nothing else. Written by the runner's user, read
 * by tasks (workspaces borrow its objects), one fetch at a time in the whole
 * process, never pruned of objects.
 */
#ifndef PB_AGENT_REPO_CACHE_H
#define PB_AGENT_REPO_CACHE_H

#include "agent/step.h"
#include "base/buf.h"
#include "base/error.h"

enum { PB_REPO_CACHE_PATH = 600 };

void pb_repo_cache_path(const struct pb_step *step, char ret_path[PB_REPO_CACHE_PATH]);
/* Brings it up to date with origin; asks for the credential "git_fetch". */
int pb_repo_cache_update(struct pb_step *step, struct pb_error *err) PB_MUST_CHECK;
/* Head of a branch; "" when there is none. */
int pb_repo_cache_head(struct pb_step *step, const char *branch, char ret_sha[65],
                       struct pb_error *err) PB_MUST_CHECK;
bool pb_repo_cache_is_empty(struct pb_step *step);
/* A regular file of a commit, cut at the buffer's maximum; nothing when there is no such file. */
int pb_repo_cache_read(struct pb_step *step, const char *sha, const char *path,
                       struct pb_buf *ret_text, struct pb_error *err) PB_MUST_CHECK;

#endif
