#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "agent/publish_private.h"
#include "base/arena.h"
#include "base/text.h"

enum {
    RAW_MAX = 64 << 20, /* of the list of changed files */
    PATCH_WINDOW = 1 << 20,
    PATCH_OVERLAP = 128 << 10, /* longer than any shape a mask looks for */
    NAMED_MAX = 5,             /* files named in a refusal */
};

int pb_publish_refuse(struct pb_error *err, const char *fmt, ...)
{
    char words[400];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(words, sizeof(words), fmt, args);
    va_end(args);
    return pb_fail_reason(err, PB_ERROR_DENIED, "publish_refused", "%.*s",
                          (int)pb_utf8_cut(words, strlen(words), strlen(words)), words);
}

int pb_publish_git(const struct pb_publish *publish, const char *const *args,
                   const struct pb_buf *input, struct pb_buf *ret_out, int *ret_code,
                   struct pb_error *err)
{
    struct pb_git_command command = {
        .git_dir = publish->repo,
        .args = args,
        .input = input,
        .ret_out = ret_out,
        .is_bounded = true,
    };

    return pb_git_run(publish->step, &command, ret_code, err);
}

/* Rule 1: a straight line from what is there. */

static int check_descent(const struct pb_publish *publish, struct pb_error *err)
{
    const char *const args[] = {"merge-base", "--is-ancestor", publish->start, publish->head, NULL};
    int code;

    if (pb_publish_git(publish, args, NULL, NULL, &code, err) < 0)
        return -1;
    return code == 0 ? 0
                     : pb_publish_refuse(err, "the result does not build on %s (%.12s)",
                                         publish->workspace->branch_sha[0]
                                             ? "the branch as it is at origin"
                                             : "the base branch",
                                         publish->start);
}

static int list_commits(struct pb_publish *publish, struct pb_error *err)
{
    char base[PB_GIT_SHA_TEXT + 1], start[PB_GIT_SHA_TEXT + 1], most[40];
    const char *const args[] = {"rev-list", most, publish->head, base, start, "--", NULL};

    (void)snprintf(base, sizeof(base), "^%s", publish->workspace->base_sha);
    (void)snprintf(start, sizeof(start), "^%s", publish->start);
    (void)snprintf(most, sizeof(most), "--max-count=%d", PB_PUBLISH_COMMITS_MAX + 1);
    if (pb_publish_git(publish, args, NULL, &publish->commits, NULL, err) < 0)
        return -1;
    for (size_t i = 0; i < publish->commits.len; i++)
        publish->commit_count += publish->commits.data[i] == '\n';
    return publish->commit_count <= PB_PUBLISH_COMMITS_MAX
               ? 0
               : pb_publish_refuse(err, "the result has more than %d commits",
                                   PB_PUBLISH_COMMITS_MAX);
}

/* Rule 2 and the names of rule 3: every file every commit of its own changes. */

struct names {
    char text[300];
    size_t len;
    unsigned count;
};

static void add_name(struct names *names, const char *path)
{
    int len;

    if (names->count++ >= NAMED_MAX || names->len >= sizeof(names->text))
        return;
    len = snprintf(names->text + names->len, sizeof(names->text) - names->len, "%s%s",
                   names->len ? ", " : "", path);
    names->len += len > 0 ? (size_t)len : 0;
}

/* Without regard to case, because some file systems have none. */
static bool is_guarded(const char *path)
{
    static const char *const FOLDERS[] = {".github/workflows/", ".github/actions/"};

    for (size_t i = 0; i < sizeof(FOLDERS) / sizeof(FOLDERS[0]); i++)
        if (strncasecmp(path, FOLDERS[i], strlen(FOLDERS[i])) == 0)
            return true;
    return strcasecmp(path, ".gitmodules") == 0 || strcasecmp(path, ".github/workflows") == 0;
}

struct changes {
    struct names guarded, submodules;
    unsigned files;
    struct pb_buf blobs; /* object names of new contents, one per line */
};

