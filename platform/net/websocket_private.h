/*
 * The inside of WebSocket.
 *
 *   websocket.c            a connection: life, reading, deadlines, close
 *   websocket_send.c       its queue, filled from any thread
 *   websocket_frame.c      bytes to messages (wslay) and messages to bytes
 *   websocket_handshake.c  upgrade requests, at the server
 *   websocket_dial.c       resolve, connect, TLS, upgrade, at the client
 */
#ifndef PB_NET_WEBSOCKET_PRIVATE_H
#define PB_NET_WEBSOCKET_PRIVATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "net/transport_private.h"
#include "net/websocket.h"

/* Deadlines. Tests make them short. */
struct pb_websocket_limits {
    int64_t connect_ms;
    int64_t ping_ms;
    int64_t silence_ms;
    int64_t close_ms; /* for the other side to answer our close frame */
};

extern const struct pb_websocket_limits PB_WEBSOCKET_LIMITS;
/* Loop thread. */
void pb_websocket_set_limits(struct pb_websocket *ws, const struct pb_websocket_limits *limits);

enum pb_websocket_opcode {
    PB_WEBSOCKET_CONTINUATION = 0,
    PB_WEBSOCKET_TEXT = 1,
    PB_WEBSOCKET_BINARY = 2,
    PB_WEBSOCKET_CLOSE = 8,
    PB_WEBSOCKET_PING = 9,
    PB_WEBSOCKET_PONG = 10,
};

enum {
    PB_WEBSOCKET_REASON_TEXT = 160,
    PB_WEBSOCKET_HEADER_MAX = 14,
    PB_WEBSOCKET_CONTROL_MAX = 125,
    PB_WEBSOCKET_ACCEPT_TEXT = 29, /* base64 of a SHA-1, and a NUL */
    PB_WEBSOCKET_KEY_TEXT = 25,    /* base64 of 16 bytes, and a NUL */
};

/* What the reader found. Text is valid UTF-8, a close code is one that may be sent. */
struct pb_websocket_incoming {
    enum pb_websocket_opcode opcode; /* TEXT, BINARY, CLOSE, PING, PONG */
    const char *data;                /* CLOSE: the reason */
    size_t len;
    int code; /* CLOSE: 1005 when it had none */
};

enum pb_websocket_read {
    PB_WEBSOCKET_WANTS_MORE, /* everything given has been read */
    PB_WEBSOCKET_GOT,        /* one message; ask again */
    PB_WEBSOCKET_VIOLATION,  /* close with pb_websocket_reader_violation() */
};

struct pb_websocket_reader;

struct pb_websocket_reader *pb_websocket_reader_new(bool is_server,
                                                    size_t message_max) PB_MUST_CHECK;
void pb_websocket_reader_free(struct pb_websocket_reader *reader);
/* The bytes stay the caller's until WANTS_MORE is returned. Only when the last ones are used up. */
void pb_websocket_reader_give(struct pb_websocket_reader *reader, const void *data, size_t len);
/* Takes back what has not been looked at. */
size_t pb_websocket_reader_rest(struct pb_websocket_reader *reader, const char **ret_data);
/* `ret_incoming` is good until the next call. */
enum pb_websocket_read pb_websocket_reader_next(struct pb_websocket_reader *reader,
                                                struct pb_websocket_incoming *ret_incoming);
int pb_websocket_reader_violation(const struct pb_websocket_reader *reader, const char **ret_words);

/* Returns the length; `mask` NULL = unmasked. */
size_t pb_websocket_write_header(enum pb_websocket_opcode opcode, size_t len, const uint8_t *mask,
                                 uint8_t ret_header[PB_WEBSOCKET_HEADER_MAX]);
void pb_websocket_mask(const uint8_t mask[4], const void *data, size_t len, char *ret_masked);

/* The answer to a Sec-WebSocket-Key. */
void pb_websocket_accept_key(const char *key, char ret_accept[PB_WEBSOCKET_ACCEPT_TEXT]);

