/*
 * One connection to the database. Services get theirs from the store
 * (pb_store_reader(), or as the argument of a pb_store_write() function) and
 * pass it to the *_store functions; only those speak SQL, through
 * db_private.h. A connection belongs to one thread.
 *
 * There are two engines: SQLite in a file of ours, and PostgreSQL. Nobody
 * outside this folder can tell which it is.
 */
#ifndef PB_SERVER_STORE_DB_H
#define PB_SERVER_STORE_DB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* Where the database is, and what its connections know of it together. */
struct pb_database;
struct pb_database_options {
    const char *address;       /* a file's path, or postgresql://… */
    const char *password_file; /* PostgreSQL's password; NULL or "" = in the address, or none */
    int64_t reply_ms;          /* PostgreSQL: how long one answer may take; 0 = 3 s */
    /* A statement took `slow_ms` or more (0 = nobody wants to know): its text, without its values. On the
     * thread it ran on; it must not use the database. */
    int64_t slow_ms;
    void (*on_slow)(void *arg, const char *sql, int64_t took_ms);
    void *arg;
};
struct pb_database *pb_database_new(const struct pb_database_options *options,
                                    struct pb_error *err) PB_MUST_CHECK;
void pb_database_free(struct pb_database *database); /* after its connections; NULL is fine */
bool pb_database_is_address(const char *text);       /* postgresql:// or postgres:// */
/* For messages: the path, or the address without its password. */
const char *pb_database_name(const struct pb_database *database);

struct pb_db;

/* PB_DB_WRITER makes the file if missing. There is one writer in one process (the store's); of a
 * file, one altogether: it holds the caller's lock on the folder, and it alone checkpoints. */
enum pb_db_mode { PB_DB_READER, PB_DB_WRITER };

struct pb_db *pb_db_open(struct pb_database *database, enum pb_db_mode mode,
                         struct pb_error *err) PB_MUST_CHECK;
void pb_db_close(struct pb_db *db); /* NULL is fine */

/* Parts of the data, for those who keep what they have read. */
enum pb_store_part {
    PB_STORE_HISTORY = 1 << 0, /* projects, work items, executions, attempts */
    PB_STORE_PEOPLE = 1 << 1,  /* users, sessions */
    PB_STORE_ALL = PB_STORE_HISTORY | PB_STORE_PEOPLE,
    PB_STORE_PARTS = 2,
};

#endif
