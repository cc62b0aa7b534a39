#include <string.h>

#include "cli/cli_format.h"
#include "pb_test.h"

static struct pb_arena arena;

static int open_arena(void **state)
{
    (void)state;
    pb_arena_init(&arena, 1 << 20);
    return 0;
}

static int close_arena(void **state)
{
    (void)state;
    pb_arena_release(&arena);
    return 0;
}

TEST(durations_show_two_units)
{
    assert_string_equal(pb_cli_duration(&arena, 0), "0 s");
    assert_string_equal(pb_cli_duration(&arena, -5), "0 s");
    assert_string_equal(pb_cli_duration(&arena, 59999), "59 s");
    assert_string_equal(pb_cli_duration(&arena, 61000), "1 min 1 s");
    assert_string_equal(pb_cli_duration(&arena, 3600 * 1000), "1 h 0 min");
    assert_string_equal(pb_cli_duration(&arena, 90000 * 1000LL), "1 d 1 h");
}

TEST(times_are_told_as_distances_and_in_utc)
{
    const int64_t now = 1795316767037; /* 2026-11-22T03:06:07.037Z */

    assert_string_equal(pb_cli_ago(&arena, "2026-11-22T03:06:00Z", now), "7 s ago");
    assert_string_equal(pb_cli_ago(&arena, "2026-11-22T03:00:00Z", now), "6 min ago");
    assert_string_equal(pb_cli_ago(&arena, "2026-11-22T00:00:00Z", now), "3 h ago");
    assert_string_equal(pb_cli_ago(&arena, "2026-11-12T00:00:00Z", now), "10 days ago");
    assert_string_equal(pb_cli_ago(&arena, "2027-01-01T00:00:00Z", now), "0 s ago");
    assert_string_equal(pb_cli_time(&arena, "2026-11-22T12:06:07+09:00"),
                        "2026-11-22 03:06:07 UTC");
    assert_string_equal(pb_cli_worked(&arena, 70000, NULL, now), "1 min 10 s");
    assert_string_equal(pb_cli_worked(&arena, 0, "2026-11-22T03:06:00Z", now), "7 s");
    assert_string_equal(pb_cli_worked(&arena, 60000, "2026-11-22T03:06:00Z", now), "1 min 7 s");
    assert_string_equal(pb_cli_worked(&arena, 5000, "2026-11-22T03:07:00Z", now), "5 s");
}

TEST(sizes_use_the_unit_that_reads_best)
{
    assert_string_equal(pb_cli_bytes(&arena, 0), "0 B");
    assert_string_equal(pb_cli_bytes(&arena, 1023), "1023 B");
    assert_string_equal(pb_cli_bytes(&arena, 1536), "1.5 KiB");
    assert_string_equal(pb_cli_bytes(&arena, 8LL << 30), "8.0 GiB");
    assert_string_equal(pb_cli_bytes(&arena, INT64_MAX), "8388608 TiB");
}

TEST(what_is_unknown_is_empty)
{
    assert_string_equal(pb_cli_bytes(&arena, -1), "");
    assert_string_equal(pb_cli_count(&arena, -1), "");
    assert_string_equal(pb_cli_ago(&arena, NULL, 0), "");
    assert_string_equal(pb_cli_ago(&arena, "yesterday", 0), "");
    assert_string_equal(pb_cli_time(&arena, NULL), "");
    assert_string_equal(pb_cli_worked(&arena, 0, NULL, 0), "");
}

TEST(money_has_four_digits_or_is_unknown)
{
    static const char TEXT[] = "{\"a\":0.0123,\"b\":null,\"c\":12}";
    struct pb_error err = {0};
    struct pb_json *json = pb_json_parse(TEXT, strlen(TEXT), &err);

    assert_non_null(json);
    assert_string_equal(pb_cli_money(&arena, json, "a"), "$0.0123");
    assert_string_equal(pb_cli_money(&arena, json, "b"), "");
    assert_string_equal(pb_cli_money(&arena, json, "c"), "$12.0000");
    pb_json_free(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_show_two_units),
        cmocka_unit_test(times_are_told_as_distances_and_in_utc),
        cmocka_unit_test(sizes_use_the_unit_that_reads_best),
        cmocka_unit_test(what_is_unknown_is_empty),
        cmocka_unit_test(money_has_four_digits_or_is_unknown),
    };
    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
