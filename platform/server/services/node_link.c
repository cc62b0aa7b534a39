/* One connection to a node: frames in by lanes, frames out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/pool.h"
#include "server/services/events.h"
#include "server/services/node_private.h"
#include "server/services/platform.h"
#include "server/services/scheduler.h"
#include "server/store/cluster_store.h"
#include "server/store/store.h"

enum { CLOSE_POLICY = 1008, CLOSE_INTERNAL = 1011, CLOSE_LATER = 1013 };
enum { ANSWER_MAX = 4096 }; /* real ones have some 100 bytes; others can wait for their lane */

unsigned pb_hash_text(const char *text)
{
    unsigned hash = 2166136261u;

    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 16777619u;
    return hash;
}

struct link *pb_link_new(struct pb_node_hub *hub, const char *node_id)
{
    struct link *link = calloc(1, sizeof(*link));

    if (!link)
        return NULL;
    atomic_init(&link->refs, 1);
    link->hub = hub;
    memcpy(link->node_id, node_id, strnlen(node_id, ID_TEXT - 1));
    (void)pthread_mutex_init(&link->lock, NULL);
    return link;
}

void pb_link_ref(struct link *link)
{
    atomic_fetch_add(&link->refs, 1);
}

static void free_frame(struct frame *frame)
{
    pb_message_release(&frame->message);
    free(frame);
}

static void free_lanes(struct link *link)
{
    for (size_t i = 0; i < LANES; i++)
        while (link->lanes[i]) {
            struct lane *lane = link->lanes[i];

            link->lanes[i] = lane->next;
            while (lane->first) {
                struct frame *frame = lane->first;

                lane->first = frame->next;
                free_frame(frame);
            }
            free(lane);
        }
}

void pb_link_unref(struct link *link)
{
    if (!link || atomic_fetch_sub(&link->refs, 1) > 1)
        return;
    free_lanes(link);
    pb_websocket_unref(link->ws);
    (void)pthread_mutex_destroy(&link->lock);
    free(link);
}

void pb_link_close(struct link *link, int code, const char *reason)
{
    pb_websocket_close(link->ws, code, reason);
}

bool pb_link_send(struct link *link, const struct pb_buf *frame)
{
    struct pb_message_head head;
    struct pb_error err;
    bool ok;

    if (pb_buf_failed(frame) || pb_message_peek(frame->data, frame->len, &head, &err) < 0) {
        pb_log_error(
            "node_hub",
            "node=%s a frame of ours is malformed or too long and was not sent; please report this",
            link->node_id);
        return false;
    }
    (void)pthread_mutex_lock(&link->lock);
    ok = !link->is_closed &&
         pb_message_gate_pass(&link->gate, PB_MESSAGE_FROM_PLATFORM, head.type, &err) == 0;
    if (ok && !pb_websocket_send(link->ws, false, frame->data, frame->len)) {
        pb_log_warn("node_hub",
                    "node=%s link cannot take more, closing it; the node comes back and repeats "
                    "what had no answer",
                    link->node_id);
        pb_link_close(link, CLOSE_LATER, "too slow");
        ok = false;
    }
    (void)pthread_mutex_unlock(&link->lock);
    return ok;
}

struct link *pb_link_of_node(struct pb_node_hub *hub, const char *node_id)
{
    struct link *link = NULL;

    (void)pthread_mutex_lock(&hub->lock);
    for (struct node *node = hub->nodes; node; node = node->next)
        if (strcmp(node->id, node_id) == 0)
            link = node->link;
    if (link)
        pb_link_ref(link);
    (void)pthread_mutex_unlock(&hub->lock);
    return link;
}

struct link *pb_link_of_agent(struct pb_node_hub *hub, const char *project_id)
{
    char node_id[ID_TEXT] = "";
    struct agent *agent;

    (void)pthread_mutex_lock(&hub->lock);
    agent = pb_hub_agent(hub, project_id, false);
    if (agent && agent->is_ready)
        memcpy(node_id, agent->node_id, ID_TEXT);
    (void)pthread_mutex_unlock(&hub->lock);
    return node_id[0] ? pb_link_of_node(hub, node_id) : NULL;
}

