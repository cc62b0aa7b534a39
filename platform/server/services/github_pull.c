#include "server/services/github_pull.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum { PATH = 1024, BODY_MAX = 1 << 20 };

static int read_pull(const struct pb_json *json, struct pb_arena *arena,
                     struct pb_github_pull *ret_pull, struct pb_error *err)
{
    struct pb_github_pull pull = {0};

    if (pb_json_need_int(json, "number", &pull.number, err) < 0)
        return pb_fail_in(err, "a pull request of GitHub's");
    pull.url = pb_arena_text(arena, pb_json_text(json, "html_url", ""));
    pull.body = pb_arena_text(arena, pb_json_text(json, "body", ""));
    pull.head_sha = pb_arena_text(arena, pb_json_text(pb_json_get(json, "head"), "sha", ""));
    pull.is_open = strcmp(pb_json_text(json, "state", ""), "open") == 0;
    if (!pull.url || !pull.body || !pull.head_sha)
        return pb_fail(err, PB_ERROR_LIMITED, "pull request #%lld is too large",
                       (long long)pull.number);
    *ret_pull = pull;
    return 0;
}

/* Not every server filters by `head`, and a fork's branch may have the same name. */
static bool is_of_branch(const struct pb_json *json, const struct pb_github_repo *repo,
                         const char *branch)
{
    const struct pb_json *head = pb_json_get(json, "head");
    const struct pb_json *head_repo = pb_json_get(head, "repo");
    const struct pb_json *base_repo = pb_json_get(pb_json_get(json, "base"), "repo");

    if (strcmp(pb_json_text(head, "ref", ""), branch) != 0)
        return false;
    if (pb_json_is_object(head_repo) && pb_json_is_object(base_repo))
        return pb_json_int(head_repo, "id", -1) == pb_json_int(base_repo, "id", -2);
    return pb_text_equal_nocase(pb_json_text(pb_json_get(head, "user"), "login", repo->owner),
                                repo->owner);
}

/* Looking for the pull request of a branch. */
struct search {
    const struct pb_github_repo *repo;
    const char *branch;
    struct pb_arena *arena;
    struct pb_github_pull found;
};

static int look_at(void *arg, const struct pb_json *pulls, bool *stop, struct pb_error *err)
{
    struct search *search = arg;

    for (size_t i = 0; i < pb_json_count(pulls); i++) {
        const struct pb_json *json = pb_json_at(pulls, i);
        struct pb_github_pull pull;

        if (!is_of_branch(json, search->repo, search->branch))
            continue;
        if (read_pull(json, search->arena, &pull, err) < 0)
            return -1;
        if (pull.is_open || pull.number > search->found.number)
            search->found = pull;
        if (pull.is_open) {
            *stop = true;
            break;
        }
    }
    return 0;
}

int pb_github_pull_find(const struct pb_github_repo *repo, const char *branch,
                        struct pb_arena *arena, struct pb_github_pull *ret_pull,
                        struct pb_error *err)
{
    struct search search = {.repo = repo, .branch = branch, .arena = arena};
    struct pb_buf head;
    const char *escaped;
    char path[PATH];

    pb_buf_init(&head, 512);
    pb_buf_format(&head, "%s:%s", repo->owner, branch);
    escaped = pb_buf_failed(&head) ? NULL : pb_github_escape(arena, pb_buf_string(&head));
    pb_buf_release(&head);
    if (!escaped)
        return pb_fail(err, PB_ERROR_INVALID, "branch name too long");
    snprintf(path, sizeof(path),
             "/pulls?head=%s&state=all&sort=created&direction=desc&per_page=100", escaped);
    if (pb_github_repo_pages(
            repo, &(struct pb_github_call){.kind = PB_GITHUB_READ, .method = "GET", .path = path},
            look_at, &search, err) < 0)
        return -1;
    *ret_pull = search.found;
    return 0;
}

static int send_wish(const struct pb_github_repo *repo, const struct pb_github_pull_wish *wish,
                     bool draft, struct pb_github_answer *ret_answer, struct pb_error *err)
{
    struct pb_json_writer w;
    struct pb_buf body;
    int r;

    pb_buf_init(&body, BODY_MAX);
    pb_json_writer_init(&w, &body);
    pb_json_begin_object(&w, NULL);
    pb_json_put_text(&w, "title", wish->title);
    pb_json_put_text(&w, "head", wish->head);
    pb_json_put_text(&w, "base", wish->base);
    pb_json_put_text(&w, "body", wish->body);
    pb_json_put_bool(&w, "draft", draft);
    pb_json_end_object(&w);
    r = pb_buf_failed(&body)
            ? pb_fail(err, PB_ERROR_TOO_LARGE, "the pull request's text is too large")
            : pb_github_repo_call(repo,
                                  &(struct pb_github_call){.kind = PB_GITHUB_CONTENT,
                                                           .method = "POST",
                                                           .path = "/pulls",
                                                           .body = pb_buf_string(&body),
                                                           .body_len = body.len},
                                  ret_answer, err);
    pb_buf_release(&body);
    return r;
}

int pb_github_pull_create(const struct pb_github_repo *repo, const struct pb_github_pull_wish *wish,
                          struct pb_arena *arena, struct pb_github_pull *ret_pull,
                          struct pb_error *err)
{
    struct pb_github_answer answer = {0};
    struct pb_error why = {0};
    int r = send_wish(repo, wish, true, &answer, &why);

    if (r < 0 && strcmp(why.reason, "github_no_draft") == 0)
        r = send_wish(repo, wish, false, &answer, &why);
    if (r < 0)
        *err = why;
    else
        r = read_pull(answer.json, arena, ret_pull, err);
    pb_github_answer_release(&answer);
    return r;
}

int pb_github_pull_set_body(const struct pb_github_repo *repo, int64_t number, const char *body,
                            struct pb_error *err)
{
    struct pb_github_answer answer = {0};
    struct pb_json_writer w;
    struct pb_buf json;
    char path[PATH];
    int r;

    snprintf(path, sizeof(path), "/pulls/%lld", (long long)number);
    pb_buf_init(&json, BODY_MAX);
    pb_json_writer_init(&w, &json);
    pb_json_begin_object(&w, NULL);
    pb_json_put_text(&w, "body", body);
    pb_json_end_object(&w);
    r = pb_buf_failed(&json)
            ? pb_fail(err, PB_ERROR_TOO_LARGE, "the pull request's text is too large")
            : pb_github_repo_call(repo,
                                  &(struct pb_github_call){.kind = PB_GITHUB_WRITE,
                                                           .method = "PATCH",
                                                           .path = path,
                                                           .body = pb_buf_string(&json),
                                                           .body_len = json.len},
                                  &answer, err);
    pb_github_answer_release(&answer);
    pb_buf_release(&json);
    return r;
}
