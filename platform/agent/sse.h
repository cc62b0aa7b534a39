/*
 * Server-sent events out of a byte stream, cut anywhere.
 *
 * Lines end with LF, CR or CRLF. An event is handed over at its blank line,
 * with its name ("message" when it had none) and its data lines joined by LF.
 * `wants` is asked once per event that names itself before its data, so that
 * the thousands of small deltas are passed over without being copied; an
 * unnamed event is always kept. Data beyond PB_SSE_DATA_MAX is dropped and the
 * event with it. An event without its blank line at the end is no event.
 */
#ifndef PB_AGENT_SSE_H
#define PB_AGENT_SSE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

enum {
    PB_SSE_NAME_MAX = 64,
    PB_SSE_DATA_MAX = 1 << 20,
};

struct pb_sse {
    bool (*wants)(const char *event); /* NULL = all */
    void (*event)(void *arg, const char *event, const char *data, size_t len);
    void *arg;
    struct pb_buf data;
    char name[PB_SSE_NAME_MAX]; /* of the event being read */
    char field[8];              /* of the line being read */
    size_t field_len, name_len;
    enum { PB_SSE_FIELD, PB_SSE_SPACE, PB_SSE_VALUE, PB_SSE_IGNORED } where;
    bool after_cr, line_empty, has_data, skip;
};

void pb_sse_init(struct pb_sse *sse, void (*event)(void *arg, const char *, const char *, size_t),
                 void *arg);
void pb_sse_feed(struct pb_sse *sse, const void *data, size_t len);
void pb_sse_release(struct pb_sse *sse);

#endif
