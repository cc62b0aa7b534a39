#include "server/launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/process.h"
#include "server/launcher_places.h"

enum {
    ARGS_MAX = 64,
    ENV_MAX = 8,
    BACKOFF_FIRST_MS = 250,
    BACKOFF_LONGEST_MS = 30 * 1000,
    HEALTHY_MS = 60 * 1000, /* ran so long: the next death is a new story */
    STOP_MS = 15 * 1000,    /* then SIGKILL */
};

enum program { BOXD, PLATFORM, AGENT, PROGRAMS };

/* Which settings a program is given; the platform takes all of them. */
static const char *const BOXD_SETTINGS[] = {"data_dir",  "run_dir",   "bin_dir",  "uid_base",
                                            "node_user", "log_level", "log_json", NULL};
static const char *const AGENT_SETTINGS[] = {"data_dir",    "run_dir", "bin_dir",   "uid_base",
                                             "port_base",   "ca_file", "log_level", "log_json",
                                             "claude_path", NULL};

static const struct {
    const char *name;
    const char *verb;
    const char *const *settings; /* NULL = all */
} KINDS[PROGRAMS] = {
    [BOXD] = {"poppo-boxd", NULL, BOXD_SETTINGS},
    [PLATFORM] = {"poppo-platform", "serve", NULL},
    [AGENT] = {"poppo-agent", NULL, AGENT_SETTINGS},
};

/* The order of stopping. */
static const enum program STOP_ORDER[PROGRAMS] = {PLATFORM, AGENT, BOXD};

struct child {
    struct launcher *launcher;
    enum program program;
    bool is_wanted;
    struct pb_process process; /* pid 0 = does not run */
    struct pb_loop_fd *watch;
    struct pb_loop_timer *timer; /* to start again, or to lose patience */
    int64_t started_at;
    int64_t backoff_ms;
    bool has_run; /* lived long enough once, or ended well */
};

struct launcher {
    struct pb_settings *settings;
    struct pb_launcher_places places;
    struct pb_loop *loop;
    struct pb_loop_signal *on_term;
    struct pb_loop_signal *on_int;
    struct pb_loop_signal *on_hup; /* NULL = hang-ups are ignored */
    struct child children[PROGRAMS];
    int lock;
    bool is_stopping;
    bool cannot_start;
};

/* --- one child ---------------------------------------------------------------------------------------------- */

static bool is_listed(const char *const *names, const char *argument)
{
    for (; *names; names++) {
        size_t len = strlen(*names);

        if (strncmp(argument + 2, *names, len) == 0 && argument[2 + len] == '=')
            return true;
    }
    return false;
}

/* argv: program, verb, "--name=value" … */
static int make_argv(const struct launcher *launcher, enum program program, struct pb_arena *arena,
                     const char *ret_argv[ARGS_MAX], struct pb_error *err)
{
    const char *all[ARGS_MAX];
    size_t all_count, count = 0;

    if (pb_settings_arguments(launcher->settings, arena, all, ARGS_MAX - 8, &all_count, err) < 0)
        return -1;
    ret_argv[count++] =
        pb_arena_format(arena, "%s/%s", launcher->settings->bin_dir, KINDS[program].name);
    if (KINDS[program].verb)
        ret_argv[count++] = KINDS[program].verb;
    for (size_t i = 0; i < all_count; i++)
        if (!KINDS[program].settings || is_listed(KINDS[program].settings, all[i]))
            ret_argv[count++] = all[i];
    if (program == AGENT) {
        ret_argv[count++] =
            pb_arena_format(arena, "--platform_url=%s", launcher->places.platform_url);
        ret_argv[count++] = launcher->settings->is_root ? "--boxd=yes" : "--boxd=no";
    }
    ret_argv[count] = NULL;
    return ret_argv[0] ? 0 : pb_fail(err, PB_ERROR_LIMITED, "out of memory");
}

