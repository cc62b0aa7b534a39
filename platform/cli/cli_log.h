/* One line of an execution's log, "<unix ms> <stream> <text>", as it is shown to people. */
#ifndef PB_CLI_CLI_LOG_H
#define PB_CLI_CLI_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct pb_cli_log_style {
    bool colours; /* a terminal: our colours for our streams, the task's own stay */
    bool times;
};

/* Appends the line and its end. A line that is not of that form is shown whole. */
void pb_cli_put_log_line(struct pb_buf *buf, const char *line, size_t len,
                         const struct pb_cli_log_style *style);

#endif
