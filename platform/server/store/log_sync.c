/* The log store's second thread: what takes long, and all that must be on disk before something else goes. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "server/store/log_files_private.h"

void pb_log_break(struct pb_log_files *files, const struct pb_error *err)
{
    bool is_first;

    pthread_mutex_lock(&files->lock);
    is_first = !files->is_broken;
    files->is_broken = true;
    pthread_mutex_unlock(&files->lock);
    if (is_first && files->on_broken)
        files->on_broken(files->arg, err);
}

/* --- checkpoints --------------------------------------------------------------------------------- */

int pb_log_collect(struct pb_log_files *files, struct pb_log_checkpoint *ret_job,
                   struct pb_error *err)
{
    struct pb_log_checkpoint job = {.upto = files->journal.number};
    struct pb_log_segment *segment;

    job.items = calloc(files->table.count + 1, sizeof(*job.items));
    if (!job.items)
        return pb_fail(err, PB_ERROR_LIMITED, "no memory");
    TAILQ_FOREACH(segment, &files->table.by_use, by_use)
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
static int sync_folders(struct pb_log_files *files, const struct pb_log_checkpoint *job,
                        struct pb_error *err)
{
    char month[PB_LOG_PATH] = "", path[PB_LOG_PATH];

    for (size_t i = 0; i < job->count; i++) {
        pb_log_month(job->items[i].execution, path);
        if (strcmp(path, month) == 0)
            continue;
        memcpy(month, path, sizeof(month));
        if (pb_log_folder_sync(files->dir, month, err) < 0)
            return -1;
    }
    return pb_log_folder_sync(files->dir, ".", err);
}

int pb_log_checkpoint_run(struct pb_log_files *files, const struct pb_log_checkpoint *job,
                          struct pb_error *err)
{
    for (size_t i = 0; i < job->count; i++) {
        const struct pb_log_checkpoint_item *item = &job->items[i];

        if (pb_log_state_save(files->dir, item->execution, &item->state, item->generation, err) < 0)
            return -1;
    }
    if (sync_folders(files, job, err) < 0)
        return -1;
    for (; files->oldest_journal <= job->upto; files->oldest_journal++)
        pb_log_journal_unlink(files->dir, files->oldest_journal);
    pthread_mutex_lock(&files->lock);
    for (size_t i = 0; i < job->count; i++) {
        struct pb_log_segment *segment = pb_log_table_find(&files->table, job->items[i].execution);

        if (segment && segment->touched <= job->upto)
            segment->is_dirty = false;
    }
    pthread_mutex_unlock(&files->lock);
    return 0;
}

/* With the lock held, released meanwhile. */
static void run_job(struct pb_log_files *files)
{
    struct pb_error err = {0};
    int r;

    pthread_mutex_unlock(&files->lock);
    r = pb_log_checkpoint_run(files, &files->job, &err);
    if (r < 0 && strcmp(err.reason, "disk_error") == 0)
        pb_log_break(files, &err);
    else if (r < 0) /* loses nothing: the journals stay, the next one tries again */
        pb_log_debug("log_store", "checkpoint: %s", err.message);
    pthread_mutex_lock(&files->lock);
    free(files->job.items);
    files->job = (struct pb_log_checkpoint){0};
    files->has_job = false;
    pthread_cond_broadcast(&files->sync_done);
}

/* --- the thread ---------------------------------------------------------------------------------- */

/* With the lock held, until there is a checkpoint to make, a seal is due or the end has come. */
static void wait_for_work(struct pb_log_files *files)
{
    int64_t wait_ms = files->is_broken ? -1 : pb_log_seal_wait(files);
    struct timespec until;

    if (files->has_job || files->sync_stops)
        return;
    if (wait_ms < 0) {
        pthread_cond_wait(&files->sync_asked, &files->lock);
        return;
    }
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_ms / 1000;
    until.tv_nsec += wait_ms % 1000 * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    if (wait_ms > 0)
        (void)pthread_cond_timedwait(&files->sync_asked, &files->lock, &until);
}

void pb_log_sync_main(void *arg)
{
    struct pb_log_files *files = arg;

    pthread_mutex_lock(&files->lock);
    for (;;) {
        wait_for_work(files);
        if (files->has_job)
            run_job(files);
        else if (files->sync_stops)
            break;
        if (files->is_broken)
            continue;
        pthread_mutex_unlock(&files->lock);
        pb_log_seal_some(files);
        pthread_mutex_lock(&files->lock);
    }
    pthread_mutex_unlock(&files->lock);
}
