/* Topics, their numbers and rings, and the browsers that watch them. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/json.h"
#include "base/text.h"
#include "model/execution.h"
#include "model/project.h"
#include "server/services/events_private.h"
#include "server/services/platform.h"
#include "server/store/log_store.h"

enum { INTERESTS_MAX = 100, MESSAGE_MAX = 2 << 20 };

/* --- messages --------------------------------------------------------------------------------------------- */

struct message {
    struct pb_buf buf;
    struct pb_json_writer w;
};

static void begin(struct message *message, const char *type, const char *topic)
{
    pb_buf_init(&message->buf, MESSAGE_MAX);
    pb_json_writer_init(&message->w, &message->buf);
    pb_json_begin_object(&message->w, NULL);
    pb_json_put_text(&message->w, "type", type);
    pb_json_put_text(&message->w, "topic", topic);
}

/* NULL when it became too long or memory is short: whoever needed it refetches. */
static struct pb_websocket_frame *finish(struct message *message)
{
    struct pb_websocket_frame *frame = NULL;

    pb_json_end_object(&message->w);
    if (!pb_buf_failed(&message->buf))
        frame = pb_websocket_frame_new(true, message->buf.data, message->buf.len);
    pb_buf_release(&message->buf);
    return frame;
}

static bool send_and_drop(struct pb_websocket *ws, struct pb_websocket_frame *frame)
{
    bool sent = frame && pb_websocket_send_frame(ws, frame);

    if (frame)
        pb_websocket_frame_unref(frame);
    return sent;
}

static bool send_plain(struct pb_websocket *ws, const char *type, const char *topic)
{
    struct message message;

    begin(&message, type, topic);
    return send_and_drop(ws, finish(&message));
}

static struct pb_websocket_frame *head_frame(const char *topic, int64_t lines, int64_t bytes,
                                             bool complete)
{
    struct message message;

    begin(&message, "log_head", topic);
    pb_json_put_int(&message.w, "lines", lines);
    pb_json_put_int(&message.w, "bytes", bytes);
    pb_json_put_bool(&message.w, "complete", complete);
    return finish(&message);
}

/* --- topics ----------------------------------------------------------------------------------------------- */

struct topic *pb_topic_find(struct pb_events *events, const char *name)
{
    for (struct topic *topic = events->topics; topic; topic = topic->next)
        if (strcmp(topic->name, name) == 0)
            return topic;
    return NULL;
}

static void forget_idle(struct pb_events *events, int64_t before_ms);

static struct topic *find_or_make(struct pb_events *events, const char *name)
{
    struct topic *topic = pb_topic_find(events, name);

    if (topic)
        return topic;
    if (events->topic_count >= TOPICS_MAX)
        forget_idle(events, INT64_MAX);
    topic = events->topic_count < TOPICS_MAX ? calloc(1, sizeof(*topic)) : NULL;
    if (!topic)
        return NULL;
    events->topic_count++;
    memcpy(topic->name, name, strlen(name) + 1);
    topic->seq = pb_clock_wall_ms();
    topic->ring_from = topic->seq + 1;
    topic->next = events->topics;
    events->topics = topic;
    return topic;
}

static void free_topic(struct topic *topic)
{
    for (size_t i = 0; i < RING; i++)
        if (topic->ring[i])
            pb_websocket_frame_unref(topic->ring[i]);
    free(topic);
}

/* Those that nobody watches since before then. */
static void forget_idle(struct pb_events *events, int64_t before_ms)
{
    for (struct topic **at = &events->topics; *at;) {
        struct topic *topic = *at;

        if (topic->subscribers > 0 || topic->idle_since > before_ms) {
            at = &topic->next;
            continue;
        }
        *at = topic->next;
        events->topic_count--;
        free_topic(topic);
    }
}

static struct interest *interest_in(struct pb_subscriber *subscriber, const struct topic *topic)
{
    for (size_t i = 0; i < subscriber->count; i++)
        if (subscriber->interests[i].topic == topic)
            return &subscriber->interests[i];
    return NULL;
}

static void keep(struct topic *topic, struct pb_websocket_frame *frame)
{
    struct pb_websocket_frame **place = &topic->ring[topic->seq % RING];

    if (*place)
        pb_websocket_frame_unref(*place);
    *place = frame;
    if (topic->seq - topic->ring_from >= RING)
        topic->ring_from = topic->seq - RING + 1;
}

