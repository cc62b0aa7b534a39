#include "server/services/github_issue.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "model/limits.h"
#include "server/services/github_trust.h"

enum { PATH = 512, BODY_MAX = 1 << 20, LABELS_BYTES = 64 << 10 };

static int64_t time_of(const struct pb_json *json, const char *name)
{
    int64_t ms = 0;

    return pb_clock_parse(pb_json_text(json, name, ""), &ms) ? ms : 0;
}

/* "Bot" is what GitHub says; Apps that comment as themselves also carry the suffix. */
static struct pb_github_person person_of(const struct pb_json *user, struct pb_arena *arena)
{
    const char *login = pb_json_text(user, "login", NULL);

    return (struct pb_github_person){.login = pb_arena_text(arena, login),
                                     .is_bot =
                                         strcmp(pb_json_text(user, "type", "User"), "Bot") == 0 ||
                                         (login && pb_text_ends(login, "[bot]"))};
}

static bool is_outsider(const char *association)
{
    static const char *const WORDS[] = {"CONTRIBUTOR", "FIRST_TIMER", "FIRST_TIME_CONTRIBUTOR",
                                        "MANNEQUIN", "NONE"};

    for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++)
        if (strcmp(association, WORDS[i]) == 0)
            return true;
    return false;
}

/* The number at the end of ".../issues/12". */
static int64_t number_in_url(const char *url)
{
    const char *slash = url ? strrchr(url, '/') : NULL;
    int64_t number = 0;

    return slash && pb_parse_i64(slash + 1, 1, INT64_MAX, &number) ? number : 0;
}

/* ["bug", "priority:high"] of GitHub's objects (or, on old servers, texts). */
static const char *labels_of(const struct pb_json *labels, struct pb_arena *arena)
{
    struct pb_json_writer w;
    struct pb_buf names;
    const char *copy;

    pb_buf_init(&names, LABELS_BYTES);
    pb_json_writer_init(&w, &names);
    pb_json_begin_array(&w, NULL);
    for (size_t i = 0; i < pb_json_count(labels) && i < PB_LIMIT_LABELS; i++) {
        const struct pb_json *label = pb_json_at(labels, i);

        pb_json_put_text(&w, NULL,
                         pb_json_is_text(label) ? pb_json_as_text(label, "")
                                                : pb_json_text(label, "name", ""));
    }
    pb_json_end_array(&w);
    copy = pb_buf_failed(&names) ? NULL : pb_arena_text(arena, pb_buf_string(&names));
    pb_buf_release(&names);
    return copy;
}

int pb_github_issue_read(const struct pb_json *json, struct pb_arena *arena,
                         struct pb_github_issue *ret_issue, struct pb_error *err)
{
    struct pb_github_issue issue = {0};

    if (pb_json_need_int(json, "number", &issue.number, err) < 0)
        return pb_fail_in(err, "an issue of GitHub's");
    issue.title = pb_arena_text(arena, pb_json_text(json, "title", ""));
    issue.body = pb_arena_text(arena, pb_json_text(json, "body", ""));
    issue.url = pb_arena_text(arena, pb_json_text(json, "html_url", ""));
    issue.author = person_of(pb_json_get(json, "user"), arena);
    issue.created_at = time_of(json, "created_at");
    issue.updated_at = time_of(json, "updated_at");
    issue.updated_text = pb_arena_text(arena, pb_json_text(json, "updated_at", ""));
    issue.is_open = strcmp(pb_json_text(json, "state", "open"), "open") == 0;
    issue.is_pull = pb_json_is_object(pb_json_get(json, "pull_request"));
    issue.labels = labels_of(pb_json_get(json, "labels"), arena);
    if (!issue.title || !issue.body || !issue.url || !issue.updated_text || !issue.labels)
        return pb_fail(err, PB_ERROR_LIMITED, "issue #%lld is too large", (long long)issue.number);
    *ret_issue = issue;
    return 0;
}

int pb_github_comment_read(const struct pb_json *json, struct pb_arena *arena,
                           struct pb_github_comment *ret_comment, struct pb_error *err)
{
    struct pb_github_comment comment = {0};

