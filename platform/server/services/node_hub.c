#include "server/services/node_hub.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/id.h"
#include "base/log.h"
#include "base/pool.h"
#include "server/services/events.h"
#include "server/services/node_private.h"
#include "server/services/platform.h"
#include "server/store/cluster_store.h"
#include "server/store/execution_store.h"
#include "server/store/store.h"

enum {
    MESSAGE_THREADS = 6,
    MESSAGE_QUEUE = 65536, /* lanes, not messages: a lane is in the queue at most once */
    LOG_WAIT_MS = 5000,
};

/* --- life --------------------------------------------------------------------------------------------- */

static int write_start(struct pb_db *db, void *arg, struct pb_error *err)
{
    const struct pb_platform *platform = arg;
    struct pb_arena arena;
    const char *id;
    int r;

    r = pb_node_all_offline(db, err);
    if (r < 0 || !platform->settings.local_node_key_sha256[0])
        return r;
    pb_arena_init(&arena, 64 << 10);
    r = pb_node_put(db, &arena, "local", platform->settings.local_node_key_sha256,
                    pb_clock_wall_ms(), &id, err);
    pb_arena_release(&arena);
    return r;
}

/* Nodes we know have just been silent since now: their time counts only while somebody could hear them. */
static int load_nodes(struct pb_node_hub *hub, struct pb_error *err)
{
    struct pb_db *db = pb_store_reader(hub->platform->store, err);
    struct pb_node_list list;
    struct pb_arena arena;
    int r;

    if (!db)
        return -1;
    pb_arena_init(&arena, 4 << 20);
    r = pb_node_list(db, &arena, &list, err);
    (void)pthread_mutex_lock(&hub->lock);
    for (size_t i = 0; r == 0 && i < list.count; i++)
        if (!pb_hub_node(hub, list.items[i].id))
            r = pb_fail(err, PB_ERROR_INTERNAL, "out of memory");
    (void)pthread_mutex_unlock(&hub->lock);
    pb_arena_release(&arena);
    return r;
}

struct pb_node_hub *pb_node_hub_open(struct pb_platform *platform, struct pb_error *err)
{
    struct pb_node_hub *hub = calloc(1, sizeof(*hub));
    pthread_condattr_t steady;

    if (!hub) {
        (void)pb_fail(err, PB_ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    hub->platform = platform;
    hub->stalled_last = &hub->stalled;
    (void)pthread_mutex_init(&hub->lines_lock, NULL);
    (void)pthread_mutex_init(&hub->lock, NULL);
    (void)pthread_condattr_init(&steady);
    (void)pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&hub->answered, &steady);
    (void)pthread_condattr_destroy(&steady);
    hub->pool = pb_pool_new("node", MESSAGE_THREADS, MESSAGE_QUEUE, err);
    if (!hub->pool || pb_store_write(platform->store, write_start, platform, err) < 0 ||
        load_nodes(hub, err) < 0) {
        pb_node_hub_close(hub);
        return NULL;
    }
    return hub;
}

void pb_node_hub_stop(struct pb_node_hub *hub)
{
    if (!hub)
        return;
    (void)pthread_mutex_lock(&hub->lock);
    hub->is_stopping = true;
    for (struct link *link = hub->links; link; link = link->next)
        pb_link_close(link, 1001, "the platform is stopping");
    (void)pthread_cond_broadcast(&hub->answered);
    (void)pthread_mutex_unlock(&hub->lock);
}

size_t pb_node_hub_links(struct pb_node_hub *hub)
{
    size_t count = 0;

    (void)pthread_mutex_lock(&hub->lock);
    for (const struct link *link = hub->links; link; link = link->next)
        count++;
    (void)pthread_mutex_unlock(&hub->lock);
    return count;
}

void pb_node_hub_finish(struct pb_node_hub *hub)
{
    if (!hub)
        return;
    pb_lines_finish(hub);
    pb_pool_free(hub->pool);
    hub->pool = NULL;
}

void pb_node_hub_close(struct pb_node_hub *hub)
{
    if (!hub)
        return;
    pb_node_hub_finish(hub);
    while (hub->nodes) {
        struct node *node = hub->nodes;

        hub->nodes = node->next;
        free(node);
    }
    for (size_t i = 0; i < AGENTS; i++)
        while (hub->agents[i]) {
            struct agent *agent = hub->agents[i];

            hub->agents[i] = agent->next;
            free(agent);
        }
    pb_pending_free(hub);
    (void)pthread_cond_destroy(&hub->answered);
    (void)pthread_mutex_destroy(&hub->lock);
    (void)pthread_mutex_destroy(&hub->lines_lock);
    free(hub);
}

/* --- what is known ---------------------------------------------------------------------------------------- */

struct node *pb_hub_node(struct pb_node_hub *hub, const char *node_id)
{
    struct node *node;

