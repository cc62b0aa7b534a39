/* The door to SQLite. */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "server/store/db_private.h"

enum {
    STATEMENTS = 128, /* prepared ones kept per connection */
    BUSY_MS = 5000,   /* a reader meets a lock only while the log is being reset */
    WRITER_CACHE_KIB = 8192,
    READER_CACHE_KIB = 1024,
    WAL_KEEP_BYTES = 64 << 20, /* a larger log is cut after its reset */
};

struct pb_rows {
    struct pb_db *db; /* borrowed */
    sqlite3_stmt *stmt;
    char *sql; /* owned, for an entry of the cache; NULL for a one-off */
    uint64_t hash;
    uint64_t used_at;
    bool is_running;
};

struct pb_db {
    sqlite3 *handle;
    struct pb_rows statements[STATEMENTS];
    uint64_t clock;
    int wal_pages;
};

/* --- errors ------------------------------------------------------------------------------------- */

static bool is_disk_full(struct pb_db *db, int code)
{
    int system = sqlite3_system_errno(db->handle);

    return code == SQLITE_FULL || ((code & 0xff) == SQLITE_IOERR &&
                                   (system == ENOSPC || system == EDQUOT || system == EFBIG));
}

static int fail_with(struct pb_db *db, struct pb_error *err)
{
    int code = sqlite3_extended_errcode(db->handle);
    const char *words = sqlite3_errmsg(db->handle);

    if (is_disk_full(db, code))
        return pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "disk_full",
                              "no space left for the database");
    if (code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY)
        return pb_fail_reason(err, PB_ERROR_CONFLICT, "unique", "%s", words);
    if (code == SQLITE_CONSTRAINT_FOREIGNKEY)
        return pb_fail_reason(err, PB_ERROR_CONFLICT, "foreign_key", "%s", words);
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "busy", "the database is locked");
    case SQLITE_IOERR:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
        return pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "store_failed", "database: %s (%d)", words,
                              code);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return pb_fail_reason(err, PB_ERROR_INTERNAL, "store_corrupt", "database: %s (%d)", words,
                              code);
    default:
        return pb_fail(err, PB_ERROR_INTERNAL, "database: %s (%d)", words, code);
    }
}

/* --- opening ------------------------------------------------------------------------------------ */

static int on_wal(void *arg, sqlite3 *handle, const char *name, int pages)
{
    struct pb_db *db = arg;

    (void)handle;
    (void)name;
    db->wal_pages = pages;
    return SQLITE_OK;
}

