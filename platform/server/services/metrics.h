/* What Prometheus is told of this process and of what it works on, from everybody's counters. */
#ifndef PB_SERVER_SERVICES_METRICS_H
#define PB_SERVER_SERVICES_METRICS_H

#include "base/buf.h"

struct pb_platform;

/* Families that only the database knows are left out while it cannot be asked. On a pool thread. */
void pb_metrics_put(struct pb_platform *platform, struct pb_buf *out);

#endif
