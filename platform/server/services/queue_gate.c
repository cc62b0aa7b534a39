#include "server/services/queue_gate.h"

#include <string.h>

#include "base/clock.h"
#include "server/services/node_hub.h"
#include "server/services/platform.h"
#include "server/services/queue_control.h"
#include "server/services/time_zones.h"

enum {
    AHEAD_MOST = 1000, /* further back nobody counts */
    PROJECTS_MOST = 64 /* remembered while a list is explained */
};

/* --- words --------------------------------------------------------------------------------------------------- */

static const struct pb_queued_reason REASONS[] = {
    {"starting", "It is about to start.", "まもなく開始します。"},
    {"queue_paused", "The whole queue is paused. An administrator can resume it.",
     "キュー全体が一時停止しています。管理者が再開すると続行します。"},
    {"no_node", "No node is connected. It starts as soon as one is.",
     "接続中のノードがありません。ノードが接続されると開始します。"},
    {"agent_starting", "The project's agent is starting.",
     "プロジェクトのエージェントを起動しています。"},
    {"agent_down", "The project's agent does not run; see the project page.",
     "プロジェクトのエージェントが動いていません。プロジェクトのページを確認してください。"},
    {"project_full", "The project already runs as many executions as it may at once.",
     "プロジェクトの同時実行数の上限に達しています。空きができると開始します。"},
    {"node_full", "The node already runs as many executions as it may at once.",
     "ノードの同時実行数の上限に達しています。空きができると開始します。"},
    {"user_full", "The person who asked for it already has as many running as they may.",
     "依頼した人の同時実行数の上限に達しています。空きができると開始します。"},
    {"label_full", "As many executions with one of its labels run as may at once.",
     "同じラベルの同時実行数の上限に達しています。空きができると開始します。"},
    {"outside_hours", "It is outside the hours in which the project may start work.",
     "プロジェクトの稼働時間外です。稼働時間になると開始します。"},
    {"work_item_busy", "Another execution of the same issue comes first.",
     "同じ Issue の別の実行が先にあります。それが終わると開始します。"},
    {"not_yet", "It waits a while before it is tried again.", "再試行までしばらく待っています。"},
    {"project_stopped", "The project is stopped. Start it to go on.",
     "プロジェクトが停止しています。開始すると続行します。"},
    {"project_paused", "The project is paused. Start it to go on.",
     "プロジェクトが一時停止しています。開始すると続行します。"},
    {"project_closed", "The project is archived or deleted.",
     "プロジェクトはアーカイブまたは削除されています。"},
};

const struct pb_queued_reason *pb_queued_reason_find(const char *code)
{
    for (size_t i = 0; code && i < sizeof(REASONS) / sizeof(REASONS[0]); i++)
        if (strcmp(REASONS[i].code, code) == 0)
            return &REASONS[i];
    return NULL;
}

const char *pb_queue_limit_code(const char *limit_key)
{
    static const char *const CODES[] = {
        [PB_QUEUE_LIMIT_USER] = "user_full",
        [PB_QUEUE_LIMIT_LABEL] = "label_full",
        [PB_QUEUE_LIMIT_NODE] = "node_full",
    };
    enum pb_queue_limit_kind kind;

    return pb_queue_limit_kind_of(limit_key, &kind) ? CODES[kind] : "project_full";
}

/* --- what is shared ----------------------------------------------------------------------------------------- */

const char *pb_queue_node_name(const struct pb_queue_world *world, const char *node_id)
{
    for (size_t i = 0; node_id && i < world->nodes.count; i++)
        if (strcmp(world->nodes.items[i].id, node_id) == 0)
            return world->nodes.items[i].name;
    return node_id;
}

static int count_active(struct pb_db *db, struct pb_arena *arena, struct pb_queue_world *world,
                        struct pb_error *err)
{
    struct pb_queue_loads active;

