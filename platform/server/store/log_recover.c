/* The start and the end of the log store on disk: what a crash left is brought in order, everything is made safe. */
#include <stdlib.h>
#include <string.h>

#include "server/store/log_files_private.h"

/* To their place, whatever stands there. If lines before them are missing, theirs keep their numbers. */
static int replay_lines(struct pb_log_files *files, struct pb_log_segment *segment,
                        const char *data, size_t len, uint32_t count, struct pb_error *err)
{
    if (len == 0)
        return 0;
    if (pb_log_table_open(&files->table, segment, err) < 0)
        return -1;
    return pb_log_segment_write(files->dir, segment->fd, segment->execution, &segment->now, data,
                                len, count, err);
}

static int replay(void *arg, const struct pb_log_record *record, struct pb_error *err)
{
    struct pb_log_files *files = arg;
    struct pb_log_segment *segment = pb_log_table_get(&files->table, record->execution, err);
    const char *data = record->data;
    size_t len = record->len;
    uint32_t count = record->count;

    if (!segment)
        return -1;
    segment->is_dirty = true;
    if (record->type == PB_LOG_RECORD_REMOVE) {
        pb_log_table_shut(&files->table, segment);
        segment->now = (struct pb_log_state){0};
        return pb_log_segment_remove(files->dir, segment->execution, err);
    }
    if (record->offset < segment->now.sealed_bytes)
        return 0; /* in the state on disk, which is newer */
    segment->now.lines = record->line;
    segment->now.bytes = record->offset;
    switch (record->type) {
    case PB_LOG_RECORD_COMPLETE:
    case PB_LOG_RECORD_REOPEN:
        segment->now.is_complete = record->type == PB_LOG_RECORD_COMPLETE;
        return 0;
    case PB_LOG_RECORD_DROP:
        if (len < PB_LOG_DROP_HEAD)
            return 0;
        segment->now.dropped = pb_get_u64((const unsigned char *)data) + count;
        data += PB_LOG_DROP_HEAD;
        len -= PB_LOG_DROP_HEAD;
        if (replay_lines(files, segment, data, len, 1, err) < 0)
            return -1;
        break;
    case PB_LOG_RECORD_LINES:
        if (replay_lines(files, segment, data, len, count, err) < 0)
            return -1;
        break;
    case PB_LOG_RECORD_REMOVE:
        break;
    }
    pb_log_sender(&segment->now, record->attempt)->next = record->seq + count;
    return 0;
}

/* Everything dirty becomes safe, in this thread. */
static int checkpoint_now(struct pb_log_files *files, struct pb_error *err)
{
    struct pb_log_checkpoint job;
    int r;

    pthread_mutex_lock(&files->lock);
    r = pb_log_collect(files, &job, err);
    pthread_mutex_unlock(&files->lock);
    if (r < 0)
        return -1;
    r = pb_log_checkpoint_run(files, &job, err);
    free(job.items);
    return r;
}

int pb_log_recover(struct pb_log_files *files, struct pb_error *err)
{
    struct pb_log_segment *segment;
    uint64_t *numbers = NULL;
    size_t count = 0;
    int r = -1;

    if (pb_log_journal_list(files->dir, &numbers, &count, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (pb_log_journal_replay(files->dir, numbers[i], replay, files, err) < 0)
            goto out;
    }
    if (pb_log_table_settle(&files->table, err) < 0)
        goto out;
    TAILQ_FOREACH(segment, &files->table.by_use, by_use)
    {
        segment->seen = segment->now;
    }
    files->oldest_journal = count > 0 ? numbers[0] : 1;
    files->journal.number = count > 0 ? numbers[count - 1] : 0;
    if (checkpoint_now(files, err) < 0)
        goto out;
    r = pb_log_journal_create(&files->journal, files->dir, files->oldest_journal, err);
out:
    free(numbers);
    return r;
}

int pb_log_finish(struct pb_log_files *files, struct pb_error *err)
{
    return checkpoint_now(files, err);
}
