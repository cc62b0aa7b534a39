/*
 * The log store on this machine's disk, shared by log_files.c (callers' side), log_writer.c, log_sync.c and
 * log_table.c.
 *
 * Two threads. The writer owns segments' `now`, their descriptors and the journal. The other one, "log-sync",
 * does what takes long: it makes segments safe (checkpoints) and packs complete ones (seals), and is alone in
 * writing states to disk. While it seals a log, the gate tells it when the writer touches that log, and makes
 * the writer wait for the moment in which the change is made.
 */
#ifndef PB_SERVER_STORE_LOG_FILES_PRIVATE_H
#define PB_SERVER_STORE_LOG_FILES_PRIVATE_H

#include <pthread.h>
#include <sys/queue.h>

#include "base/pool.h"
#include "server/store/log_store_private.h"

enum {
    PB_LOG_OPEN_MAX = 64,    /* descriptors of segments */
    PB_LOG_TABLE_MAX = 1024, /* segments remembered without need */
    PB_LOG_BUCKETS = 1024,
    PB_LOG_DROP_HEAD = 8, /* of a record about dropped lines: how many there were before */
    PB_LOG_BACKLOG = 8,   /* journals' worth that may wait for a checkpoint */
    PB_LOG_QUIET =
        16384, /* complete logs remembered until they are sealed; the rest is looked for */
};

/* One execution's log while it is written to. */
struct pb_log_segment {
    struct pb_log_segment *next; /* in its bucket */
    TAILQ_ENTRY(pb_log_segment) by_use;
    TAILQ_ENTRY(pb_log_segment) by_open;
    char execution[PB_ULID_TEXT];
    int fd;                   /* -1 while not among the open ones */
    struct pb_log_state now;  /* the writer's: includes what is not synced yet */
    struct pb_log_state seen; /* what readers may see; under the lock */
    uint64_t generation;      /* of the last state on its way to disk; under the lock */
    uint64_t touched;         /* number of the journal with its last record; under the lock */
    bool is_dirty;            /* its state on disk is older than `seen`; under the lock */
    bool is_moved; /* sealed: the descriptor is of a file that is gone; behind the gate */
};

TAILQ_HEAD(pb_log_segments, pb_log_segment);

/* Owned by the writer; `lock` guards the shape of the table and what segments say is under it. */
struct pb_log_table {
    int dir; /* borrowed */
    pthread_mutex_t *lock;
    struct pb_log_segment *buckets[PB_LOG_BUCKETS];
    struct pb_log_segments by_use;
    struct pb_log_segments open;
    size_t count, open_count;
};

/* log_table.c */
void pb_log_table_init(struct pb_log_table *table, int dir, pthread_mutex_t *lock);
void pb_log_table_release(struct pb_log_table *table);
/* With the lock held. NULL if it is not remembered. */
struct pb_log_segment *pb_log_table_find(struct pb_log_table *table, const char *execution);
/* Writer: remembered or loaded from disk. */
struct pb_log_segment *pb_log_table_get(struct pb_log_table *table, const char *execution,
                                        struct pb_error *err) PB_MUST_CHECK;
/* Writer: its descriptor, opened if need be. */
int pb_log_table_open(struct pb_log_table *table, struct pb_log_segment *segment,
                      struct pb_error *err) PB_MUST_CHECK;
void pb_log_table_shut(struct pb_log_table *table, struct pb_log_segment *segment);
/* Writer: forgets clean segments unused longest while there are too many. */
void pb_log_table_trim(struct pb_log_table *table);
/* Writer, before readers and after them: cuts its file to what was stored. */
int pb_log_table_settle(struct pb_log_table *table, struct pb_error *err) PB_MUST_CHECK;

/* What a checkpoint makes safe. */
struct pb_log_checkpoint_item {
    char execution[PB_ULID_TEXT];
    struct pb_log_state state;
    uint64_t generation;
};

struct pb_log_checkpoint {
    struct pb_log_checkpoint_item *items;
    size_t count;
    uint64_t upto; /* journals up to this number go */
};

