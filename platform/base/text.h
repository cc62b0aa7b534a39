/* Small questions about strings: numbers in, prefixes, UTF-8, hex and base64. */
#ifndef PB_BASE_TEXT_H
#define PB_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

/* Whole string, decimal, no space; a minus only for i64. False leaves *ret_value alone. */
bool pb_parse_u64(const char *text, uint64_t max, uint64_t *ret_value) PB_MUST_CHECK;
bool pb_parse_i64(const char *text, int64_t min, int64_t max, int64_t *ret_value) PB_MUST_CHECK;
bool pb_text_equal(const char *a, const char *b);        /* NULL equals only NULL */
bool pb_text_equal_nocase(const char *a, const char *b); /* ASCII */
bool pb_text_starts(const char *text, const char *prefix);
bool pb_text_ends(const char *text, const char *suffix);
bool pb_utf8_valid(const char *data, size_t len);
/* Bytes of the character at the start; 0 if there is none, or it is cut or malformed. */
size_t pb_utf8_char(const char *data, size_t len);
/* Length of the longest prefix of at most `max` bytes that does not cut a character. */
size_t pb_utf8_cut(const char *data, size_t len, size_t max);

void pb_buf_hex(struct pb_buf *buf, const void *data, size_t len);
void pb_buf_base64(struct pb_buf *buf, const void *data, size_t len);    /* padded */
void pb_buf_base64url(struct pb_buf *buf, const void *data, size_t len); /* not padded */
/* Appends the decoded bytes; false if it is not base64 (either alphabet, padding optional). */
bool pb_buf_unbase64(struct pb_buf *buf, const char *text, size_t len) PB_MUST_CHECK;
/* Exactly 2 * size digits, either case. */
bool pb_unhex(const char *text, void *ret_data, size_t size) PB_MUST_CHECK;

#endif
