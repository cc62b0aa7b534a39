/*
 * PostgreSQL in three files. db_postgres_connect.c knows the servers: it finds the one that takes
 * writes, and remembers for all connections what must not be forgotten when one breaks.
 * db_postgres.c speaks over a connection and makes changes, db_postgres_statement.c has the
 * statements, their parameters and rows.
 *
 * Nothing here waits without a deadline: libpq is used without blocking, and an answer that does not
 * come in time ends the connection.
 */
#ifndef PB_SERVER_STORE_DB_POSTGRES_PRIVATE_H
#define PB_SERVER_STORE_DB_POSTGRES_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/id.h"
#include "server/store/db_engine.h"

struct pg_conn;   /* libpq's PGconn */
struct pg_result; /* its PGresult */

enum {
    PB_PG_HOSTS_MAX = 8,
    PB_PG_PARAMETERS_MAX = 64, /* of the address */
    PB_PG_VALUES_MAX = 96,     /* of a statement */
    PB_PG_PENDING_MAX = 64,
};

/* --- the servers -----------------------------------------------------------------------------------
 * */

struct pb_pg_host {
    char *name;    /* owned, as the two below; NULL = libpq's own default */
    char *address; /* to go to instead of asking for the name's */
    char *port;
};

struct pb_pg {
    struct pb_database base;
    char
        *keywords[PB_PG_PARAMETERS_MAX]; /* owned, as the values: what is the same for every host */
    char *values[PB_PG_PARAMETERS_MAX];
    size_t parameter_count;
    struct pb_pg_host hosts[PB_PG_HOSTS_MAX];
    size_t host_count;
    int64_t reply_ms;
    char writer[PB_ULID_TEXT]; /* who we are among the servers of this database */

    /* Goes up when an answer did not come in time: connections made before are not used again, so
     * that a dead network is found out once and not by each of them. */
    atomic_uint trust;

    pthread_mutex_t lock; /* guards what follows */
    bool was_there;       /* once, at least */
    bool is_down;         /* the last attempt failed: one thread at a time tries again, */
    bool is_trying;       /* the others are told `why` at once */
    int64_t retry_at;
    struct pb_error why;
    uint64_t timeline; /* the highest seen: a server on a smaller one is a primary of the past */
};

extern const struct pb_db_engine PB_PG_ENGINE;
void pb_pg_forget(struct pb_database *database);

/* A connection to the server that takes writes, its session set up. `insist`: try even right after a
 * failure. UNAVAILABLE, reason "database_down". *warned is set by each WARNING that comes over it. */
struct pg_conn *pb_pg_connect(struct pb_pg *pg, enum pb_db_mode mode, bool insist, bool *warned,
                              struct pb_error *err) PB_MUST_CHECK;
/* Waits until an answer can be taken. -1: it did not come, the connection is of no use any more. */
int pb_pg_wait(struct pb_pg *pg, struct pg_conn *conn, int64_t deadline,
               struct pb_error *err) PB_MUST_CHECK;
/* Several statements at once, outside pipeline mode; *ret_last (may be NULL) is the last one's result. */
int pb_pg_script(struct pb_pg *pg, struct pg_conn *conn, const char *sql, int64_t deadline,
                 struct pg_result **ret_last, struct pb_error *err) PB_MUST_CHECK;
/* What the server said, as an error of ours; returns -1. */
int pb_pg_fail(const struct pg_result *result, struct pb_error *err);
/* Does this refusal mean that the connection, or its server, is no longer the right one? */
bool pb_pg_is_gone(const struct pg_result *result, enum pb_db_mode mode);

/* --- a connection --------------------------------------------------------------------------------
 * */

struct pb_pg_piece { /* decoded bytes of the current row */
    struct pb_pg_piece *next;
    unsigned char *data; /* libpq's */
};

enum pb_pg_state { PB_PG_NEW, PB_PG_SENT, PB_PG_READY };

