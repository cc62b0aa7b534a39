#include "cli/cli_text.h"

#include <locale.h>
#include <string.h>
#include <wchar.h>

#include "base/text.h"

static const char REPLACEMENT[] = "\xef\xbf\xbd";

/* The character of `len` checked bytes. */
static unsigned decode(const char *data, size_t len)
{
    static const unsigned char FIRST_BITS[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    unsigned value = (unsigned char)data[0] & FIRST_BITS[len];

    for (size_t i = 1; i < len; i++)
        value = value << 6 | ((unsigned char)data[i] & 0x3f);
    return value;
}

/* wcwidth() asks the thread's locale, and C knows ASCII only. */
static void use_unicode(void)
{
    static locale_t unicode;

    if (!unicode)
        unicode = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    if (unicode)
        (void)uselocale(unicode);
}

static size_t char_width(const char *data, size_t len)
{
    int width;

    use_unicode();
    width = wcwidth((wchar_t)decode(data, len));
    return width < 0 ? 0 : (size_t)width;
}

size_t pb_cli_width(const char *text)
{
    size_t left = strlen(text);
    size_t width = 0;

    while (left > 0) {
        size_t len = pb_utf8_char(text, left);

        width += len ? char_width(text, len) : 1;
        text += len ? len : 1;
        left -= len ? len : 1;
    }
    return width;
}

/* Bytes of the escape sequence that starts with ESC; *ret_colour says if it is SGR. */
static size_t escape_len(const char *text, size_t len, bool *ret_colour)
{
    size_t at = 2;

    *ret_colour = false;
    if (len < 2)
        return len;
    if (text[1] == ']') { /* OSC: until BEL or ESC backslash */
        while (at < len && text[at] != '\a' && text[at] != '\x1b')
            at++;
        if (at < len && text[at] == '\x1b' && at + 1 < len && text[at + 1] == '\\')
            at++;
        return at < len ? at + 1 : len;
    }
    if (text[1] != '[')
        return 2;
    while (at < len && text[at] >= 0x20 && text[at] <= 0x3f)
        at++;
    if (at >= len)
        return len;
    *ret_colour = text[at] == 'm';
    return at + 1;
}

static bool is_control(unsigned c)
{
    /* C0, DEL, C1; and what turns the direction of reading */
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x202a && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069);
}

/* One step: how many bytes were read. */
static size_t put_one(struct pb_buf *buf, const char *text, size_t left, bool colours)
{
    size_t len = pb_utf8_char(text, left);
    bool colour;

    if (*text == '\x1b') {
        len = escape_len(text, left, &colour);
        if (colours && colour)
            pb_buf_bytes(buf, text, len);
        return len;
    }
    if (len == 0) {
        pb_buf_text(buf, REPLACEMENT);
        return 1;
    }
    if (*text == '\t' || !is_control(decode(text, len)))
        pb_buf_bytes(buf, text, len);
    return len;
}

void pb_cli_put_clean(struct pb_buf *buf, const char *text, size_t len, bool colours)
{
    while (len > 0) {
        size_t taken = put_one(buf, text, len, colours);

        text += taken;
        len -= taken;
    }
}

void pb_cli_put_cut(struct pb_buf *buf, const char *text, size_t columns)
{
    size_t used = 0;
    struct pb_buf clean;
    const char *at;

    pb_buf_init(&clean, 64 << 10);
    pb_cli_put_clean(&clean, text, strlen(text), false);
    at = pb_buf_string(&clean);
    if (pb_cli_width(at) <= columns) {
        pb_buf_text(buf, at);
    } else if (columns > 0) {
        for (size_t len; (len = pb_utf8_char(at, strlen(at))) > 0; at += len) {
            used += char_width(at, len);
            if (used > columns - 1)
                break;
            pb_buf_bytes(buf, at, len);
        }
        pb_buf_text(buf, "…");
    }
    pb_buf_release(&clean);
}
