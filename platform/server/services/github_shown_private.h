/* What was shown last at GitHub: fixed tables, newer entries overwrite older ones in the same place. */
#ifndef PB_SERVER_SERVICES_GITHUB_SHOWN_PRIVATE_H
#define PB_SERVER_SERVICES_GITHUB_SHOWN_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/crypto.h"
#include "server/services/github_label.h"
#include "server/services/github_show.h"

/* Of a work item. */
struct pb_github_shown_item {
    int64_t work_item_id; /* 0 = nothing known */
    uint8_t comment[PB_SHA256_BYTES];
    enum pb_github_label label;
    bool has_comment;
    bool has_label;
    char pull_sha[65]; /* the head the pull request was last looked at for */
};

/* Of a repository in the name of a project. */
struct pb_github_shown_repo {
    char project_id[64];
    unsigned labels; /* bit per label that exists */
    bool no_reactions;
};

void pb_github_shown_load_item(struct pb_github_shown *shown, int64_t work_item_id,
                               struct pb_github_shown_item *ret_item);
void pb_github_shown_save_item(struct pb_github_shown *shown,
                               const struct pb_github_shown_item *item);
void pb_github_shown_load_repo(struct pb_github_shown *shown, const char *project_id,
                               struct pb_github_shown_repo *ret_repo);
void pb_github_shown_save_repo(struct pb_github_shown *shown,
                               const struct pb_github_shown_repo *repo);

#endif
