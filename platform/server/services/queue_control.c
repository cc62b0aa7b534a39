#include "server/services/queue_control.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "model/limits.h"
#include "server/services/auth.h"
#include "server/services/platform.h"
#include "server/services/scheduler.h"
#include "server/store/identity_store.h"
#include "server/store/project_store.h"
#include "server/store/queue_store.h"
#include "server/store/store.h"

#define PAUSE_KEY "queue_pause" /* {"by","note","at"}; there is none while the queue runs */

enum { PAUSE_MAX = 4096 };

static int read_pause(struct pb_db *db, struct pb_arena *arena, const char **ret_pause,
                      struct pb_error *err)
{
    return pb_setting_get(db, arena, PAUSE_KEY, ret_pause, err);
}

int pb_queue_pause_note(struct pb_db *db, struct pb_arena *arena, const char **ret_note,
                        struct pb_error *err)
{
    struct pb_json *json;
    const char *pause;

    if (read_pause(db, arena, &pause, err) < 0)
        return -1;
    *ret_note = NULL;
    if (!pause)
        return 0;
    json = pb_json_parse(pause, strlen(pause), err);
    if (!json)
        return pb_fail_in(err, PAUSE_KEY);
    *ret_note = pb_arena_text(arena, pb_json_text(json, "note", ""));
    pb_json_free(json);
    return *ret_note ? 0 : pb_fail(err, PB_ERROR_LIMITED, "out of memory");
}

/* --- changing ------------------------------------------------------------------------------------------------ */

struct change {
    const struct pb_principal *who;
    const char *action;
    const char *pause; /* JSON; NULL = resume */
    const struct pb_queue_limits *limits;
};

static int audit(struct pb_db *db, const struct change *change, struct pb_error *err)
{
    char actor[160];

    (void)snprintf(actor, sizeof(actor), "user:%.120s", change->who->username);
    return pb_audit_append(db,
                           &(struct pb_audit){
                               .at = pb_clock_wall_ms(),
                               .actor = actor,
                               .action = change->action,
                               .object = "queue",
                               .detail = change->pause,
                               .address = change->who->address,
                               .request_id = change->who->request_id,
                           },
                           err);
}

static int write_pause(struct pb_db *db, void *arg, struct pb_error *err)
{
    const struct change *change = arg;

    if (pb_setting_put(db, PAUSE_KEY, change->pause, pb_clock_wall_ms(), err) < 0)
        return -1;
    return audit(db, change, err);
}

static void announce(struct pb_platform *platform, const struct change *change)
{
    pb_log_info("queue", "%s by=%s", change->action, change->who->username);
    pb_scheduler_kick(platform->scheduler);
}

int pb_queue_pause(struct pb_platform *platform, const char *note, const struct pb_principal *who,
                   struct pb_error *err)
{
    struct change change = {.who = who, .action = "queue.pause"};
    struct pb_json_writer w;
    struct pb_buf pause;
    int r;

    pb_buf_init(&pause, PAUSE_MAX);
    pb_json_writer_init(&w, &pause);
    pb_json_begin_object(&w, NULL);
    pb_json_put_text(&w, "by", who->username);
    pb_json_put_text(&w, "note", note && *note ? note : NULL);
    pb_json_put_time(&w, "at", pb_clock_wall_ms());
    pb_json_end_object(&w);
    change.pause = pb_buf_string(&pause);
    r = pb_buf_failed(&pause) ? pb_fail_field(err, "note", "the note is too long")
                              : pb_store_write(platform->store, write_pause, &change, err);
    if (r == 0)
        announce(platform, &change);
    pb_buf_release(&pause);
    return r;
}

int pb_queue_resume(struct pb_platform *platform, const struct pb_principal *who,
                    struct pb_error *err)
{
    struct change change = {.who = who, .action = "queue.resume"};

    if (pb_store_write(platform->store, write_pause, &change, err) < 0)
        return -1;
    announce(platform, &change);
    return 0;
}

