#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/task.h"
#include "agent/task_private.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/text.h"

enum { LOOK_EVERY_MS = 100, SLACK_MS = 30000, READ_BYTES = 16 << 10, PROGRESS_BYTES = 4096 };

static _Atomic unsigned brief_number;

/* Between "brief-" and its end: which process made it, so that a restarted runner knows them all for old. */
static void name_brief(const struct pb_project_dirs *dirs, char ret_path[PB_PROJECT_PATH_TEXT])
{
    (void)snprintf(ret_path, PB_PROJECT_PATH_TEXT, "%s/brief-%d-%u", dirs->attempts, getpid(),
                   atomic_fetch_add(&brief_number, 1));
}

static void pass_errors_on(struct pb_task *task, const struct pb_task_spec *spec, uint64_t *offset)
{
    char data[PROGRESS_BYTES];
    struct pb_error ignored;
    ssize_t n;

    while (spec->errors_grew &&
           (n = pb_task_read(task, PB_TASK_ERRORS, *offset, data, sizeof(data), &ignored)) > 0) {
        *offset += (uint64_t)n;
        spec->errors_grew(spec->arg, data, (size_t)n);
    }
}

/* One word from the shim, or the end of it. */
static bool is_over(struct pb_task *task)
{
    char word[16];
    struct pb_error ignored;
    ssize_t n = recv(task->control, word, sizeof(word), MSG_DONTWAIT);

    if (n > 0)
        return pb_task_say(task, "watch", &ignored) < 0;
    return n == 0 || (errno != EAGAIN && errno != EINTR);
}

/* The shim itself minds wall_ms; ours is only for a shim that hangs. */
static int wait_end(struct pb_task *task, const struct pb_task_spec *spec, struct pb_error *err)
{
    int64_t deadline = pb_clock_steady_ms() + spec->wall_ms + spec->kill_grace_ms + SLACK_MS;
    uint64_t errors_read = 0;
    bool is_stopping = false;
    struct pb_error ignored;

    if (task->control >= 0 && pb_task_say(task, "watch", &ignored) < 0)
        pb_close(&task->control);
    while (task->control >= 0) {
        struct pollfd ready = {task->control, POLLIN, 0};

        if (poll(&ready, 1, LOOK_EVERY_MS) > 0 && is_over(task))
            break;
        pass_errors_on(task, spec, &errors_read);
        if (!is_stopping && ((spec->should_stop && spec->should_stop(spec->arg)) ||
                             pb_clock_steady_ms() >= deadline)) {
            is_stopping = true;
            deadline = pb_clock_steady_ms() + SLACK_MS;
            if (pb_task_signal(task, PB_TASK_KILL, err) < 0)
                return -1;
        }
        if (is_stopping && pb_clock_steady_ms() >= deadline)
            return pb_fail(err, PB_ERROR_TIMEOUT, "poppo-shim does not end");
    }
    pass_errors_on(task, spec, &errors_read);
    return is_stopping && spec->should_stop && spec->should_stop(spec->arg)
               ? pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "cancelled", "cancelled")
               : 0;
}

static int collect(struct pb_task *task, enum pb_task_file file, struct pb_buf *buf,
                   struct pb_error *err)
{
    char data[READ_BYTES];
    uint64_t offset = 0;
    ssize_t n;

    while (buf && (n = pb_task_read(task, file, offset, data, sizeof(data), err)) != 0) {
        if (n < 0)
            return -1;
        offset += (uint64_t)n;
        pb_buf_bytes(buf, data, (size_t)n);
        if (pb_buf_failed(buf))
            return pb_fail(err, PB_ERROR_TOO_LARGE, "the command printed more than %zu bytes",
                           buf->max);
    }
    return 0;
}

/* Ends that are not the command's own. */
static int check_end(const struct pb_task_exit *end, const struct pb_task_spec *spec,
                     struct pb_error *err)
{
    switch (end->reason) {
    case PB_TASK_WALL_CLOCK:
        return pb_fail(err, PB_ERROR_TIMEOUT, "the command took longer than %lld s",
                       (long long)(spec->wall_ms / 1000));
    case PB_TASK_DISK_FULL:
    case PB_TASK_OUTPUT_LIMIT:
        return pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "disk",
                              "the command's output could not be stored (%s)",
                              pb_task_reason_name(end->reason));
    case PB_TASK_LOST:
    case PB_TASK_KILLED:
        return end->oom ? pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "oom",
                                         "the machine had no memory left for the command")
                        : pb_fail_reason(err, PB_ERROR_UNAVAILABLE, PB_TASK_INTERRUPTED,
                                         "the command was killed from outside");
    case PB_TASK_EXITED:
    case PB_TASK_ASKED:
        break;
    }
    return 0;
}

int pb_task_run(const struct pb_task_host *host, const struct pb_task_spec *spec,
                struct pb_buf *ret_out, struct pb_buf *ret_err, struct pb_task_exit *ret_exit,
                struct pb_error *err)
{
    struct pb_task_spec actual = *spec;
    char rundir[PB_PROJECT_PATH_TEXT];
    struct pb_task *task = NULL;
    struct pb_task_exit end;
    struct pb_error ignored;
    int r = -1;

    if (!spec->rundir) {
        name_brief(host->dirs, rundir);
        actual.rundir = rundir;
        actual.is_brief = true;
    }
    if (pb_task_start(host, &actual, &task, err) < 0 || wait_end(task, &actual, err) < 0 ||
        collect(task, PB_TASK_OUTPUT, ret_out, err) < 0 ||
        collect(task, PB_TASK_ERRORS, ret_err, err) < 0)
        goto out;
    pb_task_read_exit(task, &end);
    if (check_end(&end, &actual, err) < 0)
        goto out;
    *ret_exit = end;
    r = 0;
out:
    pb_task_close(task);
    if (!spec->rundir && pb_fs_remove_tree(AT_FDCWD, rundir, &ignored) < 0)
        (void)0; /* swept when the runner starts the next time */
    return r;
}
