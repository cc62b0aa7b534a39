/*
 * Speaking to PostgreSQL, always in pipeline mode: what nobody waits for (an INSERT, a SAVEPOINT) is
 * only sent, and the next question's answer tells how it went. So a change costs as many round trips
 * as it has questions.
 */
#include <endian.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/store/db_postgres_private.h"

enum {
    FRESH_MS = 100,
    RESOLVE_MS = 5000,
    RESOLVE_GAP_MS = 100,
    KEEP_WRITERS_DAYS = 30,
    DAY_MS = 24 * 60 * 60 * 1000,
};

/* Any numbers will do that others do not take. Whoever joined shares the second one until its connection
 * ends: so a copy of the database, which wants it alone, finds out that it is in use. One database may
 * hold several installations, each in a schema of its own. */
#define SCHEMA_LOCK "1886352496" /* "popp" */
#define USE_LOCK \
    "1886352501 * 4294967296 + current_schema()::regnamespace::oid::bigint" /* "popu" */

static struct pb_pg_db *of(struct pb_db *db)
{
    return (struct pb_pg_db *)db;
}

static struct pb_pg *pg_of(const struct pb_pg_db *db)
{
    return (struct pb_pg *)db->base.database;
}

static int64_t deadline_of(const struct pb_pg_db *db)
{
    return pb_clock_steady_ms() +
           (db->base.patience_ms > 0 ? db->base.patience_ms : pg_of(db)->reply_ms);
}

/* --- the connection ------------------------------------------------------------------------------- */

static void forget_pending(struct pb_pg_db *db)
{
    for (size_t i = 0; i < db->pending_count; i++)
        free(db->pending[i].otherwise);
    db->pending_count = 0;
}

/* What was prepared or under way on it is gone; an open change was never committed. */
void pb_pg_lose(struct pb_pg_db *db)
{
    PQfinish(db->conn);
    db->conn = NULL;
    forget_pending(db);
    db->in_transaction = false;
}

int pb_pg_fail_lost(struct pb_error *err)
{
    return pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "database_down",
                          "the connection to the database was lost");
}

int pb_pg_script_now(struct pb_pg_db *db, const char *sql, PGresult **ret_last,
                     struct pb_error *err)
{
    int r;

    if (!PQexitPipelineMode(db->conn)) {
        pb_pg_lose(db);
        return pb_pg_fail_lost(err);
    }
    r = pb_pg_script(pg_of(db), db->conn, sql, deadline_of(db), ret_last, err);
    if (PQstatus(db->conn) != CONNECTION_OK || PQtransactionStatus(db->conn) == PQTRANS_ACTIVE ||
        !PQenterPipelineMode(db->conn))
        pb_pg_lose(db);
    return r;
}

/*
 * A writer's place among the writers. Its row says which change was committed last, and which of its
 * connections may make changes: the newest. While a change is open its row is locked, so this waits
 * until the connection before has ended one way or the other; what the row says then is final.
 */
static int take_place(struct pb_pg_db *db, struct pb_error *err)
{
    struct pb_pg *pg = pg_of(db);
    PGresult *result = NULL;
    struct pb_buf sql;
    int r;

    pb_buf_init(&sql, 2048);
    pb_buf_format(
        &sql,
        "SET lock_timeout = %lld; "
        "SELECT pg_advisory_lock_shared(" USE_LOCK "); "
        "PREPARE turn (bigint, bigint, bigint) AS WITH turn AS (UPDATE store_writers "
        "SET token = $1, at = $2 WHERE writer = '%s' AND epoch = $3 AND "
        "pg_advisory_xact_lock('store_writers'::regclass::oid::bigint) IS NOT NULL RETURNING 1) "
        "SELECT 1 / count(*) FROM turn; "
        "INSERT INTO store_writers AS w (writer, token, epoch, at) VALUES ('%s', 0, 1, %lld) "
        "ON CONFLICT (writer) DO UPDATE SET epoch = w.epoch + 1, at = excluded.at "
        "RETURNING epoch, token",
        (long long)(pg->reply_ms * 5 / 6), pg->writer, pg->writer, (long long)pb_clock_wall_ms());
    db->warned = false;
    r = pb_pg_script_now(db, pb_buf_string(&sql), &result, err);
    if (r == 0 && db->warned) /* not even this is as durable as it should be */
        r = pb_pg_fail_lost(err);
    if (r == 0) {
        db->epoch = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
        db->committed = strtoll(PQgetvalue(result, 0, 1), NULL, 10);
    }
    PQclear(result);
    pb_buf_release(&sql);
    return r;
}

