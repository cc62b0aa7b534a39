/*
 * Outgoing HTTP(S): the door to libcurl. One thread of its own runs a curl
 * multi handle; connections are reused, at most 4 per host. Two ways to call:
 * blocking, for straight-line code on pool threads, and streaming by
 * callbacks, for the broker. Redirects are reported, never followed by
 * themselves. Bodies are bounded, outgoing ones by 32 MiB. Every call has a
 * deadline. Streams have 256 connections per host. Proxies of the environment
 * are ignored. SIGPIPE is ignored from the first client on.
 */
#ifndef PB_NET_HTTP_CLIENT_H
#define PB_NET_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "net/http_server.h" /* struct pb_http_header */

struct pb_http_client;

struct pb_http_call {
    const char *method;
    const char *url; /* http or https */
    const struct pb_http_header *headers;
    size_t header_count;
    const void *body;
    size_t body_len;
    size_t response_max;        /* blocking calls: 0 = 8 MiB; TOO_LARGE beyond */
    int64_t connect_timeout_ms; /* 0 = 10 s */
    int64_t timeout_ms;         /* whole call; 0 = 30 s for blocking calls, none for streaming */
    int64_t silence_ms;         /* no byte for so long = TIMEOUT; 0 = 60 s */
};

struct pb_http_answer {
    int status;
    const struct pb_http_header *headers; /* in the arena */
    size_t header_count;
    const char *body; /* NUL after len */
    size_t len;
};

struct pb_http_client *pb_http_client_new(const char *user_agent, const char *ca_file,
                                          struct pb_error *err) PB_MUST_CHECK;
/* Running calls end with UNAVAILABLE, later ones are refused with it; the client stays valid. Any thread. */
void pb_http_client_stop(struct pb_http_client *client);
void pb_http_client_free(struct pb_http_client *client); /* stops it first; NULL is fine */

/* Blocks. Any HTTP status is an answer; errors are UNREACHABLE (reason "dns", "refused", "tls", "cut", …) and TIMEOUT. */
int pb_http_call(struct pb_http_client *client, const struct pb_http_call *call,
                 struct pb_arena *arena, struct pb_http_answer *ret_answer,
                 struct pb_error *err) PB_MUST_CHECK;
const char *pb_http_answer_header(const struct pb_http_answer *answer, const char *name);

/* Streaming. Callbacks run on the client's thread; `done` is called exactly once, last; err is NULL on success.
 * `data` returning false pauses the transfer until pb_http_stream_resume(). */
struct pb_http_stream;
struct pb_http_stream_events {
    void (*head)(void *arg, int status, const struct pb_http_header *headers, size_t count);
    bool (*data)(void *arg, const void *data, size_t len);
    void (*done)(void *arg, const struct pb_error *err);
};
/* Headers and body are copied. The handle is valid until done() returns. */
struct pb_http_stream *pb_http_stream_start(struct pb_http_client *client,
                                            const struct pb_http_call *call,
                                            const struct pb_http_stream_events *events, void *arg,
                                            struct pb_error *err) PB_MUST_CHECK;
void pb_http_stream_resume(struct pb_http_stream *stream); /* any thread, before done() */
void pb_http_stream_cancel(
    struct pb_http_stream
        *stream); /* any thread, before done(); done() follows with reason "cancelled" */

#endif
