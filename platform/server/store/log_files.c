/* Callers' side of the log store on disk: the queue, what readers may see, opening and closing. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "server/store/log_files_private.h"

enum {
    JOURNAL_BYTES = 64 << 20,
    QUEUE_BYTES = 16 << 20,
    GATHER_MS = 5,
    GATHER_MS_MAX = 20,
    SEAL_MS = 10 * 60 * 1000,
};

/* --- queueing ------------------------------------------------------------------------------------ */

static int queue(struct pb_log_store *logs, struct pb_log_entry *entry, struct pb_error *err)
{
    struct pb_log_files *files = (struct pb_log_files *)logs;
    size_t size = entry->len + sizeof(*entry);
    int r = 0;

    pthread_mutex_lock(&files->lock);
    if (files->is_stopping) {
        r = pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "stopping", "the platform is stopping");
    } else if (files->is_broken) {
        r = pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "disk_error",
                           "the disk of the log store has failed");
    } else if (files->queued_bytes + size > files->queue_max) {
        r = pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "busy",
                           "too many log lines are waiting to be stored");
    } else {
        if (!files->first)
            files->waits_since = pb_clock_steady_ms();
        *files->last = entry;
        files->last = &entry->next;
        files->queued_bytes += size;
        pthread_cond_signal(&files->arrived);
    }
    pthread_mutex_unlock(&files->lock);
    return r;
}

/* --- looking ------------------------------------------------------------------------------------- */

int pb_log_files_look(struct pb_log_store *logs, const char *execution,
                      struct pb_log_state *ret_state, struct pb_error *err)
{
    struct pb_log_files *files = (struct pb_log_files *)logs;
    struct pb_log_segment *segment;
    uint64_t generation;

    pthread_mutex_lock(&files->lock);
    segment = pb_log_table_find(&files->table, execution);
    if (segment)
        *ret_state = segment->seen;
    pthread_mutex_unlock(&files->lock);
    return segment ? 0 : pb_log_state_load(files->dir, execution, ret_state, &generation, err);
}

static int64_t waiting_ms(const struct pb_log_files *files)
{
    int64_t now = pb_clock_steady_ms();
    int64_t since = now;

    if (files->first)
        since = files->waits_since;
    if (files->is_in_batch && files->batch_since < since)
        since = files->batch_since;
    return now - since;
}

static void look_at_all(struct pb_log_store *logs, struct pb_log_stats *ret_stats)
{
    struct pb_log_files *files = (struct pb_log_files *)logs;
    struct statvfs disk;

    pthread_mutex_lock(&files->lock);
    *ret_stats = files->stats;
    ret_stats->queued_bytes = files->queued_bytes;
    ret_stats->waiting_ms = waiting_ms(files);
    ret_stats->is_broken = files->is_broken;
    pthread_mutex_unlock(&files->lock);
    ret_stats->disk_floor = files->disk_floor;
    ret_stats->disk_free =
        fstatvfs(files->dir, &disk) == 0 ? (uint64_t)disk.f_bavail * disk.f_frsize : 0;
}

/* --- opening and closing ------------------------------------------------------------------------- */

static void init(struct pb_log_files *files, const struct pb_log_store_options *options)
{
    unsigned gather = options->gather_ms ? options->gather_ms : GATHER_MS;
    pthread_condattr_t monotonic;

    files->dir = -1;
    files->journal.fd = -1;
    files->journal_bytes = options->journal_bytes ? options->journal_bytes : JOURNAL_BYTES;
    files->queue_max = options->queue_bytes ? options->queue_bytes : QUEUE_BYTES;
    files->gather_ms = gather < GATHER_MS_MAX ? gather : GATHER_MS_MAX;
    files->seal_ms = options->seal_ms ? options->seal_ms : SEAL_MS;
    files->disk_floor = (uint64_t)options->disk_floor;
    files->log_max = (uint64_t)options->log_max;
    files->on_broken = options->on_broken;
    files->arg = options->arg;
    files->last = &files->first;
    files->must_search = true;
    pthread_mutex_init(&files->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&files->arrived, &monotonic);
    pthread_cond_init(&files->sync_asked, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_cond_init(&files->sync_done, NULL);
    pb_log_table_init(&files->table, -1, &files->lock);
}

/* Both threads end: the writer when the queue is empty. */
static void stop_threads(struct pb_log_files *files)
{
    pthread_mutex_lock(&files->lock);
    files->is_stopping = true;
    pthread_cond_broadcast(&files->arrived);
    pthread_mutex_unlock(&files->lock);
    if (files->writer)
        pb_thread_join(&files->writer);
    pthread_mutex_lock(&files->lock);
    files->sync_stops = true;
    pthread_cond_broadcast(&files->sync_asked);
    pthread_mutex_unlock(&files->lock);
    if (files->sync)
        pb_thread_join(&files->sync);
}

static void close_files(struct pb_log_store *logs)
{
    struct pb_log_files *files = (struct pb_log_files *)logs;
    struct pb_error err = {0};

    stop_threads(files);
    /* What a failure leaves in the journal is replayed at the next start. */
    if (files->journal.fd >= 0 && !files->is_broken && pb_log_finish(files, &err) < 0)
        pb_log_debug("log_store", "close: %s", err.message);
    pb_log_journal_close(&files->journal);
    pb_log_table_release(&files->table);
    pb_close(&files->dir);
    pthread_cond_destroy(&files->sync_done);
    pthread_cond_destroy(&files->sync_asked);
    pthread_cond_destroy(&files->arrived);
    pthread_mutex_destroy(&files->lock);
    free(files->quiet);
    free(files);
}

static const struct pb_log_ops OPS = {
    .queue = queue,
    .look = pb_log_files_look,
    .open = pb_log_source_open,
    .stats = look_at_all,
    .close = close_files,
};

static int start(struct pb_log_files *files, const char *dir, struct pb_error *err)
{
    files->quiet = calloc(PB_LOG_QUIET, sizeof(*files->quiet));
    if (!files->quiet)
        return pb_fail(err, PB_ERROR_LIMITED, "no memory");
    if (pb_fs_mkdirs(dir, 0700, err) < 0)
        return -1;
    files->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (files->dir < 0)
        return pb_fail_errno(err, "%s", dir);
    files->table.dir = files->dir;
    if (pb_log_recover(files, err) < 0)
        return -1;
    files->sync = pb_thread_start("log-sync", pb_log_sync_main, files, err);
    if (!files->sync)
        return -1;
    files->writer = pb_thread_start("log-writer", pb_log_writer_main, files, err);
    return files->writer ? 0 : -1;
}

struct pb_log_store *pb_log_store_open(const struct pb_log_store_options *options,
                                       struct pb_error *err)
{
    struct pb_log_files *files = calloc(1, sizeof(*files));

    if (!files) {
        pb_fail(err, PB_ERROR_LIMITED, "no memory");
        return NULL;
    }
    files->store.ops = &OPS;
    init(files, options);
    if (start(files, options->dir, err) < 0) {
        pb_fail_in(err, "log store");
        close_files(&files->store);
        return NULL;
    }
    return &files->store;
}
