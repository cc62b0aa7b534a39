/*
 * Effects still to be had on GitHub, written in the same transaction as the
 * change they follow from: a crash between the two loses nothing.
 *
 * There is at most one live row per (work item, kind). Putting another one
 * brings it up to date and makes it due at once, with a new revision; a
 * worker that was busy with the older revision finds at pb_outbox_done() that
 * there is more to do. So effects must be "make it look like the newest state".
 */
#ifndef PB_SERVER_STORE_OUTBOX_STORE_H
#define PB_SERVER_STORE_OUTBOX_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "server/store/db.h"

struct pb_outbox_row {
    int64_t id;
    const char *project_id;
    int64_t work_item_id;
    const char *execution_id;
    const char *kind;    /* "sync_issue" */
    const char *payload; /* JSON or NULL */
    int64_t revision;
    int64_t attempts;
    int64_t next_at;
    const char *last_error;
    int64_t created_at;
    int64_t done_at;
};

struct pb_outbox_list {
    struct pb_outbox_row *items;
    size_t count;
};

int pb_outbox_put(struct pb_db *db, const char *project_id, int64_t work_item_id,
                  const char *execution_id, const char *kind, const char *payload, int64_t now_ms,
                  struct pb_error *err) PB_MUST_CHECK;
/* Live rows due now, oldest due first. */
int pb_outbox_due(struct pb_db *db, struct pb_arena *arena, int64_t now_ms, size_t limit,
                  struct pb_outbox_list *ret_list, struct pb_error *err) PB_MUST_CHECK;
/* When the next live row is due; 0 = none. */
int pb_outbox_next_at(struct pb_db *db, int64_t *ret_at, struct pb_error *err) PB_MUST_CHECK;
/* Done with this revision. ret_more: a newer one came meanwhile, the row lives on and is due. */
int pb_outbox_done(struct pb_db *db, int64_t id, int64_t revision, int64_t now_ms, bool *ret_more,
                   struct pb_error *err) PB_MUST_CHECK;
/* Try again at next_at (a newer revision stays due at once); attempts + 1. */
int pb_outbox_retry(struct pb_db *db, int64_t id, int64_t revision, int64_t next_at,
                    const char *error, struct pb_error *err) PB_MUST_CHECK;
/* Done without success: last_error stays readable. A newer revision lives on. */
int pb_outbox_give_up(struct pb_db *db, int64_t id, int64_t revision, int64_t now_ms,
                      const char *error, struct pb_error *err) PB_MUST_CHECK;
/* Removes finished rows older than that, `limit` at most. */
int pb_outbox_purge(struct pb_db *db, int64_t before_ms, int64_t limit, int64_t *ret_removed,
                    struct pb_error *err) PB_MUST_CHECK;

#endif
