/*
 * The thread that acts on schedules. It sleeps until the first is due, is
 * woken when one changes, and looks once a minute anyway: clocks can be set.
 */
#ifndef PB_SERVER_SERVICES_SCHEDULE_RUNNER_H
#define PB_SERVER_SERVICES_SCHEDULE_RUNNER_H

#include "base/error.h"

struct pb_platform;
struct pb_schedule_runner;

struct pb_schedule_runner *pb_schedule_runner_start(struct pb_platform *platform,
                                                    struct pb_error *err) PB_MUST_CHECK;
void pb_schedule_runner_stop(struct pb_schedule_runner *runner); /* NULL is fine */
void pb_schedule_runner_kick(struct pb_schedule_runner *runner); /* any thread; NULL is fine */

#endif
