/* Making GitHub show how one work item stands; github_effects.h says when and what always holds. */
#ifndef PB_SERVER_SERVICES_GITHUB_SHOW_H
#define PB_SERVER_SERVICES_GITHUB_SHOW_H

#include <stdint.h>

#include "base/error.h"

struct pb_github_shown;
struct pb_platform;

/* What was shown last, so that nothing is written twice for nothing. Any thread; losing it costs some calls. */
struct pb_github_shown *pb_github_shown_new(struct pb_error *err) PB_MUST_CHECK;
void pb_github_shown_free(struct pb_github_shown *shown);

/* Blocks on the network. Does as much as it can: the error is the first one that stood in the way.
 * *ret_retry_at (wall clock) is when GitHub wants to be asked again, 0 = it did not say. */
int pb_github_show(struct pb_platform *platform, struct pb_github_shown *shown,
                   int64_t work_item_id, int64_t *ret_retry_at, struct pb_error *err) PB_MUST_CHECK;

#endif
