#include "server/services/schedule_fire.h"

#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "server/services/events.h"
#include "server/services/execution_control.h"
#include "server/services/execution_private.h"
#include "server/services/github_pin.h"
#include "server/services/platform.h"
#include "server/services/time_zones.h"
#include "server/store/execution_store.h"
#include "server/store/schedule_store.h"
#include "server/store/store.h"

enum {
    MISSED_MS = 60 * 1000, /* acting so much later than planned means that we were down */
    WAIT_MS = 5 * 1000,    /* between two looks whether the last run has ended */
    AGAIN_MS = 30 * 1000,  /* doubles with each failure */
    AGAIN_LONGEST_MS = 15 * 60 * 1000,
};

/* One schedule whose time has come. */
struct firing {
    struct pb_platform *platform;
    struct pb_arena *arena;
    struct pb_schedule *schedule; /* as read; the write reads it again */
    struct pb_cron cron;
    const struct pb_time_zone *zone;
    int64_t now_ms;

    bool is_on_time;                /* a first look, when it was planned */
    bool is_broken;                 /* its time cannot be understood (any more) */
    int64_t due_at;                 /* the moment it runs for */
    enum pb_schedule_result result; /* what is to happen */
    const char *detail;
    const char *cancel_id; /* the last run, to be cancelled first; NULL = none */
    struct pb_enqueue wish;
    char id[PB_ULID_TEXT];
    bool is_stale;  /* out: somebody changed the schedule meanwhile */
    bool is_repeat; /* out: this moment has its execution already */
};

int pb_schedule_wish(struct pb_platform *platform, const struct pb_schedule *schedule,
                     struct pb_arena *arena, struct pb_enqueue *ret_wish, struct pb_error *err)
{
    struct pb_github_pinned pinned;

    *ret_wish = (struct pb_enqueue){
        .project_id = schedule->project_id,
        .issue_number = schedule->issue_number,
        .title = schedule->title,
        .prompt = schedule->prompt,
        .trigger = PB_TRIGGER_SCHEDULE,
        .requested_by = schedule->created_by,
        .priority = schedule->priority,
    };
    if (schedule->issue_number == 0)
        return 0;
    if (pb_github_pin_issue(platform, schedule->project_id, schedule->issue_number, arena, &pinned,
                            err) < 0)
        return -1;
    if (!pinned.is_open)
        return pb_fail_reason(err, PB_ERROR_CONFLICT, "issue_closed", "issue #%lld is closed",
                              (long long)schedule->issue_number);
    ret_wish->title = pinned.title;
    ret_wish->url = pinned.url;
    ret_wish->author = pinned.author;
    ret_wish->prompt = pinned.prompt;
    ret_wish->labels = pinned.labels;
    return 0;
}

/* --- deciding --------------------------------------------------------------------------------------------- */

/* Has the platform been down at that time? Then the last moment that has passed counts, or none. */
static void decide_moment(struct firing *firing)
{
    struct pb_schedule *schedule = firing->schedule;
    bool is_first = schedule->failures == 0 && schedule->last_result != PB_SCHEDULE_WAITING;
    int64_t last;

    firing->result = PB_SCHEDULE_STARTED;
    firing->due_at = schedule->due_at;
    firing->is_on_time = is_first && firing->now_ms - schedule->next_at <= MISSED_MS;
    if (!is_first || firing->is_on_time)
        return;
    if (schedule->missed == PB_MISSED_SKIP) {
        firing->result = PB_SCHEDULE_MISSED;
        firing->detail = "the platform was down at that time";
        return;
    }
    last = pb_cron_last(&firing->cron, firing->zone, schedule->due_at,
                        firing->now_ms - pb_schedule_delay(schedule));
    firing->due_at = last ? last : schedule->due_at;
}

