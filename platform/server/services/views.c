#include "server/services/views.h"

#include <string.h>

#include "model/failure.h"
#include "model/priority.h"
#include "server/services/node_hub.h"
#include "server/services/platform.h"
#include "server/services/repository_url.h"
#include "server/services/vault.h"
#include "server/store/execution_store.h"
#include "server/store/log_store.h"
#include "server/store/project_store.h"

static void put_id_or_null(struct pb_json_writer *w, const char *name, int64_t value)
{
    if (value > 0)
        pb_json_put_int(w, name, value);
    else
        pb_json_put_null(w, name);
}

static void put_text(struct pb_json_writer *w, const char *name, const char *value)
{
    pb_json_put_text(w, name, value ? value : "");
}

static void put_money(struct pb_json_writer *w, const char *name, int64_t micro_usd)
{
    if (micro_usd < 0)
        pb_json_put_null(w, name);
    else
        pb_json_put_millionths(w, name, micro_usd);
}

/* Lists are kept as JSON text. */
static void put_list(struct pb_json_writer *w, const char *name, const char *json)
{
    pb_json_put_raw(w, name, json && *json ? json : "[]");
}

static void put_sentence(struct pb_json_writer *w, const char *name, const char *en, const char *ja)
{
    if (!en || !*en) {
        pb_json_put_null(w, name);
        return;
    }
    pb_json_begin_object(w, name);
    pb_json_put_text(w, "en", en);
    pb_json_put_text(w, "ja", ja);
    pb_json_end_object(w);
}

/* --- executions ------------------------------------------------------------------------------------------- */

static void put_queued_reason(struct pb_json_writer *w, const struct pb_execution *execution)
{
    const struct pb_waiting *waiting = execution->waiting;

    if (!waiting) {
        pb_json_put_null(w, "queued_reason");
        return;
    }
    pb_json_begin_object(w, "queued_reason");
    pb_json_put_text(w, "code", waiting->code);
    pb_json_put_text(w, "en", waiting->en);
    pb_json_put_text(w, "ja", waiting->ja);
    pb_json_put_time(w, "until", waiting->until);
    put_id_or_null(w, "position", waiting->position);
    pb_json_put_int(w, "queued", waiting->queued);
    pb_json_end_object(w);
}

static void put_reason(struct pb_json_writer *w, const char *kind, const char *detail)
{
    const struct pb_failure *failure = pb_failure_find(kind);

    if (!failure) {
        pb_json_put_null(w, "reason");
        return;
    }
    pb_json_begin_object(w, "reason");
    pb_json_put_text(w, "kind", failure->name);
    pb_json_put_text(w, "en", failure->en);
    pb_json_put_text(w, "ja", failure->ja);
    put_sentence(w, "next", failure->next_en, failure->next_ja);
    pb_json_put_text(w, "detail", detail);
    pb_json_end_object(w);
}

static void put_usage(struct pb_json_writer *w, const struct pb_execution *execution)
{
    const struct pb_execution_usage *usage = &execution->usage;

    pb_json_begin_object(w, "usage");
    pb_json_put_int(w, "calls", usage->calls);
    pb_json_put_int(w, "input_tokens", usage->input_tokens);
    pb_json_put_int(w, "output_tokens", usage->output_tokens);
    pb_json_put_int(w, "cache_read_tokens", usage->cache_read_tokens);
    pb_json_put_int(w, "cache_write_tokens", usage->cache_write_tokens);
    pb_json_put_int(w, "num_turns", execution->num_turns);
    pb_json_end_object(w);
    put_money(w, "cost_usd", usage->cost_micro_usd);
}

static void put_result(struct pb_json_writer *w, const struct pb_execution *execution)
{
    put_reason(w, execution->reason_kind, execution->reason);
    pb_json_put_text(w, "summary", execution->summary);
    pb_json_put_text(w, "question", execution->question);
    pb_json_put_bool(w, "no_changes", execution->no_changes);
    pb_json_put_text(w, "branch", execution->branch);
    pb_json_put_text(w, "head_sha", execution->head_sha);
    if (execution->pr_number > 0) {
        pb_json_begin_object(w, "pull_request");
        pb_json_put_int(w, "number", execution->pr_number);
        put_text(w, "url", execution->pr_url);
        pb_json_end_object(w);
    } else {
        pb_json_put_null(w, "pull_request");
    }
    pb_json_begin_object(w, "changes");
    pb_json_put_int(w, "files", execution->files_changed);
    pb_json_put_int(w, "insertions", execution->insertions);
    pb_json_put_int(w, "deletions", execution->deletions);
    pb_json_end_object(w);
}

