/*
 * What the *_store files speak: statements with ?1 ?2 … and values, rows and
 * columns, transactions. db.c passes it on to the engine (db_engine.h);
 * db_rows.c is the same for every engine.
 *
 * SQL is one text for both engines. In PostgreSQL ?1 becomes $1, a number is
 * a bigint, texts compare byte by byte as in SQLite; NULLs sort last there and
 * first here, so nothing sorts by what may be NULL. Text must be UTF-8.
 *
 * Rows become structs by table: one struct pb_column per member. The same
 * table gives the SELECT list, the INSERT and the UPDATE, so a column is
 * written down once.
 */
#ifndef PB_SERVER_STORE_DB_PRIVATE_H
#define PB_SERVER_STORE_DB_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "model/names.h"
#include "server/store/db.h"
#include "server/store/page.h"

/* --- values ----------------------------------------------------------------------------------- */

enum pb_value_kind { PB_VALUE_NULL, PB_VALUE_INT, PB_VALUE_TEXT, PB_VALUE_BYTES };

struct pb_value {
    enum pb_value_kind kind;
    int64_t number;
    const void *data; /* borrowed until the statement has ended */
    size_t len;
};

struct pb_value pb_value_int(int64_t number);
struct pb_value pb_value_time(int64_t ms);       /* 0 → NULL */
struct pb_value pb_value_text(const char *text); /* NULL → NULL */
struct pb_value pb_value_bytes(const void *data, size_t len);

struct pb_values {
    const struct pb_value *values;
    size_t count;
};

/* pb_db_run(db, "… ?1 … ?2", PB_VALUES(T(id), I(now)), &changed, err) */
#define PB_VALUES(...)                                                          \
    (&(const struct pb_values){(const struct pb_value[]){__VA_ARGS__},          \
                               sizeof((const struct pb_value[]){__VA_ARGS__}) / \
                                   sizeof(struct pb_value)})
#define PB_NO_VALUES (&(const struct pb_values){NULL, 0})
#define I(number)    pb_value_int(number)
#define T(text)      pb_value_text(text)

/* --- statements (the engine) -------------------------------------------------------------------
 * */

struct pb_rows; /* one running statement; at most a few at a time */

/* For statements without rows. ret_changed (may be NULL): rows touched. Errors as pb_rows_next(). Inside
 * a change, with ret_changed NULL, the failure may come from a later call instead.
 *
 * After a failure inside a change (a transaction) nothing works but undoing it: look before an INSERT
 * whether it can succeed, or let it do nothing ON CONFLICT, instead of going on after it failed. */
int pb_db_run(struct pb_db *db, const char *sql, const struct pb_values *values,
              int64_t *ret_changed, struct pb_error *err) PB_MUST_CHECK;
/* A statement that must touch a row (an INSERT that ON CONFLICT does nothing, too): if it touches none it fails with `otherwise`. Inside a change
 * that, too, may come from a later call. */
int pb_db_run_one(struct pb_db *db, const char *sql, const struct pb_values *values,
                  const struct pb_error *otherwise, struct pb_error *err) PB_MUST_CHECK;
/* Several statements without parameters, as in migrations. */
int pb_db_script(struct pb_db *db, const char *sql, struct pb_error *err) PB_MUST_CHECK;
/* NULL, or rows to be ended by pb_rows_end(). */
struct pb_rows *pb_db_query(struct pb_db *db, const char *sql, const struct pb_values *values,
                            struct pb_error *err) PB_MUST_CHECK;
/* 1 a row, 0 no more, -1: CONFLICT reasons "unique", "foreign_key"; UNAVAILABLE reasons
 * "disk_full", "busy", "store_failed", "database_down"; INVALID reason "not_utf8"; INTERNAL. */
int pb_rows_next(struct pb_rows *rows, struct pb_error *err) PB_MUST_CHECK;
void pb_rows_end(struct pb_rows *rows); /* NULL is fine */
bool pb_rows_is_null(struct pb_rows *rows, int column);
int64_t pb_rows_int(struct pb_rows *rows, int column); /* a truth value is 0 or 1 */
/* NULL for NULL. Valid until the next row. */
const char *pb_rows_text(struct pb_rows *rows, int column);
const void *pb_rows_bytes(struct pb_rows *rows, int column, size_t *ret_len);
/* For those who do not know the table: how many columns, their names, and a value to bind elsewhere
 * (its data valid until the next row). */
