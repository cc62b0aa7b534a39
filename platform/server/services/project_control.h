/*
 * Projects: make, change, start, stop, delete, and how they are doing.
 *
 * Making a project is all or nothing: row, sealed token and key come in one
 * transaction. A change names the version it was based on. What should run
 * where is derived from the rows and sent to the nodes as wishes, so a lost
 * message is mended by the next connection.
 */
#ifndef PB_SERVER_SERVICES_PROJECT_CONTROL_H
#define PB_SERVER_SERVICES_PROJECT_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "model/limits.h"

struct pb_platform;
struct pb_principal;
struct pb_project;

/* As it is now; NOT_FOUND also for a deleted one. */
int pb_project_get(struct pb_platform *platform, const char *id, struct pb_arena *arena,
                   struct pb_project **ret_project, struct pb_error *err) PB_MUST_CHECK;
/* The id of another project that has this one's repository; "" = it is free. */
int pb_project_taken_by(struct pb_platform *platform, const struct pb_project *project,
                        char ret_id[PB_LIMIT_PROJECT_ID + 1], struct pb_error *err) PB_MUST_CHECK;

/* Secrets that come with a change; NULL = keep what is there. */
struct pb_project_secrets {
    const char *github_token;
    const char *anthropic_api_key;
};

/* Gives an unused id from the repository's name when project->id is NULL. CONFLICT with reason
 * "repository_taken" or "project_exists" (the id). */
int pb_project_create(struct pb_platform *platform, struct pb_project *project,
                      const struct pb_project_secrets *secrets, const struct pb_principal *who,
                      struct pb_arena *arena, struct pb_error *err) PB_MUST_CHECK;
/* project->version is the version it was read at; PRECONDITION when the row has another. INVALID with reason
 * "secret_needed" when an address changes and the secret that would be sent there does not come with it. */
int pb_project_update(struct pb_platform *platform, struct pb_project *project,
                      const struct pb_project_secrets *secrets, const struct pb_principal *who,
                      struct pb_error *err) PB_MUST_CHECK;
/* start: active. pause: nothing new starts, what runs goes on. stop: stopped; what runs is cancelled, what is
 * queued waits. restart: the agent anew. */
int pb_project_start(struct pb_platform *platform, const char *id, const struct pb_principal *who,
                     struct pb_error *err) PB_MUST_CHECK;
int pb_project_stop(struct pb_platform *platform, const char *id, const struct pb_principal *who,
                    struct pb_error *err) PB_MUST_CHECK;
int pb_project_pause(struct pb_platform *platform, const char *id, const struct pb_principal *who,
                     struct pb_error *err) PB_MUST_CHECK;
int pb_project_restart(struct pb_platform *platform, const char *id, const struct pb_principal *who,
                       struct pb_error *err) PB_MUST_CHECK;
/* Cancels what is open, forgets the secrets, tells the node to remove the data. */
int pb_project_delete(struct pb_platform *platform, const char *id, const struct pb_principal *who,
                      struct pb_error *err) PB_MUST_CHECK;

/* How a project is doing, as its services see it. `health` is a word of the contract; `code` a stable
 * name ("github_token_invalid"), NULL with no reason. Publishes only when something changed. */
int pb_project_set_health(struct pb_platform *platform, const char *id, const char *health,
                          const char *code, const char *en, const char *ja,
                          struct pb_error *err) PB_MUST_CHECK;

#endif
