#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/fd_message.h"
#include "agent/frame_pipe.h"
#include "base/buf.h"
#include "base/fs.h"
#include "pb_test.h"
#include "wire/frame_stream.h"
#include "wire/message.h"

enum { DEADLINE_MS = 10 * 1000, QUEUE = 2 * PB_MESSAGE_FRAME_MAX, FRAMES_MAX = 4096 };

/* One pipe under test, and the bare socket at its other end. */
struct bench {
    struct pb_loop *loop;
    struct pb_frame_pipe *pipe;
    int peer;

    size_t frames;
    size_t bytes;
    size_t lengths[FRAMES_MAX];
    bool is_damaged; /* a frame held something else than its number, over and over */
    int drained;
    int closed;
    char reason[200];

    size_t stop_after;   /* the loop ends with so many frames */
    size_t pause_after;  /* … reading pauses */
    bool resume_drained; /* reading goes on when there is room to write */
    bool answer;         /* each frame is answered with its like */
    char free_in;        /* 'f'rame, 'd'rained, 'c'losed */
};

static struct bench b;

static void free_pipe(void)
{
    pb_frame_pipe_free(b.pipe);
    b.pipe = NULL;
    pb_loop_stop(b.loop);
}

static void on_frame(void *arg, const void *frame, size_t len)
{
    const uint8_t *bytes = frame;

    assert_ptr_equal(arg, &b);
    assert_true(b.frames < FRAMES_MAX);
    b.lengths[b.frames] = len;
    for (size_t i = 0; i < len; i++)
        b.is_damaged = b.is_damaged || bytes[i] != (uint8_t)b.frames;
    b.frames++;
    b.bytes += len;
    if (b.answer)
        assert_true(pb_frame_pipe_send(b.pipe, frame, len));
    if (b.frames == b.pause_after)
        pb_frame_pipe_pause(b.pipe, true);
    if (b.frames == b.stop_after)
        pb_loop_stop(b.loop);
    if (b.free_in == 'f')
        free_pipe();
}

static void on_drained(void *arg)
{
    assert_ptr_equal(arg, &b);
    b.drained++;
    if (b.resume_drained)
        pb_frame_pipe_pause(b.pipe, false);
    if (b.free_in == 'd')
        free_pipe();
}

static void on_closed(void *arg, const char *reason)
{
    assert_ptr_equal(arg, &b);
    b.closed++;
    (void)snprintf(b.reason, sizeof(b.reason), "%s", reason);
    pb_loop_stop(b.loop);
    if (b.free_in == 'c')
        free_pipe();
}

static const struct pb_frame_pipe_events EVENTS = {on_frame, on_drained, on_closed};

static int set_up(void **state)
{
    struct pb_error err = {0};
    int pair[2];

    (void)state;
    memset(&b, 0, sizeof(b));
    b.loop = pb_loop_new(&err);
    assert_non_null(b.loop);
    assert_ok(pb_fd_pair(SOCK_STREAM, pair, &err), &err);
    b.peer = pair[1];
    assert_ok(pb_fd_set_nonblocking(b.peer, true, &err), &err);
    b.pipe = pb_frame_pipe_new(b.loop, pair[0], QUEUE, &EVENTS, &b, &err);
    assert_non_null(b.pipe);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pb_frame_pipe_free(b.pipe);
    pb_close(&b.peer);
    pb_loop_free(b.loop);
    return 0;
}

static void too_late(void *arg)
{
    (void)arg;
    fail_msg("nothing happened: frames=%zu drained=%d closed=%d", b.frames, b.drained, b.closed);
}

static void run(void)
{
    struct pb_loop_timer *timer = pb_loop_timer_start(b.loop, DEADLINE_MS, 0, too_late, NULL);

    pb_loop_run(b.loop);
    pb_loop_timer_cancel(&timer);
}

