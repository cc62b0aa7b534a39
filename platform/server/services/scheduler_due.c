#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/services/execution_control.h"
#include "server/services/execution_private.h"
#include "server/services/platform.h"
#include "server/services/scheduler_private.h"
#include "server/store/execution_store.h"
#include "server/store/store.h"

enum {
    ARENA_MAX = 32 << 20,
    DUE_MAX = 100,
    RELEASE_DUE_MAX = 1000,
    CANCELLING_MAX = 100,
    RELEASE_ROWS = 50,  /* of one limit in one go */
    RELEASE_MAX = 1000, /* of all */
};

/* --- quota windows that open ---------------------------------------------------------------------------------- */

static int write_due(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct pb_execution *execution = arg;

    execution->resume = true;
    execution->available_at = 0;
    execution->reason = execution->reason_kind = NULL;
    return pb_execution_apply(db, execution, PB_EXECUTION_EVENT_DUE, pb_clock_wall_ms(), err);
}

static int open_windows(struct pb_platform *platform, struct pb_db *db, struct pb_arena *arena,
                        struct pb_error *err)
{
    struct pb_execution_list list;

    if (pb_execution_due(db, arena, pb_clock_wall_ms(), DUE_MAX, &list, err) < 0)
        return -1;
    for (size_t i = 0; i < list.count; i++) {
        const struct pb_execution *execution = &list.items[i];

        if (pb_store_write(platform->store, write_due, &list.items[i], err) < 0) {
            if (err->code == PB_ERROR_CONFLICT)
                continue; /* somebody was first */
            return -1;
        }
        pb_execution_note(platform, execution->id, 's', "the waiting time is over; queued again");
        pb_execution_announce(platform, execution->project_id, execution->id);
    }
    return 0;
}

/* --- pauses that end ------------------------------------------------------------------------------------------ */

static int write_release_due(struct pb_db *db, void *arg, struct pb_error *err)
{
    return pb_queue_release_due(db, pb_clock_wall_ms(), RELEASE_DUE_MAX, arg, err);
}

static int end_pauses(struct pb_platform *platform, bool *ret_moved, struct pb_error *err)
{
    int64_t released = 0;

    if (pb_store_write(platform->store, write_release_due, &released, err) < 0)
        return -1;
    *ret_moved = *ret_moved || released > 0;
    return 0;
}

/* --- cancellings nobody confirms --------------------------------------------------------------------------- */

/* ret_next: when the first of those that still have time has none any more. */
static int force_cancels(struct pb_platform *platform, struct pb_db *db, struct pb_arena *arena,
                         int64_t *ret_next, struct pb_error *err)
{
    struct pb_execution_list list;

    *ret_next = 0;
    if (pb_execution_cancelling(db, arena, CANCELLING_MAX, &list, err) < 0)
        return -1;
    for (size_t i = 0; i < list.count; i++) {
        const struct pb_execution *execution = &list.items[i];
        int64_t at = execution->cancel_requested_at + platform->settings.cancel_timeout_ms;

        if (at > pb_clock_wall_ms()) {
            *ret_next = at;
            break;
        }
        if (pb_execution_give_up_cancel(platform,
                                        &(struct pb_attempt_claim){execution->project_id,
                                                                   execution->id,
                                                                   execution->attempt_count,
                                                                   execution->fence, NULL},
                                        err) < 0 &&
            err->code != PB_ERROR_CONFLICT)
            return -1;
    }
    return 0;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a && (!b || a < b) ? a : b;
}

int pb_scheduler_due(struct pb_platform *platform, struct pb_db *db,
                     const struct pb_execution_agenda *agenda, bool *ret_moved, int64_t *ret_next,
                     struct pb_error *err)
{
    int64_t cancel = 0, due = agenda->next_due;
    struct pb_arena arena;
    int r = 0;

    pb_arena_init(&arena, ARENA_MAX);
    if (due && due <= pb_clock_wall_ms() &&
        (open_windows(platform, db, &arena, err) < 0 || end_pauses(platform, ret_moved, err) < 0 ||
         pb_execution_next_due(db, &due, err) < 0))
        r = -1;
    if (r == 0 && agenda->is_cancelling)
        r = force_cancels(platform, db, &arena, &cancel, err);
    pb_arena_release(&arena);
    *ret_next = earlier(due, cancel);
    return r;
}

/* --- limits that have room again ----------------------------------------------------------------------------- */

struct move {
    const char *execution_id;
    const char *limit_key; /* the one that holds it from now on; NULL = none does */
};

struct release {
    struct pb_queue_world world;
    struct pb_db *db;
    struct pb_arena *arena;
    struct move moves[RELEASE_MAX];
    size_t count;
    bool more; /* rows of a limit that is gone */
};

