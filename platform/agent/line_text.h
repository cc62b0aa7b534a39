/*
 * One line of a log as it may be stored: valid UTF-8, no controls but tab and
 * the SGR sequences that colour text, at most PB_MESSAGE_LINE_MAX bytes (a
 * longer one is cut between characters and says so).
 */
#ifndef PB_AGENT_LINE_TEXT_H
#define PB_AGENT_LINE_TEXT_H

#include <stddef.h>

#include "base/buf.h"

#define PB_LINE_TEXT_CUT " …[cut]"

/* Appends the line's text, without an end of line. */
void pb_line_text(struct pb_buf *ret_text, const char *text, size_t len);

#endif
