#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "log_test.h"
#include "server/store/log_journal_private.h"

/* --- appending --------------------------------------------------------------------------------------- */

TEST(lines_are_there_when_they_are_acknowledged_and_after_a_restart)
{
    struct logs_test *t = *state;
    struct pb_log_ack ack;

    assert_ok(append(t, t->id, 1, 0, 3, &ack), &t->err);
    assert_int_equal(ack.first_line, 0);
    assert_int_equal(ack.stored, 3);
    assert_int_equal(ack.next_seq, 3);
    assert_int_equal(ack.lines, 3);
    expect_lines(t, t->id, 1, 3);
    reopen(t);
    expect_lines(t, t->id, 1, 3);
    assert_ok(append(t, t->id, 1, 3, 2, &ack), &t->err);
    assert_int_equal(ack.first_line, 3);
    expect_lines(t, t->id, 1, 5);
}

TEST(what_is_sent_again_is_stored_once)
{
    struct logs_test *t = *state;
    struct pb_log_ack ack;

    for (int round = 0; round < 2; round++) {
        assert_ok(append(t, t->id, 1, 0, 4, &ack), &t->err);
        assert_int_equal(ack.stored, round ? 0 : 4);
        assert_int_equal(ack.next_seq, 4);
    }
    assert_ok(append(t, t->id, 1, 2, 5, &ack), &t->err); /* 2 and 3 again, then 4 to 6 */
    assert_int_equal(ack.stored, 3);
    assert_int_equal(ack.first_line, 4);
    assert_int_equal(ack.next_seq, 7);
    reopen(t);
    assert_ok(append(t, t->id, 1, 0, 7, &ack), &t->err);
    assert_int_equal(ack.stored, 0);
    expect_lines(t, t->id, 1, 7);
}

TEST(what_was_stored_is_counted_once)
{
    struct logs_test *t = *state;
    struct pb_log_stats stats;
    struct pb_log_ack ack;
    struct pb_log_info info;

    pb_log_stats(t->logs, &stats);
    assert_int_equal(stats.lines, 0);
    assert_int_equal(stats.ticks, 0);
    assert_ok(append(t, t->id, 1, 0, 4, &ack), &t->err);
    assert_ok(append(t, t->id, 1, 2, 5, &ack), &t->err);
    assert_refused(append(t, t->id, 1, 100, 1, &ack), &t->err, PB_ERROR_CONFLICT);
    assert_ok(pb_log_stat(t->logs, t->id, &info, &t->err), &t->err);
    pb_log_stats(t->logs, &stats);
    assert_int_equal(stats.lines, 7);
    assert_int_equal(stats.bytes, info.bytes);
    assert_true(stats.ticks >= 3);
    assert_int_equal(stats.failed, 0);
    assert_int_equal(stats.queued_bytes, 0);
    assert_true(stats.disk_free > 0);
    assert_false(stats.is_broken);
}

struct last_ack {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int count;
    struct pb_log_ack ack;
    struct pb_error err;
};

static void on_done(void *arg, const struct pb_log_ack *ack, const struct pb_error *err)
{
    struct last_ack *last = arg;

    pthread_mutex_lock(&last->lock);
    last->count++;
    last->ack = *ack;
    last->err = err ? *err : (struct pb_error){0};
    pthread_cond_signal(&last->changed);
    pthread_mutex_unlock(&last->lock);
}

TEST(a_gap_is_refused_and_the_answer_says_where_to_go_on)
{
    struct logs_test *t = *state;
    struct last_ack last = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, {0}, {0}};
    const char *line = "1 o x\n";

    assert_ok(append(t, t->id, 1, 0, 4, NULL), &t->err);
    assert_ok(pb_log_append(t->logs, &(struct pb_log_chunk){t->id, 1, 9, 1, line, strlen(line)},
                            on_done, &last, &t->err),
              &t->err);
    pthread_mutex_lock(&last.lock);
    while (last.count == 0)
        pthread_cond_wait(&last.changed, &last.lock);
    pthread_mutex_unlock(&last.lock);
    assert_int_equal(last.err.code, PB_ERROR_CONFLICT);
    assert_string_equal(last.err.reason, "gap");
    assert_int_equal(last.ack.next_seq, 4);
    expect_lines(t, t->id, 1, 4);
}

