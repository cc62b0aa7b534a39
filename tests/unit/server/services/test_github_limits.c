#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/pool.h"
#include "pb_test.h"
#include "server/services/github_limits.h"

#define TOKEN "token-hash"

static const struct pb_github_report QUIET = {.limit = -1,
                                              .remaining = -1,
                                              .reset_at_ms = -1,
                                              .retry_after_ms = -1};

static const struct pb_github_report COUNTING = {.limit = 5000,
                                                 .remaining = 4999,
                                                 .reset_at_ms = -1,
                                                 .retry_after_ms = -1};

/* What `remember` was told last. */
static struct pb_github_pause told;

static void remember(void *arg, const char *token_hash, const struct pb_github_pause *pause)
{
    (void)arg;
    assert_string_equal(token_hash, TOKEN);
    told = *pause;
}

static int64_t recall(void *arg, const char *token_hash)
{
    (void)token_hash;
    return *(int64_t *)arg;
}

static struct pb_github_limits *make(int64_t pace_ms)
{
    struct pb_error err;
    struct pb_github_limits *limits = pb_github_limits_new(
        &(struct pb_github_limits_options){.pace_ms = pace_ms, .remember = remember}, &err);

    assert_non_null(limits);
    memset(&told, 0, sizeof(told));
    return limits;
}

static void call(struct pb_github_limits *limits, enum pb_github_kind kind,
                 const struct pb_github_report *report)
{
    struct pb_error err;

    assert_ok(pb_github_limits_begin(limits, TOKEN, kind, &err), &err);
    pb_github_limits_end(limits, TOKEN, kind, report);
}

/* When the bucket may be used for reading, from now. */
static int64_t wait_of(struct pb_github_limits *limits, enum pb_github_kind kind)
{
    int64_t at = pb_github_limits_retry_at(limits, TOKEN, kind);

    return at ? at - pb_clock_wall_ms() : 0;
}

TEST(retry_after_is_obeyed_by_everybody)
{
    struct pb_github_limits *limits = make(0);
    struct pb_github_report report = QUIET;
    struct pb_error err;

    report.limited = true;
    report.retry_after_ms = 90 * 1000;
    call(limits, PB_GITHUB_READ, &report);
    assert_refused(pb_github_limits_begin(limits, TOKEN, PB_GITHUB_READ, &err), &err,
                   PB_ERROR_LIMITED);
    assert_string_equal(err.reason, "github_limited");
    assert_in_range(wait_of(limits, PB_GITHUB_READ), 88 * 1000, 90 * 1000);
    assert_in_range(told.retry_at_ms - pb_clock_wall_ms(), 88 * 1000, 90 * 1000);
    assert_int_equal(pb_github_limits_retry_at(limits, "another token", PB_GITHUB_READ), 0);
    pb_github_limits_free(limits);
}

TEST(an_empty_hour_is_waited_for)
{
    struct pb_github_limits *limits = make(0);
    struct pb_github_report report = QUIET;

    report.limit = 5000;
    report.remaining = 0;
    report.reset_at_ms = pb_clock_wall_ms() + 600 * 1000;
    call(limits, PB_GITHUB_READ, &report);
    assert_in_range(wait_of(limits, PB_GITHUB_READ), 599 * 1000, 602 * 1000);
    pb_github_limits_free(limits);
}

TEST(a_clock_that_is_wrong_blocks_for_an_hour_at_most)
{
    struct pb_github_limits *limits = make(0);
    struct pb_github_report report = QUIET;

    report.remaining = 0;
    report.reset_at_ms = pb_clock_wall_ms() + (int64_t)365 * 24 * 3600 * 1000;
    call(limits, PB_GITHUB_READ, &report);
    assert_in_range(wait_of(limits, PB_GITHUB_READ), 1, 66 * 60 * 1000);
    pb_github_limits_free(limits);
}

TEST(secondary_limits_double)
{
    struct pb_github_limits *limits = make(0);
    struct pb_github_report report = QUIET;
    struct pb_error err;
    int64_t expected = 60 * 1000;

    report.limited = true;
    /* calls in flight when the first refusal came: each refusal is one more strike */
    for (int i = 0; i < 3; i++)
        assert_ok(pb_github_limits_begin(limits, TOKEN, PB_GITHUB_READ, &err), &err);
    for (int i = 0; i < 3; i++) {
        pb_github_limits_end(limits, TOKEN, PB_GITHUB_READ, &report);
        assert_in_range(wait_of(limits, PB_GITHUB_READ), expected - 2000, expected);
        expected *= 2;
    }
    pb_github_limits_free(limits);
}

TEST(polling_leaves_a_reserve_for_results)
{
    struct pb_github_limits *limits = make(0);
    struct pb_github_report report = QUIET;
    struct pb_error err;

    report.limit = 5000;
    report.remaining = 200;
    report.reset_at_ms = pb_clock_wall_ms() + 600 * 1000;
    call(limits, PB_GITHUB_POLL, &report);
    assert_refused(pb_github_limits_begin(limits, TOKEN, PB_GITHUB_POLL, &err), &err,
                   PB_ERROR_LIMITED);
    call(limits, PB_GITHUB_READ, &report);
    call(limits, PB_GITHUB_CONTENT, &report);
    report.remaining = 4000;
    call(limits, PB_GITHUB_READ, &report);
    call(limits, PB_GITHUB_POLL, &report);
    pb_github_limits_free(limits);
}

