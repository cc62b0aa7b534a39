/*
 * Looking for work at GitHub: polls the active projects, each at its own
 * interval, and turns what people wrote into executions.
 *
 * One pass over a project reads, in this order: the open issues that carry
 * the trigger label (pull requests are filtered out), for each changed one
 * who set the label, and the comments written since the last pass.
 *
 *   label    set by someone who may write → a new execution, once per labelling
 *   comment  by someone who may write, on a known issue or its pull request →
 *            an answer for an execution that waits, else a follow-up
 *
 * Invariants:
 *   1. Who acts is asked from GitHub's permission API, never judged by name;
 *      bots and comments with our marker never start anything.
 *   2. The text handed on is the text as of the trigger, without comments of
 *      people who may not write.
 *   3. Nothing starts twice: every trigger has a key (contract G), and the
 *      store refuses a key it has seen. A pass may be repeated at any time.
 *   4. A cursor moves only past what has been handled.
 *
 * When GitHub or the token fails, the project's health says so in words, the
 * interval grows (up to 15 minutes), and the next good pass clears it.
 */
#ifndef PB_SERVER_SERVICES_GITHUB_SYNC_H
#define PB_SERVER_SERVICES_GITHUB_SYNC_H

#include "base/error.h"

struct pb_github_sync;
struct pb_platform;

struct pb_github_sync *pb_github_sync_start(struct pb_platform *platform,
                                            struct pb_error *err) PB_MUST_CHECK;
void pb_github_sync_stop(struct pb_github_sync *sync); /* waits for running passes; NULL is fine */

/* Looks at this project at once (a webhook, new settings, a test); NULL = at all. Any thread. */
void pb_github_sync_kick(struct pb_github_sync *sync, const char *project_id);

#endif
