/*
 * Logs that go: those of executions that ended long ago, and, where a project
 * has more than it may keep, those of its oldest. An execution that has not
 * ended keeps its log. Takes small steps and holds nothing between them; what
 * a crash leaves undone is found again.
 */
#ifndef PB_SERVER_SERVICES_LOG_PRUNE_H
#define PB_SERVER_SERVICES_LOG_PRUNE_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/error.h"

struct pb_platform;

/* All of them end early once *stop; *ret_removed: logs that went. */

/* Those of executions completed before `before_ms`. */
int pb_log_prune_old(struct pb_platform *platform, int64_t before_ms, const atomic_bool *stop,
                     int64_t *ret_removed, struct pb_error *err) PB_MUST_CHECK;
/* Each project keeps so many bytes, those of its newest executions. */
int pb_log_prune_large(struct pb_platform *platform, int64_t keep_bytes, const atomic_bool *stop,
                       int64_t *ret_removed, struct pb_error *err) PB_MUST_CHECK;

#endif
