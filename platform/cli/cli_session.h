/*
 * Where `poppo` remembers that somebody signed in: one file of the user's,
 * $XDG_CONFIG_HOME/poppo-builder/cli.json (else ~/.config/…), mode 0600. It
 * holds what lets others in, so a file that others can read is refused.
 *
 * A refresh cookie is good for one use, and two commands may run at once:
 * whoever wants to replace it takes the lock first and reads the file again.
 */
#ifndef PB_CLI_CLI_SESSION_H
#define PB_CLI_CLI_SESSION_H

#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

struct pb_cli_session {
    const char *url; /* no slash at the end */
    const char *username;
    const char *cookie; /* "name=value" */
    const char *access_token;
    int64_t access_until_ms;
};

/* UNAUTHENTICATED "not_signed_in" when there is none, DENIED "session_file_open" when others can read it.
 * The texts live in the arena. */
int pb_cli_session_load(struct pb_arena *arena, struct pb_cli_session *ret_session,
                        struct pb_error *err) PB_MUST_CHECK;
int pb_cli_session_save(const struct pb_cli_session *session, struct pb_error *err) PB_MUST_CHECK;
/* No file is success. */
int pb_cli_session_forget(struct pb_error *err) PB_MUST_CHECK;
/* A descriptor to close when done; waits up to 15 s for another command. */
int pb_cli_session_lock(struct pb_error *err) PB_MUST_CHECK;

#endif
