#include <string.h>

#include "agent/agent_log.h"
#include "agent/runner_private.h"
#include "base/log.h"
#include "base/text.h"
#include "wire/message.h"

enum { QUEUE_MAX = 8 << 20, BUSY_BYTES = 512 << 10, ANSWER_MAX = 900 << 10 };

/* ---- answering ---- */

static void send_refused(struct pb_runner *runner, const struct pb_attempt_ref *ref,
                         const struct pb_error *why)
{
    struct pb_message_builder b;
    struct pb_buf frame;

    pb_log_fail(PB_LOG_WARN, "runner", why, "attempt=%s.%lld refused", ref->execution,
                (long long)ref->attempt);
    pb_buf_init(&frame, 4096);
    pb_message_begin(&b, &frame, PB_MESSAGE_ATTEMPT_REFUSED, runner->dirs.project);
    pb_attempt_ref_put(&b.json, ref);
    pb_json_put_text(&b.json, "kind", pb_error_reason(why));
    pb_json_put_text(&b.json, "reason", why->message);
    pb_message_end(&b, NULL, 0);
    pb_runner_link_send(runner, &frame);
    pb_buf_release(&frame);
}

static void send_accepted(struct pb_runner *runner, const struct pb_attempt_ref *ref)
{
    struct pb_message_builder b;
    struct pb_buf frame;

    pb_buf_init(&frame, 4096);
    pb_message_begin(&b, &frame, PB_MESSAGE_ATTEMPT_ACCEPTED, runner->dirs.project);
    pb_attempt_ref_put(&b.json, ref);
    pb_message_end(&b, NULL, 0);
    pb_runner_link_send(runner, &frame);
    pb_buf_release(&frame);
}

static void send_hello(struct pb_runner *runner)
{
    struct pb_message_builder b;
    struct pb_buf frame;

    pb_buf_init(&frame, PB_MESSAGE_FRAME_MAX);
    pb_message_begin(&b, &frame, PB_MESSAGE_RUNNER_HELLO, runner->dirs.project);
    pb_json_begin_array(&b.json, "attempts");
    for (size_t i = 0; i < runner->attempt_count; i++)
        pb_attempt_describe(runner->attempts[i], &b.json);
    pb_json_end_array(&b.json);
    pb_message_end(&b, NULL, 0);
    pb_runner_link_send(runner, &frame);
    pb_buf_release(&frame);
}

/* ---- what the platform says ---- */

static int check_room(struct pb_runner *runner, struct pb_error *err)
{
    if (runner->stop != PB_RUNNER_GO_ON)
        return pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "busy",
                              "the project is being stopped on this node");
    if (pb_runner_working(runner) >= (size_t)runner->max_concurrent)
        return pb_fail_reason(err, PB_ERROR_LIMITED, "busy", "already working on %lld at once",
                              (long long)runner->max_concurrent);
    return 0;
}

/* The platform has given up what it assigns anew. It may not have come to say so. */
static void discard_earlier(struct pb_runner *runner, const struct pb_attempt_ref *ref)
{
    for (size_t i = runner->attempt_count; i > 0; i--) {
        struct pb_attempt *attempt = runner->attempts[i - 1];

        if (pb_attempt_is_of(attempt, ref->execution) && pb_attempt_fence(attempt) < ref->fence)
            pb_attempt_discard(attempt);
    }
}

static void on_start(struct pb_runner *runner, const struct pb_json *body)
{
    struct pb_attempt_ref ref;
    struct pb_attempt *attempt;
    struct pb_error err;

    if (pb_attempt_ref_read(body, &ref, &err) < 0) {
        pb_log_fail(PB_LOG_WARN, "runner", &err, "attempt_start, ignoring");
        return;
    }
    attempt = pb_runner_find(runner, ref.execution, ref.attempt);
    if (attempt) { /* said twice: the answer got lost */
        send_accepted(runner, &(struct pb_attempt_ref){ref.execution, ref.attempt,
                                                       pb_attempt_fence(attempt)});
        return;
    }
    discard_earlier(runner, &ref);
    if (check_room(runner, &err) < 0) {
        send_refused(runner, &ref, &err);
        return;
    }
    attempt = pb_attempt_new(&runner->attempt_host, body, &err);
    if (!attempt)
        send_refused(runner, &ref, &err);
    else if (pb_runner_add(runner, attempt, &err) < 0)
        pb_attempt_free(attempt); /* the journal knows it: it begins after a restart */
    else
        pb_runner_begin_waiting(runner);
}

static void on_cancel(struct pb_runner *runner, const struct pb_json *body,
                      struct pb_attempt *attempt)
{
    (void)runner;
    pb_attempt_cancel(attempt, pb_json_text(body, "reason", ""));
}

static void on_discard(struct pb_runner *runner, const struct pb_json *body,
                       struct pb_attempt *attempt)
{
    (void)runner;
    (void)body;
    pb_attempt_discard(attempt);
}

static void on_log_ack(struct pb_runner *runner, const struct pb_json *body,
                       struct pb_attempt *attempt)
{
    (void)runner;
    pb_attempt_log_acked(attempt, pb_json_int(body, "seq", 0));
}

static void on_result_ack(struct pb_runner *runner, const struct pb_json *body,
                          struct pb_attempt *attempt)
{
    (void)runner;
    (void)body;
    pb_attempt_result_acked(attempt);
}

static void on_credential(struct pb_runner *runner, const struct pb_json *body)
{
    for (size_t i = 0; i < runner->attempt_count; i++) {
        if (pb_attempt_credential(runner->attempts[i], body))
            return;
    }
    pb_log_debug("runner", "a credential nobody waits for");
}

