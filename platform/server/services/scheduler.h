/*
 * Which queued execution starts next, and where.
 *
 * One thread looks at the queue whenever something changed (a kick) and when
 * something becomes due. A row starts when its project is active and not full,
 * nothing else works on its work item, its time has come, and its project's
 * agent is ready on a node. Otherwise the row says why it waits, as a stable
 * code that the views put into words. An assignment that is not accepted
 * within the accept timeout goes back to the queue.
 */
#ifndef PB_SERVER_SERVICES_SCHEDULER_H
#define PB_SERVER_SERVICES_SCHEDULER_H

#include <stdint.h>

#include "base/error.h"
#include "server/store/execution_store.h"

struct pb_platform;
struct pb_scheduler;

struct pb_scheduler *pb_scheduler_start(struct pb_platform *platform,
                                        struct pb_error *err) PB_MUST_CHECK;
void pb_scheduler_stop(struct pb_scheduler *scheduler); /* NULL is fine */
void pb_scheduler_kick(struct pb_scheduler *scheduler); /* any thread; NULL is fine */

/* Why a row cannot start, looking at the row alone; NULL when nothing in it stands in the way. A code of
 * pb_queued_reason_words(). `started` of its project's executions were started in this round already. */
const char *pb_scheduler_blocked_by(const struct pb_queue_row *row, int64_t started,
                                    int64_t now_ms);

/* A code in words; NULL for one that is not known. */
struct pb_queued_reason {
    const char *code;
    const char *en;
    const char *ja;
};
const struct pb_queued_reason *pb_queued_reason_find(const char *code);

#endif