/* Does the last run go on? */
static int decide_overlap(struct firing *firing, struct pb_error *err)
{
    const struct pb_schedule *schedule = firing->schedule;
    struct pb_db *db = pb_store_reader(firing->platform->store, err);
    struct pb_execution *last;

    if (!db)
        return -1;
    if (firing->result != PB_SCHEDULE_STARTED || !schedule->last_execution_id)
        return 0;
    if (pb_execution_load(db, firing->arena, schedule->last_execution_id, &last, err) < 0)
        return err->code == PB_ERROR_NOT_FOUND ? 0 : -1;
    if (pb_execution_is_final(last->status))
        return 0;
    switch (schedule->overlap) {
    case PB_OVERLAP_SKIP:
        firing->result = PB_SCHEDULE_OVERLAPPED;
        firing->detail =
            pb_arena_format(firing->arena, "#%lld is still %s", (long long)last->number,
                            pb_execution_status_name(last->status));
        break;
    case PB_OVERLAP_QUEUE:
        firing->result = PB_SCHEDULE_WAITING;
        firing->detail =
            pb_arena_format(firing->arena, "#%lld is still %s", (long long)last->number,
                            pb_execution_status_name(last->status));
        break;
    case PB_OVERLAP_CANCEL_PREVIOUS:
        firing->cancel_id = last->id;
        break;
    }
    return 0;
}

/* What cannot be had now may be had later; what is wrong stays wrong until the next time. */
static void decide_failure(struct firing *firing, const struct pb_error *why)
{
    bool passes = why->code == PB_ERROR_UNREACHABLE || why->code == PB_ERROR_UNAVAILABLE ||
                  why->code == PB_ERROR_TIMEOUT || why->code == PB_ERROR_LIMITED;

    firing->result = passes ? PB_SCHEDULE_RETRYING : PB_SCHEDULE_FAILED;
    firing->detail = pb_arena_text(firing->arena, why->message);
}

/* --- the write ---------------------------------------------------------------------------------------------- */

static int64_t again_at(const struct firing *firing, const struct pb_schedule *schedule)
{
    int64_t pause = AGAIN_MS;

    for (int64_t i = 0; i < schedule->failures && pause < AGAIN_LONGEST_MS; i++)
        pause *= 2;
    return firing->now_ms + (pause < AGAIN_LONGEST_MS ? pause : AGAIN_LONGEST_MS);
}

/* Waiting and retrying are for this moment; the next one takes its place when it comes. */
static void plan(const struct firing *firing, struct pb_schedule *schedule)
{
    int64_t passed = firing->now_ms - pb_schedule_delay(schedule); /* moments until then are over */
    int64_t again = again_at(firing, schedule);
    int64_t next;

    schedule->last_at = firing->now_ms;
    schedule->last_result = firing->result;
    schedule->last_detail = firing->detail;
    if (firing->is_broken || firing->result == PB_SCHEDULE_WAITING) {
        schedule->next_at = firing->now_ms + (firing->is_broken ? AGAIN_LONGEST_MS : WAIT_MS);
        return;
    }
    next = pb_cron_next(&firing->cron, firing->zone, firing->due_at);
    if (firing->result == PB_SCHEDULE_RETRYING && (!next || again < next)) {
        schedule->failures++;
        schedule->next_at = again;
        return;
    }
    if (firing->result == PB_SCHEDULE_RETRYING)
        schedule->last_result = PB_SCHEDULE_FAILED;
    pb_schedule_aim(schedule, &firing->cron, firing->zone,
                    firing->is_on_time || passed < firing->due_at ? firing->due_at : passed);
}

static int write_firing(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct firing *firing = arg;
    struct pb_schedule *schedule;
    struct pb_error why;

    firing->is_stale = firing->is_repeat = false;
    if (pb_schedule_load(db, firing->arena, firing->schedule->id, &schedule, err) < 0)
        return -1;
    firing->is_stale = schedule->version != firing->schedule->version ||
                       schedule->due_at != firing->schedule->due_at;
    if (firing->is_stale)
        return 0;
    if (firing->result == PB_SCHEDULE_STARTED) {
        const char *earlier = NULL;

        if (pb_execution_find_key(db, firing->arena, firing->wish.project_id,
                                  firing->wish.dedupe_key, &earlier, err) < 0)
            return -1;
        firing->is_repeat = earlier != NULL;
        if (!earlier && pb_execution_queue(db, &firing->wish, firing->id, &why) < 0) {
            *err = why;
            return -1;
        }
        schedule->last_execution_id = earlier ? earlier : firing->id;
    }
    plan(firing, schedule);
    return pb_schedule_observe(db, schedule, err);
}

/* --- one schedule --------------------------------------------------------------------------------------------- */

