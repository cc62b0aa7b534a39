#include "net/http_parser.h"

#include <llhttp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "net/http_chunked_private.h"
#include "net/http_head_private.h"

enum stage { START, HEAD, BODY_LENGTH, BODY_CHUNKED, COMPLETE, REFUSED };

struct pb_http_parser {
    size_t head_max;
    size_t body_max;
    enum stage stage;
    bool skipped_line; /* one empty line before a request is forgiven (RFC 9112 §2.2) */
    bool continue_due;
    struct pb_buf head; /* raw until the head is complete */
    size_t searched;    /* of head, for the empty line */
    struct pb_buf body;
    uint64_t length; /* BODY_LENGTH: as announced */
    uint64_t received;
    struct pb_http_chunked chunked;
    struct pb_http_request request;
    const struct pb_http_refusal *refusal;
    llhttp_t second; /* the second reader */
    uint64_t second_body;
    size_t second_headers;
    bool second_head_done;
    bool second_done;
};

#define REFUSAL(name, status_, code_, detail_) \
    static const struct pb_http_refusal name = {status_, code_, detail_}

REFUSAL(DISAGREEMENT, 400, "bad_request", "the request can be read in two ways");
REFUSAL(BARE_LF, 400, "bad_request", "the head holds a bare LF");
REFUSAL(LONG_HEAD, 431, "headers_too_large", "the head of the request is too large");
REFUSAL(LONG_BODY, 413, "too_large", "the body of the request is too large");
REFUSAL(BAD_CHUNK, 400, "bad_request", "the chunked body is malformed");
REFUSAL(NO_MEMORY, 503, "unavailable", "out of memory");

static int on_second_value_complete(llhttp_t *second)
{
    struct pb_http_parser *parser = second->data;

    if (!parser->second_head_done)
        parser->second_headers++;
    return 0;
}

static int on_second_head(llhttp_t *second)
{
    struct pb_http_parser *parser = second->data;

    parser->second_head_done = true;
    return 0;
}

static int on_second_body(llhttp_t *second, const char *data, size_t len)
{
    struct pb_http_parser *parser = second->data;

    parser->second_body += len;
    pb_buf_bytes(&parser->body, data, len);
    return 0;
}

static int on_second_done(llhttp_t *second)
{
    struct pb_http_parser *parser = second->data;

    parser->second_done = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t SECOND = {
    .on_header_value_complete = on_second_value_complete,
    .on_headers_complete = on_second_head,
    .on_body = on_second_body,
    .on_message_complete = on_second_done,
};

void pb_http_request_release(struct pb_http_request *request)
{
    free(request->head);
    free(request->body);
    free(request->headers);
    *request = (struct pb_http_request){0};
}

const char *pb_http_request_header(const struct pb_http_request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (strcasecmp(request->headers[i].name, name) == 0)
            return request->headers[i].value;
    }
    return NULL;
}

static void restart(struct pb_http_parser *parser)
{
    parser->stage = START;
    parser->skipped_line = false;
    parser->continue_due = false;
    parser->searched = 0;
    parser->length = parser->received = 0;
    parser->chunked = (struct pb_http_chunked){0};
    parser->second_body = 0;
    parser->second_headers = 0;
    parser->second_head_done = parser->second_done = false;
    pb_buf_init(&parser->head, parser->head_max + 1);
    pb_buf_init(&parser->body, parser->body_max + 1);
    llhttp_init(&parser->second, HTTP_REQUEST, &SECOND);
    parser->second.data = parser;
}

struct pb_http_parser *pb_http_parser_new(size_t head_max, size_t body_max)
{
    struct pb_http_parser *parser = calloc(1, sizeof(*parser));

    if (!parser)
        return NULL;
    parser->head_max = head_max;
    parser->body_max = body_max;
    restart(parser);
    return parser;
}

void pb_http_parser_free(struct pb_http_parser *parser)
{
    if (!parser)
        return;
    pb_buf_release(&parser->head);
    pb_buf_release(&parser->body);
    pb_http_request_release(&parser->request);
    free(parser);
}

static enum pb_http_progress refuse(struct pb_http_parser *parser,
                                    const struct pb_http_refusal *refusal)
{
    parser->stage = REFUSED;
    parser->refusal = refusal;
    return PB_HTTP_REFUSED;
}

