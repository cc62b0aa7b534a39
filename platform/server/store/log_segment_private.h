/*
 * One execution's log on disk:
 *
 *   <yyyy-mm>/<execution>.zst  the first lines, once the log was sealed (log_sealed_private.h)
 *   <yyyy-mm>/<execution>.log  the lines since
 *   <yyyy-mm>/<execution>.idx  two slots of state (the older one is overwritten, so one is always
 *                              whole), then from byte 4096 where every 256th line of the .log begins
 *
 * State in the index is of the last checkpoint or seal; what came since is in
 * the journal, and in memory while the store is open.
 */
#ifndef PB_SERVER_STORE_LOG_SEGMENT_PRIVATE_H
#define PB_SERVER_STORE_LOG_SEGMENT_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

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
    uint64_t lines; /* of the whole log */
    uint64_t bytes;
    uint64_t sealed_lines; /* of them in the .zst */
    uint64_t sealed_bytes;
    uint64_t dropped; /* lines that came when the log was full */
    uint32_t birth;
    bool is_complete;
    uint32_t sender_count;
    struct pb_log_sender senders[PB_LIMIT_LOG_ATTEMPTS];
};

/* The sender's entry, made if missing (the lowest attempt gives way when all are taken). */
struct pb_log_sender *pb_log_sender(struct pb_log_state *state, uint32_t attempt);
uint64_t pb_log_sender_next(const struct pb_log_state *state, uint32_t attempt);

/* The path without its last four characters (".log", ".idx"); the month is the ULID's. */
void pb_log_path(const char *execution, const char *suffix, char ret_path[PB_LOG_PATH]);

/* Unix ms. */
int64_t pb_log_ulid_time(const char *ulid);

/* The newer whole slot; empty state and generation 0 if there is no index. */
int pb_log_state_load(int dir, const char *execution, struct pb_log_state *ret_state,
                      uint64_t *ret_generation, struct pb_error *err) PB_MUST_CHECK;
/* The state alone, synced. A log that is gone is success. */
int pb_log_state_write(int dir, const char *execution, const struct pb_log_state *state,
                       uint64_t generation, struct pb_error *err) PB_MUST_CHECK;
/* Makes everything up to this state safe: lines, index, state, in that order. A log that is gone is success. */
int pb_log_state_save(int dir, const char *execution, const struct pb_log_state *state,
                      uint64_t generation, struct pb_error *err) PB_MUST_CHECK;

/* For writing behind this state; made if missing (with its folder and its index), cut to it. If it is shorter the
 * log goes on all the same: what is missing reads as damaged. The descriptor, or -1. */
int pb_log_segment_open(int dir, const char *execution, const struct pb_log_state *state,
                        struct pb_error *err) PB_MUST_CHECK;
/* Lines at the place the state says; state moves on. */
int pb_log_segment_write(int dir, int fd, const char *execution, struct pb_log_state *state,
                         const char *data, size_t len, uint32_t count,
                         struct pb_error *err) PB_MUST_CHECK;
/* Everything of it goes. */
int pb_log_segment_remove(int dir, const char *execution, struct pb_error *err) PB_MUST_CHECK;

/* The first entries of an index; what the file does not have stays as it is. */
int pb_log_index_read(int fd, uint64_t *ret_entries, uint64_t count);

/* Makes the names in a folder of the store safe. */
int pb_log_folder_sync(int dir, const char *path, struct pb_error *err) PB_MUST_CHECK;
/* The folder of an execution's log: "2026-11". */
void pb_log_month(const char *execution, char ret_month[PB_LOG_PATH]);

/* fdatasync(). UNAVAILABLE, reason "disk_error": never try again, nobody knows what is on disk. */
int pb_log_sync(int fd, const char *what, struct pb_error *err) PB_MUST_CHECK;
/* fsync(), of a folder. */
int pb_log_sync_names(int fd, const char *what, struct pb_error *err) PB_MUST_CHECK;
/* All of it unless the file ends before; the number of bytes, -1 on failure. */
ssize_t pb_log_read_at(int fd, void *data, size_t len, uint64_t offset);
int pb_log_write_at(int fd, const void *data, size_t len, uint64_t offset);

#endif
