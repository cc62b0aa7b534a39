#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "server/services/counters.h"
#include "server/services/events.h"
#include "server/services/execution_control.h"
#include "server/services/execution_private.h"
#include "server/services/github_effects.h"
#include "server/services/node_hub.h"
#include "server/services/platform.h"
#include "server/services/queue_control.h"
#include "server/services/scheduler_private.h"
#include "server/store/execution_store.h"
#include "server/store/store.h"

enum {
    ARENA_MAX = 64 << 20,
    SLICE = 500,     /* projects read at once */
    HEADS_EXTRA = 8, /* rows read beyond those that may start: some will meet a limit */
    HEADS_MAX = 64,
};

/* A project that may start something. */
struct candidate {
    const struct pb_queue_project *project;
    const char *node_id;
    int64_t pass;
    int64_t room;
    struct pb_queue_rows heads;
    size_t next; /* of the heads */
    bool is_read;
    bool has_more; /* rows behind the heads */
};

struct start {
    const char *execution_id;
    const struct pb_queue_project *project;
    const char *node_id;
    char token[PB_ULID_TEXT];
    struct pb_execution *claimed; /* NULL: not ours after all */
};

struct hold {
    const char *execution_id;
    const char *project_id;
    const char *limit_key;
};

struct pb_round {
    const struct pb_round_wish *wish; /* only while choosing */
    struct pb_platform *platform;
    struct pb_db *db; /* only while choosing */
    struct pb_arena arena;
    struct pb_arena claims; /* of the last write */
    struct pb_queue_world world;
    struct candidate **heap; /* the smallest pass first, then the smallest id */
    size_t heap_count, heap_room;
    struct start starts[PB_ROUND_STARTS];
    size_t start_count;
    struct hold holds[PB_ROUND_HOLDS];
    size_t hold_count;
    bool is_repeated; /* nobody knows whether the write before happened */
    int64_t opens_at;
    bool has_more;
};

/* --- the heap --------------------------------------------------------------------------------------------- */

static bool goes_first(const struct candidate *a, const struct candidate *b)
{
    return a->pass != b->pass ? a->pass < b->pass : strcmp(a->project->id, b->project->id) < 0;
}

static void sink(struct pb_round *round, size_t at)
{
    for (;;) {
        size_t first = at;

        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < round->heap_count; child++)
            if (goes_first(round->heap[child], round->heap[first]))
                first = child;
        if (first == at)
            return;
        struct candidate *moved = round->heap[at];
        round->heap[at] = round->heap[first];
        round->heap[first] = moved;
        at = first;
    }
}

static void drop_first(struct pb_round *round)
{
    round->heap[0] = round->heap[--round->heap_count];
    sink(round, 0);
}

static int add_candidate(struct pb_round *round, const struct candidate *made, struct pb_error *err)
{
    struct candidate *candidate = pb_arena_alloc(&round->arena, sizeof(*candidate));

    if (candidate && round->heap_count == round->heap_room) {
        size_t room = round->heap_room ? round->heap_room * 2 : 64;
        struct candidate **heap = pb_arena_alloc(&round->arena, room * sizeof(struct candidate *));

        if (heap && round->heap_count > 0)
            memcpy(heap, round->heap, round->heap_count * sizeof(struct candidate *));
        round->heap = heap ? heap : round->heap;
        round->heap_room = heap ? room : round->heap_room;
    }
    if (!candidate || round->heap_count == round->heap_room)
        return pb_fail(err, PB_ERROR_LIMITED, "too many projects in the queue");
    *candidate = *made;
    round->heap[round->heap_count++] = candidate;
    return 0;
}

/* --- which projects ---------------------------------------------------------------------------------------- */

static int consider(struct pb_round *round, const struct pb_queue_project *project,
                    struct pb_error *err)
{
    const struct pb_round_wish *wish = round->wish;
    struct pb_queue_gate gate;

    if (pb_queue_gate_of(&round->world, project, &gate, err) < 0)
        return -1;
    wish->tell(wish->arg, project->id, gate.why);
    if (gate.until && (!round->opens_at || gate.until < round->opens_at))
        round->opens_at = gate.until;
    if (gate.why)
        return 0;
    return add_candidate(round,
                         &(struct candidate){
                             .project = project,
                             .node_id = gate.node_id,
                             .pass = pb_fair_share_pass(wish->share, project->id),
                             .room = project->max_concurrent - project->active,
                         },
                         err);
}

static int gather_all(struct pb_round *round, struct pb_error *err)
{
    struct pb_queue_projects slice;
    const char *after = "";

    do {
        if (pb_queue_projects(round->db, &round->arena, after, SLICE, &slice, err) < 0)
            return -1;
        for (size_t i = 0; i < slice.count; i++)
            if (consider(round, &slice.items[i], err) < 0)
                return -1;
        if (slice.count > 0)
            after = slice.items[slice.count - 1].id;
    } while (slice.count == SLICE);
    return 0;
}