static int connect_now(struct pb_pg_db *db, bool insist, struct pb_error *err)
{
    struct pb_pg *pg = pg_of(db);
    unsigned trust = atomic_load(&pg->trust);

    db->conn = pb_pg_connect(pg, db->base.mode, insist, &db->warned, err);
    if (!db->conn)
        return -1;
    db->trust = trust;
    db->connection++;
    if (db->has_joined && take_place(db, err) < 0) {
        pb_pg_lose(db);
        return -1;
    }
    return 0;
}

int pb_pg_ensure(struct pb_pg_db *db, struct pb_error *err)
{
    if (db->base.is_open &&
        !db->in_transaction) /* the rest of a change must not happen without it */
        return pb_pg_fail_lost(err);
    if (db->conn && !db->in_transaction && db->trust != atomic_load(&pg_of(db)->trust))
        pb_pg_lose(db);
    return db->conn ? 0 : connect_now(db, false, err);
}

static struct pb_db *open_connection(struct pb_database *database, enum pb_db_mode mode,
                                     struct pb_error *err)
{
    struct pb_pg_db *db = calloc(1, sizeof(*db));

    if (!db) {
        pb_fail(err, PB_ERROR_LIMITED, "no memory");
        return NULL;
    }
    db->base = (struct pb_db){.engine = &PB_PG_ENGINE, .database = database, .mode = mode};
    if (connect_now(db, false, err) == 0)
        return &db->base;
    free(db);
    return NULL;
}

static void close_connection(struct pb_db *db)
{
    pb_pg_lose(of(db));
    free(db);
}

/* --- answers -------------------------------------------------------------------------------------- */

static void note_prepared(struct pb_pg_pending *pending, bool succeeded)
{
    if (pending->kind == PB_PG_PREPARE && pending->rows)
        pending->rows->state = succeeded ? PB_PG_READY : PB_PG_NEW;
}

static bool has_divided_by_zero(const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    return state && strcmp(state, "22012") == 0;
}

/* One answer to what was sent as number `index`. The first refusal counts, the rest follow from it. */
static int take_answer(struct pb_pg_db *db, size_t index, PGresult *result, int so_far,
                       struct pb_error *err)
{
    ExecStatusType status = PQresultStatus(result);

    note_prepared(&db->pending[index], status == PGRES_COMMAND_OK);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || so_far < 0)
        return so_far;
    if (status == PGRES_PIPELINE_ABORTED)
        return pb_fail(err, PB_ERROR_INTERNAL, "database: refused without a reason");
    if (!db->pending[index].otherwise || !has_divided_by_zero(result))
        return pb_pg_fail(result, err);
    *err = *db->pending[index].otherwise;
    return -1;
}

/* A later connection of ours took its place: this one can change nothing any more. */
static bool has_lost_turn(const struct pb_pg_db *db, size_t index, const PGresult *result)
{
    return index < db->pending_count && db->pending[index].kind == PB_PG_TURN &&
           has_divided_by_zero(result);
}

/* Answers up to the mark that was sent behind everything. */
static int take_answers(struct pb_pg_db *db, PGresult **ret_last, bool *ret_gone,
                        struct pb_error *err)
{
    int64_t deadline = deadline_of(db);
    size_t index = 0;
    int r = 0;

