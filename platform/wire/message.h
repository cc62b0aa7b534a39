/*
 * What a node and the platform say to each other: one table of messages.
 *
 * A frame is one WebSocket message (and, with a 32-bit length in front, one
 * record on the stream between link and runner):
 *
 *    0      1      2              4            8
 *   'P' | type | project_len | body_len | project id | body | blob
 *                 (both numbers big-endian)
 *
 * The body is one JSON object; the blob is whatever is left, unread by this
 * file (log lines). The project id is empty in node-scope messages. Who may
 * send what, and when, is in the rows below and nowhere else: a receiver runs
 * every frame through pb_message_gate_pass() before it looks at the body, and
 * closes the connection with 1008 and the reason when that fails.
 *
 * Version rule: members may be added to bodies (readers ignore what they do
 * not know); everything else is a new protocol version. docs/protocol.md has
 * the bodies.
 */
#ifndef PB_WIRE_MESSAGE_H
#define PB_WIRE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"

/* name, number on the wire, name in words, sender, when, scope */
#define PB_MESSAGES(X)                                                          \
    X(HELLO, 1, "hello", NODE, FIRST, NODE)                                     \
    X(NODE_STATUS, 2, "node_status", NODE, AFTER_HELLO, NODE)                   \
    X(WELCOME, 20, "welcome", PLATFORM, FIRST, NODE)                            \
    X(PROJECT_START, 21, "project_start", PLATFORM, AFTER_HELLO, NODE)          \
    X(PROJECT_STOP, 22, "project_stop", PLATFORM, AFTER_HELLO, NODE)            \
    X(PROJECT_RESTART, 23, "project_restart", PLATFORM, AFTER_HELLO, NODE)      \
    X(PROJECT_WISHES, 24, "project_wishes", PLATFORM, AFTER_HELLO, NODE)        \
    X(PROJECT_REMOVE, 25, "project_remove", PLATFORM, AFTER_HELLO, NODE)        \
    X(RUNNER_HELLO, 40, "runner_hello", NODE, AFTER_HELLO, PROJECT)             \
    X(ATTEMPT_ACCEPTED, 41, "attempt_accepted", NODE, AFTER_HELLO, PROJECT)     \
    X(ATTEMPT_REFUSED, 42, "attempt_refused", NODE, AFTER_HELLO, PROJECT)       \
    X(ATTEMPT_STATE, 43, "attempt_state", NODE, AFTER_HELLO, PROJECT)           \
    X(LOG_CHUNK, 44, "log_chunk", NODE, AFTER_HELLO, PROJECT)                   \
    X(USAGE, 45, "usage", NODE, AFTER_HELLO, PROJECT)                           \
    X(CREDENTIAL_REQUEST, 46, "credential_request", NODE, AFTER_HELLO, PROJECT) \
    X(ATTEMPT_RESULT, 47, "attempt_result", NODE, AFTER_HELLO, PROJECT)         \
    X(AGENT_LOG, 48, "agent_log", NODE, AFTER_HELLO, PROJECT)                   \
    X(ATTEMPT_START, 60, "attempt_start", PLATFORM, AFTER_HELLO, PROJECT)       \
    X(ATTEMPT_CANCEL, 61, "attempt_cancel", PLATFORM, AFTER_HELLO, PROJECT)     \
    X(AGENT_LOG_READ, 62, "agent_log_read", PLATFORM, AFTER_HELLO, PROJECT)     \
    X(AGENT_LOG_DATA, 63, "agent_log_data", NODE, AFTER_HELLO, PROJECT)         \
    X(CREDENTIAL, 64, "credential", PLATFORM, AFTER_HELLO, PROJECT)             \
    X(LOG_ACK, 65, "log_ack", PLATFORM, AFTER_HELLO, PROJECT)                   \
    X(RESULT_ACK, 66, "result_ack", PLATFORM, AFTER_HELLO, PROJECT)             \
    X(ATTEMPT_DISCARD, 67, "attempt_discard", PLATFORM, AFTER_HELLO, PROJECT)   \
    X(SETTINGS, 68, "settings", PLATFORM, AFTER_HELLO, PROJECT)

enum pb_message_type {
#define X(type, number, name, from, when, scope) PB_MESSAGE_##type = number,
    PB_MESSAGES(X)
#undef X
};

