/* poppo-broker: see agent/broker.h. Descriptors: 3 = TCP listener, 4 = control listener. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/broker.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/process.h"

enum { LISTENER = 3, CONTROL = 4 };

static void on_signal(void *arg, int number)
{
    struct pb_loop *loop = arg;

    (void)number;
    pb_loop_stop(loop);
}

static int check_listener(int fd, const char *what, struct pb_error *err)
{
    int listens = 0;
    socklen_t len = sizeof(listens);

    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) < 0)
        return pb_fail_errno(err, "descriptor %d (%s)", fd, what);
    if (!listens)
        return pb_fail(err, PB_ERROR_INVALID, "descriptor %d (%s) does not listen", fd, what);
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return pb_fail_errno(err, "descriptor %d (%s)", fd, what);
    return 0;
}

static int serve(struct pb_loop *loop, struct pb_error *err)
{
    struct pb_broker_options options = {.listener = LISTENER, .control = CONTROL};
    struct pb_loop_signal *term, *interrupt;
    struct pb_broker *broker;

    if (check_listener(LISTENER, "port", err) < 0 || check_listener(CONTROL, "control", err) < 0)
        return -1;
    broker = pb_broker_new(loop, &options, err);
    if (!broker)
        return -1;
    term = pb_loop_signal_watch(loop, SIGTERM, on_signal, loop);
    interrupt = pb_loop_signal_watch(loop, SIGINT, on_signal, loop);
    pb_loop_run(loop);
    pb_loop_signal_unwatch(&term);
    pb_loop_signal_unwatch(&interrupt);
    pb_broker_free(broker);
    return 0;
}

int main(int argc, char **argv)
{
    struct pb_error err = {0};
    struct pb_loop *loop;
    int r = -1;

    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        (void)printf("poppo-broker %s\n", PB_VERSION);
        return 0;
    }
    pb_process_harden("poppo-broker"); /* keys live in this memory */
    pb_crypto_init();
    pb_log_init("poppo-broker", PB_LOG_INFO, false);
    loop = pb_loop_new(&err);
    if (loop)
        r = serve(loop, &err);
    if (r < 0)
        pb_log_fail(PB_LOG_ERROR, "broker", &err, "cannot serve");
    pb_loop_free(loop);
    return r < 0 ? 1 : 0;
}
