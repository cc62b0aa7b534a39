#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"

/*
 * What is removed may have been made by someone hostile: nested ten thousand
 * deep, folders nobody may enter, links that point elsewhere. No link is
 * followed, and what lies deeper than DEPTH_MAX is first moved to the top of
 * the tree, so that neither descriptors nor stack run out.
 */
enum { DEPTH_MAX = 64, PASSES_MAX = 1 << 20 };

struct removal {
    int top;
    unsigned long moved; /* how many folders got a new name at the top */
};

static int remove_content(struct removal *removal, int dir, unsigned depth, struct pb_error *err);

static int open_folder(int dir, const char *name, struct pb_error *err)
{
    int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(dir, name, flags);

    if (fd < 0 && errno == EACCES && fchmodat(dir, name, 0700, AT_SYMLINK_NOFOLLOW) == 0)
        fd = openat(dir, name, flags);
    if (fd < 0)
        return pb_fail_errno(err, "open %s", name);
    return fd;
}

static int move_to_top(struct removal *removal, int dir, const char *name, struct pb_error *err)
{
    char unique[40];

    do {
        (void)snprintf(unique, sizeof(unique), ".poppo-removed-%lu", removal->moved++);
    } while (faccessat(removal->top, unique, F_OK, AT_SYMLINK_NOFOLLOW) == 0);
    if (renameat(dir, name, removal->top, unique) < 0)
        return pb_fail_errno(err, "move %s", name);
    return 0;
}

static int remove_folder(struct removal *removal, int dir, const char *name, unsigned depth,
                         struct pb_error *err)
{
    int fd;
    int r;

    if (depth >= DEPTH_MAX)
        return move_to_top(removal, dir, name, err);
    fd = open_folder(dir, name, err);
    if (fd < 0)
        return -1;
    r = remove_content(removal, fd, depth + 1, err);
    pb_close(&fd);
    if (r == 0 && unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        return pb_fail_errno(err, "remove %s", name);
    return r;
}

static int remove_entry(struct removal *removal, int dir, const char *name, unsigned depth,
                        struct pb_error *err)
{
    if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno == EISDIR || errno == EPERM) /* EPERM is POSIX's word for a folder */
        return remove_folder(removal, dir, name, depth, err);
    return pb_fail_errno(err, "remove %s", name);
}

/* One pass over the names; *ret_removed tells whether there were any. */
static int remove_once(struct removal *removal, DIR *stream, unsigned depth, bool *ret_removed,
                       struct pb_error *err)
{
    struct dirent *entry;

    *ret_removed = false;
    errno = 0;
    while ((entry = readdir(stream))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (remove_entry(removal, dirfd(stream), entry->d_name, depth, err) < 0)
            return -1;
        *ret_removed = true;
        errno = 0;
    }
    return errno ? pb_fail_errno(err, "list a folder") : 0;
}

/* Whether readdir() shows what came or went meanwhile is undefined: pass until a pass sees nothing. */
static int remove_content(struct removal *removal, int dir, unsigned depth, struct pb_error *err)
{
    bool removed = true;
    struct stat st;
    DIR *stream;
    int copy;
    int r = 0;

    if (fstat(dir, &st) == 0 && (st.st_mode & 0700) != 0700)
        (void)fchmod(dir, 0700); /* where that fails, removing will say why */
    copy = fcntl(dir, F_DUPFD_CLOEXEC, 0);
    stream = copy >= 0 ? fdopendir(copy) : NULL;
    if (!stream) {
        r = pb_fail_errno(err, "list a folder");
        pb_close(&copy);
        return r;
    }
    for (long pass = 0; r == 0 && removed; pass++) {
        if (pass == PASSES_MAX)
            r = pb_fail(err, PB_ERROR_CONFLICT, "a folder is filled faster than it is emptied");
        else
            r = remove_once(removal, stream, depth, &removed, err);
        rewinddir(stream);
    }
    (void)closedir(stream);
    return r;
}

int pb_fs_remove_tree(int dirfd, const char *path, struct pb_error *err)
{
    struct removal removal = {.top = -1};
    int r;

    if (unlinkat(dirfd, path, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return pb_fail_errno(err, "remove %s", path);
    removal.top = open_folder(dirfd, path, err);
    if (removal.top < 0)
        return -1;
    r = remove_content(&removal, removal.top, 0, err);
    pb_close(&removal.top);
    if (r == 0 && unlinkat(dirfd, path, AT_REMOVEDIR) < 0 && errno != ENOENT)
        r = pb_fail_errno(err, "remove");
    return r < 0 ? pb_fail_in(err, "remove %s", path) : 0;
}
