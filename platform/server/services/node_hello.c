/* A node comes: hello, status, and each runner's account of what it has. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "model/limits.h"
#include "server/services/events.h"
#include "server/services/node_private.h"
#include "server/services/platform.h"
#include "server/services/scheduler.h"
#include "server/store/cluster_store.h"
#include "server/store/execution_store.h"
#include "server/store/log_store.h"
#include "server/store/project_store.h"
#include "server/store/store.h"

enum { ARENA_MAX = 16 << 20, CAPACITY_MAX = 4096, PROJECTS_MAX = LINK_LANES_MAX };

/* --- hello ------------------------------------------------------------------------------------------------ */

struct hello {
    const char *node_id;
    const struct pb_json *body;
    bool is_new_boot; /* out: what ran there is gone */
};

/* Only the three numbers we know, so that a row never holds what a node made up. */
static void write_capacity(struct pb_buf *buf, const struct pb_json *capacity)
{
    static const char *const NUMBERS[] = {"cpus", "memory_bytes", "slots"};
    struct pb_json_writer w;

    pb_buf_init(buf, CAPACITY_MAX);
    pb_json_writer_init(&w, buf);
    pb_json_begin_object(&w, NULL);
    for (size_t i = 0; i < sizeof(NUMBERS) / sizeof(NUMBERS[0]); i++)
        pb_json_put_int(&w, NUMBERS[i], pb_json_int(capacity, NUMBERS[i], 0));
    pb_json_end_object(&w);
}

static const char *bounded(struct pb_arena *arena, const char *text, size_t max)
{
    return text ? pb_arena_bytes(arena, text, pb_utf8_cut(text, strlen(text), max)) : NULL;
}

static int write_hello(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct hello *hello = arg;
    const char *boot_id;
    struct pb_buf capacity;
    struct pb_arena arena;
    struct pb_node *node;
    int r = -1;

    pb_arena_init(&arena, 64 << 10);
    write_capacity(&capacity, pb_json_get(hello->body, "capacity"));
    if (pb_node_load(db, &arena, hello->node_id, &node, err) < 0)
        goto out;
    boot_id = bounded(&arena, pb_json_text(hello->body, "boot_id", ""), 64);
    hello->is_new_boot =
        node->boot_id && *node->boot_id && boot_id && strcmp(node->boot_id, boot_id) != 0;
    node->boot_id = boot_id;
    node->status = PB_NODE_ONLINE;
    node->version = bounded(&arena, pb_json_text(hello->body, "version", ""), 40);
    node->isolation = bounded(&arena, pb_json_text(hello->body, "isolation", ""), 20);
    node->capacity = pb_buf_string(&capacity);
    node->last_seen_at = pb_clock_wall_ms();
    r = pb_node_save(db, node, err);
out:
    pb_buf_release(&capacity);
    pb_arena_release(&arena);
    return r;
}

static int give_up_one(struct pb_node_hub *hub, struct pb_db *db, const struct pb_attempt *attempt,
                       const char *why, struct pb_error *err)
{
    struct pb_execution *execution;
    struct pb_arena arena;
    int r;

    pb_arena_init(&arena, ARENA_MAX);
    r = pb_execution_load(db, &arena, attempt->execution_id, &execution, err);
    if (r == 0)
        pb_pending_remove(hub, execution->project_id, execution->id, attempt->number);
    if (r == 0)
        r = pb_execution_lost(hub->platform,
                              &(struct pb_attempt_claim){execution->project_id, execution->id,
                                                         attempt->number, attempt->fence, NULL},
                              why, err);
    pb_arena_release(&arena);
    return r < 0 && err->code == PB_ERROR_CONFLICT ? 0 : r; /* it ended or moved on meanwhile */
}

int pb_node_give_up(struct pb_node_hub *hub, const char *node_id, const char *why,
                    struct pb_error *err)
{
    struct pb_db *db = pb_store_reader(hub->platform->store, err);
    struct pb_attempt_list list;
    struct pb_arena arena;
    int r;

    if (!db)
        return -1;
    pb_arena_init(&arena, ARENA_MAX);
    r = pb_attempt_live(db, &arena, NULL, node_id, &list, err);
    for (size_t i = 0; r == 0 && i < list.count; i++)
        r = give_up_one(hub, db, &list.items[i], why, err);
    pb_arena_release(&arena);
    return r;
}

