/*
 * A project is one GitHub repository with its settings. Its id is a slug,
 * chosen once: it names folders, topics and URLs. Health is derived from what
 * happened last; status is what people want.
 *
 *   ACTIVE <-> PAUSED   polled, or not; running executions go on
 *   ACTIVE <-> STOPPED  no agent; running executions are cancelled
 *   any    --> ARCHIVED read-only        any --> DELETED  rows go when its node has cleaned up
 */
#ifndef PB_MODEL_PROJECT_H
#define PB_MODEL_PROJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "model/limits.h"
#include "model/names.h"

#define PB_PROJECT_STATUSES(X) \
    X(ACTIVE, "active")        \
    X(PAUSED, "paused")        \
    X(STOPPED, "stopped")      \
    X(ARCHIVED, "archived")    \
    X(DELETED, "deleted")

enum pb_project_status {
#define X(status, name) PB_PROJECT_##status,
    PB_PROJECT_STATUSES(X)
#undef X
        PB_PROJECT_STATUS_COUNT
};

#define PB_PROJECT_HEALTHS(X)         \
    X(UNKNOWN, "unknown")             \
    X(HEALTHY, "healthy")             \
    X(FAILING, "failing")             \
    X(MISCONFIGURED, "misconfigured") \
    X(STOPPED, "stopped")

enum pb_project_health {
#define X(health, name) PB_HEALTH_##health,
    PB_PROJECT_HEALTHS(X)
#undef X
        PB_HEALTH_COUNT
};

#define PB_AGENT_STATES(X)        \
    X(STOPPED, "stopped")         \
    X(STARTING, "starting")       \
    X(RUNNING, "running")         \
    X(BACKING_OFF, "backing_off") \
    X(DEGRADED, "degraded")       \
    X(UNREACHABLE, "unreachable") /* its node is offline */

enum pb_agent_state {
#define X(state, name) PB_AGENT_##state,
    PB_AGENT_STATES(X)
#undef X
        PB_AGENT_STATE_COUNT
};

/* These stay text in C as well: they only pass through. */
extern const struct pb_names PB_DRIVER_NAMES; /* claude command noop */
extern const struct pb_names
    PB_PERMISSION_MODE_NAMES; /* default acceptEdits dontAsk bypassPermissions plan */
extern const struct pb_names PB_LANGUAGE_NAMES; /* ja en */

extern const struct pb_names PB_PROJECT_STATUS_NAMES;
extern const struct pb_names PB_PROJECT_HEALTH_NAMES;
extern const struct pb_names PB_AGENT_STATE_NAMES;

const char *pb_project_status_name(enum pb_project_status status);
const char *pb_project_health_name(enum pb_project_health health);
const char *pb_agent_state_name(enum pb_agent_state state);

/* Texts NULL = none (URLs: the platform's setting holds). Lists are JSON arrays of strings as text.
 * */
struct pb_project {
    const char *id;
    const char *name;
    enum pb_project_status status;
    int64_t version; /* grows with every change people make: the ETag */

    const char *github_owner;
    const char *github_repo;
    const char *github_api_url; /* never NULL in a stored project */
    const char *github_git_url;
    const char *default_branch; /* learnt from GitHub */
    const char *trigger_label;
    const char *label_prefix; /* "poppo:" */
    int64_t poll_interval_ms;

    const char *driver;
    const char *command; /* JSON array, argv of driver "command" */
    const char *anthropic_base_url;
    const char *model;
    const char *permission_mode;
    const char *allowed_tools;    /* JSON array */
    const char *disallowed_tools; /* JSON array */
    int64_t max_turns;            /* 0 no limit */
    int64_t max_budget_micro_usd; /* per execution, 0 no limit */
    const char *instructions;     /* added to the system prompt */
    const char *language;         /* of comments and pull requests */
    bool allow_workflow_files;

    const char *working_directory; /* on its node; NULL = below the node's data_dir */
    int64_t wall_ms;
    int64_t silence_ms;
    int64_t max_concurrent;
    int64_t queue_weight; /* its share of turns among projects (model/fair_share.h) */
    int64_t
        retry_limit; /* further attempts by the platform itself; -1 = as the kind of failure allows */
    const char *active_hours; /* when work may start (model/active_hours.h); NULL = always */
    const char *time_zone;    /* of the active hours; NULL = UTC */
    const char *node_id;

    /* observed, changed by pb_project_observe() and not by people */
    enum pb_project_health health;
    const char *health_reason; /* JSON {"kind","en","ja"} */
    enum pb_agent_state agent_state;
    const char *agent_detail;
    int64_t agent_since;
    int64_t agent_pid;
    int64_t agent_restarts;

    const char *created_by;
    int64_t created_at;
    int64_t updated_at;
};

/* What a platform's settings decide about projects. */
struct pb_project_rules {
    int64_t min_poll_interval_ms;
};

bool pb_project_id_valid(const char *id); /* ^[a-z0-9][a-z0-9-]{0,62}$ */
/* A slug made from a repository's name: "Poppo.Builder_2" → "poppo-builder-2"; "project" if nothing
 * is left. */
void pb_project_id_suggest(const char *repo, char ret_id[PB_LIMIT_PROJECT_ID + 1]);
bool pb_github_owner_valid(const char *owner);
bool pb_github_repo_valid(const char *repo);
/* http or https, a host, no user information, query or fragment, ≤ PB_LIMIT_URL. */
bool pb_project_url_valid(const char *url);

/*
 * Checks every field people can set. Each finding is an INVALID error with
 * `field` (the API's name of it), a stable reason (required, too_long,
 * characters, range, choice, format, duplicate) and a sentence. Returns how
 * many there are, and fills at most `max`.
 */
size_t pb_project_check(const struct pb_project *project, const struct pb_project_rules *rules,
                        struct pb_error *ret_findings, size_t max);

#endif
