/* Logs that are packed when they are complete: the same lines for everybody, whatever happens meanwhile. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zstd.h>

#include "base/fs.h"
#include "log_test.h"

enum { BIG = 30000 }; /* lines: about three frames */

static void restart(struct logs_test *t)
{
    pb_log_store_close(t->logs);
    open_sealing(t);
}

/* A complete log of so many lines, packed. */
static void seal(struct logs_test *t, uint32_t count)
{
    for (uint32_t at = 0; at < count; at += 10000)
        assert_ok(append(t, t->id, 1, at, count - at < 10000 ? count - at : 10000, NULL), &t->err);
    assert_ok(pb_log_set_complete(t->logs, t->id, true, &t->err), &t->err);
    wait_until_sealed(t, t->id);
}

static int setup(void **state)
{
    int r = log_test_setup(state);

    restart(*state);
    return r;
}

/* --- the same lines ------------------------------------------------------------------------------- */

static void expect_range(struct logs_test *t, uint64_t from, uint64_t count)
{
    struct pb_buf data, expected;
    uint64_t got_from, got_count;

    pb_buf_init(&data, 8 << 20);
    pb_buf_init(&expected, 8 << 20);
    put_lines(&expected, 1, from, (uint32_t)count);
    assert_ok(pb_log_read(t->logs, t->id, &(struct pb_log_range){.from = from, .count = count},
                          &data, &got_from, &got_count, NULL, &t->err),
              &t->err);
    assert_int_equal(got_count, count);
    assert_string_equal(pb_buf_string(&data), pb_buf_string(&expected));
    pb_buf_release(&data);
    pb_buf_release(&expected);
}

TEST(a_sealed_log_reads_as_before_and_after_a_restart)
{
    struct logs_test *t = *state;
    struct stat packed;
    char path[160];

    seal(t, BIG);
    for (int round = 0; round < 2; round++) {
        expect_lines(t, t->id, 1, BIG);
        for (uint64_t from = 0; from < BIG - 700; from += 997)
            expect_range(t, from, from % 700 + 1);
        restart(t);
    }
    path_of(t, t->id, ".zst", path);
    assert_int_equal(stat(path, &packed), 0);
    assert_true(packed.st_size < BIG * 25 / 4);
}

TEST(what_is_sealed_is_plain_zstd)
{
    struct logs_test *t = *state;
    ZSTD_DStream *stream = ZSTD_createDStream();
    struct pb_buf packed, expected;
    char path[160], *text = malloc(BIG * 40);
    ZSTD_inBuffer in;
    ZSTD_outBuffer out = {text, BIG * 40, 0};

    seal(t, BIG);
    path_of(t, t->id, ".zst", path);
    read_file(path, &packed);
    in = (ZSTD_inBuffer){packed.data, packed.len, 0};
    while (in.pos < in.size)
        assert_false(ZSTD_isError(ZSTD_decompressStream(stream, &out, &in)));
    pb_buf_init(&expected, 8 << 20);
    put_lines(&expected, 1, 0, BIG);
    assert_int_equal(out.pos, expected.len);
    assert_memory_equal(text, expected.data, expected.len);
    ZSTD_freeDStream(stream);
    pb_buf_release(&expected);
    pb_buf_release(&packed);
    free(text);
}

TEST(a_sealed_log_goes_on_and_is_sealed_again)
{
    struct logs_test *t = *state;

    seal(t, 700);
    for (uint64_t next = 700; next < 2100; next += 350) {
        assert_ok(pb_log_set_complete(t->logs, t->id, false, &t->err), &t->err);
        assert_ok(append(t, t->id, 1, next, 350, NULL), &t->err);
        assert_true(exists(t, t->id, ".log") && exists(t, t->id, ".zst"));
        expect_lines(t, t->id, 1, (uint32_t)next + 350);
        expect_range(t, next - 20, 40); /* across both */
        if (next == 1050)
            restart(t);
        assert_ok(pb_log_set_complete(t->logs, t->id, true, &t->err), &t->err);
        wait_until_sealed(t, t->id);
        expect_lines(t, t->id, 1, (uint32_t)next + 350);
    }
    restart(t);
    expect_lines(t, t->id, 1, 2100);
}

