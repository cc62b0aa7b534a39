/*
 * What changed, to the browsers that look at it.
 *
 * Callers only say "this execution changed"; nothing is rendered unless
 * somebody subscribed. A thread of its own wakes at most every 50 ms, reads
 * each changed object once (the newest state wins), writes it as REST does,
 * frames it once per topic and hands the frame to every subscriber. Each
 * topic numbers its events and keeps the last few, so a browser that comes
 * back with the last number it saw gets what it missed, or is told to
 * refetch. A subscriber whose queue is full loses log text (a `gap` it can
 * read by REST) and never stalls anybody else.
 *
 * A connection belongs to the session whose ticket opened it and ends with
 * it: at once when the session is ended here, within seconds when it expires,
 * its user is disabled or its row goes away.
 *
 * Topics: projects, project:{id}, executions, execution:{id}, log:{id}, nodes.
 */
#ifndef PB_SERVER_SERVICES_EVENTS_H
#define PB_SERVER_SERVICES_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct pb_events;
struct pb_http_exchange;
struct pb_platform;
struct pb_principal;
struct pb_subscriber;
struct pb_websocket;

struct pb_events *pb_events_start(struct pb_platform *platform, struct pb_error *err) PB_MUST_CHECK;
/* Ends its thread; what changes from now on is told to nobody. NULL is fine. */
void pb_events_finish(struct pb_events *events);
void pb_events_close(struct pb_events *events); /* when nobody can speak of changes any more */

/* Any thread, never blocks for long, after the commit. NULL events is fine (tests). */
void pb_events_execution(struct pb_events *events, const char *project_id,
                         const char *execution_id);
void pb_events_project(struct pb_events *events, const char *project_id);
void pb_events_project_deleted(struct pb_events *events, const char *project_id);
void pb_events_node(struct pb_events *events, const char *node_id);
/* Durable lines of a log: `count` lines from number `from`, as stored. */
void pb_events_log(struct pb_events *events, const char *execution_id, int64_t from, int64_t count,
                   const char *text, size_t len);
/* The log has no more lines for now (an attempt ended, the execution is final). */
void pb_events_log_head(struct pb_events *events, const char *execution_id);
/* The session has ended: its connections are told nothing more and closed with PB_CLOSE_SESSION_ENDED. */
void pb_events_session_ended(struct pb_events *events, const char *session_id);

struct pb_events_stats {
    size_t sockets; /* subscribers by WebSocket */
    size_t streams; /* subscribers by server-sent events */
    size_t topics;
    size_t changed;    /* objects that wait to be told of */
    size_t log_bytes;  /* of log text that waits */
    uint64_t events;   /* messages made, each for all who watch its topic */
    uint64_t dropped;  /* messages a subscriber had no room for */
    uint64_t overruns; /* ticks in which more changed than fits: everybody fetched again */
};
void pb_events_stats(struct pb_events *events, struct pb_events_stats *ret_stats);

/* --- used by api/live_api.c and api/events_api.c --------------------------------------------------------- */

enum { PB_CLOSE_SESSION_ENDED = 4401, PB_EVENT_TOPICS = 100 /* of one subscriber */ };

bool pb_events_is_topic(const char *name);

/* One browser connection to be, of a session. LIMITED when there are too many, of it or of all. Whoever makes
 * one looks AFTERWARDS whether the session is still good: its end reaches every subscriber there is. */
struct pb_subscriber *pb_subscriber_new(struct pb_events *events, const struct pb_principal *who,
                                        struct pb_error *err) PB_MUST_CHECK;
/* Its socket, of which it takes its own reference. One whose session has ended meanwhile is closed. */
void pb_subscriber_attach(struct pb_subscriber *subscriber, struct pb_websocket *ws);
/* Or the reply that its events are written to, whose head has been sent and which lives until it is freed.
 * `end` is called when the session has ended, at most once, perhaps at once, with our lock held: it may
 * only post. */
int pb_subscriber_attach_stream(struct pb_subscriber *subscriber, struct pb_http_exchange *exchange,
                                void (*end)(void *arg), void *arg,
                                struct pb_error *err) PB_MUST_CHECK;
/* After the socket closed, or before the reply ends; unsubscribes from everything. */
void pb_subscriber_free(struct pb_subscriber *subscriber);
/* since < 0: from now on. INVALID for an unknown topic, LIMITED beyond PB_EVENT_TOPICS, UNAUTHENTICATED after
 * the session's end. */
int pb_subscriber_subscribe(struct pb_subscriber *subscriber, const char *topic, int64_t since,
                            struct pb_error *err) PB_MUST_CHECK;
void pb_subscriber_unsubscribe(struct pb_subscriber *subscriber, const char *topic);

#endif