    for (;;) {
        PGresult *result;

        if (pb_pg_wait(pg_of(db), db->conn, deadline, err) < 0) {
            *ret_gone = true;
            return -1;
        }
        result = PQgetResult(db->conn);
        if (!result) { /* the end of one answer */
            index++;
            if (index <= db->pending_count && PQstatus(db->conn) == CONNECTION_OK)
                continue;
            *ret_gone = true;
            return r < 0 ? r : pb_pg_fail_lost(err);
        }
        if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
            PQclear(result);
            return r;
        }
        if (PQresultStatus(result) == PGRES_FATAL_ERROR)
            *ret_gone = *ret_gone || pb_pg_is_gone(result, db->base.mode) ||
                        has_lost_turn(db, index, result);
        if (index < db->pending_count)
            r = take_answer(db, index, result, r, err);
        PQclear(*ret_last);
        *ret_last = result;
    }
}

/* Waits for all that was sent. *ret_last (may be NULL) is the answer to the last of it. */
int pb_pg_collect(struct pb_pg_db *db, PGresult **ret_last, struct pb_error *err)
{
    PGresult *last = NULL;
    bool is_gone = false;
    int r;

    if (db->pending_count == 0 && !ret_last)
        return 0;
    if (!PQpipelineSync(db->conn)) {
        pb_pg_lose(db);
        return pb_pg_fail_lost(err);
    }
    r = take_answers(db, &last, &is_gone, err);
    for (size_t i = 0; i < db->pending_count; i++) {
        if (db->pending[i].rows && db->pending[i].rows->state == PB_PG_SENT)
            db->pending[i].rows->state = PB_PG_NEW;
    }
    forget_pending(db);
    db->used_at = pb_clock_steady_ms();
    if (is_gone)
        pb_pg_lose(db);
    if (r < 0 || !ret_last) {
        PQclear(last);
        return r;
    }
    *ret_last = last;
    return 0;
}

int pb_pg_note_sent(struct pb_pg_db *db, int sent, struct pb_pg_rows *rows, enum pb_pg_kind kind,
                    struct pb_error *err)
{
    if (!sent) {
        pb_pg_lose(db);
        return pb_pg_fail_lost(err);
    }
    db->pending[db->pending_count++] = (struct pb_pg_pending){rows, kind, NULL};
    return 0;
}

/* A statement of the engine's own, without parameters. */
int pb_pg_send_plain(struct pb_pg_db *db, const char *sql, struct pb_error *err)
{
    return pb_pg_note_sent(db, PQsendQueryParams(db->conn, sql, 0, NULL, NULL, NULL, NULL, 0), NULL,
                           PB_PG_RUN, err);
}

static int script(struct pb_db *base, const char *sql, struct pb_error *err)
{
    struct pb_pg_db *db = of(base);

    if (pb_pg_ensure(db, err) < 0 || pb_pg_collect(db, NULL, err) < 0)
        return -1;
    return pb_pg_script_now(db, sql, NULL, err);
}

/* --- changes -------------------------------------------------------------------------------------- */

static void rollback(struct pb_db *base)
{
    struct pb_pg_db *db = of(base);
    struct pb_error ignored;

    /* First what was sent before: after a failure in it everything up to the mark is skipped. */
    if (db->conn)
        (void)!pb_pg_collect(db, NULL, &ignored);
    if (db->conn &&
        (pb_pg_send_plain(db, "ROLLBACK", &ignored) < 0 || pb_pg_collect(db, NULL, &ignored) < 0))
        pb_pg_lose(db);
    db->in_transaction = false;
}

/*
 * Alone among all servers: the lock is held until the end. Not being the newest connection of this
 * writer divides by zero, and then nothing that is sent behind it happens, the COMMIT included.
 */
