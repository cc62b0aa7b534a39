/* The browsers that are connected, and the sessions they belong to. */
#include <stdlib.h>
#include <string.h>

#include "server/services/auth.h"
#include "server/services/events_private.h"

enum { SUBSCRIBERS_MAX = 5000, SESSION_SUBSCRIBERS_MAX = 100 /* tabs of one browser */ };

/* With the lock held. */
static int check_room(const struct pb_events *events, const char *session_id, struct pb_error *err)
{
    size_t count = 0;

    for (const struct pb_subscriber *s = events->subscribers; s; s = s->next)
        count += strcmp(s->watcher.session_id, session_id) == 0;
    if (count >= SESSION_SUBSCRIBERS_MAX)
        return pb_fail(err, PB_ERROR_LIMITED,
                       "this session has %d live connections already; close some pages",
                       SESSION_SUBSCRIBERS_MAX);
    if (events->subscriber_count >= SUBSCRIBERS_MAX)
        return pb_fail(err, PB_ERROR_UNAVAILABLE,
                       "there are %d live connections already; try again later", SUBSCRIBERS_MAX);
    return 0;
}

struct pb_subscriber *pb_subscriber_new(struct pb_events *events, const struct pb_principal *who,
                                        struct pb_error *err)
{
    struct pb_subscriber *subscriber = calloc(1, sizeof(*subscriber));
    int r;

    if (!subscriber || strlen(who->session_id) >= SESSION_MAX) {
        free(subscriber);
        (void)pb_fail(err, PB_ERROR_LIMITED, "out of memory");
        return NULL;
    }
    subscriber->events = events;
    subscriber->watcher.user_id = who->user_id;
    memcpy(subscriber->watcher.session_id, who->session_id, strlen(who->session_id) + 1);
    (void)pthread_mutex_lock(&events->lock);
    r = check_room(events, who->session_id, err);
    if (r == 0) {
        subscriber->next = events->subscribers;
        events->subscribers = subscriber;
        events->subscriber_count++;
    }
    (void)pthread_mutex_unlock(&events->lock);
    if (r < 0) {
        free(subscriber);
        return NULL;
    }
    return subscriber;
}

static void send_away(struct pb_websocket *ws)
{
    pb_websocket_close(ws, PB_CLOSE_SESSION_ENDED, "the session has ended; sign in again");
}

void pb_subscriber_attach(struct pb_subscriber *subscriber, struct pb_websocket *ws)
{
    struct pb_events *events = subscriber->events;

    pb_websocket_ref(ws);
    (void)pthread_mutex_lock(&events->lock);
    subscriber->ws = ws;
    if (subscriber->has_ended)
        send_away(ws);
    (void)pthread_mutex_unlock(&events->lock);
}

/* With the lock held. */
static void leave_all(struct pb_subscriber *subscriber)
{
    for (size_t i = 0; i < subscriber->count; i++)
        pb_topic_leave(subscriber->interests[i].topic);
    subscriber->count = 0;
}

void pb_events_session_ended(struct pb_events *events, const char *session_id)
{
    if (!events)
        return;
    (void)pthread_mutex_lock(&events->lock);
    for (struct pb_subscriber *s = events->subscribers; s; s = s->next) {
        if (s->has_ended || strcmp(s->watcher.session_id, session_id) != 0)
            continue;
        s->has_ended = true;
        leave_all(s);
        if (s->ws)
            send_away(s->ws);
    }
    (void)pthread_mutex_unlock(&events->lock);
}

struct watcher *pb_watchers(struct pb_events *events, size_t *ret_count)
{
    struct watcher *found;
    size_t count = 0;

    (void)pthread_mutex_lock(&events->lock);
    found = events->subscribers ? calloc(events->subscriber_count, sizeof(*found)) : NULL;
    for (const struct pb_subscriber *s = events->subscribers; found && s; s = s->next)
        if (!s->has_ended &&
            (count == 0 || strcmp(found[count - 1].session_id, s->watcher.session_id) != 0))
            found[count++] = s->watcher;
    (void)pthread_mutex_unlock(&events->lock);
    *ret_count = count;
    return found;
}

void pb_subscriber_free(struct pb_subscriber *subscriber)
{
    struct pb_events *events;

    if (!subscriber)
        return;
    events = subscriber->events;
    (void)pthread_mutex_lock(&events->lock);
    for (struct pb_subscriber **at = &events->subscribers; *at; at = &(*at)->next)
        if (*at == subscriber) {
            *at = subscriber->next;
            events->subscriber_count--;
            break;
        }
    leave_all(subscriber);
    (void)pthread_mutex_unlock(&events->lock);
    pb_websocket_unref(subscriber->ws);
    free(subscriber->interests);
    free(subscriber);
}
