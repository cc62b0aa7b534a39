/* Writes a sealed log: old frames as they are, the segment's lines in new ones, the end. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "model/limits.h"
#include "server/store/log_marks_private.h"
#include "server/store/log_sealed_format_private.h"

enum { ROWS_BYTES = PB_LOG_ROWS_MAX * PB_LOG_ROW, COPY_BYTES = 1 << 20, TEXT_MAX = 8 << 20 };

struct making {
    int dir;
    const char *execution;
    const struct pb_log_state *state;
    bool (*is_unwanted)(void *arg);
    void *arg;
    struct pb_log_sealed old;
    struct pb_log_zstd *zstd;
    int in;  /* the .log */
    int out; /* the new file */
    uint64_t size;
    uint64_t line, byte; /* taken so far */
    struct pb_buf text, packed, rows;
    uint32_t row_count;
    struct pb_log_packed_marks marks;
    struct pb_log_marking marking;
};

static int put(struct making *m, const void *data, size_t len, struct pb_error *err)
{
    if (m->is_unwanted(m->arg))
        return pb_fail_reason(err, PB_ERROR_CONFLICT, "unwanted", "the log is in use again");
    if (pb_log_write_at(m->out, data, len, m->size) < 0)
        return pb_fail_errno(err, "sealing the log of %s", m->execution);
    m->size += len;
    return 0;
}

static void add_row(struct making *m, const struct pb_log_row *row)
{
    unsigned char bytes[PB_LOG_ROW];

    pb_log_row_encode(bytes, row);
    pb_buf_bytes(&m->rows, bytes, PB_LOG_ROW);
    m->row_count++;
}

/* --- what was sealed before ----------------------------------------------------------------------- */

static int copy_file(struct making *m, uint64_t upto, struct pb_error *err)
{
    for (uint64_t at = 0; at < upto;) {
        size_t want = upto - at < COPY_BYTES ? (size_t)(upto - at) : COPY_BYTES;
        char *room;

        pb_buf_clear(&m->packed);
        room = pb_buf_reserve(&m->packed, want);
        if (!room)
            return pb_fail(err, PB_ERROR_LIMITED, "no memory to seal a log");
        if (pb_log_read_at(m->old.fd, room, want, at) != (ssize_t)want)
            return pb_fail_reason(err, PB_ERROR_INTERNAL, "log_damaged",
                                  "the sealed log of %s cannot be read", m->execution);
        if (put(m, room, want, err) < 0)
            return -1;
        at += want;
    }
    return 0;
}

static int keep_mark(void *arg, const struct pb_log_mark *mark)
{
    struct making *m = arg;

    /* Behind a seal that came to nothing there may be marks of lines that the state does not count. */
    return mark->line < m->state->sealed_lines ? pb_log_marks_pack(&m->marks, mark) : 1;
}

/* The marks of the old frames: kept, or found once more. */
static int take_old_marks(struct making *m, struct pb_error *err)
{
    bool is_good;
    int r;

    pb_buf_clear(&m->packed);
    if (pb_log_sealed_marks(&m->old, &m->packed) &&
        pb_log_marks_unpack(pb_buf_string(&m->packed), m->packed.len, keep_mark, m, &r))
        return 0;
    pb_log_marks_release(&m->marks);
    pb_log_marks_init(&m->marks);
    for (size_t i = 0; i < m->old.count; i++) {
        if (pb_log_sealed_read(&m->old, &m->old.rows[i], m->zstd, &m->text, &is_good, err) < 0)
            return -1;
        if (is_good)
            (void)pb_log_marks_find(&m->marking, m->old.rows[i].line, m->text.data, m->text.len);
    }
    return 0;
}

static int take_old(struct making *m, struct pb_error *err)
{
    uint64_t end = 0;

    for (size_t i = 0; i < m->old.count; i++) {
        const struct pb_log_row *row = &m->old.rows[i];

        if (row->packed == 0)
            continue;
        add_row(m, row);
        end = row->at + row->packed > end ? row->at + row->packed : end;
    }
    m->line = m->state->sealed_lines;
    m->byte = m->state->sealed_bytes;
    return copy_file(m, end, err) < 0 ? -1 : take_old_marks(m, err);
}

/* --- what is in the segment ------------------------------------------------------------------------ */

static int put_frame(struct making *m, const char *text, size_t len, uint64_t lines,
                     struct pb_error *err)
{
    static const unsigned char ROOM[PB_LOG_TAG];
    struct pb_log_row row = {m->line, m->byte, lines, len, m->size + PB_LOG_TAG, 0};
    unsigned char *tag;

    pb_buf_clear(&m->packed);
    pb_buf_bytes(&m->packed, ROOM, PB_LOG_TAG);
    if (pb_log_zstd_pack(m->zstd, text, len, &m->packed, err) < 0)
        return -1;
    row.packed = (uint32_t)(m->packed.len - PB_LOG_TAG);
    tag = (unsigned char *)m->packed.data;
    pb_put_u32(tag, PB_LOG_MAGIC_TAG);
    pb_put_u32(tag + 4, PB_LOG_ROW);
    pb_log_row_encode(tag + PB_LOG_SKIPPABLE, &row);
    add_row(m, &row);
    (void)pb_log_marks_find(&m->marking, m->line, text, len); /* packing never has enough */
    m->line += lines;
    m->byte += len;
    return put(m, m->packed.data, m->packed.len, err);
}

