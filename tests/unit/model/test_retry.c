#include "model/retry.h"
#include "pb_test.h"

#define NOW INT64_C(1800000000000)

static int64_t at(enum pb_failure_kind kind, int64_t failed, const char *seed)
{
    return pb_retry_at(&(struct pb_retry_case){
        .kind = kind, .failed = failed, .limit = -1, .now_ms = NOW, .percent = 100, .seed = seed});
}

TEST(what_passes_by_itself_has_a_rule_and_the_rest_has_none)
{
    for (int kind = 0; kind < PB_FAILURE_COUNT; kind++) {
        const struct pb_retry_rule *rule = pb_retry_rule((enum pb_failure_kind)kind);
        bool passes = pb_failure((enum pb_failure_kind)kind)->retry != PB_RETRY_NEVER ||
                      kind == PB_FAILURE_NODE_LOST;

        assert_int_equal(rule->way != PB_RETRY_WAY_NEVER, passes);
        if (rule->way == PB_RETRY_WAY_BACKOFF || rule->way == PB_RETRY_WAY_DUE)
            assert_true(rule->tries > 0 && rule->base_ms > 0 && rule->cap_ms >= rule->base_ms);
    }
}

TEST(pauses_double_up_to_the_cap_and_end)
{
    const struct pb_retry_rule *rule = pb_retry_rule(PB_FAILURE_OVERLOADED);
    int64_t whole = rule->base_ms;

    for (int64_t failed = 1; failed <= rule->tries; failed++) {
        int64_t pause = at(PB_FAILURE_OVERLOADED, failed, "01J") - NOW;

        assert_in_range(pause, whole - whole / 4, whole);
        whole = whole * 2 < rule->cap_ms ? whole * 2 : rule->cap_ms;
    }
    assert_int_equal(at(PB_FAILURE_OVERLOADED, rule->tries + 1, "01J"), 0);
    assert_int_equal(at(PB_FAILURE_AUTH, 1, "01J"), 0);
}

TEST(each_execution_has_its_own_pause_and_keeps_it)
{
    assert_int_equal(at(PB_FAILURE_NETWORK, 1, "01JA"), at(PB_FAILURE_NETWORK, 1, "01JA"));
    assert_int_not_equal(at(PB_FAILURE_NETWORK, 1, "01JA"), at(PB_FAILURE_NETWORK, 1, "01JB"));
    assert_int_not_equal(at(PB_FAILURE_DISK, 5, "01JA"), at(PB_FAILURE_DISK, 6, "01JA"));
}

TEST(a_window_opens_when_the_provider_says)
{
    struct pb_retry_case failed = {.kind = PB_FAILURE_RATE_LIMIT,
                                   .failed = 1,
                                   .limit = -1,
                                   .due_ms = NOW + 12345,
                                   .now_ms = NOW,
                                   .percent = 100};

    assert_int_equal(pb_retry_at(&failed), NOW + 12345);
    failed.due_ms = NOW - 1; /* said long ago: a pause of our own */
    assert_true(pb_retry_at(&failed) > NOW + 60000);
}

TEST(a_project_may_want_fewer_tries_and_tests_shorter_pauses)
{
    struct pb_retry_case failed = {
        .kind = PB_FAILURE_NETWORK, .failed = 1, .limit = 0, .now_ms = NOW, .percent = 0};

    assert_int_equal(pb_retry_at(&failed), 0);
    failed.limit = 1;
    assert_int_equal(pb_retry_at(&failed), NOW);
    failed.failed = 2;
    assert_int_equal(pb_retry_at(&failed), 0);
    failed.limit = 1000; /* not more than the rule allows */
    failed.failed = pb_retry_rule(PB_FAILURE_NETWORK)->tries + 1;
    assert_int_equal(pb_retry_at(&failed), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_passes_by_itself_has_a_rule_and_the_rest_has_none),
        cmocka_unit_test(pauses_double_up_to_the_cap_and_end),
        cmocka_unit_test(each_execution_has_its_own_pause_and_keeps_it),
        cmocka_unit_test(a_window_opens_when_the_provider_says),
        cmocka_unit_test(a_project_may_want_fewer_tries_and_tests_shorter_pauses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