TEST(writes_are_paced_and_reads_are_not)
{
    struct pb_github_limits *limits = make(200);
    int64_t began;

    call(limits, PB_GITHUB_READ, &COUNTING);
    began = pb_clock_steady_ms();
    call(limits, PB_GITHUB_WRITE, &COUNTING);
    call(limits, PB_GITHUB_READ, &COUNTING);
    assert_true(pb_clock_steady_ms() - began < 150);
    call(limits, PB_GITHUB_WRITE, &COUNTING);
    call(limits, PB_GITHUB_CONTENT, &COUNTING);
    assert_true(pb_clock_steady_ms() - began >= 400);
    pb_github_limits_free(limits);
}

TEST(eighty_comments_a_minute_and_no_more)
{
    struct pb_github_limits *limits = make(1);
    struct pb_error err;

    call(limits, PB_GITHUB_READ, &COUNTING);
    for (int i = 0; i < 80; i++)
        call(limits, PB_GITHUB_CONTENT, &COUNTING);
    assert_refused(pb_github_limits_begin(limits, TOKEN, PB_GITHUB_CONTENT, &err), &err,
                   PB_ERROR_LIMITED);
    call(limits, PB_GITHUB_WRITE, &COUNTING);
    pb_github_limits_free(limits);
}

TEST(a_server_that_does_not_count_is_not_spared)
{
    struct pb_github_limits *limits = make(60 * 1000);
    int64_t began = pb_clock_steady_ms();

    for (int i = 0; i < 100; i++)
        call(limits, PB_GITHUB_CONTENT, &QUIET);
    assert_true(pb_clock_steady_ms() - began < 10 * 1000);
    pb_github_limits_free(limits);
}

TEST(without_pace_nothing_is_counted)
{
    struct pb_github_limits *limits = make(0);

    for (int i = 0; i < 600; i++)
        call(limits, PB_GITHUB_CONTENT, &COUNTING);
    pb_github_limits_free(limits);
}

/* A second writer, in its own thread. */
struct writer {
    struct pb_github_limits *limits;
    int result;
    struct pb_error err;
};

static void write_once(void *arg)
{
    struct writer *writer = arg;

    writer->result = pb_github_limits_begin(writer->limits, TOKEN, PB_GITHUB_WRITE, &writer->err);
    if (writer->result == 0)
        pb_github_limits_end(writer->limits, TOKEN, PB_GITHUB_WRITE, &QUIET);
}

TEST(stopping_ends_the_wait_of_a_second_writer)
{
    struct pb_github_limits *limits = make(1);
    struct writer writer = {.limits = limits};
    struct pb_thread *thread;
    struct pb_error err;

    assert_ok(pb_github_limits_begin(limits, TOKEN, PB_GITHUB_WRITE, &err), &err);
    thread = pb_thread_start("writer", write_once, &writer, &err);
    assert_non_null(thread);
    pb_github_limits_stop(limits);
    pb_thread_join(&thread);
    assert_int_equal(writer.result, -1);
    assert_string_equal(writer.err.reason, "stopping");
    pb_github_limits_end(limits, TOKEN, PB_GITHUB_WRITE, &QUIET);
    pb_github_limits_free(limits);
}

TEST(a_restart_does_not_forget_a_wait)
{
    int64_t until = pb_clock_wall_ms() + 300 * 1000;
    struct pb_error err;
    struct pb_github_limits *limits =
        pb_github_limits_new(&(struct pb_github_limits_options){.recall = recall, .arg = &until},
                             &err);

    assert_non_null(limits);
    assert_refused(pb_github_limits_begin(limits, TOKEN, PB_GITHUB_READ, &err), &err,
                   PB_ERROR_LIMITED);
    pb_github_limits_free(limits);
}

TEST(many_tokens_take_turns)
{
    struct pb_github_limits *limits = make(0);
    struct pb_error err;
    char token[32];

    for (int i = 0; i < 5000; i++) {
        snprintf(token, sizeof(token), "token %d", i);
        assert_ok(pb_github_limits_begin(limits, token, PB_GITHUB_READ, &err), &err);
        pb_github_limits_end(limits, token, PB_GITHUB_READ, &QUIET);
    }
    pb_github_limits_free(limits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(retry_after_is_obeyed_by_everybody),
        cmocka_unit_test(an_empty_hour_is_waited_for),
        cmocka_unit_test(a_clock_that_is_wrong_blocks_for_an_hour_at_most),
        cmocka_unit_test(secondary_limits_double),
        cmocka_unit_test(polling_leaves_a_reserve_for_results),
        cmocka_unit_test(writes_are_paced_and_reads_are_not),
        cmocka_unit_test(eighty_comments_a_minute_and_no_more),
        cmocka_unit_test(a_server_that_does_not_count_is_not_spared),
        cmocka_unit_test(without_pace_nothing_is_counted),
        cmocka_unit_test(stopping_ends_the_wait_of_a_second_writer),
        cmocka_unit_test(a_restart_does_not_forget_a_wait),
        cmocka_unit_test(many_tokens_take_turns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
