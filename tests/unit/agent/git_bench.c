#include "git_bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/text.h"
#include "run_process.h"

enum { TASK_UID = 54321, SCRIPT_MAX = 16 << 10 };

static bool is_root(void)
{
    return geteuid() == 0;
}

/* ---- what agent/step.h promises ---- */

const struct pb_attempt_plan *pb_step_plan(const struct pb_step *step)
{
    return &step->plan;
}

const struct pb_project_dirs *pb_step_dirs(const struct pb_step *step)
{
    return &step->bench->dirs;
}

const struct pb_task_host *pb_step_task_host(const struct pb_step *step)
{
    return &step->host;
}

const char *pb_step_attempt_dir(const struct pb_step *step)
{
    return step->attempt_dir;
}

bool pb_step_cancelled(const struct pb_step *step)
{
    return step->cancelled;
}

struct pb_mask *pb_step_mask(const struct pb_step *step)
{
    return step->mask;
}

void pb_step_log(struct pb_step *step, char stream, const char *fmt, ...)
{
    char line[2000];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    pthread_mutex_lock(&step->lock);
    pb_buf_format(&step->log, "%c %s\n", stream, line);
    pthread_mutex_unlock(&step->lock);
}

int pb_step_credential(struct pb_step *step, const char *purpose,
                       struct pb_credential *ret_credential, struct pb_error *err)
{
    if (step->push_denied && strcmp(purpose, "git_push") == 0)
        return pb_fail_reason(err, PB_ERROR_DENIED, step->push_denied, "not yours any more");
    ret_credential->username = strdup("x-access-token");
    ret_credential->secret = strdup(step->token);
    return pb_mask_add(step->mask, step->token, err);
}

void pb_credential_release(struct pb_credential *credential)
{
    free(credential->username);
    free(credential->secret);
    *credential = (struct pb_credential){0};
}

/* ---- and agent/task.h, without a shim ---- */

int pb_task_run(const struct pb_task_host *host, const struct pb_task_spec *spec,
                struct pb_buf *ret_out, struct pb_buf *ret_err, struct pb_task_exit *ret_exit,
                struct pb_error *err)
{
    struct pb_process_spec process = {
        .argv = spec->argv,
        .envp = spec->envp,
        .cwd = spec->cwd,
        .new_session = true,
        .set_ids = is_root(),
        .uid = host->dirs->task_uid,
        .gid = host->dirs->gid,
    };
    struct pb_buf input = {0};
    int status;

    if (spec->input) {
        pb_buf_init(&input, 1 << 20);
        pb_buf_bytes(&input, spec->input, spec->input_len);
    }
    status = run_process(&process, spec->input ? &input : NULL, ret_out, ret_err);
    pb_buf_release(&input);
    if (ret_out && pb_buf_failed(ret_out))
        return pb_fail(err, PB_ERROR_TOO_LARGE, "it printed more than %zu bytes", ret_out->max);
    *ret_exit = (struct pb_task_exit){
        .code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
        .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
    };
    return 0;
}

/* ---- scripts ---- */

static void run_script(const struct bench *bench, bool as_task_user, struct pb_buf *out,
                       const char *script)
{
    static const char *const ENVP[] = {"PATH=/usr/local/bin:/usr/bin:/bin",
                                       "HOME=/nonexistent",
                                       "GIT_CONFIG_NOSYSTEM=1",
                                       "GIT_CONFIG_GLOBAL=/dev/null",
                                       "GIT_AUTHOR_NAME=Alice",
                                       "GIT_AUTHOR_EMAIL=alice@example.invalid",
                                       "GIT_COMMITTER_NAME=Alice",
                                       "GIT_COMMITTER_EMAIL=alice@example.invalid",
                                       NULL};
    const char *const argv[] = {"/bin/sh", "-euc", script, NULL};
    struct pb_process_spec spec = {
        .argv = argv,
        .envp = ENVP,
        .cwd = bench->dir,
        .set_ids = as_task_user && is_root(),
        .uid = TASK_UID,
        .gid = TASK_UID,
    };
    struct pb_buf errors;

    pb_buf_init(&errors, 64 << 10);
    if (run_process(&spec, NULL, out, &errors) != 0)
        fail_msg("%s\n%s", script, pb_buf_string(&errors));
    pb_buf_release(&errors);
}

