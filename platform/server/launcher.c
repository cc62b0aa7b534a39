#include "server/launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/process.h"
#include "base/text.h"
#include "server/launcher_private.h"

enum {
    BACKOFF_FIRST_MS = 250,
    BACKOFF_MAX_MS = 30 * 1000,
    HEALTHY_AFTER_MS = 60 * 1000, /* then the backoff starts over */
    FIRST_START_MS = 5 * 1000,    /* dying this early the first time is no accident */
    STOP_GRACE_MS = 15 * 1000,
    ENVIRONMENT_MAX = 64,
    PATH_OF_CHILD = 2 * PATH_MAX,
};

/* In order of starting; stopped from the platform on, the helper last. */
enum role { ROLE_BOXD, ROLE_PLATFORM, ROLE_NODE, ROLE_COUNT };

static const enum role STOP_ORDER[] = {ROLE_PLATFORM, ROLE_NODE, ROLE_BOXD};

static const struct {
    const char *name;
    const char *program;
    const char *verb; /* its only argument, or NULL */
} ROLES[ROLE_COUNT] = {
    [ROLE_BOXD] = {"boxd", "poppo-boxd", NULL},
    [ROLE_PLATFORM] = {"platform", "poppo-platform", "serve"},
    [ROLE_NODE] = {"node", "poppo-agent", NULL},
};

struct launcher;

struct child {
    struct launcher *launcher; /* borrowed */
    enum role role;
    struct pb_process process; /* pid 0 = not running */
    struct pb_loop_fd *watch;
    struct pb_loop_timer *again;
    int64_t started_ms;
    int64_t backoff_ms;
    unsigned starts;
};

struct launcher {
    struct pb_loop *loop;
    struct pb_launcher_places places;
    struct child children[ROLE_COUNT];
    char *environment[ENVIRONMENT_MAX + 1]; /* owned strings */
    size_t environment_count;
    size_t stop_step; /* index into STOP_ORDER while stopping */
    struct pb_loop_timer *deadline;
    bool stopping;
    int result;
};

static void start_child(struct child *child);
static void stop_next(struct launcher *launcher);

/* --- what children find in their environment --------------------------------------------- */

static void environment_add(struct launcher *launcher, const char *name, const char *value)
{
    struct pb_buf text;

    pb_buf_init(&text, 64 * 1024);
    pb_buf_format(&text, "%s=%s", name, value);
    if (launcher->environment_count < ENVIRONMENT_MAX && !pb_buf_failed(&text))
        launcher->environment[launcher->environment_count++] = pb_buf_take(&text, NULL);
    pb_buf_release(&text);
}

static void environment_pass(struct launcher *launcher, const char *name)
{
    const char *value = getenv(name);

    if (value)
        environment_add(launcher, name, value);
}

/* "data_dir" → "POPPO_DATA_DIR" */
static void variable_name(const char *setting, char *ret_name, size_t size)
{
    size_t len = (size_t)snprintf(ret_name, size, "POPPO_%s", setting);

    for (size_t i = 0; i < len && i < size; i++)
        if (ret_name[i] >= 'a' && ret_name[i] <= 'z')
            ret_name[i] = (char)(ret_name[i] - 'a' + 'A');
}

/* Everything children may know, from zero: the settings that were given, and where we put things. */
static void build_environment(struct launcher *launcher, const struct pb_config *config,
                              const struct pb_setting *rows)
{
    static const char *const PASSED[] = {"PATH",         "LANG",         "LC_ALL",
                                         "TZ",           "HOME",         "SSL_CERT_FILE",
                                         "SSL_CERT_DIR", "ASAN_OPTIONS", "UBSAN_OPTIONS",
                                         "LSAN_OPTIONS", "TSAN_OPTIONS", "XDG_CONFIG_HOME"};
    char name[80];

    for (size_t i = 0; i < sizeof(PASSED) / sizeof(PASSED[0]); i++)
        environment_pass(launcher, PASSED[i]);
    for (const struct pb_setting *row = rows; row->name; row++) {
        bool given = !pb_text_equal(pb_config_source(config, row->name), "default");
        bool ours = pb_text_equal(row->name, "data_dir") || pb_text_equal(row->name, "run_dir") ||
                    pb_text_equal(row->name, "key_file") || pb_text_equal(row->name, "listen");

        variable_name(row->name, name, sizeof(name));
        if ((given || ours) && !pb_text_equal(row->name, "bin_dir"))
            environment_add(launcher, name, pb_config_text(config, row->name));
    }
    environment_add(launcher, "POPPO_BIN_DIR", launcher->places.bin_dir);
    environment_add(launcher, "POPPO_BOXD", launcher->places.is_root ? "yes" : "no");
    environment_add(launcher, "POPPO_NODE_KEY_FILE", launcher->places.node_key_file);
    environment_add(launcher, "POPPO_LOCAL_NODE_KEY_SHA256", launcher->places.node_key_sha256);
}

