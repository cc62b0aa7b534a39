/* A sealed log whose bytes come from anywhere: every line it should have is there or damaged, none is more than that. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "server/store/log_marks_private.h"
#include "server/store/log_sealed_format_private.h"

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

/* Makes the checksums true, so that what is behind them is looked at. */
static void mend(uint8_t *data, size_t size)
{
    struct pb_log_foot foot;

    for (size_t at = 0; at + PB_LOG_TAG <= size; at++) {
        uint8_t *row = data + at + PB_LOG_SKIPPABLE;

        if (pb_get_u32(data + at) == PB_LOG_MAGIC_TAG && pb_get_u32(data + at + 4) == PB_LOG_ROW)
            pb_put_u32(row + PB_LOG_ROW - 4, pb_crc32c(0, row, PB_LOG_ROW - 4));
    }
    if (size < PB_LOG_FOOT)
        return;
    data += size - PB_LOG_FOOT;
    pb_put_u32(data + 12, pb_crc32c(0, data, 12));
    if (!pb_log_foot_decode(data, size, &foot))
        return;
    data -= foot.marks_len;
    pb_put_u32(data + foot.marks_len + 8, pb_crc32c(0, data, foot.marks_len));
    pb_put_u32(data + foot.marks_len + 12, pb_crc32c(0, data + foot.marks_len, 12));
    for (uint32_t i = 0; i < foot.rows; i++) {
        data -= PB_LOG_ROW;
        pb_put_u32(data + PB_LOG_ROW - 4, pb_crc32c(0, data, PB_LOG_ROW - 4));
    }
}

static int count_mark(void *arg, const struct pb_log_mark *mark)
{
    uint64_t *last = arg;

    must(mark->line >= *last && mark->title_len <= PB_LOG_TITLE);
    *last = mark->line;
    return 0;
}

static void read_rows(struct pb_log_sealed *sealed, const struct pb_log_state *state)
{
    struct pb_error err;
    struct pb_log_zstd *zstd = pb_log_zstd_new(&err);
    uint64_t line = 0, byte = 0, last = 0;
    struct pb_buf text, marks;
    int r;

    pb_buf_init(&text, 8 << 20);
    pb_buf_init(&marks, 8 << 20);
    for (size_t i = 0; i < sealed->count; i++) {
        const struct pb_log_row *row = &sealed->rows[i];
        bool is_good;

        must(row->line == line && row->byte == byte && row->lines > 0);
        must(pb_log_sealed_row(sealed, line) == row);
        must(pb_log_sealed_row(sealed, line + row->lines - 1) == row);
        if (pb_log_sealed_read(sealed, row, zstd, &text, &is_good, &err) == 0 && is_good)
            must(text.len == row->bytes);
        line += row->lines;
        byte += row->bytes;
    }
    must(line == state->sealed_lines && byte == state->sealed_bytes);
    if (pb_log_sealed_marks(sealed, &marks))
        (void)pb_log_marks_unpack(pb_buf_string(&marks), marks.len, count_mark, &last, &r);
    pb_buf_release(&text);
    pb_buf_release(&marks);
    pb_log_zstd_free(zstd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pb_log_state state = {0};
    struct pb_log_sealed sealed;
    struct pb_error err;
    uint64_t last = 0;
    uint8_t *mended;
    int fd, r;

    if (dir < 0)
        make_dir();
    if (size < 4)
        return 0;
    state.lines = state.sealed_lines = data[0] | (uint64_t)data[1] << 8;
    state.bytes = state.sealed_bytes = state.lines * (17 + data[2] % 64) + data[3] % 16;
    (void)pb_log_marks_unpack((const char *)data, size, count_mark, &last, &r);
    mended = malloc(size - 4 + 1);
    must(mended != NULL);
    memcpy(mended, data + 4, size - 4);
    mend(mended, size - 4);
    fd = openat(dir, "2023-11/" EXECUTION ".zst", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    must(fd >= 0 && write(fd, mended, size - 4) == (ssize_t)(size - 4));
    free(mended);
    close(fd);
    if (pb_log_sealed_open(dir, EXECUTION, &state, &sealed, &err) < 0)
        return 0;
    read_rows(&sealed, &state);
    pb_log_sealed_close(&sealed);
    return 0;
}
