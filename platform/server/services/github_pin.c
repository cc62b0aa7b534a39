#include "server/services/github_pin.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "model/limits.h"
#include "model/project.h"
#include "server/services/github_issue.h"
#include "server/services/github_pin_private.h"
#include "server/services/github_prompt.h"
#include "server/services/github_text.h"
#include "server/services/github_trust.h"
#include "server/services/github_words.h"
#include "server/services/platform.h"
#include "server/services/vault.h"
#include "server/store/project_store.h"
#include "server/store/store.h"

enum {
    COMMENTS_MAX = 500,       /* the newest; more than a prompt holds */
    COMMENT_BYTES = 48 << 10, /* likewise */
    COMMENTS_ARENA = 32 << 20,
    PAGE_ARENA = 1 << 20,
    OUTSIDERS_MAX = 20, /* asked about per issue: a crowd must not use up the rate limit */
};

int pb_github_open_project(struct pb_platform *platform, const struct pb_project *project,
                           const char *purpose, struct pb_github_repo *ret_repo,
                           struct pb_error *err)
{
    char *token = NULL;
    int r;

    if (pb_vault_reveal(platform->vault, project->id, PB_SECRET_GITHUB_TOKEN, "github", purpose,
                        &token, err) < 0)
        return -1;
    r = pb_github_repo_open(ret_repo, platform->github, project->github_api_url, token, project->id,
                            project->github_owner, project->github_repo, err);
    pb_wipe_free(token);
    if (r < 0)
        pb_github_repo_close(ret_repo);
    return r;
}

void pb_github_branch(struct pb_buf *buf, const struct pb_work_item *item, int64_t number)
{
    if (item && item->branch && *item->branch)
        pb_buf_text(buf, item->branch);
    else
        pb_buf_format(buf, "poppo/issue-%lld", (long long)number);
}

/* Collects what people who may write have said. */
struct said {
    const struct pb_github_repo *repo;
    struct pb_arena arena;
    struct pb_github_said *comments; /* a ring of the newest COMMENTS_MAX */
    size_t seen;
    size_t left_out;
    size_t outsiders;
    int64_t newest;
};

/* When there is no more room, the oldest are forgotten, all at once. */
static void keep(struct said *said, const struct pb_github_comment *comment)
{
    size_t len = pb_utf8_cut(comment->body, strlen(comment->body), COMMENT_BYTES);
    struct pb_github_said kept = {.at = comment->created_at};

    for (int tries = 0; tries < 2 && !kept.body; tries++) {
        if (tries) {
            pb_arena_release(&said->arena);
            pb_arena_init(&said->arena, COMMENTS_ARENA);
            said->seen = 0;
        }
        kept.login = pb_arena_text(&said->arena, comment->author.login);
        kept.body = kept.login ? pb_arena_bytes(&said->arena, comment->body, len) : NULL;
    }
    if (kept.body)
        said->comments[said->seen++ % COMMENTS_MAX] = kept;
}

static int hear(struct said *said, const struct pb_github_comment *comment, struct pb_error *err)
{
    bool may = false;

    if (comment->created_at > said->newest)
        said->newest = comment->created_at;
    if (strstr(comment->body, PB_GITHUB_MARKER))
        return 0; /* ours */
    if (comment->is_outsider)
        said->outsiders++;
    if (said->outsiders <= OUTSIDERS_MAX || !comment->is_outsider) {
        if (pb_github_trust_may_write(said->repo, &comment->author, &may, err) < 0)
            return -1;
    }
    if (!may) {
        said->left_out++;
        return 0;
    }
    keep(said, comment);
    return 0;
}

static int hear_page(void *arg, const struct pb_json *comments, bool *stop, struct pb_error *err)
{
    struct said *said = arg;
    int r = 0;

    (void)stop;
    for (size_t i = 0; i < pb_json_count(comments) && r == 0; i++) {
        struct pb_github_comment comment;
        struct pb_arena arena;

        pb_arena_init(&arena, PAGE_ARENA);
        r = pb_github_comment_read(pb_json_at(comments, i), &arena, &comment, err);
        if (r == 0)
            r = hear(said, &comment, err);
        pb_arena_release(&arena);
    }
    return r;
}

/* Turns the ring so that the oldest comes first. */
static void unroll(struct said *said, struct pb_github_said *out, size_t *ret_count)
{
    size_t count = said->seen < COMMENTS_MAX ? said->seen : COMMENTS_MAX;

    for (size_t i = 0; i < count; i++)
        out[i] = said->comments[(said->seen - count + i) % COMMENTS_MAX];
    *ret_count = count;
}

static int build(struct pb_arena *arena, const struct pb_github_ask *ask, struct pb_github_pin *pin,
                 struct pb_error *err)
{
    struct pb_buf prompt;
    struct pb_buf title;
    int r = 0;

