#include <string.h>

#include "pb_test.h"
#include "wire/frame_stream.h"
#include "wire/message.h"

static void put(struct pb_buf *out, const char *project)
{
    struct pb_message_builder b;
    struct pb_buf frame;

    pb_buf_init(&frame, PB_MESSAGE_FRAME_MAX);
    pb_message_begin(&b, &frame, PB_MESSAGE_RUNNER_HELLO, project);
    pb_message_end(&b, NULL, 0);
    pb_frame_stream_put(out, frame.data, frame.len);
    pb_buf_release(&frame);
}

/* Fed `step` bytes at a time, the frames come out whole and in order. */
static void feed(const struct pb_buf *bytes, size_t step)
{
    static const char *const EXPECTED[] = {"a", "bb", "ccc"};
    struct pb_buf in;
    size_t seen = 0;

    pb_buf_init(&in, PB_MESSAGE_FRAME_MAX + (256 << 10));
    for (size_t at = 0; at < bytes->len; at += step) {
        const void *frame;
        size_t len;
        bool is_broken;

        pb_buf_bytes(&in, bytes->data + at, at + step > bytes->len ? bytes->len - at : step);
        while (pb_frame_stream_next(&in, &frame, &len, &is_broken)) {
            struct pb_message_head head;
            struct pb_error err;

            assert_true(seen < COUNT(EXPECTED));
            assert_ok(pb_message_peek(frame, len, &head, &err), &err);
            assert_string_equal(head.project, EXPECTED[seen++]);
            pb_frame_stream_drop(&in, len);
        }
        assert_false(is_broken);
    }
    assert_int_equal(seen, COUNT(EXPECTED));
    assert_int_equal(in.len, 0);
    pb_buf_release(&in);
}

TEST(frames_come_out_whole_however_the_stream_was_cut)
{
    struct pb_buf bytes;

    pb_buf_init(&bytes, 4096);
    put(&bytes, "a");
    put(&bytes, "bb");
    put(&bytes, "ccc");
    for (size_t step = 1; step <= bytes.len; step++)
        feed(&bytes, step);
    pb_buf_release(&bytes);
}

TEST(a_length_no_frame_can_have_breaks_the_stream)
{
    static const unsigned char LENGTHS[][4] = {{0, 0, 0, 7},
                                               {0, 0x10, 0, 1},
                                               {0xff, 0xff, 0xff, 0xff},
                                               {0, 0, 0, 0}};

    for (size_t i = 0; i < COUNT(LENGTHS); i++) {
        struct pb_buf in;
        const void *frame;
        size_t len;
        bool is_broken = false;

        pb_buf_init(&in, 64);
        pb_buf_bytes(&in, LENGTHS[i], 4);
        assert_false(pb_frame_stream_next(&in, &frame, &len, &is_broken));
        assert_true(is_broken);
        pb_buf_release(&in);
    }
}

TEST(a_frame_that_does_not_fit_leaves_nothing_behind)
{
    char frame[64] = {0};
    struct pb_buf out;

    pb_buf_init(&out, 100);
    pb_frame_stream_put(&out, frame, sizeof(frame));
    assert_false(pb_buf_failed(&out));
    pb_frame_stream_put(&out, frame, sizeof(frame));
    assert_true(pb_buf_failed(&out));
    assert_int_equal(out.len, 68);
    pb_buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_come_out_whole_however_the_stream_was_cut),
        cmocka_unit_test(a_length_no_frame_can_have_breaks_the_stream),
        cmocka_unit_test(a_frame_that_does_not_fit_leaves_nothing_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
