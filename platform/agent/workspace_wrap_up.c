#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/git_command.h"
#include "agent/workspace_private.h"
#include "base/text.h"

enum {
    PATH_TEXT = PB_PROJECT_PATH_TEXT,
    STATUS_MAX = 4 << 20,
    SUBJECT_BYTES = 100,
};

static const char *const UNMERGED[] = {"DD", "AU", "UD", "UA", "DU", "AA", "UU"};

static bool is_unmerged(const char *entry)
{
    for (size_t i = 0; i < sizeof(UNMERGED) / sizeof(UNMERGED[0]); i++)
        if (strncmp(entry, UNMERGED[i], 2) == 0)
            return true;
    return false;
}

/* "XY path\0", and for a rename the old path behind it. */
static int check_status(const struct pb_buf *status, struct pb_error *err)
{
    const char *at = pb_buf_string(status), *end = at + status->len;

    while (at < end) {
        if (is_unmerged(at))
            return pb_fail_reason(err, PB_ERROR_UNPROCESSABLE, "workspace",
                                  "a conflict was left unresolved in %.200s", at + 3);
        if (*at == 'R' || *at == 'C')
            at += strlen(at) + 1;
        at += at < end ? strlen(at) + 1 : 0;
    }
    return 0;
}

/* 1 = something is not committed. */
static int is_dirty(struct pb_step *step, const struct pb_workspace *workspace,
                    struct pb_error *err)
{
    static const char *const ARGS[] = {"status", "--porcelain", "-z", "--untracked-files=normal",
                                       NULL};
    struct pb_git_command command = {.work_dir = workspace->path, .args = ARGS};
    struct pb_buf status;
    int r;

    pb_buf_init(&status, STATUS_MAX);
    command.ret_out = &status;
    r = pb_git_task(step, &command, NULL, err);
    if (r == 0)
        r = check_status(&status, err);
    if (r == 0)
        r = status.len > 0;
    pb_buf_release(&status);
    return r;
}

static void write_line(struct pb_buf *buf, const char *text, size_t max)
{
    size_t len = pb_utf8_cut(text, strlen(text), max);

    for (size_t i = 0; i < len; i++)
        pb_buf_char(buf, (unsigned char)text[i] < ' ' || text[i] == 0x7f ? ' ' : text[i]);
}

static void write_message(struct pb_buf *buf, const struct pb_attempt_plan *plan)
{
    if (plan->title && plan->title[0])
        write_line(buf, plan->title, SUBJECT_BYTES);
    else
        write_line(buf, plan->item, SUBJECT_BYTES);
    if (plan->number > 0)
        pb_buf_format(buf, " (#%lld)", (long long)plan->number);
    if (plan->requested_by && plan->requested_by[0]) {
        pb_buf_text(buf, "\n\nRequested-by: ");
        write_line(buf, plan->requested_by, SUBJECT_BYTES);
    }
    pb_buf_char(buf, '\n');
}

static int commit_rest(struct pb_step *step, const struct pb_workspace *workspace,
                       struct pb_error *err)
{
    static const char *const ADD[] = {"add", "--all", "--", ".", NULL};
    static const char *const STAGED[] = {"diff", "--cached", "--quiet", "--no-ext-diff", NULL};
    static const char *const COMMIT[] = {"commit", "--quiet", "--no-verify", "--file=-", NULL};
    struct pb_git_command command = {.work_dir = workspace->path, .args = COMMIT};
    struct pb_buf message;
    int code, r;

    if (pb_workspace_git(step, workspace, ADD, NULL, err) < 0 ||
        pb_workspace_git(step, workspace, STAGED, &code, err) < 0)
        return -1;
    if (code == 0)
        return 0; /* ignored files, or none that count */
    pb_buf_init(&message, 4096);
    write_message(&message, pb_step_plan(step));
    command.input = &message;
    r = pb_git_task(step, &command, NULL, err);
    pb_buf_release(&message);
    if (r == 0)
        pb_step_log(step, 's', "committed what was left");
    return r;
}

/* Of the range HEAD ^base ^branch, as arguments behind `first`. */
struct range {
    char base[PB_GIT_SHA_TEXT + 1], branch[PB_GIT_SHA_TEXT + 1];
};

static void name_range(struct range *range, const struct pb_workspace *workspace)
{
    (void)snprintf(range->base, sizeof(range->base), "^%s", workspace->base_sha);
    (void)snprintf(range->branch, sizeof(range->branch), "^%s",
                   workspace->branch_sha[0] ? workspace->branch_sha : workspace->base_sha);
}

static int count_commits(struct pb_step *step, const struct pb_workspace *workspace,
                         uint64_t *ret_count, struct pb_error *err)
{
    struct range range;
    const char *const args[] = {"rev-list",   "--count", "HEAD", range.base,
                                range.branch, "--",      NULL};
    struct pb_git_command command = {.work_dir = workspace->path, .args = args};
    struct pb_buf out;
    char number[24] = {0};
    int r;

    name_range(&range, workspace);
    pb_buf_init(&out, 4096);
    command.ret_out = &out;
    r = pb_git_task(step, &command, NULL, err);
    if (r == 0) {
        (void)snprintf(number, sizeof(number), "%.*s", (int)strcspn(pb_buf_string(&out), "\n"),
                       pb_buf_string(&out));
        if (!pb_parse_u64(number, UINT64_MAX, ret_count))
            r = pb_fail_reason(err, PB_ERROR_UNPROCESSABLE, "workspace",
                               "git did not count the commits");
    }
    pb_buf_release(&out);
    return r;
}

static int make_bundle(struct pb_step *step, const struct pb_workspace *workspace,
                       struct pb_error *err)
{
    char path[PATH_TEXT], lock[PATH_TEXT];
    struct range range;
    const char *const args[] = {"bundle", "create",   "--quiet",    path,
                                "HEAD",   range.base, range.branch, NULL};

    name_range(&range, workspace);
    (void)snprintf(path, sizeof(path), "%s/exchange/result.bundle", pb_step_attempt_dir(step));
    (void)snprintf(lock, sizeof(lock), "%s/exchange/result.bundle.lock", pb_step_attempt_dir(step));
    (void)unlink(path);
    (void)unlink(lock);
    return pb_workspace_git(step, workspace, args, NULL, err);
}

int pb_workspace_wrap_up(struct pb_step *step, const struct pb_workspace *workspace,
                         bool *ret_has_commits, struct pb_error *err)
{
    uint64_t commits = 0;
    int dirty;

    if (!workspace->has_repository) {
        *ret_has_commits = false;
        return 0;
    }
    dirty = pb_workspace_unlock(step, workspace, err) < 0 ? -1 : is_dirty(step, workspace, err);
    if (dirty < 0 || (dirty == 1 && commit_rest(step, workspace, err) < 0) ||
        count_commits(step, workspace, &commits, err) < 0 ||
        (commits > 0 && make_bundle(step, workspace, err) < 0))
        return pb_fail_in(err, "wrap up %s", pb_step_plan(step)->item);
    *ret_has_commits = commits > 0;
    return 0;
}
