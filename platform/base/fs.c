#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/text.h"

enum { READ_STEP = 16 << 10, PID_TEXT = 24 };

void pb_close(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd); /* also after EINTR the descriptor is gone */
    *fd = -1;
}

/* Until the end or the maximum. A file in /proc has size 0 and content, so st_size is only a hint. */
static int read_to_end(int fd, const char *path, struct pb_buf *ret_data, struct pb_error *err)
{
    for (;;) {
        size_t left = ret_data->max - ret_data->len;
        size_t step = left < READ_STEP ? left : READ_STEP;
        char past_max;
        char *at = step > 0 ? pb_buf_reserve(ret_data, step) : &past_max;
        ssize_t got;

        if (!at)
            return pb_fail(err, PB_ERROR_UNAVAILABLE, "read %s: no memory", path);
        got = read(fd, at, step > 0 ? step : 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return pb_fail_errno(err, "read %s", path);
        if (got == 0)
            return 0;
        if (step == 0)
            return pb_fail(err, PB_ERROR_TOO_LARGE, "%s is larger than %zu bytes", path,
                           ret_data->max);
        ret_data->len += (size_t)got;
    }
}

int pb_fs_read(int dirfd, const char *path, struct pb_buf *ret_data, struct pb_error *err)
{
    size_t start = ret_data->len;
    struct stat st;
    int r = -1;
    /* NONBLOCK: a FIFO planted under that name must not hold us. */
    int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd < 0)
        return pb_fail_errno(err, "open %s", path);
    if (fstat(fd, &st) < 0)
        (void)pb_fail_errno(err, "stat %s", path);
    else if (!S_ISREG(st.st_mode))
        (void)pb_fail(err, PB_ERROR_INVALID, "%s is not a regular file", path);
    else
        r = read_to_end(fd, path, ret_data, err);
    if (r < 0)
        ret_data->len = start;
    pb_close(&fd);
    return r;
}

int pb_fs_read_line(const char *path, struct pb_buf *ret_line, struct pb_error *err)
{
    size_t start = ret_line->len;

    if (pb_fs_read(AT_FDCWD, path, ret_line, err) < 0)
        return -1;
    if (ret_line->len > start)
        ret_line->len = start + strcspn(pb_buf_string(ret_line) + start, "\r\n");
    return 0;
}

int pb_fs_write_all(int fd, const void *data, size_t len, struct pb_error *err)
{
    const char *at = data;

    while (len > 0) {
        ssize_t put = write(fd, at, len);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return pb_fail_errno(err, "write");
        at += put;
        len -= (size_t)put;
    }
    return 0;
}

/* The folder of `path`, opened to be synced. */
static int open_parent(int dirfd, const char *path, struct pb_error *err)
{
    const char *slash = strrchr(path, '/');
    char *parent = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
    int fd;

    if (!parent)
        return pb_fail(err, PB_ERROR_UNAVAILABLE, "no memory");
    fd = openat(dirfd, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        (void)pb_fail_errno(err, "open %s", parent);
    free(parent);
    return fd;
}

static int fill_and_sync(int fd, const void *data, size_t len, mode_t mode, struct pb_error *err)
{
    if (fchmod(fd, mode) < 0) /* exactly `mode`, whatever the umask */
        return pb_fail_errno(err, "chmod");
    if (pb_fs_write_all(fd, data, len, err) < 0)
        return -1;
    if (fsync(fd) < 0)
        return pb_fail_errno(err, "fsync");
    return 0;
}

int pb_fs_write(int dirfd, const char *path, const void *data, size_t len, mode_t mode,
                struct pb_error *err)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    char temporary[40];
    uint64_t random;
    int parent;
    int fd = -1;
    int r = -1;

    parent = open_parent(dirfd, path, err);
    if (parent < 0)
        return pb_fail_in(err, "write %s", path);
    pb_random(&random, sizeof(random));
    (void)snprintf(temporary, sizeof(temporary), ".poppo-%016llx.tmp", (unsigned long long)random);
    fd = openat(parent, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        (void)pb_fail_errno(err, "create a temporary file");
        goto out;
    }
    if (fill_and_sync(fd, data, len, mode, err) < 0)
        goto remove;
    if (renameat(parent, temporary, parent, name) < 0) {
        (void)pb_fail_errno(err, "rename");
        goto remove;
    }
    r = fsync(parent) < 0 ? pb_fail_errno(err, "fsync of the folder") : 0;
    goto out;
remove:
    (void)unlinkat(parent, temporary, 0);
out:
    pb_close(&fd);
    pb_close(&parent);
    return r < 0 ? pb_fail_in(err, "write %s", path) : 0;
}

