/*
 * Brings a database to this program's schema: the numbered files of
 * migrations/, embedded at build time, each applied once in a transaction of
 * its own and noted in schema_history with its SHA-256.
 *
 * Refused, with nothing changed: a database that is newer than the program
 * (PRECONDITION, reason "schema_newer"), and one where an applied file is not
 * the one in the program (PRECONDITION, reason "schema_changed").
 *
 * Tokens in the files: @id (a row's own number), @time (ms since 1970), @bytes, and
 * TEXT, which PostgreSQL gets with the collation SQLite has (so no CAST to it).
 *
 * Several servers may start at once: one brings the schema up to date, the others
 * wait for it and find it done.
 */
#ifndef PB_SERVER_STORE_SCHEMA_H
#define PB_SERVER_STORE_SCHEMA_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "server/store/db.h"

struct pb_migration {
    unsigned number;
    const char *name; /* "0001_projects_and_executions.sql" */
    const char *sql;
    const char *sha256; /* hex, of the file as it stands in migrations/ */
};

/* In number order; made by tools/embed_sql.py. */
extern const struct pb_migration PB_MIGRATIONS[];
extern const size_t PB_MIGRATION_COUNT;

int pb_schema_apply(struct pb_db *db, const struct pb_migration *migrations, size_t count,
                    const char *app_version, int64_t now_ms, struct pb_error *err) PB_MUST_CHECK;
/* Is it exactly this program's schema? NOT_FOUND, reason "no_installation"; PRECONDITION, reasons as
 * above and "schema_older". */
int pb_schema_check(struct pb_db *db, const struct pb_migration *migrations, size_t count,
                    struct pb_error *err) PB_MUST_CHECK;

#endif
