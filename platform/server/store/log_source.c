/*
 * Reading a log on disk: rows of the sealed file, then rows of the segment, one for each entry of its index.
 *
 * Readers hold no lock. The files may be sealed under them: so what was read of a segment counts only if the
 * state still says that it begins where it did; else they open the files anew. Line numbers never change.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "server/store/log_files_private.h"
#include "server/store/log_sealed_private.h"

enum {
    TEXT_MAX = 32 << 20, /* 256 of the longest lines are less */
    SCAN_BYTES = 64 << 10,
    OPENINGS = 8, /* a log is not sealed that often while a line of it is read */
};

struct source {
    struct pb_log_store *logs; /* borrowed: outlives us */
    int dir;
    char execution[PB_ULID_TEXT];
    struct pb_log_state state; /* as it was when the files were opened */
    struct pb_log_sealed sealed;
    struct pb_log_zstd *zstd;
    int log; /* the segment; -1: there is none */
    uint64_t *
        entries; /* of its index, and where the last row ends: rows + 1; NULL: it makes no sense; owned */
    uint64_t rows;
    bool is_counted; /* the index was made from the lines, or cannot be */
    struct pb_buf text;
};

static uint64_t lines_of(const struct source *source)
{
    return source->state.lines - source->state.sealed_lines;
}

static uint64_t bytes_of(const struct source *source)
{
    return source->state.bytes - source->state.sealed_bytes;
}

static uint64_t lines_of_row(const struct source *source, uint64_t row)
{
    uint64_t left = lines_of(source) - row * PB_LOG_INDEX_STEP;

    return left < PB_LOG_INDEX_STEP ? left : PB_LOG_INDEX_STEP;
}

/* --- the index ----------------------------------------------------------------------------------- */

static bool makes_sense(const struct source *source, const uint64_t *entries)
{
    for (uint64_t i = 0; i < source->rows; i++) {
        uint64_t from = entries[i], to = entries[i + 1];

        if ((i == 0 && from != 0) || to <= from ||
            (to - from) / lines_of_row(source, i) < PB_LOG_LINE_MIN)
            return false;
    }
    return true;
}

static uint64_t *new_entries(const struct source *source)
{
    uint64_t *entries = calloc(source->rows + 1, sizeof(*entries));

    if (entries)
        entries[source->rows] = bytes_of(source);
    return entries;
}

/* What the lines themselves say; false when they are not all there. */
static bool count_lines(const struct source *source, uint64_t *entries)
{
    uint64_t lines = 0, offset = 0, end = bytes_of(source);
    char data[SCAN_BYTES];

    while (offset < end) {
        uint64_t left = end - offset;
        ssize_t got = pb_log_read_at(source->log, data,
                                     left < SCAN_BYTES ? (size_t)left : SCAN_BYTES, offset);
        const char *at = data;

        if (got <= 0)
            return false;
        while ((at = memchr(at, '\n', (size_t)(data + got - at)))) {
            at++;
            if (++lines % PB_LOG_INDEX_STEP == 0 && lines / PB_LOG_INDEX_STEP < source->rows)
                entries[lines / PB_LOG_INDEX_STEP] = offset + (uint64_t)(at - data);
        }
        offset += (uint64_t)got;
    }
    return lines == lines_of(source) && makes_sense(source, entries);
}

/* A better index, once per opening. True if there is one. */
static bool count_again(struct source *source)
{
    uint64_t *entries = source->is_counted || source->log < 0 ? NULL : new_entries(source);

    source->is_counted = true;
    if (!entries || !count_lines(source, entries)) {
        free(entries);
        return false;
    }
    free(source->entries);
    source->entries = entries;
    return true;
}

static int load_index(struct source *source, struct pb_error *err)
{
    char path[PB_LOG_PATH];
    int fd, r = 0;

    source->rows = (lines_of(source) + PB_LOG_INDEX_STEP - 1) / PB_LOG_INDEX_STEP;
    source->entries = new_entries(source);
    if (!source->entries)
        return pb_fail(err, PB_ERROR_LIMITED, "no memory for the log's index");
    pb_log_path(source->execution, ".idx", path);
    fd = openat(source->dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0)
        r = pb_log_index_read(fd, source->entries, source->rows);
    if (r < 0 || (fd < 0 && errno != ENOENT))
        r = pb_fail_errno(err, "%s", path);
    pb_close(&fd);
    if (r == 0 && !makes_sense(source, source->entries) && !count_again(source)) {
        free(source->entries);
        source->entries = NULL;
    }
    return r;
}