TEST(logs_that_were_complete_when_the_store_was_closed_are_sealed_later)
{
    struct logs_test *t = *state;

    pb_log_store_close(t->logs);
    open_logs(t, 0); /* seals after ten minutes */
    assert_ok(append(t, t->id, 1, 0, 300, NULL), &t->err);
    assert_ok(pb_log_set_complete(t->logs, t->id, true, &t->err), &t->err);
    restart(t);
    wait_until_sealed(t, t->id);
    expect_lines(t, t->id, 1, 300);
}

TEST(a_removed_sealed_log_leaves_nothing)
{
    struct logs_test *t = *state;
    struct pb_log_info info;

    seal(t, 500);
    assert_ok(pb_log_remove(t->logs, t->id, &t->err), &t->err);
    assert_false(exists(t, t->id, ".log") || exists(t, t->id, ".idx") || exists(t, t->id, ".zst"));
    restart(t);
    assert_ok(pb_log_stat(t->logs, t->id, &info, &t->err), &t->err);
    assert_int_equal(info.lines, 0);
    assert_ok(append(t, t->id, 1, 0, 3, NULL), &t->err);
    expect_lines(t, t->id, 1, 3);
}

/* --- while it is used ------------------------------------------------------------------------------ */

struct follower {
    struct logs_test *t;
    bool ok;
};

/* Reads from the beginning again and again: whatever is there is whole and in order. */
static void *follow(void *arg)
{
    struct follower *follower = arg;
    struct logs_test *t = follower->t;
    struct pb_error err = {0};
    uint64_t count = 0;

    while (count < 4000) {
        struct pb_log_info info;
        struct pb_buf data, expected;
        bool same;

        pb_buf_init(&data, 8 << 20);
        pb_buf_init(&expected, 8 << 20);
        if (pb_log_read(t->logs, t->id, &(struct pb_log_range){.count = UINT64_MAX}, &data, NULL,
                        &count, &info, &err) < 0)
            return NULL;
        put_lines(&expected, 1, 0, (uint32_t)count);
        same =
            strcmp(pb_buf_string(&data), pb_buf_string(&expected)) == 0 && info.damaged_lines == 0;
        pb_buf_release(&data);
        pb_buf_release(&expected);
        if (!same)
            return NULL;
    }
    follower->ok = true;
    return NULL;
}

TEST(a_log_that_is_sealed_while_it_is_written_and_read_stays_whole)
{
    struct logs_test *t = *state;
    struct follower followers[2];
    pthread_t threads[2];

    for (int i = 0; i < 2; i++) {
        followers[i] = (struct follower){t, false};
        assert_int_equal(pthread_create(&threads[i], NULL, follow, &followers[i]), 0);
    }
    for (uint64_t at = 0; at < 4000; at += 20) {
        assert_ok(append(t, t->id, 1, at, 20, NULL), &t->err);
        assert_ok(pb_log_set_complete(t->logs, t->id, true, &t->err), &t->err);
        if (at % 800 == 0)
            wait_until_sealed(t, t->id);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        assert_true(followers[i].ok);
    }
    wait_until_sealed(t, t->id);
    expect_lines(t, t->id, 1, 4000);
}

TEST(logs_are_removed_while_they_are_sealed)
{
    struct logs_test *t = *state;

    for (int round = 0; round < 60; round++) {
        assert_ok(append(t, t->id, 1, 0, 2000, NULL), &t->err);
        assert_ok(pb_log_set_complete(t->logs, t->id, true, &t->err), &t->err);
        assert_ok(pb_log_remove(t->logs, t->id, &t->err), &t->err);
        assert_false(exists(t, t->id, ".log") || exists(t, t->id, ".zst"));
    }
}

/* --- crashes --------------------------------------------------------------------------------------- */

