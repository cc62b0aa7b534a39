/*
 * A connected non-blocking socket, plain or TLS, behind one read and one
 * write. Whoever owns it watches the descriptor for pb_transport_events()
 * and on TLS tries both directions whenever something happens.
 */
#ifndef PB_NET_TRANSPORT_PRIVATE_H
#define PB_NET_TRANSPORT_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"
#include "net/out_queue_private.h"

struct pb_tls_session;

enum { PB_TRANSPORT_SCRATCH = 32 * 1024 };
enum { PB_TRANSPORT_AGAIN = -1, PB_TRANSPORT_FAILED = -2 };

struct pb_transport {
    int fd;                     /* owned; -1 = closed */
    struct pb_tls_session *tls; /* owned; NULL = plain */
    bool read_wants_write;      /* TLS needs the other direction first */
    bool write_wants_read;
};

/* 0 done, AGAIN, FAILED. Plain ones are done at once. */
int pb_transport_handshake(struct pb_transport *transport);
/* Bytes; 0 = the peer ended; AGAIN; FAILED. Reads whole TLS records: `size` is at least 16 KiB. */
ssize_t pb_transport_read(struct pb_transport *transport, void *data, size_t size);
/* Sends until the socket is full or the queue empty. Bytes sent (0 is fine), or FAILED. */
ssize_t pb_transport_flush(struct pb_transport *transport, struct pb_out_queue *queue);
/* The PB_LOOP_* to watch for. */
int pb_transport_events(const struct pb_transport *transport, bool reading, bool writing);
/* No more from us: the peer sees a proper end. */
void pb_transport_end(struct pb_transport *transport);
void pb_transport_close(struct pb_transport *transport);

/* PB_TRANSPORT_SCRATCH bytes of this thread to read into; theirs only until the next read. */
char *pb_transport_scratch(void);

#endif