static int spawn(struct child *child, struct pb_error *err)
{
    static const struct pb_process_fd FDS[] = {{1, 1}, {2, 2}};
    const struct launcher *launcher = child->launcher;
    const struct pb_launcher_user *user =
        child->program == AGENT ? &launcher->places.node_user : &launcher->places.user;
    const char *argv[ARGS_MAX];
    const char *envp[ENV_MAX + 5] = {"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8"};
    struct pb_process_spec spec = {
        .argv = argv,
        .envp = envp,
        .cwd = "/",
        .fds = FDS,
        .fd_count = 2,
        .new_session = true, /* Ctrl-C is ours: we stop them in order */
        .set_ids = launcher->settings->is_root && child->program != BOXD,
        .uid = user->uid,
        .gid = user->gid,
    };
    struct pb_arena arena;
    size_t env = 2, secrets = 0;
    int r = 0;

    pb_arena_init(&arena, 256 << 10);
    if (!launcher->settings->is_root && getenv("HOME"))
        envp[env++] = pb_arena_format(&arena, "HOME=%s", getenv("HOME"));
    if (child->program == PLATFORM) {
        envp[env++] =
            pb_arena_format(&arena, "POPPO_LOCAL_NODE_KEY_SHA256=%s", launcher->places.key_sha256);
        r = pb_settings_environment(launcher->settings, &arena, envp + env, ENV_MAX, &secrets, err);
    }
    if (r == 0)
        r = make_argv(launcher, child->program, &arena, argv, err);
    if (r == 0)
        r = pb_process_spawn(&spec, &child->process, err);
    pb_arena_release(&arena);
    return r < 0 ? pb_fail_in(err, "start %s (./dev up installs what is missing)",
                              KINDS[child->program].name)
                 : 0;
}

static void child_start(void *arg);
static void child_ended(void *arg, int events);
static void stop_next(struct launcher *launcher);

static void start_later(struct child *child)
{
    pb_log_warn("launcher", "%s is started again in %lld ms", KINDS[child->program].name,
                (long long)child->backoff_ms);
    child->timer =
        pb_loop_timer_start(child->launcher->loop, child->backoff_ms, 0, child_start, child);
    child->backoff_ms *= 2;
    if (child->backoff_ms > BACKOFF_LONGEST_MS)
        child->backoff_ms = BACKOFF_LONGEST_MS;
}

static void child_start(void *arg)
{
    struct child *child = arg;
    struct pb_error err;

    pb_loop_timer_cancel(&child->timer);
    child->started_at = pb_clock_steady_ms();
    if (spawn(child, &err) < 0) {
        pb_log_fail(PB_LOG_ERROR, "launcher", &err, "cannot start");
        start_later(child);
        return;
    }
    child->watch = pb_loop_fd_watch(child->launcher->loop, child->process.pidfd, PB_LOOP_READ,
                                    child_ended, child);
    pb_log_info("launcher", "%s pid=%d started", KINDS[child->program].name,
                (int)child->process.pid);
}

/* The platform could not start the first time: nothing will mend that by itself. */
static bool is_hopeless(const struct child *child, int status)
{
    return child->program == PLATFORM && !child->has_run && WIFEXITED(status) &&
           WEXITSTATUS(status) == PB_EXIT_CANNOT_START;
}

static void begin_stop(struct launcher *launcher)
{
    if (launcher->is_stopping)
        return;
    launcher->is_stopping = true;
    for (int i = 0; i < PROGRAMS; i++)
        pb_loop_timer_cancel(&launcher->children[i].timer);
    stop_next(launcher);
}

static void child_ended(void *arg, int events)
{
    struct child *child = arg;
    struct launcher *launcher = child->launcher;
    int64_t lived = pb_clock_steady_ms() - child->started_at;
    struct pb_error err;
    int status = 0;

    (void)events;
    pb_loop_fd_unwatch(&child->watch);
    pb_loop_timer_cancel(&child->timer);
    if (pb_process_wait(&child->process, &status, &err) < 0)
        pb_log_fail(PB_LOG_WARN, "launcher", &err, "%s", KINDS[child->program].name);
    child->process.pid = 0;
    if (launcher->is_stopping) {
        stop_next(launcher);
        return;
    }
    if (is_hopeless(child, status)) {
        launcher->cannot_start = true;
        begin_stop(launcher);
        return;
    }
    child->has_run = child->has_run || lived >= HEALTHY_MS ||
                     !(WIFEXITED(status) && WEXITSTATUS(status) == PB_EXIT_CANNOT_START);
    if (lived >= HEALTHY_MS)
        child->backoff_ms = BACKOFF_FIRST_MS;
    if (WIFSIGNALED(status))
        pb_log_warn("launcher",
                    "%s ended (signal %d): killed from outside, for lack of memory, or "
                    "by a fault of its own; the kernel's log (dmesg) tells which",
                    KINDS[child->program].name, WTERMSIG(status));
    else
        pb_log_warn("launcher", "%s ended (exit status %d): its own lines above say why",
                    KINDS[child->program].name, WEXITSTATUS(status));
    start_later(child);
}

