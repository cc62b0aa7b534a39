/*
 * Frames, whole and cut: the messages and the verdict must not depend on the
 * cuts, no message is larger than allowed, text is UTF-8. The first byte says
 * which end reads.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "net/websocket_private.h"

enum { MESSAGE_MAX = 1000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void note_message(const struct pb_websocket_incoming *incoming, struct pb_buf *seen)
{
    if (incoming->len > MESSAGE_MAX)
        abort();
    if (incoming->opcode == PB_WEBSOCKET_TEXT && !pb_utf8_valid(incoming->data, incoming->len))
        abort();
    pb_buf_format(seen, "%d %d %zu ", (int)incoming->opcode, incoming->code, incoming->len);
    pb_buf_bytes(seen, incoming->data, incoming->len);
}

/* False after a violation. */
static bool read_piece(struct pb_websocket_reader *reader, const char *data, size_t len,
                       struct pb_buf *seen)
{
    struct pb_websocket_incoming incoming;
    enum pb_websocket_read result;
    const char *words;

    pb_websocket_reader_give(reader, data, len);
    while ((result = pb_websocket_reader_next(reader, &incoming)) == PB_WEBSOCKET_GOT)
        note_message(&incoming, seen);
    if (result == PB_WEBSOCKET_WANTS_MORE && pb_websocket_reader_rest(reader, &words) != 0)
        abort();
    if (result != PB_WEBSOCKET_VIOLATION)
        return true;
    pb_buf_format(seen, "violation %d", pb_websocket_reader_violation(reader, &words));
    return false;
}

static void read_in_pieces(bool is_server, const char *data, size_t size, size_t step,
                           struct pb_buf *seen)
{
    struct pb_websocket_reader *reader = pb_websocket_reader_new(is_server, MESSAGE_MAX);
    bool goes_on = true;

    if (!reader)
        abort();
    for (size_t at = 0; at < size && goes_on; at += step)
        goes_on = read_piece(reader, data + at, size - at < step ? size - at : step, seen);
    pb_websocket_reader_free(reader);
}

/* What we write we read. */
static void there_and_back(bool is_server, const char *data, size_t len)
{
    static const uint8_t mask[4] = {0x80, 1, 0xff, 7};
    uint8_t header[PB_WEBSOCKET_HEADER_MAX];
    size_t header_len =
        pb_websocket_write_header(PB_WEBSOCKET_BINARY, len, is_server ? mask : NULL, header);
    struct pb_websocket_reader *reader = pb_websocket_reader_new(is_server, len);
    struct pb_websocket_incoming incoming;
    char *frame = malloc(header_len + len);

    if (!reader || !frame)
        abort();
    memcpy(frame, header, header_len);
    pb_websocket_mask(is_server ? mask : (const uint8_t[4]){0}, data, len, frame + header_len);
    pb_websocket_reader_give(reader, frame, header_len + len);
    if (pb_websocket_reader_next(reader, &incoming) != PB_WEBSOCKET_GOT || incoming.len != len ||
        (len > 0 && memcmp(incoming.data, data, len) != 0))
        abort();
    free(frame);
    pb_websocket_reader_free(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t steps[] = {1, 7};
    struct pb_buf whole, cut;
    bool is_server;

    if (size == 0)
        return 0;
    is_server = data[0] & 1;
    data++;
    size--;
    pb_buf_init(&whole, 8 << 20);
    pb_buf_init(&cut, 8 << 20);
    read_in_pieces(is_server, (const char *)data, size, size + 1, &whole);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        pb_buf_clear(&cut);
        read_in_pieces(is_server, (const char *)data, size, steps[i], &cut);
        if (cut.len != whole.len || (cut.len > 0 && memcmp(cut.data, whole.data, cut.len) != 0))
            abort();
    }
    there_and_back(is_server, (const char *)data, size);
    pb_buf_release(&whole);
    pb_buf_release(&cut);
    return 0;
}
