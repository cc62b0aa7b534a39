/* The header Range: a part is a part of what there is. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/api/log_range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t total = 0, from = -1, end = -1;
    char *header;

    if (size < 9)
        return 0;
    memcpy(&total, data + 1, 8);
    total = data[0] & 1 ? (total & INT64_MAX) : (total & 0xffff);
    header = strndup((const char *)data + 9, size - 9);
    if (!header)
        return 0;
    if (pb_log_range_of(header, total, &from, &end) == PB_LOG_RANGE_PART &&
        (from < 0 || from >= end || end > total))
        abort();
    free(header);
    return 0;
}
