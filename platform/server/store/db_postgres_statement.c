/* Statements of PostgreSQL: their text, their parameters, their rows. */
#include <endian.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/store/db_postgres_private.h"

/* pg_type's numbers, the same in every version */
enum {
    TYPE_BOOL = 16,
    TYPE_BYTEA = 17,
    TYPE_INT8 = 20,
    TYPE_INT2 = 21,
    TYPE_INT4 = 23,
    TYPE_TEXT = 25,
    TYPE_NUMERIC = 1700,
};

static struct pb_pg_db *of(struct pb_db *db)
{
    return (struct pb_pg_db *)db;
}

static struct pb_pg_rows *rows_of(struct pb_rows *rows)
{
    return (struct pb_pg_rows *)rows;
}

static struct pb_pg *pg_of(const struct pb_pg_db *db)
{
    return (struct pb_pg *)db->base.database;
}

/* ?1 becomes $1, outside of quotes. */
static int rewrite(struct pb_pg_rows *rows, const char *sql, struct pb_error *err)
{
    struct pb_buf text;
    char quote = '\0';

    pb_buf_init(&text, 256 << 10);
    for (const char *at = sql; *at; at++) {
        unsigned long number;
        char *end;

        if (quote)
            quote = *at == quote ? '\0' : quote;
        else if (*at == '\'' || *at == '"')
            quote = *at;
        if (quote || *at != '?') {
            pb_buf_char(&text, *at);
            continue;
        }
        number = strtoul(at + 1, &end, 10);
        if (number < 1 || number > PB_PG_VALUES_MAX) {
            pb_buf_release(&text);
            return pb_fail(err, PB_ERROR_INTERNAL, "statement with parameter ?%lu", number);
        }
        rows->is_used[number - 1] = true;
        if (number > rows->parameters)
            rows->parameters = (unsigned)number;
        pb_buf_format(&text, "$%lu", number);
        at = end - 1;
    }
    rows->text = pb_buf_take(&text, NULL);
    pb_buf_release(&text);
    return rows->text ? 0 : pb_fail(err, PB_ERROR_LIMITED, "the statement is too long");
}

struct pb_rows *pb_pg_prepare(struct pb_db *db, const char *sql, struct pb_error *err)
{
    struct pb_pg_rows *rows = calloc(1, sizeof(*rows));

    (void)db;
    if (!rows) {
        pb_fail(err, PB_ERROR_LIMITED, "no memory");
        return NULL;
    }
    if (rewrite(rows, sql, err) == 0)
        return &rows->base;
    free(rows);
    return NULL;
}

static bool is_known(const struct pb_pg_db *db, const struct pb_pg_rows *rows)
{
    return rows->connection == db->connection && rows->state != PB_PG_NEW;
}

/* Failing to say that a statement is not needed any more only costs the server its memory. */
static void forget_name(struct pb_pg_db *db, struct pb_pg_rows *rows)
{
    struct pb_error ignored;
    char sql[64];

    if (!db->conn || db->base.is_closing || !is_known(db, rows) || db->base.is_spoiled ||
        db->pending_count > PB_PG_PENDING_MAX - 4)
        return;
    (void)snprintf(sql, sizeof(sql), "DEALLOCATE %s", rows->name);
    (void)!pb_pg_send_plain(db, sql, &ignored);
}

void pb_pg_discard(struct pb_rows *base)
{
    struct pb_pg_rows *rows = rows_of(base);
    struct pb_pg_db *db = of(base->db);

    if (db) { /* NULL: it was never taken over */
        forget_name(db, rows);
        for (size_t i = 0; i < db->pending_count; i++) {
            if (db->pending[i].rows == rows)
                db->pending[i].rows = NULL;
        }
    }
    free(rows->text);
    free(rows);
}

static Oid type_of(enum pb_value_kind kind)
{
    switch (kind) {
    case PB_VALUE_NULL:
        return 0;
    case PB_VALUE_INT:
        return TYPE_INT8;
    case PB_VALUE_TEXT:
        return TYPE_TEXT;
    case PB_VALUE_BYTES:
        return TYPE_BYTEA;
    }
    return 0;
}

/* Are these values of the types the statement was prepared with? If not, takes theirs. */
static bool fits(struct pb_pg_rows *rows, const struct pb_values *values)
{
    bool fit = true;

    for (unsigned i = 0; i < rows->parameters; i++) {
        Oid type = rows->is_used[i] ? type_of(values->values[i].kind) : TYPE_TEXT;

        if (type == 0 || type == rows->types[i])
            continue;
        rows->types[i] = type;
        fit = false;
    }
    return fit;
}

