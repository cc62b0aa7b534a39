/*
 * The one file that is synced: every chunk of every running attempt, in the
 * order taken. A record says where its lines stand in their segment, so
 * replaying it is writing the same bytes to the same place: harmless any
 * number of times, and if a place was written twice the later one holds.
 *
 *   magic crc32c len type execution attempt count seq line offset | lines
 *
 * The checksum covers everything behind it. Reading ends at the first record
 * that is not whole: what was being written when the power went.
 */
#ifndef PB_SERVER_STORE_LOG_JOURNAL_PRIVATE_H
#define PB_SERVER_STORE_LOG_JOURNAL_PRIVATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/id.h"

enum pb_log_record_type {
    PB_LOG_RECORD_LINES = 1,
    PB_LOG_RECORD_COMPLETE,
    PB_LOG_RECORD_REOPEN,
    PB_LOG_RECORD_REMOVE,
    PB_LOG_RECORD_DROP, /* `count` lines came when the log was full; the data begins with how many before */
};

struct pb_log_record {
    enum pb_log_record_type type;
    char execution[PB_ULID_TEXT];
    uint32_t attempt;
    uint32_t count;
    uint64_t seq;    /* the sender's number of the first line */
    uint64_t line;   /* the execution's number of it */
    uint64_t offset; /* where it stands in the segment */
    const char *data;
    size_t len;
};

struct pb_log_journal {
    int dir; /* borrowed */
    int fd;
    uint64_t number; /* in its file's name */
    uint64_t size;   /* synced */
    struct pb_buf batch;
    bool is_broken; /* what is in the file behind `size` is unknown: go on in another one */
};

int pb_log_journal_create(struct pb_log_journal *journal, int dir, uint64_t number,
                          struct pb_error *err) PB_MUST_CHECK;
void pb_log_journal_close(struct pb_log_journal *journal);
void pb_log_journal_add(struct pb_log_journal *journal, const struct pb_log_record *record);
/* Writes and syncs what was added. On failure the file is as before and nothing was added; on reason
 * "disk_error" nobody knows. */
int pb_log_journal_commit(struct pb_log_journal *journal, struct pb_error *err) PB_MUST_CHECK;

typedef int pb_log_replay_fn(void *arg, const struct pb_log_record *record, struct pb_error *err);
int pb_log_journal_replay(int dir, uint64_t number, pb_log_replay_fn *fn, void *arg,
                          struct pb_error *err) PB_MUST_CHECK;
/* Numbers of the journals there are, ascending; free() them. */
int pb_log_journal_list(int dir, uint64_t **ret_numbers, size_t *ret_count,
                        struct pb_error *err) PB_MUST_CHECK;
void pb_log_journal_unlink(int dir, uint64_t number);

uint32_t pb_crc32c(uint32_t crc, const void *data, size_t len);
/* Little-endian integers of both file formats. */
void pb_put_u32(unsigned char *at, uint32_t value);
void pb_put_u64(unsigned char *at, uint64_t value);
uint32_t pb_get_u32(const unsigned char *at);
uint64_t pb_get_u64(const unsigned char *at);

#endif
