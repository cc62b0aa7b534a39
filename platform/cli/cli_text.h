/*
 * Text on a terminal: how many columns it takes (full-width characters take
 * two), and nothing in it that could drive the terminal. Titles and logs hold
 * what strangers wrote.
 */
#ifndef PB_CLI_CLI_TEXT_H
#define PB_CLI_CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

size_t pb_cli_width(const char *text);

/* Controls and escape sequences are left out, malformed UTF-8 becomes U+FFFD. Tabs stay. With `colours`,
 * SGR sequences (ESC [ … m) stay too. Line ends are controls. */
void pb_cli_put_clean(struct pb_buf *buf, const char *text, size_t len, bool colours);

/* The same in at most `columns`, ended by "…" when something is left out. */
void pb_cli_put_cut(struct pb_buf *buf, const char *text, size_t columns);

#endif
