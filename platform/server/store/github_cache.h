/*
 * What GitHub answered last, by URL and token, so that asking again costs no
 * rate limit (ETag, 304); and how much of each token's limit is left. Tokens
 * appear as their SHA-256 only.
 */
#ifndef PB_SERVER_STORE_GITHUB_CACHE_H
#define PB_SERVER_STORE_GITHUB_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "server/store/db.h"

struct pb_github_entry {
    const char *etag;
    const char *body;
    size_t body_len;
    const char *link; /* the Link header, for pages */
    int64_t seen_at;
};

/* NULL if there is none for this token. */
int pb_github_cache_get(struct pb_db *db, struct pb_arena *arena, const char *project_id,
                        const char *url, const char *token_hash, struct pb_github_entry **ret_entry,
                        struct pb_error *err) PB_MUST_CHECK;
/* TOO_LARGE past PB_LIMIT_GITHUB_CACHE_BODY: then it is simply not cached. */
int pb_github_cache_put(struct pb_db *db, const char *project_id, const char *url,
                        const char *token_hash, const struct pb_github_entry *entry,
                        struct pb_error *err) PB_MUST_CHECK;
/* Removes what was not seen since then, `limit` at most. */
int pb_github_cache_purge(struct pb_db *db, int64_t before_ms, int64_t limit, int64_t *ret_removed,
                          struct pb_error *err) PB_MUST_CHECK;

struct pb_github_limit {
    const char *token_hash;
    int64_t remaining; /* -1 unknown */
    int64_t reset_at;
    int64_t retry_at; /* no calls before; 0 free */
};

/* One never seen: remaining -1, times 0. */
int pb_github_limit_get(struct pb_db *db, const char *token_hash, struct pb_github_limit *ret_limit,
                        struct pb_error *err) PB_MUST_CHECK;
int pb_github_limit_put(struct pb_db *db, const struct pb_github_limit *limit,
                        struct pb_error *err) PB_MUST_CHECK;

#endif
