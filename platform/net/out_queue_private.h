/*
 * Bytes on their way out of one connection: pieces in order, sent with one
 * sendmsg(2). A piece is either a copy of its own or a shared block that many
 * connections send (a broadcast is built once). Not locked: the owner does.
 */
#ifndef PB_NET_OUT_QUEUE_PRIVATE_H
#define PB_NET_OUT_QUEUE_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

#include "base/error.h"
#include "net/shared_bytes.h"

struct pb_out_piece;

/* All zero is an empty queue. */
struct pb_out_queue {
    struct pb_out_piece *first;
    struct pb_out_piece *last;
    size_t offset; /* of the first piece, already sent */
    size_t bytes;  /* not yet sent */
    size_t held;   /* memory of the pieces that are copies */
};

void pb_out_queue_clear(struct pb_out_queue *queue);
/* False only when memory is short; the queue is then as it was. */
bool pb_out_queue_copy(struct pb_out_queue *queue, const void *data, size_t len) PB_MUST_CHECK;
bool pb_out_queue_share(struct pb_out_queue *queue, struct pb_shared_bytes *shared) PB_MUST_CHECK;
/* Moves everything in `from` behind what is in `to`. */
void pb_out_queue_splice(struct pb_out_queue *to, struct pb_out_queue *from);
/* Fills at most `max` vectors with the next bytes; returns how many. */
int pb_out_queue_peek(const struct pb_out_queue *queue, struct iovec *vectors, int max);
void pb_out_queue_sent(struct pb_out_queue *queue, size_t len);

#endif
