/*
 * Secrets blanked out of text that leaves the node.
 *
 * A mask knows the exact values the runner was given and the shapes in which
 * they usually come back: plain, JSON-escaped, percent-encoded, hexadecimal,
 * and base64 in either alphabet at all three alignments (a token inside
 * "user:token" of a Basic header is found too). Every line of a value with
 * several lines counts as a value. Values shorter than PB_MASK_MIN bytes are
 * not searched for: they would blank ordinary words.
 *
 * Other encodings pass (gzip, rot13, letters with spaces between), and so does
 * a value cut in two before the mask saw it: mask first, cut lines afterwards.
 *
 * Safe from any thread.
 */
#ifndef PB_AGENT_MASK_H
#define PB_AGENT_MASK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

enum {
    PB_MASK_MIN = 6,
    PB_MASK_VALUE_MAX = 16 << 10, /* one value; longer ones are refused */
    PB_MASK_VALUES_MAX = 1000,
};

/* What stands where a value was. */
#define PB_MASK_TEXT "***"

struct pb_mask;

struct pb_mask *pb_mask_new(void);       /* NULL when memory is short */
void pb_mask_free(struct pb_mask *mask); /* wipes; NULL is fine */
/* Adding a value again is success. */
int pb_mask_add(struct pb_mask *mask, const char *value, struct pb_error *err) PB_MUST_CHECK;
/* Appends the text with every value replaced; says how many were. `mask` NULL copies. */
size_t pb_mask_apply(struct pb_mask *mask, const char *data, size_t len, struct pb_buf *ret_text);
bool pb_mask_finds(struct pb_mask *mask, const char *data, size_t len);

#endif
