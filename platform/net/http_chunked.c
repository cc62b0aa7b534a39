#include "net/http_chunked_private.h"

enum { EXTRA_MAX = 4096, DIGITS_MAX = 15 };

enum state {
    SIZE,         /* hex digits */
    EXTENSION,    /* behind ';' */
    SIZE_LF,      /* LF that ends the size line */
    DATA,         /* bytes of the chunk */
    DATA_CR,      /* CR behind them */
    DATA_LF,      /* LF behind them */
    TRAILER,      /* first byte of a trailer line, or the CR of the last line */
    TRAILER_NAME, /* up to ':' */
    TRAILER_TEXT, /* its value */
    TRAILER_LF,   /* LF that ends it */
    END_LF,       /* the very last LF */
    DONE,
    BAD,
};

const bool PB_HTTP_TOKEN_CHARS[256] = {
    ['0' ... '9'] = true, ['a' ... 'z'] = true, ['A' ... 'Z'] = true, ['!'] = true,  ['#'] = true,
    ['$'] = true,         ['%'] = true,         ['&'] = true,         ['\''] = true, ['*'] = true,
    ['+'] = true,         ['-'] = true,         ['.'] = true,         ['^'] = true,  ['_'] = true,
    ['`'] = true,         ['|'] = true,         ['~'] = true,
};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static enum state after_size(struct pb_http_chunked *chunked, char c)
{
    int digit = hex_digit(c);

    if (digit >= 0 && chunked->digits < DIGITS_MAX) {
        chunked->digits++;
        chunked->left = chunked->left * 16 + (uint64_t)digit;
        return SIZE;
    }
    if (chunked->digits == 0 || digit >= 0)
        return BAD;
    return c == '\r' ? SIZE_LF : c == ';' ? EXTENSION : BAD;
}

static enum state after_size_line(struct pb_http_chunked *chunked, char c)
{
    bool is_last = chunked->left == 0;

    if (c != '\n')
        return BAD;
    chunked->digits = 0;
    return is_last ? TRAILER : DATA;
}

static enum state counted(struct pb_http_chunked *chunked, enum state next)
{
    return ++chunked->extra > EXTRA_MAX ? BAD : next;
}

static enum state after(struct pb_http_chunked *chunked, char c)
{
    unsigned char byte = (unsigned char)c;

    switch ((enum state)chunked->state) {
    case SIZE:
        return after_size(chunked, c);
    case EXTENSION:
        if (c == '\r')
            return SIZE_LF;
        return pb_http_is_text_char(byte) ? counted(chunked, EXTENSION) : BAD;
    case SIZE_LF:
        return after_size_line(chunked, c);
    case DATA_CR:
        return c == '\r' ? DATA_LF : BAD;
    case DATA_LF:
        return c == '\n' ? SIZE : BAD;
    case TRAILER:
        if (c == '\r')
            return END_LF;
        return pb_http_is_token_char(byte) ? counted(chunked, TRAILER_NAME) : BAD;
    case TRAILER_NAME:
        if (c == ':')
            return counted(chunked, TRAILER_TEXT);
        return pb_http_is_token_char(byte) ? counted(chunked, TRAILER_NAME) : BAD;
    case TRAILER_TEXT:
        if (c == '\r')
            return TRAILER_LF;
        return pb_http_is_text_char(byte) ? counted(chunked, TRAILER_TEXT) : BAD;
    case TRAILER_LF:
        return c == '\n' ? TRAILER : BAD;
    case END_LF:
        return c == '\n' ? DONE : BAD;
    case DATA: /* taken in blocks */
    case DONE:
    case BAD:
        return BAD;
    }
    return BAD;
}

static size_t take_data(struct pb_http_chunked *chunked, size_t len)
{
    size_t block = len < chunked->left ? len : (size_t)chunked->left;

    chunked->left -= block;
    chunked->body_len += block;
    if (chunked->left == 0)
        chunked->state = DATA_CR;
    return block;
}

bool pb_http_chunked_scan(struct pb_http_chunked *chunked, const char *data, size_t len,
                          size_t *ret_used, bool *ret_done)
{
    size_t i = 0;

    while (i < len && chunked->state != DONE && chunked->state != BAD) {
        if (chunked->state == DATA)
            i += take_data(chunked, len - i);
        else
            chunked->state = (int)after(chunked, data[i++]);
    }
    *ret_used = i;
    *ret_done = chunked->state == DONE;
    return chunked->state != BAD;
}
