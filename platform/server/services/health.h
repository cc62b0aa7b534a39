/*
 * Can the platform do its work? Not whether anybody lets it: nodes and GitHub
 * may be away.
 *
 * Looking costs a small write, so what was found is good for a moment, and
 * while one caller looks the others are told what was found last.
 */
#ifndef PB_SERVER_SERVICES_HEALTH_H
#define PB_SERVER_SERVICES_HEALTH_H

#include <stdbool.h>

#include "base/error.h"

struct pb_platform;

/* X(name, its name for people) */
#define PB_HEALTH_CHECKS(X)     \
    X(DATABASE, "database")     \
    X(LOG_WRITER, "log_writer") \
    X(DISK, "disk")

enum pb_health_name {
#define X(name, text) PB_CHECK_##name,
    PB_HEALTH_CHECKS(X)
#undef X
        PB_CHECK_COUNT
};

struct pb_health_check {
    bool is_ok;
    struct pb_error err; /* why not */
};

struct pb_health {
    bool is_ready; /* all of them are */
    struct pb_health_check checks[PB_CHECK_COUNT];
};

const char *pb_health_name(enum pb_health_name name);
/* On a pool thread; a database that hangs is waited for. */
void pb_health_look(struct pb_platform *platform, struct pb_health *ret_health);

#endif