TEST(attempts_and_the_platform_share_one_numbering)
{
    struct logs_test *t = *state;
    struct pb_buf expected;
    struct pb_log_ack ack;
    uint64_t next = 99;

    pb_buf_init(&expected, 1 << 20);
    put_lines(&expected, 1, 0, 2);
    put_lines(&expected, PB_LOG_ATTEMPT_PLATFORM, 5, 1);
    put_lines(&expected, 2, 0, 2);
    assert_ok(append(t, t->id, 1, 0, 2, NULL), &t->err);
    assert_ok(pb_log_append_wait(t->logs,
                                 &(struct pb_log_chunk){t->id, PB_LOG_ATTEMPT_PLATFORM,
                                                        PB_LOG_SEQ_NEXT, 1,
                                                        "1700000000000 o a0 line 5\n", 26},
                                 &ack, &t->err),
              &t->err);
    assert_int_equal(ack.first_line, 2);
    assert_ok(append(t, t->id, 2, 0, 2, &ack), &t->err);
    assert_int_equal(ack.first_line, 3);
    expect_log(t, t->id, &expected);
    reopen(t);
    expect_log(t, t->id, &expected);
    assert_ok(pb_log_next_seq(t->logs, t->id, 1, &next, &t->err), &t->err);
    assert_int_equal(next, 2);
    assert_ok(pb_log_next_seq(t->logs, t->id, 7, &next, &t->err), &t->err);
    assert_int_equal(next, 0);
    pb_buf_release(&expected);
}

TEST(what_is_not_whole_lines_is_refused)
{
    static const struct {
        const char *data;
        uint32_t count;
    } BAD[] = {
        {"1 o no end", 1},     {"1 o a\n1 o b\n", 1}, {"x o a\n", 1},      {"1 q a\n", 1},
        {"1 oa\n", 1},         {"1 o\n", 1},          {" 1 o a\n", 1},     {"\n", 1},
        {"1 o \xff\xfe\n", 1}, {"1 o a\n", 0},        {"1 o a\n\n", 2},    {"-1 o a\n", 1},
        {"1o a\n", 1},         {"o a\n", 1},          {"1 o a\n1 o b", 2},
    };
    struct logs_test *t = *state;
    static char huge[40000];

    for (size_t i = 0; i < COUNT(BAD); i++)
        assert_refused(pb_log_append(t->logs,
                                     &(struct pb_log_chunk){t->id, 1, 0, BAD[i].count, BAD[i].data,
                                                            strlen(BAD[i].data)},
                                     NULL, NULL, &t->err),
                       &t->err, PB_ERROR_INVALID);
    memset(huge, 'x', sizeof(huge));
    memcpy(huge, "1 o ", 4);
    huge[sizeof(huge) - 1] = '\n';
    assert_refused(pb_log_append(t->logs,
                                 &(struct pb_log_chunk){t->id, 1, 0, 1, huge, sizeof(huge)}, NULL,
                                 NULL, &t->err),
                   &t->err, PB_ERROR_INVALID);
    assert_refused(pb_log_append(t->logs, &(struct pb_log_chunk){t->id, 1, 0, 1, "1 o \0\n", 6},
                                 NULL, NULL, &t->err),
                   &t->err, PB_ERROR_INVALID);
    assert_refused(pb_log_append(t->logs,
                                 &(struct pb_log_chunk){"../../etc", 1, 0, 1, "1 o a\n", 6}, NULL,
                                 NULL, &t->err),
                   &t->err, PB_ERROR_INVALID);
    assert_ok(append(t, t->id, 1, 0, 1, NULL), &t->err);
}