    for (node = hub->nodes; node; node = node->next)
        if (strcmp(node->id, node_id) == 0)
            return node;
    node = calloc(1, sizeof(*node));
    if (!node)
        return NULL;
    memcpy(node->id, node_id, strnlen(node_id, ID_TEXT - 1));
    node->offline_since = pb_clock_steady_ms();
    node->next = hub->nodes;
    hub->nodes = node;
    return node;
}

struct agent *pb_hub_agent(struct pb_node_hub *hub, const char *project_id, bool make)
{
    struct agent **place = &hub->agents[pb_hash_text(project_id) % AGENTS];
    struct agent *agent;

    for (agent = *place; agent; agent = agent->next)
        if (strcmp(agent->project_id, project_id) == 0)
            return agent;
    agent = make ? calloc(1, sizeof(*agent)) : NULL;
    if (!agent)
        return NULL;
    memcpy(agent->project_id, project_id, strnlen(project_id, ID_TEXT - 1));
    agent->next = *place;
    *place = agent;
    return agent;
}

bool pb_node_hub_is_online(struct pb_node_hub *hub, const char *node_id)
{
    struct link *link = hub ? pb_link_of_node(hub, node_id) : NULL;

    pb_link_unref(link);
    return link != NULL;
}

const char *pb_node_hub_where(struct pb_node_hub *hub, const char *project_id,
                              const char **ret_why_not)
{
    const char *why = "no_node";
    const char *where = NULL;
    struct agent *agent;

    (void)pthread_mutex_lock(&hub->lock);
    for (struct node *node = hub->nodes; node; node = node->next)
        if (node->link)
            why = "agent_starting";
    agent = pb_hub_agent(hub, project_id, false);
    if (agent && (agent->state == PB_AGENT_BACKING_OFF || agent->state == PB_AGENT_DEGRADED))
        why = "agent_down";
    for (struct node *node = hub->nodes; node && agent && agent->is_ready; node = node->next)
        if (node->link && strcmp(node->id, agent->node_id) == 0)
            where = node->id;
    (void)pthread_mutex_unlock(&hub->lock);
    *ret_why_not = where ? NULL : why;
    return where;
}

int64_t pb_node_hub_agents_on(struct pb_node_hub *hub, const char *node_id)
{
    int64_t count = 0;

    if (!hub)
        return 0;
    (void)pthread_mutex_lock(&hub->lock);
    for (size_t i = 0; i < AGENTS; i++)
        for (const struct agent *agent = hub->agents[i]; agent; agent = agent->next)
            count += agent->state == PB_AGENT_RUNNING && agent->is_ready &&
                     (!node_id || strcmp(agent->node_id, node_id) == 0);
    (void)pthread_mutex_unlock(&hub->lock);
    return count;
}

int64_t pb_node_hub_agents_running(struct pb_node_hub *hub)
{
    return pb_node_hub_agents_on(hub, NULL);
}

/* --- a node comes ------------------------------------------------------------------------------------------ */

int pb_node_hub_recognise(struct pb_node_hub *hub, const char *key, char *ret_node_id, size_t size,
                          struct pb_error *err)
{
    struct pb_db *db = pb_store_reader(hub->platform->store, err);
    char digest[PB_SHA256_TEXT];
    struct pb_node *node;
    struct pb_arena arena;
    int r;

