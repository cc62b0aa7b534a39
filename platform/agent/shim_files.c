#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/shim_private.h"
#include "agent/shim_protocol.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/process.h"
#include "base/text.h"

enum { PUMP_BYTES = 64 << 10, EXIT_ROOM = 4096, FILE_MODE = 0600 };

#define EXIT_ASIDE ".exit.json"

/* The lock is there before the name is: nobody ever sees a claim that is not locked and not over. */
int pb_shim_files_claim(struct pb_shim *shim, struct pb_error *err)
{
    char aside[32];
    int r = 0;

    (void)snprintf(aside, sizeof(aside), ".claim.%d", getpid());
    shim->claim = openat(shim->rundir, aside, O_RDWR | O_CREAT | O_CLOEXEC, FILE_MODE);
    if (shim->claim < 0)
        return pb_fail_errno(err, "claim the run directory");
    if (flock(shim->claim, LOCK_EX) < 0)
        r = pb_fail_errno(err, "lock the run directory");
    else if (linkat(shim->rundir, aside, shim->rundir, PB_SHIM_CLAIM, 0) < 0)
        r = errno == EEXIST ? pb_fail_reason(err, PB_ERROR_CONFLICT, "already_started",
                                             "a task was started in this run directory before")
                            : pb_fail_errno(err, "claim the run directory");
    (void)unlinkat(shim->rundir, aside, 0);
    return r;
}

static int open_new(const struct pb_shim *shim, const char *name, int flags)
{
    return openat(shim->rundir, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | flags, FILE_MODE);
}

int pb_shim_files_open(struct pb_shim *shim, struct pb_error *err)
{
    shim->output.file = open_new(shim, PB_SHIM_OUTPUT, O_WRONLY | O_APPEND);
    shim->errors.file = open_new(shim, PB_SHIM_ERRORS, O_WRONLY | O_APPEND);
    shim->exit_file = open_new(shim, EXIT_ASIDE, O_WRONLY);
    if (shim->output.file < 0 || shim->errors.file < 0 || shim->exit_file < 0)
        return pb_fail_errno(err, "make the files of the run directory");
    /* A disk that fills up while the task runs must not cost us the word of its end. */
    if (posix_fallocate(shim->exit_file, 0, EXIT_ROOM) != 0 &&
        ftruncate(shim->exit_file, EXIT_ROOM) < 0)
        return pb_fail_errno(err, "set room aside in the run directory");
    return 0;
}

int pb_shim_files_input(const struct pb_shim *shim, struct pb_error *err)
{
    int fd = openat(shim->rundir, PB_SHIM_STDIN, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 && errno == ENOENT)
        fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return pb_fail_errno(err, "open the input");
    return fd;
}

int pb_shim_files_state(struct pb_shim *shim, struct pb_error *err)
{
    pid_t self = getpid();
    char text[sizeof(shim->state) + 2];
    int len;

    (void)snprintf(shim->state, sizeof(shim->state),
                   "{\"version\":%d,\"shim\":%d,\"shim_start\":%llu,\"child\":%d,"
                   "\"child_start\":%llu,\"boot_id\":\"%s\",\"box\":\"%s\",\"started_ms\":%lld",
                   PB_SHIM_VERSION, self, (unsigned long long)pb_process_start_time(self),
                   shim->box.keeper, (unsigned long long)pb_process_start_time(shim->box.keeper),
                   pb_process_boot_id(), pb_box_level_name(shim->box.level),
                   (long long)shim->started_ms);
    len = snprintf(text, sizeof(text), "%s}", shim->state);
    if (!shim->is_brief)
        return pb_fs_write(shim->rundir, PB_SHIM_STATE, text, (size_t)len, FILE_MODE, err);
    /* Nobody looks for a brief task after a restart, so its files need not survive one of the machine. */
    {
        int fd = open_new(shim, PB_SHIM_STATE, O_WRONLY);
        int r = fd < 0 ? pb_fail_errno(err, "write %s", PB_SHIM_STATE)
                       : pb_fs_write_all(fd, text, (size_t)len, err);

        pb_close(&fd);
        return r;
    }
}

