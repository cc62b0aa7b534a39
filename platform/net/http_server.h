/*
 * An HTTP/1.1 server on one or more loops. It owns sockets, limits and
 * keep-alive; it knows no routes.
 *
 * A whole request (head and body, both bounded) becomes one `pb_http_exchange`
 * handed to the handler ON THE LOOP THREAD, which must not block: it answers
 * at once or passes the exchange to a pool. Replies may be made from any
 * thread. An exchange is the handler's until it has been answered by
 * pb_http_reply(), pb_http_reply_end(), pb_http_reply_abort() or
 * pb_websocket_accept(); what it points to lives exactly that long. If the
 * client goes away earlier, replies are still accepted and thrown away.
 *
 * Refused before any handler runs: two or no Host, bare CR or LF, NUL,
 * obs-fold, TE with CL, TE other than `chunked`, TE on HTTP/1.0, duplicate CL,
 * heads > head_max, more than 100 headers, bodies > body_max (413), targets
 * that are no path, methods other than GET HEAD POST PUT PATCH DELETE OPTIONS.
 * Deadlines: head 10 s, body at least 1 KiB/s after 10 s, idle keep-alive 60 s.
 * A client that takes no byte of its reply for 60 s is cut; so is, when clients
 * who do not read hold more than held_max of memory, who took none the longest.
 */
#ifndef PB_NET_HTTP_SERVER_H
#define PB_NET_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/loop.h"
#include "net/shared_bytes.h"

struct pb_http_server;
struct pb_http_exchange;
struct pb_tls_server;

struct pb_http_header {
    const char *name;
    const char *value;
};

struct pb_http_server_options {
    const char *listen; /* "127.0.0.1:3000", "[::1]:0"; port 0 = any free one */
    int listen_fd; /* > 0, or without `listen`: serve this already listening socket (not owned) */
    /* Several servers, one per loop, share an address: the first says so (and is refused when anybody else
     * listens there), the others name the first. The kernel spreads new connections over them. */
    bool is_shared;
    const struct pb_http_server *beside;
    struct pb_tls_server *tls; /* NULL = plain; borrowed */
    size_t head_max;           /* 0 = 16 KiB */
    size_t body_max;           /* 0 = 1 MiB */
    size_t connections_max;    /* 0 = 10,000; beyond it the oldest idle one is closed, else 503 */
    size_t held_max;           /* 0 = 64 MiB: copies of replies that clients have not taken */
    int fd_max; /* the same for descriptors from this number on, which others need; 0 = none */
    void (*handle)(void *arg, struct pb_http_exchange *exchange);
    void *arg;
};

struct pb_http_server *pb_http_server_new(struct pb_loop *loop,
                                          const struct pb_http_server_options *options,
                                          struct pb_error *err) PB_MUST_CHECK;
uint16_t pb_http_server_port(const struct pb_http_server *server);
/* Open connections; those that became WebSockets are no longer among them. Any thread. */
size_t pb_http_server_connections(const struct pb_http_server *server);
/* Stops accepting; connections end after the reply they are making, all of them within `grace_ms`. */
void pb_http_server_stop(struct pb_http_server *server, int64_t grace_ms);
void pb_http_server_free(struct pb_http_server *server); /* on the loop thread or after it ended */

/* The request. Header names compare without case; NULL when absent. */
const char *pb_http_method(const struct pb_http_exchange *exchange);
const char *pb_http_path(const struct pb_http_exchange *exchange);  /* as sent, without the query */
const char *pb_http_query(const struct pb_http_exchange *exchange); /* without '?'; "" when none */
const char *pb_http_header(const struct pb_http_exchange *exchange, const char *name);
size_t pb_http_headers(const struct pb_http_exchange *exchange,
                       const struct pb_http_header **ret_headers);
const char *pb_http_body(const struct pb_http_exchange *exchange, size_t *ret_len);
const char *pb_http_peer(const struct pb_http_exchange *exchange); /* "192.0.2.1" */
bool pb_http_is_tls(const struct pb_http_exchange *exchange);
struct pb_loop *pb_http_loop(const struct pb_http_exchange *exchange);

/* Decodes %XX (and '+' when `query`) of `len` bytes into `out` (len + 1 bytes). False on bad escapes or %00. */
bool pb_http_decode(const char *text, size_t len, bool query, char *out) PB_MUST_CHECK;

/* One piece. Content-Length, Date and Connection are added. `body` is copied. HEAD sends no body. */
void pb_http_reply(struct pb_http_exchange *exchange, int status,
                   const struct pb_http_header *headers, size_t header_count, const void *body,
                   size_t len);
/* The same without a copy: the body may be sent to many. */
void pb_http_reply_shared(struct pb_http_exchange *exchange, int status,
                          const struct pb_http_header *headers, size_t header_count,
                          struct pb_shared_bytes *body);
/* In pieces: length < 0 = chunked. */
void pb_http_reply_begin(struct pb_http_exchange *exchange, int status,
                         const struct pb_http_header *headers, size_t header_count, int64_t length);
/* Bytes now waiting for the client (copied). When more than the caller likes, wait for `drained`. */
size_t pb_http_reply_write(struct pb_http_exchange *exchange, const void *data, size_t len);
void pb_http_reply_end(struct pb_http_exchange *exchange);
/* Cuts the connection without a proper end, so the client knows the reply is incomplete. */
void pb_http_reply_abort(struct pb_http_exchange *exchange);
/* Called on the loop thread, never inside one of your own calls: `drained` whenever the waiting bytes fall below 64 KiB, `gone` once if the client
 * leaves, or says it will send no more, before the end (the exchange must still be ended). Either may be NULL. Once
 * pb_http_reply_end() has returned none of them is running or will be. */
void pb_http_reply_watch(struct pb_http_exchange *exchange, void (*drained)(void *arg),
                         void (*gone)(void *arg), void *arg);

#endif