TEST(complete_is_remembered_and_can_be_taken_back)
{
    struct logs_test *t = *state;
    struct pb_log_info info;

    assert_ok(pb_log_stat(t->logs, t->id, &info, &t->err), &t->err);
    assert_true(info.lines == 0 && !info.complete);
    assert_ok(append(t, t->id, 1, 0, 2, NULL), &t->err);
    assert_ok(pb_log_set_complete(t->logs, t->id, true, &t->err), &t->err);
    reopen(t);
    assert_ok(pb_log_stat(t->logs, t->id, &info, &t->err), &t->err);
    assert_true(info.lines == 2 && info.complete);
    assert_ok(append(t, t->id, 0, PB_LOG_SEQ_NEXT, 1, NULL), &t->err);
    assert_ok(pb_log_set_complete(t->logs, t->id, false, &t->err), &t->err);
    assert_ok(pb_log_stat(t->logs, t->id, &info, &t->err), &t->err);
    assert_true(info.lines == 3 && !info.complete);
}

TEST(a_removed_log_is_gone_and_can_begin_again)
{
    struct logs_test *t = *state;
    struct pb_log_info info;

    assert_ok(pb_log_remove(t->logs, t->id, &t->err), &t->err); /* there is none */
    assert_ok(append(t, t->id, 1, 0, 500, NULL), &t->err);
    assert_ok(pb_log_remove(t->logs, t->id, &t->err), &t->err);
    assert_ok(pb_log_stat(t->logs, t->id, &info, &t->err), &t->err);
    assert_int_equal(info.lines, 0);
    reopen(t);
    assert_ok(pb_log_stat(t->logs, t->id, &info, &t->err), &t->err);
    assert_int_equal(info.lines, 0);
    assert_ok(append(t, t->id, 1, 0, 3, NULL), &t->err);
    expect_lines(t, t->id, 1, 3);
}

/* --- reading ------------------------------------------------------------------------------------------- */

static void expect_range(struct logs_test *t, struct pb_log_range range, uint64_t from,
                         uint64_t count)
{
    struct pb_buf data, expected;
    uint64_t got_from = 0, got_count = 0;

    pb_buf_init(&data, 1 << 20);
    pb_buf_init(&expected, 1 << 20);
    put_lines(&expected, 1, from, (uint32_t)count);
    assert_ok(pb_log_read(t->logs, t->id, &range, &data, &got_from, &got_count, NULL, &t->err),
              &t->err);
    assert_int_equal(got_from, from);
    assert_int_equal(got_count, count);
    assert_string_equal(pb_buf_string(&data), pb_buf_string(&expected));
    pb_buf_release(&data);
    pb_buf_release(&expected);
}

TEST(any_range_reads_the_same_from_memory_and_from_disk)
{
    static const uint64_t STARTS[] = {0, 1, 255, 256, 257, 511, 512, 4095, 4096, 4999};
    struct logs_test *t = *state;

    for (uint64_t at = 0; at < 5000; at += 125)
        assert_ok(append(t, t->id, 1, at, 125, NULL), &t->err);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < COUNT(STARTS); i++) {
            for (uint64_t count = 1; count < 1000; count = count * 3 + 1) {
                uint64_t left = 5000 - STARTS[i];

                expect_range(t, (struct pb_log_range){.from = STARTS[i], .count = count}, STARTS[i],
                             count < left ? count : left);
            }
        }
        expect_range(t, (struct pb_log_range){.tail = true, .count = 300}, 4700, 300);
        expect_range(t, (struct pb_log_range){.tail = true, .count = 9000}, 0, 5000);
        expect_range(t, (struct pb_log_range){.from = 5000, .count = 10}, 5000, 0);
        expect_range(t, (struct pb_log_range){.from = UINT64_MAX, .count = 10}, 5000, 0);
        expect_range(t, (struct pb_log_range){.from = 10, .count = 0}, 10, 0);
        reopen(t);
    }
}

