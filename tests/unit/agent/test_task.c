/* Real processes: poppo-shim from the build folder, driven the way the runner drives it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/fd_message.h"
#include "agent/shim_protocol.h"
#include "agent/spawn.h"
#include "agent/task.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/process.h"
#include "base/text.h"
#include "pb_test.h"

enum { DEADLINE_MS = 20000 };

static const char *const ENV[] = {"PATH=/usr/local/bin:/usr/bin:/bin", NULL};

struct bench {
    char dir[64];
    struct pb_project_dirs dirs;
    struct pb_spawn *spawn;
    struct pb_task_host host;
};

static struct bench bench;

static int set_up(void **state)
{
    struct pb_spawn_options options = {.bin_dir = BIN_DIR,
                                       .data_dir = bench.dir,
                                       .port_base = 4001};
    struct pb_project_place place = {.data_dir = bench.dir,
                                     .project = "p1",
                                     .slot = 1,
                                     .port_base = 4001};
    struct pb_error err;

    (void)state;
    (void)snprintf(bench.dir, sizeof(bench.dir), "/tmp/poppo-task-XXXXXX");
    assert_non_null(mkdtemp(bench.dir));
    assert_ok(pb_project_dirs_name(&place, &bench.dirs, &err), &err);
    assert_ok(pb_project_dirs_make(&bench.dirs, &err), &err);
    bench.spawn = pb_spawn_new(&options, &err);
    assert_non_null(bench.spawn);
    bench.host = (struct pb_task_host){&bench.dirs, bench.spawn};
    return 0;
}

static int tear_down(void **state)
{
    struct pb_error err;

    (void)state;
    pb_spawn_free(bench.spawn);
    assert_ok(pb_fs_remove_tree(AT_FDCWD, bench.dir, &err), &err);
    return 0;
}

static struct pb_task_spec shell(const char *const *argv)
{
    return (struct pb_task_spec){
        .argv = argv, .envp = ENV, .cwd = "/", .wall_ms = 15000, .listener = -1};
}

#define SH(script) ((const char *const[]){"/bin/sh", "-c", (script), NULL})

static void rundir_named(const char *name, char path[PB_PROJECT_PATH_TEXT])
{
    (void)snprintf(path, PB_PROJECT_PATH_TEXT, "%s/%s", bench.dirs.attempts, name);
}

/* Runs and expects these bytes; returns the end. */
static struct pb_task_exit run(const char *script, const char *input, const char *out,
                               const char *errors)
{
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    struct pb_task_spec spec = shell(argv);
    struct pb_task_exit end;
    struct pb_buf got_out;
    struct pb_buf got_errors;
    struct pb_error err;

    spec.input = input;
    spec.input_len = input ? strlen(input) : 0;
    pb_buf_init(&got_out, 1 << 20);
    pb_buf_init(&got_errors, 1 << 20);
    assert_ok(pb_task_run(&bench.host, &spec, &got_out, &got_errors, &end, &err), &err);
    if (out)
        assert_string_equal(pb_buf_string(&got_out), out);
    if (errors)
        assert_string_equal(pb_buf_string(&got_errors), errors);
    pb_buf_release(&got_out);
    pb_buf_release(&got_errors);
    return end;
}

TEST(output_errors_and_exit_code_arrive_as_they_were_written)
{
    struct pb_task_exit end =
        run("cat; echo out; echo err >&2; exit 7", "in\n", "in\nout\n", "err\n");

    assert_int_equal(end.code, 7);
    assert_int_equal(end.signal, 0);
    assert_int_equal(end.reason, PB_TASK_EXITED);
    assert_int_equal(end.leaked, 0);
    assert_true(end.started_ms > 0 && end.ended_ms >= end.started_ms);
}

TEST(the_environment_is_exactly_the_one_given)
{
    (void)setenv("POPPO_TEST_LEAK", "1", 1);
    (void)run("env | sort | grep -v -e ^_= -e ^PWD= -e ^SHLVL= -e ^OLDPWD=", NULL,
              "PATH=/usr/local/bin:/usr/bin:/bin\n", "");
}

