#include "agent/task.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/fd_message.h"
#include "agent/shim_protocol.h"
#include "agent/spawn.h"
#include "agent/task_private.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/text.h"

enum {
    READY_DEADLINE_MS = 30000,
    ADOPT_PATIENCE_MS = 20000,
    PAUSE_MS = 5,
    WORD_MAX = 64,
    EXIT_MAX = 8 << 10,
    SPAWN_ATTEMPTS = 3,
};

/* ---- handle ---- */

static struct pb_task *task_new(const char *rundir, struct pb_error *err)
{
    struct pb_task *task = calloc(1, sizeof(*task));

    if (!task) {
        (void)pb_fail(err, PB_ERROR_LIMITED, "no memory");
        return NULL;
    }
    task->control = task->files[PB_TASK_OUTPUT] = task->files[PB_TASK_ERRORS] = -1;
    task->rundir = open(rundir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (task->rundir < 0) {
        (void)pb_fail_errno(err, "open the run directory %s", rundir);
        free(task);
        return NULL;
    }
    return task;
}

void pb_task_close(struct pb_task *task)
{
    if (!task)
        return;
    if (task->was_closed)
        *task->was_closed = true;
    pb_loop_timer_cancel(&task->soon);
    pb_loop_fd_unwatch(&task->watch);
    pb_close(&task->control);
    pb_close(&task->files[PB_TASK_OUTPUT]);
    pb_close(&task->files[PB_TASK_ERRORS]);
    pb_close(&task->rundir);
    free(task);
}

static int connect_control(struct pb_task *task)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", task->rundir,
                   PB_SHIM_SOCKET);
    if (sock >= 0 && connect(sock, (struct sockaddr *)&address, sizeof(address)) < 0)
        pb_close(&sock);
    task->control = sock;
    return sock < 0 ? -1 : 0;
}

/* ---- start ---- */

static void put_strings(struct pb_json_writer *json, const char *name, const char *const *strings)
{
    pb_json_begin_array(json, name);
    for (; strings && *strings; strings++)
        pb_json_put_text(json, NULL, *strings);
    pb_json_end_array(json);
}

/* In memory only: the environment may hold secrets. */
static int make_plan(const struct pb_task_spec *spec, struct pb_error *err)
{
    struct pb_json_writer json;
    struct pb_buf text;
    int fd = -1;

    pb_buf_init(&text, PB_SHIM_PLAN_MAX);
    text.secret = true;
    pb_json_writer_init(&json, &text);
    pb_json_begin_object(&json, NULL);
    pb_json_put_int(&json, "version", PB_SHIM_VERSION);
    put_strings(&json, "argv", spec->argv);
    put_strings(&json, "env", spec->envp);
    pb_json_put_text(&json, "cwd", spec->cwd ? spec->cwd : "/");
    pb_json_put_int(&json, "wall_ms", spec->wall_ms);
    pb_json_put_int(&json, "kill_grace_ms", spec->kill_grace_ms);
    pb_json_put_int(&json, "output_max", (int64_t)spec->output_max);
    pb_json_put_bool(&json, "brief", spec->is_brief);
    pb_json_end_object(&json);
    if (pb_buf_failed(&text)) {
        (void)pb_fail(err, PB_ERROR_TOO_LARGE,
                      "the command with its environment is longer than 4 MiB");
    } else {
        fd = memfd_create("plan", MFD_CLOEXEC);
        if (fd < 0)
            (void)pb_fail_errno(err, "make a memory file");
        else if (pb_fs_write_all(fd, text.data, text.len, err) < 0)
            pb_close(&fd);
    }
    pb_buf_release(&text);
    return fd;
}

static int store_input(const struct pb_task *task, const struct pb_task_spec *spec,
                       struct pb_error *err)
{
    int fd;
    int r;