static void take_change(struct changes *changes, const char *mode, const char *sha, size_t sha_len,
                        const char *path)
{
    changes->files++;
    if (is_guarded(path))
        add_name(&changes->guarded, path);
    if (strncmp(mode, "160000", 6) == 0)
        add_name(&changes->submodules, path);
    else if (strncmp(mode, "000000", 6) != 0) {
        pb_buf_bytes(&changes->blobs, sha, sha_len);
        pb_buf_char(&changes->blobs, '\n');
    }
}

/* ":<mode> <mode> <sha> <sha> M\0path\0"; a merge has as many colons as parents, one mode and one name
 * more than that, and is listed only where it differs from all of them. Returns the next entry. */
static const char *read_change(struct changes *changes, const char *at, const char *end,
                               struct pb_error *err)
{
    const char *field = at, *mode = NULL, *sha = NULL;
    size_t parents = strspn(at, ":"), sha_len = 0;

    field += parents;
    for (size_t i = 0; parents > 0 && i < 2 * (parents + 1); i++) {
        size_t len = strcspn(field, " ");
        if (i == parents)
            mode = field;
        if (i == 2 * parents + 1) {
            sha = field;
            sha_len = len;
        }
        field += len + (field[len] == ' ');
    }
    if (sha && (sha_len == 40 || sha_len == 64)) {
        const char *path = field + strlen(field) + 1;
        if (path < end) {
            take_change(changes, mode, sha, sha_len, path);
            return path + strlen(path) + 1;
        }
    }
    (void)pb_publish_refuse(err, "git's list of changes could not be read");
    return NULL;
}

static int read_changes(struct changes *changes, const struct pb_buf *raw, struct pb_error *err)
{
    const char *at = pb_buf_string(raw), *end = at + raw->len;

    while (at && at < end) {
        at = read_change(changes, at, end, err);
        if (changes->files > PB_PUBLISH_FILES_MAX)
            return pb_publish_refuse(err, "the result changes more than %d files",
                                     PB_PUBLISH_FILES_MAX);
    }
    return at ? 0 : -1;
}

static int judge_changes(const struct pb_publish *publish, const struct changes *changes,
                         struct pb_error *err)
{
    if (changes->guarded.count > 0 && !pb_step_plan(publish->step)->allow_workflow_files)
        return pb_publish_refuse(err, "the project does not allow changes of %s%s",
                                 changes->guarded.text,
                                 changes->guarded.count > NAMED_MAX ? " and others" : "");
    if (changes->submodules.count > 0)
        return pb_publish_refuse(err, "the result adds a repository inside the repository: %s",
                                 changes->submodules.text);
    return 0;
}

/* Rule 3: sizes. */

static int check_sizes(const struct pb_publish *publish, const struct pb_buf *blobs,
                       struct pb_error *err)
{
    static const char *const ARGS[] = {"cat-file", "--batch-check=%(objectsize) %(objectname)",
                                       NULL};
    struct pb_buf sizes;
    int r;

    pb_buf_init(&sizes, RAW_MAX);
    r = blobs->len ? pb_publish_git(publish, ARGS, blobs, &sizes, NULL, err) : 0;
    for (const char *at = pb_buf_string(&sizes); r == 0 && *at; at += strcspn(at, "\n") + 1) {
        char number[24] = {0};
        uint64_t size;
        memcpy(number, at, strspn(at, "0123456789") % sizeof(number));
        if (!pb_parse_u64(number, PB_PUBLISH_FILE_BYTES_MAX, &size))
            r = pb_publish_refuse(err, "a file of the result is larger than %d MiB (%.60s)",
                                  PB_PUBLISH_FILE_BYTES_MAX >> 20, at);
    }
    pb_buf_release(&sizes);
    return r;
}

