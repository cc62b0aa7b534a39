#include "net_test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/pool.h"

enum { DEADLINE_MS = 20000 };

struct mark {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned count;
};

struct mark *mark_new(void)
{
    struct mark *mark = calloc(1, sizeof(*mark));
    pthread_condattr_t attributes;

    assert_non_null(mark);
    pthread_mutex_init(&mark->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&mark->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    return mark;
}

void mark_free(struct mark *mark)
{
    pthread_cond_destroy(&mark->changed);
    pthread_mutex_destroy(&mark->lock);
    free(mark);
}

void mark_add(struct mark *mark)
{
    pthread_mutex_lock(&mark->lock);
    mark->count++;
    pthread_cond_broadcast(&mark->changed);
    pthread_mutex_unlock(&mark->lock);
}

unsigned mark_count(struct mark *mark)
{
    unsigned count;

    pthread_mutex_lock(&mark->lock);
    count = mark->count;
    pthread_mutex_unlock(&mark->lock);
    return count;
}

static bool wait_once(struct mark *mark, const struct timespec *deadline)
{
    return pthread_cond_timedwait(&mark->changed, &mark->lock, deadline) == 0;
}

static struct timespec deadline_in(int64_t ms)
{
    struct timespec then;

    (void)clock_gettime(CLOCK_MONOTONIC, &then);
    then.tv_sec += ms / 1000;
    then.tv_nsec += ms % 1000 * 1000000;
    if (then.tv_nsec >= 1000000000) {
        then.tv_sec++;
        then.tv_nsec -= 1000000000;
    }
    return then;
}

bool mark_within(struct mark *mark, int64_t ms)
{
    struct timespec deadline = deadline_in(ms);
    bool happened;

    pthread_mutex_lock(&mark->lock);
    while (mark->count == 0 && wait_once(mark, &deadline))
        ;
    happened = mark->count > 0;
    pthread_mutex_unlock(&mark->lock);
    return happened;
}

void mark_wait(struct mark *mark, unsigned count)
{
    struct timespec deadline = deadline_in(DEADLINE_MS);
    bool in_time = true;

    pthread_mutex_lock(&mark->lock);
    while (mark->count < count && in_time)
        in_time = wait_once(mark, &deadline);
    in_time = mark->count >= count;
    pthread_mutex_unlock(&mark->lock);
    CHECK(in_time, "it happens before the deadline");
}

void mark_until(struct mark *mark, bool (*check)(void *arg), void *arg)
{
    struct timespec deadline = deadline_in(DEADLINE_MS);
    bool in_time = true, held;

    pthread_mutex_lock(&mark->lock);
    while (!(held = check(arg)) && in_time)
        in_time = wait_once(mark, &deadline);
    pthread_mutex_unlock(&mark->lock);
    CHECK(held, "it comes true before the deadline");
}

static void run_loop(void *arg)
{
    pb_loop_run(arg);
}

void net_start(struct net *net)
{
    struct pb_error err = {0};

    net->loop = pb_loop_new(&err);
    assert_non_null(net->loop);
    net->thread = pb_thread_start("test-loop", run_loop, net->loop, &err);
    assert_non_null(net->thread);
}

void net_stop(struct net *net)
{
    pb_loop_stop(net->loop);
    pb_thread_join(&net->thread);
    pb_loop_free(net->loop);
    net->loop = NULL;
}

struct task {
    void (*fn)(void *arg);
    void *arg;
    struct mark *done;
};

static void run_task(void *arg)
{
    struct task *task = arg;

    task->fn(task->arg);
    mark_add(task->done);
}

void net_do(struct net *net, void (*fn)(void *arg), void *arg)
{
    struct task task = {fn, arg, mark_new()};

    CHECK(pb_loop_post(net->loop, run_task, &task), "the loop takes work");
    mark_wait(task.done, 1);
    mark_free(task.done);
}

struct serving {
    struct pb_loop *loop;
    struct pb_http_server_options *options;
    const struct pb_http_limits *limits;
    struct pb_http_server *server;
    struct pb_error err;
};

static void serve(void *arg)
{
    struct serving *serving = arg;

    serving->server = pb_http_server_new(serving->loop, serving->options, &serving->err);
    if (serving->server && serving->limits)
        pb_http_server_set_limits(serving->server, serving->limits);
}

struct pb_http_server *net_serve(struct net *net, struct pb_http_server_options *options,
                                 const struct pb_http_limits *limits)
{
    struct serving serving = {net->loop, options, limits, NULL, {0}};

    if (!options->listen)
        options->listen = "127.0.0.1:0";
    net_do(net, serve, &serving);
    if (!serving.server)
        fail_msg("server: %s", serving.err.message);
    return serving.server;
}

static void end_server(void *arg)
{
    pb_http_server_free(arg);
}

void net_end_server(struct net *net, struct pb_http_server *server)
{
    net_do(net, end_server, server);
}

int raw_connect(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

uint16_t raw_port(int fd)
{
    struct sockaddr_in address = {0};
    socklen_t len = sizeof(address);

    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    return ntohs(address.sin_port);
}

void raw_send(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);

        if (sent <= 0)
            return; /* the server hung up: what it said is to be read */
        bytes += sent;
        len -= (size_t)sent;
    }
}

