#include "server/store/db_copy.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "server/store/db_private.h"
#include "server/store/schema.h"

enum {
    PAGE_ROWS = 100,
    KEYS_MAX = 3,
    COLUMNS_MAX = 96,
    ROW_MAX = 64 << 20,
    PATIENCE_MS = 10 * 60 * 1000,
    SQL_MAX = 16 << 10,
};

/* Who is referred to comes before who refers. */
static const struct table {
    const char *name;
    const char *keys[KEYS_MAX];
    bool has_numbers; /* its id counts up by itself */
} TABLES[] = {
    {"projects", {"id"}, false},
    {"project_env_vars", {"id"}, true},
    {"secrets", {"id"}, true},
    {"work_items", {"id"}, true},
    {"executions", {"id"}, false},
    {"trigger_keys", {"project_id", "dedupe_key"}, false},
    {"execution_counts", {"project_id", "status"}, false},
    {"attempts", {"execution_id", "number"}, false},
    {"remarks", {"execution_id", "number"}, false},
    {"queue_limits", {"kind", "project_id", "subject"}, false},
    {"schedules", {"id"}, false},
    {"outbox", {"id"}, true},
    {"github_cache", {"project_id", "url"}, false},
    {"github_limits", {"token_hash"}, false},
    {"users", {"id"}, true},
    {"sessions", {"id"}, false},
    {"nodes", {"id"}, false},
    {"settings", {"key"}, false},
    {"audit_log", {"id"}, true},
    {"log_states", {"execution_id"}, false},
    {"log_chunks", {"execution_id", "attempt", "seq"}, false},
};
enum { TABLE_COUNT = sizeof(TABLES) / sizeof(TABLES[0]) };

const char *pb_db_copy_table(size_t index)
{
    return index < TABLE_COUNT ? TABLES[index].name : NULL;
}

/* --- reading a table ------------------------------------------------------------------------------ */

/* All rows of a table, page by page, and a digest of them that is the same in every engine. */
struct walk {
    struct pb_db *db;
    const struct table *table;
    struct pb_arena arena; /* the last row's keys */
    struct pb_value last[KEYS_MAX];
    size_t key_count;
    int64_t rows;
    uint8_t digest[PB_SHA256_BYTES];
};

typedef int row_fn(void *arg, struct pb_rows *rows, struct pb_error *err);

static void put_keys(struct pb_buf *sql, const struct walk *walk)
{
    for (size_t i = 0; i < walk->key_count; i++)
        pb_buf_format(sql, "%s%s", i ? ", " : "", walk->table->keys[i]);
}

static void put_page(struct pb_buf *sql, const struct walk *walk)
{
    pb_buf_format(sql, "SELECT * FROM %s", walk->table->name);
    if (walk->rows > 0) {
        pb_buf_text(sql, " WHERE (");
        put_keys(sql, walk);
        pb_buf_text(sql, ") > (");
        for (size_t i = 0; i < walk->key_count; i++)
            pb_buf_format(sql, "%s?%zu", i ? ", " : "", i + 1);
        pb_buf_char(sql, ')');
    }
    pb_buf_text(sql, " ORDER BY ");
    put_keys(sql, walk);
    pb_buf_format(sql, " LIMIT %d", PAGE_ROWS);
}

static void put_value(struct pb_buf *row, const struct pb_value *value)
{
    switch (value->kind) {
    case PB_VALUE_NULL:
        pb_buf_char(row, 'n');
        break;
    case PB_VALUE_INT:
        pb_buf_format(row, "i%lld;", (long long)value->number);
        break;
    case PB_VALUE_TEXT:
        pb_buf_format(row, "t%zu;", value->len);
        pb_buf_bytes(row, value->data, value->len);
        break;
    case PB_VALUE_BYTES:
        pb_buf_format(row, "b%zu;", value->len);
        pb_buf_bytes(row, value->data, value->len);
        break;
    }
}

static int add_to_digest(struct walk *walk, struct pb_rows *rows, struct pb_error *err)
{
    struct pb_buf row;
    bool failed;

    pb_buf_init(&row, ROW_MAX);
    pb_buf_bytes(&row, walk->digest, sizeof(walk->digest));
    for (int i = 0; i < pb_rows_columns(rows); i++) {
        struct pb_value value = pb_rows_value(rows, i);

        put_value(&row, &value);
    }
    failed = pb_buf_failed(&row);
    if (!failed)
        pb_sha256(row.data, row.len, walk->digest);
    pb_buf_release(&row);
    return failed ? pb_fail(err, PB_ERROR_TOO_LARGE, "a row of more than %d bytes", ROW_MAX) : 0;
}

