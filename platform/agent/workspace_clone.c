#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/git_command.h"
#include "agent/repo_cache.h"
#include "agent/workspace_private.h"
#include "base/text.h"

enum { PATH_TEXT = PB_PROJECT_PATH_TEXT, CLONE_MS = 30 * 60 * 1000 };

const char *pb_workspace_base(const struct pb_attempt_plan *plan)
{
    return plan->repo.base_branch && plan->repo.base_branch[0] ? plan->repo.base_branch
                                                               : plan->repo.default_branch;
}

int pb_workspace_git(struct pb_step *step, const struct pb_workspace *workspace,
                     const char *const *args, int *ret_code, struct pb_error *err)
{
    struct pb_git_command command = {.work_dir = workspace->path, .args = args};

    return pb_git_task(step, &command, ret_code, err);
}

static const char *start_sha(const struct pb_workspace *workspace)
{
    return workspace->branch_sha[0] ? workspace->branch_sha : workspace->base_sha;
}

static bool is_cancelled(void *arg)
{
    return pb_step_cancelled(arg);
}

static int remove_tree(struct pb_step *step, const char *path, struct pb_error *err)
{
    if (access(path, F_OK) < 0 && errno == ENOENT)
        return 0;
    return pb_workspace_remove_trees(pb_step_task_host(step), path, NULL, is_cancelled, step, err);
}

/* Locks of a git that was killed. The item's processes are gone, so nobody holds them. */
int pb_workspace_unlock(struct pb_step *step, const struct pb_workspace *workspace,
                        struct pb_error *err)
{
    char index[PATH_TEXT], head[PATH_TEXT];
    const char *const args[] = {"/bin/rm", "-f", "--", index, head, NULL};

    (void)snprintf(index, sizeof(index), "%s/.git/index.lock", workspace->path);
    (void)snprintf(head, sizeof(head), "%s/.git/HEAD.lock", workspace->path);
    if (access(index, F_OK) < 0 && access(head, F_OK) < 0)
        return 0;
    return pb_git_task_tool(step, args, err);
}

/* A new clone. It gets its name last, so a folder of that name is always a whole clone. */

static int clone_from_cache(struct pb_step *step, const struct pb_workspace *workspace,
                            const char *path, struct pb_error *err)
{
    const struct pb_attempt_plan *plan = pb_step_plan(step);
    char cache[PB_REPO_CACHE_PATH];
    const char *branch = workspace->branch_sha[0] ? plan->repo.branch : pb_workspace_base(plan);
    const char *const args[] = {
        "clone",    "--quiet", "--shared", "--no-tags", "--no-recurse-submodules",
        "--origin", "origin",  "--branch", branch,      "--",
        cache,      path,      NULL};
    struct pb_git_command command = {.args = args, .protocol = PB_GIT_FILE, .timeout_ms = CLONE_MS};

    pb_repo_cache_path(step, cache);
    return pb_git_task(step, &command, NULL, err);
}

/* On our branch; origin named by its real address, for people's eyes and tools. */
static int dress(struct pb_step *step, const struct pb_workspace *workspace, const char *path,
                 struct pb_error *err)
{
    const struct pb_attempt_plan *plan = pb_step_plan(step);
    const char *const on_branch[] = {
        "checkout",           "--quiet", "--no-track", "-B", plan->repo.branch,
        start_sha(workspace), "--",      NULL};
    const char *const address[] = {"remote", "set-url", "origin", "--", plan->repo.url, NULL};
    struct pb_workspace there = *workspace;

    there.path = path;
    if (!workspace->branch_sha[0] && pb_workspace_git(step, &there, on_branch, NULL, err) < 0)
        return -1;
    return pb_workspace_git(step, &there, address, NULL, err);
}

static int make_clone(struct pb_step *step, const struct pb_workspace *workspace,
                      struct pb_error *err)
{
    char fresh[PATH_TEXT];

    (void)snprintf(fresh, sizeof(fresh), "%s/.new-%s", pb_step_dirs(step)->workspace,
                   pb_step_plan(step)->item);
    if (remove_tree(step, fresh, err) < 0 || remove_tree(step, workspace->path, err) < 0 ||
        clone_from_cache(step, workspace, fresh, err) < 0 || dress(step, workspace, fresh, err) < 0)
        return -1;
    if (rename(fresh, workspace->path) < 0)
        return pb_fail_errno(err, "rename '%s'", fresh);
    pb_step_log(step, 's', "workspace: new clone of %s at %.12s",
                pb_workspace_base(pb_step_plan(step)), start_sha(workspace));
    return 0;
}

/* A kept clone. */

static int fetch_into(struct pb_step *step, const struct pb_workspace *workspace,
                      struct pb_error *err)
{
    char cache[PB_REPO_CACHE_PATH];
    const char *const args[] = {"fetch",
                                "--quiet",
                                "--no-tags",
                                "--prune",
                                "--no-write-fetch-head",
                                "--no-auto-maintenance",
                                "--",
                                cache,
                                "+refs/heads/*:refs/remotes/origin/*",
                                NULL};
    struct pb_git_command command = {.work_dir = workspace->path,
                                     .args = args,
                                     .protocol = PB_GIT_FILE};