/* Shows bytes to llhttp. False when it stops anywhere but at their end. */
static bool second_agrees(struct pb_http_parser *parser, const char *data, size_t len)
{
    llhttp_errno_t result = llhttp_execute(&parser->second, data, len);

    if (result == HPE_OK)
        return true;
    if (result == HPE_PAUSED)
        return llhttp_get_error_pos(&parser->second) == data + len;
    if (result == HPE_PAUSED_UPGRADE) /* told by Connection: upgrade; the message is over */
        return parser->second_done && llhttp_get_error_pos(&parser->second) == data + len;
    return false;
}

static bool second_agrees_on_head(struct pb_http_parser *parser, const struct pb_http_head *head)
{
    const llhttp_t *second = &parser->second;
    bool has_body = head->is_chunked || head->length > 0;

    return parser->second_head_done && parser->second_done == !has_body &&
           parser->second_headers == head->count && second->http_minor == head->minor &&
           pb_http_span_is(head->method, llhttp_method_name((llhttp_method_t)second->method)) &&
           !!(second->flags & F_CHUNKED) == head->is_chunked &&
           (parser->second_done || head->is_chunked || second->content_length == head->length);
}

static char *cut(struct pb_http_parser *parser, struct pb_http_span span)
{
    char *text = parser->head.data + (span.data - parser->head.data);

    text[span.len] = '\0';
    return text;
}

/* Turns the raw head into texts in place: behind each part is a byte nobody needs any more. */
static bool fill_request(struct pb_http_parser *parser, const struct pb_http_head *head)
{
    struct pb_http_request *request = &parser->request;
    char *target, *mark;

    *request = (struct pb_http_request){.minor = head->minor, .keep_alive = head->keep_alive};
    request->headers = calloc(head->count, sizeof(request->headers[0]));
    if (!request->headers)
        return false;
    for (size_t i = 0; i < head->count; i++) {
        request->headers[i].name = cut(parser, head->names[i]);
        request->headers[i].value = cut(parser, head->values[i]);
    }
    request->header_count = head->count;
    request->method = cut(parser, head->method);
    request->path = target = cut(parser, head->target);
    mark = strchr(target, '?');
    if (mark)
        *mark = '\0';
    request->query = mark ? mark + 1 : target + head->target.len;
    request->head = parser->head.data; /* handed over */
    pb_buf_init(&parser->head, parser->head_max + 1);
    return true;
}

static enum pb_http_progress complete(struct pb_http_parser *parser)
{
    if (!parser->second_done || pb_buf_failed(&parser->body))
        return refuse(parser, parser->second_done ? &NO_MEMORY : &DISAGREEMENT);
    parser->continue_due = false;
    parser->stage = COMPLETE;
    return PB_HTTP_COMPLETE;
}

static enum pb_http_progress finish_head(struct pb_http_parser *parser)
{
    struct pb_http_head head;
    const struct pb_http_refusal *refusal;

    refusal = pb_http_head_read(parser->head.data, parser->head.len, &head);
    if (refusal)
        return refuse(parser, refusal);
    if (!second_agrees(parser, parser->head.data, parser->head.len) ||
        !second_agrees_on_head(parser, &head))
        return refuse(parser, &DISAGREEMENT);
    if (head.length > parser->body_max)
        return refuse(parser, &LONG_BODY);
    if (!fill_request(parser, &head))
        return refuse(parser, &NO_MEMORY);
    if (!head.is_chunked && head.length == 0)
        return complete(parser);
    parser->continue_due = head.wants_continue;
    parser->length = head.length;
    parser->stage = head.is_chunked ? BODY_CHUNKED : BODY_LENGTH;
    return PB_HTTP_MORE;
}

/* Where the head ends in what is searched newly; 0 = not yet, SIZE_MAX = a bare LF. */
static size_t find_head_end(struct pb_http_parser *parser)
{
    const char *data = parser->head.data;
    size_t len = parser->head.len;

    while (parser->searched < len) {
        const char *lf = memchr(data + parser->searched, '\n', len - parser->searched);
        size_t at = lf ? (size_t)(lf - data) : len;

        parser->searched = lf ? at + 1 : len;
        if (!lf)
            return 0;
        if (at == 0 || data[at - 1] != '\r')
            return SIZE_MAX;
        if (at >= 3 && data[at - 2] == '\n')
            return at + 1;
    }
    return 0;
}