/* Where the next page begins. */
static int note_keys(struct walk *walk, struct pb_rows *rows, struct pb_error *err)
{
    pb_arena_release(&walk->arena);
    pb_arena_init(&walk->arena, 1 << 20);
    for (size_t i = 0; i < walk->key_count; i++) {
        for (int column = 0; column < pb_rows_columns(rows); column++) {
            struct pb_value value = pb_rows_value(rows, column);

            if (strcmp(pb_rows_name(rows, column), walk->table->keys[i]) != 0)
                continue;
            if (value.kind == PB_VALUE_TEXT)
                value.data = pb_arena_bytes(&walk->arena, value.data, value.len);
            if (value.kind == PB_VALUE_TEXT && !value.data)
                return pb_fail_arena(err);
            walk->last[i] = value;
        }
    }
    return 0;
}

/* Returns the number of rows of the page, or -1. */
static int walk_page(struct walk *walk, row_fn *on_row, void *arg, struct pb_error *err)
{
    struct pb_rows *rows;
    struct pb_buf sql;
    int count = 0, r = 0;

    pb_buf_init(&sql, SQL_MAX);
    put_page(&sql, walk);
    rows = pb_db_query(walk->db, pb_buf_string(&sql),
                       &(struct pb_values){walk->last, walk->key_count}, err);
    pb_buf_release(&sql);
    if (!rows)
        return -1;
    while (r >= 0 && (r = pb_rows_next(rows, err)) > 0) {
        count++;
        walk->rows++;
        r = add_to_digest(walk, rows, err);
        if (r == 0 && on_row)
            r = on_row(arg, rows, err);
        if (r == 0 && count == PAGE_ROWS)
            r = note_keys(walk, rows, err);
    }
    pb_rows_end(rows);
    return r < 0 ? -1 : count;
}

static int walk_table(struct walk *walk, row_fn *on_row, void *arg, struct pb_error *err)
{
    int count = PAGE_ROWS;

    while (walk->key_count < KEYS_MAX && walk->table->keys[walk->key_count])
        walk->key_count++;
    pb_arena_init(&walk->arena, 1 << 20);
    while (count == PAGE_ROWS)
        count = walk_page(walk, on_row, arg, err);
    pb_arena_release(&walk->arena);
    return count < 0 ? pb_fail_in(err, "table %s", walk->table->name) : 0;
}

/* --- writing it ------------------------------------------------------------------------------------- */

struct target {
    struct pb_db *db;
    const struct table *table;
    struct pb_buf sql; /* made from the first row's columns */
};

static void put_insert(struct target *target, struct pb_rows *rows)
{
    int count = pb_rows_columns(rows);

    pb_buf_format(&target->sql, "INSERT INTO %s (", target->table->name);
    for (int i = 0; i < count; i++)
        pb_buf_format(&target->sql, "%s%s", i ? ", " : "", pb_rows_name(rows, i));
    pb_buf_text(&target->sql, ") VALUES (");
    for (int i = 0; i < count; i++)
        pb_buf_format(&target->sql, "%s?%d", i ? ", " : "", i + 1);
    pb_buf_char(&target->sql, ')');
}

static int write_row(void *arg, struct pb_rows *rows, struct pb_error *err)
{
    struct target *target = arg;
    struct pb_value values[COLUMNS_MAX];
    int count = pb_rows_columns(rows);

    if (count > COLUMNS_MAX)
        return pb_fail(err, PB_ERROR_INTERNAL, "%d columns", count);
    if (target->sql.len == 0)
        put_insert(target, rows);
    for (int i = 0; i < count; i++)
        values[i] = pb_rows_value(rows, i);
    return pb_db_run(target->db, pb_buf_string(&target->sql),
                     &(struct pb_values){values, (size_t)count}, NULL, err);
}

static int copy_numbering(struct pb_db *from, struct pb_db *to, const char *table,
                          struct pb_error *err)
{
    int64_t last = 0;

    if (pb_db_numbering(from, table, &last, err) < 0)
        return -1;
    return last > 0 ? pb_db_set_numbering(to, table, last, err) : 0;
}