/* Appends and completes for ever, telling each acknowledgement. */
static void append_and_seal(struct logs_test *t, int out)
{
    uint64_t next = 0;

    open_with(t, &(struct pb_log_store_options){
                     .dir = t->dir, .gather_ms = 1, .seal_ms = 1, .journal_bytes = 60000});
    for (;;) {
        if (append(t, t->id, 1, next, 200, NULL) < 0 ||
            pb_log_set_complete(t->logs, t->id, true, &t->err) < 0)
            _exit(1);
        next += 200;
        if (write(out, &next, sizeof(next)) != sizeof(next))
            _exit(1);
        if (next % 1000 == 0) {
            wait_until_sealed(t, t->id);
            if (pb_log_set_complete(t->logs, t->id, false, &t->err) < 0)
                _exit(1);
        }
    }
}

TEST(kill_9_while_sealing_loses_no_acknowledged_line)
{
    struct logs_test *t = *state;

    for (int round = 0; round < 12; round++) {
        uint64_t acked = 0, told;
        struct pb_log_info info;
        struct pb_log_ack ack;
        int pipes[2];
        pid_t child;

        pb_log_store_close(t->logs);
        store_test_remove_dir(t->dir);
        assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
        child = fork();
        if (child == 0)
            append_and_seal(t, pipes[1]);
        close(pipes[1]);
        while (acked < 600u + 370u * (unsigned)round &&
               read(pipes[0], &told, sizeof(told)) == sizeof(told))
            acked = told;
        kill(child, SIGKILL);
        while (read(pipes[0], &told, sizeof(told)) == sizeof(told))
            acked = told;
        close(pipes[0]);
        waitpid(child, NULL, 0);
        open_sealing(t);
        assert_ok(pb_log_stat(t->logs, t->id, &info, &t->err), &t->err);
        assert_true(info.lines >= acked && acked > 0);
        expect_lines(t, t->id, 1, (uint32_t)info.lines);
        assert_ok(append(t, t->id, 1, acked - 200, 500, &ack), &t->err);
        assert_ok(pb_log_set_complete(t->logs, t->id, true, &t->err), &t->err);
        wait_until_sealed(t, t->id);
        expect_lines(t, t->id, 1, (uint32_t)ack.next_seq);
    }
}

struct files {
    struct pb_buf log, idx, zst;
};

static void keep(struct logs_test *t, const char *suffix, struct pb_buf *ret_data)
{
    char path[160];

    path_of(t, t->id, suffix, path);
    read_file(path, ret_data);
}

static void put_back(struct logs_test *t, const char *suffix, const struct pb_buf *data)
{
    char path[160];

    path_of(t, t->id, suffix, path);
    write_file(path, data->data, data->len);
}

/* The files of a log before and after it was sealed. */
static void keep_both(struct logs_test *t, struct files *before, struct files *after)
{
    pb_log_store_close(t->logs);
    open_logs(t, 0);
    assert_ok(append(t, t->id, 1, 0, 900, NULL), &t->err);
    assert_ok(pb_log_set_complete(t->logs, t->id, true, &t->err), &t->err);
    pb_log_store_close(t->logs);
    keep(t, ".log", &before->log);
    keep(t, ".idx", &before->idx);
    open_sealing(t);
    wait_until_sealed(t, t->id);
    pb_log_store_close(t->logs);
    keep(t, ".zst", &after->zst);
    keep(t, ".idx", &after->idx);
}

TEST(a_crash_before_the_state_says_sealed_changes_nothing)
{
    struct logs_test *t = *state;
    struct files before, after;

    keep_both(t, &before, &after);
    put_back(t, ".log", &before.log);
    put_back(t, ".idx", &before.idx);
    for (size_t cut = 0; cut <= after.zst.len; cut += 97) { /* however much of it there is */
        char path[160];

        path_of(t, t->id, ".zst", path);
        write_file(path, after.zst.data, cut);
        open_logs(t, 0);
        expect_lines(t, t->id, 1, 900);
        assert_ok(append(t, t->id, 1, 900, 1, NULL), &t->err);
        expect_lines(t, t->id, 1, 901);
        pb_log_store_close(t->logs);
        unlink(path);
        put_back(t, ".log", &before.log);
        put_back(t, ".idx", &before.idx);
    }
    open_sealing(t);
    wait_until_sealed(t, t->id);
    expect_lines(t, t->id, 1, 900);
    pb_buf_release(&before.log);
    pb_buf_release(&before.idx);
    pb_buf_release(&after.zst);
    pb_buf_release(&after.idx);
}

