#include "agent/link.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/fd_message.h"
#include "agent/frame_pipe.h"
#include "base/buf.h"
#include "base/crypto.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/text.h"
#include "net/tls.h"
#include "net/websocket.h"
#include "wire/message.h"

enum {
    BACKOFF_FIRST_MS = 200,
    BACKOFF_MAX_MS = 10 * 1000,
    WORRY_MS = 800,
    RUNNER_QUEUE = 2 * PB_MESSAGE_FRAME_MAX,
    PLATFORM_QUEUE = 4 * PB_MESSAGE_FRAME_MAX,
    SUPERVISOR_QUEUE = 4 * PB_MESSAGE_FRAME_MAX,
    RUNNERS_TURN = 64, /* taken on before the loop goes on */
};

struct link;

struct runner {
    struct link *link; /* borrowed */
    struct runner *next;
    char project[PB_MESSAGE_PROJECT_TEXT];
    struct pb_frame_pipe *stream;
    bool held_back; /* not read while the platform's queue is full */
};

struct link {
    struct pb_link_options options;
    struct pb_loop *loop;
    struct pb_tls_client *tls;
    struct pb_websocket *ws;
    struct pb_message_gate gate;
    struct pb_loop_timer *again;
    struct pb_frame_pipe *supervisor;
    struct pb_loop_fd *runners_watch;
    struct runner *runners;
    int64_t backoff_ms;
    bool is_open;
    bool platform_held; /* not read while a runner or the supervisor does not keep up */
    bool was_told_down; /* the reason has been logged once */
};

static void dial(struct link *link);

/* --- back-pressure on the platform ------------------------------------------------------------- */

static bool is_full(const struct runner *runner)
{
    return pb_frame_pipe_queued(runner->stream) > RUNNER_QUEUE / 2;
}

static bool is_behind(const struct link *link)
{
    return pb_frame_pipe_queued(link->supervisor) > SUPERVISOR_QUEUE / 2;
}

static void hold_platform(struct link *link)
{
    if (link->platform_held || !link->ws)
        return;
    link->platform_held = true;
    pb_websocket_pause(link->ws, true);
}

/* The last of those that do not keep up lets go, also by going away. */
static void release_platform(struct link *link)
{
    if (!link->platform_held || !link->ws || is_behind(link))
        return;
    for (const struct runner *runner = link->runners; runner; runner = runner->next)
        if (is_full(runner))
            return;
    link->platform_held = false;
    pb_websocket_pause(link->ws, false);
}

/* --- supervisor ------------------------------------------------------------------------------ */

/* It starts and removes projects one by one and may be a while at it: what it is told waits in the pipe, in order. */
static void tell_supervisor(struct link *link, const void *data, size_t len)
{
    if (!pb_frame_pipe_send(link->supervisor, data, len)) {
        pb_log_error("link", "the supervisor does not read; starting anew");
        pb_loop_stop(link->loop);
    } else if (is_behind(link)) {
        hold_platform(link);
    }
}

static void tell_supervisor_op(struct link *link, const char *op, const char *reason)
{
    struct pb_json_writer w;
    struct pb_buf text;

    pb_buf_init(&text, 4096);
    pb_json_writer_init(&w, &text);
    pb_json_begin_object(&w, NULL);
    pb_json_put_text(&w, "op", op);
    if (reason)
        pb_json_put_text(&w, "reason", reason);
    pb_json_end_object(&w);
    if (!pb_buf_failed(&text))
        tell_supervisor(link, text.data, text.len);
    pb_buf_release(&text);
}

/* --- runners --------------------------------------------------------------------------------- */

static struct runner *find_runner(struct link *link, const char *project)
{
    for (struct runner *runner = link->runners; runner; runner = runner->next)
        if (strcmp(runner->project, project) == 0)
            return runner;
    return NULL;
}

static void remove_runner(struct link *link, struct runner *runner)
{
    struct runner **at = &link->runners;

    while (*at && *at != runner)
        at = &(*at)->next;
    if (*at)
        *at = runner->next;
    pb_frame_pipe_free(runner->stream);
    free(runner);
    release_platform(link);
}