static int copy_table(struct pb_db *from, struct pb_db *to, const struct table *table,
                      int64_t *ret_rows, struct pb_error *err)
{
    struct walk source = {.db = from, .table = table}, check = {.db = to, .table = table};
    struct target target = {.db = to, .table = table};
    int r;

    pb_buf_init(&target.sql, SQL_MAX);
    r = walk_table(&source, write_row, &target, err);
    pb_buf_release(&target.sql);
    if (r < 0 || walk_table(&check, NULL, NULL, err) < 0)
        return -1;
    if (source.rows != check.rows ||
        memcmp(source.digest, check.digest, sizeof(source.digest)) != 0)
        return pb_fail(err, PB_ERROR_INTERNAL,
                       "table %s: what was written is not what was read (%lld rows, %lld)",
                       table->name, (long long)check.rows, (long long)source.rows);
    *ret_rows = source.rows;
    return table->has_numbers ? copy_numbering(from, to, table->name, err) : 0;
}

static int copy_tables(const struct pb_db_copy *copy, struct pb_db *from, struct pb_db *to,
                       struct pb_error *err)
{
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        int64_t rows = 0;

        if (copy_table(from, to, &TABLES[i], &rows, err) < 0)
            return -1;
        if (copy->on_table)
            copy->on_table(copy->arg, TABLES[i].name, rows);
    }
    return 0;
}

/* --- source and target ------------------------------------------------------------------------------ */

struct end {
    struct pb_database *database;
    struct pb_db *db;
};

static int open_end(struct end *end, const char *address, const char *password_file,
                    struct pb_error *err)
{
    end->database = pb_database_new(&(struct pb_database_options){.address = address,
                                                                  .password_file = password_file,
                                                                  .reply_ms = PATIENCE_MS},
                                    err);
    end->db = end->database ? pb_db_open(end->database, PB_DB_WRITER, err) : NULL;
    return end->db ? 0 : -1;
}

static void close_end(struct end *end)
{
    if (end->db)
        pb_db_rollback(end->db);
    pb_db_close(end->db);
    pb_database_free(end->database);
}

static int open_source(struct end *end, const struct pb_db_copy *copy, struct pb_error *err)
{
    if (!pb_database_is_address(copy->from) && access(copy->from, F_OK) < 0)
        return pb_fail_reason(err, PB_ERROR_NOT_FOUND, "no_installation", "there is no file %s",
                              copy->from);
    if (open_end(end, copy->from, copy->from_password_file, err) < 0)
        return -1;
    if (pb_db_claim(end->db, err) < 0 ||
        pb_schema_check(end->db, PB_MIGRATIONS, PB_MIGRATION_COUNT, err) < 0 ||
        pb_db_join(end->db, err) < 0 || pb_db_begin(end->db, err) < 0)
        return pb_fail_in(err, "%s", pb_database_name(end->database));
    return 0;
}

static int check_empty(struct pb_db *db, struct pb_error *err)
{
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        struct pb_buf sql;
        int64_t rows = 0;
        int r;

        pb_buf_init(&sql, SQL_MAX);
        pb_buf_format(&sql, "SELECT count(*) FROM (SELECT 1 FROM %s LIMIT 1) AS x", TABLES[i].name);
        r = pb_db_number(db, pb_buf_string(&sql), PB_NO_VALUES, &rows, err);
        pb_buf_release(&sql);
        if (r < 0)
            return -1;
        if (rows > 0)
            return pb_fail_reason(err, PB_ERROR_CONFLICT, "target_not_empty",
                                  "there are rows in table %s already: the target must be empty",
                                  TABLES[i].name);
    }
    return 0;
}

static int open_target(struct end *end, const struct pb_db_copy *copy, struct pb_error *err)
{
    if (open_end(end, copy->to, copy->to_password_file, err) < 0)
        return -1;
    if (pb_db_claim(end->db, err) < 0 ||
        pb_schema_apply(end->db, PB_MIGRATIONS, PB_MIGRATION_COUNT, copy->app_version,
                        pb_clock_wall_ms(), err) < 0 ||
        pb_db_join(end->db, err) < 0 || pb_db_begin(end->db, err) < 0 ||
        check_empty(end->db, err) < 0)
        return pb_fail_in(err, "%s", pb_database_name(end->database));
    return 0;
}

int pb_db_copy(const struct pb_db_copy *copy, struct pb_error *err)
{
    struct end source = {0}, target = {0};
    int r = -1;

    if (strcmp(copy->from, copy->to) == 0)
        return pb_fail(err, PB_ERROR_INVALID, "source and target are the same");
    if (open_source(&source, copy, err) < 0 || open_target(&target, copy, err) < 0 ||
        copy_tables(copy, source.db, target.db, err) < 0 || pb_db_commit(target.db, err) < 0)
        goto out;
    r = pb_db_checkpoint(target.db, true, err);
out:
    close_end(&target);
    close_end(&source);
    return r;
}
