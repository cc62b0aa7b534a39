/* Git's progress on standard error as a few lines of the attempt's log: what is done, and every 5 seconds how far. */
#ifndef PB_AGENT_GIT_PROGRESS_H
#define PB_AGENT_GIT_PROGRESS_H

#include <stddef.h>
#include <stdint.h>

#include "agent/step.h"

enum { PB_GIT_PROGRESS_EVERY_MS = 5000 };

struct pb_git_progress {
    struct pb_step *step; /* borrowed */
    char line[256];
    size_t len;
    int64_t said_ms; /* steady clock */
    unsigned said;
};

void pb_git_progress_init(struct pb_git_progress *progress, struct pb_step *step);
void pb_git_progress_feed(struct pb_git_progress *progress, const char *data, size_t len);

#endif
