/* The header Range of a request (RFC 9110, one range of bytes) against a text of a known size. */
#ifndef PB_SERVER_API_LOG_RANGE_H
#define PB_SERVER_API_LOG_RANGE_H

#include <stdint.h>

enum pb_log_range_kind {
    PB_LOG_RANGE_ALL,  /* none asked for, several, or not understood: the whole text */
    PB_LOG_RANGE_PART, /* 206 */
    PB_LOG_RANGE_NONE, /* 416: nothing of it is there */
};

/* `header` may be NULL. For a part: bytes [*ret_from, *ret_end). */
enum pb_log_range_kind pb_log_range_of(const char *header, int64_t size, int64_t *ret_from,
                                       int64_t *ret_end);

#endif
