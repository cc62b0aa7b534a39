#include "model/retry.h"

#include <stddef.h>

#include "model/limits.h"

#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS   (60 * MINUTE_MS)

static const struct pb_retry_rule NEVER = {PB_RETRY_WAY_NEVER, 0, 0, 0};

static const struct {
    enum pb_failure_kind kind;
    struct pb_retry_rule rule;
} RULES[] = {
    {PB_FAILURE_RATE_LIMIT, {PB_RETRY_WAY_DUE, 1000, 5 * MINUTE_MS, 30 * MINUTE_MS}},
    {PB_FAILURE_GITHUB_RATE, {PB_RETRY_WAY_DUE, 12, 5 * MINUTE_MS, 30 * MINUTE_MS}},
    {PB_FAILURE_OVERLOADED, {PB_RETRY_WAY_BACKOFF, 5, 30 * SECOND_MS, 15 * MINUTE_MS}},
    {PB_FAILURE_PROVIDER, {PB_RETRY_WAY_BACKOFF, 4, 30 * SECOND_MS, 15 * MINUTE_MS}},
    {PB_FAILURE_NETWORK, {PB_RETRY_WAY_BACKOFF, 5, 15 * SECOND_MS, 10 * MINUTE_MS}},
    {PB_FAILURE_DISK, {PB_RETRY_WAY_BACKOFF, 6, 5 * MINUTE_MS, HOUR_MS}},
    {PB_FAILURE_NODE_LOST,
     {PB_RETRY_WAY_BACKOFF, PB_LIMIT_ATTEMPTS_LOST - 1, SECOND_MS, 30 * SECOND_MS}},
    {PB_FAILURE_NO_NODE, {PB_RETRY_WAY_BACKOFF, 20, 10 * SECOND_MS, 2 * MINUTE_MS}},
    {PB_FAILURE_BUSY, {PB_RETRY_WAY_BACKOFF, 20, 10 * SECOND_MS, 2 * MINUTE_MS}},
};

const struct pb_retry_rule *pb_retry_rule(enum pb_failure_kind kind)
{
    for (size_t i = 0; i < sizeof(RULES) / sizeof(RULES[0]); i++)
        if (RULES[i].kind == kind)
            return &RULES[i].rule;
    return &NEVER;
}

/* 0 … 255, the same for the same execution and try (FNV-1a). */
static int64_t shade(const char *seed, int64_t failed)
{
    uint32_t hash = 2166136261U ^ (uint32_t)failed;

    for (; seed && *seed; seed++)
        hash = (hash ^ (unsigned char)*seed) * 16777619U;
    return (hash ^ hash >> 16) & 255;
}

static int64_t pause_of(const struct pb_retry_rule *rule, const struct pb_retry_case *failed)
{
    int64_t pause = rule->base_ms;

    for (int64_t i = 1; i < failed->failed && pause < rule->cap_ms; i++)
        pause *= 2;
    pause = pause < rule->cap_ms ? pause : rule->cap_ms;
    pause -= pause / 4 * shade(failed->seed, failed->failed) / 255;
    return pause * failed->percent / 100;
}

int64_t pb_retry_at(const struct pb_retry_case *failed)
{
    const struct pb_retry_rule *rule = pb_retry_rule(failed->kind);
    int64_t tries = failed->limit >= 0 && failed->limit < rule->tries ? failed->limit : rule->tries;

    if (rule->way == PB_RETRY_WAY_NEVER || failed->failed > tries)
        return 0;
    if (rule->way == PB_RETRY_WAY_NOW)
        return failed->now_ms;
    if (rule->way == PB_RETRY_WAY_DUE && failed->due_ms > failed->now_ms)
        return failed->due_ms;
    return failed->now_ms + pause_of(rule, failed);
}
