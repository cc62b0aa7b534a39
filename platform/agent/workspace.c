#include "agent/workspace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/git_command.h"
#include "agent/repo_cache.h"
#include "agent/workspace_private.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/text.h"

enum { PATH_TEXT = PB_PROJECT_PATH_TEXT };

static const char WORKSPACE_FILE[] = "workspace.json";

/* Where things are, as texts in the arena. */
static int name_places(const struct pb_step *step, struct pb_arena *arena,
                       struct pb_workspace *workspace, struct pb_error *err)
{
    const struct pb_project_dirs *dirs = pb_step_dirs(step);
    const char *item = pb_step_plan(step)->item;

    workspace->path = pb_arena_format(arena, "%s/%s", dirs->workspace, item);
    workspace->home = pb_arena_format(arena, "%s/%s", dirs->home, item);
    workspace->temp =
        pb_arena_format(arena, "%s/%s", dirs->temp, pb_attempt_temp_name(pb_step_plan(step)->name));
    workspace->agent_notes = "";
    if (!workspace->path || !workspace->home || !workspace->temp)
        return pb_fail(err, PB_ERROR_LIMITED, "the workspace's description does not fit");
    return 0;
}

/* workspace.json */

static int save(const struct pb_step *step, const struct pb_workspace *workspace,
                struct pb_error *err)
{
    char path[PATH_TEXT];
    struct pb_json_writer w;
    struct pb_buf text;
    int r;

    (void)snprintf(path, sizeof(path), "%s/%s", pb_step_attempt_dir(step), WORKSPACE_FILE);
    pb_buf_init(&text, 4 * (size_t)PB_WORKSPACE_NOTES_MAX);
    pb_json_writer_init(&w, &text);
    pb_json_begin_object(&w, NULL);
    pb_json_put_int(&w, "version", 1);
    pb_json_put_bool(&w, "has_repository", workspace->has_repository);
    pb_json_put_text(&w, "base_sha", workspace->base_sha);
    pb_json_put_text(&w, "branch_sha", workspace->branch_sha);
    pb_json_put_text(&w, "agent_notes", workspace->agent_notes);
    pb_json_end_object(&w);
    r = pb_buf_failed(&text) ? pb_fail(err, PB_ERROR_LIMITED, "%s does not fit", WORKSPACE_FILE)
                             : pb_fs_write(AT_FDCWD, path, text.data, text.len, 0600, err);
    pb_buf_release(&text);
    return r;
}

static int take_saved_sha(const struct pb_json *saved, const char *name, char ret_sha[65],
                          struct pb_error *err)
{
    const char *sha = pb_json_text(saved, name, "");

    if (sha[0] && !pb_git_is_sha(sha))
        return pb_fail(err, PB_ERROR_INTERNAL, "%s in %s is damaged", name, WORKSPACE_FILE);
    memcpy(ret_sha, sha, strlen(sha) + 1);
    return 0;
}

static int take_saved(const struct pb_json *saved, struct pb_arena *arena,
                      struct pb_workspace *workspace, struct pb_error *err)
{
    workspace->has_repository = pb_json_bool(saved, "has_repository", false);
    workspace->agent_notes = pb_arena_text(arena, pb_json_text(saved, "agent_notes", ""));
    if (!workspace->agent_notes)
        return pb_fail(err, PB_ERROR_LIMITED, "the workspace's description does not fit");
    if (take_saved_sha(saved, "base_sha", workspace->base_sha, err) < 0)
        return -1;
    return take_saved_sha(saved, "branch_sha", workspace->branch_sha, err);
}

/* 1 = loaded, 0 = not there yet. */
static int load(const struct pb_step *step, struct pb_arena *arena, struct pb_workspace *workspace,
                struct pb_error *err)
{
    struct pb_error missing = {0};
    struct pb_json *saved = NULL;
    char path[PATH_TEXT];
    struct pb_buf text;
    int r = -1;