TEST(a_crash_before_the_segment_goes_leaves_lines_once)
{
    struct logs_test *t = *state;
    struct files before, after;

    keep_both(t, &before, &after);
    put_back(t, ".log", &before.log);
    open_logs(t, 0);
    expect_lines(t, t->id, 1, 900);
    assert_ok(append(t, t->id, 1, 900, 5, NULL), &t->err);
    expect_lines(t, t->id, 1, 905);
    pb_log_store_close(t->logs);
    put_back(t, ".log", &before.log);
    put_back(t, ".idx", &after.idx);
    open_sealing(t);
    wait_until_sealed(t, t->id); /* what is left of the segment is tidied away */
    expect_lines(t, t->id, 1, 900);
    pb_buf_release(&before.log);
    pb_buf_release(&before.idx);
    pb_buf_release(&after.zst);
    pb_buf_release(&after.idx);
}

/* --- damage ---------------------------------------------------------------------------------------- */

static const char *next_line(const char *at)
{
    return strchr(at, '\n') + 1;
}

/* Every line is what it was, or says that it is damaged, and all is as long as it was. */
static void expect_or_damage(struct logs_test *t, const struct pb_buf *expected, bool must_be_good)
{
    const char *is, *was = expected->data;
    struct pb_log_info info;
    struct pb_buf data;
    bool damaged = false;

    read_all(t, t->id, &data, &info);
    assert_int_equal(data.len, expected->len);
    for (is = data.data; *is; is = next_line(is), was = next_line(was)) {
        if (strncmp(is, was, (size_t)(next_line(was) - was)) == 0)
            continue;
        damaged = true;
        assert_memory_equal(is + 13, " x damage", 9);
    }
    assert_true(*was == '\0');
    assert_int_equal(damaged, info.damaged_lines > 0);
    assert_false(must_be_good && damaged);
    pb_buf_release(&data);
}

TEST(a_flipped_bit_anywhere_in_a_sealed_log_damages_no_more_than_its_frame)
{
    struct logs_test *t = *state;
    struct pb_buf zst, expected;
    char path[160];

    seal(t, 40);
    path_of(t, t->id, ".zst", path);
    read_file(path, &zst);
    pb_buf_init(&expected, 1 << 20);
    put_lines(&expected, 1, 0, 40);
    for (size_t at = 0; at < zst.len; at++) {
        zst.data[at] ^= (char)(1 << at % 8);
        write_file(path, zst.data, zst.len);
        expect_or_damage(t, &expected, false);
        zst.data[at] ^= (char)(1 << at % 8);
    }
    write_file(path, zst.data, zst.len);
    expect_lines(t, t->id, 1, 40);
    pb_buf_release(&expected);
    pb_buf_release(&zst);
}

TEST(a_sealed_log_torn_at_any_byte_gives_the_frames_that_are_whole)
{
    struct logs_test *t = *state;
    struct pb_buf zst, expected;
    char path[160];

    seal(t, 40);
    path_of(t, t->id, ".zst", path);
    read_file(path, &zst);
    pb_buf_init(&expected, 1 << 20);
    put_lines(&expected, 1, 0, 40);
    for (size_t len = 0; len < zst.len; len++) {
        write_file(path, zst.data, len);
        expect_or_damage(t, &expected, len >= zst.len - 60); /* less than the end is missing */
    }
    unlink(path);
    expect_or_damage(t, &expected, false);
    pb_buf_release(&expected);
    pb_buf_release(&zst);
}

static uint64_t count_damaged(const struct pb_buf *data, uint64_t *ret_first)
{
    uint64_t line = 0, count = 0;

    for (const char *at = data->data; at < data->data + data->len; at = strchr(at, '\n') + 1) {
        if (strncmp(at + 13, " x damage", 9) == 0) {
            *ret_first = count == 0 ? line : *ret_first;
            count++;
        }
        line++;
    }
    return count;
}

