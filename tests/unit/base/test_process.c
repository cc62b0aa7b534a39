#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/process.h"
#include "pb_test.h"
#include "run_process.h"

enum { LONG_MS = 30000 };

static const char *const PATHS[] = {"PATH=/usr/bin:/bin", NULL};

/* Runs `script` in sh and returns what it printed. */
static const char *output_of(const char *script, const struct pb_process_spec *spec)
{
    static struct pb_buf out;
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    struct pb_process_spec with_argv = spec ? *spec : (struct pb_process_spec){.envp = PATHS};

    pb_buf_release(&out);
    pb_buf_init(&out, 1 << 16);
    with_argv.argv = argv;
    assert_int_equal(run_process(&with_argv, NULL, &out, NULL), 0);
    return pb_buf_string(&out);
}

static int wait_for(struct pb_process *process)
{
    struct pb_error err;
    int status = -1;

    assert_ok(pb_process_wait(process, &status, &err), &err);
    assert_int_equal(process->pid, -1);
    assert_int_equal(process->pidfd, -1);
    return status;
}

TEST(a_child_runs_and_is_reaped)
{
    const char *const argv[] = {"/bin/sh", "-c", "exit 7", NULL};
    struct pb_process process;
    struct pb_error err;
    struct pollfd ended;

    assert_ok(pb_process_spawn(&(struct pb_process_spec){.argv = argv}, &process, &err), &err);
    ended = (struct pollfd){.fd = process.pidfd, .events = POLLIN};
    assert_int_equal(poll(&ended, 1, LONG_MS), 1);
    assert_true(fcntl(process.pidfd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(WEXITSTATUS(wait_for(&process)), 7);
}

TEST(a_failed_start_is_reported_by_its_errno)
{
    static const struct {
        const char *program;
        const char *cwd;
        enum pb_error_code code;
    } CASES[] = {
        {"/no/such/program", NULL, PB_ERROR_NOT_FOUND},
        {"no-such-program", NULL, PB_ERROR_NOT_FOUND},
        {"/etc/passwd", NULL, PB_ERROR_DENIED},
        {"/bin/true", "/no/such", PB_ERROR_NOT_FOUND},
        {"/", NULL, PB_ERROR_DENIED},
        {"", NULL, PB_ERROR_INVALID},
    };
    struct pb_error err;

    for (size_t i = 0; i < COUNT(CASES); i++) {
        const char *const argv[] = {CASES[i].program, NULL};
        struct pb_process process = {.pid = 99, .pidfd = 98};
        struct pb_process_spec spec = {.argv = argv, .envp = PATHS, .cwd = CASES[i].cwd};

        assert_refused(pb_process_spawn(&spec, &process, &err), &err, CASES[i].code);
        assert_int_equal(process.pid, 99);
    }
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* none of them is left as a zombie */
    assert_int_equal(errno, ECHILD);
}

TEST(a_name_without_slash_is_looked_up_in_the_childs_path)
{
    const char *const argv[] = {"sh", "-c", "exit 3", NULL};
    const char *const nowhere[] = {"PATH=/no/such:relative:", NULL};
    struct pb_process process;
    struct pb_error err;
    struct pb_process_spec spec = {.argv = argv, .envp = PATHS};

    assert_ok(pb_process_spawn(&spec, &process, &err), &err);
    assert_int_equal(WEXITSTATUS(wait_for(&process)), 3);
    spec.envp = nowhere;
    assert_refused(pb_process_spawn(&spec, &process, &err), &err, PB_ERROR_NOT_FOUND);
    spec.envp = NULL;
    assert_refused(pb_process_spawn(&spec, &process, &err), &err, PB_ERROR_NOT_FOUND);
}

TEST(the_environment_is_exactly_what_was_given)
{
    const char *const argv[] = {"/usr/bin/env", NULL};
    const char *const envp[] = {"A=1", "B=two words", NULL};
    struct pb_buf out;

    pb_buf_init(&out, 1000);
    assert_int_equal(setenv("LEAK", "yes", 1), 0);
    (void)run_process(&(struct pb_process_spec){.argv = argv, .envp = envp}, NULL, &out, NULL);
    assert_string_equal(pb_buf_string(&out), "A=1\nB=two words\n");
    pb_buf_clear(&out);
    (void)run_process(&(struct pb_process_spec){.argv = argv}, NULL, &out, NULL);
    assert_string_equal(pb_buf_string(&out), "");
    pb_buf_release(&out);
}

TEST(no_descriptor_leaks_and_unlisted_ones_are_null)
{
    const char *const argv[] = {"/bin/sh", "-c",
                                "[ /proc/self/fd/0 -ef /dev/null ] && ls /proc/$$/fd >&1", NULL};
    struct pb_buf out;
    int leak = open("/etc/passwd", O_RDONLY); /* on purpose without CLOEXEC */

    assert_true(leak >= 0);
    pb_buf_init(&out, 1000);
    assert_int_equal(run_process(&(struct pb_process_spec){.argv = argv, .envp = PATHS}, NULL, &out,
                                 NULL),
                     0);
    assert_string_equal(pb_buf_string(&out), "0\n1\n2\n");
    pb_close(&leak);
    pb_buf_release(&out);
}

TEST(descriptors_arrive_where_they_were_sent_even_crosswise)
{
    const char *const argv[] = {"/bin/sh", "-c", "echo to-a >&$A; echo to-b >&$B", NULL};
    char a_name[16];
    char b_name[16];
    const char *const envp[] = {a_name, b_name, NULL};
    struct pb_process process;
    struct pb_error err;
    int a[2];
    int b[2];
    char text[16] = "";

    assert_int_equal(pipe2(a, O_CLOEXEC), 0);
    assert_int_equal(pipe2(b, O_CLOEXEC), 0);
    if (a[1] > 9 || b[1] > 9)
        skip(); /* sh knows one digit only */
    /* The child finds pipe a at b's number and b at a's. */
    (void)snprintf(a_name, sizeof(a_name), "A=%d", b[1]);
    (void)snprintf(b_name, sizeof(b_name), "B=%d", a[1]);
    assert_ok(pb_process_spawn(
                  &(struct pb_process_spec){
                      .argv = argv,
                      .envp = envp,
                      .fds = (struct pb_process_fd[]){{a[1], b[1]}, {b[1], a[1]}},
                      .fd_count = 2,
                  },
                  &process, &err),
              &err);
    assert_int_equal(wait_for(&process), 0);
    pb_close(&a[1]);
    pb_close(&b[1]);
    assert_int_equal(read(a[0], text, sizeof(text)), 5);
    assert_memory_equal(text, "to-a\n", 5);
    assert_int_equal(read(b[0], text, sizeof(text)), 5);
    assert_memory_equal(text, "to-b\n", 5);
    pb_close(&a[0]);
    pb_close(&b[0]);
}

TEST(bad_descriptors_are_refused)
{
    const char *const argv[] = {"/bin/true", NULL};
    struct pb_process_fd many[40] = {{0, 0}};
    struct pb_process process;
    struct pb_error err;
    struct pb_process_spec spec = {.argv = argv, .fds = many, .fd_count = 40};

    assert_refused(pb_process_spawn(&spec, &process, &err), &err, PB_ERROR_INVALID);
    spec.fd_count = 1;
    many[0].from = -1;
    assert_refused(pb_process_spawn(&spec, &process, &err), &err, PB_ERROR_INVALID);
    many[0].from = 9999;
    assert_refused(pb_process_spawn(&spec, &process, &err), &err, PB_ERROR_INTERNAL);
}

TEST(signals_are_as_a_program_expects_them)
{
    sigset_t blocked;
    sigset_t before;
    const char *masks;

    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &blocked, &before);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGUSR1, SIG_IGN);
    masks = output_of("grep -E 'Sig(Blk|Ign)' /proc/self/status | tr -d ' \\t'", NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)signal(SIGUSR1, SIG_DFL);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    assert_string_equal(masks, "SigBlk:0000000000000000\nSigIgn:0000000000000000\n");
}

