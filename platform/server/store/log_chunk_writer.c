/* The writer of the log store in the database: a tick's wishes are one change of the store. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "server/store/log_chunks_private.h"

enum { ENOUGH_BYTES = 1 << 20, LOGS_MAX = 64 /* of a batch */, BUSY_MS = 100 };

/* A log in a batch. */
struct batch_log {
    const char *execution; /* borrowed from its first entry */
    struct pb_log_state now;
    bool is_new; /* its state has no row yet */
    bool is_changed;
};

struct batch {
    struct pb_log_chunks *chunks;
    struct pb_log_entry *entries;
    struct batch_log logs[LOGS_MAX];
    size_t log_count;
    uint64_t lines, bytes;
};

/* --- taking a batch ------------------------------------------------------------------------------ */

/* With the lock held, until something arrives, or for so long. */
static void wait_for_more(struct pb_log_chunks *chunks, unsigned ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)ms * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    (void)pthread_cond_timedwait(&chunks->arrived, &chunks->lock, &until);
}

/* Is it about one of the batch's logs, or is there room for one more? */
static bool fits(struct batch *batch, const char *execution)
{
    for (size_t i = 0; i < batch->log_count; i++)
        if (strcmp(batch->logs[i].execution, execution) == 0)
            return true;
    if (batch->log_count == LOGS_MAX)
        return false;
    batch->logs[batch->log_count++] = (struct batch_log){.execution = execution};
    return true;
}

/* What has arrived within a tick, in order; false when stopping. */
static bool take(struct pb_log_chunks *chunks, struct batch *batch)
{
    struct pb_log_entry **end = &batch->entries;

    pthread_mutex_lock(&chunks->lock);
    while (!chunks->first && !chunks->is_stopping)
        pthread_cond_wait(&chunks->arrived, &chunks->lock);
    if (chunks->first && !chunks->is_stopping && chunks->queued_bytes < ENOUGH_BYTES)
        wait_for_more(chunks, chunks->gather_ms);
    while (chunks->first && fits(batch, chunks->first->execution)) {
        struct pb_log_entry *entry = chunks->first;

        chunks->queued_bytes -= entry->len + sizeof(*entry);
        chunks->first = entry->next;
        entry->next = NULL;
        *end = entry;
        end = &entry->next;
    }
    if (!chunks->first)
        chunks->last = &chunks->first;
    chunks->batch_since = chunks->waits_since;
    chunks->waits_since = chunks->first ? pb_clock_steady_ms() : 0;
    pthread_mutex_unlock(&chunks->lock);
    return batch->entries != NULL;
}

/* --- the change ---------------------------------------------------------------------------------- */

/* The row is there before its first chunk, which refers to it. */
static int need_row(struct pb_db *db, struct batch_log *log, struct pb_error *err)
{
    pb_log_state_born(&log->now);
    if (!log->is_new)
        return 0;
    log->is_new = false;
    return pb_log_rows_make(db, log->execution, &log->now, err);
}

static int add_text(struct pb_db *db, struct batch *batch, struct batch_log *log,
                    const struct pb_log_new_chunk *chunk, struct pb_error *err)
{
    if (need_row(db, log, err) < 0 ||
        pb_log_rows_add(db, log->execution, chunk, batch->chunks->zstd, err) < 0)
        return -1;
    log->now.lines += chunk->lines;
    log->now.bytes += chunk->len;
    return 0;
}

/* The limit's line is the platform's: it has a number of that sender. */
static int drop_lines(struct pb_db *db, struct batch *batch, struct batch_log *log, uint32_t count,
                      struct pb_error *err)
{
    char line[PB_LOG_LIMIT_LINE];
    size_t len = pb_log_limit_line(line, &log->now, batch->chunks->log_max);
    struct pb_log_sender *ours = pb_log_sender(&log->now, PB_LOG_ATTEMPT_PLATFORM);

    log->now.dropped += count;
    if (len == 0)
        return 0;
    return add_text(db, batch, log,
                    &(struct pb_log_new_chunk){PB_LOG_ATTEMPT_PLATFORM, ours->next++, &log->now,
                                               line, len, 1},
                    err);
}

static int store_lines(struct pb_db *db, struct batch *batch, struct batch_log *log,
                       struct pb_log_entry *entry, struct pb_error *err)
{
    struct pb_log_fresh fresh;

    entry->failed = pb_log_entry_fresh(entry, &log->now, &fresh, &entry->err) < 0;
    entry->old_next = entry->ack.next_seq;
    if (entry->failed || fresh.count == 0)
        return 0;
    if (pb_log_entry_is_over(entry, &log->now, fresh.len, batch->chunks->log_max)) {
        if (drop_lines(db, batch, log, fresh.count, err) < 0)
            return -1;
    } else {
        if (add_text(db, batch, log,
                     &(struct pb_log_new_chunk){entry->attempt, entry->ack.next_seq, &log->now,
                                                fresh.data, fresh.len, fresh.count},
                     err) < 0)
            return -1;
        entry->ack.stored = fresh.count;
        batch->lines += fresh.count;
        batch->bytes += fresh.len;
    }
    pb_log_sender(&log->now, entry->attempt)->next += fresh.count;
    entry->ack.next_seq += fresh.count;
    log->is_changed = true;
    return 0;
}