TEST(a_task_sees_no_descriptors_but_its_three)
{
    (void)run("ls /proc/self/fd | tr '\\n' ' '", NULL, "0 1 2 3 ", "");
}

TEST(a_signal_of_its_own_is_told_as_a_signal)
{
    struct pb_task_exit end = run("kill -SEGV $$", NULL, "", NULL);

    assert_int_equal(end.code, -1);
    assert_int_equal(end.signal, SIGSEGV);
    assert_int_equal(end.reason, PB_TASK_EXITED);
}

TEST(what_a_task_leaves_behind_is_killed_and_counted)
{
    int64_t before = pb_clock_steady_ms();
    struct pb_task_exit end =
        run("setsid sleep 300 & setsid sh -c 'sleep 300 & exec sleep 300' &"
            "until [ $(cat /proc/[0-9]*/comm 2>/dev/null | grep -c sleep) -ge 3 ]; do :; done; "
            "echo done",
            NULL, "done\n", "");

    assert_int_equal(end.code, 0);
    assert_int_equal(end.leaked,
                     3); /* none of them waits: a parent may still reap while it is being killed */
    assert_true(pb_clock_steady_ms() - before < 10000);
}

TEST(a_program_that_does_not_exist_is_named)
{
    const char *const argv[] = {"/nowhere/claude", NULL};
    struct pb_task_spec spec = shell(argv);
    struct pb_task_exit end;
    struct pb_error err;

    assert_refused(pb_task_run(&bench.host, &spec, NULL, NULL, &end, &err), &err,
                   PB_ERROR_UNAVAILABLE);
    assert_string_equal(err.reason, "cli_missing");
    assert_non_null(strstr(err.message, "/nowhere/claude"));
}

TEST(a_missing_folder_is_not_a_missing_program)
{
    struct pb_task_spec spec = shell(SH("true"));
    struct pb_task_exit end;
    struct pb_error err;

    spec.cwd = "/nowhere";
    assert_refused(pb_task_run(&bench.host, &spec, NULL, NULL, &end, &err), &err,
                   PB_ERROR_UNAVAILABLE);
    assert_string_not_equal(err.reason, "cli_missing");
}

TEST(the_wall_clock_ends_a_task_that_ignores_its_term)
{
    struct pb_task_spec spec = shell(SH("trap '' TERM; while :; do sleep 0.05; done"));
    struct pb_task_exit end;
    struct pb_error err;
    int64_t before = pb_clock_steady_ms();

    spec.wall_ms = 300;
    spec.kill_grace_ms = 300;
    assert_refused(pb_task_run(&bench.host, &spec, NULL, NULL, &end, &err), &err, PB_ERROR_TIMEOUT);
    assert_true(pb_clock_steady_ms() - before >= 600);
    assert_true(pb_clock_steady_ms() - before < 8000);
}

TEST(too_much_output_ends_a_task)
{
    struct pb_task_spec spec = shell(SH("yes"));
    struct pb_task_exit end;
    struct pb_error err;

    spec.output_max = 1 << 20;
    assert_refused(pb_task_run(&bench.host, &spec, NULL, NULL, &end, &err), &err,
                   PB_ERROR_UNAVAILABLE);
    assert_string_equal(err.reason, "disk");
}

static bool stop_at_once(void *arg)
{
    return ++*(int *)arg > 2;
}

TEST(a_blocking_run_can_be_cancelled)
{
    struct pb_task_spec spec = shell(SH("sleep 300"));
    struct pb_task_exit end;
    struct pb_error err;
    int asked = 0;

    spec.should_stop = stop_at_once;
    spec.arg = &asked;
    assert_refused(pb_task_run(&bench.host, &spec, NULL, NULL, &end, &err), &err,
                   PB_ERROR_UNAVAILABLE);
    assert_string_equal(err.reason, "cancelled");
}

