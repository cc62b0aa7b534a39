#include "agent/git_command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/git_progress.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/fs.h"
#include "base/process.h"
#include "base/text.h"

enum {
    LOOK_EVERY_MS = 200, /* for cancellation */
    CONFIGS_MAX = 48,
    STEP_BYTES = 32 << 10,
    WORDS_MAX = 30, /* lines of git's own words in the log of a failed attempt */
};

/* What holds for every git we start. */
static const char *const CONFIG[][2] = {
    {"core.hooksPath", "/dev/null"},
    {"core.fsmonitor", "false"},
    {"core.untrackedCache", "false"},
    {"core.packedGitLimit", "1g"}, /* within the bounds below */
    {"core.packedGitWindowSize", "64m"},
    {"credential.helper", ""},
    {"protocol.allow", "never"},
    {"submodule.recurse", "false"},
    {"fetch.recurseSubmodules", "false"},
    {"push.recurseSubmodules", "no"},
    {"transfer.fsckObjects", "true"},
    {"safe.bareRepository", "explicit"},
    {"http.followRedirects", "initial"},
    {"http.lowSpeedLimit", "1000"},
    {"http.lowSpeedTime", "120"},
    {"gc.auto", "0"},
    {"maintenance.auto", "false"},
    {"commit.gpgSign", "false"},
    {"tag.gpgSign", "false"},
    {"push.gpgSign", "false"},
    {"core.protectHFS", "true"},
    {"core.protectNTFS", "true"},
    {"init.defaultBranch", "main"},
    {"advice.detachedHead", "false"},
    {"advice.addEmbeddedRepo", "false"},
    {"color.ui", "false"},
    {"log.showSignature", "false"},
};

static const char *const ENVIRONMENT[] = {
    "PATH=/usr/local/bin:/usr/bin:/bin",
    "LANG=C.UTF-8",
    "LC_ALL=C.UTF-8",
    "LANGUAGE=C", /* its words are read below */
    "GIT_TERMINAL_PROMPT=0",
    "GIT_ASKPASS=/bin/false",
    "GIT_CONFIG_NOSYSTEM=1",
    "GIT_LFS_SKIP_SMUDGE=1",
    "GIT_OPTIONAL_LOCKS=0",
    "GIT_ADVICE=0",
    "GIT_PROTOCOL=version=2",
    "GIT_PAGER=cat",
};

/* For what strangers packed: 4 GiB of address space (git maps packs), 2 GiB per file, 10 minutes of processor. */
static const char *const BOUNDS[] = {"/usr/bin/prlimit", "--as=4294967296", "--fsize=2147483648",
                                     "--cpu=600",        "--core=0",        "--"};

/* Lists with sticky failure. */
struct list {
    struct pb_arena *arena;
    const char *items[PB_GIT_ARGUMENTS_MAX + 3 * CONFIGS_MAX];
    size_t count;
    bool failed;
};

static void add(struct list *list, const char *text)
{
    if (!text || list->count + 1 >= sizeof(list->items) / sizeof(list->items[0]))
        list->failed = true;
    else
        list->items[list->count++] = text;
}

struct config {
    struct list *envp;
    unsigned count;
};

static void set_config(struct config *config, const char *key, const char *value)
{
    struct list *envp = config->envp;

    add(envp, pb_arena_format(envp->arena, "GIT_CONFIG_KEY_%u=%s", config->count, key));
    add(envp, pb_arena_format(envp->arena, "GIT_CONFIG_VALUE_%u=%s", config->count, value));
    config->count++;
}

/* Basic with "x-access-token", as GitHub wants it for every kind of token. */
static int set_credential(struct config *config, const struct pb_git_command *command,
                          struct pb_error *err)
{
    const struct pb_credential *credential = command->credential;
    const char *user =
        credential->username && credential->username[0] ? credential->username : "x-access-token";
    char origin[512], key[600];
    struct pb_buf plain, header;

    if (pb_git_origin(command->url, origin, err) < 0)
        return -1;
    (void)snprintf(key, sizeof(key), "http.%s.extraHeader", origin);
    pb_buf_init(&plain, 16 << 10);
    pb_buf_init(&header, 32 << 10);
    plain.secret = header.secret = true;
    pb_buf_format(&plain, "%s:%s", user, credential->secret);
    pb_buf_text(&header, "Authorization: Basic ");
    pb_buf_base64(&header, plain.data, plain.len);
    set_config(config, key, pb_buf_string(&header));
    pb_buf_release(&plain);
    pb_buf_release(&header);
    return 0;
}

