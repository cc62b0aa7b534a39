#include "agent/stream_json.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/stream_json_private.h"
#include "base/text.h"

enum {
    TEXTS_MAX = 256 << 10,
    KEEP_PARTIAL = 64 << 10, /* memory kept between lines */
    BAD_LINE_BYTES = 4096,
};

struct pb_stream_json *pb_stream_json_new(void)
{
    struct pb_stream_json *stream = calloc(1, sizeof(*stream));

    if (!stream)
        return NULL;
    pb_buf_init(&stream->partial, PB_STREAM_LINE_MAX);
    pb_buf_init(&stream->result, PB_STREAM_LINE_MAX);
    pb_buf_init(&stream->cwd, 4096);
    pb_arena_init(&stream->texts, TEXTS_MAX);
    return stream;
}

void pb_stream_json_free(struct pb_stream_json *stream)
{
    if (!stream)
        return;
    pb_buf_release(&stream->partial);
    pb_buf_release(&stream->result);
    pb_buf_release(&stream->cwd);
    pb_arena_release(&stream->texts);
    free(stream);
}

const struct pb_stream_facts *pb_stream_json_facts(const struct pb_stream_json *stream)
{
    return &stream->facts;
}

static void hand_over(struct pb_stream_json *stream, char kind, const char *text, size_t len)
{
    if (len > 0 && text[len - 1] == '\r')
        len--;
    stream->line(stream->arg, kind, text, len);
}

static size_t count_lines(const char *text, size_t len)
{
    size_t lines = len > 0 && text[len - 1] != '\n';

    for (const char *end = text + len; (text = memchr(text, '\n', (size_t)(end - text))); text++)
        lines++;
    return lines;
}

static void say_lines(struct pb_stream_json *stream, char kind, const char *text, size_t len,
                      struct pb_stream_bound bound)
{
    size_t shown = 0;
    const char *at = text, *end = text + len;

    if (len == 0)
        return;
    while (at < end && shown < bound.lines && (size_t)(at - text) < bound.bytes) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline ? newline : end;
        hand_over(stream, kind, at, (size_t)(stop - at));
        shown++;
        at = newline ? newline + 1 : end;
    }
    if (at < end)
        pb_stream_sayf(stream, kind, "… (%zu lines, %zu bytes in all)", count_lines(text, len),
                       len);
}

void pb_stream_say(struct pb_stream_json *stream, char kind, const char *prefix, const char *text,
                   struct pb_stream_bound bound)
{
    size_t len = strlen(text);
    struct pb_buf joined;

    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        len--;
    if (!prefix[0]) {
        say_lines(stream, kind, text, len, bound);
        return;
    }
    pb_buf_init(&joined, 2 * (size_t)PB_STREAM_LINE_MAX);
    pb_buf_text(&joined, prefix);
    pb_buf_bytes(&joined, text, len);
    if (pb_buf_failed(&joined))
        pb_stream_sayf(stream, 'w', "a text of %zu bytes is not shown: memory is short", len);
    else
        say_lines(stream, kind, joined.data, joined.len, bound);
    pb_buf_release(&joined);
}

void pb_stream_sayf(struct pb_stream_json *stream, char kind, const char *fmt, ...)
{
    struct pb_buf text;
    va_list args;
    char *room;
    int len;

    va_start(args, fmt);
    len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (len < 0)
        return;
    pb_buf_init(&text, (size_t)len + 1);
    room = pb_buf_reserve(&text, (size_t)len + 1);
    if (room) {
        va_start(args, fmt);
        (void)vsnprintf(room, (size_t)len + 1, fmt, args);
        va_end(args);
        hand_over(stream, kind, room, strcspn(room, "\n"));
    }
    pb_buf_release(&text);
}

size_t pb_stream_cut(const char *text, size_t len, size_t max)
{
    while (max < len && text[max] != ' ' && text[max] != '\n' && text[max] != '\t')
        max++;
    return max < len ? max : len;
}

const char *pb_stream_keep(struct pb_stream_json *stream, const char *text, size_t max)
{
    if (!text)
        return NULL;
    return pb_arena_bytes(&stream->texts, text, pb_stream_cut(text, strlen(text), max));
}

/*
 * JavaScript writes NUL and halves of surrogate pairs as escapes (a tool's
 * output cut in the middle of an emoji is enough), and strict JSON readers
 * refuse both. They become U+FFFD, so that one odd character cannot hide a
 * whole line.
 */
static int hex4(const char *at, size_t left)
{
    uint8_t bytes[2];
    char digits[5] = {0};

    if (left < 6 || at[0] != '\\' || at[1] != 'u')
        return -1;
    memcpy(digits, at + 2, 4);
    return pb_unhex(digits, bytes, 2) ? bytes[0] << 8 | bytes[1] : -1;
}

