/* The inside of the log store, shared by log_store.c (callers' side), log_writer.c and log_table.c. */
#ifndef PB_SERVER_STORE_LOG_STORE_PRIVATE_H
#define PB_SERVER_STORE_LOG_STORE_PRIVATE_H

#include <pthread.h>
#include <sys/queue.h>

#include "base/pool.h"
#include "server/store/log_journal_private.h"
#include "server/store/log_segment_private.h"
#include "server/store/log_store.h"

enum {
    PB_LOG_OPEN_MAX = 64,    /* descriptors of segments */
    PB_LOG_TABLE_MAX = 1024, /* segments remembered without need */
    PB_LOG_BUCKETS = 1024,
    PB_LOG_BACKLOG = 8, /* journals' worth that may wait for a checkpoint */
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
    uint64_t generation;      /* of the last state handed to a checkpoint */
    uint64_t touched;         /* number of the journal with its last record; under the lock */
    bool is_dirty;            /* its state on disk is older than `seen`; under the lock */
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

/* A wish in the queue. */
struct pb_log_entry {
    struct pb_log_entry *next;
    enum pb_log_record_type type;
    char execution[PB_ULID_TEXT];
    uint32_t attempt;
    uint64_t seq;
    uint32_t count;
    pb_log_done_fn *done;
    void *arg;
    struct pb_log_ack ack;
    struct pb_error err;
    bool failed;
    /* set by the writer; for taking it back */
    struct pb_log_segment *segment; /* NULL: nothing of it is in the batch */
    uint64_t old_lines, old_bytes, old_next;
    bool old_complete;
    size_t len;
    char data[];
};

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

struct pb_log_store {
    int dir;
    size_t journal_bytes;
    size_t queue_max;
    unsigned gather_ms;
    struct pb_thread *writer, *checkpointer;
    struct pb_log_table table;
    struct pb_log_journal journal; /* the writer's */
    uint64_t oldest_journal;       /* the checkpointer's, once it runs */

    pthread_mutex_t lock; /* guards what follows, and parts of the table */
    pthread_cond_t arrived;
    pthread_cond_t checkpoint_asked;
    pthread_cond_t checkpoint_done;
    struct pb_log_entry *first, **last;
    size_t queued_bytes;
    bool is_stopping;
    struct pb_log_checkpoint job;
    bool has_job;
    bool checkpointer_stops;
};

/* log_writer.c */
void pb_log_writer_main(void *logs);
void pb_log_checkpointer_main(void *logs);
/* Applies the journals of an earlier run, checkpoints them, starts a new one. */
int pb_log_recover(struct pb_log_store *logs, struct pb_error *err) PB_MUST_CHECK;
/* The last thing: everything is checkpointed, no journal is left. */
int pb_log_finish(struct pb_log_store *logs, struct pb_error *err) PB_MUST_CHECK;

#endif