TEST(nothing_is_left_of_a_throw_away_run)
{
    DIR *dir;
    struct dirent *entry;
    int others = 0;

    (void)run("true", NULL, "", "");
    dir = opendir(bench.dirs.attempts);
    assert_non_null(dir);
    while ((entry = readdir(dir)))
        others += pb_text_starts(entry->d_name, "brief-");
    (void)closedir(dir);
    assert_int_equal(others, 0);
}

/* ---- tasks that outlive their starter ---- */

struct watcher {
    struct pb_loop *loop;
    struct pb_task *task;
    struct pb_buf out;
    struct pb_task_exit end;
    bool has_ended;
    void (*after_grew)(struct watcher *watcher);
};

static void on_grew(void *arg)
{
    struct watcher *watcher = arg;
    struct pb_error err;
    char data[4096];
    ssize_t n;

    while ((n = pb_task_read(watcher->task, PB_TASK_OUTPUT, watcher->out.len, data, sizeof(data),
                             &err)) > 0)
        pb_buf_bytes(&watcher->out, data, (size_t)n);
    if (watcher->after_grew)
        watcher->after_grew(watcher);
}

static void on_ended(void *arg, const struct pb_task_exit *end)
{
    struct watcher *watcher = arg;

    watcher->end = *end;
    watcher->has_ended = true;
    pb_loop_stop(watcher->loop);
}

static void on_deadline(void *arg)
{
    struct watcher *watcher = arg;

    pb_loop_stop(watcher->loop);
}

static void watch_to_the_end(struct watcher *watcher, struct pb_task *task)
{
    static const struct pb_task_events EVENTS = {on_grew, on_ended};
    struct pb_loop_timer *deadline;
    struct pb_error err;

    watcher->task = task;
    pb_buf_init(&watcher->out, 8 << 20);
    watcher->loop = pb_loop_new(&err);
    assert_non_null(watcher->loop);
    deadline = pb_loop_timer_start(watcher->loop, DEADLINE_MS, 0, on_deadline, watcher);
    assert_ok(pb_task_watch(task, watcher->loop, &EVENTS, watcher, &err), &err);
    pb_loop_run(watcher->loop);
    pb_loop_timer_cancel(&deadline);
    pb_task_close(task);
    pb_loop_free(watcher->loop);
    assert_true(watcher->has_ended);
}

static pid_t shim_of(const char *rundir, const char *member)
{
    char path[PB_PROJECT_PATH_TEXT + 16];
    struct pb_json *json;
    struct pb_error err;
    struct pb_buf text;
    pid_t pid;

    (void)snprintf(path, sizeof(path), "%s/state.json", rundir);
    pb_buf_init(&text, 8192);
    assert_ok(pb_fs_read(AT_FDCWD, path, &text, &err), &err);
    json = pb_json_parse(pb_buf_string(&text), text.len, &err);
    assert_non_null(json);
    pid = (pid_t)pb_json_int(json, member, 0);
    pb_json_free(json);
    pb_buf_release(&text);
    assert_true(pid > 1);
    return pid;
}

static void wait_gone(pid_t pid, int64_t patience_ms)
{
    int64_t deadline = pb_clock_steady_ms() + patience_ms;
    char path[64];
    struct pb_buf text;
    struct pb_error err;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    for (bool is_there = true; is_there;) {
        pb_buf_init(&text, 4096);
        is_there =
            pb_fs_read(AT_FDCWD, path, &text, &err) == 0 && !strstr(pb_buf_string(&text), ") Z ");
        pb_buf_release(&text);
        if (is_there && pb_clock_steady_ms() > deadline)
            fail_msg("process %d is still there after %lld ms", pid, (long long)patience_ms);
        (void)poll(NULL, 0, 5);
    }
}

