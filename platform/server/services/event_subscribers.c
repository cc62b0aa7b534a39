/* The browsers that are connected, the sessions they belong to, and what each is given. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/text.h"
#include "model/execution.h"
#include "model/project.h"
#include "server/services/auth.h"
#include "server/services/events_private.h"
#include "server/services/platform.h"
#include "server/store/log_store.h"

enum { SUBSCRIBERS_MAX = 5000, SESSION_SUBSCRIBERS_MAX = 100 /* tabs of one browser */ };

/* --- coming and going -------------------------------------------------------------------------------------- */

/* With the lock held. */
static int check_room(const struct pb_events *events, const char *session_id, struct pb_error *err)
{
    size_t all = 0, own = 0;

    for (const struct pb_subscriber *s = events->subscribers; s; s = s->next) {
        all++;
        own += strcmp(s->watcher.session_id, session_id) == 0;
    }
    if (own >= SESSION_SUBSCRIBERS_MAX)
        return pb_fail(err, PB_ERROR_LIMITED,
                       "this session has %d live connections already; close some pages",
                       SESSION_SUBSCRIBERS_MAX);
    if (all >= SUBSCRIBERS_MAX)
        return pb_fail(err, PB_ERROR_UNAVAILABLE,
                       "there are %d live connections already; try again later", SUBSCRIBERS_MAX);
    return 0;
}

static void insert(struct pb_events *events, struct pb_subscriber *subscriber)
{
    subscriber->next = events->subscribers;
    subscriber->link = &events->subscribers;
    if (subscriber->next)
        subscriber->next->link = &subscriber->next;
    events->subscribers = subscriber;
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
    if (r == 0)
        insert(events, subscriber);
    (void)pthread_mutex_unlock(&events->lock);
    if (r < 0) {
        free(subscriber);
        return NULL;
    }
    return subscriber;
}

/* With the lock held. */
static void send_away(struct pb_subscriber *subscriber)
{
    if (subscriber->ws)
        pb_websocket_close(subscriber->ws, PB_CLOSE_SESSION_ENDED,
                           "the session has ended; sign in again");
    if (subscriber->stream)
        pb_event_stream_end(subscriber->stream);
}

void pb_subscriber_attach(struct pb_subscriber *subscriber, struct pb_websocket *ws)
{
    struct pb_events *events = subscriber->events;

    pb_websocket_ref(ws);
    (void)pthread_mutex_lock(&events->lock);
    subscriber->ws = ws;
    events->stats.sockets++;
    if (subscriber->has_ended)
        send_away(subscriber);
    (void)pthread_mutex_unlock(&events->lock);
}

int pb_subscriber_attach_stream(struct pb_subscriber *subscriber, struct pb_http_exchange *exchange,
                                void (*end)(void *arg), void *arg, struct pb_error *err)
{
    struct pb_events *events = subscriber->events;
    struct event_stream *stream = pb_event_stream_new(exchange, end, arg);

    if (!stream)
        return pb_fail(err, PB_ERROR_LIMITED, "out of memory");
    (void)pthread_mutex_lock(&events->lock);
    subscriber->stream = stream;
    events->stats.streams++;
    if (subscriber->has_ended)
        send_away(subscriber);
    (void)pthread_mutex_unlock(&events->lock);
    return 0;
}

/* With the lock held. */
static void leave(struct interest *interest)
{
    struct topic *topic = interest->topic;

    *interest->link = interest->next;
    if (interest->next)
        interest->next->link = interest->link;
    if (!topic->interests)
        topic->idle_since = pb_clock_steady_ms();
    free(interest);
}

/* With the lock held. */
static void leave_all(struct pb_subscriber *subscriber)
{
    while (subscriber->interests) {
        struct interest *interest = subscriber->interests;

        subscriber->interests = interest->sibling;
        leave(interest);
    }
    subscriber->count = 0;
    if (subscriber->is_behind)
        subscriber->events->behind--;
    subscriber->is_behind = false;
}

void pb_subscriber_free(struct pb_subscriber *subscriber)
{
    struct pb_events *events;

    if (!subscriber)
        return;
    events = subscriber->events;
    (void)pthread_mutex_lock(&events->lock);
    *subscriber->link = subscriber->next;
    if (subscriber->next)
        subscriber->next->link = subscriber->link;
    leave_all(subscriber);
    events->stats.sockets -= subscriber->ws != NULL;
    events->stats.streams -= subscriber->stream != NULL;
    (void)pthread_mutex_unlock(&events->lock);
    pb_websocket_unref(subscriber->ws);
    pb_event_stream_free(subscriber->stream);
    free(subscriber);
}

