#include "model/active_hours.h"

#include <stddef.h>
#include <string.h>

#include "base/text.h"

enum { TEXT_MAX = 500, DAY_MINUTES = 24 * 60, ALL_DAYS = 0x7f };

static const int64_t FORTNIGHT_S = INT64_C(14) * 86400;

/* --- from text ------------------------------------------------------------------------------------ */

static int wrong(const char *why, const char *at, struct pb_error *err)
{
    return pb_fail_field(err, "active_hours",
                         "%s near '%.30s'; hours look like 'mon-fri 09:00-18:00; sat 10:00-14:00'",
                         why, at);
}

static void skip_blank(const char **at)
{
    *at += strspn(*at, " \t\r\n");
}

static bool take_day(const char **at, int *ret_day)
{
    static const char *const DAYS[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
    char word[4] = "";

    if (strlen(*at) < 3)
        return false;
    memcpy(word, *at, 3);
    for (int i = 0; i < 7; i++) {
        if (!pb_text_equal_nocase(DAYS[i], word))
            continue;
        *at += 3;
        *ret_day = i;
        return true;
    }
    return false;
}

/* "mon,wed-fri"; a range may go round the week's end. */
static int take_days(const char **at, unsigned *ret_days, struct pb_error *err)
{
    int first, last;

    *ret_days = 0;
    do {
        if (!take_day(at, &first))
            return wrong("a day is not known", *at, err);
        last = first;
        if (**at == '-') {
            ++*at;
            if (!take_day(at, &last))
                return wrong("a day is not known", *at, err);
        }
        for (int day = first;; day = (day + 1) % 7) {
            *ret_days |= 1U << day;
            if (day == last)
                break;
        }
        skip_blank(at);
        if (**at != ',')
            return 0;
        ++*at;
        skip_blank(at);
    } while (true);
}

static bool take_two(const char **at, int max, int *ret_value)
{
    const char *text = *at;

    if (text[0] < '0' || text[0] > '9' || text[1] < '0' || text[1] > '9')
        return false;
    *ret_value = (text[0] - '0') * 10 + (text[1] - '0');
    *at += 2;
    return *ret_value <= max;
}

/* Minutes since midnight, "24:00" included. */
static bool take_time(const char **at, int *ret_minutes)
{
    int hour, minute;

    if (!take_two(at, 24, &hour) || **at != ':')
        return false;
    ++*at;
    if (!take_two(at, 59, &minute) || (hour == 24 && minute > 0))
        return false;
    *ret_minutes = hour * 60 + minute;
    return true;
}

static void open_window(struct pb_active_hours *hours, unsigned days, int begin, int end)
{
    int length = end > begin ? end - begin : end + DAY_MINUTES - begin;

    for (int day = 0; day < 7; day++) {
        for (int i = 0; days >> day & 1 && i < length; i++) {
            int minute = (day * DAY_MINUTES + begin + i) % PB_WEEK_MINUTES;

            hours->open[minute / 64] |= UINT64_C(1) << minute % 64;
        }
    }
}

static int take_window(struct pb_active_hours *hours, const char **at, struct pb_error *err)
{
    unsigned days = ALL_DAYS;
    int begin, end;

    if ((**at < '0' || **at > '9') && take_days(at, &days, err) < 0)
        return -1;
    skip_blank(at);
    if (!take_time(at, &begin) || **at != '-' || (++*at, !take_time(at, &end)) ||
        begin == DAY_MINUTES)
        return wrong("two times are needed", *at, err);
    open_window(hours, days, begin, end);
    skip_blank(at);
    return 0;
}

int pb_active_hours_parse(const char *text, struct pb_active_hours *ret_hours, struct pb_error *err)
{
    struct pb_active_hours hours = {{0}};
    const char *at = text;

    if (strlen(text) > TEXT_MAX)
        return pb_fail_field(err, "active_hours", "at most %d characters", TEXT_MAX);
    skip_blank(&at);
    if (!*at)
        return wrong("a window is needed", at, err);
    while (*at) {
        if (take_window(&hours, &at, err) < 0)
            return -1;
        if (*at && *at != ';')
            return wrong("';' is needed between windows", at, err);
        at += *at == ';';
        skip_blank(&at);
    }
    *ret_hours = hours;
    return 0;
}

/* --- asking ----------------------------------------------------------------------------------------- */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Minutes from minute_of_week to the next open one; -1 = none. */
static int minutes_to_open(const struct pb_active_hours *hours, int minute_of_week)
{
    for (int i = 0; i < PB_WEEK_MINUTES; i++) {
        int minute = (minute_of_week + i) % PB_WEEK_MINUTES;

        if (hours->open[minute / 64] >> minute % 64 & 1)
            return i;
    }
    return -1;
}

int64_t pb_active_hours_open_at(const struct pb_active_hours *hours,
                                const struct pb_time_zone *zone, int64_t now_ms)
{
    int64_t now = floor_div(now_ms, 1000);
    struct pb_zone_span span;

    for (int64_t at = now; at < now + FORTNIGHT_S; at = span.until) {
        int64_t minute, opens;
        int wait;

        pb_time_zone_span(zone, at, &span);
        minute = floor_div(at + span.offset, 60);
        /* 1970-01-01 was a Thursday */
        wait =
            minutes_to_open(hours,
                            (int)(((minute + 4 * DAY_MINUTES) % PB_WEEK_MINUTES + PB_WEEK_MINUTES) %
                                  PB_WEEK_MINUTES));
        if (wait == 0)
            return at == now ? now_ms : at * 1000;
        opens = (minute + wait) * 60 - span.offset;
        if (wait > 0 && opens < span.until)
            return opens * 1000;
        if (span.until == INT64_MAX)
            break;
    }
    return 0;
}
