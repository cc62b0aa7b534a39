/*
 * The labels that show on the issue list how our work stands: a set of five
 * below the project's prefix ("poppo:queued" …), of which an issue carries at
 * most one. Other labels are never touched.
 */
#ifndef PB_SERVER_SERVICES_GITHUB_LABEL_H
#define PB_SERVER_SERVICES_GITHUB_LABEL_H

#include "base/error.h"
#include "model/execution.h"
#include "server/services/github_repo.h"

/* state, name behind the prefix, colour, description (at most 100 characters) */
#define PB_GITHUB_LABELS(X)                                                                      \
    X(QUEUED, "queued", "c5def5", "PoppoBuilder: waiting for its turn",                          \
      "PoppoBuilder: 順番を待っています")                                                        \
    X(WORKING, "working", "1d76db", "PoppoBuilder: an agent is working on it",                   \
      "PoppoBuilder: エージェントが作業しています")                                              \
    X(NEEDS_INPUT, "needs-input", "fbca04", "PoppoBuilder: a question is waiting for an answer", \
      "PoppoBuilder: 質問への回答を待っています")                                                \
    X(DONE, "done", "0e8a16", "PoppoBuilder: finished", "PoppoBuilder: 完了しました")            \
    X(FAILED, "failed", "b60205", "PoppoBuilder: did not work out, see the comment",             \
      "PoppoBuilder: うまくいきませんでした（コメントをご覧ください）")

enum pb_github_label {
#define X(state, name, colour, en, ja) PB_GITHUB_LABEL_##state,
    PB_GITHUB_LABELS(X)
#undef X
        PB_GITHUB_LABEL_COUNT,
    PB_GITHUB_LABEL_NONE = PB_GITHUB_LABEL_COUNT,
};

enum pb_github_label pb_github_label_of(enum pb_execution_status status);

/* Makes the issue carry this one of ours and no other. Makes the label itself if the repository does not have
 * it, unless *known (one bit per label; may be NULL) says it does; *known is brought up to date. */
int pb_github_label_show(const struct pb_github_repo *repo, int64_t issue_number,
                         const char *prefix, const char *language, enum pb_github_label label,
                         unsigned *known, struct pb_error *err) PB_MUST_CHECK;

#endif