static void put_log(struct pb_json_writer *w, const struct pb_execution *execution,
                    const struct pb_log_info *live)
{
    pb_json_begin_object(w, "log");
    pb_json_put_int(w, "lines", live ? (int64_t)live->lines : execution->log_lines);
    pb_json_put_int(w, "bytes", live ? (int64_t)live->bytes : execution->log_bytes);
    pb_json_put_bool(w, "complete", pb_execution_is_final(execution->status));
    pb_json_put_bool(w, "removed", execution->logs == NULL);
    pb_json_end_object(w);
}

void pb_view_attempt(struct pb_json_writer *w, const char *name, const struct pb_attempt *attempt)
{
    pb_json_begin_object(w, name);
    pb_json_put_int(w, "number", attempt->number);
    pb_json_put_text(w, "status", pb_attempt_status_name(attempt->status));
    pb_json_put_text(w, "outcome", attempt->outcome);
    pb_json_put_text(w, "node_id", attempt->node_id);
    put_reason(w, attempt->reason_kind, attempt->reason);
    pb_json_put_text(w, "session_id", attempt->session_id);
    if (attempt->ended_at && attempt->exit_code >= 0)
        pb_json_put_int(w, "exit_code", attempt->exit_code);
    else
        pb_json_put_null(w, "exit_code");
    put_id_or_null(w, "signal", attempt->exit_signal);
    put_money(w, "cost_usd", attempt->usage.cost_micro_usd);
    pb_json_put_time(w, "started_at", attempt->started_at);
    pb_json_put_time(w, "ended_at", attempt->ended_at);
    pb_json_end_object(w);
}

static void put_attempts(struct pb_json_writer *w, const struct pb_attempt_list *attempts)
{
    pb_json_begin_array(w, "attempts");
    for (size_t i = 0; i < attempts->count; i++)
        pb_view_attempt(w, NULL, &attempts->items[i]);
    pb_json_end_array(w);
}

void pb_view_execution(struct pb_json_writer *w, const char *name,
                       const struct pb_execution *execution, const struct pb_log_info *live,
                       const struct pb_attempt_list *attempts)
{
    pb_json_begin_object(w, name);
    pb_json_put_text(w, "id", execution->id);
    pb_json_put_int(w, "number", execution->number);
    pb_json_begin_object(w, "project");
    pb_json_put_text(w, "id", execution->project_id);
    put_text(w, "name", execution->project_name);
    put_text(w, "github_owner", execution->github_owner);
    put_text(w, "github_repo", execution->github_repo);
    pb_json_end_object(w);
    put_id_or_null(w, "issue_number", execution->issue_number);
    pb_json_put_text(w, "issue_url", execution->issue_url);
    pb_json_put_text(w, "title", execution->title);
    pb_json_put_text(w, "status", pb_execution_status_name(execution->status));
    pb_json_put_text(w, "trigger", pb_execution_trigger_name(execution->trigger));
    pb_json_put_text(w, "requested_by", execution->requested_by);
    pb_json_put_text(w, "driver", execution->driver);
    pb_json_put_text(w, "priority", pb_priority_name(execution->priority));
    pb_json_put_time(w, "deadline_at", execution->deadline_at);
    put_list(w, "labels", execution->labels);
    put_queued_reason(w, execution);
    put_result(w, execution);
    pb_json_put_text(w, "session_id", execution->session_id);
    pb_json_put_text(w, "model", execution->model && *execution->model ? execution->model : NULL);
    pb_json_put_int(w, "attempt_count", execution->attempt_count);
    if (attempts)
        put_attempts(w, attempts);
    put_usage(w, execution);
    put_log(w, execution, live);
    pb_json_put_text(w, "node_id", execution->node_id);
    pb_json_put_time(w, "created_at", execution->created_at);
    pb_json_put_time(w, "started_at", execution->started_at);
    pb_json_put_time(w, "completed_at", execution->completed_at);
    pb_json_put_int(w, "active_ms", execution->active_ms);
    pb_json_put_time(w, "active_since", execution->active_since);
    pb_json_put_time(w, "updated_at", execution->updated_at);
    pb_json_end_object(w);
}

void pb_view_remark(struct pb_json_writer *w, const char *name, const struct pb_remark *remark)
{
    pb_json_begin_object(w, name);
    pb_json_put_int(w, "number", remark->number);
    pb_json_put_text(w, "question", remark->question);
    pb_json_put_text(w, "text", remark->text);
    pb_json_put_text(w, "said_by", remark->said_by);
    pb_json_put_text(w, "url", remark->url);
    pb_json_put_time(w, "said_at", remark->said_at);
    pb_json_end_object(w);
}

