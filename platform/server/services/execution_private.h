/* What execution_control.c (people's verbs) and execution_reports.c (nodes' reports) share. */
#ifndef PB_SERVER_SERVICES_EXECUTION_PRIVATE_H
#define PB_SERVER_SERVICES_EXECUTION_PRIVATE_H

#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "model/execution.h"
#include "server/store/db.h"

struct pb_enqueue;
struct pb_platform;

enum { PB_EXECUTION_ARENA_MAX = 4 << 20 }; /* one row with its prompt, and what is read beside it */

/* Inside a writer function: applies `event` to the row and saves it with whatever else the caller has
 * changed in *execution; leaves the outbox row. The only call of pb_execution_next() there is. */
int pb_execution_apply(struct pb_db *db, struct pb_execution *execution,
                       enum pb_execution_event event, int64_t now_ms,
                       struct pb_error *err) PB_MUST_CHECK;

/* What the "priority:…" labels (a JSON array, or NULL) say. */
int64_t pb_execution_priority_of(const char *labels);

/* Inside a writer function: queues an execution with this id. pb_execution_announce_queued() follows the commit. */
int pb_execution_queue(struct pb_db *db, const struct pb_enqueue *wish, const char *id,
                       struct pb_error *err) PB_MUST_CHECK;
void pb_execution_announce_queued(struct pb_platform *platform, const struct pb_enqueue *wish,
                                  const char *id);

/* Inside a writer function: what GitHub shows is to be brought up to date. */
int pb_execution_leave_effect(struct pb_db *db, const struct pb_execution *execution,
                              int64_t now_ms, struct pb_error *err) PB_MUST_CHECK;

/* After the commit: events, GitHub effects, scheduler. */
void pb_execution_announce(struct pb_platform *platform, const char *project_id,
                           const char *execution_id);
/* The same, and the log ends (or goes on) with the status. */
void pb_execution_announce_end(struct pb_platform *platform, const char *project_id,
                               const char *execution_id, enum pb_execution_status status);

#endif
