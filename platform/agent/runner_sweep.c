#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/attempt_plan.h"
#include "agent/runner_private.h"
#include "agent/workspace.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/text.h"

enum { END_PATIENCE_MS = 3000 };

static void ignore_grew(void *arg)
{
    (void)arg;
}

static void on_ended(void *arg, const struct pb_task_exit *exit)
{
    (void)exit;
    pb_loop_stop(arg);
}

static void give_up(void *arg)
{
    pb_loop_stop(arg);
}

/* Kills and waits, so that nothing of an earlier life works beside us. */
static void end_task(struct pb_runner *runner, const char *rundir)
{
    static const struct pb_task_events EVENTS = {.grew = ignore_grew, .ended = on_ended};
    struct pb_loop *loop = NULL;
    struct pb_task *task;
    struct pb_loop_timer *deadline = NULL;
    struct pb_error err;

    if (pb_task_adopt(&runner->task_host, rundir, &task, &err) < 0)
        return; /* it never began */
    loop = pb_loop_new(&err);
    if (loop && pb_task_signal(task, PB_TASK_KILL, &err) == 0 &&
        pb_task_watch(task, loop, &EVENTS, loop, &err) == 0) {
        deadline = pb_loop_timer_start(loop, END_PATIENCE_MS, 0, give_up, loop);
        pb_loop_run(loop);
    }
    pb_loop_timer_cancel(&deadline);
    pb_task_close(task);
    pb_loop_free(loop);
}

static void end_runs(struct pb_runner *runner, const char *attempt_dir)
{
    DIR *dir = opendir(attempt_dir);
    struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        char path[PB_PROJECT_PATH_TEXT];

        if (!pb_text_starts(entry->d_name, "run-"))
            continue;
        (void)snprintf(path, sizeof(path), "%s/%s", attempt_dir, entry->d_name);
        end_task(runner, path);
    }
    if (dir)
        (void)closedir(dir);
}

/* Folders that the task user made inside exchange/ can be removed by that user only; exchange/ itself is ours. */
static void remove_folder(struct pb_runner *runner, const char *path)
{
    char exchange[PB_PROJECT_PATH_TEXT + 32];
    struct pb_error err;

    if (pb_fs_remove_tree(AT_FDCWD, path, &err) == 0)
        return;
    (void)snprintf(exchange, sizeof(exchange), "%s/exchange", path);
    if (pb_workspace_remove_trees(&runner->task_host, exchange, NULL, NULL, NULL, &err) < 0)
        pb_log_fail(PB_LOG_DEBUG, "runner", &err, "remove what is in %s", exchange);
    if (pb_fs_remove_tree(AT_FDCWD, path, &err) < 0)
        pb_log_fail(PB_LOG_WARN, "runner", &err, "remove %s", path);
}

static bool is_known(const char *name, const struct pb_journal_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (pb_text_equal(rows[i].name, name))
            return true;
    }
    return false;
}

static bool is_known_temp(const char *name, const struct pb_journal_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (pb_text_equal(pb_attempt_temp_name(rows[i].name), name))
            return true;
    }
    return false;
}

static void sweep_temp(struct pb_runner *runner, const struct pb_journal_row *rows, size_t count)
{
    DIR *dir = opendir(runner->dirs.temp);
    struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        char path[PB_PROJECT_PATH_TEXT];
        struct pb_error err;

        if (!pb_attempt_temp_name_valid(entry->d_name) || is_known_temp(entry->d_name, rows, count))
            continue;
        (void)snprintf(path, sizeof(path), "%s/%s", runner->dirs.temp, entry->d_name);
        if (pb_workspace_remove_trees(&runner->task_host, path, NULL, NULL, NULL, &err) < 0)
            pb_log_fail(PB_LOG_WARN, "runner", &err, "remove %s", path);
    }
    if (dir)
        (void)closedir(dir);
}

void pb_runner_sweep(struct pb_runner *runner, const struct pb_journal_row *rows, size_t count)
{
    DIR *dir = opendir(runner->dirs.attempts);
    struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        char path[PB_PROJECT_PATH_TEXT];

        if (entry->d_name[0] == '.' || is_known(entry->d_name, rows, count))
            continue;
        (void)snprintf(path, sizeof(path), "%s/%s", runner->dirs.attempts, entry->d_name);
        if (pb_text_starts(entry->d_name, "brief-"))
            end_task(runner, path);
        else
            end_runs(runner, path);
        remove_folder(runner, path);
    }
    if (dir)
        (void)closedir(dir);
    sweep_temp(runner, rows, count);
}