static void put_summary(struct pb_json_writer *w, const char *name,
                        const struct pb_execution *execution)
{
    if (!execution) {
        pb_json_put_null(w, name);
        return;
    }
    pb_json_begin_object(w, name);
    pb_json_put_text(w, "id", execution->id);
    pb_json_put_int(w, "number", execution->number);
    put_id_or_null(w, "issue_number", execution->issue_number);
    pb_json_put_text(w, "title", execution->title);
    pb_json_put_text(w, "status", pb_execution_status_name(execution->status));
    pb_json_put_time(w, "created_at", execution->created_at);
    pb_json_put_time(w, "completed_at", execution->completed_at);
    pb_json_end_object(w);
}

/* --- projects --------------------------------------------------------------------------------------------- */

static void put_counts(struct pb_json_writer *w, const struct pb_execution_counts *counts)
{
    int64_t running = 0;
    int64_t waiting = 0;

    for (int i = 0; i < PB_EXECUTION_STATUS_COUNT; i++) {
        if (pb_execution_is_active((enum pb_execution_status)i))
            running += counts->by_status[i];
        if (pb_execution_is_waiting((enum pb_execution_status)i))
            waiting += counts->by_status[i];
    }
    pb_json_begin_object(w, "counts");
    pb_json_put_int(w, "queued", counts->by_status[PB_EXECUTION_QUEUED]);
    pb_json_put_int(w, "running", running);
    pb_json_put_int(w, "waiting", waiting);
    pb_json_put_int(w, "succeeded", counts->by_status[PB_EXECUTION_SUCCEEDED]);
    pb_json_put_int(w, "failed",
                    counts->by_status[PB_EXECUTION_FAILED] +
                        counts->by_status[PB_EXECUTION_TIMED_OUT] +
                        counts->by_status[PB_EXECUTION_BUDGET_EXHAUSTED]);
    pb_json_end_object(w);
}

static void put_secret(struct pb_json_writer *w, const struct pb_secret_list *secrets,
                       const char *name)
{
    int64_t updated_at = 0;

    for (size_t i = 0; i < secrets->count; i++)
        if (strcmp(secrets->items[i].name, name) == 0)
            updated_at = secrets->items[i].created_at;
    pb_json_begin_object(w, name);
    pb_json_put_bool(w, "set", updated_at > 0);
    pb_json_put_time(w, "updated_at", updated_at);
    pb_json_end_object(w);
}

/* What the node said last is worth nothing while the node cannot be heard. */
static enum pb_agent_state agent_state(struct pb_platform *platform,
                                       const struct pb_project *project)
{
    if (project->agent_state != PB_AGENT_STOPPED && project->node_id &&
        !pb_node_hub_is_online(platform->node_hub, project->node_id))
        return PB_AGENT_UNREACHABLE;
    return project->agent_state;
}

static void put_agent(struct pb_platform *platform, struct pb_json_writer *w,
                      const struct pb_project *project)
{
    pb_json_begin_object(w, "agent");
    pb_json_put_text(w, "state", pb_agent_state_name(agent_state(platform, project)));
    pb_json_put_text(w, "detail", project->agent_detail);
    pb_json_put_text(w, "node_id", project->node_id);
    put_id_or_null(w, "pid", project->agent_pid);
    pb_json_put_int(w, "restarts", project->agent_restarts);
    pb_json_put_time(w, "since", project->agent_since);
    pb_json_end_object(w);
}

static const char *health_of(const struct pb_project *project)
{
    return pb_project_health_name(project->status == PB_PROJECT_STOPPED ? PB_HEALTH_STOPPED
                                                                        : project->health);
}

static void put_settings(struct pb_json_writer *w, const struct pb_project *project)
{
    pb_json_put_text(w, "default_branch", project->default_branch);
    pb_json_put_text(w, "trigger_label", project->trigger_label);
    put_text(w, "label_prefix", project->label_prefix);
    pb_json_put_number(w, "poll_interval_seconds", (double)project->poll_interval_ms / 1000);
    pb_json_put_int(w, "timeout_seconds", project->wall_ms / 1000);
    pb_json_put_int(w, "silence_timeout_seconds", project->silence_ms / 1000);
    pb_json_put_int(w, "max_concurrent", project->max_concurrent);
    pb_json_put_int(w, "queue_weight", project->queue_weight);
    if (project->retry_limit < 0)
        pb_json_put_null(w, "retry_limit");
    else
        pb_json_put_int(w, "retry_limit", project->retry_limit);
    put_text(w, "active_hours", project->active_hours);
    put_text(w, "time_zone", project->time_zone);
    pb_json_put_text(w, "driver", project->driver);
    put_list(w, "command", project->command);
    put_text(w, "model", project->model);
    put_text(w, "permission_mode", project->permission_mode);
    put_list(w, "allowed_tools", project->allowed_tools);
    put_list(w, "disallowed_tools", project->disallowed_tools);
    put_id_or_null(w, "max_turns", project->max_turns);
    put_money(w, "max_budget_usd",
              project->max_budget_micro_usd > 0 ? project->max_budget_micro_usd : -1);
    put_text(w, "instructions", project->instructions);
    put_text(w, "language", project->language);
    pb_json_put_bool(w, "allow_workflow_files", project->allow_workflow_files);
}

