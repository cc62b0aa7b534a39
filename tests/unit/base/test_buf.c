#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "pb_test.h"

TEST(an_empty_buffer_is_an_empty_string)
{
    struct pb_buf buf;

    pb_buf_init(&buf, 10);
    assert_string_equal(pb_buf_string(&buf), "");
    pb_buf_bytes(&buf, NULL, 0);
    pb_buf_text(&buf, "");
    pb_buf_consume(&buf, 5);
    assert_false(pb_buf_failed(&buf));
    pb_buf_release(&buf);
    pb_buf_release(&buf);
}

TEST(appends_add_up)
{
    struct pb_buf buf;

    pb_buf_init(&buf, 1000);
    pb_buf_text(&buf, "a");
    pb_buf_char(&buf, 'b');
    pb_buf_u64(&buf, UINT64_MAX);
    pb_buf_char(&buf, ' ');
    pb_buf_i64(&buf, INT64_MIN);
    pb_buf_char(&buf, ' ');
    pb_buf_i64(&buf, -1);
    pb_buf_u64(&buf, 0);
    pb_buf_format(&buf, "[%s]", "x");
    pb_buf_format(&buf, "%s", "");
    assert_string_equal(pb_buf_string(&buf), "ab18446744073709551615 -9223372036854775808 -10[x]");
    assert_int_equal(buf.len, strlen(buf.data));
    pb_buf_release(&buf);
}

TEST(the_maximum_can_be_filled_but_not_passed)
{
    struct pb_buf buf;

    pb_buf_init(&buf, 100);
    for (int i = 0; i < 100; i++)
        pb_buf_char(&buf, 'x');
    assert_false(pb_buf_failed(&buf));
    assert_int_equal(buf.len, 100);
    pb_buf_char(&buf, 'y');
    assert_true(pb_buf_failed(&buf));
    assert_int_equal(strlen(pb_buf_string(&buf)), 100);
    pb_buf_release(&buf);
}

TEST(failure_sticks_until_cleared)
{
    struct pb_buf buf;

    pb_buf_init(&buf, 4);
    pb_buf_text(&buf, "12345");
    pb_buf_text(&buf, "1");
    assert_int_equal(buf.len, 0);
    assert_true(pb_buf_failed(&buf));
    assert_null(pb_buf_take(&buf, NULL));
    assert_null(pb_buf_reserve(&buf, 1));
    pb_buf_format(&buf, "%d", 5);
    assert_int_equal(buf.len, 0);
    pb_buf_clear(&buf);
    pb_buf_text(&buf, "1");
    assert_string_equal(pb_buf_string(&buf), "1");
    pb_buf_release(&buf);
}

TEST(sizes_that_overflow_are_refused)
{
    struct pb_buf buf;

    pb_buf_init(&buf, SIZE_MAX);
    pb_buf_char(&buf, 'x');
    assert_null(pb_buf_reserve(&buf, SIZE_MAX));
    pb_buf_clear(&buf);
    pb_buf_char(&buf, 'x');
    assert_null(pb_buf_reserve(&buf, SIZE_MAX - 1));
    pb_buf_release(&buf);
}

TEST(reserved_room_is_the_callers_to_fill)
{
    struct pb_buf buf;
    char *room;

    pb_buf_init(&buf, 100);
    pb_buf_text(&buf, "ab");
    room = pb_buf_reserve(&buf, 50);
    assert_non_null(room);
    memset(room, 'z', 50);
    buf.len += 3;
    assert_string_equal(pb_buf_string(&buf), "abzzz");
    pb_buf_release(&buf);
}

TEST(consumed_bytes_are_gone_from_the_front)
{
    struct pb_buf buf;

    pb_buf_init(&buf, 100);
    pb_buf_text(&buf, "abcdef");
    pb_buf_consume(&buf, 2);
    assert_string_equal(pb_buf_string(&buf), "cdef");
    pb_buf_consume(&buf, 99);
    assert_string_equal(pb_buf_string(&buf), "");
    pb_buf_release(&buf);
}

TEST(what_is_taken_belongs_to_the_taker)
{
    struct pb_buf buf;
    size_t len = 0;
    char *taken;

    pb_buf_init(&buf, 100);
    taken = pb_buf_take(&buf, &len);
    assert_string_equal(taken, "");
    free(taken);
    pb_buf_bytes(&buf, "a\0b", 3);
    taken = pb_buf_take(&buf, &len);
    assert_int_equal(len, 3);
    assert_memory_equal(taken, "a\0b\0", 4);
    assert_int_equal(buf.len, 0);
    pb_buf_text(&buf, "again");
    assert_string_equal(pb_buf_string(&buf), "again");
    assert_memory_equal(taken, "a\0b\0", 4);
    free(taken);
    pb_buf_release(&buf);
}

TEST(a_secret_buffer_grows_like_any_other)
{
    struct pb_buf buf;

    pb_buf_init(&buf, 100000);
    buf.secret = true;
    for (int i = 0; i < 10000; i++)
        pb_buf_u64(&buf, 7);
    assert_int_equal(buf.len, 10000);
    assert_int_equal(strspn(pb_buf_string(&buf), "7"), 10000);
    pb_buf_clear(&buf);
    assert_int_equal(buf.data[9999], 0);
    pb_buf_release(&buf);
    assert_true(buf.secret);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_buffer_is_an_empty_string),
        cmocka_unit_test(appends_add_up),
        cmocka_unit_test(the_maximum_can_be_filled_but_not_passed),
        cmocka_unit_test(failure_sticks_until_cleared),
        cmocka_unit_test(sizes_that_overflow_are_refused),
        cmocka_unit_test(reserved_room_is_the_callers_to_fill),
        cmocka_unit_test(consumed_bytes_are_gone_from_the_front),
        cmocka_unit_test(what_is_taken_belongs_to_the_taker),
        cmocka_unit_test(a_secret_buffer_grows_like_any_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
