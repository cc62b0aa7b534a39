#include "wire/message.h"

#include <assert.h>
#include <string.h>

#include "base/id.h"

enum { MAGIC = 'P' };

static const struct row {
    enum pb_message_type type;
    const char *name;
    enum pb_message_end from;
    enum pb_message_when when;
    enum pb_message_scope scope;
} ROWS[] = {
#define X(type_, number, name_, from_, when_, scope_)                             \
    {PB_MESSAGE_##type_, name_, PB_MESSAGE_FROM_##from_, PB_MESSAGE_WHEN_##when_, \
     PB_MESSAGE_SCOPE_##scope_},
    PB_MESSAGES(X)
#undef X
};

static const struct row *find_row(unsigned number)
{
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        if ((unsigned)ROWS[i].type == number)
            return &ROWS[i];
    }
    return NULL;
}

const char *pb_message_name(enum pb_message_type type)
{
    const struct row *row = find_row((unsigned)type);

    return row ? row->name : "?";
}

static bool is_slug_char(char c, bool is_first)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c == '-' && !is_first);
}

static bool is_slug(const char *text, size_t len)
{
    if (len == 0 || len >= PB_MESSAGE_PROJECT_TEXT)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!is_slug_char(text[i], i == 0))
            return false;
    }
    return true;
}

bool pb_message_project_valid(const char *id)
{
    return id && is_slug(id, strlen(id));
}

static size_t read_be16(const uint8_t *at)
{
    return (size_t)at[0] << 8 | at[1];
}

static size_t read_be32(const uint8_t *at)
{
    return read_be16(at) << 16 | read_be16(at + 2);
}

static void write_be16(char *at, size_t value)
{
    at[0] = (char)(value >> 8 & 0xff);
    at[1] = (char)(value & 0xff);
}

static void write_be32(char *at, size_t value)
{
    write_be16(at, value >> 16);
    write_be16(at + 2, value & 0xffff);
}

static int read_project(const struct row *row, const char *text, size_t len,
                        struct pb_message_head *head, struct pb_error *err)
{
    if (row->scope == PB_MESSAGE_SCOPE_NODE && len > 0)
        return pb_fail(err, PB_ERROR_INVALID, "message %s belongs to no project", row->name);
    if (row->scope == PB_MESSAGE_SCOPE_PROJECT && !is_slug(text, len))
        return pb_fail(err, PB_ERROR_INVALID, "message %s names no valid project", row->name);
    memcpy(head->project, text, len);
    head->project[len] = '\0';
    return 0;
}

int pb_message_peek(const void *frame, size_t len, struct pb_message_head *ret_head,
                    struct pb_error *err)
{
    const uint8_t *at = frame;
    struct pb_message_head head = {0};
    const struct row *row;
    size_t project_len;

    if (len > PB_MESSAGE_FRAME_MAX)
        return pb_fail(err, PB_ERROR_INVALID, "frame of %zu bytes is too long", len);
    if (len < PB_MESSAGE_HEADER_BYTES || at[0] != MAGIC)
        return pb_fail(err, PB_ERROR_INVALID, "this is no frame of the node protocol");
    row = find_row(at[1]);
    if (!row)
        return pb_fail(err, PB_ERROR_INVALID, "message type %u is unknown", at[1]);
    project_len = read_be16(at + 2);
    head.type = row->type;
    head.scope = row->scope;
    head.body_len = read_be32(at + 4);
    if (project_len >= PB_MESSAGE_PROJECT_TEXT || head.body_len > len - PB_MESSAGE_HEADER_BYTES ||
        project_len > len - PB_MESSAGE_HEADER_BYTES - head.body_len)
        return pb_fail(err, PB_ERROR_INVALID, "message %s is cut", row->name);
    head.body = (const char *)at + PB_MESSAGE_HEADER_BYTES + project_len;
    head.blob = head.body + head.body_len;
    head.blob_len = len - PB_MESSAGE_HEADER_BYTES - project_len - head.body_len;
    if (read_project(row, (const char *)at + PB_MESSAGE_HEADER_BYTES, project_len, &head, err) < 0)
        return -1;
    *ret_head = head;
    return 0;
}

int pb_message_parse(const void *frame, size_t len, struct pb_message *ret_message,
                     struct pb_error *err)
{
    struct pb_message message = {0};

    if (pb_message_peek(frame, len, &message.head, err) < 0)
        return -1;
    message.body = pb_json_parse(message.head.body, message.head.body_len, err);
    if (!message.body)
        return pb_fail_in(err, "message %s", pb_message_name(message.head.type));
    if (!pb_json_is_object(message.body)) {
        pb_json_free(message.body);
        return pb_fail(err, PB_ERROR_INVALID, "message %s: the body is no object",
                       pb_message_name(message.head.type));
    }
    *ret_message = message;
    return 0;
}