#define FORMAT_SCRIPT(script, fmt)                           \
    do {                                                     \
        va_list args_;                                       \
        va_start(args_, fmt);                                \
        (void)vsnprintf(script, sizeof(script), fmt, args_); \
        va_end(args_);                                       \
    } while (0)

void as_task(const struct bench *bench, const char *fmt, ...)
{
    char script[SCRIPT_MAX];

    FORMAT_SCRIPT(script, fmt);
    run_script(bench, true, NULL, script);
}

void as_us(const struct bench *bench, const char *fmt, ...)
{
    char script[SCRIPT_MAX];

    FORMAT_SCRIPT(script, fmt);
    run_script(bench, false, NULL, script);
}

const char *says(const struct bench *bench, const char *fmt, ...)
{
    static char line[4096];
    char script[SCRIPT_MAX];
    struct pb_buf out;

    FORMAT_SCRIPT(script, fmt);
    pb_buf_init(&out, 1 << 20);
    run_script(bench, false, &out, script);
    (void)snprintf(line, sizeof(line), "%.*s", (int)strcspn(pb_buf_string(&out), "\n"),
                   pb_buf_string(&out));
    pb_buf_release(&out);
    return line;
}

/* ---- the bench ---- */

static void make_folders(struct bench *bench)
{
    struct pb_project_place place = {.data_dir = bench->dir,
                                     .project = "site",
                                     .slot = 1,
                                     .port_base = 4001};
    struct pb_error err = {0};

    assert_ok(pb_project_dirs_name(&place, &bench->dirs, &err), &err);
    assert_ok(pb_project_dirs_make(&bench->dirs, &err), &err);
    if (is_root()) {
        bench->dirs.task_uid = bench->dirs.gid = TASK_UID;
        as_us(bench,
              "chmod 755 . projects; cd projects/site; chmod 755 .; chown %d:%d workspace temp "
              "data/home; chgrp %d data data/attempts; chmod 2770 workspace temp; "
              "chmod 2750 data data/attempts; chmod 770 data/home",
              TASK_UID, TASK_UID, TASK_UID);
    }
}

static void start_server(struct bench *bench)
{
    const char *const argv[] = {"/usr/bin/python3", TEST_SOURCE "/git_http.py", bench->origin,
                                BENCH_TOKEN, NULL};
    static const char *const ENVP[] = {"PATH=/usr/local/bin:/usr/bin:/bin", NULL};
    struct pb_error err = {0};
    int in[2], out[2];
    char line[16] = {0};
    uint64_t port = 0;

    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    {
        const struct pb_process_fd fds[] = {{in[0], 0}, {out[1], 1}, {2, 2}};
        struct pb_process_spec spec = {.argv = argv,
                                       .envp = ENVP,
                                       .cwd = "/",
                                       .fds = fds,
                                       .fd_count = 3,
                                       .die_with_parent = true};
        assert_ok(pb_process_spawn(&spec, &bench->server, &err), &err);
    }
    close(in[0]);
    close(out[1]);
    bench->server_input = in[1];
    assert_true(read(out[0], line, sizeof(line) - 1) > 1);
    close(out[0]);
    line[strcspn(line, "\n")] = '\0';
    assert_true(pb_parse_u64(line, 65535, &port));
    bench->server_port = (int)port;
    (void)snprintf(bench->url, sizeof(bench->url), "http://127.0.0.1:%d/site.git",
                   bench->server_port);
}

