#include "agent/usage.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/text.h"

/* Takes the larger value: usage in message_delta is cumulative, and an upstream that repeats a
 * smaller number later must not make tokens disappear. */
static void raise(int64_t *value, const struct pb_json *usage, const char *name)
{
    int64_t said = pb_json_int(usage, name, 0);

    if (said > *value && said < INT64_C(1) << 40)
        *value = said;
}

static void read_cache_writes(struct pb_tokens *tokens, const struct pb_json *usage)
{
    const struct pb_json *split = pb_json_get(usage, "cache_creation");
    int64_t all = 0;

    raise(&tokens->cache_write_5m, split, "ephemeral_5m_input_tokens");
    raise(&tokens->cache_write_1h, split, "ephemeral_1h_input_tokens");
    raise(&all, usage, "cache_creation_input_tokens");
    if (all > tokens->cache_write_5m + tokens->cache_write_1h)
        tokens->cache_write_5m = all - tokens->cache_write_1h;
}

static void read_usage(struct pb_usage_call *call, const struct pb_json *usage)
{
    raise(&call->tokens.input, usage, "input_tokens");
    raise(&call->tokens.output, usage, "output_tokens");
    raise(&call->tokens.cache_read, usage, "cache_read_input_tokens");
    read_cache_writes(&call->tokens, usage);
}

static void read_model(struct pb_usage_call *call, const struct pb_json *message)
{
    const char *model = pb_json_text(message, "model", "");
    size_t len = pb_utf8_cut(model, strlen(model), sizeof(call->model) - 1);

    if (call->model[0] || len == 0)
        return;
    memcpy(call->model, model, len);
    call->model[len] = '\0';
}

static bool wants_event(const char *name)
{
    return pb_text_starts(name, "message") || pb_text_equal(name, "error");
}

static void on_event(void *arg, const char *name, const char *data, size_t len)
{
    struct pb_usage_reader *reader = arg;
    struct pb_error err = {0};
    struct pb_json *event = pb_json_parse(data, len, &err);
    const char *type = pb_json_text(event, "type", name);

    if (pb_text_equal(type, "message_start")) {
        const struct pb_json *message = pb_json_get(event, "message");
        read_model(&reader->call, message);
        read_usage(&reader->call, pb_json_get(message, "usage"));
    } else if (pb_text_equal(type, "message_delta")) {
        read_usage(&reader->call, pb_json_get(event, "usage"));
    } else if (pb_text_equal(type, "message_stop")) {
        reader->call.complete = true;
    }
    pb_json_free(event);
}

void pb_usage_reader_init(struct pb_usage_reader *reader, int status, bool is_sse)
{
    *reader = (struct pb_usage_reader){.call = {.status = status, .streamed = is_sse}};
    reader->is_sse = is_sse;
    pb_sse_init(&reader->sse, on_event, reader);
    reader->sse.wants = wants_event;
    pb_buf_init(&reader->body, PB_USAGE_BODY_MAX);
}

void pb_usage_reader_release(struct pb_usage_reader *reader)
{
    pb_sse_release(&reader->sse);
    pb_buf_release(&reader->body);
}

void pb_usage_reader_feed(struct pb_usage_reader *reader, const void *data, size_t len)
{
    if (reader->is_sse)
        pb_sse_feed(&reader->sse, data, len);
    else if (reader->call.status == 200)
        pb_buf_bytes(&reader->body, data, len);
}

static void read_body(struct pb_usage_reader *reader)
{
    struct pb_error err = {0};
    struct pb_json *message;

    if (pb_buf_failed(&reader->body) || reader->body.len == 0)
        return;
    message = pb_json_parse(reader->body.data, reader->body.len, &err);
    read_model(&reader->call, message);
    read_usage(&reader->call, pb_json_get(message, "usage"));
    reader->call.complete = pb_json_is_object(message);
    pb_json_free(message);
}

static bool used_nothing(const struct pb_tokens *tokens)
{
    return tokens->input + tokens->output + tokens->cache_read + tokens->cache_write_5m +
               tokens->cache_write_1h ==
           0;
}