void pb_topic_publish(struct pb_events *events, struct topic *topic, const char *event,
                      const char *data)
{
    struct pb_websocket_frame *frame;
    struct message message;

    topic->seq++;
    begin(&message, "event", topic->name);
    pb_json_put_int(&message.w, "seq", topic->seq);
    pb_json_put_text(&message.w, "event", event);
    pb_json_put_raw(&message.w, "data", data);
    frame = finish(&message);
    for (struct pb_subscriber *s = events->subscribers; s; s = s->next) {
        struct interest *interest = interest_in(s, topic);

        if (interest && !interest->must_refetch)
            interest->must_refetch = !frame || !pb_websocket_send_frame(s->ws, frame);
    }
    if (frame)
        keep(topic, frame);
    else
        topic->ring_from = topic->seq + 1;
}

/* What does not fit becomes one gap; lines behind a gap wait in it too, so that order holds. */
static void widen_gap(struct interest *interest, int64_t from, int64_t to)
{
    if (interest->gap_from == interest->gap_to)
        interest->gap_from = from;
    interest->gap_to = to;
}

void pb_topic_send_log(struct pb_events *events, struct topic *topic, int64_t from, int64_t count,
                       const char *text, size_t len)
{
    struct pb_websocket_frame *frame;
    struct message message;

    begin(&message, "log", topic->name);
    pb_json_put_int(&message.w, "from", from);
    pb_json_put_int(&message.w, "count", count);
    pb_json_put_bytes(&message.w, "text", text, len);
    frame = finish(&message);
    for (struct pb_subscriber *s = events->subscribers; s; s = s->next) {
        struct interest *interest = interest_in(s, topic);

        if (!interest)
            continue;
        if (interest->gap_from != interest->gap_to || !frame ||
            !pb_websocket_send_frame(s->ws, frame))
            widen_gap(interest, from, from + count);
    }
    if (frame)
        pb_websocket_frame_unref(frame);
}

void pb_topic_send_head(struct pb_events *events, struct topic *topic, int64_t lines, int64_t bytes,
                        bool complete)
{
    struct pb_websocket_frame *frame = head_frame(topic->name, lines, bytes, complete);

    for (struct pb_subscriber *s = events->subscribers; s; s = s->next) {
        struct interest *interest = interest_in(s, topic);

        if (interest && (!frame || !pb_websocket_send_frame(s->ws, frame)))
            interest->must_refetch = true;
    }
    if (frame)
        pb_websocket_frame_unref(frame);
}

static bool send_gap(struct pb_websocket *ws, const struct interest *interest)
{
    struct message message;

    begin(&message, "gap", interest->topic->name);
    pb_json_put_int(&message.w, "from", interest->gap_from);
    pb_json_put_int(&message.w, "to", interest->gap_to);
    return send_and_drop(ws, finish(&message));
}

static void catch_up(struct pb_subscriber *subscriber)
{
    for (size_t i = 0; i < subscriber->count; i++) {
        struct interest *interest = &subscriber->interests[i];

        if (interest->must_refetch && send_plain(subscriber->ws, "refetch", interest->topic->name))
            interest->must_refetch = false;
        if (interest->gap_from != interest->gap_to && send_gap(subscriber->ws, interest))
            interest->gap_from = interest->gap_to = 0;
    }
}

void pb_topics_tidy(struct pb_events *events, int64_t now_ms)
{
    for (struct pb_subscriber *s = events->subscribers; s; s = s->next)
        catch_up(s);
    forget_idle(events, now_ms - LINGER_MS);
}

void pb_topics_refetch_all(struct pb_events *events)
{
    for (struct topic *topic = events->topics; topic; topic = topic->next)
        topic->ring_from = ++topic->seq + 1;
    for (struct pb_subscriber *s = events->subscribers; s; s = s->next)
        for (size_t i = 0; i < s->count; i++)
            s->interests[i].must_refetch = true;
}

void pb_topics_free(struct pb_events *events)
{
    while (events->topics) {
        struct topic *topic = events->topics;

        events->topics = topic->next;
        free_topic(topic);
    }
}

/* --- who watches which ------------------------------------------------------------------------------------------ */

void pb_topic_leave(struct topic *topic)
{
    if (--topic->subscribers == 0)
        topic->idle_since = pb_clock_steady_ms();
}