TEST(our_own_signal_mask_and_handlers_stay)
{
    sigset_t before;
    sigset_t after;

    (void)sigprocmask(SIG_BLOCK, NULL, &before);
    (void)signal(SIGUSR2, SIG_IGN);
    (void)output_of("true", NULL);
    (void)sigprocmask(SIG_BLOCK, NULL, &after);
    assert_int_equal(sigismember(&before, SIGPIPE), sigismember(&after, SIGPIPE));
    assert_int_equal(sigismember(&after, SIGTERM), 0);
    assert_ptr_equal(signal(SIGUSR2, SIG_DFL), SIG_IGN);
}

TEST(cwd_and_session_are_set)
{
    struct pb_process_spec spec = {.envp = PATHS, .cwd = "/usr", .new_session = true};

    assert_string_equal(output_of("pwd", &spec), "/usr\n");
    assert_string_equal(output_of("[ $(ps -o sid= -p $$) = $$ ] && echo own", &spec), "own\n");
}

TEST(ids_are_dropped_for_good)
{
    struct pb_process_spec spec = {.envp = PATHS, .set_ids = true, .uid = 65534, .gid = 65533};

    if (geteuid() != 0)
        skip();
    assert_string_equal(
        output_of("id -u; id -g; id -G; grep NoNewPrivs /proc/self/status | tr -d '\\t'", &spec),
        "65534\n65533\n65533\nNoNewPrivs:1\n");
    assert_int_equal(geteuid(), 0); /* ours have not moved */
}

