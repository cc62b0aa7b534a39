/*
 * When something is due: five fields as in crontab(5), in a time zone.
 *
 *   minute 0–59   hour 0–23   day of month 1–31 or L (the last)
 *   month 1–12 or jan–dec     day of week 0–7 or sun–sat (0 and 7 are Sunday)
 *
 * A field is * or a list of numbers, names and ranges ("0,30", "9-17", "mon-fri"),
 * each perhaps with a step ("8-18/2"; * too). A day matches when both day
 * fields match, or, if neither begins with *, when one of them does.
 * @hourly @daily @midnight @weekly @monthly @yearly @annually stand for what
 * they say.
 *
 * Clocks that change: a schedule that names its hours means times of day. In
 * spring, times that do not exist count once, at the moment the clock jumps;
 * in autumn, of a time that comes twice the first counts. A schedule of every
 * hour (the hour field begins with *) means elapsed time: it just goes on, in
 * both of the repeated hours and in none of the missing one.
 */
#ifndef PB_MODEL_CRON_H
#define PB_MODEL_CRON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "model/time_zone.h"

struct pb_cron {
    uint64_t minutes;
    uint32_t hours, days, months, weekdays; /* bit n: n is in the field */
    bool last_day;                          /* L */
    bool days_are_any, weekdays_are_any;    /* the field begins with * */
    bool is_elapsed;                        /* the hour field begins with * */
};

/* INVALID, field "cron", with a sentence that says which part; also for one that is never due. */
int pb_cron_parse(const char *text, struct pb_cron *ret_cron, struct pb_error *err) PB_MUST_CHECK;
/* The first moment after `after_ms`; 0 = none within twelve years. */
int64_t pb_cron_next(const struct pb_cron *cron, const struct pb_time_zone *zone, int64_t after_ms);
/* The last moment that is later than after_ms and not later than now_ms; 0 = none. */
int64_t pb_cron_last(const struct pb_cron *cron, const struct pb_time_zone *zone, int64_t after_ms,
                     int64_t now_ms);

#endif
