#include "agent/sse.h"

#include <string.h>

#include "base/text.h"

static void begin_line(struct pb_sse *sse)
{
    sse->where = PB_SSE_FIELD;
    sse->field_len = 0;
    sse->line_empty = true;
}

static void begin_event(struct pb_sse *sse)
{
    pb_buf_clear(&sse->data);
    sse->name_len = 0;
    sse->has_data = sse->skip = false;
}

void pb_sse_init(struct pb_sse *sse, void (*event)(void *, const char *, const char *, size_t),
                 void *arg)
{
    *sse = (struct pb_sse){.event = event, .arg = arg};
    pb_buf_init(&sse->data, PB_SSE_DATA_MAX);
    begin_event(sse);
    begin_line(sse);
}

void pb_sse_release(struct pb_sse *sse)
{
    pb_buf_release(&sse->data);
}

static bool field_is(const struct pb_sse *sse, const char *name)
{
    return sse->field_len == strlen(name) && memcmp(sse->field, name, sse->field_len) == 0;
}

static void end_event(struct pb_sse *sse)
{
    sse->name[sse->name_len] = '\0';
    if (sse->has_data && !sse->skip && !pb_buf_failed(&sse->data))
        sse->event(sse->arg, sse->name_len ? sse->name : "message", pb_buf_string(&sse->data),
                   sse->data.len);
    begin_event(sse);
}

static void end_line(struct pb_sse *sse)
{
    if (sse->line_empty)
        end_event(sse);
    else if (field_is(sse, "data"))
        sse->has_data = true;
    begin_line(sse);
}

/* The ':' has been read: the field's name is known. */
static void begin_value(struct pb_sse *sse)
{
    sse->where = PB_SSE_SPACE;
    if (field_is(sse, "event")) {
        sse->name_len = 0;
    } else if (field_is(sse, "data")) {
        sse->name[sse->name_len] = '\0';
        if (!sse->has_data && sse->name_len && sse->wants && !sse->wants(sse->name))
            sse->skip = true;
        if (sse->has_data && !sse->skip)
            pb_buf_char(&sse->data, '\n');
    } else {
        sse->where = PB_SSE_IGNORED;
    }
}

static void field_char(struct pb_sse *sse, char c)
{
    if (c == ':')
        begin_value(sse);
    else if (sse->field_len < sizeof(sse->field))
        sse->field[sse->field_len++] = c;
    else
        sse->where = PB_SSE_IGNORED;
}

/* Takes what belongs to the value up to the end of the line; returns how many bytes. */
static size_t value_bytes(struct pb_sse *sse, const char *data, size_t len)
{
    size_t count = 0;

    while (count < len && data[count] != '\n' && data[count] != '\r')
        count++;
    if (field_is(sse, "data")) {
        if (!sse->skip)
            pb_buf_bytes(&sse->data, data, count);
        return count;
    }
    for (size_t i = 0; i < count; i++)
        if (sse->name_len < sizeof(sse->name) - 1)
            sse->name[sse->name_len++] = data[i];
    return count;
}

static size_t feed_some(struct pb_sse *sse, const char *data, size_t len)
{
    char c = data[0];

    if (c == '\n' && sse->after_cr) {
        sse->after_cr = false;
        return 1;
    }
    sse->after_cr = c == '\r';
    if (c == '\n' || c == '\r') {
        end_line(sse);
        return 1;
    }
    sse->line_empty = false;
    if (sse->where == PB_SSE_FIELD) {
        field_char(sse, c);
        return 1;
    }
    if (sse->where == PB_SSE_SPACE) {
        sse->where = PB_SSE_VALUE;
        if (c == ' ')
            return 1;
    }
    if (sse->where == PB_SSE_VALUE)
        return value_bytes(sse, data, len);
    return 1;
}

void pb_sse_feed(struct pb_sse *sse, const void *data, size_t len)
{
    for (const char *at = data; len > 0;) {
        size_t taken = feed_some(sse, at, len);
        at += taken;
        len -= taken;
    }
}
