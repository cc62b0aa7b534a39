#include "agent/publish.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/publish_private.h"
#include "agent/repo_cache.h"
#include "base/fs.h"
#include "base/text.h"

enum { PATH_TEXT = PB_PROJECT_PATH_TEXT, NUMSTAT_MAX = 16 << 20 };

static const char RESULT[] = "refs/heads/result";
static const char THEIRS[] = "refs/heads/theirs";

/* publish.git: new for this, with the cache's objects for its own. */

static int make_repo(struct pb_publish *publish, struct pb_error *err)
{
    const char *const args[] = {"init", "--quiet",     "--bare", "--template=",
                                "--",   publish->repo, NULL};
    char cache[PB_REPO_CACHE_PATH], path[PATH_TEXT + 32], line[PB_REPO_CACHE_PATH + 16];

    (void)snprintf(publish->repo, sizeof(publish->repo), "%s/publish.git",
                   pb_step_attempt_dir(publish->step));
    pb_repo_cache_path(publish->step, cache);
    (void)snprintf(path, sizeof(path), "%s/objects/info", publish->repo);
    (void)snprintf(line, sizeof(line), "%s/objects\n", cache);
    if (pb_fs_remove_tree(AT_FDCWD, publish->repo, err) < 0 ||
        pb_git_run(publish->step, &(struct pb_git_command){.args = args}, NULL, err) < 0 ||
        pb_fs_mkdirs(path, 0700, err) < 0)
        return -1;
    (void)snprintf(path, sizeof(path), "%s/objects/info/alternates", publish->repo);
    return pb_fs_write(AT_FDCWD, path, line, strlen(line), 0600, err);
}

static int check_bundle(const char *path, struct pb_error *err)
{
    struct stat bundle;

    if (lstat(path, &bundle) < 0)
        return pb_fail_errno(err, "the result's bundle");
    if (!S_ISREG(bundle.st_mode))
        return pb_publish_refuse(err, "the result's bundle is no file");
    if (bundle.st_size > PB_PUBLISH_BUNDLE_BYTES_MAX)
        return pb_publish_refuse(err, "the result is larger than %d MiB",
                                 PB_PUBLISH_BUNDLE_BYTES_MAX >> 20);
    return 0;
}

/* Out of the folder where the task user, of whom another attempt may be at work, could still put a link or a
 * repository of its own in the place of what was looked at; so it is looked at where it stays. */
static int take_bundle(const struct pb_publish *publish, char ret_path[PATH_TEXT],
                       struct pb_error *err)
{
    char given[PATH_TEXT];

    (void)snprintf(given, sizeof(given), "%s/exchange/result.bundle",
                   pb_step_attempt_dir(publish->step));
    (void)snprintf(ret_path, PATH_TEXT, "%s/result.bundle", publish->repo);
    if (check_bundle(given, err) < 0)
        return -1;
    if (rename(given, ret_path) < 0)
        return pb_fail_errno(err, "take the result's bundle");
    return check_bundle(ret_path, err);
}

/* Hostile bytes: whatever is wrong with them is a refusal, not our failure. */
static int fetch_bundle(struct pb_publish *publish, struct pb_error *err)
{
    char bundle[PATH_TEXT], refspec[64];
    const char *const args[] = {
        "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--",
        bundle,  refspec,   NULL};
    struct pb_git_command command = {.git_dir = publish->repo,
                                     .args = args,
                                     .protocol = PB_GIT_FILE,
                                     .is_bounded = true};

    (void)snprintf(refspec, sizeof(refspec), "+HEAD:%s", RESULT);
    if (take_bundle(publish, bundle, err) < 0)
        return -1;
    if (pb_git_run(publish->step, &command, NULL, err) < 0)
        return pb_text_equal(err->reason, "workspace")
                   ? pb_fail_reason(err, PB_ERROR_DENIED, "publish_refused", "%s", err->message)
                   : -1;
    return 0;
}

static int take_ref(const struct pb_publish *publish, const char *ref,
                    char ret_sha[PB_GIT_SHA_TEXT], struct pb_error *err)
{
    char commit[64];
    const char *const args[] = {"rev-parse", "--verify", "--quiet", commit, NULL};
    struct pb_buf out;
    int r;

    (void)snprintf(commit, sizeof(commit), "%s^{commit}", ref);
    pb_buf_init(&out, 4096);
    r = pb_publish_git(publish, args, NULL, &out, NULL, err);
    if (r == 0)
        r = pb_git_take_sha(&out, ret_sha, err);
    pb_buf_release(&out);
    return r;
}

/* What has changed, for people. */

