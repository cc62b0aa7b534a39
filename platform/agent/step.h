/*
 * The long, blocking parts of an attempt (making the workspace, committing
 * and publishing) run on a worker thread of the runner, in straight lines.
 * A step is what such a part may ask of the runner. All calls are safe from
 * that thread; none may be used after the part has returned.
 */
#ifndef PB_AGENT_STEP_H
#define PB_AGENT_STEP_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/attempt_plan.h"
#include "agent/mask.h"
#include "agent/project_dirs.h"
#include "agent/task.h"
#include "base/buf.h"
#include "base/error.h"

struct pb_step;

const struct pb_attempt_plan *pb_step_plan(const struct pb_step *step);
const struct pb_project_dirs *pb_step_dirs(const struct pb_step *step);
const struct pb_task_host *pb_step_task_host(const struct pb_step *step);
/* Absolute; the attempt's own folder (R:P 0750). Below it "exchange/" is writable by the task user as well. */
const char *pb_step_attempt_dir(const struct pb_step *step);

/* A person cancelled, or the platform discarded the attempt: return soon, with reason "cancelled". */
bool pb_step_cancelled(const struct pb_step *step);

/* A line of the attempt's log; stream as in agent/driver.h. */
void pb_step_log(struct pb_step *step, char stream, const char *fmt, ...) PB_PRINTF(3, 4);

struct pb_credential {
    char *username; /* "" if there is none */
    char *secret;
};

/* Asks the platform ("git_fetch", "git_push", "anthropic") and waits, across reconnects, until it answers, the
 * attempt is cancelled, or 10 minutes have passed (UNAVAILABLE). DENIED with the platform's kind as reason when it
 * says no: for git_push that means the attempt is not ours any more. The secret is hidden from this process's log
 * and from the attempt's lines from then on. */
int pb_step_credential(struct pb_step *step, const char *purpose,
                       struct pb_credential *ret_credential, struct pb_error *err) PB_MUST_CHECK;
void pb_credential_release(struct pb_credential *credential); /* wipes; a zeroed one is fine */

/* Everything hidden so far, to search what is about to be published for it; borrowed, any thread. */
struct pb_mask *pb_step_mask(const struct pb_step *step);

#endif
