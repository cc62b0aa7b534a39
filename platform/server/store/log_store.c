#include "server/store/log_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/text.h"
#include "server/store/log_store_private.h"

enum {
    JOURNAL_BYTES = 64 << 20,
    QUEUE_BYTES = 16 << 20,
    GATHER_MS = 5,
    GATHER_MS_MAX = 20,
    PREFIX_MAX = 24, /* time and stream */
};

/* --- what callers bring --------------------------------------------------------------------------
 * */

static int check_execution(const char *execution, struct pb_error *err)
{
    if (execution && pb_ulid_valid(execution))
        return 0;
    return pb_fail(err, PB_ERROR_INVALID, "'%.40s' is not an execution's id",
                   execution ? execution : "");
}

/* "<unix ms> <stream> <text>", without its end. Runners cut at the limit and mark the cut: leave
 * room for the mark, a refused line would stop its whole log. */
static bool is_line(const char *line, size_t len)
{
    static const char STREAMS[] = "oectrsxwg";
    size_t digits = 0;

    while (digits < len && line[digits] >= '0' && line[digits] <= '9')
        digits++;
    return digits > 0 && digits < PREFIX_MAX - 3 && len >= digits + 3 && line[digits] == ' ' &&
           line[digits + 1] != '\0' && strchr(STREAMS, line[digits + 1]) &&
           line[digits + 2] == ' ' && len - digits - 3 <= PB_LIMIT_LOG_LINE + 1024;
}

static int check_chunk(const struct pb_log_chunk *chunk, struct pb_error *err)
{
    const char *at = chunk->data, *end = chunk->data + chunk->len;
    uint32_t count = 0;

    if (check_execution(chunk->execution, err) < 0)
        return -1;
    if (chunk->len == 0 || chunk->len > PB_LIMIT_LOG_CHUNK)
        return pb_fail(err, PB_ERROR_INVALID, "a chunk has 1 to %d bytes", PB_LIMIT_LOG_CHUNK);
    if (chunk->seq != PB_LOG_SEQ_NEXT && chunk->seq > INT64_MAX)
        return pb_fail(err, PB_ERROR_INVALID, "a line number is too large");
    if (!pb_utf8_valid(chunk->data, chunk->len) || memchr(chunk->data, '\0', chunk->len))
        return pb_fail(err, PB_ERROR_INVALID, "log lines are UTF-8 without NUL");
    for (; at < end; count++) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));

        if (!line_end || !is_line(at, (size_t)(line_end - at)))
            return pb_fail(err, PB_ERROR_INVALID, "line %u of the chunk is not a log line", count);
        at = line_end + 1;
    }
    if (count != chunk->count)
        return pb_fail(err, PB_ERROR_INVALID, "a chunk of %u lines says it has %u", count,
                       chunk->count);
    return 0;
}

/* --- queueing ------------------------------------------------------------------------------------
 * */

static int enqueue(struct pb_log_store *logs, struct pb_log_entry *entry, struct pb_error *err)
{
    size_t size = entry->len + sizeof(*entry);
    int r = 0;

    pthread_mutex_lock(&logs->lock);
    if (logs->is_stopping) {
        r = pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "stopping", "the platform is stopping");
    } else if (logs->queued_bytes + size > logs->queue_max) {
        r = pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "busy",
                           "too many log lines are waiting to be stored");
    } else {
        *logs->last = entry;
        logs->last = &entry->next;
        logs->queued_bytes += size;
        pthread_cond_signal(&logs->arrived);
    }
    pthread_mutex_unlock(&logs->lock);
    return r;
}

static struct pb_log_entry *new_entry(enum pb_log_record_type type, const char *execution,
                                      size_t len, struct pb_error *err)
{
    struct pb_log_entry *entry = calloc(1, sizeof(*entry) + len + 1);

    if (!entry) {
        pb_fail(err, PB_ERROR_LIMITED, "no memory");
        return NULL;
    }
    entry->type = type;
    entry->len = len;
    memcpy(entry->execution, execution, PB_ULID_TEXT);
    return entry;
}

int pb_log_append(struct pb_log_store *logs, const struct pb_log_chunk *chunk, pb_log_done_fn *done,
                  void *arg, struct pb_error *err)
{
    struct pb_log_entry *entry;

    if (check_chunk(chunk, err) < 0)
        return -1;
    entry = new_entry(PB_LOG_RECORD_LINES, chunk->execution, chunk->len, err);
    if (!entry)
        return -1;
    memcpy(entry->data, chunk->data, chunk->len);
    entry->attempt = chunk->attempt;
    entry->seq = chunk->seq;
    entry->count = chunk->count;
    entry->done = done;
    entry->arg = arg;
    if (enqueue(logs, entry, err) == 0)
        return 0;
    free(entry);
    return -1;
}

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool is_done;
    bool failed;
    struct pb_log_ack ack;
    struct pb_error err;
};

