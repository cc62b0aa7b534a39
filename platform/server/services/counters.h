/*
 * What the services count since the start, for /metrics: one row each. A row
 * is a sample of a Prometheus counter; rows of one family stand together.
 * Counting is one atomic addition, from any thread.
 */
#ifndef PB_SERVER_SERVICES_COUNTERS_H
#define PB_SERVER_SERVICES_COUNTERS_H

#include <stdint.h>

#include "model/execution.h"

/* X(name, family, label, its value, help); a family without label has "" */
#define PB_COUNTERS(X)                                                                        \
    X(SCHEDULER_LOOKS, "poppo_scheduler_looks_total", "", "",                                 \
      "Looks of the scheduler at the queue.")                                                 \
    X(SCHEDULER_ROUNDS, "poppo_scheduler_rounds_total", "", "",                               \
      "Rounds in which projects took turns.")                                                 \
    X(SCHEDULER_STARTS, "poppo_scheduler_starts_total", "", "", "Executions given to nodes.") \
    X(GITHUB_OK, "poppo_github_requests_total", "result", "ok",                               \
      "Calls of GitHub's API by what came of them.")                                          \
    X(GITHUB_UNCHANGED, "poppo_github_requests_total", "result", "unchanged", "")             \
    X(GITHUB_REFUSED, "poppo_github_requests_total", "result", "refused", "")                 \
    X(GITHUB_LIMITED, "poppo_github_requests_total", "result", "limited", "")                 \
    X(GITHUB_FAILED, "poppo_github_requests_total", "result", "failed", "")                   \
    X(KEPT_REPLIES, "poppo_http_kept_replies_total", "", "",                                  \
      "Replies given again from memory, without a thread.")                                   \
    X(DATABASE_SLOW, "poppo_database_slow_statements_total", "", "",                          \
      "Database statements that took longer than slow_query.")

enum pb_counter {
#define X(name, ...) PB_COUNTER_##name,
    PB_COUNTERS(X)
#undef X
        PB_COUNTER_COUNT
};

void pb_count(enum pb_counter counter, uint64_t by);
uint64_t pb_counted(enum pb_counter counter);

/* Executions that ended, by the status they ended with. */
void pb_count_ended(enum pb_execution_status status);
uint64_t pb_counted_ended(enum pb_execution_status status);

#endif