void pb_link_refused(struct link *link, const char *message, const char *project_id)
{
    unsigned count;

    (void)pthread_mutex_lock(&link->lock);
    count = link->refusals < REFUSALS_LOGGED ? ++link->refusals : REFUSALS_LOGGED + 1;
    (void)pthread_mutex_unlock(&link->lock);
    if (count > REFUSALS_LOGGED)
        return;
    pb_log_warn(
        "node_hub",
        "node=%s project=%s %s refused: the project is not placed on this node; look whether "
        "its data or its key were copied from another node%s",
        link->node_id, project_id, message,
        count == REFUSALS_LOGGED ? " (more of these are not logged)" : "");
}

/* --- frames in: loop → lane → pool -------------------------------------------------------------------- */

/* With link->lock held. */
static struct lane *lane_of(struct link *link, const char *project)
{
    struct lane **place = &link->lanes[pb_hash_text(project) % LANES];
    struct lane *lane;

    for (lane = *place; lane; lane = lane->next)
        if (strcmp(lane->project, project) == 0)
            return lane;
    lane = link->lane_count < LINK_LANES_MAX ? calloc(1, sizeof(*lane)) : NULL;
    if (!lane)
        return NULL;
    link->lane_count++;
    lane->link = link;
    memcpy(lane->project, project, strnlen(project, ID_TEXT - 1));
    lane->last = &lane->first;
    lane->next = *place;
    *place = lane;
    return lane;
}

static void resume_reading(void *arg)
{
    struct link *link = arg;
    bool resume;

    (void)pthread_mutex_lock(&link->lock);
    resume = link->is_paused && !link->is_closed && link->queued < LINK_QUEUE_LOW;
    if (resume)
        link->is_paused = false;
    (void)pthread_mutex_unlock(&link->lock);
    if (resume)
        pb_websocket_pause(link->ws, false);
    pb_link_unref(link);
}

/* Takes the lane's next frame; NULL and not running any more when there is none. */
static struct frame *next_frame(struct lane *lane)
{
    struct link *link = lane->link;
    struct frame *frame;
    bool resume;

    (void)pthread_mutex_lock(&link->lock);
    frame = lane->first;
    if (frame) {
        lane->first = frame->next;
        if (!lane->first)
            lane->last = &lane->first;
        link->queued -= frame->len;
    } else {
        lane->is_running = false;
    }
    resume = link->is_paused && link->queued < LINK_QUEUE_LOW;
    (void)pthread_mutex_unlock(&link->lock);
    if (resume) {
        pb_link_ref(link);
        if (!pb_loop_post(pb_websocket_loop(link->ws), resume_reading, link))
            pb_link_unref(link);
    }
    return frame;
}

static int close_code(const struct pb_error *err)
{
    if (err->code == PB_ERROR_INVALID || err->code == PB_ERROR_DENIED)
        return CLOSE_POLICY;
    return err->code == PB_ERROR_UNAVAILABLE || err->code == PB_ERROR_LIMITED ? CLOSE_LATER
                                                                              : CLOSE_INTERNAL;
}

static int read_frame(struct frame *frame, struct pb_error *err)
{
    return frame->message.body ? 0
                               : pb_message_parse(frame->data, frame->len, &frame->message, err);
}

/* A runner says quickly one after the other that it has accepted, prepares, runs and is done. When the next
 * word about the same attempt waits already, nobody needs to have read the one before. */
static bool is_overtaken(struct lane *lane, const struct frame *frame)
{
    struct pb_error ignored;
    struct frame *later;

    (void)pthread_mutex_lock(&lane->link->lock);
    later = lane->first; /* only we take it */
    (void)pthread_mutex_unlock(&lane->link->lock);
    return later && read_frame(later, &ignored) == 0 &&
           pb_node_overtakes(&later->message, &frame->message);
}

/* A message that cannot be handled ends the link: the node connects again and repeats what it did not
 * get answered. False: later. */
static bool handle(struct lane *lane, struct frame *frame)
{
    struct link *link = lane->link;
    struct pb_error err;
    char reason[120];
    int r = read_frame(frame, &err);

    if (r == 0 && !is_overtaken(lane, frame))
        r = pb_node_message(link, lane, &frame->message, &err);
    if (r < 0) {
        pb_log_fail(PB_LOG_WARN, "node_hub", &err,
                    "node=%s project=%s message=%s, closing the link", link->node_id, lane->project,
                    pb_message_name(frame->message.head.type));
        (void)snprintf(reason, sizeof(reason), "%.100s", err.message);
        pb_link_close(link, close_code(&err), reason);
    }
    return r != PB_NODE_LATER;
}

