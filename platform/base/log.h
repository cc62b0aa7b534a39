/*
 * Our own process's log: one line per event on standard error, key=value (or
 * JSON lines), with time, level, component and ids. Secrets registered by
 * pb_log_hide() are blanked in every line. Safe from any thread.
 *
 * base, net, model, wire and store stay silent above debug; edges log once.
 */
#ifndef PB_BASE_LOG_H
#define PB_BASE_LOG_H

#include <stdbool.h>

#include "base/error.h"

enum pb_log_level { PB_LOG_ERROR, PB_LOG_WARN, PB_LOG_INFO, PB_LOG_DEBUG };

/* program: name in every line. */
void pb_log_init(const char *program, enum pb_log_level level, bool json);
bool pb_log_level_parse(const char *name, enum pb_log_level *ret_level) PB_MUST_CHECK;
/* Blanks this value (6 bytes or more) in every later line. At most 64 are kept, oldest forgotten. */
void pb_log_hide(const char *secret);

/* From now on every line of this thread names the request it works for; NULL ends that. Borrowed. */
void pb_log_request(const char *request_id);
/* NULL: none. */
const char *pb_log_request_id(void);

/* pb_log_info("scheduler", "execution=%s node=%s assigned", id, node); */
void pb_log_error(const char *component, const char *fmt, ...) PB_PRINTF(2, 3);
void pb_log_warn(const char *component, const char *fmt, ...) PB_PRINTF(2, 3);
void pb_log_info(const char *component, const char *fmt, ...) PB_PRINTF(2, 3);
void pb_log_debug(const char *component, const char *fmt, ...) PB_PRINTF(2, 3);
/* The sentence, then ": " and the error's message. */
void pb_log_fail(enum pb_log_level level, const char *component, const struct pb_error *err,
                 const char *fmt, ...) PB_PRINTF(4, 5);

#endif
