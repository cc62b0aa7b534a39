/*
 * How many requests there were, how they ended and how long they took, by
 * route: for /metrics. Counted since the start, from any thread.
 */
#ifndef PB_SERVER_API_REQUEST_STATS_H
#define PB_SERVER_API_REQUEST_STATS_H

#include <stddef.h>
#include <stdint.h>

enum {
    PB_REQUESTS_ROUTES = 200,                   /* those of pb_router_match() come first */
    PB_REQUESTS_FILES = PB_REQUESTS_ROUTES,     /* the web UI's files */
    PB_REQUESTS_OTHER = PB_REQUESTS_ROUTES + 1, /* no route of ours */
    PB_REQUESTS_KINDS = PB_REQUESTS_ROUTES + 2,
    PB_REQUESTS_STATUSES = 32,
};

/* Upper bounds of the histogram, in seconds and as they are written; the last counts all. */
#define PB_REQUEST_BUCKETS(X) \
    X(0.001, "0.001")         \
    X(0.005, "0.005")         \
    X(0.01, "0.01")           \
    X(0.025, "0.025")         \
    X(0.1, "0.1")             \
    X(0.25, "0.25")           \
    X(1, "1.0")               \
    X(2.5, "2.5")             \
    X(10, "10.0")

enum {
#define X(seconds, text) +1
    PB_REQUEST_BUCKET_COUNT = 0 PB_REQUEST_BUCKETS(X),
#undef X
};

int64_t pb_request_clock_us(void); /* steady */

/* `kind`: an index of the route table, or one of the above. */
void pb_request_count(size_t kind, int status, int64_t took_us);

struct pb_request_stats {
    uint64_t count;
    uint64_t took_us;                         /* of all together */
    uint64_t within[PB_REQUEST_BUCKET_COUNT]; /* that took at most so long */
};
void pb_request_stats(size_t kind, struct pb_request_stats *ret_stats);
/* The statuses there were; returns how many. */
size_t pb_request_statuses(size_t kind, int ret_statuses[PB_REQUESTS_STATUSES],
                           uint64_t ret_counts[PB_REQUESTS_STATUSES]);

#endif
