#include <stdio.h>
#include <string.h>

#include "model/fair_share.h"
#include "pb_test.h"

enum { TAKERS = 3 };

static const char *const NAMES[TAKERS] = {"a", "b", "c"};

/* Who of those who want a turn has it: the smallest pass, then the name. */
static int turn(struct pb_fair_share *share, const bool *wants, const int64_t *weights)
{
    struct pb_error err = {0};
    int next = -1;

    for (int i = 0; i < TAKERS; i++) {
        if (wants[i] && (next < 0 || pb_fair_share_pass(share, NAMES[i]) <
                                         pb_fair_share_pass(share, NAMES[next])))
            next = i;
    }
    assert_ok(pb_fair_share_charge(share, NAMES[next], weights[next], &err), &err);
    return next;
}

static int share_setup(void **state)
{
    *state = pb_fair_share_new();
    return *state ? 0 : -1;
}

static int share_teardown(void **state)
{
    pb_fair_share_free(*state);
    return 0;
}

TEST(turns_go_by_weight_and_are_mixed)
{
    static const bool ALL[] = {true, true, true};
    static const int64_t WEIGHTS[] = {10, 20, 70};
    int had[TAKERS] = {0}, in_a_row = 0, last = -1;

    for (int i = 0; i < 1000; i++) {
        int next = turn(*state, ALL, WEIGHTS);

        had[next]++;
        in_a_row = next == last ? in_a_row + 1 : 1;
        last = next;
        assert_true(in_a_row <= 5); /* 70 of 100 is never long without the others */
    }
    assert_in_range(had[0], 98, 102);
    assert_in_range(had[1], 198, 202);
    assert_in_range(had[2], 697, 703);
}

TEST(time_away_is_not_saved_up)
{
    static const int64_t EVEN[] = {10, 10, 10};
    int had[TAKERS] = {0};

    for (int i = 0; i < 500; i++)
        turn(*state, (const bool[]){true, true, false}, EVEN);
    for (int i = 0; i < 30; i++)
        had[turn(*state, (const bool[]){true, true, true}, EVEN)]++;
    assert_in_range(had[2], 9, 11);
}

/* One job at a time, gone for a while after each: joining anew must not mean being first each time. */
TEST(coming_and_going_gives_no_more_than_staying)
{
    static const int64_t WEIGHTS[] = {30, 30, 10};
    int had[TAKERS] = {0}, away = 0;

    for (int i = 0; i < 1400; i++) {
        int next = turn(*state, (const bool[]){true, true, away == 0}, WEIGHTS);

        had[next]++;
        away = next == 2 ? 2 : away - (away > 0);
        pb_fair_share_prune(*state);
    }
    assert_in_range(had[2], 190, 202); /* 200 for staying */
}

TEST(those_who_are_behind_are_forgotten)
{
    struct pb_error err = {0};
    char name[16];

    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof(name), "p%d", i);
        assert_ok(pb_fair_share_charge(*state, name, 1, &err), &err);
    }
    assert_int_equal(pb_fair_share_count(*state), 5000);
    for (int i = 0; i < 3; i++)
        assert_ok(pb_fair_share_charge(*state, "busy", 1, &err), &err);
    pb_fair_share_prune(*state);
    assert_int_equal(pb_fair_share_count(*state), 1);
    assert_ok(pb_fair_share_charge(*state, "zero", 0, &err), &err);
}

#define WITH_SHARE(test) cmocka_unit_test_setup_teardown(test, share_setup, share_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SHARE(turns_go_by_weight_and_are_mixed),
        WITH_SHARE(time_away_is_not_saved_up),
        WITH_SHARE(coming_and_going_gives_no_more_than_staying),
        WITH_SHARE(those_who_are_behind_are_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
