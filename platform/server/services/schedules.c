#include "server/services/schedules.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "model/priority.h"
#include "server/services/auth.h"
#include "server/services/events.h"
#include "server/services/execution_control.h"
#include "server/services/platform.h"
#include "server/services/project_control.h"
#include "server/services/schedule_fire.h"
#include "server/services/schedule_runner.h"
#include "server/services/time_zones.h"
#include "server/store/execution_store.h"
#include "server/store/identity_store.h"
#include "server/store/schedule_store.h"
#include "server/store/store.h"

/* --- showing ------------------------------------------------------------------------------------------------- */

static int put_next(struct pb_json_writer *w, const char *cron_text, const char *zone_name,
                    int64_t after_ms, int64_t delay_ms, struct pb_error *err)
{
    const struct pb_time_zone *zone;
    struct pb_cron cron;

    if (pb_cron_parse(cron_text, &cron, err) < 0 || pb_time_zone_find(zone_name, &zone, err) < 0)
        return -1;
    pb_json_begin_array(w, "next");
    for (int i = 0; i < PB_SCHEDULE_PREVIEW; i++) {
        after_ms = pb_cron_next(&cron, zone, after_ms);
        if (!after_ms)
            break;
        pb_json_put_time(w, NULL, after_ms + delay_ms);
    }
    pb_json_end_array(w);
    return 0;
}

static void put_last(struct pb_json_writer *w, const struct pb_schedule *schedule,
                     const struct pb_execution *execution)
{
    if (schedule->last_result == PB_SCHEDULE_NONE) {
        pb_json_put_null(w, "last");
        return;
    }
    pb_json_begin_object(w, "last");
    pb_json_put_time(w, "at", schedule->last_at);
    pb_json_put_text(w, "result",
                     pb_names_get(&PB_SCHEDULE_RESULT_NAMES, (int)schedule->last_result));
    pb_json_put_text(w, "detail", schedule->last_detail);
    pb_json_put_text(w, "execution_id", execution ? execution->id : NULL);
    pb_json_put_text(w, "execution_status",
                     execution ? pb_execution_status_name(execution->status) : NULL);
    pb_json_end_object(w);
}

static int find_last(struct pb_db *db, struct pb_arena *arena, const struct pb_schedule *schedule,
                     struct pb_execution **ret_execution, struct pb_error *err)
{
    *ret_execution = NULL;
    if (!schedule->last_execution_id ||
        pb_execution_load(db, arena, schedule->last_execution_id, ret_execution, err) == 0)
        return 0;
    return err->code == PB_ERROR_NOT_FOUND ? 0 : -1; /* thrown away with the history */
}

/* From the moment it waits for; while it is off, what would come if it were on. */
static int64_t preview_from(const struct pb_schedule *schedule)
{
    return schedule->due_at ? schedule->due_at - 1 : pb_clock_wall_ms();
}

static int put_schedule(struct pb_db *db, struct pb_arena *arena, struct pb_json_writer *w,
                        const struct pb_schedule *schedule, struct pb_error *err)
{
    struct pb_execution *last;
    struct pb_error why;

    if (find_last(db, arena, schedule, &last, err) < 0)
        return -1;
    pb_json_begin_object(w, NULL);
    pb_json_put_text(w, "id", schedule->id);
    pb_json_put_text(w, "project_id", schedule->project_id);
    pb_json_put_text(w, "name", schedule->name);
    pb_json_put_text(w, "cron", schedule->cron);
    pb_json_put_text(w, "time_zone", schedule->time_zone);
    pb_json_put_bool(w, "enabled", schedule->enabled);
    pb_json_put_int(w, "jitter_seconds", schedule->jitter_ms / 1000);
    pb_json_put_text(w, "missed", pb_names_get(&PB_MISSED_NAMES, (int)schedule->missed));
    pb_json_put_text(w, "overlap", pb_names_get(&PB_OVERLAP_NAMES, (int)schedule->overlap));
    if (schedule->issue_number > 0)
        pb_json_put_int(w, "issue_number", schedule->issue_number);
    else
        pb_json_put_null(w, "issue_number");
    pb_json_put_text(w, "title", schedule->title);
    pb_json_put_text(w, "prompt", schedule->prompt);
    pb_json_put_text(w, "priority", pb_priority_name(schedule->priority));
    pb_json_put_time(w, "next_at", schedule->next_at);
    if (put_next(w, schedule->cron, schedule->time_zone, preview_from(schedule),
                 pb_schedule_delay(schedule), &why) < 0) {
        pb_json_begin_array(w, "next"); /* its zone is gone from the machine */
        pb_json_end_array(w);
    }
    put_last(w, schedule, last);
    pb_json_put_text(w, "created_by", schedule->created_by);
    pb_json_put_int(w, "version", schedule->version);
    pb_json_put_time(w, "created_at", schedule->created_at);
    pb_json_put_time(w, "updated_at", schedule->updated_at);
    pb_json_end_object(w);
    return 0;
}