static void close_platform(struct link *link, int code, const char *reason)
{
    if (link->ws)
        pb_websocket_close(link->ws, code, reason);
}

/* All of them, not only the one that was last: the other half of the queue is for one frame, not for one each. */
static void hold_back(struct link *link)
{
    for (struct runner *runner = link->runners; runner; runner = runner->next) {
        runner->held_back = true;
        pb_frame_pipe_pause(runner->stream, true);
    }
}

static void runner_frame(void *arg, const void *frame, size_t len)
{
    struct runner *runner = arg;
    struct link *link = runner->link;
    struct pb_message_head head;
    struct pb_error err = {0};

    if (pb_message_peek(frame, len, &head, &err) < 0 ||
        pb_message_gate_pass(&link->gate, PB_MESSAGE_FROM_NODE, head.type, &err) < 0 ||
        strcmp(head.project, runner->project) != 0) {
        pb_log_fail(PB_LOG_WARN, "link", &err, "project=%s sent a bad frame, dropping it",
                    runner->project);
        return;
    }
    if (!pb_websocket_send(link->ws, false, frame, len)) /* repeated by the runner until answered */
        pb_log_warn("link", "project=%s message=%s does not fit, dropping it", runner->project,
                    pb_message_name(head.type));
    if (pb_websocket_queued(link->ws) > PLATFORM_QUEUE / 2)
        hold_back(link);
}

static void runner_drained(void *arg)
{
    struct runner *runner = arg;

    release_platform(runner->link);
}

static void runner_closed(void *arg, const char *reason)
{
    struct runner *runner = arg;

    pb_log_debug("link", "project=%s runner gone: %s", runner->project, reason);
    remove_runner(runner->link, runner);
}

static const struct pb_frame_pipe_events RUNNER_EVENTS = {runner_frame, runner_drained,
                                                          runner_closed};

static void add_runner(struct link *link, const char *project, int fd)
{
    struct runner *old = find_runner(link, project);
    struct runner *runner = NULL;
    struct pb_error err = {0};

    if (old)
        remove_runner(link, old);
    if (link->is_open && pb_message_project_valid(project))
        runner = calloc(1, sizeof(*runner));
    if (!runner) {
        pb_close(&fd);
        return;
    }
    runner->link = link;
    (void)snprintf(runner->project, sizeof(runner->project), "%s", project);
    runner->stream = pb_frame_pipe_new(link->loop, fd, RUNNER_QUEUE, &RUNNER_EVENTS, runner, &err);
    if (!runner->stream) {
        pb_log_fail(PB_LOG_WARN, "link", &err, "project=%s", project);
        free(runner);
        return;
    }
    runner->next = link->runners;
    link->runners = runner;
}

static void drop_runners(struct link *link)
{
    while (link->runners)
        remove_runner(link, link->runners);
}

static void to_runner(struct link *link, const struct pb_message_head *head, const void *frame,
                      size_t len)
{
    struct runner *runner = find_runner(link, head->project);

    if (!runner) {
        pb_log_debug("link", "project=%s message=%s: no runner, dropping it", head->project,
                     pb_message_name(head->type));
        return;
    }
    if (!pb_frame_pipe_send(runner->stream, frame, len))
        pb_log_warn("link", "project=%s message=%s does not fit, dropping it", head->project,
                    pb_message_name(head->type));
    if (is_full(runner))
        hold_platform(link);
}

/* --- platform -------------------------------------------------------------------------------- */

static void ws_opened(void *arg, struct pb_websocket *ws)
{
    struct link *link = arg;

    (void)ws;
    link->is_open = true;
    link->gate = (struct pb_message_gate){0};
    link->was_told_down = false;
    tell_supervisor_op(link, "up", NULL);
}

