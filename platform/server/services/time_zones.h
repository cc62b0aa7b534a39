/*
 * Time zones and active hours by name: the files of the system's database,
 * read once each and kept for the life of the process (an update of tzdata
 * counts after a restart). "UTC" needs no file. Any thread.
 */
#ifndef PB_SERVER_SERVICES_TIME_ZONES_H
#define PB_SERVER_SERVICES_TIME_ZONES_H

#include <stdint.h>

#include "base/error.h"
#include "model/time_zone.h"

/* NULL or "" is UTC. INVALID, field "time_zone", for a name that is not in the database. */
int pb_time_zone_find(const char *name, const struct pb_time_zone **ret_zone,
                      struct pb_error *err) PB_MUST_CHECK;
/* now_ms while these hours are open (NULL always is), else when they open; 0 = they do not. */
int pb_time_zone_open_at(const char *active_hours, const char *zone_name, int64_t now_ms,
                         int64_t *ret_at, struct pb_error *err) PB_MUST_CHECK;

#endif
