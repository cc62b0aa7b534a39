/* A zone of this machine's database, for tests. */
#ifndef PB_TEST_ZONE_FILE_H
#define PB_TEST_ZONE_FILE_H

#include <stdio.h>

#include "model/time_zone.h"
#include "pb_test.h"

static inline size_t zone_bytes(const char *name, unsigned char *bytes, size_t room)
{
    char path[128];
    FILE *file;
    size_t len;

    snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", name);
    file = fopen(path, "rbe");
    if (!file)
        fail_msg("%s is missing: install tzdata", path);
    len = fread(bytes, 1, room, file);
    fclose(file);
    return len;
}

static inline struct pb_time_zone *zone_load(const char *name)
{
    static unsigned char bytes[64 << 10];
    struct pb_error err = {0};
    struct pb_time_zone *zone =
        pb_time_zone_new(bytes, zone_bytes(name, bytes, sizeof(bytes)), &err);

    if (!zone)
        fail_msg("%s: %s", name, err.message);
    return zone;
}

#endif