static void ws_message(void *arg, struct pb_websocket *ws, bool is_text, const void *data,
                       size_t len)
{
    struct link *link = arg;
    struct pb_message_head head;
    struct pb_error err = {0};

    (void)ws;
    if (is_text) {
        close_platform(link, 1003, "frames are binary");
        return;
    }
    if (pb_message_peek(data, len, &head, &err) < 0 ||
        pb_message_gate_pass(&link->gate, PB_MESSAGE_FROM_PLATFORM, head.type, &err) < 0) {
        pb_log_fail(PB_LOG_ERROR, "link", &err, "the platform sent a bad frame");
        close_platform(link, 1008, err.message);
        return;
    }
    if (head.type == PB_MESSAGE_WELCOME)
        link->backoff_ms = 0;
    if (head.scope == PB_MESSAGE_SCOPE_NODE)
        tell_supervisor(link, data, len);
    else
        to_runner(link, &head, data, len);
}

static void ws_drained(void *arg, struct pb_websocket *ws)
{
    struct link *link = arg;
    struct runner *next;

    (void)ws;
    for (struct runner *runner = link->runners; runner; runner = next) {
        next = runner->next;
        if (!runner->held_back)
            continue;
        runner->held_back = false;
        pb_frame_pipe_pause(runner->stream, false);
    }
}

static void dial_again(void *arg)
{
    struct link *link = arg;

    pb_loop_timer_cancel(&link->again);
    dial(link);
}

/* Between half and all of the backoff, so that nodes do not come back in step. */
static int64_t jittered(int64_t backoff_ms)
{
    uint32_t random;

    pb_random(&random, sizeof(random));
    return backoff_ms / 2 + (int64_t)(random % (uint32_t)(backoff_ms / 2 + 1));
}

static void wait_and_dial(struct link *link, const char *reason)
{
    link->backoff_ms = link->backoff_ms == 0                   ? BACKOFF_FIRST_MS
                       : link->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS
                                                               : link->backoff_ms * 2;
    /* Both start at the same time on one machine: the first refusals are nothing to worry about. */
    if (!link->was_told_down && link->backoff_ms >= WORRY_MS) {
        pb_log_warn("link", "not connected to %s: %s; trying again", link->options.platform_url,
                    reason);
        link->was_told_down = true;
    }
    link->again = pb_loop_timer_start(link->loop, jittered(link->backoff_ms), 0, dial_again, link);
}

static void ws_closed(void *arg, struct pb_websocket *ws, int code, const char *reason)
{
    struct link *link = arg;

    (void)code;
    link->ws = NULL;
    link->platform_held = false;
    if (link->is_open) {
        link->is_open = false;
        drop_runners(link);
        tell_supervisor_op(link, "down", reason);
    }
    pb_websocket_unref(ws);
    wait_and_dial(link, reason);
}

static const struct pb_websocket_events PLATFORM_EVENTS = {ws_opened, ws_message, ws_drained,
                                                           ws_closed};

/* "Bearer <node key>", read anew each time: the key may have been replaced. */
static int read_credential(const struct link *link, struct pb_buf *ret_value, struct pb_error *err)
{
    pb_buf_text(ret_value, "Bearer ");
    if (pb_fs_read(AT_FDCWD, link->options.node_key_file, ret_value, err) < 0)
        return -1;
    while (ret_value->len > 0 && ret_value->data[ret_value->len - 1] == '\n')
        ret_value->data[--ret_value->len] = '\0'; /* an editor may have put it there */
    return 0;
}

static void dial(struct link *link)
{
    const struct pb_websocket_options options = {.message_max = PB_MESSAGE_FRAME_MAX,
                                                 .queue_max = PLATFORM_QUEUE,
                                                 .events = &PLATFORM_EVENTS,
                                                 .arg = link};
    struct pb_error err = {0};
    struct pb_buf credential;

    pb_buf_init(&credential, 512);
    if (read_credential(link, &credential, &err) == 0) {
        const struct pb_http_header header = {"Authorization", pb_buf_string(&credential)};

        link->ws = pb_websocket_connect(link->loop, link->options.platform_url, &header, 1,
                                        link->tls, &options, &err);
    }
    if (credential.data)
        pb_wipe(credential.data, credential.len);
    pb_buf_release(&credential);
    if (!link->ws)
        wait_and_dial(link, err.message);
}