    if (!db)
        return -1;
    pb_sha256_text(key, strlen(key), digest);
    pb_arena_init(&arena, 64 << 10);
    r = pb_node_find(db, &arena, digest, &node, err);
    if (r == 0 && !node)
        r = pb_fail_reason(
            err, PB_ERROR_UNAUTHENTICATED, "node_key",
            "no node has this key; the key of a machine's own node is in node/node.key of its "
            "data_dir, and the launcher tells the platform of it");
    if (r == 0)
        (void)snprintf(ret_node_id, size, "%s", node->id);
    pb_arena_release(&arena);
    return r;
}

static void refuse(struct pb_http_exchange *exchange, const struct pb_error *err)
{
    static const struct pb_http_header HEADERS[] = {{"Content-Type", "text/plain; charset=utf-8"}};

    pb_http_reply(exchange, 400, HEADERS, 1, err->message, strlen(err->message));
}

/* Puts the link in the place of an older one of the same node. False when memory is short. */
static bool take_place(struct pb_node_hub *hub, struct link *link)
{
    struct link *old = NULL;
    struct node *node;

    (void)pthread_mutex_lock(&hub->lock);
    node = hub->is_stopping ? NULL : pb_hub_node(hub, link->node_id);
    if (node) {
        old = node->link;
        node->link = link;
        link->next = hub->links;
        hub->links = link;
        if (old)
            pb_link_ref(old);
    }
    for (size_t i = 0; old && i < AGENTS; i++)
        for (struct agent *agent = hub->agents[i]; agent; agent = agent->next)
            if (strcmp(agent->node_id, link->node_id) == 0)
                agent->is_ready = false;
    (void)pthread_mutex_unlock(&hub->lock);
    if (old)
        pb_link_close(old, 1000, "replaced by a newer link of this node");
    pb_link_unref(old);
    return node != NULL;
}

void pb_node_hub_accept(struct pb_node_hub *hub, struct pb_http_exchange *exchange,
                        const char *node_id)
{
    struct link *link = pb_link_new(hub, node_id);
    struct pb_websocket_options options = {
        .message_max = PB_MESSAGE_FRAME_MAX,
        .queue_max = LINK_SEND_MAX,
        .events = &PB_LINK_EVENTS,
        .arg = link,
    };
    struct pb_error err;

    (void)pb_fail(&err, PB_ERROR_LIMITED, "out of memory");
    if (link)
        link->ws = pb_websocket_accept(exchange, &options, &err);
    if (!link || !link->ws) {
        refuse(exchange, &err);
        pb_link_unref(link);
        return;
    }
    if (!take_place(hub, link))
        pb_link_close(link, 1013, "try again later");
}

/* --- what passes without a message ------------------------------------------------------------------------- */

static int64_t give_up_after(const struct pb_node_hub *hub)
{
    return hub->platform->settings.offline_limit_ms + hub->platform->settings.offline_grace_ms;
}

int64_t pb_node_hub_next_sweep(struct pb_node_hub *hub)
{
    int64_t next;

    (void)pthread_mutex_lock(&hub->lock);
    next = pb_pending_next(hub);
    for (const struct node *node = hub->nodes; node; node = node->next) {
        int64_t at = node->offline_since + give_up_after(hub);

        if (!node->link && !node->is_given_up && (!next || at < next))
            next = at;
    }
    (void)pthread_mutex_unlock(&hub->lock);
    return next;
}

static void drop_overdue(struct pb_node_hub *hub, const struct pending *pending)
{
    struct link *link = pb_link_of_agent(hub, pending->project_id);
    struct pb_error err;

    if (link)
        pb_node_send_discard(link, pending->project_id, pending->execution, pending->attempt);
    pb_link_unref(link);
    if (pb_execution_lost(hub->platform,
                          &(struct pb_attempt_claim){pending->project_id, pending->execution,
                                                     pending->attempt, pending->fence, NULL},
                          "the node did not accept it in time", &err) < 0 &&
        err.code != PB_ERROR_CONFLICT)
        pb_log_fail(
            PB_LOG_WARN, "node_hub", &err,
            "execution=%s was not accepted and cannot be queued again; cancel it and re-run",
            pending->execution);
}

/* A node that has been silent for too long; false when there is none. */
static bool take_silent(struct pb_node_hub *hub, int64_t now, char ret_id[ID_TEXT])
{
    bool found = false;

    (void)pthread_mutex_lock(&hub->lock);
    for (struct node *node = hub->nodes; node && !found; node = node->next) {
        found =
            !node->link && !node->is_given_up && node->offline_since + give_up_after(hub) <= now;
        if (found) {
            node->is_given_up = true;
            memcpy(ret_id, node->id, ID_TEXT);
        }
    }
    (void)pthread_mutex_unlock(&hub->lock);
    return found;
}

void pb_node_hub_sweep(struct pb_node_hub *hub)
{
    int64_t now = pb_clock_steady_ms();
    struct pending *pending;
    char node_id[ID_TEXT];
    struct pb_error err;

    while ((pending = pb_pending_overdue(hub, now))) {
        drop_overdue(hub, pending);
        free(pending);
    }
    while (take_silent(hub, now, node_id)) {
        pb_log_warn("node_hub",
                    "node=%s silent for too long (offline_limit), queueing its work again; look "
                    "whether the machine, poppo-agent and poppo-link run",
                    node_id);
        if (pb_node_give_up(hub, node_id, "its node has been silent for too long", &err) < 0)
            pb_log_fail(PB_LOG_WARN, "node_hub", &err, "node=%s its work cannot be queued again",
                        node_id);
    }
}

/* --- the agents' own logs ------------------------------------------------------------------------------------ */

static void send_log_read(struct link *link, const char *project_id,
                          const struct log_request *request, int64_t count)
{
    struct pb_message_builder b;
    struct pb_buf frame;

    pb_buf_init(&frame, 4096);
    pb_message_begin(&b, &frame, PB_MESSAGE_AGENT_LOG_READ, project_id);
    pb_json_put_text(&b.json, "request", request->id);
    pb_json_put_int(&b.json, "from", request->from);
    pb_json_put_int(&b.json, "count", count);
    pb_message_end(&b, NULL, 0);
    (void)pb_link_send(link, &frame); /* lost: the wait ends by its deadline */
    pb_buf_release(&frame);
}

/* With the hub's lock held. */
static void forget_request(struct pb_node_hub *hub, struct log_request *request)
{
    for (struct log_request **at = &hub->log_requests; *at; at = &(*at)->next)
        if (*at == request) {
            *at = request->next;
            return;
        }
}

static void ask_log(struct pb_node_hub *hub, struct link *link, const char *project_id,
                    struct log_request *request, int64_t count)
{
    int64_t until = pb_clock_steady_ms() + LOG_WAIT_MS;
    struct timespec at = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};

