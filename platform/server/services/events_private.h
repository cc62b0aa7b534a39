/*
 * What the files of the events share, all under one lock:
 *
 *   events.c             what changed, and the thread that tells it
 *   event_topics.c       topics, their numbers, what they keep for those who come back
 *   event_subscribers.c  who is there, whose session it is, what each is given
 *   event_messages.c     messages as JSON, framed once for everybody
 *   event_stream.c       a subscriber that reads server-sent events
 */
#ifndef PB_SERVER_SERVICES_EVENTS_PRIVATE_H
#define PB_SERVER_SERVICES_EVENTS_PRIVATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "net/websocket.h"
#include "server/services/events.h"

enum {
    TOPIC_MAX = 80, /* "execution:" and a ULID, "project:" and a slug */
    SESSION_MAX = 64,
    RING = 64, /* events a topic keeps for those who come back */
    DIRTY_MAX = 512,
    LOG_QUEUE_MAX = 8 << 20,
    TICK_MS = 50,
    TOPIC_BUCKETS = 1024,
};

struct interest;

struct topic {
    struct topic *next; /* in its bucket */
    char name[TOPIC_MAX];
    int64_t
        seq; /* of the newest event; begins with the clock in microseconds, so that a restart never
                    repeats one */
    struct pb_websocket_frame *ring[RING]; /* event seq is at [seq % RING]; owned */
    int64_t ring_from;                     /* oldest seq in the ring; > seq when it is empty */
    size_t ring_bytes;
    struct interest *interests; /* who watches it */
    int64_t idle_since;         /* when nobody does */
};

/* One subscriber's interest in one topic. */
struct interest {
    struct topic *topic;
    struct pb_subscriber *subscriber;
    struct interest *next, **link; /* among the topic's */
    struct interest *sibling;      /* among the subscriber's, as they were asked for; owned by it */
    int64_t seq;                   /* of the last event it was given */
    bool must_refetch;             /* an event could not be queued */
    int64_t gap_from, gap_to;      /* log lines that could not be queued; empty when equal */
};

/* Whose a connection is. */
struct watcher {
    int64_t user_id;
    char session_id[SESSION_MAX];
};

struct event_stream;

struct pb_subscriber {
    struct pb_subscriber *next, **link; /* among all */
    struct pb_events *events;
    struct watcher watcher;
    bool has_ended;              /* its session: it is told nothing more */
    bool is_behind;              /* something could not be queued; see its interests */
    struct pb_websocket *ws;     /* our reference; NULL until it is there */
    struct event_stream *stream; /* owned; instead of it */
    struct interest *interests;
    size_t count;
};

enum dirty_kind { DIRTY_EXECUTION, DIRTY_PROJECT, DIRTY_NODE, DIRTY_PROJECT_DELETED };

struct dirty {
    enum dirty_kind kind;
    char id[64];
    char project_id[64];
};

struct log_item {
    struct log_item *next;
    char execution_id[32];
    int64_t from;
    int64_t count; /* 0 = the head only */
    size_t len;
    char text[];
};

struct pb_events {
    struct pb_platform *platform;
    struct pb_thread *thread;
    pthread_mutex_t lock; /* guards everything below */
    pthread_cond_t wake;
    bool is_stopping;
    struct topic *topics[TOPIC_BUCKETS];
    size_t topic_count;
    size_t ring_bytes; /* of all topics */
    struct pb_subscriber *subscribers;
    size_t behind; /* subscribers that are */
    struct dirty dirty[DIRTY_MAX];
    size_t dirty_count;
    bool dirty_lost; /* more changed than fits: everybody refetches */
    struct log_item *logs;
    struct log_item **logs_tail;
    size_t log_bytes;
    struct pb_events_stats stats;
};

/* All with the lock held, unless they say otherwise. */

/* --- event_messages.c: NULL when it became too long or memory is short ------------------------------------- */

struct pb_websocket_frame *pb_event_frame(const struct topic *topic, const char *event,
                                          const char *data);
struct pb_websocket_frame *pb_event_log_frame(const char *topic, int64_t from, int64_t count,
                                              const char *text, size_t len);
struct pb_websocket_frame *pb_event_head_frame(const char *topic, int64_t lines, int64_t bytes,
                                               bool complete);
struct pb_websocket_frame *pb_event_gap_frame(const char *topic, int64_t from, int64_t to);
struct pb_websocket_frame *pb_event_subscribed_frame(const char *topic, int64_t seq);
struct pb_websocket_frame *pb_event_refetch_frame(const char *topic);

/* --- event_topics.c ------------------------------------------------------------------------------------------ */

struct topic *pb_topic_find(struct pb_events *events, const char *name);
/* NULL when too many are watched by everybody together. */
struct topic *pb_topic_need(struct pb_events *events, const char *name);
/* Numbers an event, keeps it, sends it. `data` is JSON. */
void pb_topic_publish(struct pb_events *events, struct topic *topic, const char *event,
                      const char *data);
void pb_topic_send_log(struct pb_events *events, struct topic *topic, int64_t from, int64_t count,
                       const char *text, size_t len);
void pb_topic_send_head(struct pb_events *events, struct topic *topic, int64_t lines, int64_t bytes,
                        bool complete);
/* Forgets topics nobody came back to. */
void pb_topics_tidy(struct pb_events *events, int64_t now_ms);
/* Nobody knows what changed: nothing can be resumed. */
void pb_topics_refetch_all(struct pb_events *events);
void pb_topics_free(struct pb_events *events);

/* --- event_subscribers.c ------------------------------------------------------------------------------------- */

/* Queues the frame, which brings the interest to event `seq`. False when there is no room, or no frame: the
 * caller then notes what is missing. */
bool pb_interest_send(struct interest *interest, struct pb_websocket_frame *frame, int64_t seq);
/* The same, and the frame is done with. */
bool pb_interest_send_once(struct interest *interest, struct pb_websocket_frame *frame,
                           int64_t seq);
void pb_interest_note_behind(struct interest *interest);
void pb_interest_want_refetch(struct interest *interest);
/* Tries again what did not fit. */
void pb_subscribers_catch_up(struct pb_events *events);
/* Keeps quiet connections open. */
void pb_subscribers_beat(struct pb_events *events, int64_t now_ms);
/* Without the lock: whose sessions there are, each once, to be freed. NULL when there are none or memory is
 * short. */
struct watcher *pb_watchers(struct pb_events *events, size_t *ret_count);

/* --- event_stream.c ------------------------------------------------------------------------------------------ */

/* The head of the reply has been sent. */
struct event_stream *pb_event_stream_new(struct pb_http_exchange *exchange, void (*end)(void *arg),
                                         void *arg);
void pb_event_stream_free(struct event_stream *stream); /* NULL is fine; does not end the reply */
/* False when its queue is full. */
bool pb_event_stream_send(struct event_stream *stream, const struct pb_subscriber *subscriber,
                          const char *json, size_t len, bool has_moved);
void pb_event_stream_beat(struct event_stream *stream, int64_t now_ms);
void pb_event_stream_end(struct event_stream *stream);

#endif
