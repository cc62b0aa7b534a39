/* The log writer's thread. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/store/log_files_private.h"

enum {
    ENOUGH_BYTES = 1 << 20, /* do not gather longer once this much is there */
    DISK_LOOK_MS = 1000,
};

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

/* A log that is being sealed and is in this batch: the seal is given up, or, when it is being made, waited
 * for. With the lock held. */
static void pass_gate(struct pb_log_files *files, const struct pb_log_entry *batch)
{
    files->batch_since = files->waits_since = pb_clock_steady_ms();
    files->is_in_batch = true; /* first: no other seal begins while we wait for one */
    for (; batch && *files->sealing; batch = batch->next) {
        if (strcmp(batch->execution, files->sealing) != 0)
            continue;
        files->is_seal_unwanted = true;
        while (files->is_seal_due)
            pthread_cond_wait(&files->sync_done, &files->lock);
    }
}

/* What has arrived within a tick, in order; NULL when stopping. A removal is always the last. */
static struct pb_log_entry *take_batch(struct pb_log_files *files)
{
    struct pb_log_entry *batch, *last;

    pthread_mutex_lock(&files->lock);
    while (!files->first && !files->is_stopping)
        pthread_cond_wait(&files->arrived, &files->lock);
    if (files->first && !files->is_stopping && files->queued_bytes < ENOUGH_BYTES)
        wait_until(&files->arrived, &files->lock, files->gather_ms);
    batch = files->first;
    for (last = batch; last; last = last->next) {
        files->queued_bytes -= last->len + sizeof(*last);
        if (last->type == PB_LOG_RECORD_REMOVE || !last->next)
            break;
    }
    if (last) {
        files->first = last->next;
        last->next = NULL;
    }
    if (!files->first)
        files->last = &files->first;
    if (batch)
        pass_gate(files, batch);
    pthread_mutex_unlock(&files->lock);
    return batch;
}

static void end_batch(struct pb_log_files *files)
{
    pthread_mutex_lock(&files->lock);
    files->is_in_batch = false;
    pthread_cond_broadcast(&files->sync_done);
    pthread_mutex_unlock(&files->lock);
}

/* --- preparing ----------------------------------------------------------------------------------- */

static void remember(struct pb_log_entry *entry, struct pb_log_segment *segment)
{
    entry->segment = segment;
    entry->old_lines = segment->now.lines;
    entry->old_bytes = segment->now.bytes;
    entry->old_dropped = segment->now.dropped;
    entry->old_complete = segment->now.is_complete;
    entry->old_next = pb_log_sender_next(&segment->now, entry->attempt);
}

static void take_back(struct pb_log_entry *entry)
{
    struct pb_log_state *now = &entry->segment->now;

    now->lines = entry->old_lines;
    now->bytes = entry->old_bytes;
    now->dropped = entry->old_dropped;
    now->is_complete = entry->old_complete;
    if (entry->type == PB_LOG_RECORD_LINES || entry->type == PB_LOG_RECORD_DROP)
        pb_log_sender(now, entry->attempt)->next = entry->old_next;
}

static void add_record(struct pb_log_files *files, const struct pb_log_entry *entry,
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
    pb_log_journal_add(&files->journal, &record);
}

/* Is there less room on the disk than is to be left? Asked once a second. */
static bool is_disk_low(struct pb_log_files *files)
{
    int64_t now = pb_clock_steady_ms();
    struct statvfs disk;

    if (files->disk_floor == 0 || now - files->disk_looked_at < DISK_LOOK_MS)
        return files->is_disk_low;
    files->disk_looked_at = now;
    files->is_disk_low = fstatvfs(files->dir, &disk) == 0 &&
                         (uint64_t)disk.f_bavail * disk.f_frsize < files->disk_floor;
    return files->is_disk_low;
}

/* The lines go, their numbers count as stored. The first time the log gets a last line that says so. */
static int prepare_drop(struct pb_log_files *files, struct pb_log_entry *entry,
                        struct pb_log_segment *segment, uint32_t count, struct pb_error *err)
{
    char data[PB_LOG_DROP_HEAD + PB_LOG_LIMIT_LINE];
    char *line = data + PB_LOG_DROP_HEAD;
    size_t len = pb_log_limit_line(line, &segment->now, files->log_max);