int pb_rows_columns(struct pb_rows *rows);
const char *pb_rows_name(struct pb_rows *rows, int column);
struct pb_value pb_rows_value(struct pb_rows *rows, int column);

/* --- changes -------------------------------------------------------------------------------------
 * */

int pb_db_begin(struct pb_db *db, struct pb_error *err) PB_MUST_CHECK;
/* UNAVAILABLE, reason "outcome_unknown": PostgreSQL went away at this moment and did not come back. */
int pb_db_commit(struct pb_db *db, struct pb_error *err) PB_MUST_CHECK;
void pb_db_rollback(struct pb_db *db);
/* Parts of the data that statements may have changed since the last time: any of enum pb_store_part. */
unsigned pb_db_take_changed(struct pb_db *db);
unsigned pb_sql_parts(const char *sql);
bool pb_db_in_transaction(struct pb_db *db); /* false also when the engine gave the whole one up */
/* A part of a change that can be undone alone. */
int pb_db_part_begin(struct pb_db *db, struct pb_error *err) PB_MUST_CHECK;
int pb_db_part_end(struct pb_db *db, bool keep, struct pb_error *err) PB_MUST_CHECK;
/* Waits for what pb_db_run() did not wait for: 0 when all of it succeeded. */
int pb_db_settle(struct pb_db *db, struct pb_error *err) PB_MUST_CHECK;

/* How long one answer may take, for long work such as migrations; 0 = as usual. */
void pb_db_patience(struct pb_db *db, int64_t ms);
/* While one server changes the schema the others wait. */
int pb_db_lock_schema(struct pb_db *db, struct pb_error *err) PB_MUST_CHECK;
void pb_db_unlock_schema(struct pb_db *db);
/* Once the schema is there: from now on a change of this connection is alone among those of all
 * servers that joined, sees the newest rows, and its outcome is found out if it was not told. */
int pb_db_join(struct pb_db *db, struct pb_error *err) PB_MUST_CHECK;
/* No server has joined, and none does while this connection lasts. CONFLICT "database_in_use". */
int pb_db_claim(struct pb_db *db, struct pb_error *err) PB_MUST_CHECK;
unsigned pb_db_group_max(
    const struct pb_db *db); /* how many changes the engine likes in one commit */
int64_t pb_db_group_ms(const struct pb_db *db);

/* The highest @id a table ever gave; it does not give it again, even if that row is gone. */
int pb_db_numbering(struct pb_db *db, const char *table, int64_t *ret_last,
                    struct pb_error *err) PB_MUST_CHECK;
int pb_db_set_numbering(struct pb_db *db, const char *table, int64_t last,
                        struct pb_error *err) PB_MUST_CHECK;
int pb_db_checkpoint(struct pb_db *db, bool restart, struct pb_error *err) PB_MUST_CHECK;
int pb_db_wal_pages(struct pb_db *db);
/* How the engine runs each statement this connection has used lately: "== <sql>" and its steps, a
 * line each. For tests that no hot query reads a whole table. */
int pb_db_explain(struct pb_db *db, struct pb_buf *ret_plan, struct pb_error *err) PB_MUST_CHECK;
/* What a column type of the migrations (@id, @time, @bytes, TEXT) is in this engine. NULL for another
 * word. */
const char *pb_db_type(struct pb_db *db, const char *token);

/* --- rows as structs ---------------------------------------------------------------------------
 * */

enum pb_column_kind {
    PB_COLUMN_TEXT,    /* const char * */
    PB_COLUMN_INT,     /* int64_t */
    PB_COLUMN_TIME,    /* int64_t, 0 is NULL (also for numbers that count from 1) */
    PB_COLUMN_UNKNOWN, /* int64_t, -1 is NULL */
    PB_COLUMN_BOOL,    /* bool */
    PB_COLUMN_NAME,    /* enum, by its names */
};

struct pb_column {
    const char *name;
    enum pb_column_kind kind;
    size_t offset;
    const struct pb_names *names;
};

