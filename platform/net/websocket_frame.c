#include <stdlib.h>
#include <string.h>
#include <wslay/wslay.h>

#include "base/text.h"
#include "net/websocket_private.h"

enum { KEEP_BYTES = 64 * 1024 }; /* larger message buffers are given back */

struct pb_websocket_reader {
    wslay_frame_context_ptr frames;
    bool is_server;
    const char *given; /* borrowed */
    size_t given_len;

    bool in_frame;
    struct wslay_frame_iocb frame; /* of the frame being read: all but its data */
    uint64_t frame_left;

    bool in_message;
    enum pb_websocket_opcode opcode; /* of the message */
    size_t message_max;
    struct pb_buf message;
    char control[PB_WEBSOCKET_CONTROL_MAX + 1];
    size_t control_len;
    bool is_delivered; /* the message has been handed out: forget it on the next call */

    int code; /* of the violation */
    const char *words;
};

static ssize_t take_given(uint8_t *buf, size_t len, int flags, void *arg)
{
    struct pb_websocket_reader *reader = arg;
    size_t taken = len < reader->given_len ? len : reader->given_len;

    (void)flags;
    if (taken == 0)
        return -1;
    memcpy(buf, reader->given, taken);
    reader->given += taken;
    reader->given_len -= taken;
    return (ssize_t)taken;
}

struct pb_websocket_reader *pb_websocket_reader_new(bool is_server, size_t message_max)
{
    static const struct wslay_frame_callbacks callbacks = {.recv_callback = take_given};
    struct pb_websocket_reader *reader = calloc(1, sizeof(*reader));

    if (!reader)
        return NULL;
    reader->is_server = is_server;
    reader->message_max = message_max;
    pb_buf_init(&reader->message, message_max);
    if (wslay_frame_context_init(&reader->frames, &callbacks, reader) != 0) {
        free(reader);
        return NULL;
    }
    return reader;
}

void pb_websocket_reader_free(struct pb_websocket_reader *reader)
{
    if (!reader)
        return;
    wslay_frame_context_free(reader->frames);
    pb_buf_release(&reader->message);
    free(reader);
}

void pb_websocket_reader_give(struct pb_websocket_reader *reader, const void *data, size_t len)
{
    reader->given = data;
    reader->given_len = len;
}

size_t pb_websocket_reader_rest(struct pb_websocket_reader *reader, const char **ret_data)
{
    size_t rest = reader->given_len;

    *ret_data = reader->given;
    reader->given = NULL;
    reader->given_len = 0;
    return rest;
}

static enum pb_websocket_read violate(struct pb_websocket_reader *reader, int code,
                                      const char *words)
{
    reader->code = code;
    reader->words = words;
    return PB_WEBSOCKET_VIOLATION;
}

int pb_websocket_reader_violation(const struct pb_websocket_reader *reader, const char **ret_words)
{
    *ret_words = reader->words;
    return reader->code;
}

static enum pb_websocket_read begin_data_frame(struct pb_websocket_reader *reader,
                                               const struct wslay_frame_iocb *frame)
{
    bool continues = frame->opcode == WSLAY_CONTINUATION_FRAME;

    if (continues != reader->in_message)
        return violate(reader, 1002, "fragments out of order");
    if (!continues)
        reader->opcode = (enum pb_websocket_opcode)frame->opcode;
    reader->in_message = true;
    if (frame->payload_length > reader->message_max - reader->message.len)
        return violate(reader, 1009, "message too large");
    return PB_WEBSOCKET_WANTS_MORE;
}

static enum pb_websocket_read begin_frame(struct pb_websocket_reader *reader,
                                          const struct wslay_frame_iocb *frame)
{
    if (frame->rsv != 0)
        return violate(reader, 1002, "reserved bits are set");
    if (!!frame->mask != reader->is_server)
        return violate(reader, 1002, reader->is_server ? "frame not masked" : "frame masked");
    reader->in_frame = true;
    reader->frame = *frame;
    reader->frame_left = frame->payload_length;
    switch (frame->opcode) {
    case WSLAY_CONTINUATION_FRAME:
    case WSLAY_TEXT_FRAME:
    case WSLAY_BINARY_FRAME:
        return begin_data_frame(reader, frame);
    case WSLAY_CONNECTION_CLOSE:
    case WSLAY_PING:
    case WSLAY_PONG:
        reader->control_len = 0;
        if (frame->payload_length > PB_WEBSOCKET_CONTROL_MAX || !frame->fin)
            return violate(reader, 1002, "control frame too long or fragmented");
        return PB_WEBSOCKET_WANTS_MORE;
    default:
        return violate(reader, 1002, "unknown opcode");
    }
}

static enum pb_websocket_read end_data_frame(struct pb_websocket_reader *reader,
                                             struct pb_websocket_incoming *incoming)
{
    if (!reader->frame.fin)
        return PB_WEBSOCKET_WANTS_MORE;
    if (pb_buf_failed(&reader->message))
        return violate(reader, 1011, "out of memory");
    if (reader->opcode == PB_WEBSOCKET_TEXT &&
        !pb_utf8_valid(pb_buf_string(&reader->message), reader->message.len))
        return violate(reader, 1007, "text is not UTF-8");
    reader->in_message = false;
    reader->is_delivered = true;
    *incoming = (struct pb_websocket_incoming){.opcode = reader->opcode,
                                               .data = pb_buf_string(&reader->message),
                                               .len = reader->message.len};
    return PB_WEBSOCKET_GOT;
}