TEST(a_task_is_found_again_after_its_starter_was_killed)
{
    struct watcher watcher = {0};
    char rundir[PB_PROJECT_PATH_TEXT];
    struct pb_task *task;
    struct pb_error err;
    int status;
    pid_t starter;

    rundir_named("adopted", rundir);
    starter = fork();
    if (starter == 0) {
        struct pb_task_spec spec =
            shell(SH("for i in 1 2 3 4 5 6; do echo line $i; sleep 0.1; done; exit 5"));

        spec.rundir = rundir;
        if (pb_task_start(&bench.host, &spec, &task, &err) < 0)
            _exit(1);
        (void)kill(getpid(), SIGKILL);
    }
    assert_int_equal(waitpid(starter, &status, 0), starter);
    assert_true(WIFSIGNALED(status));
    assert_ok(pb_task_adopt(&bench.host, rundir, &task, &err), &err);
    watch_to_the_end(&watcher, task);
    assert_int_equal(watcher.end.code, 5);
    assert_string_equal(pb_buf_string(&watcher.out),
                        "line 1\nline 2\nline 3\nline 4\nline 5\nline 6\n");
    pb_buf_release(&watcher.out);
}

TEST(a_task_that_ended_meanwhile_is_read_from_its_files)
{
    struct watcher watcher = {0};
    struct pb_task_spec spec = shell(SH("echo over; exit 3"));
    char rundir[PB_PROJECT_PATH_TEXT];
    struct pb_task *task;
    struct pb_error err;

    rundir_named("ended", rundir);
    spec.rundir = rundir;
    assert_ok(pb_task_start(&bench.host, &spec, &task, &err), &err);
    wait_gone(shim_of(rundir, "shim"), 10000);
    pb_task_close(task);
    assert_ok(pb_task_adopt(&bench.host, rundir, &task, &err), &err);
    watch_to_the_end(&watcher, task);
    assert_int_equal(watcher.end.code, 3);
    assert_string_equal(pb_buf_string(&watcher.out), "over\n");
    pb_buf_release(&watcher.out);
    assert_refused(pb_task_start(&bench.host, &spec, &task, &err), &err, PB_ERROR_UNAVAILABLE);
    assert_string_equal(err.reason, "already_started");
}

TEST(a_run_directory_that_was_never_used_can_be_started)
{
    char rundir[PB_PROJECT_PATH_TEXT];
    struct pb_task *task;
    struct pb_error err;

    rundir_named("fresh", rundir);
    assert_refused(pb_task_adopt(&bench.host, rundir, &task, &err), &err, PB_ERROR_NOT_FOUND);
    assert_int_equal(mkdir(rundir, 0700), 0);
    assert_refused(pb_task_adopt(&bench.host, rundir, &task, &err), &err, PB_ERROR_NOT_FOUND);
}

static bool is_plain(const char *rundir)
{
    char path[PB_PROJECT_PATH_TEXT + 16];
    struct pb_error err;
    struct pb_buf text;
    bool found;

    (void)snprintf(path, sizeof(path), "%s/state.json", rundir);
    pb_buf_init(&text, 8192);
    assert_ok(pb_fs_read(AT_FDCWD, path, &text, &err), &err);
    found = strstr(pb_buf_string(&text), "\"box\":\"plain\"") != NULL;
    pb_buf_release(&text);
    return found;
}

TEST(a_task_neither_sees_nor_harms_processes_outside_its_box)
{
    struct watcher watcher = {0};
    struct pb_task_spec spec = shell(
        SH("read go; test $(ls -d /proc/[0-9]* | wc -l) -lt 12 || exit 8; kill -9 1; kill -STOP 1;"
           "cat /proc/1/environ >/dev/null 2>&1 && exit 9; exit 0"));
    char rundir[PB_PROJECT_PATH_TEXT];
    struct pb_task *task;
    struct pb_error err;
    bool plain;

    rundir_named("walls", rundir);
    spec.rundir = rundir;
    assert_ok(pb_task_start(&bench.host, &spec, &task, &err), &err);
    plain = is_plain(rundir);
    watch_to_the_end(&watcher, task);
    pb_buf_release(&watcher.out);
    if (plain)
        skip(); /* no namespaces for this user here */
    assert_int_equal(watcher.end.code, 0);
}

