/* One repository, seen with one account: the handle all calls about issues and pull requests take. */
#ifndef PB_SERVER_SERVICES_GITHUB_REPO_H
#define PB_SERVER_SERVICES_GITHUB_REPO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "server/services/github_client.h"

struct pb_github_repo {
    struct pb_github *github; /* borrowed */
    struct pb_github_account account;
    char owner[64];
    char name[128];
};

/* project_id: whose ETags; NULL = none. INVALID (field set) for an owner or name GitHub cannot have. */
int pb_github_repo_open(struct pb_github_repo *repo, struct pb_github *github, const char *api_url,
                        const char *token, const char *project_id, const char *owner,
                        const char *name, struct pb_error *err) PB_MUST_CHECK;
void pb_github_repo_close(struct pb_github_repo *repo); /* wipes the token; also half-open */

/* The same repository under its new name; both valid for GitHub. */
void pb_github_repo_rename(struct pb_github_repo *repo, const char *owner, const char *name);

/* call->path is below the repository ("/issues/12", "" = the repository itself), or a page's address. */
int pb_github_repo_call(const struct pb_github_repo *repo, const struct pb_github_call *call,
                        struct pb_github_answer *ret_answer, struct pb_error *err) PB_MUST_CHECK;

/* Every page of a list, in order, until `page` fails or says *stop. The array is borrowed. */
typedef int pb_github_page_fn(void *arg, const struct pb_json *array, bool *stop,
                              struct pb_error *err);
int pb_github_repo_pages(const struct pb_github_repo *repo, const struct pb_github_call *call,
                         pb_github_page_fn *page, void *arg, struct pb_error *err) PB_MUST_CHECK;

struct pb_github_repo_facts {
    const char
        *owner; /* as GitHub says now: a renamed repository answers under its old name, too */
    const char *name;
    const char *full_name;
    const char *default_branch;
    const char *html_url;
    const char *clone_url;
    const char *scopes; /* of a classic token; NULL = not known */
    bool is_private;
    bool is_archived;
    bool has_issues;
    bool has_size;        /* false also for a small repository: GitHub counts kilobytes, and late */
    bool has_permissions; /* GitHub said what the token's owner may do: */
    bool may_push;
    bool moved; /* it has another name now */
};

int pb_github_repo_facts(const struct pb_github_repo *repo, struct pb_arena *arena,
                         struct pb_github_repo_facts *ret_facts,
                         struct pb_error *err) PB_MUST_CHECK;
/* Has it no commit at all? Asks for the default branch, so it also shows whether contents can be read: DENIED. */
int pb_github_repo_is_empty(const struct pb_github_repo *repo,
                            const struct pb_github_repo_facts *facts, bool *ret_empty,
                            struct pb_error *err) PB_MUST_CHECK;

#endif
