#include "server/services/github_text.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

#define REPLACEMENT "\xef\xbf\xbd"
#define ELLIPSIS    "\xe2\x80\xa6"

/* Invisible characters that carry meaning for programs, or mislead readers. Those that only shape the
 * character before them are counted instead: see is_mark_allowed(). */
static const struct {
    uint32_t first;
    uint32_t last;
} HIDDEN[] = {
    {0x0000, 0x0008},    {0x000b, 0x001f}, {0x007f, 0x009f}, /* controls but \t and \n */
    {0x00ad, 0x00ad},                                        /* soft hyphen */
    {0x034f, 0x034f},                                        /* combining grapheme joiner */
    {0x061c, 0x061c},                                        /* Arabic letter mark */
    {0x115f, 0x1160},    {0x17b4, 0x17b5},                   /* fillers */
    {0x180b, 0x180f},                                        /* Mongolian selectors */
    {0x200b, 0x200b},    {0x200e, 0x200f},                   /* zero width space, direction marks */
    {0x2028, 0x202e}, /* separators, bidi embeddings and overrides */
    {0x2060, 0x206f}, /* word joiner, isolates, deprecated */
    {0x3164, 0x3164},    {0xfeff, 0xfeff}, {0xffa0, 0xffa0}, /* Hangul fillers, BOM */
    {0xfff9, 0xfffb},                                        /* interlinear annotations */
    {0xfdd0, 0xfdef},    {0xfffe, 0xffff},                   /* no characters */
    {0x1d173, 0x1d17a},                                      /* musical controls */
    {0xe0000, 0xe0fff},                                      /* tags, selectors */
    {0xf0000, 0x10ffff},                                     /* private planes */
};

static bool is_hidden(uint32_t c)
{
    for (size_t i = 0; i < sizeof(HIDDEN) / sizeof(HIDDEN[0]); i++)
        if (c >= HIDDEN[i].first && c <= HIDDEN[i].last)
            return true;
    return false;
}

static bool is_joiner(uint32_t c)
{
    return c == 0x200c || c == 0x200d;
}

static bool is_selector(uint32_t c)
{
    return c >= 0xfe00 && c <= 0xfe0f;
}

static uint32_t decode(const char *data, size_t len)
{
    const unsigned char *b = (const unsigned char *)data;

    switch (len) {
    case 1:
        return b[0];
    case 2:
        return (uint32_t)(b[0] & 0x1f) << 6 | (b[1] & 0x3f);
    case 3:
        return (uint32_t)(b[0] & 0x0f) << 12 | (uint32_t)(b[1] & 0x3f) << 6 | (b[2] & 0x3f);
    default:
        return (uint32_t)(b[0] & 0x07) << 18 | (uint32_t)(b[1] & 0x3f) << 12 |
               (uint32_t)(b[2] & 0x3f) << 6 | (b[3] & 0x3f);
    }
}

/* Bytes of the HTML comment at the start, 0 if there is none. One that is never closed hides the rest on
 * GitHub's page, so it ends here, too. */
static size_t comment_len(const char *data, size_t len)
{
    const char *end;

    if (len < 4 || memcmp(data, "<!--", 4) != 0)
        return 0;
    if (len >= 5 && data[4] == '>')
        return 5; /* "<!-->" is a whole, empty comment */
    if (len >= 6 && data[4] == '-' && data[5] == '>')
        return 6;
    end = memmem(data + 4, len - 4, "-->", 3);
    return end ? (size_t)(end - data) + 3 : len;
}

/* Walks the visible characters. */
struct reader {
    const char *data;
    size_t len;
    uint32_t before; /* the last visible character, 0 at the start */
    unsigned marks;  /* joiners and selectors since then */
};

/* Joiners belong behind letters of Persian and Indic scripts and between emoji, selectors behind any
 * character. More than two in a row could spell a message. */
static bool is_mark_allowed(const struct reader *reader, uint32_t c)
{
    return reader->marks < 2 && reader->before >= (is_joiner(c) ? 0x80 : 1);
}