    (void)snprintf(path, sizeof(path), "%s/%s", pb_step_attempt_dir(step), WORKSPACE_FILE);
    pb_buf_init(&text, 4 * (size_t)PB_WORKSPACE_NOTES_MAX);
    if (pb_fs_read(AT_FDCWD, path, &text, &missing) < 0) {
        if (missing.code == PB_ERROR_NOT_FOUND)
            r = 0;
        else
            *err = missing;
        goto out;
    }
    saved = pb_json_parse(pb_buf_string(&text), text.len, err);
    if (saved && take_saved(saved, arena, workspace, err) == 0)
        r = 1;
out:
    pb_json_free(saved);
    pb_buf_release(&text);
    return r;
}

/* What git must be told by a file, because its helpers do not heed variables: the cache is another
 * user's, and that is all right. */
static int write_task_config(const struct pb_step *step, struct pb_error *err)
{
    char cache[PB_REPO_CACHE_PATH], path[PATH_TEXT], text[PB_REPO_CACHE_PATH + 64];

    pb_repo_cache_path(step, cache);
    (void)snprintf(path, sizeof(path), "%s/task.gitconfig", pb_step_dirs(step)->data);
    (void)snprintf(text, sizeof(text), "[safe]\n\tdirectory = \"%s\"\n", cache);
    return pb_fs_write(AT_FDCWD, path, text, strlen(text), 0640, err);
}

static int check_plan(const struct pb_attempt_plan *plan, struct pb_error *err)
{
    char origin[512];

    if (pb_git_origin(plan->repo.url, origin, err) < 0)
        return -1;
    if (!pb_git_branch_valid(plan->repo.branch) || !pb_git_branch_valid(pb_workspace_base(plan)))
        return pb_fail_reason(err, PB_ERROR_INVALID, "invalid_settings",
                              "'%s' or '%s' is no branch name we can use",
                              plan->repo.branch ? plan->repo.branch : "",
                              pb_workspace_base(plan) ? pb_workspace_base(plan) : "");
    if (pb_text_equal(plan->repo.branch, pb_workspace_base(plan)) ||
        pb_text_equal(plan->repo.branch, plan->repo.default_branch))
        return pb_fail_reason(err, PB_ERROR_INVALID, "invalid_settings",
                              "results are not pushed to '%s' itself", plan->repo.branch);
    return 0;
}

static int learn_heads(struct pb_step *step, struct pb_workspace *workspace, struct pb_error *err)
{
    const struct pb_attempt_plan *plan = pb_step_plan(step);

    if (pb_repo_cache_head(step, pb_workspace_base(plan), workspace->base_sha, err) < 0 ||
        pb_repo_cache_head(step, plan->repo.branch, workspace->branch_sha, err) < 0)
        return -1;
    if (workspace->base_sha[0])
        return 0;
    if (pb_repo_cache_is_empty(step))
        return pb_fail_reason(err, PB_ERROR_UNPROCESSABLE, "repo_empty",
                              "the repository has no branch yet");
    return pb_fail_reason(err, PB_ERROR_UNPROCESSABLE, "workspace", "there is no branch '%s'",
                          pb_workspace_base(plan));
}

static int read_notes(struct pb_step *step, struct pb_arena *arena, struct pb_workspace *workspace,
                      struct pb_error *err)
{
    struct pb_buf notes;
    int r;

    pb_buf_init(&notes, PB_WORKSPACE_NOTES_MAX);
    r = pb_repo_cache_read(step, workspace->base_sha, "CLAUDE.md", &notes, err);
    if (r == 0) {
        const char *text = pb_buf_string(&notes);
        workspace->agent_notes = pb_arena_bytes(arena, text,
                                                pb_utf8_valid(text, notes.len)
                                                    ? notes.len
                                                    : pb_utf8_cut(text, notes.len, notes.len));
        if (!workspace->agent_notes)
            r = pb_fail(err, PB_ERROR_LIMITED, "CLAUDE.md does not fit");
    }
    pb_buf_release(&notes);
    return r;
}

static int make_folder(struct pb_step *step, const char *path, const char *mode,
                       struct pb_error *err)
{
    const char *const args[] = {"/bin/mkdir", "-p", "-m", mode, "--", path, NULL};

    return access(path, F_OK) == 0 ? 0 : pb_git_task_tool(step, args, err);
}

