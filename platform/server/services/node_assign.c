/* Work for nodes: assignments with everything an attempt needs, cancels, discards. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "model/work_item.h"
#include "server/services/env_control.h"
#include "server/services/node_private.h"
#include "server/services/platform.h"
#include "server/services/repository_url.h"
#include "server/store/execution_store.h"
#include "server/store/project_store.h"
#include "server/store/store.h"
#include "server/store/work_item_store.h"

enum { ARENA_MAX = 16 << 20 };

#define BOT_NAME  "PoppoBuilder"
#define BOT_EMAIL "noreply@poppobuilder.invalid"

/* --- attempt_start ---------------------------------------------------------------------------------------------- */

struct assignment {
    struct pb_node_hub *hub;
    struct pb_db *db;
    struct pb_arena *arena;
    const struct pb_execution *execution;
    struct pb_project *project;
    struct pb_work_item *item;
    struct pb_env_var_list env;
};

static void put_optional(struct pb_json_writer *w, const char *name, const char *value)
{
    pb_json_put_text(w, name, value && *value ? value : NULL);
}

static void put_list(struct pb_json_writer *w, const char *name, const char *json)
{
    pb_json_put_raw(w, name, json && *json ? json : "[]");
}

static void put_repo(const struct assignment *a, struct pb_json_writer *w)
{
    const char *branch = a->item->branch && *a->item->branch
                             ? a->item->branch
                             : pb_arena_format(a->arena, "poppo/%s", a->item->item);

    pb_json_begin_object(w, "repo");
    pb_json_put_text(w, "url",
                     pb_repository_clone(&a->hub->platform->settings, a->project, a->arena));
    put_optional(w, "base_branch", a->project->default_branch);
    pb_json_put_text(w, "branch", branch);
    put_optional(w, "default_branch", a->project->default_branch);
    pb_json_end_object(w);
}

static void put_session(const struct assignment *a, struct pb_json_writer *w)
{
    const char *id = a->execution->resume ? (a->execution->session_id ? a->execution->session_id
                                                                      : a->item->session_id)
                                          : NULL;

    pb_json_begin_object(w, "session");
    put_optional(w, "id", id);
    pb_json_put_bool(w, "resume", id && *id);
    pb_json_end_object(w);
}

static void put_policy(const struct assignment *a, struct pb_json_writer *w)
{
    const struct pb_project *project = a->project;

    put_optional(w, "model", project->model);
    if (project->max_turns > 0)
        pb_json_put_int(w, "max_turns", project->max_turns);
    if (project->max_budget_micro_usd > 0)
        pb_json_put_number(w, "max_budget_usd", (double)project->max_budget_micro_usd / 1e6);
    put_optional(w, "permission_mode", project->permission_mode);
    put_list(w, "allowed_tools", project->allowed_tools);
    put_list(w, "disallowed_tools", project->disallowed_tools);
    put_list(w, "command", project->command);
    pb_json_put_int(w, "wall_ms", project->wall_ms);
    pb_json_put_int(w, "silence_ms", project->silence_ms);
    pb_json_put_text(w, "anthropic_base_url",
                     project->anthropic_base_url && *project->anthropic_base_url
                         ? project->anthropic_base_url
                         : a->hub->platform->settings.anthropic_base_url);
    pb_json_put_bool(w, "allow_workflow_files", project->allow_workflow_files);
}

static int put_start(const struct assignment *a, struct pb_json_writer *w, struct pb_error *err)
{
    const struct pb_execution *execution = a->execution;

    pb_json_put_text(w, "execution", execution->id);
    pb_json_put_int(w, "attempt", execution->attempt_count);
    pb_json_put_int(w, "fence", execution->fence);
    pb_json_put_int(w, "number", execution->issue_number);
    pb_json_put_text(w, "item", a->item->item);
    pb_json_put_text(w, "title", execution->title);
    pb_json_put_text(w, "prompt", execution->prompt ? execution->prompt : "");
    put_optional(w, "system_prompt", a->project->instructions);
    put_session(a, w);
    put_repo(a, w);
    pb_json_put_text(w, "driver", execution->driver);
    put_policy(a, w);
    pb_json_begin_object(w, "author");
    pb_json_put_text(w, "name", BOT_NAME);
    pb_json_put_text(w, "email", BOT_EMAIL);
    pb_json_end_object(w);
    pb_json_put_text(w, "requested_by", execution->requested_by);
    pb_json_put_text(w, "language", a->project->language);
    return pb_env_put_plain(a->hub->platform, a->env.items, a->env.count, a->project->id, w, err);
}

