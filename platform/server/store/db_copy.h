/*
 * Moves an installation's database from one engine to the other, or from one
 * place to another: every table, row by row in the order of its keys, and
 * where the numbering of its rows stands.
 *
 * The source must have this program's schema, the target must be empty. All of
 * it is one change of the target: it is there as a whole, read again and
 * compared with what was read from the source, or nothing of it is. Nobody can
 * write to either meanwhile.
 *
 * Logs and workspaces are files of the data folder and not in the database.
 */
#ifndef PB_SERVER_STORE_DB_COPY_H
#define PB_SERVER_STORE_DB_COPY_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "server/store/db.h"

struct pb_db_copy {
    const char *from; /* a path or postgresql://… */
    const char *from_password_file;
    const char *to;
    const char *to_password_file;
    const char *app_version;
    /* May be NULL: told of each table when its rows are written. */
    void (*on_table)(void *arg, const char *table, int64_t rows);
    void *arg;
};

/* NOT_FOUND "no_installation": there is none in the source; PRECONDITION "schema_older",
 * "schema_newer"; CONFLICT "target_not_empty", "database_in_use" (by a server, on whichever machine). */
int pb_db_copy(const struct pb_db_copy *copy, struct pb_error *err) PB_MUST_CHECK;

/* The tables that are copied, in order, for a test that none is forgotten. */
const char *pb_db_copy_table(size_t index); /* NULL = there are no more */

#endif
