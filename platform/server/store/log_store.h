/*
 * The lines executions write. Files, not rows.
 *
 *   append ──> queue ──> log writer, once a tick (≤ 20 ms):
 *                          segments   lines to <dir>/<yyyy-mm>/<execution>.log, not synced
 *                          journal    all of the tick's chunks to ONE file, one fdatasync
 *                          acknowledge
 *   checkpoint (journal > 64 MiB, close): sync the touched segments, then drop that journal
 *   open: journals are replayed into the segments; a torn tail is cut off by its checksum
 *
 * An execution's log is numbered by line from 0: all attempts one after the
 * other, the platform's own lines among them. Who sends lines (an attempt)
 * numbers its own from 0: `seq`. What it sends again is recognised and not
 * stored twice; what leaves a gap is refused.
 *
 * Invariants
 *  1. Acknowledged lines are there after kill -9 and after a power cut, once.
 *  2. Nothing that failed is acknowledged; what failed may be sent again.
 *  3. Readers never see part of a line, nor lines that may still be undone.
 *  4. Memory and open files do not grow with history: at most 64 segments are
 *     open, and the queue is bounded (UNAVAILABLE, reason "busy").
 *
 * Appending and reading are safe from any thread.
 */
#ifndef PB_SERVER_STORE_LOG_STORE_H
#define PB_SERVER_STORE_LOG_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

struct pb_log_store;

enum {
    PB_LOG_ATTEMPT_PLATFORM = 0, /* sender of the platform's own lines */
    PB_LOG_ADDRESS = 64,         /* "segment:2026-11/<execution>.log" and its NUL */
};
#define PB_LOG_SEQ_NEXT UINT64_MAX /* whatever comes next for this sender: for lines made here */

struct pb_log_store_options {
    const char *dir;      /* …/platform/logs, made if missing */
    size_t journal_bytes; /* checkpoint past it; 0 = 64 MiB */
    size_t queue_bytes;   /* 0 = 16 MiB */
    unsigned gather_ms;   /* how long a tick collects; 0 = 5, at most 20 */
};

/* Replays what a crash left. */
struct pb_log_store *pb_log_store_open(const struct pb_log_store_options *options,
                                       struct pb_error *err) PB_MUST_CHECK;
/* Acknowledges what is queued, checkpoints, closes. NULL is fine. */
void pb_log_store_close(struct pb_log_store *logs);

struct pb_log_chunk {
    const char *execution; /* ULID */
    uint32_t attempt;
    uint64_t seq;     /* the sender's number of the first line, or PB_LOG_SEQ_NEXT */
    uint32_t count;   /* lines */
    const char *data; /* "<unix ms> <stream letter> <text>\n" each; copied */
    size_t len;
};

struct pb_log_ack {
    uint64_t first_line; /* in the execution, of the first line stored now */
    uint32_t stored;     /* fewer than sent (or 0) when some were there already */
    uint64_t next_seq;   /* everything of this sender below it is durable */
    uint64_t lines;      /* of the execution, now */
    uint64_t bytes;
};

/* `err` is NULL when durable. Failures: CONFLICT, reason "gap" (ack->next_seq says where to go on);
 * UNAVAILABLE, reason "disk_full" or "busy"; ack is filled as far as known. On the log writer's thread:
 * be quick, pass it on. */
typedef void pb_log_done_fn(void *arg, const struct pb_log_ack *ack, const struct pb_error *err);
/* `done` (may be NULL) is called exactly once if this returned 0. INVALID: not whole lines, count
 * wrong, a line too long, not a known stream. */
int pb_log_append(struct pb_log_store *logs, const struct pb_log_chunk *chunk, pb_log_done_fn *done,
                  void *arg, struct pb_error *err) PB_MUST_CHECK;
/* The same, waiting for it. ret_ack may be NULL. Not from `done`. */
int pb_log_append_wait(struct pb_log_store *logs, const struct pb_log_chunk *chunk,
                       struct pb_log_ack *ret_ack, struct pb_error *err) PB_MUST_CHECK;
/* No more lines are expected (or, false, again they are: a resumed execution). Only what pb_log_stat() says
 * depends on it: a late line of the platform's own is still taken. Durable on return. */
int pb_log_set_complete(struct pb_log_store *logs, const char *execution, bool complete,
                        struct pb_error *err) PB_MUST_CHECK;
/* Removes the log for good. A missing one is success. */
int pb_log_remove(struct pb_log_store *logs, const char *execution,
                  struct pb_error *err) PB_MUST_CHECK;

struct pb_log_info {
    uint64_t lines;
    uint64_t bytes;
    bool complete;
};
/* A log nobody has written to yet is empty, not an error. */
int pb_log_stat(struct pb_log_store *logs, const char *execution, struct pb_log_info *ret_info,
                struct pb_error *err) PB_MUST_CHECK;
/* Next line number expected of this sender. */
int pb_log_next_seq(struct pb_log_store *logs, const char *execution, uint32_t attempt,
                    uint64_t *ret_seq, struct pb_error *err) PB_MUST_CHECK;

struct pb_log_range {
    uint64_t from;  /* line; with `tail` ignored */
    uint64_t count; /* at most this many lines; fewer when the buffer's maximum is near */
    bool tail;      /* the last `count` */
};
/* Appends whole lines to ret_data; ret_from and ret_count (either may be NULL) say which they are;
 * ret_info (may be NULL) is of the same moment. A range past the end is empty. Cost: the range, not
 * the log. */
int pb_log_read(struct pb_log_store *logs, const char *execution, const struct pb_log_range *range,
                struct pb_buf *ret_data, uint64_t *ret_from, uint64_t *ret_count,
                struct pb_log_info *ret_info, struct pb_error *err) PB_MUST_CHECK;

/* executions.logs: "segment:2026-11/<execution>.log", the month taken from the ULID. INVALID if it
 * is none. */
int pb_log_address(const char *execution, char ret_address[PB_LOG_ADDRESS],
                   struct pb_error *err) PB_MUST_CHECK;

#endif
