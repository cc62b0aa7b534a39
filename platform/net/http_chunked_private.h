/*
 * Where a chunked body ends, by our own strict reading of RFC 9112 §7.1: no
 * bare CR or LF, no space around sizes, bounded extensions and trailers. It
 * runs ahead of llhttp, which never sees a byte this has not passed.
 */
#ifndef PB_NET_HTTP_CHUNKED_PRIVATE_H
#define PB_NET_HTTP_CHUNKED_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* All zero is the start of a body. */
struct pb_http_chunked {
    int state;
    unsigned digits;   /* of the size being read */
    uint64_t left;     /* of the chunk being read */
    uint64_t body_len; /* decoded bytes so far */
    size_t extra;      /* extension and trailer bytes so far, bounded */
};

/* Takes bytes up to the end of the message. False = malformed. */
bool pb_http_chunked_scan(struct pb_http_chunked *chunked, const char *data, size_t len,
                          size_t *ret_used, bool *ret_done) PB_MUST_CHECK;

extern const bool PB_HTTP_TOKEN_CHARS[256];

static inline bool pb_http_is_token_char(unsigned char c)
{
    return PB_HTTP_TOKEN_CHARS[c];
}

/* HTAB, SP, VCHAR, obs-text: what a field value may hold. */
static inline bool pb_http_is_text_char(unsigned char c)
{
    return c == '\t' || (c >= 0x20 && c != 0x7f);
}

#endif
