/*
 * Which queued execution starts next, and where.
 *
 * One thread looks at the queue whenever something changed (a kick) and when
 * something becomes due. A look reads the projects that have something ready,
 * and of those that may start something the first rows, never the rest:
 *
 *   1. what is due or overdue is moved on: pauses that end, quota windows that
 *      open, cancellings that nobody confirms
 *   2. rows held by a limit become ready, as far as it and their project have
 *      room again
 *   3. rounds: projects take turns by weight (model/fair_share.h); a turn
 *      starts the project's first ready row, or leaves it to the limit that it
 *      meets. All starts of a round are claimed in one write.
 *
 * Limits are looked at again inside that write, where nobody else writes. An
 * assignment that is not accepted within the accept timeout goes back to the
 * queue. A write whose outcome is unknown is repeated with the same claim
 * tokens until it is known.
 */
#ifndef PB_SERVER_SERVICES_SCHEDULER_H
#define PB_SERVER_SERVICES_SCHEDULER_H

#include "base/error.h"

struct pb_platform;
struct pb_scheduler;

struct pb_scheduler *pb_scheduler_start(struct pb_platform *platform,
                                        struct pb_error *err) PB_MUST_CHECK;
void pb_scheduler_stop(struct pb_scheduler *scheduler); /* NULL is fine */
/* Something changed that may concern every project. Any thread; NULL is fine. */
void pb_scheduler_kick(struct pb_scheduler *scheduler);
/* Something changed in one project. */
void pb_scheduler_kick_project(struct pb_scheduler *scheduler, const char *project_id);

#endif