    if (!spec->input)
        return 0;
    if (!spec->is_brief)
        return pb_fs_write(task->rundir, PB_SHIM_STDIN, spec->input, spec->input_len, 0600, err);
    fd = openat(task->rundir, PB_SHIM_STDIN, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return pb_fail_errno(err, "store the input");
    r = pb_fs_write_all(fd, spec->input, spec->input_len, err);
    pb_close(&fd);
    return r;
}

static int read_ready(int fd, struct pb_buf *text, struct pb_error *err)
{
    int64_t deadline = pb_clock_steady_ms() + READY_DEADLINE_MS;

    for (;;) {
        struct pollfd ready = {fd, POLLIN, 0};
        int64_t left = deadline - pb_clock_steady_ms();
        char *room = pb_buf_reserve(text, 4096);
        ssize_t n;

        if (!room)
            return pb_fail(err, PB_ERROR_INTERNAL, "poppo-shim says too much");
        if (left <= 0 || (poll(&ready, 1, (int)left) == 0))
            return pb_fail(err, PB_ERROR_TIMEOUT, "poppo-shim did not get ready in time");
        n = read(fd, room, 4096);
        if (n < 0 && errno != EINTR)
            return pb_fail_errno(err, "listen to poppo-shim");
        if (n == 0)
            return 0;
        text->len += n > 0 ? (size_t)n : 0;
    }
}

static int wait_ready(struct pb_task *task, int fd, struct pb_error *err)
{
    struct pb_json *answer = NULL;
    struct pb_error unread;
    struct pb_buf text;
    const char *problem;
    int r = -1;

    pb_buf_init(&text, PB_SHIM_STATE_MAX);
    if (read_ready(fd, &text, err) < 0)
        goto out;
    answer = pb_json_parse(pb_buf_string(&text), text.len, &unread);
    problem = pb_json_text(answer, "error", NULL);
    if (!answer)
        (void)pb_fail_reason(err, PB_ERROR_UNAVAILABLE, PB_TASK_INTERRUPTED,
                             "poppo-shim ended before it was ready");
    else if (problem)
        (void)pb_fail_reason(err, PB_ERROR_UNAVAILABLE, pb_json_text(answer, "reason", "sandbox"),
                             "%s", problem);
    else
        r = 0;
    if (r == 0)
        (void)snprintf(task->weakness, sizeof(task->weakness), "%s",
                       pb_json_text(answer, "weakness", ""));
out:
    pb_json_free(answer);
    pb_buf_release(&text);
    return r;
}

static int spawn_once(const struct pb_task_host *host, struct pb_task *task, int plan, int listener,
                      bool *ret_was_lost, struct pb_error *err)
{
    int ready[2];
    int r;

    if (pipe2(ready, O_CLOEXEC) < 0)
        return pb_fail_errno(err, "make a pipe");
    r = pb_spawn_shim(host->spawn, host->dirs->slot, plan, task->rundir, ready[1], listener, err);
    *ret_was_lost = r < 0 && pb_text_equal(err->reason, PB_SPAWN_BOXD_GONE);
    pb_close(&ready[1]); /* or we would never see its end */
    if (r == 0 || *ret_was_lost) {
        r = wait_ready(task, ready[0], err);
        *ret_was_lost = *ret_was_lost && r < 0 && pb_text_equal(err->reason, PB_TASK_INTERRUPTED);
    }
    pb_close(&ready[0]);
    return r;
}

/* When poppo-boxd dies in the middle, the other end of the pipe tells whether a shim was started: one that was
 * answers, and if there is none nobody holds it open. */
static int spawn_shim(const struct pb_task_host *host, struct pb_task *task,
                      const struct pb_task_spec *spec, struct pb_error *err)
{
    int plan = make_plan(spec, err);
    bool was_lost = true;
    int r = -1;

    if (plan < 0)
        return -1;
    for (int attempt = 0; was_lost && attempt < SPAWN_ATTEMPTS; attempt++)
        r = spawn_once(host, task, plan, spec->listener > 0 ? spec->listener : -1, &was_lost, err);
    pb_close(&plan);
    return r;
}

static int open_files(struct pb_task *task, struct pb_error *err)
{
    task->files[PB_TASK_OUTPUT] =
        openat(task->rundir, PB_SHIM_OUTPUT, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    task->files[PB_TASK_ERRORS] =
        openat(task->rundir, PB_SHIM_ERRORS, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return task->files[PB_TASK_OUTPUT] < 0 || task->files[PB_TASK_ERRORS] < 0
               ? pb_fail_errno(err, "open a task's output")
               : 0;
}

int pb_task_start(const struct pb_task_host *host, const struct pb_task_spec *spec,
                  struct pb_task **ret_task, struct pb_error *err)
{
    struct pb_task *task;

    if (mkdir(spec->rundir, 0700) < 0 && errno != EEXIST)
        return pb_fail_errno(err, "make the run directory %s", spec->rundir);
    task = task_new(spec->rundir, err);
    if (!task)
        return -1;
    if (store_input(task, spec, err) < 0 || spawn_shim(host, task, spec, err) < 0 ||
        open_files(task, err) < 0) {
        pb_task_close(task);
        return -1;
    }
    (void)connect_control(task); /* a very short task is over already: then there is exit.json */
    *ret_task = task;
    return 0;
}

const char *pb_task_weakness(const struct pb_task *task)
{
    return task->weakness;
}

/* ---- adopt ---- */

enum shim_life { NEVER, ALIVE, GONE };

static enum shim_life look(const struct pb_task *task, struct pb_error *err)
{
    int claim = openat(task->rundir, PB_SHIM_CLAIM, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    enum shim_life life = ALIVE;

    if (claim < 0) {
        (void)pb_fail_errno(err, "look for a task");
        return NEVER;
    }
    if (flock(claim, LOCK_SH | LOCK_NB) == 0)
        life = GONE;
    pb_close(&claim);
    return life;
}

/* A shim that has just been started needs a moment until it answers. */
static int attach(struct pb_task *task, struct pb_error *err)
{
    int64_t deadline = pb_clock_steady_ms() + ADOPT_PATIENCE_MS;

    for (;;) {
        enum shim_life life = look(task, err);

        if (life == NEVER)
            return -1;
        if (life == GONE ||
            (faccessat(task->rundir, PB_SHIM_STATE, F_OK, 0) == 0 && connect_control(task) == 0))
            return 0;
        if (pb_clock_steady_ms() >= deadline)
            return pb_fail(err, PB_ERROR_TIMEOUT, "poppo-shim lives but does not answer");
        (void)poll(NULL, 0, PAUSE_MS);
    }
}

int pb_task_adopt(const struct pb_task_host *host, const char *rundir, struct pb_task **ret_task,
                  struct pb_error *err)
{
    struct pb_task *task = task_new(rundir, err);
    struct pb_error missing;

    (void)host;
    if (!task)
        return -1;
    if (attach(task, err) < 0) {
        pb_task_close(task);
        return -1;
    }
    if (open_files(task, &missing) < 0)
        pb_close(&task->files[PB_TASK_OUTPUT]); /* killed before it had made any: nothing to read */
    *ret_task = task;
    return 0;
}

/* ---- reading ---- */

ssize_t pb_task_read(struct pb_task *task, enum pb_task_file file, uint64_t offset, void *ret_data,
                     size_t max, struct pb_error *err)
{
    ssize_t n;

    if (task->files[file] < 0)
        return 0;
    do {
        n = pread(task->files[file], ret_data, max, (off_t)offset);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? pb_fail_errno(err, "read a task's output") : n;
}

void pb_task_read_exit(const struct pb_task *task, struct pb_task_exit *ret_exit)
{
    struct pb_task_exit end = {.reason = PB_TASK_LOST, .code = -1};
    struct pb_json *json = NULL;
    struct pb_error ignored;
    struct pb_buf text;

    pb_buf_init(&text, EXIT_MAX);
    if (pb_fs_read(task->rundir, PB_SHIM_EXIT, &text, &ignored) == 0)
        json = pb_json_parse(pb_buf_string(&text), text.len, &ignored);
    if (json) {
        end.reason = pb_task_reason_named(pb_json_text(json, "reason", ""));
        end.code = (int)pb_json_int(json, "code", -1);
        end.signal = (int)pb_json_int(json, "signal", 0);
        end.oom = pb_json_bool(json, "oom", false);
        end.leaked = (int)pb_json_int(json, "leaked", 0);
        end.started_ms = pb_json_int(json, "started_ms", 0);
        end.ended_ms = pb_json_int(json, "ended_ms", 0);
    }
    pb_json_free(json);
    pb_buf_release(&text);
    *ret_exit = end;
}

/* ---- asking the shim ---- */

int pb_task_say(struct pb_task *task, const char *word, struct pb_error *err)
{
    return pb_fd_message_send(task->control, word, strlen(word), NULL, 0, err);
}

/* On a connection of its own, so that answers do not mix with the watch's. */
static int ask(struct pb_task *task, const char *word, struct pb_fd_message *ret_answer,
               struct pb_error *err)
{
    struct timeval deadline = {.tv_sec = 5};
    struct pb_task other = {.rundir = task->rundir};
    char text[WORD_MAX];
    int r = -1;

    if (connect_control(&other) < 0)
        return pb_fail(err, PB_ERROR_NOT_FOUND, "the task has ended");
    (void)setsockopt(other.control, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof(deadline));
    if (pb_task_say(&other, word, err) == 0) {
        r = pb_fd_message_receive(other.control, text, sizeof(text), ret_answer, err);
        if (r == 0)
            (void)pb_fail(err, PB_ERROR_TIMEOUT, "poppo-shim does not answer");
        else if (r == 1 && ret_answer->len == 0)
            (void)pb_fail(err, PB_ERROR_NOT_FOUND, "the task has ended");
        r = r == 1 && ret_answer->len > 0 ? 0 : -1;
    }
    pb_close(&other.control);
    return r;
}

int pb_task_signal(struct pb_task *task, enum pb_task_signal number, struct pb_error *err)
{
    static const char *const WORDS[] = {
        [PB_TASK_INT] = "int", [PB_TASK_TERM] = "term", [PB_TASK_KILL] = "kill"};
    struct pb_fd_message answer;

    if (ask(task, WORDS[number], &answer, err) < 0)
        return err->code == PB_ERROR_NOT_FOUND ? 0 : -1;
    pb_fd_message_close(&answer);
    return 0;
}

int pb_task_listener(struct pb_task *task, struct pb_error *err)
{
    struct pb_fd_message answer;
    int fd;

    if (ask(task, "listener", &answer, err) < 0)
        return -1;
    fd = pb_fd_message_take(&answer, 0);
    pb_fd_message_close(&answer);
    return fd < 0 ? pb_fail(err, PB_ERROR_NOT_FOUND, "the task keeps no listener") : fd;
}

/* ---- watching ---- */

/* The task may be closed inside a callback; then nothing of it may be touched. */
static bool call_grew(struct pb_task *task)
{
    bool was_closed = false;

    task->was_closed = &was_closed;
    task->events->grew(task->arg);
    if (!was_closed)
        task->was_closed = NULL;
    return !was_closed;
}

static void tell_end(void *arg)
{
    struct pb_task *task = arg;
    struct pb_task_exit end;

    pb_loop_timer_cancel(&task->soon);
    if (!call_grew(task))
        return;
    pb_task_read_exit(task, &end);
    task->events->ended(task->arg, &end);
}

static void on_control(void *arg, int events)
{
    struct pb_task *task = arg;
    struct pb_fd_message message;
    struct pb_error err;
    char word[WORD_MAX];
    int r = pb_fd_message_receive(task->control, word, sizeof(word), &message, &err);

    (void)events;
    if (r == 0)
        return;
    if (r == 1)
        pb_fd_message_close(&message);
    /* Asked for before we read, so that nothing written meanwhile goes unnoticed. */
    if (r == 1 && message.len > 0 && pb_task_say(task, "watch", &err) == 0) {
        (void)call_grew(task);
        return;
    }
    pb_loop_fd_unwatch(&task->watch);
    pb_close(&task->control);
    tell_end(task);
}

int pb_task_watch(struct pb_task *task, struct pb_loop *loop, const struct pb_task_events *events,
                  void *arg, struct pb_error *err)
{
    task->events = events;
    task->arg = arg;
    if (task->control >= 0 && (pb_fd_set_nonblocking(task->control, true, err) < 0 ||
                               pb_task_say(task, "watch", err) < 0))
        pb_close(&task->control); /* it ended this very moment */
    if (task->control >= 0)
        task->watch = pb_loop_fd_watch(loop, task->control, PB_LOOP_READ, on_control, task);
    else
        task->soon = pb_loop_timer_start(loop, 0, 0, tell_end, task);
    return task->watch || task->soon ? 0
                                     : pb_fail(err, PB_ERROR_LIMITED, "no memory to watch a task");
}
