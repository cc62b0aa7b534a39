/* poppo-runner: one project on this node. Started by the supervisor with its control socket as descriptor 3. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/agent_log.h"
#include "agent/fd_message.h"
#include "agent/runner.h"
#include "agent/runner_control.h"
#include "base/log.h"
#include "base/process.h"
#include "base/text.h"

enum { SETTINGS_PATIENCE_MS = 30000, SETTINGS_MAX = 64 << 10, PATH_TEXT = 600 };

static void open_log(const struct pb_json *body, const struct pb_runner_settings *settings)
{
    enum pb_log_level level = PB_LOG_INFO;
    char folder[PATH_TEXT];
    struct pb_error err;

    if (!pb_log_level_parse(pb_json_text(body, "log_level", "info"), &level))
        level = PB_LOG_INFO;
    pb_log_init("poppo-runner", level, pb_json_bool(body, "log_json", false));
    (void)snprintf(folder, sizeof(folder), "%s/projects/%s/logs", settings->data_dir,
                   settings->project);
    if (pb_agent_log_open(folder, &err) < 0)
        pb_log_fail(PB_LOG_WARN, "runner", &err, "logging to the supervisor's log instead");
}

static struct pb_json *wait_settings(struct pb_error *err)
{
    static char room[SETTINGS_MAX];
    struct pollfd ready = {PB_RUNNER_CONTROL_FD, POLLIN, 0};
    struct pb_fd_message message = {0};
    struct pb_json *body = NULL;

    if (poll(&ready, 1, SETTINGS_PATIENCE_MS) != 1)
        (void)pb_fail(err, PB_ERROR_TIMEOUT, "nobody sent the settings");
    else if (pb_fd_message_receive(PB_RUNNER_CONTROL_FD, room, sizeof(room), &message, err) == 1)
        body = message.len > 0 ? pb_json_parse(room, message.len, err) : NULL;
    pb_fd_message_close(&message);
    return body;
}

/* So that it shows in the node's state, not only in a log. */
static void say_failed(const struct pb_error *err)
{
    struct pb_error ignored;
    struct pb_json_writer json;
    struct pb_buf text;

    pb_buf_init(&text, 4096);
    pb_json_writer_init(&json, &text);
    pb_json_begin_object(&json, NULL);
    pb_json_put_text(&json, "op", "failed");
    pb_json_put_text(&json, "error", err->message);
    pb_json_end_object(&json);
    if (pb_fd_message_send(PB_RUNNER_CONTROL_FD, text.data, text.len, NULL, 0, &ignored) < 0)
        pb_log_fail(PB_LOG_DEBUG, "runner", &ignored, "nobody listens");
    pb_buf_release(&text);
}

int main(void)
{
    struct pb_runner_settings settings;
    struct pb_json *body;
    struct pb_error err = {0};
    int r = -1;

    pb_process_harden("poppo-runner");
    (void)umask(027); /* our files are for us and, some, for the task user's group */
    (void)fcntl(PB_RUNNER_CONTROL_FD, F_SETFD, FD_CLOEXEC);
    pb_log_init("poppo-runner", PB_LOG_INFO, false);
    body = wait_settings(&err);
    if (body && pb_runner_settings_read(body, &settings, &err) == 0) {
        open_log(body, &settings);
        r = pb_runner_run(&settings, PB_RUNNER_CONTROL_FD, &err);
    }
    if (r < 0) {
        pb_log_fail(PB_LOG_ERROR, "runner", &err, "cannot work");
        say_failed(&err);
    }
    pb_json_free(body);
    return r < 0 ? 1 : 0;
}
