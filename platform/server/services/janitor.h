/* All periodic upkeep in one place: expired sessions and tickets, finished outbox rows, old cache entries, and
 * history past what settings say is kept. Everything goes in steps of some rows. */
#ifndef PB_SERVER_SERVICES_JANITOR_H
#define PB_SERVER_SERVICES_JANITOR_H

#include "base/error.h"

struct pb_janitor;
struct pb_platform;

struct pb_janitor *pb_janitor_start(struct pb_platform *platform,
                                    struct pb_error *err) PB_MUST_CHECK;
void pb_janitor_stop(struct pb_janitor *janitor); /* NULL is fine */

/* One round, for tests. */
int pb_janitor_tidy(struct pb_platform *platform, struct pb_error *err) PB_MUST_CHECK;

#endif
