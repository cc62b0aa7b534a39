#include "server/services/github_label.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum { NAME = 256, PATH = 1024 };

static const struct {
    const char *name;
    const char *colour;
    const char *en;
    const char *ja;
} LABELS[] = {
#define X(state, name, colour, en, ja) {name, colour, en, ja},
    PB_GITHUB_LABELS(X)
#undef X
};

enum pb_github_label pb_github_label_of(enum pb_execution_status status)
{
    switch (status) {
    case PB_EXECUTION_QUEUED:
    case PB_EXECUTION_ASSIGNED:
    case PB_EXECUTION_WAITING_QUOTA:
        return PB_GITHUB_LABEL_QUEUED;
    case PB_EXECUTION_PREPARING:
    case PB_EXECUTION_RUNNING:
    case PB_EXECUTION_CANCELLING:
        return PB_GITHUB_LABEL_WORKING;
    case PB_EXECUTION_WAITING_INPUT:
    case PB_EXECUTION_WAITING_APPROVAL:
        return PB_GITHUB_LABEL_NEEDS_INPUT;
    case PB_EXECUTION_SUCCEEDED:
        return PB_GITHUB_LABEL_DONE;
    case PB_EXECUTION_FAILED:
    case PB_EXECUTION_TIMED_OUT:
    case PB_EXECUTION_BUDGET_EXHAUSTED:
    case PB_EXECUTION_CANCELLED: /* the comment says by whom */
        return PB_GITHUB_LABEL_FAILED;
    case PB_EXECUTION_STATUS_COUNT:
        break;
    }
    return PB_GITHUB_LABEL_NONE;
}

/* One of ours by its full name; PB_GITHUB_LABEL_NONE for everybody else's. */
static enum pb_github_label label_named(const char *prefix, const char *full_name)
{
    char name[NAME];

    for (int i = 0; i < PB_GITHUB_LABEL_COUNT; i++) {
        snprintf(name, sizeof(name), "%s%s", prefix, LABELS[i].name);
        if (pb_text_equal_nocase(name, full_name))
            return (enum pb_github_label)i;
    }
    return PB_GITHUB_LABEL_NONE;
}

/* Calls with a body or a label's name in the path. */
static int send_json(const struct pb_github_repo *repo, const char *method, const char *path,
                     const struct pb_buf *body, struct pb_error *err)
{
    struct pb_github_answer answer = {0};
    int r;

    if (body && pb_buf_failed(body))
        return pb_fail(err, PB_ERROR_TOO_LARGE, "label too long");
    r = pb_github_repo_call(repo,
                            &(struct pb_github_call){.kind = strcmp(method, "GET") == 0
                                                                 ? PB_GITHUB_READ
                                                                 : PB_GITHUB_WRITE,
                                                     .method = method,
                                                     .path = path,
                                                     .body = body ? pb_buf_string(body) : NULL,
                                                     .body_len = body ? body->len : 0},
                            &answer, err);
    pb_github_answer_release(&answer);
    return r;
}

static int call_named(const struct pb_github_repo *repo, const char *method,
                      const char *path_before, const char *name, struct pb_error *err)
{
    struct pb_arena arena;
    const char *escaped;
    char path[PATH];
    int r;

    pb_arena_init(&arena, 4096);
    escaped = pb_github_escape(&arena, name);
    snprintf(path, sizeof(path), "%s/%s", path_before, escaped ? escaped : "");
    r = escaped ? send_json(repo, method, path, NULL, err)
                : pb_fail(err, PB_ERROR_INVALID, "label too long");
    pb_arena_release(&arena);
    return r;
}

static int create(const struct pb_github_repo *repo, const char *name, enum pb_github_label label,
                  const char *language, struct pb_error *err)
{
    struct pb_error why = {0};
    struct pb_json_writer w;
    struct pb_buf body;
    int r;

    pb_buf_init(&body, 4096);
    pb_json_writer_init(&w, &body);
    pb_json_begin_object(&w, NULL);
    pb_json_put_text(&w, "name", name);
    pb_json_put_text(&w, "color", LABELS[label].colour);
    pb_json_put_text(&w, "description",
                     pb_text_equal(language, "ja") ? LABELS[label].ja : LABELS[label].en);
    pb_json_end_object(&w);
    r = send_json(repo, "POST", "/labels", &body, &why);
    pb_buf_release(&body);
    if (r < 0 && strcmp(why.reason, "github_exists") == 0)
        return 0; /* somebody else was quicker */
    if (r < 0)
        *err = why;
    return r;
}

