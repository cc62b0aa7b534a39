/*
 * Issues at GitHub: reading them, who labelled them, what was said, and the
 * few things we write: labels, a reaction, a comment.
 *
 * Pull requests are issues to GitHub, so the same calls serve their comments.
 * Texts are as GitHub gave them: clean them before use (github_text.h).
 */
#ifndef PB_SERVER_SERVICES_GITHUB_ISSUE_H
#define PB_SERVER_SERVICES_GITHUB_ISSUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "server/services/github_repo.h"

struct pb_github_person {
    const char *login; /* NULL: the account was deleted */
    bool is_bot;
};

struct pb_github_issue {
    int64_t number;
    const char *title;
    const char *body; /* "" when there is none */
    const char *url;
    struct pb_github_person author;
    int64_t created_at;
    int64_t updated_at;
    const char *updated_text; /* as GitHub wrote it */
    const char *labels;       /* JSON array of their names */
    bool is_open;
    bool is_pull;
};

struct pb_github_comment {
    int64_t id;
    int64_t issue_number;
    const char *body;
    struct pb_github_person author;
    const char *url;
    bool is_outsider; /* GitHub's association says: hardly one who may write. Proves nothing */
    int64_t created_at;
    int64_t updated_at;
};

/* Who put a label on, and when: the newest time it was put on. */
struct pb_github_labelling {
    int64_t event_id; /* 0 = this server keeps no events: nobody knows who it was */
    struct pb_github_person actor;
    int64_t at;
};

/* Everything goes into the arena. */
int pb_github_issue_read(const struct pb_json *json, struct pb_arena *arena,
                         struct pb_github_issue *ret_issue, struct pb_error *err) PB_MUST_CHECK;
int pb_github_comment_read(const struct pb_json *json, struct pb_arena *arena,
                           struct pb_github_comment *ret_comment,
                           struct pb_error *err) PB_MUST_CHECK;

int pb_github_issue_get(const struct pb_github_repo *repo, int64_t number, struct pb_arena *arena,
                        struct pb_github_issue *ret_issue, struct pb_error *err) PB_MUST_CHECK;
/* Pages of open issues (and pull requests) with the label, last changed first; unchanged pages cost nothing. */
int pb_github_issues_labelled(const struct pb_github_repo *repo, const char *label,
                              pb_github_page_fn *page, void *arg,
                              struct pb_error *err) PB_MUST_CHECK;
/* Pages of comments changed since then (wall clock), oldest change first; issue_number 0 = of all issues,
 * since 0 = all of one issue, oldest first. */
int pb_github_comments_since(const struct pb_github_repo *repo, int64_t issue_number, int64_t since,
                             pb_github_page_fn *page, void *arg,
                             struct pb_error *err) PB_MUST_CHECK;
/* Timeline first, then events; a server that has neither gives event_id 0. NOT_FOUND "github_unlabelled"
 * when there are events but none puts this label on. */
int pb_github_issue_labelling(const struct pb_github_repo *repo, int64_t number, const char *label,
                              struct pb_arena *arena, struct pb_github_labelling *ret_labelling,
                              struct pb_error *err) PB_MUST_CHECK;
/* May this account write to the repository? */
int pb_github_repo_may_write(const struct pb_github_repo *repo, const char *login, bool *ret_may,
                             struct pb_error *err) PB_MUST_CHECK;

/* 👀. Repeating it changes nothing at GitHub. UNSUPPORTED where the server has no reactions. */
int pb_github_issue_react(const struct pb_github_repo *repo, int64_t number,
                          struct pb_error *err) PB_MUST_CHECK;

/* The oldest comment whose body starts with `marker`, written by anybody who could be us; 0 = none. */
int pb_github_comment_find(const struct pb_github_repo *repo, int64_t issue_number,
                           const char *marker, int64_t *ret_id, struct pb_error *err) PB_MUST_CHECK;
int pb_github_comment_create(const struct pb_github_repo *repo, int64_t issue_number,
                             const char *body, int64_t *ret_id, struct pb_error *err) PB_MUST_CHECK;
int pb_github_comment_update(const struct pb_github_repo *repo, int64_t id, const char *body,
                             struct pb_error *err) PB_MUST_CHECK;

#endif
