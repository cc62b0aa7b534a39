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

void pb_json_put_millionths(struct pb_json_writer *w, const char *name, int64_t value)
{
    uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    uint64_t rest = size % 1000000;
    char digits[7] = {'.'};
    size_t count = 0;

    lead_in(w, name);
    if (value < 0)
        pb_buf_char(w->buf, '-');
    pb_buf_u64(w->buf, size / 1000000);
    for (uint64_t unit = 100000; rest > 0; unit /= 10) {
        digits[++count] = (char)('0' + rest / unit);
        rest %= unit;
    }
    if (count > 0)
        pb_buf_bytes(w->buf, digits, count + 1);
}

void pb_json_put_time(struct pb_json_writer *w, const char *name, int64_t wall_ms)
{
    char text[PB_CLOCK_TEXT + 2];

    if (wall_ms <= 0) {
        pb_json_put_null(w, name);
        return;
    }
    text[0] = '"';
    pb_clock_format(wall_ms, text + 1);
    text[PB_CLOCK_TEXT] = '"';
    lead_in(w, name);
    pb_buf_bytes(w->buf, text, PB_CLOCK_TEXT + 1);
}

/* Bytes that stand for themselves inside a JSON string. */
static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* Eight bytes at once: a byte of `word` is zero when its top bit survives. */
#define EACH(byte)     (UINT64_C(0x0101010101010101) * (byte))
#define HAS_ZERO(word) (((word)-EACH(1)) & ~(word)&EACH(0x80))

static bool are_plain(uint64_t word)
{
    return ((word & EACH(0x80)) | ((word - EACH(0x20)) & ~word & EACH(0x80)) |
            HAS_ZERO(word ^ EACH('"')) | HAS_ZERO(word ^ EACH('\\')) |
            HAS_ZERO(word ^ EACH(0x7f))) == 0;
}

/* How many bytes from the start stand for themselves. */
static size_t plain_run(const char *data, size_t len)
{
    size_t at = 0;
    uint64_t word;

    for (; len - at >= sizeof(word); at += sizeof(word)) {
        memcpy(&word, data + at, sizeof(word));
        if (!are_plain(word))
            break;
    }
    while (at < len && is_plain((unsigned char)data[at]))
        at++;
    return at;
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

/* From the first byte that is not plain on: `at` is where it is. */
static void put_rest(struct pb_buf *buf, const char *data, size_t at, size_t len)
{
    size_t start = at;

    while (at < len) {
        size_t step = pb_utf8_char(data + at, len - at);

        if (step > 1) {
            at += step;
            continue;
        }
        if (step == 1 && is_plain((unsigned char)data[at])) {
            at += plain_run(data + at, len - at);
            continue;
        }
        pb_buf_bytes(buf, data + start, at - start);
        if (step == 1)
            put_escaped(buf, (unsigned char)data[at]);
        else
            pb_buf_text(buf, "\xef\xbf\xbd"); /* U+FFFD */
        start = ++at;
    }
    pb_buf_bytes(buf, data + start, at - start);
}

void pb_buf_json_string(struct pb_buf *buf, const char *data, size_t len)
{
    size_t plain = plain_run(data, len);
    char *to = len < SIZE_MAX - 2 ? pb_buf_reserve(buf, len + 2) : NULL;

    if (!to) {
        buf->failed = true;
        return;
    }
    *to++ = '"';
    if (plain > 0)
        memcpy(to, data, plain);
    buf->len += plain + 1;
    if (plain < len)
        put_rest(buf, data, plain, len);
    pb_buf_char(buf, '"');
}
