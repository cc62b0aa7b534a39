#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CAPACITY_MIN = 64 };

void pb_buf_init(struct pb_buf *buf, size_t max)
{
    *buf = (struct pb_buf){.max = max};
}

void pb_buf_release(struct pb_buf *buf)
{
    if (buf->secret && buf->data)
        explicit_bzero(buf->data, buf->capacity);
    free(buf->data);
    *buf = (struct pb_buf){.max = buf->max, .secret = buf->secret};
}

void pb_buf_clear(struct pb_buf *buf)
{
    if (buf->secret && buf->data)
        explicit_bzero(buf->data, buf->capacity);
    buf->len = 0;
    buf->failed = false;
    if (buf->data)
        buf->data[0] = '\0';
}

/* realloc() would leave a copy of a secret behind. */
static char *regrow(struct pb_buf *buf, size_t capacity)
{
    char *data;

    if (!buf->secret)
        return realloc(buf->data, capacity);
    data = malloc(capacity);
    if (data && buf->data) {
        memcpy(data, buf->data, buf->len);
        explicit_bzero(buf->data, buf->capacity);
        free(buf->data);
    }
    return data;
}

/* Room for `len` more bytes and the NUL. */
static bool make_room(struct pb_buf *buf, size_t len)
{
    size_t need;
    size_t capacity = buf->capacity ? buf->capacity : CAPACITY_MIN;
    char *data;

    if (buf->failed || len > buf->max - buf->len || buf->len + len == SIZE_MAX) {
        buf->failed = true;
        return false;
    }
    need = buf->len + len + 1;
    if (need <= buf->capacity)
        return true;
    while (capacity < need)
        capacity = capacity > SIZE_MAX / 2 ? need : capacity * 2;
    if (capacity - 1 > buf->max)
        capacity = buf->max + 1;
    data = regrow(buf, capacity);
    if (!data) {
        buf->failed = true;
        return false;
    }
    buf->data = data;
    buf->capacity = capacity;
    return true;
}

void pb_buf_bytes(struct pb_buf *buf, const void *data, size_t len)
{
    if (len == 0 || (len >= buf->capacity - buf->len && !make_room(buf, len)) || buf->failed)
        return;
    memcpy(buf->data + buf->len, data, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
}

void pb_buf_text(struct pb_buf *buf, const char *text)
{
    pb_buf_bytes(buf, text, strlen(text));
}

void pb_buf_char(struct pb_buf *buf, char c)
{
    if ((buf->capacity - buf->len < 2 && !make_room(buf, 1)) || buf->failed)
        return;
    buf->data[buf->len++] = c;
    buf->data[buf->len] = '\0';
}

void pb_buf_u64(struct pb_buf *buf, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    pb_buf_bytes(buf, digits + at, sizeof(digits) - at);
}

void pb_buf_i64(struct pb_buf *buf, int64_t value)
{
    if (value < 0)
        pb_buf_char(buf, '-');
    pb_buf_u64(buf, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void pb_buf_format(struct pb_buf *buf, const char *fmt, ...)
{
    va_list ap;
    int len;

    va_start(ap, fmt);
    len = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (len < 0) {
        buf->failed = true;
        return;
    }
    if (len == 0 || !make_room(buf, (size_t)len))
        return;
    va_start(ap, fmt);
    (void)vsnprintf(buf->data + buf->len, (size_t)len + 1, fmt, ap);
    va_end(ap);
    buf->len += (size_t)len;
}

char *pb_buf_reserve(struct pb_buf *buf, size_t len)
{
    if (!make_room(buf, len))
        return NULL;
    buf->data[buf->len + len] = '\0';
    return buf->data + buf->len;
}

void pb_buf_consume(struct pb_buf *buf, size_t len)
{
    if (!buf->data)
        return;
    if (len > buf->len)
        len = buf->len;
    buf->len -= len;
    memmove(buf->data, buf->data + len, buf->len);
    buf->data[buf->len] = '\0';
}

bool pb_buf_failed(const struct pb_buf *buf)
{
    return buf->failed;
}

const char *pb_buf_string(const struct pb_buf *buf)
{
    if (!buf->data)
        return "";
    buf->data[buf->len] = '\0'; /* after pb_buf_reserve() the caller moved the end */
    return buf->data;
}

char *pb_buf_take(struct pb_buf *buf, size_t *ret_len)
{
    char *data;

    if (!make_room(buf, 0))
        return NULL;
    data = buf->data;
    data[buf->len] = '\0';
    if (ret_len)
        *ret_len = buf->len;
    *buf = (struct pb_buf){.max = buf->max, .secret = buf->secret};
    return data;
}