    pb_put_u64((unsigned char *)data, segment->now.dropped);
    remember(entry, segment);
    if (len > 0 && pb_log_segment_write(files->dir, segment->fd, segment->execution, &segment->now,
                                        line, len, 1, err) < 0) {
        entry->segment = NULL;
        return -1;
    }
    segment->now.dropped += count;
    pb_log_sender(&segment->now, entry->attempt)->next += count;
    entry->type = PB_LOG_RECORD_DROP;
    entry->ack.next_seq = entry->old_next + count;
    add_record(files, entry, data, PB_LOG_DROP_HEAD + len, count);
    return 0;
}

/* Writes the lines that are new to their segment and adds them to the journal's batch. */
static int prepare_lines(struct pb_log_files *files, struct pb_log_entry *entry,
                         struct pb_log_segment *segment, struct pb_error *err)
{
    struct pb_log_fresh fresh;

    if (pb_log_entry_fresh(entry, &segment->now, &fresh, err) < 0)
        return -1;
    if (fresh.count == 0)
        return 0;
    if (entry->attempt != PB_LOG_ATTEMPT_PLATFORM && is_disk_low(files))
        return pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "disk_full",
                              "the disk of the logs has less than %llu MiB free",
                              (unsigned long long)(files->disk_floor >> 20));
    if (pb_log_table_open(&files->table, segment, err) < 0)
        return -1;
    pb_log_state_born(&segment->now);
    if (pb_log_entry_is_over(entry, &segment->now, fresh.len, files->log_max))
        return prepare_drop(files, entry, segment, fresh.count, err);
    remember(entry, segment);
    if (pb_log_segment_write(files->dir, segment->fd, segment->execution, &segment->now, fresh.data,
                             fresh.len, fresh.count, err) < 0) {
        entry->segment = NULL; /* the state has not moved */
        return -1;
    }
    pb_log_sender(&segment->now, entry->attempt)->next += fresh.count;
    files->batch_lines += fresh.count;
    files->batch_bytes += fresh.len;
    entry->ack.stored = fresh.count;
    entry->ack.next_seq = entry->old_next + fresh.count;
    add_record(files, entry, fresh.data, fresh.len, fresh.count);
    return 0;
}

static int prepare(struct pb_log_files *files, struct pb_log_entry *entry, struct pb_error *err)
{
    struct pb_log_segment *segment = pb_log_table_get(&files->table, entry->execution, err);

    if (!segment)
        return -1;
    switch (entry->type) {
    case PB_LOG_RECORD_LINES:
        return prepare_lines(files, entry, segment, err);
    case PB_LOG_RECORD_COMPLETE:
    case PB_LOG_RECORD_REOPEN:
        /* Made now, so that its index can hold the state. */
        if (pb_log_table_open(&files->table, segment, err) < 0)
            return -1;
        remember(entry, segment);
        segment->now.is_complete = entry->type == PB_LOG_RECORD_COMPLETE;
        break;
    case PB_LOG_RECORD_REMOVE:
    case PB_LOG_RECORD_DROP: /* comes from prepare_lines() alone */
        remember(entry, segment);
        break;
    }
    add_record(files, entry, "", 0, 0);
    return 0;
}

/* --- after the sync ------------------------------------------------------------------------------ */

/* With the lock held. */
static void publish(struct pb_log_files *files, struct pb_log_entry *entry)
{
    struct pb_log_segment *segment = entry->segment;

    segment->seen = segment->now;
    segment->touched = files->journal.number;
    segment->is_dirty = true;
    if (segment->now.is_complete) /* ended, or ended and then a late line of ours */
        pb_log_quiet_add(files, entry->execution);
}

/* The removal is in the journal: it happens, now or at the next start. */
static int remove_segment(struct pb_log_files *files, struct pb_log_entry *entry,
                          struct pb_error *err)
{
    struct pb_log_segment *segment = entry->segment;

