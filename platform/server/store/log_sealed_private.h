/*
 * <execution>.zst: lines of a complete log, packed. Any `zstd -d` gives them back; we read single lines.
 *
 *   ( tag frame )*   frame: up to PB_LOG_BLOCK bytes of whole lines, one zstd frame with a checksum
 *                    tag: a skippable frame that holds the row of the frame behind it
 *   end              a skippable frame: all rows again, the marks, and how much there is of each
 *
 * A row has its own checksum. If the end is damaged, the rows are collected from the tags; what no row tells of,
 * or whose frame does not unpack, is damaged. A log that goes on after it was sealed is sealed again: the old
 * frames are copied, new ones follow, so that every version begins with the one before.
 */
#ifndef PB_SERVER_STORE_LOG_SEALED_PRIVATE_H
#define PB_SERVER_STORE_LOG_SEALED_PRIVATE_H

#include <stdbool.h>

#include "server/store/log_store_private.h"
#include "server/store/log_zstd_private.h"

#define PB_LOG_SEALED_TMP ".zst.tmp"

struct pb_log_sealed {
    int fd;                  /* -1: there is none */
    struct pb_log_row *rows; /* every line below the state's sealed_lines is in one; owned */
    size_t count;
    uint64_t marks_at; /* in the file */
    uint32_t marks_len, marks_crc;
    bool has_marks;
};

/* Never fails for what is in the file: what is not there is damaged. */
int pb_log_sealed_open(int dir, const char *execution, const struct pb_log_state *state,
                       struct pb_log_sealed *ret_sealed, struct pb_error *err) PB_MUST_CHECK;
void pb_log_sealed_close(struct pb_log_sealed *sealed);
/* The row that has this line. */
const struct pb_log_row *pb_log_sealed_row(const struct pb_log_sealed *sealed, uint64_t line);
/* Its text, into `text` (emptied first). Not good: damaged. */
int pb_log_sealed_read(const struct pb_log_sealed *sealed, const struct pb_log_row *row,
                       struct pb_log_zstd *zstd, struct pb_buf *text, bool *ret_is_good,
                       struct pb_error *err) PB_MUST_CHECK;
/* The marks of the rows, packed. False: there are none to be read. */
bool pb_log_sealed_marks(const struct pb_log_sealed *sealed, struct pb_buf *ret_packed);

/* Makes the file for all lines of the state, which it takes from what is sealed and from the .log: synced, and
 * in place of the one before. Nothing refers to the new part until a state does. INTERNAL, reason
 * "log_damaged"; CONFLICT, reason "unwanted", when asked and told so. */
int pb_log_sealed_make(int dir, const char *execution, const struct pb_log_state *state,
                       bool (*is_unwanted)(void *arg), void *arg,
                       struct pb_error *err) PB_MUST_CHECK;

#endif
