/* Wall and steady time in milliseconds; tests may set the wall clock. */
#ifndef PB_BASE_CLOCK_H
#define PB_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum { PB_CLOCK_TEXT = 25 }; /* "2026-11-22T10:06:07.037Z" and its NUL */

int64_t pb_clock_wall_ms(void);   /* since 1970, UTC */
int64_t pb_clock_steady_ms(void); /* never jumps; only differences mean anything */
void pb_clock_format(int64_t wall_ms, char ret_text[PB_CLOCK_TEXT]);
/* RFC 3339 with Z or an offset, seconds or fractions. */
bool pb_clock_parse(const char *text, int64_t *ret_wall_ms) PB_MUST_CHECK;
/* The Gregorian calendar: days since 1970-01-01 (a Thursday), and back. */
int64_t pb_clock_days(int64_t year, int month, int day);
void pb_clock_date(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day);
void pb_clock_set_for_test(int64_t wall_ms); /* 0 = the real clock again */

#endif
