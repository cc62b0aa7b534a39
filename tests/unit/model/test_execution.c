#include <string.h>

#include "model/execution.h"
#include "pb_test.h"

/* The whole table again, in another form: what each state does at each event; "-" = refused. */
static const char *const EXPECTED[PB_EXECUTION_STATUS_COUNT][PB_EXECUTION_EVENT_COUNT] = {
#define NODE(prepare, run)                                                                  \
    "-", prepare, run, "succeeded", "failed", "timed_out", "budget_exhausted", "cancelled", \
        "waiting_input", "waiting_approval", "waiting_quota", "-", "-", "cancelling", "queued"
#define FINAL "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-"
    /* assign prepare run succeed fail time_out exhaust confirm ask approval defer reply due cancel lose */
    [PB_EXECUTION_QUEUED] = {"assigned", "-", "-", "-", "failed", "-", "-", "-", "-", "-", "-", "-",
                             "-", "cancelled", "-"},
    [PB_EXECUTION_ASSIGNED] = {NODE("preparing", "running")},
    [PB_EXECUTION_PREPARING] = {NODE("-", "running")},
    [PB_EXECUTION_RUNNING] = {NODE("-", "-")},
    [PB_EXECUTION_WAITING_INPUT] = {"-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "queued",
                                    "-", "cancelled", "-"},
    [PB_EXECUTION_WAITING_APPROVAL] = {"-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-",
                                       "queued", "-", "cancelled", "-"},
    [PB_EXECUTION_WAITING_QUOTA] = {"-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "queued",
                                    "queued", "cancelled", "-"},
    [PB_EXECUTION_CANCELLING] = {"-", "-", "-", "succeeded", "cancelled", "cancelled", "cancelled",
                                 "cancelled", "cancelled", "cancelled", "cancelled", "-", "-", "-",
                                 "cancelled"},
    [PB_EXECUTION_SUCCEEDED] = {FINAL},
    [PB_EXECUTION_FAILED] = {FINAL},
    [PB_EXECUTION_TIMED_OUT] = {FINAL},
    [PB_EXECUTION_BUDGET_EXHAUSTED] = {FINAL},
    [PB_EXECUTION_CANCELLED] = {FINAL},
};

TEST(every_status_answers_every_event_as_drawn)
{
    for (int from = 0; from < PB_EXECUTION_STATUS_COUNT; from++) {
        for (int event = 0; event < PB_EXECUTION_EVENT_COUNT; event++) {
            const char *expected = EXPECTED[from][event];
            enum pb_execution_status to = PB_EXECUTION_STATUS_COUNT;
            struct pb_error err = {0};
            int r = pb_execution_next((enum pb_execution_status)from,
                                      (enum pb_execution_event)event, &to, &err);

            assert_non_null(expected);
            if (strcmp(expected, "-") == 0) {
                assert_int_equal(r, -1);
                assert_int_equal(err.code, PB_ERROR_CONFLICT);
                assert_int_equal(to, PB_EXECUTION_STATUS_COUNT);
            } else {
                assert_int_equal(r, 0);
                assert_string_equal(pb_execution_status_name(to), expected);
            }
        }
    }
}

TEST(nothing_leaves_a_final_state) /* invariant 2 */
{
    for (int from = 0; from < PB_EXECUTION_STATUS_COUNT; from++) {
        enum pb_execution_status to;
        struct pb_error err = {0};

        if (!pb_execution_is_final((enum pb_execution_status)from))
            continue;
        for (int event = 0; event < PB_EXECUTION_EVENT_COUNT; event++) {
            assert_int_equal(pb_execution_next((enum pb_execution_status)from,
                                               (enum pb_execution_event)event, &to, &err),
                             -1);
            assert_string_equal(err.reason, "already_final");
        }
    }
}

TEST(every_outcome_is_open_while_a_node_has_it) /* invariants 3 and 5 */
{
    for (int from = 0; from < PB_EXECUTION_STATUS_COUNT; from++) {
        for (int outcome = 0; outcome < PB_EXECUTION_OUTCOME_COUNT; outcome++) {
            enum pb_execution_status to;
            struct pb_error err = {0};

            if (pb_execution_is_active((enum pb_execution_status)from))
                assert_ok(pb_execution_next((enum pb_execution_status)from,
                                            pb_execution_event_of(
                                                (enum pb_execution_outcome)outcome),
                                            &to, &err),
                          &err);
        }
    }
}

TEST(an_outcome_leads_to_the_status_of_its_name)
{
    for (int outcome = 0; outcome < PB_EXECUTION_OUTCOME_COUNT; outcome++) {
        const char *name = pb_names_get(&PB_EXECUTION_OUTCOME_NAMES, outcome);
        enum pb_execution_status to;
        struct pb_error err = {0};

        assert_ok(pb_execution_next(PB_EXECUTION_RUNNING,
                                    pb_execution_event_of((enum pb_execution_outcome)outcome), &to,
                                    &err),
                  &err);
        assert_string_equal(pb_execution_status_name(to),
                            outcome == PB_EXECUTION_OUTCOME_LOST ? "queued" : name);
    }
}

TEST(names_there_and_back)
{
    static const struct pb_names *const SETS[] = {&PB_EXECUTION_STATUS_NAMES,
                                                  &PB_ATTEMPT_STATUS_NAMES,
                                                  &PB_EXECUTION_OUTCOME_NAMES, &PB_TRIGGER_NAMES};
    int value = -1;

    for (size_t set = 0; set < COUNT(SETS); set++) {
        for (size_t i = 0; i < SETS[set]->count; i++) {
            assert_true(pb_names_find(SETS[set], pb_names_get(SETS[set], (int)i), &value));
            assert_int_equal(value, i);
        }
        value = 77;
        assert_false(pb_names_find(SETS[set], "no such name", &value));
        assert_false(pb_names_find(SETS[set], NULL, &value));
        assert_false(pb_names_find(SETS[set], "", &value));
        assert_int_equal(value, 77);
        assert_string_equal(pb_names_get(SETS[set], -1), "");
        assert_string_equal(pb_names_get(SETS[set], (int)SETS[set]->count), "");
    }
    assert_int_equal(PB_EXECUTION_STATUS_COUNT, 13);
}

TEST(each_status_is_queued_active_waiting_or_final)
{
    for (int i = 0; i < PB_EXECUTION_STATUS_COUNT; i++) {
        enum pb_execution_status status = (enum pb_execution_status)i;

        assert_int_equal((status == PB_EXECUTION_QUEUED) + pb_execution_is_active(status) +
                             pb_execution_is_waiting(status) + pb_execution_is_final(status),
                         1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_answers_every_event_as_drawn),
        cmocka_unit_test(nothing_leaves_a_final_state),
        cmocka_unit_test(every_outcome_is_open_while_a_node_has_it),
        cmocka_unit_test(an_outcome_leads_to_the_status_of_its_name),
        cmocka_unit_test(names_there_and_back),
        cmocka_unit_test(each_status_is_queued_active_waiting_or_final),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