int pb_schedules_show(struct pb_platform *platform, const char *project_id, struct pb_arena *arena,
                      struct pb_json_writer *w, struct pb_error *err)
{
    struct pb_db *db = pb_store_reader(platform->store, err);
    struct pb_schedule_list list;
    struct pb_project *project;

    if (!db || pb_project_get(platform, project_id, arena, &project, err) < 0 ||
        pb_schedule_list(db, arena, project_id, &list, err) < 0)
        return -1;
    pb_json_begin_object(w, NULL);
    pb_json_begin_array(w, "items");
    for (size_t i = 0; i < list.count; i++)
        if (put_schedule(db, arena, w, &list.items[i], err) < 0)
            return -1;
    pb_json_end_array(w);
    pb_json_end_object(w);
    return 0;
}

int pb_schedule_get(struct pb_platform *platform, const char *id, struct pb_arena *arena,
                    struct pb_schedule **ret_schedule, struct pb_error *err)
{
    struct pb_db *db = pb_store_reader(platform->store, err);

    return db ? pb_schedule_load(db, arena, id, ret_schedule, err) : -1;
}

int pb_schedule_show(struct pb_platform *platform, const char *id, struct pb_arena *arena,
                     struct pb_json_writer *w, int64_t *ret_version, struct pb_error *err)
{
    struct pb_db *db = pb_store_reader(platform->store, err);
    struct pb_schedule *schedule;

    if (!db || pb_schedule_load(db, arena, id, &schedule, err) < 0 ||
        put_schedule(db, arena, w, schedule, err) < 0)
        return -1;
    if (ret_version)
        *ret_version = schedule->version;
    return 0;
}

int pb_schedule_preview(const char *cron, const char *time_zone, int64_t now_ms,
                        struct pb_json_writer *w, struct pb_error *err)
{
    pb_json_begin_object(w, NULL);
    if (put_next(w, cron, time_zone, now_ms, 0, err) < 0)
        return -1;
    pb_json_end_object(w);
    return 0;
}

/* --- changing ------------------------------------------------------------------------------------------------ */

struct change {
    struct pb_schedule *schedule;
    const struct pb_principal *who;
    const char *action;
};

static int audit(struct pb_db *db, const struct change *change, struct pb_error *err)
{
    char actor[160];
    char object[80];

    (void)snprintf(actor, sizeof(actor), "user:%.120s", change->who->username);
    (void)snprintf(object, sizeof(object), "schedule:%.64s", change->schedule->id);
    return pb_audit_append(db,
                           &(struct pb_audit){
                               .at = pb_clock_wall_ms(),
                               .actor = actor,
                               .action = change->action,
                               .object = object,
                               .address = change->who->address,
                               .request_id = change->who->request_id,
                           },
                           err);
}

static void announce(struct pb_platform *platform, const struct change *change)
{
    pb_log_info("schedule", "schedule=%s project=%s %s by=%s", change->schedule->id,
                change->schedule->project_id, change->action, change->who->username);
    pb_events_project(platform->events, change->schedule->project_id);
    pb_schedule_runner_kick(platform->schedule_runner);
}

/* Its next moment from now on. */
static int aim(struct pb_schedule *schedule, struct pb_error *err)
{
    const struct pb_time_zone *zone;
    struct pb_cron cron;

    if (pb_cron_parse(schedule->cron, &cron, err) < 0 ||
        pb_time_zone_find(schedule->time_zone, &zone, err) < 0)
        return -1;
    schedule->updated_at = pb_clock_wall_ms();
    pb_schedule_aim(schedule, &cron, zone, schedule->updated_at);
    return 0;
}

