#include <stdio.h>

#include "pb_test.h"
#include "server/services/login_delay.h"

/* So many failures, however long each has to wait; the time of the last. */
static int64_t fail_times(struct pb_login_delay *delay, const char *name, const char *address,
                          int times, int64_t now)
{
    while (times > 0) {
        int64_t left = pb_login_delay_try(delay, name, address, now);

        now += left;
        times -= left == 0;
    }
    return now;
}

TEST(five_failures_are_free_then_the_wait_doubles_up_to_five_minutes)
{
    static const int64_t WAITS[] = {1000,  2000,   4000,   8000,   16000, 32000,
                                    64000, 128000, 256000, 300000, 300000};
    struct pb_login_delay *delay = pb_login_delay_new();
    int64_t now = fail_times(delay, "alice", "192.0.2.1", 5, 1000);

    assert_int_equal(now, 1000);
    for (size_t i = 0; i < COUNT(WAITS); i++) {
        assert_int_equal(pb_login_delay_try(delay, "alice", "192.0.2.1", now), 0);
        assert_int_equal(pb_login_delay_try(delay, "alice", "192.0.2.1", now), WAITS[i]);
        assert_int_equal(pb_login_delay_try(delay, "alice", "192.0.2.1", now + WAITS[i] - 1), 1);
        now += WAITS[i];
    }
    pb_login_delay_free(delay);
}

TEST(attempts_at_the_same_time_are_counted_before_they_have_failed)
{
    struct pb_login_delay *delay = pb_login_delay_new();
    int let_through = 0;

    for (int i = 0; i < 100; i++)
        let_through += pb_login_delay_try(delay, "alice", "192.0.2.1", 1000) == 0;
    assert_int_equal(let_through, 6);
    pb_login_delay_free(delay);
}

TEST(only_this_account_from_this_address_waits_in_any_case_of_letters)
{
    struct pb_login_delay *delay = pb_login_delay_new();

    (void)fail_times(delay, "alice", "192.0.2.1", 6, 1000);
    assert_true(pb_login_delay_try(delay, "ALICE", "192.0.2.1", 1000) > 0);
    assert_int_equal(pb_login_delay_try(delay, "alice", "192.0.2.2", 1000), 0);
    assert_int_equal(pb_login_delay_try(delay, "bob", "192.0.2.1", 1000), 0);
    pb_login_delay_free(delay);
}

TEST(the_addresses_of_one_network_are_one)
{
    struct pb_login_delay *delay = pb_login_delay_new();

    (void)fail_times(delay, "alice", "2001:db8:1:2::1", 6, 1000);
    assert_true(pb_login_delay_try(delay, "alice", "2001:db8:1:2:ffff::7", 1000) > 0);
    assert_int_equal(pb_login_delay_try(delay, "alice", "2001:db8:1:3::1", 1000), 0);
    (void)fail_times(delay, "alice", "::ffff:192.0.2.1", 6, 1000);
    assert_int_equal(pb_login_delay_try(delay, "alice", "::ffff:192.0.2.2", 1000), 0);
    pb_login_delay_free(delay);
}

TEST(success_and_an_hour_forget)
{
    struct pb_login_delay *delay = pb_login_delay_new();
    int64_t now = fail_times(delay, "alice", "a", 9, 1000);

    assert_true(pb_login_delay_try(delay, "alice", "a", now) > 0);
    pb_login_delay_succeeded(delay, "alice", "a");
    assert_int_equal(pb_login_delay_try(delay, "alice", "a", now), 0);
    now = fail_times(delay, "alice", "a", 9, now);
    now = fail_times(delay, "alice", "a", 5, now + 3600 * 1000 + 1);
    assert_int_equal(pb_login_delay_try(delay, "alice", "a", now), 0);
    pb_login_delay_free(delay);
}

TEST(names_made_up_by_the_thousand_shorten_nobodys_wait)
{
    struct pb_login_delay *delay = pb_login_delay_new();
    int64_t now = fail_times(delay, "alice", "a", 9, 1000);
    char name[32];

    for (int i = 0; i < 10000; i++) {
        (void)snprintf(name, sizeof(name), "n%d", i);
        (void)pb_login_delay_try(delay, name, "a", now + 1);
    }
    assert_true(pb_login_delay_try(delay, "alice", "a", now + 1) > 0);
    assert_int_equal(pb_login_delay_try(delay, "n9999", "a", now + 1), 0);
    pb_login_delay_free(delay);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(five_failures_are_free_then_the_wait_doubles_up_to_five_minutes),
        cmocka_unit_test(attempts_at_the_same_time_are_counted_before_they_have_failed),
        cmocka_unit_test(only_this_account_from_this_address_waits_in_any_case_of_letters),
        cmocka_unit_test(the_addresses_of_one_network_are_one),
        cmocka_unit_test(success_and_an_hour_forget),
        cmocka_unit_test(names_made_up_by_the_thousand_shorten_nobodys_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
