#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/text.h"
#include "model/limits.h"
#include "server/store/log_journal_private.h"
#include "server/store/log_segment_private.h"

enum {
    MAGIC = 0x4a4c4250, /* "PBLJ" */
    AT_CRC = 4,
    AT_LEN = 8,
    AT_TYPE = 12,
    AT_EXECUTION = 16,
    AT_ATTEMPT = 44,
    AT_COUNT = 48,
    AT_SEQ = 52,
    AT_LINE = 60,
    AT_OFFSET = 68,
    HEADER = 76,
    BATCH_MAX = 64 << 20,
    NAME_MAX_BYTES = 40,
};

/* --- bytes --------------------------------------------------------------------------------------- */

void pb_put_u32(unsigned char *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (unsigned char)(value >> (8 * i));
}

void pb_put_u64(unsigned char *at, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        at[i] = (unsigned char)(value >> (8 * i));
}

uint32_t pb_get_u32(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

uint64_t pb_get_u64(const unsigned char *at)
{
    return (uint64_t)pb_get_u32(at) | (uint64_t)pb_get_u32(at + 4) << 32;
}

/* Four bits at a time: 64 bytes of table, fast enough for what a disk takes. */
uint32_t pb_crc32c(uint32_t crc, const void *data, size_t len)
{
    static const uint32_t TABLE[16] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
        0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
        0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
    };
    const unsigned char *at = data;

    crc = ~crc;
    for (size_t i = 0; i < len; i++) {
        crc ^= at[i];
        crc = crc >> 4 ^ TABLE[crc & 15];
        crc = crc >> 4 ^ TABLE[crc & 15];
    }
    return ~crc;
}

static void encode(unsigned char header[HEADER], const struct pb_log_record *record)
{
    uint32_t crc;

    memset(header, 0, HEADER);
    pb_put_u32(header, MAGIC);
    pb_put_u32(header + AT_LEN, (uint32_t)record->len);
    header[AT_TYPE] = (unsigned char)record->type;
    memcpy(header + AT_EXECUTION, record->execution, PB_ULID_TEXT);
    pb_put_u32(header + AT_ATTEMPT, record->attempt);
    pb_put_u32(header + AT_COUNT, record->count);
    pb_put_u64(header + AT_SEQ, record->seq);
    pb_put_u64(header + AT_LINE, record->line);
    pb_put_u64(header + AT_OFFSET, record->offset);
    crc = pb_crc32c(0, header + AT_LEN, HEADER - AT_LEN);
    if (record->len > 0)
        crc = pb_crc32c(crc, record->data, record->len);
    pb_put_u32(header + AT_CRC, crc);
}

/* The record at the start of `data`; false if there is no whole one. */
static bool decode(const unsigned char *data, size_t len, struct pb_log_record *ret_record)
{
    struct pb_log_record record = {0};
    uint32_t crc;

    if (len < HEADER || pb_get_u32(data) != MAGIC)
        return false;
    record.len = pb_get_u32(data + AT_LEN);
    if (record.len > PB_LIMIT_LOG_CHUNK || record.len > len - HEADER)
        return false;
    crc = pb_crc32c(0, data + AT_LEN, HEADER - AT_LEN + record.len);
    if (crc != pb_get_u32(data + AT_CRC))
        return false;
    record.type = (enum pb_log_record_type)data[AT_TYPE];
    memcpy(record.execution, data + AT_EXECUTION, PB_ULID_TEXT);
    record.execution[PB_ULID_TEXT - 1] = '\0';
    record.attempt = pb_get_u32(data + AT_ATTEMPT);
    record.count = pb_get_u32(data + AT_COUNT);
    record.seq = pb_get_u64(data + AT_SEQ);
    record.line = pb_get_u64(data + AT_LINE);
    record.offset = pb_get_u64(data + AT_OFFSET);
    record.data = (const char *)data + HEADER;
    *ret_record = record;
    return pb_ulid_valid(record.execution) && record.type >= PB_LOG_RECORD_LINES &&
           record.type <= PB_LOG_RECORD_DROP;
}

/* --- files --------------------------------------------------------------------------------------- */

static void file_name(uint64_t number, char ret_name[NAME_MAX_BYTES])
{
    snprintf(ret_name, NAME_MAX_BYTES, "journal-%012llu", (unsigned long long)number);
}

int pb_log_journal_create(struct pb_log_journal *journal, int dir, uint64_t number,
                          struct pb_error *err)
{
    char name[NAME_MAX_BYTES];
    int fd;

