/* Schedules and active hours are people's text, zones are files: any bytes end in an answer. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "model/active_hours.h"
#include "model/cron.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW INT64_C(1800000000123)

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_cron(const char *text, const struct pb_time_zone *zone)
{
    struct pb_error err;
    struct pb_cron cron;
    int64_t next, last;

    if (pb_cron_parse(text, &cron, &err) < 0)
        return;
    next = pb_cron_next(&cron, zone, NOW);
    check(next == 0 || (next > NOW && next % 1000 == 0));
    last = pb_cron_last(&cron, zone, NOW - INT64_C(86400000), NOW);
    check(last == 0 || (last > NOW - INT64_C(86400000) && last <= NOW));
}

static void check_hours(const char *text, const struct pb_time_zone *zone)
{
    struct pb_active_hours hours;
    struct pb_error err;
    int64_t opens;

    if (pb_active_hours_parse(text, &hours, &err) < 0)
        return;
    opens = pb_active_hours_open_at(&hours, zone, NOW);
    check(opens == 0 || opens >= NOW);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    struct pb_time_zone *zone;
    struct pb_error err;

    if (!text)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    check_cron(text, pb_time_zone_utc());
    check_hours(text, pb_time_zone_utc());
    zone = pb_time_zone_new(data, size, &err);
    if (zone) {
        check_cron("30 2 * * *", zone);
        check_hours("mon-fri 22:00-06:00", zone);
    }
    pb_time_zone_free(zone);
    free(text);
    return 0;
}