/* Whole lines of at most one frame. */
static int take_piece(struct making *m, struct pb_error *err)
{
    uint64_t left = m->state->bytes - m->byte, lines;
    size_t want = left < PB_LOG_BLOCK ? (size_t)left : PB_LOG_BLOCK, len;
    const char *last;
    char *room;

    pb_buf_clear(&m->text);
    room = pb_buf_reserve(&m->text, want);
    if (!room)
        return pb_fail(err, PB_ERROR_LIMITED, "no memory to seal a log");
    last = pb_log_read_at(m->in, room, want, m->byte - m->state->sealed_bytes) == (ssize_t)want
               ? memrchr(room, '\n', want)
               : NULL;
    len = last ? (size_t)(last + 1 - room) : 0;
    lines = pb_log_count_lines(room, len);
    if (lines == 0 || m->line + lines > m->state->lines)
        return pb_fail_reason(err, PB_ERROR_INTERNAL, "log_damaged",
                              "log of %s is damaged behind line %llu", m->execution,
                              (unsigned long long)m->line);
    return put_frame(m, room, len, lines, err);
}

static int take_segment(struct making *m, struct pb_error *err)
{
    while (m->byte < m->state->bytes)
        if (take_piece(m, err) < 0)
            return -1;
    if (m->line != m->state->lines)
        return pb_fail_reason(err, PB_ERROR_INTERNAL, "log_damaged",
                              "log of %s has %llu lines where %llu were stored", m->execution,
                              (unsigned long long)m->line, (unsigned long long)m->state->lines);
    return 0;
}

/* --- the end ----------------------------------------------------------------------------------------- */

static int put_end(struct making *m, struct pb_error *err)
{
    struct pb_log_foot foot = {
        .rows = m->row_count,
        .marks_len = (uint32_t)m->marks.packed.len,
        .marks_crc = pb_crc32c(0, pb_buf_string(&m->marks.packed), m->marks.packed.len),
    };
    unsigned char head[PB_LOG_SKIPPABLE], bytes[PB_LOG_FOOT];

    if (pb_buf_failed(&m->rows) || pb_buf_failed(&m->marks.packed))
        return pb_fail(err, PB_ERROR_LIMITED, "no memory to seal a log");
    pb_put_u32(head, PB_LOG_MAGIC_END);
    pb_put_u32(head + 4, (uint32_t)(m->rows.len + m->marks.packed.len + PB_LOG_FOOT));
    pb_log_foot_encode(bytes, &foot);
    pb_buf_clear(&m->packed);
    pb_buf_bytes(&m->packed, head, sizeof(head));
    if (put(m, m->packed.data, m->packed.len, err) < 0 ||
        put(m, pb_buf_string(&m->rows), m->rows.len, err) < 0 ||
        put(m, pb_buf_string(&m->marks.packed), m->marks.packed.len, err) < 0 ||
        put(m, bytes, sizeof(bytes), err) < 0)
        return -1;
    return 0;
}

/* Synced, and under its name, which is synced as well. */
static int finish(struct making *m, const char *tmp, struct pb_error *err)
{
    char path[PB_LOG_PATH], month[PB_LOG_PATH];

    pb_log_path(m->execution, ".zst", path);
    pb_log_month(m->execution, month);
    if (pb_log_sync(m->out, tmp, err) < 0)
        return -1;
    if (renameat(m->dir, tmp, m->dir, path) < 0)
        return pb_fail_errno(err, "%s", path);
    return pb_log_folder_sync(m->dir, month, err);
}

static int open_all(struct making *m, const char *tmp, struct pb_error *err)
{
    char path[PB_LOG_PATH];

    m->zstd = pb_log_zstd_new(err);
    if (!m->zstd || pb_log_sealed_open(m->dir, m->execution, m->state, &m->old, err) < 0)
        return -1;
    pb_log_path(m->execution, ".log", path);
    m->in = openat(m->dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (m->in < 0)
        return pb_fail_errno(err, "%s", path);
    m->out = openat(m->dir, tmp, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    return m->out < 0 ? pb_fail_errno(err, "%s", tmp) : 0;
}

int pb_log_sealed_make(int dir, const char *execution, const struct pb_log_state *state,
                       bool (*is_unwanted)(void *arg), void *arg, struct pb_error *err)
{
    struct making m = {.dir = dir,
                       .execution = execution,
                       .state = state,
                       .is_unwanted = is_unwanted,
                       .arg = arg,
                       .old.fd = -1,
                       .in = -1,
                       .out = -1};
    char tmp[PB_LOG_PATH];
    int r = -1;

    pb_log_path(execution, PB_LOG_SEALED_TMP, tmp);
    pb_buf_init(&m.text, TEXT_MAX);
    pb_buf_init(&m.packed, TEXT_MAX);
    pb_buf_init(&m.rows, ROWS_BYTES);
    pb_log_marks_init(&m.marks);
    m.marking = (struct pb_log_marking){.fn = pb_log_marks_pack, .arg = &m.marks};
    if (open_all(&m, tmp, err) == 0 && take_old(&m, err) == 0 && take_segment(&m, err) == 0 &&
        put_end(&m, err) == 0)
        r = finish(&m, tmp, err);
    if (r < 0 && m.out >= 0)
        (void)unlinkat(dir, tmp, 0);
    pb_close(&m.in);
    pb_close(&m.out);
    pb_log_sealed_close(&m.old);
    pb_log_zstd_free(m.zstd);
    pb_log_marks_release(&m.marks);
    pb_buf_release(&m.text);
    pb_buf_release(&m.packed);
    pb_buf_release(&m.rows);
    return r;
}