/* What a database file from elsewhere could otherwise do to us. */
static int harden(sqlite3 *handle)
{
    static const struct {
        int option;
        int value;
    } OPTIONS[] = {
        {SQLITE_DBCONFIG_DEFENSIVE, 1},
        {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
        {SQLITE_DBCONFIG_DQS_DML, 0},
        {SQLITE_DBCONFIG_DQS_DDL, 0},
        {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
        {SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1},
        {SQLITE_DBCONFIG_ENABLE_FKEY, 1},
    };

    for (size_t i = 0; i < sizeof(OPTIONS) / sizeof(OPTIONS[0]); i++) {
        if (sqlite3_db_config(handle, OPTIONS[i].option, OPTIONS[i].value, NULL) != SQLITE_OK)
            return -1;
    }
    return sqlite3_busy_timeout(handle, BUSY_MS) == SQLITE_OK ? 0 : -1;
}

static int set_up_writer(struct pb_db *db, struct pb_error *err)
{
    struct pb_rows *rows = pb_db_query(db, "PRAGMA journal_mode = WAL", PB_NO_VALUES, err);
    struct pb_buf sql;
    int r = -1;

    pb_buf_init(&sql, 1024);
    if (!rows || pb_rows_next(rows, err) < 0)
        goto out;
    if (strcmp(pb_rows_text(rows, 0), "wal") != 0) {
        pb_fail(err, PB_ERROR_UNAVAILABLE,
                "the database cannot use a write-ahead log here (is this a network file system?)");
        goto out;
    }
    pb_rows_end(rows);
    rows = NULL;
    pb_buf_format(&sql,
                  "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;"
                  "PRAGMA journal_size_limit = %d; PRAGMA cache_size = -%d;"
                  "PRAGMA temp_store = MEMORY; PRAGMA cell_size_check = ON",
                  WAL_KEEP_BYTES, WRITER_CACHE_KIB);
    if (pb_db_script(db, pb_buf_string(&sql), err) < 0)
        goto out;
    sqlite3_wal_hook(db->handle, on_wal, db);
    r = 0;
out:
    pb_rows_end(rows);
    pb_buf_release(&sql);
    return r;
}

static int set_up_reader(struct pb_db *db, struct pb_error *err)
{
    struct pb_buf sql;
    int r;

    pb_buf_init(&sql, 1024);
    pb_buf_format(&sql, "PRAGMA cache_size = -%d; PRAGMA temp_store = MEMORY", READER_CACHE_KIB);
    r = pb_db_script(db, pb_buf_string(&sql), err);
    pb_buf_release(&sql);
    return r;
}

/* SQLite would make the file readable to all; its log files get the same mode as the file. */
static int make_file(const char *path, struct pb_error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return pb_fail_errno(err, "%s", path);
    pb_close(&fd);
    return 0;
}

struct pb_db *pb_db_open(const char *path, enum pb_db_mode mode, struct pb_error *err)
{
    int flags = mode == PB_DB_WRITER ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
    struct pb_db *db = NULL;

    if (mode == PB_DB_WRITER && make_file(path, err) < 0)
        return NULL;
    db = calloc(1, sizeof(*db));
    if (!db) {
        pb_fail(err, PB_ERROR_LIMITED, "no memory");
        return NULL;
    }
    if (sqlite3_open_v2(path, &db->handle, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE,
                        NULL) != SQLITE_OK ||
        harden(db->handle) < 0) {
        fail_with(db, err);
        goto fail;
    }
    sqlite3_extended_result_codes(db->handle, 1);
    if ((mode == PB_DB_WRITER ? set_up_writer(db, err) : set_up_reader(db, err)) < 0)
        goto fail;
    return db;
fail:
    pb_fail_in(err, "open %s", path);
    pb_db_close(db);
    return NULL;
}

void pb_db_close(struct pb_db *db)
{
    if (!db)
        return;
    for (size_t i = 0; i < STATEMENTS; i++) {
        sqlite3_finalize(db->statements[i].stmt);
        free(db->statements[i].sql);
    }
    sqlite3_close(db->handle);
    free(db);
}

/* --- statements --------------------------------------------------------------------------------- */

static uint64_t hash_text(const char *text)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */

    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
    return hash;
}

/* The cached statement of this text, or the entry to put it into (the one unused longest). */
static struct pb_rows *find_statement(struct pb_db *db, const char *sql, uint64_t hash)
{
    struct pb_rows *oldest = NULL;

    for (size_t i = 0; i < STATEMENTS; i++) {
        struct pb_rows *entry = &db->statements[i];

        if (entry->is_running)
            continue;
        if (entry->sql && entry->hash == hash && strcmp(entry->sql, sql) == 0)
            return entry;
        if (!oldest || entry->used_at < oldest->used_at)
            oldest = entry;
    }
    return oldest;
}

static int prepare(struct pb_db *db, struct pb_rows *entry, const char *sql, uint64_t hash,
                   struct pb_error *err)
{
    sqlite3_finalize(entry->stmt);
    free(entry->sql);
    *entry = (struct pb_rows){.db = db, .hash = hash, .sql = strdup(sql)};
    if (!entry->sql)
        return pb_fail(err, PB_ERROR_LIMITED, "no memory");
    if (sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &entry->stmt, NULL) ==
        SQLITE_OK)
        return 0;
    fail_with(db, err);
    free(entry->sql);
    *entry = (struct pb_rows){0};
    return -1;
}

static int bind(struct pb_db *db, sqlite3_stmt *stmt, const struct pb_values *values,
                struct pb_error *err)
{
    size_t count = (size_t)sqlite3_bind_parameter_count(stmt);

    for (size_t i = 0; i < count && i < values->count; i++) {
        const struct pb_value *value = &values->values[i];
        int n = (int)i + 1, r = SQLITE_OK;

        switch (value->kind) {
        case PB_VALUE_NULL:
            r = sqlite3_bind_null(stmt, n);
            break;
        case PB_VALUE_INT:
            r = sqlite3_bind_int64(stmt, n, value->number);
            break;
        case PB_VALUE_TEXT:
            r = sqlite3_bind_text64(stmt, n, value->data, value->len, SQLITE_STATIC, SQLITE_UTF8);
            break;
        case PB_VALUE_BYTES:
            r = sqlite3_bind_blob64(stmt, n, value->data ? value->data : "", value->len,
                                    SQLITE_STATIC);
            break;
        }
        if (r != SQLITE_OK)
            return fail_with(db, err);
    }
    if (count > values->count)
        return pb_fail(err, PB_ERROR_INTERNAL, "statement with %zu parameters got %zu", count,
                       values->count);
    return 0;
}

struct pb_rows *pb_db_query(struct pb_db *db, const char *sql, const struct pb_values *values,
                            struct pb_error *err)
{
    uint64_t hash = hash_text(sql);
    struct pb_rows *rows = find_statement(db, sql, hash);

    if (!rows) {
        pb_fail(err, PB_ERROR_INTERNAL, "too many statements at once");
        return NULL;
    }
    if ((!rows->sql || rows->hash != hash || strcmp(rows->sql, sql) != 0) &&
        prepare(db, rows, sql, hash, err) < 0)
        return NULL;
    rows->is_running = true;
    rows->used_at = ++db->clock;
    if (bind(db, rows->stmt, values, err) < 0) {
        pb_rows_end(rows);
        return NULL;
    }
    return rows;
}

int pb_rows_next(struct pb_rows *rows, struct pb_error *err)
{
    switch (sqlite3_step(rows->stmt)) {
    case SQLITE_ROW:
        return 1;
    case SQLITE_DONE:
        return 0;
    default:
        return fail_with(rows->db, err);
    }
}