TEST(damaged_lines_are_named_and_all_others_are_there)
{
    struct logs_test *t = *state;
    struct pb_log_info info;
    struct pb_buf zst, data;
    uint64_t first = 0, count;
    char path[160];

    seal(t, BIG);
    path_of(t, t->id, ".zst", path);
    read_file(path, &zst);
    zst.data[zst.len / 2] ^= 0x10;
    write_file(path, zst.data, zst.len);
    for (int round = 0; round < 2; round++) {
        read_all(t, t->id, &data, &info);
        count = count_damaged(&data, &first);
        assert_int_equal(info.damaged_from, first);
        assert_int_equal(info.damaged_lines, count);
        assert_true(first > 0 && count > 0 && first + count < BIG);
        expect_range(t, 0, first);
        expect_range(t, first + count, 700);
        pb_buf_release(&data);
        /* and when it goes on, and is sealed again */
        assert_ok(append(t, t->id, 1, BIG + 5u * (unsigned)round, 5, NULL), &t->err);
        wait_until_sealed(t, t->id);
        expect_range(t, BIG, 5u * (unsigned)round + 5);
        restart(t);
    }
    pb_buf_release(&zst);
}

TEST(a_damaged_index_of_a_segment_is_made_anew)
{
    struct logs_test *t = *state;
    struct pb_buf idx;
    char path[160];

    assert_ok(append(t, t->id, 1, 0, 3000, NULL), &t->err);
    path_of(t, t->id, ".idx", path);
    read_file(path, &idx);
    for (size_t at = 4096; at < idx.len; at++) {
        idx.data[at] ^= (char)(1 << at % 8);
        write_file(path, idx.data, idx.len);
        expect_lines(t, t->id, 1, 3000);
        idx.data[at] ^= (char)(1 << at % 8);
    }
    for (size_t len = 0; len < idx.len; len += 11) {
        write_file(path, idx.data, len);
        expect_lines(t, t->id, 1, 3000);
    }
    write_file(path, idx.data, idx.len);
    pb_buf_release(&idx);
}

TEST(a_hole_in_a_segment_damages_the_rows_it_touches)
{
    struct logs_test *t = *state;
    struct pb_log_info info;
    struct pb_buf log, data;
    uint64_t first = 0;
    char path[160];

    assert_ok(append(t, t->id, 1, 0, 3000, NULL), &t->err);
    path_of(t, t->id, ".log", path);
    read_file(path, &log);
    memset(log.data + log.len / 2, 0, 100);
    write_file(path, log.data, log.len);
    read_all(t, t->id, &data, &info);
    assert_true(info.damaged_lines > 0);
    assert_int_equal(count_damaged(&data, &first), 256);
    expect_range(t, 0, first);
    expect_range(t, first + 256, 3000 - first - 256);
    write_file(path, log.data, log.len / 3); /* shortened */
    pb_buf_release(&data);
    read_all(t, t->id, &data, &info);
    assert_true(info.damaged_lines > 0);
    expect_range(t, 0, 700);
    pb_buf_release(&data);
    pb_buf_release(&log);
}

#define SEALING(test) cmocka_unit_test_setup_teardown(test, setup, log_test_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SEALING(a_sealed_log_reads_as_before_and_after_a_restart),
        SEALING(what_is_sealed_is_plain_zstd),
        SEALING(a_sealed_log_goes_on_and_is_sealed_again),
        SEALING(logs_that_were_complete_when_the_store_was_closed_are_sealed_later),
        SEALING(a_removed_sealed_log_leaves_nothing),
        SEALING(a_log_that_is_sealed_while_it_is_written_and_read_stays_whole),
        SEALING(logs_are_removed_while_they_are_sealed),
        SEALING(kill_9_while_sealing_loses_no_acknowledged_line),
        SEALING(a_crash_before_the_state_says_sealed_changes_nothing),
        SEALING(a_crash_before_the_segment_goes_leaves_lines_once),
        SEALING(a_flipped_bit_anywhere_in_a_sealed_log_damages_no_more_than_its_frame),
        SEALING(a_sealed_log_torn_at_any_byte_gives_the_frames_that_are_whole),
        SEALING(damaged_lines_are_named_and_all_others_are_there),
        SEALING(a_damaged_index_of_a_segment_is_made_anew),
        SEALING(a_hole_in_a_segment_damages_the_rows_it_touches),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
