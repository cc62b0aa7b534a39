/* Shared by workspace.c (the whole), workspace_clone.c (before the run) and workspace_wrap_up.c (after it). */
#ifndef PB_AGENT_WORKSPACE_PRIVATE_H
#define PB_AGENT_WORKSPACE_PRIVATE_H

#include "agent/workspace.h"

/* The branch results are compared with: the plan's base branch, else the default branch. */
const char *pb_workspace_base(const struct pb_attempt_plan *plan);
/* Makes the clone, or brings a kept one to where the plan wants to begin. */
int pb_workspace_check_out(struct pb_step *step, const struct pb_workspace *workspace,
                           struct pb_error *err) PB_MUST_CHECK;
int pb_workspace_unlock(struct pb_step *step, const struct pb_workspace *workspace,
                        struct pb_error *err) PB_MUST_CHECK;
/* Git in the clone, as the task user. */
int pb_workspace_git(struct pb_step *step, const struct pb_workspace *workspace,
                     const char *const *args, int *ret_code, struct pb_error *err) PB_MUST_CHECK;

#endif