static int load(struct assignment *a, struct pb_error *err)
{
    if (pb_project_load(a->db, a->arena, a->execution->project_id, &a->project, err) < 0 ||
        pb_work_item_load(a->db, a->arena, a->execution->work_item_id, &a->item, err) < 0)
        return -1;
    return pb_env_var_list(a->db, a->arena, a->project->id, &a->env, err);
}

static int send_start(struct assignment *a, struct pb_error *err)
{
    struct link *link = pb_link_of_agent(a->hub, a->project->id);
    struct pb_message_builder b;
    struct pb_buf frame;
    int r = -1;

    pb_buf_init(&frame, 2 * PB_MESSAGE_FRAME_MAX);
    frame.secret = true;
    if (!link) {
        (void)pb_fail(err, PB_ERROR_UNAVAILABLE, "its agent is not connected");
        goto out;
    }
    pb_message_begin(&b, &frame, PB_MESSAGE_ATTEMPT_START, a->project->id);
    if (put_start(a, &b.json, err) < 0)
        goto out;
    pb_message_end(&b, NULL, 0);
    pb_pending_add(a->hub, a->execution);
    if (!pb_link_send(link, &frame)) {
        pb_pending_remove(a->hub, a->project->id, a->execution->id, a->execution->attempt_count);
        (void)pb_fail(err, PB_ERROR_UNAVAILABLE, "the assignment could not be sent");
        goto out;
    }
    r = 0;
out:
    pb_buf_release(&frame);
    pb_link_unref(link);
    return r;
}

bool pb_node_hub_assign(struct pb_node_hub *hub, const struct pb_execution *execution)
{
    struct assignment a = {.hub = hub, .execution = execution};
    struct pb_arena arena;
    struct pb_error err;
    bool sent;

    a.db = pb_store_reader(hub->platform->store, &err);
    a.arena = &arena;
    pb_arena_init(&arena, ARENA_MAX);
    sent = a.db && load(&a, &err) == 0 && send_start(&a, &err) == 0;
    if (sent)
        pb_log_info("node_hub", "execution=%s attempt=%lld project=%s node=%s assigned",
                    execution->id, (long long)execution->attempt_count, a.project->id,
                    execution->node_id);
    else
        pb_log_fail(PB_LOG_WARN, "node_hub", &err,
                    "execution=%s not assigned, it goes back to the queue", execution->id);
    pb_arena_release(&arena);
    return sent;
}

/* --- cancel, discard ---------------------------------------------------------------------------------------- */

static void begin_about(struct pb_message_builder *b, struct pb_buf *frame,
                        enum pb_message_type type, const struct pb_attempt_claim *claim)
{
    pb_buf_init(frame, 4096);
    pb_message_begin(b, frame, type, claim->project_id);
    pb_json_put_text(&b->json, "execution", claim->execution);
    pb_json_put_int(&b->json, "attempt", claim->attempt);
    if (claim->fence > 0)
        pb_json_put_int(&b->json, "fence", claim->fence);
}

static void finish_and_send(struct pb_message_builder *b, struct pb_buf *frame, struct link *link)
{
    pb_message_end(b, NULL, 0);
    (void)pb_link_send(link, frame); /* a lost one is repeated after the next runner_hello */
    pb_buf_release(frame);
}

void pb_node_send_discard(struct link *link, const char *project_id, const char *execution,
                          int64_t attempt)
{
    struct pb_message_builder b;
    struct pb_buf frame;

    begin_about(&b, &frame, PB_MESSAGE_ATTEMPT_DISCARD,
                &(struct pb_attempt_claim){project_id, execution, attempt, 0, NULL});
    finish_and_send(&b, &frame, link);
}

void pb_node_send_cancel(struct link *link, const struct pb_attempt_claim *claim,
                         const char *reason)
{
    struct pb_message_builder b;
    struct pb_buf frame;

    begin_about(&b, &frame, PB_MESSAGE_ATTEMPT_CANCEL, claim);
    pb_json_put_text(&b.json, "reason", reason);
    finish_and_send(&b, &frame, link);
}

void pb_node_hub_cancel(struct pb_node_hub *hub, const struct pb_attempt_claim *claim)
{
    struct link *link = pb_link_of_agent(hub, claim->project_id);

    if (link)
        pb_node_send_cancel(link, claim, "cancelled");
    pb_link_unref(link);
}

void pb_node_hub_discard(struct pb_node_hub *hub, const struct pb_attempt_claim *claim)
{
    struct link *link = pb_link_of_agent(hub, claim->project_id);

    pb_pending_remove(hub, claim->project_id, claim->execution, claim->attempt);
    if (link)
        pb_node_send_discard(link, claim->project_id, claim->execution, claim->attempt);
    pb_link_unref(link);
}
