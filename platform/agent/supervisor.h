/*
 * The node daemon's heart: keeps one runner per project that should run,
 * starts the link, tells the platform how things stand. It reads nothing that
 * a stranger wrote and relays no content.
 *
 * One project's agent:
 *
 *   (none) ─wish→ STARTING ─ready→ RUNNING ─wish gone→ STOPPING ─ended→ (none)
 *                   ↑  │ended         │ended
 *      time is up   │  ↓              ↓
 *                BACKING_OFF  ←───────┘      five ends within ten minutes → DEGRADED (a longer wait)
 *
 * A start that could not be made (poppo-boxd is away) is no end: it is tried again with backoff. A runner
 * that is not ready within a minute, or does not stop when told, is killed.
 *
 * Wishes are written down, so projects run also while the platform is away.
 * When the supervisor ends, link and runners end with it (their descriptor
 * closes) and the next one starts new ones; what runs in shims notices nothing.
 */
#ifndef PB_AGENT_SUPERVISOR_H
#define PB_AGENT_SUPERVISOR_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

struct pb_supervisor_options {
    const char *node_name;
    const char *data_dir;
    const char *bin_dir;
    const char *boxd_socket; /* NULL: no root */
    const char *platform_url;
    const char *node_key_file;
    const char *ca_file;
    const char *claude_path;
    const char *log_level;
    bool log_json;
    uid_t uid_base;
    int port_base;
};

/* Serves until SIGTERM or SIGINT. */
int pb_supervisor_run(const struct pb_supervisor_options *options,
                      struct pb_error *err) PB_MUST_CHECK;

#endif
