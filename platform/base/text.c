#include "base/text.h"

#include <string.h>

bool pb_parse_u64(const char *text, uint64_t max, uint64_t *ret_value)
{
    uint64_t value = 0;

    if (!text || !*text)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        if (__builtin_mul_overflow(value, 10U, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value))
            return false;
    }
    if (value > max)
        return false;
    *ret_value = value;
    return true;
}

bool pb_parse_i64(const char *text, int64_t min, int64_t max, int64_t *ret_value)
{
    bool negative = text && *text == '-';
    uint64_t magnitude;
    int64_t value;

    if (!pb_parse_u64(negative ? text + 1 : text, (uint64_t)INT64_MAX + negative, &magnitude))
        return false;
    if (negative)
        value = magnitude == 0 ? 0 : -(int64_t)(magnitude - 1) - 1;
    else
        value = (int64_t)magnitude;
    if (value < min || value > max)
        return false;
    *ret_value = value;
    return true;
}

bool pb_text_equal(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

bool pb_text_equal_nocase(const char *a, const char *b)
{
    if (!a || !b)
        return a == b;
    while (*a && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    return lower(*a) == lower(*b);
}

bool pb_text_starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool pb_text_ends(const char *text, const char *suffix)
{
    size_t len = strlen(text);
    size_t tail = strlen(suffix);

    return len >= tail && memcmp(text + len - tail, suffix, tail) == 0;
}

/* Well-formed sequences (Unicode 15, table 3-7): lead bytes, length, range of the second byte. */
static const struct {
    uint8_t first, last, len, second_min, second_max;
} SEQUENCES[] = {
    {0x00, 0x7f, 1, 0, 0},       {0xc2, 0xdf, 2, 0x80, 0xbf}, {0xe0, 0xe0, 3, 0xa0, 0xbf},
    {0xe1, 0xec, 3, 0x80, 0xbf}, {0xed, 0xed, 3, 0x80, 0x9f}, {0xee, 0xef, 3, 0x80, 0xbf},
    {0xf0, 0xf0, 4, 0x90, 0xbf}, {0xf1, 0xf3, 4, 0x80, 0xbf}, {0xf4, 0xf4, 4, 0x80, 0x8f},
};

size_t pb_utf8_char(const char *data, size_t len)
{
    const uint8_t *bytes = (const uint8_t *)data;

    if (len == 0)
        return 0;
    for (size_t i = 0; i < sizeof(SEQUENCES) / sizeof(SEQUENCES[0]); i++) {
        if (bytes[0] > SEQUENCES[i].last)
            continue;
        if (bytes[0] < SEQUENCES[i].first || len < SEQUENCES[i].len)
            return 0;
        if (SEQUENCES[i].len > 1 &&
            (bytes[1] < SEQUENCES[i].second_min || bytes[1] > SEQUENCES[i].second_max))
            return 0;
        for (size_t j = 2; j < SEQUENCES[i].len; j++)
            if ((bytes[j] & 0xc0) != 0x80)
                return 0;
        return SEQUENCES[i].len;
    }
    return 0;
}

/* Length of the plain ASCII at the start, eight bytes at a time. */
static size_t ascii_run(const char *data, size_t len)
{
    size_t at = 0;
    uint64_t word;

    while (len - at >= sizeof(word)) {
        memcpy(&word, data + at, sizeof(word));
        if (word & 0x8080808080808080U)
            break;
        at += sizeof(word);
    }
    return at;
}

bool pb_utf8_valid(const char *data, size_t len)
{
    size_t at = 0;

    while (at < len) {
        size_t step = ascii_run(data + at, len - at);

        if (step == 0)
            step = pb_utf8_char(data + at, len - at);
        if (step == 0)
            return false;
        at += step;
    }
    return true;
}

size_t pb_utf8_cut(const char *data, size_t len, size_t max)
{
    if (len <= max)
        return len;
    for (size_t back = 0; back < 4 && back <= max; back++)
        if (((uint8_t)data[max - back] & 0xc0) != 0x80)
            return max - back;
    return max; /* not UTF-8: nothing to spare */
}

void pb_buf_hex(struct pb_buf *buf, const void *data, size_t len)
{
    static const char DIGITS[] = "0123456789abcdef";
    const uint8_t *bytes = data;
    char *out = len <= SIZE_MAX / 2 ? pb_buf_reserve(buf, len * 2) : NULL;

    if (!out) {
        buf->failed = true;
        return;
    }
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = DIGITS[bytes[i] >> 4];
        out[2 * i + 1] = DIGITS[bytes[i] & 15];
    }
    buf->len += len * 2;
}

static const char BASE64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char BASE64URL[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void append_base64(struct pb_buf *buf, const uint8_t *bytes, size_t len,
                          const char *alphabet, bool padded)
{
    for (size_t at = 0; at < len; at += 3) {
        size_t left = len - at;
        uint32_t group = (uint32_t)bytes[at] << 16;
        char out[4] = {'=', '=', '=', '='};

        if (left > 1)
            group |= (uint32_t)bytes[at + 1] << 8;
        if (left > 2)
            group |= bytes[at + 2];
        out[0] = alphabet[group >> 18];
        out[1] = alphabet[(group >> 12) & 63];
        if (left > 1)
            out[2] = alphabet[(group >> 6) & 63];
        if (left > 2)
            out[3] = alphabet[group & 63];
        pb_buf_bytes(buf, out, padded || left > 2 ? 4 : left + 1);
    }
}

void pb_buf_base64(struct pb_buf *buf, const void *data, size_t len)
{
    append_base64(buf, data, len, BASE64, true);
}

void pb_buf_base64url(struct pb_buf *buf, const void *data, size_t len)
{
    append_base64(buf, data, len, BASE64URL, false);
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    if (c == '/' || c == '_')
        return 63;
    return -1;
}

/* Padding, if there is any, must be complete. */
static bool strip_padding(const char *text, size_t *len)
{
    size_t all = *len;

    while (*len > 0 && text[*len - 1] == '=' && all - *len < 2)
        --*len;
    return all == *len || all % 4 == 0;
}

bool pb_buf_unbase64(struct pb_buf *buf, const char *text, size_t len)
{
    size_t start = buf->len;
    uint32_t group = 0;
    unsigned bits = 0;

    if (!strip_padding(text, &len) || len % 4 == 1)
        return false;
    for (size_t i = 0; i < len; i++) {
        int value = base64_value(text[i]);

        if (value < 0) {
            buf->len = start;
            return false;
        }
        group = (group << 6 | (uint32_t)value) & 0xffffff;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            pb_buf_char(buf, (char)(uint8_t)(group >> bits));
        }
    }
    if (group & ((1U << bits) - 1)) { /* one value has one spelling */
        buf->len = start;
        return false;
    }
    return !buf->failed;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool pb_unhex(const char *text, void *ret_data, size_t size)
{
    uint8_t *bytes = ret_data;

    if (size > SIZE_MAX / 2 || strlen(text) != size * 2)
        return false;
    for (size_t i = 0; i < size * 2; i++)
        if (hex_value(text[i]) < 0)
            return false; /* before anything is written */
    for (size_t i = 0; i < size; i++)
        bytes[i] =
            (uint8_t)((unsigned)hex_value(text[2 * i]) << 4 | (unsigned)hex_value(text[2 * i + 1]));
    return true;
}
