/*
 * PID 1 of a box. It runs as the task's user and without any right, so that a
 * fault here gives nothing away; what it must not give away is its control
 * socket: the task never gets it, and cannot look into this process, which is
 * not dumpable. It never becomes the task: the kernel shields a namespace's
 * first process from signals it does not handle.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/box_private.h"
#include "agent/fd_message.h"
#include "base/fs.h"
#include "base/text.h"

enum { SWEEP_ROUNDS = 500, SWEEP_PAUSE_MS = 10, TASK_UMASK = 027, PATH_TEXT = 4096 };

struct keeper {
    int control;
    int signals;
    enum pb_box_level level;
    pid_t task; /* 0 once it is gone */
    bool kill_all;
    struct pb_box_report report;
};

struct order {
    char *text;
    char **argv;
    char **envp;
    const char *cwd;
    int fds[3];
};

/* ---- taking the order ---- */

static bool read_text(int control, char *text, size_t len)
{
    for (size_t got = 0; got < len;) {
        ssize_t n = recv(control, text + got, len - got, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        got += (size_t)n;
    }
    return true;
}

static char **split(char **at, const char *end, uint32_t count)
{
    char **list = calloc((size_t)count + 1, sizeof(char *));

    for (uint32_t i = 0; list && i < count; i++) {
        if (*at >= end)
            return NULL;
        list[i] = *at;
        *at += strlen(*at) + 1;
    }
    return list;
}

static bool take_order(int control, struct order *ret_order)
{
    struct pb_box_order head;
    struct pb_fd_message message;
    struct pb_error err;
    char *at;

    if (pb_fd_message_receive(control, &head, sizeof(head), &message, &err) != 1 ||
        message.len != sizeof(head) || message.fd_count != 3 || head.bytes == 0 ||
        head.bytes > PB_BOX_ORDER_MAX || head.argc > head.bytes || head.envc > head.bytes)
        return false;
    memcpy(ret_order->fds, message.fds, sizeof(ret_order->fds));
    ret_order->text = calloc(1, (size_t)head.bytes + 1);
    if (!ret_order->text || !read_text(control, ret_order->text, head.bytes))
        return false;
    at = ret_order->text;
    ret_order->argv = split(&at, ret_order->text + head.bytes, head.argc);
    ret_order->envp = split(&at, ret_order->text + head.bytes, head.envc);
    ret_order->cwd = at;
    return ret_order->argv && ret_order->envp && at < ret_order->text + head.bytes;
}

/* ---- starting the task ---- */

static const char *path_of(char *const *envp)
{
    for (; *envp; envp++) {
        if (pb_text_starts(*envp, "PATH="))
            return *envp + strlen("PATH=");
    }
    return "/usr/local/bin:/usr/bin:/bin";
}

static void exec_in_path(const struct order *order)
{
    const char *name = order->argv[0];
    int worst = ENOENT;

    if (strchr(name, '/')) {
        (void)execve(name, order->argv, order->envp);
        return;
    }
    for (const char *dir = path_of(order->envp); *dir;) {
        size_t len = strcspn(dir, ":");
        char path[PATH_TEXT];

        if (len > 0 && snprintf(path, sizeof(path), "%.*s/%s", (int)len, dir, name) < PATH_TEXT) {
            (void)execve(path, order->argv, order->envp);
            if (errno != ENOENT && errno != ENOTDIR)
                worst = errno;
        }
        dir += len + (dir[len] == ':');
    }
    errno = worst;
}

static void become_task(const struct order *order, int answer_fd)
{
    struct pb_box_answer answer = {0};
    const char *step = PB_BOX_STEP_EXEC;
    sigset_t none;

    for (int number = 1; number < NSIG; number++)
        (void)signal(number, SIG_DFL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)setsid();
    (void)umask(TASK_UMASK);
    if (dup2(order->fds[0], 0) < 0 || dup2(order->fds[1], 1) < 0 || dup2(order->fds[2], 2) < 0)
        step = "connect the program";
    else if (chdir(order->cwd) < 0)
        step = "enter the folder";
    else
        exec_in_path(order); /* everything else is close-on-exec */
    answer.start_errno = errno;
    (void)snprintf(answer.step, sizeof(answer.step), "%s", step);
    (void)!write(answer_fd, &answer, sizeof(answer));
    _exit(127);
}

/* The answer comes through a pipe that execve closes. */
static bool start_task(struct keeper *keeper, const struct order *order)
{
    struct pb_box_answer answer = {0};
    int report[2];

    if (pipe2(report, O_CLOEXEC) < 0)
        return false;
    keeper->task = fork();
    if (keeper->task == 0)
        become_task(order, report[1]);
    (void)close(report[1]);
    if (keeper->task < 0) {
        answer.start_errno = errno;
        (void)snprintf(answer.step, sizeof(answer.step), "fork");
    } else {
        ssize_t n;

        do {
            n = read(report[0], &answer, sizeof(answer));
        } while (n < 0 && errno == EINTR);
        if (n != (ssize_t)sizeof(answer))
            answer = (struct pb_box_answer){0};
    }
    (void)close(report[0]);
    return send(keeper->control, &answer, sizeof(answer), MSG_NOSIGNAL) == sizeof(answer) &&
           answer.start_errno == 0;
}

/* ---- killing what is left ---- */

/* "pid (name) state ppid …": the name may hold anything, so the last ')' counts. */
static pid_t parent_of(uint64_t pid)
{
    char path[64];
    char text[512];
    const char *at;
    int fd;
    ssize_t n;

    (void)snprintf(path, sizeof(path), "/proc/%llu/stat", (unsigned long long)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    pb_close(&fd);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    at = strrchr(text, ')');
    return at && strlen(at) > 4 ? (pid_t)strtol(at + 4, NULL, 10) : 0;
}

/* Without a namespace: our children, who by subreaping include the orphans of their children. */
static int kill_children(void)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    int killed = 0;

    while (proc && (entry = readdir(proc))) {
        uint64_t pid;

        if (pb_parse_u64(entry->d_name, INT32_MAX, &pid) && parent_of(pid) == getpid() &&
            kill((pid_t)pid, SIGKILL) == 0)
            killed++;
    }
    if (proc)
        (void)closedir(proc);
    return killed;
}

static void kill_everything(const struct keeper *keeper)
{
    if (keeper->level == PB_BOX_PLAIN)
        (void)kill_children();
    else
        (void)kill(-1, SIGKILL); /* all of the namespace but ourselves */
}

static void note_end(struct keeper *keeper, int status)
{
    keeper->task = 0;
    keeper->report.is_complete = true;
    keeper->report.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    keeper->report.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* Reaps whoever has ended; false when nobody is left at all. */
static bool reap(struct keeper *keeper, int *reaped_others)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == keeper->task)
            note_end(keeper, status);
        else if (reaped_others)
            ++*reaped_others;
    }
    return pid == 0 || errno != ECHILD;
}

