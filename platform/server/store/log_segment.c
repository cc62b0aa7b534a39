#include <assert.h>
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
    ENTRY = 8,
    AT_CRC = 4,
    AT_GENERATION = 8,
    AT_LINES = 16,
    AT_BYTES = 24,
    AT_COMPLETE = 32,
    AT_SENDERS = 36,
    AT_FIRST_SENDER = 40,
    SENDER_BYTES = 12,
    AT_SEALED_LINES = 1024, /* behind the senders; zeros in slots of earlier versions */
    AT_SEALED_BYTES = 1032,
    AT_DROPPED = 1040,
    AT_BIRTH = 1048,
    MONTH = 7, /* "2026-11" */
};

static_assert(AT_FIRST_SENDER + SENDER_BYTES * PB_LIMIT_LOG_ATTEMPTS <= AT_SEALED_LINES,
              "the senders fit before what follows them");

/* --- paths --------------------------------------------------------------------------------------- */

/* The 48 bits of time in a ULID's first ten characters. */
int64_t pb_log_ulid_time(const char *ulid)
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

    pb_clock_format(pb_log_ulid_time(execution), time);
    snprintf(ret_path, PB_LOG_PATH, "%.*s/%.26s%s", MONTH, time, execution, suffix);
}

void pb_log_month(const char *execution, char ret_month[PB_LOG_PATH])
{
    pb_log_path(execution, "", ret_month);
    ret_month[MONTH] = '\0';
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
    pb_put_u64(slot + AT_SEALED_LINES, state->sealed_lines);
    pb_put_u64(slot + AT_SEALED_BYTES, state->sealed_bytes);
    pb_put_u64(slot + AT_DROPPED, state->dropped);
    pb_put_u32(slot + AT_BIRTH, state->birth);
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
        pb_get_u32(slot + AT_SENDERS) > PB_LIMIT_LOG_ATTEMPTS ||
        pb_get_u64(slot + AT_SEALED_LINES) > pb_get_u64(slot + AT_LINES) ||
        pb_get_u64(slot + AT_SEALED_BYTES) > pb_get_u64(slot + AT_BYTES))
        return false;
    state.lines = pb_get_u64(slot + AT_LINES);
    state.bytes = pb_get_u64(slot + AT_BYTES);
    state.is_complete = pb_get_u32(slot + AT_COMPLETE) != 0;
    state.sealed_lines = pb_get_u64(slot + AT_SEALED_LINES);
    state.sealed_bytes = pb_get_u64(slot + AT_SEALED_BYTES);
    state.dropped = pb_get_u64(slot + AT_DROPPED);
    state.birth = pb_get_u32(slot + AT_BIRTH);
    state.sender_count = pb_get_u32(slot + AT_SENDERS);
    for (uint32_t i = 0; i < state.sender_count; i++) {
        const unsigned char *at = slot + AT_FIRST_SENDER + SENDER_BYTES * i;

        state.senders[i] = (struct pb_log_sender){pb_get_u32(at), pb_get_u64(at + 4)};
    }
    *ret_state = state;
    *ret_generation = pb_get_u64(slot + AT_GENERATION);
    return true;
}

ssize_t pb_log_read_at(int fd, void *data, size_t len, uint64_t offset)
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

int pb_log_write_at(int fd, const void *data, size_t len, uint64_t offset)
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
        got = pb_log_read_at(fd, slots, sizeof(slots), 0);
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

static int sync_result(int r, const char *what, struct pb_error *err)
{
    if (r == 0)
        return 0;
    return pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "disk_error", "%s cannot be synced: %s", what,
                          strerrordesc_np(errno));
}

int pb_log_sync(int fd, const char *what, struct pb_error *err)
{
    return sync_result(fdatasync(fd), what, err);
}

int pb_log_sync_names(int fd, const char *what, struct pb_error *err)
{
    return sync_result(fsync(fd), what, err); /* fdatasync() may pass over names in a folder */
}

int pb_log_state_write(int dir, const char *execution, const struct pb_log_state *state,
                       uint64_t generation, struct pb_error *err)
{
    unsigned char slot[SLOT_BYTES];
    char path[PB_LOG_PATH];
    int fd, r;

    pb_log_path(execution, ".idx", path);
    fd = openat(dir, path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? 0 : pb_fail_errno(err, "%s", path);
    encode_slot(slot, state, generation);
    r = pb_log_write_at(fd, slot, SLOT_BYTES, generation % SLOTS * SLOT_BYTES);
    r = r < 0 ? pb_fail_errno(err, "%s", path) : pb_log_sync(fd, path, err);
    pb_close(&fd);
    return r;
}

int pb_log_state_save(int dir, const char *execution, const struct pb_log_state *state,
                      uint64_t generation, struct pb_error *err)
{
    char path[PB_LOG_PATH];
    int fd, r = 0;

    pb_log_path(execution, ".log", path);
    fd = openat(dir, path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno != ENOENT)
        return pb_fail_errno(err, "%s", path);
    if (fd >= 0)
        r = pb_log_sync(fd, path, err);
    pb_close(&fd);
    return r < 0 ? -1 : pb_log_state_write(dir, execution, state, generation, err);
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

int pb_log_segment_open(int dir, const char *execution, const struct pb_log_state *state,
                        struct pb_error *err)
{
    char path[PB_LOG_PATH];
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
    if (ftruncate(fd, (off_t)(state->bytes - state->sealed_bytes)) < 0) {
        pb_fail_errno(err, "%s", path);
        pb_close(&fd);
    }
    return fd;
}

/* Entries for the lines in `data` whose number in the segment is a multiple of the step. */
static int write_index(int dir, const char *execution, const struct pb_log_state *state,
                       const char *data, size_t len, uint32_t count, struct pb_error *err)
{
    uint64_t line = state->lines - state->sealed_lines;
    uint64_t offset = state->bytes - state->sealed_bytes;
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
        unsigned char entry[ENTRY];

        if (line % PB_LOG_INDEX_STEP == 0) {
            pb_put_u64(entry, offset + (uint64_t)(at - data));
            if (pb_log_write_at(fd, entry, ENTRY, ENTRIES_AT + line / PB_LOG_INDEX_STEP * ENTRY) <
                0) {
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

int pb_log_index_read(int fd, uint64_t *ret_entries, uint64_t count)
{
    ssize_t got = pb_log_read_at(fd, ret_entries, count * ENTRY, ENTRIES_AT);

    for (ssize_t i = 0; i < got / ENTRY; i++)
        ret_entries[i] = pb_get_u64((unsigned char *)&ret_entries[i]);
    return got < 0 ? -1 : 0;
}

int pb_log_segment_write(int dir, int fd, const char *execution, struct pb_log_state *state,
                         const char *data, size_t len, uint32_t count, struct pb_error *err)
{
    if (pb_log_write_at(fd, data, len, state->bytes - state->sealed_bytes) < 0)
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
    r = pb_log_sync_names(fd, path, err);
    pb_close(&fd);
    return r;
}

int pb_log_segment_remove(int dir, const char *execution, struct pb_error *err)
{
    static const char *const SUFFIXES[] = {".idx", ".log", ".zst"};
    char path[PB_LOG_PATH];

    for (size_t i = 0; i < sizeof(SUFFIXES) / sizeof(SUFFIXES[0]); i++) {
        pb_log_path(execution, SUFFIXES[i], path);
        if (unlinkat(dir, path, 0) < 0 && errno != ENOENT)
            return pb_fail_errno(err, "%s", path);
    }
    return 0;
}
