/* One pass over one project at GitHub; github_sync.h says what it looks for and what always holds. */
#ifndef PB_SERVER_SERVICES_GITHUB_POLL_H
#define PB_SERVER_SERVICES_GITHUB_POLL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct pb_platform;

/* What a project's passes remember between them; losing it costs some calls. Zeroed at first. */
struct pb_github_poll {
    int64_t *listed; /* owned: issues with the label at the last whole pass, sorted */
    size_t listed_count;
    bool has_listed;
    int64_t facts_at; /* steady: when the repository was last described */
    int64_t
        no_comments_list_at; /* steady: when the server last had no list of all comments; 0 = has one */
    const char *health_code; /* as last told, constant; NULL = healthy */
    bool health_told;
};

void pb_github_poll_release(struct pb_github_poll *poll);

/* Blocks on the network. On failure the project's health has been told; *ret_retry_at (wall clock) is when
 * GitHub wants to be asked again, 0 = it did not say. Ends early with success when *stop becomes true. */
int pb_github_poll_pass(struct pb_platform *platform, const char *project_id,
                        struct pb_github_poll *poll, const atomic_bool *stop, int64_t *ret_retry_at,
                        struct pb_error *err) PB_MUST_CHECK;

#endif