static void set_protocol(struct config *config, const struct pb_git_command *command)
{
    if (command->protocol == PB_GIT_FILE)
        set_config(config, "protocol.file.allow", "always");
    else if (command->protocol == PB_GIT_HTTP)
        set_config(config,
                   pb_text_starts(command->url, "https:") ? "protocol.https.allow"
                                                          : "protocol.http.allow",
                   "always");
}

static int build_environment(struct list *envp, const struct pb_git_command *command,
                             const char *home, struct pb_error *err)
{
    struct config config = {.envp = envp};

    for (size_t i = 0; i < sizeof(ENVIRONMENT) / sizeof(ENVIRONMENT[0]); i++)
        add(envp, ENVIRONMENT[i]);
    add(envp, pb_arena_format(envp->arena, "HOME=%s", home));
    for (size_t i = 0; i < sizeof(CONFIG) / sizeof(CONFIG[0]); i++)
        set_config(&config, CONFIG[i][0], CONFIG[i][1]);
    set_protocol(&config, command);
    if (command->protocol == PB_GIT_HTTP && command->credential &&
        set_credential(&config, command, err) < 0)
        return -1;
    add(envp, pb_arena_format(envp->arena, "GIT_CONFIG_COUNT=%u", config.count));
    return 0;
}

static void build_arguments(struct list *argv, const struct pb_git_command *command)
{
    if (command->is_bounded)
        for (size_t i = 0; i < sizeof(BOUNDS) / sizeof(BOUNDS[0]); i++)
            add(argv, BOUNDS[i]);
    add(argv, "git");
    if (command->git_dir) {
        add(argv, pb_arena_format(argv->arena, "--git-dir=%s", command->git_dir));
        add(argv, "--no-replace-objects");
    }
    for (size_t i = 0; command->args[i]; i++)
        add(argv, command->args[i]);
}

/* The last thing git said that explains something. */
static const char *explanation(const char *errors, size_t *ret_len)
{
    static const char *const STARTS[] = {"! [", "fatal: ", "error: ", "remote: "};
    const char *best = errors;

    for (size_t i = 0; i < sizeof(STARTS) / sizeof(STARTS[0]); i++) {
        const char *found = strstr(errors, STARTS[i]);
        if (found) {
            best = found;
            break;
        }
    }
    *ret_len = strcspn(best, "\n");
    return best;
}

/* All of it is for the log. */
static void log_words(struct pb_step *step, const struct pb_git_command *command,
                      const char *errors)
{
    for (unsigned lines = 0; *errors && lines < WORDS_MAX; lines++) {
        size_t len = strcspn(errors, "\r\n");
        if (len > 0)
            pb_step_log(step, 'e', "git %s: %.*s", command->args[0], (int)len, errors);
        errors += len;
        errors += strspn(errors, "\r\n");
    }
}

static int fail_with_words(struct pb_step *step, const struct pb_git_command *command,
                           const char *errors, int code, struct pb_error *err)
{
    bool is_push = pb_text_equal(command->args[0], "push");
    size_t len;
    const char *words = explanation(errors, &len);

    log_words(step, command, errors);
    len = pb_utf8_cut(words, len, 300);
    return pb_fail_reason(err, PB_ERROR_UNPROCESSABLE, pb_git_failure_kind(errors, is_push),
                          "git %s: %.*s%s", command->args[0], (int)len, words,
                          len          ? ""
                          : code > 128 ? "ended by a signal"
                                       : "failed without a word");
}

static int note_end(struct pb_step *step, const struct pb_git_command *command,
                    const struct pb_buf *errors, int code, int *ret_code, struct pb_error *err)
{
    if (ret_code)
        *ret_code = code;
    return code == 0 || ret_code ? 0
                                 : fail_with_words(step, command, pb_buf_string(errors), code, err);
}

/* As the runner's user. */

struct run {
    struct pb_step *step;
    const struct pb_git_command *command;
    struct pb_process process;
    struct pb_process_fd fds[3];
    int out, errors;    /* our ends */
    struct pb_buf said; /* standard error */
    struct pb_git_progress progress;
    int64_t deadline_ms;
};

static int open_pipe(int *ret_ours, struct pb_process_fd *theirs, int number, struct pb_error *err)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return pb_fail_errno(err, "pipe");
    *theirs = (struct pb_process_fd){.from = ends[1], .to = number};
    *ret_ours = ends[0];
    return fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0 ? pb_fail_errno(err, "pipe") : 0;
}

/* Memory that reads like a file: git may read it when it likes, or not at all. */
static int open_input(const struct pb_buf *input, struct pb_process_fd *theirs,
                      struct pb_error *err)
{
    int fd = memfd_create("git-input", MFD_CLOEXEC);

