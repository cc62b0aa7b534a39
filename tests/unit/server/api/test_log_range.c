#include "pb_test.h"
#include "server/api/log_range.h"

static void expect(const char *header, int64_t size, enum pb_log_range_kind kind, int64_t from,
                   int64_t end)
{
    int64_t got_from = 0, got_end = 0;

    if (pb_log_range_of(header, size, &got_from, &got_end) != kind)
        fail_msg("%s of %lld", header ? header : "nothing", (long long)size);
    if (kind == PB_LOG_RANGE_PART) {
        assert_int_equal(got_from, from);
        assert_int_equal(got_end, end);
    }
}

TEST(one_range_is_a_part)
{
    expect("bytes=0-0", 10, PB_LOG_RANGE_PART, 0, 1);
    expect("bytes=2-5", 10, PB_LOG_RANGE_PART, 2, 6);
    expect("BYTES=2-5", 10, PB_LOG_RANGE_PART, 2, 6);
    expect("bytes=9-", 10, PB_LOG_RANGE_PART, 9, 10);
    expect("bytes=0-9223372036854775807", 10, PB_LOG_RANGE_PART, 0, 10);
    expect("bytes=3-99999999999999999999999", 10, PB_LOG_RANGE_PART, 3, 10);
    expect("bytes=-1", 10, PB_LOG_RANGE_PART, 9, 10);
    expect("bytes=-10", 10, PB_LOG_RANGE_PART, 0, 10);
    expect("bytes=-99999999999999999999999", 10, PB_LOG_RANGE_PART, 0, 10);
}

TEST(what_is_not_there_is_nothing)
{
    expect("bytes=10-", 10, PB_LOG_RANGE_NONE, 0, 0);
    expect("bytes=10-12", 10, PB_LOG_RANGE_NONE, 0, 0);
    expect("bytes=-0", 10, PB_LOG_RANGE_NONE, 0, 0);
    expect("bytes=0-0", 0, PB_LOG_RANGE_NONE, 0, 0);
    expect("bytes=-5", 0, PB_LOG_RANGE_NONE, 0, 0);
    expect("bytes=99999999999999999999999-", 10, PB_LOG_RANGE_NONE, 0, 0);
}

TEST(what_is_not_understood_is_the_whole)
{
    static const char *const OTHERS[] = {
        NULL,         "",           "bytes",       "bytes=",      "bytes=-",    "bytes=5-2",
        "bytes=1",    "bytes=a-b",  "bytes=1-2,4", "bytes= 1-2",  "bytes=1-2 ", "bytes=+1-2",
        "bytes=1--2", "items=0-10", "0-5",         "bytes=0x1-2", "bytes=--5",
    };

    for (size_t i = 0; i < COUNT(OTHERS); i++)
        expect(OTHERS[i], 10, PB_LOG_RANGE_ALL, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_range_is_a_part),
        cmocka_unit_test(what_is_not_there_is_nothing),
        cmocka_unit_test(what_is_not_understood_is_the_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
