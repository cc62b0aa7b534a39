/*
 * The process of one project on a node ("agent" in the product's words). It
 * keeps the table of the project's attempts, speaks to the platform through
 * poppo-link, and lives for the project's life; everything that must not die
 * with it lives in shims and in the journal.
 *
 *   supervisor ══ control (fd 3) ══ runner ══ stream ══ poppo-link ══ platform
 *
 * When the supervisor goes away the runner goes too, leaving shims and broker
 * as they are; the next one takes over from the journal.
 */
#ifndef PB_AGENT_RUNNER_H
#define PB_AGENT_RUNNER_H

#include "base/error.h"
#include "base/json.h"

struct pb_runner_settings {
    const char *project;
    const char *data_dir;
    const char *bin_dir;
    const char *boxd_socket; /* NULL without root */
    const char *claude_path;
    unsigned slot;
    unsigned uid_base;
    int port_base;
    int64_t max_concurrent;
};

/* From the supervisor's first message; texts borrowed from it. */
int pb_runner_settings_read(const struct pb_json *body, struct pb_runner_settings *ret_settings,
                            struct pb_error *err) PB_MUST_CHECK;
/* Runs until it is told to stop or the supervisor is gone. Takes the control socket over. */
int pb_runner_run(const struct pb_runner_settings *settings, int control,
                  struct pb_error *err) PB_MUST_CHECK;

#endif