static int make_one(const char *path, mode_t mode, struct pb_error *err)
{
    struct stat st;

    if (mkdir(path, mode) == 0)
        return chmod(path, mode) < 0 ? pb_fail_errno(err, "chmod %s", path) : 0;
    if (errno != EEXIST)
        return pb_fail_errno(err, "make folder %s", path);
    if (stat(path, &st) < 0)
        return pb_fail_errno(err, "stat %s", path);
    if (!S_ISDIR(st.st_mode))
        return pb_fail(err, PB_ERROR_CONFLICT, "%s is not a folder", path);
    return 0;
}

int pb_fs_mkdirs(const char *path, mode_t mode, struct pb_error *err)
{
    char *copy = strdup(path);
    int r = 0;

    if (!copy)
        return pb_fail(err, PB_ERROR_UNAVAILABLE, "no memory");
    for (char *slash = strchr(copy + (*copy != '\0'), '/'); slash && r == 0;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        r = make_one(copy, mode, err);
        *slash = '/';
    }
    if (r == 0)
        r = make_one(copy, mode, err);
    free(copy);
    return r;
}

int pb_fs_open_beneath(int dirfd, const char *path, int flags, mode_t mode, struct pb_error *err)
{
    struct open_how how = {
        .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
        .mode = flags & (O_CREAT | __O_TMPFILE) ? mode : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    long fd;

    /* BENEATH lets "a/../b" pass; a name that needs it is not one we made. */
    for (const char *at = path; at; at = strchr(at, '/') ? strchr(at, '/') + 1 : NULL)
        if (strncmp(at, "..", 2) == 0 && (at[2] == '/' || at[2] == '\0'))
            return pb_fail(err, PB_ERROR_DENIED, "'%s' leaves its folder", path);
    do {
        fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
    } while (fd < 0 && (errno == EINTR || errno == EAGAIN));
    if (fd < 0 && (errno == ELOOP || errno == EXDEV))
        return pb_fail(err, PB_ERROR_DENIED, "'%s' leaves its folder", path);
    if (fd < 0)
        return pb_fail_errno(err, "open %s", path);
    return (int)fd;
}

static int fail_locked(int fd, const char *path, struct pb_error *err)
{
    char holder[PID_TEXT] = "";
    ssize_t got = pread(fd, holder, sizeof(holder) - 1, 0);
    uint64_t pid;

    holder[got > 0 ? got : 0] = '\0';
    holder[strcspn(holder, "\n")] = '\0';
    if (!pb_parse_u64(holder, INT32_MAX, &pid))
        return pb_fail(err, PB_ERROR_CONFLICT, "%s is locked by another process", path);
    return pb_fail(err, PB_ERROR_CONFLICT, "%s is locked by process %llu", path,
                   (unsigned long long)pid);
}

int pb_fs_lock(const char *path, struct pb_error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    char pid[PID_TEXT];

    if (fd < 0)
        return pb_fail_errno(err, "open %s", path);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        (void)(errno == EWOULDBLOCK ? fail_locked(fd, path, err)
                                    : pb_fail_errno(err, "lock %s", path));
        pb_close(&fd);
        return -1;
    }
    (void)snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, strlen(pid), 0) < 0) {
        (void)pb_fail_errno(err, "write %s", path);
        pb_close(&fd);
    }
    return fd;
}

int64_t pb_fs_free_bytes(const char *path)
{
    struct statvfs st;

    if (statvfs(path, &st) < 0)
        return -1;
    return (int64_t)(st.f_bavail * st.f_frsize);
}