    pb_buf_init(&prompt, PB_LIMIT_PROMPT);
    pb_buf_init(&title, 8 * PB_LIMIT_TITLE_CHARS);
    pb_github_prompt_issue(&prompt, ask);
    pb_github_text_line(&title, ask->title, PB_LIMIT_TITLE_CHARS);
    pin->prompt = pb_buf_failed(&prompt) ? NULL : pb_arena_text(arena, pb_buf_string(&prompt));
    pin->title = pb_buf_failed(&title) ? NULL : pb_arena_text(arena, pb_buf_string(&title));
    if (!pin->prompt || !pin->title)
        r = pb_fail(err, PB_ERROR_TOO_LARGE, "issue #%lld is too large to be handed on",
                    (long long)ask->number);
    pb_buf_release(&prompt);
    pb_buf_release(&title);
    return r;
}

int pb_github_pin(const struct pb_github_repo *repo, const struct pb_project *project,
                  const struct pb_work_item *item, const struct pb_github_issue *issue,
                  struct pb_arena *arena, struct pb_github_pin *ret_pin, struct pb_error *err)
{
    struct pb_github_pin pin = {0};
    struct pb_github_said *ordered;
    struct pb_github_ask ask;
    struct pb_buf branch;
    struct said said = {.repo = repo};
    int r = -1;

    pb_arena_init(&said.arena, COMMENTS_ARENA);
    pb_buf_init(&branch, 512);
    pb_github_branch(&branch, item, issue->number);
    said.comments = pb_arena_alloc(arena, COMMENTS_MAX * sizeof(*said.comments));
    ordered = pb_arena_alloc(arena, COMMENTS_MAX * sizeof(*ordered));
    if (!said.comments || !ordered) {
        pb_fail(err, PB_ERROR_LIMITED, "no room for an issue's comments");
        goto out;
    }
    if (pb_github_comments_since(repo, issue->number, 0, hear_page, &said, err) < 0)
        goto out;
    ask = (struct pb_github_ask){.language = project->language,
                                 .owner = project->github_owner,
                                 .repo = project->github_repo,
                                 .branch = pb_buf_string(&branch),
                                 .number = issue->number,
                                 .title = issue->title,
                                 .url = issue->url,
                                 .author = issue->author.login,
                                 .body = issue->body,
                                 .comments = ordered,
                                 .left_out = said.left_out};
    unroll(&said, ordered, &ask.comment_count);
    if (build(arena, &ask, &pin, err) < 0)
        goto out;
    pin.newest_comment_at = said.newest;
    *ret_pin = pin;
    r = 0;
out:
    pb_arena_release(&said.arena);
    pb_buf_release(&branch);
    return r;
}

static int get_issue(const struct pb_github_repo *repo, int64_t number, struct pb_arena *arena,
                     struct pb_github_issue *ret_issue, struct pb_error *err)
{
    struct pb_error why = {0};

    if (pb_github_issue_get(repo, number, arena, ret_issue, &why) < 0) {
        if (why.code != PB_ERROR_NOT_FOUND) {
            *err = why;
            return -1;
        }
        (void)pb_fail_field(err, "issue_number", "there is no issue #%lld in %s/%s",
                            (long long)number, repo->owner, repo->name);
        (void)snprintf(err->reason, sizeof(err->reason), "issue_not_found");
        return -1;
    }
    if (!ret_issue->is_pull)
        return 0;
    (void)pb_fail_field(err, "issue_number", "#%lld is a pull request, not an issue",
                        (long long)number);
    (void)snprintf(err->reason, sizeof(err->reason), "issue_is_pull");
    return -1;
}

static int open_and_pin(struct pb_platform *platform, const char *project_id, int64_t issue_number,
                        struct pb_arena *arena, struct pb_github_pinned *ret_pinned,
                        struct pb_error *err)
{
    struct pb_github_repo repo = {0};
    struct pb_github_issue issue;
    struct pb_github_pin pin;
    struct pb_project *project;
    struct pb_db *db = pb_store_reader(platform->store, err);
    int r = -1;

    if (!db || pb_project_load(db, arena, project_id, &project, err) < 0)
        return -1;
    if (pb_github_open_project(platform, project, "start work on an issue", &repo, err) < 0)
        return -1;
    if (get_issue(&repo, issue_number, arena, &issue, err) == 0 &&
        pb_github_pin(&repo, project, NULL, &issue, arena, &pin, err) == 0) {
        *ret_pinned = (struct pb_github_pinned){.title = pin.title,
                                                .url = issue.url,
                                                .author = issue.author.login,
                                                .prompt = pin.prompt,
                                                .labels = issue.labels,
                                                .is_open = issue.is_open};
        r = 0;
    }
    pb_github_repo_close(&repo);
    return r;
}

int pb_github_pin_issue(struct pb_platform *platform, const char *project_id, int64_t issue_number,
                        struct pb_arena *arena, struct pb_github_pinned *ret_pinned,
                        struct pb_error *err)
{
    struct pb_error why = {0};

    if (open_and_pin(platform, project_id, issue_number, arena, ret_pinned, &why) == 0)
        return 0;
    if (why.code == PB_ERROR_UNAUTHENTICATED || why.code == PB_ERROR_DENIED)
        why.code = PB_ERROR_UNPROCESSABLE;
    if (why.code == PB_ERROR_LIMITED)
        why.code = PB_ERROR_UNAVAILABLE; /* GitHub's limit, not ours */
    *err = why;
    return -1;
}
