/*
 * The inside of the HTTP server, shared by its three files.
 *
 *   http_server.c      listening, limits, who may stay, stopping
 *   http_connection.c  one socket: handshake, requests in order, deadlines
 *   http_exchange.c    one request and its reply, which may come from any thread
 *
 * A connection lives on the loop thread alone and has at most one exchange.
 * An exchange outlives its connection if the handler still holds it; the two
 * meet only in pb_http_exchange_collect(), under the exchange's lock.
 */
#ifndef PB_NET_HTTP_SERVER_PRIVATE_H
#define PB_NET_HTTP_SERVER_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "net/http_parser.h"
#include "net/http_server.h"
#include "net/out_queue_private.h"
#include "net/transport_private.h"

enum { PB_HTTP_PEER_TEXT = 64, PB_HTTP_DRAINED_BELOW = 64 * 1024 };

/* Deadlines. Tests make them short. */
struct pb_http_limits {
    int64_t handshake_ms;
    int64_t head_ms;
    int64_t body_grace_ms; /* from then on at least body_rate bytes a second on average */
    int64_t body_rate;
    int64_t idle_ms;
    int64_t stall_ms;  /* a client that takes no byte of its reply for so long is cut */
    int64_t linger_ms; /* for the client to read our last words before the socket closes */
};

struct pb_http_connection {
    struct pb_http_connection *prev, *next; /* in server->idle or server->busy */
    struct pb_http_server *server;          /* borrowed; outlives us */
    struct pb_transport transport;
    struct pb_loop_fd *watch;
    int watched; /* events; changing them costs system calls */
    struct pb_http_parser *parser;
    struct pb_http_exchange *exchange; /* the one being answered; holds a reference */
    struct pb_buf in;                  /* read, but behind the current request */
    struct pb_out_queue out;
    size_t held; /* of out, as the server has counted it */
    enum { PB_HTTP_HANDSHAKE, PB_HTTP_OPEN, PB_HTTP_LINGERING, PB_HTTP_CLOSED } state;
    unsigned depth; /* of calls that still use us; freed when closed and 0 */
    bool is_idle;
    bool peer_ended;
    bool last;         /* no request after this one */
    bool is_advancing; /* in advance(), which looks after what comes next */
    bool advance_posted;
    size_t lingered;  /* bytes thrown away */
    int64_t since_ms; /* begin of what we wait for: handshake, head, body, idle */
    int64_t wrote_ms; /* last time the client took a byte, or had none to take */
    char peer[PB_HTTP_PEER_TEXT];
};

struct pb_http_list {
    struct pb_http_connection *first, *last;
};

struct pb_http_server {
    struct pb_loop *loop; /* borrowed */
    struct pb_http_server_options options;
    struct pb_http_limits limits;
    int listen_fd;
    bool owns_listen_fd;
    int reserve_fd; /* given up to turn a client away when descriptors run out */
    struct pb_loop_fd *accept_watch;
    struct pb_loop_timer *accept_pause;
    struct pb_loop_timer *tick;
    struct pb_loop_timer *grace;
    struct pb_http_list idle; /* between requests, oldest first */
    struct pb_http_list busy;
    size_t held;         /* memory of replies on their way, of all connections */
    atomic_size_t count; /* changed on the loop thread */
    bool is_stopping;
};

struct pb_http_exchange {
    _Atomic unsigned refs; /* the handler's, the connection's, one per posted flush */
    struct pb_loop *loop;
    pthread_t loop_thread;
    struct pb_http_request request;
    bool is_tls;
    bool is_head;
    char peer[PB_HTTP_PEER_TEXT];

    pthread_mutex_t lock;                  /* guards all below */
    pthread_cond_t quiet;                  /* no callback is running */
    struct pb_http_connection *connection; /* NULL = the client is gone; used on the loop thread */
    struct pb_out_queue pending;           /* not yet collected by the connection */
    size_t waiting;                        /* pending and what the connection has not sent */
    bool keep_alive;
    bool begun, ended, aborted;
    bool is_chunked;
    bool has_no_body;
    int64_t announced; /* body bytes still to come; < 0 = not announced */
    bool flush_posted;
    bool call_posted;
    bool above; /* waiting has been over the mark since `drained` was last called */
    bool is_calling;
    bool told_gone;
    void (*drained)(void *arg);
    void (*gone)(void *arg);
    void *arg;
};

/* server */
extern const struct pb_http_limits PB_HTTP_LIMITS;
void pb_http_server_set_limits(struct pb_http_server *server, const struct pb_http_limits *limits);
void pb_http_server_note_idle(struct pb_http_server *server, struct pb_http_connection *connection,
                              bool is_idle);
void pb_http_server_forget(struct pb_http_server *server, struct pb_http_connection *connection);
/* Counts what the connection holds; who holds too much together loses its slowest. */
void pb_http_server_note_held(struct pb_http_server *server, struct pb_http_connection *connection);

/* connection, loop thread */
int pb_http_connection_start(struct pb_http_server *server, int fd, const char *peer);
void pb_http_connection_close(struct pb_http_connection *connection);
/* Closes it if its deadline has passed. */
void pb_http_connection_tick(struct pb_http_connection *connection, int64_t now_ms);
/* Ends it after the reply it is making; at once if it makes none. */
void pb_http_connection_stop(struct pb_http_connection *connection);
/* The exchange has something to send or has ended. */
void pb_http_connection_flush(struct pb_http_connection *connection);
/* Takes socket and unread bytes away; the connection is closed without them. */
void pb_http_connection_detach(struct pb_http_connection *connection,
                               struct pb_transport *ret_transport, struct pb_buf *ret_in);

/* exchange */
struct pb_http_exchange *pb_http_exchange_new(struct pb_http_connection *connection,
                                              struct pb_http_request *request) PB_MUST_CHECK;
void pb_http_exchange_unref(struct pb_http_exchange *exchange);
struct pb_http_collected {
    bool ended;
    bool aborted;
};
/* Moves what was written into `out`. */
struct pb_http_collected pb_http_exchange_collect(struct pb_http_exchange *exchange,
                                                  struct pb_out_queue *out);
/* The client took `len` bytes; `drained` may become due. */
void pb_http_exchange_note_sent(struct pb_http_exchange *exchange, size_t len);
/* The client will send no more (`is_cut`: nor receive); `gone` becomes due. */
void pb_http_exchange_note_gone(struct pb_http_exchange *exchange, bool is_cut);
void pb_http_exchange_note_last(struct pb_http_exchange *exchange);
/* For WebSockets: takes the connection's socket and unread bytes. -1 = the client is gone. */
int pb_http_exchange_upgrade(struct pb_http_exchange *exchange, struct pb_transport *ret_transport,
                             struct pb_buf *ret_in) PB_MUST_CHECK;
/* Afterwards: it is answered by that, or (memory was short) the handler still has it, without a
 * client. */
void pb_http_exchange_upgraded(struct pb_http_exchange *exchange, bool is_open);

/* heads and problems, any thread */
void pb_http_write_head(struct pb_buf *buf, int status, const struct pb_http_header *headers,
                        size_t header_count);
/* A whole reply that also ends the connection. */
void pb_http_write_refusal(struct pb_buf *buf, int status, const char *code, const char *detail);
bool pb_http_asks_close(const struct pb_http_header *headers, size_t header_count);

#endif