static void stop_here(void *arg)
{
    int *turns = arg;

    if (--*turns > 0)
        (void)pb_loop_post(b.loop, stop_here, turns);
    else
        pb_loop_stop(b.loop);
}

/* A few turns of the loop: whatever is ready by itself happens. */
static void run_what_is_ready(void)
{
    int turns = 20;

    (void)pb_loop_post(b.loop, stop_here, &turns);
    run();
}

/* Frame `number` of the stream: that byte, over and over. */
static void put_frame(struct pb_buf *out, size_t number, size_t len)
{
    char *frame = malloc(len);

    assert_non_null(frame);
    memset(frame, (int)(number & 0xff), len);
    pb_frame_stream_put(out, frame, len);
    assert_false(pb_buf_failed(out));
    free(frame);
}

static bool send_frame(size_t number, size_t len)
{
    char *frame = malloc(len);
    bool sent;

    assert_non_null(frame);
    memset(frame, (int)(number & 0xff), len);
    sent = pb_frame_pipe_send(b.pipe, frame, len);
    free(frame);
    return sent;
}

static void peer_writes(const void *data, size_t len)
{
    assert_int_equal(write(b.peer, data, len), (ssize_t)len);
}

static void peer_writes_frames(size_t first, size_t count, size_t len)
{
    struct pb_buf out;

    pb_buf_init(&out, 8 << 20);
    for (size_t i = 0; i < count; i++)
        put_frame(&out, first + i, len);
    peer_writes(out.data, out.len);
    pb_buf_release(&out);
}

/* --- reading ------------------------------------------------------------------------------------- */

struct feeder {
    const char *data;
    size_t left;
    size_t step;
    struct pb_loop_fd *watch;
};

static void feed(void *arg, int events)
{
    struct feeder *feeder = arg;
    size_t len = feeder->step < feeder->left ? feeder->step : feeder->left;
    ssize_t sent = len == 0 ? 0 : send(b.peer, feeder->data, len, MSG_DONTWAIT | MSG_NOSIGNAL);

    (void)events;
    if (sent > 0) {
        feeder->data += sent;
        feeder->left -= (size_t)sent;
    }
    if (feeder->left == 0)
        pb_loop_fd_unwatch(&feeder->watch);
}

static void feed_in_steps(const struct pb_buf *data, size_t step)
{
    struct feeder feeder = {.data = data->data, .left = data->len, .step = step};

    feeder.watch = pb_loop_fd_watch(b.loop, b.peer, PB_LOOP_WRITE, feed, &feeder);
    run();
    assert_int_equal(feeder.left, 0);
}

TEST(frames_arrive_whole_however_they_are_cut)
{
    static const size_t STEPS[] = {1, 3, 4, 5, 7, 4096};
    static const size_t LENGTHS[] = {8, 9, 300, 8, 1000};

    for (size_t i = 0; i < COUNT(STEPS); i++) {
        struct pb_buf out;

        pb_buf_init(&out, 1 << 20);
        for (size_t n = 0; n < COUNT(LENGTHS); n++)
            put_frame(&out, b.frames + n, LENGTHS[n]);
        b.stop_after = b.frames + COUNT(LENGTHS);
        feed_in_steps(&out, STEPS[i]);
        pb_buf_release(&out);
        for (size_t n = 0; n < COUNT(LENGTHS); n++)
            assert_int_equal(b.lengths[b.frames - COUNT(LENGTHS) + n], LENGTHS[n]);
    }
    assert_false(b.is_damaged);
    assert_int_equal(b.closed, 0);
}

TEST(the_largest_frame_arrives_and_those_around_it)
{
    struct pb_buf out;

    pb_buf_init(&out, 8 << 20);
    put_frame(&out, 0, 10);
    put_frame(&out, 1, PB_MESSAGE_FRAME_MAX);
    put_frame(&out, 2, PB_MESSAGE_FRAME_MAX);
    put_frame(&out, 3, 10);
    b.stop_after = 4;
    feed_in_steps(&out, out.len);
    assert_int_equal(b.bytes, 2 * PB_MESSAGE_FRAME_MAX + 20);
    assert_false(b.is_damaged);
    pb_buf_release(&out);
}