/* How many of this project could start at most, if nothing but limits held them. */
static int project_room(struct release *release, const char *project_id, int64_t *ret_room,
                        struct pb_error *err)
{
    struct pb_queue_project *project;
    struct pb_queue_gate gate;

    *ret_room = 0;
    if (pb_queue_project(release->db, release->arena, project_id, &project, err) < 0)
        return err->code == PB_ERROR_NOT_FOUND ? 0 : -1;
    if (pb_queue_gate_of(&release->world, project, &gate, err) < 0)
        return -1;
    if (!gate.why)
        *ret_room = project->max_concurrent - project->active;
    return 0;
}

/* The first rows of one project that one limit holds, as many as limit and project have room for. Several
 * projects may get the same room: whose turn comes first takes it, the others' rows are held again. */
static int look_at(struct release *release, const char *project_id, const char *key,
                   const char *held_by, struct pb_error *err)
{
    struct pb_queue_tally *tally = release->world.tally;
    int64_t room = tally ? pb_queue_tally_room(tally, key) : INT64_MAX;
    bool is_gone = room == INT64_MAX;
    struct pb_queue_rows rows;
    int64_t most = RELEASE_ROWS;

    if (room == 0)
        return 0;
    /* A limit that is there no more holds nothing, whatever its project does. */
    if (!is_gone && project_room(release, project_id, &most, err) < 0)
        return -1;
    room = room < most ? room : most;
    if (room == 0)
        return 0;
    if (pb_queue_held_by(release->db, release->arena, held_by, RELEASE_ROWS, &rows, err) < 0)
        return -1;
    for (size_t i = 0; i < rows.count && room > 0 && release->count < RELEASE_MAX; i++) {
        const struct pb_queue_load load = {project_id, rows.items[i].requested_by,
                                           rows.items[i].labels, NULL};
        const char *other = NULL;

        if (tally && pb_queue_tally_meets(tally, &load, &other, err) < 0)
            return -1;
        release->moves[release->count++] = (struct move){rows.items[i].execution_id, other};
        room -= !other;
    }
    release->more = release->more || (is_gone && rows.count == RELEASE_ROWS);
    return 0;
}

static int look_at_held(struct release *release, const char *held_by, struct pb_error *err)
{
    const char *space = strchr(held_by, ' ');
    const char *project_id;

    if (!space)
        return pb_fail(err, PB_ERROR_INTERNAL, "nothing is held by '%s'", held_by);
    project_id = pb_arena_bytes(release->arena, held_by, (size_t)(space - held_by));
    if (!project_id)
        return pb_fail(err, PB_ERROR_LIMITED, "too much is held");
    return look_at(release, project_id, space + 1, held_by, err);
}

static int write_moves(struct pb_db *db, void *arg, struct pb_error *err)
{
    const struct release *release = arg;

    for (size_t i = 0; i < release->count; i++) {
        const struct move *move = &release->moves[i];
        int r = move->limit_key
                    ? pb_queue_hold(db, move->execution_id, pb_queue_limit_code(move->limit_key),
                                    move->limit_key, err)
                    : pb_queue_release(db, move->execution_id, err);

        if (r < 0)
            return -1;
    }
    return 0;
}

static int release_held(struct pb_platform *platform, struct release *release, struct pb_error *err)
{
    struct pb_queue_held held;

    if (pb_queue_held(release->db, release->arena, &held, err) < 0)
        return -1;
    if (held.count == 0)
        return 0;
    if (pb_queue_world_read(platform, release->db, release->arena, pb_clock_wall_ms(),
                            &release->world, err) < 0)
        return -1;
    for (size_t i = 0; i < held.count; i++)
        if (look_at_held(release, held.items[i], err) < 0)
            return -1;
    return release->count == 0 ? 0 : pb_store_write(platform->store, write_moves, release, err);
}

int pb_scheduler_release(struct pb_platform *platform, struct pb_db *db, bool *ret_moved,
                         bool *ret_more, struct pb_error *err)
{
    struct pb_arena arena;
    struct release *release;
    int r;

    pb_arena_init(&arena, ARENA_MAX);
    release = pb_arena_alloc(&arena, sizeof(*release));
    if (!release) {
        pb_arena_release(&arena);
        return pb_fail(err, PB_ERROR_LIMITED, "no memory for the queue");
    }
    *release = (struct release){.db = db, .arena = &arena};
    r = release_held(platform, release, err);
    *ret_more = r == 0 && (release->more || release->count == RELEASE_MAX);
    *ret_moved = *ret_moved || release->count > 0;
    pb_arena_release(&arena);
    return r;
}
