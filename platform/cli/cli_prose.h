/*
 * What an agent wrote, for a person at a terminal. Left out is what is not for
 * reading: HTML comments, which no page shows either, and the block that holds
 * the question, which is shown as the question. Code keeps all of its lines.
 */
#ifndef PB_CLI_CLI_PROSE_H
#define PB_CLI_CLI_PROSE_H

#include "base/buf.h"

/* Below its name, indented, line ends kept; nothing at all when nothing is left to read. */
void pb_cli_put_prose(struct pb_buf *buf, const char *name, const char *text);

#endif
