/*
 * The second place for lines: rows of the database, so that several servers
 * share them. The same interface and the same promises as log_store.h, with
 * the database's commit in place of the journal's sync. The database writes all of it.
 */
#ifndef PB_SERVER_STORE_LOG_CHUNKS_H
#define PB_SERVER_STORE_LOG_CHUNKS_H

#include "server/store/log_store.h"
#include "server/store/store.h"

/* Of the options: queue_bytes, gather_ms and log_max. The store (borrowed) outlives it. */
struct pb_log_store *pb_log_chunks_open(struct pb_store *store,
                                        const struct pb_log_store_options *options,
                                        struct pb_error *err) PB_MUST_CHECK;

#endif
