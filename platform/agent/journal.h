/*
 * What a runner knows and must not forget: its attempts, how far each is, and
 * the log lines the platform has not acknowledged. SQLite in the project's
 * data/journal.db; the door to SQLite on a node.
 *
 * Lines and the position in the source they were made from are stored in one
 * transaction, so a runner killed anywhere goes on at the next line: none is
 * lost, none comes twice. A transaction survives the death of the process; one
 * that the machine's power takes away belongs to an attempt that died with it.
 *
 * One thread: the runner's loop.
 */
#ifndef PB_AGENT_JOURNAL_H
#define PB_AGENT_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

struct pb_journal;

/* How far an attempt is. Everything after `name` changes. */
struct pb_journal_row {
    const char *name; /* "<execution>.<attempt>" */
    int64_t fence;
    const char *plan;      /* the body of attempt_start, without `env` */
    const char *state;     /* as in agent/attempt.h */
    int64_t round;         /* of the run */
    int64_t next_line;     /* number of the next line */
    int64_t acked;         /* the platform has everything below */
    int64_t output_offset; /* bytes of the run's files that are lines already */
    int64_t errors_offset;
    int64_t position;   /* of a driver without a process */
    const char *facts;  /* JSON object: what later steps need from earlier ones */
    const char *result; /* body of attempt_result; NULL = not yet */
};

struct pb_journal *pb_journal_open(const char *path, struct pb_error *err) PB_MUST_CHECK;
void pb_journal_close(struct pb_journal *journal); /* NULL is fine */

/* All attempts, oldest first; rows and texts in the arena. */
int pb_journal_load(struct pb_journal *journal, struct pb_arena *arena,
                    struct pb_journal_row **ret_rows, size_t *ret_count,
                    struct pb_error *err) PB_MUST_CHECK;
/* CONFLICT if there is one of that name. */
int pb_journal_add(struct pb_journal *journal, const struct pb_journal_row *row,
                   struct pb_error *err) PB_MUST_CHECK;

/* Stores the row as it is now and, with it, `count` new lines that begin at number row->next_line - count. */
int pb_journal_save(struct pb_journal *journal, const struct pb_journal_row *row, const void *lines,
                    size_t len, int64_t count, struct pb_error *err) PB_MUST_CHECK;
/* Whole chunks of lines from number `from` on, until the buffer holds `enough` bytes; *ret_count = 0 when there
 * are none. */
int pb_journal_lines(struct pb_journal *journal, const char *name, int64_t from, size_t enough,
                     struct pb_buf *ret_lines, int64_t *ret_count,
                     struct pb_error *err) PB_MUST_CHECK;
/* Everything below `acked` may go. */
int pb_journal_ack(struct pb_journal *journal, const char *name, int64_t acked,
                   struct pb_error *err) PB_MUST_CHECK;
int pb_journal_forget(struct pb_journal *journal, const char *name,
                      struct pb_error *err) PB_MUST_CHECK;

#endif