TEST(a_small_buffer_takes_whole_lines_only)
{
    struct logs_test *t = *state;
    struct pb_buf data;
    uint64_t count = 9;

    assert_ok(append(t, t->id, 1, 0, 9, NULL), &t->err); /* 24 bytes each + end */
    pb_buf_init(&data, 60);
    assert_ok(pb_log_read(t->logs, t->id, &(struct pb_log_range){.count = 9}, &data, NULL, &count,
                          NULL, &t->err),
              &t->err);
    assert_int_equal(count, 2);
    assert_int_equal(pb_buf_string(&data)[data.len - 1], '\n');
    pb_buf_release(&data);
}

TEST(the_address_of_a_log_is_in_its_id)
{
    char address[PB_LOG_ADDRESS] = "";
    struct pb_error err = {0};

    (void)state;
    assert_ok(pb_log_address("01HF7YAT00AAAAAAAAAAAAAAAA", address, &err), &err);
    assert_string_equal(address, "segment:2023-11/01HF7YAT00AAAAAAAAAAAAAAAA.log");
    assert_refused(pb_log_address("../x", address, &err), &err, PB_ERROR_INVALID);
}

/* --- many at once ---------------------------------------------------------------------------------------- */

static int open_files(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;

    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

TEST(many_logs_are_checkpointed_while_they_grow_and_few_files_are_open)
{
    enum { LOGS = 200, ROUNDS = 12, LINES = 30 };
    struct logs_test *t = *state;
    char(*ids)[PB_ULID_TEXT] = calloc(LOGS, PB_ULID_TEXT);

    pb_log_store_close(t->logs);
    open_logs(t, 20000); /* several checkpoints a round */
    for (int i = 0; i < LOGS; i++)
        pb_ulid(ids[i]);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        struct last_ack last = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, {0}, {0}};
        struct pb_buf lines;

        for (int i = 0; i < LOGS; i++) {
            pb_buf_init(&lines, 1 << 20);
            put_lines(&lines, 1, round * LINES, LINES);
            assert_ok(pb_log_append(t->logs,
                                    &(struct pb_log_chunk){ids[i], 1, round * LINES, LINES,
                                                           pb_buf_string(&lines), lines.len},
                                    on_done, &last, &t->err),
                      &t->err);
            pb_buf_release(&lines);
        }
        pthread_mutex_lock(&last.lock);
        while (last.count < LOGS)
            pthread_cond_wait(&last.changed, &last.lock);
        pthread_mutex_unlock(&last.lock);
        assert_int_equal(last.err.code, PB_OK);
        assert_true(open_files() < 64 + 32);
    }
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < LOGS; i++)
            expect_lines(t, ids[i], 1, ROUNDS * LINES);
        reopen(t);
    }
    free(ids);
}

struct follower {
    struct logs_test *t;
    bool ok;
};

/* Reads behind the writer: whatever is there must be whole, in order, and never less than before. */
static void *follow(void *arg)
{
    struct follower *follower = arg;
    struct logs_test *t = follower->t;
    struct pb_error err = {0};
    uint64_t next = 0;

    while (next < 4000) {
        struct pb_buf data, expected;
        uint64_t from, count = 0;

        pb_buf_init(&data, 1 << 20);
        pb_buf_init(&expected, 1 << 20);
        if (pb_log_read(t->logs, t->id, &(struct pb_log_range){.from = next, .count = 700}, &data,
                        &from, &count, NULL, &err) < 0)
            return NULL;
        put_lines(&expected, 1, next, (uint32_t)count);
        if (strcmp(pb_buf_string(&data), pb_buf_string(&expected)) != 0)
            return NULL;
        next += count;
        pb_buf_release(&data);
        pb_buf_release(&expected);
    }
    follower->ok = true;
    return NULL;
}

TEST(readers_follow_a_writer_and_see_whole_lines)
{
    struct logs_test *t = *state;
    struct follower followers[3];
    pthread_t threads[3];

    pb_log_store_close(t->logs);
    open_logs(t, 30000);
    for (int i = 0; i < 3; i++) {
        followers[i] = (struct follower){t, false};
        assert_int_equal(pthread_create(&threads[i], NULL, follow, &followers[i]), 0);
    }
    for (uint64_t at = 0; at < 4000; at += 40)
        assert_ok(append(t, t->id, 1, at, 40, NULL), &t->err);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        assert_true(followers[i].ok);
    }
}