/* --- whose they are ----------------------------------------------------------------------------------------- */

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
        send_away(s);
    }
    (void)pthread_mutex_unlock(&events->lock);
}

static int by_session(const void *a, const void *b)
{
    return strcmp(((const struct watcher *)a)->session_id, ((const struct watcher *)b)->session_id);
}

/* Sorts; each session stays once. */
static size_t unite(struct watcher *watchers, size_t count)
{
    size_t kept = 0;

    if (count > 1)
        qsort(watchers, count, sizeof(*watchers), by_session);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || by_session(&watchers[kept - 1], &watchers[i]) != 0)
            watchers[kept++] = watchers[i];
    return kept;
}

struct watcher *pb_watchers(struct pb_events *events, size_t *ret_count)
{
    struct watcher *found;
    size_t count = 0;

    (void)pthread_mutex_lock(&events->lock);
    for (const struct pb_subscriber *s = events->subscribers; s; s = s->next)
        count += !s->has_ended;
    found = count > 0 ? calloc(count, sizeof(*found)) : NULL;
    count = 0;
    for (const struct pb_subscriber *s = events->subscribers; found && s; s = s->next)
        if (!s->has_ended)
            found[count++] = s->watcher;
    (void)pthread_mutex_unlock(&events->lock);
    *ret_count = unite(found, count);
    return found;
}

/* --- giving ------------------------------------------------------------------------------------------------- */

bool pb_interest_send(struct interest *interest, struct pb_websocket_frame *frame, int64_t seq)
{
    const struct pb_subscriber *subscriber = interest->subscriber;
    int64_t before = interest->seq;
    const char *json;
    size_t len;
    bool sent;

    if (!frame)
        return false;
    interest->seq = seq;
    if (subscriber->stream) {
        json = pb_websocket_frame_data(frame, &len);
        sent = pb_event_stream_send(subscriber->stream, subscriber, json, len, seq != before);
    } else {
        sent = pb_websocket_send_frame(subscriber->ws, frame);
    }
    if (!sent)
        interest->seq = before;
    return sent;
}

bool pb_interest_send_once(struct interest *interest, struct pb_websocket_frame *frame, int64_t seq)
{
    bool sent = pb_interest_send(interest, frame, seq);

    pb_websocket_frame_unref(frame);
    return sent;
}

void pb_interest_note_behind(struct interest *interest)
{
    struct pb_subscriber *subscriber = interest->subscriber;

    if (!subscriber->is_behind)
        subscriber->events->behind++;
    subscriber->is_behind = true;
}

void pb_interest_want_refetch(struct interest *interest)
{
    interest->must_refetch = true;
    pb_interest_note_behind(interest);
}

/* What is missing is told, as far as there is room. False: not all of it. */
static bool settle(struct interest *interest)
{
    const char *name = interest->topic->name;

    if (interest->must_refetch &&
        pb_interest_send_once(interest, pb_event_refetch_frame(name), interest->topic->seq))
        interest->must_refetch = false;
    if (interest->gap_from != interest->gap_to &&
        pb_interest_send_once(interest,
                              pb_event_gap_frame(name, interest->gap_from, interest->gap_to),
                              interest->seq))
        interest->gap_from = interest->gap_to = 0;
    return !interest->must_refetch && interest->gap_from == interest->gap_to;
}

void pb_subscribers_catch_up(struct pb_events *events)
{
    for (struct pb_subscriber *s = events->subscribers; s && events->behind > 0; s = s->next) {
        bool is_settled = s->is_behind;

        for (struct interest *each = s->interests; each && s->is_behind; each = each->sibling)
            is_settled = settle(each) && is_settled;
        if (is_settled) {
            s->is_behind = false;
            events->behind--;
        }
    }
}

void pb_subscribers_beat(struct pb_events *events, int64_t now_ms)
{
    for (struct pb_subscriber *s = events->subscribers; s; s = s->next)
        if (s->stream && !s->has_ended)
            pb_event_stream_beat(s->stream, now_ms);
}

/* --- who watches which -------------------------------------------------------------------------------------- */

bool pb_events_is_topic(const char *name)
{
    static const char *const WHOLE[] = {"projects", "executions", "nodes"};

    for (size_t i = 0; i < sizeof(WHOLE) / sizeof(WHOLE[0]); i++)
        if (strcmp(name, WHOLE[i]) == 0)
            return true;
    if (strlen(name) >= TOPIC_MAX)
        return false;
    if (pb_text_starts(name, "project:"))
        return pb_project_id_valid(name + strlen("project:"));
    if (pb_text_starts(name, "execution:"))
        return pb_ulid_valid(name + strlen("execution:"));
    return pb_text_starts(name, "log:") && pb_ulid_valid(name + strlen("log:"));
}