    file_name(number, name);
    fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return pb_fail_errno(err, "%s", name);
    if (pb_log_sync_names(dir, "log folder", err) < 0) {
        pb_close(&fd);
        (void)unlinkat(dir, name, 0);
        return -1;
    }
    *journal = (struct pb_log_journal){.dir = dir, .fd = fd, .number = number};
    pb_buf_init(&journal->batch, BATCH_MAX);
    return 0;
}

void pb_log_journal_close(struct pb_log_journal *journal)
{
    pb_close(&journal->fd);
    pb_buf_release(&journal->batch);
}

void pb_log_journal_add(struct pb_log_journal *journal, const struct pb_log_record *record)
{
    unsigned char header[HEADER];

    encode(header, record);
    pb_buf_bytes(&journal->batch, header, HEADER);
    pb_buf_bytes(&journal->batch, record->data, record->len);
}

int pb_log_journal_commit(struct pb_log_journal *journal, struct pb_error *err)
{
    size_t len = journal->batch.len;
    int r = -1;

    if (pb_buf_failed(&journal->batch)) {
        pb_fail(err, PB_ERROR_LIMITED, "no memory for the log journal");
        goto out;
    }
    if (pb_log_write_at(journal->fd, pb_buf_string(&journal->batch), len, journal->size) < 0) {
        pb_fail_errno(err, "log journal");
        /* What cannot be undone must not be read after the records of another time. */
        journal->is_broken = ftruncate(journal->fd, (off_t)journal->size) < 0;
        goto out;
    }
    if (pb_log_sync(journal->fd, "log journal", err) < 0)
        goto out;
    journal->size += len;
    r = 0;
out:
    pb_buf_clear(&journal->batch);
    return r;
}

/* --- replay -------------------------------------------------------------------------------------- */

enum { WANT = HEADER + PB_LIMIT_LOG_CHUNK }; /* the largest record */

/* Fills the buffer up to one largest record; short only at the end of the file. */
static int fill(int fd, struct pb_buf *data, bool *is_end, struct pb_error *err)
{
    while (data->len < WANT) {
        char *room = pb_buf_reserve(data, WANT);
        ssize_t got;

        if (!room)
            return pb_fail(err, PB_ERROR_LIMITED, "no memory");
        got = read(fd, room, WANT);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return pb_fail_errno(err, "log journal");
        *is_end = got == 0;
        if (*is_end)
            break;
        data->len += (size_t)got;
    }
    return 0;
}

int pb_log_journal_replay(int dir, uint64_t number, pb_log_replay_fn *fn, void *arg,
                          struct pb_error *err)
{
    struct pb_log_record record;
    char name[NAME_MAX_BYTES];
    struct pb_buf data;
    bool is_end = false;
    size_t at = 0;
    int fd, r = -1;

    file_name(number, name);
    pb_buf_init(&data, 8 << 20);
    fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        pb_fail_errno(err, "%s", name);
        goto out;
    }
    for (;;) {
        if (!is_end && data.len - at < WANT) {
            pb_buf_consume(&data, at);
            at = 0;
            if (fill(fd, &data, &is_end, err) < 0)
                goto out;
        }
        if (!decode((const unsigned char *)pb_buf_string(&data) + at, data.len - at, &record))
            break;
        if (fn(arg, &record, err) < 0)
            goto out;
        at += HEADER + record.len;
    }
    r = 0;
out:
    pb_close(&fd);
    pb_buf_release(&data);
    return r;
}

static int compare_numbers(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return (left > right) - (left < right);
}

int pb_log_journal_list(int dir, uint64_t **ret_numbers, size_t *ret_count, struct pb_error *err)
{
    uint64_t *numbers = NULL, number;
    size_t count = 0;
    struct dirent *entry;
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);

    if (!stream) {
        pb_fail_errno(err, "log folder");
        pb_close(&fd);
        return -1;
    }
    while ((entry = readdir(stream))) {
        uint64_t *moved;
        const char *digits = entry->d_name + strlen("journal-");

        if (!pb_text_starts(entry->d_name, "journal-"))
            continue;
        digits += strspn(digits, "0");
        number = 0;
        if (*digits && !pb_parse_u64(digits, INT64_MAX, &number))
            continue;
        moved = realloc(numbers, (count + 1) * sizeof(*numbers));
        if (!moved) {
            free(numbers);
            closedir(stream);
            return pb_fail(err, PB_ERROR_LIMITED, "no memory");
        }
        numbers = moved;
        numbers[count++] = number;
    }
    closedir(stream);
    if (count > 1)
        qsort(numbers, count, sizeof(*numbers), compare_numbers);
    *ret_numbers = numbers;
    *ret_count = count;
    return 0;
}

void pb_log_journal_unlink(int dir, uint64_t number)
{
    char name[NAME_MAX_BYTES];

    file_name(number, name);
    (void)unlinkat(dir, name, 0);
}