TEST(a_length_no_frame_can_have_closes)
{
    static const char LENGTHS[][5] = {"\0\0\0\0", "\0\0\0\7", "\0\x10\0\1", "\xff\xff\xff\xff",
                                      "\x80\0\0\0"};

    for (size_t i = 0; i < COUNT(LENGTHS); i++) {
        peer_writes_frames(0, 1, 8);
        peer_writes(LENGTHS[i], 4);
        peer_writes("ignored", 7);
        run();
        assert_int_equal(b.frames, 1); /* what came before was a frame */
        assert_int_equal(b.closed, 1);
        assert_string_equal(b.reason, "a frame of an impossible length");
        assert_false(send_frame(0, 8));
        assert_int_equal(pb_frame_pipe_queued(b.pipe), 0);
        assert_int_equal(tear_down(NULL), 0);
        assert_int_equal(set_up(NULL), 0);
    }
}

TEST(while_reading_is_paused_nothing_comes_and_nothing_is_lost)
{
    pb_frame_pipe_pause(b.pipe, true);
    peer_writes_frames(0, 3, 100);
    run_what_is_ready();
    assert_int_equal(b.frames, 0);
    pb_frame_pipe_pause(b.pipe, true); /* twice is once */
    pb_frame_pipe_pause(b.pipe, false);
    b.stop_after = 3;
    run();
    assert_false(b.is_damaged);
}

TEST(a_pause_inside_a_frame_holds_back_the_next_one)
{
    b.pause_after = 2;
    b.stop_after = 2;
    peer_writes_frames(0, 10, 100); /* read at once */
    run();
    run_what_is_ready();
    assert_int_equal(b.frames, 2);
    b.pause_after = 5;
    pb_frame_pipe_pause(b.pipe, false); /* without another byte from the peer */
    assert_int_equal(b.frames, 5);
    b.pause_after = 0;
    pb_frame_pipe_pause(b.pipe, false);
    assert_int_equal(b.frames, 10);
    assert_false(b.is_damaged);
}

static void count_bytes(void *arg, int events)
{
    static char room[256 << 10];
    size_t *count = arg;
    ssize_t got = read(b.peer, room, sizeof(room));

    (void)events;
    if (got > 0)
        *count += (size_t)got;
}

/* As a server does that reads no question before it is rid of the answer. */
TEST(reading_resumed_when_there_is_room_goes_on_with_what_was_read_already)
{
    struct pb_loop_fd *watch;
    size_t received = 0;

    b.pause_after = 1;
    b.stop_after = 1;
    peer_writes_frames(0, 3, 100);
    run();
    assert_int_equal(b.frames, 1);
    b.resume_drained = true;
    b.stop_after = 3;
    for (int i = 0; i < 5; i++)
        assert_true(send_frame(0, 300 << 10));
    watch = pb_loop_fd_watch(b.loop, b.peer, PB_LOOP_READ, count_bytes, &received);
    run();
    pb_loop_fd_unwatch(&watch);
    assert_int_equal(b.drained, 1);
    assert_false(b.is_damaged);
}

/* --- writing ------------------------------------------------------------------------------------- */

/* Reads what the pipe sent as a second pipe would, and checks it. */
struct taker {
    struct pb_buf in;
    size_t frames;
    size_t wanted;
    struct pb_loop_fd *watch;
};