/* --- what the supervisor says -------------------------------------------------------------------- */

static void supervisor_frame(void *arg, const void *data, size_t len)
{
    struct link *link = arg;
    struct pb_message_head head;
    struct pb_error err = {0};

    if (!link->is_open)
        return; /* said again after the next "up" */
    if (pb_message_peek(data, len, &head, &err) < 0 ||
        pb_message_gate_pass(&link->gate, PB_MESSAGE_FROM_NODE, head.type, &err) < 0)
        pb_log_fail(PB_LOG_ERROR, "link", &err, "the supervisor sent a bad frame");
    else if (!pb_websocket_send(link->ws, false, data, len))
        pb_log_warn("link", "message=%s does not fit, dropping it", pb_message_name(head.type));
}

static void supervisor_drained(void *arg)
{
    release_platform(arg);
}

/* It has died: so do we, the next one starts its own. */
static void supervisor_closed(void *arg, const char *reason)
{
    struct link *link = arg;

    (void)reason;
    pb_loop_stop(link->loop);
}

static const struct pb_frame_pipe_events SUPERVISOR_EVENTS = {supervisor_frame, supervisor_drained,
                                                              supervisor_closed};

static void on_runners(void *arg, int events)
{
    struct link *link = arg;

    (void)events;
    for (int i = 0; i < RUNNERS_TURN; i++) {
        char project[PB_MESSAGE_PROJECT_TEXT] = {0};
        struct pb_fd_message message;
        struct pb_error err = {0};
        int r = pb_fd_message_receive(link->options.runners, project, sizeof(project) - 1, &message,
                                      &err);

        if (r == 0)
            return;
        if (r < 0 || message.len == 0) {
            pb_loop_stop(link->loop);
            return;
        }
        if (message.fd_count == 1)
            add_runner(link, project, pb_fd_message_take(&message, 0));
        pb_fd_message_close(&message);
    }
}

static void on_signal(void *arg, int number)
{
    struct link *link = arg;

    (void)number;
    pb_loop_stop(link->loop);
}

static int set_up(struct link *link, struct pb_error *err)
{
    link->loop = pb_loop_new(err);
    if (!link->loop)
        return -1;
    if (pb_text_starts(link->options.platform_url, "wss:")) {
        link->tls = pb_tls_client_new(link->options.ca_file, err);
        if (!link->tls)
            return -1;
    }
    link->supervisor = pb_frame_pipe_new(link->loop, link->options.supervisor, SUPERVISOR_QUEUE,
                                         &SUPERVISOR_EVENTS, link, err);
    if (!link->supervisor || pb_fd_set_nonblocking(link->options.runners, true, err) < 0)
        return -1;
    link->runners_watch =
        pb_loop_fd_watch(link->loop, link->options.runners, PB_LOOP_READ, on_runners, link);
    return link->runners_watch ? 0 : pb_fail(err, PB_ERROR_INTERNAL, "out of memory");
}

int pb_link_run(const struct pb_link_options *options, struct pb_error *err)
{
    struct link link = {.options = *options};
    struct pb_loop_signal *term = NULL;
    int r = set_up(&link, err);

    if (r == 0) {
        term = pb_loop_signal_watch(link.loop, SIGTERM, on_signal, &link);
        dial(&link);
        pb_loop_run(link.loop);
    }
    drop_runners(&link);
    pb_loop_timer_cancel(&link.again);
    pb_loop_fd_unwatch(&link.runners_watch);
    pb_loop_signal_unwatch(&term);
    pb_tls_client_free(link.tls);
    pb_frame_pipe_free(link.supervisor);
    pb_close(&link.options.runners);
    return r; /* the process ends here: what is left of the connection goes with it */
}
