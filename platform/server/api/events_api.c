/*
 * Live data as server-sent events, for what cannot speak WebSocket: the topics
 * are named in the address, the reply never ends by itself.
 *
 * A stream ends on its loop, once: when the client leaves, the session ends or
 * the platform stops, whichever comes first.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/loop.h"
#include "base/text.h"
#include "server/api/handlers.h"
#include "server/api/live_api.h"
#include "server/api/request.h"
#include "server/middleware/security_headers.h"
#include "server/services/events.h"

/* --- what is asked for ------------------------------------------------------------------------------------ */

struct wish {
    const char *topic;
    int64_t since; /* -1 = from now on */
};

struct wishes {
    struct wish items[PB_EVENT_TOPICS];
    size_t count;
};

static bool has_wish(const struct wishes *wishes, const char *topic)
{
    for (size_t i = 0; i < wishes->count; i++)
        if (strcmp(wishes->items[i].topic, topic) == 0)
            return true;
    return false;
}

/* "TOPIC" or "TOPIC@SEQ"; the text is cut in place. */
static int read_wish(char *text, struct wishes *wishes, struct pb_error *err)
{
    char *at = strchr(text, '@');
    int64_t since = -1;

    if (at)
        *at++ = '\0';
    if (at && !pb_parse_i64(at, 0, INT64_MAX - 1, &since))
        return pb_fail_field(err, "topics", "behind '@' there must be a seq, not '%.40s'", at);
    if (!pb_events_is_topic(text))
        return pb_fail_reason(err, PB_ERROR_INVALID, "unknown_topic", "there is no topic '%.60s'",
                              text);
    if (has_wish(wishes, text))
        return pb_fail_field(err, "topics", "%.60s is there twice", text);
    if (wishes->count == PB_EVENT_TOPICS)
        return pb_fail_field(err, "topics", "at most %d topics at once", PB_EVENT_TOPICS);
    wishes->items[wishes->count++] = (struct wish){text, since};
    return 0;
}

static int read_topics(struct pb_request *req, struct wishes *wishes, struct pb_error *err)
{
    const char *topics = pb_request_query(req, "topics");
    char *text = topics ? pb_arena_text(req->arena, topics) : NULL;

    if (!topics)
        return pb_fail_field(err, "topics", "say which topics: ?topics=executions,projects");
    if (!text)
        return pb_fail(err, PB_ERROR_LIMITED, "request too large");
    while (*text) {
        size_t len = strcspn(text, ",");
        char *next = text + len + (text[len] == ',');

        text[len] = '\0';
        if (read_wish(text, wishes, err) < 0)
            return -1;
        text = next;
    }
    return 0;
}

/* The id of the last event: how far the client came in each topic that it had been told of. What is no id of
 * ours makes it fetch everything again. */
static void read_last_id(struct pb_request *req, struct wishes *wishes)
{
    const char *id = pb_http_header(req->exchange, "Last-Event-ID");
    bool is_good = true;

    for (size_t i = 0; id && *id && is_good; i++) {
        size_t len = strcspn(id, ".");
        char *part = pb_arena_bytes(req->arena, id, len);

        is_good = i < wishes->count && part &&
                  pb_parse_i64(part, 0, INT64_MAX - 1, &wishes->items[i].since);
        id += len + (id[len] == '.');
    }
    for (size_t i = 0; !is_good && i < wishes->count; i++)
        wishes->items[i].since = 0;
}

/* --- a stream ----------------------------------------------------------------------------------------------- */

struct stream {
    struct stream *next, **link;
    struct pb_loop *loop;
    struct pb_http_exchange *exchange;
    struct pb_subscriber *subscriber;
    bool is_begun;  /* the handler is done with it */
    bool is_ending; /* its end is posted, or will be by the handler */
};

static struct {
    pthread_mutex_t lock; /* guards what follows and both bools of each */
    struct stream *first;
    bool is_stopping;
} streams = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void add(struct stream *stream)
{
    (void)pthread_mutex_lock(&streams.lock);
    stream->next = streams.first;
    stream->link = &streams.first;
    if (stream->next)
        stream->next->link = &stream->next;
    streams.first = stream;
    stream->is_ending = streams.is_stopping;
    (void)pthread_mutex_unlock(&streams.lock);
}

static void discard(struct stream *stream)
{
    (void)pthread_mutex_lock(&streams.lock);
    *stream->link = stream->next;
    if (stream->next)
        stream->next->link = stream->link;
    (void)pthread_mutex_unlock(&streams.lock);
    pb_subscriber_free(stream->subscriber);
    free(stream);
}