/* --- children ----------------------------------------------------------------------------- */

static void remember_children(struct launcher *launcher)
{
    struct pb_json_writer w;
    struct pb_error err = {0};
    struct pb_buf text;
    char path[PATH_OF_CHILD];

    pb_buf_init(&text, 4096);
    pb_json_writer_init(&w, &text);
    pb_json_begin_array(&w, NULL);
    for (size_t i = 0; i < ROLE_COUNT; i++) {
        const struct child *child = &launcher->children[i];

        if (child->process.pid == 0)
            continue;
        pb_json_begin_object(&w, NULL);
        pb_json_put_text(&w, "name", ROLES[i].name);
        pb_json_put_int(&w, "pid", child->process.pid);
        pb_json_put_int(&w, "start", (int64_t)pb_process_start_time(child->process.pid));
        pb_json_end_object(&w);
    }
    pb_json_end_array(&w);
    (void)snprintf(path, sizeof(path), "%s/launcher.json", launcher->places.data_dir);
    if (pb_fs_write(AT_FDCWD, path, text.data, text.len, 0644, &err) < 0)
        pb_log_fail(PB_LOG_WARN, "launcher", &err, "cannot remember the children");
    pb_buf_release(&text);
}

static void start_again(void *arg)
{
    struct child *child = arg;

    pb_loop_timer_cancel(&child->again);
    start_child(child);
}

static void child_failed(struct child *child, int64_t lived_ms)
{
    struct launcher *launcher = child->launcher;

    if (child->starts == 1 && lived_ms < FIRST_START_MS) {
        pb_log_error("launcher", "%s could not start; stopping (its lines above say why)",
                     ROLES[child->role].program);
        launcher->result = -1;
        pb_loop_stop(launcher->loop);
        return;
    }
    if (lived_ms >= HEALTHY_AFTER_MS || child->backoff_ms == 0)
        child->backoff_ms = BACKOFF_FIRST_MS;
    pb_log_warn("launcher", "%s ended, starting it again in %lld ms", ROLES[child->role].program,
                (long long)child->backoff_ms);
    child->again = pb_loop_timer_start(launcher->loop, child->backoff_ms, 0, start_again, child);
    child->backoff_ms =
        child->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : child->backoff_ms * 2;
}

static void child_ended(void *arg, int events)
{
    struct child *child = arg;
    struct launcher *launcher = child->launcher;
    struct pb_error err = {0};
    int status = 0;

    (void)events;
    pb_loop_fd_unwatch(&child->watch);
    if (pb_process_wait(&child->process, &status, &err) < 0)
        pb_log_fail(PB_LOG_WARN, "launcher", &err, "%s", ROLES[child->role].program);
    child->process = (struct pb_process){.pidfd = -1};
    remember_children(launcher);
    if (launcher->stopping)
        stop_next(launcher);
    else
        child_failed(child, pb_clock_steady_ms() - child->started_ms);
}

