/* The log writer's thread, the checkpointer's, and what happens at the start and at the end. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "server/store/log_store_private.h"

enum { ENOUGH_BYTES = 1 << 20 }; /* do not gather longer once this much is there */

/* --- taking a batch ------------------------------------------------------------------------------ */

static void wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, unsigned ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)ms * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    (void)pthread_cond_timedwait(cond, lock, &until);
}

/* What has arrived within a tick, in order; NULL when stopping. A removal is always the last. */
static struct pb_log_entry *take_batch(struct pb_log_store *logs)
{
    struct pb_log_entry *batch, *last;

    pthread_mutex_lock(&logs->lock);
    while (!logs->first && !logs->is_stopping)
        pthread_cond_wait(&logs->arrived, &logs->lock);
    if (logs->first && !logs->is_stopping && logs->queued_bytes < ENOUGH_BYTES)
        wait_until(&logs->arrived, &logs->lock, logs->gather_ms);
    batch = logs->first;
    for (last = batch; last; last = last->next) {
        logs->queued_bytes -= last->len + sizeof(*last);
        if (last->type == PB_LOG_RECORD_REMOVE || !last->next)
            break;
    }
    if (last) {
        logs->first = last->next;
        last->next = NULL;
    }
    if (!logs->first)
        logs->last = &logs->first;
    pthread_mutex_unlock(&logs->lock);
    return batch;
}

/* --- preparing ----------------------------------------------------------------------------------- */

static void remember(struct pb_log_entry *entry, struct pb_log_segment *segment)
{
    entry->segment = segment;
    entry->old_lines = segment->now.lines;
    entry->old_bytes = segment->now.bytes;
    entry->old_complete = segment->now.is_complete;
    entry->old_next = pb_log_sender_next(&segment->now, entry->attempt);
}

static void take_back(struct pb_log_entry *entry)
{
    struct pb_log_state *now = &entry->segment->now;

    now->lines = entry->old_lines;
    now->bytes = entry->old_bytes;
    now->is_complete = entry->old_complete;
    if (entry->type == PB_LOG_RECORD_LINES)
        pb_log_sender(now, entry->attempt)->next = entry->old_next;
}

static void add_record(struct pb_log_store *logs, const struct pb_log_entry *entry,
                       const char *data, size_t len, uint32_t count)
{
    struct pb_log_record record = {
        .type = entry->type,
        .attempt = entry->attempt,
        .count = count,
        .seq = entry->old_next,
        .line = entry->old_lines,
        .offset = entry->old_bytes,
        .data = data,
        .len = len,
    };

    memcpy(record.execution, entry->execution, PB_ULID_TEXT);
    pb_log_journal_add(&logs->journal, &record);
}

/* Writes the lines that are new to their segment and adds them to the journal's batch. */
static int prepare_lines(struct pb_log_store *logs, struct pb_log_entry *entry,
                         struct pb_log_segment *segment, struct pb_error *err)
{
    uint64_t next = pb_log_sender_next(&segment->now, entry->attempt);
    uint64_t seq = entry->seq == PB_LOG_SEQ_NEXT ? next : entry->seq;
    const char *data = entry->data;
    uint32_t fresh;

    entry->ack.next_seq = next;
    entry->ack.first_line = segment->now.lines;
    if (seq > next)
        return pb_fail_reason(err, PB_ERROR_CONFLICT, "gap",
                              "lines %llu to %llu of attempt %u are missing",
                              (unsigned long long)next, (unsigned long long)seq - 1,
                              entry->attempt);
    if (seq + entry->count <= next)
        return 0; /* it is all there, or earlier in this batch */
    fresh = (uint32_t)(seq + entry->count - next);
    for (uint64_t i = seq; i < next; i++)
        data = strchr(data, '\n') + 1;

    if (pb_log_table_open(&logs->table, segment, err) < 0)
        return -1;
    remember(entry, segment);
    if (pb_log_segment_write(logs->dir, segment->fd, segment->execution, &segment->now, data,
                             entry->len - (size_t)(data - entry->data), fresh, err) < 0) {
        entry->segment = NULL; /* the state has not moved */
        return -1;
    }
    pb_log_sender(&segment->now, entry->attempt)->next = next + fresh;
    entry->ack.stored = fresh;
    entry->ack.next_seq = next + fresh;
    add_record(logs, entry, data, entry->len - (size_t)(data - entry->data), fresh);
    return 0;
}

