/*
 * The runner's own log: projects/<id>/logs/runner.log, with two older ones
 * beside it. Standard error is that file, so whatever a library says is there
 * too. Read line by line from afar (message agent_log_read).
 */
#ifndef PB_AGENT_AGENT_LOG_H
#define PB_AGENT_AGENT_LOG_H

#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"

enum { PB_AGENT_LOG_BYTES = 8 << 20, PB_AGENT_LOG_OLDER = 2, PB_AGENT_LOG_LINES_MAX = 2000 };

/* From now on standard error goes there. */
int pb_agent_log_open(const char *folder, struct pb_error *err) PB_MUST_CHECK;
/* To be called now and then: begins a new file when this one is long enough. */
void pb_agent_log_rotate(const char *folder);
/* Lines from..from+count of all that is there, oldest first (negative from: that many from the end), as members
 * "total", "from" and "lines" of the object being written. */
int pb_agent_log_read(const char *folder, int64_t from, int64_t count, struct pb_json_writer *json,
                      struct pb_error *err) PB_MUST_CHECK;

#endif