enum pb_message_end { PB_MESSAGE_FROM_NODE, PB_MESSAGE_FROM_PLATFORM };
enum pb_message_when { PB_MESSAGE_WHEN_FIRST, PB_MESSAGE_WHEN_AFTER_HELLO };
enum pb_message_scope { PB_MESSAGE_SCOPE_NODE, PB_MESSAGE_SCOPE_PROJECT };

enum {
    PB_PROTOCOL_MIN = 1,
    PB_PROTOCOL_MAX = 1,
    PB_MESSAGE_FRAME_MAX = 1 << 20,
    PB_MESSAGE_HEADER_BYTES = 8,
    PB_MESSAGE_PROJECT_TEXT = 64,   /* longest project id (63) and its NUL */
    PB_MESSAGE_LINE_MAX = 16 << 10, /* text of one log line */
};

/* The row's name; "?" for a number that is not in the table. */
const char *pb_message_name(enum pb_message_type type);

/* Where the parts of a frame lie. Nothing is copied, the body is not read: this is all poppo-link needs. */
struct pb_message_head {
    enum pb_message_type type;
    enum pb_message_scope scope;
    char project[PB_MESSAGE_PROJECT_TEXT]; /* "" in node scope; else a valid project id */
    const char *body;                      /* inside the frame, as the blob is */
    size_t body_len;
    const char *blob;
    size_t blob_len;
};

/* INVALID for anything the drawing or the table does not allow. */
int pb_message_peek(const void *frame, size_t len, struct pb_message_head *ret_head,
                    struct pb_error *err) PB_MUST_CHECK;

/* A frame with its body read. */
struct pb_message {
    struct pb_message_head head;
    struct pb_json *body; /* owned: an object */
};

int pb_message_parse(const void *frame, size_t len, struct pb_message *ret_message,
                     struct pb_error *err) PB_MUST_CHECK;
void pb_message_release(struct pb_message *message); /* a zeroed one is fine */

/*
 * Who has spoken on one connection. Pass every frame, sent and received,
 * through it in order:
 *
 *   node: hello  →  platform: welcome  →  everything else, both ways
 */
struct pb_message_gate {
    bool node_spoke;
    bool platform_spoke;
};

/* DENIED: the wrong end, too early, or a second hello. */
int pb_message_gate_pass(struct pb_message_gate *gate, enum pb_message_end sender,
                         enum pb_message_type type, struct pb_error *err) PB_MUST_CHECK;

/*
 * Builds one frame at the end of a buffer (which may hold others before it):
 *
 *   struct pb_message_builder b;
 *   pb_message_begin(&b, &buf, PB_MESSAGE_LOG_ACK, project);
 *   pb_json_put_text(&b.json, "execution", id);
 *   pb_message_end(&b, NULL, 0);       then pb_buf_failed(&buf) once
 */
struct pb_message_builder {
    struct pb_buf *buf;
    size_t start;
    size_t body_start;
    struct pb_json_writer json; /* inside the body's object */
};

/* `project` NULL or "" in node scope. */
void pb_message_begin(struct pb_message_builder *b, struct pb_buf *buf, enum pb_message_type type,
                      const char *project);
/* Fails the buffer when the frame is longer than PB_MESSAGE_FRAME_MAX. */
void pb_message_end(struct pb_message_builder *b, const void *blob, size_t blob_len);

/* A frame whose body is JSON text already: stored, or passed on. */
void pb_message_put(struct pb_buf *buf, enum pb_message_type type, const char *project,
                    const char *body, size_t body_len);

/* What every message about an attempt begins with. Texts are borrowed from the body. */
struct pb_attempt_ref {
    const char *execution; /* a valid ULID */
    int64_t attempt;       /* from 1 */
    int64_t fence;         /* 0 in messages that have none */
};

int pb_attempt_ref_read(const struct pb_json *body, struct pb_attempt_ref *ret_ref,
                        struct pb_error *err) PB_MUST_CHECK;
void pb_attempt_ref_put(struct pb_json_writer *json, const struct pb_attempt_ref *ref);

/* The slug rule of project ids: ^[a-z0-9][a-z0-9-]{0,62}$. They name folders, so nothing else passes. */
bool pb_message_project_valid(const char *id);

#endif
