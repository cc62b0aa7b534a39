#include "model/time_zone.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum { NAME_MAX_BYTES = 64, CHANGES_MAX = 5000, HEADER_BYTES = 44, DAY_S = 86400 };

enum date_kind {
    DATE_WEEKDAY,     /* Mm.w.d: weekday d of week w (5 = the last) in month m */
    DATE_JULIAN,      /* Jn: day n from 1, 29 February never counted */
    DATE_DAY_OF_YEAR, /* n: day n from 0, 29 February counted */
};

struct rule_date {
    enum date_kind kind;
    int month, week, day;
    int64_t time_s;
};

/* What holds after the last change in the table. */
struct rule {
    bool is_set, has_summer;
    int64_t standard, summer;
    struct rule_date begin, end;
};

struct change {
    int64_t at;
    int64_t offset;
};

struct pb_time_zone {
    int64_t first; /* the offset before the first change */
    size_t count;
    struct change *changes; /* owned */
    struct rule rule;
};

static const struct pb_time_zone UTC = {0};

const struct pb_time_zone *pb_time_zone_utc(void)
{
    return &UTC;
}

bool pb_time_zone_name_valid(const char *name)
{
    static const char ALLOWED[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/";

    return name && name[0] && strlen(name) <= NAME_MAX_BYTES &&
           strspn(name, ALLOWED) == strlen(name) && !strchr("/-+_", name[0]) &&
           !strstr(name, "//") && name[strlen(name) - 1] != '/';
}

/* --- the rule at the file's end: a POSIX TZ text ------------------------------------------------ */

static bool take_number(const char **at, int max, int *ret_value)
{
    int value = 0;

    if (**at < '0' || **at > '9')
        return false;
    for (; **at >= '0' && **at <= '9'; ++*at) {
        value = value * 10 + (**at - '0');
        if (value > max)
            return false;
    }
    *ret_value = value;
    return true;
}

/* "EST" or "<-03>" */
static bool take_name(const char **at)
{
    const char *begin = *at;

    if (**at == '<') {
        const char *end = strchr(*at, '>');

        *at = end ? end + 1 : *at;
        return end != NULL;
    }
    while ((**at >= 'a' && **at <= 'z') || (**at >= 'A' && **at <= 'Z'))
        ++*at;
    return *at - begin >= 3;
}

/* [+-]hh[:mm[:ss]] */
static bool take_time(const char **at, int64_t *ret_s)
{
    int64_t sign = **at == '-' ? -1 : 1;
    int part[3] = {0};

    if (**at == '-' || **at == '+')
        ++*at;
    for (int i = 0; i < 3; i++) {
        if (i > 0 && **at != ':')
            break;
        *at += i > 0;
        if (!take_number(at, i == 0 ? 167 : 59, &part[i]))
            return false;
    }
    *ret_s = sign * (part[0] * INT64_C(3600) + part[1] * INT64_C(60) + part[2]);
    return true;
}

static bool take_char(const char **at, char c)
{
    if (**at != c)
        return false;
    ++*at;
    return true;
}

static bool take_date(const char **at, struct rule_date *ret_date)
{
    struct rule_date date = {.time_s = 7200};

    if (take_char(at, 'M')) {
        date.kind = DATE_WEEKDAY;
        if (!take_number(at, 12, &date.month) || !take_char(at, '.') ||
            !take_number(at, 5, &date.week) || !take_char(at, '.') ||
            !take_number(at, 6, &date.day) || date.month < 1 || date.week < 1)
            return false;
    } else {
        date.kind = take_char(at, 'J') ? DATE_JULIAN : DATE_DAY_OF_YEAR;
        if (!take_number(at, 365, &date.day) || (date.kind == DATE_JULIAN && date.day < 1))
            return false;
    }
    if (take_char(at, '/') && !take_time(at, &date.time_s))
        return false;
    *ret_date = date;
    return true;
}

static bool read_rule(const char *text, struct rule *ret_rule)
{
    struct rule rule = {.is_set = true};
    int64_t west;

    if (!take_name(&text) || !take_time(&text, &west))
        return false;
    rule.standard = -west;
    if (*text) {
        rule.has_summer = true;
        rule.summer = rule.standard + 3600;
        if (!take_name(&text))
            return false;
        if (*text != ',') {
            if (!take_time(&text, &west))
                return false;
            rule.summer = -west;
        }
        if (!take_char(&text, ',') || !take_date(&text, &rule.begin) || !take_char(&text, ',') ||
            !take_date(&text, &rule.end) || *text)
            return false;
    }
    *ret_rule = rule;
    return true;
}

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int64_t day_of(const struct rule_date *date, int64_t year)
{
    int64_t first = pb_clock_days(year, 1, 1);
    int64_t day, next_month;

    if (date->kind == DATE_DAY_OF_YEAR)
        return first + date->day;
    if (date->kind == DATE_JULIAN)
        return first + date->day - 1 + (date->day >= 60 && is_leap(year));
    first = pb_clock_days(year, date->month, 1);
    next_month =
        date->month == 12 ? pb_clock_days(year + 1, 1, 1) : pb_clock_days(year, date->month + 1, 1);
    day = first + ((date->day - (first + 4)) % 7 + 7) % 7 + (date->week - 1) * INT64_C(7);
    return day < next_month ? day : day - 7;
}

/* The two changes of each year around this one, in order. */
static size_t rule_changes(const struct rule *rule, int64_t utc_s, struct change ret_changes[6])
{
    int64_t year;
    int month, day;
    size_t count = 0;

    pb_clock_date((utc_s + rule->standard) / DAY_S, &year, &month, &day);
    for (int64_t y = year - 1; y <= year + 1; y++) {
        struct change summer = {day_of(&rule->begin, y) * DAY_S + rule->begin.time_s -
                                    rule->standard,
                                rule->summer};
        struct change winter = {day_of(&rule->end, y) * DAY_S + rule->end.time_s - rule->summer,
                                rule->standard};
        bool summer_first = summer.at < winter.at;

        ret_changes[count++] = summer_first ? summer : winter;
        ret_changes[count++] = summer_first ? winter : summer;
    }
    return count;
}

/* --- the file ---------------------------------------------------------------------------------- */

struct header {
    int version;
    uint32_t universal, standard, leaps, changes, types, letters;
};

static uint32_t get_u32(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static int64_t get_time(const unsigned char *at, size_t size)
{
    if (size == 4)
        return (int32_t)get_u32(at);
    return (int64_t)((uint64_t)get_u32(at) << 32 | get_u32(at + 4));
}

static bool read_header(const unsigned char *at, size_t len, struct header *ret)
{
    if (len < HEADER_BYTES || memcmp(at, "TZif", 4) != 0)
        return false;
    *ret = (struct header){
        .version = at[4] >= '2' ? at[4] - '0' : 1,
        .universal = get_u32(at + 20),
        .standard = get_u32(at + 24),
        .leaps = get_u32(at + 28),
        .changes = get_u32(at + 32),
        .types = get_u32(at + 36),
        .letters = get_u32(at + 40),
    };
    return ret->changes <= CHANGES_MAX && ret->types >= 1 && ret->types <= 256 &&
           ret->letters <= 4096 && ret->universal <= 256 && ret->standard <= 256 &&
           ret->leaps <= 4096;
}

static size_t body_bytes(const struct header *header, size_t time_size)
{
    return header->changes * (time_size + 1) + header->types * (size_t)6 + header->letters +
           header->leaps * (time_size + 4) + header->standard + header->universal;
}

static int read_body(const unsigned char *at, const struct header *header, size_t time_size,
                     struct pb_time_zone *zone, struct pb_error *err)
{
    const unsigned char *which = at + header->changes * time_size;
    const unsigned char *types = which + header->changes;

    if (header->leaps > 0)
        return pb_fail(err, PB_ERROR_INVALID, "this time zone counts leap seconds");
    zone->changes = calloc(header->changes + (size_t)1, sizeof(*zone->changes));
    if (!zone->changes)
        return pb_fail(err, PB_ERROR_LIMITED, "no memory for a time zone");
    zone->count = header->changes;
    zone->first = (int32_t)get_u32(types);
    for (size_t i = 0; i < zone->count; i++) {
        zone->changes[i].at = get_time(at + i * time_size, time_size);
        if (which[i] >= header->types || (i > 0 && zone->changes[i].at <= zone->changes[i - 1].at))
            return pb_fail(err, PB_ERROR_INVALID, "the time zone's changes are out of order");
        zone->changes[i].offset = (int32_t)get_u32(types + which[i] * (size_t)6);
    }
    return 0;
}

/* "\n<rule>\n"; an empty one means that nothing is known beyond the table. */
static int read_footer(const unsigned char *at, size_t len, struct rule *ret_rule,
                       struct pb_error *err)
{
    const unsigned char *end = len > 1 && *at == '\n' ? memchr(at + 1, '\n', len - 1) : NULL;
    char text[128] = "";

    if (!end || (size_t)(end - at) >= sizeof(text))
        return pb_fail(err, PB_ERROR_INVALID, "the time zone has no rule at its end");
    memcpy(text, at + 1, (size_t)(end - at) - 1);
    if (text[0] && !read_rule(text, ret_rule))
        return pb_fail(err, PB_ERROR_INVALID, "'%s' is no rule of a time zone", text);
    return 0;
}

static int read_file(const unsigned char *at, size_t len, struct pb_time_zone *zone,
                     struct pb_error *err)
{
    struct header header;
    size_t time_size = 4;

    if (!read_header(at, len, &header))
        return pb_fail(err, PB_ERROR_INVALID, "this is no time zone file");
    if (header.version >= 2) { /* the same again with 8-byte times, behind the old form */
        size_t skip = HEADER_BYTES + body_bytes(&header, 4);

        if (skip > len || !read_header(at + skip, len - skip, &header))
            return pb_fail(err, PB_ERROR_INVALID, "the time zone file is cut off");
        at += skip;
        len -= skip;
        time_size = 8;
    }
    at += HEADER_BYTES;
    len -= HEADER_BYTES;
    if (body_bytes(&header, time_size) > len)
        return pb_fail(err, PB_ERROR_INVALID, "the time zone file is cut off");
    if (read_body(at, &header, time_size, zone, err) < 0)
        return -1;
    at += body_bytes(&header, time_size);
    len -= body_bytes(&header, time_size);
    return time_size == 8 ? read_footer(at, len, &zone->rule, err) : 0;
}

struct pb_time_zone *pb_time_zone_new(const void *bytes, size_t len, struct pb_error *err)
{
    struct pb_time_zone *zone = calloc(1, sizeof(*zone));

    if (!zone) {
        (void)pb_fail(err, PB_ERROR_LIMITED, "no memory for a time zone");
        return NULL;
    }
    if (read_file(bytes, len, zone, err) < 0) {
        pb_time_zone_free(zone);
        return NULL;
    }
    return zone;
}

void pb_time_zone_free(struct pb_time_zone *zone)
{
    if (!zone)
        return;
    free(zone->changes);
    free(zone);
}

/* --- spans -------------------------------------------------------------------------------------- */

/* The span of `changes` around utc_s; `before` holds until the first of them. */
static void span_in(const struct change *changes, size_t count, int64_t before, int64_t utc_s,
                    struct pb_zone_span *ret_span)
{
    size_t low = 0, high = count; /* the first change that is later than utc_s */

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (changes[middle].at <= utc_s)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_span = (struct pb_zone_span){
        .from = low > 0 ? changes[low - 1].at : INT64_MIN,
        .until = low < count ? changes[low].at : INT64_MAX,
        .offset = low > 0 ? changes[low - 1].offset : before,
    };
}

void pb_time_zone_span(const struct pb_time_zone *zone, int64_t utc_s,
                       struct pb_zone_span *ret_span)
{
    int64_t last = zone->count > 0 ? zone->changes[zone->count - 1].at : INT64_MIN;
    struct change around[6];
    struct pb_zone_span by_rule;

    span_in(zone->changes, zone->count, zone->first, utc_s, ret_span);
    if (!zone->rule.is_set || (zone->count > 0 && utc_s < last))
        return;
    if (!zone->rule.has_summer) {
        ret_span->offset = zone->rule.standard;
        return;
    }
    span_in(around, rule_changes(&zone->rule, utc_s, around), zone->rule.standard, utc_s, &by_rule);
    ret_span->from = by_rule.from > last ? by_rule.from : last;
    ret_span->until = by_rule.until;
    ret_span->offset = by_rule.offset;
}
