#include "server/services/github_repo.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "server/services/github_link.h"

enum { PAGES_MAX = 1000 };

/* Letters, digits, '-', '_' and '.', as GitHub allows; so they need no escaping in a path. */
static bool is_name(const char *text, size_t max)
{
    size_t len = strlen(text);

    if (!len || len >= max || strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
        return false;
    return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == len;
}

int pb_github_repo_open(struct pb_github_repo *repo, struct pb_github *github, const char *api_url,
                        const char *token, const char *project_id, const char *owner,
                        const char *name, struct pb_error *err)
{
    *repo = (struct pb_github_repo){.github = github};
    if (!is_name(owner, sizeof(repo->owner)))
        return pb_fail_field(err, "github_owner", "not an owner at GitHub: '%s'", owner);
    if (!is_name(name, sizeof(repo->name)))
        return pb_fail_field(err, "github_repo", "not a repository's name: '%s'", name);
    memcpy(repo->owner, owner, strlen(owner) + 1);
    memcpy(repo->name, name, strlen(name) + 1);
    return pb_github_account_init(&repo->account, api_url, token, project_id, err);
}

void pb_github_repo_rename(struct pb_github_repo *repo, const char *owner, const char *name)
{
    if (!is_name(owner, sizeof(repo->owner)) || !is_name(name, sizeof(repo->name)))
        return;
    memcpy(repo->owner, owner, strlen(owner) + 1);
    memcpy(repo->name, name, strlen(name) + 1);
}

void pb_github_repo_close(struct pb_github_repo *repo)
{
    pb_github_account_release(&repo->account);
}

int pb_github_repo_call(const struct pb_github_repo *repo, const struct pb_github_call *call,
                        struct pb_github_answer *ret_answer, struct pb_error *err)
{
    struct pb_github_call whole = *call;
    struct pb_buf path;
    int r;

    if (*call->path && *call->path != '/')
        return pb_github_call(repo->github, &repo->account, call, ret_answer, err);
    pb_buf_init(&path, 4096);
    pb_buf_format(&path, "/repos/%s/%s%s", repo->owner, repo->name, call->path);
    whole.path = pb_buf_string(&path);
    r = pb_buf_failed(&path)
            ? pb_fail(err, PB_ERROR_INVALID, "GitHub: address too long")
            : pb_github_call(repo->github, &repo->account, &whole, ret_answer, err);
    pb_buf_release(&path);
    return r;
}

/* One page; *url becomes the next one's address, or NULL. */
static int read_page(const struct pb_github_repo *repo, const struct pb_github_call *call,
                     struct pb_github_answer *answer, pb_github_page_fn *page, void *arg,
                     bool *stop, struct pb_error *err)
{
    if (pb_github_repo_call(repo, call, answer, err) < 0)
        return -1;
    if (!pb_json_is_array(answer->json))
        return pb_fail_reason(err, PB_ERROR_UNREACHABLE, "github_not_json", "GitHub %s: not a list",
                              call->path);
    return page(arg, answer->json, stop, err);
}

int pb_github_repo_pages(const struct pb_github_repo *repo, const struct pb_github_call *call,
                         pb_github_page_fn *page, void *arg, struct pb_error *err)
{
    struct pb_github_answer answer = {0};
    struct pb_github_answer before = {0}; /* holds the address being asked */
    struct pb_github_call now = *call;
    bool stop = false;
    int r = -1;

    for (unsigned pages = 0; now.path; pages++) {
        if (pages == PAGES_MAX) {
            pb_fail(err, PB_ERROR_TOO_LARGE, "GitHub %s: more than %d pages", call->path,
                    PAGES_MAX);
            goto out;
        }
        if (read_page(repo, &now, &answer, page, arg, &stop, err) < 0)
            goto out;
        pb_github_answer_release(&before);
        before = answer;
        answer = (struct pb_github_answer){0};
        now.path = stop ? NULL : before.next;
    }
    r = 0;
out:
    pb_github_answer_release(&answer);
    pb_github_answer_release(&before);
    return r;
}

/* Under another name than we asked for; not every server says so by a redirect. */
static bool is_renamed(const struct pb_github_repo *repo, const char *full_name)
{
    char ours[sizeof(repo->owner) + sizeof(repo->name) + 2];

    (void)snprintf(ours, sizeof(ours), "%s/%s", repo->owner, repo->name);
    return !pb_text_equal_nocase(ours, full_name);
}

static int read_facts(const struct pb_github_repo *repo, const struct pb_github_answer *answer,
                      struct pb_arena *arena, struct pb_github_repo_facts *ret_facts,
                      struct pb_error *err)
{
    const struct pb_json *json = answer->json;
    const struct pb_json *permissions = pb_json_get(json, "permissions");
    const char *name = pb_json_need_text(json, "name", err);
    const char *full_name = pb_json_need_text(json, "full_name", err);
    struct pb_github_repo_facts facts = {
        .owner = pb_arena_text(arena, pb_json_text(pb_json_get(json, "owner"), "login", "")),
        .name = pb_arena_text(arena, name),
        .full_name = pb_arena_text(arena, full_name),
        .default_branch = pb_arena_text(arena, pb_json_text(json, "default_branch", "main")),
        .html_url = pb_arena_text(arena, pb_json_text(json, "html_url", "")),
        .clone_url = pb_arena_text(arena, pb_json_text(json, "clone_url", "")),
        .scopes = pb_arena_text(arena, answer->scopes),
        .is_private = pb_json_bool(json, "private", false),
        .is_archived = pb_json_bool(json, "archived", false),
        .has_issues = pb_json_bool(json, "has_issues", true),
        .has_size = pb_json_int(json, "size", 0) > 0,
        .has_permissions = pb_json_is_object(permissions),
        .may_push = pb_json_bool(permissions, "push", false),
        .moved = full_name && is_renamed(repo, full_name),
    };

    if (!name || !full_name)
        return pb_fail_in(err, "GitHub's description of the repository");
    if (!facts.owner || !facts.name || !facts.full_name || !facts.default_branch ||
        !facts.html_url || !facts.clone_url || (answer->scopes && !facts.scopes))
        return pb_fail(err, PB_ERROR_LIMITED,
                       "GitHub's description of the repository is too large");
    *ret_facts = facts;
    return 0;
}

int pb_github_repo_facts(const struct pb_github_repo *repo, struct pb_arena *arena,
                         struct pb_github_repo_facts *ret_facts, struct pb_error *err)
{
    struct pb_github_answer answer = {0};
    int r;

    r = pb_github_repo_call(repo,
                            &(struct pb_github_call){.kind = PB_GITHUB_READ,
                                                     .method = "GET",
                                                     .path = "",
                                                     .cached = true},
                            &answer, err);
    if (r == 0)
        r = read_facts(repo, &answer, arena, ret_facts, err);
    pb_github_answer_release(&answer);
    return r;
}

int pb_github_repo_is_empty(const struct pb_github_repo *repo,
                            const struct pb_github_repo_facts *facts, bool *ret_empty,
                            struct pb_error *err)
{
    struct pb_github_answer answer = {0};
    struct pb_error why = {0};
    struct pb_arena arena;
    const char *path;
    int r = -1;

    pb_arena_init(&arena, 16 << 10);
    path = pb_github_escape(&arena, facts->default_branch);
    path = path ? pb_arena_format(&arena, "/branches/%s", path) : NULL;
    if (!path) {
        pb_fail(err, PB_ERROR_INVALID, "branch name too long");
        goto out;
    }
    r = pb_github_repo_call(
        repo, &(struct pb_github_call){.kind = PB_GITHUB_READ, .method = "GET", .path = path},
        &answer, &why);
    if (r == 0 || why.code == PB_ERROR_NOT_FOUND) {
        *ret_empty = r < 0 && !facts->has_size;
        r = 0;
    } else {
        *err = why;
    }
    pb_github_answer_release(&answer);
out:
    pb_arena_release(&arena);
    return r;
}