static void take(void *arg, int events)
{
    struct taker *taker = arg;
    char *room = pb_buf_reserve(&taker->in, 64 << 10);
    ssize_t got = room ? read(b.peer, room, 64 << 10) : 0;
    const void *frame;
    bool is_broken;
    size_t len;

    (void)events;
    if (got > 0)
        taker->in.len += (size_t)got;
    while (pb_frame_stream_next(&taker->in, &frame, &len, &is_broken)) {
        const uint8_t *bytes = frame;

        assert_int_equal(bytes[0], taker->frames & 0xff);
        assert_int_equal(bytes[len - 1], taker->frames & 0xff);
        taker->frames++;
        pb_frame_stream_drop(&taker->in, len);
    }
    assert_false(is_broken);
    if (taker->frames == taker->wanted)
        pb_loop_stop(b.loop);
}

static void take_all(struct taker *taker, size_t wanted)
{
    taker->wanted = wanted;
    pb_buf_init(&taker->in, 4 << 20);
    taker->watch = pb_loop_fd_watch(b.loop, b.peer, PB_LOOP_READ, take, taker);
    run();
    pb_loop_fd_unwatch(&taker->watch);
    pb_buf_release(&taker->in);
}

TEST(a_peer_that_does_not_read_bounds_what_waits)
{
    struct taker taker = {0};
    size_t sent = 0;

    while (send_frame(sent, 50 << 10)) {
        sent++;
        assert_true(pb_frame_pipe_queued(b.pipe) <= QUEUE);
        if (sent % 8 == 0)
            run_what_is_ready(); /* the socket's own room fills, too */
    }
    assert_true(sent >= QUEUE / (51 << 10));
    assert_false(send_frame(sent, 50 << 10));
    assert_int_equal(b.drained, 0);
    take_all(&taker, sent);
    assert_int_equal(b.drained, 1); /* once for all refusals */
    assert_int_equal(pb_frame_pipe_queued(b.pipe), 0);
    assert_true(send_frame(sent, 50 << 10));
}

TEST(who_stops_by_itself_at_half_of_the_room_is_told_too)
{
    struct taker taker = {0};
    size_t sent = 0;

    while (pb_frame_pipe_queued(b.pipe) <= QUEUE / 2)
        assert_true(send_frame(sent++, 50 << 10));
    take_all(&taker, sent);
    assert_int_equal(b.drained, 1);
}

TEST(a_little_that_waits_is_nothing_to_tell)
{
    struct taker taker = {0};

    assert_true(send_frame(0, 50 << 10));
    take_all(&taker, 1);
    assert_int_equal(b.drained, 0);
}

TEST(only_frames_can_be_sent)
{
    static char frame[PB_MESSAGE_FRAME_MAX + 1];

    assert_false(pb_frame_pipe_send(b.pipe, frame, 0));
    assert_false(pb_frame_pipe_send(b.pipe, frame, sizeof(frame)));
    assert_int_equal(pb_frame_pipe_queued(b.pipe), 0);
    assert_true(pb_frame_pipe_send(b.pipe, frame, sizeof(frame) - 1));
}

TEST(answers_go_out_while_questions_come_in)
{
    struct taker taker = {0};

    b.answer = true;
    peer_writes_frames(0, 200, 500);
    take_all(&taker, 200);
    assert_int_equal(b.frames, 200);
    assert_false(b.is_damaged);
}

/* --- ends ---------------------------------------------------------------------------------------- */

TEST(the_peer_s_end_is_told_once_after_its_last_whole_frame)
{
    peer_writes_frames(0, 2, 100);
    peer_writes("\0\0\0\x10half a fr", 13);
    pb_close(&b.peer);
    run();
    run_what_is_ready();
    assert_int_equal(b.frames, 2);
    assert_int_equal(b.closed, 1);
    assert_string_equal(b.reason, "the other end has closed");
    assert_false(send_frame(0, 8));
    pb_frame_pipe_pause(b.pipe, true); /* nothing, and no harm */
    pb_frame_pipe_pause(b.pipe, false);
}

