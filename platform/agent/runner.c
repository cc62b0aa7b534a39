#include "agent/runner.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/agent_log.h"
#include "agent/fd_message.h"
#include "agent/runner_private.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/text.h"
#include "wire/message.h"

enum {
    TICK_MS = 60000,
    LOAD_ARENA_MAX = 256 << 20,
    PATH_TEXT = 600,
    CONTROL_MAX = 64 << 10,
    LOCK_PATIENCE_MS = 20000, /* an earlier runner of this project may still be on its way out */
    LOCK_RETRY_MS = 20,
};

int pb_runner_settings_read(const struct pb_json *body, struct pb_runner_settings *ret_settings,
                            struct pb_error *err)
{
    struct pb_runner_settings settings = {
        .project = pb_json_need_text(body, "project", err),
        .boxd_socket =
            pb_json_bool(body, "as_root", false) ? pb_json_text(body, "boxd_socket", NULL) : NULL,
        .claude_path = pb_json_text(body, "claude_path", ""),
        .slot = (unsigned)pb_json_int(body, "slot", 0),
        .uid_base = (unsigned)pb_json_int(body, "uid_base", 0),
        .port_base = (int)pb_json_int(body, "port_base", 0),
        .max_concurrent = pb_json_int(pb_json_get(body, "settings"), "max_concurrent", 1),
    };

    if (!settings.project)
        return -1;
    settings.data_dir = pb_json_need_text(body, "data_dir", err);
    settings.bin_dir = settings.data_dir ? pb_json_need_text(body, "bin_dir", err) : NULL;
    if (!settings.bin_dir)
        return -1;
    *ret_settings = settings;
    return 0;
}

/* ---- the table ---- */

struct pb_attempt *pb_runner_find(struct pb_runner *runner, const char *execution, int64_t attempt)
{
    char name[64];

    (void)snprintf(name, sizeof(name), "%s.%lld", execution, (long long)attempt);
    for (size_t i = 0; i < runner->attempt_count; i++) {
        if (pb_text_equal(pb_attempt_name(runner->attempts[i]), name))
            return runner->attempts[i];
    }
    return NULL;
}

size_t pb_runner_working(const struct pb_runner *runner)
{
    size_t count = 0;

    for (size_t i = 0; i < runner->attempt_count; i++)
        count += pb_attempt_is_working(runner->attempts[i]);
    return count;
}

static bool is_occupied(const struct pb_runner *runner, const char *item)
{
    for (size_t i = 0; i < runner->attempt_count; i++) {
        if (pb_attempt_occupies(runner->attempts[i]) &&
            pb_text_equal(pb_attempt_item(runner->attempts[i]), item))
            return true;
    }
    return false;
}

void pb_runner_begin_waiting(struct pb_runner *runner)
{
    for (size_t i = 0; i < runner->attempt_count; i++) {
        struct pb_attempt *attempt = runner->attempts[i];

        if (pb_attempt_is_waiting(attempt) && !is_occupied(runner, pb_attempt_item(attempt)))
            pb_attempt_begin(attempt);
    }
}

static void tell(struct pb_runner *runner, const struct pb_buf *text)
{
    struct pb_error err;

    if (runner->control >= 0 && !pb_buf_failed(text) &&
        pb_fd_message_send(runner->control, text->data, text->len, NULL, 0, &err) < 0)
        pb_log_fail(PB_LOG_DEBUG, "runner", &err, "the supervisor does not listen");
}

static void tell_working(struct pb_runner *runner)
{
    struct pb_buf text;

    pb_buf_init(&text, 256);
    pb_buf_format(&text, "{\"op\":\"working\",\"attempts\":%zu}", pb_runner_working(runner));
    tell(runner, &text);
    pb_buf_release(&text);
}

int pb_runner_add(struct pb_runner *runner, struct pb_attempt *attempt, struct pb_error *err)
{
    if (runner->attempt_count == PB_RUNNER_ATTEMPTS_MAX)
        return pb_fail_reason(err, PB_ERROR_LIMITED, "busy", "more than %d attempts",
                              PB_RUNNER_ATTEMPTS_MAX);
    runner->attempts[runner->attempt_count++] = attempt;
    tell_working(runner);
    return 0;
}

static void check_drained(struct pb_runner *runner)
{
    if (runner->stop == PB_RUNNER_GO_ON || runner->attempt_count > 0 || runner->has_drained)
        return;
    runner->has_drained = true;
    pb_log_info("runner", "nothing left to do, stopping");
    pb_loop_stop(runner->loop);
}

static void on_closed(void *arg, struct pb_attempt *attempt)
{
    struct pb_runner *runner = arg;

    for (size_t i = 0; i < runner->attempt_count; i++) {
        if (runner->attempts[i] == attempt)
            runner->attempts[i] = runner->attempts[--runner->attempt_count];
    }
    pb_attempt_free(attempt);
    pb_runner_begin_waiting(runner);
    tell_working(runner);
    check_drained(runner);
}

