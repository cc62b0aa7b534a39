/* What events.c (what changed), event_topics.c (who is told) and event_subscribers.c (who is there) share. */
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
    LINGER_MS = 60 * 1000, /* a topic nobody watches is kept so long */
    TOPICS_MAX = 10000,    /* more, and those nobody watches go at once */
};

struct topic {
    struct topic *next;
    char name[TOPIC_MAX];
    int64_t seq; /* of the newest event; begins with the clock, so a restart never repeats one */
    struct pb_websocket_frame *ring[RING]; /* event seq is at [seq % RING]; owned */
    int64_t ring_from;                     /* oldest seq in the ring; > seq when it is empty */
    size_t subscribers;
    int64_t idle_since;
};

/* One subscriber's interest in one topic. */
struct interest {
    struct topic *topic;
    bool must_refetch;        /* an event could not be queued */
    int64_t gap_from, gap_to; /* log lines that could not be queued; empty when equal */
};

/* Whose a connection is. */
struct watcher {
    int64_t user_id;
    char session_id[SESSION_MAX];
};

struct pb_subscriber {
    struct pb_subscriber *next;
    struct pb_events *events;
    struct watcher watcher;
    bool has_ended;          /* its session: it is told nothing more */
    struct pb_websocket *ws; /* our reference; NULL until it is there */
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
    struct topic *topics;
    size_t topic_count;
    struct pb_subscriber *subscribers;
    size_t subscriber_count;
    struct dirty dirty[DIRTY_MAX];
    size_t dirty_count;
    bool dirty_lost; /* more changed than fits: everybody refetches */
    struct log_item *logs;
    struct log_item **logs_tail;
    size_t log_bytes;
};

/* All with the lock held. */
struct topic *pb_topic_find(struct pb_events *events, const char *name);
/* Numbers an event, keeps it, sends it. `data` is JSON. */
void pb_topic_publish(struct pb_events *events, struct topic *topic, const char *event,
                      const char *data);
void pb_topic_send_log(struct pb_events *events, struct topic *topic, int64_t from, int64_t count,
                       const char *text, size_t len);
void pb_topic_send_head(struct pb_events *events, struct topic *topic, int64_t lines, int64_t bytes,
                        bool complete);
/* One watches it less. */
void pb_topic_leave(struct topic *topic);
/* Tries again what did not fit; forgets topics nobody came back to. */
void pb_topics_tidy(struct pb_events *events, int64_t now_ms);
void pb_topics_refetch_all(struct pb_events *events);
void pb_topics_free(struct pb_events *events);

/* Without the lock: who is connected, to be freed. NULL when there is nobody or memory is short. */
struct watcher *pb_watchers(struct pb_events *events, size_t *ret_count);

#endif