/* --- opening ------------------------------------------------------------------------------------- */

static void close_files(struct source *source)
{
    pb_close(&source->log);
    free(source->entries);
    source->entries = NULL;
    source->is_counted = false;
    pb_log_sealed_close(&source->sealed);
}

static int open_files(struct source *source, struct pb_error *err)
{
    char path[PB_LOG_PATH];

    if (pb_log_sealed_open(source->dir, source->execution, &source->state, &source->sealed, err) <
        0)
        return -1;
    if (lines_of(source) == 0)
        return 0;
    pb_log_path(source->execution, ".log", path);
    source->log = openat(source->dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (source->log < 0 && errno != ENOENT)
        return pb_fail_errno(err, "%s", path);
    return load_index(source, err);
}

/* True: what was just read of the segment is what the state said it was. */
static int is_still_so(struct source *source, bool *ret_is_so, struct pb_error *err)
{
    struct pb_log_state now;

    if (pb_log_files_look(source->logs, source->execution, &now, err) < 0)
        return -1;
    if (now.lines < source->state.lines || now.birth != source->state.birth)
        return pb_fail_reason(err, PB_ERROR_NOT_FOUND, "log_removed", "log of %s was removed",
                              source->execution);
    *ret_is_so = now.sealed_lines == source->state.sealed_lines;
    if (*ret_is_so)
        return 0;
    source->state = now;
    close_files(source);
    return open_files(source, err);
}

/* --- rows and blocks ------------------------------------------------------------------------------ */

/* A row of the segment; all of it when its index makes no sense. */
static struct pb_log_row segment_row(const struct source *source, uint64_t line)
{
    const struct pb_log_state *state = &source->state;
    uint64_t i = (line - state->sealed_lines) / PB_LOG_INDEX_STEP;
    struct pb_log_row row = {
        state->sealed_lines, state->sealed_bytes, lines_of(source), bytes_of(source), 0, 0};

    if (!source->entries)
        return row;
    row.line += i * PB_LOG_INDEX_STEP;
    row.byte += source->entries[i];
    row.lines = lines_of_row(source, i);
    row.bytes = source->entries[i + 1] - source->entries[i];
    row.at = source->entries[i];
    return row;
}

static struct pb_log_row row_of(const struct source *source, uint64_t line)
{
    return line < source->state.sealed_lines ? *pb_log_sealed_row(&source->sealed, line)
                                             : segment_row(source, line);
}

/* How many rows of the segment from this one on are a block together. */
static uint64_t rows_together(const struct source *source, uint64_t first)
{
    uint64_t last = first + 1;

    while (last < source->rows &&
           source->entries[last + 1] - source->entries[first] <= PB_LOG_BLOCK)
        last++;
    return last - first;
}

/* Rows that belong together, in one go; those before the first damaged one. No lines: it is this one. */
static int load_rows(struct source *source, const struct pb_log_row *row,
                     struct pb_log_block *ret_block, struct pb_error *err)
{
    uint64_t first = (row->line - source->state.sealed_lines) / PB_LOG_INDEX_STEP;
    struct pb_log_block block = {.line = row->line, .byte = row->byte};
    uint64_t count = source->entries ? rows_together(source, first) : 0;
    size_t want = count ? (size_t)(source->entries[first + count] - row->at) : 0;
    ssize_t got;
    char *room;

    pb_buf_clear(&source->text);
    room = pb_buf_reserve(&source->text, want);
    if (!room)
        return pb_fail(err, PB_ERROR_LIMITED, "no memory for the log");
    got = source->log < 0 ? 0 : pb_log_read_at(source->log, room, want, row->at);
    for (uint64_t i = first; i < first + count; i++) {
        size_t len = (size_t)(source->entries[i + 1] - source->entries[i]);

        if ((ssize_t)(block.len + len) > got ||
            pb_log_count_lines(room + block.len, len) != lines_of_row(source, i))
            break;
        block.lines += lines_of_row(source, i);
        block.len += len;
    }
    block.text = room;
    *ret_block = block;
    return 0;
}

static int load_segment(struct source *source, uint64_t line, struct pb_log_block *ret_block,
                        struct pb_error *err)
{
    struct pb_log_row row = segment_row(source, line);

    if (load_rows(source, &row, ret_block, err) < 0)
        return -1;
    if (ret_block->lines > 0)
        return 0;
    if (count_again(source)) /* it was the index that was damaged */
        return load_segment(source, line, ret_block, err);
    return pb_log_put_damage(&source->text, &row, line, source->execution, ret_block, err);
}

static int load_sealed(struct source *source, uint64_t line, struct pb_log_block *ret_block,
                       struct pb_error *err)
{
    const struct pb_log_row *row = pb_log_sealed_row(&source->sealed, line);
    bool is_good;

    if (pb_log_sealed_read(&source->sealed, row, source->zstd, &source->text, &is_good, err) < 0)
        return -1;
    if (!is_good)
        return pb_log_put_damage(&source->text, row, line, source->execution, ret_block, err);
    *ret_block = (struct pb_log_block){
        .line = row->line,
        .byte = row->byte,
        .lines = row->lines,
        .text = source->text.data,
        .len = source->text.len,
    };
    return 0;
}

static int load(void *arg, uint64_t line, struct pb_log_block *ret_block, struct pb_error *err)
{
    struct source *source = arg;
    bool is_so = false;

    for (int i = 0; i < OPENINGS && !is_so; i++) {
        if (line < source->state.sealed_lines)
            return load_sealed(source, line, ret_block, err);
        if (load_segment(source, line, ret_block, err) < 0 || is_still_so(source, &is_so, err) < 0)
            return -1;
    }
    return is_so ? 0 : pb_fail(err, PB_ERROR_UNAVAILABLE, "the log changes too fast to be read");
}

static int find(void *arg, uint64_t line, struct pb_log_row *ret_row, struct pb_error *err)
{
    struct source *source = arg;
    bool is_so = false;

    for (int i = 0; i < OPENINGS && !is_so; i++) {
        *ret_row = row_of(source, line);
        if (line < source->state.sealed_lines)
            return 0;
        if (is_still_so(source, &is_so, err) < 0)
            return -1;
    }
    return is_so ? 0 : pb_fail(err, PB_ERROR_UNAVAILABLE, "the log changes too fast to be read");
}

static int kept_marks(void *arg, struct pb_buf *ret_packed, uint64_t *ret_upto,
                      struct pb_error *err)
{
    struct source *source = arg;

    (void)err;
    *ret_upto = pb_log_sealed_marks(&source->sealed, ret_packed) ? source->state.sealed_lines : 0;
    return 0;
}

/* --- the source ------------------------------------------------------------------------------------ */

static void close_source(void *arg)
{
    struct source *source = arg;

    close_files(source);
    pb_log_zstd_free(source->zstd);
    pb_buf_release(&source->text);
    free(source);
}

static const struct pb_log_source_ops OPS = {find, load, kept_marks, close_source};

int pb_log_source_open(struct pb_log_store *logs, const char *execution,
                       struct pb_log_reader *reader, struct pb_error *err)
{
    struct pb_log_files *files = (struct pb_log_files *)logs;
    struct source *source = calloc(1, sizeof(*source));

    if (!source)
        return pb_fail(err, PB_ERROR_LIMITED, "no memory");
    source->logs = logs;
    source->dir = files->dir;
    source->log = source->sealed.fd = -1;
    memcpy(source->execution, execution, PB_ULID_TEXT);
    pb_buf_init(&source->text, TEXT_MAX);
    source->zstd = pb_log_zstd_new(err);
    if (!source->zstd || pb_log_files_look(logs, execution, &source->state, err) < 0 ||
        open_files(source, err) < 0) {
        close_source(source);
        return -1;
    }
    reader->ops = &OPS;
    reader->source = source;
    reader->info = pb_log_info_of(&source->state);
    return 0;
}
