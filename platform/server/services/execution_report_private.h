/* What execution_reports.c (nodes at work) and execution_ends.c (how attempts end) share. */
#ifndef PB_SERVER_SERVICES_EXECUTION_REPORT_PRIVATE_H
#define PB_SERVER_SERVICES_EXECUTION_REPORT_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "model/execution.h"
#include "server/services/execution_control.h"
#include "server/services/execution_private.h"
#include "server/services/platform.h"
#include "server/store/db.h"
#include "server/store/execution_store.h"

/* One report on the writer thread: the rows it is about, and what to tell others after the commit. */
struct report {
    struct pb_platform *platform;
    const struct pb_attempt_claim *claim;
    int (*fn)(struct report *report, struct pb_error *err);
    void (*say)(const struct report *report); /* our last line in the log of an ended attempt */
    const void *detail;

    struct pb_db *db;
    struct pb_arena *arena;
    int64_t now_ms;
    struct pb_execution *execution;
    struct pb_attempt *attempt;

    enum pb_execution_status status; /* out */
    bool changed;                    /* out: the execution's row was written */
    bool ended;                      /* out: the attempt has ended by this report */
};

/* Finds what the claim is about, lets report->fn change it in one write, then tells the others. CONFLICT
 * "stale_fence" for a claim that is not the present one. */
int pb_report_run(struct report *report, struct pb_error *err) PB_MUST_CHECK;
/* Inside the write: the execution moves. */
int pb_report_apply(struct report *report, enum pb_execution_event event,
                    struct pb_error *err) PB_MUST_CHECK;

/* What all attempts have used, this one as it is here. */
int pb_report_sum_usage(struct report *report, struct pb_execution_usage *ret_sum,
                        struct pb_error *err) PB_MUST_CHECK;

#endif
