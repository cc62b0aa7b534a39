#include "model/execution.h"

#include <assert.h>
#include <stddef.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const STATUS_NAMES[] = {
#define X(status, name, final) name,
    PB_EXECUTION_STATUSES(X)
#undef X
};

static const bool STATUS_IS_FINAL[] = {
#define X(status, name, final) final,
    PB_EXECUTION_STATUSES(X)
#undef X
};

static const char *const EVENT_WORDS[] = {
#define X(event, words) words,
    PB_EXECUTION_EVENTS(X)
#undef X
};

static const char *const OUTCOME_NAMES[] = {
#define X(outcome, name, event) name,
    PB_EXECUTION_OUTCOMES(X)
#undef X
};

static const enum pb_execution_event OUTCOME_EVENTS[] = {
#define X(outcome, name, event) PB_EXECUTION_EVENT_##event,
    PB_EXECUTION_OUTCOMES(X)
#undef X
};

static const char *const ATTEMPT_NAMES[] = {
#define X(status, name) name,
    PB_ATTEMPT_STATUSES(X)
#undef X
};

static const char *const TRIGGER_NAMES[] = {
#define X(trigger, name) name,
    PB_TRIGGERS(X)
#undef X
};

const struct pb_names PB_EXECUTION_STATUS_NAMES = {STATUS_NAMES, COUNT(STATUS_NAMES)};
const struct pb_names PB_ATTEMPT_STATUS_NAMES = {ATTEMPT_NAMES, COUNT(ATTEMPT_NAMES)};
const struct pb_names PB_EXECUTION_OUTCOME_NAMES = {OUTCOME_NAMES, COUNT(OUTCOME_NAMES)};
const struct pb_names PB_TRIGGER_NAMES = {TRIGGER_NAMES, COUNT(TRIGGER_NAMES)};

/* The moves of a state in which a node has the execution: they differ in nothing but the name. */
#define WHILE_ON_A_NODE(FROM)                                                                   \
    {PB_EXECUTION_##FROM, E(SUCCEED), S(SUCCEEDED)}, {PB_EXECUTION_##FROM, E(FAIL), S(FAILED)}, \
        {PB_EXECUTION_##FROM, E(TIME_OUT), S(TIMED_OUT)},                                       \
        {PB_EXECUTION_##FROM, E(EXHAUST), S(BUDGET_EXHAUSTED)},                                 \
        {PB_EXECUTION_##FROM, E(CONFIRM), S(CANCELLED)},                                        \
        {PB_EXECUTION_##FROM, E(ASK), S(WAITING_INPUT)},                                        \
        {PB_EXECUTION_##FROM, E(REQUEST_APPROVAL), S(WAITING_APPROVAL)},                        \
        {PB_EXECUTION_##FROM, E(DEFER), S(WAITING_QUOTA)},                                      \
        {PB_EXECUTION_##FROM, E(CANCEL), S(CANCELLING)},                                        \
    {                                                                                           \
        PB_EXECUTION_##FROM, E(LOSE), S(QUEUED)                                                 \
    }

#define S(status) PB_EXECUTION_##status
#define E(event)  PB_EXECUTION_EVENT_##event

static const struct {
    enum pb_execution_status from;
    enum pb_execution_event event;
    enum pb_execution_status to;
} MOVES[] = {
    {S(QUEUED), E(ASSIGN), S(ASSIGNED)},
    {S(QUEUED), E(CANCEL), S(CANCELLED)},
    {S(QUEUED), E(FAIL), S(FAILED)}, /* cannot start at all: its settings */

    {S(ASSIGNED), E(PREPARE), S(PREPARING)},
    {S(ASSIGNED), E(RUN), S(RUNNING)},
    WHILE_ON_A_NODE(ASSIGNED),
    {S(PREPARING), E(RUN), S(RUNNING)},
    WHILE_ON_A_NODE(PREPARING),
    WHILE_ON_A_NODE(RUNNING),

    {S(WAITING_INPUT), E(REPLY), S(QUEUED)},
    {S(WAITING_INPUT), E(CANCEL), S(CANCELLED)},
    {S(WAITING_APPROVAL), E(REPLY), S(QUEUED)},
    {S(WAITING_APPROVAL), E(CANCEL), S(CANCELLED)},
    {S(WAITING_QUOTA), E(REPLY), S(QUEUED)}, /* more was said meanwhile: do not wait with it */
    {S(WAITING_QUOTA), E(DUE), S(QUEUED)},
    {S(WAITING_QUOTA), E(CANCEL), S(CANCELLED)},

    {S(CANCELLING), E(SUCCEED), S(SUCCEEDED)}, /* it was faster */
    {S(CANCELLING), E(FAIL), S(CANCELLED)},
    {S(CANCELLING), E(TIME_OUT), S(CANCELLED)},
    {S(CANCELLING), E(EXHAUST), S(CANCELLED)},
    {S(CANCELLING), E(CONFIRM), S(CANCELLED)},
    {S(CANCELLING), E(ASK), S(CANCELLED)},
    {S(CANCELLING), E(REQUEST_APPROVAL), S(CANCELLED)},
    {S(CANCELLING), E(DEFER), S(CANCELLED)},
    {S(CANCELLING), E(LOSE), S(CANCELLED)},
};

int pb_execution_next(enum pb_execution_status from, enum pb_execution_event event,
                      enum pb_execution_status *ret_to, struct pb_error *err)
{
    assert(from < PB_EXECUTION_STATUS_COUNT && event < PB_EXECUTION_EVENT_COUNT);
    for (size_t i = 0; i < COUNT(MOVES); i++) {
        if (MOVES[i].from == from && MOVES[i].event == event) {
            *ret_to = MOVES[i].to;
            return 0;
        }
    }
    return pb_fail_reason(err, PB_ERROR_CONFLICT,
                          STATUS_IS_FINAL[from] ? "already_final" : "not_now",
                          "an execution that is %s cannot be %s", STATUS_NAMES[from],
                          EVENT_WORDS[event]);
}

enum pb_execution_event pb_execution_event_of(enum pb_execution_outcome outcome)
{
    assert(outcome < PB_EXECUTION_OUTCOME_COUNT);
    return OUTCOME_EVENTS[outcome];
}

const char *pb_execution_status_name(enum pb_execution_status status)
{
    return pb_names_get(&PB_EXECUTION_STATUS_NAMES, (int)status);
}

const char *pb_attempt_status_name(enum pb_attempt_status status)
{
    return pb_names_get(&PB_ATTEMPT_STATUS_NAMES, (int)status);
}

const char *pb_execution_trigger_name(enum pb_execution_trigger trigger)
{
    return pb_names_get(&PB_TRIGGER_NAMES, (int)trigger);
}

bool pb_execution_is_final(enum pb_execution_status status)
{
    return STATUS_IS_FINAL[status];
}

bool pb_execution_is_active(enum pb_execution_status status)
{
    return status == S(ASSIGNED) || status == S(PREPARING) || status == S(RUNNING) ||
           status == S(CANCELLING);
}

bool pb_execution_is_waiting(enum pb_execution_status status)
{
    return status == S(WAITING_INPUT) || status == S(WAITING_APPROVAL) ||
           status == S(WAITING_QUOTA);
}
