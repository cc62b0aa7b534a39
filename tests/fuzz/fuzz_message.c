/* Frames of the node protocol: whatever is accepted comes back the same when it is built again. */
#include <stdlib.h>
#include <string.h>

#include "wire/frame_stream.h"
#include "wire/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool is_true)
{
    if (!is_true)
        abort();
}

static void parse(const void *frame, size_t len)
{
    struct pb_message_head head;
    struct pb_message message;
    struct pb_message again;
    struct pb_attempt_ref ref;
    struct pb_error err;
    struct pb_buf body;
    struct pb_buf built;

    if (pb_message_parse(frame, len, &message, &err) < 0)
        return;
    must(pb_message_peek(frame, len, &head, &err) == 0);
    must((head.project[0] != '\0') == (head.scope == PB_MESSAGE_SCOPE_PROJECT));
    must((size_t)(head.blob - (const char *)frame) + head.blob_len == len);
    if (pb_attempt_ref_read(message.body, &ref, &err) == 0)
        must(strlen(ref.execution) == 26 && ref.attempt > 0 && ref.fence >= 0);
    pb_buf_init(&body, 4 << 20);
    pb_buf_init(&built, 4 << 20);
    pb_json_dump(&body, message.body);
    if (!pb_buf_failed(&body)) {
        pb_message_put(&built, message.head.type, message.head.project, body.data, body.len);
        if (!pb_buf_failed(&built)) {
            must(pb_message_parse(built.data, built.len, &again, &err) == 0);
            must(again.head.type == message.head.type);
            must(strcmp(again.head.project, message.head.project) == 0);
            pb_message_release(&again);
        }
    }
    pb_buf_release(&built);
    pb_buf_release(&body);
    pb_message_release(&message);
}

/* The same bytes as a stream, fed in pieces whose size they say themselves. */
static void stream(const uint8_t *data, size_t size)
{
    size_t step = size > 0 ? (size_t)data[0] + 1 : 1;
    bool is_broken = false;
    struct pb_buf in;

    pb_buf_init(&in, PB_MESSAGE_FRAME_MAX + (256 << 10));
    for (size_t at = 0; at < size && !is_broken; at += step) {
        const void *frame;
        size_t len;

        pb_buf_bytes(&in, data + at, size - at < step ? size - at : step);
        while (pb_frame_stream_next(&in, &frame, &len, &is_broken)) {
            parse(frame, len);
            pb_frame_stream_drop(&in, len);
        }
    }
    pb_buf_release(&in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    parse(data, size);
    stream(data, size);
    return 0;
}