static int prepare(struct pb_log_store *logs, struct pb_log_entry *entry, struct pb_error *err)
{
    struct pb_log_segment *segment = pb_log_table_get(&logs->table, entry->execution, err);

    if (!segment)
        return -1;
    switch (entry->type) {
    case PB_LOG_RECORD_LINES:
        return prepare_lines(logs, entry, segment, err);
    case PB_LOG_RECORD_COMPLETE:
    case PB_LOG_RECORD_REOPEN:
        /* Made now, so that its index can hold the state. */
        if (pb_log_table_open(&logs->table, segment, err) < 0)
            return -1;
        remember(entry, segment);
        segment->now.is_complete = entry->type == PB_LOG_RECORD_COMPLETE;
        break;
    case PB_LOG_RECORD_REMOVE:
        remember(entry, segment);
        break;
    }
    add_record(logs, entry, "", 0, 0);
    return 0;
}

/* --- after the sync ------------------------------------------------------------------------------ */

/* With the lock held. */
static void publish(struct pb_log_store *logs, struct pb_log_entry *entry)
{
    struct pb_log_segment *segment = entry->segment;

    segment->seen = segment->now;
    segment->touched = logs->journal.number;
    segment->is_dirty = true;
}

/* The removal is in the journal: it happens, now or at the next start. */
static int remove_segment(struct pb_log_store *logs, struct pb_log_entry *entry,
                          struct pb_error *err)
{
    struct pb_log_segment *segment = entry->segment;

    pthread_mutex_lock(&logs->lock);
    while (logs->has_job) /* it must not write the state of a log that is gone */
        pthread_cond_wait(&logs->checkpoint_done, &logs->lock);
    pthread_mutex_unlock(&logs->lock);
    pb_log_table_shut(&logs->table, segment);
    if (pb_log_segment_remove(logs->dir, segment->execution, err) < 0)
        return -1;
    pthread_mutex_lock(&logs->lock);
    segment->now = segment->seen = (struct pb_log_state){0};
    segment->is_dirty = false;
    pthread_mutex_unlock(&logs->lock);
    return 0;
}

static void deliver(struct pb_log_entry *batch)
{
    struct pb_log_entry *next;

    for (struct pb_log_entry *entry = batch; entry; entry = next) {
        next = entry->next;
        if (entry->done)
            entry->done(entry->arg, &entry->ack, entry->failed ? &entry->err : NULL);
        free(entry);
    }
}

/* Takes back what of the batch was prepared, newest first. */
static void take_batch_back(struct pb_log_entry *batch, const struct pb_error *err)
{
    struct pb_log_entry *entry = batch, *newest = NULL, *next;

    for (; entry; entry = next) { /* the list, backwards */
        next = entry->next;
        entry->next = newest;
        newest = entry;
    }
    for (entry = newest, newest = NULL; entry; entry = next) { /* and forwards again */
        next = entry->next;
        if (entry->segment)
            take_back(entry);
        if (!entry->failed) {
            entry->failed = true;
            entry->err = *err;
            entry->ack.stored = 0;
            entry->ack.next_seq = entry->segment ? entry->old_next : entry->ack.next_seq;
        }
        entry->next = newest;
        newest = entry;
    }
}

/* A new journal; the old one stays until its segments are safe. */
static int renew_journal(struct pb_log_store *logs, struct pb_error *err)
{
    struct pb_log_journal fresh;

    if (pb_log_journal_create(&fresh, logs->dir, logs->journal.number + 1, err) < 0)
        return -1;
    if (logs->journal.size == 0)
        pb_log_journal_unlink(logs->dir, logs->journal.number);
    pb_log_journal_close(&logs->journal);
    logs->journal = fresh;
    return 0;
}

static int renew_broken_journal(struct pb_log_store *logs, struct pb_error *err)
{
    return logs->journal.is_broken ? renew_journal(logs, err) : 0;
}

