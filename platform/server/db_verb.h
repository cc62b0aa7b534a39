/*
 * poppo-platform db copy --from DATABASE --to DATABASE: moves an installation
 * from one database to another, while nothing serves from this data folder.
 * DATABASE is written as in the setting `database`: sqlite, or postgresql://…
 *
 * Started as root it works as the user of setting `user`, whose files they are.
 */
#ifndef PB_SERVER_DB_VERB_H
#define PB_SERVER_DB_VERB_H

#include "base/error.h"
#include "server/settings.h"

/* argv: the words after "db". INVALID, reason "usage", when they make no sense. */
int pb_db_verb(struct pb_settings *settings, int argc, char **argv,
               struct pb_error *err) PB_MUST_CHECK;

#endif
