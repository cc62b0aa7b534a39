/*
 * What an engine is to the rest of the store: one table of functions, filled in by db_sqlite.c and
 * db_postgres.c. db.c calls it, and keeps what is the same for both: the cache of statements, and the
 * rule that after a failed statement a change can only be undone.
 *
 * An engine's structs begin with the ones below.
 */
#ifndef PB_SERVER_STORE_DB_ENGINE_H
#define PB_SERVER_STORE_DB_ENGINE_H

#include "server/store/db_private.h"

enum { PB_DB_STATEMENTS = 128 }; /* prepared ones kept per connection */

struct pb_database {
    const struct pb_db_engine *engine;
    char *name;      /* owned; for messages: a path, or an address without its password */
    int64_t slow_ms; /* as in the options */
    void (*on_slow)(void *arg, const char *sql, int64_t took_ms);
    void *arg;
};

struct pb_db {
    const struct pb_db_engine *engine;
    struct pb_database *database; /* borrowed */
    enum pb_db_mode mode;
    struct pb_rows *statements[PB_DB_STATEMENTS]; /* owned; NULL = free */
    uint64_t clock;
    int64_t patience_ms; /* for one answer; 0 = the database's */
    bool is_open;        /* between begin and commit or rollback */
    bool is_closing;
    bool is_spoiled;  /* a statement failed since; nothing but undoing works */
    unsigned changed; /* parts of the data, since pb_db_take_changed() */
    struct pb_error why;
};

struct pb_rows {
    struct pb_db *db; /* borrowed */
    char *sql;        /* owned */
    uint64_t hash;
    uint64_t used_at;
    unsigned changes; /* parts of the data */
    bool is_running;
    int64_t took_us; /* by the engine, since it was started */
};

struct pb_db_engine {
    unsigned group_max; /* changes committed together, */
    int64_t group_ms;   /* and for how long they are gathered */

    void (*forget)(struct pb_database *database);
    struct pb_db *(*open)(struct pb_database *database, enum pb_db_mode mode, struct pb_error *err);
    void (*close)(struct pb_db *db); /* after its statements */

    struct pb_rows *(*prepare)(struct pb_db *db, const char *sql, struct pb_error *err);
    void (*discard)(struct pb_rows *rows);
    int (*start)(struct pb_rows *rows, const struct pb_values *values, struct pb_error *err);
    int (*next)(struct pb_rows *rows, struct pb_error *err);
    void (*end)(struct pb_rows *rows);
    /* Without rows. ret_changed NULL: nobody waits for it, its failure may come with a later call.
     * `otherwise` (may be NULL): the failure if no row was touched. */
    int (*run)(struct pb_rows *rows, const struct pb_values *values, int64_t *ret_changed,
               const struct pb_error *otherwise, struct pb_error *err);
    /* What stands around a statement that must touch a row; NULL where nothing needs to. */
    const char *one_before, *one_after;
    int (*script)(struct pb_db *db, const char *sql, struct pb_error *err);

    int (*column_count)(struct pb_rows *rows);
    const char *(*column_name)(struct pb_rows *rows, int column);
    enum pb_value_kind (*kind)(struct pb_rows *rows, int column);
    int64_t (*number)(struct pb_rows *rows, int column);
    const char *(*text)(struct pb_rows *rows, int column);
    const void *(*bytes)(struct pb_rows *rows, int column, size_t *ret_len);

    int (*begin)(struct pb_db *db, struct pb_error *err);
    int (*commit)(struct pb_db *db, struct pb_error *err);
    void (*rollback)(struct pb_db *db);
    bool (*in_transaction)(struct pb_db *db);
    int (*settle)(struct pb_db *db, struct pb_error *err);

    /* What both have and only one needs; NULL where there is nothing to do. */
    int (*lock_schema)(struct pb_db *db, struct pb_error *err);
    void (*unlock_schema)(struct pb_db *db);
    int (*join)(struct pb_db *db, struct pb_error *err);
    int (*claim)(struct pb_db *db, struct pb_error *err);
    int (*checkpoint)(struct pb_db *db, bool restart, struct pb_error *err);
    int (*wal_pages)(struct pb_db *db);

    int (*numbering)(struct pb_db *db, const char *table, int64_t *ret_last, struct pb_error *err);
    int (*set_numbering)(struct pb_db *db, const char *table, int64_t last, struct pb_error *err);
    int (*explain)(struct pb_rows *rows, struct pb_buf *ret_plan, struct pb_error *err);
    const char *(*type)(const char *token);
};

/* The one of the two that the address is of. NULL and an error if it is no address. */
struct pb_database *pb_sqlite_database(const struct pb_database_options *options,
                                       struct pb_error *err) PB_MUST_CHECK;
struct pb_database *pb_postgres_database(const struct pb_database_options *options,
                                         struct pb_error *err) PB_MUST_CHECK;

#endif
