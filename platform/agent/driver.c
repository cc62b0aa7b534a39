#include "agent/driver.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

static const struct pb_driver *const DRIVERS[] = {&PB_DRIVER_CLAUDE, &PB_DRIVER_COMMAND,
                                                  &PB_DRIVER_NOOP};

static const struct {
    const char *name;
    bool publishes;
} OUTCOMES[] = {
#define X(kind, name_, publishes_) [PB_OUTCOME_##kind] = {name_, publishes_},
    PB_OUTCOMES(X)
#undef X
};

const char *pb_outcome_name(enum pb_outcome_kind kind)
{
    return OUTCOMES[kind].name;
}

bool pb_outcome_publishes(enum pb_outcome_kind kind)
{
    return OUTCOMES[kind].publishes;
}

const struct pb_driver *pb_driver_find(const char *name)
{
    for (size_t i = 0; i < sizeof(DRIVERS) / sizeof(DRIVERS[0]); i++) {
        if (pb_text_equal(DRIVERS[i]->name, name))
            return DRIVERS[i];
    }
    return NULL;
}

/* FNV-1a: the input is unique already, it only has to be spread. */
static uint64_t spread(uint64_t hash, const char *text)
{
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3U;
    return hash;
}

void pb_driver_session_id(const struct pb_attempt_plan *plan, int round,
                          char ret_uuid[PB_UUID_TEXT])
{
    char text[80];
    uint64_t high;
    uint64_t low;

    (void)snprintf(text, sizeof(text), "%s/%d", plan->name, round);
    high = spread(0xcbf29ce484222325U, text);
    low = spread(high ^ 0x9e3779b97f4a7c15U, text);
    high = (high & 0xffffffffffff0fffU) | 0x4000U;           /* version 4 */
    low = (low & 0x3fffffffffffffffU) | 0x8000000000000000U; /* variant 1 */
    (void)snprintf(ret_uuid, PB_UUID_TEXT, "%08llx-%04llx-%04llx-%04llx-%012llx",
                   (unsigned long long)(high >> 32), (unsigned long long)(high >> 16 & 0xffff),
                   (unsigned long long)(high & 0xffff), (unsigned long long)(low >> 48),
                   (unsigned long long)(low & 0xffffffffffffU));
}

bool pb_outcome_of_stop(const struct pb_run_end *end, struct pb_outcome *outcome)
{
    static const struct {
        enum pb_run_stop stop;
        enum pb_outcome_kind outcome;
        const char *kind;
        const char *reason;
    } STOPS[] = {
        {PB_RUN_CANCELLED, PB_OUTCOME_CANCELLED, "cancelled", "cancelled"},
        {PB_RUN_SILENT, PB_OUTCOME_TIMED_OUT, "silent", "no output for too long"},
        {PB_RUN_WALL_CLOCK, PB_OUTCOME_TIMED_OUT, "wall_clock", "the time for one run was over"},
    };
    static const struct {
        enum pb_task_reason reason;
        enum pb_outcome_kind outcome;
        const char *kind;
        const char *text;
    } ENDS[] = {
        {PB_TASK_LOST, PB_OUTCOME_LOST, "node_lost", "the process that guarded the run was killed"},
        {PB_TASK_OUTPUT_LIMIT, PB_OUTCOME_FAILED, "disk",
         "the run printed more than may be stored"},
        {PB_TASK_DISK_FULL, PB_OUTCOME_FAILED, "disk", "the disk of the node is full"},
    };

    for (size_t i = 0; i < sizeof(STOPS) / sizeof(STOPS[0]); i++) {
        if (STOPS[i].stop == end->stop) {
            outcome->outcome = STOPS[i].outcome;
            outcome->kind = STOPS[i].kind;
            outcome->reason = STOPS[i].reason;
            return true;
        }
    }
    for (size_t i = 0; i < sizeof(ENDS) / sizeof(ENDS[0]); i++) {
        if (ENDS[i].reason == end->exit.reason) {
            outcome->outcome = ENDS[i].outcome;
            outcome->kind = ENDS[i].kind;
            outcome->reason = ENDS[i].text;
            return true;
        }
    }
    if (end->exit.reason == PB_TASK_KILLED) {
        outcome->outcome = end->exit.oom ? PB_OUTCOME_FAILED : PB_OUTCOME_LOST;
        outcome->kind = end->exit.oom ? "oom" : "node_lost";
        outcome->reason = end->exit.oom ? "the machine had no memory left for the run"
                                        : "the run was killed from outside";
        return true;
    }
    return false;
}