/* It is the lane's next one again. */
static void put_back(struct lane *lane, struct frame *frame)
{
    struct link *link = lane->link;

    (void)pthread_mutex_lock(&link->lock);
    frame->next = lane->first;
    if (!frame->next)
        lane->last = &frame->next;
    lane->first = frame;
    link->queued += frame->len;
    (void)pthread_mutex_unlock(&link->lock);
}

bool pb_link_is_closed(struct link *link)
{
    bool closed;

    (void)pthread_mutex_lock(&link->lock);
    closed = link->is_closed;
    (void)pthread_mutex_unlock(&link->lock);
    return closed;
}

void pb_lane_give_up(struct lane *lane)
{
    struct link *link = lane->link;

    pb_link_close(link, CLOSE_LATER, "busy");
    (void)pthread_mutex_lock(&link->lock);
    lane->is_running = false;
    (void)pthread_mutex_unlock(&link->lock);
    pb_link_unref(link);
}

/* What comes next in the lane; false when there is nothing, or it has to wait. */
static bool run_one(struct lane *lane)
{
    struct link *link = lane->link;
    struct frame *frame = next_frame(lane);

    if (!frame) {
        pb_link_unref(link);
        return false;
    }
    if (!pb_link_is_closed(link) && !handle(lane, frame)) {
        put_back(lane, frame);
        return !pb_lines_stall(lane);
    }
    free_frame(frame);
    pb_lines_settle(lane);
    return true;
}

void pb_lane_run(void *arg)
{
    struct lane *lane = arg;

    for (int turn = 0; turn < LANE_TURN; turn++)
        if (!run_one(lane))
            return;
    if (!pb_pool_submit(lane->link->hub->pool, pb_lane_run, lane))
        pb_lane_give_up(lane);
}

/* Queues a frame; false when it cannot be. */
static bool enqueue(struct link *link, const char *project, const void *data, size_t len)
{
    struct frame *frame = malloc(sizeof(*frame) + len);
    struct lane *lane;
    bool start;

    if (!frame)
        return false;
    *frame = (struct frame){.len = len};
    memcpy(frame->data, data, len);
    (void)pthread_mutex_lock(&link->lock);
    lane = lane_of(link, project);
    if (!lane) {
        (void)pthread_mutex_unlock(&link->lock);
        free(frame);
        return false;
    }
    *lane->last = frame;
    lane->last = &frame->next;
    link->queued += len;
    if (link->queued > LINK_QUEUE_MAX && !link->is_paused) {
        link->is_paused = true;
        pb_websocket_pause(link->ws, true);
    }
    start = !lane->is_running;
    lane->is_running = true;
    (void)pthread_mutex_unlock(&link->lock);
    if (!start)
        return true;
    pb_link_ref(link);
    if (pb_pool_submit(link->hub->pool, pb_lane_run, lane))
        return true;
    pb_link_unref(link);
    return false;
}

/* What waits in a lane of ours must not count as the node's silence. */
static void note_answer(struct link *link, const struct pb_message_head *head, const void *data,
                        size_t len)
{
    struct pb_message message = {.body = NULL};
    struct pb_attempt_ref ref;
    struct pb_error ignored; /* the lane says it */

    if ((head->type != PB_MESSAGE_ATTEMPT_ACCEPTED && head->type != PB_MESSAGE_ATTEMPT_REFUSED) ||
        head->body_len > ANSWER_MAX)
        return;
    if (pb_message_parse(data, len, &message, &ignored) == 0 &&
        pb_attempt_ref_read(message.body, &ref, &ignored) == 0)
        pb_pending_answered(link->hub, link->node_id, head->project, &ref);
    pb_message_release(&message);
}

