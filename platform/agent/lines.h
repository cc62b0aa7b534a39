/* Bytes cut anywhere become lines. A line longer than `max` is given once, cut; the rest of it is dropped. */
#ifndef PB_AGENT_LINES_H
#define PB_AGENT_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct pb_lines {
    struct pb_buf rest; /* a line without its end yet */
    size_t max;
    bool is_skipping; /* the rest of a line that was given already */
};

void pb_lines_init(struct pb_lines *lines, size_t max);
void pb_lines_release(struct pb_lines *lines);
/* The line comes without its end ("\n" or "\r\n"). */
void pb_lines_feed(struct pb_lines *lines, const char *data, size_t len,
                   void (*line)(void *arg, const char *text, size_t len), void *arg);
/* What is left is a line too. */
void pb_lines_finish(struct pb_lines *lines, void (*line)(void *arg, const char *text, size_t len),
                     void *arg);

#endif