/* ---- what attempts may ask ---- */

static bool is_online(void *arg)
{
    return ((const struct pb_runner *)arg)->link != NULL;
}

static void send_frame(void *arg, struct pb_buf *frame)
{
    pb_runner_link_send(arg, frame);
}

static bool is_busy(void *arg)
{
    return pb_runner_link_is_busy(arg);
}

/* ---- the supervisor ---- */

static void say_ready(struct pb_runner *runner)
{
    struct pb_buf text;

    pb_buf_init(&text, 64);
    pb_buf_text(&text, "{\"op\":\"ready\"}");
    tell(runner, &text);
    pb_buf_release(&text);
}

static void begin_stop(struct pb_runner *runner, enum pb_runner_stop stop)
{
    runner->stop = stop;
    pb_log_info("runner", "asked to %s, attempts=%zu",
                stop == PB_RUNNER_REMOVE ? "end everything" : "finish", runner->attempt_count);
    for (size_t i = runner->attempt_count; stop == PB_RUNNER_REMOVE && i > 0; i--)
        pb_attempt_discard(runner->attempts[i - 1]);
    check_drained(runner);
}

static void obey(struct pb_runner *runner, const struct pb_json *body, int fd)
{
    const struct pb_json *settings = pb_json_get(body, "settings");
    const char *op = pb_json_text(body, "op", "");

    if (pb_text_equal(op, "link") && fd >= 0) {
        pb_runner_link_open(runner, fd);
        return;
    }
    pb_close(&fd);
    if (pb_text_equal(op, "settings"))
        runner->max_concurrent = pb_json_int(settings, "max_concurrent", runner->max_concurrent);
    else if (pb_text_equal(op, "stop"))
        pb_loop_stop(runner->loop);
    else if (pb_text_equal(op, "drain"))
        begin_stop(runner, PB_RUNNER_DRAIN);
    else if (pb_text_equal(op, "remove"))
        begin_stop(runner, PB_RUNNER_REMOVE);
    else
        pb_log_warn("runner", "the supervisor says '%.40s', ignoring", op);
}

static void lose_supervisor(struct pb_runner *runner)
{
    pb_log_info("runner", "the supervisor is gone; tasks go on without us");
    pb_loop_fd_unwatch(&runner->control_watch);
    pb_close(&runner->control);
    pb_loop_stop(runner->loop);
}

static void on_control(void *arg, int events)
{
    static char room[CONTROL_MAX];
    struct pb_runner *runner = arg;

    (void)events;
    while (runner->control >= 0) {
        struct pb_fd_message message = {0};
        struct pb_json *body;
        struct pb_error err;
        int r = pb_fd_message_receive(runner->control, room, sizeof(room), &message, &err);

        if (r == 0)
            return;
        if (r < 0 || message.len == 0) {
            lose_supervisor(runner);
            return;
        }
        body = message.is_cut ? NULL : pb_json_parse(room, message.len, &err);
        if (body)
            obey(runner, body, pb_fd_message_take(&message, 0));
        pb_json_free(body);
        pb_fd_message_close(&message);
    }
}

static void on_tick(void *arg)
{
    struct pb_runner *runner = arg;

    pb_agent_log_rotate(runner->dirs.logs);
}

/* ---- life ---- */

/* Two runners of one project would both work from its journal. */
static int lock_project(struct pb_runner *runner, struct pb_error *err)
{
    int64_t deadline = pb_clock_steady_ms() + LOCK_PATIENCE_MS;
    char path[PATH_TEXT];

    (void)snprintf(path, sizeof(path), "%s/runner.lock", runner->dirs.data);
    for (;;) {
        runner->lock = pb_fs_lock(path, err);
        if (runner->lock >= 0)
            return 0;
        if (err->code != PB_ERROR_CONFLICT || pb_clock_steady_ms() >= deadline)
            return pb_fail_in(err, "project %s", runner->dirs.project);
        (void)poll(NULL, 0, LOCK_RETRY_MS);
    }
}