static void on_message(void *arg, struct pb_websocket *ws, bool is_text, const void *data,
                       size_t len)
{
    struct link *link = arg;
    struct pb_message_head head;
    struct pb_error err;
    int r;

    (void)ws;
    if (is_text) {
        pb_link_close(link, CLOSE_POLICY, "binary frames only");
        return;
    }
    r = pb_message_peek(data, len, &head, &err);
    if (r == 0) {
        (void)pthread_mutex_lock(&link->lock);
        r = pb_message_gate_pass(&link->gate, PB_MESSAGE_FROM_NODE, head.type, &err);
        (void)pthread_mutex_unlock(&link->lock);
    }
    if (r < 0) {
        char reason[120];

        pb_log_fail(PB_LOG_WARN, "node_hub", &err, "node=%s closing the link", link->node_id);
        (void)snprintf(reason, sizeof(reason), "%.100s", err.message);
        pb_link_close(link, CLOSE_POLICY, reason);
        return;
    }
    note_answer(link, &head, data, len);
    if (!enqueue(link, head.project, data, len))
        pb_link_close(link, CLOSE_LATER, "busy, or of too many projects");
}

/* --- the end -------------------------------------------------------------------------------------------- */

struct offline {
    struct pb_node_hub *hub;
    char node_id[ID_TEXT];
};

static int write_offline(struct pb_db *db, void *arg, struct pb_error *err)
{
    const struct offline *offline = arg;
    struct pb_arena arena;
    struct pb_node *node;
    int r;

    pb_arena_init(&arena, 64 << 10);
    r = pb_node_load(db, &arena, offline->node_id, &node, err);
    if (r == 0) {
        node->status = PB_NODE_OFFLINE;
        node->last_seen_at = pb_clock_wall_ms();
        r = pb_node_save(db, node, err);
    }
    pb_arena_release(&arena);
    return r;
}

static void wrote_offline(void *arg, const struct pb_error *err)
{
    struct offline *offline = arg;

    if (err)
        pb_log_fail(PB_LOG_WARN, "node_hub", err, "node=%s cannot be marked offline",
                    offline->node_id);
    else
        pb_events_node(offline->hub->platform->events, offline->node_id);
    free(offline);
}

static void mark_offline(struct pb_node_hub *hub, const char *node_id)
{
    struct offline *offline = calloc(1, sizeof(*offline));
    struct pb_error err;

    if (!offline)
        return;
    offline->hub = hub;
    memcpy(offline->node_id, node_id, ID_TEXT);
    if (pb_store_submit(hub->platform->store, write_offline, wrote_offline, offline, &err) < 0) {
        pb_log_fail(PB_LOG_WARN, "node_hub", &err, "node=%s cannot be marked offline", node_id);
        free(offline);
    }
}

/* Takes the link out of the hub. True when the node has no other. */
static bool forget_link(struct pb_node_hub *hub, struct link *link, bool *ret_is_stopping)
{
    bool is_offline = false;

    (void)pthread_mutex_lock(&hub->lock);
    *ret_is_stopping = hub->is_stopping;
    for (struct link **at = &hub->links; *at; at = &(*at)->next)
        if (*at == link) {
            *at = link->next;
            break;
        }
    for (struct node *node = hub->nodes; node; node = node->next) {
        if (node->link != link)
            continue;
        node->link = NULL;
        node->offline_since = pb_clock_steady_ms();
        node->is_given_up = false;
        is_offline = true;
    }
    for (size_t i = 0; is_offline && i < AGENTS; i++)
        for (struct agent *agent = hub->agents[i]; agent; agent = agent->next)
            if (strcmp(agent->node_id, link->node_id) == 0) {
                agent->is_ready = false;
                pb_events_project(hub->platform->events, agent->project_id);
            }
    (void)pthread_mutex_unlock(&hub->lock);
    return is_offline;
}

static void on_closed(void *arg, struct pb_websocket *ws, int code, const char *reason)
{
    struct link *link = arg;
    bool is_stopping;

    (void)ws;
    (void)pthread_mutex_lock(&link->lock);
    link->is_closed = true;
    (void)pthread_mutex_unlock(&link->lock);
    pb_lines_forget(link);
    if (forget_link(link->hub, link, &is_stopping)) {
        pb_log_info("node_hub", "node=%s offline code=%d %s", link->node_id, code,
                    reason ? reason : "");
        mark_offline(link->hub, link->node_id);
        pb_scheduler_kick(link->hub->platform->scheduler);
    }
    pb_link_unref(link);
}

const struct pb_websocket_events PB_LINK_EVENTS = {
    .message = on_message,
    .closed = on_closed,
};
