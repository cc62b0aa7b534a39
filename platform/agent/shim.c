#include "agent/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "agent/box_private.h"
#include "agent/shim_private.h"
#include "agent/shim_protocol.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/text.h"

enum {
    KILL_GRACE_MS = 5000,
    RETRY_MS = 500,           /* a full disk is tried again this often … */
    FULL_PATIENCE_MS = 30000, /* … for so long, then the task is ended */
    DRAIN_ROUNDS = 4096,
    STRINGS_MAX = 65536,
};

#define OUTPUT_MAX ((int64_t)256 << 20)

/* ---- the plan ---- */

static struct pb_json *read_plan(struct pb_error *err)
{
    struct pb_json *plan = NULL;
    struct pb_buf text;
    char chunk[16384];
    ssize_t n;

    pb_buf_init(&text, PB_SHIM_PLAN_MAX);
    text.secret = true;
    while ((n = pread(PB_SHIM_FD_PLAN, chunk, sizeof(chunk), (off_t)text.len)) > 0) {
        pb_buf_bytes(&text, chunk, (size_t)n);
        if (pb_buf_failed(&text))
            break;
    }
    explicit_bzero(chunk, sizeof(chunk));
    if (n < 0 || pb_buf_failed(&text))
        (void)pb_fail(err, PB_ERROR_INVALID, "the plan cannot be read");
    else
        plan = pb_json_parse(pb_buf_string(&text), text.len, err);
    pb_buf_release(&text);
    if (plan && pb_json_int(plan, "version", 0) != PB_SHIM_VERSION) {
        pb_json_free(plan);
        (void)pb_fail(err, PB_ERROR_INVALID, "the plan is of another version");
        return NULL;
    }
    return plan;
}

/* Borrowed strings in a list of their own, NULL at the end. */
static const char **strings_of(const struct pb_json *array, struct pb_error *err)
{
    size_t count = pb_json_count(array);
    const char **list;

    if ((array && !pb_json_is_array(array)) || count > STRINGS_MAX) {
        (void)pb_fail(err, PB_ERROR_INVALID, "the plan's lists are no lists of text");
        return NULL;
    }
    list = calloc(count + 1, sizeof(*list));
    if (!list) {
        (void)pb_fail(err, PB_ERROR_LIMITED, "no memory for the plan");
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        list[i] = pb_json_as_text(pb_json_at(array, i), NULL);
        if (!list[i]) {
            free(list);
            (void)pb_fail(err, PB_ERROR_INVALID, "the plan's lists are no lists of text");
            return NULL;
        }
    }
    return list;
}

static void apply_plan(struct pb_shim *shim)
{
    int64_t wall_ms = pb_json_int(shim->plan, "wall_ms", 0);
    int64_t output_max = pb_json_int(shim->plan, "output_max", 0);

    shim->is_brief = pb_json_bool(shim->plan, "brief", false);
    shim->kill_grace_ms = pb_json_int(shim->plan, "kill_grace_ms", 0);
    if (shim->kill_grace_ms <= 0)
        shim->kill_grace_ms = KILL_GRACE_MS;
    shim->output_max = (uint64_t)(output_max > 0 ? output_max : OUTPUT_MAX);
    if (wall_ms > 0)
        shim->wall_deadline = pb_clock_steady_ms() + wall_ms;
}

/* ---- start ---- */

static int start_command(struct pb_shim *shim, const int pipes[4], struct pb_error *err)
{
    struct pb_box_command command = {.output = pipes[1], .errors = pipes[3]};
    const char **argv = strings_of(pb_json_get(shim->plan, "argv"), err);
    const char **envp = argv ? strings_of(pb_json_get(shim->plan, "env"), err) : NULL;
    int input = envp ? pb_shim_files_input(shim, err) : -1;
    int r = -1;

    command.cwd = pb_json_text(shim->plan, "cwd", "/");
    if (input >= 0) {
        command.argv = argv;
        command.envp = envp;
        command.input = input;
        r = pb_box_start(&shim->box, &command, err);
        if (r < 0 &&
            pb_text_starts(err->message, PB_BOX_STEP_EXEC)) /* missing, or not for this user */
            (void)pb_fail_reason(err, PB_ERROR_NOT_FOUND, "cli_missing", "%s '%s'", err->message,
                                 argv[0] ? argv[0] : "");
    }
    pb_close(&input);
    free(argv);
    free(envp);
    return r;
}