static int send_welcome(struct link *link, struct pb_error *err)
{
    struct pb_message_builder b;
    struct pb_buf frame;
    bool sent;

    pb_buf_init(&frame, 4096);
    pb_message_begin(&b, &frame, PB_MESSAGE_WELCOME, NULL);
    pb_json_put_int(&b.json, "protocol", PB_PROTOCOL_MAX);
    pb_json_put_text(&b.json, "node_id", link->node_id);
    pb_json_put_int(&b.json, "server_time_ms", pb_clock_wall_ms());
    pb_json_put_int(&b.json, "offline_limit_ms", link->hub->platform->settings.offline_limit_ms);
    pb_message_end(&b, NULL, 0);
    sent = pb_link_send(link, &frame);
    pb_buf_release(&frame);
    return sent ? 0 : pb_fail(err, PB_ERROR_UNAVAILABLE, "the welcome could not be sent");
}

/* What a deleted project left on the node. */
static int remove_leftovers(struct link *link, const struct pb_json *projects, struct pb_error *err)
{
    struct pb_db *db = pb_store_reader(link->hub->platform->store, err);
    struct pb_project *project;
    struct pb_arena arena;
    int r = db ? 0 : -1;

    pb_arena_init(&arena, ARENA_MAX);
    for (size_t i = 0; r == 0 && i < pb_json_count(projects) && i < PROJECTS_MAX; i++) {
        const char *id = pb_json_text(pb_json_at(projects, i), "id", "");

        if (!pb_message_project_valid(id))
            continue;
        r = pb_project_load(db, &arena, id, &project, err);
        if (r < 0 && err->code == PB_ERROR_NOT_FOUND)
            r = 0; /* not ours to remove: it is only not wished for */
        else if (r == 0 && project->status == PB_PROJECT_DELETED)
            pb_node_send_remove(link, id);
    }
    pb_arena_release(&arena);
    return r;
}

int pb_node_on_hello(struct link *link, const struct pb_json *body, struct pb_error *err)
{
    struct pb_node_hub *hub = link->hub;
    struct hello hello = {.node_id = link->node_id, .body = body};

    if (pb_json_int(body, "protocol_min", 0) > PB_PROTOCOL_MAX ||
        pb_json_int(body, "protocol_max", 0) < PB_PROTOCOL_MIN)
        return pb_fail(err, PB_ERROR_INVALID, "the node speaks protocol %lld to %lld, we %d to %d",
                       (long long)pb_json_int(body, "protocol_min", 0),
                       (long long)pb_json_int(body, "protocol_max", 0), PB_PROTOCOL_MIN,
                       PB_PROTOCOL_MAX);
    if (pb_store_write(hub->platform->store, write_hello, &hello, err) < 0)
        return -1;
    if (hello.is_new_boot &&
        pb_node_give_up(hub, link->node_id, "its node was started anew", err) < 0)
        return -1;
    if (send_welcome(link, err) < 0 || pb_node_send_wishes(link, err) < 0 ||
        remove_leftovers(link, pb_json_get(body, "projects"), err) < 0)
        return -1;
    pb_log_info("node_hub", "node=%s online version=%s", link->node_id,
                pb_json_text(body, "version", "?"));
    pb_events_node(hub->platform->events, link->node_id);
    pb_scheduler_kick(hub->platform->scheduler);
    return 0;
}

/* --- status ------------------------------------------------------------------------------------------------ */

struct status {
    struct pb_platform *platform;
    const char *node_id;
    const struct pb_json *body;
    struct pb_arena *arena;
    /* out, by place in the message */
    struct told {
        const char *id; /* NULL = not one of this node's projects */
        enum pb_agent_state state;
        bool changed; /* its row */
    } * told;
    size_t count;
};

static bool same_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

/* A node's word for a state; words we do not know are nothing to end a connection for. */
static enum pb_agent_state state_of(const struct pb_json *item)
{
    const char *word = pb_json_text(item, "state", "");
    int state;

    if (pb_names_find(&PB_AGENT_STATE_NAMES, word, &state))
        return (enum pb_agent_state)state;
    return strcmp(word, "stopping") == 0 ? PB_AGENT_STOPPED : PB_AGENT_DEGRADED;
}

