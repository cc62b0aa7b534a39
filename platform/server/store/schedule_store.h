/* Schedules. Rows and texts live in the arena. */
#ifndef PB_SERVER_STORE_SCHEDULE_STORE_H
#define PB_SERVER_STORE_SCHEDULE_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "model/schedule.h"
#include "server/store/db.h"

struct pb_schedule_list {
    struct pb_schedule *items;
    size_t count;
};

/* CONFLICT, reason "schedule_exists" (field "name"); LIMITED, reason "too_many_schedules", at
 * PB_LIMIT_SCHEDULES_PER_PROJECT; NOT_FOUND without its project. version becomes 1. */
int pb_schedule_insert(struct pb_db *db, const struct pb_schedule *schedule,
                       struct pb_error *err) PB_MUST_CHECK;
/* NOT_FOUND, reason "schedule_not_found". */
int pb_schedule_load(struct pb_db *db, struct pb_arena *arena, const char *id,
                     struct pb_schedule **ret_schedule, struct pb_error *err) PB_MUST_CHECK;
/* Of one project, by name. */
int pb_schedule_list(struct pb_db *db, struct pb_arena *arena, const char *project_id,
                     struct pb_schedule_list *ret_list, struct pb_error *err) PB_MUST_CHECK;
/* What people set, and the times that follow from it; version + 1. PRECONDITION, reason
 * "changed_meanwhile", if the row is not at schedule->version. CONFLICT as insert. */
int pb_schedule_save(struct pb_db *db, const struct pb_schedule *schedule,
                     struct pb_error *err) PB_MUST_CHECK;
/* Times and results; the version stays. */
int pb_schedule_observe(struct pb_db *db, const struct pb_schedule *schedule,
                        struct pb_error *err) PB_MUST_CHECK;
/* A missing one is NOT_FOUND. */
int pb_schedule_remove(struct pb_db *db, const char *id, struct pb_error *err) PB_MUST_CHECK;

/* Those whose next_at has come, the first first. */
int pb_schedule_due(struct pb_db *db, struct pb_arena *arena, int64_t now_ms, size_t limit,
                    struct pb_schedule_list *ret_list, struct pb_error *err) PB_MUST_CHECK;
/* The first next_at of all; 0 = none. */
int pb_schedule_next_at(struct pb_db *db, int64_t *ret_at, struct pb_error *err) PB_MUST_CHECK;

#endif
