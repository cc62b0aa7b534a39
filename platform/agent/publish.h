/*
 * What a run has made becomes a branch at origin.
 *
 * The bundle from the workspace is fetched, with every object checked, into a
 * repository of the attempt's own, made for this and thrown away after it.
 * Then, all on commits nobody can change any more:
 *
 *   1. it descends from the branch as it was, or from the base branch;
 *   2. no commit of its own touches .github/workflows, .github/actions or
 *      .gitmodules (unless the plan allows it) or adds a submodule;
 *   3. not too many commits, files, bytes, and no file above what GitHub takes;
 *   4. no secret the attempt was given stands in what it adds or says.
 *
 * Only then is the push credential asked for: being given it is the platform's
 * permission to publish (the fence is still ours). The push is a normal one,
 * never forced. A branch that has our commit already is success, so all of it
 * may be done again after a crash.
 *
 * Errors carry the failure kind in err->reason: "publish_refused" (the checks;
 * the message names the files), "push_rejected", and what agent/workspace.h lists.
 */
#ifndef PB_AGENT_PUBLISH_H
#define PB_AGENT_PUBLISH_H

#include "agent/workspace.h"

enum {
    PB_PUBLISH_NAMES_MAX = 50,
    PB_PUBLISH_COMMITS_MAX = 1000,
    PB_PUBLISH_FILES_MAX = 20000,
    PB_PUBLISH_FILE_BYTES_MAX = 95 << 20,    /* GitHub refuses 100 MiB */
    PB_PUBLISH_BUNDLE_BYTES_MAX = 300 << 20, /* packed */
    PB_PUBLISH_SCAN_BYTES_MAX = 512 << 20, /* of added text searched for secrets; more is refused */
};

struct pb_publication {
    const char *branch;
    char base_sha[PB_GIT_SHA_TEXT]; /* what head is compared with */
    char head_sha[PB_GIT_SHA_TEXT];
    bool pushed; /* by this call or before; the branch at origin is head_sha */
    int64_t commits, files_changed, insertions, deletions; /* since base_sha */
    const char *const *changed_files; /* NULL-terminated, the first PB_PUBLISH_NAMES_MAX */
};

int pb_publish(struct pb_step *step, const struct pb_workspace *workspace, struct pb_arena *arena,
               struct pb_publication *ret_publication, struct pb_error *err) PB_MUST_CHECK;

#endif
