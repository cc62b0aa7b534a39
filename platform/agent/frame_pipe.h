/*
 * Frames of wire/message.h over a local stream socket, each with its length
 * (32 bits, big-endian) in front: supervisor ↔ link ↔ runner. A message socket
 * would keep the borders for us but refuses frames beyond about 208 KiB.
 *
 * On one loop. Outgoing bytes are bounded; a frame that does not fit is
 * refused and the sender waits for `drained`.
 */
#ifndef PB_AGENT_FRAME_PIPE_H
#define PB_AGENT_FRAME_PIPE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/loop.h"

struct pb_frame_pipe;

struct pb_frame_pipe_events {
    void (*frame)(void *arg, const void *frame, size_t len);
    /* No more than half of the room is taken any more; may be NULL. Owed once more than half was, or a frame
     * was refused. */
    void (*drained)(void *arg);
    void (*closed)(void *arg, const char *reason); /* once, last; free the stream in it or later */
};

/* Takes the descriptor over, also on failure. queue_max must hold the largest frame. */
struct pb_frame_pipe *pb_frame_pipe_new(struct pb_loop *loop, int fd, size_t queue_max,
                                        const struct pb_frame_pipe_events *events, void *arg,
                                        struct pb_error *err) PB_MUST_CHECK;
/* False: no room, or closed. */
bool pb_frame_pipe_send(struct pb_frame_pipe *stream, const void *frame, size_t len);
size_t pb_frame_pipe_queued(const struct pb_frame_pipe *stream);
void pb_frame_pipe_pause(struct pb_frame_pipe *stream, bool paused); /* reading */
void pb_frame_pipe_free(struct pb_frame_pipe *stream); /* also inside callbacks; NULL is fine */

#endif
