/* What this process uses, as /metrics tells it; from /proc/self (proc(5)). What cannot be read is 0. */
#ifndef PB_SERVER_SERVICES_PROCESS_STATS_H
#define PB_SERVER_SERVICES_PROCESS_STATS_H

#include <stdint.h>

struct pb_process_stats {
    double cpu_seconds;   /* user and system, all threads */
    double start_seconds; /* since 1970 */
    uint64_t resident_bytes;
    uint64_t virtual_bytes;
    uint64_t open_fds;
    uint64_t max_fds;
};
void pb_process_stats(struct pb_process_stats *ret_stats);

#endif
