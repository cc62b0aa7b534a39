/* The runner's side with a real poppo-broker, started here as poppo-boxd would. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/broker_link.h"
#include "base/fs.h"
#include "base/process.h"
#include "pb_test.h"

static char folder[] = "/tmp/poppo-broker-link-XXXXXX";
static struct pb_project_dirs dirs;
static struct pb_process broker;
static unsigned started;
static unsigned stillborn; /* so many more die before they can answer */
static struct pb_broker_link *link_here;

int pb_spawn_broker(struct pb_spawn *spawn, unsigned slot, int listener, int control,
                    pid_t *ret_pid, struct pb_error *err)
{
    static const char *const ARGV[] = {"poppo-broker", NULL};
    static const char *const ENVP[] = {"PATH=/usr/bin:/bin", NULL};
    const struct pb_process_fd fds[] = {{listener, 3}, {control, 4}};
    struct pb_process_spec spec = {.argv = ARGV,
                                   .path = BIN_DIR "/poppo-broker",
                                   .envp = ENVP,
                                   .cwd = "/",
                                   .fds = fds,
                                   .fd_count = 2,
                                   .die_with_parent = true};

    (void)spawn;
    assert_int_equal(slot, 7);
    if (stillborn > 0) {
        stillborn--;
        spec.path = "/bin/true";
    }
    if (pb_process_spawn(&spec, &broker, err) < 0)
        return -1;
    *ret_pid = broker.pid;
    started++;
    return 0;
}

static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static int set_up(void **state)
{
    struct pb_error err = {0};

    (void)state;
    memcpy(strrchr(folder, '-') + 1, "XXXXXX", 6);
    assert_non_null(mkdtemp(folder));
    dirs = (struct pb_project_dirs){.slot = 7, .port = free_port()};
    (void)snprintf(dirs.data, sizeof(dirs.data), "%s", folder);
    started = 0;
    link_here = pb_broker_link_new(&dirs, NULL, &err);
    assert_non_null(link_here);
    return 0;
}

static void kill_broker(int number)
{
    struct pb_error err = {0};
    int status;

    pb_process_signal(&broker, number);
    assert_ok(pb_process_wait(&broker, &status, &err), &err);
}

static int tear_down(void **state)
{
    struct pb_error err = {0};

    (void)state;
    pb_broker_link_free(link_here);
    if (started)
        kill_broker(SIGTERM);
    assert_ok(pb_fs_remove_tree(AT_FDCWD, folder, &err), &err);
    return 0;
}

static void register_attempt(const char *name, const char *dummy)
{
    char usage_file[100];
    struct pb_broker_registration registration = {.attempt = name,
                                                  .dummy = dummy,
                                                  .key = "sk-ant-real-key-0123456789",
                                                  .base_url = "http://127.0.0.1:1",
                                                  .usage_file = usage_file};
    struct pb_error err = {0};

    (void)snprintf(usage_file, sizeof(usage_file), "%s/usage.jsonl", folder);
    assert_ok(pb_broker_link_register(link_here, &registration, &err), &err);
}

/* The status of one call with this key: 401 = unknown, 502 = known, and the upstream is not there. */
static int call(const char *dummy)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)dirs.port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = 20};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char text[1024] = {0};
    int len = snprintf(text, sizeof(text),
                       "POST /v1/messages HTTP/1.1\r\nHost: x\r\nX-Api-Key: %s\r\n"
                       "Content-Length: 2\r\nConnection: close\r\n\r\n{}",
                       dummy);

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(write(fd, text, (size_t)len), len);
    assert_true(read(fd, text, 12) == 12);
    close(fd);
    return (text[9] - '0') * 100 + (text[10] - '0') * 10 + text[11] - '0';
}

static const char ONE[] = "sk-ant-poppo-one-0123456789", TWO[] = "sk-ant-poppo-two-0123456789";

TEST(the_first_attempt_starts_it_and_the_second_joins)
{
    register_attempt("a.1", ONE);
    register_attempt("b.1", TWO);
    assert_int_equal(started, 1);
    assert_int_equal(call(ONE), 502);
    assert_int_equal(call(TWO), 502);
    assert_int_equal(call("sk-ant-poppo-unknown"), 401);
}

