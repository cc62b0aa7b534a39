/* What the CLI prints, whole and cut: lines are UTF-8 without newline and do not depend on the cuts. */
#include <stdlib.h>
#include <string.h>

#include "agent/claude_driver.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct pb_buf *seen;

static void on_line(void *arg, char stream, const char *text, size_t len)
{
    (void)arg;
    if (memchr(text, '\n', len) || !pb_utf8_valid(text, len))
        abort();
    pb_buf_char(seen, stream);
    pb_buf_bytes(seen, text, len);
    pb_buf_char(seen, '\n');
}

static void read_in_pieces(const char *data, size_t size, size_t step, struct pb_buf *lines)
{
    struct pb_stream_json *stream = pb_stream_json_new();
    struct pb_error err = {0};
    struct pb_run_end end = {0};
    struct pb_outcome outcome;
    struct pb_arena arena;

    if (!stream)
        return;
    seen = lines;
    for (size_t i = 0; i < size; i += step)
        pb_stream_json_feed(stream, data + i, size - i < step ? size - i : step, on_line, NULL);
    pb_stream_json_end(stream, on_line, NULL);
    pb_arena_init(&arena, 4 << 20);
    if (pb_claude_classify(&(struct pb_claude_end){.facts = pb_stream_json_facts(stream),
                                                   .errors = "",
                                                   .run = &end,
                                                   .round = 1},
                           &arena, &outcome, &err) < 0)
        abort();
    if (outcome.outcome == PB_OUTCOME_SUCCEEDED && !pb_stream_json_facts(stream)->has_result)
        abort();
    pb_arena_release(&arena);
    pb_stream_json_free(stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pb_buf whole, pieces;
    size_t step = size > 0 ? 1 + data[0] % 61 : 1;

    pb_buf_init(&whole, 64 << 20);
    pb_buf_init(&pieces, 64 << 20);
    read_in_pieces((const char *)data, size, size + 1, &whole);
    read_in_pieces((const char *)data, size, step, &pieces);
    if (whole.len != pieces.len ||
        (whole.len > 0 && memcmp(whole.data, pieces.data, whole.len) != 0))
        abort();
    pb_buf_release(&whole);
    pb_buf_release(&pieces);
    return 0;
}