void pb_usage_reader_end(struct pb_usage_reader *reader, bool cut, int64_t now_wall_ms)
{
    struct pb_usage_call *call = &reader->call;

    call->at_ms = now_wall_ms;
    if (call->status == 200 && !reader->is_sse)
        read_body(reader);
    else if (call->status != 200)
        call->complete = call->status != 0; /* an error is a whole answer that costs nothing */
    if (cut)
        call->complete = false;
    call->has_cost = used_nothing(&call->tokens) ||
                     pb_price(call->model, now_wall_ms, &call->tokens, &call->cost_micro_usd);
}

void pb_usage_write(struct pb_buf *buf, const struct pb_usage_call *call)
{
    struct pb_json_writer w;

    pb_json_writer_init(&w, buf);
    pb_json_begin_object(&w, NULL);
    pb_json_put_int(&w, "t", call->at_ms);
    pb_json_put_text(&w, "model", call->model);
    pb_json_put_int(&w, "input", call->tokens.input);
    pb_json_put_int(&w, "output", call->tokens.output);
    pb_json_put_int(&w, "cache_read", call->tokens.cache_read);
    pb_json_put_int(&w, "cache_write_5m", call->tokens.cache_write_5m);
    pb_json_put_int(&w, "cache_write_1h", call->tokens.cache_write_1h);
    pb_json_put_int(&w, "status", call->status);
    pb_json_put_int(&w, "ms", call->duration_ms);
    pb_json_put_bool(&w, "streamed", call->streamed);
    if (call->has_cost)
        pb_json_put_int(&w, "cost_micro_usd", call->cost_micro_usd);
    else
        pb_json_put_null(&w, "cost_micro_usd");
    pb_json_put_bool(&w, "complete", call->complete);
    pb_json_end_object(&w);
    pb_buf_char(buf, '\n');
}

static int add_line(struct pb_usage *usage, const char *line, size_t len, struct pb_error *err)
{
    struct pb_json *call = pb_json_parse(line, len, err);

    if (!call)
        return -1;
    if (!pb_json_is_object(call)) {
        pb_json_free(call);
        return pb_fail(err, PB_ERROR_INVALID, "a usage line is no object");
    }
    usage->calls++;
    usage->input_tokens += pb_json_int(call, "input", 0);
    usage->output_tokens += pb_json_int(call, "output", 0);
    usage->cache_read_tokens += pb_json_int(call, "cache_read", 0);
    usage->cache_write_tokens +=
        pb_json_int(call, "cache_write_5m", 0) + pb_json_int(call, "cache_write_1h", 0);
    usage->cost_micro_usd += pb_json_int(call, "cost_micro_usd", 0);
    if (!pb_json_is_int(pb_json_get(call, "cost_micro_usd")))
        usage->cost_unknown = true;
    pb_json_free(call);
    return 0;
}

static int read_from(int dirfd, const char *path, int64_t offset, struct pb_buf *buf,
                     struct pb_error *err)
{
    int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    ssize_t got = 0;
    int r = 0;

    if (fd < 0)
        return errno == ENOENT ? 0 : pb_fail_errno(err, "open '%s'", path);
    for (char *room; (room = pb_buf_reserve(buf, 4096)); buf->len += (size_t)got, offset += got) {
        got = pread(fd, room, 4096, offset);
        if (got < 0)
            r = pb_fail_errno(err, "read '%s'", path);
        if (got <= 0)
            break;
    }
    pb_close(&fd);
    return r;
}

int pb_usage_add_file(struct pb_usage *usage, int dirfd, const char *path, int64_t *offset,
                      unsigned *ret_bad, struct pb_error *err)
{
    struct pb_error ignored = {0};
    unsigned bad = 0;
    size_t done = 0;
    struct pb_buf buf;
    int r;

    pb_buf_init(&buf, 4 << 20); /* more is left for the next time */
    r = read_from(dirfd, path, *offset, &buf, err);
    for (const char *end; r == 0 && done < buf.len; done = (size_t)(end - buf.data) + 1) {
        end = memchr(buf.data + done, '\n', buf.len - done);
        if (!end)
            break;
        if (add_line(usage, buf.data + done, (size_t)(end - buf.data) - done, &ignored) < 0)
            bad++;
    }
    *offset += (int64_t)done;
    if (ret_bad)
        *ret_bad = bad;
    pb_buf_release(&buf);
    return r;
}
