/* Logs in the database: the promises of log_store.h, on both engines. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "server/store/db_private.h"
#include "server/store/execution_store.h"
#include "server/store/log_chunks.h"
#include "server/store/log_store_private.h"
#include "store_test.h"

struct world {
    struct store_test *store;
    struct pb_log_store *logs;
    char id[PB_ULID_TEXT];
    struct pb_error err;
};

static void open_logs(struct world *w, int64_t log_max)
{
    w->logs = pb_log_chunks_open(w->store->store,
                                 &(struct pb_log_store_options){.gather_ms = 1, .log_max = log_max},
                                 &w->err);
    if (!w->logs)
        fail_msg("%s", w->err.message);
}

static void restart(struct world *w, int64_t log_max)
{
    pb_log_store_close(w->logs);
    store_test_reopen(w->store);
    open_logs(w, log_max);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    void *store;

    assert_int_equal(store_test_setup(&store), 0);
    w->store = store;
    pb_ulid(w->id);
    open_logs(w, 0);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    void *store = w->store;

    pb_log_store_close(w->logs);
    free(w);
    return store_test_teardown(&store);
}

static void put_lines(struct pb_buf *buf, uint32_t attempt, uint64_t from, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        pb_buf_format(buf, "1700000000000 o a%u line %llu\n", attempt,
                      (unsigned long long)(from + i));
}

static int append(struct world *w, uint32_t attempt, uint64_t seq, uint32_t count,
                  struct pb_log_ack *ret_ack)
{
    struct pb_buf lines;
    int r;

    pb_buf_init(&lines, 4 << 20);
    put_lines(&lines, attempt, seq, count);
    r = pb_log_append_wait(w->logs,
                           &(struct pb_log_chunk){w->id, attempt, seq, count, pb_buf_string(&lines),
                                                  lines.len},
                           ret_ack, &w->err);
    pb_buf_release(&lines);
    return r;
}

static void append_text(struct world *w, uint32_t attempt, uint64_t seq, uint32_t count,
                        const char *text)
{
    assert_ok(pb_log_append_wait(w->logs,
                                 &(struct pb_log_chunk){w->id, attempt, seq, count, text,
                                                        strlen(text)},
                                 NULL, &w->err),
              &w->err);
}

static void expect_range(struct world *w, uint64_t from, uint64_t count)
{
    struct pb_buf data, expected;
    uint64_t got_from, got_count;

    pb_buf_init(&data, 8 << 20);
    pb_buf_init(&expected, 8 << 20);
    put_lines(&expected, 1, from, (uint32_t)count);
    assert_ok(pb_log_read(w->logs, w->id, &(struct pb_log_range){.from = from, .count = count},
                          &data, &got_from, &got_count, NULL, &w->err),
              &w->err);
    assert_int_equal(got_count, count);
    assert_string_equal(pb_buf_string(&data), pb_buf_string(&expected));
    pb_buf_release(&data);
    pb_buf_release(&expected);
}

static struct pb_log_info info_of(struct world *w)
{
    struct pb_log_info info;

    assert_ok(pb_log_stat(w->logs, w->id, &info, &w->err), &w->err);
    return info;
}

/* --- lines ------------------------------------------------------------------------------------------ */

TEST(lines_are_there_when_they_are_acknowledged_once_and_after_a_restart)
{
    struct world *w = *state;
    struct pb_log_ack ack;

    for (int round = 0; round < 2; round++) {
        assert_ok(append(w, 1, 0, 4, &ack), &w->err);
        assert_int_equal(ack.stored, round ? 0 : 4);
        assert_int_equal(ack.next_seq, 4);
    }
    assert_ok(append(w, 1, 2, 5, &ack), &w->err); /* 2 and 3 again */
    assert_int_equal(ack.stored, 3);
    assert_int_equal(ack.first_line, 4);
    assert_refused(append(w, 1, 20, 1, &ack), &w->err, PB_ERROR_CONFLICT);
    assert_string_equal(w->err.reason, "gap");
    restart(w, 0);
    assert_ok(append(w, 1, 0, 7, &ack), &w->err);
    assert_int_equal(ack.stored, 0);
    expect_range(w, 0, 7);
    assert_ok(append(w, 2, 0, 2, &ack), &w->err);
    assert_int_equal(ack.first_line, 7);
    append_text(w, PB_LOG_ATTEMPT_PLATFORM, PB_LOG_SEQ_NEXT, 1, "1700000000000 s ours\n");
    assert_int_equal(info_of(w).lines, 10);
}

