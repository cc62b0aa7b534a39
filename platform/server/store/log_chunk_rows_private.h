/* Logs as rows: the state of each, and its lines in chunks. Changes are made in write functions of the store. */
#ifndef PB_SERVER_STORE_LOG_CHUNK_ROWS_PRIVATE_H
#define PB_SERVER_STORE_LOG_CHUNK_ROWS_PRIVATE_H

#include "server/store/db.h"
#include "server/store/log_store_private.h"
#include "server/store/log_zstd_private.h"

/* Empty when there is none. */
int pb_log_rows_load(struct pb_db *db, const char *execution, struct pb_log_state *ret_state,
                     struct pb_error *err) PB_MUST_CHECK;
int pb_log_rows_save(struct pb_db *db, const char *execution, const struct pb_log_state *state,
                     struct pb_error *err) PB_MUST_CHECK;
/* The first time: the row is made, and the execution's says where its log is. */
int pb_log_rows_make(struct pb_db *db, const char *execution, const struct pb_log_state *state,
                     struct pb_error *err) PB_MUST_CHECK;
/* All that is left of it, at once. */
int pb_log_rows_remove(struct pb_db *db, const char *execution, struct pb_error *err) PB_MUST_CHECK;
/* Cuts a few chunks off the end, if there are more than that. */
int pb_log_rows_cut(struct pb_db *db, const char *execution, bool *ret_has_more,
                    struct pb_error *err) PB_MUST_CHECK;

struct pb_log_new_chunk {
    uint32_t attempt;
    uint64_t seq;
    const struct pb_log_state *before; /* where it begins */
    const char *text;
    size_t len;
    uint64_t lines;
};
/* Its log's state is there. A chunk with this key is not written again. */
int pb_log_rows_add(struct pb_db *db, const char *execution, const struct pb_log_new_chunk *chunk,
                    struct pb_log_zstd *zstd, struct pb_error *err) PB_MUST_CHECK;

/* The chunk that has this line, or the last one before it; row->lines is 0 when there is none. */
int pb_log_rows_find(struct pb_db *db, const char *execution, uint64_t line,
                     struct pb_log_row *ret_row, struct pb_error *err) PB_MUST_CHECK;
/* Where the first chunk behind this line begins; the numbers given when there is none. */
int pb_log_rows_next(struct pb_db *db, const char *execution, uint64_t line, uint64_t *line_or_end,
                     uint64_t *byte_or_end, struct pb_error *err) PB_MUST_CHECK;
/* The text of chunks from `first` on that follow each other and are whole, up to a block: appended to `text`;
 * *ret_lines of them. None: the first one is damaged. */
int pb_log_rows_read(struct pb_db *db, const char *execution, const struct pb_log_row *first,
                     struct pb_log_zstd *zstd, struct pb_buf *text, uint64_t *ret_lines,
                     struct pb_error *err) PB_MUST_CHECK;

#endif