    pb_repo_cache_path(step, cache);
    return pb_git_task(step, &command, NULL, err);
}

/* Puts aside what is there, then begins at `start`. Only the last two must succeed: a workspace in
 * whatever state a task has left it must come out clean. */
static int begin_anew(struct pb_step *step, const struct pb_workspace *workspace,
                      struct pb_error *err)
{
    const struct pb_attempt_plan *plan = pb_step_plan(step);
    char kept[160];
    const char *const keep[] = {"update-ref", kept, "HEAD", NULL};
    const char *const stash[] = {"stash",     "push", "--quiet", "--include-untracked",
                                 "--message", kept,   NULL};
    const char *const quit[] = {"rebase", "--quit", NULL};
    const char *const check_out[] = {"checkout",           "--quiet", "--force",
                                     "--no-track",         "-B",      plan->repo.branch,
                                     start_sha(workspace), "--",      NULL};
    const char *const clean[] = {"clean", "--quiet", "-ffd", NULL};
    int ignored;

    (void)snprintf(kept, sizeof(kept), "refs/poppo/kept/%s", plan->name);
    if (pb_workspace_git(step, workspace, keep, &ignored, err) < 0 ||
        pb_workspace_git(step, workspace, stash, &ignored, err) < 0 ||
        pb_workspace_git(step, workspace, quit, &ignored, err) < 0 ||
        pb_workspace_git(step, workspace, check_out, NULL, err) < 0 ||
        pb_workspace_git(step, workspace, clean, NULL, err) < 0)
        return -1;
    pb_step_log(step, 's', "workspace: kept clone, begun anew at %.12s", start_sha(workspace));
    return 0;
}

/* -1 = error, else whether `sha` is contained in the workspace's HEAD (or the other way round). */
static int has_ancestor(struct pb_step *step, const struct pb_workspace *workspace,
                        const char *ancestor, const char *of, struct pb_error *err)
{
    const char *const args[] = {"merge-base", "--is-ancestor", ancestor, of, NULL};
    int code;

    if (pb_workspace_git(step, workspace, args, &code, err) < 0)
        return -1;
    return code == 0;
}

/* As it was left, unless others have pushed to the branch since. */
static int go_on(struct pb_step *step, const struct pb_workspace *workspace, struct pb_error *err)
{
    const char *const forward[] = {"merge", "--quiet", "--ff-only", workspace->branch_sha, NULL};
    int r, code = 1;

    r = workspace->branch_sha[0] ? has_ancestor(step, workspace, workspace->branch_sha, "HEAD", err)
                                 : 1;
    if (r < 0)
        return -1;
    if (r == 1) {
        pb_step_log(step, 's', "workspace: as it was left");
        return 0;
    }
    r = has_ancestor(step, workspace, "HEAD", workspace->branch_sha, err);
    if (r < 0 || (r == 1 && pb_workspace_git(step, workspace, forward, &code, err) < 0))
        return -1;
    if (r == 1 && code == 0) {
        pb_step_log(step, 's', "workspace: forwarded to %.12s, which others have pushed",
                    workspace->branch_sha);
        return 0;
    }
    pb_step_log(step, 'w', "others have pushed to the branch: what was here is kept aside");
    return begin_anew(step, workspace, err);
}

static bool is_whole(struct pb_step *step, const struct pb_workspace *workspace)
{
    static const char *const ARGS[] = {"rev-parse", "--quiet", "--verify", "HEAD^{commit}", NULL};
    struct pb_error ignored = {0};

    return pb_workspace_git(step, workspace, ARGS, NULL, &ignored) == 0;
}

static int reuse(struct pb_step *step, const struct pb_workspace *workspace, struct pb_error *err)
{
    if (pb_workspace_unlock(step, workspace, err) < 0 || fetch_into(step, workspace, err) < 0)
        return -1;
    return pb_step_plan(step)->resume ? go_on(step, workspace, err)
                                      : begin_anew(step, workspace, err);
}

int pb_workspace_check_out(struct pb_step *step, const struct pb_workspace *workspace,
                           struct pb_error *err)
{
    struct pb_error why = {0};
    struct stat there;

    if (lstat(workspace->path, &there) < 0 || !S_ISDIR(there.st_mode))
        return make_clone(step, workspace, err);
    if (is_whole(step, workspace) && reuse(step, workspace, &why) == 0)
        return 0;
    if (pb_step_cancelled(step))
        return pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "cancelled", "cancelled");
    if (pb_text_equal(why.reason, "disk"))
        return pb_fail_reason(err, why.code, "disk", "%s", why.message);
    pb_step_log(step, 'w', "the kept workspace is damaged and made anew%s%s",
                why.message[0] ? ": " : "", why.message);
    return make_clone(step, workspace, err);
}
