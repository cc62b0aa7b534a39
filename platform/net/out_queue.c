#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/out_queue_private.h"

enum { PIECE_MIN = 1024 }; /* small writes share a piece */

struct pb_out_piece {
    struct pb_out_piece *next;
    struct pb_shared_bytes *shared; /* NULL: the bytes are `own` */
    size_t len;
    size_t capacity; /* of own */
    char own[];
};

struct pb_shared_bytes *pb_shared_bytes_new(size_t len)
{
    struct pb_shared_bytes *shared = malloc(sizeof(*shared) + len);

    if (!shared)
        return NULL;
    atomic_init(&shared->refs, 1);
    shared->len = len;
    return shared;
}

void pb_shared_bytes_ref(struct pb_shared_bytes *shared)
{
    atomic_fetch_add_explicit(&shared->refs, 1, memory_order_relaxed);
}

void pb_shared_bytes_unref(struct pb_shared_bytes *shared)
{
    if (shared && atomic_fetch_sub_explicit(&shared->refs, 1, memory_order_acq_rel) == 1)
        free(shared);
}

static const char *piece_data(const struct pb_out_piece *piece)
{
    return piece->shared ? piece->shared->data : piece->own;
}

static void piece_free(struct pb_out_piece *piece)
{
    pb_shared_bytes_unref(piece->shared);
    free(piece);
}

static void append(struct pb_out_queue *queue, struct pb_out_piece *piece)
{
    if (queue->last)
        queue->last->next = piece;
    else
        queue->first = piece;
    queue->last = piece;
    queue->bytes += piece->len;
    queue->held += piece->capacity;
}

void pb_out_queue_clear(struct pb_out_queue *queue)
{
    while (queue->first) {
        struct pb_out_piece *piece = queue->first;

        queue->first = piece->next;
        piece_free(piece);
    }
    *queue = (struct pb_out_queue){0};
}

bool pb_out_queue_copy(struct pb_out_queue *queue, const void *data, size_t len)
{
    struct pb_out_piece *last = queue->last;
    struct pb_out_piece *piece;
    size_t capacity = len > PIECE_MIN ? len : PIECE_MIN;

    if (len == 0)
        return true;
    if (last && !last->shared && last->capacity - last->len >= len) {
        memcpy(last->own + last->len, data, len);
        last->len += len;
        queue->bytes += len;
        return true;
    }
    piece = malloc(sizeof(*piece) + capacity);
    if (!piece)
        return false;
    *piece = (struct pb_out_piece){.len = len, .capacity = capacity};
    memcpy(piece->own, data, len);
    append(queue, piece);
    return true;
}

bool pb_out_queue_share(struct pb_out_queue *queue, struct pb_shared_bytes *shared)
{
    struct pb_out_piece *piece;

    if (shared->len == 0)
        return true;
    piece = malloc(sizeof(*piece));
    if (!piece)
        return false;
    *piece = (struct pb_out_piece){.shared = shared, .len = shared->len};
    pb_shared_bytes_ref(shared);
    append(queue, piece);
    return true;
}

void pb_out_queue_splice(struct pb_out_queue *to, struct pb_out_queue *from)
{
    if (!from->first)
        return;
    if (to->last) {
        to->last->next = from->first;
    } else {
        to->first = from->first;
        to->offset = from->offset;
    }
    to->last = from->last;
    to->bytes += from->bytes;
    to->held += from->held;
    *from = (struct pb_out_queue){0};
}

int pb_out_queue_peek(const struct pb_out_queue *queue, struct iovec *vectors, int max)
{
    size_t offset = queue->offset;
    int count = 0;

    for (struct pb_out_piece *piece = queue->first; piece && count < max; piece = piece->next) {
        const char *data = piece_data(piece) + offset;

        /* sendmsg(2) reads only; iovec has no const */
        vectors[count].iov_base = (char *)(uintptr_t)data;
        vectors[count].iov_len = piece->len - offset;
        count++;
        offset = 0;
    }
    return count;
}

void pb_out_queue_sent(struct pb_out_queue *queue, size_t len)
{
    queue->bytes -= len;
    while (len > 0) {
        struct pb_out_piece *piece = queue->first;
        size_t left = piece->len - queue->offset;

        if (len < left) {
            queue->offset += len;
            return;
        }
        len -= left;
        queue->offset = 0;
        queue->first = piece->next;
        if (!queue->first)
            queue->last = NULL;
        queue->held -= piece->capacity;
        piece_free(piece);
    }
}