static void kill_shim(struct watcher *watcher)
{
    char rundir[PB_PROJECT_PATH_TEXT];

    watcher->after_grew = NULL;
    rundir_named("killed", rundir);
    (void)kill(shim_of(rundir, "shim"), SIGKILL);
}

TEST(everything_in_the_box_dies_within_a_second_of_its_shim)
{
    struct watcher watcher = {.after_grew = kill_shim};
    struct pb_task_spec spec = shell(SH("setsid sleep 301 & echo $$; exec sleep 302"));
    char rundir[PB_PROJECT_PATH_TEXT];
    struct pb_task *task;
    struct pb_error err;
    pid_t keeper;

    rundir_named("killed", rundir);
    spec.rundir = rundir;
    assert_ok(pb_task_start(&bench.host, &spec, &task, &err), &err);
    keeper = shim_of(rundir, "child");
    watch_to_the_end(&watcher, task);
    assert_int_equal(watcher.end.reason, PB_TASK_LOST);
    wait_gone(keeper, 1000); /* and with the first process of a PID namespace all the others */
    assert_ok(pb_task_adopt(&bench.host, rundir, &task, &err), &err);
    pb_buf_release(&watcher.out);
    watcher = (struct watcher){0};
    watch_to_the_end(&watcher, task);
    assert_int_equal(watcher.end.reason, PB_TASK_LOST);
    pb_buf_release(&watcher.out);
}

static void kill_who_writes(void *which, const char *data, size_t len)
{
    char rundir[PB_PROJECT_PATH_TEXT];

    (void)data;
    (void)len;
    rundir_named("cut", rundir);
    (void)kill(shim_of(rundir, which), SIGKILL);
}

TEST(a_command_that_was_killed_from_outside_is_interrupted_and_says_nothing_else)
{
    static const char *const VICTIMS[] = {"shim", "child"};

    for (size_t i = 0; i < 2; i++) {
        struct pb_task_spec spec = shell(SH("echo up >&2; exec sleep 303"));
        char rundir[PB_PROJECT_PATH_TEXT];
        struct pb_task_exit exit;
        struct pb_error err;

        rundir_named("cut", rundir);
        spec.rundir = rundir;
        spec.wall_ms = 60000;
        spec.errors_grew = kill_who_writes;
        spec.arg = (void *)(uintptr_t)VICTIMS[i];
        assert_int_equal(pb_task_run(&bench.host, &spec, NULL, NULL, &exit, &err), -1);
        assert_string_equal(err.reason, PB_TASK_INTERRUPTED);
        assert_ok(pb_fs_remove_tree(AT_FDCWD, rundir, &err), &err);
    }
}

static void interrupt(struct watcher *watcher)
{
    struct pb_error err;

    if (!strstr(pb_buf_string(&watcher->out), "ready"))
        return;
    watcher->after_grew = NULL;
    assert_ok(pb_task_signal(watcher->task, PB_TASK_INT, &err), &err);
}

TEST(an_interrupt_reaches_the_task_itself)
{
    struct watcher watcher = {.after_grew = interrupt};
    struct pb_task_spec spec =
        shell(SH("trap 'echo got it; exit 0' INT; echo ready; while :; do sleep 0.05; done"));
    char rundir[PB_PROJECT_PATH_TEXT];
    struct pb_task *task;
    struct pb_error err;

    rundir_named("interrupted", rundir);
    spec.rundir = rundir;
    assert_ok(pb_task_start(&bench.host, &spec, &task, &err), &err);
    watch_to_the_end(&watcher, task);
    assert_string_equal(pb_buf_string(&watcher.out), "ready\ngot it\n");
    assert_int_equal(watcher.end.reason, PB_TASK_ASKED);
    assert_int_equal(watcher.end.code, 0);
    pb_buf_release(&watcher.out);
}