static void on_waited(void *arg, const struct pb_log_ack *ack, const struct pb_error *err)
{
    struct waiter *waiter = arg;

    pthread_mutex_lock(&waiter->lock);
    waiter->ack = *ack;
    waiter->failed = err != NULL;
    if (err)
        waiter->err = *err;
    waiter->is_done = true;
    pthread_cond_signal(&waiter->done);
    pthread_mutex_unlock(&waiter->lock);
}

/* Waits for what was queued with on_waited(); `queued` is what queueing it returned. */
static int wait_for(struct waiter *waiter, int queued, struct pb_error *err)
{
    if (queued == 0) {
        pthread_mutex_lock(&waiter->lock);
        while (!waiter->is_done)
            pthread_cond_wait(&waiter->done, &waiter->lock);
        pthread_mutex_unlock(&waiter->lock);
        if (waiter->failed)
            *err = waiter->err;
    }
    pthread_cond_destroy(&waiter->done);
    pthread_mutex_destroy(&waiter->lock);
    return queued == 0 && !waiter->failed ? 0 : -1;
}

#define WAITER                                                                  \
    {                                                                           \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, false, {0}, \
        {                                                                       \
            0                                                                   \
        }                                                                       \
    }

int pb_log_append_wait(struct pb_log_store *logs, const struct pb_log_chunk *chunk,
                       struct pb_log_ack *ret_ack, struct pb_error *err)
{
    struct waiter waiter = WAITER;
    int r = wait_for(&waiter, pb_log_append(logs, chunk, on_waited, &waiter, err), err);

    if (r == 0 && ret_ack)
        *ret_ack = waiter.ack;
    return r;
}

/* A wish without lines, waited for. */
static int ask(struct pb_log_store *logs, enum pb_log_record_type type, const char *execution,
               struct pb_error *err)
{
    struct waiter waiter = WAITER;
    struct pb_log_entry *entry;
    int r;

    if (check_execution(execution, err) < 0)
        return -1;
    entry = new_entry(type, execution, 0, err);
    if (!entry)
        return -1;
    entry->done = on_waited;
    entry->arg = &waiter;
    r = enqueue(logs, entry, err);
    if (r < 0)
        free(entry);
    return wait_for(&waiter, r, err);
}

int pb_log_set_complete(struct pb_log_store *logs, const char *execution, bool complete,
                        struct pb_error *err)
{
    return ask(logs, complete ? PB_LOG_RECORD_COMPLETE : PB_LOG_RECORD_REOPEN, execution, err);
}

int pb_log_remove(struct pb_log_store *logs, const char *execution, struct pb_error *err)
{
    return ask(logs, PB_LOG_RECORD_REMOVE, execution, err);
}

/* --- reading -------------------------------------------------------------------------------------
 * */

/* What readers may see of it. */
static int look(struct pb_log_store *logs, const char *execution, struct pb_log_state *ret_state,
                struct pb_error *err)
{
    struct pb_log_segment *segment;
    uint64_t generation;

    if (check_execution(execution, err) < 0)
        return -1;
    pthread_mutex_lock(&logs->lock);
    segment = pb_log_table_find(&logs->table, execution);
    if (segment)
        *ret_state = segment->seen;
    pthread_mutex_unlock(&logs->lock);
    return segment ? 0 : pb_log_state_load(logs->dir, execution, ret_state, &generation, err);
}

int pb_log_stat(struct pb_log_store *logs, const char *execution, struct pb_log_info *ret_info,
                struct pb_error *err)
{
    struct pb_log_state state;

    if (look(logs, execution, &state, err) < 0)
        return -1;
    *ret_info = (struct pb_log_info){state.lines, state.bytes, state.is_complete};
    return 0;
}

int pb_log_next_seq(struct pb_log_store *logs, const char *execution, uint32_t attempt,
                    uint64_t *ret_seq, struct pb_error *err)
{
    struct pb_log_state state;

    if (look(logs, execution, &state, err) < 0)
        return -1;
    *ret_seq = pb_log_sender_next(&state, attempt);
    return 0;
}

