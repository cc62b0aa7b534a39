#include "server/services/log_prune.h"

#include <stdbool.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "model/limits.h"
#include "server/services/platform.h"
#include "server/store/log_holding.h"
#include "server/store/log_store.h"
#include "server/store/project_store.h"
#include "server/store/store.h"

enum { STEP = 200, ARENA_MAX = 16 << 20, EMPTY_STEPS = 5 };

struct pruning {
    struct pb_platform *platform;
    const atomic_bool *stop;
    int64_t removed;
    /* of one project, by size */
    const char *project_id;
    int64_t keep_bytes;
    int64_t seen_bytes; /* of its logs, newest first */
};

static int write_drop(struct pb_db *db, void *arg, struct pb_error *err)
{
    const struct pb_log_holding *const *holding = arg;

    return pb_log_holding_drop(db, (*holding)->id, pb_clock_wall_ms(), err);
}

/* The lines first: what a crash leaves undone is found again. A log that cannot be removed is said, and left for
 * the next round; the others do not wait for it. */
static int give_up(struct pruning *p, const struct pb_log_holding *holding, struct pb_error *err)
{
    if (pb_log_remove(p->platform->log_store, holding->id, err) < 0) {
        if (err->code == PB_ERROR_UNAVAILABLE)
            return -1;
        pb_log_fail(PB_LOG_WARN, "janitor", err, "execution=%s its log cannot be thrown away",
                    holding->id);
        return 0;
    }
    if (pb_store_write(p->platform->store, write_drop, &holding, err) < 0)
        return -1;
    p->removed++;
    return 0;
}

/* Where the next step goes on; `id` is a buffer that outlives the list. */
static void remember_last(const struct pb_log_holdings *list, struct pb_log_holding *last,
                          char id[PB_ULID_TEXT])
{
    if (list->count == 0)
        return;
    (void)snprintf(id, PB_ULID_TEXT, "%s", list->items[list->count - 1].id);
    *last = list->items[list->count - 1];
    last->id = id;
}

/* --- by age ------------------------------------------------------------------------------------------------- */

int pb_log_prune_old(struct pb_platform *platform, int64_t before_ms, const atomic_bool *stop,
                     int64_t *ret_removed, struct pb_error *err)
{
    struct pruning p = {.platform = platform, .stop = stop};
    struct pb_log_holding last = {.id = NULL};
    char last_id[PB_ULID_TEXT];
    size_t count = STEP;
    int r = 0;

    while (r == 0 && count == STEP && !atomic_load(stop)) {
        struct pb_db *db = pb_store_reader(platform->store, err);
        struct pb_log_holdings list = {0};
        struct pb_arena arena;

        pb_arena_init(&arena, ARENA_MAX);
        r = db ? pb_log_holdings_old(db, &arena, before_ms, last.id ? &last : NULL, STEP, &list,
                                     err)
               : -1;
        count = list.count;
        for (size_t i = 0; i < count && r == 0 && !atomic_load(stop); i++)
            r = give_up(&p, &list.items[i], err);
        remember_last(&list, &last, last_id);
        pb_arena_release(&arena);
    }
    *ret_removed = p.removed;
    return r < 0 ? pb_fail_in(err, "throwing old logs away") : 0;
}

/* --- by size ------------------------------------------------------------------------------------------------ */

/* One step; *ret_held: how many of its logs were there before. */
static int prune_step(struct pruning *p, const struct pb_log_holdings *list, size_t *ret_held,
                      struct pb_error *err)
{
    *ret_held = 0;
    for (size_t i = 0; i < list->count && !atomic_load(p->stop); i++) {
        const struct pb_log_holding *holding = &list->items[i];

        if (!holding->is_kept || !holding->completed_at)
            continue;
        ++*ret_held;
        p->seen_bytes += holding->bytes;
        if (p->seen_bytes > p->keep_bytes && give_up(p, holding, err) < 0)
            return -1;
    }
    return 0;
}

/* Ends at the first executions, or where for long nothing is left to be removed. */
static int prune_project(struct pruning *p, struct pb_error *err)
{
    struct pb_log_holding last = {.id = NULL};
    char last_id[PB_ULID_TEXT];
    int empty_steps = 0;
    size_t count = STEP;
    int r = 0;

    p->seen_bytes = 0;
    while (r == 0 && count == STEP && empty_steps < EMPTY_STEPS && !atomic_load(p->stop)) {
        struct pb_db *db = pb_store_reader(p->platform->store, err);
        struct pb_log_holdings list = {0};
        struct pb_arena arena;
        size_t held = 0;

        pb_arena_init(&arena, ARENA_MAX);
        r = db ? pb_log_holdings_list(db, &arena, p->project_id, last.id ? &last : NULL, STEP,
                                      &list, err)
               : -1;
        count = list.count;
        if (r == 0)
            r = prune_step(p, &list, &held, err);
        empty_steps = held == 0 ? empty_steps + 1 : 0;
        remember_last(&list, &last, last_id);
        pb_arena_release(&arena);
    }
    return r < 0 ? pb_fail_in(err, "project %s: making room for logs", p->project_id) : 0;
}

/* Those of one page; cursor: a buffer that moves on, "" at the end. */
static int prune_page(struct pruning *p, char cursor[PB_LIMIT_CURSOR], struct pb_error *err)
{
    struct pb_db *db = pb_store_reader(p->platform->store, err);
    const struct pb_project_filter filter = {
        .page = {.limit = STEP, .cursor = *cursor ? cursor : NULL}};
    struct pb_project_list list = {0};
    struct pb_arena arena;
    int r;

    pb_arena_init(&arena, ARENA_MAX);
    r = db ? pb_project_list(db, &arena, &filter, &list, err) : -1;
    for (size_t i = 0; i < list.count && r == 0 && !atomic_load(p->stop); i++) {
        p->project_id = list.items[i].id;
        r = prune_project(p, err);
    }
    (void)snprintf(cursor, PB_LIMIT_CURSOR, "%s",
                   r == 0 && list.next_cursor ? list.next_cursor : "");
    pb_arena_release(&arena);
    return r;
}

int pb_log_prune_large(struct pb_platform *platform, int64_t keep_bytes, const atomic_bool *stop,
                       int64_t *ret_removed, struct pb_error *err)
{
    struct pruning p = {.platform = platform, .stop = stop, .keep_bytes = keep_bytes};
    char cursor[PB_LIMIT_CURSOR] = "";
    int r;

    do {
        r = prune_page(&p, cursor, err);
    } while (r == 0 && *cursor && !atomic_load(stop));
    *ret_removed = p.removed;
    return r;
}
