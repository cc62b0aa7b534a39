#include <string.h>

#include "base/clock.h"
#include "model/cron.h"
#include "zone_file.h"

static int64_t moment(const char *text)
{
    int64_t ms = 0;

    if (!pb_clock_parse(text, &ms))
        fail_msg("'%s' is no time", text);
    return ms;
}

static struct pb_cron parsed(const char *text)
{
    struct pb_error err = {0};
    struct pb_cron cron = {0};

    if (pb_cron_parse(text, &cron, &err) < 0)
        fail_msg("'%s': %s", text, err.message);
    return cron;
}

/* The times after `after`, one by one; NULL ends the list. */
static void expect(const char *text, const struct pb_time_zone *zone, const char *after,
                   const char *const *times)
{
    struct pb_cron cron = parsed(text);
    int64_t at = moment(after);
    char seen[PB_CLOCK_TEXT];

    for (; *times; times++) {
        at = pb_cron_next(&cron, zone, at);
        pb_clock_format(at, seen);
        if (at != moment(*times))
            fail_msg("'%s': %s, not %s", text, seen, *times);
    }
}

#define EXPECT(text, zone, after, ...) \
    expect(text, zone, after, (const char *const[]){__VA_ARGS__, NULL})

TEST(fields_are_lists_ranges_steps_and_names)
{
    const struct pb_time_zone *utc = pb_time_zone_utc();

    EXPECT("*/20 9-10 * * *", utc, "2027-03-01T09:00:00Z", "2027-03-01T09:20:00Z",
           "2027-03-01T09:40:00Z", "2027-03-01T10:00:00Z", "2027-03-01T10:20:00Z",
           "2027-03-01T10:40:00Z", "2027-03-02T09:00:00Z");
    EXPECT("0 0 1,15 jan-mar/2 *", utc, "2026-12-31T12:00:00Z", "2027-01-01T00:00:00Z",
           "2027-01-15T00:00:00Z", "2027-03-01T00:00:00Z", "2027-03-15T00:00:00Z",
           "2028-01-01T00:00:00Z");
    EXPECT("30 8 * * Mon-FRI", utc, "2027-03-05T08:30:00Z", "2027-03-08T08:30:00Z");
    EXPECT("0 12 * * 7", utc, "2027-03-05T08:30:00Z", "2027-03-07T12:00:00Z");
    EXPECT("5/25 * * * *", utc, "2027-03-05T08:31:00Z", "2027-03-05T08:55:00Z",
           "2027-03-05T09:05:00Z");
    EXPECT("59 23 L * *", utc, "2027-02-01T00:00:00Z", "2027-02-28T23:59:00Z",
           "2027-03-31T23:59:00Z", "2027-04-30T23:59:00Z");
    EXPECT("0 0 29 2 *", utc, "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z");
}

TEST(either_day_field_counts_when_both_are_named)
{
    EXPECT("0 0 13 * fri", pb_time_zone_utc(), "2027-08-01T00:00:00Z", "2027-08-06T00:00:00Z",
           "2027-08-13T00:00:00Z", "2027-08-20T00:00:00Z", "2027-08-27T00:00:00Z",
           "2027-09-03T00:00:00Z", "2027-09-10T00:00:00Z", "2027-09-13T00:00:00Z");
    EXPECT("0 0 */2 * mon", pb_time_zone_utc(), "2027-03-01T00:00:00Z", "2027-03-15T00:00:00Z");
}

TEST(words_stand_for_fields)
{
    const struct pb_time_zone *utc = pb_time_zone_utc();

    EXPECT("@hourly", utc, "2027-03-01T09:59:59Z", "2027-03-01T10:00:00Z");
    EXPECT("@daily", utc, "2027-03-01T00:00:00Z", "2027-03-02T00:00:00Z");
    EXPECT("@midnight", utc, "2027-03-01T00:00:00Z", "2027-03-02T00:00:00Z");
    EXPECT("@Weekly", utc, "2027-03-01T00:00:00Z", "2027-03-07T00:00:00Z");
    EXPECT("@monthly", utc, "2027-03-01T00:00:00Z", "2027-04-01T00:00:00Z");
    EXPECT("@yearly", utc, "2027-03-01T00:00:00Z", "2028-01-01T00:00:00Z");
    EXPECT(" @annually", utc, "2027-03-01T00:00:00Z", "2028-01-01T00:00:00Z");
}