/* --- crashes ------------------------------------------------------------------------------------------------ */

/* Appends to a few logs for ever, telling each acknowledgement. */
static void append_and_tell(struct logs_test *t, char ids[][PB_ULID_TEXT], int out)
{
    uint64_t next[3] = {0};

    open_logs(t, 50000); /* so that checkpoints are hit as well */
    for (int i = 0;; i = (i + 1) % 3) {
        uint64_t told[2];

        if (append(t, ids[i], 1, next[i], 17, NULL) < 0)
            _exit(1);
        next[i] += 17;
        told[0] = (uint64_t)i;
        told[1] = next[i];
        if (write(out, told, sizeof(told)) != sizeof(told))
            _exit(1);
    }
}

TEST(acknowledged_lines_survive_kill_9_and_none_is_there_twice)
{
    struct logs_test *t = *state;
    char ids[3][PB_ULID_TEXT];

    pb_log_store_close(t->logs);
    for (int i = 0; i < 3; i++)
        pb_ulid(ids[i]);
    for (int round = 0; round < 8; round++) {
        uint64_t told[2], acked[3] = {0};
        int pipes[2], seen = 0;
        pid_t child;

        store_test_remove_dir(t->dir);
        assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
        child = fork();
        if (child == 0)
            append_and_tell(t, ids, pipes[1]);
        close(pipes[1]);
        while (seen < 20 + 40 * round && read(pipes[0], told, sizeof(told)) == sizeof(told)) {
            acked[told[0]] = told[1];
            seen++;
        }
        kill(child, SIGKILL);
        while (read(pipes[0], told, sizeof(told)) == sizeof(told))
            acked[told[0]] = told[1];
        close(pipes[0]);
        waitpid(child, NULL, 0);
        open_logs(t, 0);
        for (int i = 0; i < 3; i++) {
            struct pb_log_info info;
            struct pb_log_ack ack;

            assert_ok(pb_log_stat(t->logs, ids[i], &info, &t->err), &t->err);
            assert_true(info.lines >= acked[i]);
            expect_lines(t, ids[i], 1, (uint32_t)info.lines);
            assert_ok(append(t, ids[i], 1, acked[i] >= 17 ? acked[i] - 17 : 0, 60, &ack), &t->err);
            expect_lines(t, ids[i], 1, (uint32_t)ack.next_seq);
        }
        if (round < 7)
            pb_log_store_close(t->logs);
    }
}

/* Copies the folder as a crash would leave it: its journal cut to `bytes`. */
static void copy_cut(const char *from, const char *to, const char *journal, long bytes)
{
    char command_from[160], command_to[160];
    struct pb_error err = {0};
    struct pb_buf data;

    pb_buf_init(&data, 8 << 20);
    snprintf(command_from, sizeof(command_from), "%s/%s", from, journal);
    snprintf(command_to, sizeof(command_to), "%s/%s", to, journal);
    assert_ok(pb_fs_mkdirs(to, 0700, &err), &err);
    assert_ok(pb_fs_read(AT_FDCWD, command_from, &data, &err), &err);
    assert_ok(pb_fs_write(AT_FDCWD, command_to, data.data, (size_t)bytes, 0600, &err), &err);
    pb_buf_release(&data);
}

TEST(a_journal_torn_anywhere_in_its_last_record_gives_exactly_the_lines_before)
{
    static const char JOURNAL[] = "journal-000000000001";
    struct logs_test *t = *state;
    struct logs_test torn = {0};
    char path[160], copy[96];
    struct stat before, after;

    snprintf(copy, sizeof(copy), "%s-torn", t->dir);
    snprintf(path, sizeof(path), "%s/%s", t->dir, JOURNAL);
    assert_ok(append(t, t->id, 1, 0, 4, NULL), &t->err);
    assert_ok(append(t, t->id, 1, 4, 3, NULL), &t->err);
    assert_int_equal(stat(path, &before), 0);
    assert_ok(append(t, t->id, 1, 7, 2, NULL), &t->err);
    assert_int_equal(stat(path, &after), 0);
    assert_true(after.st_size > before.st_size);

    for (long size = before.st_size; size <= after.st_size; size++) {
        copy_cut(t->dir, copy, JOURNAL, size);
        memcpy(torn.dir, copy, sizeof(torn.dir));
        open_logs(&torn, 0);
        expect_lines(&torn, t->id, 1, size == after.st_size ? 9 : 7);
        assert_ok(append(&torn, t->id, 1, size == after.st_size ? 9 : 7, 5, NULL), &torn.err);
        pb_log_store_close(torn.logs);
        store_test_remove_dir(copy);
    }
}

