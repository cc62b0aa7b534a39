#include "server/services/metrics.h"

#include <inttypes.h>

#include "base/log.h"
#include "server/services/counters.h"
#include "server/services/events.h"
#include "server/services/github_client.h"
#include "server/services/health.h"
#include "server/services/metric_text.h"
#include "server/services/node_hub.h"
#include "server/services/platform.h"
#include "server/services/process_stats.h"
#include "server/store/log_store.h"
#include "server/store/project_store.h"
#include "server/store/store.h"

/* --- the process -------------------------------------------------------------------------------------------- */

static void put_process(struct pb_buf *out)
{
    struct pb_process_stats stats;

    pb_metric_family(out, "poppo_build_info", "gauge", "The version that runs.");
    pb_metric_labelled(out, "poppo_build_info", "version", PB_VERSION, 1);
    pb_process_stats(&stats);
    pb_metric_seconds(out, "process_cpu_seconds_total", "counter",
                      "Processor time used, in seconds.", stats.cpu_seconds);
    pb_metric_seconds(out, "process_start_time_seconds", "gauge", "Start, in seconds since 1970.",
                      stats.start_seconds);
    pb_metric_put(out, "process_resident_memory_bytes", "gauge", "Memory in use.",
                  stats.resident_bytes);
    pb_metric_put(out, "process_virtual_memory_bytes", "gauge", "Address space.",
                  stats.virtual_bytes);
    pb_metric_put(out, "process_open_fds", "gauge", "Open file descriptors.", stats.open_fds);
    pb_metric_put(out, "process_max_fds", "gauge", "File descriptors it may open.", stats.max_fds);
}

static void put_health(struct pb_buf *out, const struct pb_health *health)
{
    pb_metric_family(out, "poppo_ready", "gauge",
                     "1 where /readyz found nothing wrong, by what it looks at.");
    for (int i = 0; i < PB_CHECK_COUNT; i++)
        pb_metric_labelled(out, "poppo_ready", "check", pb_health_name((enum pb_health_name)i),
                           health->checks[i].is_ok);
}

/* --- the work ----------------------------------------------------------------------------------------------- */

static int put_projects(struct pb_buf *out, struct pb_db *db, struct pb_error *err)
{
    int64_t count;

    pb_metric_family(out, "poppo_projects", "gauge", "Projects by their status.");
    for (int i = 0; i < PB_PROJECT_STATUS_COUNT; i++) {
        if (pb_project_count(db, (enum pb_project_status)i, &count, err) < 0)
            return -1;
        pb_metric_labelled(out, "poppo_projects", "status",
                           pb_project_status_name((enum pb_project_status)i), (uint64_t)count);
    }
    return 0;
}

/* What only the database knows. While it is down there is no such family, which is what a rule can ask for. */
static int put_stored(struct pb_buf *out, struct pb_store *store, struct pb_error *err)
{
    struct pb_db *db = pb_store_reader(store, err);
    struct pb_execution_counts counts;

    if (!db || pb_project_open_counts(db, &counts, err) < 0 || put_projects(out, db, err) < 0)
        return -1;
    pb_metric_family(out, "poppo_executions", "gauge",
                     "Executions that have not ended, by their status.");
    for (int i = 0; i < PB_EXECUTION_STATUS_COUNT; i++)
        if (!pb_execution_is_final((enum pb_execution_status)i))
            pb_metric_labelled(out, "poppo_executions", "status",
                               pb_execution_status_name((enum pb_execution_status)i),
                               (uint64_t)counts.by_status[i]);
    return 0;
}

static void put_ended(struct pb_buf *out)
{
    pb_metric_family(out, "poppo_executions_ended_total", "counter",
                     "Executions that ended since the start, by how.");
    for (int i = 0; i < PB_EXECUTION_STATUS_COUNT; i++)
        if (pb_execution_is_final((enum pb_execution_status)i))
            pb_metric_labelled(out, "poppo_executions_ended_total", "status",
                               pb_execution_status_name((enum pb_execution_status)i),
                               pb_counted_ended((enum pb_execution_status)i));
}

static void put_counters(struct pb_buf *out)
{
    static const struct {
        const char *name;
        const char *label;
        const char *is;
        const char *help;
    } ROWS[] = {
#define X(counter, name, label, is, help) {name, label, is, help},
        PB_COUNTERS(X)
#undef X
    };

    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        if (*ROWS[i].help)
            pb_metric_family(out, ROWS[i].name, "counter", ROWS[i].help);
        if (*ROWS[i].label)
            pb_metric_labelled(out, ROWS[i].name, ROWS[i].label, ROWS[i].is,
                               pb_counted((enum pb_counter)i));
        else
            pb_buf_format(out, "%s %" PRIu64 "\n", ROWS[i].name, pb_counted((enum pb_counter)i));
    }
}

/* --- its parts ---------------------------------------------------------------------------------------------- */