static int64_t take_number(const char **at)
{
    char digits[20] = {0};
    size_t len = strcspn(*at, "\t");
    uint64_t number = 0;

    if (len < sizeof(digits)) {
        memcpy(digits, *at, len);
        if (!pb_parse_u64(digits, INT64_MAX, &number))
            number = 0; /* "-" for a binary file */
    }
    *at += len + ((*at)[len] == '\t');
    return (int64_t)number;
}

/* "ins\tdel\tpath\0" */
static int read_numstat(const struct pb_buf *out, struct pb_arena *arena,
                        struct pb_publication *publication, struct pb_error *err)
{
    const char **names = pb_arena_alloc(arena, (PB_PUBLISH_NAMES_MAX + 1) * sizeof(char *));
    const char *at = pb_buf_string(out), *end = at + out->len;

    if (!names)
        return pb_fail(err, PB_ERROR_LIMITED, "the list of changed files does not fit");
    while (at < end) {
        publication->insertions += take_number(&at);
        publication->deletions += take_number(&at);
        if (publication->files_changed < PB_PUBLISH_NAMES_MAX &&
            !(names[publication->files_changed] = pb_arena_text(arena, at)))
            return pb_fail(err, PB_ERROR_LIMITED, "the list of changed files does not fit");
        publication->files_changed++;
        at += strlen(at) + 1;
    }
    publication->changed_files = names;
    return 0;
}

static int measure(const struct pb_publish *publish, struct pb_publication *publication,
                   struct pb_error *err)
{
    const char *const args[] = {
        "diff-tree",     "--numstat",     "-r",           "-z",          "--no-renames",
        "--no-ext-diff", "--no-textconv", publish->start, publish->head, NULL};
    struct pb_buf out;
    int r;

    pb_buf_init(&out, NUMSTAT_MAX);
    r = pb_publish_git(publish, args, NULL, &out, NULL, err);
    if (r == 0)
        r = read_numstat(&out, publish->arena, publication, err);
    pb_buf_release(&out);
    return r;
}

/* Origin. */

static struct pb_git_command to_origin(const struct pb_publish *publish, const char *const *args,
                                       const struct pb_credential *credential)
{
    return (struct pb_git_command){
        .git_dir = publish->repo,
        .args = args,
        .protocol = PB_GIT_HTTP,
        .url = pb_step_plan(publish->step)->repo.url,
        .credential = credential,
        .timeout_ms = PB_GIT_NETWORK_MS,
    };
}

/* Head of our branch at origin; "" = there is none. */
static int look_at_origin(const struct pb_publish *publish, const struct pb_credential *credential,
                          char ret_sha[PB_GIT_SHA_TEXT], struct pb_error *err)
{
    const struct pb_attempt_plan *plan = pb_step_plan(publish->step);
    char ref[256];
    const char *const args[] = {"ls-remote", "--", plan->repo.url, ref, NULL};
    struct pb_git_command command = to_origin(publish, args, credential);
    struct pb_buf out;
    int r;

    (void)snprintf(ref, sizeof(ref), "refs/heads/%s", plan->repo.branch);
    pb_buf_init(&out, 64 << 10);
    command.ret_out = &out;
    r = pb_git_run(publish->step, &command, NULL, err);
    if (r == 0 && out.len == 0) {
        ret_sha[0] = '\0';
    } else if (r == 0) { /* "<sha>\t<ref>" */
        out.len = strcspn(out.data, "\t");
        r = pb_git_take_sha(&out, ret_sha, err);
    }
    pb_buf_release(&out);
    return r;
}

static int fetch_theirs(const struct pb_publish *publish, const struct pb_credential *credential,
                        struct pb_error *err)
{
    const struct pb_attempt_plan *plan = pb_step_plan(publish->step);
    char refspec[300];
    const char *const args[] = {"fetch",
                                "--quiet",
                                "--no-tags",
                                "--no-write-fetch-head",
                                "--no-auto-maintenance",
                                "--",
                                plan->repo.url,
                                refspec,
                                NULL};
    struct pb_git_command command = to_origin(publish, args, credential);

    (void)snprintf(refspec, sizeof(refspec), "+refs/heads/%s:%s", plan->repo.branch, THEIRS);
    return pb_git_run(publish->step, &command, NULL, err);
}

static int is_ancestor(const struct pb_publish *publish, const char *ancestor, const char *of,
                       bool *ret_is, struct pb_error *err)
{
    const char *const args[] = {"merge-base", "--is-ancestor", ancestor, of, NULL};
    int code;

    if (pb_publish_git(publish, args, NULL, NULL, &code, err) < 0)
        return -1;
    *ret_is = code == 0;
    return 0;
}

