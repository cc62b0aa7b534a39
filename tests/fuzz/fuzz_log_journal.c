/* Any bytes as the journal of the log store, and as the state of a log: records and states are what they may be, or none. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "server/store/log_journal_private.h"
#include "server/store/log_segment_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define EXECUTION "01HF7YAT00AAAAAAAAAAAAAAAA" /* of 2023-11 */

static int dir = -1;
static char folder[40];

static void must(int condition)
{
    if (!condition)
        abort();
}

static void remove_dir(void)
{
    struct pb_error err;

    (void)pb_fs_remove_tree(AT_FDCWD, folder, &err);
}

/* In memory where there is such a place: files are written for each input. */
static void make_dir(void)
{
    strcpy(folder,
           access("/dev/shm", W_OK) == 0 ? "/dev/shm/poppo-fuzz-XXXXXX" : "/tmp/poppo-fuzz-XXXXXX");
    must(mkdtemp(folder) != NULL && atexit(remove_dir) == 0);
    dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    must(dir >= 0 && mkdirat(dir, "2023-11", 0700) == 0);
}

static void put(const char *name, const uint8_t *data, size_t size)
{
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    must(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    close(fd);
}

/* Makes the checksums true, so that what is behind them is looked at. */
static void mend(uint8_t *data, size_t size)
{
    enum { MAGIC = 0x4a4c4250, HEADER = 76, SLOT = 2048, SLOT_MAGIC = 0x53494250 };

    for (size_t at = 0; at + HEADER <= size; at++) {
        size_t len = pb_get_u32(data + at + 8);

        if (pb_get_u32(data + at) == MAGIC && len <= size - at - HEADER)
            pb_put_u32(data + at + 4, pb_crc32c(0, data + at + 8, HEADER - 8 + len));
    }
    for (size_t at = 0; at + SLOT <= size && at <= SLOT; at += SLOT)
        if (pb_get_u32(data + at) == SLOT_MAGIC)
            pb_put_u32(data + at + 4, pb_crc32c(0, data + at + 8, SLOT - 8));
}

static int on_record(void *arg, const struct pb_log_record *record, struct pb_error *err)
{
    volatile char sum = 0;

    (void)arg;
    (void)err;
    must(record->len <= PB_LIMIT_LOG_CHUNK && strlen(record->execution) == PB_ULID_TEXT - 1);
    for (size_t i = 0; i < record->len; i++)
        sum = (char)(sum ^ record->data[i]);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pb_log_state state;
    struct pb_error err;
    uint64_t generation;

    uint8_t *mended = malloc(size + 1);

    must(mended != NULL);
    if (dir < 0)
        make_dir();
    memcpy(mended, data, size);
    mend(mended, size);
    put("journal-000000000001", mended, size);
    must(pb_log_journal_replay(dir, 1, on_record, NULL, &err) == 0);
    put("2023-11/" EXECUTION ".idx", mended, size);
    must(pb_log_state_load(dir, EXECUTION, &state, &generation, &err) == 0);
    must(state.sealed_lines <= state.lines && state.sealed_bytes <= state.bytes);
    must(state.sender_count <= PB_LIMIT_LOG_ATTEMPTS);
    free(mended);
    return 0;
}