/* --- stopping ------------------------------------------------------------------------------------------------- */

static void lose_patience(void *arg)
{
    struct child *child = arg;

    pb_loop_timer_cancel(&child->timer);
    pb_log_warn("launcher", "%s does not stop, killing it", KINDS[child->program].name);
    pb_process_signal(&child->process, SIGKILL);
}

/* One after the other; the loop ends with the last. One that ends out of turn changes nothing for the others. */
static void stop_next(struct launcher *launcher)
{
    for (size_t i = 0; i < PROGRAMS; i++) {
        struct child *child = &launcher->children[STOP_ORDER[i]];

        if (child->process.pid == 0)
            continue;
        if (child->timer)
            return; /* it has been told */
        pb_process_signal(&child->process, SIGTERM);
        child->timer = pb_loop_timer_start(launcher->loop, STOP_MS, 0, lose_patience, child);
        return;
    }
    pb_loop_stop(launcher->loop);
}

static void on_signal(void *arg, int number)
{
    pb_log_info("launcher", "signal=%d stopping", number);
    begin_stop(arg);
}

/*
 * A terminal that closes stops everything, as Ctrl-C does: the programs would
 * live on without us. Who started us under nohup said otherwise.
 */
static bool hangup_is_ignored(void)
{
    struct sigaction now;

    return sigaction(SIGHUP, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

static int watch_signals(struct launcher *launcher, struct pb_error *err)
{
    bool no_hangup = hangup_is_ignored();

    launcher->on_term = pb_loop_signal_watch(launcher->loop, SIGTERM, on_signal, launcher);
    launcher->on_int = pb_loop_signal_watch(launcher->loop, SIGINT, on_signal, launcher);
    if (!no_hangup)
        launcher->on_hup = pb_loop_signal_watch(launcher->loop, SIGHUP, on_signal, launcher);
    if (!launcher->on_term || !launcher->on_int || (!no_hangup && !launcher->on_hup))
        return pb_fail(err, PB_ERROR_INTERNAL, "signals cannot be watched");
    return 0;
}

/* --- all of it ------------------------------------------------------------------------------------------------ */

static int start_children(struct launcher *launcher, struct pb_error *err)
{
    launcher->loop = pb_loop_new(err);
    if (!launcher->loop)
        return -1;
    if (watch_signals(launcher, err) < 0)
        return -1;
    for (int i = 0; i < PROGRAMS; i++) {
        struct child *child = &launcher->children[i];
        bool local = pb_config_bool(launcher->settings->config, "local_node");

        *child = (struct child){.launcher = launcher,
                                .program = (enum program)i,
                                .backoff_ms = BACKOFF_FIRST_MS};
        child->is_wanted = i == PLATFORM || (local && (i == AGENT || launcher->settings->is_root));
        if (child->is_wanted)
            child_start(child);
    }
    return 0;
}

int pb_launch(struct pb_settings *settings, struct pb_error *err)
{
    struct launcher launcher = {.settings = settings, .lock = -1};
    int r = -1;

    if (pb_launcher_prepare(settings, &launcher.places, err) < 0)
        return -1;
    launcher.lock = pb_launcher_lock(settings, err);
    if (launcher.lock < 0)
        return -1;
    if (pb_launcher_take_over(settings, &launcher.places, err) < 0 ||
        start_children(&launcher, err) < 0)
        goto out;
    pb_loop_run(launcher.loop);
    r = launcher.cannot_start
            ? pb_fail(err, PB_ERROR_INTERNAL, "the platform could not start; see above")
            : 0;
out:
    pb_loop_signal_unwatch(&launcher.on_term);
    pb_loop_signal_unwatch(&launcher.on_int);
    pb_loop_signal_unwatch(&launcher.on_hup);
    pb_loop_free(launcher.loop);
    pb_close(&launcher.lock);
    return r;
}
