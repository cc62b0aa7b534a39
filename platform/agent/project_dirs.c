#include "agent/project_dirs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "wire/message.h"

enum owner { ROOT, RUNNER, TASK };

/* In this order: a folder stands below one that was made before it. temp/ is sticky, and above it everything is
 * root's: programs that keep sockets in TMPDIR refuse it where another user could put something else in its place. */
static const struct {
    const char *path;
    enum owner owner;
    mode_t mode;
} FOLDERS[] = {
    {"workspace", TASK, 02770}, {"logs", RUNNER, 0700},          {"data", RUNNER, 0750},
    {"data/home", TASK, 0770},  {"data/attempts", RUNNER, 0750}, {"temp", TASK, 03770},
};

static int put_path(char ret_path[512], const char *root, const char *name, struct pb_error *err)
{
    int len = snprintf(ret_path, 512, "%s/%s", root, name);

    return len < 0 || len >= 512
               ? pb_fail(err, PB_ERROR_INVALID, "the data folder's path is too long")
               : 0;
}

int pb_slot_port(int port_base, unsigned slot)
{
    return port_base + PB_SLOT_PORTS * (int)(slot - 1);
}

int pb_project_dirs_name(const struct pb_project_place *place, struct pb_project_dirs *ret_dirs,
                         struct pb_error *err)
{
    struct pb_project_dirs dirs = {.slot = place->slot, .as_root = place->as_root};
    char name[64 + sizeof("projects/")];

    if (!pb_message_project_valid(place->project))
        return pb_fail(err, PB_ERROR_INVALID, "this is no project id");
    if (place->slot < PB_SLOT_MIN || place->slot > PB_SLOT_MAX)
        return pb_fail(err, PB_ERROR_INVALID, "slot %u does not exist", place->slot);
    (void)snprintf(dirs.project, sizeof(dirs.project), "%s", place->project);
    (void)snprintf(name, sizeof(name), "projects/%s", place->project);
    dirs.runner_uid = place->as_root ? place->uid_base + 2 * place->slot : geteuid();
    dirs.task_uid = place->as_root ? dirs.runner_uid + 1 : geteuid();
    dirs.gid = place->as_root ? (gid_t)dirs.runner_uid : getegid();
    dirs.port = pb_slot_port(place->port_base, place->slot);
    if (put_path(dirs.root, place->data_dir, name, err) < 0 ||
        put_path(dirs.workspace, dirs.root, "workspace", err) < 0 ||
        put_path(dirs.logs, dirs.root, "logs", err) < 0 ||
        put_path(dirs.data, dirs.root, "data", err) < 0 ||
        put_path(dirs.temp, dirs.root, "temp", err) < 0 ||
        put_path(dirs.home, dirs.root, "data/home", err) < 0 ||
        put_path(dirs.attempts, dirs.root, "data/attempts", err) < 0)
        return -1;
    *ret_dirs = dirs;
    return 0;
}

/* By descriptor and without following links: whoever owns the folder above may have put anything there. */
static int make_folder(int above, const char *name, const struct pb_project_dirs *dirs,
                       enum owner owner, mode_t mode, struct pb_error *err)
{
    uid_t uid = owner == ROOT ? 0 : owner == TASK ? dirs->task_uid : dirs->runner_uid;
    int r = -1;
    int fd;

    if (mkdirat(above, name, 0700) < 0 && errno != EEXIST)
        return pb_fail_errno(err, "make the folder %s", name);
    fd = openat(above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return pb_fail_errno(err, "open the folder %s", name);
    if (dirs->as_root && fchown(fd, uid, dirs->gid) < 0)
        (void)pb_fail_errno(err, "give away the folder %s", name);
    else if (fchmod(fd, mode) < 0)
        (void)pb_fail_errno(err, "set the mode of the folder %s", name);
    else
        r = 0;
    pb_close(&fd);
    return r;
}

static int open_projects(const struct pb_project_dirs *dirs, struct pb_error *err)
{
    size_t len = strlen(dirs->root) - strlen(dirs->project) - 1;
    char path[sizeof(dirs->root)];
    int fd;

    (void)snprintf(path, sizeof(path), "%.*s", (int)len, dirs->root);
    if (pb_fs_mkdirs(path, 0755, err) < 0)
        return -1;
    fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? pb_fail_errno(err, "open %s", path) : fd;
}

/* "data/home" below the project's folder; one level at most. */
static int make_below(int root, const char *path, const struct pb_project_dirs *dirs,
                      enum owner owner, mode_t mode, struct pb_error *err)
{
    const char *slash = strchr(path, '/');
    char first[16];
    int above;
    int r;

    if (!slash)
        return make_folder(root, path, dirs, owner, mode, err);
    (void)snprintf(first, sizeof(first), "%.*s", (int)(slash - path), path);
    above = openat(root, first, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (above < 0)
        return pb_fail_errno(err, "open the folder %s", first);
    r = make_folder(above, slash + 1, dirs, owner, mode, err);
    pb_close(&above);
    return r;
}

int pb_project_dirs_make(const struct pb_project_dirs *dirs, struct pb_error *err)
{
    int projects = open_projects(dirs, err);
    int root = -1;
    int r = -1;

    if (projects < 0)
        return -1;
    if (make_folder(projects, dirs->project, dirs, ROOT, 0750, err) < 0)
        goto out;
    root = openat(projects, dirs->project, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (root < 0) {
        (void)pb_fail_errno(err, "open the folder %s", dirs->project);
        goto out;
    }
    for (size_t i = 0; i < sizeof(FOLDERS) / sizeof(FOLDERS[0]); i++) {
        if (make_below(root, FOLDERS[i].path, dirs, FOLDERS[i].owner, FOLDERS[i].mode, err) < 0)
            goto out;
    }
    r = 0;
out:
    pb_close(&root);
    pb_close(&projects);
    return r < 0 ? pb_fail_in(err, "project %s", dirs->project) : 0;
}

int pb_project_dirs_remove(const struct pb_project_dirs *dirs, struct pb_error *err)
{
    int projects = open_projects(dirs, err);
    int r;

    if (projects < 0)
        return -1;
    r = pb_fs_remove_tree(projects, dirs->project, err);
    pb_close(&projects);
    return r;
}