static int spawn_child(struct child *child, struct pb_error *err)
{
    struct launcher *launcher = child->launcher;
    const struct pb_launcher_user *user =
        child->role == ROLE_PLATFORM ? &launcher->places.platform : &launcher->places.node;
    const struct pb_process_fd output[] = {{2, 1}, {2, 2}};
    char path[PATH_OF_CHILD];
    const char *const argv[] = {path, ROLES[child->role].verb, NULL};
    struct pb_process_spec spec = {
        .argv = argv,
        .envp = (const char *const *)launcher->environment,
        .cwd = "/",
        .fds = output,
        .fd_count = 2,
        .new_session = true, /* Ctrl-C in a terminal is for us; we stop them in order */
        .uid = user->uid,
        .gid = user->gid,
        .set_ids = launcher->places.is_root && child->role != ROLE_BOXD,
    };

    (void)snprintf(path, sizeof(path), "%s/%s", launcher->places.bin_dir,
                   ROLES[child->role].program);
    return pb_process_spawn(&spec, &child->process, err);
}

static void start_child(struct child *child)
{
    struct pb_error err = {0};

    child->starts++;
    child->started_ms = pb_clock_steady_ms();
    if (spawn_child(child, &err) < 0) {
        pb_log_fail(PB_LOG_ERROR, "launcher", &err, "cannot start %s", ROLES[child->role].program);
        child->process = (struct pb_process){.pidfd = -1};
        child_failed(child, 0);
        return;
    }
    child->watch = pb_loop_fd_watch(child->launcher->loop, child->process.pidfd, PB_LOOP_READ,
                                    child_ended, child);
    remember_children(child->launcher);
}

/* --- stopping ------------------------------------------------------------------------------ */

static void deadline_passed(void *arg)
{
    struct launcher *launcher = arg;
    struct child *child = &launcher->children[STOP_ORDER[launcher->stop_step - 1]];

    pb_log_warn("launcher", "%s did not stop in %d s, killing it", ROLES[child->role].program,
                STOP_GRACE_MS / 1000);
    pb_process_signal(&child->process, SIGKILL);
}

/* Ends the next child that runs, or the launcher when none is left. */
static void stop_next(struct launcher *launcher)
{
    pb_loop_timer_cancel(&launcher->deadline);
    while (launcher->stop_step < ROLE_COUNT) {
        struct child *child = &launcher->children[STOP_ORDER[launcher->stop_step++]];

        pb_loop_timer_cancel(&child->again);
        if (child->process.pid == 0)
            continue;
        launcher->deadline =
            pb_loop_timer_start(launcher->loop, STOP_GRACE_MS, 0, deadline_passed, launcher);
        pb_process_signal(&child->process, SIGTERM);
        return;
    }
    pb_loop_stop(launcher->loop);
}

static void asked_to_stop(void *arg, int number)
{
    struct launcher *launcher = arg;

    (void)number;
    if (launcher->stopping)
        return;
    pb_log_info("launcher",
                "stopping; work that runs goes on and is taken up again at the next start");
    launcher->stopping = true;
    stop_next(launcher);
}

/* After the loop: whatever a failed start left running. */
static void end_children(struct launcher *launcher)
{
    for (size_t i = 0; i < ROLE_COUNT; i++) {
        struct child *child = &launcher->children[STOP_ORDER[i]];
        struct pb_error err = {0};
        struct pollfd ended = {.fd = child->process.pidfd, .events = POLLIN};
        int status;

        pb_loop_timer_cancel(&child->again);
        pb_loop_fd_unwatch(&child->watch);
        if (child->process.pid == 0)
            continue;
        pb_process_signal(&child->process, SIGTERM);
        if (poll(&ended, 1, STOP_GRACE_MS) <= 0)
            pb_process_signal(&child->process, SIGKILL);
        if (pb_process_wait(&child->process, &status, &err) < 0)
            pb_log_fail(PB_LOG_WARN, "launcher", &err, "%s", ROLES[child->role].program);
        child->process = (struct pb_process){.pidfd = -1};
    }
    remember_children(launcher);
}

/* --- taking over from a launcher that died ------------------------------------------------- */

/* Ends one process that an earlier launcher started, if it is still that process. */
static void end_orphan(const char *name, pid_t pid, uint64_t start)
{
    struct pollfd ended = {.fd = pidfd_open(pid, 0), .events = POLLIN};

    if (ended.fd < 0 || pb_process_start_time(pid) != start) {
        pb_close(&ended.fd);
        return;
    }
    pb_log_info("launcher", "an earlier launcher died; taking over its %s (process %d)", name,
                (int)pid);
    (void)pidfd_send_signal(ended.fd, SIGTERM, NULL, 0);
    if (poll(&ended, 1, STOP_GRACE_MS) == 0) {
        (void)pidfd_send_signal(ended.fd, SIGKILL, NULL, 0);
        (void)poll(&ended, 1, STOP_GRACE_MS);
    }
    pb_close(&ended.fd);
}