void pb_rows_end(struct pb_rows *rows)
{
    if (!rows)
        return;
    sqlite3_reset(rows->stmt); /* its failure was that of the last step */
    sqlite3_clear_bindings(rows->stmt);
    rows->is_running = false;
}

int pb_db_run(struct pb_db *db, const char *sql, const struct pb_values *values,
              int64_t *ret_changed, struct pb_error *err)
{
    struct pb_rows *rows = pb_db_query(db, sql, values, err);
    int r;

    if (!rows)
        return -1;
    while ((r = pb_rows_next(rows, err)) > 0)
        ;
    if (r == 0 && ret_changed)
        *ret_changed = sqlite3_changes64(db->handle);
    pb_rows_end(rows);
    return r;
}

int pb_db_script(struct pb_db *db, const char *sql, struct pb_error *err)
{
    if (sqlite3_exec(db->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
        return fail_with(db, err);
    return 0;
}

bool pb_rows_is_null(struct pb_rows *rows, int column)
{
    return sqlite3_column_type(rows->stmt, column) == SQLITE_NULL;
}

int64_t pb_rows_int(struct pb_rows *rows, int column)
{
    return sqlite3_column_int64(rows->stmt, column);
}

const char *pb_rows_text(struct pb_rows *rows, int column)
{
    return (const char *)sqlite3_column_text(rows->stmt, column);
}

const void *pb_rows_bytes(struct pb_rows *rows, int column, size_t *ret_len)
{
    const void *data = sqlite3_column_blob(rows->stmt, column);

    *ret_len = (size_t)sqlite3_column_bytes(rows->stmt, column);
    return data;
}

/* --- transactions ------------------------------------------------------------------------------- */

int pb_db_begin(struct pb_db *db, struct pb_error *err)
{
    return pb_db_run(db, "BEGIN IMMEDIATE", PB_NO_VALUES, NULL, err);
}

int pb_db_commit(struct pb_db *db, struct pb_error *err)
{
    return pb_db_run(db, "COMMIT", PB_NO_VALUES, NULL, err);
}

void pb_db_rollback(struct pb_db *db)
{
    struct pb_error ignored = {0};

    if (pb_db_in_transaction(db) && pb_db_run(db, "ROLLBACK", PB_NO_VALUES, NULL, &ignored) < 0)
        abort(); /* the state of the file is unknown now; the next start finds the last commit */
}

bool pb_db_in_transaction(struct pb_db *db)
{
    return sqlite3_get_autocommit(db->handle) == 0;
}

/* Passive: never waits for readers. Restart: begins the log anew too, if no reader is in the way. */
int pb_db_checkpoint(struct pb_db *db, bool restart, struct pb_error *err)
{
    int pages = 0, moved = 0, r;

    sqlite3_busy_timeout(db->handle, 0);
    r = sqlite3_wal_checkpoint_v2(db->handle, NULL,
                                  restart ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE,
                                  &pages, &moved);
    sqlite3_busy_timeout(db->handle, BUSY_MS);
    if (r == SQLITE_OK || r == SQLITE_BUSY) {
        db->wal_pages = pages > moved ? pages - moved : 0;
        return 0;
    }
    return fail_with(db, err);
}

int pb_db_wal_pages(struct pb_db *db)
{
    return db->wal_pages;
}

static int explain(struct pb_db *db, const char *sql, struct pb_buf *ret_plan, struct pb_error *err)
{
    sqlite3_stmt *stmt = NULL;
    struct pb_buf text;
    int r;

    pb_buf_init(&text, 64 << 10);
    pb_buf_text(&text, "EXPLAIN QUERY PLAN ");
    pb_buf_text(&text, sql);
    pb_buf_format(ret_plan, "== %s\n", sql);
    r = sqlite3_prepare_v2(db->handle, pb_buf_string(&text), -1, &stmt, NULL);
    while (r == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
        pb_buf_text(ret_plan, (const char *)sqlite3_column_text(stmt, 3));
        pb_buf_char(ret_plan, '\n');
    }
    if (r != SQLITE_OK)
        fail_with(db, err);
    sqlite3_finalize(stmt);
    pb_buf_release(&text);
    return r == SQLITE_OK ? 0 : -1;
}

int pb_db_explain(struct pb_db *db, struct pb_buf *ret_plan, struct pb_error *err)
{
    for (size_t i = 0; i < STATEMENTS; i++) {
        if (db->statements[i].sql && explain(db, db->statements[i].sql, ret_plan, err) < 0)
            return -1;
    }
    return 0;
}

const char *pb_db_type(const char *token)
{
    static const struct {
        const char *token;
        const char *type;
    } TYPES[] = {
        {"id", "INTEGER PRIMARY KEY AUTOINCREMENT"},
        {"time", "BIGINT"},
        {"bytes", "BLOB"},
    };

    for (size_t i = 0; i < sizeof(TYPES) / sizeof(TYPES[0]); i++) {
        if (strcmp(TYPES[i].token, token) == 0)
            return TYPES[i].type;
    }
    return NULL;
}