TEST(any_range_is_read_whatever_the_chunks)
{
    struct world *w = *state;

    for (uint64_t at = 0; at < 6000; at += at % 700 + 37) {
        uint64_t end = at + at % 700 + 37;

        assert_ok(append(w, 1, at, (uint32_t)((end < 6000 ? end : 6000) - at), NULL), &w->err);
    }
    for (uint64_t from = 0; from < 6000; from += 331)
        for (uint64_t count = 1; count < 3000; count = count * 5 + 1)
            expect_range(w, from, count < 6000 - from ? count : 6000 - from);
    expect_range(w, 6000, 0);
}

TEST(complete_reopen_and_remove_are_remembered)
{
    struct world *w = *state;

    assert_false(info_of(w).complete);
    assert_ok(append(w, 1, 0, 3, NULL), &w->err);
    assert_ok(pb_log_set_complete(w->logs, w->id, true, &w->err), &w->err);
    restart(w, 0);
    assert_true(info_of(w).complete);
    assert_ok(pb_log_set_complete(w->logs, w->id, false, &w->err), &w->err);
    assert_false(info_of(w).complete);
    assert_ok(pb_log_remove(w->logs, w->id, &w->err), &w->err);
    assert_ok(pb_log_remove(w->logs, w->id, &w->err), &w->err);
    assert_int_equal(info_of(w).lines, 0);
    assert_ok(append(w, 1, 0, 3, NULL), &w->err);
    expect_range(w, 0, 3);
}

static int write_sql(struct pb_db *db, void *arg, struct pb_error *err)
{
    return pb_db_run(db, arg, PB_NO_VALUES, NULL, err);
}

static int64_t count_rows(struct world *w, const char *table)
{
    struct pb_db *db = store_test_reader(w->store);
    char sql[100];
    int64_t rows = -1;

    snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", table);
    assert_ok(pb_db_number(db, sql, PB_NO_VALUES, &rows, &w->err), &w->err);
    return rows;
}

TEST(a_log_of_many_chunks_is_removed_in_steps_and_leaves_nothing)
{
    struct world *w = *state;
    char other[PB_ULID_TEXT];
    struct pb_store_stats before, after;

    for (uint64_t at = 0; at < 100; at++)
        assert_ok(append(w, 1, at, 1, NULL), &w->err);
    memcpy(other, w->id, sizeof(other));
    pb_ulid(w->id);
    assert_ok(append(w, 1, 0, 3, NULL), &w->err);
    assert_int_equal(count_rows(w, "log_chunks"), 101);
    pb_store_stats(w->store->store, &before);
    assert_ok(pb_log_remove(w->logs, other, &w->err), &w->err);
    pb_store_stats(w->store->store, &after);
    assert_true(after.writes - before.writes >= 6);
    assert_int_equal(count_rows(w, "log_chunks"), 1);
    assert_int_equal(count_rows(w, "log_states"), 1);
    expect_range(w, 0, 3);
}

TEST(who_reads_a_log_that_is_being_removed_is_told)
{
    struct world *w = *state;
    struct pb_log_reader *reader;
    struct pb_buf text;

    for (uint64_t at = 0; at < 40; at++)
        assert_ok(append(w, 1, at, 1, NULL), &w->err);
    for (int gone = 0; gone < 2; gone++) { /* some chunks of it, then all */
        reader = pb_log_reader_open(w->logs, w->id, &w->err);
        assert_non_null(reader);
        pb_buf_init(&text, 1 << 20);
        if (gone)
            assert_ok(pb_log_remove(w->logs, w->id, &w->err), &w->err);
        else
            assert_ok(w->logs->ops->thin(w->logs, w->id, &w->err), &w->err);
        assert_refused(pb_log_reader_text(reader, 0, &text, &w->err), &w->err, PB_ERROR_NOT_FOUND);
        assert_string_equal(w->err.reason, "log_removed");
        pb_buf_release(&text);
        pb_log_reader_close(reader);
        assert_int_equal(info_of(w).lines, gone ? 0 : 8);
    }
}

TEST(the_execution_says_where_its_log_is)
{
    struct world *w = *state;
    char sql[] = "UPDATE executions SET logs = 'segment:x'";
    char expected[PB_LOG_ADDRESS];

    store_test_add_project(w->store, "app");
    snprintf(w->id, sizeof(w->id), "%s", store_test_add_execution(w->store, "app", 0, 1));
    store_test_write(w->store, write_sql, sql);
    assert_ok(append(w, 1, 0, 3, NULL), &w->err);
    snprintf(expected, sizeof(expected), "chunks:%s", w->id);
    assert_string_equal(store_test_load(w->store, w->id)->logs, expected);
}