static int open_parts(struct pb_runner *runner, struct pb_error *err)
{
    const struct pb_runner_settings *settings = runner->settings;
    struct pb_project_place place = {.data_dir = settings->data_dir,
                                     .project = settings->project,
                                     .slot = settings->slot,
                                     .as_root = settings->boxd_socket != NULL,
                                     .uid_base = settings->uid_base,
                                     .port_base = settings->port_base};
    struct pb_spawn_options options = {.boxd_socket = settings->boxd_socket,
                                       .bin_dir = settings->bin_dir,
                                       .data_dir = settings->data_dir,
                                       .uid_base = settings->uid_base,
                                       .port_base = settings->port_base};
    char path[PATH_TEXT];

    if (pb_project_dirs_name(&place, &runner->dirs, err) < 0)
        return -1;
    if (lock_project(runner, err) < 0)
        return -1;
    (void)snprintf(path, sizeof(path), "%s/journal.db", runner->dirs.data);
    runner->spawn = pb_spawn_new(&options, err);
    runner->journal = runner->spawn ? pb_journal_open(path, err) : NULL;
    runner->loop = runner->journal ? pb_loop_new(err) : NULL;
    runner->broker = runner->loop ? pb_broker_link_new(&runner->dirs, runner->spawn, err) : NULL;
    runner->task_host = (struct pb_task_host){.dirs = &runner->dirs, .spawn = runner->spawn};
    return runner->broker ? 0 : -1;
}

static void close_parts(struct pb_runner *runner)
{
    pb_runner_link_close(runner);
    pb_loop_fd_unwatch(&runner->control_watch);
    pb_close(&runner->control);
    pb_loop_timer_cancel(&runner->tick);
    pb_broker_link_free(runner->broker);
    pb_journal_close(runner->journal);
    pb_spawn_free(runner->spawn);
    pb_loop_free(runner->loop);
    pb_close(&runner->lock);
}

static void connect_attempts(struct pb_runner *runner)
{
    runner->attempt_host = (struct pb_attempt_host){.loop = runner->loop,
                                                    .journal = runner->journal,
                                                    .dirs = &runner->dirs,
                                                    .task_host = &runner->task_host,
                                                    .broker = runner->broker,
                                                    .claude_path = runner->settings->claude_path,
                                                    .is_online = is_online,
                                                    .send = send_frame,
                                                    .is_busy = is_busy,
                                                    .closed = on_closed,
                                                    .arg = runner};
}

/* One that cannot be restored must not keep the others from it; the platform hears of it by its absence. */
static void restore(struct pb_runner *runner, const struct pb_journal_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct pb_error err;
        struct pb_attempt *attempt = pb_attempt_restore(&runner->attempt_host, &rows[i], &err);

        if (attempt && pb_runner_add(runner, attempt, &err) == 0)
            continue;
        pb_log_fail(PB_LOG_ERROR, "runner", &err, "attempt=%s cannot go on", rows[i].name);
        pb_attempt_free(attempt);
        if (pb_journal_forget(runner->journal, rows[i].name, &err) < 0)
            pb_log_fail(PB_LOG_ERROR, "runner", &err, "attempt=%s forget it", rows[i].name);
    }
}

static int take_up_work(struct pb_runner *runner, struct pb_error *err)
{
    struct pb_journal_row *rows;
    struct pb_arena arena;
    size_t count;
    int r;

    pb_arena_init(&arena, LOAD_ARENA_MAX);
    r = pb_journal_load(runner->journal, &arena, &rows, &count, err);
    if (r == 0) {
        pb_runner_sweep(runner, rows, count);
        restore(runner, rows, count);
        pb_runner_begin_waiting(runner);
    }
    pb_arena_release(&arena);
    return r;
}

static int watch_supervisor(struct pb_runner *runner, struct pb_error *err)
{
    if (pb_fd_set_nonblocking(runner->control, true, err) < 0)
        return -1;
    runner->control_watch =
        pb_loop_fd_watch(runner->loop, runner->control, PB_LOOP_READ, on_control, runner);
    runner->tick = pb_loop_timer_start(runner->loop, TICK_MS, TICK_MS, on_tick, runner);
    return runner->control_watch && runner->tick ? 0 : pb_fail(err, PB_ERROR_LIMITED, "no memory");
}

int pb_runner_run(const struct pb_runner_settings *settings, int control, struct pb_error *err)
{
    struct pb_runner *runner = calloc(1, sizeof(*runner));
    int r = -1;

    if (!runner)
        return pb_fail(err, PB_ERROR_LIMITED, "no memory");
    runner->settings = settings;
    runner->control = control;
    runner->lock = -1;
    runner->max_concurrent = settings->max_concurrent;
    (void)signal(SIGPIPE, SIG_IGN);
    if (open_parts(runner, err) < 0 || watch_supervisor(runner, err) < 0)
        goto out;
    connect_attempts(runner);
    if (take_up_work(runner, err) < 0)
        goto out;
    pb_log_info("runner", "project=%s slot=%u ready, attempts=%zu", settings->project,
                settings->slot, runner->attempt_count);
    say_ready(runner);
    tell_working(runner);
    pb_loop_run(runner->loop);
    if (runner->attempt_count > 0)
        _exit(0); /* steps may be at work in threads; all that matters is in the journal */
    r = 0;
out:
    close_parts(runner);
    free(runner);
    return r;
}
