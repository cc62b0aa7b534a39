#include "base/clock.h"
#include "pb_test.h"

TEST(times_print_as_rfc_3339_in_utc)
{
    static const struct {
        int64_t ms;
        const char *text;
    } CASES[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {951782400000, "2000-02-29T00:00:00.000Z"},
        {1795341967037, "2026-11-22T10:06:07.037Z"},
        {4107542399999, "2100-02-28T23:59:59.999Z"},
        {4107542400000, "2100-03-01T00:00:00.000Z"},
        {253402300799999, "9999-12-31T23:59:59.999Z"},
        {INT64_MAX, "9999-12-31T23:59:59.999Z"},
        {INT64_MIN, "0000-01-01T00:00:00.000Z"},
    };
    char text[PB_CLOCK_TEXT];
    int64_t back;

    for (size_t i = 0; i < COUNT(CASES); i++) {
        pb_clock_format(CASES[i].ms, text);
        assert_string_equal(text, CASES[i].text);
        assert_true(pb_clock_parse(text, &back));
        if (CASES[i].ms != INT64_MAX && CASES[i].ms != INT64_MIN)
            assert_true(back == CASES[i].ms);
    }
}

TEST(every_day_of_four_centuries_comes_back)
{
    char text[PB_CLOCK_TEXT];
    int64_t back;

    for (int64_t day = -73048; day < 73049; day++) { /* 1770 to 2170 */
        pb_clock_format(day * 86400000 + 12345, text);
        assert_true(pb_clock_parse(text, &back));
        assert_true(back == day * 86400000 + 12345);
    }
}

TEST(offsets_fractions_and_leap_seconds_are_understood)
{
    static const struct {
        const char *text;
        int64_t ms;
    } CASES[] = {
        {"2026-11-22T10:06:07Z", 1795341967000},
        {"2026-11-22t10:06:07z", 1795341967000},
        {"2026-11-22T19:06:07+09:00", 1795341967000},
        {"2026-11-22T05:36:07.5-04:30", 1795341967500},
        {"2026-11-22T10:06:07.037999999Z", 1795341967037},
        {"2016-12-31T23:59:60Z", 1483228800000},
    };
    int64_t ms;

    for (size_t i = 0; i < COUNT(CASES); i++) {
        assert_true(pb_clock_parse(CASES[i].text, &ms));
        assert_true(ms == CASES[i].ms);
    }
}

TEST(what_is_no_time_is_refused)
{
    static const char *const BAD[] = {"",
                                      "2026",
                                      "2026-11-22",
                                      "2026-13-01T00:00:00Z",
                                      "2026-00-01T00:00:00Z",
                                      "2026-02-29T00:00:00Z",
                                      "2100-02-29T00:00:00Z",
                                      "2026-11-31T00:00:00Z",
                                      "2026-11-22T24:00:00Z",
                                      "2026-11-22T10:60:00Z",
                                      "2026-11-22T10:06:61Z",
                                      "2026-11-22T10:06:07",
                                      "2026-11-22T10:06:07.Z",
                                      "2026-11-22T10:06:07+9:00",
                                      "2026-11-22T10:06:07+0900",
                                      "2026-11-22T10:06:07Z ",
                                      " 2026-11-22T10:06:07Z",
                                      "2026-11-22T10:06:07+24:00",
                                      "-026-11-22T10:06:07Z",
                                      "2026/11/22T10:06:07Z"};
    int64_t ms = 5;

    for (size_t i = 0; i < COUNT(BAD); i++)
        assert_false(pb_clock_parse(BAD[i], &ms));
    assert_false(pb_clock_parse(NULL, &ms));
    assert_int_equal(ms, 5);
}

TEST(a_test_may_set_the_wall_clock_and_give_it_back)
{
    int64_t real = pb_clock_wall_ms();

    pb_clock_set_for_test(1234);
    assert_int_equal(pb_clock_wall_ms(), 1234);
    pb_clock_set_for_test(0);
    assert_true(pb_clock_wall_ms() >= real);
}

TEST(the_steady_clock_never_goes_back)
{
    int64_t before = pb_clock_steady_ms();

    for (int i = 0; i < 10000; i++) {
        int64_t now = pb_clock_steady_ms();

        assert_true(now >= before);
        before = now;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_print_as_rfc_3339_in_utc),
        cmocka_unit_test(every_day_of_four_centuries_comes_back),
        cmocka_unit_test(offsets_fractions_and_leap_seconds_are_understood),
        cmocka_unit_test(what_is_no_time_is_refused),
        cmocka_unit_test(a_test_may_set_the_wall_clock_and_give_it_back),
        cmocka_unit_test(the_steady_clock_never_goes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
