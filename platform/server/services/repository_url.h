/* Where a project's repository is for git and for people, derived from its API address. */
#ifndef PB_SERVER_SERVICES_REPOSITORY_URL_H
#define PB_SERVER_SERVICES_REPOSITORY_URL_H

#include "base/arena.h"
#include "model/project.h"

struct pb_platform_settings;

/* "https://github.com": the project's github_git_url, else the platform's, else derived
 * (https://api.github.com → https://github.com, https://H/api/v3 → https://H, else the API's own
 * address). No slash at the end; NULL past the arena's limit. */
const char *pb_repository_base(const struct pb_platform_settings *settings,
                               const struct pb_project *project, struct pb_arena *arena);
/* "<base>/owner/repo" and "<base>/owner/repo.git". */
const char *pb_repository_page(const struct pb_platform_settings *settings,
                               const struct pb_project *project, struct pb_arena *arena);
const char *pb_repository_clone(const struct pb_platform_settings *settings,
                                const struct pb_project *project, struct pb_arena *arena);

#endif
