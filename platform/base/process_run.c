#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/process.h"

enum { IN, OUT, ERR, STREAMS, STEP = 16 << 10, POLL_MAX_MS = 60 * 1000 };

struct run {
    struct pb_process process;
    int ours[STREAMS]; /* our ends; -1 when closed */
    int theirs[STREAMS];
    const struct pb_buf *input;
    size_t written;
    struct pb_buf *collected[STREAMS];
    bool new_session;
};

static int open_pipes(struct run *run, struct pb_error *err)
{
    for (int stream = 0; stream < STREAMS; stream++) {
        int ends[2];

        if (stream == IN ? !run->input : !run->collected[stream])
            continue; /* stays /dev/null */
        if (pipe2(ends, O_CLOEXEC) < 0)
            return pb_fail_errno(err, "pipe");
        run->ours[stream] = ends[stream == IN ? 1 : 0];
        run->theirs[stream] = ends[stream == IN ? 0 : 1];
        if (fcntl(run->ours[stream], F_SETFL, O_NONBLOCK) < 0)
            return pb_fail_errno(err, "pipe");
    }
    return 0;
}

static int start(struct run *run, const struct pb_process_spec *spec, struct pb_error *err)
{
    struct pb_process_fd fds[32];
    struct pb_process_spec with_pipes = *spec;
    size_t count = 0;

    if (spec->fd_count > sizeof(fds) / sizeof(fds[0]) - STREAMS)
        return pb_fail(err, PB_ERROR_INVALID, "too many descriptors for %s", spec->argv[0]);
    if (open_pipes(run, err) < 0)
        return -1;
    for (size_t i = 0; i < spec->fd_count; i++)
        fds[count++] = spec->fds[i];
    for (int stream = 0; stream < STREAMS; stream++)
        if (run->theirs[stream] >= 0)
            fds[count++] = (struct pb_process_fd){.from = run->theirs[stream], .to = stream};
    with_pipes.fds = fds;
    with_pipes.fd_count = count;
    if (pb_process_spawn(&with_pipes, &run->process, err) < 0)
        return -1;
    for (int stream = 0; stream < STREAMS; stream++)
        pb_close(&run->theirs[stream]);
    return 0;
}

static void feed(struct run *run)
{
    ssize_t put = write(run->ours[IN], pb_buf_string(run->input) + run->written,
                        run->input->len - run->written);

    if (put > 0)
        run->written += (size_t)put;
    else if (put < 0 && errno != EAGAIN && errno != EINTR)
        run->written = run->input->len; /* it does not want the rest */
    if (run->written == run->input->len)
        pb_close(&run->ours[IN]);
}

/* What the buffer cannot take: too much on stdout is an error, stderr keeps its beginning. */
static int keep(struct run *run, int stream, const char *data, size_t len, struct pb_error *err)
{
    struct pb_buf *to = run->collected[stream];
    size_t room = to->max - to->len;

    if (len > room && stream == OUT)
        return pb_fail(err, PB_ERROR_TOO_LARGE, "more than %zu bytes of output", to->max);
    pb_buf_bytes(to, data, len < room ? len : room);
    return pb_buf_failed(to) ? pb_fail(err, PB_ERROR_UNAVAILABLE, "no memory") : 0;
}

/* Reads until the pipe is empty for now. */
static int collect(struct run *run, int stream, struct pb_error *err)
{
    char data[STEP];
    ssize_t got;

    while (run->ours[stream] >= 0) {
        got = read(run->ours[stream], data, sizeof(data));
        if (got > 0) {
            if (keep(run, stream, data, (size_t)got, err) < 0)
                return -1;
        } else if (got == 0) {
            pb_close(&run->ours[stream]);
        } else if (errno == EAGAIN) {
            return 0;
        } else if (errno != EINTR) {
            return pb_fail_errno(err, "read");
        }
    }
    return 0;
}

/* Until the process has ended. A grandchild that keeps the pipes open does not keep us. */
static int pump(struct run *run, int64_t deadline, struct pb_error *err)
{
    for (;;) {
        int64_t left = deadline - pb_clock_steady_ms();
        struct pollfd polled[STREAMS + 1] = {
            [IN] = {.fd = run->ours[IN], .events = POLLOUT},
            [OUT] = {.fd = run->ours[OUT], .events = POLLIN},
            [ERR] = {.fd = run->ours[ERR], .events = POLLIN},
            [STREAMS] = {.fd = run->process.pidfd, .events = POLLIN},
        };

        if (left <= 0)
            return pb_fail(err, PB_ERROR_TIMEOUT, "not finished in time, ended");
        if (poll(polled, STREAMS + 1, left < POLL_MAX_MS ? (int)left : POLL_MAX_MS) < 0 &&
            errno != EINTR)
            return pb_fail_errno(err, "poll");
        if (run->ours[IN] >= 0 && polled[IN].revents)
            feed(run);
        if (collect(run, OUT, err) < 0 || collect(run, ERR, err) < 0)
            return -1;
        if (polled[STREAMS].revents) /* it had ended before that last look */
            return 0;
    }
}

static void end(struct run *run)
{
    if (run->new_session)
        (void)kill(-run->process.pid, SIGKILL);
    pb_process_signal(&run->process, SIGKILL);
}

/* A child that closes its stdin early must not cost us our life. */
static void block_sigpipe(sigset_t *ret_before)
{
    sigset_t pipe_only;

    (void)sigemptyset(&pipe_only);
    (void)sigaddset(&pipe_only, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &pipe_only, ret_before);
}

static void restore_sigpipe(const sigset_t *before)
{
    struct timespec at_once = {0};
    sigset_t pipe_only;

    (void)sigemptyset(&pipe_only);
    (void)sigaddset(&pipe_only, SIGPIPE);
    if (!sigismember(before, SIGPIPE))
        (void)sigtimedwait(&pipe_only, NULL, &at_once);
    (void)pthread_sigmask(SIG_SETMASK, before, NULL);
}

int pb_process_run(const struct pb_process_spec *spec, const struct pb_buf *input,
                   struct pb_buf *ret_out, struct pb_buf *ret_err, int64_t timeout_ms,
                   int *ret_status, struct pb_error *err)
{
    struct run run = {
        .process = {.pid = -1, .pidfd = -1},
        .ours = {-1, -1, -1},
        .theirs = {-1, -1, -1},
        .input = input,
        .collected = {[OUT] = ret_out, [ERR] = ret_err},
        .new_session = spec->new_session,
    };
    int64_t deadline = pb_clock_steady_ms() + timeout_ms;
    struct pb_error ignored;
    sigset_t before;
    int status = 0;
    int r;

    block_sigpipe(&before);
    r = start(&run, spec, err);
    if (r == 0) {
        r = pump(&run, deadline, err);
        if (r < 0)
            end(&run);
        if (pb_process_wait(&run.process, &status, r < 0 ? &ignored : err) < 0)
            r = -1;
        if (r < 0)
            (void)pb_fail_in(err, "%s", spec->argv[0]);
    }
    for (int stream = 0; stream < STREAMS; stream++) {
        pb_close(&run.ours[stream]);
        pb_close(&run.theirs[stream]);
    }
    restore_sigpipe(&before);
    if (r == 0)
        *ret_status = status;
    return r;
}
