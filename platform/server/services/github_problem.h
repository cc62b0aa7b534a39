/* GitHub's refusals in words for people: a sentence, what to do about it, and what it means for a project. */
#ifndef PB_SERVER_SERVICES_GITHUB_PROBLEM_H
#define PB_SERVER_SERVICES_GITHUB_PROBLEM_H

#include "base/error.h"
#include "model/project.h"

struct pb_github_problem {
    const char *code;              /* stable name: "github_token" */
    enum pb_project_health health; /* FAILING: passes by itself; MISCONFIGURED: somebody must act */
    const char *en;
    const char *ja;
    const char *fix_en;
    const char *fix_ja;
};

/* Of an error of the GitHub client; never NULL. */
const struct pb_github_problem *pb_github_problem(const struct pb_error *err);

/* Problems of the repository itself, which are no errors of a call. */
extern const struct pb_github_problem PB_GITHUB_PROBLEM_ARCHIVED;
extern const struct pb_github_problem PB_GITHUB_PROBLEM_NO_ISSUES;
extern const struct pb_github_problem PB_GITHUB_PROBLEM_NO_TOKEN;

#endif