TEST(a_log_past_its_limit_ends_with_a_line_that_says_so)
{
    struct world *w = *state;
    struct pb_buf data;
    struct pb_log_ack ack;

    restart(w, 20000);
    for (uint64_t at = 0; at < 3000; at += 300)
        assert_ok(append(w, 1, at, 300, &ack), &w->err);
    assert_int_equal(ack.next_seq, 3000);
    assert_int_equal(info_of(w).dropped, 2400);
    append_text(w, PB_LOG_ATTEMPT_PLATFORM, PB_LOG_SEQ_NEXT, 1, "1700000000000 s ended\n");
    assert_int_equal(info_of(w).lines, 602);
    pb_buf_init(&data, 1 << 20);
    assert_ok(pb_log_read(w->logs, w->id, &(struct pb_log_range){.tail = true, .count = 2}, &data,
                          NULL, NULL, NULL, &w->err),
              &w->err);
    assert_non_null(strstr(data.data, "limit of 19 KiB"));
    assert_non_null(strstr(data.data, "s ended"));
    pb_buf_release(&data);
}

/* --- what is above the seam --------------------------------------------------------------------------- */

static int count_hit(void *arg, const struct pb_log_hit *hit)
{
    uint64_t *sum = arg;

    *sum += hit->line;
    return 0;
}

static int count_mark(void *arg, const struct pb_log_mark *mark)
{
    uint64_t *sum = arg;

    *sum += mark->line;
    return 0;
}

TEST(search_marks_and_the_text_alone_work_as_on_files)
{
    struct world *w = *state;
    struct pb_log_query query = {.text = "line 7", .is_exact = true};
    struct pb_log_reader *reader;
    struct pb_log_info info;
    struct pb_buf text;
    uint64_t sum = 0, next;

    assert_ok(append(w, 1, 0, 500, NULL), &w->err);
    append_text(w, 1, 500, 2, "1700000000000 t Bash\n1700000000000 x failed\n");
    assert_ok(pb_log_search(w->logs, w->id, &query, count_hit, &sum, &next, &info, &w->err),
              &w->err);
    assert_int_equal(sum, 7 + (70 + 79) * 5); /* 7, 70 … 79 */
    assert_int_equal(next, 502);
    sum = 0;
    assert_ok(pb_log_marks(w->logs, w->id, 0, count_mark, &sum, &next, &info, &w->err), &w->err);
    assert_int_equal(sum, 500 + 501);
    reader = pb_log_reader_open(w->logs, w->id, &w->err);
    assert_non_null(reader);
    pb_buf_init(&text, 100);
    assert_ok(pb_log_reader_text(reader, pb_log_text_bytes(pb_log_reader_info(reader)) - 12, &text,
                                 &w->err),
              &w->err);
    assert_string_equal(pb_buf_string(&text), "Bash\nfailed\n");
    pb_buf_release(&text);
    pb_log_reader_close(reader);
}

/* --- damage ------------------------------------------------------------------------------------------- */

static void expect_damage(struct world *w, const char *sql, uint64_t from, uint64_t count)
{
    struct pb_log_info info;
    struct pb_buf data;
    char statement[200];
    uint64_t read;

    snprintf(statement, sizeof(statement), "%s", sql);
    store_test_write(w->store, write_sql, statement);
    pb_buf_init(&data, 1 << 20);
    assert_ok(pb_log_read(w->logs, w->id, &(struct pb_log_range){.count = UINT64_MAX}, &data, NULL,
                          &read, &info, &w->err),
              &w->err);
    assert_int_equal(read, 400);
    assert_int_equal(data.len, info.bytes);
    assert_int_equal(info.damaged_from, from);
    assert_int_equal(info.damaged_lines, count);
    pb_buf_release(&data);
    expect_range(w, from + count, 400 - from - count);
    expect_range(w, 0, from);
}

TEST(chunks_that_are_damaged_or_missing_are_named_and_the_rest_is_there)
{
    struct world *w = *state;

    for (uint64_t at = 0; at < 400; at += 100)
        assert_ok(append(w, 1, at, 100, NULL), &w->err);
    expect_damage(w, "UPDATE log_chunks SET packed = senders FROM log_states WHERE seq = 100", 100,
                  100);
    expect_damage(w, "DELETE FROM log_chunks WHERE seq = 100", 100, 100);
    expect_damage(w, "DELETE FROM log_chunks WHERE seq = 0", 0, 200);
}

#define WITH_LOGS(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LOGS(lines_are_there_when_they_are_acknowledged_once_and_after_a_restart),
        WITH_LOGS(any_range_is_read_whatever_the_chunks),
        WITH_LOGS(complete_reopen_and_remove_are_remembered),
        WITH_LOGS(a_log_of_many_chunks_is_removed_in_steps_and_leaves_nothing),
        WITH_LOGS(who_reads_a_log_that_is_being_removed_is_told),
        WITH_LOGS(the_execution_says_where_its_log_is),
        WITH_LOGS(a_log_past_its_limit_ends_with_a_line_that_says_so),
        WITH_LOGS(search_marks_and_the_text_alone_work_as_on_files),
        WITH_LOGS(chunks_that_are_damaged_or_missing_are_named_and_the_rest_is_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