static int write_create(struct pb_db *db, void *arg, struct pb_error *err)
{
    const struct change *change = arg;

    if (pb_schedule_insert(db, change->schedule, err) < 0)
        return -1;
    return audit(db, change, err);
}

int pb_schedule_create(struct pb_platform *platform, struct pb_schedule *schedule,
                       const struct pb_principal *who, struct pb_arena *arena, struct pb_error *err)
{
    struct change change = {.schedule = schedule, .who = who, .action = "schedule.create"};
    struct pb_project *project;
    char id[PB_ULID_TEXT];

    pb_ulid(id);
    schedule->id = pb_arena_text(arena, id);
    if (!schedule->id)
        return pb_fail(err, PB_ERROR_LIMITED, "request too large");
    if (pb_project_get(platform, schedule->project_id, arena, &project, err) < 0 ||
        aim(schedule, err) < 0)
        return -1;
    schedule->created_at = schedule->updated_at;
    schedule->created_by = who->username;
    if (pb_store_write(platform->store, write_create, &change, err) < 0)
        return -1;
    announce(platform, &change);
    return 0;
}

static int write_change(struct pb_db *db, void *arg, struct pb_error *err)
{
    const struct change *change = arg;
    struct pb_schedule *old;
    struct pb_arena arena;
    int r;

    pb_arena_init(&arena, PB_SCHEDULE_ARENA_MAX);
    r = pb_schedule_load(db, &arena, change->schedule->id, &old, err);
    if (r == 0) { /* what happened meanwhile stays; what waits of the old times does not */
        change->schedule->last_at = old->last_at;
        change->schedule->last_result = old->last_result;
        change->schedule->last_detail = old->last_detail;
        change->schedule->last_execution_id = old->last_execution_id;
        r = pb_schedule_save(db, change->schedule, err);
    }
    if (r == 0)
        r = audit(db, change, err);
    pb_arena_release(&arena);
    return r;
}

int pb_schedule_change(struct pb_platform *platform, struct pb_schedule *schedule,
                       const struct pb_principal *who, struct pb_error *err)
{
    struct change change = {.schedule = schedule, .who = who, .action = "schedule.update"};

    if (aim(schedule, err) < 0 || pb_store_write(platform->store, write_change, &change, err) < 0)
        return -1;
    announce(platform, &change);
    return 0;
}

static int write_delete(struct pb_db *db, void *arg, struct pb_error *err)
{
    const struct change *change = arg;

    if (pb_schedule_remove(db, change->schedule->id, err) < 0)
        return -1;
    return audit(db, change, err);
}

int pb_schedule_delete(struct pb_platform *platform, const char *id, const struct pb_principal *who,
                       struct pb_error *err)
{
    struct change change = {.who = who, .action = "schedule.delete"};
    struct pb_arena arena;
    int r;

    pb_arena_init(&arena, PB_SCHEDULE_ARENA_MAX);
    r = pb_schedule_get(platform, id, &arena, &change.schedule, err);
    if (r == 0)
        r = pb_store_write(platform->store, write_delete, &change, err);
    if (r == 0)
        announce(platform, &change);
    pb_arena_release(&arena);
    return r;
}

int pb_schedule_run_now(struct pb_platform *platform, const char *id,
                        const struct pb_principal *who, struct pb_arena *arena,
                        const char **ret_execution_id, struct pb_error *err)
{
    struct pb_schedule *schedule;
    struct pb_enqueue wish;
    char key[PB_ULID_TEXT];

    if (pb_schedule_get(platform, id, arena, &schedule, err) < 0 ||
        pb_schedule_wish(platform, schedule, arena, &wish, err) < 0)
        return -1;
    pb_ulid(key);
    wish.requested_by = who->username;
    wish.dedupe_key = pb_arena_format(arena, "schedule:%s:by-hand:%s", schedule->id, key);
    return pb_execution_enqueue(platform, &wish, arena, ret_execution_id, err);
}