    *theirs = (struct pb_process_fd){.from = fd, .to = 0};
    if (fd < 0)
        return pb_fail_errno(err, "memfd");
    if (input && pb_fs_write_all(fd, pb_buf_string(input), input->len, err) < 0)
        return -1;
    return lseek(fd, 0, SEEK_SET) < 0 ? pb_fail_errno(err, "memfd") : 0;
}

static int start(struct run *run, struct list *argv, struct list *envp, struct pb_error *err)
{
    struct pb_process_spec spec = {
        .argv = argv->items,
        .envp = envp->items,
        .cwd = "/",
        .fds = run->fds,
        .fd_count = 3,
        .new_session = true,
        .die_with_parent = true,
    };
    int r = -1;

    run->fds[0].from = run->fds[1].from = run->fds[2].from = -1;
    if (open_input(run->command->input, &run->fds[0], err) == 0 &&
        open_pipe(&run->out, &run->fds[1], 1, err) == 0 &&
        open_pipe(&run->errors, &run->fds[2], 2, err) == 0)
        r = pb_process_spawn(&spec, &run->process, err);
    for (size_t i = 0; i < 3; i++)
        pb_close(&run->fds[i].from);
    return r;
}

static int take_output(struct run *run, const char *data, size_t len, struct pb_error *err)
{
    const struct pb_git_command *command = run->command;

    if (command->on_output)
        return command->on_output(command->arg, data, len, err) ? 0 : -1;
    if (!command->ret_out)
        return 0;
    pb_buf_bytes(command->ret_out, data, len);
    return pb_buf_failed(command->ret_out) ? pb_fail_reason(err, PB_ERROR_TOO_LARGE, "workspace",
                                                            "git %s printed more than %zu bytes",
                                                            command->args[0], command->ret_out->max)
                                           : 0;
}

static void take_errors(struct run *run, const char *data, size_t len)
{
    size_t room = run->said.max - run->said.len;

    pb_buf_bytes(&run->said, data, len < room ? len : room);
    if (run->command->has_progress)
        pb_git_progress_feed(&run->progress, data, len);
}

/* Everything that is there for now. */
static int drain(struct run *run, int *fd, struct pb_error *err)
{
    char data[STEP_BYTES];

    while (*fd >= 0) {
        ssize_t got = read(*fd, data, sizeof(data));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            return 0;
        if (got <= 0)
            pb_close(fd);
        else if (fd == &run->errors)
            take_errors(run, data, (size_t)got);
        else if (take_output(run, data, (size_t)got, err) < 0)
            return -1;
    }
    return 0;
}

static int check_patience(const struct run *run, struct pb_error *err)
{
    if (pb_step_cancelled(run->step))
        return pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "cancelled", "cancelled");
    if (pb_clock_steady_ms() >= run->deadline_ms)
        return pb_fail_reason(err, PB_ERROR_TIMEOUT,
                              run->command->protocol == PB_GIT_HTTP ? "network" : "workspace",
                              "git %s took too long", run->command->args[0]);
    return 0;
}

static int watch(struct run *run, struct pb_error *err)
{
    for (;;) {
        struct pollfd polled[] = {
            {.fd = run->out, .events = POLLIN},
            {.fd = run->errors, .events = POLLIN},
            {.fd = run->process.pidfd, .events = POLLIN},
        };
        if (check_patience(run, err) < 0)
            return -1;
        if (poll(polled, 3, LOOK_EVERY_MS) < 0 && errno != EINTR)
            return pb_fail_errno(err, "poll");
        if (drain(run, &run->out, err) < 0 || drain(run, &run->errors, err) < 0)
            return -1;
        if (polled[2].revents) /* it had ended before that last look */
            return 0;
    }
}

/* Also its helpers, which are in its session. */
static void stop(struct run *run)
{
    (void)kill(-run->process.pid, SIGKILL);
    pb_process_signal(&run->process, SIGKILL);
}

static void wipe_environment(struct list *envp)
{
    for (size_t i = 0; i < envp->count; i++)
        if (strstr(envp->items[i], "Authorization: "))
            pb_wipe((char *)(uintptr_t)envp->items[i], strlen(envp->items[i]));
}

static int run_to_end(struct run *run, struct list *argv, struct list *envp, int *ret_code,
                      struct pb_error *err)
{
    struct pb_error ignored = {0};
    int r, status = 0;

    r = start(run, argv, envp, err);
    if (r == 0) {
        r = watch(run, err);
        stop(run);
        if (pb_process_wait(&run->process, &status, r < 0 ? &ignored : err) < 0)
            r = -1;
    }
    pb_close(&run->out);
    pb_close(&run->errors);
    if (r < 0)
        return -1;
    return note_end(run->step, run->command, &run->said,
                    WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), ret_code,
                    err);
}

