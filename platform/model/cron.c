#include "model/cron.h"

#include <stddef.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

#define HOUR_MS INT64_C(3600000)

enum {
    TEXT_MAX = 200,
    DAY_S = 86400,
    YEARS = 12, /* 29 February skips eight years around a century */
    LAST_DAY = 63,
};

/* --- from text ----------------------------------------------------------------------------------- */

static const char *const MONTHS[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul",
                                     "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const WEEKDAYS[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};

static const struct field {
    const char *name;
    int min, max;
    const char *const *words;
    int first_word;
    bool has_last;
} FIELDS[] = {
    {"minute", 0, 59, NULL, 0, false},         {"hour", 0, 23, NULL, 0, false},
    {"day of month", 1, 31, NULL, 0, true},    {"month", 1, 12, MONTHS, 1, false},
    {"day of week", 0, 7, WEEKDAYS, 0, false},
};
enum { FIELD_COUNT = sizeof(FIELDS) / sizeof(FIELDS[0]) };

static const struct {
    const char *name;
    const char *fields;
} NICKNAMES[] = {
    {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"},
    {"@weekly", "0 0 * * 0"}, {"@daily", "0 0 * * *"},    {"@midnight", "0 0 * * *"},
    {"@hourly", "0 * * * *"},
};

/* A number or a name; both end where neither letter nor digit follows. */
static bool take_value(const struct field *field, const char **at, int *ret_value)
{
    char word[4] = "";
    int value = 0;
    size_t len = 0;

    if (**at >= '0' && **at <= '9') {
        for (; **at >= '0' && **at <= '9' && len < 3; ++*at, len++)
            value = value * 10 + (**at - '0');
        *ret_value = value;
        return value >= field->min && value <= field->max;
    }
    while (len < 3 && (((*at)[len] | 0x20) >= 'a' && ((*at)[len] | 0x20) <= 'z')) {
        word[len] = (*at)[len];
        len++;
    }
    for (int i = 0; field->words && field->words[i]; i++) {
        if (!pb_text_equal_nocase(field->words[i], word))
            continue;
        *at += len;
        *ret_value = field->first_word + i;
        return true;
    }
    return false;
}

static int wrong(const struct field *field, const char *text, const char *why, struct pb_error *err)
{
    return pb_fail_field(err, "cron", "%s '%.40s': %s", field->name, text, why);
}

/* One entry of a list: "*", "5", "mon-fri", each perhaps with "/step". */
static int take_entry(const struct field *field, const char *text, const char **at,
                      uint64_t *ret_bits, struct pb_error *err)
{
    int low = field->min, high = field->max, step = 1;
    bool is_range = true;

    if (field->has_last && (**at == 'L' || **at == 'l')) {
        ++*at;
        *ret_bits |= UINT64_C(1) << LAST_DAY;
        return 0;
    }
    if (**at == '*') {
        ++*at;
    } else {
        if (!take_value(field, at, &low))
            return wrong(field, text, "a number or name is wrong or out of range", err);
        is_range = **at == '-';
        high = low;
        *at += is_range;
        if (is_range && !take_value(field, at, &high))
            return wrong(field, text, "a range has no end, or one out of range", err);
        if (high < low)
            return wrong(field, text, "a range ends before it begins", err);
    }
    if (**at == '/') {
        static const struct field STEP = {"step", 1, 999, NULL, 0, false};

        ++*at;
        if (!take_value(&STEP, at, &step))
            return wrong(field, text, "a step is a number from 1", err);
        high = is_range ? high : field->max; /* "5/10": from 5 on */
    }
    for (int value = low; value <= high; value += step)
        *ret_bits |= UINT64_C(1) << value;
    return 0;
}

static int read_field(const struct field *field, const char *text, uint64_t *ret_bits,
                      struct pb_error *err)
{
    const char *at = text;

    *ret_bits = 0;
    do {
        if (take_entry(field, text, &at, ret_bits, err) < 0)
            return -1;
    } while (*at == ',' && *++at);
    return *at || at[-1] == ',' ? wrong(field, text, "something is left over", err) : 0;
}

/* Cuts a copy of the text into its fields. */
static int split(const char *text, char room[TEXT_MAX + 1], char *ret_fields[FIELD_COUNT],
                 struct pb_error *err)
{
    static const char BLANK[] = " \t";
    size_t count = 0;
    char *at = room;

    if (strlen(text) > TEXT_MAX)
        return pb_fail_field(err, "cron", "at most %d characters", TEXT_MAX);
    memcpy(room, text, strlen(text) + 1);
    for (at += strspn(at, BLANK); *at; at += strspn(at, BLANK)) {
        if (count == FIELD_COUNT)
            break;
        ret_fields[count++] = at;
        at += strcspn(at, BLANK);
        if (*at)
            *at++ = '\0';
    }
    if (count < FIELD_COUNT || *at)
        return pb_fail_field(err, "cron",
                             "five fields are needed (minute hour day month weekday), or a word "
                             "like @daily");
    return 0;
}

/* Does any of the days occur in any of the months? Weekdays always do. */
static bool is_ever_due(const struct pb_cron *cron)
{
    static const int LONGEST[] = {0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    if (cron->last_day || (!cron->weekdays_are_any && !cron->days_are_any))
        return true;
    for (int month = 1; month <= 12; month++)
        for (int day = 1; day <= LONGEST[month]; day++)
            if (cron->months >> month & 1 && cron->days >> day & 1)
                return true;
    return false;
}

int pb_cron_parse(const char *text, struct pb_cron *ret_cron, struct pb_error *err)
{
    char room[TEXT_MAX + 1];
    char *fields[FIELD_COUNT];
    uint64_t bits[FIELD_COUNT];
    struct pb_cron cron;

    text += strspn(text, " \t");
    for (size_t i = 0; i < sizeof(NICKNAMES) / sizeof(NICKNAMES[0]); i++)
        if (pb_text_equal_nocase(NICKNAMES[i].name, text))
            text = NICKNAMES[i].fields;
    if (split(text, room, fields, err) < 0)
        return -1;
    for (size_t i = 0; i < FIELD_COUNT; i++)
        if (read_field(&FIELDS[i], fields[i], &bits[i], err) < 0)
            return -1;
    cron = (struct pb_cron){
        .minutes = bits[0],
        .hours = (uint32_t)bits[1],
        .days = (uint32_t)(bits[2] & UINT32_MAX),
        .months = (uint32_t)bits[3],
        .weekdays = (uint32_t)((bits[4] | bits[4] >> 7) & 0x7f),
        .last_day = bits[2] >> LAST_DAY & 1,
        .days_are_any = fields[2][0] == '*',
        .weekdays_are_any = fields[4][0] == '*',
        .is_elapsed = fields[1][0] == '*',
    };
    if (!is_ever_due(&cron))
        return pb_fail_field(err, "cron", "there is no such day in any of these months");
    *ret_cron = cron;
    return 0;
}

/* --- the next one ---------------------------------------------------------------------------------- */

static bool is_day(const struct pb_cron *cron, int64_t days, int month, int day)
{
    int weekday = (int)(((days + 4) % 7 + 7) % 7);
    int64_t tomorrow_year;
    int tomorrow_month, tomorrow_day;
    bool by_date, by_weekday;

    if (!(cron->months >> month & 1))
        return false;
    pb_clock_date(days + 1, &tomorrow_year, &tomorrow_month, &tomorrow_day);
    by_date = cron->days >> day & 1 || (cron->last_day && tomorrow_day == 1);
    by_weekday = cron->weekdays >> weekday & 1;
    if (cron->days_are_any || cron->weekdays_are_any)
        return by_date && by_weekday;
    return by_date || by_weekday;
}

/* The first minute of the day that matches, from `from` on; -1 = none. */
static int minute_of_day(const struct pb_cron *cron, int from)
{
    for (int hour = from / 60; hour < 24; hour++) {
        uint64_t minutes = cron->minutes;

        if (!(cron->hours >> hour & 1))
            continue;
        if (hour == from / 60)
            minutes &= UINT64_MAX << from % 60;
        if (minutes)
            return hour * 60 + __builtin_ctzll(minutes);
    }
    return -1;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* The first local time (seconds as if it were UTC) from `from` on and before `limit`; INT64_MAX = none. */
static int64_t next_local(const struct pb_cron *cron, int64_t from, int64_t limit)
{
    int64_t minute = floor_div(from + 59, 60);
    int64_t days = floor_div(minute, 1440);
    int of_day = (int)(minute - days * 1440);

    for (; days * DAY_S < limit; days++, of_day = 0) {
        int64_t year;
        int month, day, found;

        pb_clock_date(days, &year, &month, &day);
        if (!is_day(cron, days, month, day))
            continue;
        found = minute_of_day(cron, of_day);
        if (found >= 0)
            return days * DAY_S + found * INT64_C(60) < limit ? days * DAY_S + found * INT64_C(60)
                                                              : INT64_MAX;
    }
    return INT64_MAX;
}

/* The first one in this span that is not before `earliest`; INT64_MAX = none. */
static int64_t next_in_span(const struct pb_cron *cron, const struct pb_time_zone *zone,
                            const struct pb_zone_span *span, int64_t earliest, int64_t latest)
{
    int64_t from = earliest + span->offset;
    int64_t until = span->until < latest ? span->until : latest;
    struct pb_zone_span before;
    int64_t local;

    if (span->from != INT64_MIN && !cron->is_elapsed) {
        pb_time_zone_span(zone, span->from - 1, &before);
        if (span->from >= earliest &&
            next_local(cron, span->from + before.offset, span->from + span->offset) != INT64_MAX)
            return span->from; /* the times that this jump leaves out */
        if (from < span->from + before.offset)
            from = span->from + before.offset; /* these were there already */
    }
    if (span->from != INT64_MIN && from < span->from + span->offset)
        from = span->from + span->offset;
    local = next_local(cron, from, until + span->offset);
    return local == INT64_MAX ? INT64_MAX : local - span->offset;
}

int64_t pb_cron_next(const struct pb_cron *cron, const struct pb_time_zone *zone, int64_t after_ms)
{
    int64_t earliest = floor_div(after_ms, 1000) + 1;
    int64_t latest = earliest + YEARS * INT64_C(366) * DAY_S;
    struct pb_zone_span span;

    for (int64_t at = earliest; at < latest; at = span.until) {
        int64_t found;

        pb_time_zone_span(zone, at, &span);
        found = next_in_span(cron, zone, &span, earliest, latest);
        if (found != INT64_MAX)
            return found * 1000;
        if (span.until == INT64_MAX)
            break;
    }
    return 0;
}

/* Looks back further and further, so that a long pause costs no walk through all of it. */
int64_t pb_cron_last(const struct pb_cron *cron, const struct pb_time_zone *zone, int64_t after_ms,
                     int64_t now_ms)
{
    int64_t found = 0;

    for (int64_t window = HOUR_MS; !found; window *= 8) {
        int64_t from = now_ms - window > after_ms ? now_ms - window : after_ms;

        for (int64_t at = pb_cron_next(cron, zone, from); at && at <= now_ms;
             at = pb_cron_next(cron, zone, at))
            found = at;
        if (from == after_ms)
            break;
    }
    return found;
}
