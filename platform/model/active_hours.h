/*
 * The hours in which a project may start work, in its time zone:
 *
 *   "mon-fri 09:00-18:00; sat 10:00-14:00"
 *
 * Windows are parted by ';'. Days are names, ranges and lists of them; without
 * days, every day. A window whose end is not later than its begin goes on into
 * the next day ("22:00-06:00"); "00:00-24:00" is the whole day. Times are
 * those on the wall: a repeated hour is open twice, a missing one never.
 * Outside nothing starts; what runs goes on.
 */
#ifndef PB_MODEL_ACTIVE_HOURS_H
#define PB_MODEL_ACTIVE_HOURS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "model/time_zone.h"

enum { PB_WEEK_MINUTES = 7 * 24 * 60 };

struct pb_active_hours {
    uint64_t open[(PB_WEEK_MINUTES + 63) / 64]; /* a bit a minute, from Sunday 00:00 */
};

/* INVALID, field "active_hours". */
int pb_active_hours_parse(const char *text, struct pb_active_hours *ret_hours,
                          struct pb_error *err) PB_MUST_CHECK;
/* now_ms when it is open, else when it opens; 0 = never within a fortnight. */
int64_t pb_active_hours_open_at(const struct pb_active_hours *hours,
                                const struct pb_time_zone *zone, int64_t now_ms);

#endif