/* Dialling. `done` is called once, from the loop, never inside start. On success it is given the
 * socket and what came behind the answer's head; else transport is NULL and `problem` says why. */
struct pb_websocket_dial;
typedef void pb_websocket_dialled(void *arg, struct pb_transport *transport, struct pb_buf *in,
                                  const char *problem);
struct pb_websocket_dial *pb_websocket_dial_start(struct pb_loop *loop, const char *url,
                                                  const struct pb_http_header *headers,
                                                  size_t header_count, struct pb_tls_client *tls,
                                                  pb_websocket_dialled *done, void *arg,
                                                  struct pb_error *err) PB_MUST_CHECK;
void pb_websocket_dial_cancel(struct pb_websocket_dial *dial); /* NULL is fine */

/* From an accepted exchange; takes socket and bytes. */
struct pb_websocket *pb_websocket_new(struct pb_loop *loop, bool is_server,
                                      const struct pb_websocket_options *options) PB_MUST_CHECK;
int pb_websocket_open(struct pb_websocket *ws, struct pb_transport *transport, struct pb_buf *in,
                      const void *greeting, size_t greeting_len) PB_MUST_CHECK;

/*
 *   CONNECTING ──► OPEN ──► CLOSING ──► CLOSED        CLOSING: we have sent a close frame or heard one;
 *        └──────────┴──────────────────────►          messages neither come nor go any more
 */
enum pb_websocket_state {
    PB_WEBSOCKET_CONNECTING,
    PB_WEBSOCKET_OPEN,
    PB_WEBSOCKET_CLOSING,
    PB_WEBSOCKET_CLOSED,
};

struct pb_websocket {
    _Atomic unsigned refs;
    struct pb_loop *loop; /* borrowed */
    bool is_server;
    struct pb_websocket_limits limits;
    const struct pb_websocket_events *events;
    void *arg;
    size_t queue_max;

    /* Loop thread only. */
    struct pb_websocket_dial *dial; /* owned, while CONNECTING at the client */
    struct pb_transport transport;
    struct pb_loop_fd *watch;
    int watched; /* events; changing them costs system calls */
    struct pb_loop_timer *timer;
    struct pb_websocket_reader *reader;
    struct pb_buf in; /* read, not looked at because of a pause */
    struct pb_out_queue out;
    bool is_paused;
    bool heard_close;  /* the peer's close frame */
    bool has_ended;    /* our half of the socket */
    bool violated;     /* by the peer: what it sends is thrown away */
    int64_t start_ms;  /* of connecting, later of closing */
    int64_t heard_ms;  /* last byte from the peer */
    int64_t pinged_ms; /* last ping from us */
    int code;          /* what closed() will say, once known */
    char reason[PB_WEBSOCKET_REASON_TEXT];

    pthread_mutex_t lock;          /* guards what follows */
    enum pb_websocket_state state; /* changed on the loop thread, except OPEN → CLOSING */
    pthread_t loop_thread;
    struct pb_out_queue pending;
    size_t queued; /* pending and out */
    bool above;    /* `drained` is owed */
    bool flush_posted;
    bool is_broken; /* memory ran out in the middle of a frame */
};

/* sending; the lock is held unless said otherwise */

/* One frame, if it fits below `bound` queued bytes. */
bool pb_websocket_put(struct pb_websocket *ws, enum pb_websocket_opcode opcode, const void *data,
                      size_t len, size_t bound);
/* New bytes are pending: sent at once on the loop thread, else soon. What may call back into the
 * owner (a broken connection, a drained queue) is always left to the loop. */
void pb_websocket_push(struct pb_websocket *ws);
/* Sends what is queued; loop thread. False when the connection is broken. */
bool pb_websocket_send_out(struct pb_websocket *ws);
void pb_websocket_post_flush(struct pb_websocket *ws);
void pb_websocket_flush_posted(void *arg);
/* Loop thread, without the lock. */
void pb_websocket_watch_again(struct pb_websocket *ws);

#endif
