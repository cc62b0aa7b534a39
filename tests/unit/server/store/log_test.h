/* A log store in a folder of its own, and lines that everybody writes the same way. */
#ifndef PB_LOG_TEST_H
#define PB_LOG_TEST_H

#include <stdatomic.h>

#include "base/buf.h"
#include "base/id.h"
#include "server/store/log_store.h"
#include "store_test.h"

struct logs_test {
    char dir[64];
    char id[PB_ULID_TEXT];
    struct pb_log_store *logs;
    struct pb_error err;
};

/* Syncing a file whose path has this in it fails with EIO, and is counted. NULL: none does. */
extern const char *_Atomic log_test_bad_disk;
extern atomic_int log_test_bad_syncs;

/* For cmocka_unit_test_setup_teardown(); *state is a struct logs_test. */
int log_test_setup(void **state);
int log_test_teardown(void **state);

/* 0 = as the store likes it; ticks of 1 ms. */
void open_logs(struct logs_test *t, size_t journal_bytes);
/* Complete logs are sealed at once. */
void open_sealing(struct logs_test *t);
void open_with(struct logs_test *t, const struct pb_log_store_options *options);
void reopen(struct logs_test *t);

/* Lines [from, from + count) of attempt `attempt`: 25 bytes or more each. */
void put_lines(struct pb_buf *buf, uint32_t attempt, uint64_t from, uint32_t count);
int append(struct logs_test *t, const char *id, uint32_t attempt, uint64_t seq, uint32_t count,
           struct pb_log_ack *ret_ack);
int append_text(struct logs_test *t, const char *id, uint32_t attempt, uint64_t seq, uint32_t count,
                const char *text);

/* The whole log must be `expected`. */
void expect_log(struct logs_test *t, const char *id, const struct pb_buf *expected);
void expect_lines(struct logs_test *t, const char *id, uint32_t attempt, uint32_t count);
void read_all(struct logs_test *t, const char *id, struct pb_buf *ret_data,
              struct pb_log_info *ret_info);

/* "<dir>/<yyyy-mm>/<execution><suffix>" */
void path_of(const struct logs_test *t, const char *id, const char *suffix, char ret_path[160]);
bool exists(const struct logs_test *t, const char *id, const char *suffix);
/* Returns when the log's lines have moved into its .zst. */
void wait_until_sealed(struct logs_test *t, const char *id);
void read_file(const char *path, struct pb_buf *ret_data);
void write_file(const char *path, const void *data, size_t len);

#endif