static bool is_topic(const char *name)
{
    static const char *const WHOLE[] = {"projects", "executions", "nodes"};

    for (size_t i = 0; i < sizeof(WHOLE) / sizeof(WHOLE[0]); i++)
        if (strcmp(name, WHOLE[i]) == 0)
            return true;
    if (pb_text_starts(name, "project:"))
        return pb_project_id_valid(name + strlen("project:"));
    if (pb_text_starts(name, "execution:"))
        return pb_ulid_valid(name + strlen("execution:"));
    return pb_text_starts(name, "log:") && pb_ulid_valid(name + strlen("log:"));
}

static struct interest *add_interest(struct pb_subscriber *subscriber, struct topic *topic)
{
    struct interest *interest = interest_in(subscriber, topic);
    struct interest *more;

    if (interest)
        return interest;
    if (subscriber->count >= INTERESTS_MAX)
        return NULL;
    more = realloc(subscriber->interests, (subscriber->count + 1) * sizeof(*more));
    if (!more)
        return NULL;
    subscriber->interests = more;
    interest = &more[subscriber->count++];
    *interest = (struct interest){.topic = topic};
    topic->subscribers++;
    return interest;
}

/* "subscribed", then what was missed since, or "refetch" when that is not known any more. */
static void welcome(struct pb_subscriber *subscriber, struct interest *interest, int64_t since)
{
    struct topic *topic = interest->topic;
    struct message message;

    begin(&message, "subscribed", topic->name);
    pb_json_put_int(&message.w, "seq", topic->seq);
    if (!send_and_drop(subscriber->ws, finish(&message))) {
        interest->must_refetch = true;
        return;
    }
    if (since < 0 || since == topic->seq)
        return;
    if (since > topic->seq || since + 1 < topic->ring_from) {
        interest->must_refetch = !send_plain(subscriber->ws, "refetch", topic->name);
        return;
    }
    for (int64_t seq = since + 1; seq <= topic->seq && !interest->must_refetch; seq++)
        interest->must_refetch = !pb_websocket_send_frame(subscriber->ws, topic->ring[seq % RING]);
}

static void send_first_head(struct pb_subscriber *subscriber, const char *topic)
{
    struct pb_log_info info;
    struct pb_error err;

    if (!pb_text_starts(topic, "log:"))
        return;
    if (pb_log_stat(subscriber->events->platform->log_store, topic + strlen("log:"), &info, &err) ==
        0)
        (void)send_and_drop(subscriber->ws, head_frame(topic, (int64_t)info.lines,
                                                       (int64_t)info.bytes, info.complete));
    else
        (void)send_plain(subscriber->ws, "refetch", topic);
}

int pb_subscriber_subscribe(struct pb_subscriber *subscriber, const char *topic, int64_t since,
                            struct pb_error *err)
{
    struct pb_events *events = subscriber->events;
    struct interest *interest = NULL;
    struct topic *found;
    bool has_ended;

    if (strlen(topic) >= TOPIC_MAX || !is_topic(topic))
        return pb_fail_reason(err, PB_ERROR_INVALID, "unknown_topic", "there is no topic '%.60s'",
                              topic);
    (void)pthread_mutex_lock(&events->lock);
    has_ended = subscriber->has_ended;
    found = has_ended ? NULL : find_or_make(events, topic);
    if (found)
        interest = add_interest(subscriber, found);
    if (interest)
        welcome(subscriber, interest, since);
    else if (found && found->subscribers == 0)
        found->idle_since = pb_clock_steady_ms();
    (void)pthread_mutex_unlock(&events->lock);
    if (has_ended)
        return pb_fail_reason(err, PB_ERROR_UNAUTHENTICATED, "session_ended",
                              "the session has ended; sign in again");
    if (!found)
        return pb_fail(err, PB_ERROR_UNAVAILABLE,
                       "too many topics are watched by everybody together; try again later");
    if (!interest)
        return pb_fail(err, PB_ERROR_LIMITED, "at most %d topics at once", INTERESTS_MAX);
    send_first_head(subscriber, topic);
    return 0;
}

void pb_subscriber_unsubscribe(struct pb_subscriber *subscriber, const char *topic)
{
    struct pb_events *events = subscriber->events;

    (void)pthread_mutex_lock(&events->lock);
    for (size_t i = 0; i < subscriber->count; i++) {
        if (strcmp(subscriber->interests[i].topic->name, topic) != 0)
            continue;
        pb_topic_leave(subscriber->interests[i].topic);
        subscriber->interests[i] = subscriber->interests[--subscriber->count];
        break;
    }
    (void)pthread_mutex_unlock(&events->lock);
}
