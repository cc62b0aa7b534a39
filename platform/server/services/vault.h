/*
 * Where secrets live. Each version of a secret is sealed with its own random
 * key (DEK), which is sealed by the key of the key file (KEK); both seals are
 * bound to scope, project, name and version, so rows cannot be swapped. Plain
 * text exists only in memory handed to one caller, who wipes it.
 *
 * The key file is 0600, ours, 32 bytes in hex, outside the data folder. It is
 * made at the first start and never again: a database with sealed rows and no
 * key file is an error that says so.
 *
 * Every reveal leaves an audit row. A service that reads the same version for
 * the same purpose again within the hour shares one.
 */
#ifndef PB_SERVER_SERVICES_VAULT_H
#define PB_SERVER_SERVICES_VAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

struct pb_db;
struct pb_store;
struct pb_vault;

/* Names in use. */
#define PB_SECRET_GITHUB_TOKEN      "github_token"
#define PB_SECRET_ANTHROPIC_API_KEY "anthropic_api_key"

struct pb_vault *pb_vault_open(struct pb_store *store, const char *key_file,
                               struct pb_error *err) PB_MUST_CHECK;
void pb_vault_close(struct pb_vault *vault); /* NULL is fine */

/* A new version of one secret; project_id NULL = the platform's own. Inside a writer function. */
int pb_vault_put(struct pb_vault *vault, struct pb_db *db, const char *project_id, const char *name,
                 const char *plain, const char *by, struct pb_error *err) PB_MUST_CHECK;

/* Plain text of the newest version; wipe it with pb_wipe_free(). NOT_FOUND with reason
 * "secret_missing"; DENIED when the key file is not the one it was sealed with. Any thread but the
 * writer's. `by` (a user, a service, a node) and `purpose` go into the audit row. */
int pb_vault_reveal(struct pb_vault *vault, const char *project_id, const char *name,
                    const char *by, const char *purpose, char **ret_plain,
                    struct pb_error *err) PB_MUST_CHECK;

/* Is there one, and since when; never the value. */
int pb_vault_state(struct pb_db *db, const char *project_id, const char *name, bool *ret_set,
                   int64_t *ret_updated_at, struct pb_error *err) PB_MUST_CHECK;

/* Removes every secret of a deleted project. Inside a writer function. */
int pb_vault_forget(struct pb_db *db, const char *project_id, struct pb_error *err) PB_MUST_CHECK;

/* One-cell records (environment variables, our own signing key): DEK and value in one text. `context`
 * says what it is ("env/<project>/<key>") and must be the same when opened. */
int pb_vault_seal_text(struct pb_vault *vault, const char *context, const char *plain,
                       struct pb_buf *ret_text, struct pb_error *err) PB_MUST_CHECK;
int pb_vault_open_text(struct pb_vault *vault, const char *context, const char *text,
                       char **ret_plain, struct pb_error *err) PB_MUST_CHECK;

#endif