/* What is read beside a project's row. */
struct surroundings {
    struct pb_execution_counts counts;
    struct pb_secret_list secrets;
    struct pb_execution *last;
    const char *page;
    const char *folder;
};

static int look_around(struct pb_platform *platform, struct pb_db *db, struct pb_arena *arena,
                       const struct pb_project *project, struct surroundings *ret,
                       struct pb_error *err)
{
    if (pb_project_counts(db, project->id, &ret->counts, err) < 0 ||
        pb_secret_list(db, arena, "project", project->id, &ret->secrets, err) < 0 ||
        pb_execution_last_of(db, arena, project->id, &ret->last, err) < 0)
        return -1;
    ret->page = pb_repository_page(&platform->settings, project, arena);
    ret->folder = project->working_directory
                      ? project->working_directory
                      : pb_arena_format(arena, "projects/%s/workspace", project->id);
    return 0;
}

int pb_view_project(struct pb_platform *platform, struct pb_db *db, struct pb_arena *arena,
                    struct pb_json_writer *w, const char *name, const struct pb_project *project,
                    struct pb_error *err)
{
    struct surroundings around;

    if (look_around(platform, db, arena, project, &around, err) < 0)
        return -1;
    pb_json_begin_object(w, name);
    pb_json_put_text(w, "id", project->id);
    pb_json_put_text(w, "name", project->name);
    pb_json_put_text(w, "github_owner", project->github_owner);
    pb_json_put_text(w, "github_repo", project->github_repo);
    put_text(w, "github_url", around.page);
    pb_json_put_text(w, "github_api_url", project->github_api_url);
    put_text(w, "github_git_url", project->github_git_url);
    pb_json_put_text(w, "anthropic_base_url",
                     project->anthropic_base_url ? project->anthropic_base_url
                                                 : platform->settings.anthropic_base_url);
    put_text(w, "working_directory", around.folder);
    pb_json_put_text(w, "status", pb_project_status_name(project->status));
    pb_json_put_text(w, "health", health_of(project));
    if (project->health_reason)
        pb_json_put_raw(w, "health_reason", project->health_reason);
    else
        pb_json_put_null(w, "health_reason");
    put_settings(w, project);
    pb_json_begin_object(w, "secrets");
    put_secret(w, &around.secrets, PB_SECRET_GITHUB_TOKEN);
    put_secret(w, &around.secrets, PB_SECRET_ANTHROPIC_API_KEY);
    pb_json_end_object(w);
    put_agent(platform, w, project);
    put_counts(w, &around.counts);
    put_summary(w, "last_execution", around.last);
    pb_json_put_int(w, "version", project->version);
    pb_json_put_time(w, "created_at", project->created_at);
    pb_json_put_time(w, "updated_at", project->updated_at);
    pb_json_end_object(w);
    return 0;
}

/* --- nodes ------------------------------------------------------------------------------------------------ */

static void put_load(struct pb_json_writer *w, const struct pb_node *node)
{
    static const char *const NUMBERS[] = {"memory_free_bytes", "disk_free_bytes"};
    const char *text = node->status == PB_NODE_ONLINE && node->load ? node->load : "{}";
    struct pb_error err;
    struct pb_json *load = pb_json_parse(text, strlen(text), &err);

    if (pb_json_get(load, "load1"))
        pb_json_put_number(w, "load1", pb_json_number(load, "load1", 0));
    else
        pb_json_put_null(w, "load1");
    for (size_t i = 0; i < sizeof(NUMBERS) / sizeof(NUMBERS[0]); i++) {
        if (pb_json_is_int(pb_json_get(load, NUMBERS[i])))
            pb_json_put_int(w, NUMBERS[i], pb_json_int(load, NUMBERS[i], 0));
        else
            pb_json_put_null(w, NUMBERS[i]);
    }
    pb_json_free(load);
}

void pb_view_node(struct pb_json_writer *w, const char *name, const struct pb_node *node,
                  int64_t projects)
{
    pb_json_begin_object(w, name);
    pb_json_put_text(w, "id", node->id);
    pb_json_put_text(w, "name", node->name);
    pb_json_put_text(w, "status", pb_node_status_name(node->status));
    pb_json_put_text(w, "version", node->version);
    pb_json_put_text(w, "isolation", node->isolation);
    if (node->capacity)
        pb_json_put_raw(w, "capacity", node->capacity);
    else
        pb_json_put_null(w, "capacity");
    put_load(w, node);
    pb_json_put_int(w, "projects", projects);
    pb_json_put_time(w, "last_seen_at", node->last_seen_at);
    pb_json_put_time(w, "created_at", node->created_at);
    pb_json_end_object(w);
}