static int store_entry(struct pb_db *db, struct batch *batch, struct batch_log *log,
                       struct pb_log_entry *entry, struct pb_error *err)
{
    switch (entry->type) {
    case PB_LOG_RECORD_LINES:
        if (store_lines(db, batch, log, entry, err) < 0)
            return -1;
        break;
    case PB_LOG_RECORD_COMPLETE:
    case PB_LOG_RECORD_REOPEN:
        log->now.is_complete = entry->type == PB_LOG_RECORD_COMPLETE;
        log->is_changed = true;
        break;
    case PB_LOG_RECORD_REMOVE:
        log->now = (struct pb_log_state){0};
        log->is_new = true;
        log->is_changed = false;
        if (pb_log_rows_remove(db, log->execution, err) < 0)
            return -1;
        break;
    case PB_LOG_RECORD_DROP: /* is a record of the other store's journal */
        break;
    }
    entry->ack.lines = log->now.lines;
    entry->ack.bytes = log->now.bytes;
    return 0;
}

static struct batch_log *log_of(struct batch *batch, const struct pb_log_entry *entry)
{
    struct batch_log *log = batch->logs;

    while (strcmp(log->execution, entry->execution) != 0)
        log++;
    return log;
}

static int write_batch(struct pb_db *db, void *arg, struct pb_error *err)
{
    struct batch *batch = arg;

    batch->lines = batch->bytes = 0;
    for (size_t i = 0; i < batch->log_count; i++) {
        struct batch_log *log = &batch->logs[i];

        if (pb_log_rows_load(db, log->execution, &log->now, err) < 0)
            return -1;
        log->is_new = log->now.birth == 0;
        log->is_changed = false;
    }
    for (struct pb_log_entry *entry = batch->entries; entry; entry = entry->next)
        if (store_entry(db, batch, log_of(batch, entry), entry, err) < 0)
            return -1;
    for (size_t i = 0; i < batch->log_count; i++) {
        struct batch_log *log = &batch->logs[i];

        if (log->is_changed && (need_row(db, log, err) < 0 ||
                                pb_log_rows_save(db, log->execution, &log->now, err) < 0))
            return -1;
    }
    return 0;
}

/* --- the thread ---------------------------------------------------------------------------------- */

/* False when stopping. */
static bool wait_a_little(struct pb_log_chunks *chunks)
{
    int64_t until = pb_clock_steady_ms() + BUSY_MS;
    bool go_on;

    pthread_mutex_lock(&chunks->lock);
    while (!chunks->is_stopping && pb_clock_steady_ms() < until)
        wait_for_more(chunks, BUSY_MS);
    go_on = !chunks->is_stopping;
    pthread_mutex_unlock(&chunks->lock);
    return go_on;
}

/* A database that is too busy is no reason to refuse lines: they wait, as they do for a slow disk. */
static int write_patiently(struct batch *batch, struct pb_error *err)
{
    int r;

    do {
        r = pb_store_write(batch->chunks->store, write_batch, batch, err);
    } while (r < 0 && strcmp(err->reason, "busy") == 0 && wait_a_little(batch->chunks));
    return r;
}

/* The change came to nothing: nothing of it is acknowledged. */
static void fail_all(struct batch *batch, const struct pb_error *err)
{
    for (struct pb_log_entry *entry = batch->entries; entry; entry = entry->next) {
        if (entry->failed)
            continue;
        entry->failed = true;
        entry->err = *err;
        entry->ack.next_seq = entry->old_next;
        entry->ack.stored = 0;
    }
    batch->lines = batch->bytes = 0;
}

static void count(struct pb_log_chunks *chunks, const struct batch *batch, bool has_failed)
{
    pthread_mutex_lock(&chunks->lock);
    chunks->stats.ticks++;
    chunks->stats.failed += has_failed;
    chunks->stats.lines += batch->lines;
    chunks->stats.bytes += batch->bytes;
    chunks->batch_since = 0;
    pthread_mutex_unlock(&chunks->lock);
}

void pb_log_chunk_writer_main(void *arg)
{
    struct pb_log_chunks *chunks = arg;
    struct batch batch = {.chunks = chunks};

    while (take(chunks, &batch)) {
        struct pb_error err;
        bool has_failed = write_patiently(&batch, &err) < 0;

        if (has_failed)
            fail_all(&batch, &err);
        count(chunks, &batch, has_failed);
        pb_log_entries_deliver(batch.entries);
        batch = (struct batch){.chunks = chunks};
    }
}