static int prepare(struct firing *firing, struct pb_error *err)
{
    struct pb_error why;

    decide_moment(firing);
    if (decide_overlap(firing, err) < 0)
        return -1;
    if (firing->result != PB_SCHEDULE_STARTED)
        return 0;
    pb_ulid(firing->id);
    if (pb_schedule_wish(firing->platform, firing->schedule, firing->arena, &firing->wish, &why) <
        0) {
        decide_failure(firing, &why);
        return 0;
    }
    firing->wish.dedupe_key = pb_arena_format(firing->arena, "schedule:%s:%lld",
                                              firing->schedule->id, (long long)firing->due_at);
    /* First the old one: a crash in between fires again and finds it cancelled. */
    if (firing->cancel_id &&
        pb_execution_cancel(firing->platform, firing->cancel_id, "its schedule", &why) < 0 &&
        why.code != PB_ERROR_CONFLICT)
        decide_failure(firing, &why);
    return 0;
}

static void announce(const struct firing *firing)
{
    const struct pb_schedule *schedule = firing->schedule;

    if (firing->is_stale)
        return;
    pb_log_info("schedule", "schedule=%s project=%s '%s' %s%s%s", schedule->id,
                schedule->project_id, schedule->name,
                pb_names_get(&PB_SCHEDULE_RESULT_NAMES, (int)firing->result),
                firing->detail ? ": " : "", firing->detail ? firing->detail : "");
    if (firing->result == PB_SCHEDULE_STARTED && !firing->is_repeat)
        pb_execution_announce_queued(firing->platform, &firing->wish, firing->id);
    pb_events_project(firing->platform->events, schedule->project_id);
}

/* The execution was refused by the write (the project is closed, its queue is full): that is noted instead. */
static int write_or_note(struct firing *firing, struct pb_error *err)
{
    struct pb_store *store = firing->platform->store;
    struct pb_error why;

    if (pb_store_write(store, write_firing, firing, &why) == 0)
        return 0;
    if (firing->result != PB_SCHEDULE_STARTED || why.code == PB_ERROR_UNAVAILABLE) {
        *err = why;
        return -1;
    }
    decide_failure(firing, &why);
    return pb_store_write(store, write_firing, firing, err);
}

/* A text that cannot be read, a zone that is gone from the machine: noted, and looked at again later. */
static int understand(struct firing *firing, struct pb_error *why)
{
    if (pb_cron_parse(firing->schedule->cron, &firing->cron, why) < 0)
        return -1;
    return pb_time_zone_find(firing->schedule->time_zone, &firing->zone, why);
}

static int fire(struct pb_platform *platform, struct pb_arena *arena, struct pb_schedule *schedule,
                struct pb_error *err)
{
    struct firing firing = {.platform = platform,
                            .arena = arena,
                            .schedule = schedule,
                            .zone = pb_time_zone_utc(),
                            .now_ms = pb_clock_wall_ms()};
    bool was_waiting = schedule->last_result == PB_SCHEDULE_WAITING;
    struct pb_error why;

    if (understand(&firing, &why) < 0) {
        firing.is_broken = true;
        decide_failure(&firing, &why);
    } else if (prepare(&firing, err) < 0) {
        return -1;
    }
    if (write_or_note(&firing, err) < 0)
        return -1;
    if (!was_waiting || firing.result != PB_SCHEDULE_WAITING)
        announce(&firing);
    return 0;
}

int pb_schedule_fire_due(struct pb_platform *platform, size_t limit, size_t *ret_count,
                         struct pb_error *err)
{
    struct pb_db *db = pb_store_reader(platform->store, err);
    struct pb_schedule_list list;
    struct pb_arena arena;
    int r = -1;

    *ret_count = 0;
    pb_arena_init(&arena, PB_SCHEDULE_ARENA_MAX * (limit + 1));
    if (db)
        r = pb_schedule_due(db, &arena, pb_clock_wall_ms(), limit, &list, err);
    for (size_t i = 0; r == 0 && i < list.count; i++) {
        r = fire(platform, &arena, &list.items[i], err);
        if (r < 0 && err->code == PB_ERROR_NOT_FOUND)
            r = 0; /* deleted meanwhile */
        *ret_count += r == 0;
    }
    pb_arena_release(&arena);
    return r;
}
