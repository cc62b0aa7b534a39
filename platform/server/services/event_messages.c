/* What goes to browsers, as docs/protocol.md has it. */
#include "base/buf.h"
#include "base/json.h"
#include "server/services/events_private.h"

enum { MESSAGE_MAX = 2 << 20 };

struct message {
    struct pb_buf buf;
    struct pb_json_writer w;
};

static void begin(struct message *message, const char *type, const char *topic)
{
    pb_buf_init(&message->buf, MESSAGE_MAX);
    pb_json_writer_init(&message->w, &message->buf);
    pb_json_begin_object(&message->w, NULL);
    pb_json_put_text(&message->w, "type", type);
    pb_json_put_text(&message->w, "topic", topic);
}

static struct pb_websocket_frame *finish(struct message *message)
{
    struct pb_websocket_frame *frame = NULL;

    pb_json_end_object(&message->w);
    if (!pb_buf_failed(&message->buf))
        frame = pb_websocket_frame_new(true, message->buf.data, message->buf.len);
    pb_buf_release(&message->buf);
    return frame;
}

struct pb_websocket_frame *pb_event_frame(const struct topic *topic, const char *event,
                                          const char *data)
{
    struct message message;

    begin(&message, "event", topic->name);
    pb_json_put_int(&message.w, "seq", topic->seq);
    pb_json_put_text(&message.w, "event", event);
    pb_json_put_raw(&message.w, "data", data);
    return finish(&message);
}

struct pb_websocket_frame *pb_event_log_frame(const char *topic, int64_t from, int64_t count,
                                              const char *text, size_t len)
{
    struct message message;

    begin(&message, "log", topic);
    pb_json_put_int(&message.w, "from", from);
    pb_json_put_int(&message.w, "count", count);
    pb_json_put_bytes(&message.w, "text", text, len);
    return finish(&message);
}

struct pb_websocket_frame *pb_event_head_frame(const char *topic, int64_t lines, int64_t bytes,
                                               bool complete)
{
    struct message message;

    begin(&message, "log_head", topic);
    pb_json_put_int(&message.w, "lines", lines);
    pb_json_put_int(&message.w, "bytes", bytes);
    pb_json_put_bool(&message.w, "complete", complete);
    return finish(&message);
}

struct pb_websocket_frame *pb_event_gap_frame(const char *topic, int64_t from, int64_t to)
{
    struct message message;

    begin(&message, "gap", topic);
    pb_json_put_int(&message.w, "from", from);
    pb_json_put_int(&message.w, "to", to);
    return finish(&message);
}

struct pb_websocket_frame *pb_event_subscribed_frame(const char *topic, int64_t seq)
{
    struct message message;

    begin(&message, "subscribed", topic);
    pb_json_put_int(&message.w, "seq", seq);
    return finish(&message);
}

struct pb_websocket_frame *pb_event_refetch_frame(const char *topic)
{
    struct message message;

    begin(&message, "refetch", topic);
    return finish(&message);
}
