/*
 * Schedules as people handle them, and as they are shown. What makes the
 * executions is schedule_runner.h.
 */
#ifndef PB_SERVER_SERVICES_SCHEDULES_H
#define PB_SERVER_SERVICES_SCHEDULES_H

#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "model/schedule.h"

struct pb_platform;
struct pb_principal;

enum { PB_SCHEDULE_PREVIEW = 5 };

/* Of a project that is not deleted. As JSON (openapi.yaml: ScheduleList). */
int pb_schedules_show(struct pb_platform *platform, const char *project_id, struct pb_arena *arena,
                      struct pb_json_writer *w, struct pb_error *err) PB_MUST_CHECK;
/* One as JSON (Schedule). ret_version may be NULL. */
int pb_schedule_show(struct pb_platform *platform, const char *id, struct pb_arena *arena,
                     struct pb_json_writer *w, int64_t *ret_version,
                     struct pb_error *err) PB_MUST_CHECK;
int pb_schedule_get(struct pb_platform *platform, const char *id, struct pb_arena *arena,
                    struct pb_schedule **ret_schedule, struct pb_error *err) PB_MUST_CHECK;

/* Has been checked (pb_schedule_check()); its time zone is looked for here: INVALID, field "time_zone". Fills
 * schedule->id, in the arena. */
int pb_schedule_create(struct pb_platform *platform, struct pb_schedule *schedule,
                       const struct pb_principal *who, struct pb_arena *arena,
                       struct pb_error *err) PB_MUST_CHECK;
/* schedule->version is the version it was read at; PRECONDITION when the row has another. */
int pb_schedule_change(struct pb_platform *platform, struct pb_schedule *schedule,
                       const struct pb_principal *who, struct pb_error *err) PB_MUST_CHECK;
int pb_schedule_delete(struct pb_platform *platform, const char *id, const struct pb_principal *who,
                       struct pb_error *err) PB_MUST_CHECK;
/* One execution now, besides those that are due. May wait for GitHub. */
int pb_schedule_run_now(struct pb_platform *platform, const char *id,
                        const struct pb_principal *who, struct pb_arena *arena,
                        const char **ret_execution_id, struct pb_error *err) PB_MUST_CHECK;

/* The next moments of a cron text, as JSON (SchedulePreview). INVALID, field "cron" or "time_zone". */
int pb_schedule_preview(const char *cron, const char *time_zone, int64_t now_ms,
                        struct pb_json_writer *w, struct pb_error *err) PB_MUST_CHECK;

#endif
