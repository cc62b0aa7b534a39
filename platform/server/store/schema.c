#include "server/store/schema.h"

#include <string.h>

#include "server/store/db_private.h"

enum { PATIENCE_MS = 10 * 60 * 1000 }; /* for one statement, and for another server's migrations */

static const char HISTORY[] = "CREATE TABLE IF NOT EXISTS schema_history ("
                              "number BIGINT PRIMARY KEY, name TEXT NOT NULL,"
                              "sha256 TEXT NOT NULL, applied_at BIGINT NOT NULL,"
                              "app_version TEXT)";

/*
 * The file in the engine's own words: @id, @time and @bytes, and TEXT, whose texts compare byte by byte
 * in every engine. Any other @word is a mistake in the file.
 */
static int expand(struct pb_db *db, const struct pb_migration *migration, struct pb_buf *ret_sql,
                  struct pb_error *err)
{
    static const char WORD[] = "@_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

    for (const char *at = migration->sql; *at;) {
        size_t plain = strcspn(at, WORD), len = strspn(at + plain, WORD);
        char word[16] = "";

        pb_buf_bytes(ret_sql, at, plain);
        at += plain;
        if (len < sizeof(word))
            memcpy(word, at, len);
        if (pb_db_type(db, word))
            pb_buf_text(ret_sql, pb_db_type(db, word));
        else if (at[0] == '@')
            return pb_fail(err, PB_ERROR_INTERNAL, "migration %s: unknown token '%s'",
                           migration->name, word);
        else
            pb_buf_bytes(ret_sql, at, len);
        at += len;
    }
    if (pb_buf_failed(ret_sql))
        return pb_fail(err, PB_ERROR_INTERNAL, "migration %s is too large", migration->name);
    return 0;
}

static int apply(struct pb_db *db, const struct pb_migration *migration, const char *app_version,
                 int64_t now_ms, struct pb_error *err)
{
    struct pb_buf sql;
    int r = -1;

    pb_buf_init(&sql, 1 << 20);
    if (expand(db, migration, &sql, err) < 0)
        goto out;
    if (pb_db_begin(db, err) < 0)
        goto out;
    if (pb_db_script(db, pb_buf_string(&sql), err) < 0 ||
        pb_db_run(db,
                  "INSERT INTO schema_history (number, name, sha256, applied_at, app_version) "
                  "VALUES (?1, ?2, ?3, ?4, ?5)",
                  PB_VALUES(I(migration->number), T(migration->name), T(migration->sha256),
                            I(now_ms), T(app_version)),
                  NULL, err) < 0 ||
        pb_db_commit(db, err) < 0) {
        pb_db_rollback(db);
        pb_fail_in(err, "migration %s", migration->name);
        goto out;
    }
    r = 0;
out:
    pb_buf_release(&sql);
    return r;
}

/* The row of one applied migration against the file of that number. */
static int check_applied(struct pb_rows *rows, const struct pb_migration *migrations, size_t count,
                         struct pb_error *err)
{
    int64_t number = pb_rows_int(rows, 0);
    const char *by = pb_rows_text(rows, 3);
    const struct pb_migration *migration = NULL;

    for (size_t i = 0; i < count; i++) {
        if (migrations[i].number == number)
            migration = &migrations[i];
    }
    if (!migration)
        return pb_fail_reason(err, PB_ERROR_PRECONDITION, "schema_newer",
                              "the database was made by a newer version (%s): its schema has "
                              "number %lld, this program knows up to %u. Use that version, or "
                              "restore a backup",
                              by ? by : "unknown", (long long)number,
                              count ? migrations[count - 1].number : 0);
    if (strcmp(migration->sha256, pb_rows_text(rows, 2)) != 0)
        return pb_fail_reason(err, PB_ERROR_PRECONDITION, "schema_changed",
                              "migration %s is not the one this database was made with. An "
                              "applied migration is never edited: add a new one",
                              migration->name);
    return 0;
}

/* The highest number applied; 0 for a new database. */
static int check_history(struct pb_db *db, const struct pb_migration *migrations, size_t count,
                         int64_t *ret_last, struct pb_error *err)
{
    struct pb_rows *rows =
        pb_db_query(db,
                    "SELECT number, name, sha256, app_version FROM schema_history ORDER BY number",
                    PB_NO_VALUES, err);
    int64_t last = 0;
    int r;

    if (!rows)
        return -1;
    while ((r = pb_rows_next(rows, err)) > 0) {
        last = pb_rows_int(rows, 0);
        r = check_applied(rows, migrations, count, err);
        if (r < 0)
            break;
    }
    pb_rows_end(rows);
    if (r < 0)
        return -1;
    *ret_last = last;
    return 0;
}

static int bring_up(struct pb_db *db, const struct pb_migration *migrations, size_t count,
                    const char *app_version, int64_t now_ms, struct pb_error *err)
{
    int64_t last = 0;

    if (pb_db_script(db, HISTORY, err) < 0)
        return pb_fail_in(err, "schema_history");
    if (check_history(db, migrations, count, &last, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (migrations[i].number > last && apply(db, &migrations[i], app_version, now_ms, err) < 0)
            return -1;
    }
    return 0;
}

int pb_schema_apply(struct pb_db *db, const struct pb_migration *migrations, size_t count,
                    const char *app_version, int64_t now_ms, struct pb_error *err)
{
    int r;

    pb_db_patience(db, PATIENCE_MS);
    r = pb_db_lock_schema(db, err);
    if (r == 0) {
        r = bring_up(db, migrations, count, app_version, now_ms, err);
        pb_db_unlock_schema(db);
    }
    pb_db_patience(db, 0);
    return r;
}

int pb_schema_check(struct pb_db *db, const struct pb_migration *migrations, size_t count,
                    struct pb_error *err)
{
    int64_t last = 0;

    if (check_history(db, migrations, count, &last, err) < 0)
        return err->code == PB_ERROR_INTERNAL /* no such table */
                   ? pb_fail_reason(err, PB_ERROR_NOT_FOUND, "no_installation",
                                    "there is no installation")
                   : -1;
    if (last != (int64_t)migrations[count - 1].number)
        return pb_fail_reason(err, PB_ERROR_PRECONDITION, "schema_older",
                              "the database was made by an older version (schema %lld, not %u): "
                              "start this version on it once, that brings it up to date",
                              (long long)last, migrations[count - 1].number);
    return 0;
}
