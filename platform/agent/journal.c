#include "agent/journal.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"

enum { BUSY_MS = 5000, SCHEMA = 1 };

static const char SETTINGS[] = "PRAGMA auto_vacuum = INCREMENTAL;" /* before the first table */
                               "PRAGMA journal_mode = WAL;"
                               "PRAGMA synchronous = NORMAL;"
                               "PRAGMA cache_size = -128;"
                               "PRAGMA wal_autocheckpoint = 256;"
                               "PRAGMA journal_size_limit = 4194304;"
                               "PRAGMA trusted_schema = OFF;";

static const char TABLES[] =
    "CREATE TABLE IF NOT EXISTS attempts ("
    " name TEXT PRIMARY KEY, fence INTEGER NOT NULL, plan TEXT NOT NULL, state TEXT NOT NULL,"
    " round INTEGER NOT NULL, next_line INTEGER NOT NULL, acked INTEGER NOT NULL,"
    " output_offset INTEGER NOT NULL, errors_offset INTEGER NOT NULL, position INTEGER NOT NULL,"
    " facts TEXT NOT NULL, result TEXT);"
    "CREATE TABLE IF NOT EXISTS chunks ("
    " name TEXT NOT NULL, seq INTEGER NOT NULL, count INTEGER NOT NULL, lines BLOB NOT NULL,"
    " PRIMARY KEY (name, seq)) WITHOUT ROWID;"
    "PRAGMA user_version = 1;";

enum statement {
    LOAD,
    ADD,
    SAVE,
    CHUNK,
    LINES,
    ACK_CHUNKS,
    ACK_ROW,
    FORGET_CHUNKS,
    FORGET_ROW,
    BEGIN,
    COMMIT,
    ROLLBACK,
    STATEMENTS
};

static const char *const SQL[STATEMENTS] = {
    [LOAD] =
        "SELECT name, fence, plan, state, round, next_line, acked, output_offset, errors_offset,"
        " position, facts, result FROM attempts ORDER BY rowid",
    [ADD] =
        "INSERT INTO attempts (name, fence, plan, state, round, next_line, acked, output_offset,"
        " errors_offset, position, facts, result) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12)",
    [SAVE] =
        "UPDATE attempts SET fence=?2, plan=?3, state=?4, round=?5, next_line=?6, acked=?7,"
        " output_offset=?8, errors_offset=?9, position=?10, facts=?11, result=?12 WHERE name=?1",
    [CHUNK] = "INSERT INTO chunks (name, seq, count, lines) VALUES (?1,?2,?3,?4)",
    [LINES] = "SELECT seq, count, lines FROM chunks WHERE name=?1 AND seq+count>?2 ORDER BY seq",
    [ACK_CHUNKS] = "DELETE FROM chunks WHERE name=?1 AND seq+count<=?2",
    [ACK_ROW] = "UPDATE attempts SET acked=?2 WHERE name=?1",
    [FORGET_CHUNKS] = "DELETE FROM chunks WHERE name=?1",
    [FORGET_ROW] = "DELETE FROM attempts WHERE name=?1",
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
};

struct pb_journal {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS]; /* made at first use */
};

static int fail_sql(struct pb_journal *journal, const char *what, struct pb_error *err)
{
    int code = sqlite3_errcode(journal->db);

    if ((code & 0xff) == SQLITE_FULL)
        return pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "disk_full",
                              "%s the journal: the disk is full", what);
    if ((code & 0xff) == SQLITE_CONSTRAINT)
        return pb_fail(err, PB_ERROR_CONFLICT, "%s the journal: already there", what);
    return pb_fail(err, PB_ERROR_INTERNAL, "%s the journal: %s", what, sqlite3_errmsg(journal->db));
}

static int run_script(struct pb_journal *journal, const char *sql, const char *what,
                      struct pb_error *err)
{
    return sqlite3_exec(journal->db, sql, NULL, NULL, NULL) != SQLITE_OK
               ? fail_sql(journal, what, err)
               : 0;
}

