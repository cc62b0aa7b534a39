/*
 * The log of one attempt on its way to the platform. Lines are masked,
 * cleaned and numbered here, collected for a moment, stored in the journal
 * (together with where they came from), sent inside a window, and forgotten
 * when the platform says that they are durable there.
 *
 *   line → pending → journal → sent → acknowledged
 *
 * Invariants
 *  1. A line has its number for good when it is in the journal.
 *  2. Nothing is sent that is not in the journal.
 *  3. Nothing leaves the journal that is not acknowledged.
 *  4. After a reconnect everything not acknowledged is sent again, in order.
 */
#ifndef PB_AGENT_SPOOL_H
#define PB_AGENT_SPOOL_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/journal.h"
#include "agent/mask.h"
#include "base/buf.h"
#include "base/error.h"

enum {
    PB_SPOOL_BATCH_BYTES = 32 << 10,
    PB_SPOOL_BATCH_MS = 100,
    PB_SPOOL_FRAME_BYTES = 64 << 10,
    PB_SPOOL_WINDOW_BYTES = 1 << 20,
    PB_SPOOL_WINDOW_FRAMES = 64,
};

struct pb_spool {
    struct pb_journal *journal; /* borrowed */
    struct pb_mask *mask;       /* borrowed; NULL = nothing to hide */
    struct pb_journal_row *row; /* the attempt's; next_line and acked are ours to move */
    struct pb_buf pending;
    int64_t pending_count;
    int64_t sent; /* number of the next line to send */
    struct {
        int64_t end; /* number behind its last line */
        size_t bytes;
    } flight[PB_SPOOL_WINDOW_FRAMES];
    size_t flight_count;
    size_t flight_bytes;
};

void pb_spool_init(struct pb_spool *spool, struct pb_journal *journal, struct pb_mask *mask,
                   struct pb_journal_row *row);
void pb_spool_release(struct pb_spool *spool);

/* Text may have several lines. */
void pb_spool_line(struct pb_spool *spool, int64_t wall_ms, char stream, const char *text,
                   size_t len);
bool pb_spool_is_full(const struct pb_spool *spool); /* store now, do not wait for the tick */
/* Stores the row, whatever changed in it, and what is pending. On failure both stay as they are. */
int pb_spool_store(struct pb_spool *spool, struct pb_error *err) PB_MUST_CHECK;

/* Hands out the next lines that fit the window; false when there are none, or no room. */
bool pb_spool_next(struct pb_spool *spool, struct pb_buf *ret_lines, int64_t *ret_seq,
                   int64_t *ret_count, struct pb_error *err);
void pb_spool_rewind(struct pb_spool *spool); /* a new connection */
/* Everything below `acked` is durable at the platform. INVALID when that was never sent. */
int pb_spool_ack(struct pb_spool *spool, int64_t acked, struct pb_error *err) PB_MUST_CHECK;
bool pb_spool_is_drained(const struct pb_spool *spool); /* every line is acknowledged */

#endif