void pb_message_release(struct pb_message *message)
{
    pb_json_free(message->body);
    message->body = NULL;
}

int pb_message_gate_pass(struct pb_message_gate *gate, enum pb_message_end sender,
                         enum pb_message_type type, struct pb_error *err)
{
    const struct row *row = find_row((unsigned)type);
    bool is_node = sender == PB_MESSAGE_FROM_NODE;
    bool *spoke = is_node ? &gate->node_spoke : &gate->platform_spoke;

    if (!row || row->from != sender)
        return pb_fail(err, PB_ERROR_DENIED, "the %s may not send %s",
                       is_node ? "node" : "platform", pb_message_name(type));
    if (row->when == PB_MESSAGE_WHEN_FIRST) {
        if (*spoke)
            return pb_fail(err, PB_ERROR_DENIED, "a second %s", row->name);
        if (!is_node && !gate->node_spoke)
            return pb_fail(err, PB_ERROR_DENIED, "%s before hello", row->name);
        *spoke = true;
        return 0;
    }
    if (!gate->node_spoke || !gate->platform_spoke)
        return pb_fail(err, PB_ERROR_DENIED, "%s before hello and welcome", row->name);
    return 0;
}

static void put_header(struct pb_buf *buf, enum pb_message_type type, const char *project)
{
    char header[PB_MESSAGE_HEADER_BYTES] = {MAGIC, (char)type};
    size_t project_len = project ? strlen(project) : 0;

    assert(find_row((unsigned)type) && project_len < PB_MESSAGE_PROJECT_TEXT);
    write_be16(header + 2, project_len);
    pb_buf_bytes(buf, header, sizeof(header));
    if (project_len > 0)
        pb_buf_bytes(buf, project, project_len);
}

/* `start` is where the frame begins, `body_len` what it has of body. */
static void finish_frame(struct pb_buf *buf, size_t start, size_t body_len)
{
    if (pb_buf_failed(buf))
        return;
    if (buf->len - start > PB_MESSAGE_FRAME_MAX)
        buf->failed = true;
    else
        write_be32(buf->data + start + 4, body_len);
}

void pb_message_begin(struct pb_message_builder *b, struct pb_buf *buf, enum pb_message_type type,
                      const char *project)
{
    *b = (struct pb_message_builder){.buf = buf, .start = buf->len};
    put_header(buf, type, project);
    b->body_start = buf->len;
    pb_json_writer_init(&b->json, buf);
    pb_json_begin_object(&b->json, NULL);
}

void pb_message_end(struct pb_message_builder *b, const void *blob, size_t blob_len)
{
    size_t body_len;

    pb_json_end_object(&b->json);
    body_len = b->buf->len - b->body_start;
    if (blob_len > 0)
        pb_buf_bytes(b->buf, blob, blob_len);
    finish_frame(b->buf, b->start, body_len);
}

void pb_message_put(struct pb_buf *buf, enum pb_message_type type, const char *project,
                    const char *body, size_t body_len)
{
    size_t start = buf->len;

    put_header(buf, type, project);
    pb_buf_bytes(buf, body, body_len);
    finish_frame(buf, start, body_len);
}

int pb_attempt_ref_read(const struct pb_json *body, struct pb_attempt_ref *ret_ref,
                        struct pb_error *err)
{
    struct pb_attempt_ref ref = {.fence = pb_json_int(body, "fence", 0)};

    ref.execution = pb_json_need_text(body, "execution", err);
    if (!ref.execution || pb_json_need_int(body, "attempt", &ref.attempt, err) < 0)
        return -1;
    if (!pb_ulid_valid(ref.execution))
        return pb_fail_field(err, "execution", "execution is no identifier of ours");
    if (ref.attempt < 1 || ref.attempt > 1000000)
        return pb_fail_field(err, "attempt", "attempt is not between 1 and 1000000");
    if (ref.fence < 0)
        return pb_fail_field(err, "fence", "fence is negative");
    *ret_ref = ref;
    return 0;
}

void pb_attempt_ref_put(struct pb_json_writer *json, const struct pb_attempt_ref *ref)
{
    pb_json_put_text(json, "execution", ref->execution);
    pb_json_put_int(json, "attempt", ref->attempt);
    if (ref->fence > 0)
        pb_json_put_int(json, "fence", ref->fence);
}
