/*
 * Requests, whole and cut: what is read must not depend on the cuts. A body
 * is never larger than allowed, and nothing of a request is taken twice.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "net/http_parser.h"

enum { HEAD_MAX = 2048, BODY_MAX = 512 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void note_request(struct pb_http_parser *parser, struct pb_buf *seen)
{
    struct pb_http_request request;

    pb_http_parser_take(parser, &request);
    if (request.body_len > BODY_MAX || request.header_count > PB_HTTP_HEADERS_MAX ||
        !pb_http_request_header(&request, "Host"))
        abort();
    pb_buf_format(seen, "%s %s ?%s %d %d\n", request.method, request.path, request.query,
                  request.minor, request.keep_alive);
    for (size_t i = 0; i < request.header_count; i++)
        pb_buf_format(seen, "%s: %s\n", request.headers[i].name, request.headers[i].value);
    pb_buf_bytes(seen, request.body, request.body_len);
    pb_http_request_release(&request);
}

static void read_in_pieces(const char *data, size_t size, size_t step, struct pb_buf *seen)
{
    struct pb_http_parser *parser = pb_http_parser_new(HEAD_MAX, BODY_MAX);
    size_t at = 0;

    if (!parser)
        abort();
    while (at < size) {
        size_t len = size - at < step ? size - at : step, used;
        enum pb_http_progress progress = pb_http_parser_feed(parser, data + at, len, &used);

        if (used > len || (progress == PB_HTTP_MORE && used != len))
            abort();
        at += used;
        if (progress == PB_HTTP_COMPLETE)
            note_request(parser, seen);
        if (progress == PB_HTTP_REFUSED) {
            if (pb_http_parser_refusal(parser)->status < 400)
                abort();
            pb_buf_text(seen, "refused\n");
            break;
        }
    }
    pb_http_parser_free(parser);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t steps[] = {1, 3, 64};
    struct pb_buf whole, cut;

    pb_buf_init(&whole, 4 << 20);
    pb_buf_init(&cut, 4 << 20);
    read_in_pieces((const char *)data, size, size + 1, &whole);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        pb_buf_clear(&cut);
        read_in_pieces((const char *)data, size, steps[i], &cut);
        if (cut.len != whole.len || (cut.len > 0 && memcmp(cut.data, whole.data, cut.len) != 0))
            abort();
    }
    pb_buf_release(&whole);
    pb_buf_release(&cut);
    return 0;
}
