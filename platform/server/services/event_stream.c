/*
 * A subscriber that reads server-sent events: the same messages as JSON, each
 * as the data of one event. The id of an event says where the reader is in each
 * of its topics, "SEQ" or "SEQ.SEQ…" in the order of its subscriptions, so that
 * a Last-Event-ID resumes all of them.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "net/http_server.h"
#include "server/services/events_private.h"

enum { QUEUE_MAX = 2 << 20, EVENT_MAX = 3 << 20, BEAT_MS = 15 * 1000 };

struct event_stream {
    struct pb_http_exchange *exchange; /* borrowed; outlives us */
    size_t waiting;                    /* bytes the client has not taken, when we last looked */
    int64_t wrote_ms;
    void (*end)(void *arg);
    void *arg;
};

struct event_stream *pb_event_stream_new(struct pb_http_exchange *exchange, void (*end)(void *arg),
                                         void *arg)
{
    struct event_stream *stream = calloc(1, sizeof(*stream));

    if (!stream)
        return NULL;
    stream->exchange = exchange;
    stream->wrote_ms = pb_clock_steady_ms();
    stream->end = end;
    stream->arg = arg;
    return stream;
}

void pb_event_stream_free(struct event_stream *stream)
{
    free(stream);
}

static void put_id(struct pb_buf *buf, const struct pb_subscriber *subscriber)
{
    const char *before = "id: ";

    for (const struct interest *each = subscriber->interests; each; each = each->sibling) {
        pb_buf_text(buf, before);
        pb_buf_i64(buf, each->seq);
        before = ".";
    }
    pb_buf_char(buf, '\n');
}

/* A line of its own for each line: whoever reads it gets them joined again. */
static void put_data(struct pb_buf *buf, const char *json, size_t len)
{
    const char *end = json + len, *line;

    while ((line = memchr(json, '\n', (size_t)(end - json)))) {
        pb_buf_text(buf, "data: ");
        pb_buf_bytes(buf, json, (size_t)(line + 1 - json));
        json = line + 1;
    }
    pb_buf_text(buf, "data: ");
    pb_buf_bytes(buf, json, (size_t)(end - json));
    pb_buf_text(buf, "\n\n");
}

static void write_out(struct event_stream *stream, const void *data, size_t len)
{
    stream->waiting = pb_http_reply_write(stream->exchange, data, len);
    stream->wrote_ms = pb_clock_steady_ms();
}

static bool has_room(struct event_stream *stream, size_t len)
{
    if (stream->waiting + len > QUEUE_MAX)
        stream->waiting = pb_http_reply_write(stream->exchange, "", 0);
    return stream->waiting + len <= QUEUE_MAX;
}

bool pb_event_stream_send(struct event_stream *stream, const struct pb_subscriber *subscriber,
                          const char *json, size_t len, bool has_moved)
{
    struct pb_buf event;
    bool is_sent;

    pb_buf_init(&event, EVENT_MAX);
    if (has_moved)
        put_id(&event, subscriber);
    put_data(&event, json, len);
    is_sent = !pb_buf_failed(&event) && has_room(stream, event.len);
    if (is_sent)
        write_out(stream, event.data, event.len);
    pb_buf_release(&event);
    return is_sent;
}

void pb_event_stream_beat(struct event_stream *stream, int64_t now_ms)
{
    static const char BEAT[] = ":\n\n";

    if (now_ms - stream->wrote_ms >= BEAT_MS && has_room(stream, sizeof(BEAT) - 1))
        write_out(stream, BEAT, sizeof(BEAT) - 1);
}

void pb_event_stream_end(struct event_stream *stream)
{
    stream->end(stream->arg);
}
