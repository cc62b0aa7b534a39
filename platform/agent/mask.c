#include "agent/mask.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/json.h"
#include "base/text.h"

struct shape {
    char *bytes; /* owned, wiped */
    size_t len;
};

struct pb_mask {
    pthread_mutex_t lock; /* guards everything below */
    struct shape *shapes; /* longest first, so that a value inside another never shows the rest */
    size_t count, capacity;
    size_t values;
    bool starts[256]; /* first bytes of all shapes: most positions are passed by one look */
};

struct pb_mask *pb_mask_new(void)
{
    struct pb_mask *mask = calloc(1, sizeof(*mask));

    if (mask)
        pthread_mutex_init(&mask->lock, NULL);
    return mask;
}

void pb_mask_free(struct pb_mask *mask)
{
    if (!mask)
        return;
    for (size_t i = 0; i < mask->count; i++) {
        pb_wipe(mask->shapes[i].bytes, mask->shapes[i].len);
        free(mask->shapes[i].bytes);
    }
    free(mask->shapes);
    pthread_mutex_destroy(&mask->lock);
    free(mask);
}

static bool has_shape(const struct pb_mask *mask, const char *data, size_t len)
{
    for (size_t i = 0; i < mask->count; i++)
        if (mask->shapes[i].len == len && memcmp(mask->shapes[i].bytes, data, len) == 0)
            return true;
    return false;
}

static int add_shape(struct pb_mask *mask, const char *data, size_t len, struct pb_error *err)
{
    size_t at = 0;
    char *copy;

    if (len < PB_MASK_MIN || has_shape(mask, data, len))
        return 0;
    if (mask->count == mask->capacity) {
        size_t capacity = mask->capacity ? mask->capacity * 2 : 16;
        struct shape *grown = realloc(mask->shapes, capacity * sizeof(*grown));
        if (!grown)
            return pb_fail(err, PB_ERROR_LIMITED, "no memory for masked values");
        mask->shapes = grown;
        mask->capacity = capacity;
    }
    copy = malloc(len);
    if (!copy)
        return pb_fail(err, PB_ERROR_LIMITED, "no memory for masked values");
    memcpy(copy, data, len);
    while (at < mask->count && mask->shapes[at].len >= len)
        at++;
    memmove(&mask->shapes[at + 1], &mask->shapes[at], (mask->count - at) * sizeof(struct shape));
    mask->shapes[at] = (struct shape){copy, len};
    mask->count++;
    mask->starts[(uint8_t)data[0]] = true;
    return 0;
}

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '~';
}

static void write_percent(struct pb_buf *buf, const char *data, size_t len, bool lower)
{
    for (size_t i = 0; i < len; i++) {
        if (is_unreserved(data[i]))
            pb_buf_char(buf, data[i]);
        else
            pb_buf_format(buf, lower ? "%%%02x" : "%%%02X", (uint8_t)data[i]);
    }
}

static void write_hex(struct pb_buf *buf, const char *data, size_t len, bool upper)
{
    for (size_t i = 0; i < len; i++)
        pb_buf_format(buf, upper ? "%02X" : "%02x", (uint8_t)data[i]);
}

static void write_json(struct pb_buf *buf, const char *data, size_t len, bool slashes)
{
    pb_buf_json_string(buf, data, len);
    if (pb_buf_failed(buf) || buf->len < 2)
        return;
    buf->len--; /* without its quotes */
    pb_buf_consume(buf, 1);
    for (size_t i = 0; slashes && i < buf->len; i++) {
        if (buf->data[i] != '/' || !pb_buf_reserve(buf, 1))
            continue;
        memmove(buf->data + i + 1, buf->data + i, buf->len - i);
        buf->data[i++] = '\\';
        buf->len++;
    }
}

/* The characters that depend on the value alone, whatever stands before and behind it. */
static void write_base64(struct pb_buf *buf, const char *data, size_t len, size_t alignment,
                         bool url)
{
    struct pb_buf padded;
    size_t first = (alignment * 8 + 5) / 6;
    size_t end = (alignment + len) * 8 / 6;

    pb_buf_init(&padded, len + 4);
    padded.secret = true;
    for (size_t i = 0; i < alignment; i++)
        pb_buf_char(&padded, 0);
    pb_buf_bytes(&padded, data, len);
    if (url)
        pb_buf_base64url(buf, padded.data, padded.len);
    else
        pb_buf_base64(buf, padded.data, padded.len);
    pb_buf_release(&padded);
    if (pb_buf_failed(buf) || end > buf->len)
        return;
    buf->len = end;
    pb_buf_consume(buf, first);
}

enum encoding { PLAIN, JSON, JSON_SLASHES, PERCENT, PERCENT_LOWER, HEX, HEX_UPPER, BASE64 };