TEST(an_ended_attempt_s_key_opens_nothing)
{
    struct pb_error err = {0};

    register_attempt("a.1", ONE);
    register_attempt("b.1", TWO);
    assert_ok(pb_broker_link_end(link_here, "a.1", &err), &err);
    assert_ok(pb_broker_link_end(link_here, "never.1", &err), &err);
    assert_int_equal(call(ONE), 401);
    assert_int_equal(call(TWO), 502);
}

TEST(a_dead_broker_is_replaced_with_all_it_knew)
{
    struct pb_error err = {0};

    register_attempt("a.1", ONE);
    register_attempt("b.1", TWO);
    kill_broker(SIGKILL);
    assert_ok(pb_broker_link_check(link_here, &err), &err);
    assert_int_equal(started, 2);
    assert_int_equal(call(ONE), 502);
    assert_int_equal(call(TWO), 502);
    assert_ok(pb_broker_link_check(link_here, &err), &err);
    assert_int_equal(started, 2);
}

TEST(a_dead_broker_is_replaced_for_the_next_attempt_too)
{
    register_attempt("a.1", ONE);
    kill_broker(SIGKILL);
    register_attempt("b.1", TWO);
    assert_int_equal(started, 2);
    assert_int_equal(call(ONE), 502);
    assert_int_equal(call(TWO), 502);
}

TEST(a_broker_that_dies_while_it_is_told_is_replaced)
{
    stillborn = 1;
    register_attempt("a.1", ONE);
    assert_int_equal(started, 2);
    assert_int_equal(call(ONE), 502);
    kill_broker(SIGKILL);
    stillborn = 2;
    register_attempt("b.1", TWO);
    assert_int_equal(started, 5);
    assert_int_equal(call(ONE), 502);
    assert_int_equal(call(TWO), 502);
}

TEST(without_attempts_nothing_is_started)
{
    struct pb_error err = {0};

    assert_ok(pb_broker_link_check(link_here, &err), &err);
    assert_ok(pb_broker_link_end(link_here, "never.1", &err), &err);
    assert_int_equal(started, 0);
    assert_int_equal(pb_broker_link_listener(link_here), -1);
}

/* A runner that comes back finds the broker by its socket; the port's listener comes from a shim. */
TEST(a_restarted_runner_takes_over_a_living_broker)
{
    struct pb_error err = {0};
    int kept;

    register_attempt("a.1", ONE);
    kept = fcntl(pb_broker_link_listener(link_here), F_DUPFD_CLOEXEC, 3);
    assert_true(kept >= 0);
    pb_broker_link_free(link_here);
    link_here = pb_broker_link_new(&dirs, NULL, &err);
    assert_non_null(link_here);
    assert_int_equal(call(ONE), 502);
    register_attempt("a.1", ONE);
    assert_int_equal(started, 1);

    pb_broker_link_give_listener(link_here, kept);
    kill_broker(SIGKILL);
    assert_ok(pb_broker_link_check(link_here, &err), &err);
    assert_int_equal(started, 2);
    assert_int_equal(call(ONE), 502);
}

TEST(the_control_socket_is_for_its_owner)
{
    struct stat made;
    char path[100];

    register_attempt("a.1", ONE);
    (void)snprintf(path, sizeof(path), "%s/broker.sock", folder);
    assert_int_equal(stat(path, &made), 0);
    assert_int_equal(made.st_mode & 0777, 0600);
}

TEST(dummy_keys_are_long_and_never_the_same)
{
    char one[PB_BROKER_DUMMY_TEXT], two[PB_BROKER_DUMMY_TEXT];

    pb_broker_dummy_key(one);
    pb_broker_dummy_key(two);
    assert_int_equal(strlen(one), strlen("sk-ant-poppo-") + 43);
    assert_string_not_equal(one, two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        T(the_first_attempt_starts_it_and_the_second_joins),
        T(an_ended_attempt_s_key_opens_nothing),
        T(a_dead_broker_is_replaced_with_all_it_knew),
        T(a_dead_broker_is_replaced_for_the_next_attempt_too),
        T(a_broker_that_dies_while_it_is_told_is_replaced),
        T(without_attempts_nothing_is_started),
        T(a_restarted_runner_takes_over_a_living_broker),
        T(the_control_socket_is_for_its_owner),
        T(dummy_keys_are_long_and_never_the_same),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