TEST(the_shim_keeps_a_listener_open_and_gives_it_back)
{
    struct pb_task_spec spec = shell(SH("sleep 300"));
    char rundir[PB_PROJECT_PATH_TEXT];
    struct pb_task *task;
    struct pb_error err;
    struct stat given;
    struct stat got;
    int pair[2];
    int back;

    assert_ok(pb_fd_pair(SOCK_STREAM, pair, &err), &err);
    rundir_named("listener", rundir);
    spec.rundir = rundir;
    spec.listener = pair[0];
    assert_ok(pb_task_start(&bench.host, &spec, &task, &err), &err);
    back = pb_task_listener(task, &err);
    assert_true(back >= 0);
    assert_int_equal(fstat(pair[0], &given), 0);
    assert_int_equal(fstat(back, &got), 0);
    assert_int_equal(given.st_ino, got.st_ino);
    assert_ok(pb_task_signal(task, PB_TASK_KILL, &err), &err);
    wait_gone(shim_of(rundir, "shim"), 10000);
    assert_ok(pb_task_signal(task, PB_TASK_KILL, &err), &err); /* of one that is gone: success */
    pb_task_close(task);
    pb_close(&back);
    pb_close(&pair[0]);
    pb_close(&pair[1]);
}

TEST(a_megabyte_a_line_at_a_time_arrives_whole_and_in_order)
{
    struct watcher watcher = {0};
    struct pb_task_spec spec = shell(SH("seq 1 100000"));
    char rundir[PB_PROJECT_PATH_TEXT];
    struct pb_task *task;
    struct pb_error err;
    char *at;

    rundir_named("long", rundir);
    spec.rundir = rundir;
    assert_ok(pb_task_start(&bench.host, &spec, &task, &err), &err);
    watch_to_the_end(&watcher, task);
    at = watcher.out.data;
    for (unsigned long i = 1; i <= 100000; i++) {
        assert_int_equal(strtoul(at, &at, 10), i);
        assert_int_equal(*at++, '\n');
    }
    assert_int_equal(*at, '\0');
    pb_buf_release(&watcher.out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(output_errors_and_exit_code_arrive_as_they_were_written),
        cmocka_unit_test(the_environment_is_exactly_the_one_given),
        cmocka_unit_test(a_task_sees_no_descriptors_but_its_three),
        cmocka_unit_test(a_signal_of_its_own_is_told_as_a_signal),
        cmocka_unit_test(what_a_task_leaves_behind_is_killed_and_counted),
        cmocka_unit_test(a_task_neither_sees_nor_harms_processes_outside_its_box),
        cmocka_unit_test(a_program_that_does_not_exist_is_named),
        cmocka_unit_test(a_missing_folder_is_not_a_missing_program),
        cmocka_unit_test(the_wall_clock_ends_a_task_that_ignores_its_term),
        cmocka_unit_test(too_much_output_ends_a_task),
        cmocka_unit_test(a_blocking_run_can_be_cancelled),
        cmocka_unit_test(nothing_is_left_of_a_throw_away_run),
        cmocka_unit_test(a_task_is_found_again_after_its_starter_was_killed),
        cmocka_unit_test(a_task_that_ended_meanwhile_is_read_from_its_files),
        cmocka_unit_test(a_run_directory_that_was_never_used_can_be_started),
        cmocka_unit_test(everything_in_the_box_dies_within_a_second_of_its_shim),
        cmocka_unit_test(
            a_command_that_was_killed_from_outside_is_interrupted_and_says_nothing_else),
        cmocka_unit_test(an_interrupt_reaches_the_task_itself),
        cmocka_unit_test(the_shim_keeps_a_listener_open_and_gives_it_back),
        cmocka_unit_test(a_megabyte_a_line_at_a_time_arrives_whole_and_in_order),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
