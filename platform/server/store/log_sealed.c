#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "server/store/log_marks_private.h"
#include "server/store/log_sealed_format_private.h"
#include "server/store/log_sealed_private.h"

enum {
    AT_LINE = 0,
    AT_BYTE = 8,
    AT_AT = 16,
    AT_LINES = 24,
    AT_BYTES = 28,
    AT_PACKED = 32,
    AT_CRC = 36,
    SCAN_BYTES = 1 << 20,
};

/* --- bytes --------------------------------------------------------------------------------------- */

void pb_log_row_encode(unsigned char to[PB_LOG_ROW], const struct pb_log_row *row)
{
    pb_put_u64(to + AT_LINE, row->line);
    pb_put_u64(to + AT_BYTE, row->byte);
    pb_put_u64(to + AT_AT, row->at);
    pb_put_u32(to + AT_LINES, (uint32_t)row->lines);
    pb_put_u32(to + AT_BYTES, (uint32_t)row->bytes);
    pb_put_u32(to + AT_PACKED, row->packed);
    pb_put_u32(to + AT_CRC, pb_crc32c(0, to, AT_CRC));
}

bool pb_log_row_decode(const unsigned char *from, uint64_t file_size, struct pb_log_row *ret_row)
{
    struct pb_log_row row = {
        .line = pb_get_u64(from + AT_LINE),
        .byte = pb_get_u64(from + AT_BYTE),
        .at = pb_get_u64(from + AT_AT),
        .lines = pb_get_u32(from + AT_LINES),
        .bytes = pb_get_u32(from + AT_BYTES),
        .packed = pb_get_u32(from + AT_PACKED),
    };

    if (pb_get_u32(from + AT_CRC) != pb_crc32c(0, from, AT_CRC) || row.line > INT64_MAX ||
        row.byte > INT64_MAX || row.lines == 0 || row.bytes > PB_LOG_BLOCK ||
        row.lines > row.bytes / PB_LOG_LINE_MIN || row.packed == 0 ||
        row.packed > pb_log_zstd_bound(row.bytes) || row.at > file_size ||
        row.packed > file_size - row.at)
        return false;
    *ret_row = row;
    return true;
}

void pb_log_foot_encode(unsigned char to[PB_LOG_FOOT], const struct pb_log_foot *foot)
{
    pb_put_u32(to, foot->rows);
    pb_put_u32(to + 4, foot->marks_len);
    pb_put_u32(to + 8, foot->marks_crc);
    pb_put_u32(to + 12, pb_crc32c(0, to, 12));
    pb_put_u32(to + 16, PB_LOG_MAGIC_FOOT);
}

bool pb_log_foot_decode(const unsigned char *from, uint64_t file_size, struct pb_log_foot *ret_foot)
{
    struct pb_log_foot foot = {pb_get_u32(from), pb_get_u32(from + 4), pb_get_u32(from + 8)};

    if (pb_get_u32(from + 16) != PB_LOG_MAGIC_FOOT ||
        pb_get_u32(from + 12) != pb_crc32c(0, from, 12) || foot.rows > PB_LOG_ROWS_MAX ||
        foot.marks_len > PB_LOG_MARKS_BYTES ||
        (uint64_t)foot.rows * PB_LOG_ROW + foot.marks_len + PB_LOG_FOOT > file_size)
        return false;
    *ret_foot = foot;
    return true;
}

/* --- rows ---------------------------------------------------------------------------------------- */

static int add_row(struct pb_log_sealed *sealed, const struct pb_log_row *row, struct pb_error *err)
{
    if ((sealed->count & (sealed->count - 1)) == 0) { /* full at every power of two */
        size_t room = sealed->count ? sealed->count * 2 : 1;
        struct pb_log_row *moved = realloc(sealed->rows, room * sizeof(*moved));

        if (!moved)
            return pb_fail(err, PB_ERROR_LIMITED, "no memory for the log");
        sealed->rows = moved;
    }
    sealed->rows[sealed->count++] = *row;
    return 0;
}

static void row_end(const struct pb_log_sealed *sealed, uint64_t *ret_line, uint64_t *ret_byte)
{
    const struct pb_log_row *last = sealed->count ? &sealed->rows[sealed->count - 1] : NULL;

    *ret_line = last ? last->line + last->lines : 0;
    *ret_byte = last ? last->byte + last->bytes : 0;
}