static int gather_some(struct pb_round *round, struct pb_error *err)
{
    for (size_t i = 0; i < round->wish->scope->count; i++) {
        struct pb_queue_project *project;

        if (pb_queue_project(round->db, &round->arena, round->wish->scope->ids[i], &project, err) <
            0) {
            if (err->code == PB_ERROR_NOT_FOUND)
                continue;
            return -1;
        }
        if (project->queued > 0 && consider(round, project, err) < 0)
            return -1;
    }
    return 0;
}

static int gather(struct pb_round *round, struct pb_error *err)
{
    if ((round->wish->scope->is_all ? gather_all(round, err) : gather_some(round, err)) < 0)
        return -1;
    for (size_t i = round->heap_count; i-- > 0;)
        sink(round, i);
    return 0;
}

/* --- who starts -------------------------------------------------------------------------------------------- */

static int read_heads(struct pb_round *round, struct candidate *candidate, struct pb_error *err)
{
    size_t want = candidate->room + HEADS_EXTRA < HEADS_MAX ? (size_t)candidate->room + HEADS_EXTRA
                                                            : HEADS_MAX;

    if (pb_queue_heads(round->db, &round->arena, candidate->project->id, want, &candidate->heads,
                       err) < 0)
        return -1;
    candidate->is_read = true;
    candidate->has_more = candidate->heads.count == want;
    return 0;
}

/* Takes the row, leaves it to a limit, or finds that the node has no room (ret_closed). */
static int take(struct pb_round *round, struct candidate *candidate, const struct pb_queue_row *row,
                bool *ret_closed, struct pb_error *err)
{
    const struct pb_queue_load load = {candidate->project->id, row->requested_by, row->labels,
                                       pb_queue_node_name(&round->world, candidate->node_id)};
    enum pb_queue_limit_kind kind;
    const char *key = NULL;
    struct start *start;

    *ret_closed = false;
    if (round->world.tally && pb_queue_tally_meets(round->world.tally, &load, &key, err) < 0)
        return -1;
    if (key) {
        *ret_closed = pb_queue_limit_kind_of(key, &kind) && kind == PB_QUEUE_LIMIT_NODE;
        if (!*ret_closed)
            round->holds[round->hold_count++] =
                (struct hold){row->execution_id, row->project_id, key};
        return 0;
    }
    if (round->world.tally && pb_queue_tally_add(round->world.tally, &load, err) < 0)
        return -1;
    if (pb_fair_share_charge(round->wish->share, candidate->project->id,
                             candidate->project->queue_weight, err) < 0)
        return -1;
    start = &round->starts[round->start_count++];
    *start = (struct start){.execution_id = row->execution_id,
                            .project = candidate->project,
                            .node_id = candidate->node_id};
    pb_ulid(start->token);
    candidate->room--;
    candidate->pass = pb_fair_share_pass(round->wish->share, candidate->project->id);
    return 0;
}

/* One turn of the project whose turn it is. */
static int play_turn(struct pb_round *round, struct pb_error *err)
{
    struct candidate *candidate = round->heap[0];
    size_t started = round->start_count;
    bool is_closed = false;

    if (!candidate->is_read && read_heads(round, candidate, err) < 0)
        return -1;
    while (candidate->next < candidate->heads.count && started == round->start_count &&
           !is_closed && round->hold_count < PB_ROUND_HOLDS)
        if (take(round, candidate, &candidate->heads.items[candidate->next++], &is_closed, err) < 0)
            return -1;
    if (candidate->next == candidate->heads.count && candidate->has_more && candidate->room > 0)
        round->has_more = true;
    if (is_closed || candidate->room <= 0 || candidate->next == candidate->heads.count)
        drop_first(round);
    else
        sink(round, 0);
    return 0;
}

static int choose(struct pb_round *round, struct pb_error *err)
{
    if (pb_queue_world_read(round->platform, round->db, &round->arena, pb_clock_wall_ms(),
                            &round->world, err) < 0 ||
        gather(round, err) < 0)
        return -1;
    while (round->heap_count > 0) {
        if (round->start_count == PB_ROUND_STARTS || round->hold_count == PB_ROUND_HOLDS) {
            round->has_more = true;
            return 0;
        }
        if (play_turn(round, err) < 0)
            return -1;
    }
    return 0;
}

struct pb_round *pb_round_choose(const struct pb_round_wish *wish, struct pb_db *db,
                                 struct pb_error *err)
{
    struct pb_round *round = calloc(1, sizeof(*round));

