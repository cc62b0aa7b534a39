#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "server/store/log_journal_private.h"
#include "server/store/log_segment_private.h"

enum {
    SLOT_MAGIC = 0x53494250, /* "PBIS" */
    SLOT_BYTES = 2048,
    SLOTS = 2,
    ENTRIES_AT = 4096,
    AT_CRC = 4,
    AT_GENERATION = 8,
    AT_LINES = 16,
    AT_BYTES = 24,
    AT_COMPLETE = 32,
    AT_SENDERS = 36,
    AT_FIRST_SENDER = 40,
    SENDER_BYTES = 12,
    READ_BYTES = 64 << 10,
    MONTH = 7, /* "2026-11" */
};

/* --- paths --------------------------------------------------------------------------------------- */

/* The 48 bits of time in a ULID's first ten characters. */
static int64_t ulid_time(const char *ulid)
{
    static const char DIGITS[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    int64_t ms = 0;

    for (int i = 0; i < 10; i++) {
        const char *digit = strchr(DIGITS, ulid[i]);

        ms = ms * 32 + (digit && *digit ? digit - DIGITS : 0);
    }
    return ms;
}

void pb_log_path(const char *execution, const char *suffix, char ret_path[PB_LOG_PATH])
{
    char time[PB_CLOCK_TEXT];

    pb_clock_format(ulid_time(execution), time);
    snprintf(ret_path, PB_LOG_PATH, "%.*s/%.26s%s", MONTH, time, execution, suffix);
}

/* --- senders ------------------------------------------------------------------------------------- */

struct pb_log_sender *pb_log_sender(struct pb_log_state *state, uint32_t attempt)
{
    struct pb_log_sender *place = NULL;

    for (uint32_t i = 0; i < state->sender_count; i++) {
        if (state->senders[i].attempt == attempt)
            return &state->senders[i];
        if (state->senders[i].attempt != 0 && /* 0 is the platform, which is never old */
            (!place || state->senders[i].attempt < place->attempt))
            place = &state->senders[i];
    }
    if (state->sender_count < PB_LIMIT_LOG_ATTEMPTS)
        place = &state->senders[state->sender_count++];
    *place = (struct pb_log_sender){.attempt = attempt};
    return place;
}

uint64_t pb_log_sender_next(const struct pb_log_state *state, uint32_t attempt)
{
    for (uint32_t i = 0; i < state->sender_count; i++) {
        if (state->senders[i].attempt == attempt)
            return state->senders[i].next;
    }
    return 0;
}

/* --- state --------------------------------------------------------------------------------------- */

static void encode_slot(unsigned char slot[SLOT_BYTES], const struct pb_log_state *state,
                        uint64_t generation)
{
    memset(slot, 0, SLOT_BYTES);
    pb_put_u32(slot, SLOT_MAGIC);
    pb_put_u64(slot + AT_GENERATION, generation);
    pb_put_u64(slot + AT_LINES, state->lines);
    pb_put_u64(slot + AT_BYTES, state->bytes);
    pb_put_u32(slot + AT_COMPLETE, state->is_complete);
    pb_put_u32(slot + AT_SENDERS, state->sender_count);
    for (uint32_t i = 0; i < state->sender_count; i++) {
        unsigned char *at = slot + AT_FIRST_SENDER + SENDER_BYTES * i;

        pb_put_u32(at, state->senders[i].attempt);
        pb_put_u64(at + 4, state->senders[i].next);
    }
    pb_put_u32(slot + AT_CRC, pb_crc32c(0, slot + AT_GENERATION, SLOT_BYTES - AT_GENERATION));
}

static bool decode_slot(const unsigned char slot[SLOT_BYTES], struct pb_log_state *ret_state,
                        uint64_t *ret_generation)
{
    struct pb_log_state state = {0};

    if (pb_get_u32(slot) != SLOT_MAGIC ||
        pb_get_u32(slot + AT_CRC) !=
            pb_crc32c(0, slot + AT_GENERATION, SLOT_BYTES - AT_GENERATION) ||
        pb_get_u32(slot + AT_SENDERS) > PB_LIMIT_LOG_ATTEMPTS)
        return false;
    state.lines = pb_get_u64(slot + AT_LINES);
    state.bytes = pb_get_u64(slot + AT_BYTES);
    state.is_complete = pb_get_u32(slot + AT_COMPLETE) != 0;
    state.sender_count = pb_get_u32(slot + AT_SENDERS);
    for (uint32_t i = 0; i < state.sender_count; i++) {
        const unsigned char *at = slot + AT_FIRST_SENDER + SENDER_BYTES * i;

        state.senders[i] = (struct pb_log_sender){pb_get_u32(at), pb_get_u64(at + 4)};
    }
    *ret_state = state;
    *ret_generation = pb_get_u64(slot + AT_GENERATION);
    return true;
}

/* All of it unless the file ends before; the number of bytes, -1 on failure. */
static ssize_t read_at(int fd, void *data, size_t len, uint64_t offset)
{
    size_t done = 0;

    while (done < len) {
        ssize_t got = pread(fd, (char *)data + done, len - done, (off_t)(offset + done));

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (ssize_t)done;
}

static int write_at(int fd, const void *data, size_t len, uint64_t offset)
{
    const char *at = data;

    while (len > 0) {
        ssize_t written = pwrite(fd, at, len, (off_t)offset);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -1;
        at += written;
        len -= (size_t)written;
        offset += (uint64_t)written;
    }
    return 0;
}

int pb_log_state_load(int dir, const char *execution, struct pb_log_state *ret_state,
                      uint64_t *ret_generation, struct pb_error *err)
{
    unsigned char slots[SLOTS * SLOT_BYTES] = {0};
    struct pb_log_state state = {0}, other;
    uint64_t generation = 0, other_generation;
    char path[PB_LOG_PATH];
    ssize_t got;
    int fd;

    pb_log_path(execution, ".idx", path);
    fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno != ENOENT)
        return pb_fail_errno(err, "%s", path);
    if (fd >= 0) {
        got = read_at(fd, slots, sizeof(slots), 0);
        if (got < 0)
            pb_fail_errno(err, "%s", path);
        pb_close(&fd);
        if (got < 0)
            return -1;
        for (int i = 0; i < SLOTS; i++) {
            if (decode_slot(slots + (size_t)i * SLOT_BYTES, &other, &other_generation) &&
                other_generation > generation) {
                state = other;
                generation = other_generation;
            }
        }
    }
    *ret_state = state;
    *ret_generation = generation;
    return 0;
}

static int sync_log(int dir, const char *execution, struct pb_error *err)
{
    char path[PB_LOG_PATH];
    int fd, r;

    pb_log_path(execution, ".log", path);
    fd = openat(dir, path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? 0 : pb_fail_errno(err, "%s", path);
    r = fdatasync(fd) < 0 ? pb_fail_errno(err, "%s", path) : 0;
    pb_close(&fd);
    return r;
}

int pb_log_state_save(int dir, const char *execution, const struct pb_log_state *state,
                      uint64_t generation, struct pb_error *err)
{
    unsigned char slot[SLOT_BYTES];
    char path[PB_LOG_PATH];
    int fd, r = 0;

    if (sync_log(dir, execution, err) < 0)
        return -1;
    pb_log_path(execution, ".idx", path);
    fd = openat(dir, path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? 0 : pb_fail_errno(err, "%s", path);
    encode_slot(slot, state, generation);
    if (write_at(fd, slot, SLOT_BYTES, generation % SLOTS * SLOT_BYTES) < 0 || fdatasync(fd) < 0)
        r = pb_fail_errno(err, "%s", path);
    pb_close(&fd);
    return r;
}

/* --- writing ------------------------------------------------------------------------------------- */

static int open_made(int dir, const char *path, struct pb_error *err)
{
    int flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW;
    int fd = openat(dir, path, flags, 0600);

    if (fd < 0 && errno == ENOENT) {
        char month[MONTH + 1];

        memcpy(month, path, MONTH);
        month[MONTH] = '\0';
        if (mkdirat(dir, month, 0700) < 0 && errno != EEXIST)
            return pb_fail_errno(err, "%s", month);
        fd = openat(dir, path, flags, 0600);
    }
    return fd < 0 ? pb_fail_errno(err, "%s", path) : fd;
}

int pb_log_segment_open(int dir, const char *execution, uint64_t bytes, struct pb_error *err)
{
    char path[PB_LOG_PATH];
    struct stat stat;
    int index, fd;

    pb_log_path(execution, ".idx", path);
    index = open_made(dir, path, err);
    if (index < 0)
        return -1;
    pb_close(&index);
    pb_log_path(execution, ".log", path);
    fd = open_made(dir, path, err);
    if (fd < 0)
        return -1;
    if (fstat(fd, &stat) < 0 || ftruncate(fd, (off_t)bytes) < 0) {
        pb_fail_errno(err, "%s", path);
        pb_close(&fd);
        return -1;
    }
    if ((uint64_t)stat.st_size < bytes) {
        (void)!ftruncate(fd, stat.st_size);
        pb_close(&fd);
        return pb_fail_reason(err, PB_ERROR_INTERNAL, "log_damaged",
                              "%s has %lld bytes where %llu were stored", path,
                              (long long)stat.st_size, (unsigned long long)bytes);
    }
    return fd;
}

/* Entries for the lines in `data` whose number is a multiple of the step. */
static int write_index(int dir, const char *execution, const struct pb_log_state *state,
                       const char *data, size_t len, uint32_t count, struct pb_error *err)
{
    uint64_t line = state->lines, offset = state->bytes;
    char path[PB_LOG_PATH];
    const char *at = data;
    int fd = -1, r = 0;

    if ((line + PB_LOG_INDEX_STEP - 1) / PB_LOG_INDEX_STEP * PB_LOG_INDEX_STEP >= line + count)
        return 0; /* none of them */
    pb_log_path(execution, ".idx", path);
    fd = openat(dir, path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return pb_fail_errno(err, "%s", path);
    for (; at < data + len; line++) {
        const char *end = memchr(at, '\n', len - (size_t)(at - data));
        unsigned char entry[8];

        if (line % PB_LOG_INDEX_STEP == 0) {
            pb_put_u64(entry, offset + (uint64_t)(at - data));
            if (write_at(fd, entry, sizeof(entry), ENTRIES_AT + line / PB_LOG_INDEX_STEP * 8) < 0) {
                r = pb_fail_errno(err, "%s", path);
                break;
            }
        }
        if (!end)
            break;
        at = end + 1;
    }
    pb_close(&fd);
    return r;
}

int pb_log_segment_write(int dir, int fd, const char *execution, struct pb_log_state *state,
                         const char *data, size_t len, uint32_t count, struct pb_error *err)
{
    if (write_at(fd, data, len, state->bytes) < 0)
        return pb_fail_errno(err, "log of %s", execution);
    if (write_index(dir, execution, state, data, len, count, err) < 0)
        return -1;
    state->lines += count;
    state->bytes += len;
    return 0;
}

int pb_log_folder_sync(int dir, const char *path, struct pb_error *err)
{
    int fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), r;

    if (fd < 0)
        return errno == ENOENT ? 0 : pb_fail_errno(err, "log folder %s", path);
    r = fsync(fd) < 0 ? pb_fail_errno(err, "log folder %s", path) : 0;
    pb_close(&fd);
    return r;
}

int pb_log_segment_remove(int dir, const char *execution, struct pb_error *err)
{
    static const char *const SUFFIXES[] = {".idx", ".log"};
    char path[PB_LOG_PATH];

    for (int i = 0; i < 2; i++) {
        pb_log_path(execution, SUFFIXES[i], path);
        if (unlinkat(dir, path, 0) < 0 && errno != ENOENT)
            return pb_fail_errno(err, "%s", path);
    }
    return 0;
}

/* --- reading ------------------------------------------------------------------------------------- */

/* Where the line at or before `line` that the index knows begins. */
static int find_entry(int dir, const char *execution, uint64_t line, uint64_t *ret_offset,
                      struct pb_error *err)
{
    unsigned char entry[8];
    char path[PB_LOG_PATH];
    ssize_t got;
    int fd;

    if (line < PB_LOG_INDEX_STEP) {
        *ret_offset = 0;
        return 0;
    }
    pb_log_path(execution, ".idx", path);
    fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return pb_fail_errno(err, "%s", path);
    got = read_at(fd, entry, sizeof(entry), ENTRIES_AT + line / PB_LOG_INDEX_STEP * 8);
    pb_close(&fd);
    if (got != (ssize_t)sizeof(entry))
        return pb_fail(err, PB_ERROR_INTERNAL, "%s: entry of line %llu is missing", path,
                       (unsigned long long)line);
    *ret_offset = pb_get_u64(entry);
    return 0;
}

/* Moves *offset forward over `lines` line ends. */
static int skip_lines(int fd, uint64_t lines, uint64_t end, uint64_t *offset, struct pb_error *err)
{
    char data[READ_BYTES];

    while (lines > 0 && *offset < end) {
        uint64_t left = end - *offset;
        ssize_t got = read_at(fd, data, left < READ_BYTES ? (size_t)left : READ_BYTES, *offset);
        const char *at = data, *stop;

        if (got <= 0)
            return pb_fail(err, PB_ERROR_INTERNAL, "a log is shorter than its index says");
        stop = data + got;
        while (lines > 0 && at < stop) {
            const char *line_end = memchr(at, '\n', (size_t)(stop - at));

            at = line_end ? line_end + 1 : stop;
            lines -= line_end != NULL;
        }
        *offset += (uint64_t)(at - data);
    }
    return 0;
}

/* Appends lines from *offset on; stops at `count`, at `end`, or when the buffer would be full. */
static int copy_lines(int fd, uint64_t offset, uint64_t end, uint64_t count,
                      struct pb_buf *ret_data, uint64_t *ret_count, struct pb_error *err)
{
    uint64_t copied = 0;
    size_t whole = ret_data->len; /* up to here only whole lines */
    size_t scanned = ret_data->len;

    while (copied < count && offset < end && ret_data->len < ret_data->max) {
        size_t room = ret_data->max - ret_data->len;
        size_t want = end - offset < READ_BYTES ? (size_t)(end - offset) : READ_BYTES;
        char *at;
        ssize_t got;

        want = want < room ? want : room;
        at = pb_buf_reserve(ret_data, want);
        if (!at)
            return pb_fail(err, PB_ERROR_LIMITED, "no memory for the log");
        got = read_at(fd, at, want, offset);
        if (got <= 0)
            return pb_fail(err, PB_ERROR_INTERNAL, "a log is shorter than its index says");
        ret_data->len += (size_t)got;
        offset += (uint64_t)got;
        while (copied < count && scanned < ret_data->len) {
            const char *line_end = memchr(ret_data->data + scanned, '\n', ret_data->len - scanned);

            scanned = line_end ? (size_t)(line_end + 1 - ret_data->data) : ret_data->len;
            if (line_end) {
                whole = scanned;
                copied++;
            }
        }
    }
    ret_data->len = whole;
    if (ret_data->data)
        ret_data->data[whole] = '\0';
    *ret_count = copied;
    return 0;
}

int pb_log_segment_read(int dir, const char *execution, const struct pb_log_state *state,
                        uint64_t from, uint64_t count, struct pb_buf *ret_data, uint64_t *ret_count,
                        struct pb_error *err)
{
    char path[PB_LOG_PATH];
    uint64_t offset;
    int fd, r = -1;

    if (from >= state->lines || count == 0) {
        *ret_count = 0;
        return 0;
    }
    if (find_entry(dir, execution, from, &offset, err) < 0)
        return -1;
    pb_log_path(execution, ".log", path);
    fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return pb_fail_errno(err, "%s", path);
    if (skip_lines(fd, from % PB_LOG_INDEX_STEP, state->bytes, &offset, err) == 0)
        r = copy_lines(fd, offset, state->bytes, count, ret_data, ret_count, err);
    pb_close(&fd);
    return r;
}
