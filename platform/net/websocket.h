/*
 * WebSocket (RFC 6455), both ends. The door to wslay for parsing; frames to
 * many are built once and shared. Callbacks run on the connection's loop
 * thread; sending and closing may be done from any thread.
 *
 * A connection is pinged every 30 s and closed when nothing came for 75 s.
 * Outgoing bytes are bounded (queue_max): a send that would pass the bound is
 * refused and the caller decides what to drop. A handle stays valid until
 * pb_websocket_unref(); `closed` is called exactly once and is the last call.
 */
#ifndef PB_NET_WEBSOCKET_H
#define PB_NET_WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/loop.h"
#include "net/http_server.h"

struct pb_websocket;
struct pb_websocket_frame;
struct pb_tls_client;

struct pb_websocket_events {
    void (*opened)(
        void *arg,
        struct pb_websocket *ws); /* clients only; servers are open on return of accept */
    void (*message)(void *arg, struct pb_websocket *ws, bool is_text, const void *data, size_t len);
    void (*drained)(void *arg, struct pb_websocket *ws); /* queue below half; may be NULL */
    /* code as in RFC 6455 §7.4 (1006 = no close frame); reason in words, also for failed connects */
    void (*closed)(void *arg, struct pb_websocket *ws, int code, const char *reason);
};

struct pb_websocket_options {
    size_t message_max;                       /* 0 = 1 MiB; a larger message closes with 1009 */
    size_t queue_max;                         /* 0 = 1 MiB */
    const struct pb_websocket_events *events; /* outlives the connection */
    void *arg;
};

/* Answers the upgrade request of an exchange (on its loop thread) and takes the exchange over. NULL + err when the
 * request is no valid upgrade; the exchange is then still to be answered. The caller has one reference. */
struct pb_websocket *pb_websocket_accept(struct pb_http_exchange *exchange,
                                         const struct pb_websocket_options *options,
                                         struct pb_error *err) PB_MUST_CHECK;

/* Dials ws:// or wss:// (connect deadline 10 s). Extra headers are copied. The caller has one reference. */
struct pb_websocket *pb_websocket_connect(struct pb_loop *loop, const char *url,
                                          const struct pb_http_header *headers, size_t header_count,
                                          struct pb_tls_client *tls,
                                          const struct pb_websocket_options *options,
                                          struct pb_error *err) PB_MUST_CHECK;

/* False when the queue is full or the connection is closing. */
bool pb_websocket_send(struct pb_websocket *ws, bool is_text, const void *data, size_t len);
/* Built once for many (server side, unmasked); refcounted. */
struct pb_websocket_frame *pb_websocket_frame_new(bool is_text, const void *data, size_t len);
void pb_websocket_frame_unref(struct pb_websocket_frame *frame); /* NULL is fine */
/* What it carries, without its header. */
const char *pb_websocket_frame_data(const struct pb_websocket_frame *frame, size_t *ret_len);
bool pb_websocket_send_frame(struct pb_websocket *ws, struct pb_websocket_frame *frame);
size_t pb_websocket_queued(const struct pb_websocket *ws);
struct pb_loop *pb_websocket_loop(const struct pb_websocket *ws); /* where it lives */
/* Stops or resumes reading (back-pressure). Loop thread only. */
void pb_websocket_pause(struct pb_websocket *ws, bool paused);
void pb_websocket_close(struct pb_websocket *ws, int code, const char *reason);
void pb_websocket_ref(struct pb_websocket *ws);
void pb_websocket_unref(struct pb_websocket *ws); /* NULL is fine */

#endif
