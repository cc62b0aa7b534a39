#include <stdio.h>

#include "pb_test.h"
#include "server/services/login_delay.h"

static void fail_times(struct pb_login_delay *delay, const char *name, const char *address,
                       int times, int64_t now)
{
    for (int i = 0; i < times; i++)
        pb_login_delay_failed(delay, name, address, now);
}

TEST(five_failures_are_free_then_the_wait_doubles_up_to_five_minutes)
{
    static const int64_t WAITS[] = {1000,  2000,   4000,   8000,   16000, 32000,
                                    64000, 128000, 256000, 300000, 300000};
    struct pb_login_delay *delay = pb_login_delay_new();

    fail_times(delay, "alice", "192.0.2.1", 5, 1000);
    assert_int_equal(pb_login_delay_left(delay, "alice", "192.0.2.1", 1000), 0);
    for (size_t i = 0; i < COUNT(WAITS); i++) {
        fail_times(delay, "alice", "192.0.2.1", 1, 1000);
        assert_int_equal(pb_login_delay_left(delay, "alice", "192.0.2.1", 1000), WAITS[i]);
    }
    assert_int_equal(pb_login_delay_left(delay, "alice", "192.0.2.1", 1000 + 300000), 0);
    pb_login_delay_free(delay);
}

TEST(only_this_account_from_this_address_waits_in_any_case_of_letters)
{
    struct pb_login_delay *delay = pb_login_delay_new();

    fail_times(delay, "alice", "192.0.2.1", 6, 1000);
    assert_true(pb_login_delay_left(delay, "ALICE", "192.0.2.1", 1000) > 0);
    assert_int_equal(pb_login_delay_left(delay, "alice", "192.0.2.2", 1000), 0);
    assert_int_equal(pb_login_delay_left(delay, "bob", "192.0.2.1", 1000), 0);
    pb_login_delay_free(delay);
}

TEST(success_and_an_hour_forget)
{
    struct pb_login_delay *delay = pb_login_delay_new();

    fail_times(delay, "alice", "a", 9, 1000);
    pb_login_delay_succeeded(delay, "alice", "a");
    assert_int_equal(pb_login_delay_left(delay, "alice", "a", 1000), 0);
    fail_times(delay, "alice", "a", 9, 1000);
    fail_times(delay, "alice", "a", 1, 1000 + 3600 * 1000 + 1);
    assert_int_equal(pb_login_delay_left(delay, "alice", "a", 1000 + 3600 * 1000 + 1), 0);
    pb_login_delay_free(delay);
}

TEST(names_made_up_by_the_thousand_push_out_the_oldest_and_nothing_else)
{
    struct pb_login_delay *delay = pb_login_delay_new();
    char name[32];

    fail_times(delay, "old", "a", 6, 1);
    fail_times(delay, "new", "a", 6, 1000000);
    for (int i = 0; i < 5000; i++) {
        (void)snprintf(name, sizeof(name), "n%d", i);
        pb_login_delay_failed(delay, name, "a", 100 + i % 2000);
    }
    assert_int_equal(pb_login_delay_left(delay, "old", "a", 1), 0);
    assert_true(pb_login_delay_left(delay, "new", "a", 1000000) > 0);
    pb_login_delay_free(delay);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(five_failures_are_free_then_the_wait_doubles_up_to_five_minutes),
        cmocka_unit_test(only_this_account_from_this_address_waits_in_any_case_of_letters),
        cmocka_unit_test(success_and_an_hour_forget),
        cmocka_unit_test(names_made_up_by_the_thousand_push_out_the_oldest_and_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
