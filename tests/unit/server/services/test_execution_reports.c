#include <string.h>

#include "base/clock.h"
#include "model/retry.h"
#include "queue_world.h"

static void skip_to(int64_t moment)
{
    pb_clock_set_for_test(moment);
}

static const char *started(void)
{
    const char *id;

    queue_world_project("site", 10, NULL);
    id = queue_world_enqueue("site", (struct pb_enqueue){.title = "T"});
    assert_int_equal(queue_world_look(), 1);
    return id;
}

/* --- another try -------------------------------------------------------------------------------------------- */

TEST(a_failure_that_passes_is_tried_again_after_a_pause_and_at_last_no_more)
{
    const struct pb_retry_rule *rule = pb_retry_rule(PB_FAILURE_NETWORK);
    const char *id = started();

    for (int64_t failed = 1; failed <= rule->tries; failed++) {
        const struct pb_execution *execution;

        queue_world_finish(id, "failed", "network");
        execution = queue_world_load(id);
        assert_int_equal(execution->status, PB_EXECUTION_QUEUED);
        assert_int_equal(execution->retry_count, failed);
        assert_null(execution->reason_kind);
        assert_string_equal(queue_world_attempt(id)->reason_kind, "network");
        assert_string_equal(queue_world_why(id)->code, "not_yet");
        assert_int_equal(queue_world_look(), 0);
        assert_int_equal(queue_world_next(), execution->available_at);
        assert_true(execution->available_at > pb_clock_wall_ms() + rule->base_ms / 2);
        skip_to(execution->available_at);
        assert_int_equal(queue_world_look(), 1);
    }
    queue_world_finish(id, "failed", "network");
    assert_int_equal(queue_world_load(id)->status, PB_EXECUTION_FAILED);
    assert_string_equal(queue_world_load(id)->reason_kind, "network");
    assert_int_equal(queue_world_load(id)->attempt_count, rule->tries + 1);
}

TEST(a_failure_that_stays_is_final_at_once)
{
    static const char *const KINDS[] = {"auth", "command", "platform", "from_the_future"};

    queue_world_project("site", 10, NULL);
    for (size_t i = 0; i < COUNT(KINDS); i++) {
        const char *id = queue_world_enqueue("site", (struct pb_enqueue){.title = "T"});

        assert_int_equal(queue_world_look(), 1);
        queue_world_finish(id, "failed", KINDS[i]);
        assert_int_equal(queue_world_load(id)->status, PB_EXECUTION_FAILED);
    }
}

static void never_again(struct pb_project *project)
{
    project->retry_limit = 0;
}

TEST(a_project_may_want_no_further_tries)
{
    const char *id = started();

    queue_world_change("site", never_again);
    queue_world_finish(id, "failed", "overloaded");
    assert_int_equal(queue_world_load(id)->status, PB_EXECUTION_FAILED);
}

TEST(who_does_not_want_to_wait_for_the_next_try_need_not)
{
    const char *id = started();

    queue_world_finish(id, "failed", "disk");
    assert_int_equal(queue_world_look(), 0);
    assert_ok(pb_execution_set_urgency(&queue_world.platform, id, &(struct pb_urgency){.now = true},
                                       "amy", &queue_world.err),
              &queue_world.err);
    assert_int_equal(queue_world_look(), 1);
}

TEST(a_refusal_is_tried_again_when_its_kind_passes)
{
    const char *id = started();
    struct pb_attempt_claim claim = queue_world_claim(id);

    assert_ok(pb_execution_refused(&queue_world.platform, &claim, "busy", "no room",
                                   &queue_world.err),
              &queue_world.err);
    assert_int_equal(queue_world_load(id)->status, PB_EXECUTION_QUEUED);
    skip_to(queue_world_load(id)->available_at);
    assert_int_equal(queue_world_look(), 1);
    claim = queue_world_claim(id);
    assert_ok(pb_execution_refused(&queue_world.platform, &claim, "invalid_settings", "no command",
                                   &queue_world.err),
              &queue_world.err);
    assert_int_equal(queue_world_load(id)->status, PB_EXECUTION_FAILED);
    assert_string_equal(queue_world_load(id)->reason_kind, "invalid_settings");
}

TEST(a_quota_window_continues_by_itself)
{
    const char *id = started();
    int64_t opens;

    queue_world_finish(id, "waiting_quota", "rate_limit");
    assert_int_equal(queue_world_load(id)->status, PB_EXECUTION_WAITING_QUOTA);
    opens = queue_world_load(id)->available_at;
    assert_int_equal(queue_world_look(), 0);
    assert_int_equal(queue_world_next(), opens);
    skip_to(opens);
    assert_int_equal(queue_world_look(), 1);
    assert_true(queue_world_load(id)->resume);
}

TEST(a_window_opens_when_the_provider_says_and_never_at_once)
{
    static const struct {
        int64_t resume_in, opens_in;
    } CASES[] = {{3600 * 1000, 3600 * 1000},
                 {-1000, 10 * 1000},
                 {30LL * 24 * 3600 * 1000, 24 * 3600 * 1000}};
    int64_t now = pb_clock_wall_ms();

    queue_world_project("site", 10, NULL);
    skip_to(now);
    for (size_t i = 0; i < COUNT(CASES); i++) {
        const char *id = queue_world_enqueue("site", (struct pb_enqueue){.title = "T"});
        struct pb_attempt_claim claim;

        assert_int_equal(queue_world_look(), 1);
        claim = queue_world_claim(id);
        assert_ok(pb_execution_finished(&queue_world.platform, &claim,
                                        &(struct pb_attempt_outcome){.outcome = "waiting_quota",
                                                                     .resume_at_ms =
                                                                         now + CASES[i].resume_in},
                                        &queue_world.err),
                  &queue_world.err);
        assert_int_equal(queue_world_load(id)->available_at, now + CASES[i].opens_in);
    }
}

