/* The door to SQLite. */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "server/store/db_engine.h"

enum {
    BUSY_MS = 5000, /* a reader meets a lock only while the log is being reset */
    WRITER_CACHE_KIB = 2048,
    READER_CACHE_KIB = 1024,
    WAL_KEEP_BYTES = 64 << 20, /* a larger log is cut after its reset */
};

struct rows {
    struct pb_rows base;
    sqlite3_stmt *stmt;
};

struct db {
    struct pb_db base;
    sqlite3 *handle;
    int wal_pages;
};

static struct db *of(struct pb_db *db)
{
    return (struct db *)db;
}

static sqlite3_stmt *stmt_of(struct pb_rows *rows)
{
    return ((struct rows *)rows)->stmt;
}

static const struct pb_db_engine ENGINE;

/* --- errors ------------------------------------------------------------------------------------- */

static bool is_disk_full(struct db *db, int code)
{
    int system = sqlite3_system_errno(db->handle);

    return code == SQLITE_FULL || ((code & 0xff) == SQLITE_IOERR &&
                                   (system == ENOSPC || system == EDQUOT || system == EFBIG));
}

static int fail_with(struct db *db, struct pb_error *err)
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
        return pb_fail_reason(err, PB_ERROR_INTERNAL, "store_corrupt",
                              "the database %s is damaged: %s (%d). Stop the platform and restore "
                              "a backup (docs/operations.md)",
                              db->base.database->name, words, code);
    default:
        return pb_fail(err, PB_ERROR_INTERNAL, "database: %s (%d)", words, code);
    }
}

/* --- opening ------------------------------------------------------------------------------------ */

static int on_wal(void *arg, sqlite3 *handle, const char *name, int pages)
{
    struct db *db = arg;

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

static int set_up_writer(struct db *db, struct pb_error *err)
{
    struct pb_rows *rows = pb_db_query(&db->base, "PRAGMA journal_mode = WAL", PB_NO_VALUES, err);
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
    if (pb_db_script(&db->base, pb_buf_string(&sql), err) < 0)
        goto out;
    sqlite3_wal_hook(db->handle, on_wal, db);
    r = 0;
out:
    pb_rows_end(rows);
    pb_buf_release(&sql);
    return r;
}

/* Damage is found where it is read. What everything else begins with is read now: the pages at which each
 * table starts and ends. */
static int look_at_tables(struct db *db, struct pb_error *err)
{
    struct pb_rows *rows =
        pb_db_query(&db->base,
                    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '%\"%'",
                    PB_NO_VALUES, err);
    struct pb_buf sql;
    int r;

    if (!rows)
        return -1;
    pb_buf_init(&sql, 64 << 10);
    while ((r = pb_rows_next(rows, err)) > 0)
        pb_buf_format(&sql,
                      "SELECT * FROM \"%s\" NOT INDEXED LIMIT 1;"
                      "SELECT * FROM \"%s\" NOT INDEXED ORDER BY rowid DESC LIMIT 1;",
                      pb_rows_text(rows, 0), pb_rows_text(rows, 0));
    pb_rows_end(rows);
    if (r == 0)
        r = pb_db_script(&db->base, pb_buf_string(&sql), err);
    pb_buf_release(&sql);
    return r;
}

static int set_up_reader(struct db *db, struct pb_error *err)
{
    struct pb_buf sql;
    int r;

    pb_buf_init(&sql, 1024);
    pb_buf_format(&sql, "PRAGMA cache_size = -%d; PRAGMA temp_store = MEMORY", READER_CACHE_KIB);
    r = pb_db_script(&db->base, pb_buf_string(&sql), err);
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

static void close_handle(struct pb_db *base)
{
    sqlite3_close(of(base)->handle);
    free(base);
}

static struct pb_db *open_handle(struct pb_database *database, enum pb_db_mode mode,
                                 struct pb_error *err)
{
    const char *path = database->name;
    int flags = mode == PB_DB_WRITER ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
    struct db *db = NULL;

    if (mode == PB_DB_WRITER && make_file(path, err) < 0)
        return NULL;
    db = calloc(1, sizeof(*db));
    if (!db) {
        pb_fail(err, PB_ERROR_LIMITED, "no memory");
        return NULL;
    }
    db->base = (struct pb_db){.engine = &ENGINE, .database = database, .mode = mode};
    if (sqlite3_open_v2(path, &db->handle, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE,
                        NULL) != SQLITE_OK ||
        harden(db->handle) < 0) {
        fail_with(db, err);
        goto fail;
    }
    sqlite3_extended_result_codes(db->handle, 1);
    if ((mode == PB_DB_WRITER ? set_up_writer(db, err) : set_up_reader(db, err)) < 0 ||
        (mode == PB_DB_WRITER && look_at_tables(db, err) < 0))
        goto fail;
    return &db->base;
fail:
    pb_db_close(&db->base);
    return NULL;
}

static void forget(struct pb_database *database)
{
    free(database);
}

struct pb_database *pb_sqlite_database(const struct pb_database_options *options,
                                       struct pb_error *err)
{
    struct pb_database *database = calloc(1, sizeof(*database));

    if (database)
        *database = (struct pb_database){.engine = &ENGINE, .name = strdup(options->address)};
    if (database && database->name)
        return database;
    free(database);
    pb_fail(err, PB_ERROR_LIMITED, "no memory");
    return NULL;
}

/* --- statements --------------------------------------------------------------------------------- */

static struct pb_rows *prepare(struct pb_db *base, const char *sql, struct pb_error *err)
{
    struct db *db = of(base);
    struct rows *rows = calloc(1, sizeof(*rows));

    if (!rows) {
        pb_fail(err, PB_ERROR_LIMITED, "no memory");
        return NULL;
    }
    if (sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &rows->stmt, NULL) ==
        SQLITE_OK)
        return &rows->base;
    fail_with(db, err);
    free(rows);
    return NULL;
}

static void discard(struct pb_rows *rows)
{
    sqlite3_finalize(stmt_of(rows));
    free(rows);
}

static int bind(struct pb_rows *rows, const struct pb_values *values, struct pb_error *err)
{
    sqlite3_stmt *stmt = stmt_of(rows);
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
            return fail_with(of(rows->db), err);
    }
    if (count > values->count)
        return pb_fail(err, PB_ERROR_INTERNAL, "statement with %zu parameters got %zu", count,
                       values->count);
    return 0;
}

