#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "queue_world.h"
#include "server/services/github_pin.h"
#include "server/services/schedule_fire.h"
#include "server/store/execution_store.h"
#include "server/store/schedule_store.h"
#include "server/store/store.h"

/* --- a double: GitHub --------------------------------------------------------------------------------- */

static enum pb_error_code github_fails; /* PB_OK: it answers */
static bool issue_is_closed;

int pb_github_pin_issue(struct pb_platform *platform, const char *project_id, int64_t issue_number,
                        struct pb_arena *arena, struct pb_github_pinned *ret_pinned,
                        struct pb_error *err)
{
    (void)platform;
    (void)project_id;
    if (github_fails)
        return pb_fail(err, github_fails, "GitHub says no");
    *ret_pinned = (struct pb_github_pinned){.title = "The issue",
                                            .prompt = pb_arena_format(arena, "work on #%lld",
                                                                      (long long)issue_number),
                                            .labels = "[\"priority:high\"]",
                                            .is_open = !issue_is_closed};
    return 0;
}

/* --- helpers ------------------------------------------------------------------------------------------- */

static int64_t moment(const char *text)
{
    int64_t ms = 0;

    assert_true(pb_clock_parse(text, &ms));
    return ms;
}

static void at(const char *text)
{
    pb_clock_set_for_test(moment(text));
}

static int write_insert(struct pb_db *db, void *arg, struct pb_error *err)
{
    return pb_schedule_insert(db, arg, err);
}

static int write_observe(struct pb_db *db, void *arg, struct pb_error *err)
{
    return pb_schedule_observe(db, arg, err);
}

/* Every day at 02:30 UTC, aimed from now; `set` changes the rest. */
static void schedule(struct pb_schedule set)
{
    struct pb_cron cron;

    set.id = "01J00000000000000000000001";
    set.project_id = "site";
    set.name = "nightly";
    set.cron = set.cron ? set.cron : "30 2 * * *";
    set.time_zone = set.time_zone ? set.time_zone : "UTC";
    set.enabled = true;
    if (!set.issue_number) {
        set.title = "Update";
        set.prompt = "please";
    }
    set.created_by = "amy";
    set.created_at = set.updated_at = pb_clock_wall_ms();
    assert_ok(pb_cron_parse(set.cron, &cron, &queue_world.err), &queue_world.err);
    pb_schedule_aim(&set, &cron, pb_time_zone_utc(), pb_clock_wall_ms());
    assert_ok(pb_store_write(queue_world.platform.store, write_insert, &set, &queue_world.err),
              &queue_world.err);
}

static const struct pb_schedule *now(void)
{
    struct pb_db *db = pb_store_reader(queue_world.platform.store, &queue_world.err);
    struct pb_schedule *found = NULL;

    assert_ok(pb_schedule_load(db, &queue_world.arena, "01J00000000000000000000001", &found,
                               &queue_world.err),
              &queue_world.err);
    return found;
}

/* Looks; how many executions there are afterwards. */
static size_t fire(void)
{
    struct pb_execution_filter filter = {.page = {.limit = 200}};
    struct pb_execution_list list;
    size_t count;

    assert_ok(pb_schedule_fire_due(&queue_world.platform, 20, &count, &queue_world.err),
              &queue_world.err);
    assert_ok(pb_execution_list(pb_store_reader(queue_world.platform.store, &queue_world.err),
                                &queue_world.arena, &filter, &list, &queue_world.err),
              &queue_world.err);
    return list.count;
}

static struct pb_execution *last(void)
{
    return queue_world_load(now()->last_execution_id);
}

static void expect(enum pb_schedule_result result, const char *due)
{
    assert_int_equal(now()->last_result, result);
    assert_int_equal(now()->due_at, moment(due));
}

static int setup(void **state)
{
    int r = queue_world_setup(state);

    github_fails = PB_OK;
    issue_is_closed = false;
    at("2027-03-05T00:00:00Z");
    queue_world_project("site", 5, NULL);
    return r;
}

/* --- on time -------------------------------------------------------------------------------------------- */

TEST(its_moment_makes_one_execution)
{
    schedule((struct pb_schedule){.priority = 1});
    at("2027-03-05T02:29:59.999Z");
    assert_int_equal(fire(), 0);
    at("2027-03-05T02:30:00.000Z");
    assert_int_equal(fire(), 1);
    assert_int_equal(fire(), 1);
    expect(PB_SCHEDULE_STARTED, "2027-03-06T02:30:00Z");
    assert_int_equal(last()->trigger, PB_TRIGGER_SCHEDULE);
    assert_string_equal(last()->requested_by, "amy");
    assert_string_equal(last()->prompt, "please");
    assert_int_equal(last()->priority, 1);
    assert_string_equal(last()->dedupe_key, "schedule:01J00000000000000000000001:1804213800000");
}