static void write_shape(struct pb_buf *buf, int encoding, const char *data, size_t len)
{
    switch (encoding) {
    case PLAIN:
        pb_buf_bytes(buf, data, len);
        break;
    case JSON:
    case JSON_SLASHES:
        write_json(buf, data, len, encoding == JSON_SLASHES);
        break;
    case PERCENT:
    case PERCENT_LOWER:
        write_percent(buf, data, len, encoding == PERCENT_LOWER);
        break;
    case HEX:
    case HEX_UPPER:
        write_hex(buf, data, len, encoding == HEX_UPPER);
        break;
    default: /* BASE64 and the five behind it: three alignments in two alphabets */
        write_base64(buf, data, len, (size_t)(encoding - BASE64) / 2, (encoding - BASE64) % 2);
    }
}

static int add_value(struct pb_mask *mask, const char *data, size_t len, struct pb_error *err)
{
    int r = 0;

    if (len < PB_MASK_MIN)
        return 0;
    for (int encoding = PLAIN; encoding < BASE64 + 6 && r == 0; encoding++) {
        struct pb_buf buf;
        pb_buf_init(&buf, 8 * (size_t)PB_MASK_VALUE_MAX);
        buf.secret = true;
        write_shape(&buf, encoding, data, len);
        if (pb_buf_failed(&buf))
            r = pb_fail(err, PB_ERROR_LIMITED, "no memory for masked values");
        else
            r = add_shape(mask, buf.data, buf.len, err);
        pb_buf_release(&buf);
    }
    return r;
}

int pb_mask_add(struct pb_mask *mask, const char *value, struct pb_error *err)
{
    size_t len = strlen(value);
    int r;

    if (len > PB_MASK_VALUE_MAX)
        return pb_fail(err, PB_ERROR_TOO_LARGE, "a value to mask has more than %d bytes",
                       (int)PB_MASK_VALUE_MAX);
    pthread_mutex_lock(&mask->lock);
    if (has_shape(mask, value, len))
        r = 0;
    else if (mask->values == PB_MASK_VALUES_MAX)
        r = pb_fail(err, PB_ERROR_LIMITED, "more than %d values to mask", (int)PB_MASK_VALUES_MAX);
    else
        r = add_value(mask, value, len, err);
    for (const char *line = value, *end; r == 0 && strchr(value, '\n') && *line; line = end) {
        end = line + strcspn(line, "\r\n");
        r = add_value(mask, line, (size_t)(end - line), err);
        end += strspn(end, "\r\n");
    }
    mask->values += r == 0;
    pthread_mutex_unlock(&mask->lock);
    return r;
}

/* Length of the longest shape that stands here; 0 = none. */
static size_t match(const struct pb_mask *mask, const char *data, size_t len)
{
    if (!mask->starts[(uint8_t)data[0]])
        return 0;
    for (size_t i = 0; i < mask->count; i++)
        if (mask->shapes[i].len <= len &&
            memcmp(mask->shapes[i].bytes, data, mask->shapes[i].len) == 0)
            return mask->shapes[i].len;
    return 0;
}

/* End of the run of values that begins at `at`. Values may overlap: one that starts inside another
 * hides what it covers as well. */
static size_t run_end(const struct pb_mask *mask, const char *data, size_t len, size_t at)
{
    size_t end = at + match(mask, data + at, len - at);

    for (size_t i = at + 1; i < end; i++) {
        size_t more = match(mask, data + i, len - i);
        if (more && i + more > end)
            end = i + more;
    }
    return end;
}

size_t pb_mask_apply(struct pb_mask *mask, const char *data, size_t len, struct pb_buf *ret_text)
{
    size_t found = 0, copied = 0, i = 0;

    if (!mask) {
        pb_buf_bytes(ret_text, data, len);
        return 0;
    }
    pthread_mutex_lock(&mask->lock);
    while (i < len) {
        size_t end = run_end(mask, data, len, i);
        if (end == i) {
            i++;
            continue;
        }
        pb_buf_bytes(ret_text, data + copied, i - copied);
        pb_buf_text(ret_text, PB_MASK_TEXT);
        found++;
        i = copied = end;
    }
    pthread_mutex_unlock(&mask->lock);
    pb_buf_bytes(ret_text, data + copied, len - copied);
    return found;
}

bool pb_mask_finds(struct pb_mask *mask, const char *data, size_t len)
{
    bool found = false;

    if (!mask)
        return false;
    pthread_mutex_lock(&mask->lock);
    for (size_t i = 0; i < len && !found; i++)
        found = match(mask, data + i, len - i) > 0;
    pthread_mutex_unlock(&mask->lock);
    return found;
}
