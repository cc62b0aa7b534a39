#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/journal.h"
#include "agent/spool.h"
#include "base/fs.h"
#include "pb_test.h"

struct bench {
    char dir[64];
    char path[96];
    struct pb_journal *journal;
    struct pb_journal_row row;
    struct pb_spool spool;
};

static struct bench bench;

static struct pb_journal_row new_row(const char *name)
{
    return (struct pb_journal_row){
        .name = name, .fence = 1, .plan = "{}", .state = "running", .round = 1, .facts = "{}"};
}

static int set_up(void **state)
{
    struct pb_error err;

    (void)state;
    (void)snprintf(bench.dir, sizeof(bench.dir), "/tmp/poppo-spool-XXXXXX");
    assert_non_null(mkdtemp(bench.dir));
    (void)snprintf(bench.path, sizeof(bench.path), "%s/journal.db", bench.dir);
    bench.journal = pb_journal_open(bench.path, &err);
    assert_non_null(bench.journal);
    bench.row = new_row("a.1");
    assert_ok(pb_journal_add(bench.journal, &bench.row, &err), &err);
    pb_spool_init(&bench.spool, bench.journal, NULL, &bench.row);
    return 0;
}

static int tear_down(void **state)
{
    struct pb_error err;

    (void)state;
    pb_spool_release(&bench.spool);
    pb_journal_close(bench.journal);
    assert_ok(pb_fs_remove_tree(AT_FDCWD, bench.dir, &err), &err);
    return 0;
}

static void put(int from, int to)
{
    for (int i = from; i < to; i++) {
        char text[32];
        int len = snprintf(text, sizeof(text), "line %d", i);

        pb_spool_line(&bench.spool, 1000 + i, 'o', text, (size_t)len);
    }
}

static void store(void)
{
    struct pb_error err;

    assert_ok(pb_spool_store(&bench.spool, &err), &err);
}

/* Takes everything that may be sent now and checks that it is lines [from, to). */
static void expect_sent(int64_t from, int64_t to)
{
    struct pb_error err = {0};
    struct pb_buf lines;
    int64_t seq;
    int64_t count;

    pb_buf_init(&lines, 1 << 20);
    while (pb_spool_next(&bench.spool, &lines, &seq, &count, &err)) {
        const char *at = pb_buf_string(&lines);

        assert_int_equal(seq, from);
        for (int64_t i = 0; i < count; i++, from++) {
            char expected[64];
            int len = snprintf(expected, sizeof(expected), "%lld o line %lld\n",
                               (long long)(1000 + from), (long long)from);

            assert_int_equal(strncmp(at, expected, (size_t)len), 0);
            at += len;
        }
        assert_int_equal(*at, '\0');
        pb_buf_clear(&lines);
    }
    assert_int_equal(err.code, PB_OK);
    assert_int_equal(from, to);
    pb_buf_release(&lines);
}

static void ack(int64_t seq)
{
    struct pb_error err;

    assert_ok(pb_spool_ack(&bench.spool, seq, &err), &err);
}

TEST(nothing_is_sent_that_is_not_stored)
{
    put(0, 10);
    expect_sent(0, 0);
    store();
    expect_sent(0, 10);
    expect_sent(10, 10);
}

TEST(after_a_reconnect_everything_not_acknowledged_comes_again)
{
    put(0, 10);
    store();
    put(10, 20);
    store();
    expect_sent(0, 20);
    ack(10);
    pb_spool_rewind(&bench.spool);
    expect_sent(10, 20);
    pb_spool_rewind(&bench.spool);
    ack(10);
    expect_sent(10, 20);
    ack(20);
    assert_true(pb_spool_is_drained(&bench.spool));
    pb_spool_rewind(&bench.spool);
    expect_sent(20, 20);
}

TEST(an_acknowledgement_in_the_middle_of_a_chunk_counts)
{
    put(0, 10);
    store();
    expect_sent(0, 10);
    ack(4);
    pb_spool_rewind(&bench.spool);
    expect_sent(4, 10);
    put(10, 12);
    store();
    expect_sent(10, 12);
}

TEST(what_was_never_there_cannot_be_acknowledged_and_old_words_do_no_harm)
{
    struct pb_error err;

    put(0, 10);
    assert_refused(pb_spool_ack(&bench.spool, 1, &err), &err, PB_ERROR_INVALID);
    store();
    expect_sent(0, 10);
    ack(10);
    ack(3);
    ack(0);
    assert_int_equal(bench.row.acked, 10);
    assert_refused(pb_spool_ack(&bench.spool, 11, &err), &err, PB_ERROR_INVALID);
}

TEST(what_arrived_on_an_earlier_connection_is_not_sent_again)
{
    struct pb_error err = {0};
    struct pb_buf lines;
    int64_t seq;
    int64_t count;

    for (int i = 0; i < 60; i++) { /* more than the window */
        put(1000 * i, 1000 * (i + 1));
        store();
    }
    pb_buf_init(&lines, 1 << 20);
    assert_true(pb_spool_next(&bench.spool, &lines, &seq, &count, &err));
    pb_buf_release(&lines);
    pb_spool_rewind(&bench.spool);
    ack(59990);
    expect_sent(59990, 60000);
    ack(60000);
    assert_true(pb_spool_is_drained(&bench.spool));
}