static int next(struct pb_rows *rows, struct pb_error *err)
{
    switch (sqlite3_step(stmt_of(rows))) {
    case SQLITE_ROW:
        return 1;
    case SQLITE_DONE:
        return 0;
    default:
        return fail_with(of(rows->db), err);
    }
}

static void end(struct pb_rows *rows)
{
    sqlite3_reset(stmt_of(rows)); /* its failure was that of the last step */
    sqlite3_clear_bindings(stmt_of(rows));
}

static int run(struct pb_rows *rows, const struct pb_values *values, int64_t *ret_changed,
               const struct pb_error *otherwise, struct pb_error *err)
{
    sqlite3 *handle = of(rows->db)->handle;
    int r;

    if (bind(rows, values, err) < 0)
        return -1;
    while ((r = next(rows, err)) > 0)
        ;
    if (r == 0 && ret_changed)
        *ret_changed = sqlite3_changes64(handle);
    if (r < 0 || !otherwise || sqlite3_changes64(handle) > 0)
        return r;
    *err = *otherwise;
    return -1;
}

static int script(struct pb_db *db, const char *sql, struct pb_error *err)
{
    if (sqlite3_exec(of(db)->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
        return fail_with(of(db), err);
    return 0;
}

static int column_count(struct pb_rows *rows)
{
    return sqlite3_column_count(stmt_of(rows));
}

static const char *column_name(struct pb_rows *rows, int column)
{
    return sqlite3_column_name(stmt_of(rows), column);
}

static enum pb_value_kind kind(struct pb_rows *rows, int column)
{
    switch (sqlite3_column_type(stmt_of(rows), column)) {
    case SQLITE_NULL:
        return PB_VALUE_NULL;
    case SQLITE_INTEGER:
        return PB_VALUE_INT;
    case SQLITE_BLOB:
        return PB_VALUE_BYTES;
    default:
        return PB_VALUE_TEXT;
    }
}

static int64_t number(struct pb_rows *rows, int column)
{
    return sqlite3_column_int64(stmt_of(rows), column);
}

static const char *text(struct pb_rows *rows, int column)
{
    return (const char *)sqlite3_column_text(stmt_of(rows), column);
}

static const void *bytes(struct pb_rows *rows, int column, size_t *ret_len)
{
    const void *data = sqlite3_column_blob(stmt_of(rows), column);

    *ret_len = (size_t)sqlite3_column_bytes(stmt_of(rows), column);
    return data;
}

/* --- changes ------------------------------------------------------------------------------------ */

static int begin(struct pb_db *db, struct pb_error *err)
{
    return pb_db_run(db, "BEGIN IMMEDIATE", PB_NO_VALUES, NULL, err);
}

static int commit(struct pb_db *db, struct pb_error *err)
{
    return pb_db_run(db, "COMMIT", PB_NO_VALUES, NULL, err);
}

static void rollback(struct pb_db *db)
{
    struct pb_error ignored = {0};

    if (script(db, "ROLLBACK", &ignored) < 0)
        abort(); /* the state of the file is unknown now; the next start finds the last commit */
}

static bool in_transaction(struct pb_db *db)
{
    return sqlite3_get_autocommit(of(db)->handle) == 0;
}

/* SQLite answers at once: nothing is ever left to wait for. */
static int settle(struct pb_db *db, struct pb_error *err)
{
    (void)db;
    (void)err;
    return 0;
}

/* --- its own -------------------------------------------------------------------------------------- */

/* Passive: never waits for readers. Restart: begins the log anew too, if no reader is in the way. */
static int checkpoint(struct pb_db *base, bool restart, struct pb_error *err)
{
    struct db *db = of(base);
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

static int wal_pages(struct pb_db *db)
{
    return of(db)->wal_pages;
}

static int numbering(struct pb_db *db, const char *table, int64_t *ret_last, struct pb_error *err)
{
    return pb_db_number(db, "SELECT seq FROM sqlite_sequence WHERE name = ?1", PB_VALUES(T(table)),
                        ret_last, err);
}

static int set_numbering(struct pb_db *db, const char *table, int64_t last, struct pb_error *err)
{
    if (pb_db_run(db, "DELETE FROM sqlite_sequence WHERE name = ?1", PB_VALUES(T(table)), NULL,
                  err) < 0)
        return -1;
    return pb_db_run(db, "INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)",
                     PB_VALUES(T(table), I(last)), NULL, err);
}

static int explain(struct pb_rows *rows, struct pb_buf *ret_plan, struct pb_error *err)
{
    struct db *db = of(rows->db);
    sqlite3_stmt *stmt = NULL;
    struct pb_buf text;
    int r;

    pb_buf_init(&text, 64 << 10);
    pb_buf_text(&text, "EXPLAIN QUERY PLAN ");
    pb_buf_text(&text, rows->sql);
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

static const char *type(const char *token)
{
    static const struct {
        const char *token;
        const char *type;
    } TYPES[] = {
        {"@id", "INTEGER PRIMARY KEY AUTOINCREMENT"},
        {"@time", "BIGINT"},
        {"@bytes", "BLOB"},
        {"TEXT", "TEXT"},
    };

    for (size_t i = 0; i < sizeof(TYPES) / sizeof(TYPES[0]); i++) {
        if (strcmp(TYPES[i].token, token) == 0)
            return TYPES[i].type;
    }
    return NULL;
}

static const struct pb_db_engine ENGINE = {
    .group_max = 512,
    .group_ms = 2,
    .forget = forget,
    .open = open_handle,
    .close = close_handle,
    .prepare = prepare,
    .discard = discard,
    .start = bind,
    .next = next,
    .end = end,
    .run = run,
    .script = script,
    .column_count = column_count,
    .column_name = column_name,
    .kind = kind,
    .number = number,
    .text = text,
    .bytes = bytes,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .in_transaction = in_transaction,
    .settle = settle,
    .checkpoint = checkpoint,
    .wal_pages = wal_pages,
    .numbering = numbering,
    .set_numbering = set_numbering,
    .explain = explain,
    .type = type,
};
