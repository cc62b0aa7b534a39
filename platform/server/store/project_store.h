/* Projects, their environment variables, and sealed secrets. Rows and texts live in the arena. */
#ifndef PB_SERVER_STORE_PROJECT_STORE_H
#define PB_SERVER_STORE_PROJECT_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "model/env_var.h"
#include "model/execution.h"
#include "model/limits.h"
#include "model/project.h"
#include "server/store/db.h"
#include "server/store/page.h"

struct pb_project_list {
    struct pb_project *items;
    size_t count;
    const char *next_cursor;
};

struct pb_project_filter {
    struct pb_page page;
    const char *query; /* part of id, name, owner or repository, any case; NULL = all */
    const enum pb_project_status *statuses;
    size_t status_count; /* 0 = all but deleted */
};

/* CONFLICT, reason "project_exists" (field "id") or "repository_taken" (field "github_repo", the
 * other project's id in the message). version becomes 1. */
int pb_project_insert(struct pb_db *db, const struct pb_project *project,
                      struct pb_error *err) PB_MUST_CHECK;
/* The id of the other project that has this one's repository (same API address); "" = it is free. */
int pb_project_rival(struct pb_db *db, const struct pb_project *project,
                     char ret_id[PB_LIMIT_PROJECT_ID + 1], struct pb_error *err) PB_MUST_CHECK;
/* NOT_FOUND, reason "project_not_found". Deleted ones are found. */
int pb_project_load(struct pb_db *db, struct pb_arena *arena, const char *id,
                    struct pb_project **ret_project, struct pb_error *err) PB_MUST_CHECK;
/* By name, then id. */
int pb_project_list(struct pb_db *db, struct pb_arena *arena,
                    const struct pb_project_filter *filter, struct pb_project_list *ret_list,
                    struct pb_error *err) PB_MUST_CHECK;
/* Writes what people set, status included; version + 1. PRECONDITION, reason "changed_meanwhile",
 * if the row is not at project->version. CONFLICT as insert. */
int pb_project_save(struct pb_db *db, const struct pb_project *project,
                    struct pb_error *err) PB_MUST_CHECK;
/* Writes what is observed (health…, agent_…, default_branch, node_id) and leaves version and updated_at
 * alone. */
int pb_project_observe(struct pb_db *db, const struct pb_project *project,
                       struct pb_error *err) PB_MUST_CHECK;
/* The row and everything that belongs to it, for good. A missing one is success. */
int pb_project_remove(struct pb_db *db, const char *id, struct pb_error *err) PB_MUST_CHECK;

/* Executions by status, kept beside the rows so that history costs nothing. */
struct pb_execution_counts {
    int64_t by_status[PB_EXECUTION_STATUS_COUNT];
};
int pb_project_counts(struct pb_db *db, const char *project_id,
                      struct pb_execution_counts *ret_counts, struct pb_error *err) PB_MUST_CHECK;
/* All projects together, without what has ended. */
int pb_project_open_counts(struct pb_db *db, struct pb_execution_counts *ret_counts,
                           struct pb_error *err) PB_MUST_CHECK;
/* How many projects have this status. */
int pb_project_count(struct pb_db *db, enum pb_project_status status, int64_t *ret_count,
                     struct pb_error *err) PB_MUST_CHECK;

struct pb_env_var_list {
    struct pb_env_var *items;
    size_t count;
};

/* By key. */
int pb_env_var_list(struct pb_db *db, struct pb_arena *arena, const char *project_id,
                    struct pb_env_var_list *ret_list, struct pb_error *err) PB_MUST_CHECK;
/* Makes the project's variables exactly these. */
int pb_env_var_replace(struct pb_db *db, const char *project_id, const struct pb_env_var *vars,
                       size_t count, struct pb_error *err) PB_MUST_CHECK;

/*
 * A sealed value. The newest version is the one in use; older ones stay until
 * removed, so that what runs can finish with them.
 */
struct pb_secret {
    int64_t id;
    const char *scope;      /* "platform" or "project" */
    const char *project_id; /* "" for the platform's own */
    const char *name;       /* github_token, anthropic_api_key … */
    int64_t version;        /* from 1 */
    const char *kek_id;
    const void *wrapped_dek;
    size_t wrapped_dek_len;
    const void *sealed;
    size_t sealed_len;
    const char *created_by;
    int64_t created_at;
    int64_t expires_at;
    int64_t last_used_at;
};

struct pb_secret_list {
    struct pb_secret *items;
    size_t count;
};

/* The number the next version will have: the sealing binds it. Inside the same write function as
 * the insert. */
int pb_secret_next_version(struct pb_db *db, const char *scope, const char *project_id,
                           const char *name, int64_t *ret_version,
                           struct pb_error *err) PB_MUST_CHECK;
int pb_secret_insert(struct pb_db *db, const struct pb_secret *secret,
                     struct pb_error *err) PB_MUST_CHECK;
/* The newest version. NOT_FOUND, reason "secret_not_found". */
int pb_secret_load(struct pb_db *db, struct pb_arena *arena, const char *scope,
                   const char *project_id, const char *name, struct pb_secret **ret_secret,
                   struct pb_error *err) PB_MUST_CHECK;
/* Newest version of each name, without sealed bytes. */
int pb_secret_list(struct pb_db *db, struct pb_arena *arena, const char *scope,
                   const char *project_id, struct pb_secret_list *ret_list,
                   struct pb_error *err) PB_MUST_CHECK;
int pb_secret_used(struct pb_db *db, int64_t id, int64_t now_ms,
                   struct pb_error *err) PB_MUST_CHECK;
/* All versions but the newest `keep`; 0 = the secret is gone. */
int pb_secret_prune(struct pb_db *db, const char *scope, const char *project_id, const char *name,
                    int64_t keep, struct pb_error *err) PB_MUST_CHECK;
/* Is anything sealed at all? Then a missing key file is an error and not a first start. */
int pb_secret_any(struct pb_db *db, bool *ret_any, struct pb_error *err) PB_MUST_CHECK;

#endif