static size_t mend_escape(struct pb_buf *out, const char *at, size_t left)
{
    int unit = hex4(at, left);
    bool high = unit >= 0xd800 && unit <= 0xdbff;

    if (high) {
        int low = hex4(at + 6, left - 6);
        if (low >= 0xdc00 && low <= 0xdfff) {
            pb_buf_bytes(out, at, 12);
            return 12;
        }
    }
    if (unit == 0 || (unit >= 0xd800 && unit <= 0xdfff)) {
        pb_buf_text(out, "\\ufffd");
        return 6;
    }
    /* The next byte belongs to the escape, unless it begins a character of its own. */
    left = left > 1 && (signed char)at[1] > 0 ? 2 : 1;
    pb_buf_bytes(out, at, left);
    return left;
}

static void mend(struct pb_buf *out, const char *line, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t plain = i, character = 1;
        while (plain < len && line[plain] != '\\' && (signed char)line[plain] > 0)
            plain++;
        pb_buf_bytes(out, line + i, plain - i);
        i = plain;
        if (i == len)
            break;
        if (line[i] == '\\') {
            i += mend_escape(out, line + i, len - i);
        } else if ((character = pb_utf8_char(line + i, len - i)) > 1) {
            pb_buf_bytes(out, line + i, character);
            i += character;
        } else {
            pb_buf_text(out, "\xef\xbf\xbd");
            i++;
        }
    }
}

static struct pb_json *parse_mended(const char *line, size_t len)
{
    struct pb_error err = {0};
    struct pb_json *event = NULL;
    struct pb_buf mended;

    pb_buf_init(&mended, 3 * (size_t)PB_STREAM_LINE_MAX);
    mend(&mended, line, len);
    if (!pb_buf_failed(&mended))
        event = pb_json_parse(mended.data, mended.len, &err);
    pb_buf_release(&mended);
    return event;
}

static void show_bad_line(struct pb_stream_json *stream, const char *line, size_t len)
{
    struct pb_buf text;

    pb_buf_init(&text, PB_STREAM_LINE_MAX * 3L);
    mend(&text, line, len);
    stream->facts.bad_lines++;
    pb_stream_say(stream, 'o', "", pb_buf_string(&text),
                  (struct pb_stream_bound){.lines = 1, .bytes = BAD_LINE_BYTES});
    pb_buf_release(&text);
}

static void take_line(struct pb_stream_json *stream, const char *line, size_t len)
{
    struct pb_error err = {0};
    struct pb_json *event;

    while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == ' '))
        len--;
    if (len == 0)
        return;
    event = line[0] == '{' ? pb_json_parse(line, len, &err) : NULL;
    if (!event && line[0] == '{')
        event = parse_mended(line, len);
    if (event) {
        stream->facts.lines++;
        pb_stream_event(stream, event);
    } else {
        show_bad_line(stream, line, len);
    }
    pb_json_free(event);
}

static void take_partial(struct pb_stream_json *stream)
{
    if (pb_buf_failed(&stream->partial) || stream->skipping) {
        stream->facts.lost_lines++;
        pb_stream_sayf(stream, 'w', "a line of more than %d MiB is not shown",
                       PB_STREAM_LINE_MAX >> 20);
    } else if (stream->partial.len > 0) {
        take_line(stream, stream->partial.data, stream->partial.len);
    }
    stream->skipping = false;
    if (stream->partial.capacity > KEEP_PARTIAL)
        pb_buf_release(&stream->partial);
    else
        pb_buf_clear(&stream->partial);
}

void pb_stream_json_feed(struct pb_stream_json *stream, const char *data, size_t len,
                         pb_stream_line *line, void *arg)
{
    const char *end = data + len;

    stream->line = line;
    stream->arg = arg;
    while (data < end) {
        const char *newline = memchr(data, '\n', (size_t)(end - data));
        size_t piece = (size_t)((newline ? newline : end) - data);

        if (newline && stream->partial.len == 0 && !stream->skipping) {
            take_line(stream, data, piece);
        } else {
            if (!stream->skipping)
                pb_buf_bytes(&stream->partial, data, piece);
            if (pb_buf_failed(&stream->partial)) {
                stream->skipping = true;
                pb_buf_release(&stream->partial);
            }
            if (newline)
                take_partial(stream);
        }
        data += piece + (newline ? 1 : 0);
    }
}

void pb_stream_json_end(struct pb_stream_json *stream, pb_stream_line *line, void *arg)
{
    stream->line = line;
    stream->arg = arg;
    take_partial(stream);
}