/* On the loop. */
static void finish(void *arg)
{
    struct stream *stream = arg;
    struct pb_http_exchange *exchange = stream->exchange;

    discard(stream); /* first: nobody may write behind the end */
    pb_http_reply_end(exchange);
}

/* With the lock held. Without a loop that takes it there is nobody left to be told. */
static void end_locked(struct stream *stream)
{
    if (stream->is_begun && !stream->is_ending)
        (void)pb_loop_post(stream->loop, finish, stream);
    stream->is_ending = true;
}

static void end(void *arg)
{
    (void)pthread_mutex_lock(&streams.lock);
    end_locked(arg);
    (void)pthread_mutex_unlock(&streams.lock);
}

void pb_event_streams_stop(void)
{
    (void)pthread_mutex_lock(&streams.lock);
    streams.is_stopping = true;
    for (struct stream *stream = streams.first; stream; stream = stream->next)
        end_locked(stream);
    (void)pthread_mutex_unlock(&streams.lock);
}

/* From now on it may end at any moment. */
static void hand_over(struct stream *stream)
{
    (void)pthread_mutex_lock(&streams.lock);
    stream->is_begun = true;
    if (stream->is_ending)
        (void)pb_loop_post(stream->loop, finish, stream);
    (void)pthread_mutex_unlock(&streams.lock);
}

static void begin_reply(struct pb_request *req)
{
    static const char RETRY[] = "retry: 2000\n\n";
    struct pb_http_header headers[PB_SECURITY_HEADERS + 4];
    size_t count = pb_security_headers(headers, 0, pb_http_is_tls(req->exchange));

    headers[count++] = (struct pb_http_header){"Content-Type", "text/event-stream"};
    headers[count++] = (struct pb_http_header){"Cache-Control", "no-store"};
    headers[count++] = (struct pb_http_header){"X-Accel-Buffering", "no"}; /* nginx: pass it on */
    headers[count++] = (struct pb_http_header){"X-Request-Id", req->request_id};
    pb_http_reply_begin(req->exchange, 200, headers, count, -1);
    (void)pb_http_reply_write(req->exchange, RETRY, sizeof(RETRY) - 1);
}

static void say_error(struct pb_http_exchange *exchange, const char *topic,
                      const struct pb_error *err)
{
    struct pb_buf event;

    pb_buf_init(&event, 4096);
    pb_buf_text(&event, "data: ");
    pb_live_write_error(&event, topic, err);
    pb_buf_text(&event, "\n\n");
    (void)pb_http_reply_write(exchange, event.data, event.len);
    pb_buf_release(&event);
}

/* Success: the stream is on its own. */
static int begin(struct pb_request *req, struct stream *stream, const struct wishes *wishes,
                 struct pb_error *err)
{
    begin_reply(req);
    if (pb_subscriber_attach_stream(stream->subscriber, req->exchange, end, stream, err) < 0)
        return -1;
    for (size_t i = 0; i < wishes->count; i++)
        if (pb_subscriber_subscribe(stream->subscriber, wishes->items[i].topic,
                                    wishes->items[i].since, err) < 0)
            say_error(req->exchange, wishes->items[i].topic, err);
    pb_http_reply_watch(req->exchange, NULL, end, stream);
    hand_over(stream);
    return 0;
}

static struct stream *stream_new(struct pb_request *req, struct pb_error *err)
{
    struct stream *stream = calloc(1, sizeof(*stream));

    if (!stream) {
        (void)pb_fail(err, PB_ERROR_LIMITED, "out of memory");
        return NULL;
    }
    stream->loop = pb_http_loop(req->exchange);
    stream->exchange = req->exchange;
    stream->subscriber = pb_live_subscriber(req, err);
    if (!stream->subscriber) {
        free(stream);
        return NULL;
    }
    add(stream);
    return stream;
}

int events_stream(struct pb_request *req, struct pb_error *err)
{
    struct wishes wishes = {.count = 0};
    struct stream *stream;

    if (read_topics(req, &wishes, err) < 0)
        return -1;
    read_last_id(req, &wishes);
    stream = stream_new(req, err);
    if (!stream)
        return -1;
    if (strcmp(pb_http_method(req->exchange), "HEAD") == 0) {
        discard(stream);
        req->content_type = "text/event-stream";
        return 0;
    }
    req->is_answered = true;
    if (begin(req, stream, &wishes, err) < 0) {
        discard(stream);
        pb_http_reply_abort(req->exchange);
    }
    return 0;
}
