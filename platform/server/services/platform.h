/*
 * The platform: every service of poppo-platform, in the order they start
 * (and, backwards, stop). Made once by poppo_platform.c; services take it
 * whole and use what they need. Nothing here changes after start, so any
 * thread may read it.
 *
 * Where things run: handlers and node messages on pool threads, each with
 * its own reader (pb_store_reader); all writes through pb_store_write;
 * sockets on loops, one per core; scheduler, events, GitHub polling and GitHub effects
 * on threads of their own. A call from one service to another never blocks
 * on the network unless its header says so.
 */
#ifndef PB_SERVER_SERVICES_PLATFORM_H
#define PB_SERVER_SERVICES_PLATFORM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct pb_auth;
struct pb_events;
struct pb_github;
struct pb_github;
struct pb_github_effects;
struct pb_github_sync;
struct pb_http_client;
struct pb_janitor;
struct pb_log_hub;
struct pb_log_store;
struct pb_loop;
struct pb_node_hub;
struct pb_pool;
struct pb_schedule_runner;
struct pb_scheduler;
struct pb_store;
struct pb_vault;

/* The settings services care about, read once from the table in server/settings.c. Borrowed texts. */
struct pb_platform_settings {
    const char *base_url; /* what people type: "http://127.0.0.1:3000", no slash at the end */
    const char *github_api_url;
    const char *github_git_url; /* "" = derived */
    const char *anthropic_base_url;
    const char *default_language;   /* ja or en, for new projects */
    const char *metrics_token_file; /* "" = administrators alone read /metrics */
    int64_t poll_interval_ms;       /* for new projects */
    int64_t min_poll_interval_ms;
    int64_t github_write_gap_ms; /* between two writes with one token; tests set 0 */
    int64_t accept_timeout_ms;   /* an assignment not accepted by then goes back to the queue */
    int64_t cancel_timeout_ms;   /* a cancelling not confirmed by then is over without the node */
    int64_t retry_percent;       /* of the pauses before further attempts; tests set 0 */
    int64_t offline_limit_ms;    /* a silent node goes on for so long */
    int64_t offline_grace_ms;    /* and keeps its attempts for so long more */
    int64_t slow_request_ms;     /* requests that take longer are logged; 0 = none */
    const char *local_node_key_sha256; /* "" = no local node */
    int64_t tidy_interval_ms;          /* how often the janitor looks round */
    int64_t project_log_limit;         /* bytes of logs a project keeps; 0 = all */
    int64_t log_days;       /* after the end of their execution, logs are kept; 0 = for ever */
    int64_t execution_days; /* and executions themselves */
    int64_t execution_keep; /* but a project's newest stay */
    int64_t audit_days;
    bool allow_plain_http;
    bool is_https; /* people reach us over TLS: ours, or a proxy's */
};

struct pb_platform {
    struct pb_platform_settings settings;
    struct pb_loop *loop;        /* the first of the loops with sockets; signals, timers */
    struct pb_pool *pool;        /* handlers */
    struct pb_pool *slow_pool;   /* checks and other calls that wait for the outside */
    struct pb_http_client *http; /* outgoing calls */
    struct pb_github
        *github; /* github_client.h: pb_github_new/stop/free; before the vault's users start */
    struct pb_store *store;
    struct pb_log_store *log_store;
    struct pb_vault *vault;
    struct pb_events *events;
    struct pb_log_hub *log_hub;
    struct pb_auth *auth;
    struct pb_node_hub *node_hub;
    struct pb_scheduler *scheduler;
    struct pb_schedule_runner *schedule_runner;
    struct pb_github_effects
        *github_effects;                /* github_effects.h: pb_github_effects_start/stop/kick */
    struct pb_github_sync *github_sync; /* github_sync.h: pb_github_sync_start/stop/kick */
    struct pb_janitor *janitor;
};

#endif