static int check_files(const struct pb_publish *publish, struct pb_error *err)
{
    static const char *const ARGS[] = {"diff-tree", "--stdin",      "--root",
                                       "-r",        "-c",           "-z",
                                       "--raw",     "--no-renames", "--no-commit-id",
                                       NULL};
    struct changes changes = {0};
    struct pb_buf raw;
    int r;

    pb_buf_init(&raw, RAW_MAX);
    pb_buf_init(&changes.blobs, RAW_MAX);
    r = pb_publish_git(publish, ARGS, &publish->commits, &raw, NULL, err);
    if (r == 0)
        r = read_changes(&changes, &raw, err);
    if (r == 0)
        r = judge_changes(publish, &changes, err);
    if (r == 0)
        r = check_sizes(publish, &changes.blobs, err);
    pb_buf_release(&raw);
    pb_buf_release(&changes.blobs);
    return r;
}

/* Rule 4: what is added or said. Lines that go ("-…") may hold what they like. */

struct scan {
    struct pb_mask *mask;
    struct pb_buf window;
    bool in_line, skipping;
    int64_t bytes;
};

static int look(struct scan *scan, struct pb_error *err)
{
    if (pb_mask_finds(scan->mask, pb_buf_string(&scan->window), scan->window.len))
        return pb_publish_refuse(err, "a secret of this project stands in the result");
    if (scan->window.len > PATCH_OVERLAP)
        pb_buf_consume(&scan->window, scan->window.len - PATCH_OVERLAP);
    return 0;
}

/* Of each line without its first character, which is the patch's. */
static void take_patch(struct scan *scan, const char *data, size_t len)
{
    while (len > 0) {
        const char *newline = memchr(data, '\n', len);
        size_t piece = newline ? (size_t)(newline - data) + 1 : len;
        size_t from = 0;

        if (!scan->in_line) {
            scan->skipping = data[0] == '-';
            from = data[0] == '+';
        }
        if (!scan->skipping)
            pb_buf_bytes(&scan->window, data + from, piece - from);
        scan->in_line = !newline;
        data += piece;
        len -= piece;
    }
}

static bool on_patch(void *arg, const char *data, size_t len, struct pb_error *err)
{
    struct scan *scan = arg;

    scan->bytes += (int64_t)len;
    if (scan->bytes > PB_PUBLISH_SCAN_BYTES_MAX) {
        (void)pb_publish_refuse(err, "the result adds more than %d MiB",
                                PB_PUBLISH_SCAN_BYTES_MAX >> 20);
        return false;
    }
    take_patch(scan, data, len);
    return scan->window.len < PATCH_WINDOW || look(scan, err) == 0;
}

static int scan_for_secrets(const struct pb_publish *publish, struct pb_error *err)
{
    static const char *const ARGS[] = {"diff-tree",
                                       "--stdin",
                                       "--always",
                                       "--root",
                                       "-r",
                                       "-c",
                                       "-p",
                                       "--unified=0",
                                       "--text",
                                       "--no-color",
                                       "--no-ext-diff",
                                       "--no-textconv",
                                       "--no-renames",
                                       "--pretty=raw",
                                       NULL};
    struct scan scan = {.mask = pb_step_mask(publish->step)};
    struct pb_git_command command = {
        .git_dir = publish->repo,
        .args = ARGS,
        .input = &publish->commits,
        .on_output = on_patch,
        .arg = &scan,
        .is_bounded = true,
    };
    int r;

    pb_buf_init(&scan.window, PATCH_WINDOW + (64 << 10));
    r = pb_git_run(publish->step, &command, NULL, err);
    if (r == 0)
        r = look(&scan, err);
    pb_buf_release(&scan.window);
    return r;
}

int pb_publish_check(struct pb_publish *publish, struct pb_error *err)
{
    if (check_descent(publish, err) < 0 || list_commits(publish, err) < 0 ||
        check_files(publish, err) < 0 || scan_for_secrets(publish, err) < 0)
        return -1;
    return 0;
}