/* RFC 6455 §7.4 and the codes registered since. */
static bool code_may_be_sent(int code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

static enum pb_websocket_read end_close_frame(struct pb_websocket_reader *reader,
                                              struct pb_websocket_incoming *incoming)
{
    const unsigned char *bytes = (const unsigned char *)reader->control;

    *incoming =
        (struct pb_websocket_incoming){.opcode = PB_WEBSOCKET_CLOSE, .data = "", .code = 1005};
    if (reader->control_len == 0)
        return PB_WEBSOCKET_GOT;
    if (reader->control_len == 1)
        return violate(reader, 1002, "close code cut short");
    incoming->code = bytes[0] << 8 | bytes[1];
    incoming->data = reader->control + 2;
    incoming->len = reader->control_len - 2;
    if (!code_may_be_sent(incoming->code))
        return violate(reader, 1002, "close code not allowed");
    if (!pb_utf8_valid(incoming->data, incoming->len))
        return violate(reader, 1007, "close reason is not UTF-8");
    return PB_WEBSOCKET_GOT;
}

static enum pb_websocket_read end_frame(struct pb_websocket_reader *reader,
                                        struct pb_websocket_incoming *incoming)
{
    reader->in_frame = false;
    if (!wslay_is_ctrl_frame(reader->frame.opcode))
        return end_data_frame(reader, incoming);
    reader->control[reader->control_len] = '\0';
    if (reader->frame.opcode == WSLAY_CONNECTION_CLOSE)
        return end_close_frame(reader, incoming);
    *incoming =
        (struct pb_websocket_incoming){.opcode = (enum pb_websocket_opcode)reader->frame.opcode,
                                       .data = reader->control,
                                       .len = reader->control_len};
    return PB_WEBSOCKET_GOT;
}

static void keep(struct pb_websocket_reader *reader, const struct wslay_frame_iocb *piece)
{
    if (!wslay_is_ctrl_frame(reader->frame.opcode)) {
        pb_buf_bytes(&reader->message, piece->data, piece->data_length);
    } else if (piece->data_length > 0) {
        memcpy(reader->control + reader->control_len, piece->data, piece->data_length);
        reader->control_len += piece->data_length;
    }
    reader->frame_left -= piece->data_length;
}

static void forget_delivered(struct pb_websocket_reader *reader)
{
    if (!reader->is_delivered)
        return;
    reader->is_delivered = false;
    if (reader->message.capacity > KEEP_BYTES)
        pb_buf_release(&reader->message);
    else
        pb_buf_clear(&reader->message);
}

enum pb_websocket_read pb_websocket_reader_next(struct pb_websocket_reader *reader,
                                                struct pb_websocket_incoming *ret_incoming)
{
    enum pb_websocket_read result = PB_WEBSOCKET_WANTS_MORE;

    forget_delivered(reader);
    while (result == PB_WEBSOCKET_WANTS_MORE) {
        struct wslay_frame_iocb piece = {0};
        ssize_t got = wslay_frame_recv(reader->frames, &piece);

        if (got == WSLAY_ERR_WANT_READ)
            return PB_WEBSOCKET_WANTS_MORE;
        if (got < 0)
            return violate(reader, 1002, "malformed frame");
        if (!reader->in_frame)
            result = begin_frame(reader, &piece);
        if (result == PB_WEBSOCKET_VIOLATION)
            return result;
        keep(reader, &piece);
        if (reader->frame_left == 0)
            result = end_frame(reader, ret_incoming);
    }
    return result;
}

size_t pb_websocket_write_header(enum pb_websocket_opcode opcode, size_t len, const uint8_t *mask,
                                 uint8_t ret_header[PB_WEBSOCKET_HEADER_MAX])
{
    uint8_t mask_bit = mask ? 0x80 : 0;
    size_t at = 2;

    ret_header[0] = (uint8_t)(0x80 | opcode);
    if (len <= 125) {
        ret_header[1] = (uint8_t)(mask_bit | len);
    } else if (len <= UINT16_MAX) {
        ret_header[1] = mask_bit | 126;
        ret_header[at++] = (uint8_t)(len >> 8);
        ret_header[at++] = (uint8_t)len;
    } else {
        ret_header[1] = mask_bit | 127;
        for (int shift = 56; shift >= 0; shift -= 8)
            ret_header[at++] = (uint8_t)((uint64_t)len >> shift);
    }
    if (mask) {
        memcpy(ret_header + at, mask, 4);
        at += 4;
    }
    return at;
}

void pb_websocket_mask(const uint8_t mask[4], const void *data, size_t len, char *ret_masked)
{
    const uint8_t *bytes = data;

    for (size_t i = 0; i < len; i++)
        ret_masked[i] = (char)(bytes[i] ^ mask[i % 4]);
}
