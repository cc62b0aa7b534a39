/*
 * Log lines that nodes send, on their way to the log store, and back-pressure from there.
 *
 * Of all nodes together only so many bytes wait for the store (LINES_MAX). A lane whose next chunk has no room
 * stalls: it holds no thread, its frames stay queued, which stops the reading of its link, and TCP and the
 * runner's spool hold the rest. Stalled lanes go on first come first served; room is set aside for the one that
 * is woken, so that small chunks of others cannot keep a large one waiting.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/pool.h"
#include "model/limits.h"
#include "server/services/log_hub.h"
#include "server/services/node_private.h"
#include "server/services/platform.h"

enum {
    LINES_MAX = 8 << 20,      /* a part of the log store's queue: the rest is for our own lines */
    CHUNK_OVERHEAD = 1 << 10, /* what a chunk costs beside its text */
};

/* --- room ------------------------------------------------------------------------------------------------- */

/* With lines_lock held. A chunk larger than all there is goes alone. */
static bool has_room(const struct pb_node_hub *hub, size_t cost)
{
    return hub->lines_waiting == 0 || hub->lines_waiting + cost <= LINES_MAX;
}

/* What the lane was given while it stalled, or what is free and nobody waits for. */
static bool take_room(struct lane *lane, size_t cost)
{
    struct pb_node_hub *hub = lane->link->hub;
    bool taken = true;

    (void)pthread_mutex_lock(&hub->lines_lock);
    if (lane->granted > 0)
        hub->lines_waiting += cost - lane->granted;
    else if (!hub->stalled && has_room(hub, cost))
        hub->lines_waiting += cost;
    else
        taken = false;
    lane->granted = 0;
    lane->wanted = cost;
    (void)pthread_mutex_unlock(&hub->lines_lock);
    return taken;
}

static struct lane *first_stalled(struct pb_node_hub *hub)
{
    struct lane *lane = hub->stalled;

    hub->stalled = lane->next_stalled;
    if (!hub->stalled)
        hub->stalled_last = &hub->stalled;
    lane->next_stalled = NULL;
    return lane;
}

/* The first of them, with room of its own; false when it cannot be run. */
static bool run_stalled(struct pb_node_hub *hub, struct lane *lane)
{
    if (hub->is_finished)
        return false;
    lane->granted = lane->wanted;
    hub->lines_waiting += lane->granted;
    if (pb_pool_submit(hub->pool, pb_lane_run, lane))
        return true;
    hub->lines_waiting -= lane->granted;
    lane->granted = 0;
    return false;
}

/* Sets the lanes going that fit now; gives those that cannot be run, to be dropped without the lock. */
static struct lane *wake_stalled(struct pb_node_hub *hub)
{
    struct lane *dropped = NULL;

    while (hub->stalled && (hub->is_finished || has_room(hub, hub->stalled->wanted))) {
        struct lane *lane = first_stalled(hub);

        if (run_stalled(hub, lane))
            continue;
        lane->next_stalled = dropped;
        dropped = lane;
    }
    return dropped;
}

static void give_up_all(struct lane *lanes)
{
    struct lane *next;

    for (; lanes; lanes = next) {
        next = lanes->next_stalled;
        lanes->next_stalled = NULL;
        pb_lane_give_up(lanes);
    }
}

static void give_room(struct pb_node_hub *hub, size_t cost)
{
    struct lane *dropped;

    (void)pthread_mutex_lock(&hub->lines_lock);
    hub->lines_waiting -= cost;
    dropped = wake_stalled(hub);
    (void)pthread_mutex_unlock(&hub->lines_lock);
    give_up_all(dropped);
}

bool pb_lines_stall(struct lane *lane)
{
    struct pb_node_hub *hub = lane->link->hub;
    bool stalls;

    (void)pthread_mutex_lock(&hub->lines_lock);
    stalls = !hub->is_finished && !pb_link_is_closed(lane->link) &&
             (hub->stalled || !has_room(hub, lane->wanted));
    if (stalls) {
        *hub->stalled_last = lane;
        hub->stalled_last = &lane->next_stalled;
    }
    (void)pthread_mutex_unlock(&hub->lines_lock);
    return stalls;
}

void pb_lines_settle(struct lane *lane)
{
    size_t granted = lane->granted;

    lane->granted = 0;
    if (granted > 0)
        give_room(lane->link->hub, granted);
}

void pb_lines_forget(struct link *link)
{
    struct pb_node_hub *hub = link->hub;
    struct lane *dropped = NULL;

    (void)pthread_mutex_lock(&hub->lines_lock);
    hub->stalled_last = &hub->stalled;
    while (*hub->stalled_last) {
        struct lane *lane = *hub->stalled_last;

        if (lane->link == link) {
            *hub->stalled_last = lane->next_stalled;
            lane->next_stalled = dropped;
            dropped = lane;
        } else {
            hub->stalled_last = &lane->next_stalled;
        }
    }
    (void)pthread_mutex_unlock(&hub->lines_lock);
    give_up_all(dropped);
    give_room(hub, 0); /* who stood behind them may go on */
}

