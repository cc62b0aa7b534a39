#include "log_test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"

/* Every sync of the programs under test comes by here (-Wl,--wrap). */
const char *_Atomic log_test_bad_disk;
atomic_int log_test_bad_syncs;
int __real_fdatasync(int fd);
int __real_fsync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_fsync(int fd);

static bool is_bad(int fd)
{
    const char *bad = log_test_bad_disk;
    char link[64], path[256] = "";

    if (!bad)
        return false;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    if (readlink(link, path, sizeof(path) - 1) < 0 || !strstr(path, bad))
        return false;
    log_test_bad_syncs++;
    errno = EIO;
    return true;
}

int __wrap_fdatasync(int fd)
{
    return is_bad(fd) ? -1 : __real_fdatasync(fd);
}

int __wrap_fsync(int fd)
{
    return is_bad(fd) ? -1 : __real_fsync(fd);
}

void open_with(struct logs_test *t, const struct pb_log_store_options *options)
{
    t->logs = pb_log_store_open(options, &t->err);
    if (!t->logs)
        fail_msg("%s", t->err.message);
}

void open_logs(struct logs_test *t, size_t journal_bytes)
{
    open_with(t, &(struct pb_log_store_options){.dir = t->dir,
                                                .journal_bytes = journal_bytes,
                                                .gather_ms = 1});
}

void open_sealing(struct logs_test *t)
{
    open_with(t, &(struct pb_log_store_options){.dir = t->dir, .gather_ms = 1, .seal_ms = 1});
}

int log_test_setup(void **state)
{
    struct logs_test *t = calloc(1, sizeof(*t));

    store_test_make_dir(t->dir);
    pb_ulid(t->id);
    open_logs(t, 0);
    *state = t;
    return 0;
}

int log_test_teardown(void **state)
{
    struct logs_test *t = *state;

    log_test_bad_disk = NULL;
    pb_log_store_close(t->logs);
    store_test_remove_dir(t->dir);
    free(t);
    return 0;
}

/* Lines [from, from + count) of attempt `attempt` as everybody writes them here. */
void put_lines(struct pb_buf *buf, uint32_t attempt, uint64_t from, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        pb_buf_format(buf, "1700000000000 o a%u line %llu\n", attempt,
                      (unsigned long long)(from + i));
}

int append(struct logs_test *t, const char *id, uint32_t attempt, uint64_t seq, uint32_t count,
           struct pb_log_ack *ret_ack)
{
    struct pb_buf lines;
    int r;

    pb_buf_init(&lines, 4 << 20);
    put_lines(&lines, attempt, seq, count);
    r = pb_log_append_wait(t->logs,
                           &(struct pb_log_chunk){id, attempt, seq, count, pb_buf_string(&lines),
                                                  lines.len},
                           ret_ack, &t->err);
    pb_buf_release(&lines);
    return r;
}

int append_text(struct logs_test *t, const char *id, uint32_t attempt, uint64_t seq, uint32_t count,
                const char *text)
{
    return pb_log_append_wait(t->logs,
                              &(struct pb_log_chunk){id, attempt, seq, count, text, strlen(text)},
                              NULL, &t->err);
}

void read_all(struct logs_test *t, const char *id, struct pb_buf *ret_data,
              struct pb_log_info *ret_info)
{
    uint64_t from = 9, count = 9;

    pb_buf_init(ret_data, 64 << 20);
    assert_ok(pb_log_read(t->logs, id, &(struct pb_log_range){.count = UINT64_MAX}, ret_data, &from,
                          &count, ret_info, &t->err),
              &t->err);
    assert_int_equal(from, 0);
    assert_int_equal(ret_info->lines, count);
    assert_int_equal(ret_info->bytes, ret_data->len);
}

void expect_log(struct logs_test *t, const char *id, const struct pb_buf *expected)
{
    struct pb_log_info info;
    struct pb_buf data;

    read_all(t, id, &data, &info);
    assert_int_equal(data.len, expected->len);
    assert_string_equal(pb_buf_string(&data), pb_buf_string(expected));
    assert_int_equal(info.damaged_lines, 0);
    pb_buf_release(&data);
}

void expect_lines(struct logs_test *t, const char *id, uint32_t attempt, uint32_t count)
{
    struct pb_buf expected;

    pb_buf_init(&expected, 32 << 20);
    put_lines(&expected, attempt, 0, count);
    expect_log(t, id, &expected);
    pb_buf_release(&expected);
}

void reopen(struct logs_test *t)
{
    pb_log_store_close(t->logs);
    open_logs(t, 0);
}

/* --- files --------------------------------------------------------------------------------------- */

void path_of(const struct logs_test *t, const char *id, const char *suffix, char ret_path[160])
{
    char address[PB_LOG_ADDRESS];
    struct pb_error err = {0};

    assert_ok(pb_log_address(id, address, &err), &err);
    snprintf(ret_path, 160, "%s/%.34s%s", t->dir, address + strlen("segment:"), suffix);
}

bool exists(const struct logs_test *t, const char *id, const char *suffix)
{
    char path[160];

    path_of(t, id, suffix, path);
    return access(path, F_OK) == 0;
}

void wait_until_sealed(struct logs_test *t, const char *id)
{
    /* -1 where the machine has no more of them to give (fs.inotify.max_user_instances): then by looking alone. */
    int events = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    struct pollfd polled = {.fd = events, .events = POLLIN};
    int64_t deadline = pb_clock_steady_ms() + 20000;
    char path[160], told[4096];

    path_of(t, id, "", path);
    *strrchr(path, '/') = '\0';
    if (events >= 0)
        assert_true(inotify_add_watch(events, path, IN_DELETE) >= 0);
    while (exists(t, id, ".log")) {
        if (pb_clock_steady_ms() > deadline)
            fail_msg("%s is not sealed", id);
        if (poll(&polled, 1, events < 0 ? 10 : 1000) > 0)
            (void)!read(events, told, sizeof(told));
    }
    assert_true(exists(t, id, ".zst"));
    if (events >= 0)
        close(events);
}

void read_file(const char *path, struct pb_buf *ret_data)
{
    struct pb_error err = {0};

    pb_buf_init(ret_data, 64 << 20);
    assert_ok(pb_fs_read(AT_FDCWD, path, ret_data, &err), &err);
}

void write_file(const char *path, const void *data, size_t len)
{
    struct pb_error err = {0};

    assert_ok(pb_fs_write(AT_FDCWD, path, data, len, 0600, &err), &err);
}
