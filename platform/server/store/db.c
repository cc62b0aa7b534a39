/* Passes statements on to the engine; keeps the prepared ones, and what is the rule for every engine. */
#include "server/store/db.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "server/store/db_engine.h"

enum { SQL_MAX = 256 << 10 };

/* A page of executions is 40 to 60 KB when prepared, there are dozens of kinds of them, and each thread has
 * its own: the kinds asked for lately are enough. */
enum { READER_STATEMENTS = 24 };

/* --- databases ---------------------------------------------------------------------------------- */

bool pb_database_is_address(const char *text)
{
    return pb_text_starts(text, "postgresql://") || pb_text_starts(text, "postgres://");
}

struct pb_database *pb_database_new(const struct pb_database_options *options, struct pb_error *err)
{
    struct pb_database *database = pb_database_is_address(options->address)
                                       ? pb_postgres_database(options, err)
                                       : pb_sqlite_database(options, err);

    if (!database)
        return NULL;
    database->slow_ms = options->on_slow ? options->slow_ms : 0;
    database->on_slow = options->on_slow;
    database->arg = options->arg;
    return database;
}

void pb_database_free(struct pb_database *database)
{
    if (!database)
        return;
    free(database->name);
    database->engine->forget(database);
}

const char *pb_database_name(const struct pb_database *database)
{
    return database->name;
}

struct pb_db *pb_db_open(struct pb_database *database, enum pb_db_mode mode, struct pb_error *err)
{
    struct pb_db *db = database->engine->open(database, mode, err);

    if (!db)
        pb_fail_in(err, "open %s", database->name);
    return db;
}

void pb_db_close(struct pb_db *db)
{
    if (!db)
        return;
    db->is_closing = true;
    for (size_t i = 0; i < PB_DB_STATEMENTS; i++) {
        if (!db->statements[i])
            continue;
        free(db->statements[i]->sql);
        db->engine->discard(db->statements[i]);
    }
    db->engine->close(db);
}

/* --- time --------------------------------------------------------------------------------------- */

