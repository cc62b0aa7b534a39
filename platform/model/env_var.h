/*
 * A project's environment variables: given to its executions and nobody else.
 * A sealed one ("encrypted") is stored as base64 of the vault's record and
 * never shown again.
 */
#ifndef PB_MODEL_ENV_VAR_H
#define PB_MODEL_ENV_VAR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct pb_env_var {
    int64_t id;
    const char *project_id;
    const char *key;
    const char *value;
    bool encrypted;
};

/* ^[A-Za-z_][A-Za-z0-9_]*$, not too long, and not one the runner sets itself (HOME,
 * ANTHROPIC_BASE_URL, POPPO_… …). */
int pb_env_var_check(const char *key, const char *value, struct pb_error *err) PB_MUST_CHECK;

#endif