void pb_lines_finish(struct pb_node_hub *hub)
{
    (void)pthread_mutex_lock(&hub->lines_lock);
    hub->is_finished = true;
    (void)pthread_mutex_unlock(&hub->lines_lock);
    give_room(hub, 0);
}

/* --- a chunk ---------------------------------------------------------------------------------------------- */

struct log_ack {
    struct link *link;
    char project_id[ID_TEXT];
    char execution[32];
    int64_t attempt;
    size_t cost;
};

static void send_log_ack(const struct log_ack *ack, int64_t next)
{
    struct pb_message_builder b;
    struct pb_buf frame;

    pb_buf_init(&frame, 4096);
    pb_message_begin(&b, &frame, PB_MESSAGE_LOG_ACK, ack->project_id);
    pb_json_put_text(&b.json, "execution", ack->execution);
    pb_json_put_int(&b.json, "attempt", ack->attempt);
    pb_json_put_int(&b.json, "seq", next);
    pb_message_end(&b, NULL, 0);
    (void)pb_link_send(ack->link, &frame);
    pb_buf_release(&frame);
}

/* The lines cannot be stored: the link ends, and the runner sends them again when the node is back. Said once
 * for all chunks that were on their way. */
static void fail_link(const struct log_ack *ack, const struct pb_error *err)
{
    if (!atomic_exchange(&ack->link->has_failed_lines, true))
        pb_log_fail(PB_LOG_WARN, "node_hub", err, "execution=%s log lines not stored",
                    ack->execution);
    pb_link_close(ack->link, 1013, "log lines cannot be stored now");
}

/* On the log writer's thread. A gap is answered with where to go on. */
static void acked(void *arg, int64_t next, const struct pb_error *err)
{
    struct log_ack *ack = arg;

    if (!err || strcmp(err->reason, "gap") == 0)
        send_log_ack(ack, next);
    else
        fail_link(ack, err);
    give_room(ack->link->hub, ack->cost);
    pb_link_unref(ack->link);
    free(ack);
}

/* Lines come often: a claim that was good a moment ago is taken for good. */
static int check_claim(struct lane *lane, const struct pb_attempt_claim *claim,
                       struct pb_error *err)
{
    int64_t now = pb_clock_steady_ms();

    if (lane->claim_until > now && lane->claim_attempt == claim->attempt &&
        lane->claim_fence == claim->fence && strcmp(lane->claim_execution, claim->execution) == 0)
        return 0;
    if (pb_execution_may_log(lane->link->hub->platform, claim, err) < 0)
        return -1;
    (void)snprintf(lane->claim_execution, sizeof(lane->claim_execution), "%s", claim->execution);
    lane->claim_attempt = claim->attempt;
    lane->claim_fence = claim->fence;
    lane->claim_until = now + TRUST_MS;
    return 0;
}

static struct log_ack *ack_new(struct link *link, const struct pb_attempt_claim *claim, size_t cost)
{
    struct log_ack *ack = calloc(1, sizeof(*ack));

    if (!ack)
        return NULL;
    ack->link = link;
    ack->attempt = claim->attempt;
    ack->cost = cost;
    (void)snprintf(ack->project_id, sizeof(ack->project_id), "%s", claim->project_id);
    (void)snprintf(ack->execution, sizeof(ack->execution), "%s", claim->execution);
    pb_link_ref(link);
    return ack;
}

static int append(struct lane *lane, const struct pb_attempt_claim *claim, int64_t seq,
                  int64_t count, const struct pb_message_head *head, struct pb_error *err)
{
    size_t cost = head->blob_len + CHUNK_OVERHEAD;
    struct log_ack *ack;

    if (!take_room(lane, cost))
        return PB_NODE_LATER;
    ack = ack_new(lane->link, claim, cost);
    if (ack &&
        pb_log_hub_chunk(lane->link->hub->platform->log_hub, claim->execution, claim->attempt, seq,
                         head->blob, head->blob_len, count, acked, ack, err) == 0)
        return 0;
    if (!ack)
        (void)pb_fail(err, PB_ERROR_LIMITED, "out of memory");
    else
        pb_link_unref(lane->link);
    free(ack);
    give_room(lane->link->hub, cost);
    return -1;
}

int pb_node_on_log_chunk(struct lane *lane, const struct pb_message *message,
                         const struct pb_attempt_claim *claim, struct pb_error *err)
{
    int64_t count, seq;

    if (pb_json_need_int(message->body, "seq", &seq, err) < 0 ||
        pb_json_need_int(message->body, "count", &count, err) < 0)
        return -1;
    if (seq < 0 || seq > COUNT_MAX || count < 1 || count > PB_LIMIT_LOG_CHUNK)
        return pb_fail(err, PB_ERROR_INVALID, "log_chunk with seq %lld and count %lld",
                       (long long)seq, (long long)count);
    if (check_claim(lane, claim, err) < 0)
        return -1;
    return append(lane, claim, seq, count, &message->head, err);
}
