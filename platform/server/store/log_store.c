#include "server/store/log_store.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "server/store/log_store_private.h"

enum {
    DIGITS = 13, /* of a time; unix ms has so many from 2001 to 2286 */
    CUT_MARK =
        1024, /* runners cut at the limit and mark the cut: a refused line would stop its log */
};

/* --- what callers bring -------------------------------------------------------------------------- */

int pb_log_check_execution(const char *execution, struct pb_error *err)
{
    if (execution && pb_ulid_valid(execution))
        return 0;
    return pb_fail(err, PB_ERROR_INVALID, "'%.40s' is not an execution's id",
                   execution ? execution : "");
}

/* Digits of the time of "<unix ms> <stream> <text>" (without its end); 0: it is no such line. */
static size_t time_of_line(const char *line, size_t len)
{
    static const char STREAMS[] = "oectrsxwg";
    size_t digits = 0;

    while (digits < len && digits < 20 && line[digits] >= '0' && line[digits] <= '9')
        digits++;
    if (digits == 0 || len < digits + 3 || line[digits] != ' ' || line[digits + 1] == '\0' ||
        !strchr(STREAMS, line[digits + 1]) || line[digits + 2] != ' ' ||
        len - digits - 3 > PB_LIMIT_LOG_LINE + CUT_MARK)
        return 0;
    return digits;
}

/* The line with a time of exactly DIGITS: a clock may be far off. */
static void put_line(struct pb_buf *to, const char *line, size_t len, size_t digits)
{
    if (digits > DIGITS)
        pb_buf_text(to, "9999999999999");
    else
        pb_buf_bytes(to, "0000000000000", DIGITS - digits);
    if (digits <= DIGITS)
        pb_buf_bytes(to, line, digits);
    pb_buf_bytes(to, line + digits, len - digits);
}

/* What the chunk holds, as it is stored. */
static int take_lines(const struct pb_log_chunk *chunk, struct pb_buf *to, struct pb_error *err)
{
    const char *at = chunk->data, *end = chunk->data + chunk->len;
    uint32_t count = 0;

    for (; at < end; count++) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        size_t digits = line_end ? time_of_line(at, (size_t)(line_end - at)) : 0;

        if (digits == 0)
            return pb_fail(err, PB_ERROR_INVALID, "line %u of the chunk is not a log line", count);
        put_line(to, at, (size_t)(line_end + 1 - at), digits);
        at = line_end + 1;
    }
    if (count != chunk->count)
        return pb_fail(err, PB_ERROR_INVALID, "a chunk of %u lines says it has %u", count,
                       chunk->count);
    if (pb_buf_failed(to))
        return pb_fail(err, PB_ERROR_INVALID, "the lines of a chunk have at most %d bytes",
                       PB_LIMIT_LOG_CHUNK);
    return 0;
}

static int check_chunk(const struct pb_log_chunk *chunk, struct pb_error *err)
{
    if (pb_log_check_execution(chunk->execution, err) < 0)
        return -1;
    if (chunk->len == 0 || chunk->len > PB_LIMIT_LOG_CHUNK)
        return pb_fail(err, PB_ERROR_INVALID, "a chunk has 1 to %d bytes", PB_LIMIT_LOG_CHUNK);
    if (chunk->seq != PB_LOG_SEQ_NEXT && chunk->seq > INT64_MAX)
        return pb_fail(err, PB_ERROR_INVALID, "a line number is too large");
    if (!pb_utf8_valid(chunk->data, chunk->len) || memchr(chunk->data, '\0', chunk->len))
        return pb_fail(err, PB_ERROR_INVALID, "log lines are UTF-8 without NUL");
    return 0;
}

/* --- wishes -------------------------------------------------------------------------------------- */

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

static int append(struct pb_log_store *logs, const struct pb_log_chunk *chunk,
                  const struct pb_buf *lines, pb_log_done_fn *done, void *arg, struct pb_error *err)
{
    struct pb_log_entry *entry = new_entry(PB_LOG_RECORD_LINES, chunk->execution, lines->len, err);

    if (!entry)
        return -1;
    memcpy(entry->data, lines->data, lines->len);
    entry->attempt = chunk->attempt;
    entry->seq = chunk->seq;
    entry->count = chunk->count;
    entry->done = done;
    entry->arg = arg;
    if (logs->ops->queue(logs, entry, err) == 0)
        return 0;
    free(entry);
    return -1;
}

int pb_log_append(struct pb_log_store *logs, const struct pb_log_chunk *chunk, pb_log_done_fn *done,
                  void *arg, struct pb_error *err)
{
    struct pb_buf lines;
    int r = -1;

    if (check_chunk(chunk, err) < 0)
        return -1;
    pb_buf_init(&lines, PB_LIMIT_LOG_CHUNK + 1);
    if (take_lines(chunk, &lines, err) == 0)
        r = append(logs, chunk, &lines, done, arg, err);
    pb_buf_release(&lines);
    return r;
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

    if (pb_log_check_execution(execution, err) < 0)
        return -1;
    entry = new_entry(type, execution, 0, err);
    if (!entry)
        return -1;
    entry->done = on_waited;
    entry->arg = &waiter;
    r = logs->ops->queue(logs, entry, err);
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
    if (pb_log_check_execution(execution, err) < 0 ||
        (logs->ops->thin && logs->ops->thin(logs, execution, err) < 0))
        return -1;
    return ask(logs, PB_LOG_RECORD_REMOVE, execution, err);
}

/* --- looking ------------------------------------------------------------------------------------- */

struct pb_log_info pb_log_info_of(const struct pb_log_state *state)
{
    return (struct pb_log_info){.lines = state->lines,
                                .bytes = state->bytes,
                                .dropped = state->dropped,
                                .birth = state->birth,
                                .complete = state->is_complete};
}

int pb_log_stat(struct pb_log_store *logs, const char *execution, struct pb_log_info *ret_info,
                struct pb_error *err)
{
    struct pb_log_state state;

    if (pb_log_check_execution(execution, err) < 0 ||
        logs->ops->look(logs, execution, &state, err) < 0)
        return -1;
    *ret_info = pb_log_info_of(&state);
    return 0;
}

int pb_log_next_seq(struct pb_log_store *logs, const char *execution, uint32_t attempt,
                    uint64_t *ret_seq, struct pb_error *err)
{
    struct pb_log_state state;

    if (pb_log_check_execution(execution, err) < 0 ||
        logs->ops->look(logs, execution, &state, err) < 0)
        return -1;
    *ret_seq = pb_log_sender_next(&state, attempt);
    return 0;
}

int pb_log_address(const char *execution, char ret_address[PB_LOG_ADDRESS], struct pb_error *err)
{
    char path[PB_LOG_PATH];

    if (pb_log_check_execution(execution, err) < 0)
        return -1;
    pb_log_path(execution, ".log", path);
    snprintf(ret_address, PB_LOG_ADDRESS, "segment:%s", path);
    return 0;
}

void pb_log_stats(struct pb_log_store *logs, struct pb_log_stats *ret_stats)
{
    logs->ops->stats(logs, ret_stats);
}

void pb_log_store_close(struct pb_log_store *logs)
{
    if (logs)
        logs->ops->close(logs);
}
