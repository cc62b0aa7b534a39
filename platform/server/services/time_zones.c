#include "server/services/time_zones.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "model/active_hours.h"

#define FOLDER "/usr/share/zoneinfo"

enum { FILE_MAX = 256 << 10, BUCKETS = 128, HOURS = 64, HOURS_TEXT = 512 };

struct known {
    struct known *next;
    struct pb_time_zone *zone;
    char name[];
};

struct parsed {
    char text[HOURS_TEXT];
    struct pb_active_hours hours;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards what follows */
static struct known *zones[BUCKETS];
static struct parsed *hours_by_text[HOURS];

static unsigned hash_text(const char *text)
{
    unsigned hash = 5381;

    for (; *text; text++)
        hash = hash * 33 + (unsigned char)*text;
    return hash;
}

static struct pb_time_zone *load(const char *name, struct pb_error *err)
{
    struct pb_time_zone *zone = NULL;
    struct pb_error why;
    struct pb_buf data;
    char path[128];

    (void)snprintf(path, sizeof(path), FOLDER "/%s", name);
    pb_buf_init(&data, FILE_MAX);
    if (pb_fs_read(AT_FDCWD, path, &data, &why) == 0)
        zone = pb_time_zone_new(data.data, data.len, &why);
    if (!zone)
        (void)pb_fail_field(err, "time_zone", "there is no time zone '%s' on this machine: %.200s",
                            name, why.message);
    pb_buf_release(&data);
    return zone;
}

/* With the lock held. */
static const struct pb_time_zone *find(const char *name, struct pb_error *err)
{
    struct known **bucket = &zones[hash_text(name) % BUCKETS];
    struct pb_time_zone *zone;
    struct known *known;

    for (known = *bucket; known; known = known->next)
        if (strcmp(known->name, name) == 0)
            return known->zone;
    zone = load(name, err);
    if (!zone)
        return NULL;
    known = calloc(1, sizeof(*known) + strlen(name) + 1);
    if (!known) {
        pb_time_zone_free(zone);
        (void)pb_fail(err, PB_ERROR_LIMITED, "no memory for a time zone");
        return NULL;
    }
    memcpy(known->name, name, strlen(name) + 1);
    known->zone = zone;
    known->next = *bucket;
    *bucket = known;
    return zone;
}

int pb_time_zone_find(const char *name, const struct pb_time_zone **ret_zone, struct pb_error *err)
{
    const struct pb_time_zone *zone = pb_time_zone_utc();

    if (name && *name && strcmp(name, "UTC") != 0) {
        if (!pb_time_zone_name_valid(name))
            return pb_fail_field(err, "time_zone", "a time zone is a name like 'Asia/Tokyo'");
        (void)pthread_mutex_lock(&lock);
        zone = find(name, err);
        (void)pthread_mutex_unlock(&lock);
    }
    if (!zone)
        return -1;
    *ret_zone = zone;
    return 0;
}

/* With the lock held. A newer text takes the place of an older one with the same number. */
static int find_hours(const char *text, struct pb_active_hours *ret_hours, struct pb_error *err)
{
    struct parsed **place = &hours_by_text[hash_text(text) % HOURS];

    if (!*place || strcmp((*place)->text, text) != 0) {
        if (pb_active_hours_parse(text, ret_hours, err) < 0)
            return -1;
        if (!*place)
            *place = calloc(1, sizeof(**place));
        if (!*place || strlen(text) >= HOURS_TEXT)
            return 0;
        memcpy((*place)->text, text, strlen(text) + 1);
        (*place)->hours = *ret_hours;
        return 0;
    }
    *ret_hours = (*place)->hours;
    return 0;
}

int pb_time_zone_open_at(const char *active_hours, const char *zone_name, int64_t now_ms,
                         int64_t *ret_at, struct pb_error *err)
{
    const struct pb_time_zone *zone;
    struct pb_active_hours hours;
    int r;

    if (!active_hours || !*active_hours) {
        *ret_at = now_ms;
        return 0;
    }
    if (pb_time_zone_find(zone_name, &zone, err) < 0)
        return -1;
    (void)pthread_mutex_lock(&lock);
    r = find_hours(active_hours, &hours, err);
    (void)pthread_mutex_unlock(&lock);
    if (r == 0)
        *ret_at = pb_active_hours_open_at(&hours, zone, now_ms);
    return r;
}
