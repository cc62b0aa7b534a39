/*
 * Text that strangers wrote, made safe to keep, to show and to hand on.
 *
 * Anyone may write an issue, so its text can carry what people do not see but
 * programs read: HTML comments, zero-width characters, characters that turn
 * the reading direction, Unicode tags, control characters. They are taken
 * out; everything a reader sees stays. Nothing here fails on bad input:
 * malformed UTF-8 becomes U+FFFD.
 */
#ifndef PB_SERVER_SERVICES_GITHUB_TEXT_H
#define PB_SERVER_SERVICES_GITHUB_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

enum { PB_GITHUB_TEXT_CHARS = 65536 }; /* GitHub's own limit for issues and comments */

/* How a text ends that was cut, in both languages. */
#define PB_GITHUB_TEXT_CUT "\n[… cut / 以下省略]"

/* The readable text: no hidden parts, line ends are \n, at most `max_chars` characters; longer text
 * is cut, with a line that says so. */
void pb_github_text_clean(struct pb_buf *buf, const char *text, size_t len, size_t max_chars);

/* One line for titles, logs and errors: cleaned, white space runs are one blank, cut with "…". */
void pb_github_text_line(struct pb_buf *buf, const char *text, size_t max_chars);

/* ASCII, without case. NULL has nothing. */
bool pb_github_text_has(const char *text, const char *part);

/* A JSON document a strict reader refuses (\u0000, half a surrogate pair, malformed UTF-8) with those
 * characters replaced by U+FFFD. One such issue must not stop a whole project. */
void pb_github_text_mend_json(struct pb_buf *buf, const char *json, size_t len);

#endif