static enum pb_http_progress feed_head(struct pb_http_parser *parser, const char *data, size_t len,
                                       size_t *ret_used)
{
    size_t before = parser->head.len;
    size_t room = parser->head_max - before;
    size_t end;

    pb_buf_bytes(&parser->head, data, len < room ? len : room);
    if (pb_buf_failed(&parser->head))
        return refuse(parser, &NO_MEMORY);
    if (!parser->skipped_line && parser->head.len >= 2 &&
        memcmp(parser->head.data, "\r\n", 2) == 0) {
        parser->skipped_line = true;
        parser->stage = START;
        parser->searched = 0;
        *ret_used = 2 - before;
        pb_buf_clear(&parser->head);
        return PB_HTTP_MORE;
    }
    end = find_head_end(parser);
    if (end == SIZE_MAX)
        return refuse(parser, &BARE_LF);
    if (end == 0 && parser->head.len == parser->head_max)
        return refuse(parser, &LONG_HEAD);
    *ret_used = end ? end - before : len;
    if (end == 0)
        return PB_HTTP_MORE;
    parser->head.len = end;
    return finish_head(parser);
}

static enum pb_http_progress feed_length(struct pb_http_parser *parser, const char *data,
                                         size_t len, size_t *ret_used)
{
    uint64_t left = parser->length - parser->received;
    size_t used = len < left ? len : (size_t)left;

    *ret_used = used;
    parser->received += used;
    if (!second_agrees(parser, data, used) || parser->second_body != parser->received)
        return refuse(parser, &DISAGREEMENT);
    return parser->received == parser->length ? complete(parser) : PB_HTTP_MORE;
}

static enum pb_http_progress feed_chunked(struct pb_http_parser *parser, const char *data,
                                          size_t len, size_t *ret_used)
{
    bool done = false;

    if (!pb_http_chunked_scan(&parser->chunked, data, len, ret_used, &done))
        return refuse(parser, &BAD_CHUNK);
    parser->received += *ret_used;
    if (parser->chunked.digits == 0 /* the size is known to its last digit */ &&
        (parser->chunked.body_len > parser->body_max ||
         parser->chunked.left > parser->body_max - parser->chunked.body_len))
        return refuse(parser, &LONG_BODY);
    if (!second_agrees(parser, data, *ret_used) ||
        parser->second_body != parser->chunked.body_len || parser->second_done != done)
        return refuse(parser, &DISAGREEMENT);
    return done ? complete(parser) : PB_HTTP_MORE;
}

static enum pb_http_progress feed_once(struct pb_http_parser *parser, const char *data, size_t len,
                                       size_t *ret_used)
{
    switch (parser->stage) {
    case START:
        parser->stage = HEAD;
        return feed_head(parser, data, len, ret_used);
    case HEAD:
        return feed_head(parser, data, len, ret_used);
    case BODY_LENGTH:
        return feed_length(parser, data, len, ret_used);
    case BODY_CHUNKED:
        return feed_chunked(parser, data, len, ret_used);
    case COMPLETE:
        return PB_HTTP_COMPLETE;
    case REFUSED:
        break;
    }
    return PB_HTTP_REFUSED;
}

enum pb_http_progress pb_http_parser_feed(struct pb_http_parser *parser, const char *data,
                                          size_t len, size_t *ret_used)
{
    enum pb_http_progress progress = PB_HTTP_MORE;

    *ret_used = 0;
    while (progress == PB_HTTP_MORE && *ret_used < len) {
        size_t used = 0;

        progress = feed_once(parser, data + *ret_used, len - *ret_used, &used);
        *ret_used += used;
    }
    return progress;
}

void pb_http_parser_take(struct pb_http_parser *parser, struct pb_http_request *ret_request)
{
    *ret_request = parser->request;
    parser->request = (struct pb_http_request){0};
    ret_request->body_len = parser->body.len;
    if (parser->body.len > 0)
        ret_request->body = pb_buf_take(&parser->body, NULL);
    pb_buf_release(&parser->body);
    pb_buf_release(&parser->head);
    restart(parser);
}

const struct pb_http_refusal *pb_http_parser_refusal(const struct pb_http_parser *parser)
{
    return parser->refusal;
}

bool pb_http_parser_is_idle(const struct pb_http_parser *parser)
{
    return parser->stage == START;
}

bool pb_http_parser_in_body(const struct pb_http_parser *parser)
{
    return parser->stage == BODY_LENGTH || parser->stage == BODY_CHUNKED;
}

uint64_t pb_http_parser_body_bytes(const struct pb_http_parser *parser)
{
    return parser->received;
}

bool pb_http_parser_take_continue(struct pb_http_parser *parser)
{
    bool due = parser->continue_due;

    parser->continue_due = false;
    return due;
}