/* The next visible character as UTF-8; its length, 0 at the end. "\r\n" and "\r" come out as "\n". */
static size_t next_visible(struct reader *reader, const char **ret_utf8)
{
    while (reader->len) {
        size_t skip = comment_len(reader->data, reader->len);
        size_t size = skip ? 0 : pb_utf8_char(reader->data, reader->len);
        const char *at = reader->data;
        uint32_t c;

        if (!skip && !size) {
            reader->data++;
            reader->len--;
            reader->before = 0xfffd;
            reader->marks = 0;
            *ret_utf8 = REPLACEMENT;
            return 3;
        }
        reader->data += skip ? skip : size;
        reader->len -= skip ? skip : size;
        if (skip)
            continue;
        c = decode(at, size);
        if (c == '\r') {
            if (reader->len && *reader->data == '\n')
                continue;
            at = "\n";
            c = '\n';
        }
        if (is_joiner(c) || is_selector(c)) {
            if (!is_mark_allowed(reader, c))
                continue;
            reader->marks++;
        } else {
            if (is_hidden(c))
                continue;
            reader->before = c;
            reader->marks = 0;
        }
        *ret_utf8 = at;
        return size;
    }
    return 0;
}

/* Taking parts out may bring the two halves of "<!--" together. */
static bool would_open_comment(const struct pb_buf *buf, size_t start, char next)
{
    return next == '-' && buf->len - start >= 3 && memcmp(buf->data + buf->len - 3, "<!-", 3) == 0;
}

void pb_github_text_clean(struct pb_buf *buf, const char *text, size_t len, size_t max_chars)
{
    struct reader reader = {.data = text, .len = len};
    size_t start = buf->len;
    const char *at;
    size_t size;

    for (size_t chars = 0; (size = next_visible(&reader, &at)); chars++) {
        if (chars == max_chars) {
            pb_buf_text(buf, PB_GITHUB_TEXT_CUT);
            return;
        }
        if (would_open_comment(buf, start, *at))
            pb_buf_char(buf, ' ');
        pb_buf_bytes(buf, at, size);
    }
}

void pb_github_text_line(struct pb_buf *buf, const char *text, size_t max_chars)
{
    struct reader reader = {.data = text, .len = strlen(text)};
    bool blank = false;
    bool any = false;
    const char *at;
    size_t size;
    size_t chars = 0;

    while ((size = next_visible(&reader, &at))) {
        if (*at == ' ' || *at == '\t' || *at == '\n') {
            blank = any;
            continue;
        }
        chars += blank ? 2 : 1;
        if (chars > max_chars) {
            pb_buf_text(buf, ELLIPSIS);
            return;
        }
        if (blank)
            pb_buf_char(buf, ' ');
        blank = false;
        any = true;
        pb_buf_bytes(buf, at, size);
    }
}

bool pb_github_text_has(const char *text, const char *part)
{
    return text && strcasestr(text, part);
}

/* The code unit of "\uXXXX" at the start, -1 if it is none. */
static int32_t unit_of(const char *at, size_t left)
{
    uint8_t bytes[2];
    char digits[5] = {0};

    if (left < 6 || at[0] != '\\' || at[1] != 'u')
        return -1;
    memcpy(digits, at + 2, 4);
    return pb_unhex(digits, bytes, 2) ? bytes[0] << 8 | bytes[1] : -1;
}

/* An escape sequence at the start: how many bytes to take, and whether they may be kept. */
static size_t escape_len(const char *at, size_t left, bool *ret_keep)
{
    int32_t unit = unit_of(at, left);
    int32_t low;

    *ret_keep = true;
    if (unit < 0)
        return left < 2 || (unsigned char)at[1] >= 0x80 ? 1 : 2;
    if (unit >= 0xd800 && unit <= 0xdbff) {
        low = unit_of(at + 6, left - 6);
        *ret_keep = low >= 0xdc00 && low <= 0xdfff;
        return *ret_keep ? 12 : 6;
    }
    *ret_keep = unit != 0 && (unit < 0xdc00 || unit > 0xdfff);
    return 6;
}

void pb_github_text_mend_json(struct pb_buf *buf, const char *json, size_t len)
{
    size_t plain = 0; /* bytes that are fine as they are and not yet copied */

    for (size_t i = 0; i < len;) {
        size_t size = 1;
        bool keep = true;

        if (json[i] == '\\')
            size = escape_len(json + i, len - i, &keep);
        else if ((unsigned char)json[i] >= 0x80)
            size = pb_utf8_char(json + i, len - i);
        if (size && keep) {
            plain += size;
            i += size;
            continue;
        }
        pb_buf_bytes(buf, json + i - plain, plain);
        pb_buf_text(buf, REPLACEMENT);
        plain = 0;
        i += size ? size : 1;
    }
    pb_buf_bytes(buf, json + len - plain, plain);
}