TEST(a_flipped_bit_in_the_journal_ends_it_there)
{
    static const char JOURNAL[] = "journal-000000000001";
    struct logs_test *t = *state;
    struct logs_test torn = {0};
    char path[160], copy[96];
    struct stat before, after;

    snprintf(copy, sizeof(copy), "%s-flip", t->dir);
    snprintf(path, sizeof(path), "%s/%s", t->dir, JOURNAL);
    assert_ok(append(t, t->id, 1, 0, 4, NULL), &t->err);
    assert_int_equal(stat(path, &before), 0);
    assert_ok(append(t, t->id, 1, 4, 2, NULL), &t->err);
    assert_int_equal(stat(path, &after), 0);
    for (long at = before.st_size; at < after.st_size; at++) {
        unsigned char byte;
        int fd;

        copy_cut(t->dir, copy, JOURNAL, after.st_size);
        snprintf(path, sizeof(path), "%s/%s", copy, JOURNAL);
        fd = open(path, O_RDWR | O_CLOEXEC);
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte ^= (unsigned char)(1 << at % 8);
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        close(fd);
        memcpy(torn.dir, copy, sizeof(torn.dir));
        open_logs(&torn, 0);
        expect_lines(&torn, t->id, 1, 4);
        pb_log_store_close(torn.logs);
        store_test_remove_dir(copy);
    }
}

TEST(replaying_a_journal_twice_changes_nothing)
{
    static const char JOURNAL[] = "journal-000000000001";
    struct logs_test *t = *state;
    char path[160], copy[96];

    snprintf(copy, sizeof(copy), "%s-again", t->dir);
    assert_ok(append(t, t->id, 1, 0, 700, NULL), &t->err);
    assert_ok(pb_log_set_complete(t->logs, t->id, true, &t->err), &t->err);
    snprintf(path, sizeof(path), "%s/%s", t->dir, JOURNAL);
    copy_cut(t->dir, copy, JOURNAL, 0);
    {
        struct pb_buf data;

        pb_buf_init(&data, 8 << 20);
        assert_ok(pb_fs_read(AT_FDCWD, path, &data, &t->err), &t->err);
        pb_log_store_close(t->logs); /* checkpointed, and the journal gone */
        for (int round = 0; round < 2; round++) {
            assert_ok(pb_fs_write(AT_FDCWD, path, data.data, data.len, 0600, &t->err), &t->err);
            open_logs(t, 0);
            expect_lines(t, t->id, 1, 700);
            pb_log_store_close(t->logs);
        }
        open_logs(t, 0);
        pb_buf_release(&data);
    }
    store_test_remove_dir(copy);
}

TEST(a_shortened_log_is_said_and_not_filled_with_nothing)
{
    struct logs_test *t = *state;
    struct pb_log_info info;
    struct pb_buf data;
    char path[160];

    assert_ok(append(t, t->id, 1, 0, 10, NULL), &t->err);
    pb_log_store_close(t->logs);
    path_of(t, t->id, ".log", path);
    assert_int_equal(truncate(path, 20), 0);
    open_logs(t, 0);
    assert_ok(append(t, t->id, 1, 10, 1, NULL), &t->err);
    read_all(t, t->id, &data, &info);
    assert_int_equal(info.lines, 11);
    assert_int_equal(info.damaged_lines, 11); /* the row they are in */
    assert_non_null(strstr(data.data, "x damage"));
    assert_null(memchr(data.data, '\0', data.len));
    pb_buf_release(&data);
}