/* The branch is not where it was. Whatever is there must be ours or below ours. *ret_done: our commit is in it. */
static int meet_theirs(const struct pb_publish *publish, const struct pb_credential *credential,
                       bool *ret_done, struct pb_error *err)
{
    bool theirs_below, ours_below;

    if (fetch_theirs(publish, credential, err) < 0 ||
        is_ancestor(publish, THEIRS, publish->head, &theirs_below, err) < 0 ||
        is_ancestor(publish, publish->head, THEIRS, &ours_below, err) < 0)
        return -1;
    *ret_done = ours_below;
    return theirs_below || ours_below ? 0
                                      : pb_fail_reason(err, PB_ERROR_CONFLICT, "push_rejected",
                                                       "others have pushed to '%s' meanwhile",
                                                       pb_step_plan(publish->step)->repo.branch);
}

static int push(const struct pb_publish *publish, const struct pb_credential *credential,
                struct pb_error *err)
{
    const struct pb_attempt_plan *plan = pb_step_plan(publish->step);
    char refspec[400];
    const char *const args[] = {"push",         "--no-verify", "--no-signed", "--",
                                plan->repo.url, refspec,       NULL};
    struct pb_git_command command = to_origin(publish, args, credential);

    (void)snprintf(refspec, sizeof(refspec), "%s:refs/heads/%s", publish->head, plan->repo.branch);
    return pb_git_run(publish->step, &command, NULL, err);
}

static int bring_to_origin(const struct pb_publish *publish, const struct pb_credential *credential,
                           struct pb_error *err)
{
    const char *branch = pb_step_plan(publish->step)->repo.branch;
    char theirs[PB_GIT_SHA_TEXT];
    bool done = false;

    if (look_at_origin(publish, credential, theirs, err) < 0)
        return -1;
    if (strcmp(theirs, publish->head) == 0) {
        pb_step_log(publish->step, 's', "'%s' is at %.12s already", branch, publish->head);
        return 0;
    }
    if (theirs[0] && strcmp(theirs, publish->start) != 0 &&
        meet_theirs(publish, credential, &done, err) < 0)
        return -1;
    if (!done && push(publish, credential, err) < 0)
        return -1;
    pb_step_log(publish->step, 's', "pushed %lld commit%s to '%s' (%.12s)",
                (long long)publish->commit_count, publish->commit_count == 1 ? "" : "s", branch,
                publish->head);
    return 0;
}

/* The platform's word that the fence still holds is the credential itself. */
static int push_with_permission(const struct pb_publish *publish, struct pb_error *err)
{
    struct pb_credential credential = {0};
    int r;

    if (pb_step_credential(publish->step, "git_push", &credential, err) < 0)
        return -1;
    r = bring_to_origin(publish, &credential, err);
    pb_credential_release(&credential);
    return r;
}

static int publish_result(struct pb_publish *publish, struct pb_publication *publication,
                          struct pb_error *err)
{
    if (make_repo(publish, err) < 0 || fetch_bundle(publish, err) < 0 ||
        take_ref(publish, RESULT, publish->head, err) < 0 || pb_publish_check(publish, err) < 0 ||
        measure(publish, publication, err) < 0)
        return -1;
    publication->commits = publish->commit_count;
    memcpy(publication->head_sha, publish->head, sizeof(publication->head_sha));
    if (push_with_permission(publish, err) < 0)
        return -1;
    publication->pushed = true;
    return 0;
}

int pb_publish(struct pb_step *step, const struct pb_workspace *workspace, struct pb_arena *arena,
               struct pb_publication *ret_publication, struct pb_error *err)
{
    struct pb_publish publish = {.step = step, .workspace = workspace, .arena = arena};
    struct pb_publication publication = {0};
    struct pb_error ignored = {0};
    int r;

    publish.start = workspace->branch_sha[0] ? workspace->branch_sha : workspace->base_sha;
    publication.branch = pb_arena_text(arena, pb_step_plan(step)->repo.branch);
    memcpy(publication.base_sha, publish.start, strlen(publish.start) + 1);
    if (!publication.branch)
        return pb_fail(err, PB_ERROR_LIMITED, "the result's description does not fit");
    pb_buf_init(&publish.commits, (PB_PUBLISH_COMMITS_MAX + 2) * PB_GIT_SHA_TEXT);
    r = publish_result(&publish, &publication, err);
    pb_buf_release(&publish.commits);
    if (publish.repo[0] && pb_fs_remove_tree(AT_FDCWD, publish.repo, &ignored) < 0)
        pb_step_log(step, 'w', "publish.git stays behind: %s", ignored.message);
    if (r < 0)
        return -1;
    *ret_publication = publication;
    return 0;
}
