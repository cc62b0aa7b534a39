/* One look at the queue: what is due, what is released, rounds until nothing more can start. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/services/counters.h"
#include "server/services/events.h"
#include "server/services/node_hub.h"
#include "server/services/platform.h"
#include "server/services/scheduler_private.h"
#include "server/store/store.h"

enum {
    BUCKETS = 256,
    TOLD_ROWS = 20, /* of a project whose reason has changed: those that people look at */
    ARENA_MAX = 1 << 20,
};

/* Why a project's queue stood still when we last looked. */
struct known {
    struct known *next;
    const char *why; /* one of queue_gate's texts */
    uint64_t look;
    char project_id[PB_LIMIT_PROJECT_ID + 1];
};

struct pb_look {
    struct pb_platform *platform;
    struct pb_fair_share *share;
    struct known *known[BUCKETS];
    uint64_t count;
    struct pb_round *unsettled; /* nobody knows whether it was written */
    bool is_shared;             /* limits reach across projects: a change in one concerns all */
    int64_t opens_at;           /* active hours begin; wall time, 0 = none */
};

/* --- reasons that change ------------------------------------------------------------------------------------- */

static struct known **find_known(struct pb_look *look, const char *project_id)
{
    struct known **at;
    unsigned hash = 5381;

    for (const char *c = project_id; *c; c++)
        hash = hash * 33 + (unsigned char)*c;
    for (at = &look->known[hash % BUCKETS]; *at; at = &(*at)->next)
        if (strcmp((*at)->project_id, project_id) == 0)
            break;
    return at;
}

/* Whoever watches the queue of this project is told to look again. */
static void tell_watchers(struct pb_look *look, const char *project_id)
{
    struct pb_platform *platform = look->platform;
    struct pb_queue_rows rows = {NULL, 0};
    struct pb_arena arena;
    struct pb_error err;
    struct pb_db *db = pb_store_reader(platform->store, &err);

    pb_arena_init(&arena, ARENA_MAX);
    if (!db || pb_queue_heads(db, &arena, project_id, TOLD_ROWS, &rows, &err) < 0)
        pb_log_fail(PB_LOG_WARN, "scheduler", &err, "project=%s", project_id);
    for (size_t i = 0; i < rows.count; i++)
        pb_events_execution(platform->events, project_id, rows.items[i].execution_id);
    pb_events_project(platform->events, project_id);
    pb_arena_release(&arena);
}

/* A project that is full starts something each time something ends: that it flows is no news. */
static const char *kind_of(const char *why)
{
    return why && strcmp(why, "project_full") == 0 ? NULL : why;
}

static void on_reason(void *arg, const char *project_id, const char *why)
{
    struct pb_look *look = arg;
    struct known **at = find_known(look, project_id);
    bool is_new = !*at;

    if (is_new) {
        *at = calloc(1, sizeof(**at));
        if (!*at)
            return; /* a page may be behind until it is loaded again */
        (void)snprintf((*at)->project_id, sizeof((*at)->project_id), "%s", project_id);
    }
    (*at)->look = look->count;
    if (!is_new && kind_of((*at)->why) != kind_of(why))
        tell_watchers(look, project_id);
    (*at)->why = why;
}

/* Forgets the projects that a look at everything has not met. */
static void forget(struct pb_look *look, bool all)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct known **at = &look->known[i]; *at;) {
            struct known *known = *at;

            if (!all && known->look == look->count) {
                at = &known->next;
                continue;
            }
            *at = known->next;
            free(known);
        }
    }
}

/* --- a look -------------------------------------------------------------------------------------------------- */

static int settle(struct pb_look *look, struct pb_round *round, struct pb_error *err)
{
    look->unsettled = NULL;
    if (pb_round_write(round, err) < 0) {
        if (err->code == PB_ERROR_UNAVAILABLE)
            look->unsettled = round;
        else
            pb_round_free(round);
        return -1;
    }
    pb_round_announce(round);
    return 0;
}

static int play_rounds(struct pb_look *look, struct pb_db *db, const struct pb_queue_scope *scope,
                       struct pb_error *err)
{
    const struct pb_round_wish wish = {
        .platform = look->platform,
        .share = look->share,
        .scope = scope,
        .tell = on_reason,
        .arg = look,
    };
    bool more = true;

    while (more) {
        struct pb_round *round = pb_round_choose(&wish, db, err);

        if (!round || settle(look, round, err) < 0)
            return -1;
        pb_count(PB_COUNTER_SCHEDULER_ROUNDS, 1);
        more = pb_round_has_more(round);
        look->is_shared = pb_round_is_shared(round);
        if (scope->is_all)
            look->opens_at = pb_round_opens_at(round);
        else if (pb_round_opens_at(round) &&
                 (!look->opens_at || pb_round_opens_at(round) < look->opens_at))
            look->opens_at = pb_round_opens_at(round);
        pb_round_free(round);
    }
    return 0;
}

struct pb_look *pb_look_new(struct pb_platform *platform, struct pb_error *err)
{
    struct pb_look *look = calloc(1, sizeof(*look));

    if (look)
        look->share = pb_fair_share_new();
    if (!look || !look->share) {
        pb_look_free(look);
        (void)pb_fail(err, PB_ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    look->platform = platform;
    return look;
}

void pb_look_free(struct pb_look *look)
{
    if (!look)
        return;
    forget(look, true);
    pb_round_free(look->unsettled);
    pb_fair_share_free(look->share);
    free(look);
}

/* What an earlier look could not finish. */
static int settle_old(struct pb_look *look, struct pb_queue_scope *scope, struct pb_error *err)
{
    struct pb_round *round = look->unsettled;

    if (!round)
        return 0;
    if (settle(look, round, err) < 0)
        return -1;
    pb_round_free(round);
    scope->is_all = true;
    return 0;
}

int pb_look_at_queue(struct pb_look *look, struct pb_queue_scope *scope, int64_t *ret_next,
                     struct pb_error *err)
{
    struct pb_platform *platform = look->platform;
    struct pb_db *db = pb_store_reader(platform->store, err);
    struct pb_execution_agenda agenda;
    int64_t due = 0;
    bool more;

    if (!db || settle_old(look, scope, err) < 0)
        return -1;
    scope->is_all = scope->is_all || look->is_shared;
    look->count++;
    pb_count(PB_COUNTER_SCHEDULER_LOOKS, 1);
    pb_node_hub_sweep(platform->node_hub);
    do {
        more = false;
        if (pb_execution_agenda(db, &agenda, err) < 0 ||
            pb_scheduler_due(platform, db, &agenda, &scope->is_all, &due, err) < 0 ||
            (agenda.is_held && pb_scheduler_release(platform, db, &scope->is_all, &more, err) < 0))
            return -1;
    } while (more);
    if (play_rounds(look, db, scope, err) < 0)
        return -1;
    if (scope->is_all) {
        forget(look, false);
        pb_fair_share_prune(look->share);
    }
    *ret_next = due && (!look->opens_at || due < look->opens_at) ? due : look->opens_at;
    return 0;
}