struct pb_columns {
    const struct pb_column *items;
    size_t count;
};

#define PB_COLUMN(kind, type, member)                           \
    {                                                           \
#member, PB_COLUMN_##kind, offsetof(type, member), NULL \
    }
#define PB_COLUMN_OF(kind, type, column, member)               \
    {                                                          \
        column, PB_COLUMN_##kind, offsetof(type, member), NULL \
    }
#define PB_COLUMN_NAMED(type, member, names)                      \
    {                                                             \
#member, PB_COLUMN_NAME, offsetof(type, member), &(names) \
    }
#define PB_COLUMNS(items)                         \
    {                                             \
        items, sizeof(items) / sizeof((items)[0]) \
    }

/* The text of a statement that is always the same: put together at its first use, then kept. */
struct pb_sql {
    _Atomic(char *) text;
};
/* NULL: no memory. */
const char *pb_sql_once(struct pb_sql *sql, void (*put)(struct pb_buf *text),
                        struct pb_error *err) PB_MUST_CHECK;

/* "e.id, e.title"; `alias` "" = none */
void pb_sql_columns(struct pb_buf *sql, const char *alias, const struct pb_columns *columns);
/* "id, title) VALUES (?1, ?2)": ends "INSERT INTO x (" */
void pb_sql_insert(struct pb_buf *sql, const struct pb_columns *columns);
/* "title = ?3, status = ?4", the first parameter being `first` */
void pb_sql_assign(struct pb_buf *sql, const struct pb_columns *columns, unsigned first);

/* The struct's members as parameters. */
void pb_columns_values(const struct pb_columns *columns, const void *row,
                       struct pb_value *ret_values);
/* Columns `first`… of the row into the struct; texts are copied into the arena. LIMITED if it is
 * full. */
int pb_rows_read(struct pb_rows *rows, int first, const struct pb_columns *columns,
                 struct pb_arena *arena, void *ret_row, struct pb_error *err) PB_MUST_CHECK;

/* All rows of a query as an array of structs in the arena: `read` fills one. */
struct pb_array {
    void *items;
    size_t count;
};
typedef int pb_read_fn(struct pb_rows *rows, struct pb_arena *arena, void *ret_item,
                       struct pb_error *err);
int pb_db_list(struct pb_db *db, const char *sql, const struct pb_values *values,
               struct pb_arena *arena, size_t item_size, pb_read_fn *read,
               struct pb_array *ret_array, struct pb_error *err) PB_MUST_CHECK;
/* The first row; *ret_item NULL if there is none. */
int pb_db_one(struct pb_db *db, const char *sql, const struct pb_values *values,
              struct pb_arena *arena, size_t item_size, pb_read_fn *read, void **ret_item,
              struct pb_error *err) PB_MUST_CHECK;
/* One number (0 if NULL or no row). */
int pb_db_number(struct pb_db *db, const char *sql, const struct pb_values *values,
                 int64_t *ret_number, struct pb_error *err) PB_MUST_CHECK;

int pb_fail_arena(struct pb_error *err); /* LIMITED, reason "too_much_data" */

/* --- pages -------------------------------------------------------------------------------------
 * */

/* A cursor is base64url of "<text>\n<key>": the sort value, then the unique key. */
struct pb_position {
    bool is_set;
    const char *text; /* sort value; a number as decimal text */
    const char *key;
};
size_t pb_page_limit(const struct pb_page *page);
int pb_page_position(const struct pb_page *page, struct pb_arena *arena,
                     struct pb_position *ret_position, struct pb_error *err) PB_MUST_CHECK;
/* The same, when sort value is a number. */
int pb_position_number(const struct pb_position *position, int64_t *ret_number,
                       struct pb_error *err) PB_MUST_CHECK;
/* Makes the cursor that follows the last row of a full page. */
int pb_page_next(struct pb_arena *arena, const char *text, const char *key, const char **ret_cursor,
                 struct pb_error *err) PB_MUST_CHECK;

/* '%' + text + '%' with LIKE's own signs escaped by '\', lower case (ASCII). */
const char *pb_like_pattern(struct pb_arena *arena, const char *text) PB_MUST_CHECK;

#endif