static int send_prepare(struct pb_pg_db *db, struct pb_pg_rows *rows, struct pb_error *err)
{
    (void)snprintf(rows->name, sizeof(rows->name), "s%llu", (unsigned long long)++db->names);
    rows->connection = db->connection;
    rows->state = PB_PG_SENT;
    return pb_pg_note_sent(db,
                           PQsendPrepare(db->conn, rows->name, rows->text, (int)rows->parameters,
                                         rows->types),
                           rows, PB_PG_PREPARE, err);
}

static int send_execute(struct pb_pg_db *db, struct pb_pg_rows *rows,
                        const struct pb_values *values, struct pb_error *err)
{
    const char *data[PB_PG_VALUES_MAX] = {NULL};
    int lengths[PB_PG_VALUES_MAX], formats[PB_PG_VALUES_MAX];
    uint64_t numbers[PB_PG_VALUES_MAX];

    for (unsigned i = 0; i < rows->parameters; i++) {
        const struct pb_value *value = &values->values[i];

        formats[i] = 1;
        lengths[i] = (int)value->len;
        if (!rows->is_used[i] || value->kind == PB_VALUE_NULL)
            continue;
        data[i] = value->data ? value->data : "";
        if (value->kind == PB_VALUE_INT) {
            numbers[i] = htobe64((uint64_t)value->number);
            data[i] = (const char *)&numbers[i];
            lengths[i] = sizeof(numbers[i]);
        }
    }
    return pb_pg_note_sent(db,
                           PQsendQueryPrepared(db->conn, rows->name, (int)rows->parameters, data,
                                               lengths, formats, 0),
                           rows, PB_PG_RUN, err);
}

static int send_statement(struct pb_pg_db *db, struct pb_pg_rows *rows,
                          const struct pb_values *values, struct pb_error *err)
{
    if (values->count < rows->parameters)
        return pb_fail(err, PB_ERROR_INTERNAL, "statement with %u parameters got %zu",
                       rows->parameters, values->count);
    if (db->pending_count > PB_PG_PENDING_MAX - 4 && pb_pg_collect(db, NULL, err) < 0)
        return -1;
    if (!fits(rows, values) && is_known(db, rows)) {
        forget_name(db, rows);
        rows->state = PB_PG_NEW;
    }
    if (!is_known(db, rows) && send_prepare(db, rows, err) < 0)
        return -1;
    return send_execute(db, rows, values, err);
}

/* A reader whose connection broke asks once more over a new one: reading twice does no harm. */
static int ask(struct pb_pg_rows *rows, const struct pb_values *values, PGresult **ret_result,
               struct pb_error *err)
{
    struct pb_pg_db *db = of(rows->base.db);
    unsigned trust = atomic_load(&pg_of(db)->trust);

    for (int attempt = 0;; attempt++) {
        if (pb_pg_ensure(db, err) < 0)
            return -1;
        if (send_statement(db, rows, values, err) == 0 && pb_pg_collect(db, ret_result, err) == 0)
            return 0;
        if (db->conn || db->base.mode != PB_DB_READER || attempt > 0 ||
            trust != atomic_load(&pg_of(db)->trust))
            return -1;
    }
}

int pb_pg_start(struct pb_rows *base, const struct pb_values *values, struct pb_error *err)
{
    struct pb_pg_rows *rows = rows_of(base);

    rows->row = -1;
    return ask(rows, values, &rows->result, err);
}

static void free_pieces(struct pb_pg_rows *rows)
{
    while (rows->pieces) {
        struct pb_pg_piece *piece = rows->pieces;

        rows->pieces = piece->next;
        PQfreemem(piece->data);
        free(piece);
    }
}

int pb_pg_next(struct pb_rows *base, struct pb_error *err)
{
    struct pb_pg_rows *rows = rows_of(base);

    (void)err;
    free_pieces(rows);
    if (rows->row + 1 >= PQntuples(rows->result))
        return 0;
    rows->row++;
    return 1;
}

void pb_pg_end(struct pb_rows *base)
{
    struct pb_pg_rows *rows = rows_of(base);

    free_pieces(rows);
    PQclear(rows->result);
    rows->result = NULL;
}

/* Nobody waits for it: the next one who does is told. */
static int send_along(struct pb_pg_db *db, struct pb_pg_rows *rows, const struct pb_values *values,
                      const struct pb_error *otherwise, struct pb_error *err)
{
    struct pb_error *kept = otherwise ? malloc(sizeof(*kept)) : NULL;

    if (otherwise && !kept)
        return pb_fail(err, PB_ERROR_LIMITED, "no memory");
    if (send_statement(db, rows, values, err) < 0) {
        free(kept);
        return -1;
    }
    if (kept)
        *kept = *otherwise;
    db->pending[db->pending_count - 1].otherwise = kept;
    return 0;
}

