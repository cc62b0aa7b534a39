/*
 * Running the git program, in two ways that must not be confused.
 *
 *   pb_git_run    as the runner's user, on repositories only we have written
 *                 (cache.git, publish.git). May hold a token and use the net.
 *   pb_git_task   as the task user, in a workspace. Never has a token.
 *
 * Both get an environment built from zero and a configuration that turns off
 * hooks, fsmonitor, credential helpers, submodules, automatic gc, and every
 * protocol but the one named. The token is a header for the repository's own
 * server, given by the environment: not in argv, not on disk, and not sent on
 * when the server redirects elsewhere.
 *
 * Blocking, for steps: cancellation and deadlines are watched.
 */
#ifndef PB_AGENT_GIT_COMMAND_H
#define PB_AGENT_GIT_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/step.h"
#include "base/buf.h"
#include "base/error.h"

enum {
    PB_GIT_ARGUMENTS_MAX = 48,
    PB_GIT_LOCAL_MS = 5 * 60 * 1000,    /* commands on this machine */
    PB_GIT_NETWORK_MS = 30 * 60 * 1000, /* a whole clone */
    PB_GIT_ERRORS_MAX = 64 << 10,
};

enum pb_git_protocol {
    PB_GIT_NO_PROTOCOL,
    PB_GIT_FILE, /* bundles and repositories on this machine */
    PB_GIT_HTTP, /* the url's own, http or https */
};

struct pb_git_command {
    const char *git_dir;     /* absolute; pb_git_run only, NULL for commands without a repository */
    const char *work_dir;    /* absolute; pb_git_task only */
    const char *const *args; /* without "git", NULL-terminated */
    const struct pb_buf *input; /* NULL = empty */
    struct pb_buf *ret_out;     /* collected; NULL = thrown away */
    /* Instead of ret_out, piece by piece; false ends git and the call, which then fails with *err as set by
     * the callback. pb_git_run only. */
    bool (*on_output)(void *arg, const char *data, size_t len, struct pb_error *err);
    void *arg;
    enum pb_git_protocol protocol;
    const char *url;                        /* PB_GIT_HTTP: whose server gets the credential */
    const struct pb_credential *credential; /* PB_GIT_HTTP; NULL = none */
    bool
        is_bounded; /* reads what strangers packed: memory, file size and processor time are limited */
    bool has_progress;  /* stderr is progress: shown in the attempt's log now and then */
    int64_t timeout_ms; /* 0 = PB_GIT_LOCAL_MS */
};

/* An exit code that is not 0 is an error, with git's words and the failure kind they mean as reason; unless
 * ret_code is given: then it is an answer. */
int pb_git_run(struct pb_step *step, const struct pb_git_command *command, int *ret_code,
               struct pb_error *err) PB_MUST_CHECK;
int pb_git_task(struct pb_step *step, const struct pb_git_command *command, int *ret_code,
                struct pb_error *err) PB_MUST_CHECK;

/* A program other than git as the task user ("/bin/mkdir" …), same rules. args[0] is its path. */
int pb_git_task_tool(struct pb_step *step, const char *const *args,
                     struct pb_error *err) PB_MUST_CHECK;

/* Whether a text of hexadecimal digits is a full object name. */
bool pb_git_is_sha(const char *text);
/* One line of output (without its newline) that must be an object name. WORKSPACE otherwise. */
int pb_git_take_sha(const struct pb_buf *out, char ret_sha[65], struct pb_error *err) PB_MUST_CHECK;
/* A branch we are willing to name: letters, digits, '.', '_', '-', '/'; what git check-ref-format refuses is refused. */
bool pb_git_branch_valid(const char *branch);
/* "https://host:port/" of an http or https URL without user, query and fragment. INVALID otherwise. */
int pb_git_origin(const char *url, char ret_origin[512], struct pb_error *err) PB_MUST_CHECK;
/* The failure kind in git's words on standard error. `is_push`: a refusal is the push's. */
const char *pb_git_failure_kind(const char *errors, bool is_push);

#endif
