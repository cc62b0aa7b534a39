/* Event streams, whole and cut: the events must not depend on the cuts. */
#include <stdlib.h>
#include <string.h>

#include "agent/sse.h"
#include "agent/usage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_event(void *arg, const char *event, const char *data, size_t len)
{
    struct pb_buf *seen = arg;

    pb_buf_text(seen, event);
    pb_buf_char(seen, '\0');
    pb_buf_bytes(seen, data, len);
    pb_buf_char(seen, '\0');
}

static void read_in_pieces(const char *data, size_t size, size_t step, struct pb_buf *seen)
{
    struct pb_sse sse;

    pb_sse_init(&sse, on_event, seen);
    for (size_t i = 0; i < size; i += step)
        pb_sse_feed(&sse, data + i, size - i < step ? size - i : step);
    pb_sse_release(&sse);
}

static void read_usage(const char *data, size_t size, bool is_sse)
{
    struct pb_usage_reader reader;
    struct pb_buf line;

    pb_usage_reader_init(&reader, 200, is_sse);
    pb_usage_reader_feed(&reader, data, size);
    pb_usage_reader_end(&reader, false, 0);
    pb_buf_init(&line, PB_USAGE_LINE_MAX);
    pb_usage_write(&line, &reader.call);
    if (pb_buf_failed(&line) || reader.call.tokens.input < 0)
        abort();
    pb_buf_release(&line);
    pb_usage_reader_release(&reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pb_buf whole, pieces;
    size_t step = size > 0 ? 1 + data[0] % 17 : 1;

    pb_buf_init(&whole, 8 << 20);
    pb_buf_init(&pieces, 8 << 20);
    read_in_pieces((const char *)data, size, size + 1, &whole);
    read_in_pieces((const char *)data, size, step, &pieces);
    if (whole.len != pieces.len ||
        (whole.len > 0 && memcmp(whole.data, pieces.data, whole.len) != 0))
        abort();
    pb_buf_release(&whole);
    pb_buf_release(&pieces);
    read_usage((const char *)data, size, true);
    read_usage((const char *)data, size, false);
    return 0;
}
