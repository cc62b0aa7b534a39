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

/* --- used by api/live_api.c --------------------------------------------------------------------------- */

enum { PB_CLOSE_SESSION_ENDED = 4401 };

/* One browser connection to be, of a session. LIMITED when there are too many, of it or of all. Whoever makes
 * one looks AFTERWARDS whether the session is still good: its end reaches every subscriber there is. */
struct pb_subscriber *pb_subscriber_new(struct pb_events *events, const struct pb_principal *who,
                                        struct pb_error *err) PB_MUST_CHECK;
/* Its socket, of which it takes its own reference. One whose session has ended meanwhile is closed. */
void pb_subscriber_attach(struct pb_subscriber *subscriber, struct pb_websocket *ws);
/* After the socket closed; unsubscribes from everything. */
void pb_subscriber_free(struct pb_subscriber *subscriber);
/* since < 0: from now on. INVALID for an unknown topic, LIMITED beyond 100 topics, UNAUTHENTICATED after the
 * session's end. */
int pb_subscriber_subscribe(struct pb_subscriber *subscriber, const char *topic, int64_t since,
                            struct pb_error *err) PB_MUST_CHECK;
void pb_subscriber_unsubscribe(struct pb_subscriber *subscriber, const char *topic);

#endif
