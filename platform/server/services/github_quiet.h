/*
 * What others wrote (models, people, servers) made fit to be posted in our
 * name. It reads as before, but does nothing at GitHub: it notifies nobody,
 * refers to no issue and closes none, commands no bot, embeds no picture and
 * no HTML, shows no token, and leaves no code block open for what follows.
 *
 * Mostly by a zero-width space behind the sign that would do it. Links to
 * issues and pull requests stay links, by the host that GitHub has for links
 * which are no references. Markdown hides signs behind backslashes and
 * character references; both are seen through.
 */
#ifndef PB_SERVER_SERVICES_GITHUB_QUIET_H
#define PB_SERVER_SERVICES_GITHUB_QUIET_H

#include <stddef.h>

#include "base/buf.h"

/* Cleaned (github_text.h) and quiet; at most `max_chars` characters and the line that says it was cut. */
void pb_github_quiet(struct pb_buf *buf, const char *text, size_t max_chars);
/* As one line, cut with "…": for titles and lists. */
void pb_github_quiet_line(struct pb_buf *buf, const char *text, size_t max_chars);

#endif
