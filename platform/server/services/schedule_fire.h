/*
 * What a schedule does when its moment has come. The decision, the execution
 * and the next moment are one write; the execution's key is the schedule and
 * the moment. So a crash anywhere leaves either all of it or none, and none is
 * done again after the restart.
 */
#ifndef PB_SERVER_SERVICES_SCHEDULE_FIRE_H
#define PB_SERVER_SERVICES_SCHEDULE_FIRE_H

#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "model/schedule.h"

struct pb_enqueue;
struct pb_platform;

enum { PB_SCHEDULE_ARENA_MAX = 8 << 20 };

/* Acts on the schedules whose time has come, at most `limit`. May wait for GitHub, issue by issue.
 * A schedule that cannot be acted on is noted and does not hold up the others. */
int pb_schedule_fire_due(struct pb_platform *platform, size_t limit, size_t *ret_count,
                         struct pb_error *err) PB_MUST_CHECK;

/* What it asks for: its prompt, or its issue's text as of now, read from GitHub. Key and person are left open. */
int pb_schedule_wish(struct pb_platform *platform, const struct pb_schedule *schedule,
                     struct pb_arena *arena, struct pb_enqueue *ret_wish,
                     struct pb_error *err) PB_MUST_CHECK;

#endif