static int start_task(struct pb_shim *shim, struct pb_error *err)
{
    int pipes[4] = {-1, -1, -1, -1};
    int r = -1;

    if (pipe2(pipes, O_CLOEXEC) < 0 || pipe2(pipes + 2, O_CLOEXEC) < 0) {
        (void)pb_fail_errno(err, "make pipes");
        goto out;
    }
    if (fcntl(pipes[0], F_SETFL, O_NONBLOCK) < 0 || fcntl(pipes[2], F_SETFL, O_NONBLOCK) < 0) {
        (void)pb_fail_errno(err, "make pipes");
        goto out;
    }
    shim->started_ms = pb_clock_wall_ms();
    shim->oom_kills = pb_shim_oom_kills();
    if (start_command(shim, pipes, err) < 0)
        goto out;
    shim->output.pipe = pipes[0];
    shim->errors.pipe = pipes[2];
    pipes[0] = pipes[2] = -1;
    r = 0;
out:
    for (int i = 0; i < 4; i++)
        pb_close(&pipes[i]);
    return r;
}

/* The environment in the plan may hold what must not stay in memory longer than needed. */
static int prepare(struct pb_shim *shim, struct pb_error *err)
{
    if (pb_box_open(shim->user, &shim->box, err) < 0)
        return -1;
    if (pb_box_become_runner(shim->user, err) < 0)
        return -1;
    shim->plan = read_plan(err);
    if (!shim->plan)
        return -1;
    apply_plan(shim);
    if (pb_shim_files_claim(shim, err) < 0 || pb_shim_files_open(shim, err) < 0 ||
        pb_shim_control_open(shim, err) < 0 || start_task(shim, err) < 0)
        return -1;
    pb_json_free(shim->plan);
    shim->plan = NULL;
    return pb_shim_files_state(shim, err);
}

static void say_ready(const struct pb_shim *shim, const struct pb_error *err)
{
    struct pb_json_writer json;
    struct pb_buf text;

    pb_buf_init(&text, PB_SHIM_STATE_MAX);
    pb_json_writer_init(&json, &text);
    pb_json_begin_object(&json, NULL);
    if (err) {
        pb_json_put_text(&json, "error", err->message);
        pb_json_put_text(&json, "reason", pb_error_reason(err));
    } else {
        pb_json_put_int(&json, "shim", getpid());
        pb_json_put_int(&json, "child", shim->box.keeper);
        pb_json_put_text(&json, "box", pb_box_level_name(shim->box.level));
        pb_json_put_text(&json, "weakness", shim->box.weakness);
    }
    pb_json_end_object(&json);
    (void)!write(PB_SHIM_FD_READY, pb_buf_string(&text),
                 text.len); /* a pipe takes it whole; nobody there: so be it */
    pb_buf_release(&text);
    (void)close(PB_SHIM_FD_READY);
}

/* ---- run ---- */

static void begin_stop(struct pb_shim *shim, enum pb_task_reason why, int64_t grace_ms)
{
    if (shim->why == PB_TASK_EXITED)
        shim->why = why;
    if (shim->kill_deadline == 0)
        shim->kill_deadline = pb_clock_steady_ms() + grace_ms;
}

void pb_shim_ask(struct pb_shim *shim, enum pb_task_signal number)
{
    if (shim->why == PB_TASK_EXITED)
        shim->why = PB_TASK_ASKED;
    if (number == PB_TASK_KILL)
        pb_box_kill(&shim->box);
    else
        pb_box_signal(&shim->box, number == PB_TASK_INT ? SIGINT : SIGTERM);
}

static void check_deadlines(struct pb_shim *shim)
{
    int64_t now = pb_clock_steady_ms();

    if (shim->wall_deadline && now >= shim->wall_deadline) {
        shim->wall_deadline = 0;
        begin_stop(shim, PB_TASK_WALL_CLOCK, shim->kill_grace_ms);
        pb_box_signal(&shim->box, SIGTERM);
    }
    if (shim->retry_at && now - shim->full_since >= FULL_PATIENCE_MS)
        begin_stop(shim, PB_TASK_DISK_FULL, 0);
    if (shim->kill_deadline && now >= shim->kill_deadline) {
        shim->kill_deadline = INT64_MAX;
        pb_box_kill(&shim->box);
    }
}

static int poll_timeout(const struct pb_shim *shim)
{
    int64_t deadlines[] = {shim->wall_deadline, shim->kill_deadline, shim->retry_at};
    int64_t now = pb_clock_steady_ms();
    int64_t least = -1;

    for (size_t i = 0; i < sizeof(deadlines) / sizeof(deadlines[0]); i++) {
        int64_t left = deadlines[i] > now ? deadlines[i] - now : 0;

        if (deadlines[i] && deadlines[i] != INT64_MAX && (least < 0 || left < least))
            least = left;
    }
    return least > 3600000 ? 3600000 : (int)least;
}