    if (!round) {
        (void)pb_fail(err, PB_ERROR_LIMITED, "no memory for the queue");
        return NULL;
    }
    round->wish = wish;
    round->platform = wish->platform;
    round->db = db;
    pb_arena_init(&round->arena, ARENA_MAX);
    pb_arena_init(&round->claims, ARENA_MAX);
    if (choose(round, err) < 0) {
        pb_round_free(round);
        return NULL;
    }
    round->wish = NULL;
    round->db = NULL;
    return round;
}

void pb_round_free(struct pb_round *round)
{
    if (!round)
        return;
    pb_arena_release(&round->claims);
    pb_arena_release(&round->arena);
    free(round);
}

bool pb_round_has_more(const struct pb_round *round)
{
    return round->has_more && (round->start_count > 0 || round->hold_count > 0);
}

int64_t pb_round_opens_at(const struct pb_round *round)
{
    return round->opens_at;
}

bool pb_round_is_shared(const struct pb_round *round)
{
    return round->world.limits.count > 0;
}

/* --- the write ---------------------------------------------------------------------------------------------- */

/* What was read before may have changed: here nobody else writes. */
static int may_start(struct pb_round *round, struct pb_db *db, const struct start *start,
                     bool *ret_may, struct pb_error *err)
{
    struct pb_queue_project *project;

    if (pb_queue_project(db, &round->claims, start->project->id, &project, err) < 0)
        return -1;
    *ret_may = project->status == PB_PROJECT_ACTIVE && project->active < project->max_concurrent;
    return 0;
}

static int claim(struct pb_round *round, struct pb_db *db, struct start *start,
                 struct pb_error *err)
{
    int64_t now = pb_clock_wall_ms();
    const struct pb_claim claim = {
        .execution_id = start->execution_id,
        .node_id = start->node_id,
        .token = start->token,
        .now_ms = now,
        .lease_until_ms = now + round->platform->settings.offline_limit_ms,
    };
    struct pb_error why;
    bool is_ours = false;
    bool may;

    start->claimed = NULL;
    if ((round->is_repeated && pb_execution_is_claimed(db, start->token, &is_ours, err) < 0) ||
        may_start(round, db, start, &may, err) < 0)
        return -1;
    if (!may && !is_ours)
        return 0;
    if (pb_execution_claim(db, &round->claims, &claim, &start->claimed, &why) < 0) {
        if (why.code == PB_ERROR_CONFLICT || why.code == PB_ERROR_NOT_FOUND)
            return 0; /* cancelled meanwhile, or waiting for something of its own */
        *err = why;
        return -1;
    }
    return is_ours ? 0 : pb_execution_leave_effect(db, start->claimed, now, err);
}

static int write_round(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct pb_round *round = arg;
    const char *pause;

    pb_arena_release(&round->claims);
    pb_arena_init(&round->claims, ARENA_MAX);
    if (pb_queue_pause_note(db, &round->claims, &pause, err) < 0)
        return -1;
    for (size_t i = 0; i < round->start_count; i++) {
        round->starts[i].claimed = NULL;
        if (!pause && claim(round, db, &round->starts[i], err) < 0)
            return -1;
    }
    for (size_t i = 0; i < round->hold_count; i++)
        if (pb_queue_hold(db, round->holds[i].execution_id,
                          pb_queue_limit_code(round->holds[i].limit_key), round->holds[i].limit_key,
                          err) < 0)
            return -1;
    return 0;
}

int pb_round_write(struct pb_round *round, struct pb_error *err)
{
    if (round->start_count + round->hold_count == 0)
        return 0;
    if (pb_store_write(round->platform->store, write_round, round, err) == 0)
        return 0;
    round->is_repeated = true;
    return -1;
}

/* --- afterwards --------------------------------------------------------------------------------------------- */

static void give_back(struct pb_platform *platform, const struct pb_execution *execution)
{
    struct pb_error err;

    if (pb_execution_lost(platform,
                          &(struct pb_attempt_claim){execution->project_id, execution->id,
                                                     execution->attempt_count, execution->fence,
                                                     NULL},
                          "its agent could not be reached", &err) < 0)
        pb_log_fail(PB_LOG_WARN, "scheduler", &err, "execution=%s", execution->id);
}

void pb_round_announce(struct pb_round *round)
{
    struct pb_platform *platform = round->platform;
    size_t count = 0;

    for (size_t i = 0; i < round->start_count; i++) {
        const struct pb_execution *execution = round->starts[i].claimed;

        if (!execution)
            continue;
        count++;
        if (!pb_node_hub_assign(platform->node_hub, execution))
            give_back(platform, execution);
        pb_events_execution(platform->events, execution->project_id, execution->id);
        pb_events_project(platform->events, execution->project_id);
    }
    for (size_t i = 0; i < round->hold_count; i++)
        pb_events_execution(platform->events, round->holds[i].project_id,
                            round->holds[i].execution_id);
    pb_count(PB_COUNTER_SCHEDULER_STARTS, count);
    if (count > 0)
        pb_github_effects_kick(platform->github_effects);
}
