/* The head of a request or an answer, read strictly. Offsets into the raw bytes, which are not
 * changed here. */
#ifndef PB_NET_HTTP_HEAD_PRIVATE_H
#define PB_NET_HTTP_HEAD_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "net/http_parser.h"

struct pb_http_span {
    const char *data;
    size_t len;
};

struct pb_http_head {
    struct pb_http_span method;
    struct pb_http_span target; /* origin form: begins with '/' or is "*" */
    int minor;
    int status; /* answers only */
    size_t count;
    struct pb_http_span names[PB_HTTP_HEADERS_MAX];
    struct pb_http_span values[PB_HTTP_HEADERS_MAX];
    bool is_chunked;
    bool has_length;
    uint64_t length;
    bool wants_continue;
    bool keep_alive;
};

/* `len` bytes that end with the empty line. NULL, or why not. */
const struct pb_http_refusal *pb_http_head_read(const char *data, size_t len,
                                                struct pb_http_head *ret_head) PB_MUST_CHECK;
/* The same for the head of an answer: status, minor and fields, no meanings. */
const struct pb_http_refusal *pb_http_head_read_answer(const char *data, size_t len,
                                                       struct pb_http_head *ret_head) PB_MUST_CHECK;
bool pb_http_span_is(struct pb_http_span span, const char *text); /* without case */
/* Is `word` one of the comma-separated words of `list`? */
bool pb_http_list_has(struct pb_http_span list, const char *word);

#endif
