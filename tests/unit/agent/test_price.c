#include "agent/price.h"
#include "base/clock.h"
#include "pb_test.h"

static int64_t day(const char *text)
{
    int64_t ms = 0;

    assert_true(pb_clock_parse(text, &ms));
    return ms;
}

static int64_t cost(const char *model, const char *when, struct pb_tokens tokens)
{
    int64_t micro = -1;

    assert_true(pb_price(model, day(when), &tokens, &micro));
    return micro;
}

static const char NOW[] = "2026-11-22T00:00:00Z";

TEST(the_price_is_the_one_the_cli_charges)
{
    assert_int_equal(cost("claude-opus-5-5", NOW,
                          (struct pb_tokens){.input = 2487,
                                             .output = 188,
                                             .cache_read = 5550,
                                             .cache_write_5m = 1850}),
                     24068);
}

TEST(the_longest_name_wins_and_dates_behind_it_do_not_matter)
{
    struct pb_tokens million = {.input = 1000000};

    assert_int_equal(cost("claude-opus-4-5-20251101", NOW, million), 5000000);
    assert_int_equal(cost("claude-opus-4-20250514", NOW, million), 15000000);
    assert_int_equal(cost("claude-opus-5-5[1m]", NOW, million), 4000000);
    assert_int_equal(cost("claude-haiku-4-5", NOW, million), 1000000);
}

TEST(a_call_keeps_the_price_of_its_day)
{
    struct pb_tokens read = {.cache_read = 1000000};

    assert_int_equal(cost("claude-sonnet-5-5", "2026-10-06T23:59:59Z", read), 200000);
    assert_int_equal(cost("claude-sonnet-5-5", "2026-10-07T00:00:00Z", read), 100000);
}

TEST(a_long_prompt_may_cost_more_all_of_it)
{
    assert_int_equal(cost("claude-haiku-5-5", NOW, (struct pb_tokens){.input = 100000}), 10000);
    assert_int_equal(
        cost("claude-haiku-5-5", NOW,
             (struct pb_tokens){.input = 1, .cache_read = 60000, .cache_write_1h = 40000}),
        3000 + 40000 + 1); /* 0.5 micro dollars are rounded up */
}

TEST(an_unknown_model_has_no_price)
{
    struct pb_tokens tokens = {.input = 1};
    int64_t micro = 77;

    assert_false(pb_price("claude-opus-50", day(NOW), &tokens, &micro));
    assert_false(pb_price("", day(NOW), &tokens, &micro));
    assert_false(pb_price("claude-opus-5-5", day("2019-01-01T00:00:00Z"), &tokens, &micro));
    assert_int_equal(micro, 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_price_is_the_one_the_cli_charges),
        cmocka_unit_test(the_longest_name_wins_and_dates_behind_it_do_not_matter),
        cmocka_unit_test(a_call_keeps_the_price_of_its_day),
        cmocka_unit_test(a_long_prompt_may_cost_more_all_of_it),
        cmocka_unit_test(an_unknown_model_has_no_price),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
