/*
 * Log lines on their way from a runner to people: stored first, acknowledged
 * and published second, so whoever reconnects can replay from the store.
 */
#ifndef PB_SERVER_SERVICES_LOG_HUB_H
#define PB_SERVER_SERVICES_LOG_HUB_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct pb_log_hub;
struct pb_platform;

struct pb_log_hub *pb_log_hub_open(struct pb_platform *platform,
                                   struct pb_error *err) PB_MUST_CHECK;
void pb_log_hub_close(struct pb_log_hub *hub); /* NULL is fine */

/* `count` lines of one attempt, the first being the attempt's line `seq`. `acked` runs later on the log
 * writer's thread with the next expected line (also for a duplicate), or with err. */
int pb_log_hub_chunk(struct pb_log_hub *hub, const char *execution, int64_t attempt, int64_t seq,
                     const char *blob, size_t len, int64_t count,
                     void (*acked)(void *arg, int64_t next, const struct pb_error *err), void *arg,
                     struct pb_error *err) PB_MUST_CHECK;

/* One line of the platform's own. Waits until it is durable (a few ms); a failure is logged. */
void pb_log_hub_note(struct pb_log_hub *hub, const char *execution, char stream, const char *text);

#endif
