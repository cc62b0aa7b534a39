/*
 * Preloaded into a server by test_bad_disk.py: its disk is as the file $POPPO_BAD_DISK says, "<how> <part of a path> <ms>":
 *   slow     syncs of such files take so much longer
 *   full     nothing more can be written to them
 *   broken   syncing them fails; each time is noted in $POPPO_BAD_DISK.syncs
 * Without that file it is a good disk.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* Is the file's disk bad in this way? */
static int is_bad(int fd, const char *how, int *ret_ms)
{
    const char *control = getenv("POPPO_BAD_DISK");
    char text[200] = "", now[20], part[100], link[64], path[300] = "";
    int file = control ? open(control, O_RDONLY | O_CLOEXEC) : -1;

    if (file < 0)
        return 0;
    if (read(file, text, sizeof(text) - 1) < 0 ||
        sscanf(text, "%19s %99s %d", now, part, ret_ms) < 2)
        text[0] = '\0';
    close(file);
    if (!text[0] || strcmp(now, how) != 0)
        return 0;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    return readlink(link, path, sizeof(path) - 1) > 0 && strstr(path, part);
}

static void note_sync(void)
{
    char path[300];
    int file;

    snprintf(path, sizeof(path), "%s.syncs", getenv("POPPO_BAD_DISK"));
    file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (file < 0 || REAL(write)(file, "x", 1) != 1)
        abort();
    close(file);
}

static int sync_badly(int fd, int (*sync)(int fd))
{
    int ms = 0;

    if (is_bad(fd, "slow", &ms))
        poll(NULL, 0, ms);
    if (!is_bad(fd, "broken", &ms))
        return sync(fd);
    note_sync();
    errno = EIO;
    return -1;
}

int fdatasync(int fd)
{
    return sync_badly(fd, REAL(fdatasync));
}

int fsync(int fd)
{
    return sync_badly(fd, REAL(fsync));
}

ssize_t write(int fd, const void *data, size_t len)
{
    int ms;

    if (!is_bad(fd, "full", &ms))
        return REAL(write)(fd, data, len);
    errno = ENOSPC;
    return -1;
}

ssize_t pwrite64(int fd, const void *data, size_t len, off64_t at)
{
    int ms;

    if (!is_bad(fd, "full", &ms))
        return REAL(pwrite64)(fd, data, len, at);
    errno = ENOSPC;
    return -1;
}