static void put_nodes(struct pb_buf *out, struct pb_node_hub *hub)
{
    pb_metric_put(out, "poppo_nodes_connected", "gauge", "Nodes whose link is open.",
                  pb_node_hub_links(hub));
    pb_metric_put(out, "poppo_agents_running", "gauge", "Projects' agents that run.",
                  (uint64_t)pb_node_hub_agents_running(hub));
}

static void put_database(struct pb_buf *out, struct pb_store *store)
{
    struct pb_store_stats stats;

    pb_store_stats(store, &stats);
    pb_metric_put(out, "poppo_database_commits_total", "counter", "Groups of changes committed.",
                  stats.groups);
    pb_metric_put(out, "poppo_database_changes_total", "counter", "Changes in them.", stats.writes);
    pb_metric_put(out, "poppo_database_changes_failed_total", "counter",
                  "Changes that were lost with their group; whoever asked was told.", stats.failed);
    pb_metric_put(out, "poppo_database_changes_queued", "gauge",
                  "Changes that wait for the writer.", stats.queued);
    pb_metric_put(out, "poppo_database_checkpoints_total", "counter",
                  "Checkpoints of SQLite's journal.", stats.checkpoints);
}

static void put_logs(struct pb_buf *out, struct pb_log_store *logs)
{
    struct pb_log_stats stats;

    pb_log_stats(logs, &stats);
    pb_metric_put(out, "poppo_log_lines_total", "counter", "Log lines of executions stored.",
                  stats.lines);
    pb_metric_put(out, "poppo_log_bytes_total", "counter", "Bytes of them.", stats.bytes);
    pb_metric_put(out, "poppo_log_syncs_total", "counter", "Times they were put on disk.",
                  stats.ticks);
    pb_metric_put(out, "poppo_log_syncs_failed_total", "counter", "Of these, that stored nothing.",
                  stats.failed);
    pb_metric_put(out, "poppo_log_queued_bytes", "gauge", "Bytes that wait for the writer.",
                  stats.queued_bytes);
    pb_metric_seconds(out, "poppo_log_waiting_seconds", "gauge",
                      "How long the oldest of what is not on disk yet waits.",
                      (double)stats.waiting_ms / 1000);
    if (stats.disk_free == UINT64_MAX)
        return; /* they are in the database */
    pb_metric_put(out, "poppo_log_disk_free_bytes", "gauge", "Free on the disk of the logs.",
                  stats.disk_free);
    pb_metric_put(out, "poppo_log_disk_floor_bytes", "gauge",
                  "With less than that free lines wait.", stats.disk_floor);
}

static void put_events(struct pb_buf *out, struct pb_events *events)
{
    struct pb_events_stats stats;

    pb_events_stats(events, &stats);
    pb_metric_family(out, "poppo_subscribers", "gauge", "Browsers and clients that watch.");
    pb_metric_labelled(out, "poppo_subscribers", "by", "websocket", stats.sockets);
    pb_metric_labelled(out, "poppo_subscribers", "by", "sse", stats.streams);
    pb_metric_put(out, "poppo_event_topics", "gauge", "Topics somebody watches.", stats.topics);
    pb_metric_put(out, "poppo_events_waiting", "gauge", "Changed objects to be told of.",
                  stats.changed);
    pb_metric_put(out, "poppo_event_log_bytes", "gauge", "Log text to be told of.",
                  stats.log_bytes);
    pb_metric_put(out, "poppo_events_total", "counter",
                  "Messages made, each for all who watch its topic.", stats.events);
    pb_metric_put(out, "poppo_events_dropped_total", "counter",
                  "Messages a subscriber had no room for.", stats.dropped);
    pb_metric_put(out, "poppo_event_overruns_total", "counter",
                  "Times more changed than fits, so that everybody fetched again.", stats.overruns);
}

static void put_github(struct pb_buf *out, struct pb_github *github)
{
    struct pb_github_stats stats;

    pb_github_stats(github, &stats);
    pb_metric_put(out, "poppo_github_tokens", "gauge", "Tokens used lately.", stats.tokens);
    pb_metric_put(out, "poppo_github_tokens_waiting", "gauge", "Of them, held back by a limit.",
                  stats.waiting);
    pb_metric_family(out, "poppo_github_requests_remaining", "gauge",
                     "The least that a token has left of its hour.");
    if (stats.remaining >= 0)
        pb_buf_format(out, "poppo_github_requests_remaining %" PRId64 "\n", stats.remaining);
}

void pb_metrics_put(struct pb_platform *platform, struct pb_buf *out)
{
    struct pb_error err = {0};
    struct pb_health health;

    pb_health_look(platform, &health);
    put_process(out);
    put_health(out, &health);
    if (health.checks[PB_CHECK_DATABASE].is_ok && put_stored(out, platform->store, &err) < 0)
        pb_log_fail(PB_LOG_WARN, "metrics", &err, "what the database knows is left out");
    put_ended(out);
    put_counters(out);
    put_nodes(out, platform->node_hub);
    put_database(out, platform->store);
    put_logs(out, platform->log_store);
    put_events(out, platform->events);
    put_github(out, platform->github);
}
