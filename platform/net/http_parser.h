/*
 * Bytes to HTTP/1.x requests: the door to llhttp, used by the server and the
 * fuzzer. Two readers have to agree on every request: our own strict one,
 * which decides where the request ends, and llhttp. What only one of them
 * accepts is refused, since another program in front of us or behind us may
 * read it the other way (request smuggling).
 */
#ifndef PB_NET_HTTP_PARSER_H
#define PB_NET_HTTP_PARSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "net/http_server.h" /* struct pb_http_header */

enum { PB_HTTP_HEADERS_MAX = 100, PB_HTTP_TARGET_MAX = 8192 };

/* All texts point into `head`. */
struct pb_http_request {
    char *head; /* owned */
    char *body; /* owned; NUL behind body_len; NULL when empty */
    size_t body_len;
    struct pb_http_header *headers; /* owned */
    size_t header_count;
    const char *method;
    const char *path;
    const char *query;
    int minor;       /* HTTP/1.x */
    bool keep_alive; /* as the client wishes */
};

void pb_http_request_release(struct pb_http_request *request);
/* NULL when absent. */
const char *pb_http_request_header(const struct pb_http_request *request, const char *name);

/* Why a request was refused. The connection cannot be used any further. */
struct pb_http_refusal {
    int status;
    const char *code; /* stable name for programs */
    const char *detail;
};

enum pb_http_progress {
    PB_HTTP_MORE,     /* all bytes used, the request goes on */
    PB_HTTP_COMPLETE, /* take it with pb_http_parser_take() */
    PB_HTTP_REFUSED,
};

struct pb_http_parser;

struct pb_http_parser *pb_http_parser_new(size_t head_max, size_t body_max) PB_MUST_CHECK;
void pb_http_parser_free(struct pb_http_parser *parser);
/* Uses bytes up to the end of one request. */
enum pb_http_progress pb_http_parser_feed(struct pb_http_parser *parser, const char *data,
                                          size_t len, size_t *ret_used);
/* Hands the complete request over; the parser is ready for the next. */
void pb_http_parser_take(struct pb_http_parser *parser, struct pb_http_request *ret_request);
const struct pb_http_refusal *pb_http_parser_refusal(const struct pb_http_parser *parser);

bool pb_http_parser_is_idle(const struct pb_http_parser *parser); /* not a byte of a request yet */
bool pb_http_parser_in_body(const struct pb_http_parser *parser);
uint64_t pb_http_parser_body_bytes(const struct pb_http_parser *parser); /* received so far */
/* True once per request, when the client waits for 100 Continue before it sends the body. */
bool pb_http_parser_take_continue(struct pb_http_parser *parser);

#endif