void bench_open(struct bench *bench)
{
    *bench = (struct bench){0};
    (void)snprintf(bench->dir, sizeof(bench->dir), "/tmp/poppo-git-XXXXXX");
    assert_non_null(mkdtemp(bench->dir));
    (void)snprintf(bench->origin, sizeof(bench->origin), "%s/origin", bench->dir);
    make_folders(bench);
    as_us(bench,
          "mkdir -m 700 origin; cd origin; git init -q --bare -b main site.git; "
          "git init -q --bare -b main empty.git; git init -q -b main ../work; cd ../work; "
          "chmod 700 .; mkdir -p .github/workflows src; echo on: push > .github/workflows/ci.yml; "
          "echo '# Notes' > CLAUDE.md; echo hello > README.md; echo 1 > src/a; "
          "git add -A; git commit -qm first; git push -q ../origin/site.git main main:other; "
          "touch ../origin/requests");
    start_server(bench);
}

void bench_close(struct bench *bench)
{
    struct pb_error err = {0};
    int status;

    close(bench->server_input);
    assert_ok(pb_process_wait(&bench->server, &status, &err), &err);
    assert_ok(pb_fs_remove_tree(AT_FDCWD, bench->dir, &err), &err);
}

void step_open(struct pb_step *step, const struct bench *bench, const char *item, int attempt)
{
    struct pb_error err = {0};

    *step = (struct pb_step){.bench = bench, .token = BENCH_TOKEN};
    step->host.dirs = &bench->dirs;
    step->mask = pb_mask_new();
    assert_non_null(step->mask);
    assert_ok(pb_mask_add(step->mask, BENCH_SECRET, &err), &err);
    pb_arena_init(&step->arena, 1 << 20);
    pb_buf_init(&step->log, 1 << 20);
    pthread_mutex_init(&step->lock, NULL);
    (void)snprintf(step->name, sizeof(step->name), "%s.%d", item, attempt);
    (void)snprintf(step->attempt_dir, sizeof(step->attempt_dir), "%s/%s", bench->dirs.attempts,
                   step->name);
    if (mkdir(step->attempt_dir, 0750) == 0)
        as_us(bench,
              "cd '%s'; chgrp %d .; chmod 750 .; mkdir exchange; chgrp %d exchange; chmod 770 "
              "exchange",
              step->attempt_dir, (int)bench->dirs.gid, (int)bench->dirs.gid);
    step->plan = (struct pb_attempt_plan){
        .name = step->name,
        .item = item,
        .number = 12,
        .title = "Fix the \x1b greeting",
        .requested_by = "alice",
        .repo = {.url = bench->url,
                 .base_branch = "main",
                 .branch = "poppo/issue-12",
                 .default_branch = "main"},
        .author_name = "poppo[bot]",
        .author_email = "poppo@example.invalid",
    };
}

void step_close(struct pb_step *step)
{
    pb_mask_free(step->mask);
    pb_arena_release(&step->arena);
    pb_buf_release(&step->log);
    pthread_mutex_destroy(&step->lock);
}

struct pb_workspace *prepare(struct pb_step *step)
{
    struct pb_workspace *workspace = NULL;
    struct pb_error err = {0};

    if (pb_workspace_prepare(step, &step->arena, &workspace, &err) < 0)
        fail_msg("prepare: %s [%s]\n%s", err.message, err.reason, pb_buf_string(&step->log));
    return workspace;
}

struct pb_publication publish(struct pb_step *step, const struct pb_workspace *workspace)
{
    struct pb_publication publication;
    struct pb_error err = {0};
    bool has_commits = false;

    assert_ok(pb_workspace_wrap_up(step, workspace, &has_commits, &err), &err);
    assert_true(has_commits);
    if (pb_publish(step, workspace, &step->arena, &publication, &err) < 0)
        fail_msg("publish: %s [%s]\n%s", err.message, err.reason, pb_buf_string(&step->log));
    return publication;
}
