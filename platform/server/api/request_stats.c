#include "server/api/request_stats.h"

#include <stdatomic.h>
#include <time.h>

static const double BOUNDS[] = {
#define X(seconds, text) seconds,
    PB_REQUEST_BUCKETS(X)
#undef X
};

/* What we answer with; what is not here counts as the last. */
static const int STATUSES[] = {101, 200, 201, 202, 204, 206, 304, 400, 401, 403, 404, 405, 408, 409,
                               410, 412, 413, 415, 416, 422, 429, 500, 501, 502, 503, 504, 0};

enum { STATUS_COUNT = sizeof(STATUSES) / sizeof(STATUSES[0]) };

_Static_assert(sizeof(STATUSES) / sizeof(STATUSES[0]) <= (size_t)PB_REQUESTS_STATUSES,
               "room for all");

static struct {
    atomic_uint_fast64_t by_status[STATUS_COUNT];
    atomic_uint_fast64_t by_time[PB_REQUEST_BUCKET_COUNT + 1]; /* each counts in one */
    atomic_uint_fast64_t took_us;
} counted[PB_REQUESTS_KINDS];

int64_t pb_request_clock_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void add(atomic_uint_fast64_t *counter, uint64_t by)
{
    atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
}

void pb_request_count(size_t kind, int status, int64_t took_us)
{
    size_t place = 0, bucket = 0;

    if (kind >= PB_REQUESTS_KINDS)
        kind = PB_REQUESTS_OTHER;
    if (took_us < 0)
        took_us = 0;
    while (place < STATUS_COUNT - 1 && STATUSES[place] != status)
        place++;
    while (bucket < PB_REQUEST_BUCKET_COUNT && (double)took_us > BOUNDS[bucket] * 1e6)
        bucket++;
    add(&counted[kind].by_status[place], 1);
    add(&counted[kind].by_time[bucket], 1);
    add(&counted[kind].took_us, (uint64_t)took_us);
}

void pb_request_stats(size_t kind, struct pb_request_stats *ret_stats)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < PB_REQUEST_BUCKET_COUNT; i++) {
        sum += atomic_load_explicit(&counted[kind].by_time[i], memory_order_relaxed);
        ret_stats->within[i] = sum;
    }
    ret_stats->count = sum + atomic_load_explicit(&counted[kind].by_time[PB_REQUEST_BUCKET_COUNT],
                                                  memory_order_relaxed);
    ret_stats->took_us = atomic_load_explicit(&counted[kind].took_us, memory_order_relaxed);
}

size_t pb_request_statuses(size_t kind, int ret_statuses[PB_REQUESTS_STATUSES],
                           uint64_t ret_counts[PB_REQUESTS_STATUSES])
{
    size_t found = 0;

    for (size_t i = 0; i < STATUS_COUNT; i++) {
        uint64_t count = atomic_load_explicit(&counted[kind].by_status[i], memory_order_relaxed);

        if (count == 0)
            continue;
        ret_statuses[found] = STATUSES[i];
        ret_counts[found++] = count;
    }
    return found;
}