static int send_turn(struct pb_pg_db *db, struct pb_error *err)
{
    const uint64_t numbers[] = {htobe64((uint64_t)++db->group),
                                htobe64((uint64_t)pb_clock_wall_ms()),
                                htobe64((uint64_t)db->epoch)};
    const char *const values[] = {(const char *)&numbers[0], (const char *)&numbers[1],
                                  (const char *)&numbers[2]};
    const int lengths[] = {8, 8, 8}, formats[] = {1, 1, 1};

    return pb_pg_note_sent(db,
                           PQsendQueryPrepared(db->conn, "turn", 3, values, lengths, formats, 0),
                           NULL, PB_PG_TURN, err);
}

static int send_begin(struct pb_pg_db *db, bool wait, struct pb_error *err)
{
    if (pb_pg_ensure(db, err) < 0 || pb_pg_send_plain(db, "BEGIN", err) < 0 ||
        (db->has_joined && send_turn(db, err) < 0))
        return -1;
    return wait ? pb_pg_collect(db, NULL, err) : 0;
}

/*
 * Its answer comes with that of the first question. Only a connection that nobody used for a moment
 * is asked whether it still lives: a restart of the server is no reason to refuse a change.
 */
static int begin(struct pb_db *base, struct pb_error *err)
{
    struct pb_pg_db *db = of(base);
    bool is_fresh = db->conn && pb_clock_steady_ms() - db->used_at < FRESH_MS;
    bool was_connected = db->conn != NULL;
    unsigned trust = atomic_load(&pg_of(db)->trust);
    bool wait = !db->has_joined || !is_fresh;
    int r = send_begin(db, wait, err);

    if (r < 0 && !db->conn && was_connected && trust == atomic_load(&pg_of(db)->trust))
        r = send_begin(db, wait, err);
    if (r < 0)
        rollback(base);
    db->in_transaction = r == 0;
    return r;
}

static int resolve(struct pb_pg_db *db, struct pb_error *err)
{
    int64_t deadline = pb_clock_steady_ms() + RESOLVE_MS;
    bool is_known = false;

    db->in_transaction = false;
    if (db->conn)
        pb_pg_lose(db);
    while (db->has_joined && !is_known && pb_clock_steady_ms() < deadline) {
        is_known = connect_now(db, true, err) == 0;
        if (!is_known) /* nobody tells us when the database is back */
            (void)poll(NULL, 0, RESOLVE_GAP_MS);
    }
    if (!is_known)
        return pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "outcome_unknown",
                              "the database went away while the change was stored");
    pb_log_debug("store", "change %lld was%s committed", (long long)db->group,
                 db->committed == db->group ? "" : " not");
    if (db->committed == db->group)
        return 0;
    return pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "database_down",
                          "the database went away before the change was stored");
}

static int commit(struct pb_db *base, struct pb_error *err)
{
    struct pb_pg_db *db = of(base);
    PGresult *result = NULL;
    bool is_done;

    db->warned = false;
    if (pb_pg_send_plain(db, "COMMIT", err) < 0 || pb_pg_collect(db, &result, err) < 0) {
        if (!db->conn)
            return resolve(db, err);
        rollback(base); /* refused: something sent before it failed, or it did itself */
        return -1;
    }
    is_done = strcmp(PQcmdStatus(result), "COMMIT") == 0;
    PQclear(result);
    db->in_transaction = false;
    if (is_done && db->warned) /* "canceling wait for synchronous replication": may yet be lost */
        return resolve(db, err);
    return is_done ? 0 : pb_fail(err, PB_ERROR_INTERNAL, "the database rolled the change back");
}

static bool in_transaction(struct pb_db *db)
{
    return of(db)->in_transaction;
}

static int settle(struct pb_db *db, struct pb_error *err)
{
    return pb_pg_collect(of(db), NULL, err);
}

/* --- several servers ------------------------------------------------------------------------------ */

static int lock_schema(struct pb_db *db, struct pb_error *err)
{
    return pb_db_script(db, "SELECT pg_advisory_lock(" SCHEMA_LOCK ")", err);
}

static void unlock_schema(struct pb_db *db)
{
    struct pb_error ignored;

    if (of(db)->conn &&
        pb_db_script(db, "SELECT pg_advisory_unlock(" SCHEMA_LOCK ")", &ignored) < 0 &&
        of(db)->conn)
        pb_pg_lose(of(db));
}

