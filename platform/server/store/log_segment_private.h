/*
 * One execution's log on disk:
 *
 *   <yyyy-mm>/<execution>.log  the lines
 *   <yyyy-mm>/<execution>.idx  two slots of state (the older one is overwritten, so one is always
 *                              whole), then from byte 4096 the offset of every 256th line
 *
 * State in the index is of the last checkpoint; what came since is in the
 * journal, and in memory while the store is open.
 */
#ifndef PB_SERVER_STORE_LOG_SEGMENT_PRIVATE_H
#define PB_SERVER_STORE_LOG_SEGMENT_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/id.h"
#include "model/limits.h"

enum {
    PB_LOG_INDEX_STEP = 256, /* lines between two entries of the index */
    PB_LOG_PATH = 48,        /* "2026-11/<execution>.log" */
};

struct pb_log_sender {
    uint32_t attempt;
    uint64_t next;
};

struct pb_log_state {
    uint64_t lines;
    uint64_t bytes;
    bool is_complete;
    uint32_t sender_count;
    struct pb_log_sender senders[PB_LIMIT_LOG_ATTEMPTS];
};

/* The sender's entry, made if missing (the lowest attempt gives way when all are taken). */
struct pb_log_sender *pb_log_sender(struct pb_log_state *state, uint32_t attempt);
uint64_t pb_log_sender_next(const struct pb_log_state *state, uint32_t attempt);

/* The path without its last four characters (".log", ".idx"); the month is the ULID's. */
void pb_log_path(const char *execution, const char *suffix, char ret_path[PB_LOG_PATH]);

/* The newer whole slot; empty state and generation 0 if there is no index. */
int pb_log_state_load(int dir, const char *execution, struct pb_log_state *ret_state,
                      uint64_t *ret_generation, struct pb_error *err) PB_MUST_CHECK;
/* Makes everything up to this state safe: lines, index, state, in that order. A log that is gone is success. */
int pb_log_state_save(int dir, const char *execution, const struct pb_log_state *state,
                      uint64_t generation, struct pb_error *err) PB_MUST_CHECK;

/* For writing; made if missing (with its folder and its index), cut to `bytes`. The descriptor, or -1. */
int pb_log_segment_open(int dir, const char *execution, uint64_t bytes,
                        struct pb_error *err) PB_MUST_CHECK;
/* Lines at the place the state says; state moves on. */
int pb_log_segment_write(int dir, int fd, const char *execution, struct pb_log_state *state,
                         const char *data, size_t len, uint32_t count,
                         struct pb_error *err) PB_MUST_CHECK;
/* Lines [from, from + count) of a log in this state, whole ones, as many as fit into the buffer. */
int pb_log_segment_read(int dir, const char *execution, const struct pb_log_state *state,
                        uint64_t from, uint64_t count, struct pb_buf *ret_data, uint64_t *ret_count,
                        struct pb_error *err) PB_MUST_CHECK;
/* Makes the names in a folder of the store safe. */
int pb_log_folder_sync(int dir, const char *path, struct pb_error *err) PB_MUST_CHECK;
int pb_log_segment_remove(int dir, const char *execution, struct pb_error *err) PB_MUST_CHECK;

#endif