static int64_t now_us(const struct pb_db *db)
{
    struct timespec now;

    if (db->database->slow_ms == 0)
        return 0;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void tell_if_slow(const struct pb_db *db, const char *sql, int64_t took_us)
{
    const struct pb_database *database = db->database;

    if (database->slow_ms > 0 && took_us / 1000 >= database->slow_ms)
        database->on_slow(database->arg, sql, took_us / 1000);
}

/* --- statements --------------------------------------------------------------------------------- */

/* A statement failed: inside a change that is the end of the change. */
static int spoil(struct pb_db *db, const struct pb_error *err)
{
    if (db->is_open && !db->is_spoiled)
        db->why = *err;
    db->is_spoiled = db->is_open;
    return -1;
}

static int refuse_spoiled(const struct pb_db *db, struct pb_error *err)
{
    if (!db->is_spoiled)
        return 0;
    *err = db->why;
    return pb_fail_in(err, "after a failed statement");
}

/* Statements are long and looked up often: word by word. */
static uint64_t hash_text(const char *text, bool must_touch)
{
    uint64_t hash = UINT64_C(14695981039346656037) + must_touch, word;
    size_t len = strlen(text);

    for (; len >= sizeof(word); text += sizeof(word), len -= sizeof(word)) {
        memcpy(&word, text, sizeof(word));
        hash = (hash ^ word) * UINT64_C(1099511628211);
        hash ^= hash >> 32;
    }
    for (; len > 0; text++, len--)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
    return hash;
}

static bool is_it(const struct pb_rows *rows, const char *sql, uint64_t hash)
{
    return rows->hash == hash && strcmp(rows->sql, sql) == 0;
}

/* The place of the statement with this text, else a free one, else of the one unused longest. */
static struct pb_rows **find_statement(struct pb_db *db, const char *sql, uint64_t hash)
{
    size_t count = db->mode == PB_DB_READER ? READER_STATEMENTS : PB_DB_STATEMENTS;
    struct pb_rows **oldest = NULL;

    for (size_t i = 0; i < count; i++) {
        struct pb_rows **at = &db->statements[i];

        if (*at && (*at)->is_running)
            continue;
        if (*at && is_it(*at, sql, hash))
            return at;
        if (!oldest || (*oldest && (!*at || (*at)->used_at < (*oldest)->used_at)))
            oldest = at;
    }
    return oldest;
}

/* must_touch: with what the engine puts around a statement that must touch a row. */
static struct pb_rows *prepare(struct pb_db *db, const char *sql, bool must_touch,
                               struct pb_error *err)
{
    bool is_wrapped = must_touch && db->engine->one_before;
    struct pb_rows *rows;
    struct pb_buf text;

    pb_buf_init(&text, SQL_MAX);
    pb_buf_text(&text, is_wrapped ? db->engine->one_before : "");
    pb_buf_text(&text, sql);
    pb_buf_text(&text, is_wrapped ? db->engine->one_after : "");
    rows = db->engine->prepare(db, pb_buf_string(&text), err);
    pb_buf_release(&text);
    if (!rows)
        return NULL;
    rows->db = db;
    rows->hash = hash_text(sql, must_touch);
    rows->changes = pb_sql_parts(sql);
    rows->sql = strdup(sql);
    if (rows->sql)
        return rows;
    db->engine->discard(rows);
    pb_fail(err, PB_ERROR_LIMITED, "no memory");
    return NULL;
}

/* The statement of this text, prepared, not yet running. */
static struct pb_rows *take_statement(struct pb_db *db, const char *sql, bool must_touch,
                                      struct pb_error *err)
{
    uint64_t hash = hash_text(sql, must_touch);
    struct pb_rows **at = find_statement(db, sql, hash), *made;

    if (!at) {
        pb_fail(err, PB_ERROR_INTERNAL, "too many statements at once");
        return NULL;
    }
    if (!*at || !is_it(*at, sql, hash)) {
        made = prepare(db, sql, must_touch, err);
        if (!made)
            return NULL;
        if (*at) {
            free((*at)->sql);
            db->engine->discard(*at);
        }
        *at = made;
    }
    (*at)->used_at = ++db->clock;
    db->changed |= (*at)->changes;
    return *at;
}

static int check_values(const struct pb_values *values, struct pb_error *err)
{
    for (size_t i = 0; i < values->count; i++) {
        const struct pb_value *value = &values->values[i];

        if (value->kind == PB_VALUE_TEXT && !pb_utf8_valid(value->data, value->len))
            return pb_fail_reason(err, PB_ERROR_INVALID, "not_utf8", "a text is not UTF-8");
    }
    return 0;
}

struct pb_rows *pb_db_query(struct pb_db *db, const char *sql, const struct pb_values *values,
                            struct pb_error *err)
{
    struct pb_rows *rows;
    int r;

    if (refuse_spoiled(db, err) < 0 || check_values(values, err) < 0)
        return NULL;
    rows = take_statement(db, sql, false, err);
    if (!rows) {
        spoil(db, err);
        return NULL;
    }
    rows->is_running = true;
    rows->took_us = -now_us(db);
    r = db->engine->start(rows, values, err);
    rows->took_us += now_us(db);
    if (r == 0)
        return rows;
    spoil(db, err);
    pb_rows_end(rows);
    return NULL;
}

int pb_rows_next(struct pb_rows *rows, struct pb_error *err)
{
    int r;

    rows->took_us -= now_us(rows->db);
    r = rows->db->engine->next(rows, err);
    rows->took_us += now_us(rows->db);
    return r < 0 ? spoil(rows->db, err) : r;
}

void pb_rows_end(struct pb_rows *rows)
{
    if (!rows)
        return;
    rows->db->engine->end(rows);
    rows->is_running = false;
    tell_if_slow(rows->db, rows->sql, rows->took_us);
}

static int run(struct pb_db *db, const char *sql, const struct pb_values *values,
               int64_t *ret_changed, const struct pb_error *otherwise, struct pb_error *err)
{
    struct pb_rows *rows;
    int r;

    if (refuse_spoiled(db, err) < 0 || check_values(values, err) < 0)
        return -1;
    rows = take_statement(db, sql, otherwise != NULL, err);
    if (!rows)
        return spoil(db, err);
    rows->is_running = true;
    rows->took_us = -now_us(db);
    r = db->engine->run(rows, values, ret_changed, otherwise, err);
    rows->took_us += now_us(db);
    pb_rows_end(rows);
    return r < 0 ? spoil(db, err) : 0;
}

int pb_db_run(struct pb_db *db, const char *sql, const struct pb_values *values,
              int64_t *ret_changed, struct pb_error *err)
{
    return run(db, sql, values, ret_changed, NULL, err);
}

int pb_db_run_one(struct pb_db *db, const char *sql, const struct pb_values *values,
                  const struct pb_error *otherwise, struct pb_error *err)
{
    return run(db, sql, values, NULL, otherwise, err);
}

int pb_db_script(struct pb_db *db, const char *sql, struct pb_error *err)
{
    if (refuse_spoiled(db, err) < 0)
        return -1;
    db->changed = PB_STORE_ALL;
    return db->engine->script(db, sql, err) < 0 ? spoil(db, err) : 0;
}

/* --- columns ------------------------------------------------------------------------------------ */

bool pb_rows_is_null(struct pb_rows *rows, int column)
{
    return rows->db->engine->kind(rows, column) == PB_VALUE_NULL;
}

int64_t pb_rows_int(struct pb_rows *rows, int column)
{
    return rows->db->engine->number(rows, column);
}

const char *pb_rows_text(struct pb_rows *rows, int column)
{
    return rows->db->engine->text(rows, column);
}

const void *pb_rows_bytes(struct pb_rows *rows, int column, size_t *ret_len)
{
    return rows->db->engine->bytes(rows, column, ret_len);
}

int pb_rows_columns(struct pb_rows *rows)
{
    return rows->db->engine->column_count(rows);
}

const char *pb_rows_name(struct pb_rows *rows, int column)
{
    return rows->db->engine->column_name(rows, column);
}

struct pb_value pb_rows_value(struct pb_rows *rows, int column)
{
    struct pb_value value = {.kind = rows->db->engine->kind(rows, column)};

    switch (value.kind) {
    case PB_VALUE_NULL:
        break;
    case PB_VALUE_INT:
        value.number = pb_rows_int(rows, column);
        break;
    case PB_VALUE_TEXT:
        return pb_value_text(pb_rows_text(rows, column));
    case PB_VALUE_BYTES:
        value.data = pb_rows_bytes(rows, column, &value.len);
        break;
    }
    return value;
}

/* --- changes ------------------------------------------------------------------------------------ */

int pb_db_begin(struct pb_db *db, struct pb_error *err)
{
    db->is_spoiled = false;
    if (db->engine->begin(db, err) < 0)
        return -1;
    db->is_open = true;
    return 0;
}

int pb_db_commit(struct pb_db *db, struct pb_error *err)
{
    int64_t began_us;
    int r;

    if (refuse_spoiled(db, err) < 0)
        return -1;
    began_us = now_us(db);
    r = db->engine->commit(db, err);
    tell_if_slow(db, "COMMIT", now_us(db) - began_us);
    if (r < 0)
        return spoil(db, err);
    db->is_open = false;
    return 0;
}

void pb_db_rollback(struct pb_db *db)
{
    if (db->engine->in_transaction(db))
        db->engine->rollback(db);
    db->is_open = db->is_spoiled = false;
}

unsigned pb_db_take_changed(struct pb_db *db)
{
    unsigned changed = db->changed;

    db->changed = 0;
    return changed;
}

bool pb_db_in_transaction(struct pb_db *db)
{
    return db->engine->in_transaction(db);
}

int pb_db_part_begin(struct pb_db *db, struct pb_error *err)
{
    return pb_db_run(db, "SAVEPOINT part", PB_NO_VALUES, NULL, err);
}

int pb_db_part_end(struct pb_db *db, bool keep, struct pb_error *err)
{
    struct pb_error ignored;

    if (!keep) {
        (void)!db->engine->settle(db, &ignored); /* undone with the rest */
        if (!db->engine->in_transaction(db))
            return pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "database_down",
                                  "the connection to the database was lost");
        db->is_spoiled = false;
        if (pb_db_run(db, "ROLLBACK TO part", PB_NO_VALUES, NULL, err) < 0)
            return -1;
    }
    return pb_db_run(db, "RELEASE part", PB_NO_VALUES, NULL, err);
}

