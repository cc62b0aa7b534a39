/*
 * What the platform wants done: the body of attempt_start, read and checked.
 * Nothing in it changes while the attempt lives.
 */
#ifndef PB_AGENT_ATTEMPT_PLAN_H
#define PB_AGENT_ATTEMPT_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"

struct pb_attempt_plan {
    const char *execution;
    int64_t attempt;
    int64_t fence;
    const char *name; /* "<execution>.<attempt>": folder names */

    int64_t number;   /* of the issue; 0 = none */
    const char *item; /* "issue-12": names workspace/<item> and home/<item> */
    const char *title;
    const char *prompt;
    const char *system_prompt; /* "" = none */
    const char *requested_by;
    const char *session_id; /* NULL = the driver makes one */
    bool resume;            /* go on in session_id */

    struct {
        const char *url; /* NULL = work without a repository */
        const char *base_branch;
        const char *branch; /* ours: "poppo/issue-12" */
        const char *default_branch;
    } repo;
    const char *author_name;
    const char *author_email;
    bool allow_workflow_files;

    const char *driver;           /* "claude", "command", "noop" */
    const char *model;            /* "" = the CLI's own choice */
    int64_t max_turns;            /* 0 = none */
    int64_t max_budget_micro_usd; /* 0 = none */
    const char *permission_mode;
    const char *const *allowed_tools; /* NULL-terminated */
    const char *const *disallowed_tools;
    const char *const *command; /* argv, or the noop driver's settings */
    const char *anthropic_base_url;
    const char *const *env;         /* "NAME=value", NULL-terminated: the project's own variables */
    const char *const *env_secrets; /* names of those whose values are not for the log */

    int64_t wall_ms;    /* 0 = none */
    int64_t silence_ms; /* 0 = none */
};

/* Texts are copied into the arena. INVALID with the member's name otherwise. */
int pb_attempt_plan_read(const struct pb_json *body, struct pb_arena *arena,
                         struct pb_attempt_plan **ret_plan, struct pb_error *err) PB_MUST_CHECK;

/* The folder below temp/ of the attempt with this name: short, because the path of a socket in it has 107 bytes. */
const char *pb_attempt_temp_name(const char *attempt_name);
/* Might this be one? */
bool pb_attempt_temp_name_valid(const char *name);

/* The object of variables by itself: as it comes again after a restart, when the runner has forgotten it. */
int pb_attempt_plan_read_env(const struct pb_json *object, struct pb_arena *arena,
                             const char *const **ret_env, struct pb_error *err) PB_MUST_CHECK;

#endif
