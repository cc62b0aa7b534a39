/* Text to independent zstd frames and back: the door to the library. One thread at a time. */
#ifndef PB_SERVER_STORE_LOG_ZSTD_PRIVATE_H
#define PB_SERVER_STORE_LOG_ZSTD_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

struct pb_log_zstd;

/* For one direction or both; what a direction needs is made at its first use. */
struct pb_log_zstd *pb_log_zstd_new(struct pb_error *err) PB_MUST_CHECK;
void pb_log_zstd_free(struct pb_log_zstd *zstd); /* NULL is fine */

/* Appends one frame with a checksum of the text. */
int pb_log_zstd_pack(struct pb_log_zstd *zstd, const char *text, size_t len,
                     struct pb_buf *ret_frame, struct pb_error *err) PB_MUST_CHECK;
/* Exactly `len` bytes of text from exactly this frame; false if it is not that. */
bool pb_log_zstd_unpack(struct pb_log_zstd *zstd, const void *frame, size_t frame_len,
                        char *ret_text, size_t len) PB_MUST_CHECK;
/* No frame of so much text is longer. */
size_t pb_log_zstd_bound(size_t len);

#endif
