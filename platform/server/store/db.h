/*
 * One connection to the database. Services get theirs from the store
 * (pb_store_reader(), or as the argument of a pb_store_write() function) and
 * pass it to the *_store functions; only those speak SQL, through
 * db_private.h. A connection belongs to one thread.
 */
#ifndef PB_SERVER_STORE_DB_H
#define PB_SERVER_STORE_DB_H

#include <stdbool.h>

#include "base/error.h"

struct pb_db;

/* PB_DB_WRITER makes the file if missing. There is one writer in one process (the store's, which
 * holds the caller's lock on the folder); it alone checkpoints. */
enum pb_db_mode { PB_DB_READER, PB_DB_WRITER };

struct pb_db *pb_db_open(const char *path, enum pb_db_mode mode,
                         struct pb_error *err) PB_MUST_CHECK;
void pb_db_close(struct pb_db *db); /* NULL is fine */

#endif
