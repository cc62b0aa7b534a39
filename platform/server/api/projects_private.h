/* Making a project from the members of a body, for the API and for the seed file. */
#ifndef PB_SERVER_API_PROJECTS_PRIVATE_H
#define PB_SERVER_API_PROJECTS_PRIVATE_H

#include "server/api/request.h"

/* Uses platform, arena, body and who of the request. The id lives in the arena. */
int pb_projects_make(struct pb_request *req, const char **ret_id,
                     struct pb_error *err) PB_MUST_CHECK;

#endif
