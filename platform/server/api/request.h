/*
 * One API request, as a handler sees it.
 *
 * The router has already found the route, proved who is asking, checked the
 * permission and the body's members. The handler runs on a pool thread, asks
 * the services, writes its JSON with `json` and returns 0; a failure becomes a
 * problem document. Everything it allocates is in `arena` and gone after the
 * reply.
 */
#ifndef PB_SERVER_API_REQUEST_H
#define PB_SERVER_API_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"
#include "net/http_server.h"
#include "server/services/auth.h"

struct pb_platform;

enum {
    PB_REQUEST_HEADERS = 12,
    PB_REQUEST_FIELD_ERRORS = 16,
    PB_REQUEST_ID_TEXT = 65,
    PB_REQUEST_ARENA_MAX = 16 << 20,
    PB_REQUEST_REPLY_MAX = 8 << 20,
};

struct pb_request {
    struct pb_platform *platform;
    struct pb_http_exchange *exchange;
    struct pb_arena *arena;
    const struct pb_principal *who; /* NULL on PUBLIC routes */
    const struct pb_json *body;     /* checked against its table; NULL on routes without one */
    const char *id;                 /* {id} of the path, decoded; NULL when it has none */
    const char *request_id;

    int status;                 /* 200 until the handler says otherwise */
    struct pb_buf out;          /* the reply's body */
    struct pb_json_writer json; /* writes into out */
    const char *content_type;
    struct pb_http_header headers[PB_REQUEST_HEADERS];
    size_t header_count;
    /* The reply depends on nothing but the address, the asker's role and what of the data has this generation
     * (0 = nobody knows): it gets an ETag, and may be given again. */
    bool is_lasting;
    uint64_t generation;
    bool is_answered; /* the handler replied by itself or passed the exchange on */

    struct pb_error fields[PB_REQUEST_FIELD_ERRORS]; /* what is wrong with the input, all at once */
    size_t field_count;
};

/* The caller's X-Request-Id when it is one we can show (1 to 64 of A-Z a-z 0-9 . _ -), else a new one. */
void pb_request_id(const struct pb_http_exchange *exchange, char ret_id[PB_REQUEST_ID_TEXT]);

/* Borrowed texts that live as long as the request (use the arena). */
void pb_request_header(struct pb_request *req, const char *name, const char *value);
/* Adds one thing that is wrong with the input; the handler goes on and returns
 * pb_request_fields_fail() when there was any. */
void pb_request_field(struct pb_request *req, const struct pb_error *err);
/* INVALID with the first of them; the problem document lists all. */
int pb_request_fields_fail(struct pb_request *req, struct pb_error *err);

/* Query parameters, decoded. NULL when absent; "" when empty. */
const char *pb_request_query(struct pb_request *req, const char *name);
int pb_request_query_int(struct pb_request *req, const char *name, int64_t low, int64_t high,
                         int64_t otherwise, int64_t *ret_value, struct pb_error *err) PB_MUST_CHECK;
/* `limit` (1–200, 50). */
int pb_request_limit(struct pb_request *req, size_t *ret_limit, struct pb_error *err) PB_MUST_CHECK;

/* An address as people type it, without slashes at the end; NULL when there is nothing left. */
const char *pb_request_url(struct pb_request *req, const char *text);
/* Formats into the arena; "" past its limit. */
const char *pb_request_text(struct pb_request *req, const char *fmt, ...) PB_PRINTF(2, 3);
void pb_request_client(struct pb_request *req, struct pb_client_info *ret);

#endif