TEST(a_child_tied_to_us_dies_with_us)
{
    const char *const argv[] = {"/bin/sleep", "1000", NULL};
    struct pb_process child;
    struct pb_error err;
    int ends[2];
    pid_t middle;
    struct pollfd closed;
    char byte;

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    middle = fork();
    if (middle == 0) {
        struct pb_process_spec spec = {
            .argv = argv,
            .die_with_parent = true,
            .fds = (struct pb_process_fd[]){{ends[1], 1}},
            .fd_count = 1,
        };

        _exit(pb_process_spawn(&spec, &child, &err) < 0 ? 1 : 0);
    }
    pb_close(&ends[1]);
    assert_int_equal(waitpid(middle, NULL, 0), middle);
    closed = (struct pollfd){.fd = ends[0], .events = POLLIN}; /* its end closes when it dies */
    assert_int_equal(poll(&closed, 1, LONG_MS), 1);
    assert_int_equal(read(ends[0], &byte, 1), 0);
    pb_close(&ends[0]);
}

TEST(a_signal_reaches_the_child_and_an_ended_one_is_no_error)
{
    const char *const argv[] = {"/bin/sleep", "1000", NULL};
    struct pb_process process;
    struct pb_error err;
    int status;

    assert_ok(pb_process_spawn(&(struct pb_process_spec){.argv = argv}, &process, &err), &err);
    pb_process_signal(&process, SIGTERM);
    status = wait_for(&process);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    pb_process_signal(&process, SIGTERM);
}

TEST(start_time_and_boot_id_tell_processes_apart)
{
    uint64_t own = pb_process_start_time(getpid());

    assert_true(own > 0);
    assert_true(own == pb_process_start_time(getpid()));
    assert_true(pb_process_start_time(1) < own);
    assert_int_equal(pb_process_start_time(INT32_MAX), 0);
    assert_int_equal(strlen(pb_process_boot_id()), 36);
}

/* The last test: what children get stays so. */
TEST(our_limit_of_descriptors_goes_up_and_that_of_children_stays)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 123;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_string_equal(output_of("ulimit -Sn", NULL), "123\n");
    pb_process_raise_files();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(limit.rlim_cur == limit.rlim_max && limit.rlim_cur > 123);
    assert_string_equal(output_of("ulimit -Sn", NULL), "123\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_runs_and_is_reaped),
        cmocka_unit_test(a_failed_start_is_reported_by_its_errno),
        cmocka_unit_test(a_name_without_slash_is_looked_up_in_the_childs_path),
        cmocka_unit_test(the_environment_is_exactly_what_was_given),
        cmocka_unit_test(no_descriptor_leaks_and_unlisted_ones_are_null),
        cmocka_unit_test(descriptors_arrive_where_they_were_sent_even_crosswise),
        cmocka_unit_test(bad_descriptors_are_refused),
        cmocka_unit_test(signals_are_as_a_program_expects_them),
        cmocka_unit_test(our_own_signal_mask_and_handlers_stay),
        cmocka_unit_test(cwd_and_session_are_set),
        cmocka_unit_test(ids_are_dropped_for_good),
        cmocka_unit_test(a_child_tied_to_us_dies_with_us),
        cmocka_unit_test(a_signal_reaches_the_child_and_an_ended_one_is_no_error),
        cmocka_unit_test(start_time_and_boot_id_tell_processes_apart),
        cmocka_unit_test(our_limit_of_descriptors_goes_up_and_that_of_children_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