TEST(a_dead_peer_is_found_by_sending_while_reading_is_paused)
{
    pb_frame_pipe_pause(b.pipe, true);
    pb_close(&b.peer);
    run_what_is_ready();
    assert_int_equal(b.closed, 0);
    assert_true(send_frame(0, 100));
    run();
    assert_int_equal(b.closed, 1);
    assert_true(b.reason[0] != '\0');
}

TEST(it_can_be_freed_inside_a_frame)
{
    b.free_in = 'f';
    peer_writes_frames(0, 3, 100);
    run();
    assert_int_equal(b.frames, 1);
    run_what_is_ready();
    assert_int_equal(b.closed, 0); /* its owner knows */
    assert_int_equal(read(b.peer, &(char){0}, 1), 0);
}

TEST(it_can_be_freed_inside_a_frame_that_waited_for_reading_to_resume)
{
    b.pause_after = 1;
    b.stop_after = 1;
    peer_writes_frames(0, 3, 100);
    run();
    b.free_in = 'f';
    pb_frame_pipe_pause(b.pipe, false);
    assert_null(b.pipe);
    assert_int_equal(b.frames, 2);
    assert_int_equal(read(b.peer, &(char){0}, 1), 0);
}

TEST(it_can_be_freed_when_there_is_room)
{
    struct pb_loop_fd *watch;
    size_t received = 0;

    b.free_in = 'd';
    while (send_frame(0, 100 << 10))
        ;
    watch = pb_loop_fd_watch(b.loop, b.peer, PB_LOOP_READ, count_bytes, &received);
    run();
    pb_loop_fd_unwatch(&watch);
    assert_int_equal(b.drained, 1);
}

TEST(it_can_be_freed_in_its_last_word)
{
    static const char *const REASONS[] = {"the other end has closed",
                                          "a frame of an impossible length"};

    for (size_t i = 0; i < COUNT(REASONS); i++) {
        b.free_in = 'c';
        if (i == 1)
            peer_writes("\0\0\0\1", 4);
        else
            pb_close(&b.peer);
        run();
        assert_null(b.pipe);
        assert_string_equal(b.reason, REASONS[i]);
        assert_int_equal(tear_down(NULL), 0);
        assert_int_equal(set_up(NULL), 0);
    }
}

TEST(a_descriptor_that_cannot_be_used_is_refused)
{
    struct pb_error err = {0};

    assert_null(pb_frame_pipe_new(b.loop, 1 << 20, QUEUE, &EVENTS, &b, &err));
    assert_true(err.message[0] != '\0');
    pb_frame_pipe_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define WITH_PIPE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        WITH_PIPE(frames_arrive_whole_however_they_are_cut),
        WITH_PIPE(the_largest_frame_arrives_and_those_around_it),
        WITH_PIPE(a_length_no_frame_can_have_closes),
        WITH_PIPE(while_reading_is_paused_nothing_comes_and_nothing_is_lost),
        WITH_PIPE(a_pause_inside_a_frame_holds_back_the_next_one),
        WITH_PIPE(reading_resumed_when_there_is_room_goes_on_with_what_was_read_already),
        WITH_PIPE(a_peer_that_does_not_read_bounds_what_waits),
        WITH_PIPE(who_stops_by_itself_at_half_of_the_room_is_told_too),
        WITH_PIPE(a_little_that_waits_is_nothing_to_tell),
        WITH_PIPE(only_frames_can_be_sent),
        WITH_PIPE(answers_go_out_while_questions_come_in),
        WITH_PIPE(the_peer_s_end_is_told_once_after_its_last_whole_frame),
        WITH_PIPE(a_dead_peer_is_found_by_sending_while_reading_is_paused),
        WITH_PIPE(it_can_be_freed_inside_a_frame),
        WITH_PIPE(it_can_be_freed_inside_a_frame_that_waited_for_reading_to_resume),
        WITH_PIPE(it_can_be_freed_when_there_is_room),
        WITH_PIPE(it_can_be_freed_in_its_last_word),
        WITH_PIPE(a_descriptor_that_cannot_be_used_is_refused),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
