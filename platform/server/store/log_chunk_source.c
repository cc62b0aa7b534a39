/* Reading a log that is rows: chunks as they were stored. What no chunk holds, or does not unpack, is damaged. */
#include <stdlib.h>
#include <string.h>

#include "server/store/log_chunks_private.h"

enum { TEXT_MAX = 8 << 20 };

struct source {
    struct pb_log_chunks *chunks; /* borrowed: outlives us */
    char execution[PB_ULID_TEXT];
    struct pb_log_state state;
    struct pb_log_zstd *zstd;
    struct pb_buf text;
};

/* Lines are missing: was the log removed, or begun to be, since it was opened? */
static int check_removed(struct source *source, struct pb_db *db, struct pb_error *err)
{
    struct pb_log_state now;

    if (pb_log_rows_load(db, source->execution, &now, err) < 0)
        return -1;
    if (now.birth != source->state.birth || now.lines < source->state.lines)
        return pb_fail_reason(err, PB_ERROR_NOT_FOUND, "log_removed", "log of %s was removed",
                              source->execution);
    return 0;
}

/* The chunk with this line; or, where there is none, the lines that are missing. */
static int find_row(struct source *source, struct pb_db *db, uint64_t line,
                    struct pb_log_row *ret_row, bool *ret_is_there, struct pb_error *err)
{
    uint64_t next_line = source->state.lines, next_byte = source->state.bytes;
    struct pb_log_row row;

    if (pb_log_rows_find(db, source->execution, line, &row, err) < 0)
        return -1;
    *ret_is_there = line < row.line + row.lines && row.bytes / row.lines >= PB_LOG_LINE_MIN;
    *ret_row = row;
    if (*ret_is_there)
        return 0;
    if (check_removed(source, db, err) < 0 ||
        pb_log_rows_next(db, source->execution, line, &next_line, &next_byte, err) < 0)
        return -1;
    ret_row->line = row.line + row.lines;
    ret_row->byte = row.byte + row.bytes;
    ret_row->lines = next_line - ret_row->line;
    ret_row->bytes = next_byte - ret_row->byte;
    return 0;
}

static int find(void *arg, uint64_t line, struct pb_log_row *ret_row, struct pb_error *err)
{
    struct source *source = arg;
    struct pb_db *db = pb_store_reader(source->chunks->store, err);
    bool is_there;

    return db ? find_row(source, db, line, ret_row, &is_there, err) : -1;
}

static int load(void *arg, uint64_t line, struct pb_log_block *ret_block, struct pb_error *err)
{
    struct source *source = arg;
    struct pb_db *db = pb_store_reader(source->chunks->store, err);
    struct pb_log_row row;
    uint64_t lines = 0;
    bool is_there;

    if (!db || find_row(source, db, line, &row, &is_there, err) < 0)
        return -1;
    pb_buf_clear(&source->text);
    if (is_there &&
        pb_log_rows_read(db, source->execution, &row, source->zstd, &source->text, &lines, err) < 0)
        return -1;
    if (lines == 0)
        return pb_log_put_damage(&source->text, &row, line, source->execution, ret_block, err);
    *ret_block = (struct pb_log_block){
        .line = row.line,
        .byte = row.byte,
        .lines = lines,
        .text = source->text.data,
        .len = source->text.len,
    };
    return 0;
}

/* None are kept: they are found in the lines. */
static int kept_marks(void *arg, struct pb_buf *ret_packed, uint64_t *ret_upto,
                      struct pb_error *err)
{
    (void)arg;
    (void)ret_packed;
    (void)err;
    *ret_upto = 0;
    return 0;
}

static void close_source(void *arg)
{
    struct source *source = arg;

    pb_log_zstd_free(source->zstd);
    pb_buf_release(&source->text);
    free(source);
}

static const struct pb_log_source_ops OPS = {find, load, kept_marks, close_source};

int pb_log_chunk_source_open(struct pb_log_store *logs, const char *execution,
                             struct pb_log_reader *reader, struct pb_error *err)
{
    struct pb_log_chunks *chunks = (struct pb_log_chunks *)logs;
    struct pb_db *db = pb_store_reader(chunks->store, err);
    struct source *source = calloc(1, sizeof(*source));

    if (!source)
        return pb_fail(err, PB_ERROR_LIMITED, "no memory");
    source->chunks = chunks;
    memcpy(source->execution, execution, PB_ULID_TEXT);
    pb_buf_init(&source->text, TEXT_MAX);
    source->zstd = db ? pb_log_zstd_new(err) : NULL;
    if (!source->zstd || pb_log_rows_load(db, execution, &source->state, err) < 0) {
        close_source(source);
        return -1;
    }
    reader->ops = &OPS;
    reader->source = source;
    reader->info = pb_log_info_of(&source->state);
    return 0;
}