/* A complete log that is to be sealed when it has been quiet for long enough. */
struct pb_log_quiet {
    char execution[PB_ULID_TEXT];
    int64_t since; /* steady ms */
};

struct pb_log_files {
    struct pb_log_store store; /* the first: what callers have a pointer to */
    int dir;
    size_t journal_bytes;
    size_t queue_max;
    unsigned gather_ms;
    int64_t seal_ms;
    uint64_t disk_floor;
    uint64_t log_max;
    void (*on_broken)(void *arg, const struct pb_error *err);
    void *arg;
    struct pb_thread *writer, *sync;
    struct pb_log_table table;
    struct pb_log_journal journal; /* the writer's */
    uint64_t oldest_journal;       /* the sync thread's, once it runs */
    int64_t disk_looked_at;        /* the writer's: steady ms, and what it saw then */
    bool is_disk_low;
    uint64_t batch_lines, batch_bytes; /* the writer's: in the batch it prepares */

    pthread_mutex_t lock; /* guards what follows, and parts of the table */
    pthread_cond_t arrived;
    pthread_cond_t sync_asked;
    pthread_cond_t sync_done; /* a checkpoint, a seal or a batch has ended */
    struct pb_log_entry *first, **last;
    size_t queued_bytes;
    int64_t
        waits_since; /* steady ms: the first in the queue; of the batch, the writer's hold of it */
    int64_t batch_since;
    struct pb_log_stats stats; /* what is counted */
    bool is_stopping;
    bool is_broken; /* a sync failed */
    bool is_in_batch;
    struct pb_log_checkpoint job;
    bool has_job;
    bool sync_stops;

    struct pb_log_quiet *quiet; /* a ring of PB_LOG_QUIET; owned */
    size_t quiet_first, quiet_count;
    bool must_search;  /* look through the folders for logs to seal */
    int64_t failed_at; /* a seal failed then: look once more later; steady ms, 0 = none did */

    /* the gate */
    char sealing[PB_ULID_TEXT]; /* "" = none */
    bool is_seal_unwanted;      /* the writer has touched it since */
    bool is_seal_due;           /* being made: the writer waits */
};

/* log_writer.c */
void pb_log_writer_main(void *files);

/* log_recover.c */
/* Applies the journals of an earlier run, checkpoints them, starts a new one. */
int pb_log_recover(struct pb_log_files *files, struct pb_error *err) PB_MUST_CHECK;
/* The last thing: everything is checkpointed, no journal is left. */
int pb_log_finish(struct pb_log_files *files, struct pb_error *err) PB_MUST_CHECK;

/* log_sync.c */
void pb_log_sync_main(void *files);
/* Everything dirty, as it is seen now. With the lock held. */
int pb_log_collect(struct pb_log_files *files, struct pb_log_checkpoint *ret_job,
                   struct pb_error *err) PB_MUST_CHECK;
int pb_log_checkpoint_run(struct pb_log_files *files, const struct pb_log_checkpoint *job,
                          struct pb_error *err) PB_MUST_CHECK;
/* A sync failed: nothing more is taken, whoever started us is told. */
void pb_log_break(struct pb_log_files *files, const struct pb_error *err);

/* log_seal.c: on the sync thread. */
/* Seals what is quiet for long enough. Returns early when there is something else to do. */
void pb_log_seal_some(struct pb_log_files *files);
/* With the lock held: ms until there is something to seal; -1: nothing is known. */
int64_t pb_log_seal_wait(const struct pb_log_files *files);
/* With the lock held, on the writer's thread. */
void pb_log_quiet_add(struct pb_log_files *files, const char *execution);

/* log_source.c */
int pb_log_files_look(struct pb_log_store *logs, const char *execution,
                      struct pb_log_state *ret_state, struct pb_error *err) PB_MUST_CHECK;
int pb_log_source_open(struct pb_log_store *logs, const char *execution,
                       struct pb_log_reader *reader, struct pb_error *err) PB_MUST_CHECK;

#endif
