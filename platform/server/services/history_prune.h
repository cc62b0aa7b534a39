/*
 * Executions that ended long ago go, as settings execution_days and
 * execution_keep say. Takes small steps, each a change of its own, so that
 * whoever writes meanwhile waits for one step at most; what a crash leaves
 * undone is found again.
 */
#ifndef PB_SERVER_SERVICES_HISTORY_PRUNE_H
#define PB_SERVER_SERVICES_HISTORY_PRUNE_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/error.h"

struct pb_platform;

/* Those completed before `before_ms`; ends early once *stop. *ret_removed: how many went. */
int pb_history_prune(struct pb_platform *platform, int64_t before_ms, const atomic_bool *stop,
                     int64_t *ret_removed, struct pb_error *err) PB_MUST_CHECK;

#endif
