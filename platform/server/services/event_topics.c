/* Topics, their numbers and rings, and what is sent to all who watch one. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/services/events_private.h"

enum {
    LINGER_MS = 60 * 1000, /* a topic nobody watches is kept so long */
    TOPICS_MAX = 10000,    /* more, and those nobody watches go at once */
    RING_BYTES = 256 << 10,
    RINGS_BYTES =
        16 << 20, /* of all topics together: more, and one that speaks cannot be resumed */
};

/* --- finding ------------------------------------------------------------------------------------------------ */

static struct topic **bucket_of(struct pb_events *events, const char *name)
{
    uint32_t hash = 2166136261U; /* FNV-1a */

    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 16777619U;
    return &events->topics[hash % TOPIC_BUCKETS];
}

struct topic *pb_topic_find(struct pb_events *events, const char *name)
{
    for (struct topic *topic = *bucket_of(events, name); topic; topic = topic->next)
        if (strcmp(topic->name, name) == 0)
            return topic;
    return NULL;
}

static void drop_oldest(struct pb_events *events, struct topic *topic)
{
    struct pb_websocket_frame **place = &topic->ring[topic->ring_from % RING];
    size_t len = 0;

    topic->ring_from++;
    if (!*place)
        return;
    (void)pb_websocket_frame_data(*place, &len);
    topic->ring_bytes -= len;
    events->ring_bytes -= len;
    pb_websocket_frame_unref(*place);
    *place = NULL;
}

static void clear_ring(struct pb_events *events, struct topic *topic)
{
    while (topic->ring_from <= topic->seq)
        drop_oldest(events, topic);
}

static void free_topic(struct pb_events *events, struct topic *topic)
{
    clear_ring(events, topic);
    events->topic_count--;
    free(topic);
}

/* Those that nobody watches since before then. */
static void forget_idle(struct pb_events *events, int64_t before_ms)
{
    for (size_t i = 0; i < TOPIC_BUCKETS; i++) {
        struct topic **at = &events->topics[i];

        while (*at) {
            struct topic *topic = *at;

            if (topic->interests || topic->idle_since > before_ms) {
                at = &topic->next;
                continue;
            }
            *at = topic->next;
            free_topic(events, topic);
        }
    }
}

struct topic *pb_topic_need(struct pb_events *events, const char *name)
{
    struct topic *topic = pb_topic_find(events, name);
    struct topic **bucket;

    if (topic)
        return topic;
    if (events->topic_count >= TOPICS_MAX)
        forget_idle(events, INT64_MAX);
    topic = events->topic_count < TOPICS_MAX ? calloc(1, sizeof(*topic)) : NULL;
    if (!topic)
        return NULL;
    memcpy(topic->name, name, strlen(name) + 1);
    topic->seq = pb_clock_wall_ms() * 1000;
    topic->ring_from = topic->seq + 1;
    topic->idle_since = pb_clock_steady_ms();
    bucket = bucket_of(events, name);
    topic->next = *bucket;
    *bucket = topic;
    events->topic_count++;
    return topic;
}

/* --- telling ------------------------------------------------------------------------------------------------ */

/* Takes the frame. */
static void keep(struct pb_events *events, struct topic *topic, struct pb_websocket_frame *frame)
{
    size_t len;

    if (topic->seq - topic->ring_from >= RING)
        drop_oldest(events, topic);
    (void)pb_websocket_frame_data(frame, &len);
    topic->ring[topic->seq % RING] = frame;
    topic->ring_bytes += len;
    events->ring_bytes += len;
    while (topic->ring_bytes > RING_BYTES)
        drop_oldest(events, topic);
    if (events->ring_bytes > RINGS_BYTES)
        clear_ring(events, topic);
}

static void must_refetch(struct interest *interest)
{
    interest->subscriber->events->stats.dropped++;
    pb_interest_want_refetch(interest);
}

void pb_topic_publish(struct pb_events *events, struct topic *topic, const char *event,
                      const char *data)
{
    struct pb_websocket_frame *frame;

    topic->seq++;
    frame = pb_event_frame(topic, event, data);
    for (struct interest *interest = topic->interests; interest; interest = interest->next)
        if (!interest->must_refetch && !pb_interest_send(interest, frame, topic->seq))
            must_refetch(interest);
    if (frame)
        keep(events, topic, frame);
    else
        clear_ring(events, topic);
    events->stats.events++;
}

/* What does not fit becomes one gap; lines behind a gap wait in it too, so that order holds. */
static void widen_gap(struct interest *interest, int64_t from, int64_t to)
{
    if (interest->gap_from == interest->gap_to)
        interest->gap_from = from;
    interest->gap_to = to;
    interest->subscriber->events->stats.dropped++;
    pb_interest_note_behind(interest);
}

void pb_topic_send_log(struct pb_events *events, struct topic *topic, int64_t from, int64_t count,
                       const char *text, size_t len)
{
    struct pb_websocket_frame *frame = pb_event_log_frame(topic->name, from, count, text, len);

    for (struct interest *interest = topic->interests; interest; interest = interest->next)
        if (interest->gap_from != interest->gap_to ||
            !pb_interest_send(interest, frame, interest->seq))
            widen_gap(interest, from, from + count);
    pb_websocket_frame_unref(frame);
    events->stats.events++;
}

void pb_topic_send_head(struct pb_events *events, struct topic *topic, int64_t lines, int64_t bytes,
                        bool complete)
{
    struct pb_websocket_frame *frame = pb_event_head_frame(topic->name, lines, bytes, complete);

    for (struct interest *interest = topic->interests; interest; interest = interest->next)
        if (!pb_interest_send(interest, frame, interest->seq))
            must_refetch(interest);
    pb_websocket_frame_unref(frame);
    events->stats.events++;
}

/* --- all of them -------------------------------------------------------------------------------------------- */

void pb_topics_tidy(struct pb_events *events, int64_t now_ms)
{
    forget_idle(events, now_ms - LINGER_MS);
}

void pb_topics_refetch_all(struct pb_events *events)
{
    for (size_t i = 0; i < TOPIC_BUCKETS; i++)
        for (struct topic *topic = events->topics[i]; topic; topic = topic->next) {
            topic->seq++;
            clear_ring(events, topic);
            for (struct interest *each = topic->interests; each; each = each->next)
                must_refetch(each);
        }
}

void pb_topics_free(struct pb_events *events)
{
    for (size_t i = 0; i < TOPIC_BUCKETS; i++)
        while (events->topics[i]) {
            struct topic *topic = events->topics[i];

            events->topics[i] = topic->next;
            free_topic(events, topic);
        }
}