TEST(no_more_than_the_window_is_on_its_way)
{
    struct pb_buf lines;
    struct pb_error err;
    size_t bytes = 0;
    int64_t seq = 0;
    int64_t count = 0;
    static char text[8000];

    memset(text, 'x', sizeof(text));
    for (int i = 0; i < 400; i++) {
        pb_spool_line(&bench.spool, 1, 'o', text, sizeof(text));
        if (pb_spool_is_full(&bench.spool))
            store();
    }
    store();
    pb_buf_init(&lines, 1 << 20);
    while (pb_spool_next(&bench.spool, &lines, &seq, &count, &err)) {
        bytes += lines.len;
        pb_buf_clear(&lines);
    }
    assert_true(bytes >= PB_SPOOL_WINDOW_BYTES - PB_SPOOL_FRAME_BYTES);
    assert_true(bytes <= PB_SPOOL_WINDOW_BYTES + PB_SPOOL_FRAME_BYTES);
    ack(seq + count);
    assert_true(pb_spool_next(&bench.spool, &lines, &seq, &count, &err));
    pb_buf_release(&lines);
}

TEST(a_text_of_several_lines_is_several_lines_and_secrets_are_hidden)
{
    struct pb_mask *mask = pb_mask_new();
    struct pb_error err;
    struct pb_buf lines;
    int64_t seq;
    int64_t count;

    assert_non_null(mask);
    assert_ok(pb_mask_add(mask, "hunter2-secret", &err), &err);
    bench.spool.mask = mask;
    pb_spool_line(&bench.spool, 5, 'e', "one\nhunter2-secret\n\nlast\n",
                  strlen("one\nhunter2-secret\n\nlast\n"));
    store();
    pb_buf_init(&lines, 4096);
    assert_true(pb_spool_next(&bench.spool, &lines, &seq, &count, &err));
    assert_int_equal(count, 4);
    assert_string_equal(pb_buf_string(&lines), "5 e one\n5 e ***\n5 e \n5 e last\n");
    pb_buf_release(&lines);
    pb_mask_free(mask);
}

TEST(stored_lines_and_their_source_survive_a_kill_together)
{
    pid_t writer;
    int out[2];
    char stored[16] = {0};
    struct pb_journal_row *rows;
    struct pb_arena arena;
    struct pb_error err;
    size_t count;
    int status;

    pb_journal_close(bench.journal);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    writer = fork();
    if (writer == 0) {
        bench.journal = pb_journal_open(bench.path, &err);
        bench.spool.journal = bench.journal;
        for (int batch = 0; bench.journal; batch++) {
            put(batch * 5, batch * 5 + 5);
            bench.row.output_offset = (batch + 1) * 100;
            if (pb_spool_store(&bench.spool, &err) < 0)
                _exit(1);
            if (batch >= 20 && write(out[1], "x", 1) == 1)
                (void)kill(getpid(), SIGKILL);
        }
        _exit(1);
    }
    pb_close(&out[1]);
    assert_int_equal(waitpid(writer, &status, 0), writer);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(read(out[0], stored, sizeof(stored)), 1);
    pb_close(&out[0]);
    bench.journal = pb_journal_open(bench.path, &err);
    assert_non_null(bench.journal);
    pb_arena_init(&arena, 1 << 20);
    assert_ok(pb_journal_load(bench.journal, &arena, &rows, &count, &err), &err);
    assert_int_equal(count, 1);
    assert_int_equal(rows[0].next_line, 21 * 5);
    assert_int_equal(rows[0].output_offset, 21 * 100);
    bench.row = rows[0];
    pb_spool_init(&bench.spool, bench.journal, NULL, &bench.row);
    expect_sent(0, 105);
    bench.row = new_row("a.1");
    pb_arena_release(&arena);
}

TEST(the_journal_is_for_its_own_user_only)
{
    struct stat st;

    assert_int_equal(stat(bench.path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

TEST(an_attempt_is_added_once_and_forgotten_with_its_lines)
{
    struct pb_journal_row *rows;
    struct pb_arena arena;
    struct pb_error err;
    size_t count;

    assert_refused(pb_journal_add(bench.journal, &bench.row, &err), &err, PB_ERROR_CONFLICT);
    put(0, 10);
    bench.row.result = "{\"outcome\":\"succeeded\"}";
    store();
    pb_arena_init(&arena, 1 << 20);
    assert_ok(pb_journal_load(bench.journal, &arena, &rows, &count, &err), &err);
    assert_int_equal(count, 1);
    assert_string_equal(rows[0].result, "{\"outcome\":\"succeeded\"}");
    assert_ok(pb_journal_forget(bench.journal, "a.1", &err), &err);
    assert_ok(pb_journal_load(bench.journal, &arena, &rows, &count, &err), &err);
    assert_int_equal(count, 0);
    pb_arena_release(&arena);
    bench.row.next_line = 10;
    expect_sent(0, 0);
}

int main(void)
{
#define ON_BENCH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ON_BENCH(nothing_is_sent_that_is_not_stored),
        ON_BENCH(after_a_reconnect_everything_not_acknowledged_comes_again),
        ON_BENCH(an_acknowledgement_in_the_middle_of_a_chunk_counts),
        ON_BENCH(what_was_never_there_cannot_be_acknowledged_and_old_words_do_no_harm),
        ON_BENCH(what_arrived_on_an_earlier_connection_is_not_sent_again),
        ON_BENCH(no_more_than_the_window_is_on_its_way),
        ON_BENCH(a_text_of_several_lines_is_several_lines_and_secrets_are_hidden),
        ON_BENCH(stored_lines_and_their_source_survive_a_kill_together),
        ON_BENCH(the_journal_is_for_its_own_user_only),
        ON_BENCH(an_attempt_is_added_once_and_forgotten_with_its_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
