#include "agent/frame_pipe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/fd_message.h"
#include "base/buf.h"
#include "base/fs.h"
#include "wire/frame_stream.h"
#include "wire/message.h"

enum {
    LENGTH_BYTES = 4,
    READ_BYTES = 64 * 1024,
    READS_PER_TURN = 8, /* then others on the loop get their turn */
};

struct pb_frame_pipe {
    struct pb_loop *loop; /* borrowed */
    struct pb_loop_fd *watch;
    const struct pb_frame_pipe_events *events;
    void *arg;
    int fd;
    size_t queue_max;
    struct pb_buf in;
    struct pb_buf out;
    size_t out_sent; /* bytes of `out` already written */
    bool paused;
    bool is_above; /* more than half waits, or a frame was refused: `drained` is owed */
    bool closed;
    bool in_callback;
    bool free_later;
};

static size_t waiting(const struct pb_frame_pipe *pipe)
{
    return pipe->out.len - pipe->out_sent;
}

static void watch_again(struct pb_frame_pipe *pipe)
{
    int events = (pipe->paused ? 0 : PB_LOOP_READ) | (waiting(pipe) > 0 ? PB_LOOP_WRITE : 0);

    if (pipe->watch)
        pb_loop_fd_change(pipe->watch, events);
}

static void close_pipe(struct pb_frame_pipe *pipe, const char *reason)
{
    if (pipe->closed)
        return;
    pipe->closed = true;
    pb_loop_fd_unwatch(&pipe->watch);
    pb_close(&pipe->fd);
    pipe->events->closed(pipe->arg, reason);
}

/* Hands on every whole frame; false when the pipe is over. */
static bool take_frames(struct pb_frame_pipe *pipe)
{
    const void *frame;
    size_t len;
    bool is_broken = false;

    while (!pipe->closed && !pipe->free_later && !pipe->paused &&
           pb_frame_stream_next(&pipe->in, &frame, &len, &is_broken)) {
        pipe->events->frame(pipe->arg, frame, len);
        pb_frame_stream_drop(&pipe->in, len);
    }
    if (is_broken)
        close_pipe(pipe, "a frame of an impossible length");
    return !pipe->closed && !pipe->free_later;
}

static void on_readable(struct pb_frame_pipe *pipe)
{
    for (int i = 0; i < READS_PER_TURN && !pipe->paused; i++) {
        char *room = pb_buf_reserve(&pipe->in, READ_BYTES);
        ssize_t got;

        if (!room) {
            close_pipe(pipe, "out of memory");
            return;
        }
        got = recv(pipe->fd, room, READ_BYTES, MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (got <= 0) {
            close_pipe(pipe, got == 0 ? "the other end has closed" : strerror(errno));
            return;
        }
        pipe->in.len += (size_t)got;
        if (!take_frames(pipe) || got < READ_BYTES)
            return;
    }
}

static void on_writable(struct pb_frame_pipe *pipe)
{
    while (waiting(pipe) > 0) {
        ssize_t sent = send(pipe->fd, pipe->out.data + pipe->out_sent, waiting(pipe),
                            MSG_DONTWAIT | MSG_NOSIGNAL);

        if (sent < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (sent < 0) {
            close_pipe(pipe, strerror(errno));
            return;
        }
        pipe->out_sent += (size_t)sent;
    }
    if (waiting(pipe) == 0 || pipe->out_sent > pipe->queue_max / 2) {
        pb_buf_consume(&pipe->out, pipe->out_sent);
        pipe->out_sent = 0;
    }
    if (pipe->is_above && waiting(pipe) <= pipe->queue_max / 2) {
        pipe->is_above = false;
        if (pipe->events->drained)
            pipe->events->drained(pipe->arg);
    }
}

static void finish_free(struct pb_frame_pipe *pipe)
{
    pb_loop_fd_unwatch(&pipe->watch);
    pb_close(&pipe->fd);
    pb_buf_release(&pipe->in);
    pb_buf_release(&pipe->out);
    free(pipe);
}

static void on_ready(void *arg, int events)
{
    struct pb_frame_pipe *pipe = arg;

    pipe->in_callback = true;
    if (events & PB_LOOP_WRITE)
        on_writable(pipe);
    if ((events & PB_LOOP_READ) && !pipe->closed && !pipe->free_later)
        on_readable(pipe);
    (void)take_frames(pipe); /* those read before a pause that a callback has ended */
    pipe->in_callback = false;
    if (pipe->free_later)
        finish_free(pipe);
    else
        watch_again(pipe);
}

struct pb_frame_pipe *pb_frame_pipe_new(struct pb_loop *loop, int fd, size_t queue_max,
                                        const struct pb_frame_pipe_events *events, void *arg,
                                        struct pb_error *err)
{
    struct pb_frame_pipe *pipe = calloc(1, sizeof(*pipe));

    if (!pipe) {
        pb_close(&fd);
        (void)pb_fail(err, PB_ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    *pipe = (struct pb_frame_pipe){
        .loop = loop, .events = events, .arg = arg, .fd = fd, .queue_max = queue_max};
    pb_buf_init(&pipe->in, PB_MESSAGE_FRAME_MAX + LENGTH_BYTES + READ_BYTES);
    pb_buf_init(&pipe->out, 2 * queue_max + LENGTH_BYTES);
    if (pb_fd_set_nonblocking(fd, true, err) < 0) {
        finish_free(pipe);
        return NULL;
    }
    pipe->watch = pb_loop_fd_watch(loop, fd, PB_LOOP_READ, on_ready, pipe);
    if (!pipe->watch) {
        finish_free(pipe);
        (void)pb_fail(err, PB_ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    return pipe;
}

bool pb_frame_pipe_send(struct pb_frame_pipe *pipe, const void *frame, size_t len)
{
    if (pipe->closed || len == 0 || len > PB_MESSAGE_FRAME_MAX)
        return false;
    if (waiting(pipe) + LENGTH_BYTES + len > pipe->queue_max) {
        pipe->is_above = true;
        return false;
    }
    pb_frame_stream_put(&pipe->out, frame, len);
    if (pb_buf_failed(&pipe->out)) { /* a half frame must not go out */
        pb_buf_clear(&pipe->out);
        pipe->out_sent = 0;
        (void)shutdown(pipe->fd, SHUT_RDWR);
        return false;
    }
    pipe->is_above = pipe->is_above || waiting(pipe) > pipe->queue_max / 2;
    watch_again(pipe);
    return true;
}

size_t pb_frame_pipe_queued(const struct pb_frame_pipe *pipe)
{
    return waiting(pipe);
}

void pb_frame_pipe_pause(struct pb_frame_pipe *pipe, bool paused)
{
    if (pipe->paused == paused || pipe->closed)
        return;
    pipe->paused = paused;
    if (!paused && !pipe->in_callback) { /* frames that came before the pause */
        pipe->in_callback = true;
        (void)take_frames(pipe);
        pipe->in_callback = false;
        if (pipe->free_later) {
            finish_free(pipe);
            return;
        }
    }
    watch_again(pipe);
}

void pb_frame_pipe_free(struct pb_frame_pipe *pipe)
{
    if (!pipe)
        return;
    pipe->closed = true;
    if (pipe->in_callback)
        pipe->free_later = true;
    else
        finish_free(pipe);
}
