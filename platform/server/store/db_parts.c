/* Which part of the data a statement changes, told by its text: what somebody keeps of it is old then. */
#include <string.h>

#include "base/text.h"
#include "server/store/db_private.h"

/* Foreign keys change only what is of the same part. */
static const struct {
    const char *table;
    enum pb_store_part part;
} TABLES[] = {
    {"projects", PB_STORE_HISTORY},   {"work_items", PB_STORE_HISTORY},
    {"executions", PB_STORE_HISTORY}, {"attempts", PB_STORE_HISTORY},
    {"users", PB_STORE_PEOPLE},       {"sessions", PB_STORE_PEOPLE},
};

static const char *const CHANGES[] = {"INSERT INTO ", "UPDATE ", "DELETE FROM "};
/* Begin and end changes, or only look. */
static const char *const HARMLESS[] = {"SELECT ",   "BEGIN",    "COMMIT",  "SAVEPOINT ",
                                       "ROLLBACK ", "RELEASE ", "PRAGMA ", "LOCK "};

static unsigned part_of(const char *table)
{
    size_t len = strspn(table, "abcdefghijklmnopqrstuvwxyz_");

    for (size_t i = 0; i < sizeof(TABLES) / sizeof(TABLES[0]); i++) {
        if (strlen(TABLES[i].table) == len && memcmp(TABLES[i].table, table, len) == 0)
            return TABLES[i].part;
    }
    return len > 0 ? 0 : PB_STORE_ALL;
}

unsigned pb_sql_parts(const char *sql)
{
    for (size_t i = 0; i < sizeof(CHANGES) / sizeof(CHANGES[0]); i++) {
        if (pb_text_starts(sql, CHANGES[i]))
            return part_of(sql + strlen(CHANGES[i]));
    }
    for (size_t i = 0; i < sizeof(HARMLESS) / sizeof(HARMLESS[0]); i++) {
        if (pb_text_starts(sql, HARMLESS[i]))
            return 0;
    }
    for (size_t i = 0; i < sizeof(CHANGES) / sizeof(CHANGES[0]); i++) {
        if (!pb_text_starts(sql, "WITH ") || strstr(sql, CHANGES[i]))
            return PB_STORE_ALL;
    }
    return 0;
}
