#include <string.h>

#include "base/clock.h"
#include "model/schedule.h"
#include "pb_test.h"

static struct pb_schedule good(void)
{
    return (struct pb_schedule){
        .id = "01J00000000000000000000000",
        .project_id = "site",
        .name = "nightly",
        .cron = "30 2 * * *",
        .time_zone = "Asia/Tokyo",
        .enabled = true,
        .title = "Update dependencies",
        .prompt = "please",
    };
}

static char long_text[300 << 10];

static const struct {
    const char *field;
    const char *reason;
    struct pb_schedule change; /* what is set here takes the place of the good one's */
} BAD[] = {
    {"name", "required", {.name = " "}},
    {"name", "characters", {.name = "a\nb"}},
    {"cron", "required", {.cron = ""}},
    {"cron", "format", {.cron = "every day"}},
    {"time_zone", "format", {.time_zone = "../x"}},
    {"jitter_seconds", "range", {.jitter_ms = PB_SCHEDULE_JITTER_MAX_MS + 1}},
    {"jitter_seconds", "range", {.jitter_ms = -1}},
    {"title", "required", {.title = " "}},
    {"prompt", "required", {.prompt = "\n"}},
    {"prompt", "too_long", {.prompt = long_text}},
};

static void take(const char **to, const char *from)
{
    *to = from ? from : *to;
}

TEST(each_field_has_its_sentence)
{
    memset(long_text, 'x', sizeof(long_text) - 1);
    for (size_t i = 0; i < COUNT(BAD); i++) {
        struct pb_schedule schedule = good();
        struct pb_error findings[4] = {{0}};

        take(&schedule.name, BAD[i].change.name);
        take(&schedule.cron, BAD[i].change.cron);
        take(&schedule.time_zone, BAD[i].change.time_zone);
        take(&schedule.title, BAD[i].change.title);
        take(&schedule.prompt, BAD[i].change.prompt);
        schedule.jitter_ms = BAD[i].change.jitter_ms;
        if (pb_schedule_check(&schedule, findings, COUNT(findings)) != 1)
            fail_msg("row %zu (%s): %s", i, BAD[i].field, findings[0].message);
        assert_string_equal(findings[0].field, BAD[i].field);
        assert_string_equal(findings[0].reason, BAD[i].reason);
    }
}

TEST(an_issue_takes_the_place_of_title_and_prompt)
{
    struct pb_schedule schedule = good();
    struct pb_error findings[4] = {{0}};

    assert_int_equal(pb_schedule_check(&schedule, findings, 4), 0);
    schedule.issue_number = 12;
    assert_int_equal(pb_schedule_check(&schedule, findings, 4), 2);
    schedule.title = schedule.prompt = NULL;
    assert_int_equal(pb_schedule_check(&schedule, findings, 4), 0);
}

TEST(each_schedule_has_its_own_delay_and_keeps_it)
{
    struct pb_schedule one = good(), other = good();
    int64_t seen = 0;

    other.id = "01J00000000000000000000001";
    assert_int_equal(pb_schedule_delay(&one), 0);
    one.jitter_ms = other.jitter_ms = 600000;
    assert_int_equal(pb_schedule_delay(&one), pb_schedule_delay(&one));
    assert_int_not_equal(pb_schedule_delay(&one), pb_schedule_delay(&other));
    for (char last = 'A'; last <= 'Z'; last++) {
        char id[] = "01J0000000000000000000000?";

        id[25] = last;
        one.id = id;
        assert_in_range(pb_schedule_delay(&one), 0, 599999);
        seen |= INT64_C(1) << pb_schedule_delay(&one) / 60000;
    }
    assert_true(__builtin_popcountll((unsigned long long)seen) >=
                7); /* spread over the ten minutes */
}

TEST(it_aims_at_its_next_moment_or_at_none)
{
    struct pb_schedule schedule = good();
    struct pb_error err = {0};
    struct pb_cron cron;
    int64_t now, due;

    assert_true(pb_clock_parse("2027-03-05T02:00:00Z", &now));
    assert_true(pb_clock_parse("2027-03-05T02:30:00Z", &due));
    assert_ok(pb_cron_parse(schedule.cron, &cron, &err), &err);
    schedule.jitter_ms = 600000;
    schedule.failures = 3;
    pb_schedule_aim(&schedule, &cron, pb_time_zone_utc(), now);
    assert_int_equal(schedule.due_at, due);
    assert_int_equal(schedule.next_at, due + pb_schedule_delay(&schedule));
    assert_int_equal(schedule.failures, 0);
    schedule.enabled = false;
    pb_schedule_aim(&schedule, &cron, pb_time_zone_utc(), now);
    assert_int_equal(schedule.due_at, 0);
    assert_int_equal(schedule.next_at, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_field_has_its_sentence),
        cmocka_unit_test(an_issue_takes_the_place_of_title_and_prompt),
        cmocka_unit_test(each_schedule_has_its_own_delay_and_keeps_it),
        cmocka_unit_test(it_aims_at_its_next_moment_or_at_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