    if (pb_json_need_int(json, "id", &comment.id, err) < 0)
        return pb_fail_in(err, "a comment of GitHub's");
    comment.issue_number = number_in_url(pb_json_text(json, "issue_url", NULL));
    comment.body = pb_arena_text(arena, pb_json_text(json, "body", ""));
    comment.author = person_of(pb_json_get(json, "user"), arena);
    comment.url = pb_arena_text(arena, pb_json_text(json, "html_url", ""));
    comment.is_outsider = is_outsider(pb_json_text(json, "author_association", ""));
    comment.created_at = time_of(json, "created_at");
    comment.updated_at = time_of(json, "updated_at");
    if (!comment.body || !comment.url)
        return pb_fail(err, PB_ERROR_LIMITED, "comment %lld is too large", (long long)comment.id);
    *ret_comment = comment;
    return 0;
}

int pb_github_issue_get(const struct pb_github_repo *repo, int64_t number, struct pb_arena *arena,
                        struct pb_github_issue *ret_issue, struct pb_error *err)
{
    struct pb_github_answer answer = {0};
    char path[PATH];
    int r;

    snprintf(path, sizeof(path), "/issues/%lld", (long long)number);
    r = pb_github_repo_call(
        repo, &(struct pb_github_call){.kind = PB_GITHUB_READ, .method = "GET", .path = path},
        &answer, err);
    if (r == 0)
        r = pb_github_issue_read(answer.json, arena, ret_issue, err);
    pb_github_answer_release(&answer);
    return r;
}

int pb_github_issues_labelled(const struct pb_github_repo *repo, const char *label,
                              pb_github_page_fn *page, void *arg, struct pb_error *err)
{
    struct pb_arena arena;
    const char *escaped;
    char path[PATH];
    int r;

    pb_arena_init(&arena, 4096);
    escaped = pb_github_escape(&arena, label);
    snprintf(path, sizeof(path),
             "/issues?labels=%s&state=open&sort=updated&direction=desc&per_page=100",
             escaped ? escaped : "");
    r = escaped ? pb_github_repo_pages(repo,
                                       &(struct pb_github_call){.kind = PB_GITHUB_POLL,
                                                                .method = "GET",
                                                                .path = path,
                                                                .cached = true},
                                       page, arg, err)
                : pb_fail_field(err, "trigger_label", "label too long");
    pb_arena_release(&arena);
    return r;
}

/* "2026-11-22T10:06:07Z": whole seconds, so that the address stays the same while nothing happens. */
static void since_text(int64_t since, char ret_text[PB_CLOCK_TEXT])
{
    pb_clock_format(since, ret_text);
    memcpy(ret_text + strlen("2026-11-22T10:06:07"), "Z", 2);
}

int pb_github_comments_since(const struct pb_github_repo *repo, int64_t issue_number, int64_t since,
                             pb_github_page_fn *page, void *arg, struct pb_error *err)
{
    char text[PB_CLOCK_TEXT];
    char path[PATH];

    since_text(since, text);
    if (issue_number && !since)
        snprintf(path, sizeof(path), "/issues/%lld/comments?per_page=100", (long long)issue_number);
    else if (issue_number)
        snprintf(path, sizeof(path), "/issues/%lld/comments?since=%.20s&per_page=100",
                 (long long)issue_number, text);
    else
        snprintf(path, sizeof(path),
                 "/issues/comments?since=%.20s&sort=updated&direction=asc&per_page=100", text);
    return pb_github_repo_pages(repo,
                                &(struct pb_github_call){.kind = since ? PB_GITHUB_POLL
                                                                       : PB_GITHUB_READ,
                                                         .method = "GET",
                                                         .path = path,
                                                         .cached = !issue_number},
                                page, arg, err);
}

/* Looking for the newest "labeled" event of one label. */
struct labelling {
    const char *label;
    struct pb_arena *arena;
    struct pb_github_labelling newest; /* event_id 0 = none so far */
};

