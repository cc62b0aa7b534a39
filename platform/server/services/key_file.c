#include "server/services/key_file.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/text.h"

enum { KEY_TEXT = 2 * PB_KEY_BYTES };

static int check_owner(int fd, const char *path, struct pb_error *err)
{
    struct stat info;

    if (fstat(fd, &info) < 0)
        return pb_fail_errno(err, "key file %s", path);
    if (!S_ISREG(info.st_mode))
        return pb_fail(err, PB_ERROR_INVALID, "key file %s is not a regular file", path);
    if (info.st_uid != geteuid())
        return pb_fail(err, PB_ERROR_DENIED,
                       "key file %s belongs to user %u, but the platform runs as user %u", path,
                       (unsigned)info.st_uid, (unsigned)geteuid());
    if (info.st_mode & 077)
        return pb_fail(err, PB_ERROR_DENIED,
                       "key file %s can be read by others (mode %03o); chmod 600 it", path,
                       (unsigned)(info.st_mode & 0777));
    return 0;
}

static int read_key(int fd, const char *path, uint8_t ret_key[PB_KEY_BYTES], struct pb_error *err)
{
    char text[KEY_TEXT + 2];
    ssize_t len;
    int r = -1;

    if (check_owner(fd, path, err) < 0)
        return -1;
    len = read(fd, text, sizeof(text) - 1);
    if (len < 0)
        return pb_fail_errno(err, "key file %s", path);
    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == ' '))
        len--;
    text[len] = '\0';
    if (len == KEY_TEXT && pb_unhex(text, ret_key, PB_KEY_BYTES))
        r = 0;
    else
        (void)pb_fail(err, PB_ERROR_INVALID, "key file %s does not hold %d hex digits", path,
                      KEY_TEXT);
    pb_wipe(text, sizeof(text));
    return r;
}

static int make_folder(const char *path, struct pb_error *err)
{
    const char *slash = strrchr(path, '/');
    struct pb_buf folder;
    int r;

    if (!slash || slash == path)
        return 0;
    pb_buf_init(&folder, 4096);
    pb_buf_bytes(&folder, path, (size_t)(slash - path));
    r = pb_fs_mkdirs(pb_buf_string(&folder), 0700, err);
    pb_buf_release(&folder);
    return r;
}

int pb_key_file_make(const char *path, uint8_t ret_key[PB_KEY_BYTES], struct pb_error *err)
{
    struct pb_buf text;
    int r;

    if (make_folder(path, err) < 0)
        return -1;
    pb_random(ret_key, PB_KEY_BYTES);
    pb_buf_init(&text, 256);
    text.secret = true;
    pb_buf_hex(&text, ret_key, PB_KEY_BYTES);
    pb_buf_char(&text, '\n');
    r = pb_fs_write(AT_FDCWD, path, text.data, text.len, 0600, err);
    pb_buf_release(&text);
    return r < 0 ? pb_fail_in(err, "key file") : 0;
}

int pb_key_file_read(const char *path, uint8_t ret_key[PB_KEY_BYTES], struct pb_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    int r;

    if (fd < 0)
        return pb_fail_errno(err, "key file %s", path);
    r = read_key(fd, path, ret_key, err);
    (void)close(fd);
    return r;
}