int pb_git_run(struct pb_step *step, const struct pb_git_command *command, int *ret_code,
               struct pb_error *err)
{
    struct run run = {.step = step, .command = command, .out = -1, .errors = -1};
    struct list argv, envp;
    struct pb_arena arena;
    int r = -1;

    pb_arena_init(&arena, 256 << 10);
    pb_buf_init(&run.said, PB_GIT_ERRORS_MAX);
    pb_git_progress_init(&run.progress, step);
    run.deadline_ms =
        pb_clock_steady_ms() + (command->timeout_ms ? command->timeout_ms : PB_GIT_LOCAL_MS);
    argv = (struct list){.arena = &arena};
    envp = (struct list){.arena = &arena};
    build_arguments(&argv, command);
    if (build_environment(&envp, command, "/nonexistent", err) < 0)
        goto out;
    if (argv.failed || envp.failed) {
        (void)pb_fail(err, PB_ERROR_LIMITED, "the command 'git %s' is too long", command->args[0]);
        goto out;
    }
    r = run_to_end(&run, &argv, &envp, ret_code, err);
out:
    wipe_environment(&envp);
    pb_buf_release(&run.said);
    pb_arena_release(&arena);
    return r;
}

/* As the task user. */

static bool step_is_cancelled(void *arg)
{
    return pb_step_cancelled(arg);
}

static void add_author(struct list *envp, const struct pb_attempt_plan *plan)
{
    static const char *const NAMES[] = {"GIT_AUTHOR", "GIT_COMMITTER"};

    for (size_t i = 0; i < 2; i++) {
        add(envp, pb_arena_format(envp->arena, "%s_NAME=%s", NAMES[i],
                                  plan->author_name ? plan->author_name : "poppo"));
        add(envp, pb_arena_format(envp->arena, "%s_EMAIL=%s", NAMES[i],
                                  plan->author_email ? plan->author_email : "poppo@localhost"));
    }
}

static int run_task(struct pb_step *step, const struct pb_git_command *command,
                    const struct pb_task_spec *spec, int *ret_code, struct pb_error *err)
{
    struct pb_task_exit exit;
    struct pb_buf errors;
    int r;

    pb_buf_init(&errors, PB_GIT_ERRORS_MAX);
    r = pb_task_run(pb_step_task_host(step), spec, command->ret_out, &errors, &exit, err);
    if (r < 0 && !err->reason[0])
        r = pb_fail_reason(err, err->code, "workspace", "%s: %s", command->args[0], err->message);
    if (r == 0)
        r = note_end(step, command, &errors, exit.signal ? 128 + exit.signal : exit.code, ret_code,
                     err);
    pb_buf_release(&errors);
    return r;
}

int pb_git_task(struct pb_step *step, const struct pb_git_command *command, int *ret_code,
                struct pb_error *err)
{
    const struct pb_project_dirs *dirs = pb_step_dirs(step);
    struct list argv, envp;
    struct pb_arena arena;
    int r = -1;

    pb_arena_init(&arena, 256 << 10);
    argv = (struct list){.arena = &arena};
    envp = (struct list){.arena = &arena};
    build_arguments(&argv, command);
    add_author(&envp, pb_step_plan(step));
    /* The only file of settings git heeds for safe.directory; written by pb_workspace_prepare(). */
    add(&envp, pb_arena_format(&arena, "GIT_CONFIG_GLOBAL=%s/task.gitconfig", dirs->data));
    if (build_environment(&envp, command, dirs->temp, err) == 0) {
        struct pb_task_spec spec = {
            .argv = argv.items,
            .envp = envp.items,
            .cwd = command->work_dir ? command->work_dir : dirs->temp,
            .input = command->input ? command->input->data : NULL,
            .input_len = command->input ? command->input->len : 0,
            .wall_ms = command->timeout_ms ? command->timeout_ms : PB_GIT_LOCAL_MS,
            .listener = -1,
            .is_brief = true,
            .should_stop = step_is_cancelled,
            .arg = step,
        };
        if (argv.failed || envp.failed)
            (void)pb_fail(err, PB_ERROR_LIMITED, "the command 'git %s' is too long",
                          command->args[0]);
        else
            r = run_task(step, command, &spec, ret_code, err);
    }
    pb_arena_release(&arena);
    return r;
}

int pb_git_task_tool(struct pb_step *step, const char *const *args, struct pb_error *err)
{
    static const char *const ENVP[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", NULL};
    struct pb_git_command command = {.args = args};
    struct pb_task_spec spec = {
        .argv = args,
        .envp = ENVP,
        .cwd = pb_step_dirs(step)->temp,
        .wall_ms = PB_GIT_LOCAL_MS,
        .listener = -1,
        .is_brief = true,
        .should_stop = step_is_cancelled,
        .arg = step,
    };

    return run_task(step, &command, &spec, NULL, err);
}
