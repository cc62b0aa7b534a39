#include <stdatomic.h>
#include <string.h>

#include "base/buf.h"
#include "net/out_queue_private.h"
#include "pb_test.h"

/* All that is queued, as the socket would get it. */
static void expect_queued(const struct pb_out_queue *queue, const char *expected)
{
    struct iovec vectors[16];
    int count = pb_out_queue_peek(queue, vectors, 16);
    struct pb_buf text;

    pb_buf_init(&text, 1 << 20);
    for (int i = 0; i < count; i++)
        pb_buf_bytes(&text, vectors[i].iov_base, vectors[i].iov_len);
    assert_string_equal(pb_buf_string(&text), expected);
    assert_int_equal(queue->bytes, strlen(expected));
    pb_buf_release(&text);
}

TEST(bytes_leave_in_the_order_they_came)
{
    struct pb_out_queue queue = {0};
    struct pb_shared_bytes *shared = pb_shared_bytes_new(3);

    memcpy(shared->data, "def", 3);
    assert_true(pb_out_queue_copy(&queue, "abc", 3));
    assert_true(pb_out_queue_share(&queue, shared));
    assert_true(pb_out_queue_copy(&queue, "ghi", 3));
    assert_true(pb_out_queue_copy(&queue, "jkl", 3));
    expect_queued(&queue, "abcdefghijkl");
    pb_out_queue_sent(&queue, 4);
    expect_queued(&queue, "efghijkl");
    pb_out_queue_sent(&queue, 2);
    expect_queued(&queue, "ghijkl");
    pb_out_queue_sent(&queue, 6);
    expect_queued(&queue, "");
    assert_true(pb_out_queue_copy(&queue, "again", 5));
    expect_queued(&queue, "again");
    pb_out_queue_clear(&queue);
    expect_queued(&queue, "");
    assert_int_equal(atomic_load(&shared->refs), 1);
    pb_shared_bytes_unref(shared);
}

TEST(nothing_queued_is_no_piece)
{
    struct pb_out_queue queue = {0};
    struct pb_shared_bytes *shared = pb_shared_bytes_new(0);

    assert_true(pb_out_queue_copy(&queue, "", 0));
    assert_true(pb_out_queue_share(&queue, shared));
    assert_null(queue.first);
    pb_shared_bytes_unref(shared);
}

TEST(a_queue_moves_behind_another_also_when_partly_sent)
{
    struct pb_out_queue to = {0}, from = {0};

    assert_true(pb_out_queue_copy(&from, "xxabc", 5));
    pb_out_queue_sent(&from, 2);
    pb_out_queue_splice(&to, &from);
    expect_queued(&to, "abc");
    expect_queued(&from, "");
    pb_out_queue_splice(&to, &from); /* nothing to move */
    assert_true(pb_out_queue_copy(&from, "def", 3));
    pb_out_queue_splice(&to, &from);
    expect_queued(&to, "abcdef");
    pb_out_queue_clear(&to);
}

TEST(a_shared_block_lives_until_the_last_queue_has_sent_it)
{
    struct pb_out_queue one = {0}, other = {0};
    struct pb_shared_bytes *shared = pb_shared_bytes_new(1);

    shared->data[0] = 'x';
    assert_true(pb_out_queue_share(&one, shared));
    assert_true(pb_out_queue_share(&other, shared));
    pb_shared_bytes_unref(shared);
    pb_out_queue_sent(&one, 1);
    expect_queued(&other, "x");
    pb_out_queue_clear(&other); /* the leak checker knows the rest */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_leave_in_the_order_they_came),
        cmocka_unit_test(nothing_queued_is_no_piece),
        cmocka_unit_test(a_queue_moves_behind_another_also_when_partly_sent),
        cmocka_unit_test(a_shared_block_lives_until_the_last_queue_has_sent_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