TEST(what_is_wrong_is_said)
{
    static const struct {
        const char *text;
        const char *says;
    } CASES[] = {
        {"", "five fields"},
        {"* * * *", "five fields"},
        {"* * * * * *", "five fields"},
        {"@often", "five fields"},
        {"60 * * * *", "minute '60'"},
        {"* 24 * * *", "hour '24'"},
        {"* * 0 * *", "day of month '0'"},
        {"* * * 13 *", "month '13'"},
        {"* * * mar-jan *", "ends before it begins"},
        {"* * * * 8", "day of week '8'"},
        {"* * * * fry", "day of week 'fry'"},
        {"1,, * * * *", "minute"},
        {"1, * * * *", "left over"},
        {"1-  * * * *", "range"},
        {"*/0 * * * *", "step"},
        {"*/x * * * *", "step"},
        {"5x * * * *", "left over"},
        {"** * * * *", "left over"},
        {"-1 * * * *", "minute"},
        {"99999999999 * * * *", "minute"},
        {"0 0 31 feb,apr *", "no such day"},
        {"L * * * *", "minute"},
    };
    char many[300];
    struct pb_error err;
    struct pb_cron cron;

    for (size_t i = 0; i < COUNT(CASES); i++) {
        assert_refused(pb_cron_parse(CASES[i].text, &cron, &err), &err, PB_ERROR_INVALID);
        assert_string_equal(err.field, "cron");
        if (!strstr(err.message, CASES[i].says))
            fail_msg("'%s': %s", CASES[i].text, err.message);
    }
    memset(many, '1', sizeof(many) - 1);
    many[sizeof(many) - 1] = '\0';
    assert_refused(pb_cron_parse(many, &cron, &err), &err, PB_ERROR_INVALID);
}

/* Berlin: 2027-03-28 02:00 → 03:00, 2027-10-31 03:00 → 02:00. */
TEST(in_spring_a_time_that_does_not_exist_counts_once_at_the_jump)
{
    struct pb_time_zone *berlin = zone_load("Europe/Berlin");

    EXPECT("30 2 * * *", berlin, "2027-03-26T12:00:00Z", "2027-03-27T01:30:00Z",
           "2027-03-28T01:00:00Z", "2027-03-29T00:30:00Z");
    EXPECT("*/10 2 * * *", berlin, "2027-03-27T01:50:00Z", "2027-03-28T01:00:00Z",
           "2027-03-29T00:00:00Z");
    EXPECT("0 3 * * *", berlin, "2027-03-27T12:00:00Z", "2027-03-28T01:00:00Z",
           "2027-03-29T01:00:00Z");
    EXPECT("30 2,3 * * *", berlin, "2027-03-27T12:00:00Z", "2027-03-28T01:00:00Z",
           "2027-03-28T01:30:00Z", "2027-03-29T00:30:00Z");
    EXPECT("*/30 * * * *", berlin, "2027-03-28T00:00:00Z", "2027-03-28T00:30:00Z",
           "2027-03-28T01:00:00Z", "2027-03-28T01:30:00Z");
    EXPECT("30 */2 * * *", berlin, "2027-03-27T23:30:00Z", "2027-03-28T02:30:00Z");
    pb_time_zone_free(berlin);
}

TEST(in_autumn_a_time_that_comes_twice_counts_once_unless_it_is_every_hour)
{
    struct pb_time_zone *berlin = zone_load("Europe/Berlin");

    EXPECT("30 2 * * *", berlin, "2027-10-30T12:00:00Z", "2027-10-31T00:30:00Z",
           "2027-11-01T01:30:00Z");
    EXPECT("*/30 2 * * *", berlin, "2027-10-30T12:00:00Z", "2027-10-31T00:00:00Z",
           "2027-10-31T00:30:00Z", "2027-11-01T01:00:00Z");
    EXPECT("0 3 * * *", berlin, "2027-10-30T12:00:00Z", "2027-10-31T02:00:00Z");
    EXPECT("0,30 * * * *", berlin, "2027-10-30T23:40:00Z", "2027-10-31T00:00:00Z",
           "2027-10-31T00:30:00Z", "2027-10-31T01:00:00Z", "2027-10-31T01:30:00Z",
           "2027-10-31T02:00:00Z");
    pb_time_zone_free(berlin);
}

