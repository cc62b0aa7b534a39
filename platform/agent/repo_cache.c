#include "agent/repo_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/git_command.h"
#include "base/fs.h"
#include "base/text.h"

enum { REFS_DEPTH = 32 };

/* One fetch at a time; invariant 1 of agent/workspace.h. */
static pthread_mutex_t one_fetch = PTHREAD_MUTEX_INITIALIZER;

void pb_repo_cache_path(const struct pb_step *step, char ret_path[PB_REPO_CACHE_PATH])
{
    (void)snprintf(ret_path, PB_REPO_CACHE_PATH, "%s/cache.git", pb_step_dirs(step)->data);
}

static int lock_fetch(struct pb_step *step, struct pb_error *err)
{
    for (;;) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += 1;
        if (pthread_mutex_timedlock(&one_fetch, &until) == 0)
            return 0;
        if (pb_step_cancelled(step))
            return pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "cancelled", "cancelled");
    }
}

/* What a git that was killed has left behind: nobody else can hold these now. */
static void sweep(int dirfd, const char *path, unsigned depth)
{
    int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;

    if (!folder) {
        pb_close(&fd);
        return;
    }
    while ((entry = readdir(folder))) {
        if (pb_text_ends(entry->d_name, ".lock") || pb_text_starts(entry->d_name, "tmp_"))
            (void)unlinkat(fd, entry->d_name, 0);
        else if (entry->d_name[0] != '.' && entry->d_type == DT_DIR && depth > 0)
            sweep(fd, entry->d_name, depth - 1);
    }
    (void)closedir(folder);
}

static void sweep_cache(const char *cache)
{
    int fd = open(cache, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return;
    sweep(fd, ".", 0);
    sweep(fd, "refs", REFS_DEPTH);
    sweep(fd, "objects/pack", 0);
    pb_close(&fd);
}

static int make_cache(struct pb_step *step, const char *cache, struct pb_error *err)
{
    const char *const args[] = {"init",          "--quiet", "--bare", "--template=",
                                "--shared=0640", "--",      cache,    NULL};
    char head[PB_REPO_CACHE_PATH + 8];

    (void)snprintf(head, sizeof(head), "%s/config", cache);
    if (access(head, F_OK) == 0)
        return 0;
    return pb_git_run(step, &(struct pb_git_command){.args = args}, NULL, err);
}

static int fetch(struct pb_step *step, const char *cache, const struct pb_credential *credential,
                 struct pb_error *err)
{
    const char *url = pb_step_plan(step)->repo.url;
    const char *const args[] = {"fetch",
                                "--progress",
                                "--no-tags",
                                "--prune",
                                "--force",
                                "--no-write-fetch-head",
                                "--no-auto-maintenance",
                                "--",
                                url,
                                "+refs/heads/*:refs/heads/*",
                                NULL};
    struct pb_git_command command = {
        .git_dir = cache,
        .args = args,
        .protocol = PB_GIT_HTTP,
        .url = url,
        .credential = credential,
        .has_progress = true,
        .timeout_ms = PB_GIT_NETWORK_MS,
    };

    return pb_git_run(step, &command, NULL, err);
}

int pb_repo_cache_update(struct pb_step *step, struct pb_error *err)
{
    struct pb_credential credential = {0};
    char cache[PB_REPO_CACHE_PATH];
    int r = -1;

    pb_repo_cache_path(step, cache);
    if (pb_step_credential(step, "git_fetch", &credential, err) < 0)
        return -1;
    if (lock_fetch(step, err) == 0) {
        sweep_cache(cache);
        if (make_cache(step, cache, err) == 0)
            r = fetch(step, cache, &credential, err);
        pthread_mutex_unlock(&one_fetch);
    }
    pb_credential_release(&credential);
    return r;
}

int pb_repo_cache_head(struct pb_step *step, const char *branch, char ret_sha[65],
                       struct pb_error *err)
{
    char cache[PB_REPO_CACHE_PATH], ref[256];
    const char *const args[] = {"rev-parse", "--quiet", "--verify", ref, NULL};
    struct pb_git_command command = {.git_dir = cache, .args = args};
    struct pb_buf out;
    int code, r;

    pb_repo_cache_path(step, cache);
    (void)snprintf(ref, sizeof(ref), "refs/heads/%s^{commit}", branch);
    pb_buf_init(&out, 4096);
    command.ret_out = &out;
    r = pb_git_run(step, &command, &code, err);
    if (r == 0 && code == 0)
        r = pb_git_take_sha(&out, ret_sha, err);
    else if (r == 0)
        ret_sha[0] = '\0';
    pb_buf_release(&out);
    return r;
}

bool pb_repo_cache_is_empty(struct pb_step *step)
{
    static const char *const ARGS[] = {"for-each-ref", "--count=1", "refs/heads/", NULL};
    char cache[PB_REPO_CACHE_PATH];
    struct pb_git_command command = {.git_dir = cache, .args = ARGS};
    struct pb_error ignored = {0};
    struct pb_buf out;
    bool is_empty;

    pb_repo_cache_path(step, cache);
    pb_buf_init(&out, 4096);
    command.ret_out = &out;
    is_empty = pb_git_run(step, &command, NULL, &ignored) == 0 && out.len == 0;
    pb_buf_release(&out);
    return is_empty;
}

struct cut {
    struct pb_buf *text;
};

static bool take_what_fits(void *arg, const char *data, size_t len, struct pb_error *err)
{
    struct cut *cut = arg;
    size_t room = cut->text->max - cut->text->len;

    (void)err;
    pb_buf_bytes(cut->text, data, len < room ? len : room);
    return true;
}

/* "100644 blob <sha>\t<path>\0": a symbolic link's text is no notes. */
static bool is_regular(const struct pb_buf *entry, char ret_sha[65])
{
    const char *text = pb_buf_string(entry);
    const char *sha = strstr(text, " blob ");
    size_t len;

    if (!pb_text_starts(text, "100") || !sha)
        return false;
    sha += strlen(" blob ");
    len = strcspn(sha, "\t");
    if (len >= 65)
        return false;
    memcpy(ret_sha, sha, len);
    ret_sha[len] = '\0';
    return pb_git_is_sha(ret_sha);
}

int pb_repo_cache_read(struct pb_step *step, const char *sha, const char *path,
                       struct pb_buf *ret_text, struct pb_error *err)
{
    char cache[PB_REPO_CACHE_PATH], blob[65];
    const char *const list[] = {"ls-tree", "-z", sha, "--", path, NULL};
    const char *const show[] = {"cat-file", "blob", blob, NULL};
    struct pb_git_command command = {.git_dir = cache, .args = list};
    struct cut cut = {ret_text};
    struct pb_buf entry;
    int r;

    pb_repo_cache_path(step, cache);
    pb_buf_init(&entry, 4096);
    command.ret_out = &entry;
    r = pb_git_run(step, &command, NULL, err);
    if (r == 0 && is_regular(&entry, blob)) {
        command = (struct pb_git_command){.git_dir = cache,
                                          .args = show,
                                          .on_output = take_what_fits,
                                          .arg = &cut};
        r = pb_git_run(step, &command, NULL, err);
    }
    pb_buf_release(&entry);
    return r;
}