static int read_events(void *arg, const struct pb_json *events, bool *stop, struct pb_error *err)
{
    struct labelling *search = arg;

    (void)stop;
    (void)err;
    for (size_t i = 0; i < pb_json_count(events); i++) {
        const struct pb_json *event = pb_json_at(events, i);
        const char *label = pb_json_text(pb_json_get(event, "label"), "name", "");
        int64_t id = pb_json_int(event, "id", 0);

        if (strcmp(pb_json_text(event, "event", ""), "labeled") != 0 ||
            !pb_text_equal_nocase(label, search->label) || id <= 0)
            continue;
        if (search->newest.event_id && time_of(event, "created_at") < search->newest.at)
            continue;
        search->newest =
            (struct pb_github_labelling){.event_id = id,
                                         .actor =
                                             person_of(pb_json_get(event, "actor"), search->arena),
                                         .at = time_of(event, "created_at")};
    }
    return 0;
}

int pb_github_issue_labelling(const struct pb_github_repo *repo, int64_t number, const char *label,
                              struct pb_arena *arena, struct pb_github_labelling *ret_labelling,
                              struct pb_error *err)
{
    static const char *const LISTS[] = {"timeline", "events"};
    bool supported = false;

    for (size_t i = 0; i < sizeof(LISTS) / sizeof(LISTS[0]); i++) {
        struct labelling search = {.label = label, .arena = arena};
        struct pb_error why = {0};
        char path[PATH];

        snprintf(path, sizeof(path), "/issues/%lld/%s?per_page=100", (long long)number, LISTS[i]);
        if (pb_github_repo_pages(
                repo,
                &(struct pb_github_call){.kind = PB_GITHUB_READ, .method = "GET", .path = path},
                read_events, &search, &why) < 0) {
            if (why.code == PB_ERROR_NOT_FOUND)
                continue;
            *err = why;
            return -1;
        }
        supported = true;
        if (search.newest.event_id) {
            *ret_labelling = search.newest;
            return 0;
        }
    }
    if (supported)
        return pb_fail_reason(err, PB_ERROR_NOT_FOUND, "github_unlabelled",
                              "issue #%lld: no event puts the label '%s' on", (long long)number,
                              label);
    *ret_labelling = (struct pb_github_labelling){0};
    return 0;
}

/* `permission` is the older word, role_name the finer one; servers like GitHub have one or both, and some say
 * "push" as the call that grants it does. */
static bool is_writer(const struct pb_json *json)
{
    static const char *const WORDS[] = {"admin", "maintain", "write", "push"};
    const char *permission = pb_json_text(json, "permission", "");
    const char *role = pb_json_text(json, "role_name", "");

    for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++)
        if (strcmp(permission, WORDS[i]) == 0 || strcmp(role, WORDS[i]) == 0)
            return true;
    return false;
}

int pb_github_repo_may_write(const struct pb_github_repo *repo, const char *login, bool *ret_may,
                             struct pb_error *err)
{
    struct pb_github_answer answer = {0};
    struct pb_error why = {0};
    struct pb_arena arena;
    const char *escaped;
    char path[PATH];
    int r = -1;

    pb_arena_init(&arena, 4096);
    escaped = pb_github_escape(&arena, login);
    if (!escaped) {
        pb_fail(err, PB_ERROR_INVALID, "login too long");
        goto out;
    }
    snprintf(path, sizeof(path), "/collaborators/%s/permission", escaped);
    r = pb_github_repo_call(
        repo, &(struct pb_github_call){.kind = PB_GITHUB_READ, .method = "GET", .path = path},
        &answer, &why);
    if (r == 0) {
        *ret_may = is_writer(answer.json);
    } else if (why.code == PB_ERROR_NOT_FOUND) {
        *ret_may = false; /* no such user */
        r = 0;
    } else {
        *err = why;
    }
out:
    pb_github_answer_release(&answer);
    pb_arena_release(&arena);
    return r;
}