/* Kills and reaps until nobody is left; counts who had outlived the task. */
static void sweep(struct keeper *keeper)
{
    int others = 0;
    int *count = keeper->task ? NULL : &others;

    for (int round = 0; round < SWEEP_ROUNDS; round++) {
        kill_everything(keeper);
        if (!reap(keeper, count))
            break;
        (void)poll(NULL, 0, round < 5 ? 1 : SWEEP_PAUSE_MS);
    }
    keeper->report.leaked = others;
}

/* ---- the loop ---- */

/* False: the shim is gone. */
static bool obey(struct keeper *keeper)
{
    char word;
    ssize_t n = recv(keeper->control, &word, 1, MSG_DONTWAIT);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    if (n == 0)
        return false;
    if (word == PB_BOX_SIGNAL_KILL_ALL)
        keeper->kill_all = true;
    else if (keeper->task)
        (void)kill(keeper->task, word);
    return true;
}

static void watch_task(struct keeper *keeper)
{
    while (keeper->task) {
        struct pollfd polls[2] = {{keeper->control, POLLIN, 0}, {keeper->signals, POLLIN, 0}};
        struct signalfd_siginfo ignored;

        if (poll(polls, 2, -1) < 0 && errno != EINTR)
            break;
        if (polls[0].revents && !obey(keeper))
            break;
        if (polls[1].revents)
            (void)!read(keeper->signals, &ignored, sizeof(ignored));
        if (keeper->kill_all)
            break;
        (void)reap(keeper, NULL);
    }
}

void pb_box_keeper(int control, enum pb_box_level level)
{
    struct keeper keeper = {.control = control, .level = level};
    struct order order = {0};
    sigset_t watched;

    (void)sigemptyset(&watched);
    (void)sigaddset(&watched, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &watched, NULL);
    keeper.signals = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
    if (keeper.signals < 0 || !take_order(control, &order) || !start_task(&keeper, &order))
        _exit(1);
    for (int i = 0; i < 3; i++)
        (void)close(order.fds[i]);
    watch_task(&keeper);
    (void)reap(&keeper, NULL); /* what had ended by itself is no leak */
    sweep(&keeper);
    (void)send(control, &keeper.report, sizeof(keeper.report), MSG_NOSIGNAL);
    _exit(0);
}
