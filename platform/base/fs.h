/* Files and folders: read whole, write atomically, make, lock. Every descriptor is O_CLOEXEC. */
#ifndef PB_BASE_FS_H
#define PB_BASE_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"

/* Appends the whole regular file; TOO_LARGE past the buffer's maximum. dirfd may be AT_FDCWD. */
int pb_fs_read(int dirfd, const char *path, struct pb_buf *ret_data,
               struct pb_error *err) PB_MUST_CHECK;
/* Appends the file's first line without its end, the way a secret lies in a file. */
int pb_fs_read_line(const char *path, struct pb_buf *ret_line, struct pb_error *err) PB_MUST_CHECK;
/* Temporary file, fsync, rename, fsync of the folder: the old or the new content, never a mix. */
int pb_fs_write(int dirfd, const char *path, const void *data, size_t len, mode_t mode,
                struct pb_error *err) PB_MUST_CHECK;
/* mkdir -p; `mode` for the ones it makes. An existing folder is success. */
int pb_fs_mkdirs(const char *path, mode_t mode, struct pb_error *err) PB_MUST_CHECK;
/* Opens a path from outside beneath dirfd: no symlinks, no "..", no magic links (openat2). For the box, whose paths
 * come from tasks. */
int pb_fs_open_beneath(int dirfd, const char *path, int flags, mode_t mode,
                       struct pb_error *err) PB_MUST_CHECK;
/* Exclusive flock on a file that is made if missing and says our pid. CONFLICT (with the holder's pid
 * in the message) when another process has it. The lock lasts as long as the returned descriptor. */
int pb_fs_lock(const char *path, struct pb_error *err) PB_MUST_CHECK;
/* rm -r beneath dirfd, not following links. A missing path is success. */
int pb_fs_remove_tree(int dirfd, const char *path, struct pb_error *err) PB_MUST_CHECK;
/* Bytes free for ordinary users on the file system of `path`; -1 if unknown. */
int64_t pb_fs_free_bytes(const char *path);
/* All of it, also across EINTR and short writes. */
int pb_fs_write_all(int fd, const void *data, size_t len, struct pb_error *err) PB_MUST_CHECK;
void pb_close(int *fd); /* closes and sets to -1; -1 is fine */

#endif
