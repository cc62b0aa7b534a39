#include "server/services/counters.h"

#include <stdatomic.h>

static atomic_uint_fast64_t counted[PB_COUNTER_COUNT];
static atomic_uint_fast64_t ended[PB_EXECUTION_STATUS_COUNT];

void pb_count(enum pb_counter counter, uint64_t by)
{
    atomic_fetch_add_explicit(&counted[counter], by, memory_order_relaxed);
}

uint64_t pb_counted(enum pb_counter counter)
{
    return atomic_load_explicit(&counted[counter], memory_order_relaxed);
}

void pb_count_ended(enum pb_execution_status status)
{
    atomic_fetch_add_explicit(&ended[status], 1, memory_order_relaxed);
}

uint64_t pb_counted_ended(enum pb_execution_status status)
{
    return atomic_load_explicit(&ended[status], memory_order_relaxed);
}
