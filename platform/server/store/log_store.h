/*
 * The lines executions write. Files, as told here; log_chunks.h keeps the same
 * promises with rows of the database (setting log_store).
 *
 *   append ──> queue ──> log writer, once a tick (≤ 20 ms):
 *                          segments   lines to <dir>/<yyyy-mm>/<execution>.log, not synced
 *                          journal    all of the tick's chunks to ONE file, one fdatasync
 *                          acknowledge
 *   checkpoint (journal > 64 MiB, close): sync the touched segments, then drop that journal
 *   seal (complete and quiet): the segment's lines move into <execution>.zst, packed
 *   open: journals are replayed into the segments; a torn tail is cut off by its checksum
 *
 * A line is stored as "<unix ms, 13 digits> <stream> <text>\n", so what stands
 * before the text is always PB_LOG_PREFIX bytes.
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
 *  5. A sync that failed is never repeated: the store takes nothing more
 *     (reason "disk_error"), says so once, and the next start replays the journal.
 *  6. Damaged lines keep their number and their length; their text says what
 *     is damaged. Everything else stays readable.
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
struct pb_log_reader;

enum {
    PB_LOG_ATTEMPT_PLATFORM = 0, /* sender of the platform's own lines */
    PB_LOG_ADDRESS = 64,         /* "segment:2026-11/<execution>.log" and its NUL */
    PB_LOG_PREFIX = 16,          /* "1700000000000 o " */
    PB_LOG_TITLE = 120,          /* of a mark's text, at most */
};
#define PB_LOG_SEQ_NEXT UINT64_MAX /* whatever comes next for this sender: for lines made here */

struct pb_log_store_options {
    const char *dir;      /* …/platform/logs, made if missing */
    size_t journal_bytes; /* checkpoint past it; 0 = 64 MiB */
    size_t queue_bytes;   /* 0 = 16 MiB */
    unsigned gather_ms;   /* how long a tick collects; 0 = 5, at most 20 */
    int64_t seal_ms;      /* a complete log is sealed when it has been so for so long; 0 = 10 min */
    int64_t disk_floor; /* attempts' lines are refused ("disk_full") while less is free; 0 = none */
    int64_t log_max;    /* bytes of one log; attempts' lines past it are dropped; 0 = no limit */
    /* A sync failed: stop the process and start it again. Called once, from a thread of the store. */
    void (*on_broken)(void *arg, const struct pb_error *err);
    void *arg;
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
    const char *data; /* "<unix ms> <stream letter> <text>\n" each; copied, times made 13 digits */
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
    uint64_t dropped; /* lines that came when the log had reached its limit */
    uint32_t birth;   /* differs when a log was removed and began again: for validators */
    bool complete;
    /* among what was just read: the first damaged lines; none: 0 of them */
    uint64_t damaged_from, damaged_lines;
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

/* --- reading at length: the log as it was when it was opened ------------------------------------- */

struct pb_log_reader *pb_log_reader_open(struct pb_log_store *logs, const char *execution,
                                         struct pb_error *err) PB_MUST_CHECK;
void pb_log_reader_close(struct pb_log_reader *reader); /* NULL is fine */
/* Damaged lines are those met so far. */
const struct pb_log_info *pb_log_reader_info(const struct pb_log_reader *reader);
/* The text alone is the lines without their prefixes: so many bytes in all … */
uint64_t pb_log_text_bytes(const struct pb_log_info *info);
/* … and some of them, from byte `at` on, as many as the buffer takes. Nothing past the end. */
int pb_log_reader_text(struct pb_log_reader *reader, uint64_t at, struct pb_buf *ret_text,
                       struct pb_error *err) PB_MUST_CHECK;

/* --- places worth jumping to --------------------------------------------------------------------- */

/* group, end of a group: stream 'g' with and without text, "::group::title" and "::endgroup::" in output
 * step: ours ('s') · warning ('w') · error ('x') · tool call ('t')
 * words: the agent's first line after a tool's result, where that result ends */
#define PB_LOG_MARKS(X)        \
    X(GROUP, 'g', "group")     \
    X(END, 'e', "end")         \
    X(STEP, 's', "step")       \
    X(WARNING, 'w', "warning") \
    X(ERROR, 'x', "error")     \
    X(TOOL, 't', "tool")       \
    X(WORDS, 'c', "words")

enum pb_log_mark_kind {
#define X(name, letter, word) PB_LOG_MARK_##name = letter,
    PB_LOG_MARKS(X)
#undef X
};

struct pb_log_mark {
    uint64_t line;
    enum pb_log_mark_kind kind;
    const char *title; /* the line's text, cut; of group, step, warning and error */
    size_t title_len;
};
/* Not 0 = enough. */
typedef int pb_log_mark_fn(void *arg, const struct pb_log_mark *mark);
/* In order, of the lines from `from` on. *ret_upto: the first line not looked at; lines of the log, or
 * less when `fn` had enough. At most PB_LIMIT_LOG_MARKS of a sealed log are kept. */
int pb_log_marks(struct pb_log_store *logs, const char *execution, uint64_t from,
                 pb_log_mark_fn *fn, void *arg, uint64_t *ret_upto, struct pb_log_info *ret_info,
                 struct pb_error *err) PB_MUST_CHECK;

/* --- search -------------------------------------------------------------------------------------- */

struct pb_log_query {
    const char *text;
    bool is_regex;    /* of PCRE2; else the text itself */
    bool is_exact;    /* upper and lower case differ */
    uint64_t from;    /* line */
    int64_t until_ms; /* steady time at which to stop; 0 = no end */
};
struct pb_log_hit {
    uint64_t line;
    const char *text; /* the line with what stands before its text, without its end */
    size_t len;
    size_t at, match_len; /* the first match, in the text alone */
};
/* Not 0 = enough, this one included. */
typedef int pb_log_hit_fn(void *arg, const struct pb_log_hit *hit);
/* Tells the lines that match, in order. *ret_next: the first line not searched; the log's end when all was. INVALID, field "q";
 * UNPROCESSABLE, reason "regex_too_costly". */
int pb_log_search(struct pb_log_store *logs, const char *execution,
                  const struct pb_log_query *query, pb_log_hit_fn *fn, void *arg,
                  uint64_t *ret_next, struct pb_log_info *ret_info,
                  struct pb_error *err) PB_MUST_CHECK;

/* --- how it is ----------------------------------------------------------------------------------- */

struct pb_log_stats {
    uint64_t lines;      /* stored since it was opened */
    uint64_t bytes;      /* of them */
    uint64_t ticks;      /* of the writer: one sync each */
    uint64_t failed;     /* of these, that stored nothing */
    size_t queued_bytes; /* not yet taken by the writer */
    int64_t waiting_ms;  /* how long the oldest thing that is not acknowledged waits */
    uint64_t disk_free;  /* bytes; UINT64_MAX = not on a disk of ours */
    uint64_t disk_floor; /* with less than that free attempts' lines are refused; 0 = none */
    bool is_broken;      /* a sync failed: nothing more is taken */
};
void pb_log_stats(struct pb_log_store *logs, struct pb_log_stats *ret_stats);

/* executions.logs: "segment:2026-11/<execution>.log", the month taken from the ULID. INVALID if it
 * is none. */
int pb_log_address(const char *execution, char ret_address[PB_LOG_ADDRESS],
                   struct pb_error *err) PB_MUST_CHECK;

#endif