/* From the end of the rows up to here nothing is known: a row without a frame. False if that cannot be. */
static bool can_be_lost(const struct pb_log_sealed *sealed, uint64_t line, uint64_t byte,
                        struct pb_log_row *ret_lost)
{
    struct pb_log_row lost = {.packed = 0};

    row_end(sealed, &lost.line, &lost.byte);
    if (line < lost.line || byte < lost.byte)
        return false;
    lost.lines = line - lost.line;
    lost.bytes = byte - lost.byte;
    *ret_lost = lost;
    return lost.lines == 0 ? lost.bytes == 0 : lost.bytes / lost.lines >= PB_LOG_LINE_MIN;
}

/* A row of the file, if it fits to those before and to what the state says is sealed. */
static int take_row(struct pb_log_sealed *sealed, const struct pb_log_state *state,
                    const struct pb_log_row *row, struct pb_error *err)
{
    struct pb_log_row lost;

    if (row->line + row->lines > state->sealed_lines ||
        row->byte + row->bytes > state->sealed_bytes ||
        !can_be_lost(sealed, row->line, row->byte, &lost))
        return 0;
    if (lost.lines > 0 && add_row(sealed, &lost, err) < 0)
        return -1;
    return add_row(sealed, row, err);
}

/* What the file has nothing of. A last row that leaves no room for it cannot be true and goes, too. */
static int take_rest(struct pb_log_sealed *sealed, const struct pb_log_state *state,
                     const char *execution, struct pb_error *err)
{
    struct pb_log_row lost;

    while (!can_be_lost(sealed, state->sealed_lines, state->sealed_bytes, &lost)) {
        if (sealed->count == 0)
            return pb_fail_reason(err, PB_ERROR_INTERNAL, "log_damaged", "log of %s is damaged",
                                  execution);
        sealed->count--;
    }
    return lost.lines > 0 ? add_row(sealed, &lost, err) : 0;
}

/* From the end of the file. 1: it is damaged. */
static int rows_from_end(struct pb_log_sealed *sealed, const struct pb_log_state *state,
                         uint64_t size, struct pb_error *err)
{
    unsigned char foot_bytes[PB_LOG_FOOT];
    struct pb_log_foot foot;
    struct pb_log_row row;
    struct pb_buf rows;
    size_t len;
    char *room;
    int r = 1;

    if (size < PB_LOG_FOOT ||
        pb_log_read_at(sealed->fd, foot_bytes, PB_LOG_FOOT, size - PB_LOG_FOOT) != PB_LOG_FOOT ||
        !pb_log_foot_decode(foot_bytes, size, &foot))
        return 1;
    len = (size_t)foot.rows * PB_LOG_ROW;
    sealed->marks_len = foot.marks_len;
    sealed->marks_at = size - PB_LOG_FOOT - foot.marks_len;
    sealed->marks_crc = foot.marks_crc;
    pb_buf_init(&rows, len + 1);
    room = pb_buf_reserve(&rows, len);
    if (!room)
        r = pb_fail(err, PB_ERROR_LIMITED, "no memory for the log");
    else if (pb_log_read_at(sealed->fd, room, len, sealed->marks_at - len) == (ssize_t)len)
        r = 0;
    for (uint32_t i = 0; i < foot.rows && r == 0; i++)
        r = !pb_log_row_decode((unsigned char *)room + (size_t)i * PB_LOG_ROW, size, &row)
                ? 1
                : take_row(sealed, state, &row, err);
    sealed->has_marks = r == 0;
    pb_buf_release(&rows);
    return r;
}

/* Every tag in [data, data + len), which is at `offset` of the file. */
static int rows_in(struct pb_log_sealed *sealed, const struct pb_log_state *state, uint64_t size,
                   const char *data, size_t len, uint64_t offset, struct pb_error *err)
{
    unsigned char head[PB_LOG_SKIPPABLE];
    const char *at = data, *end = data + len;
    struct pb_log_row row;

    pb_put_u32(head, PB_LOG_MAGIC_TAG);
    pb_put_u32(head + 4, PB_LOG_ROW);
    for (; (at = memmem(at, (size_t)(end - at), head, sizeof(head))); at++) {
        if (end - at < PB_LOG_TAG)
            break;
        if (pb_log_row_decode((const unsigned char *)at + PB_LOG_SKIPPABLE, size, &row) &&
            row.at == offset + (uint64_t)(at - data) + PB_LOG_TAG &&
            take_row(sealed, state, &row, err) < 0)
            return -1;
    }
    return 0;
}