    if (world->limits.count == 0)
        return 0;
    world->tally = pb_queue_tally_new(arena, &world->limits);
    if (!world->tally)
        return pb_fail(err, PB_ERROR_LIMITED, "too many limits");
    if (pb_node_list(db, arena, &world->nodes, err) < 0 ||
        pb_queue_active(db, arena, &active, err) < 0)
        return -1;
    for (size_t i = 0; i < active.count; i++) {
        active.items[i].node = pb_queue_node_name(world, active.items[i].node);
        if (pb_queue_tally_add(world->tally, &active.items[i], err) < 0)
            return -1;
    }
    return 0;
}

int pb_queue_world_read(struct pb_platform *platform, struct pb_db *db, struct pb_arena *arena,
                        int64_t now_ms, struct pb_queue_world *ret_world, struct pb_error *err)
{
    struct pb_queue_world world = {.platform = platform, .now_ms = now_ms};

    if (pb_queue_pause_note(db, arena, &world.pause, err) < 0 ||
        pb_queue_limit_list(db, arena, &world.limits, err) < 0 ||
        count_active(db, arena, &world, err) < 0)
        return -1;
    *ret_world = world;
    return 0;
}

/* --- one project ---------------------------------------------------------------------------------------------- */

static const char *by_status(enum pb_project_status status)
{
    switch (status) {
    case PB_PROJECT_ACTIVE:
        return NULL;
    case PB_PROJECT_PAUSED:
        return "project_paused";
    case PB_PROJECT_STOPPED:
        return "project_stopped";
    case PB_PROJECT_ARCHIVED:
    case PB_PROJECT_DELETED:
    case PB_PROJECT_STATUS_COUNT:
        break;
    }
    return "project_closed";
}

/* Hours that cannot be understood (a zone that is gone) are no reason to stop working. */
static int64_t opens_at(const struct pb_queue_world *world, const struct pb_queue_project *project)
{
    struct pb_error err;
    int64_t at;

    if (!project->active_hours || pb_time_zone_open_at(project->active_hours, project->time_zone,
                                                       world->now_ms, &at, &err) < 0)
        return world->now_ms;
    return at;
}

static int node_room(struct pb_queue_world *world, const char *node_id, const char **ret_why,
                     struct pb_error *err)
{
    const struct pb_queue_load load = {.project_id = "",
                                       .node = pb_queue_node_name(world, node_id)};
    const char *key = NULL;

    if (world->tally && pb_queue_tally_meets(world->tally, &load, &key, err) < 0)
        return -1;
    *ret_why = key ? "node_full" : NULL;
    return 0;
}

int pb_queue_gate_of(struct pb_queue_world *world, const struct pb_queue_project *project,
                     struct pb_queue_gate *ret_gate, struct pb_error *err)
{
    struct pb_queue_gate gate = {.why = world->pause ? "queue_paused" : by_status(project->status)};
    int64_t opens;

    if (gate.why)
        goto out;
    opens = opens_at(world, project);
    if (opens != world->now_ms) {
        gate = (struct pb_queue_gate){.why = "outside_hours", .until = opens};
        goto out;
    }
    gate.why = project->active >= project->max_concurrent ? "project_full"
               : !world->platform->node_hub               ? "no_node"
                                                          : NULL;
    if (!gate.why)
        gate.node_id = pb_node_hub_where(world->platform->node_hub, project->id, &gate.why);
    if (gate.node_id && node_room(world, gate.node_id, &gate.why, err) < 0)
        return -1;
out:
    *ret_gate = gate;
    return 0;
}

/* --- for people ------------------------------------------------------------------------------------------------ */

/* A list's projects, each looked at once. */
struct looked {
    const char *project_id;
    struct pb_queue_gate gate;
    int64_t queued;
};

struct explaining {
    struct pb_db *db;
    struct pb_arena *arena;
    struct pb_queue_world world;
    struct looked looked[PROJECTS_MOST];
    size_t count;
};

