#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/attempt_private.h"
#include "agent/step_private.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/text.h"

enum { KILL_GRACE_MS = 5000, RESERVE_BYTES = 3 << 20, INTERRUPTED_MAX = 3 };

static void launch(struct pb_attempt *attempt);

static void start(struct pb_attempt *attempt, struct pb_step *step, struct pb_error *err)
{
    if (!step || pb_step_start(step, &attempt->step, err) < 0)
        pb_attempt_fail(attempt, err);
}

void pb_attempt_stop_steps(struct pb_attempt *attempt)
{
    if (attempt->step)
        pb_step_cancel(attempt->step);
    if (attempt->side)
        pb_step_cancel(attempt->side);
}

/* ---- preparing ---- */

/* exchange/ is the one place both users may write. */
static int make_attempt_dir(const struct pb_attempt *attempt, struct pb_error *err)
{
    char exchange[PB_PROJECT_PATH_TEXT + 16];

    (void)snprintf(exchange, sizeof(exchange), "%s/exchange", attempt->dir);
    if ((mkdir(attempt->dir, 0750) < 0 && errno != EEXIST) ||
        (mkdir(exchange, 0770) < 0 && errno != EEXIST) || chmod(exchange, 0770) < 0)
        return pb_fail_errno(err, "make the folder %s", attempt->dir);
    return 0;
}

/* Room for the last lines and the result, should the disk be full by then. */
static int set_reserve_aside(const struct pb_attempt *attempt, struct pb_error *err)
{
    char path[PB_PROJECT_PATH_TEXT + 16];
    int fd;
    int number;

    (void)snprintf(path, sizeof(path), "%s/reserve", attempt->dir);
    fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return pb_fail_errno(err, "make %s", path);
    number = posix_fallocate(fd, 0, RESERVE_BYTES);
    pb_close(&fd);
    if (number != ENOSPC && number != EDQUOT)
        return 0; /* a file system that cannot reserve has none */
    return pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "disk", "the disk of the node is full");
}

static int prepare_broker(struct pb_step *step, struct pb_error *err)
{
    const struct pb_attempt *attempt = step->attempt;
    struct pb_broker_registration registration = {.attempt = attempt->plan->name,
                                                  .dummy = attempt->facts.dummy_key,
                                                  .base_url = attempt->plan->anthropic_base_url};
    struct pb_credential credential = {0};
    char usage_file[PB_PROJECT_PATH_TEXT + 16];
    int r;

    if (pb_step_credential(step, "anthropic", &credential, err) < 0)
        return -1;
    (void)snprintf(usage_file, sizeof(usage_file), "%s/usage.jsonl", attempt->dir);
    registration.key = credential.secret;
    registration.usage_file = usage_file;
    r = pb_broker_link_register(attempt->host->broker, &registration, err);
    pb_credential_release(&credential);
    return r;
}

/* After a restart the variables are asked for again: they are never on disk. */
static int fetch_env(struct pb_step *step, struct pb_error *err)
{
    const char *const *env;

    if (!step->attempt->facts.has_env || step->attempt->plan->env[0])
        return 0;
    if (pb_step_ask(step, "env", err) < 0)
        return -1;
    if (pb_attempt_plan_read_env(step->env, &step->arena, &env, err) < 0)
        return -1;
    return 0;
}

/* Whether what failed is worth doing again: a command of ours was killed from outside. */
static bool was_interrupted(struct pb_step *step, unsigned *tries, const struct pb_error *err)
{
    if (!pb_text_equal(err->reason, PB_TASK_INTERRUPTED) || ++*tries >= INTERRUPTED_MAX ||
        pb_step_cancelled(step))
        return false;
    pb_step_log(step, 'w', "%s; once more", err->message);
    return true;
}

static int prepare_workspace(struct pb_step *step, struct pb_error *err)
{
    unsigned tries = 0;
    int r;

    do
        r = pb_workspace_prepare(step, &step->arena, &step->workspace, err);
    while (r < 0 && was_interrupted(step, &tries, err));
    return r;
}

