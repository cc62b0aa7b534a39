/* Shared by publish.c (the way) and publish_check.c (the rules). */
#ifndef PB_AGENT_PUBLISH_PRIVATE_H
#define PB_AGENT_PUBLISH_PRIVATE_H

#include "agent/git_command.h"
#include "agent/publish.h"

struct pb_publish {
    struct pb_step *step;
    const struct pb_workspace *workspace;
    struct pb_arena *arena;
    char repo[PB_PROJECT_PATH_TEXT]; /* the attempt's publish.git */
    const char *start;               /* what the result must descend from and is compared with */
    char head[PB_GIT_SHA_TEXT];
    struct pb_buf commits; /* of the result's own, one object name per line */
    int64_t commit_count;
};

/* Git in publish.git, on objects that came from strangers. */
int pb_publish_git(const struct pb_publish *publish, const char *const *args,
                   const struct pb_buf *input, struct pb_buf *ret_out, int *ret_code,
                   struct pb_error *err) PB_MUST_CHECK;
int pb_publish_refuse(struct pb_error *err, const char *fmt, ...) PB_PRINTF(2, 3);

/* Rules 1 to 4 of agent/publish.h; fills in commits and commit_count. */
int pb_publish_check(struct pb_publish *publish, struct pb_error *err) PB_MUST_CHECK;

#endif