static int check_schema(struct pb_journal *journal, struct pb_error *err)
{
    sqlite3_stmt *statement = NULL;
    int version = -1;

    if (sqlite3_prepare_v2(journal->db, "PRAGMA user_version", -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        version = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    if (version < 0)
        return fail_sql(journal, "read", err);
    if (version > SCHEMA)
        return pb_fail(err, PB_ERROR_UNSUPPORTED, "the journal was written by a newer version (%d)",
                       version);
    return 0;
}

/* SQLite gives its other files the mode of this one: not for the task user, who is of our group. */
static int make_private(const char *path, struct pb_error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0)
        return pb_fail_errno(err, "open %s", path);
    pb_close(&fd);
    return 0;
}

struct pb_journal *pb_journal_open(const char *path, struct pb_error *err)
{
    struct pb_journal *journal = calloc(1, sizeof(*journal));

    if (!journal) {
        (void)pb_fail(err, PB_ERROR_LIMITED, "no memory");
        return NULL;
    }
    if (make_private(path, err) < 0)
        goto failed;
    if (sqlite3_open_v2(path, &journal->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK) {
        (void)fail_sql(journal, "open", err);
        goto failed;
    }
    (void)sqlite3_busy_timeout(journal->db, BUSY_MS);
    if (run_script(journal, SETTINGS, "open", err) < 0 || check_schema(journal, err) < 0 ||
        run_script(journal, TABLES, "open", err) < 0)
        goto failed;
    return journal;
failed:
    pb_journal_close(journal);
    return NULL;
}

void pb_journal_close(struct pb_journal *journal)
{
    if (!journal)
        return;
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(journal->statements[i]);
    (void)sqlite3_close(journal->db);
    free(journal);
}

static sqlite3_stmt *prepare(struct pb_journal *journal, enum statement which, struct pb_error *err)
{
    sqlite3_stmt **statement = &journal->statements[which];

    if (!*statement && sqlite3_prepare_v3(journal->db, SQL[which], -1, SQLITE_PREPARE_PERSISTENT,
                                          statement, NULL) != SQLITE_OK) {
        (void)fail_sql(journal, "prepare", err);
        return NULL;
    }
    return *statement;
}

/* Runs a statement that returns no rows; its parameters are bound already. */
static int run(struct pb_journal *journal, sqlite3_stmt *statement, const char *what,
               struct pb_error *err)
{
    int code = sqlite3_step(statement);
    int r = code == SQLITE_DONE ? 0 : fail_sql(journal, what, err);

    (void)sqlite3_reset(statement);
    (void)sqlite3_clear_bindings(statement);
    return r;
}

static int run_plain(struct pb_journal *journal, enum statement which, struct pb_error *err)
{
    sqlite3_stmt *statement = prepare(journal, which, err);

    return statement ? run(journal, statement, "write", err) : -1;
}

/* Statements with a name and perhaps a number. */
static int run_named(struct pb_journal *journal, enum statement which, const char *name,
                     int64_t number, struct pb_error *err)
{
    sqlite3_stmt *statement = prepare(journal, which, err);

    if (!statement)
        return -1;
    (void)sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
    if (sqlite3_bind_parameter_count(statement) > 1)
        (void)sqlite3_bind_int64(statement, 2, number);
    return run(journal, statement, "write", err);
}

static void bind_row(sqlite3_stmt *statement, const struct pb_journal_row *row)
{
    const char *texts[] = {row->name, row->plan, row->state, row->facts, row->result};
    const int text_at[] = {1, 3, 4, 11, 12};
    const int64_t numbers[] = {row->fence,         row->round,         row->next_line, row->acked,
                               row->output_offset, row->errors_offset, row->position};
    const int number_at[] = {2, 5, 6, 7, 8, 9, 10};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        (void)sqlite3_bind_text(statement, text_at[i], texts[i], -1,
                                SQLITE_STATIC); /* NULL → NULL */
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        (void)sqlite3_bind_int64(statement, number_at[i], numbers[i]);
}

int pb_journal_add(struct pb_journal *journal, const struct pb_journal_row *row,
                   struct pb_error *err)
{
    sqlite3_stmt *statement = prepare(journal, ADD, err);

    if (!statement)
        return -1;
    bind_row(statement, row);
    return run(journal, statement, "write", err);
}

static int save(struct pb_journal *journal, const struct pb_journal_row *row, const void *lines,
                size_t len, int64_t count, struct pb_error *err)
{
    sqlite3_stmt *statement = prepare(journal, SAVE, err);

    if (!statement)
        return -1;
    bind_row(statement, row);
    if (run(journal, statement, "write", err) < 0)
        return -1;
    if (count == 0)
        return 0;
    statement = prepare(journal, CHUNK, err);
    if (!statement)
        return -1;
    (void)sqlite3_bind_text(statement, 1, row->name, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(statement, 2, row->next_line - count);
    (void)sqlite3_bind_int64(statement, 3, count);
    (void)sqlite3_bind_blob64(statement, 4, lines, len, SQLITE_STATIC);
    return run(journal, statement, "write", err);
}

static int in_transaction(struct pb_journal *journal, int r, struct pb_error *err)
{
    struct pb_error ignored;

    if (r == 0)
        r = run_plain(journal, COMMIT, err);
    if (r < 0 && !sqlite3_get_autocommit(journal->db))
        r = run_plain(journal, ROLLBACK, &ignored) < 0 ? -1 : r;
    return r;
}

int pb_journal_save(struct pb_journal *journal, const struct pb_journal_row *row, const void *lines,
                    size_t len, int64_t count, struct pb_error *err)
{
    if (run_plain(journal, BEGIN, err) < 0)
        return -1;
    return in_transaction(journal, save(journal, row, lines, len, count, err), err);
}

int pb_journal_ack(struct pb_journal *journal, const char *name, int64_t acked,
                   struct pb_error *err)
{
    int r;

    if (run_plain(journal, BEGIN, err) < 0)
        return -1;
    r = run_named(journal, ACK_CHUNKS, name, acked, err);
    if (r == 0)
        r = run_named(journal, ACK_ROW, name, acked, err);
    return in_transaction(journal, r, err);
}

int pb_journal_forget(struct pb_journal *journal, const char *name, struct pb_error *err)
{
    int r;

    if (run_plain(journal, BEGIN, err) < 0)
        return -1;
    r = run_named(journal, FORGET_CHUNKS, name, 0, err);
    if (r == 0)
        r = run_named(journal, FORGET_ROW, name, 0, err);
    if (in_transaction(journal, r, err) < 0)
        return -1;
    return run_script(journal, "PRAGMA incremental_vacuum", "shrink", err);
}

/* Bytes of the first `lines` lines. */
static size_t length_of(const char *text, size_t len, int64_t lines)
{
    size_t at = 0;

    for (; lines > 0 && at < len; lines--) {
        const char *end = memchr(text + at, '\n', len - at);

        at = end ? (size_t)(end - text) + 1 : len;
    }
    return at;
}

static int collect(sqlite3_stmt *statement, int64_t from, size_t enough, struct pb_buf *lines,
                   int64_t *ret_count)
{
    int64_t count = 0;
    int code;

    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *text = sqlite3_column_blob(statement, 2);
        size_t len = (size_t)sqlite3_column_bytes(statement, 2);
        int64_t known =
            from + count - sqlite3_column_int64(statement, 0); /* acknowledged in its middle */
        size_t skip = known > 0 ? length_of(text, len, known) : 0;

        if (count > 0 && lines->len + len - skip > enough)
            break;
        pb_buf_bytes(lines, text + skip, len - skip);
        count += sqlite3_column_int64(statement, 1) - (known > 0 ? known : 0);
    }
    *ret_count = count;
    return code;
}

int pb_journal_lines(struct pb_journal *journal, const char *name, int64_t from, size_t enough,
                     struct pb_buf *ret_lines, int64_t *ret_count, struct pb_error *err)
{
    sqlite3_stmt *statement = prepare(journal, LINES, err);
    int64_t count;
    int code;
    int r = 0;

    if (!statement)
        return -1;
    (void)sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(statement, 2, from);
    code = collect(statement, from, enough, ret_lines, &count);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        r = fail_sql(journal, "read", err);
    else if (pb_buf_failed(ret_lines))
        r = pb_fail(err, PB_ERROR_TOO_LARGE, "a chunk of the journal is too large");
    else
        *ret_count = count;
    (void)sqlite3_reset(statement);
    return r;
}

/* ---- loading ---- */

static char *column(sqlite3_stmt *statement, int index, struct pb_arena *arena, bool *failed)
{
    const char *text = (const char *)sqlite3_column_text(statement, index);
    char *copy = pb_arena_text(arena, text);

    *failed = *failed || (text && !copy);
    return copy;
}

static int read_row(sqlite3_stmt *statement, struct pb_arena *arena, struct pb_journal_row *row,
                    struct pb_error *err)
{
    bool failed = false;

    *row = (struct pb_journal_row){
        .name = column(statement, 0, arena, &failed),
        .fence = sqlite3_column_int64(statement, 1),
        .plan = column(statement, 2, arena, &failed),
        .state = column(statement, 3, arena, &failed),
        .round = sqlite3_column_int64(statement, 4),
        .next_line = sqlite3_column_int64(statement, 5),
        .acked = sqlite3_column_int64(statement, 6),
        .output_offset = sqlite3_column_int64(statement, 7),
        .errors_offset = sqlite3_column_int64(statement, 8),
        .position = sqlite3_column_int64(statement, 9),
        .facts = column(statement, 10, arena, &failed),
        .result = column(statement, 11, arena, &failed),
    };
    return failed ? pb_fail(err, PB_ERROR_LIMITED, "the journal is larger than memory allows") : 0;
}

static int count_rows(struct pb_journal *journal, size_t *ret_count, struct pb_error *err)
{
    sqlite3_stmt *statement = NULL;
    int r = -1;

    if (sqlite3_prepare_v2(journal->db, "SELECT count(*) FROM attempts", -1, &statement, NULL) ==
            SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW) {
        *ret_count = (size_t)sqlite3_column_int64(statement, 0);
        r = 0;
    }
    if (r < 0)
        (void)fail_sql(journal, "read", err);
    sqlite3_finalize(statement);
    return r;
}

int pb_journal_load(struct pb_journal *journal, struct pb_arena *arena,
                    struct pb_journal_row **ret_rows, size_t *ret_count, struct pb_error *err)
{
    struct pb_journal_row *rows;
    sqlite3_stmt *statement;
    size_t count;
    size_t at = 0;
    int code;

    if (count_rows(journal, &count, err) < 0)
        return -1;
    rows = pb_arena_alloc(arena, (count + 1) * sizeof(*rows));
    if (!rows)
        return pb_fail(err, PB_ERROR_LIMITED, "the journal is larger than memory allows");
    statement = prepare(journal, LOAD, err);
    if (!statement)
        return -1;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW && at < count) {
        if (read_row(statement, arena, &rows[at++], err) < 0) {
            (void)sqlite3_reset(statement);
            return -1;
        }
    }
    if (code != SQLITE_DONE && code != SQLITE_ROW) {
        (void)fail_sql(journal, "read", err);
        (void)sqlite3_reset(statement);
        return -1;
    }
    (void)sqlite3_reset(statement);
    *ret_rows = rows;
    *ret_count = at;
    return 0;
}