/* While the disk is full nothing more is read: the task waits in its write. */
static void pump(struct pb_shim *shim, struct pb_shim_stream *stream)
{
    int64_t now = pb_clock_steady_ms();

    if (pb_shim_files_pump(shim, stream)) {
        shim->retry_at = 0;
        return;
    }
    if (!shim->retry_at)
        shim->full_since = now;
    shim->retry_at = now + RETRY_MS;
}

static void pump_both(struct pb_shim *shim)
{
    if (shim->output.pipe >= 0)
        pump(shim, &shim->output);
    if (shim->errors.pipe >= 0)
        pump(shim, &shim->errors);
}

static void on_signal(struct pb_shim *shim, int signals)
{
    struct signalfd_siginfo info;

    while (read(signals, &info, sizeof(info)) == sizeof(info)) {
        if (info.ssi_signo == SIGTERM)
            pb_shim_ask(shim, PB_TASK_TERM);
    }
}

static void run(struct pb_shim *shim, int signals)
{
    enum { KEEPER, SIGNALS, CONTROL, OUTPUT, ERRORS, CLIENTS };
    struct pollfd polls[CLIENTS + PB_SHIM_CLIENTS];

    for (;;) {
        bool is_full = shim->retry_at != 0;

        polls[KEEPER] = (struct pollfd){shim->box.pidfd, POLLIN, 0};
        polls[SIGNALS] = (struct pollfd){signals, POLLIN, 0};
        polls[CONTROL] = (struct pollfd){shim->control, POLLIN, 0};
        polls[OUTPUT] = (struct pollfd){is_full ? -1 : shim->output.pipe, POLLIN, 0};
        polls[ERRORS] = (struct pollfd){is_full ? -1 : shim->errors.pipe, POLLIN, 0};
        for (size_t i = 0; i < PB_SHIM_CLIENTS; i++)
            polls[CLIENTS + i] = (struct pollfd){shim->clients[i].fd, POLLIN, 0};
        if (poll(polls, CLIENTS + PB_SHIM_CLIENTS, poll_timeout(shim)) < 0 && errno != EINTR)
            return;
        if (polls[SIGNALS].revents)
            on_signal(shim, signals);
        if (is_full ? pb_clock_steady_ms() >= shim->retry_at
                    : (polls[OUTPUT].revents || polls[ERRORS].revents))
            pump_both(shim);
        for (size_t i = 0; i < PB_SHIM_CLIENTS; i++) {
            if (polls[CLIENTS + i].revents)
                pb_shim_control_serve(shim, &shim->clients[i]);
        }
        if (polls[CONTROL].revents)
            pb_shim_control_accept(shim);
        pb_shim_control_tell(shim);
        check_deadlines(shim);
        if (polls[KEEPER].revents)
            return;
    }
}

/* Everybody who could write is dead, so what the pipes hold now is all there will be. (A descriptor handed out of
 * the box may keep a pipe open; it is not waited for.) */
static void drain(struct pb_shim *shim)
{
    for (int round = 0; round < DRAIN_ROUNDS; round++) {
        uint64_t before = shim->output.bytes + shim->errors.bytes;

        pump_both(shim);
        if (before == shim->output.bytes + shim->errors.bytes)
            break;
    }
    if (shim->retry_at && shim->why == PB_TASK_EXITED)
        shim->why = PB_TASK_DISK_FULL;
}

static int watch_signals(void)
{
    sigset_t watched;

    (void)sigfillset(&watched);
    (void)sigprocmask(SIG_BLOCK, &watched, NULL);
    return signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
}

int pb_shim_run(const struct pb_box_user *user)
{
    struct pb_shim shim = {.user = user,
                           .rundir = PB_SHIM_FD_RUNDIR,
                           .claim = -1,
                           .listener =
                               fcntl(PB_SHIM_FD_LISTENER, F_GETFD) < 0 ? -1 : PB_SHIM_FD_LISTENER,
                           .output = {.pipe = -1, .file = -1},
                           .errors = {.pipe = -1, .file = -1},
                           .exit_file = -1,
                           .control = -1};
    struct pb_box_report report;
    struct pb_error err;
    int signals;

    for (int fd = PB_SHIM_FD_PLAN; fd <= PB_SHIM_FD_LISTENER; fd++)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    signals = watch_signals();
    if (prepare(&shim, &err) < 0) {
        if (shim.box.pidfd > 0)
            pb_box_kill(&shim.box);
        say_ready(&shim, &err);
        pb_json_free(shim.plan);
        return 1;
    }
    (void)close(PB_SHIM_FD_PLAN);
    say_ready(&shim, NULL);
    run(&shim, signals);
    if (pb_box_finish(&shim.box, &report, &err) < 0)
        report = (struct pb_box_report){.code = -1};
    drain(&shim);
    if (pb_shim_files_exit(&shim, &report, &err) < 0)
        return 1;
    pb_shim_control_close(&shim);
    return 0;
}