static int wrap_up(struct pb_step *step, struct pb_error *err)
{
    unsigned tries = 0;
    int r;

    do
        r = pb_workspace_wrap_up(step, step->workspace, &step->has_commits, err);
    while (r < 0 && was_interrupted(step, &tries, err));
    return r;
}

static int work_prepare(struct pb_step *step, struct pb_error *err)
{
    const struct pb_driver *driver = step->attempt->driver;

    if (make_attempt_dir(step->attempt, err) < 0 || set_reserve_aside(step->attempt, err) < 0 ||
        fetch_env(step, err) < 0)
        return -1;
    if (!driver->has_process)
        return 0;
    if (prepare_workspace(step, err) < 0)
        return -1;
    return driver->needs_broker ? prepare_broker(step, err) : 0;
}

static const char *value_named(const struct pb_attempt_plan *plan, const char *name)
{
    size_t len = strlen(name);

    for (const char *const *variable = plan->env; *variable; variable++) {
        if (pb_text_starts(*variable, name) && (*variable)[len] == '=')
            return *variable + len + 1;
    }
    return NULL;
}

void pb_attempt_hide_env(struct pb_attempt *attempt)
{
    struct pb_error err;

    for (const char *const *name = attempt->plan->env_secrets; *name; name++) {
        const char *value = value_named(attempt->plan, *name);

        pb_log_hide(value);
        if (value && *value && pb_mask_add(attempt->mask, value, &err) < 0)
            pb_log_fail(PB_LOG_WARN, "attempt", &err, "attempt=%s hide %s", attempt->plan->name,
                        *name);
    }
}

static void take_env(struct pb_attempt *attempt, struct pb_step *step)
{
    struct pb_error err;

    if (!step->env)
        return;
    if (pb_attempt_plan_read_env(step->env, &attempt->arena, &attempt->plan->env, &err) < 0)
        pb_log_fail(PB_LOG_WARN, "attempt", &err, "attempt=%s its variables", attempt->plan->name);
    pb_attempt_hide_env(attempt);
}

static bool keep_workspace(struct pb_attempt *attempt, const struct pb_workspace *workspace)
{
    if (!workspace)
        return true; /* a driver without a process has none */
    (void)snprintf(attempt->workspace, sizeof(attempt->workspace), "%s", workspace->path);
    (void)snprintf(attempt->home, sizeof(attempt->home), "%s", workspace->home);
    free(attempt->agent_notes);
    attempt->agent_notes = strdup(workspace->agent_notes ? workspace->agent_notes : "");
    return attempt->agent_notes != NULL;
}

/* Cancelled or discarded while the step ran. */
static bool was_stopped(struct pb_attempt *attempt)
{
    if (attempt->is_discarded) {
        pb_attempt_close(attempt);
        return true;
    }
    if (attempt->facts.was_cancelled) {
        pb_attempt_set_outcome(attempt, PB_OUTCOME_CANCELLED, "cancelled", "cancelled");
        pb_attempt_conclude(attempt);
        return true;
    }
    return false;
}

static void done_prepare(struct pb_attempt *attempt, struct pb_step *step)
{
    if (was_stopped(attempt))
        return;
    if (step->r < 0) {
        pb_attempt_fail(attempt, &step->err);
        return;
    }
    take_env(attempt, step);
    if (!keep_workspace(attempt, step->workspace)) {
        (void)pb_fail(&step->err, PB_ERROR_LIMITED, "no memory");
        pb_attempt_fail(attempt, &step->err);
        return;
    }
    launch(attempt);
}

void pb_attempt_prepare(struct pb_attempt *attempt)
{
    struct pb_error err;

    if (attempt->driver->needs_broker && !attempt->facts.dummy_key[0])
        pb_broker_dummy_key(attempt->facts.dummy_key);
    pb_attempt_move(attempt, PB_ATTEMPT_PREPARING);
    start(attempt, pb_step_new(attempt, work_prepare, done_prepare, &err), &err);
}

/* ---- launching ---- */

static int work_launch(struct pb_step *step, struct pb_error *err)
{
    return pb_task_start(step->attempt->host->task_host, &step->spec, &step->task, err);
}