TEST(jitter_delays_the_look_and_not_the_moment)
{
    int64_t delay;

    schedule((struct pb_schedule){.jitter_ms = 3600000});
    delay = pb_schedule_delay(now());
    assert_true(delay > 0);
    pb_clock_set_for_test(moment("2027-03-05T02:30:00Z") + delay - 1);
    assert_int_equal(fire(), 0);
    pb_clock_set_for_test(moment("2027-03-05T02:30:00Z") + delay);
    assert_int_equal(fire(), 1);
    expect(PB_SCHEDULE_STARTED, "2027-03-06T02:30:00Z");
    assert_int_equal(now()->next_at, moment("2027-03-06T02:30:00Z") + delay);
}

/* The same moment found again, as after a restore of an older database, or a clock set back. */
TEST(a_moment_is_not_acted_on_twice)
{
    struct pb_schedule old;

    schedule((struct pb_schedule){.priority = 0});
    old = *now();
    at("2027-03-05T02:30:00Z");
    assert_int_equal(fire(), 1);
    queue_world_look();
    queue_world_finish(now()->last_execution_id, "succeeded", NULL);
    {
        struct pb_schedule back = *now();

        back.due_at = old.due_at;
        back.next_at = old.next_at;
        assert_ok(pb_store_write(queue_world.platform.store, write_observe, &back,
                                 &queue_world.err),
                  &queue_world.err);
    }
    assert_int_equal(fire(), 1);
    expect(PB_SCHEDULE_STARTED, "2027-03-06T02:30:00Z");
    at("2027-03-05T01:00:00Z");
    assert_int_equal(fire(), 1);
}

TEST(a_crash_after_the_write_was_lost_fires_after_the_restart)
{
    char dir[64];
    size_t count;

    schedule((struct pb_schedule){.priority = 0});
    at("2027-03-05T02:30:00Z");
    queue_world.unknown_writes = 1; /* it happened, and nobody heard of it */
    assert_refused(pb_schedule_fire_due(&queue_world.platform, 20, &count, &queue_world.err),
                   &queue_world.err, PB_ERROR_UNAVAILABLE);
    memcpy(dir, queue_world.dir, sizeof(dir));
    queue_world_close();
    queue_world_open(dir);
    assert_int_equal(fire(), 1);
    expect(PB_SCHEDULE_STARTED, "2027-03-06T02:30:00Z");
}

/* --- missed ---------------------------------------------------------------------------------------------- */

TEST(what_was_missed_runs_once_for_the_last_time)
{
    schedule((struct pb_schedule){.cron = "0 * * * *", .missed = PB_MISSED_RUN_ONCE});
    at("2027-03-05T07:20:00Z");
    assert_int_equal(fire(), 1);
    expect(PB_SCHEDULE_STARTED, "2027-03-05T08:00:00Z");
    assert_string_equal(last()->dedupe_key, "schedule:01J00000000000000000000001:1804230000000");
    assert_int_equal(fire(), 1);
}

TEST(what_was_missed_can_be_left_out)
{
    schedule((struct pb_schedule){.cron = "0 * * * *", .missed = PB_MISSED_SKIP});
    at("2027-03-05T07:20:00Z");
    assert_int_equal(fire(), 0);
    expect(PB_SCHEDULE_MISSED, "2027-03-05T08:00:00Z");
    at("2027-03-05T08:00:59Z"); /* late, but not missed */
    assert_int_equal(fire(), 1);
    expect(PB_SCHEDULE_STARTED, "2027-03-05T09:00:00Z");
}

/* --- overlaps --------------------------------------------------------------------------------------------- */

TEST(while_the_last_one_goes_on_the_next_is_left_out)
{
    schedule((struct pb_schedule){.overlap = PB_OVERLAP_SKIP});
    at("2027-03-05T02:30:00Z");
    assert_int_equal(fire(), 1);
    at("2027-03-06T02:30:00Z");
    assert_int_equal(fire(), 1);
    expect(PB_SCHEDULE_OVERLAPPED, "2027-03-07T02:30:00Z");
    assert_string_equal(now()->last_detail, "#1 is still queued");
    queue_world_look();
    queue_world_finish(now()->last_execution_id, "succeeded", NULL);
    at("2027-03-07T02:30:00Z");
    assert_int_equal(fire(), 2);
}

TEST(or_it_waits_and_starts_when_the_last_one_has_ended)
{
    schedule((struct pb_schedule){.overlap = PB_OVERLAP_QUEUE});
    at("2027-03-05T02:30:00Z");
    assert_int_equal(fire(), 1);
    queue_world_look();
    for (int day = 6; day < 9; day++) { /* several moments pass: one waits */
        char text[32];

        snprintf(text, sizeof(text), "2027-03-0%dT02:30:00Z", day);
        at(text);
        assert_int_equal(fire(), 1);
        expect(PB_SCHEDULE_WAITING, "2027-03-06T02:30:00Z");
    }
    queue_world_finish(now()->last_execution_id, "succeeded", NULL);
    at("2027-03-08T02:30:04Z");
    assert_int_equal(fire(), 1); /* it looks every five seconds */
    at("2027-03-08T02:30:05Z");
    assert_int_equal(fire(), 2);
    expect(PB_SCHEDULE_STARTED, "2027-03-09T02:30:00Z");
}

