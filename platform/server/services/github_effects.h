/*
 * What GitHub shows about our work: labels, 👀, ONE comment, the draft pull
 * request.
 *
 * Level-triggered: a `sync_issue` row in the outbox says "make GitHub show the
 * state of this work item": of the execution that runs or waits, else of the
 * newest. The worker looks at what is there and changes what differs, so a row
 * may be worked on twice, or by a platform that was killed in the middle, and
 * nothing is doubled. Two rows of one work item are never worked on at the
 * same time.
 *
 * Invariants:
 *   1. Before anything is created it is looked for: the comment by its hidden
 *      marker, the pull request by its branch, labels by their name.
 *   2. Texts of models and strangers are quieted: nobody is notified by them.
 *   3. Temporary failures are repeated with a growing pause, at GitHub's own
 *      time when it names one. What will not change by itself is given up,
 *      with the reason in the execution's log.
 */
#ifndef PB_SERVER_SERVICES_GITHUB_EFFECTS_H
#define PB_SERVER_SERVICES_GITHUB_EFFECTS_H

#include "base/error.h"

struct pb_github_effects;
struct pb_platform;

struct pb_github_effects *pb_github_effects_start(struct pb_platform *platform,
                                                  struct pb_error *err) PB_MUST_CHECK;
/* Finishes the calls it is in; the rest stays in the outbox. NULL is fine. */
void pb_github_effects_stop(struct pb_github_effects *effects);

/* There may be new rows. Any thread, after the commit, never blocks. NULL is fine. */
void pb_github_effects_kick(struct pb_github_effects *effects);

#endif
