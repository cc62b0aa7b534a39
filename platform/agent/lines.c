#include "agent/lines.h"

#include <string.h>

void pb_lines_init(struct pb_lines *lines, size_t max)
{
    *lines = (struct pb_lines){.max = max};
    pb_buf_init(&lines->rest, max);
}

void pb_lines_release(struct pb_lines *lines)
{
    pb_buf_release(&lines->rest);
}

static void give(struct pb_lines *lines, void (*line)(void *arg, const char *text, size_t len),
                 void *arg)
{
    size_t len = lines->rest.len;

    if (len > 0 && lines->rest.data[len - 1] == '\r')
        len--;
    line(arg, pb_buf_string(&lines->rest), len);
    pb_buf_clear(&lines->rest);
}

void pb_lines_feed(struct pb_lines *lines, const char *data, size_t len,
                   void (*line)(void *arg, const char *text, size_t len), void *arg)
{
    while (len > 0) {
        const char *end = memchr(data, '\n', len);
        size_t part = end ? (size_t)(end - data) : len;
        size_t room = lines->max - lines->rest.len;

        if (!lines->is_skipping) {
            pb_buf_bytes(&lines->rest, data, part < room ? part : room);
            if (part > room) {
                give(lines, line, arg);
                lines->is_skipping = true;
            }
        }
        if (!end)
            return;
        if (!lines->is_skipping)
            give(lines, line, arg);
        lines->is_skipping = false;
        data += part + 1;
        len -= part + 1;
    }
}

void pb_lines_finish(struct pb_lines *lines, void (*line)(void *arg, const char *text, size_t len),
                     void *arg)
{
    if (!lines->is_skipping && lines->rest.len > 0)
        give(lines, line, arg);
    lines->is_skipping = false;
}