    (void)pthread_mutex_lock(&hub->lock);
    request->next = hub->log_requests;
    hub->log_requests = request;
    (void)pthread_mutex_unlock(&hub->lock);
    send_log_read(link, project_id, request, count);
    (void)pthread_mutex_lock(&hub->lock);
    while (!request->is_done && !hub->is_stopping &&
           pthread_cond_timedwait(&hub->answered, &hub->lock, &at) == 0)
        ;
    forget_request(hub, request);
    (void)pthread_mutex_unlock(&hub->lock);
}

int pb_node_hub_agent_log(struct pb_node_hub *hub, const char *project_id, int64_t from,
                          int64_t count, int64_t tail, struct pb_buf *ret_text, int64_t *ret_from,
                          int64_t *ret_total, struct pb_error *err)
{
    struct log_request request = {.project_id = project_id,
                                  .text = ret_text,
                                  .from = tail > 0 ? -tail : from};
    struct link *link = pb_link_of_agent(hub, project_id);

    if (!link)
        return pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "agent_offline",
                              "the agent of %s is not connected; its log stays on its node",
                              project_id);
    pb_ulid(request.id);
    ask_log(hub, link, project_id, &request, tail > 0 ? tail : count);
    pb_link_unref(link);
    if (!request.is_done)
        return pb_fail_reason(err, PB_ERROR_TIMEOUT, "agent_silent",
                              "the agent did not answer in %d s", LOG_WAIT_MS / 1000);
    if (request.error[0])
        return pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "agent_log", "%s", request.error);
    *ret_from = request.from > 0 ? request.from : 0;
    *ret_total = request.total > 0 ? request.total : 0;
    return 0;
}