static void end_orphans(const struct pb_launcher_places *places)
{
    struct pb_json *children = NULL;
    struct pb_error err = {0};
    struct pb_buf text;
    char path[PATH_OF_CHILD];

    pb_buf_init(&text, 4096);
    (void)snprintf(path, sizeof(path), "%s/launcher.json", places->data_dir);
    if (pb_fs_read(AT_FDCWD, path, &text, &err) == 0)
        children = pb_json_parse(text.data, text.len, &err);
    for (size_t i = 0; children && i < pb_json_count(children); i++) {
        const struct pb_json *row = pb_json_at(children, i);

        end_orphan(pb_json_text(row, "name", "process"), (pid_t)pb_json_int(row, "pid", 0),
                   (uint64_t)pb_json_int(row, "start", 0));
    }
    pb_json_free(children);
    pb_buf_release(&text);
}

/* --- the whole ----------------------------------------------------------------------------- */

static int lock(const struct pb_config *config, const struct pb_launcher_places *places,
                struct pb_error *err)
{
    struct pb_error why = {0};
    char path[PATH_OF_CHILD];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/launcher.lock", places->data_dir);
    fd = pb_fs_lock(path, &why);
    if (fd >= 0)
        return fd;
    if (why.code != PB_ERROR_CONFLICT) {
        *err = why;
        return -1;
    }
    return pb_fail_reason(err, PB_ERROR_CONFLICT, "already_running",
                          "already running on this data folder at http://%s (%s); stop it with "
                          "Ctrl-C where it runs, or choose another --data-dir",
                          pb_config_text(config, "listen"), why.message);
}

static int run(struct launcher *launcher, const struct pb_config *config, struct pb_error *err)
{
    static const int SIGNALS[] = {SIGTERM, SIGINT, SIGHUP};
    struct pb_loop_signal *watches[3] = {NULL};

    launcher->loop = pb_loop_new(err);
    if (!launcher->loop)
        return -1;
    for (size_t i = 0; i < 3; i++)
        watches[i] = pb_loop_signal_watch(launcher->loop, SIGNALS[i], asked_to_stop, launcher);
    for (size_t i = 0; i < ROLE_COUNT; i++) {
        bool local_node = pb_config_bool(config, "local_node");
        bool wanted =
            i == ROLE_PLATFORM || (local_node && (i == ROLE_NODE || launcher->places.is_root));

        launcher->children[i] =
            (struct child){.launcher = launcher, .role = (enum role)i, .process = {.pidfd = -1}};
        if (wanted)
            start_child(&launcher->children[i]);
    }
    pb_loop_run(launcher->loop);
    end_children(launcher);
    pb_loop_timer_cancel(&launcher->deadline);
    for (size_t i = 0; i < 3; i++)
        pb_loop_signal_unwatch(&watches[i]);
    pb_loop_free(launcher->loop);
    if (launcher->result < 0)
        return pb_fail(err, PB_ERROR_UNAVAILABLE, "not everything could be started");
    return 0;
}

int pb_launcher_run(const struct pb_config *config, const struct pb_setting *rows,
                    struct pb_error *err)
{
    struct launcher *launcher = calloc(1, sizeof(*launcher));
    int lock_fd = -1;
    int r = -1;

    if (!launcher)
        return pb_fail(err, PB_ERROR_INTERNAL, "out of memory");
    if (pb_launcher_prepare(config, &launcher->places, err) < 0)
        goto out;
    lock_fd = lock(config, &launcher->places, err);
    if (lock_fd < 0)
        goto out;
    end_orphans(&launcher->places);
    build_environment(launcher, config, rows);
    r = run(launcher, config, err);
out:
    pb_close(&lock_fd);
    for (size_t i = 0; i < launcher->environment_count; i++)
        free(launcher->environment[i]);
    free(launcher);
    return r;
}
