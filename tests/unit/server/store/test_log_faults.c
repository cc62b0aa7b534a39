/* Disks that fail or fill up, logs that are too long, clocks that are wrong, and what a crash leaves of all this. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log_test.h"

/* Runs `fn` in a process of its own that ends as if killed: nothing is closed. */
static void run_and_die(struct logs_test *t, void (*fn)(struct logs_test *t))
{
    int status = -1;
    pid_t child = fork();

    if (child == 0) {
        fn(t);
        _exit(0);
    }
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void must(bool ok)
{
    if (!ok)
        _exit(1);
}

/* --- a disk that fails ----------------------------------------------------------------------------- */

static atomic_int broken;

static void on_broken(void *arg, const struct pb_error *err)
{
    (void)arg;
    assert_string_equal(err->reason, "disk_error");
    broken++;
}

static void open_breaking(struct logs_test *t, size_t journal_bytes)
{
    pb_log_store_close(t->logs);
    broken = 0;
    log_test_bad_syncs = 0;
    open_with(t, &(struct pb_log_store_options){.dir = t->dir,
                                                .gather_ms = 1,
                                                .journal_bytes = journal_bytes,
                                                .on_broken = on_broken});
}

TEST(a_sync_that_fails_is_not_repeated_and_nothing_acknowledged_is_lost)
{
    struct logs_test *t = *state;
    struct pb_log_stats stats;

    open_breaking(t, 0);
    assert_ok(append(t, t->id, 1, 0, 10, NULL), &t->err);
    log_test_bad_disk = "journal-";
    assert_refused(append(t, t->id, 1, 10, 5, NULL), &t->err, PB_ERROR_UNAVAILABLE);
    assert_string_equal(t->err.reason, "disk_error");
    for (int i = 0; i < 3; i++)
        assert_refused(append(t, t->id, 1, 10, 5, NULL), &t->err, PB_ERROR_UNAVAILABLE);
    assert_refused(pb_log_set_complete(t->logs, t->id, true, &t->err), &t->err,
                   PB_ERROR_UNAVAILABLE);
    expect_lines(t, t->id, 1, 10); /* reading goes on */
    pb_log_stats(t->logs, &stats);
    assert_true(stats.is_broken);
    assert_int_equal(stats.failed, 1);
    assert_int_equal(stats.lines, 10);
    log_test_bad_disk = "";
    pb_log_store_close(t->logs);
    assert_int_equal(log_test_bad_syncs, 1);
    assert_int_equal(broken, 1);

    log_test_bad_disk = NULL;
    open_logs(t, 0);
    assert_ok(append(t, t->id, 1, 10, 5, NULL), &t->err);
    expect_lines(t, t->id, 1, 15);
}

TEST(a_sync_that_fails_in_a_checkpoint_stops_the_store_too)
{
    struct logs_test *t = *state;
    uint64_t next = 0;

    open_breaking(t, 2000);
    log_test_bad_disk = ".log";
    while (next < 100000 && append(t, t->id, 1, next, 50, NULL) == 0)
        next += 50;
    assert_string_equal(t->err.reason, "disk_error");
    assert_int_equal(log_test_bad_syncs, 1);
    assert_int_equal(broken, 1);
    log_test_bad_disk = NULL;
    reopen(t);
    expect_lines(t, t->id, 1, (uint32_t)next);
}

/* --- a disk that fills up -------------------------------------------------------------------------- */

TEST(below_the_disks_floor_only_lines_of_our_own_are_taken)
{
    struct logs_test *t = *state;

    assert_ok(append(t, t->id, 1, 0, 10, NULL), &t->err);
    pb_log_store_close(t->logs);
    open_with(t, &(struct pb_log_store_options){.dir = t->dir,
                                                .gather_ms = 1,
                                                .disk_floor = INT64_MAX});
    assert_refused(append(t, t->id, 1, 10, 5, NULL), &t->err, PB_ERROR_UNAVAILABLE);
    assert_string_equal(t->err.reason, "disk_full");
    expect_lines(t, t->id, 1, 10);
    assert_ok(append_text(t, t->id, PB_LOG_ATTEMPT_PLATFORM, PB_LOG_SEQ_NEXT, 1,
                          "1700000000000 s it ended\n"),
              &t->err);
    assert_ok(pb_log_set_complete(t->logs, t->id, true, &t->err), &t->err);
    pb_log_store_close(t->logs);
    open_with(t, &(struct pb_log_store_options){.dir = t->dir, .gather_ms = 1, .disk_floor = 1});
    assert_ok(append(t, t->id, 1, 10, 5, NULL), &t->err);
}

/* --- a log that is too long ------------------------------------------------------------------------ */

enum { LOG_MAX = 1 << 20, CHUNK = 5000, FITTING = 7 };

static void open_limited(struct logs_test *t)
{
    open_with(t, &(struct pb_log_store_options){.dir = t->dir, .gather_ms = 1, .log_max = LOG_MAX});
}

static void expect_limited(struct logs_test *t, uint64_t dropped, uint64_t more)
{
    struct pb_log_info info;
    struct pb_buf data;
    const char *last;

    read_all(t, t->id, &data, &info);
    assert_int_equal(info.lines, FITTING * CHUNK + 1 + more);
    assert_int_equal(info.dropped, dropped);
    last = strstr(data.data, "limit of 1024 KiB");
    assert_non_null(last);
    assert_null(strstr(last, " o a1 ")); /* of the attempt nothing follows */
    assert_null(strstr(last + 1, "limit of 1024 KiB"));
    pb_buf_release(&data);
}

static void fill(struct logs_test *t)
{
    open_limited(t);
    for (uint64_t i = 0; i < 10; i++) {
        struct pb_log_ack ack;

        must(append(t, t->id, 1, i * CHUNK, CHUNK, &ack) == 0);
        must(ack.next_seq == (i + 1) * CHUNK && ack.stored == (i < FITTING ? CHUNK : 0));
    }
}

TEST(lines_past_a_logs_limit_are_dropped_counted_and_acknowledged)
{
    struct logs_test *t = *state;
    struct pb_log_ack ack;

    pb_log_store_close(t->logs);
    run_and_die(t, fill);
    for (int round = 0; round < 2; round++) {
        open_limited(t);
        expect_limited(t, 3 * CHUNK, 0);
        assert_ok(append(t, t->id, 1, 10 * CHUNK - 100, 100, &ack), &t->err);
        assert_int_equal(ack.next_seq, 10 * CHUNK); /* they were dropped once */
        if (round == 0)
            pb_log_store_close(t->logs);
    }
    assert_ok(append(t, t->id, 1, 10 * CHUNK, CHUNK, NULL), &t->err);
    assert_ok(append_text(t, t->id, PB_LOG_ATTEMPT_PLATFORM, PB_LOG_SEQ_NEXT, 1,
                          "1700000000000 s it ended\n"),
              &t->err);
    expect_limited(t, 4 * CHUNK, 1);
}

TEST(a_line_of_100_MB_is_refused_and_the_log_goes_on)
{
    enum { HUGE = 100 << 20 };
    struct logs_test *t = *state;
    char *line = malloc(HUGE);

    memset(line, 'x', HUGE);
    memcpy(line, "1700000000000 o ", 16);
    line[HUGE - 1] = '\n';
    assert_refused(pb_log_append_wait(t->logs, &(struct pb_log_chunk){t->id, 1, 0, 1, line, HUGE},
                                      NULL, &t->err),
                   &t->err, PB_ERROR_INVALID);
    free(line);
    assert_ok(append(t, t->id, 1, 0, 3, NULL), &t->err);
    expect_lines(t, t->id, 1, 3);
}

/* --- clocks ------------------------------------------------------------------------------------------ */

TEST(times_are_stored_with_13_digits_whatever_the_clock_says)
{
    static const char EXPECTED[] = "0000000000001 o early\n1700000000000 o now\n"
                                   "9999999999999 o late\n";
    struct logs_test *t = *state;
    struct pb_buf expected;

    assert_ok(append_text(t, t->id, 1, 0, 3,
                          "1 o early\n1700000000000 o now\n17000000000000000 o late\n"),
              &t->err);
    pb_buf_init(&expected, 1000);
    pb_buf_text(&expected, EXPECTED);
    expect_log(t, t->id, &expected);
    pb_buf_release(&expected);
}

/* --- what a crash leaves ----------------------------------------------------------------------------- */

/* Waits for a checkpoint: the journal before it goes with the first lines of another log. */
static void checkpoint(struct logs_test *t)
{
    pb_log_store_close(t->logs);
    open_logs(t, 0);
}

static void append_remove(struct logs_test *t)
{
    open_logs(t, 0);
    must(append(t, t->id, 1, 0, 300, NULL) == 0);
    checkpoint(t);
    must(append(t, t->id, 1, 300, 300, NULL) ==
         0); /* in the journal alone, behind lines that are not */
    must(pb_log_remove(t->logs, t->id, &t->err) == 0);
}

TEST(lines_and_their_removal_in_one_journal_are_replayed)
{
    struct logs_test *t = *state;
    struct pb_log_info info;

    pb_log_store_close(t->logs);
    run_and_die(t, append_remove);
    open_logs(t, 0);
    assert_ok(pb_log_stat(t->logs, t->id, &info, &t->err), &t->err);
    assert_int_equal(info.lines, 0);
    assert_ok(append(t, t->id, 1, 0, 3, NULL), &t->err);
    expect_lines(t, t->id, 1, 3);
}

static char other[PB_ULID_TEXT];

static void append_more(struct logs_test *t)
{
    open_logs(t, 0);
    must(append(t, t->id, 1, 0, 300, NULL) == 0);
    checkpoint(t);
    must(append(t, t->id, 1, 300, 300, NULL) == 0);
    must(append(t, other, 1, 0, 20, NULL) == 0);
}

/* Of attempt 1, whatever is before them. */
static void expect_tail(struct logs_test *t, uint64_t count)
{
    struct pb_buf data, expected;
    struct pb_log_info info;
    uint64_t from;

    pb_buf_init(&data, 1 << 20);
    pb_buf_init(&expected, 1 << 20);
    assert_ok(pb_log_read(t->logs, t->id, &(struct pb_log_range){.tail = true, .count = count},
                          &data, &from, NULL, &info, &t->err),
              &t->err);
    put_lines(&expected, 1, from, (uint32_t)count);
    assert_string_equal(pb_buf_string(&data), pb_buf_string(&expected));
    pb_buf_release(&data);
    pb_buf_release(&expected);
}

TEST(a_log_that_lost_its_beginning_does_not_keep_the_store_from_opening)
{
    struct logs_test *t = *state;
    struct pb_log_info info;
    struct pb_buf data;
    char path[160];

    pb_log_store_close(t->logs);
    pb_ulid(other);
    run_and_die(t, append_more);
    path_of(t, t->id, ".log", path);
    assert_int_equal(truncate(path, 100), 0);
    open_logs(t, 0);
    expect_lines(t, other, 1, 20);
    read_all(t, t->id, &data, &info);
    assert_int_equal(info.lines, 600);
    assert_true(info.damaged_lines > 0);
    pb_buf_release(&data);
    assert_ok(append(t, t->id, 1, 600, 400, NULL), &t->err);
    expect_tail(t, 400);
}

#define WITH_LOGS(test) cmocka_unit_test_setup_teardown(test, log_test_setup, log_test_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LOGS(a_sync_that_fails_is_not_repeated_and_nothing_acknowledged_is_lost),
        WITH_LOGS(a_sync_that_fails_in_a_checkpoint_stops_the_store_too),
        WITH_LOGS(below_the_disks_floor_only_lines_of_our_own_are_taken),
        WITH_LOGS(lines_past_a_logs_limit_are_dropped_counted_and_acknowledged),
        WITH_LOGS(a_line_of_100_MB_is_refused_and_the_log_goes_on),
        WITH_LOGS(times_are_stored_with_13_digits_whatever_the_clock_says),
        WITH_LOGS(lines_and_their_removal_in_one_journal_are_replayed),
        WITH_LOGS(a_log_that_lost_its_beginning_does_not_keep_the_store_from_opening),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