/* What the item says of a project, into its row. True when that changed something. */
static bool take(struct pb_project *project, const struct pb_json *item, enum pb_agent_state state,
                 const char *detail)
{
    if (project->agent_state == state && same_text(project->agent_detail, detail) &&
        project->agent_pid == pb_json_int(item, "pid", 0) &&
        project->agent_restarts == pb_json_int(item, "restarts", 0))
        return false;
    project->agent_state = state;
    project->agent_detail = detail && *detail ? detail : NULL;
    project->agent_pid = pb_json_int(item, "pid", 0);
    project->agent_restarts = pb_json_int(item, "restarts", 0);
    project->agent_since = pb_json_int(item, "since_ms", pb_clock_wall_ms());
    return true;
}

/* Only where a project is placed somebody can say how it is. */
static int observe(struct pb_db *db, const struct status *status, const struct pb_json *item,
                   struct told *ret_told, struct pb_error *err)
{
    const char *id = pb_json_text(item, "id", "");
    struct pb_project *project;
    struct pb_arena arena;
    int r;

    *ret_told = (struct told){.state = state_of(item)};
    if (!pb_message_project_valid(id))
        return pb_fail(err, PB_ERROR_INVALID, "node_status names no project '%.63s'", id);
    pb_arena_init(&arena, 4 << 20);
    r = pb_project_load(db, &arena, id, &project, err);
    if (r == 0 && same_text(project->node_id, status->node_id)) {
        ret_told->id = id;
        ret_told->changed = take(project, item, ret_told->state,
                                 bounded(&arena, pb_json_text(item, "last_error", NULL), 500));
        r = ret_told->changed ? pb_project_observe(db, project, err) : 0;
    } else if (r < 0 && err->code == PB_ERROR_NOT_FOUND) {
        r = 0;
    }
    pb_arena_release(&arena);
    return r;
}

static void write_load(struct pb_buf *buf, const struct pb_json *body)
{
    static const char *const NUMBERS[] = {"memory_free_bytes", "disk_free_bytes"};
    struct pb_json_writer w;

    pb_buf_init(buf, CAPACITY_MAX);
    pb_json_writer_init(&w, buf);
    pb_json_begin_object(&w, NULL);
    pb_json_put_number(&w, "load1", pb_json_number(body, "load1", 0));
    for (size_t i = 0; i < sizeof(NUMBERS) / sizeof(NUMBERS[0]); i++)
        if (pb_json_is_int(pb_json_get(body, NUMBERS[i])))
            pb_json_put_int(&w, NUMBERS[i], pb_json_int(body, NUMBERS[i], 0));
    pb_json_end_object(&w);
}

static int write_status(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct status *status = arg;
    const struct pb_json *projects = pb_json_get(status->body, "projects");
    struct pb_node *node;
    struct pb_buf load;
    int r;

    write_load(&load, status->body);
    r = pb_node_load(db, status->arena, status->node_id, &node, err);
    if (r == 0) {
        node->load = pb_buf_string(&load);
        node->last_seen_at = pb_clock_wall_ms();
        r = pb_node_save(db, node, err);
    }
    for (size_t i = 0; r == 0 && i < status->count; i++)
        r = observe(db, status, pb_json_at(projects, i), &status->told[i], err);
    pb_buf_release(&load);
    return r;
}

/* Keeps what the scheduler asks in memory. */
static void remember(struct pb_node_hub *hub, const struct status *status)
{
    (void)pthread_mutex_lock(&hub->lock);
    for (size_t i = 0; i < status->count; i++) {
        const struct told *told = &status->told[i];
        struct agent *agent = told->id ? pb_hub_agent(hub, told->id, true) : NULL;

        if (!agent)
            continue;
        agent->state = told->state;
        (void)snprintf(agent->node_id, sizeof(agent->node_id), "%s", status->node_id);
    }
    (void)pthread_mutex_unlock(&hub->lock);
}

static void announce(struct link *link, const struct status *status)
{
    const struct pb_json *projects = pb_json_get(status->body, "projects");

    for (size_t i = 0; i < status->count; i++) {
        if (!status->told[i].id)
            pb_link_refused(link, "in node_status",
                            pb_json_text(pb_json_at(projects, i), "id", ""));
        else if (status->told[i].changed)
            pb_events_project(status->platform->events, status->told[i].id);
    }
    pb_events_node(status->platform->events, status->node_id);
    pb_scheduler_kick(status->platform->scheduler);
}