/* --- lost --------------------------------------------------------------------------------------------------- */

static void lose(const char *id)
{
    struct pb_attempt_claim claim = queue_world_claim(id);

    claim.node_id = NULL;
    assert_ok(pb_execution_lost(&queue_world.platform, &claim, "gone", &queue_world.err),
              &queue_world.err);
}

TEST(an_attempt_lost_too_often_fails)
{
    const char *id = started();

    for (int lost = 1; lost < PB_LIMIT_ATTEMPTS_LOST; lost++) {
        struct pb_attempt_claim claim = queue_world_claim(id);

        assert_ok(pb_execution_accepted(&queue_world.platform, &claim, &queue_world.err),
                  &queue_world.err);
        lose(id);
        assert_int_equal(queue_world_load(id)->status, PB_EXECUTION_QUEUED);
        assert_int_equal(queue_world_load(id)->lost_count, lost);
        skip_to(queue_world_load(id)->available_at);
        assert_int_equal(queue_world_look(), 1);
    }
    queue_world_finish(id, "lost", NULL);
    assert_int_equal(queue_world_load(id)->status, PB_EXECUTION_FAILED);
    assert_string_equal(queue_world_load(id)->reason_kind, "node_lost");
}

TEST(what_nobody_took_is_offered_for_ever)
{
    const char *id = started();
    int64_t pause = 0;

    for (int i = 0; i < 50; i++) {
        int64_t before = pb_clock_wall_ms();

        skip_to(before);
        lose(id);
        assert_int_equal(queue_world_load(id)->status, PB_EXECUTION_QUEUED);
        assert_true(queue_world_load(id)->available_at - before >= pause);
        pause = queue_world_load(id)->available_at - before;
        skip_to(queue_world_load(id)->available_at);
        assert_int_equal(queue_world_look(), 1);
    }
    assert_int_equal(pause, 30000);
    assert_int_equal(queue_world_load(id)->fence, 51);
}

/* --- cancelling ---------------------------------------------------------------------------------------------- */

TEST(a_cancelling_that_nobody_confirms_is_over_in_time)
{
    const char *id = started();
    int64_t begun = pb_clock_wall_ms();
    struct pb_attempt_claim claim;

    skip_to(begun);
    assert_ok(pb_execution_cancel(&queue_world.platform, id, "amy", &queue_world.err),
              &queue_world.err);
    assert_int_equal(queue_world_load(id)->status, PB_EXECUTION_CANCELLING);
    assert_int_equal(queue_world.cancels, 1);
    queue_world_look();
    assert_int_equal(queue_world_next(), begun + 15000);
    skip_to(begun + 14999);
    queue_world_look();
    assert_int_equal(queue_world_load(id)->status, PB_EXECUTION_CANCELLING);
    skip_to(begun + 15000);
    claim = queue_world_claim(id);
    queue_world_look();
    assert_int_equal(queue_world_load(id)->status, PB_EXECUTION_CANCELLED);
    assert_string_equal(queue_world_load(id)->reason, "cancelled by amy");
    assert_int_equal(queue_world_attempt(id)->status, PB_ATTEMPT_LOST);
    assert_string_equal(queue_world_attempt(id)->outcome, "cancelled");
    assert_int_equal(queue_world.discards, 1);
    /* what the node says later counts no more */
    assert_refused(pb_execution_finished(&queue_world.platform, &claim,
                                         &(struct pb_attempt_outcome){.outcome = "succeeded"},
                                         &queue_world.err),
                   &queue_world.err, PB_ERROR_CONFLICT);
    assert_int_equal(queue_world_load(id)->status, PB_EXECUTION_CANCELLED);
}

TEST(a_failure_while_cancelling_is_the_cancelling)
{
    const char *id = started();

    assert_ok(pb_execution_cancel(&queue_world.platform, id, "amy", &queue_world.err),
              &queue_world.err);
    queue_world_finish(id, "failed", "network");
    assert_int_equal(queue_world_load(id)->status, PB_EXECUTION_CANCELLED);
    assert_string_equal(queue_world_load(id)->reason_kind, "cancelled");
    assert_int_equal(queue_world_look(), 0);
}

#define IN_WORLD(test) \
    cmocka_unit_test_setup_teardown(test, queue_world_setup, queue_world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(a_failure_that_passes_is_tried_again_after_a_pause_and_at_last_no_more),
        IN_WORLD(a_failure_that_stays_is_final_at_once),
        IN_WORLD(a_project_may_want_no_further_tries),
        IN_WORLD(who_does_not_want_to_wait_for_the_next_try_need_not),
        IN_WORLD(a_refusal_is_tried_again_when_its_kind_passes),
        IN_WORLD(a_quota_window_continues_by_itself),
        IN_WORLD(a_window_opens_when_the_provider_says_and_never_at_once),
        IN_WORLD(an_attempt_lost_too_often_fails),
        IN_WORLD(what_nobody_took_is_offered_for_ever),
        IN_WORLD(a_cancelling_that_nobody_confirms_is_over_in_time),
        IN_WORLD(a_failure_while_cancelling_is_the_cancelling),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
