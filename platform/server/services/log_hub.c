#include "server/services/log_hub.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "model/limits.h"
#include "server/services/events.h"
#include "server/services/platform.h"
#include "server/store/log_store.h"

struct pb_log_hub {
    struct pb_platform *platform;
};

/* A chunk between append and acknowledgement. Owns a copy of the text for those who watch. */
struct pending {
    struct pb_log_hub *hub;
    char execution[32];
    int64_t sent; /* lines in text */
    size_t len;
    void (*acked)(void *arg, int64_t next, const struct pb_error *err);
    void *arg;
    char text[];
};

struct pb_log_hub *pb_log_hub_open(struct pb_platform *platform, struct pb_error *err)
{
    struct pb_log_hub *hub = calloc(1, sizeof(*hub));

    if (!hub) {
        (void)pb_fail(err, PB_ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    hub->platform = platform;
    return hub;
}

void pb_log_hub_close(struct pb_log_hub *hub)
{
    free(hub);
}

static struct pending *pending_new(struct pb_log_hub *hub, const char *execution, const char *text,
                                   size_t len, int64_t count)
{
    struct pending *pending = malloc(sizeof(*pending) + len);

    if (!pending)
        return NULL;
    *pending = (struct pending){.hub = hub, .sent = count, .len = len};
    memcpy(pending->execution, execution, strnlen(execution, sizeof(pending->execution) - 1));
    memcpy(pending->text, text, len);
    return pending;
}

/* Of a chunk sent again only the end may be new: skips the lines that were there. */
static const char *new_part(const struct pending *pending, int64_t stored, size_t *ret_len)
{
    const char *at = pending->text;
    const char *end = pending->text + pending->len;

    for (int64_t skip = pending->sent - stored; skip > 0 && at < end; skip--) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));

        at = newline ? newline + 1 : end;
    }
    *ret_len = (size_t)(end - at);
    return at;
}

static void publish(const struct pending *pending, const struct pb_log_ack *ack)
{
    const char *text;
    size_t len;

    if (ack->stored == 0)
        return;
    text = new_part(pending, ack->stored, &len);
    pb_events_log(pending->hub->platform->events, pending->execution, (int64_t)ack->first_line,
                  ack->stored, text, len);
}

static void chunk_done(void *arg, const struct pb_log_ack *ack, const struct pb_error *err)
{
    struct pending *pending = arg;

    if (!err)
        publish(pending, ack);
    pending->acked(pending->arg, ack ? (int64_t)ack->next_seq : 0, err);
    free(pending);
}

int pb_log_hub_chunk(struct pb_log_hub *hub, const char *execution, int64_t attempt, int64_t seq,
                     const char *blob, size_t len, int64_t count,
                     void (*acked)(void *arg, int64_t next, const struct pb_error *err), void *arg,
                     struct pb_error *err)
{
    struct pending *pending;
    struct pb_log_chunk chunk;

    if (seq < 0 || count < 1 || count > PB_LIMIT_LOG_CHUNK || attempt < 1 || attempt > INT32_MAX)
        return pb_fail(err, PB_ERROR_INVALID, "log chunk with seq %lld, count %lld", (long long)seq,
                       (long long)count);
    pending = pending_new(hub, execution, blob, len, count);
    if (!pending)
        return pb_fail(err, PB_ERROR_LIMITED, "out of memory");
    pending->acked = acked;
    pending->arg = arg;
    chunk = (struct pb_log_chunk){
        .execution = execution,
        .attempt = (uint32_t)attempt,
        .seq = (uint64_t)seq,
        .count = (uint32_t)count,
        .data = blob,
        .len = len,
    };
    if (pb_log_append(hub->platform->log_store, &chunk, chunk_done, pending, err) < 0) {
        free(pending);
        return -1;
    }
    return 0;
}

/* "<ms> <stream> <text>\n", one line whatever the text holds. */
static void write_line(struct pb_buf *buf, char stream, const char *text)
{
    size_t len = pb_utf8_cut(text, strlen(text), PB_LIMIT_LOG_LINE);

    pb_buf_format(buf, "%lld %c ", (long long)pb_clock_wall_ms(), stream);
    for (size_t i = 0; i < len; i++)
        pb_buf_char(buf, (unsigned char)text[i] < ' ' ? ' ' : text[i]);
    pb_buf_char(buf, '\n');
}

void pb_log_hub_note(struct pb_log_hub *hub, const char *execution, char stream, const char *text)
{
    struct pb_log_store *store = hub->platform->log_store;
    struct pb_log_chunk chunk = {.execution = execution,
                                 .attempt = PB_LOG_ATTEMPT_PLATFORM,
                                 .seq = PB_LOG_SEQ_NEXT,
                                 .count = 1};
    struct pb_log_ack ack;
    struct pb_error err;
    struct pb_buf line;
    int r;

    pb_buf_init(&line, PB_LIMIT_LOG_LINE + 64);
    write_line(&line, stream, text);
    chunk.data = line.data;
    chunk.len = line.len;
    r = pb_buf_failed(&line) ? pb_fail(&err, PB_ERROR_LIMITED, "out of memory")
                             : pb_log_append_wait(store, &chunk, &ack, &err);
    if (r == 0)
        pb_events_log(hub->platform->events, execution, (int64_t)ack.first_line, 1, line.data,
                      line.len);
    else
        pb_log_fail(PB_LOG_WARN, "log_hub", &err, "execution=%s a line of ours", execution);
    pb_buf_release(&line);
}