    pthread_mutex_lock(&files->lock);
    /* Neither the state nor the packed lines of a log that is gone may be written. */
    while (files->has_job || strcmp(files->sealing, segment->execution) == 0)
        pthread_cond_wait(&files->sync_done, &files->lock);
    pthread_mutex_unlock(&files->lock);
    pb_log_table_shut(&files->table, segment);
    if (pb_log_segment_remove(files->dir, segment->execution, err) < 0)
        return -1;
    pthread_mutex_lock(&files->lock);
    segment->now = segment->seen = (struct pb_log_state){0};
    segment->is_dirty = false;
    pthread_mutex_unlock(&files->lock);
    return 0;
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
static int renew_journal(struct pb_log_files *files, struct pb_error *err)
{
    struct pb_log_journal fresh;

    if (pb_log_journal_create(&fresh, files->dir, files->journal.number + 1, err) < 0)
        return -1;
    if (files->journal.size == 0)
        pb_log_journal_unlink(files->dir, files->journal.number);
    pb_log_journal_close(&files->journal);
    files->journal = fresh;
    return 0;
}

static int renew_broken_journal(struct pb_log_files *files, struct pb_error *err)
{
    return files->journal.is_broken ? renew_journal(files, err) : 0;
}

static void note_failed_batch(struct pb_log_files *files)
{
    pthread_mutex_lock(&files->lock);
    files->stats.ticks++;
    files->stats.failed++;
    pthread_mutex_unlock(&files->lock);
}

static void run_batch(struct pb_log_files *files, struct pb_log_entry *batch)
{
    struct pb_error err = {0};
    int r = renew_broken_journal(files, &err);

    files->batch_lines = files->batch_bytes = 0;
    for (struct pb_log_entry *entry = batch; entry && r == 0; entry = entry->next)
        entry->failed = prepare(files, entry, &entry->err) < 0;
    if (r == 0 && (files->journal.batch.len > 0 || pb_buf_failed(&files->journal.batch)))
        r = pb_log_journal_commit(&files->journal, &err);
    if (r < 0) {
        take_batch_back(batch, &err);
        note_failed_batch(files);
        if (strcmp(err.reason, "disk_error") == 0)
            pb_log_break(files, &err);
        return;
    }
    pthread_mutex_lock(&files->lock);
    for (struct pb_log_entry *entry = batch; entry; entry = entry->next) {
        if (entry->segment)
            publish(files, entry);
    }
    files->stats.ticks++;
    files->stats.lines += files->batch_lines;
    files->stats.bytes += files->batch_bytes;
    pthread_mutex_unlock(&files->lock);
    for (struct pb_log_entry *entry = batch; entry; entry = entry->next) {
        if (!entry->failed && entry->type == PB_LOG_RECORD_REMOVE)
            entry->failed = remove_segment(files, entry, &entry->err) < 0;
        if (entry->segment) {
            entry->ack.lines = entry->segment->seen.lines;
            entry->ack.bytes = entry->segment->seen.bytes;
        }
    }
}

/* --- checkpoints --------------------------------------------------------------------------------- */

/* Hands the sync thread what is in the journal when that has become large. */
static void maybe_checkpoint(struct pb_log_files *files)
{
    struct pb_log_checkpoint job = {0};
    struct pb_error err = {0};
    int r;

    if (files->journal.size < files->journal_bytes)
        return;
    pthread_mutex_lock(&files->lock);
    while (files->has_job && files->journal.size > PB_LOG_BACKLOG * files->journal_bytes)
        pthread_cond_wait(&files->sync_done, &files->lock);
    r = files->has_job ? 1 : pb_log_collect(files, &job, &err);
    pthread_mutex_unlock(&files->lock);
    if (r == 0)
        r = renew_journal(files, &err);
    if (r < 0) {
        pb_log_debug("log_store", "no checkpoint: %s", err.message);
        if (strcmp(err.reason, "disk_error") == 0)
            pb_log_break(files, &err);
    }
    if (r != 0) {
        free(job.items);
        return;
    }
    pthread_mutex_lock(&files->lock);
    files->job = job;
    files->has_job = true;
    pthread_cond_signal(&files->sync_asked);
    pthread_mutex_unlock(&files->lock);
}

void pb_log_writer_main(void *arg)
{
    struct pb_log_files *files = arg;
    struct pb_log_entry *batch;

    while ((batch = take_batch(files))) {
        run_batch(files, batch);
        end_batch(files);
        pb_log_entries_deliver(batch);
        maybe_checkpoint(files);
        pb_log_table_trim(&files->table);
    }
}