static int look_at(struct explaining *e, const char *project_id, struct looked **ret_looked,
                   struct pb_error *err)
{
    struct pb_queue_project *project;
    struct looked *place;

    for (size_t i = 0; i < e->count; i++) {
        if (strcmp(e->looked[i].project_id, project_id) == 0) {
            *ret_looked = &e->looked[i];
            return 0;
        }
    }
    place = &e->looked[e->count < PROJECTS_MOST ? e->count++ : PROJECTS_MOST - 1];
    place->project_id = project_id;
    if (pb_queue_project(e->db, e->arena, project_id, &project, err) < 0 ||
        pb_queue_gate_of(&e->world, project, &place->gate, err) < 0)
        return -1;
    place->queued = project->queued;
    *ret_looked = place;
    return 0;
}

/* Nothing of the project starts, whoever asked for it: that is what people want to know before any limit. */
static bool is_closed(const struct pb_queue_gate *gate)
{
    return gate->why && strcmp(gate->why, "project_full") != 0 &&
           strcmp(gate->why, "node_full") != 0;
}

/* Who paused the queue may have said why. */
static int put_note(struct explaining *e, const struct pb_queued_reason *reason,
                    struct pb_queued_reason *ret_says, struct pb_error *err)
{
    *ret_says = *reason;
    if (strcmp(reason->code, "queue_paused") != 0 || !e->world.pause || !*e->world.pause)
        return 0;
    ret_says->en = pb_arena_format(e->arena, "%s (%s)", reason->en, e->world.pause);
    ret_says->ja = pb_arena_format(e->arena, "%s（%s）", reason->ja, e->world.pause);
    return ret_says->en && ret_says->ja ? 0 : pb_fail(err, PB_ERROR_LIMITED, "too much to explain");
}

static int explain(struct explaining *e, struct pb_execution *execution, struct pb_error *err)
{
    struct pb_waiting *waiting = pb_arena_alloc(e->arena, sizeof(*waiting));
    const struct pb_queued_reason *reason;
    struct pb_queued_reason says;
    struct looked *looked;
    int64_t ahead = 0;
    bool own;

    if (!waiting)
        return pb_fail(err, PB_ERROR_LIMITED, "too much to explain");
    if (look_at(e, execution->project_id, &looked, err) < 0)
        return -1;
    if (!execution->queued_reason && pb_queue_ahead(e->db, execution, AHEAD_MOST, &ahead, err) < 0)
        return -1;
    own = execution->queued_reason && !(execution->held_by && is_closed(&looked->gate));
    reason = pb_queued_reason_find(own                ? execution->queued_reason
                                   : looked->gate.why ? looked->gate.why
                                                      : "starting");
    if (!reason)
        return 0; /* of a newer version: nothing is better than a guess */
    if (put_note(e, reason, &says, err) < 0)
        return -1;
    *waiting = (struct pb_waiting){
        .code = says.code,
        .en = says.en,
        .ja = says.ja,
        .until = own ? execution->available_at : looked->gate.until,
        .position = execution->queued_reason || ahead == AHEAD_MOST ? 0 : ahead + 1,
        .queued = looked->queued,
    };
    execution->waiting = waiting;
    return 0;
}

int pb_queue_explain(struct pb_platform *platform, struct pb_db *db, struct pb_arena *arena,
                     struct pb_execution *executions, size_t count, struct pb_error *err)
{
    struct explaining e = {.db = db, .arena = arena};
    bool is_ready = false;

    for (size_t i = 0; i < count; i++) {
        if (executions[i].status != PB_EXECUTION_QUEUED)
            continue;
        if (!is_ready &&
            pb_queue_world_read(platform, db, arena, pb_clock_wall_ms(), &e.world, err) < 0)
            return -1;
        is_ready = true;
        if (explain(&e, &executions[i], err) < 0)
            return -1;
    }
    return 0;
}