int pb_db_settle(struct pb_db *db, struct pb_error *err)
{
    int64_t began_us;
    int r;

    if (refuse_spoiled(db, err) < 0)
        return -1;
    began_us = now_us(db);
    r = db->engine->settle(db, err);
    tell_if_slow(db, "statements sent before", now_us(db) - began_us);
    return r < 0 ? spoil(db, err) : 0;
}

/* --- what differs ------------------------------------------------------------------------------- */

void pb_db_patience(struct pb_db *db, int64_t ms)
{
    db->patience_ms = ms;
}

int pb_db_lock_schema(struct pb_db *db, struct pb_error *err)
{
    return db->engine->lock_schema ? db->engine->lock_schema(db, err) : 0;
}

void pb_db_unlock_schema(struct pb_db *db)
{
    if (db->engine->unlock_schema)
        db->engine->unlock_schema(db);
}

int pb_db_join(struct pb_db *db, struct pb_error *err)
{
    return db->engine->join ? db->engine->join(db, err) : 0;
}

int pb_db_claim(struct pb_db *db, struct pb_error *err)
{
    return db->engine->claim ? db->engine->claim(db, err) : 0;
}

unsigned pb_db_group_max(const struct pb_db *db)
{
    return db->engine->group_max;
}

int64_t pb_db_group_ms(const struct pb_db *db)
{
    return db->engine->group_ms;
}

int pb_db_numbering(struct pb_db *db, const char *table, int64_t *ret_last, struct pb_error *err)
{
    return db->engine->numbering(db, table, ret_last, err);
}

int pb_db_set_numbering(struct pb_db *db, const char *table, int64_t last, struct pb_error *err)
{
    return db->engine->set_numbering(db, table, last, err);
}

int pb_db_checkpoint(struct pb_db *db, bool restart, struct pb_error *err)
{
    return db->engine->checkpoint ? db->engine->checkpoint(db, restart, err) : 0;
}

int pb_db_wal_pages(struct pb_db *db)
{
    return db->engine->wal_pages ? db->engine->wal_pages(db) : 0;
}

int pb_db_explain(struct pb_db *db, struct pb_buf *ret_plan, struct pb_error *err)
{
    for (size_t i = 0; i < PB_DB_STATEMENTS; i++) {
        if (!db->statements[i])
            continue;
        pb_buf_format(ret_plan, "== %s\n", db->statements[i]->sql);
        if (db->engine->explain(db->statements[i], ret_plan, err) < 0)
            return -1;
    }
    return 0;
}

const char *pb_db_type(struct pb_db *db, const char *token)
{
    return db->engine->type(token);
}
