/*
 * What the GitHub client remembers across calls and restarts: ETags with the
 * pages they stand for, and tokens that must wait. All of it may be lost
 * without harm (the next call is a full one), so a failing store is logged
 * and otherwise ignored here.
 */
#ifndef PB_SERVER_SERVICES_GITHUB_MEMORY_H
#define PB_SERVER_SERVICES_GITHUB_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

struct pb_github_account;
struct pb_github_pause;
struct pb_store;

/* One page as GitHub gave it. */
struct pb_github_cached {
    const char *etag;
    const char *next; /* the next page's address; NULL = last page */
    const char *body;
    size_t body_len;
};

/* Leaves ret_cached alone when there is nothing. `store` may be NULL. */
void pb_github_memory_load_etag(struct pb_store *store, const struct pb_github_account *account,
                                const char *url, struct pb_arena *arena,
                                struct pb_github_cached *ret_cached);
void pb_github_memory_save_etag(struct pb_store *store, const struct pb_github_account *account,
                                const char *url, const struct pb_github_cached *cached);

void pb_github_memory_save_pause(struct pb_store *store, const char *token_hash,
                                 const struct pb_github_pause *pause);
/* Until when this token must wait; 0 = nothing known. */
int64_t pb_github_memory_load_pause(struct pb_store *store, const char *token_hash);

#endif
