#include "wire/frame_stream.h"

#include <stdint.h>

#include "wire/message.h"

enum { LENGTH_BYTES = 4 };

void pb_frame_stream_put(struct pb_buf *out, const void *frame, size_t len)
{
    const char length[LENGTH_BYTES] = {(char)(len >> 24 & 0xff), (char)(len >> 16 & 0xff),
                                       (char)(len >> 8 & 0xff), (char)(len & 0xff)};

    if (len > out->max || out->len + LENGTH_BYTES > out->max - len) {
        out->failed = true; /* all of a frame or nothing of it */
        return;
    }
    pb_buf_bytes(out, length, sizeof(length));
    pb_buf_bytes(out, frame, len);
}

bool pb_frame_stream_next(const struct pb_buf *in, const void **ret_frame, size_t *ret_len,
                          bool *ret_is_broken)
{
    const uint8_t *at = (const uint8_t *)in->data;
    size_t len;

    *ret_is_broken = false;
    if (in->len < LENGTH_BYTES)
        return false;
    len = (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
    if (len < PB_MESSAGE_HEADER_BYTES || len > PB_MESSAGE_FRAME_MAX) {
        *ret_is_broken = true;
        return false;
    }
    if (in->len - LENGTH_BYTES < len)
        return false;
    *ret_frame = at + LENGTH_BYTES;
    *ret_len = len;
    return true;
}

void pb_frame_stream_drop(struct pb_buf *in, size_t frame_len)
{
    pb_buf_consume(in, LENGTH_BYTES + frame_len);
}
