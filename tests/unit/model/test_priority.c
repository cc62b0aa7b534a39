#include "model/priority.h"
#include "pb_test.h"

#define HOUR INT64_C(3600000)
#define NOW  INT64_C(1800000000000)

TEST(words_and_numbers_are_the_same_things)
{
    static const char *const WORDS[] = {"low", "normal", "high", "critical"};
    int64_t priority;

    for (size_t i = 0; i < COUNT(WORDS); i++) {
        assert_true(pb_priority_find(WORDS[i], &priority));
        assert_int_equal(priority, (int64_t)i - 1);
        assert_string_equal(pb_priority_name(priority), WORDS[i]);
    }
    assert_false(pb_priority_find("urgent", &priority));
    assert_false(pb_priority_find(NULL, &priority));
    assert_string_equal(pb_priority_name(-99), "low");
    assert_string_equal(pb_priority_name(99), "critical");
}

TEST(the_highest_of_the_labels_counts)
{
    static const char *const LABELS[] = {"bug",          "priority:",     "Priority:High",
                                         "priority:low", "priority:soon", "xpriority:critical"};
    int64_t priority = 7;

    assert_true(pb_priority_from_labels(LABELS, COUNT(LABELS), &priority));
    assert_int_equal(priority, PB_PRIORITY_HIGH);
    priority = 7;
    assert_false(pb_priority_from_labels(LABELS, 2, &priority));
    assert_false(pb_priority_from_labels(NULL, 0, &priority));
    assert_int_equal(priority, 7);
}

TEST(age_catches_up_with_priority)
{
    int64_t low = pb_queue_place(NOW, PB_PRIORITY_LOW, 0);

    assert_true(low > pb_queue_place(NOW, PB_PRIORITY_NORMAL, 0));
    assert_true(low > pb_queue_place(NOW + 8 * HOUR - 1, PB_PRIORITY_NORMAL, 0));
    assert_true(low < pb_queue_place(NOW + 8 * HOUR + 1, PB_PRIORITY_NORMAL, 0));
    assert_true(low < pb_queue_place(NOW + 12 * HOUR + 1, PB_PRIORITY_HIGH, 0));
    assert_true(low < pb_queue_place(NOW + 56 * HOUR + 1, PB_PRIORITY_CRITICAL, 0));
    assert_true(pb_queue_place(NOW, PB_PRIORITY_HIGH, 0) >
                pb_queue_place(NOW + 44 * HOUR - 1, PB_PRIORITY_CRITICAL, 0));
    assert_true(pb_queue_place(NOW, 0, 0) < pb_queue_place(NOW + 1, 0, 0));
}

TEST(a_deadline_lifts_only_when_it_is_near)
{
    int64_t plain = pb_queue_place(NOW, PB_PRIORITY_NORMAL, 0);

    assert_int_equal(pb_queue_place(NOW, PB_PRIORITY_NORMAL, NOW + 48 * HOUR), plain);
    assert_int_equal(pb_queue_place(NOW, PB_PRIORITY_NORMAL, NOW + 900 * HOUR), plain);
    assert_int_equal(pb_queue_place(NOW, PB_PRIORITY_NORMAL, NOW + 24 * HOUR), plain - 24 * HOUR);
    assert_true(pb_queue_place(NOW, PB_PRIORITY_LOW, NOW + HOUR) <
                pb_queue_place(NOW, PB_PRIORITY_HIGH, 0));
    assert_true(pb_queue_place(NOW, PB_PRIORITY_NORMAL, NOW + HOUR) >
                pb_queue_place(NOW, PB_PRIORITY_CRITICAL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_and_numbers_are_the_same_things),
        cmocka_unit_test(the_highest_of_the_labels_counts),
        cmocka_unit_test(age_catches_up_with_priority),
        cmocka_unit_test(a_deadline_lifts_only_when_it_is_near),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