static int ensure(const struct pb_github_repo *repo, const char *name, enum pb_github_label label,
                  const char *language, unsigned *known, struct pb_error *err)
{
    struct pb_error why = {0};

    if (known && (*known & 1u << label))
        return 0;
    if (call_named(repo, "GET", "/labels", name, &why) < 0) {
        if (why.code != PB_ERROR_NOT_FOUND) {
            *err = why;
            return -1;
        }
        if (create(repo, name, label, language, err) < 0)
            return -1;
    }
    if (known)
        *known |= 1u << label;
    return 0;
}

static int add(const struct pb_github_repo *repo, int64_t issue_number, const char *name,
               struct pb_error *err)
{
    struct pb_json_writer w;
    struct pb_buf body;
    char path[PATH];
    int r;

    snprintf(path, sizeof(path), "/issues/%lld/labels", (long long)issue_number);
    pb_buf_init(&body, 4096);
    pb_json_writer_init(&w, &body);
    pb_json_begin_object(&w, NULL);
    pb_json_begin_array(&w, "labels");
    pb_json_put_text(&w, NULL, name);
    pb_json_end_array(&w);
    pb_json_end_object(&w);
    r = send_json(repo, "POST", path, &body, err);
    pb_buf_release(&body);
    return r;
}

/* Which of ours the issue carries now, one bit each. */
static int read_present(const struct pb_github_repo *repo, int64_t issue_number, const char *prefix,
                        unsigned *ret_present, struct pb_error *err)
{
    struct pb_github_answer answer = {0};
    unsigned present = 0;
    char path[PATH];

    /* GitHub allows 100 labels on an issue: one page. */
    snprintf(path, sizeof(path), "/issues/%lld/labels?per_page=100", (long long)issue_number);
    if (pb_github_repo_call(
            repo, &(struct pb_github_call){.kind = PB_GITHUB_READ, .method = "GET", .path = path},
            &answer, err) < 0)
        return -1;
    for (size_t i = 0; i < pb_json_count(answer.json); i++) {
        enum pb_github_label label =
            label_named(prefix, pb_json_text(pb_json_at(answer.json, i), "name", ""));

        if (label != PB_GITHUB_LABEL_NONE)
            present |= 1u << label;
    }
    pb_github_answer_release(&answer);
    *ret_present = present;
    return 0;
}

/* A label that is not there any more is as good as removed. */
static int take_off(const struct pb_github_repo *repo, int64_t issue_number, const char *name,
                    struct pb_error *err)
{
    struct pb_error why = {0};
    char path[PATH];

    snprintf(path, sizeof(path), "/issues/%lld/labels", (long long)issue_number);
    if (call_named(repo, "DELETE", path, name, &why) == 0 || why.code == PB_ERROR_NOT_FOUND)
        return 0;
    *err = why;
    return -1;
}

int pb_github_label_show(const struct pb_github_repo *repo, int64_t issue_number,
                         const char *prefix, const char *language, enum pb_github_label label,
                         unsigned *known, struct pb_error *err)
{
    char name[NAME];
    unsigned present;

    if (read_present(repo, issue_number, prefix, &present, err) < 0)
        return -1;
    if (label != PB_GITHUB_LABEL_NONE && !(present & 1u << label)) {
        snprintf(name, sizeof(name), "%s%s", prefix, LABELS[label].name);
        if (ensure(repo, name, label, language, known, err) < 0 ||
            add(repo, issue_number, name, err) < 0)
            return -1;
    }
    for (int i = 0; i < PB_GITHUB_LABEL_COUNT; i++) {
        if (i == (int)label || !(present & 1u << i))
            continue;
        snprintf(name, sizeof(name), "%s%s", prefix, LABELS[i].name);
        if (take_off(repo, issue_number, name, err) < 0)
            return -1;
    }
    return 0;
}