int pb_pg_run(struct pb_rows *base, const struct pb_values *values, int64_t *ret_changed,
              const struct pb_error *otherwise, struct pb_error *err)
{
    struct pb_pg_rows *rows = rows_of(base);
    struct pb_pg_db *db = of(base->db);

    if (ret_changed) {
        if (ask(rows, values, &rows->result, err) < 0)
            return -1;
        *ret_changed = strtoll(PQcmdTuples(rows->result), NULL, 10);
        return 0;
    }
    if (!db->in_transaction && pb_pg_ensure(db, err) < 0)
        return -1;
    if (send_along(db, rows, values, otherwise, err) < 0)
        return -1;
    return db->in_transaction ? 0 : pb_pg_collect(db, NULL, err);
}

/* --- columns -------------------------------------------------------------------------------------- */

int pb_pg_column_count(struct pb_rows *rows)
{
    return PQnfields(rows_of(rows)->result);
}

const char *pb_pg_column_name(struct pb_rows *rows, int column)
{
    return PQfname(rows_of(rows)->result, column);
}

enum pb_value_kind pb_pg_kind(struct pb_rows *base, int column)
{
    struct pb_pg_rows *rows = rows_of(base);

    if (PQgetisnull(rows->result, rows->row, column))
        return PB_VALUE_NULL;
    switch (PQftype(rows->result, column)) {
    case TYPE_BOOL:
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8:
    case TYPE_NUMERIC: /* a sum of bigints */
        return PB_VALUE_INT;
    case TYPE_BYTEA:
        return PB_VALUE_BYTES;
    default:
        return PB_VALUE_TEXT;
    }
}

const char *pb_pg_text(struct pb_rows *base, int column)
{
    struct pb_pg_rows *rows = rows_of(base);

    return PQgetisnull(rows->result, rows->row, column)
               ? NULL
               : PQgetvalue(rows->result, rows->row, column);
}

int64_t pb_pg_number(struct pb_rows *base, int column)
{
    const char *value = pb_pg_text(base, column);

    if (!value)
        return 0;
    if (PQftype(rows_of(base)->result, column) == TYPE_BOOL)
        return value[0] == 't';
    return strtoll(value, NULL, 10);
}

const void *pb_pg_bytes(struct pb_rows *base, int column, size_t *ret_len)
{
    struct pb_pg_rows *rows = rows_of(base);
    const char *value = pb_pg_text(base, column);
    struct pb_pg_piece *piece;

    *ret_len = 0;
    if (!value)
        return NULL;
    if (PQftype(rows->result, column) != TYPE_BYTEA) {
        *ret_len = strlen(value);
        return value;
    }
    piece = calloc(1, sizeof(*piece));
    if (!piece)
        return NULL;
    piece->data = PQunescapeBytea((const unsigned char *)value, ret_len);
    piece->next = rows->pieces;
    rows->pieces = piece;
    return piece->data;
}

/* --- its own -------------------------------------------------------------------------------------- */

/* The generic plan, as if tables were large. */
int pb_pg_explain(struct pb_rows *base, struct pb_buf *ret_plan, struct pb_error *err)
{
    struct pb_pg_rows *rows = rows_of(base);
    struct pb_pg_db *db = of(base->db);
    PGresult *result = NULL;
    struct pb_buf sql;
    int r;

    if (!db->conn || !is_known(db, rows) || pb_pg_collect(db, NULL, err) < 0)
        return db->conn && !is_known(db, rows) ? 0 : -1;
    pb_buf_init(&sql, 4096);
    pb_buf_format(&sql,
                  "SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL enable_seqscan = off; "
                  "EXPLAIN (COSTS OFF) EXECUTE %s",
                  rows->name);
    for (unsigned i = 0; i < rows->parameters; i++)
        pb_buf_text(&sql, i == 0 ? "(NULL" : ", NULL");
    pb_buf_text(&sql, rows->parameters > 0 ? ")" : "");
    r = pb_pg_script_now(db, pb_buf_string(&sql), &result, err);
    for (int i = 0; r == 0 && i < PQntuples(result); i++)
        pb_buf_format(ret_plan, "%s\n", PQgetvalue(result, i, 0));
    PQclear(result);
    pb_buf_release(&sql);
    return r;
}
