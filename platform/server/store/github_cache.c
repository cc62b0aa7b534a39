#include "server/store/github_cache.h"

#include "model/limits.h"
#include "server/store/db_private.h"

static const struct pb_column ITEMS[] = {
    PB_COLUMN(TEXT, struct pb_github_entry, etag),
    PB_COLUMN(TEXT, struct pb_github_entry, link),
    PB_COLUMN(INT, struct pb_github_entry, seen_at),
};
static const struct pb_columns COLUMNS = PB_COLUMNS(ITEMS);

static int read_entry(struct pb_rows *rows, struct pb_arena *arena, void *ret_item,
                      struct pb_error *err)
{
    struct pb_github_entry *entry = ret_item;
    const void *body;

    if (pb_rows_read(rows, 0, &COLUMNS, arena, entry, err) < 0)
        return -1;
    body = pb_rows_bytes(rows, (int)COLUMNS.count, &entry->body_len);
    entry->body = pb_arena_bytes(arena, body ? body : "", entry->body_len);
    return entry->body ? 0 : pb_fail_arena(err);
}

int pb_github_cache_get(struct pb_db *db, struct pb_arena *arena, const char *project_id,
                        const char *url, const char *token_hash, struct pb_github_entry **ret_entry,
                        struct pb_error *err)
{
    void *found = NULL;

    if (pb_db_one(db,
                  "SELECT etag, link, seen_at, body FROM github_cache "
                  "WHERE project_id = ?1 AND url = ?2 AND token_hash = ?3",
                  PB_VALUES(T(project_id), T(url), T(token_hash)), arena,
                  sizeof(struct pb_github_entry), read_entry, &found, err) < 0)
        return -1;
    *ret_entry = found;
    return 0;
}

int pb_github_cache_put(struct pb_db *db, const char *project_id, const char *url,
                        const char *token_hash, const struct pb_github_entry *entry,
                        struct pb_error *err)
{
    if (entry->body_len > PB_LIMIT_GITHUB_CACHE_BODY)
        return pb_fail(err, PB_ERROR_TOO_LARGE, "an answer of %zu bytes is not cached",
                       entry->body_len);
    return pb_db_run(db,
                     "INSERT INTO github_cache (project_id, url, token_hash, etag, link, body, "
                     "seen_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) "
                     "ON CONFLICT (project_id, url) DO UPDATE SET "
                     "token_hash = excluded.token_hash, etag = excluded.etag, "
                     "link = excluded.link, body = excluded.body, seen_at = excluded.seen_at",
                     PB_VALUES(T(project_id), T(url), T(token_hash), T(entry->etag), T(entry->link),
                               pb_value_bytes(entry->body, entry->body_len), I(entry->seen_at)),
                     NULL, err);
}

int pb_github_cache_purge(struct pb_db *db, int64_t before_ms, int64_t limit, int64_t *ret_removed,
                          struct pb_error *err)
{
    return pb_db_run(db,
                     "DELETE FROM github_cache WHERE (project_id, url) IN (SELECT project_id, url "
                     "FROM github_cache WHERE seen_at < ?1 ORDER BY seen_at LIMIT ?2)",
                     PB_VALUES(I(before_ms), I(limit)), ret_removed, err);
}

int pb_github_limit_get(struct pb_db *db, const char *token_hash, struct pb_github_limit *ret_limit,
                        struct pb_error *err)
{
    struct pb_rows *rows =
        pb_db_query(db,
                    "SELECT coalesce(remaining, -1), reset_at, retry_at FROM github_limits "
                    "WHERE token_hash = ?1",
                    PB_VALUES(T(token_hash)), err);
    int r;

    if (!rows)
        return -1;
    r = pb_rows_next(rows, err);
    if (r == 0)
        *ret_limit = (struct pb_github_limit){.token_hash = token_hash, .remaining = -1};
    if (r > 0)
        *ret_limit = (struct pb_github_limit){token_hash, pb_rows_int(rows, 0),
                                              pb_rows_int(rows, 1), pb_rows_int(rows, 2)};
    pb_rows_end(rows);
    return r < 0 ? -1 : 0;
}

int pb_github_limit_put(struct pb_db *db, const struct pb_github_limit *limit, struct pb_error *err)
{
    return pb_db_run(db,
                     "INSERT INTO github_limits (token_hash, remaining, reset_at, retry_at) "
                     "VALUES (?1, ?2, ?3, ?4) ON CONFLICT (token_hash) DO UPDATE SET "
                     "remaining = excluded.remaining, reset_at = excluded.reset_at, "
                     "retry_at = excluded.retry_at",
                     PB_VALUES(T(limit->token_hash), I(limit->remaining),
                               pb_value_time(limit->reset_at), pb_value_time(limit->retry_at)),
                     NULL, err);
}
