/*
 * Time zones of the IANA database, read from their compiled form (TZif,
 * RFC 8536): a zone is a list of spans with one offset each, and a rule that
 * makes further spans for ever.
 *
 * Our own reader, because the C library's way to another zone is the
 * environment variable TZ, which belongs to the whole process: with several
 * threads that is a race. Whoever loads the file is a service; this is only
 * what its bytes mean. Zones do not change once made, so threads share them.
 */
#ifndef PB_MODEL_TIME_ZONE_H
#define PB_MODEL_TIME_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct pb_time_zone;

/* Could it be a name in the database ("Asia/Tokyo", "UTC")? Says nothing about whether it is. */
bool pb_time_zone_name_valid(const char *name);

/* INVALID for bytes that are no zone, or one that counts leap seconds. */
struct pb_time_zone *pb_time_zone_new(const void *bytes, size_t len,
                                      struct pb_error *err) PB_MUST_CHECK;
void pb_time_zone_free(struct pb_time_zone *zone); /* NULL is fine */
const struct pb_time_zone *pb_time_zone_utc(void); /* never freed */

/* Local time is UTC + offset from `from` until before `until`; seconds since 1970. */
struct pb_zone_span {
    int64_t from;  /* INT64_MIN: since ever */
    int64_t until; /* INT64_MAX: for ever */
    int64_t offset;
};
void pb_time_zone_span(const struct pb_time_zone *zone, int64_t utc_s,
                       struct pb_zone_span *ret_span);

#endif