/* From the tags between the frames, wherever they are. */
static int rows_from_tags(struct pb_log_sealed *sealed, const struct pb_log_state *state,
                          uint64_t size, struct pb_error *err)
{
    uint64_t offset = 0;
    struct pb_buf data;
    int r = 0;

    sealed->count = 0;
    pb_buf_init(&data, SCAN_BYTES + 1);
    while (r == 0 && offset < size) {
        char *room = pb_buf_reserve(&data, SCAN_BYTES);
        ssize_t got = room ? pb_log_read_at(sealed->fd, room, SCAN_BYTES, offset) : -1;

        if (!room)
            r = pb_fail(err, PB_ERROR_LIMITED, "no memory for the log");
        if (got <= 0) /* a place that cannot be read: what was found counts */
            break;
        r = rows_in(sealed, state, size, room, (size_t)got, offset, err);
        offset += got > PB_LOG_TAG ? (uint64_t)got - PB_LOG_TAG + 1 : (uint64_t)got;
    }
    pb_buf_release(&data);
    return r;
}

int pb_log_sealed_open(int dir, const char *execution, const struct pb_log_state *state,
                       struct pb_log_sealed *ret_sealed, struct pb_error *err)
{
    struct pb_log_sealed sealed = {.fd = -1};
    char path[PB_LOG_PATH];
    struct stat stat;
    int r = 1;

    pb_log_path(execution, ".zst", path);
    if (state->sealed_lines > 0)
        sealed.fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (sealed.fd < 0 && state->sealed_lines > 0 && errno != ENOENT)
        return pb_fail_errno(err, "%s", path);
    if (sealed.fd >= 0) {
        r = fstat(sealed.fd, &stat) < 0
                ? pb_fail_errno(err, "%s", path)
                : rows_from_end(&sealed, state, (uint64_t)stat.st_size, err);
        if (r > 0)
            r = rows_from_tags(&sealed, state, (uint64_t)stat.st_size, err);
    }
    if (r >= 0)
        r = take_rest(&sealed, state, execution, err);
    if (r < 0)
        pb_log_sealed_close(&sealed);
    else
        *ret_sealed = sealed;
    return r;
}

void pb_log_sealed_close(struct pb_log_sealed *sealed)
{
    pb_close(&sealed->fd);
    free(sealed->rows);
    *sealed = (struct pb_log_sealed){.fd = -1};
}

/* --- reading ------------------------------------------------------------------------------------- */

const struct pb_log_row *pb_log_sealed_row(const struct pb_log_sealed *sealed, uint64_t line)
{
    size_t low = 0, high = sealed->count;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (sealed->rows[middle].line <= line)
            low = middle;
        else
            high = middle;
    }
    return &sealed->rows[low];
}

int pb_log_sealed_read(const struct pb_log_sealed *sealed, const struct pb_log_row *row,
                       struct pb_log_zstd *zstd, struct pb_buf *text, bool *ret_is_good,
                       struct pb_error *err)
{
    struct pb_buf frame;
    char *packed, *room;

    *ret_is_good = false;
    if (row->packed == 0)
        return 0;
    pb_buf_clear(text);
    pb_buf_init(&frame, row->packed + 1);
    packed = pb_buf_reserve(&frame, row->packed);
    room = pb_buf_reserve(text, row->bytes);
    if (packed && room &&
        pb_log_read_at(sealed->fd, packed, row->packed, row->at) == (ssize_t)row->packed &&
        pb_log_zstd_unpack(zstd, packed, row->packed, room, row->bytes)) {
        text->len = row->bytes;
        *ret_is_good = true;
    }
    pb_buf_release(&frame);
    return packed && room ? 0 : pb_fail(err, PB_ERROR_LIMITED, "no memory for the log");
}

bool pb_log_sealed_marks(const struct pb_log_sealed *sealed, struct pb_buf *ret_packed)
{
    char *room = sealed->has_marks ? pb_buf_reserve(ret_packed, sealed->marks_len) : NULL;

    if (!room ||
        pb_log_read_at(sealed->fd, room, sealed->marks_len, sealed->marks_at) !=
            (ssize_t)sealed->marks_len ||
        pb_crc32c(0, room, sealed->marks_len) != sealed->marks_crc)
        return false;
    ret_packed->len += sealed->marks_len;
    return true;
}
