/*
 * A driver without a process: prints numbered lines over some time. For
 * trying out an installation and for measuring everything but the agent.
 *
 *   command: ["lines=200", "ms=1000", "outcome=failed"]   (each optional)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/driver.h"
#include "base/text.h"

enum { LINES_MAX = 10000000, MS_MAX = 24 * 3600 * 1000, PER_TICK = 2000, TICK_MIN_MS = 10 };

struct noop {
    uint64_t lines;
    uint64_t ms;
    enum pb_outcome_kind outcome;
};

static int read_setting(struct noop *noop, const char *setting, struct pb_error *err)
{
    if (pb_text_starts(setting, "lines=") && pb_parse_u64(setting + 6, LINES_MAX, &noop->lines))
        return 0;
    if (pb_text_starts(setting, "ms=") && pb_parse_u64(setting + 3, MS_MAX, &noop->ms))
        return 0;
    if (pb_text_equal(setting, "outcome=succeeded") || pb_text_equal(setting, "outcome=failed")) {
        noop->outcome = pb_text_ends(setting, "failed") ? PB_OUTCOME_FAILED : PB_OUTCOME_SUCCEEDED;
        return 0;
    }
    return pb_fail_reason(err, PB_ERROR_INVALID, "invalid_settings",
                          "the noop driver knows lines=, ms= and outcome=, not '%.60s'", setting);
}

static void *noop_open(const struct pb_attempt_plan *plan, int round, struct pb_error *err)
{
    struct noop *noop = calloc(1, sizeof(*noop));

    (void)round;
    if (!noop) {
        (void)pb_fail(err, PB_ERROR_LIMITED, "no memory");
        return NULL;
    }
    *noop = (struct noop){.lines = 10, .outcome = PB_OUTCOME_SUCCEEDED};
    for (const char *const *setting = plan->command; *setting; setting++) {
        if (read_setting(noop, *setting, err) < 0) {
            free(noop);
            return NULL;
        }
    }
    return noop;
}

static void noop_close(void *state)
{
    free(state);
}

static bool noop_is_final(const void *state)
{
    (void)state;
    return false;
}

static const char *noop_session_id(const void *state)
{
    (void)state;
    return NULL;
}

static uint64_t due_at(const struct noop *noop, int64_t since_start_ms)
{
    uint64_t since = since_start_ms > 0 ? (uint64_t)since_start_ms : 0;

    return since >= noop->ms ? noop->lines : noop->lines * since / noop->ms;
}

static int64_t noop_tick(void *state, int64_t since_start_ms, uint64_t *position,
                         const struct pb_driver_sink *sink)
{
    const struct noop *noop = state;
    uint64_t due = due_at(noop, since_start_ms);
    int64_t next;

    if (due > *position + PER_TICK)
        due = *position + PER_TICK;
    while (*position < due) {
        char text[64];
        int len = snprintf(text, sizeof(text), "line %llu of %llu", (unsigned long long)++*position,
                           (unsigned long long)noop->lines);

        sink->line(sink->arg, 'o', text, (size_t)len);
    }
    if (*position >= noop->lines)
        return since_start_ms >= (int64_t)noop->ms ? -1 : (int64_t)noop->ms - since_start_ms;
    next = (int64_t)((*position + 1) * noop->ms / noop->lines) - since_start_ms;
    return next > TICK_MIN_MS ? next : TICK_MIN_MS;
}

static int noop_classify(void *state, const struct pb_run_end *end, struct pb_arena *arena,
                         struct pb_outcome *ret_outcome, struct pb_error *err)
{
    const struct noop *noop = state;
    struct pb_outcome outcome = {.outcome = noop->outcome,
                                 .kind = noop->outcome == PB_OUTCOME_FAILED ? "cli_crashed" : "",
                                 .reason = noop->outcome == PB_OUTCOME_FAILED
                                               ? "it was asked to fail"
                                               : "",
                                 .summary = "",
                                 .question = "",
                                 .total_cost_micro_usd = -1};

    if (!pb_outcome_of_stop(end, &outcome) && noop->outcome == PB_OUTCOME_SUCCEEDED)
        outcome.summary = pb_arena_format(arena, "%llu lines", (unsigned long long)noop->lines);
    if (!outcome.summary)
        return pb_fail(err, PB_ERROR_LIMITED, "no memory");
    *ret_outcome = outcome;
    return 0;
}

const struct pb_driver PB_DRIVER_NOOP = {
    .name = "noop",
    .open = noop_open,
    .close = noop_close,
    .is_final = noop_is_final,
    .session_id = noop_session_id,
    .tick = noop_tick,
    .classify = noop_classify,
};
