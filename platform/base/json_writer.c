#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

void pb_json_writer_init(struct pb_json_writer *w, struct pb_buf *buf)
{
    *w = (struct pb_json_writer){.buf = buf};
}

/* What stands before a value: the comma, and inside an object its name. */
static void lead_in(struct pb_json_writer *w, const char *name)
{
    if (w->depth > 0 && w->depth <= PB_JSON_WRITER_DEPTH) {
        if (w->comma[w->depth - 1])
            pb_buf_char(w->buf, ',');
        w->comma[w->depth - 1] = true;
    }
    if (name) {
        pb_buf_json_string(w->buf, name, strlen(name));
        pb_buf_char(w->buf, ':');
    }
}

static void begin(struct pb_json_writer *w, const char *name, char bracket)
{
    lead_in(w, name);
    pb_buf_char(w->buf, bracket);
    w->depth++;
    if (w->depth > PB_JSON_WRITER_DEPTH)
        w->buf->failed = true;
    else
        w->comma[w->depth - 1] = false;
}

static void end(struct pb_json_writer *w, char bracket)
{
    if (w->depth == 0)
        w->buf->failed = true; /* more ends than begins: better no reply than a broken one */
    else
        w->depth--;
    pb_buf_char(w->buf, bracket);
}

void pb_json_begin_object(struct pb_json_writer *w, const char *name)
{
    begin(w, name, '{');
}

void pb_json_end_object(struct pb_json_writer *w)
{
    end(w, '}');
}

void pb_json_begin_array(struct pb_json_writer *w, const char *name)
{
    begin(w, name, '[');
}

void pb_json_end_array(struct pb_json_writer *w)
{
    end(w, ']');
}

void pb_json_put_text(struct pb_json_writer *w, const char *name, const char *value)
{
    if (value)
        pb_json_put_bytes(w, name, value, strlen(value));
    else
        pb_json_put_null(w, name);
}

void pb_json_put_bytes(struct pb_json_writer *w, const char *name, const char *data, size_t len)
{
    lead_in(w, name);
    pb_buf_json_string(w->buf, data, len);
}

void pb_json_put_int(struct pb_json_writer *w, const char *name, int64_t value)
{
    lead_in(w, name);
    pb_buf_i64(w->buf, value);
}

/* As short as reads back to the same number; JSON has no word for infinity. */
void pb_json_put_number(struct pb_json_writer *w, const char *name, double value)
{
    char text[32];

    if (!isfinite(value)) {
        pb_json_put_null(w, name);
        return;
    }
    (void)snprintf(text, sizeof(text), "%.15g", value);
    if (strtod(text, NULL) < value || strtod(text, NULL) > value)
        (void)snprintf(text, sizeof(text), "%.17g", value);
    lead_in(w, name);
    pb_buf_text(w->buf, text);
}

void pb_json_put_bool(struct pb_json_writer *w, const char *name, bool value)
{
    pb_json_put_raw(w, name, value ? "true" : "false");
}

void pb_json_put_null(struct pb_json_writer *w, const char *name)
{
    pb_json_put_raw(w, name, "null");
}

void pb_json_put_raw(struct pb_json_writer *w, const char *name, const char *json)
{
    lead_in(w, name);
    pb_buf_text(w->buf, json);
}

void pb_json_put_time(struct pb_json_writer *w, const char *name, int64_t wall_ms)
{
    char text[PB_CLOCK_TEXT];

    if (wall_ms <= 0) {
        pb_json_put_null(w, name);
        return;
    }
    pb_clock_format(wall_ms, text);
    lead_in(w, name);
    pb_buf_char(w->buf, '"');
    pb_buf_text(w->buf, text);
    pb_buf_char(w->buf, '"');
}

/* Bytes that stand for themselves inside a JSON string. */
static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static void put_escaped(struct pb_buf *buf, unsigned char c)
{
    static const char SHORT[0x20] = {
        ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    char text[2] = {'\\', 0};

    if (c == '"' || c == '\\')
        text[1] = (char)c;
    else if (c < sizeof(SHORT))
        text[1] = SHORT[c];
    if (text[1])
        pb_buf_bytes(buf, text, sizeof(text));
    else
        pb_buf_format(buf, "\\u%04x", c);
}

void pb_buf_json_string(struct pb_buf *buf, const char *data, size_t len)
{
    size_t at = 0;

    pb_buf_char(buf, '"');
    while (at < len) {
        size_t start = at;
        size_t step;

        while (at < len && is_plain((unsigned char)data[at]))
            at++;
        pb_buf_bytes(buf, data + start, at - start);
        if (at == len)
            break;
        step = pb_utf8_char(data + at, len - at);
        if (step > 1)
            pb_buf_bytes(buf, data + at, step);
        else if (step == 1)
            put_escaped(buf, (unsigned char)data[at]);
        else
            pb_buf_text(buf, "\xef\xbf\xbd"); /* U+FFFD */
        at += step > 0 ? step : 1;
    }
    pb_buf_char(buf, '"');
}
