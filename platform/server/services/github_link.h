/* GitHub's Link headers and redirects: pages are followed verbatim, but only within the same origin. */
#ifndef PB_SERVER_SERVICES_GITHUB_LINK_H
#define PB_SERVER_SERVICES_GITHUB_LINK_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"

/* The addresses of rel next, prev and last (malloc'ed, NULL when absent). What cannot be understood is
 * skipped; -1 only when memory is short. `header` may be NULL. */
int pb_github_link_read(const char *header, char **ret_next, char **ret_prev,
                        char **ret_last) PB_MUST_CHECK;
/* Same scheme, host and port. */
bool pb_github_link_same_origin(const char *a, const char *b);
/* "/path" on the server of `base`. NULL past the arena's limit. */
char *pb_github_link_resolve(struct pb_arena *arena, const char *base,
                             const char *path) PB_MUST_CHECK;

#endif
