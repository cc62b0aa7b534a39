#include <string.h>

#include "base/clock.h"
#include "model/active_hours.h"
#include "zone_file.h"

static int64_t moment(const char *text)
{
    int64_t ms = 0;

    if (!pb_clock_parse(text, &ms))
        fail_msg("'%s' is no time", text);
    return ms;
}

static void expect(const char *text, const struct pb_time_zone *zone, const char *now,
                   const char *opens)
{
    struct pb_active_hours hours;
    struct pb_error err = {0};
    char seen[PB_CLOCK_TEXT];
    int64_t at;

    if (pb_active_hours_parse(text, &hours, &err) < 0)
        fail_msg("'%s': %s", text, err.message);
    at = pb_active_hours_open_at(&hours, zone, moment(now));
    pb_clock_format(at, seen);
    if (at != moment(opens))
        fail_msg("'%s' at %s: %s, not %s", text, now, seen, opens);
}

TEST(windows_open_and_close)
{
    static const char WEEK[] = "mon-fri 09:00-18:00; Sat 10:00-14:00";
    struct pb_time_zone *tokyo = zone_load("Asia/Tokyo");

    /* 2027-03-05 is a Friday; Tokyo is 9 h ahead */
    expect(WEEK, tokyo, "2027-03-05T00:00:00Z", "2027-03-05T00:00:00Z");
    expect(WEEK, tokyo, "2027-03-04T23:59:59.999Z", "2027-03-05T00:00:00Z");
    expect(WEEK, tokyo, "2027-03-05T08:59:59Z", "2027-03-05T08:59:59Z");
    expect(WEEK, tokyo, "2027-03-05T09:00:00Z", "2027-03-06T01:00:00Z");
    expect(WEEK, tokyo, "2027-03-06T05:00:00Z", "2027-03-08T00:00:00Z");
    pb_time_zone_free(tokyo);
}

TEST(nights_and_weekends_go_round)
{
    const struct pb_time_zone *utc = pb_time_zone_utc();

    expect("22:00-06:00", utc, "2027-03-06T05:59:00Z", "2027-03-06T05:59:00Z");
    expect("22:00-06:00", utc, "2027-03-06T06:00:00Z", "2027-03-06T22:00:00Z");
    expect("sat 22:00-06:00", utc, "2027-03-07T03:00:00Z", "2027-03-07T03:00:00Z");
    expect("sat 22:00-06:00", utc, "2027-03-08T03:00:00Z", "2027-03-13T22:00:00Z");
    expect("sat-sun 00:00-24:00", utc, "2027-03-07T23:59:00Z", "2027-03-07T23:59:00Z");
    expect("fri-mon 00:00-24:00", utc, "2027-03-09T00:00:00Z", "2027-03-12T00:00:00Z");
    expect("mon,wed , fri 08:00-09:00;", utc, "2027-03-09T00:00:00Z", "2027-03-10T08:00:00Z");
    expect("08:00-08:00", utc, "2027-03-09T00:00:00Z", "2027-03-09T00:00:00Z");
}

TEST(clocks_that_change_change_the_hours)
{
    struct pb_time_zone *berlin = zone_load("Europe/Berlin");

    expect("09:00-18:00", berlin, "2027-03-27T20:00:00Z", "2027-03-28T07:00:00Z");
    expect("02:15-02:45", berlin, "2027-03-27T20:00:00Z",
           "2027-03-29T00:15:00Z"); /* is not there */
    expect("02:15-02:45", berlin, "2027-10-31T00:45:00Z",
           "2027-10-31T01:15:00Z"); /* is there again */
    pb_time_zone_free(berlin);
}

TEST(what_is_wrong_is_said)
{
    static const char *const BAD[] = {"",
                                      "always",
                                      "mon",
                                      "mon 9:00-10:00",
                                      "mon 09:00",
                                      "mon 09:00-25:00",
                                      "mon 09:00-24:01",
                                      "mon 09:60-10:00",
                                      "mon-fre 09:00-10:00",
                                      "mon 09:00-10:00 tue 09:00-10:00",
                                      "24:00-06:00",
                                      "mon, 09:00-10:00",
                                      ";"};
    struct pb_active_hours hours;
    char many[600];
    struct pb_error err;

    for (size_t i = 0; i < COUNT(BAD); i++) {
        assert_refused(pb_active_hours_parse(BAD[i], &hours, &err), &err, PB_ERROR_INVALID);
        assert_string_equal(err.field, "active_hours");
    }
    memset(many, ' ', sizeof(many) - 1);
    many[sizeof(many) - 1] = '\0';
    assert_refused(pb_active_hours_parse(many, &hours, &err), &err, PB_ERROR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_open_and_close),
        cmocka_unit_test(nights_and_weekends_go_round),
        cmocka_unit_test(clocks_that_change_change_the_hours),
        cmocka_unit_test(what_is_wrong_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
