#include "agent/line_text.h"

#include <stdbool.h>
#include <string.h>

#include "base/text.h"
#include "wire/message.h"

enum { ESCAPE = 0x1b, DELETE = 0x7f, SGR_MAX = 32 };

#define REPLACEMENT "\xef\xbf\xbd"

/* Length of an escape sequence at the start, and whether it only colours. */
static size_t escape_sequence(const char *text, size_t len, bool *is_colour)
{
    size_t at = 2;

    *is_colour = false;
    if (len < 2 || text[1] != '[')
        return len < 2 ? len : 2;
    while (at < len && (unsigned char)text[at] >= 0x20 && (unsigned char)text[at] < 0x40)
        at++;
    if (at >= len || (unsigned char)text[at] < 0x40 || (unsigned char)text[at] > 0x7e)
        return at; /* cut, or broken off by what follows */
    *is_colour = text[at] == 'm' && at < SGR_MAX && strspn(text + 2, "0123456789;:") == at - 2;
    return at + 1;
}

static bool is_control(const char *text, size_t char_len)
{
    unsigned char c = (unsigned char)text[0];

    if (char_len == 2 && c == 0xc2) /* U+0080 … U+009F */
        return (unsigned char)text[1] < 0xa0;
    return (c < 0x20 && c != '\t') || c == DELETE;
}

/* What becomes of the bytes at `text`: `*ret_put` is appended, the result consumed. */
static size_t next_piece(const char *text, size_t len, const char **ret_put, size_t *ret_put_len)
{
    size_t char_len = pb_utf8_char(text, len);
    bool is_colour;

    *ret_put = text;
    *ret_put_len = char_len;
    if (text[0] == ESCAPE) {
        size_t sequence = escape_sequence(text, len, &is_colour);

        *ret_put_len = is_colour ? sequence : 0;
        return sequence;
    }
    if (char_len == 0) {
        *ret_put = REPLACEMENT;
        *ret_put_len = strlen(REPLACEMENT);
        return 1;
    }
    if (is_control(text, char_len))
        *ret_put_len = 0;
    return char_len;
}

void pb_line_text(struct pb_buf *ret_text, const char *text, size_t len)
{
    size_t start = ret_text->len;

    while (len > 0) {
        const char *put;
        size_t put_len;
        size_t used = next_piece(text, len, &put, &put_len);

        if (ret_text->len - start + put_len > PB_MESSAGE_LINE_MAX - strlen(PB_LINE_TEXT_CUT)) {
            pb_buf_text(ret_text, PB_LINE_TEXT_CUT);
            return;
        }
        if (put_len > 0)
            pb_buf_bytes(ret_text, put, put_len);
        text += used;
        len -= used;
    }
}
