/*
 * "Will it work?", asked live while a project is being set up: one row per
 * thing that must be right, each with what to do when it is not.
 *
 * Only reads. What a token may write cannot be tried without writing, so
 * write permission is judged by the repository's `permissions`, by the scopes
 * of a classic token, and otherwise said to be unknown (a warning).
 */
#ifndef PB_SERVER_SERVICES_GITHUB_CHECK_H
#define PB_SERVER_SERVICES_GITHUB_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "server/services/check_row.h"

struct pb_github;

enum { PB_GITHUB_CHECK_ROWS = 8 }; /* one is the caller's to add */

struct pb_github_check {
    bool ok; /* no row is an error */
    bool has_repository;
    const char *full_name;
    const char *default_branch;
    const char *html_url;
    bool is_private;
    bool is_empty;
    struct pb_check_row rows[PB_GITHUB_CHECK_ROWS];
    size_t count;
};

struct pb_github_check_request {
    const char *api_url;
    const char *token;
    const char *owner;
    const char *repo;
};

/* Blocks for some seconds: not for the loop or the handlers' pool. Whatever GitHub answers is a row;
 * -1 only for malformed input (INVALID, field set) and when the arena is full. */
int pb_github_check(struct pb_github *github, const struct pb_github_check_request *request,
                    struct pb_arena *arena, struct pb_github_check *ret_check,
                    struct pb_error *err) PB_MUST_CHECK;

#endif
