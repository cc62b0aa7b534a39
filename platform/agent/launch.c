#include <stdio.h>

#include "agent/launch_private.h"

enum { PATH_TEXT = 600, FDS_MAX = 8, FIRST_FD = 3 };

/* No variable of ours reaches a child: what it needs to know it is told through a descriptor. */
static const char *const ENVIRONMENT[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8",
                                          NULL};

static int launch(const char *bin_dir, const char *const *argv, const int *fds, size_t fd_count,
                  const struct pb_project_dirs *drop_to, struct pb_process *ret_process,
                  struct pb_error *err)
{
    struct pb_process_fd list[FDS_MAX + 1] = {{2, 2}};
    struct pb_process_spec spec = {.argv = argv,
                                   .envp = ENVIRONMENT,
                                   .cwd = "/",
                                   .fds = list,
                                   .fd_count = fd_count + 1,
                                   .new_session = true};
    char path[PATH_TEXT];

    for (size_t i = 0; i < fd_count && i < FDS_MAX; i++)
        list[i + 1] = (struct pb_process_fd){fds[i], FIRST_FD + (int)i};
    (void)snprintf(path, sizeof(path), "%s/%s", bin_dir, argv[0]);
    spec.path = path;
    if (drop_to && drop_to->as_root) {
        spec.set_ids = true;
        spec.uid = drop_to->runner_uid;
        spec.gid = drop_to->gid;
    }
    return pb_process_spawn(&spec, ret_process, err);
}

int pb_launch_runner(const char *bin_dir, const struct pb_project_dirs *dirs, const int *fds,
                     struct pb_process *ret_process, struct pb_error *err)
{
    char project[80];
    const char *const argv[] = {"poppo-runner", project, NULL};

    (void)snprintf(project, sizeof(project), "--project=%s", dirs->project);
    return launch(bin_dir, argv, fds, 1, dirs, ret_process, err);
}

int pb_launch_broker(const char *bin_dir, const struct pb_project_dirs *dirs, const int *fds,
                     struct pb_process *ret_process, struct pb_error *err)
{
    const char *const argv[] = {"poppo-broker", NULL};

    return launch(bin_dir, argv, fds, 2, dirs, ret_process, err);
}

/* As root the shim changes users by itself, because the box must be made first. */
int pb_launch_shim(const char *bin_dir, const struct pb_project_dirs *dirs, const int *fds,
                   size_t fd_count, struct pb_process *ret_process, struct pb_error *err)
{
    char runner[40];
    char task[40];
    char group[40];
    const char *const as_root[] = {"poppo-shim", runner, task, group, NULL};
    const char *const as_user[] = {"poppo-shim", "--detach", NULL};

    (void)snprintf(runner, sizeof(runner), "--runner-uid=%u", dirs->runner_uid);
    (void)snprintf(task, sizeof(task), "--task-uid=%u", dirs->task_uid);
    (void)snprintf(group, sizeof(group), "--gid=%u", dirs->gid);
    return launch(bin_dir, dirs->as_root ? as_root : as_user, fds, fd_count, NULL, ret_process,
                  err);
}