/* --- a full disk ---------------------------------------------------------------------------------------------- */

static void limit_files(rlim_t bytes)
{
    struct rlimit limit = {bytes, RLIM_INFINITY};

    if (setrlimit(RLIMIT_FSIZE, &limit) < 0)
        _exit(20);
}

/* 0 if nothing is acknowledged while the disk is full, and everything goes on afterwards. */
static int fill_the_disk(struct logs_test *t)
{
    struct pb_log_info info;
    uint64_t next = 0;

    open_logs(t, 0);
    for (; next < 100; next += 50) {
        if (append(t, t->id, 1, next, 50, NULL) < 0)
            return 1;
    }
    limit_files(8000);
    while (next < 1000 && append(t, t->id, 1, next, 50, NULL) == 0)
        next += 50;
    if (next >= 1000)
        return 2;
    if (t->err.code != PB_ERROR_UNAVAILABLE && t->err.code != PB_ERROR_INTERNAL)
        return 3;
    for (int i = 0; i < 3; i++) {
        if (append(t, t->id, 1, next, 50, NULL) == 0)
            return 4;
    }
    if (pb_log_stat(t->logs, t->id, &info, &t->err) < 0 || info.lines != next)
        return 5;
    limit_files(RLIM_INFINITY);
    for (int i = 0; i < 4; i++, next += 50) {
        if (append(t, t->id, 1, next, 50, NULL) < 0)
            return 6;
    }
    pb_log_store_close(t->logs);
    open_logs(t, 0);
    expect_lines(t, t->id, 1, (uint32_t)next);
    pb_log_store_close(t->logs);
    return 0;
}

TEST(a_full_disk_acknowledges_nothing_and_loses_nothing)
{
    struct logs_test *t = *state;
    int status = -1;
    pid_t child;

    pb_log_store_close(t->logs);
    child = fork();
    if (child == 0) {
        signal(SIGXFSZ, SIG_IGN);
        _exit(fill_the_disk(t));
    }
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    open_logs(t, 0);
}

TEST(checksums_are_crc32c)
{
    (void)state;
    assert_int_equal(pb_crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(pb_crc32c(pb_crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
}

#define WITH_LOGS(test) cmocka_unit_test_setup_teardown(test, log_test_setup, log_test_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LOGS(lines_are_there_when_they_are_acknowledged_and_after_a_restart),
        WITH_LOGS(what_is_sent_again_is_stored_once),
        WITH_LOGS(what_was_stored_is_counted_once),
        WITH_LOGS(a_gap_is_refused_and_the_answer_says_where_to_go_on),
        WITH_LOGS(attempts_and_the_platform_share_one_numbering),
        WITH_LOGS(what_is_not_whole_lines_is_refused),
        WITH_LOGS(complete_is_remembered_and_can_be_taken_back),
        WITH_LOGS(a_removed_log_is_gone_and_can_begin_again),
        WITH_LOGS(any_range_reads_the_same_from_memory_and_from_disk),
        WITH_LOGS(a_small_buffer_takes_whole_lines_only),
        cmocka_unit_test(the_address_of_a_log_is_in_its_id),
        WITH_LOGS(many_logs_are_checkpointed_while_they_grow_and_few_files_are_open),
        WITH_LOGS(readers_follow_a_writer_and_see_whole_lines),
        WITH_LOGS(acknowledged_lines_survive_kill_9_and_none_is_there_twice),
        WITH_LOGS(a_journal_torn_anywhere_in_its_last_record_gives_exactly_the_lines_before),
        WITH_LOGS(a_flipped_bit_in_the_journal_ends_it_there),
        WITH_LOGS(replaying_a_journal_twice_changes_nothing),
        WITH_LOGS(a_shortened_log_is_said_and_not_filled_with_nothing),
        WITH_LOGS(a_full_disk_acknowledges_nothing_and_loses_nothing),
        cmocka_unit_test(checksums_are_crc32c),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