static void run_batch(struct pb_log_store *logs, struct pb_log_entry *batch)
{
    struct pb_error err = {0};
    int r = renew_broken_journal(logs, &err);

    for (struct pb_log_entry *entry = batch; entry && r == 0; entry = entry->next)
        entry->failed = prepare(logs, entry, &entry->err) < 0;
    if (r == 0 && (logs->journal.batch.len > 0 || pb_buf_failed(&logs->journal.batch)))
        r = pb_log_journal_commit(&logs->journal, &err);
    if (r < 0) {
        take_batch_back(batch, &err);
        return;
    }
    pthread_mutex_lock(&logs->lock);
    for (struct pb_log_entry *entry = batch; entry; entry = entry->next) {
        if (entry->segment)
            publish(logs, entry);
    }
    pthread_mutex_unlock(&logs->lock);
    for (struct pb_log_entry *entry = batch; entry; entry = entry->next) {
        if (!entry->failed && entry->type == PB_LOG_RECORD_REMOVE)
            entry->failed = remove_segment(logs, entry, &entry->err) < 0;
        if (entry->segment) {
            entry->ack.lines = entry->segment->seen.lines;
            entry->ack.bytes = entry->segment->seen.bytes;
        }
    }
}

/* --- checkpoints --------------------------------------------------------------------------------- */

/* Everything dirty, as it is seen now. With the lock held. */
static int collect(struct pb_log_store *logs, struct pb_log_checkpoint *ret_job,
                   struct pb_error *err)
{
    struct pb_log_checkpoint job = {.upto = logs->journal.number};
    struct pb_log_segment *segment;

    job.items = calloc(logs->table.count + 1, sizeof(*job.items));
    if (!job.items)
        return pb_fail(err, PB_ERROR_LIMITED, "no memory");
    TAILQ_FOREACH(segment, &logs->table.by_use, by_use)
    {
        struct pb_log_checkpoint_item *item = &job.items[job.count];

        if (!segment->is_dirty)
            continue;
        memcpy(item->execution, segment->execution, PB_ULID_TEXT);
        item->state = segment->seen;
        item->generation = ++segment->generation;
        job.count++;
    }
    *ret_job = job;
    return 0;
}

/* Months and their entries: the names of what was synced must not be lost either. */
static int sync_folders(struct pb_log_store *logs, const struct pb_log_checkpoint *job,
                        struct pb_error *err)
{
    char month[PB_LOG_PATH] = "", path[PB_LOG_PATH];

    for (size_t i = 0; i < job->count; i++) {
        pb_log_path(job->items[i].execution, "", path);
        *strchr(path, '/') = '\0';
        if (strcmp(path, month) == 0)
            continue;
        memcpy(month, path, sizeof(month));
        if (pb_log_folder_sync(logs->dir, month, err) < 0)
            return -1;
    }
    return pb_log_folder_sync(logs->dir, ".", err);
}

static int run_checkpoint(struct pb_log_store *logs, const struct pb_log_checkpoint *job,
                          struct pb_error *err)
{
    for (size_t i = 0; i < job->count; i++) {
        const struct pb_log_checkpoint_item *item = &job->items[i];

        if (pb_log_state_save(logs->dir, item->execution, &item->state, item->generation, err) < 0)
            return -1;
    }
    if (sync_folders(logs, job, err) < 0)
        return -1;
    for (; logs->oldest_journal <= job->upto; logs->oldest_journal++)
        pb_log_journal_unlink(logs->dir, logs->oldest_journal);
    pthread_mutex_lock(&logs->lock);
    for (size_t i = 0; i < job->count; i++) {
        struct pb_log_segment *segment = pb_log_table_find(&logs->table, job->items[i].execution);

        if (segment && segment->touched <= job->upto)
            segment->is_dirty = false;
    }
    pthread_mutex_unlock(&logs->lock);
    return 0;
}

void pb_log_checkpointer_main(void *arg)
{
    struct pb_log_store *logs = arg;

    pthread_mutex_lock(&logs->lock);
    for (;;) {
        struct pb_error err = {0};

        while (!logs->has_job && !logs->checkpointer_stops)
            pthread_cond_wait(&logs->checkpoint_asked, &logs->lock);
        if (!logs->has_job)
            break;
        pthread_mutex_unlock(&logs->lock);
        /* Failing loses nothing: the journals stay, the next one tries again. */
        if (run_checkpoint(logs, &logs->job, &err) < 0)
            pb_log_debug("log_store", "checkpoint: %s", err.message);
        pthread_mutex_lock(&logs->lock);
        free(logs->job.items);
        logs->job = (struct pb_log_checkpoint){0};
        logs->has_job = false;
        pthread_cond_broadcast(&logs->checkpoint_done);
    }
    pthread_mutex_unlock(&logs->lock);
}

