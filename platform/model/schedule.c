#include "model/schedule.h"

#include <string.h>

#include "base/text.h"
#include "model/finding_private.h"
#include "model/limits.h"

#define NAMES(list)                            \
    {                                          \
        list, sizeof(list) / sizeof((list)[0]) \
    }

static const char *const MISSED[] = {
#define X(policy, name) name,
    PB_MISSED_POLICIES(X)
#undef X
};
static const char *const OVERLAP[] = {
#define X(policy, name) name,
    PB_OVERLAP_POLICIES(X)
#undef X
};
static const char *const RESULTS[] = {
#define X(result, name) name,
    PB_SCHEDULE_RESULTS(X)
#undef X
};
const struct pb_names PB_MISSED_NAMES = NAMES(MISSED);
const struct pb_names PB_OVERLAP_NAMES = NAMES(OVERLAP);
const struct pb_names PB_SCHEDULE_RESULT_NAMES = NAMES(RESULTS);

/* --- checking --------------------------------------------------------------------------------------- */

typedef int check_fn(const struct pb_schedule *schedule, const char *field, struct pb_error *err);

static size_t characters(const char *text)
{
    size_t count = 0;

    for (; *text; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return count;
}

static bool is_blank(const char *text)
{
    return !text || text[strspn(text, " \t\r\n")] == '\0';
}

static int check_line(const char *field, const char *text, size_t max, struct pb_error *err)
{
    if (!pb_utf8_valid(text, strlen(text)))
        return PB_FINDING(err, field, "characters", "this is not UTF-8");
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return PB_FINDING(err, field, "characters", "control characters do not belong here");
    if (characters(text) > max)
        return PB_FINDING(err, field, "too_long", "at most %zu characters", max);
    return 0;
}

static int check_name(const struct pb_schedule *schedule, const char *field, struct pb_error *err)
{
    if (is_blank(schedule->name))
        return PB_FINDING(err, field, "required", "a schedule needs a name");
    return check_line(field, schedule->name, PB_LIMIT_PROJECT_NAME_CHARS, err);
}

static int check_cron(const struct pb_schedule *schedule, const char *field, struct pb_error *err)
{
    struct pb_cron ignored;
    struct pb_error why = {0};

    if (is_blank(schedule->cron))
        return PB_FINDING(err, field, "required", "a schedule needs a time");
    if (pb_cron_parse(schedule->cron, &ignored, &why) < 0)
        return PB_FINDING(err, field, "format", "%s", why.message);
    return 0;
}

static int check_zone(const struct pb_schedule *schedule, const char *field, struct pb_error *err)
{
    if (!pb_time_zone_name_valid(schedule->time_zone))
        return PB_FINDING(err, field, "format", "a time zone is a name like 'Asia/Tokyo'");
    return 0;
}

static int check_jitter(const struct pb_schedule *schedule, const char *field, struct pb_error *err)
{
    if (schedule->jitter_ms < 0 || schedule->jitter_ms > PB_SCHEDULE_JITTER_MAX_MS)
        return PB_FINDING(err, field, "range", "from 0 to %d seconds",
                          PB_SCHEDULE_JITTER_MAX_MS / 1000);
    return 0;
}

static int check_title(const struct pb_schedule *schedule, const char *field, struct pb_error *err)
{
    if (schedule->issue_number > 0)
        return is_blank(schedule->title)
                   ? 0
                   : PB_FINDING(err, field, "duplicate", "the issue has its own title");
    if (is_blank(schedule->title))
        return PB_FINDING(err, field, "required", "a title is needed, or an issue");
    return check_line(field, schedule->title, PB_LIMIT_TITLE_CHARS, err);
}

static int check_prompt(const struct pb_schedule *schedule, const char *field, struct pb_error *err)
{
    if (schedule->issue_number > 0)
        return is_blank(schedule->prompt)
                   ? 0
                   : PB_FINDING(err, field, "duplicate", "the issue has its own text");
    if (is_blank(schedule->prompt))
        return PB_FINDING(err, field, "required", "a prompt is needed, or an issue");
    if (strlen(schedule->prompt) > PB_LIMIT_PROMPT)
        return PB_FINDING(err, field, "too_long", "at most %d bytes", PB_LIMIT_PROMPT);
    return 0;
}

static const struct {
    const char *field;
    check_fn *check;
} CHECKS[] = {
    {"name", check_name},      {"cron", check_cron},
    {"time_zone", check_zone}, {"jitter_seconds", check_jitter},
    {"title", check_title},    {"prompt", check_prompt},
};

size_t pb_schedule_check(const struct pb_schedule *schedule, struct pb_error *ret_findings,
                         size_t max)
{
    size_t count = 0;

    for (size_t i = 0; i < sizeof(CHECKS) / sizeof(CHECKS[0]); i++) {
        struct pb_error finding = {0};

        if (CHECKS[i].check(schedule, CHECKS[i].field, &finding) == 0)
            continue;
        if (count < max)
            ret_findings[count] = finding;
        count++;
    }
    return count;
}

/* --- times ------------------------------------------------------------------------------------------- */

int64_t pb_schedule_delay(const struct pb_schedule *schedule)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (const char *c = schedule->id; *c; c++)
        hash = (hash ^ (unsigned char)*c) * UINT64_C(1099511628211);
    return schedule->jitter_ms > 0 ? (int64_t)((hash >> 16) % (uint64_t)schedule->jitter_ms) : 0;
}

void pb_schedule_aim(struct pb_schedule *schedule, const struct pb_cron *cron,
                     const struct pb_time_zone *zone, int64_t after_ms)
{
    schedule->due_at = schedule->enabled ? pb_cron_next(cron, zone, after_ms) : 0;
    schedule->next_at = schedule->due_at ? schedule->due_at + pb_schedule_delay(schedule) : 0;
    schedule->failures = 0;
}