int pb_node_on_status(struct link *link, const struct pb_json *body, struct pb_error *err)
{
    struct pb_platform *platform = link->hub->platform;
    struct pb_arena arena;
    struct status status = {.platform = platform,
                            .node_id = link->node_id,
                            .body = body,
                            .arena = &arena,
                            .count = pb_json_count(pb_json_get(body, "projects"))};
    int r;

    if (status.count > PROJECTS_MAX)
        return pb_fail(err, PB_ERROR_INVALID, "node_status of more than %d projects", PROJECTS_MAX);
    pb_arena_init(&arena, ARENA_MAX);
    status.told = pb_arena_alloc(&arena, (status.count + 1) * sizeof(*status.told));
    r = status.told ? pb_store_write(platform->store, write_status, &status, err)
                    : pb_fail(err, PB_ERROR_LIMITED, "out of memory");
    if (r == 0) {
        remember(link->hub, &status);
        announce(link, &status);
    }
    pb_arena_release(&arena);
    return r;
}

/* --- what a runner has --------------------------------------------------------------------------------------- */

struct account {
    struct link *link;
    const char *project_id;
    const struct pb_json *listed;
    struct pb_db *db;
    struct pb_arena *arena;
};

static const struct pb_json *find_listed(const struct account *account,
                                         const struct pb_attempt *attempt)
{
    for (size_t i = 0; i < pb_json_count(account->listed); i++) {
        const struct pb_json *item = pb_json_at(account->listed, i);

        if (strcmp(pb_json_text(item, "execution", ""), attempt->execution_id) == 0 &&
            pb_json_int(item, "attempt", 0) == attempt->number &&
            pb_json_int(item, "fence", 0) == attempt->fence)
            return item;
    }
    return NULL;
}

static void send_ack(struct account *account, enum pb_message_type type,
                     const struct pb_attempt *attempt, int64_t seq)
{
    struct pb_message_builder b;
    struct pb_buf frame;

    pb_buf_init(&frame, 4096);
    pb_message_begin(&b, &frame, type, account->project_id);
    pb_json_put_text(&b.json, "execution", attempt->execution_id);
    pb_json_put_int(&b.json, "attempt", attempt->number);
    if (type == PB_MESSAGE_LOG_ACK)
        pb_json_put_int(&b.json, "seq", seq);
    else
        pb_json_put_int(&b.json, "fence", attempt->fence);
    pb_message_end(&b, NULL, 0);
    (void)pb_link_send(account->link, &frame);
    pb_buf_release(&frame);
}

/* Both sides have it: it goes on. */
static int keep(struct account *account, const struct pb_attempt *attempt, struct pb_error *err)
{
    struct pb_platform *platform = account->link->hub->platform;
    struct pb_attempt_claim claim = {account->project_id, attempt->execution_id, attempt->number,
                                     attempt->fence, NULL};
    struct pb_execution *execution;
    uint64_t next;

    pb_pending_remove(account->link->hub, account->project_id, attempt->execution_id,
                      attempt->number);
    if (attempt->status == PB_ATTEMPT_ASSIGNED && pb_execution_accepted(platform, &claim, err) < 0)
        return err->code == PB_ERROR_CONFLICT ? 0 : -1;
    if (pb_log_next_seq(platform->log_store, attempt->execution_id, (uint32_t)attempt->number,
                        &next, err) < 0)
        return -1;
    send_ack(account, PB_MESSAGE_LOG_ACK, attempt, (int64_t)next);
    if (pb_execution_load(account->db, account->arena, attempt->execution_id, &execution, err) < 0)
        return -1;
    if (execution->status == PB_EXECUTION_CANCELLING)
        pb_node_send_cancel(account->link, &claim, "cancelled");
    return 0;
}

static int check_ours(struct account *account, const struct pb_attempt_list *live,
                      struct pb_error *err)
{
    struct pb_node_hub *hub = account->link->hub;
    int r = 0;

    for (size_t i = 0; r == 0 && i < live->count; i++) {
        const struct pb_attempt *attempt = &live->items[i];

        if (find_listed(account, attempt))
            r = keep(account, attempt, err);
        else if (!pb_pending_has(hub, attempt->execution_id, attempt->number))
            r = give_up_one(hub, account->db, attempt, "its agent came back without it", err);
    }
    return r;
}