/* Hands the checkpointer what is in the journal when that has become large. */
static void maybe_checkpoint(struct pb_log_store *logs)
{
    struct pb_log_checkpoint job = {0};
    struct pb_error err = {0};
    int r;

    if (logs->journal.size < logs->journal_bytes)
        return;
    pthread_mutex_lock(&logs->lock);
    while (logs->has_job && logs->journal.size > PB_LOG_BACKLOG * logs->journal_bytes)
        pthread_cond_wait(&logs->checkpoint_done, &logs->lock);
    r = logs->has_job ? 1 : collect(logs, &job, &err);
    pthread_mutex_unlock(&logs->lock);
    if (r == 0)
        r = renew_journal(logs, &err);
    if (r < 0)
        pb_log_debug("log_store", "no checkpoint: %s", err.message);
    if (r != 0) {
        free(job.items);
        return;
    }
    pthread_mutex_lock(&logs->lock);
    logs->job = job;
    logs->has_job = true;
    pthread_cond_signal(&logs->checkpoint_asked);
    pthread_mutex_unlock(&logs->lock);
}

void pb_log_writer_main(void *arg)
{
    struct pb_log_store *logs = arg;
    struct pb_log_entry *batch;

    while ((batch = take_batch(logs))) {
        run_batch(logs, batch);
        deliver(batch);
        maybe_checkpoint(logs);
        pb_log_table_trim(&logs->table);
    }
}

/* --- start and end ------------------------------------------------------------------------------- */

/* A record of an earlier run: to its place, whatever stands there. */
static int replay(void *arg, const struct pb_log_record *record, struct pb_error *err)
{
    struct pb_log_store *logs = arg;
    struct pb_log_segment *segment = pb_log_table_get(&logs->table, record->execution, err);

    if (!segment)
        return -1;
    segment->is_dirty = true;
    if (record->type == PB_LOG_RECORD_REMOVE) {
        pb_log_table_shut(&logs->table, segment);
        segment->now = (struct pb_log_state){0};
        return pb_log_segment_remove(logs->dir, segment->execution, err);
    }
    segment->now.lines = record->line;
    segment->now.bytes = record->offset;
    if (pb_log_table_open(&logs->table, segment, err) < 0)
        return -1;
    if (record->type != PB_LOG_RECORD_LINES) {
        segment->now.is_complete = record->type == PB_LOG_RECORD_COMPLETE;
        return 0;
    }
    if (pb_log_segment_write(logs->dir, segment->fd, segment->execution, &segment->now,
                             record->data, record->len, record->count, err) < 0)
        return -1;
    pb_log_sender(&segment->now, record->attempt)->next = record->seq + record->count;
    return 0;
}

/* Everything dirty becomes safe, in this thread. */
static int checkpoint_now(struct pb_log_store *logs, struct pb_error *err)
{
    struct pb_log_checkpoint job;
    int r;

    pthread_mutex_lock(&logs->lock);
    r = collect(logs, &job, err);
    pthread_mutex_unlock(&logs->lock);
    if (r < 0)
        return -1;
    r = run_checkpoint(logs, &job, err);
    free(job.items);
    return r;
}

int pb_log_recover(struct pb_log_store *logs, struct pb_error *err)
{
    struct pb_log_segment *segment;
    uint64_t *numbers = NULL;
    size_t count = 0;
    int r = -1;

    if (pb_log_journal_list(logs->dir, &numbers, &count, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (pb_log_journal_replay(logs->dir, numbers[i], replay, logs, err) < 0)
            goto out;
    }
    if (pb_log_table_settle(&logs->table, err) < 0)
        goto out;
    TAILQ_FOREACH(segment, &logs->table.by_use, by_use)
    {
        segment->seen = segment->now;
    }
    logs->oldest_journal = count > 0 ? numbers[0] : 1;
    logs->journal.number = count > 0 ? numbers[count - 1] : 0;
    if (checkpoint_now(logs, err) < 0)
        goto out;
    r = pb_log_journal_create(&logs->journal, logs->dir, logs->oldest_journal, err);
out:
    free(numbers);
    return r;
}

int pb_log_finish(struct pb_log_store *logs, struct pb_error *err)
{
    return checkpoint_now(logs, err);
}
