/* Assignments nobody has accepted yet. All have the same time for it, so the oldest is the next that is
 * overdue. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/services/node_private.h"
#include "server/services/platform.h"

static struct pending **bucket_of(struct pb_node_hub *hub, const char *execution)
{
    return &hub->pending[pb_hash_text(execution) % PENDING_BUCKETS];
}

/* The place that points to it; of NULL if there is none. With the hub's lock held. */
static struct pending **find(struct pb_node_hub *hub, const char *project_id, const char *execution,
                             int64_t attempt)
{
    struct pending **at;

    for (at = bucket_of(hub, execution); *at; at = &(*at)->next)
        if ((*at)->attempt == attempt && strcmp((*at)->execution, execution) == 0 &&
            (!project_id || strcmp((*at)->project_id, project_id) == 0))
            break;
    return at;
}

/* With the hub's lock held. */
static struct pending *take(struct pb_node_hub *hub, struct pending **at)
{
    struct pending *taken = *at;

    if (!taken)
        return NULL;
    *at = taken->next;
    *(taken->older ? &taken->older->newer : &hub->oldest_pending) = taken->newer;
    *(taken->newer ? &taken->newer->older : &hub->newest_pending) = taken->older;
    return taken;
}

void pb_pending_add(struct pb_node_hub *hub, const struct pb_execution *execution)
{
    struct pending *pending = calloc(1, sizeof(*pending));
    struct pending **bucket;

    if (!pending)
        return; /* then runner_hello or the silence of the node find it */
    (void)snprintf(pending->project_id, sizeof(pending->project_id), "%s", execution->project_id);
    (void)snprintf(pending->execution, sizeof(pending->execution), "%s", execution->id);
    (void)snprintf(pending->node_id, sizeof(pending->node_id), "%s",
                   execution->node_id ? execution->node_id : "");
    pending->attempt = execution->attempt_count;
    pending->fence = execution->fence;
    (void)pthread_mutex_lock(&hub->lock);
    pending->deadline = pb_clock_steady_ms() + hub->platform->settings.accept_timeout_ms;
    bucket = bucket_of(hub, pending->execution);
    pending->next = *bucket;
    *bucket = pending;
    pending->older = hub->newest_pending;
    *(pending->older ? &pending->older->newer : &hub->oldest_pending) = pending;
    hub->newest_pending = pending;
    (void)pthread_mutex_unlock(&hub->lock);
}

void pb_pending_remove(struct pb_node_hub *hub, const char *project_id, const char *execution,
                       int64_t attempt)
{
    struct pending *found;

    (void)pthread_mutex_lock(&hub->lock);
    found = take(hub, find(hub, project_id, execution, attempt));
    (void)pthread_mutex_unlock(&hub->lock);
    free(found);
}

void pb_pending_answered(struct pb_node_hub *hub, const char *node_id, const char *project_id,
                         const struct pb_attempt_ref *ref)
{
    struct pending **at;
    struct pending *found = NULL;

    (void)pthread_mutex_lock(&hub->lock);
    at = find(hub, project_id, ref->execution, ref->attempt);
    if (*at && strcmp((*at)->node_id, node_id) == 0)
        found = take(hub, at);
    (void)pthread_mutex_unlock(&hub->lock);
    free(found);
}

bool pb_pending_has(struct pb_node_hub *hub, const char *execution, int64_t attempt)
{
    bool found;

    (void)pthread_mutex_lock(&hub->lock);
    found = *find(hub, NULL, execution, attempt) != NULL;
    (void)pthread_mutex_unlock(&hub->lock);
    return found;
}

struct pending *pb_pending_overdue(struct pb_node_hub *hub, int64_t now)
{
    struct pending *found = NULL;

    (void)pthread_mutex_lock(&hub->lock);
    if (hub->oldest_pending && hub->oldest_pending->deadline <= now)
        found = take(hub, find(hub, hub->oldest_pending->project_id, hub->oldest_pending->execution,
                               hub->oldest_pending->attempt));
    (void)pthread_mutex_unlock(&hub->lock);
    return found;
}

int64_t pb_pending_next(const struct pb_node_hub *hub)
{
    return hub->oldest_pending ? hub->oldest_pending->deadline : 0;
}

void pb_pending_free(struct pb_node_hub *hub)
{
    while (hub->oldest_pending) {
        struct pending *pending = hub->oldest_pending;

        hub->oldest_pending = pending->newer;
        free(pending);
    }
}
