/* The inside of the log store in the database, shared by log_chunks.c, log_chunk_writer.c and log_chunk_source.c. */
#ifndef PB_SERVER_STORE_LOG_CHUNKS_PRIVATE_H
#define PB_SERVER_STORE_LOG_CHUNKS_PRIVATE_H

#include <pthread.h>

#include "base/pool.h"
#include "server/store/log_chunk_rows_private.h"
#include "server/store/log_chunks.h"

struct pb_log_chunks {
    struct pb_log_store logs; /* the first: what callers have a pointer to */
    struct pb_store *store;   /* borrowed */
    size_t queue_max;
    unsigned gather_ms;
    uint64_t log_max;
    struct pb_thread *writer;
    struct pb_log_zstd *zstd; /* the writer's; owned */

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t arrived;
    struct pb_log_entry *first, **last;
    size_t queued_bytes;
    int64_t waits_since, batch_since; /* steady ms; 0 = nothing waits, no batch runs */
    struct pb_log_stats stats;
    bool is_stopping;
};

/* log_chunk_writer.c */
void pb_log_chunk_writer_main(void *chunks);

/* log_chunk_source.c */
int pb_log_chunk_source_open(struct pb_log_store *logs, const char *execution,
                             struct pb_log_reader *reader, struct pb_error *err) PB_MUST_CHECK;

#endif