static void done_launch(struct pb_attempt *attempt, struct pb_step *step)
{
    struct pb_error ignored;

    attempt->task = step->task;
    step->task = NULL;
    if (step->r < 0 && pb_text_equal(step->err.reason, "already_started")) {
        pb_attempt_adopt(attempt); /* an earlier life of this runner was faster than its journal */
        return;
    }
    if ((attempt->is_discarded || attempt->facts.was_cancelled) && attempt->task &&
        pb_task_signal(attempt->task, PB_TASK_KILL, &ignored) < 0)
        pb_log_fail(PB_LOG_WARN, "attempt", &ignored, "attempt=%s end its process",
                    attempt->plan->name);
    if (attempt->is_discarded) {
        pb_attempt_close(attempt);
        return;
    }
    if (step->r < 0) {
        if (!was_stopped(attempt))
            pb_attempt_fail(attempt, &step->err);
        return;
    }
    if (*pb_task_weakness(attempt->task))
        pb_attempt_say(attempt, 'w', "not walled off from other processes of the node: %s",
                       pb_task_weakness(attempt->task));
    pb_attempt_watch(attempt);
}

static int build(struct pb_attempt *attempt, struct pb_step *step, struct pb_error *err)
{
    struct pb_driver_place place = {.dirs = attempt->host->dirs,
                                    .workspace = attempt->workspace,
                                    .home = attempt->home,
                                    .temp = attempt->temp,
                                    .claude_path = attempt->host->claude_path,
                                    .agent_notes = attempt->agent_notes ? attempt->agent_notes : "",
                                    .dummy_key = attempt->driver->needs_broker
                                                     ? attempt->facts.dummy_key
                                                     : NULL,
                                    .broker_port = attempt->host->dirs->port,
                                    .round = (int)attempt->row.round};
    struct pb_driver_command command;
    char rundir[PB_PROJECT_PATH_TEXT];

    if (attempt->driver->build(attempt->driver_state, &place, &step->arena, &command, err) < 0)
        return -1;
    pb_attempt_rundir(attempt, rundir);
    step->spec =
        (struct pb_task_spec){.rundir = pb_arena_text(&step->arena, rundir),
                              .argv = command.argv,
                              .envp = command.envp,
                              .cwd = command.cwd,
                              .input = command.input,
                              .input_len = command.input_len,
                              .wall_ms = attempt->plan->wall_ms,
                              .kill_grace_ms = KILL_GRACE_MS,
                              .listener = attempt->driver->needs_broker
                                              ? pb_broker_link_listener(attempt->host->broker)
                                              : -1};
    return step->spec.rundir ? 0 : pb_fail(err, PB_ERROR_LIMITED, "no memory");
}

static void launch(struct pb_attempt *attempt)
{
    struct pb_step *step = NULL;
    struct pb_error err;

    if (pb_attempt_open_driver(attempt, &err) < 0) {
        pb_attempt_fail(attempt, &err);
        return;
    }
    if (!attempt->driver->has_process) {
        pb_attempt_move(attempt, PB_ATTEMPT_RUNNING);
        pb_attempt_run_noop(attempt);
        return;
    }
    step = pb_step_new(attempt, work_launch, done_launch, &err);
    if (!step || build(attempt, step, &err) < 0) {
        pb_step_free(step);
        pb_attempt_fail(attempt, &err);
        return;
    }
    pb_attempt_move(attempt,
                    PB_ATTEMPT_RUNNING); /* before the process is: a second one must not start */
    start(attempt, step, &err);
}

/* ---- finding it again ---- */

static void done_env(struct pb_attempt *attempt, struct pb_step *step)
{
    if (attempt->is_discarded) {
        pb_attempt_close(attempt);
        return;
    }
    take_env(attempt, step);
    if (step->r < 0)
        pb_attempt_say(attempt, 'w', "the project's variables, after a restart of the runner: %s",
                       step->err.message);
    pb_attempt_adopt(attempt);
}

/* Before its output is read again: what must be hidden in it has to be known. */
void pb_attempt_recover_env(struct pb_attempt *attempt)
{
    struct pb_error err;

    start(attempt, pb_step_new(attempt, fetch_env, done_env, &err), &err);
}