void raw_text(int fd, const char *text)
{
    raw_send(fd, text, strlen(text));
}

bool raw_read(int fd, struct pb_buf *buf, const char *until)
{
    int64_t deadline_ms = pb_clock_steady_ms() + DEADLINE_MS;
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    char bytes[16384];

    while (!until || !strstr(pb_buf_string(buf), until)) {
        int64_t left_ms = deadline_ms - pb_clock_steady_ms();
        ssize_t got;

        if (left_ms <= 0 || poll(&waiting, 1, (int)left_ms) <= 0)
            return false;
        got = recv(fd, bytes, sizeof(bytes), 0);
        if (got <= 0)
            return true;
        pb_buf_bytes(buf, bytes, (size_t)got);
    }
    return true;
}

/* posix_spawn, whose child runs nothing of ours: the thread sanitizer loses its way otherwise. */
void command_run(const char *const *argv, struct pb_buf *ret_out)
{
    char *const environment[] = {(char *)(uintptr_t) "PATH=/usr/bin:/bin", NULL};
    posix_spawn_file_actions_t actions;
    int status = -1, ends[2];
    pid_t pid;

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, ends[1], 1), 0);
    assert_int_equal(posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0), 0);
    assert_int_equal(posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv,
                                  environment),
                     0);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(ends[1]);
    for (;;) {
        char bytes[65536];
        ssize_t got = read(ends[0], bytes, sizeof(bytes));

        if (got <= 0)
            break;
        if (ret_out)
            pb_buf_bytes(ret_out, bytes, (size_t)got);
    }
    (void)close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (status != 0)
        fail_msg("%s ended with %d", argv[0], status);
}

void certificate_make(struct certificate *certificate)
{
    (void)snprintf(certificate->folder, sizeof(certificate->folder), "/tmp/pb-net-XXXXXX");
    assert_non_null(mkdtemp(certificate->folder));
    (void)snprintf(certificate->certificate, sizeof(certificate->certificate), "%s/cert.pem",
                   certificate->folder);
    (void)snprintf(certificate->key, sizeof(certificate->key), "%s/key.pem", certificate->folder);
    {
        const char *const argv[] = {"openssl",
                                    "req",
                                    "-x509",
                                    "-newkey",
                                    "ec",
                                    "-pkeyopt",
                                    "ec_paramgen_curve:prime256v1",
                                    "-nodes",
                                    "-days",
                                    "2",
                                    "-subj",
                                    "/CN=localhost",
                                    "-addext",
                                    "subjectAltName=DNS:localhost,IP:127.0.0.1",
                                    "-keyout",
                                    certificate->key,
                                    "-out",
                                    certificate->certificate,
                                    NULL};
        command_run(argv, NULL);
    }
}

void certificate_remove(struct certificate *certificate)
{
    (void)unlink(certificate->certificate);
    (void)unlink(certificate->key);
    (void)rmdir(certificate->folder);
}