int pb_log_read(struct pb_log_store *logs, const char *execution, const struct pb_log_range *range,
                struct pb_buf *ret_data, uint64_t *ret_from, uint64_t *ret_count,
                struct pb_log_info *ret_info, struct pb_error *err)
{
    struct pb_log_state state;
    uint64_t from = range->from, count = 0;

    if (look(logs, execution, &state, err) < 0)
        return -1;
    if (range->tail)
        from = state.lines > range->count ? state.lines - range->count : 0;
    if (from > state.lines)
        from = state.lines;
    if (pb_log_segment_read(logs->dir, execution, &state, from, range->count, ret_data, &count,
                            err) < 0)
        return pb_fail_in(err, "log of %s", execution);
    if (ret_from)
        *ret_from = from;
    if (ret_count)
        *ret_count = count;
    if (ret_info)
        *ret_info = (struct pb_log_info){state.lines, state.bytes, state.is_complete};
    return 0;
}

int pb_log_address(const char *execution, char ret_address[PB_LOG_ADDRESS], struct pb_error *err)
{
    char path[PB_LOG_PATH];

    if (check_execution(execution, err) < 0)
        return -1;
    pb_log_path(execution, ".log", path);
    snprintf(ret_address, PB_LOG_ADDRESS, "segment:%s", path);
    return 0;
}

/* --- opening and closing -------------------------------------------------------------------------
 * */

static void init(struct pb_log_store *logs, const struct pb_log_store_options *options)
{
    unsigned gather = options->gather_ms ? options->gather_ms : GATHER_MS;
    pthread_condattr_t monotonic;

    logs->dir = -1;
    logs->journal.fd = -1;
    logs->journal_bytes = options->journal_bytes ? options->journal_bytes : JOURNAL_BYTES;
    logs->queue_max = options->queue_bytes ? options->queue_bytes : QUEUE_BYTES;
    logs->gather_ms = gather < GATHER_MS_MAX ? gather : GATHER_MS_MAX;
    logs->last = &logs->first;
    pthread_mutex_init(&logs->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&logs->arrived, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_cond_init(&logs->checkpoint_asked, NULL);
    pthread_cond_init(&logs->checkpoint_done, NULL);
    pb_log_table_init(&logs->table, -1, &logs->lock);
}

struct pb_log_store *pb_log_store_open(const struct pb_log_store_options *options,
                                       struct pb_error *err)
{
    struct pb_log_store *logs = calloc(1, sizeof(*logs));

    if (!logs) {
        pb_fail(err, PB_ERROR_LIMITED, "no memory");
        return NULL;
    }
    init(logs, options);
    if (pb_fs_mkdirs(options->dir, 0700, err) < 0)
        goto fail;
    logs->dir = open(options->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (logs->dir < 0) {
        pb_fail_errno(err, "%s", options->dir);
        goto fail;
    }
    logs->table.dir = logs->dir;
    if (pb_log_recover(logs, err) < 0)
        goto fail;
    logs->checkpointer = pb_thread_start("log-sync", pb_log_checkpointer_main, logs, err);
    if (!logs->checkpointer)
        goto fail;
    logs->writer = pb_thread_start("log-writer", pb_log_writer_main, logs, err);
    if (!logs->writer)
        goto fail;
    return logs;
fail:
    pb_fail_in(err, "log store");
    pb_log_store_close(logs);
    return NULL;
}

void pb_log_store_close(struct pb_log_store *logs)
{
    struct pb_error err = {0};

    if (!logs)
        return;
    pthread_mutex_lock(&logs->lock);
    logs->is_stopping = true;
    pthread_cond_broadcast(&logs->arrived);
    pthread_mutex_unlock(&logs->lock);
    if (logs->writer)
        pb_thread_join(&logs->writer);
    pthread_mutex_lock(&logs->lock);
    logs->checkpointer_stops = true;
    pthread_cond_broadcast(&logs->checkpoint_asked);
    pthread_mutex_unlock(&logs->lock);
    if (logs->checkpointer)
        pb_thread_join(&logs->checkpointer);
    /* What a failure leaves in the journal is replayed at the next start. */
    if (logs->journal.fd >= 0 && pb_log_finish(logs, &err) < 0)
        pb_log_debug("log_store", "close: %s", err.message);
    pb_log_journal_close(&logs->journal);
    pb_log_table_release(&logs->table);
    pb_close(&logs->dir);
    pthread_cond_destroy(&logs->checkpoint_done);
    pthread_cond_destroy(&logs->checkpoint_asked);
    pthread_cond_destroy(&logs->arrived);
    pthread_mutex_destroy(&logs->lock);
    free(logs);
}