static int prepare_repository(struct pb_step *step, struct pb_arena *arena,
                              struct pb_workspace *workspace, struct pb_error *err)
{
    workspace->has_repository = true;
    if (check_plan(pb_step_plan(step), err) < 0 || write_task_config(step, err) < 0 ||
        pb_repo_cache_update(step, err) < 0 || learn_heads(step, workspace, err) < 0 ||
        pb_workspace_check_out(step, workspace, err) < 0)
        return -1;
    return read_notes(step, arena, workspace, err);
}

int pb_workspace_prepare(struct pb_step *step, struct pb_arena *arena,
                         struct pb_workspace **ret_workspace, struct pb_error *err)
{
    struct pb_workspace *workspace = pb_arena_alloc(arena, sizeof(*workspace));
    int loaded;

    if (!workspace)
        return pb_fail(err, PB_ERROR_LIMITED, "the workspace's description does not fit");
    if (name_places(step, arena, workspace, err) < 0)
        return -1;
    loaded = load(step, arena, workspace, err);
    if (loaded < 0)
        return pb_fail_in(err, "workspace of %s", pb_step_plan(step)->item);
    if (loaded == 0) {
        if (make_folder(step, workspace->home, "0700", err) < 0 ||
            make_folder(step, workspace->temp, "0700", err) < 0)
            return -1;
        if (pb_step_plan(step)->repo.url) {
            if (prepare_repository(step, arena, workspace, err) < 0)
                return -1;
        } else if (make_folder(step, workspace->path, "0750", err) < 0) {
            return -1;
        }
        if (save(step, workspace, err) < 0)
            return -1;
    }
    *ret_workspace = workspace;
    return 0;
}

static int run_tool(const struct pb_task_host *host, const char *const *argv,
                    bool (*should_stop)(void *arg), void *arg, int *ret_code, struct pb_buf *errors,
                    struct pb_error *err)
{
    static const char *const ENVP[] = {"PATH=/usr/bin:/bin", NULL};
    struct pb_task_spec spec = {
        .argv = argv,
        .envp = ENVP,
        .cwd = host->dirs->temp,
        .wall_ms = PB_GIT_LOCAL_MS,
        .listener = -1,
        .is_brief = true,
        .should_stop = should_stop,
        .arg = arg,
    };
    struct pb_task_exit exit;

    pb_buf_clear(errors);
    if (pb_task_run(host, &spec, NULL, errors, &exit, err) < 0)
        return -1;
    *ret_code = exit.signal ? 128 + exit.signal : exit.code;
    return 0;
}

int pb_workspace_remove_trees(const struct pb_task_host *host, const char *one, const char *other,
                              bool (*should_stop)(void *arg), void *arg, struct pb_error *err)
{
    const char *const remove[] = {"/bin/rm", "-rf", "--", one, other, NULL};
    const char *const unlock[] = {"/bin/chmod", "-R", "u+rwX", "--", one, other, NULL};
    struct pb_buf errors;
    int code = 0, r;

    pb_buf_init(&errors, 64 << 10);
    r = run_tool(host, remove, should_stop, arg, &code, &errors, err);
    if (r == 0 && code != 0) {
        r = run_tool(host, unlock, should_stop, arg, &code, &errors, err);
        if (r == 0)
            r = run_tool(host, remove, should_stop, arg, &code, &errors, err);
    }
    if (r == 0 && code != 0)
        r = pb_fail_reason(err, PB_ERROR_INTERNAL, "workspace", "%.300s", pb_buf_string(&errors));
    pb_buf_release(&errors);
    return r;
}

int pb_workspace_remove(const struct pb_task_host *host, const char *item, struct pb_error *err)
{
    char clone[PATH_TEXT], home[PATH_TEXT];

    (void)snprintf(clone, sizeof(clone), "%s/%s", host->dirs->workspace, item);
    (void)snprintf(home, sizeof(home), "%s/%s", host->dirs->home, item);
    if (pb_workspace_remove_trees(host, clone, home, NULL, NULL, err) < 0)
        return pb_fail_in(err, "remove the workspace of %s", item);
    return 0;
}
