#include "base/clock.h"

#include <stdatomic.h>
#include <string.h>
#include <time.h>

static const int64_t MS_PER_SECOND = 1000;
static const int64_t SECONDS_PER_DAY = 86400;
/* 0000-01-01 and the last millisecond of 9999: what four digits can say. */
static const int64_t TEXT_MIN_MS = -62167219200000;
static const int64_t TEXT_MAX_MS = 253402300799999;

static _Atomic int64_t wall_for_test;

static int64_t read_clock(clockid_t which)
{
    struct timespec now;

    (void)clock_gettime(which, &now); /* cannot fail for these clocks */
    return (int64_t)now.tv_sec * MS_PER_SECOND + now.tv_nsec / 1000000;
}

int64_t pb_clock_wall_ms(void)
{
    int64_t fixed = atomic_load_explicit(&wall_for_test, memory_order_relaxed);

    return fixed ? fixed : read_clock(CLOCK_REALTIME);
}

int64_t pb_clock_steady_ms(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

void pb_clock_set_for_test(int64_t wall_ms)
{
    atomic_store(&wall_for_test, wall_ms);
}

/* Counted in years that begin in March. */
int64_t pb_clock_days(int64_t year, int month, int day)
{
    int64_t y = month > 2 ? year : year - 1;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

void pb_clock_date(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t of_era = z - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153;

    *ret_day = (int)(of_year - (153 * month + 2) / 5 + 1);
    *ret_month = (int)(month < 10 ? month + 3 : month - 9);
    *ret_year = year + era * 400 + (*ret_month <= 2);
}

/* `count` decimal digits of a number that has no more. */
static void put_digits(char *to, int count, int64_t number)
{
    while (count-- > 0) {
        to[count] = (char)('0' + number % 10);
        number /= 10;
    }
}

void pb_clock_format(int64_t wall_ms, char ret_text[PB_CLOCK_TEXT])
{
    int64_t day_ms = SECONDS_PER_DAY * MS_PER_SECOND;
    int64_t days;
    int64_t rest;
    int64_t year;
    int month;
    int day;

    wall_ms = wall_ms < TEXT_MIN_MS ? TEXT_MIN_MS : wall_ms;
    wall_ms = wall_ms > TEXT_MAX_MS ? TEXT_MAX_MS : wall_ms;
    days = wall_ms / day_ms - (wall_ms % day_ms < 0);
    rest = wall_ms - days * day_ms;
    pb_clock_date(days, &year, &month, &day);
    memcpy(ret_text, "0000-00-00T00:00:00.000Z", PB_CLOCK_TEXT);
    put_digits(ret_text, 4, year);
    put_digits(ret_text + 5, 2, month);
    put_digits(ret_text + 8, 2, day);
    put_digits(ret_text + 11, 2, rest / 3600000);
    put_digits(ret_text + 14, 2, rest / 60000 % 60);
    put_digits(ret_text + 17, 2, rest / 1000 % 60);
    put_digits(ret_text + 20, 3, rest % 1000);
}

/* Exactly `count` digits, value within [min, max]; moves *at behind them. */
static bool take_digits(const char **at, int count, int min, int max, int *ret_value)
{
    int value = 0;

    for (int i = 0; i < count; i++, ++*at) {
        if (**at < '0' || **at > '9')
            return false;
        value = value * 10 + (**at - '0');
    }
    *ret_value = value;
    return value >= min && value <= max;
}

static bool take_char(const char **at, const char *one_of)
{
    for (; *one_of; one_of++) {
        if (**at == *one_of) {
            ++*at;
            return true;
        }
    }
    return false;
}

/* ".037" and longer; what is finer than a millisecond is dropped. */
static bool take_fraction(const char **at, int *ret_ms)
{
    int scale = 100;

    *ret_ms = 0;
    if (!take_char(at, "."))
        return true;
    if (**at < '0' || **at > '9')
        return false;
    for (; **at >= '0' && **at <= '9'; ++*at, scale /= 10)
        *ret_ms += (**at - '0') * scale;
    return true;
}

static bool take_offset(const char **at, int *ret_minutes)
{
    int hours;
    int minutes;
    bool west;

    *ret_minutes = 0;
    if (take_char(at, "Zz"))
        return true;
    west = **at == '-';
    if (!take_char(at, "+-") || !take_digits(at, 2, 0, 23, &hours) || !take_char(at, ":") ||
        !take_digits(at, 2, 0, 59, &minutes))
        return false;
    *ret_minutes = (hours * 60 + minutes) * (west ? -1 : 1);
    return true;
}

static int days_in_month(int year, int month)
{
    static const int DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return DAYS[month - 1] + (month == 2 && leap);
}

bool pb_clock_parse(const char *text, int64_t *ret_wall_ms)
{
    const char *at = text;
    int year, month, day, hour, minute, second, ms, offset;

    if (!text || !take_digits(&at, 4, 0, 9999, &year) || !take_char(&at, "-") ||
        !take_digits(&at, 2, 1, 12, &month) || !take_char(&at, "-") ||
        !take_digits(&at, 2, 1, days_in_month(year, month), &day) || !take_char(&at, "Tt "))
        return false;
    if (!take_digits(&at, 2, 0, 23, &hour) || !take_char(&at, ":") ||
        !take_digits(&at, 2, 0, 59, &minute) || !take_char(&at, ":") ||
        !take_digits(&at, 2, 0, 60, &second)) /* 60: a leap second is the next one's start */
        return false;
    if (!take_fraction(&at, &ms) || !take_offset(&at, &offset) || *at)
        return false;
    minute += hour * 60 - offset;
    second += minute * 60;
    *ret_wall_ms =
        (pb_clock_days(year, month, day) * SECONDS_PER_DAY + second) * MS_PER_SECOND + ms;
    return true;
}
