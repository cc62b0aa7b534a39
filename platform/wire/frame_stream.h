/*
 * Frames over a byte stream: a big-endian 32-bit length, then the frame.
 *
 * Within a node the same frames travel as on the WebSocket, but over
 * SOCK_STREAM pairs: a SEQPACKET message is limited to about 208 KiB, and a
 * prompt or a list of projects may be longer (docs/adr/0004).
 */
#ifndef PB_WIRE_FRAME_STREAM_H
#define PB_WIRE_FRAME_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

void pb_frame_stream_put(struct pb_buf *out, const void *frame, size_t len);

/* Looks at the bytes read so far. True: a whole frame lies in ret_frame; take it away with
 * pb_frame_stream_drop(in, *ret_len) once it is used. False: read on. A length that no frame can have
 * sets *ret_is_broken: close the stream. */
bool pb_frame_stream_next(const struct pb_buf *in, const void **ret_frame, size_t *ret_len,
                          bool *ret_is_broken);
void pb_frame_stream_drop(struct pb_buf *in, size_t frame_len);

#endif
