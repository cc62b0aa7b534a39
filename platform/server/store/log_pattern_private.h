/*
 * What is searched for in a log: a text, or a regular expression. The door to
 * PCRE2. Expressions come from people: their length and nesting, the steps and
 * the memory of one match are limited. One thread at a time.
 */
#ifndef PB_SERVER_STORE_LOG_PATTERN_PRIVATE_H
#define PB_SERVER_STORE_LOG_PATTERN_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct pb_log_pattern;

/* INVALID, field "q": too long, empty, more than a line, or no expression. Without is_exact the case of letters is
 * ignored; of a text: of ASCII letters. */
struct pb_log_pattern *pb_log_pattern_new(const char *text, bool is_regex, bool is_exact,
                                          struct pb_error *err) PB_MUST_CHECK;
void pb_log_pattern_free(struct pb_log_pattern *pattern); /* NULL is fine */
/* A text may be looked for in many lines at once, an expression in one without its end. */
bool pb_log_pattern_is_text(const struct pb_log_pattern *pattern);

/* The first place from byte `from` on: 1, and where; 0: nowhere. UNPROCESSABLE, reason "regex_too_costly". */
int pb_log_pattern_find(struct pb_log_pattern *pattern, const char *subject, size_t len,
                        size_t from, size_t *ret_at, size_t *ret_len,
                        struct pb_error *err) PB_MUST_CHECK;

#endif
