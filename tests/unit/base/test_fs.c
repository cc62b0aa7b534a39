#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "pb_test.h"

static char folder[] = "/tmp/poppo-test-fs-XXXXXX";
static int dir = -1;

static int set_up(void **state)
{
    (void)state;
    (void)umask(077);
    if (!mkdtemp(folder))
        return -1;
    dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return dir < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    struct pb_error err;

    (void)state;
    pb_close(&dir);
    return pb_fs_remove_tree(AT_FDCWD, folder, &err);
}

static const char *in_folder(const char *name)
{
    static char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static void write_text(const char *name, const char *text)
{
    struct pb_error err;

    assert_ok(pb_fs_write(dir, name, text, strlen(text), 0600, &err), &err);
}

static void assert_text(const char *name, const char *text)
{
    struct pb_error err;
    struct pb_buf buf;

    pb_buf_init(&buf, 1 << 20);
    assert_ok(pb_fs_read(dir, name, &buf, &err), &err);
    assert_string_equal(pb_buf_string(&buf), text);
    pb_buf_release(&buf);
}

TEST(what_is_written_is_read_and_replaced_as_a_whole)
{
    struct pb_error err;
    struct stat st;

    write_text("a", "one");
    assert_text("a", "one");
    assert_ok(pb_fs_write(dir, "a", "two", 3, 0644, &err), &err);
    assert_text("a", "two");
    assert_int_equal(fstatat(dir, "a", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0644); /* whatever the umask */
    assert_ok(pb_fs_write(AT_FDCWD, in_folder("b"), "", 0, 0600, &err), &err);
    assert_text("b", "");
}

TEST(a_link_is_replaced_not_written_through)
{
    struct stat st;

    write_text("target", "kept");
    assert_int_equal(symlinkat("target", dir, "link"), 0);
    write_text("link", "new");
    assert_text("target", "kept");
    assert_text("link", "new");
    assert_int_equal(fstatat(dir, "link", &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_true(S_ISREG(st.st_mode));
}

TEST(a_failed_write_leaves_no_trace)
{
    struct pb_error err;

    assert_int_equal(mkdirat(dir, "taken", 0700), 0);
    assert_int_equal(mkdirat(dir, "taken/x", 0700), 0);
    assert_refused(pb_fs_write(dir, "taken/x", "1", 1, 0600, &err), &err, PB_ERROR_INTERNAL);
    assert_int_equal(unlinkat(dir, "taken/x", AT_REMOVEDIR), 0);
    assert_int_equal(unlinkat(dir, "taken", AT_REMOVEDIR), 0); /* nothing temporary in it */
    assert_refused(pb_fs_write(dir, "no/such", "1", 1, 0600, &err), &err, PB_ERROR_NOT_FOUND);
}

TEST(a_file_larger_than_the_buffer_is_too_large)
{
    struct pb_error err;
    struct pb_buf buf;

    write_text("five", "12345");
    pb_buf_init(&buf, 8);
    pb_buf_text(&buf, "abc");
    assert_ok(pb_fs_read(dir, "five", &buf, &err), &err);
    assert_string_equal(pb_buf_string(&buf), "abc12345");
    pb_buf_consume(&buf, 4);
    assert_refused(pb_fs_read(dir, "five", &buf, &err), &err, PB_ERROR_TOO_LARGE);
    assert_string_equal(pb_buf_string(&buf), "2345");
    pb_buf_release(&buf);
}

static void assert_line(const char *text, const char *line)
{
    struct pb_error err;
    struct pb_buf buf;
    char path[64];

    write_text("secret", text);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d/secret", dir);
    pb_buf_init(&buf, 100);
    pb_buf_text(&buf, "=");
    assert_ok(pb_fs_read_line(path, &buf, &err), &err);
    assert_int_equal(buf.len, 1 + strlen(line));
    assert_string_equal(pb_buf_string(&buf) + 1, line);
    pb_buf_release(&buf);
}

TEST(a_line_of_a_file_is_its_first)
{
    assert_line("secret\n", "secret");
    assert_line("secret", "secret");
    assert_line("secret\r\nmore\n", "secret");
    assert_line("\nmore", "");
    assert_line("", "");
}

TEST(only_regular_files_are_read)
{
    struct pb_error err;
    struct pb_buf buf;

    pb_buf_init(&buf, 100);
    assert_refused(pb_fs_read(dir, "gone", &buf, &err), &err, PB_ERROR_NOT_FOUND);
    assert_refused(pb_fs_read(dir, ".", &buf, &err), &err, PB_ERROR_INVALID);
    assert_int_equal(mkfifoat(dir, "fifo", 0600), 0);
    assert_refused(pb_fs_read(dir, "fifo", &buf, &err), &err, PB_ERROR_INVALID); /* at once */
    assert_refused(pb_fs_read(AT_FDCWD, "/dev/zero", &buf, &err), &err, PB_ERROR_INVALID);
    assert_ok(pb_fs_read(AT_FDCWD, "/proc/sys/kernel/ostype", &buf, &err), &err);
    assert_string_equal(pb_buf_string(&buf), "Linux\n");
    pb_buf_release(&buf);
}

TEST(a_full_disk_says_so)
{
    struct pb_error err;
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

    assert_true(full >= 0);
    assert_refused(pb_fs_write_all(full, "x", 1, &err), &err, PB_ERROR_UNAVAILABLE);
    assert_string_equal(err.reason, "disk_full");
    pb_close(&full);
    assert_int_equal(full, -1);
    pb_close(&full);
}

TEST(folders_are_made_with_all_above_them)
{
    struct pb_error err;
    struct stat st;

    assert_ok(pb_fs_mkdirs(in_folder("d/e/f"), 0750, &err), &err);
    assert_ok(pb_fs_mkdirs(in_folder("d/e/f/"), 0750, &err), &err);
    assert_int_equal(fstatat(dir, "d/e", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0750);
    write_text("d/file", "x");
    assert_refused(pb_fs_mkdirs(in_folder("d/file"), 0700, &err), &err, PB_ERROR_CONFLICT);
    assert_refused(pb_fs_mkdirs(in_folder("d/file/x"), 0700, &err), &err, PB_ERROR_CONFLICT);
    assert_refused(pb_fs_mkdirs("", 0700, &err), &err, PB_ERROR_NOT_FOUND);
}

TEST(a_path_from_outside_stays_beneath)
{
    static const char *const ESCAPES[] = {"..",          "../x",       "in/../../x", "in/..",
                                          "/etc/passwd", "out/passwd", "in/self",    "in/link"};
    struct pb_error err;
    int fd;

    assert_int_equal(mkdirat(dir, "in", 0700), 0);
    assert_int_equal(symlinkat("/etc", dir, "out"), 0);
    assert_int_equal(symlinkat("/proc/self/exe", dir, "in/self"), 0);
    write_text("in/x", "inside");
    assert_int_equal(symlinkat("x", dir, "in/link"), 0);
    for (size_t i = 0; i < COUNT(ESCAPES); i++)
        assert_refused(pb_fs_open_beneath(dir, ESCAPES[i], O_RDONLY, 0, &err), &err,
                       PB_ERROR_DENIED);
    fd = pb_fs_open_beneath(dir, "in/x", O_RDONLY, 0, &err);
    assert_ok(fd, &err);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    pb_close(&fd);
    fd = pb_fs_open_beneath(dir, "in/..new", O_WRONLY | O_CREAT | O_EXCL, 0640, &err);
    assert_ok(fd, &err);
    pb_close(&fd);
    assert_refused(pb_fs_open_beneath(dir, "in/gone", O_RDONLY, 0, &err), &err, PB_ERROR_NOT_FOUND);
}

TEST(a_lock_is_held_by_one_process_who_is_named)
{
    struct pb_error err;
    char path[PATH_MAX];
    char pid[32];
    int status = 0;
    int fd;
    pid_t child;

    (void)snprintf(path, sizeof(path), "%s/lock", folder);
    fd = pb_fs_lock(path, &err);
    assert_ok(fd, &err);
    (void)snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
    assert_text("lock", pid);
    child = fork();
    if (child == 0) {
        (void)snprintf(pid, sizeof(pid), "process %ld", (long)getppid());
        _exit(pb_fs_lock(path, &err) == -1 && err.code == PB_ERROR_CONFLICT &&
                      strstr(err.message, pid)
                  ? 0
                  : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    pb_close(&fd);
    fd = pb_fs_lock(path, &err);
    assert_ok(fd, &err);
    pb_close(&fd);
}

TEST(removing_does_not_follow_links_and_enters_closed_folders)
{
    struct pb_error err;

    assert_ok(pb_fs_mkdirs(in_folder("keep"), 0700, &err), &err);
    write_text("keep/me", "kept");
    assert_ok(pb_fs_mkdirs(in_folder("tree/closed/inner"), 0700, &err), &err);
    write_text("tree/closed/inner/file", "x");
    assert_int_equal(symlinkat("../keep", dir, "tree/link"), 0);
    assert_int_equal(symlinkat("../../keep", dir, "tree/closed/link"), 0);
    assert_int_equal(fchmodat(dir, "tree/closed/inner", 0, 0), 0);
    assert_int_equal(fchmodat(dir, "tree/closed", 0500, 0), 0);
    assert_ok(pb_fs_remove_tree(dir, "tree", &err), &err);
    assert_int_equal(faccessat(dir, "tree", F_OK, 0), -1);
    assert_text("keep/me", "kept");
    assert_ok(pb_fs_remove_tree(dir, "tree", &err), &err); /* what is gone is gone */
    assert_int_equal(symlinkat("keep", dir, "link2"), 0);
    assert_ok(pb_fs_remove_tree(dir, "link2", &err), &err);
    assert_text("keep/me", "kept");
}

TEST(a_tree_deeper_than_any_path_is_removed)
{
    struct pb_error err;
    int at = dir;

    for (int depth = 0; depth < 3000; depth++) {
        int next;

        assert_int_equal(mkdirat(at, "deeper-and-deeper", 0700), 0);
        next = openat(at, "deeper-and-deeper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(next >= 0);
        if (at != dir)
            pb_close(&at);
        at = next;
    }
    pb_close(&at);
    assert_ok(pb_fs_remove_tree(dir, "deeper-and-deeper", &err), &err);
    assert_int_equal(faccessat(dir, "deeper-and-deeper", F_OK, 0), -1);
}

TEST(a_wide_tree_is_removed)
{
    struct pb_error err;
    char name[32];

    assert_int_equal(mkdirat(dir, "wide", 0700), 0);
    for (int i = 0; i < 2000; i++) {
        int fd;

        (void)snprintf(name, sizeof(name), "wide/%d", i);
        fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        pb_close(&fd);
    }
    assert_ok(pb_fs_remove_tree(dir, "wide", &err), &err);
    assert_int_equal(faccessat(dir, "wide", F_OK, 0), -1);
}

TEST(free_space_is_known_where_there_is_a_file_system)
{
    assert_true(pb_fs_free_bytes("/tmp") > 0);
    assert_int_equal(pb_fs_free_bytes("/no/such/place"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_and_replaced_as_a_whole),
        cmocka_unit_test(a_link_is_replaced_not_written_through),
        cmocka_unit_test(a_failed_write_leaves_no_trace),
        cmocka_unit_test(a_file_larger_than_the_buffer_is_too_large),
        cmocka_unit_test(a_line_of_a_file_is_its_first),
        cmocka_unit_test(only_regular_files_are_read),
        cmocka_unit_test(a_full_disk_says_so),
        cmocka_unit_test(folders_are_made_with_all_above_them),
        cmocka_unit_test(a_path_from_outside_stays_beneath),
        cmocka_unit_test(a_lock_is_held_by_one_process_who_is_named),
        cmocka_unit_test(removing_does_not_follow_links_and_enters_closed_folders),
        cmocka_unit_test(a_tree_deeper_than_any_path_is_removed),
        cmocka_unit_test(a_wide_tree_is_removed),
        cmocka_unit_test(free_space_is_known_where_there_is_a_file_system),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