static void on_settings(struct pb_runner *runner, const struct pb_json *body)
{
    runner->max_concurrent = pb_json_int(body, "max_concurrent", runner->max_concurrent);
}

static void on_log_read(struct pb_runner *runner, const struct pb_json *body)
{
    struct pb_message_builder b;
    struct pb_error err;
    struct pb_buf frame;

    pb_buf_init(&frame, ANSWER_MAX);
    pb_message_begin(&b, &frame, PB_MESSAGE_AGENT_LOG_DATA, runner->dirs.project);
    pb_json_put_text(&b.json, "request", pb_json_text(body, "request", ""));
    if (pb_agent_log_read(runner->dirs.logs, pb_json_int(body, "from", 0),
                          pb_json_int(body, "count", 200), &b.json, &err) < 0)
        pb_json_put_text(&b.json, "error", err.message);
    pb_message_end(&b, NULL, 0);
    pb_runner_link_send(runner, &frame);
    pb_buf_release(&frame);
}

/* One of the two is set. */
static const struct {
    enum pb_message_type type;
    void (*about_attempt)(struct pb_runner *runner, const struct pb_json *body,
                          struct pb_attempt *attempt);
    void (*other)(struct pb_runner *runner, const struct pb_json *body);
} HANDLERS[] = {
    {PB_MESSAGE_ATTEMPT_START, NULL, on_start},     {PB_MESSAGE_ATTEMPT_CANCEL, on_cancel, NULL},
    {PB_MESSAGE_ATTEMPT_DISCARD, on_discard, NULL}, {PB_MESSAGE_LOG_ACK, on_log_ack, NULL},
    {PB_MESSAGE_RESULT_ACK, on_result_ack, NULL},   {PB_MESSAGE_CREDENTIAL, NULL, on_credential},
    {PB_MESSAGE_AGENT_LOG_READ, NULL, on_log_read}, {PB_MESSAGE_SETTINGS, NULL, on_settings},
};

static void handle(struct pb_runner *runner, const struct pb_message *message)
{
    struct pb_attempt *attempt = NULL;
    struct pb_attempt_ref ref;
    struct pb_error err;
    size_t i = 0;

    while (i < sizeof(HANDLERS) / sizeof(HANDLERS[0]) && HANDLERS[i].type != message->head.type)
        i++;
    if (i == sizeof(HANDLERS) / sizeof(HANDLERS[0])) {
        pb_log_warn("runner", "message %s is not for a runner, ignoring",
                    pb_message_name(message->head.type));
        return;
    }
    if (HANDLERS[i].other) {
        HANDLERS[i].other(runner, message->body);
        return;
    }
    if (pb_attempt_ref_read(message->body, &ref, &err) < 0)
        pb_log_fail(PB_LOG_WARN, "runner", &err, "message %s, ignoring",
                    pb_message_name(message->head.type));
    else
        attempt = pb_runner_find(runner, ref.execution, ref.attempt);
    if (attempt)
        HANDLERS[i].about_attempt(runner, message->body, attempt);
}

/* ---- the stream ---- */

static void on_frame(void *arg, const void *frame, size_t len)
{
    struct pb_runner *runner = arg;
    struct pb_message message;
    struct pb_error err;

    if (pb_message_parse(frame, len, &message, &err) < 0) {
        pb_log_fail(PB_LOG_WARN, "runner", &err, "a message, ignoring");
        return;
    }
    if (pb_text_equal(message.head.project, runner->dirs.project))
        handle(runner, &message);
    pb_message_release(&message);
}

static void on_drained(void *arg)
{
    struct pb_runner *runner = arg;

    for (size_t i = 0; i < runner->attempt_count; i++)
        pb_attempt_drained(runner->attempts[i]);
}

static void on_closed(void *arg, const char *reason)
{
    struct pb_runner *runner = arg;

    pb_log_info("runner", "offline: %s", reason);
    pb_runner_link_close(runner);
}

bool pb_runner_link_is_busy(const struct pb_runner *runner)
{
    return runner->link && pb_frame_pipe_queued(runner->link) > BUSY_BYTES;
}

/* What does not fit is said again after the next connection, which the end of this one brings about. */
void pb_runner_link_send(struct pb_runner *runner, const struct pb_buf *frame)
{
    if (!runner->link || pb_buf_failed(frame) ||
        pb_frame_pipe_send(runner->link, frame->data, frame->len))
        return;
    pb_log_error("runner", "the link does not read; starting anew");
    pb_loop_stop(runner->loop);
}

void pb_runner_link_close(struct pb_runner *runner)
{
    struct pb_frame_pipe *link = runner->link;

    runner->link = NULL;
    pb_frame_pipe_free(link);
}

void pb_runner_link_open(struct pb_runner *runner, int fd)
{
    static const struct pb_frame_pipe_events EVENTS = {on_frame, on_drained, on_closed};
    struct pb_error err;

    pb_runner_link_close(runner);
    runner->link = pb_frame_pipe_new(runner->loop, fd, QUEUE_MAX, &EVENTS, runner, &err);
    if (!runner->link) {
        pb_log_fail(PB_LOG_ERROR, "runner", &err, "cannot use the link");
        return;
    }
    pb_log_info("runner", "online");
    send_hello(runner);
    for (size_t i = 0; i < runner->attempt_count && runner->link; i++)
        pb_attempt_reconnected(runner->attempts[i]);
}