/* The place where it is, or would be. */
static struct interest **place_of(struct pb_subscriber *subscriber, const char *topic)
{
    struct interest **at = &subscriber->interests;

    while (*at && strcmp((*at)->topic->name, topic) != 0)
        at = &(*at)->sibling;
    return at;
}

/* Behind the others: a stream's ids name the positions in this order. NULL: too many. */
static struct interest *need_interest(struct pb_subscriber *subscriber, struct topic *topic)
{
    struct interest **place = place_of(subscriber, topic->name);
    struct interest *made;

    if (*place || subscriber->count >= PB_EVENT_TOPICS)
        return *place;
    made = calloc(1, sizeof(*made));
    if (!made)
        return NULL;
    *made = (struct interest){
        .topic = topic,
        .subscriber = subscriber,
        .next = topic->interests,
        .link = &topic->interests,
        .seq = -1,
    };
    if (made->next)
        made->next->link = &made->next;
    topic->interests = made;
    *place = made;
    subscriber->count++;
    return made;
}

/* "subscribed", then what was missed since, or "refetch" when that is not known any more. */
static void welcome(struct interest *interest, int64_t since)
{
    struct topic *topic = interest->topic;
    bool resumes = since <= topic->seq && since + 1 >= topic->ring_from;

    if (!pb_interest_send_once(interest, pb_event_subscribed_frame(topic->name, topic->seq),
                               resumes ? since : topic->seq)) {
        pb_interest_want_refetch(interest);
        return;
    }
    if (since < 0)
        return;
    if (!resumes)
        pb_interest_want_refetch(interest);
    for (int64_t seq = since + 1; resumes && seq <= topic->seq && !interest->must_refetch; seq++)
        if (!pb_interest_send(interest, topic->ring[seq % RING], seq))
            pb_interest_want_refetch(interest);
    (void)(interest->must_refetch && settle(interest));
}

/* Where the log ends now: what is there already is read by range. */
static void send_first_head(struct pb_subscriber *subscriber, const char *topic)
{
    struct pb_events *events = subscriber->events;
    struct pb_websocket_frame *frame;
    struct interest *interest;
    struct pb_log_info info;
    struct pb_error err;

    if (!pb_text_starts(topic, "log:"))
        return;
    if (pb_log_stat(events->platform->log_store, topic + strlen("log:"), &info, &err) == 0)
        frame = pb_event_head_frame(topic, (int64_t)info.lines, (int64_t)info.bytes, info.complete);
    else
        frame = pb_event_refetch_frame(topic);
    (void)pthread_mutex_lock(&events->lock);
    interest = *place_of(subscriber, topic);
    if (interest && !pb_interest_send(interest, frame, interest->seq))
        pb_interest_want_refetch(interest);
    (void)pthread_mutex_unlock(&events->lock);
    pb_websocket_frame_unref(frame);
}

int pb_subscriber_subscribe(struct pb_subscriber *subscriber, const char *topic, int64_t since,
                            struct pb_error *err)
{
    struct pb_events *events = subscriber->events;
    struct interest *interest = NULL;
    struct topic *found;
    bool has_ended;

    if (!pb_events_is_topic(topic))
        return pb_fail_reason(err, PB_ERROR_INVALID, "unknown_topic", "there is no topic '%.60s'",
                              topic);
    (void)pthread_mutex_lock(&events->lock);
    has_ended = subscriber->has_ended;
    found = has_ended ? NULL : pb_topic_need(events, topic);
    if (found)
        interest = need_interest(subscriber, found);
    if (interest)
        welcome(interest, since);
    (void)pthread_mutex_unlock(&events->lock);
    if (has_ended)
        return pb_fail_reason(err, PB_ERROR_UNAUTHENTICATED, "session_ended",
                              "the session has ended; sign in again");
    if (!found)
        return pb_fail(err, PB_ERROR_UNAVAILABLE,
                       "too many topics are watched by everybody together; try again later");
    if (!interest)
        return pb_fail(err, PB_ERROR_LIMITED, "at most %d topics at once", PB_EVENT_TOPICS);
    send_first_head(subscriber, topic);
    return 0;
}

void pb_subscriber_unsubscribe(struct pb_subscriber *subscriber, const char *topic)
{
    struct pb_events *events = subscriber->events;
    struct interest **place, *interest;

    (void)pthread_mutex_lock(&events->lock);
    place = place_of(subscriber, topic);
    interest = *place;
    if (interest) {
        *place = interest->sibling;
        subscriber->count--;
        leave(interest);
    }
    (void)pthread_mutex_unlock(&events->lock);
}