static int write_limits(struct pb_db *db, void *arg, struct pb_error *err)
{
    const struct change *change = arg;

    if (pb_queue_limit_replace(db, change->limits, err) < 0)
        return -1;
    return audit(db, change, err);
}

static bool is_same(const struct pb_queue_limit *a, const struct pb_queue_limit *b)
{
    return a->kind == b->kind && strcmp(a->project_id, b->project_id) == 0 &&
           strcmp(a->subject, b->subject) == 0;
}

static int check_limits(const struct pb_queue_limits *limits, struct pb_error *err)
{
    if (limits->count > PB_LIMIT_QUEUE_LIMITS)
        return pb_fail_field(err, "limits", "at most %d limits", PB_LIMIT_QUEUE_LIMITS);
    for (size_t i = 0; i < limits->count; i++) {
        if (pb_queue_limit_check(&limits->items[i], err) < 0)
            return -1;
        for (size_t other = 0; other < i; other++)
            if (is_same(&limits->items[i], &limits->items[other]))
                return pb_fail_field(err, "limits", "the limit of '%.100s' is there twice",
                                     limits->items[i].subject);
    }
    return 0;
}

int pb_queue_set_limits(struct pb_platform *platform, const struct pb_queue_limits *limits,
                        const struct pb_principal *who, struct pb_error *err)
{
    struct change change = {.who = who, .action = "queue.limits", .limits = limits};

    if (check_limits(limits, err) < 0)
        return -1;
    if (pb_store_write(platform->store, write_limits, &change, err) < 0)
        return -1;
    announce(platform, &change);
    return 0;
}

/* --- showing ------------------------------------------------------------------------------------------------- */

static void put_limits(struct pb_json_writer *w, const struct pb_queue_limits *limits)
{
    pb_json_begin_array(w, "limits");
    for (size_t i = 0; i < limits->count; i++) {
        const struct pb_queue_limit *limit = &limits->items[i];

        pb_json_begin_object(w, NULL);
        pb_json_put_text(w, "kind", pb_names_get(&PB_QUEUE_LIMIT_NAMES, (int)limit->kind));
        pb_json_put_text(w, "project", limit->project_id[0] ? limit->project_id : NULL);
        pb_json_put_text(w, "subject", limit->subject);
        pb_json_put_int(w, "max", limit->max);
        pb_json_end_object(w);
    }
    pb_json_end_array(w);
}

static void put_counts(struct pb_json_writer *w, const struct pb_execution_counts *counts)
{
    int64_t running = 0;
    int64_t waiting = 0;

    for (int i = 0; i < PB_EXECUTION_STATUS_COUNT; i++) {
        running += pb_execution_is_active((enum pb_execution_status)i) ? counts->by_status[i] : 0;
        waiting += pb_execution_is_waiting((enum pb_execution_status)i) ? counts->by_status[i] : 0;
    }
    pb_json_put_int(w, "queued", counts->by_status[PB_EXECUTION_QUEUED]);
    pb_json_put_int(w, "running", running);
    pb_json_put_int(w, "waiting", waiting);
}

int pb_queue_show(struct pb_platform *platform, struct pb_arena *arena, struct pb_json_writer *w,
                  struct pb_error *err)
{
    struct pb_db *db = pb_store_reader(platform->store, err);
    struct pb_execution_counts counts;
    struct pb_queue_limits limits;
    const char *pause;

    if (!db || read_pause(db, arena, &pause, err) < 0 ||
        pb_queue_limit_list(db, arena, &limits, err) < 0 ||
        pb_project_open_counts(db, &counts, err) < 0)
        return -1;
    pb_json_begin_object(w, NULL);
    pb_json_put_bool(w, "paused", pause != NULL);
    if (pause)
        pb_json_put_raw(w, "pause", pause);
    else
        pb_json_put_null(w, "pause");
    put_counts(w, &counts);
    put_limits(w, &limits);
    pb_json_end_object(w);
    return 0;
}