struct pb_pg_rows {
    struct pb_rows base;
    char *text; /* owned: the statement with $n */
    unsigned parameters;
    bool is_used[PB_PG_VALUES_MAX];
    unsigned types[PB_PG_VALUES_MAX]; /* 0: only NULLs so far, the server guessed */
    char name[24];                    /* "" = none yet */
    enum pb_pg_state state;           /* on connection number `connection` */
    uint64_t connection;
    struct pg_result *result;
    int row;
    struct pb_pg_piece *pieces;
};

enum pb_pg_kind { PB_PG_RUN, PB_PG_PREPARE, PB_PG_TURN };

struct pb_pg_pending {
    struct pb_pg_rows *rows; /* NULL: nobody's */
    enum pb_pg_kind kind;
    struct pb_error *otherwise; /* owned; NULL = any number of rows will do */
};

struct pb_pg_db {
    struct pb_db base;
    struct pg_conn *conn; /* NULL: there is none at the moment */
    unsigned trust;       /* the database's when it was made */
    uint64_t connection;  /* counts them */
    int64_t used_at;      /* steady time of the last answer */
    uint64_t names;
    struct pb_pg_pending pending[PB_PG_PENDING_MAX]; /* sent, answers not yet taken */
    size_t pending_count;
    bool in_transaction;
    bool has_joined;
    int64_t group;     /* number of the change, for finding out whether it was committed */
    int64_t committed; /* what the writer's row said when this connection took its place */
    int64_t epoch;     /* number of this connection among the writer's */
    bool warned;       /* a WARNING came */
};

/* There is a connection, or a new one is made; not in the middle of a change. */
int pb_pg_ensure(struct pb_pg_db *db, struct pb_error *err) PB_MUST_CHECK;
void pb_pg_lose(struct pb_pg_db *db);
int pb_pg_fail_lost(struct pb_error *err);
/* Every call of libpq that sends goes through here with its result. */
int pb_pg_note_sent(struct pb_pg_db *db, int sent, struct pb_pg_rows *rows, enum pb_pg_kind kind,
                    struct pb_error *err) PB_MUST_CHECK;
/* A statement of the engine's own, without parameters; not waited for. */
int pb_pg_send_plain(struct pb_pg_db *db, const char *sql, struct pb_error *err) PB_MUST_CHECK;
/* Waits for all that was sent. *ret_last (may be NULL) is the answer to the last of it. */
int pb_pg_collect(struct pb_pg_db *db, struct pg_result **ret_last,
                  struct pb_error *err) PB_MUST_CHECK;
int pb_pg_script_now(struct pb_pg_db *db, const char *sql, struct pg_result **ret_last,
                     struct pb_error *err) PB_MUST_CHECK;

/* --- statements: members of the engine's table ---------------------------------------------------
 * */

struct pb_rows *pb_pg_prepare(struct pb_db *db, const char *sql, struct pb_error *err);
void pb_pg_discard(struct pb_rows *rows);
int pb_pg_start(struct pb_rows *rows, const struct pb_values *values, struct pb_error *err);
int pb_pg_next(struct pb_rows *rows, struct pb_error *err);
void pb_pg_end(struct pb_rows *rows);
int pb_pg_run(struct pb_rows *rows, const struct pb_values *values, int64_t *ret_changed,
              const struct pb_error *otherwise, struct pb_error *err);
int pb_pg_column_count(struct pb_rows *rows);
const char *pb_pg_column_name(struct pb_rows *rows, int column);
enum pb_value_kind pb_pg_kind(struct pb_rows *rows, int column);
int64_t pb_pg_number(struct pb_rows *rows, int column);
const char *pb_pg_text(struct pb_rows *rows, int column);
const void *pb_pg_bytes(struct pb_rows *rows, int column, size_t *ret_len);
int pb_pg_explain(struct pb_rows *rows, struct pb_buf *ret_plan, struct pb_error *err);

#endif
