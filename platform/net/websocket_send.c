#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "net/websocket_private.h"

struct pb_websocket_frame {
    struct pb_shared_bytes *bytes; /* header and payload, as the server sends it */
    _Atomic unsigned refs;
    bool is_text;
    size_t header_len;
};

/* The lock is held. */
void pb_websocket_post_flush(struct pb_websocket *ws)
{
    if (ws->flush_posted || ws->state == PB_WEBSOCKET_CLOSED)
        return;
    pb_websocket_ref(ws);
    ws->flush_posted = pb_loop_post(ws->loop, pb_websocket_flush_posted, ws);
    if (!ws->flush_posted)
        atomic_fetch_sub_explicit(&ws->refs, 1, memory_order_relaxed);
}

void pb_websocket_watch_again(struct pb_websocket *ws)
{
    bool reading = !ws->is_paused || ws->heard_close || ws->violated;

    int events = pb_transport_events(&ws->transport, reading, ws->out.bytes > 0);

    if (ws->watch && events != ws->watched)
        pb_loop_fd_change(ws->watch, events);
    ws->watched = events;
}

/* Sends what is queued. The lock is held. False when the connection is broken. */
bool pb_websocket_send_out(struct pb_websocket *ws)
{
    ssize_t sent;

    pb_out_queue_splice(&ws->out, &ws->pending);
    sent = ws->is_broken ? PB_TRANSPORT_FAILED : pb_transport_flush(&ws->transport, &ws->out);
    if (sent < 0)
        return false;
    ws->queued -= (size_t)sent;
    return true;
}

/* New bytes are pending: sent at once on the loop thread, else soon. The lock is held. What may
 * call back into the owner (a broken connection, a drained queue) is always left to the loop. */
void pb_websocket_push(struct pb_websocket *ws)
{
    if (ws->state == PB_WEBSOCKET_CONNECTING)
        return;
    if (!pthread_equal(ws->loop_thread, pthread_self()) || ws->out.bytes > 0) {
        pb_websocket_post_flush(ws);
        return;
    }
    if (!pb_websocket_send_out(ws))
        ws->is_broken = true;
    if (ws->is_broken || ws->above || ws->state == PB_WEBSOCKET_CLOSING)
        pb_websocket_post_flush(ws);
    pb_websocket_watch_again(ws);
}

/* The lock is held. */
static bool has_room(struct pb_websocket *ws, size_t len, size_t bound)
{
    if (len <= bound && ws->queued <= bound - len)
        return true;
    ws->above = true;
    return false;
}

/* The lock is held. */
static void note_queued(struct pb_websocket *ws, size_t len)
{
    ws->queued += len;
    if (ws->queued >= ws->queue_max / 2)
        ws->above = true;
}

static void put_masked(struct pb_websocket *ws, enum pb_websocket_opcode opcode, const void *data,
                       size_t len)
{
    uint8_t mask[4];
    uint8_t header[PB_WEBSOCKET_HEADER_MAX];
    size_t header_len;
    struct pb_shared_bytes *bytes;

    pb_random(mask, sizeof(mask));
    header_len = pb_websocket_write_header(opcode, len, mask, header);
    bytes = pb_shared_bytes_new(header_len + len);
    if (bytes) {
        memcpy(bytes->data, header, header_len);
        pb_websocket_mask(mask, data, len, bytes->data + header_len);
    }
    if (!bytes || !pb_out_queue_share(&ws->pending, bytes))
        ws->is_broken = true;
    note_queued(ws, header_len + len);
    pb_shared_bytes_unref(bytes);
}

static void put_plain(struct pb_websocket *ws, enum pb_websocket_opcode opcode, const void *data,
                      size_t len)
{
    uint8_t header[PB_WEBSOCKET_HEADER_MAX];
    size_t header_len = pb_websocket_write_header(opcode, len, NULL, header);

    if (!pb_out_queue_copy(&ws->pending, header, header_len) ||
        !pb_out_queue_copy(&ws->pending, data, len))
        ws->is_broken = true;
    note_queued(ws, header_len + len);
}

/* One frame, if it fits below `bound`. The lock is held. */
bool pb_websocket_put(struct pb_websocket *ws, enum pb_websocket_opcode opcode, const void *data,
                      size_t len, size_t bound)
{
    if (!has_room(ws, len + PB_WEBSOCKET_HEADER_MAX, bound))
        return false;
    if (ws->is_server)
        put_plain(ws, opcode, data, len);
    else
        put_masked(ws, opcode, data, len);
    return true;
}

bool pb_websocket_send(struct pb_websocket *ws, bool is_text, const void *data, size_t len)
{
    bool taken;

    pthread_mutex_lock(&ws->lock);
    taken = ws->state == PB_WEBSOCKET_OPEN &&
            pb_websocket_put(ws, is_text ? PB_WEBSOCKET_TEXT : PB_WEBSOCKET_BINARY, data, len,
                             ws->queue_max);
    if (taken)
        pb_websocket_push(ws);
    pthread_mutex_unlock(&ws->lock);
    return taken;
}

struct pb_websocket_frame *pb_websocket_frame_new(bool is_text, const void *data, size_t len)
{
    struct pb_websocket_frame *frame = calloc(1, sizeof(*frame));
    uint8_t header[PB_WEBSOCKET_HEADER_MAX];

    if (!frame)
        return NULL;
    atomic_init(&frame->refs, 1);
    frame->is_text = is_text;
    frame->header_len = pb_websocket_write_header(is_text ? PB_WEBSOCKET_TEXT : PB_WEBSOCKET_BINARY,
                                                  len, NULL, header);
    frame->bytes = pb_shared_bytes_new(frame->header_len + len);
    if (!frame->bytes) {
        free(frame);
        return NULL;
    }
    memcpy(frame->bytes->data, header, frame->header_len);
    if (len > 0)
        memcpy(frame->bytes->data + frame->header_len, data, len);
    return frame;
}

void pb_websocket_frame_unref(struct pb_websocket_frame *frame)
{
    if (!frame || atomic_fetch_sub_explicit(&frame->refs, 1, memory_order_acq_rel) != 1)
        return;
    pb_shared_bytes_unref(frame->bytes);
    free(frame);
}

const char *pb_websocket_frame_data(const struct pb_websocket_frame *frame, size_t *ret_len)
{
    *ret_len = frame->bytes->len - frame->header_len;
    return frame->bytes->data + frame->header_len;
}

bool pb_websocket_send_frame(struct pb_websocket *ws, struct pb_websocket_frame *frame)
{
    bool taken;

    if (!ws->is_server)
        return pb_websocket_send(ws, frame->is_text, frame->bytes->data + frame->header_len,
                                 frame->bytes->len - frame->header_len);
    pthread_mutex_lock(&ws->lock);
    taken = ws->state == PB_WEBSOCKET_OPEN && has_room(ws, frame->bytes->len, ws->queue_max) &&
            pb_out_queue_share(&ws->pending, frame->bytes);
    if (taken) {
        note_queued(ws, frame->bytes->len);
        pb_websocket_push(ws);
    }
    pthread_mutex_unlock(&ws->lock);
    return taken;
}

struct pb_loop *pb_websocket_loop(const struct pb_websocket *ws)
{
    return ws->loop;
}

size_t pb_websocket_queued(const struct pb_websocket *ws)
{
    struct pb_websocket *self = (struct pb_websocket *)(uintptr_t)ws;
    size_t queued;

    pthread_mutex_lock(&self->lock);
    queued = self->queued;
    pthread_mutex_unlock(&self->lock);
    return queued;
}