/* A write whose body is an object with one text member; the answer's id, 0 when it has none. */
static int send_text(const struct pb_github_repo *repo, enum pb_github_kind kind,
                     const char *method, const char *path, const char *member, const char *text,
                     int64_t *ret_id, struct pb_error *err)
{
    struct pb_github_answer answer = {0};
    struct pb_json_writer w;
    struct pb_buf body;
    int r;

    pb_buf_init(&body, BODY_MAX);
    pb_json_writer_init(&w, &body);
    pb_json_begin_object(&w, NULL);
    pb_json_put_text(&w, member, text);
    pb_json_end_object(&w);
    r = pb_buf_failed(&body)
            ? pb_fail(err, PB_ERROR_TOO_LARGE, "the text for GitHub is too large")
            : pb_github_repo_call(repo,
                                  &(struct pb_github_call){.kind = kind,
                                                           .method = method,
                                                           .path = path,
                                                           .body = pb_buf_string(&body),
                                                           .body_len = body.len},
                                  &answer, err);
    if (r == 0 && ret_id)
        *ret_id = pb_json_int(answer.json, "id", 0);
    pb_github_answer_release(&answer);
    pb_buf_release(&body);
    return r;
}

int pb_github_issue_react(const struct pb_github_repo *repo, int64_t number, struct pb_error *err)
{
    struct pb_error why = {0};
    char path[PATH];

    snprintf(path, sizeof(path), "/issues/%lld/reactions", (long long)number);
    if (send_text(repo, PB_GITHUB_WRITE, "POST", path, "content", "eyes", NULL, &why) == 0)
        return 0;
    if (why.code == PB_ERROR_NOT_FOUND)
        return pb_fail_reason(err, PB_ERROR_UNSUPPORTED, "github_no_reactions", "%s", why.message);
    *err = why;
    return -1;
}

/* Looking for our comment. */
struct marked {
    const char *marker;
    const char *self; /* NULL = a token that is no user */
    int64_t id;
};

/* Anybody may copy our marker into a comment; only what we could have written is ours. */
static bool is_ours(const struct marked *search, const struct pb_github_comment *comment)
{
    if (!pb_text_starts(comment->body, search->marker))
        return false;
    if (search->self)
        return pb_text_equal_nocase(comment->author.login, search->self);
    return comment->author.is_bot;
}

static int find_marked(void *arg, const struct pb_json *comments, bool *stop, struct pb_error *err)
{
    struct marked *search = arg;

    for (size_t i = 0; i < pb_json_count(comments) && !search->id; i++) {
        struct pb_github_comment comment = {0};
        struct pb_arena arena;
        int r;

        pb_arena_init(&arena, 1 << 20);
        r = pb_github_comment_read(pb_json_at(comments, i), &arena, &comment, err);
        if (r == 0 && is_ours(search, &comment))
            search->id = comment.id;
        pb_arena_release(&arena);
        if (r < 0)
            return -1;
    }
    *stop = search->id != 0;
    return 0;
}

int pb_github_comment_find(const struct pb_github_repo *repo, int64_t issue_number,
                           const char *marker, int64_t *ret_id, struct pb_error *err)
{
    struct pb_arena arena;
    struct marked search = {.marker = marker};
    char path[PATH];
    int r = -1;

    pb_arena_init(&arena, 4096);
    snprintf(path, sizeof(path), "/issues/%lld/comments?per_page=100", (long long)issue_number);
    if (pb_github_trust_self(repo, &arena, &search.self, err) < 0)
        goto out;
    r = pb_github_repo_pages(
        repo, &(struct pb_github_call){.kind = PB_GITHUB_READ, .method = "GET", .path = path},
        find_marked, &search, err);
    if (r == 0)
        *ret_id = search.id;
out:
    pb_arena_release(&arena);
    return r;
}

int pb_github_comment_create(const struct pb_github_repo *repo, int64_t issue_number,
                             const char *body, int64_t *ret_id, struct pb_error *err)
{
    char path[PATH];

    snprintf(path, sizeof(path), "/issues/%lld/comments", (long long)issue_number);
    return send_text(repo, PB_GITHUB_CONTENT, "POST", path, "body", body, ret_id, err);
}

int pb_github_comment_update(const struct pb_github_repo *repo, int64_t id, const char *body,
                             struct pb_error *err)
{
    char path[PATH];

    snprintf(path, sizeof(path), "/issues/comments/%lld", (long long)id);
    return send_text(repo, PB_GITHUB_WRITE, "PATCH", path, "body", body, NULL, err);
}