bool pb_shim_files_pump(struct pb_shim *shim, struct pb_shim_stream *stream)
{
    static char chunk[PUMP_BYTES];
    static size_t held; /* read from `held_for`, not yet stored: the disk was full */
    static size_t held_at;
    static struct pb_shim_stream *held_for;

    if (held > 0 && held_for != stream)
        return false;
    if (held == 0) {
        ssize_t n = read(stream->pipe, chunk, sizeof(chunk));

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return true;
        if (n <= 0) {
            pb_close(&stream->pipe);
            return true;
        }
        held = (size_t)n;
        held_at = 0;
        held_for = stream;
    }
    while (held > 0) {
        ssize_t n = write(stream->file, chunk + held_at, held);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        held -= (size_t)n;
        held_at += (size_t)n;
        stream->bytes += (uint64_t)n;
    }
    if (stream->bytes > shim->output_max && shim->why == PB_TASK_EXITED) {
        shim->why = PB_TASK_OUTPUT_LIMIT;
        shim->kill_deadline = pb_clock_steady_ms();
    }
    return true;
}

uint64_t pb_shim_oom_kills(void)
{
    struct pb_error ignored;
    struct pb_buf text;
    uint64_t kills = 0;
    char *at;

    pb_buf_init(&text, 64 << 10);
    if (pb_fs_read(AT_FDCWD, "/proc/vmstat", &text, &ignored) == 0 && text.data &&
        (at = strstr(text.data, "\noom_kill "))) {
        at += strlen("\noom_kill ");
        at[strcspn(at, "\n")] = '\0';
        if (!pb_parse_u64(at, UINT64_MAX, &kills))
            kills = 0;
    }
    pb_buf_release(&text);
    return kills;
}

static enum pb_task_reason reason_of(const struct pb_shim *shim, const struct pb_box_report *report)
{
    if (shim->why != PB_TASK_EXITED)
        return shim->why;
    if (!report->is_complete || report->signal == SIGKILL)
        return PB_TASK_KILLED;
    return PB_TASK_EXITED;
}

int pb_shim_files_exit(struct pb_shim *shim, const struct pb_box_report *report,
                       struct pb_error *err)
{
    enum pb_task_reason reason = reason_of(shim, report);
    bool oom = reason == PB_TASK_KILLED && pb_shim_oom_kills() > shim->oom_kills;
    char text[512];
    int len =
        snprintf(text, sizeof(text),
                 "{\"version\":%d,\"code\":%d,\"signal\":%d,\"reason\":\"%s\",\"started_ms\":%lld,"
                 "\"ended_ms\":%lld,\"oom\":%s,\"leaked\":%d,\"output\":%llu,\"errors\":%llu}",
                 PB_SHIM_VERSION, report->code, report->signal, pb_task_reason_name(reason),
                 (long long)shim->started_ms, (long long)pb_clock_wall_ms(), oom ? "true" : "false",
                 report->leaked, (unsigned long long)shim->output.bytes,
                 (unsigned long long)shim->errors.bytes);

    if (!shim->is_brief && (fdatasync(shim->output.file) < 0 || fdatasync(shim->errors.file) < 0))
        return pb_fail_errno(err, "store the output");
    if (pwrite(shim->exit_file, text, (size_t)len, 0) != len ||
        ftruncate(shim->exit_file, len) < 0 || (!shim->is_brief && fsync(shim->exit_file) < 0))
        return pb_fail_errno(err, "write down the end");
    if (renameat(shim->rundir, EXIT_ASIDE, shim->rundir, PB_SHIM_EXIT) < 0)
        return pb_fail_errno(err, "write down the end");
    if (!shim->is_brief && fsync(shim->rundir) < 0)
        return pb_fail_errno(err, "store the run directory");
    return 0;
}
