/*
 * The inside of the HTTP client.
 *
 *   http_client.c    the thread, its loop and curl's multi handles; streaming
 *   http_transfer.c  one transfer: options, head, body, errors
 *   http_call.c      blocking calls, on top of streaming
 *
 * The first two are the door to libcurl, whose handles are void pointers.
 */
#ifndef PB_NET_HTTP_CLIENT_PRIVATE_H
#define PB_NET_HTTP_CLIENT_PRIVATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/loop.h"
#include "net/http_client.h"

enum {
    PB_HTTP_ANSWER_HEADERS_MAX = 200,
    PB_HTTP_ANSWER_HEADER_BYTES_MAX = 128 * 1024,
};

struct curl_slist;

/* One curl multi handle on the client's loop. */
struct pb_http_multi {
    struct pb_http_client *client;
    void *curl; /* CURLM */
    struct pb_loop_timer *timer;
};

struct pb_http_client {
    struct pb_loop *loop;
    struct pb_thread *thread;
    char *user_agent;
    char *ca_file; /* NULL = the system's */
    struct pb_http_multi calls;
    struct pb_http_multi streams;
    struct pb_http_stream *running; /* all of both, on the loop thread */

    pthread_mutex_t lock; /* guards: */
    bool is_closing;
    size_t count; /* of running */
};

/* One transfer. A blocking call is one with callbacks of our own. */
struct pb_http_stream {
    _Atomic unsigned refs; /* the transfer's, and one per posted wish */
    struct pb_http_client *client;
    struct pb_http_multi *multi;
    struct pb_http_stream *prev, *next; /* in client->running */
    struct pb_http_stream_events events;
    void *arg;
    void *curl; /* CURL */
    struct curl_slist *headers;
    char *body;      /* owned */
    char words[256]; /* as curl wants it */

    /* Loop thread only from the start on. */
    struct pb_buf head; /* "name\0value\0" of the head being read */
    size_t seen_count;
    int status;
    bool head_done;
    bool is_running;
    bool is_paused;
    size_t body_max; /* 0 = none */
    size_t body_len;
    struct pb_error failure; /* ours rather than curl's; code PB_OK = none */
    int64_t silence_ms;
    int64_t heard_ms;
    int64_t uploaded;
    struct pb_loop_timer *silence;
};

/* transfer */
int pb_http_stream_set_up(struct pb_http_stream *stream, const struct pb_http_call *call,
                          int64_t timeout_ms, struct pb_error *err) PB_MUST_CHECK;
/* What curl's result means. */
void pb_http_stream_fail(struct pb_http_stream *stream, int curl_code, struct pb_error *err);
/* It ends with an error of our own rather than curl's; the first one counts. */
void pb_http_stream_note_failure(struct pb_http_stream *stream, enum pb_error_code code,
                                 const char *reason, const char *words);
void pb_http_stream_unref(struct pb_http_stream *stream);

/* client; body_max 0 = none */
struct pb_http_stream *pb_http_client_start(struct pb_http_client *client,
                                            struct pb_http_multi *multi,
                                            const struct pb_http_call *call, int64_t timeout_ms,
                                            size_t body_max,
                                            const struct pb_http_stream_events *events, void *arg,
                                            struct pb_error *err) PB_MUST_CHECK;

#endif
