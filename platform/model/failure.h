/*
 * Why an execution failed or waits, as a closed list of kinds. Programs see
 * the name; people read the sentence and what happens next, in their language.
 * The detail of the case ("HTTP 401 from …") stands beside it, in `reason`.
 */
#ifndef PB_MODEL_FAILURE_H
#define PB_MODEL_FAILURE_H

#include <stdbool.h>

#include "base/error.h"
#include "model/names.h"

/* kind, name, what the platform does about it by itself */
#define PB_FAILURES(X)                           \
    X(AUTH, "auth", NEVER)                       \
    X(BILLING, "billing", NEVER)                 \
    X(RATE_LIMIT, "rate_limit", QUOTA)           \
    X(OVERLOADED, "overloaded", LATER)           \
    X(MODEL, "model", NEVER)                     \
    X(PROMPT_TOO_LONG, "prompt_too_long", NEVER) \
    X(REFUSAL, "refusal", NEVER)                 \
    X(MAX_TURNS, "max_turns", NEVER)             \
    X(BUDGET, "budget", NEVER)                   \
    X(PROVIDER, "provider", LATER)               \
    X(NETWORK, "network", LATER)                 \
    X(CLI_MISSING, "cli_missing", NEVER)         \
    X(CLI_CRASHED, "cli_crashed", NEVER)         \
    X(CLI_OUTPUT, "cli_output", NEVER)           \
    X(COMMAND, "command", NEVER)                 \
    X(SILENT, "silent", NEVER)                   \
    X(WALL_CLOCK, "wall_clock", NEVER)           \
    X(LEAKED, "leaked", NEVER)                   \
    X(OOM, "oom", NEVER)                         \
    X(DISK, "disk", LATER)                       \
    X(SANDBOX, "sandbox", NEVER)                 \
    X(WORKSPACE, "workspace", NEVER)             \
    X(REPO_EMPTY, "repo_empty", NEVER)           \
    X(REPO_GONE, "repo_gone", NEVER)             \
    X(PUSH_REJECTED, "push_rejected", NEVER)     \
    X(PUBLISH_REFUSED, "publish_refused", NEVER) \
    X(GITHUB_AUTH, "github_auth", NEVER)         \
    X(GITHUB_SCOPE, "github_scope", NEVER)       \
    X(GITHUB_RATE, "github_rate", LATER)         \
    X(NODE_LOST, "node_lost", NEVER)             \
    X(NO_NODE, "no_node", LATER)                 \
    X(BUSY, "busy", LATER)                       \
    X(PLATFORM, "platform", NEVER)               \
    X(CANCELLED, "cancelled", NEVER)             \
    X(INVALID_SETTINGS, "invalid_settings", NEVER)

enum pb_failure_kind {
#define X(kind, name, retry) PB_FAILURE_##kind,
    PB_FAILURES(X)
#undef X
        PB_FAILURE_COUNT
};

enum pb_failure_retry {
    PB_RETRY_NEVER, /* somebody must change something, then start it again */
    PB_RETRY_LATER, /* passes by itself; trying again later may help */
    PB_RETRY_QUOTA, /* when the provider's window opens again */
};

struct pb_failure {
    const char *name;
    enum pb_failure_retry retry;
    const char *en; /* a sentence */
    const char *ja;
    const char *next_en; /* what to do, or what happens now */
    const char *next_ja;
};

extern const struct pb_names PB_FAILURE_NAMES;

const struct pb_failure *pb_failure(enum pb_failure_kind kind);
/* By name, or by the reason of an error that says the same ("disk_full", "unavailable"); the row of
 * "platform" for anything else (an older or newer node), NULL for NULL. */
const struct pb_failure *pb_failure_find(const char *name);
/* `en` or `ja` by language ("ja", anything else is English). */
const char *pb_failure_sentence(const struct pb_failure *failure, const char *language);
const char *pb_failure_next(const struct pb_failure *failure, const char *language);

#endif
