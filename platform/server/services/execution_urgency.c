/* How urgent executions are: see pb_execution_set_urgency() in execution_control.h. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/json.h"
#include "base/text.h"
#include "model/limits.h"
#include "model/priority.h"
#include "server/services/execution_control.h"
#include "server/services/execution_private.h"
#include "server/services/platform.h"
#include "server/store/execution_store.h"
#include "server/store/store.h"

int64_t pb_execution_priority_of(const char *labels)
{
    struct pb_error ignored;
    struct pb_json *list = labels ? pb_json_parse(labels, strlen(labels), &ignored) : NULL;
    const char *names[PB_LIMIT_LABELS];
    int64_t priority = PB_PRIORITY_NORMAL;
    size_t count = 0;

    for (size_t i = 0; i < pb_json_count(list) && i < PB_LIMIT_LABELS; i++)
        names[count++] = pb_json_as_text(pb_json_at(list, i), "");
    if (!pb_priority_from_labels(names, count, &priority))
        priority = PB_PRIORITY_NORMAL;
    pb_json_free(list);
    return priority;
}

/* --- urgency ------------------------------------------------------------------------------------------------ */

struct reorder {
    const char *id;
    const struct pb_urgency *urgency;
    char project_id[PB_LIMIT_PROJECT_ID + 1]; /* out */
};

static int apply_urgency(struct pb_db *db, struct reorder *reorder, struct pb_execution *execution,
                         struct pb_error *err)
{
    const struct pb_urgency *urgency = reorder->urgency;

    if (pb_execution_is_final(execution->status))
        return pb_fail_reason(err, PB_ERROR_CONFLICT, "already_final", "already %s",
                              pb_execution_status_name(execution->status));
    if (urgency->has_priority)
        execution->priority = urgency->priority;
    if (urgency->has_deadline)
        execution->deadline_at = urgency->deadline_at;
    execution->updated_at = pb_clock_wall_ms();
    if (urgency->now && execution->status == PB_EXECUTION_WAITING_QUOTA)
        execution->available_at = execution->updated_at; /* the scheduler opens the window */
    else if (urgency->now)
        execution->available_at = 0;
    return pb_execution_save(db, execution, execution->status, err);
}

static int write_urgency(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct reorder *reorder = arg;
    struct pb_execution *execution;
    struct pb_arena arena;
    int r;

    pb_arena_init(&arena, PB_EXECUTION_ARENA_MAX);
    r = pb_execution_load(db, &arena, reorder->id, &execution, err);
    if (r == 0)
        r = apply_urgency(db, reorder, execution, err);
    if (r == 0)
        (void)snprintf(reorder->project_id, sizeof(reorder->project_id), "%s",
                       execution->project_id);
    pb_arena_release(&arena);
    return r;
}

int pb_execution_set_urgency(struct pb_platform *platform, const char *id,
                             const struct pb_urgency *urgency, const char *by, struct pb_error *err)
{
    struct reorder reorder = {.id = id, .urgency = urgency};

    if (pb_store_write(platform->store, write_urgency, &reorder, err) < 0)
        return pb_fail_in(err, "urgency of %s", id);
    if (urgency->has_priority)
        pb_execution_note(platform, id, 's', "priority %s, set by %s",
                          pb_priority_name(urgency->priority), by);
    pb_execution_announce(platform, reorder.project_id, id);
    return 0;
}

struct relabel {
    int64_t work_item_id;
    const char *labels;
    char project_id[PB_LIMIT_PROJECT_ID + 1]; /* out; "" = nothing changed */
    char id[PB_ULID_TEXT];
};

static bool is_relabelled(const struct pb_execution *execution, const char *labels)
{
    return execution && execution->status == PB_EXECUTION_QUEUED &&
           !pb_text_equal(execution->labels, labels);
}

static int write_labels(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct relabel *relabel = arg;
    struct pb_execution *execution;
    struct pb_arena arena;
    int r;

    relabel->project_id[0] = '\0';
    pb_arena_init(&arena, PB_EXECUTION_ARENA_MAX);
    r = pb_execution_newest_of(db, &arena, relabel->work_item_id, &execution, err);
    if (r == 0 && is_relabelled(execution, relabel->labels)) {
        if (pb_execution_priority_of(execution->labels) !=
            pb_execution_priority_of(relabel->labels))
            execution->priority = pb_execution_priority_of(relabel->labels);
        execution->labels = relabel->labels;
        execution->updated_at = pb_clock_wall_ms();
        r = pb_execution_save(db, execution, PB_EXECUTION_QUEUED, err);
        (void)snprintf(relabel->project_id, sizeof(relabel->project_id), "%s",
                       execution->project_id);
        (void)snprintf(relabel->id, sizeof(relabel->id), "%s", execution->id);
    }
    pb_arena_release(&arena);
    return r;
}

int pb_execution_follow_labels(struct pb_platform *platform, int64_t work_item_id,
                               const char *labels, struct pb_error *err)
{
    struct relabel relabel = {.work_item_id = work_item_id, .labels = labels};
    struct pb_db *db = pb_store_reader(platform->store, err);
    struct pb_execution *newest = NULL;
    struct pb_arena arena;
    bool is_news = false;
    int r = -1;

    pb_arena_init(&arena, PB_EXECUTION_ARENA_MAX);
    if (db)
        r = pb_execution_newest_of(db, &arena, work_item_id, &newest, err);
    if (r == 0)
        is_news = is_relabelled(newest, labels);
    pb_arena_release(&arena);
    if (r < 0 || !is_news)
        return r;
    if (pb_store_write(platform->store, write_labels, &relabel, err) < 0)
        return -1;
    if (relabel.project_id[0])
        pb_execution_announce(platform, relabel.project_id, relabel.id);
    return 0;
}
