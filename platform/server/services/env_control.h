/*
 * A project's environment variables. Sealed ones go in and never come out to
 * people; executions get all of them in plain.
 */
#ifndef PB_SERVER_SERVICES_ENV_CONTROL_H
#define PB_SERVER_SERVICES_ENV_CONTROL_H

#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "model/env_var.h"

struct pb_platform;
struct pb_principal;

/* {"items": [{key, value or null, encrypted}]} */
int pb_env_show(struct pb_platform *platform, const char *project_id, struct pb_arena *arena,
                struct pb_json_writer *w, struct pb_error *err) PB_MUST_CHECK;

/* Makes the variables exactly these; values are plain. An encrypted one whose value is NULL keeps the value
 * it has (INVALID, field "items", when it has none). Keys were checked by pb_env_var_check(). */
int pb_env_replace(struct pb_platform *platform, const char *project_id,
                   const struct pb_env_var *vars, size_t count, const struct pb_principal *who,
                   struct pb_error *err) PB_MUST_CHECK;

/* Puts the members "env": {"KEY": "plain", …} and "env_secrets": ["KEY" …], the names of the sealed ones.
 * DENIED when a sealed value cannot be opened. */
int pb_env_put_plain(struct pb_platform *platform, const struct pb_env_var *vars, size_t count,
                     const char *project_id, struct pb_json_writer *w,
                     struct pb_error *err) PB_MUST_CHECK;
/* The same, read with this thread's reader. */
int pb_env_put_of_project(struct pb_platform *platform, const char *project_id,
                          struct pb_json_writer *w, struct pb_error *err) PB_MUST_CHECK;

#endif