/* Samoa had no 2011-12-30; Lord Howe moves by half an hour; Havana changes at midnight. */
TEST(odd_zones_follow_the_same_rules)
{
    struct pb_time_zone *apia = zone_load("Pacific/Apia");
    struct pb_time_zone *lord_howe = zone_load("Australia/Lord_Howe");
    struct pb_time_zone *havana = zone_load("America/Havana");

    EXPECT("0 12 * * *", apia, "2011-12-29T00:00:00Z", "2011-12-29T22:00:00Z",
           "2011-12-30T10:00:00Z", "2011-12-30T22:00:00Z");
    EXPECT("15 2 * * *", lord_howe, "2026-10-02T20:00:00Z", "2026-10-03T15:30:00Z",
           "2026-10-04T15:15:00Z");
    EXPECT("@daily", havana, "2027-03-13T12:00:00Z", "2027-03-14T05:00:00Z",
           "2027-03-15T04:00:00Z");
    pb_time_zone_free(apia);
    pb_time_zone_free(lord_howe);
    pb_time_zone_free(havana);
}

/* The slow way: every minute of two years asked by itself. */
TEST(the_next_one_is_the_first_minute_that_matches)
{
    static const char *const TEXTS[] = {"*/7 * * * *", "13 */5 * * *", "0 4 L * *",
                                        "45 * 10-20/3 * sun", "0 0 1 */3 *"};

    for (size_t i = 0; i < COUNT(TEXTS); i++) {
        struct pb_cron cron = parsed(TEXTS[i]);
        int64_t next = pb_cron_next(&cron, pb_time_zone_utc(), moment("2027-12-31T23:59:00Z"));
        int64_t end = moment("2029-01-01T00:00:00Z");

        for (int64_t at = moment("2028-01-01T00:00:00Z"); at < end; at += 60000) {
            int64_t days = at / 86400000, year, tomorrow;
            int month, day, month_tomorrow, first;
            bool by_date, by_weekday;

            pb_clock_date(days, &year, &month, &day);
            pb_clock_date(days + 1, &tomorrow, &month_tomorrow, &first);
            by_date = cron.days >> day & 1 || (cron.last_day && first == 1);
            by_weekday = cron.weekdays >> (days + 4) % 7 & 1;
            if (!(cron.minutes >> at / 60000 % 60 & 1) || !(cron.hours >> at / 3600000 % 24 & 1) ||
                !(cron.months >> month & 1))
                continue;
            if (cron.days_are_any || cron.weekdays_are_any ? !(by_date && by_weekday)
                                                           : !(by_date || by_weekday))
                continue;
            assert_int_equal(next, at);
            next = pb_cron_next(&cron, pb_time_zone_utc(), at);
        }
        assert_true(next >= end);
    }
}

TEST(the_last_one_missed_is_found_however_long_ago)
{
    const struct pb_time_zone *utc = pb_time_zone_utc();
    struct pb_cron yearly = parsed("@yearly"), often = parsed("* * * * *");
    int64_t now = moment("2027-06-01T10:00:30Z");

    assert_int_equal(pb_cron_last(&often, utc, moment("2020-01-01T00:00:00Z"), now),
                     moment("2027-06-01T10:00:00Z"));
    assert_int_equal(pb_cron_last(&yearly, utc, moment("2020-01-01T00:00:00Z"), now),
                     moment("2027-01-01T00:00:00Z"));
    assert_int_equal(pb_cron_last(&yearly, utc, moment("2027-01-01T00:00:00Z"), now), 0);
    assert_int_equal(pb_cron_last(&often, utc, now, now), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_lists_ranges_steps_and_names),
        cmocka_unit_test(either_day_field_counts_when_both_are_named),
        cmocka_unit_test(words_stand_for_fields),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(in_spring_a_time_that_does_not_exist_counts_once_at_the_jump),
        cmocka_unit_test(in_autumn_a_time_that_comes_twice_counts_once_unless_it_is_every_hour),
        cmocka_unit_test(odd_zones_follow_the_same_rules),
        cmocka_unit_test(the_next_one_is_the_first_minute_that_matches),
        cmocka_unit_test(the_last_one_missed_is_found_however_long_ago),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