static int join(struct pb_db *base, struct pb_error *err)
{
    struct pb_pg_db *db = of(base);
    struct pb_buf sql;
    int r;

    pb_buf_init(&sql, 1024);
    pb_buf_format(&sql,
                  "CREATE TABLE IF NOT EXISTS store_writers (writer TEXT PRIMARY KEY, "
                  "token BIGINT NOT NULL, epoch BIGINT NOT NULL, at BIGINT NOT NULL) "
                  "WITH (fillfactor = 20); "
                  "DELETE FROM store_writers WHERE at < %lld",
                  (long long)(pb_clock_wall_ms() - (int64_t)KEEP_WRITERS_DAYS * DAY_MS));
    r = lock_schema(base, err);
    if (r == 0) {
        r = pb_db_script(base, pb_buf_string(&sql), err);
        unlock_schema(base);
    }
    pb_buf_release(&sql);
    if (r == 0 && !db->conn)
        r = pb_pg_fail_lost(err);
    if (r == 0)
        r = take_place(db, err);
    db->has_joined = r == 0;
    return r;
}

/* The connections of a server that has just stopped take a moment to end. */
static int claim(struct pb_db *db, struct pb_error *err)
{
    if (pb_db_script(db, "SET lock_timeout = 2000; SELECT pg_advisory_lock(" USE_LOCK ")", err) ==
        0)
        return 0;
    if (strcmp(err->reason, "busy") != 0)
        return -1;
    return pb_fail_reason(err, PB_ERROR_CONFLICT, "database_in_use",
                          "a platform is connected to it: stop the platform first");
}

static int numbering(struct pb_db *db, const char *table, int64_t *ret_last, struct pb_error *err)
{
    return pb_db_number(
        db,
        "SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence(?1, 'id')::regclass), 0)",
        PB_VALUES(T(table)), ret_last, err);
}

static int set_numbering(struct pb_db *db, const char *table, int64_t last, struct pb_error *err)
{
    return pb_db_run(db, "SELECT setval(pg_get_serial_sequence(?1, 'id')::regclass, ?2)",
                     PB_VALUES(T(table), I(last)), NULL, err);
}

/* COLLATE "C": SQLite's order, the same on every machine, whatever its language and its libc. */
static const char *type(const char *token)
{
    static const struct {
        const char *token;
        const char *type;
    } TYPES[] = {
        {"@id", "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"},
        {"@time", "BIGINT"},
        {"@bytes", "BYTEA"},
        {"TEXT", "TEXT COLLATE \"C\""},
    };

    for (size_t i = 0; i < sizeof(TYPES) / sizeof(TYPES[0]); i++) {
        if (strcmp(TYPES[i].token, token) == 0)
            return TYPES[i].type;
    }
    return NULL;
}

const struct pb_db_engine PB_PG_ENGINE = {
    .group_max = 64, /* more parts of one change than this cost every reader */
    .group_ms = 20,
    .one_before = "WITH one AS (",
    .one_after = " RETURNING 1) SELECT 1 / count(*) FROM one",
    .forget = pb_pg_forget,
    .open = open_connection,
    .close = close_connection,
    .prepare = pb_pg_prepare,
    .discard = pb_pg_discard,
    .start = pb_pg_start,
    .next = pb_pg_next,
    .end = pb_pg_end,
    .run = pb_pg_run,
    .script = script,
    .column_count = pb_pg_column_count,
    .column_name = pb_pg_column_name,
    .kind = pb_pg_kind,
    .number = pb_pg_number,
    .text = pb_pg_text,
    .bytes = pb_pg_bytes,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .in_transaction = in_transaction,
    .settle = settle,
    .lock_schema = lock_schema,
    .unlock_schema = unlock_schema,
    .join = join,
    .claim = claim,
    .numbering = numbering,
    .set_numbering = set_numbering,
    .explain = pb_pg_explain,
    .type = type,
};
