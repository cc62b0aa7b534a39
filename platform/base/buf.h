/*
 * Growable bytes with a maximum: the only way text is built here.
 *
 * A builder appends without checking and asks pb_buf_failed() once: after the
 * first append that would pass `max` (or finds no memory) the buffer is
 * "failed" and further appends do nothing. The bytes are always followed by a
 * NUL that is not counted.
 */
#ifndef PB_BASE_BUF_H
#define PB_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct pb_buf {
    char *data; /* owned; NULL while nothing was ever appended */
    size_t len;
    size_t capacity;
    size_t max;
    bool failed;
    bool secret; /* set after init: outgrown and released memory is wiped */
};

void pb_buf_init(struct pb_buf *buf, size_t max);
void pb_buf_release(struct pb_buf *buf);
void pb_buf_clear(struct pb_buf *buf); /* keeps the memory, forgets the bytes and the failure */

void pb_buf_bytes(struct pb_buf *buf, const void *data, size_t len);
void pb_buf_text(struct pb_buf *buf, const char *text);
void pb_buf_char(struct pb_buf *buf, char c);
void pb_buf_u64(struct pb_buf *buf, uint64_t value);
void pb_buf_i64(struct pb_buf *buf, int64_t value);
void pb_buf_format(struct pb_buf *buf, const char *fmt, ...) PB_PRINTF(2, 3);
/* Room for `len` more bytes to be written by the caller, who then adds to buf->len. NULL = failed. */
char *pb_buf_reserve(struct pb_buf *buf, size_t len) PB_MUST_CHECK;
/* Removes the first `len` bytes. */
void pb_buf_consume(struct pb_buf *buf, size_t len);

bool pb_buf_failed(const struct pb_buf *buf);
/* The bytes as a C string; "" while empty. Valid until the next append. */
const char *pb_buf_string(const struct pb_buf *buf);
/* Hands the memory to the caller (free()); the buffer is empty again. NULL if failed; ret_len may
 * be NULL. */
char *pb_buf_take(struct pb_buf *buf, size_t *ret_len) PB_MUST_CHECK;

#endif
