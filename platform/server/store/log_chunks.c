/* Callers' side of the log store in the database: the queue, looking, opening and closing. */
#include "server/store/log_chunks.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/store/log_chunks_private.h"

enum { QUEUE_BYTES = 16 << 20, GATHER_MS = 5, GATHER_MS_MAX = 20 };

static int queue(struct pb_log_store *logs, struct pb_log_entry *entry, struct pb_error *err)
{
    struct pb_log_chunks *chunks = (struct pb_log_chunks *)logs;
    size_t size = entry->len + sizeof(*entry);
    int r = 0;

    pthread_mutex_lock(&chunks->lock);
    if (chunks->is_stopping) {
        r = pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "stopping", "the platform is stopping");
    } else if (chunks->queued_bytes + size > chunks->queue_max) {
        r = pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "busy",
                           "too many log lines are waiting to be stored");
    } else {
        if (!chunks->first)
            chunks->waits_since = pb_clock_steady_ms();
        *chunks->last = entry;
        chunks->last = &entry->next;
        chunks->queued_bytes += size;
        pthread_cond_signal(&chunks->arrived);
    }
    pthread_mutex_unlock(&chunks->lock);
    return r;
}

struct cut {
    const char *execution;
    bool has_more;
};

static int write_cut(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct cut *cut = arg;

    return pb_log_rows_cut(db, cut->execution, &cut->has_more, err);
}

/* From the end on, so that what is left is a log at any moment. */
static int thin(struct pb_log_store *logs, const char *execution, struct pb_error *err)
{
    struct cut cut = {.execution = execution};

    do {
        if (pb_store_write(((struct pb_log_chunks *)logs)->store, write_cut, &cut, err) < 0)
            return -1;
    } while (cut.has_more);
    return 0;
}

static int look(struct pb_log_store *logs, const char *execution, struct pb_log_state *ret_state,
                struct pb_error *err)
{
    struct pb_db *db = pb_store_reader(((struct pb_log_chunks *)logs)->store, err);

    return db ? pb_log_rows_load(db, execution, ret_state, err) : -1;
}

static void look_at_all(struct pb_log_store *logs, struct pb_log_stats *ret_stats)
{
    struct pb_log_chunks *chunks = (struct pb_log_chunks *)logs;
    int64_t since;

    pthread_mutex_lock(&chunks->lock);
    *ret_stats = chunks->stats;
    ret_stats->queued_bytes = chunks->queued_bytes;
    since = chunks->batch_since ? chunks->batch_since : chunks->waits_since;
    pthread_mutex_unlock(&chunks->lock);
    ret_stats->waiting_ms = since ? pb_clock_steady_ms() - since : 0;
    ret_stats->disk_free = UINT64_MAX; /* the database's own affair */
}

static void close_chunks(struct pb_log_store *logs)
{
    struct pb_log_chunks *chunks = (struct pb_log_chunks *)logs;

    pthread_mutex_lock(&chunks->lock);
    chunks->is_stopping = true;
    pthread_cond_broadcast(&chunks->arrived);
    pthread_mutex_unlock(&chunks->lock);
    if (chunks->writer)
        pb_thread_join(&chunks->writer);
    pb_log_zstd_free(chunks->zstd);
    pthread_cond_destroy(&chunks->arrived);
    pthread_mutex_destroy(&chunks->lock);
    free(chunks);
}

static const struct pb_log_ops OPS = {
    .queue = queue,
    .thin = thin,
    .look = look,
    .open = pb_log_chunk_source_open,
    .stats = look_at_all,
    .close = close_chunks,
};

struct pb_log_store *pb_log_chunks_open(struct pb_store *store,
                                        const struct pb_log_store_options *options,
                                        struct pb_error *err)
{
    struct pb_log_chunks *chunks = calloc(1, sizeof(*chunks));
    unsigned wanted = options->gather_ms ? options->gather_ms : GATHER_MS;
    pthread_condattr_t monotonic;

    if (!chunks) {
        pb_fail(err, PB_ERROR_LIMITED, "no memory");
        return NULL;
    }
    chunks->logs.ops = &OPS;
    chunks->store = store;
    chunks->queue_max = options->queue_bytes ? options->queue_bytes : QUEUE_BYTES;
    chunks->gather_ms = wanted < GATHER_MS_MAX ? wanted : GATHER_MS_MAX;
    chunks->log_max = (uint64_t)options->log_max;
    chunks->last = &chunks->first;
    pthread_mutex_init(&chunks->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&chunks->arrived, &monotonic);
    pthread_condattr_destroy(&monotonic);
    chunks->zstd = pb_log_zstd_new(err);
    chunks->writer =
        chunks->zstd ? pb_thread_start("log-chunks", pb_log_chunk_writer_main, chunks, err) : NULL;
    if (!chunks->writer) {
        close_chunks(&chunks->logs);
        return NULL;
    }
    return &chunks->logs;
}