TEST(or_the_last_one_is_cancelled)
{
    const char *first;

    schedule((struct pb_schedule){.overlap = PB_OVERLAP_CANCEL_PREVIOUS});
    at("2027-03-05T02:30:00Z");
    assert_int_equal(fire(), 1);
    first = now()->last_execution_id;
    at("2027-03-06T02:30:00Z");
    assert_int_equal(fire(), 2);
    assert_int_equal(queue_world_load(first)->status, PB_EXECUTION_CANCELLED);
    assert_string_equal(queue_world_load(first)->reason, "cancelled by its schedule");
    assert_int_equal(last()->status, PB_EXECUTION_QUEUED);
}

/* --- issues ------------------------------------------------------------------------------------------------ */

TEST(an_issue_is_read_when_its_time_has_come)
{
    schedule((struct pb_schedule){.issue_number = 12});
    at("2027-03-05T02:30:00Z");
    assert_int_equal(fire(), 1);
    assert_int_equal(last()->issue_number, 12);
    assert_string_equal(last()->title, "The issue");
    assert_string_equal(last()->prompt, "work on #12");
    assert_int_equal(last()->priority, 1); /* its label says so */
}

TEST(github_that_does_not_answer_is_asked_again_until_the_next_time)
{
    schedule((struct pb_schedule){.issue_number = 12, .cron = "*/5 * * * *"});
    github_fails = PB_ERROR_UNREACHABLE;
    at("2027-03-05T00:05:00Z");
    assert_int_equal(fire(), 0);
    expect(PB_SCHEDULE_RETRYING, "2027-03-05T00:05:00Z");
    assert_int_equal(now()->next_at, moment("2027-03-05T00:05:30Z"));
    at("2027-03-05T00:05:30Z");
    assert_int_equal(fire(), 0);
    assert_int_equal(now()->next_at, moment("2027-03-05T00:06:30Z"));
    at("2027-03-05T00:06:30Z");
    assert_int_equal(fire(), 0);
    at("2027-03-05T00:08:30Z");
    assert_int_equal(fire(), 0);
    expect(PB_SCHEDULE_FAILED, "2027-03-05T00:10:00Z");
    github_fails = PB_OK;
    at("2027-03-05T00:10:00Z");
    assert_int_equal(fire(), 1);
    expect(PB_SCHEDULE_STARTED, "2027-03-05T00:15:00Z");
}

TEST(what_stays_wrong_fails_this_time_only)
{
    schedule((struct pb_schedule){.issue_number = 12});
    issue_is_closed = true;
    at("2027-03-05T02:30:00Z");
    assert_int_equal(fire(), 0);
    expect(PB_SCHEDULE_FAILED, "2027-03-06T02:30:00Z");
    assert_string_equal(now()->last_detail, "issue #12 is closed");
    issue_is_closed = false;
    at("2027-03-06T02:30:00Z");
    assert_int_equal(fire(), 1);
}

static void archive(struct pb_project *project)
{
    project->status = PB_PROJECT_ARCHIVED;
}

TEST(a_project_that_takes_nothing_is_noted)
{
    schedule((struct pb_schedule){.priority = 0});
    queue_world_change("site", archive);
    at("2027-03-05T02:30:00Z");
    assert_int_equal(fire(), 0);
    expect(PB_SCHEDULE_FAILED, "2027-03-06T02:30:00Z");
    assert_non_null(strstr(now()->last_detail, "archived"));
}

TEST(a_zone_that_is_gone_does_not_hold_up_others)
{
    schedule((struct pb_schedule){.time_zone = "Atlantis/Capital"});
    at("2027-03-05T02:30:00Z");
    assert_int_equal(fire(), 0);
    expect(PB_SCHEDULE_FAILED, "2027-03-05T02:30:00Z");
    assert_int_equal(now()->next_at, moment("2027-03-05T02:45:00Z"));
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, setup, queue_world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(its_moment_makes_one_execution),
        IN_WORLD(jitter_delays_the_look_and_not_the_moment),
        IN_WORLD(a_moment_is_not_acted_on_twice),
        IN_WORLD(a_crash_after_the_write_was_lost_fires_after_the_restart),
        IN_WORLD(what_was_missed_runs_once_for_the_last_time),
        IN_WORLD(what_was_missed_can_be_left_out),
        IN_WORLD(while_the_last_one_goes_on_the_next_is_left_out),
        IN_WORLD(or_it_waits_and_starts_when_the_last_one_has_ended),
        IN_WORLD(or_the_last_one_is_cancelled),
        IN_WORLD(an_issue_is_read_when_its_time_has_come),
        IN_WORLD(github_that_does_not_answer_is_asked_again_until_the_next_time),
        IN_WORLD(what_stays_wrong_fails_this_time_only),
        IN_WORLD(a_project_that_takes_nothing_is_noted),
        IN_WORLD(a_zone_that_is_gone_does_not_hold_up_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
