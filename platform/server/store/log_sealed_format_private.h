/* The bytes between the frames of a sealed log: log_sealed.c reads them, log_sealed_make.c writes them. */
#ifndef PB_SERVER_STORE_LOG_SEALED_FORMAT_PRIVATE_H
#define PB_SERVER_STORE_LOG_SEALED_FORMAT_PRIVATE_H

#include <stdbool.h>

#include "server/store/log_sealed_private.h"

enum {
    PB_LOG_SKIPPABLE = 8, /* head of a skippable frame: which, how long */
    PB_LOG_ROW = 40,
    PB_LOG_TAG = PB_LOG_SKIPPABLE + PB_LOG_ROW,
    PB_LOG_FOOT =
        20, /* how many rows, bytes of marks, checksum of the marks, of these three, magic */
    PB_LOG_ROWS_MAX = 1 << 20,
    PB_LOG_MAGIC_TAG = 0x184d2a50, /* of the 16 that zstd leaves to others */
    PB_LOG_MAGIC_END = 0x184d2a51,
    PB_LOG_MAGIC_FOOT = 0x454c4250, /* "PBLE" */
};

void pb_log_row_encode(unsigned char to[PB_LOG_ROW], const struct pb_log_row *row);
/* False: it is none that can be true of a file of this size. */
bool pb_log_row_decode(const unsigned char *from, uint64_t file_size, struct pb_log_row *ret_row);

struct pb_log_foot {
    uint32_t rows;
    uint32_t marks_len;
    uint32_t marks_crc;
};
void pb_log_foot_encode(unsigned char to[PB_LOG_FOOT], const struct pb_log_foot *foot);
/* False: it is none, or more than a file of this size can hold. */
bool pb_log_foot_decode(const unsigned char *from, uint64_t file_size,
                        struct pb_log_foot *ret_foot);

#endif