static void done_register(struct pb_attempt *attempt, struct pb_step *step)
{
    if (step->r < 0 && attempt->state == PB_ATTEMPT_RUNNING && !attempt->is_discarded)
        pb_log_fail(PB_LOG_WARN, "attempt", &step->err, "attempt=%s tell the broker again",
                    attempt->plan->name);
    if (attempt->is_discarded)
        pb_attempt_close(attempt);
}

/* The broker itself has most likely lived on; should it die later, it can be replaced only with the key. */
void pb_attempt_register_again(struct pb_attempt *attempt)
{
    struct pb_error err;
    struct pb_step *step = pb_step_new(attempt, prepare_broker, done_register, &err);

    if (!step || pb_step_start(step, &attempt->side, &err) < 0)
        pb_log_fail(PB_LOG_WARN, "attempt", &err, "attempt=%s tell the broker again",
                    attempt->plan->name);
}

/* ---- publishing ---- */

static int work_publish(struct pb_step *step, struct pb_error *err)
{
    if (prepare_workspace(step, err) < 0 || wrap_up(step, err) < 0)
        return -1;
    if (!step->has_commits)
        return 0;
    return pb_publish(step, step->workspace, &step->arena, &step->publication, err);
}

static void put_commits(struct pb_json_writer *json, const struct pb_publication *publication)
{
    pb_json_put_bool(json, "pushed", publication->pushed);
    pb_json_put_text(json, "branch", publication->branch);
    pb_json_put_text(json, "base_sha", publication->base_sha);
    pb_json_put_text(json, "head_sha", publication->head_sha);
    pb_json_put_int(json, "commits", publication->commits);
    pb_json_put_int(json, "files_changed", publication->files_changed);
    pb_json_put_int(json, "insertions", publication->insertions);
    pb_json_put_int(json, "deletions", publication->deletions);
    pb_json_begin_array(json, "changed_files");
    for (const char *const *file = publication->changed_files; file && *file; file++)
        pb_json_put_text(json, NULL, *file);
    pb_json_end_array(json);
}

static void put_publication(struct pb_attempt *attempt, const struct pb_step *step)
{
    struct pb_json_writer json;

    pb_buf_clear(&attempt->publication);
    pb_json_writer_init(&json, &attempt->publication);
    pb_json_begin_object(&json, NULL);
    pb_json_put_bool(&json, "no_changes", !step->has_commits);
    if (step->has_commits)
        put_commits(&json, &step->publication);
    pb_json_end_object(&json);
}

static void done_publish(struct pb_attempt *attempt, struct pb_step *step)
{
    if (step->r == 0 && !attempt->is_discarded)
        put_publication(attempt, step); /* pushed is pushed, also when it was cancelled meanwhile */
    else if (was_stopped(attempt))
        return;
    else
        pb_attempt_set_failure(attempt, &step->err);
    pb_attempt_conclude(attempt);
}

void pb_attempt_publish(struct pb_attempt *attempt)
{
    struct pb_error err;
    struct pb_step *step = pb_step_new(attempt, work_publish, done_publish, &err);

    pb_attempt_move(attempt, PB_ATTEMPT_PUBLISHING);
    start(attempt, step, &err);
}

/* ---- tidying up ---- */

static int work_tidy(struct pb_step *step, struct pb_error *err)
{
    return pb_workspace_remove_trees(step->attempt->host->task_host, step->attempt->temp, NULL,
                                     NULL, NULL, err);
}

static void done_tidy(struct pb_attempt *attempt, struct pb_step *step)
{
    if (step->r < 0)
        pb_log_fail(PB_LOG_WARN, "attempt", &step->err, "attempt=%s remove what its run has left",
                    attempt->plan->name);
    pb_attempt_forget(attempt);
}

void pb_attempt_tidy(struct pb_attempt *attempt)
{
    struct pb_step *step = NULL;
    struct pb_error err;

    if (access(attempt->temp, F_OK) == 0)
        step = pb_step_new(attempt, work_tidy, done_tidy, &err);
    if (!step || pb_step_start(step, &attempt->step, &err) < 0)
        pb_attempt_forget(attempt); /* nothing there, or no thread: it goes at the next start */
}
