/*
 * The platform's memory: an SQLite file, or a PostgreSQL database, with one
 * writer thread and as many readers as there are threads.
 *
 * Writes are functions. pb_store_write() hands one to the writer, which runs
 * it inside a SAVEPOINT of the current group, commits the group with one fsync
 * and only then lets the callers go: what returned 0 survives a power cut. A
 * function that fails is undone alone. If the commit itself fails (disk full)
 * every member of the group fails, and nothing of the group is there.
 *
 * So a write function sees the newest rows and is alone while it runs, among
 * all servers of a PostgreSQL database, too: load, decide, save needs no
 * further lock. It must be short, must not wait for anything, and must not
 * have effects outside the database, because the group may still fail after
 * it returned. When one of its statements fails it must fail. Events go out after
 * pb_store_write() returned, or from a submitted job's `done`.
 *
 * Readers see committed rows only, without waiting for the writer.
 *
 * When PostgreSQL goes away, reads and writes fail within seconds, and go on
 * by themselves when it is back. A commit whose answer never came is looked
 * up then, and counts as what it was.
 *
 * The caller holds the lock on the data folder: two stores over one file are
 * not ours to detect.
 */
#ifndef PB_SERVER_STORE_STORE_H
#define PB_SERVER_STORE_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "server/store/db.h"

struct pb_store;

struct pb_store_options {
    const char *database;      /* …/platform/poppo.db, whose folder exists; or postgresql://… */
    const char *password_file; /* PostgreSQL's password; NULL or "" = none, or in the address */
    int64_t reply_ms;          /* PostgreSQL: the longest wait for one answer; 0 = 3 s */
    const char *app_version;   /* noted in schema_history */
    int64_t slow_ms;           /* see pb_database_options */
    void (*on_slow)(void *arg, const char *sql, int64_t took_ms);
    void *arg;
    size_t queue_max; /* waiting writes; 0 = 4096. More are UNAVAILABLE, reason "busy" */
};

/* Opens or makes the file, brings its schema up to date (schema.h), starts the writer. */
struct pb_store *pb_store_open(const struct pb_store_options *options,
                               struct pb_error *err) PB_MUST_CHECK;
/* Finishes what is queued, checkpoints, closes. Reading threads have ended or will not read again.
 * NULL is fine. */
void pb_store_close(struct pb_store *store);

/* Where it is, for messages: a path, or an address without its password. */
const char *pb_store_name(const struct pb_store *store);

/* This thread's own read-only connection, opened at its first call and closed when the thread ends.
 * */
struct pb_db *pb_store_reader(struct pb_store *store, struct pb_error *err) PB_MUST_CHECK;

/* What was read after this number was asked for is true for as long as the number stays. Another one is
 * there before the one who changed something is told that it is done. 0 = not known, because other servers
 * change the data, too: keep nothing. */
uint64_t pb_store_generation(struct pb_store *store, unsigned parts);

typedef int pb_store_write_fn(struct pb_db *db, void *arg, struct pb_error *err);
/* Runs `fn` on the writer and waits until it is committed. Returns fn's failure, or the commit's:
 * UNAVAILABLE, reason "disk_full", "store_failed", "busy", "database_down"; and, the only one after
 * which it may have happened after all, "outcome_unknown". Not from a loop thread, not from a write
 * function. */
int pb_store_write(struct pb_store *store, pb_store_write_fn *fn, void *arg,
                   struct pb_error *err) PB_MUST_CHECK;

/* `err` is NULL when it is committed. On the writer thread: be quick, pass it on. */
typedef void pb_store_done_fn(void *arg, const struct pb_error *err);
/* The same without waiting, for loop threads: `done` is called exactly once if this returned 0,
 * never if it failed (queue full). */
int pb_store_submit(struct pb_store *store, pb_store_write_fn *fn, pb_store_done_fn *done,
                    void *arg, struct pb_error *err) PB_MUST_CHECK;

struct pb_store_stats {
    uint64_t groups; /* commits */
    uint64_t writes; /* functions in them */
    uint64_t failed; /* functions whose group failed */
    uint64_t checkpoints;
    size_t queued;
};
void pb_store_stats(struct pb_store *store, struct pb_store_stats *ret_stats);

#endif