/* One the runner has and we do not count on. */
static int settle(struct account *account, const struct pb_attempt_ref *ref, struct pb_error *err)
{
    struct pb_attempt *attempt;
    int r =
        pb_attempt_load(account->db, account->arena, ref->execution, ref->attempt, &attempt, err);

    if (r < 0 && err->code != PB_ERROR_NOT_FOUND)
        return -1;
    if (r == 0 && attempt->fence == ref->fence && attempt->status == PB_ATTEMPT_ENDED &&
        same_text(attempt->node_id, account->link->node_id))
        send_ack(account, PB_MESSAGE_RESULT_ACK, attempt, 0);
    else
        pb_node_send_discard(account->link, account->project_id, ref->execution, ref->attempt);
    return 0;
}

static bool is_live(const struct pb_attempt_list *live, const struct pb_attempt_ref *ref)
{
    for (size_t i = 0; i < live->count; i++)
        if (live->items[i].number == ref->attempt && live->items[i].fence == ref->fence &&
            strcmp(live->items[i].execution_id, ref->execution) == 0)
            return true;
    return false;
}

static int check_theirs(struct account *account, const struct pb_attempt_list *live,
                        struct pb_error *err)
{
    struct pb_attempt_ref ref;
    int r = 0;

    for (size_t i = 0; r == 0 && i < pb_json_count(account->listed); i++) {
        r = pb_attempt_ref_read(pb_json_at(account->listed, i), &ref, err);
        if (r == 0 && !is_live(live, &ref))
            r = settle(account, &ref, err);
    }
    return r;
}

static int send_settings(struct account *account, struct pb_error *err)
{
    struct pb_message_builder b;
    struct pb_project *project;
    struct pb_buf frame;

    if (pb_project_load(account->db, account->arena, account->project_id, &project, err) < 0)
        return err->code == PB_ERROR_NOT_FOUND ? 0 : -1;
    pb_buf_init(&frame, 4096);
    pb_message_begin(&b, &frame, PB_MESSAGE_SETTINGS, account->project_id);
    pb_json_put_int(&b.json, "max_concurrent", project->max_concurrent);
    pb_json_put_int(&b.json, "silence_ms", project->silence_ms);
    pb_message_end(&b, NULL, 0);
    (void)pb_link_send(account->link, &frame);
    pb_buf_release(&frame);
    return 0;
}

static void set_ready(struct link *link, const char *project_id)
{
    struct pb_node_hub *hub = link->hub;
    struct agent *agent;
    struct node *node;

    (void)pthread_mutex_lock(&hub->lock);
    node = pb_hub_node(hub, link->node_id);
    agent = pb_hub_agent(hub, project_id, true);
    if (agent && node && node->link == link) {
        (void)snprintf(agent->node_id, sizeof(agent->node_id), "%s", link->node_id);
        agent->is_ready = true;
    }
    (void)pthread_mutex_unlock(&hub->lock);
}

int pb_node_refuse_runner(struct link *link, const char *project_id, const struct pb_json *body,
                          struct pb_error *err)
{
    const struct pb_json *listed = pb_json_get(body, "attempts");
    struct pb_attempt_ref ref;

    for (size_t i = 0; i < pb_json_count(listed); i++) {
        if (pb_attempt_ref_read(pb_json_at(listed, i), &ref, err) < 0)
            return -1;
        pb_node_send_discard(link, project_id, ref.execution, ref.attempt);
    }
    return 0;
}

int pb_node_on_runner_hello(struct link *link, const char *project_id, const struct pb_json *body,
                            struct pb_error *err)
{
    struct pb_attempt_list live;
    struct pb_arena arena;
    struct account account = {
        .link = link,
        .project_id = project_id,
        .listed = pb_json_get(body, "attempts"),
        .db = pb_store_reader(link->hub->platform->store, err),
        .arena = &arena,
    };
    int r = -1;

    if (!account.db)
        return -1;
    pb_arena_init(&arena, ARENA_MAX);
    if (pb_attempt_live(account.db, &arena, project_id, link->node_id, &live, err) < 0 ||
        check_theirs(&account, &live, err) < 0 || check_ours(&account, &live, err) < 0 ||
        send_settings(&account, err) < 0)
        goto out;
    pb_log_info("node_hub", "node=%s project=%s agent connected with %zu attempts", link->node_id,
                project_id, pb_json_count(account.listed));
    set_ready(link, project_id);
    pb_events_project(link->hub->platform->events, project_id);
    pb_scheduler_kick(link->hub->platform->scheduler);
    r = 0;
out:
    pb_arena_release(&arena);
    return r;
}
