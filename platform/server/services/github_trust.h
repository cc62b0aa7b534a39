/*
 * Who may start work: people who may write to the repository. Asked from
 * GitHub (a name or an `author_association` proves nothing), remembered for
 * five minutes per account, repository and login.
 */
#ifndef PB_SERVER_SERVICES_GITHUB_TRUST_H
#define PB_SERVER_SERVICES_GITHUB_TRUST_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"

struct pb_github;
struct pb_github_person;
struct pb_github_repo;
struct pb_github_trust;

struct pb_github_trust *pb_github_trust_new(struct pb_error *err) PB_MUST_CHECK;
void pb_github_trust_free(struct pb_github_trust *trust);
/* The client's own. */
struct pb_github_trust *pb_github_trust_of(struct pb_github *github);

/* Deleted accounts and bots may not. */
int pb_github_trust_may_write(const struct pb_github_repo *repo,
                              const struct pb_github_person *person, bool *ret_may,
                              struct pb_error *err) PB_MUST_CHECK;

/* The login the token belongs to; NULL for tokens that belong to no user (GitHub Apps). */
int pb_github_trust_self(const struct pb_github_repo *repo, struct pb_arena *arena,
                         const char **ret_login, struct pb_error *err) PB_MUST_CHECK;

#endif
