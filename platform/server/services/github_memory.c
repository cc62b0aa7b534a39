#include "server/services/github_memory.h"

#include "base/clock.h"
#include "base/log.h"
#include "server/services/github_client.h"
#include "server/services/github_limits.h"
#include "server/store/github_cache.h"
#include "server/store/store.h"

/* What one write function is about. */
struct keep {
    const struct pb_github_account *account;
    const char *url;
    struct pb_github_entry entry;
    struct pb_github_limit limit;
};

void pb_github_memory_load_etag(struct pb_store *store, const struct pb_github_account *account,
                                const char *url, struct pb_arena *arena,
                                struct pb_github_cached *ret_cached)
{
    struct pb_error err = {0};
    struct pb_github_entry *entry = NULL;
    struct pb_db *db;

    if (!store || !*account->project_id)
        return;
    db = pb_store_reader(store, &err);
    if (!db || pb_github_cache_get(db, arena, account->project_id, url, account->token_hash, &entry,
                                   &err) < 0) {
        pb_log_fail(PB_LOG_WARN, "github", &err, "ETag not read, asking in full");
        return;
    }
    if (!entry)
        return;
    *ret_cached =
        (struct pb_github_cached){.etag = entry->etag,
                                  .next = entry->link && *entry->link ? entry->link : NULL,
                                  .body = entry->body,
                                  .body_len = entry->body_len};
}

static int put_etag(struct pb_db *db, void *arg, struct pb_error *err)
{
    const struct keep *keep = arg;

    return pb_github_cache_put(db, keep->account->project_id, keep->url, keep->account->token_hash,
                               &keep->entry, err);
}

void pb_github_memory_save_etag(struct pb_store *store, const struct pb_github_account *account,
                                const char *url, const struct pb_github_cached *cached)
{
    struct pb_error err = {0};
    struct keep keep = {.account = account,
                        .url = url,
                        .entry = {.etag = cached->etag,
                                  .body = cached->body,
                                  .body_len = cached->body_len,
                                  .link = cached->next,
                                  .seen_at = pb_clock_wall_ms()}};

    if (!store || !*account->project_id)
        return;
    if (pb_store_write(store, put_etag, &keep, &err) < 0 && err.code != PB_ERROR_TOO_LARGE)
        pb_log_fail(PB_LOG_WARN, "github", &err, "ETag not kept, the next call will be a full one");
}

static int put_pause(struct pb_db *db, void *arg, struct pb_error *err)
{
    const struct keep *keep = arg;

    return pb_github_limit_put(db, &keep->limit, err);
}

void pb_github_memory_save_pause(struct pb_store *store, const char *token_hash,
                                 const struct pb_github_pause *pause)
{
    struct pb_error err = {0};
    struct keep keep = {.limit = {.token_hash = token_hash,
                                  .remaining = pause->remaining,
                                  .reset_at = pause->reset_at_ms < 0 ? 0 : pause->reset_at_ms,
                                  .retry_at = pause->retry_at_ms}};

    if (store && pb_store_write(store, put_pause, &keep, &err) < 0)
        pb_log_fail(PB_LOG_WARN, "github", &err, "a token's pause is not kept across a restart");
}

int64_t pb_github_memory_load_pause(struct pb_store *store, const char *token_hash)
{
    struct pb_error err = {0};
    struct pb_github_limit limit = {0};
    struct pb_db *db;

    if (!store)
        return 0;
    db = pb_store_reader(store, &err);
    if (!db || pb_github_limit_get(db, token_hash, &limit, &err) < 0) {
        pb_log_fail(PB_LOG_WARN, "github", &err, "a token's pause is not known, asking GitHub");
        return 0;
    }
    return limit.retry_at;
}
