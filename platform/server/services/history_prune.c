#include "server/services/history_prune.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/id.h"
#include "base/log.h"
#include "server/services/events.h"
#include "server/services/platform.h"
#include "server/store/history_store.h"
#include "server/store/log_store.h"
#include "server/store/store.h"

enum { STEP = 50, ARENA_MAX = 1 << 20 };

static int write_removal(struct pb_db *db, void *arg, struct pb_error *err)
{
    const struct pb_old_executions *list = arg;

    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].may_go && pb_history_remove(db, list->items[i].id, err) < 0)
            return -1;
    return 0;
}

/* Logs first: while its row is there, a log that was left is found again. One that cannot be removed keeps its
 * execution until the next round. */
static int remove_logs(struct pb_platform *platform, struct pb_old_executions *list,
                       struct pb_error *err)
{
    for (size_t i = 0; i < list->count; i++) {
        struct pb_old_execution *item = &list->items[i];

        /* Also where the row knows of none: lines that came after it was thrown away made another. */
        if (!item->may_go || pb_log_remove(platform->log_store, item->id, err) == 0)
            continue;
        if (err->code == PB_ERROR_UNAVAILABLE)
            return -1;
        pb_log_fail(PB_LOG_WARN, "janitor", err, "execution=%s its log cannot be thrown away",
                    item->id);
        item->may_go = false;
    }
    return 0;
}

static int64_t count_going(const struct pb_old_executions *list)
{
    int64_t count = 0;

    for (size_t i = 0; i < list->count; i++)
        count += list->items[i].may_go;
    return count;
}

/* Their numbers have changed. */
static void tell_projects(struct pb_platform *platform, const struct pb_old_executions *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].may_go &&
            (i == 0 || strcmp(list->items[i].project_id, list->items[i - 1].project_id) != 0))
            pb_events_project(platform->events, list->items[i].project_id);
}

static int remove_step(struct pb_platform *platform, struct pb_old_executions *list,
                       int64_t *removed, struct pb_error *err)
{
    int64_t going;

    if (remove_logs(platform, list, err) < 0)
        return -1;
    going = count_going(list);
    if (going == 0)
        return 0;
    if (pb_store_write(platform->store, write_removal, list, err) < 0)
        return -1;
    *removed += going;
    tell_projects(platform, list);
    return 0;
}

int pb_history_prune(struct pb_platform *platform, int64_t before_ms, const atomic_bool *stop,
                     int64_t *ret_removed, struct pb_error *err)
{
    char last_id[PB_ULID_TEXT] = "";
    struct pb_history_wish wish = {.before_ms = before_ms,
                                   .keep = platform->settings.execution_keep,
                                   .id = last_id,
                                   .limit = STEP};
    size_t count = STEP;
    int r = 0;

    *ret_removed = 0;
    while (r == 0 && count == STEP && !atomic_load(stop)) {
        struct pb_db *db = pb_store_reader(platform->store, err);
        struct pb_old_executions list = {0};
        struct pb_arena arena;

        pb_arena_init(&arena, ARENA_MAX);
        r = db ? pb_history_old(db, &arena, &wish, &list, err) : -1;
        count = list.count;
        if (r == 0)
            r = remove_step(platform, &list, ret_removed, err);
        if (count > 0) {
            (void)snprintf(last_id, sizeof(last_id), "%s", list.items[count - 1].id);
            wish.completed_at = list.items[count - 1].completed_at;
        }
        pb_arena_release(&arena);
    }
    return r < 0 ? pb_fail_in(err, "throwing old executions away") : 0;
}
