/* What nodes say, message by message. Rows first, code second. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/text.h"
#include "model/limits.h"
#include "server/services/env_control.h"
#include "server/services/node_private.h"
#include "server/services/platform.h"
#include "server/services/vault.h"
#include "server/store/project_store.h"
#include "server/store/store.h"

struct about {
    struct link *link;
    struct lane *lane;
    const struct pb_message *message;
    const struct pb_json *body;
    const char *project_id;
    struct pb_attempt_claim claim; /* rows with HAS_CLAIM */
};

typedef int handler(const struct about *about, struct pb_error *err);

static handler on_hello, on_status, on_runner_hello, on_accepted, on_refused, on_state,
    on_log_chunk, on_usage, on_credential, on_result, on_agent_log, on_agent_log_data;

static void send_credential(const struct about *about, const char *username, const char *secret,
                            const char *kind, const char *error);

enum { NO_CLAIM, HAS_CLAIM };
enum { SESSION_ID_MAX = 100, REQUEST_ID_MAX = 100 };

static const struct {
    enum pb_message_type type;
    int claim;
    handler *handle;
} HANDLERS[] = {
    {PB_MESSAGE_HELLO, NO_CLAIM, on_hello},
    {PB_MESSAGE_NODE_STATUS, NO_CLAIM, on_status},
    {PB_MESSAGE_RUNNER_HELLO, NO_CLAIM, on_runner_hello},
    {PB_MESSAGE_ATTEMPT_ACCEPTED, HAS_CLAIM, on_accepted},
    {PB_MESSAGE_ATTEMPT_REFUSED, HAS_CLAIM, on_refused},
    {PB_MESSAGE_ATTEMPT_STATE, HAS_CLAIM, on_state},
    {PB_MESSAGE_LOG_CHUNK, HAS_CLAIM, on_log_chunk},
    {PB_MESSAGE_USAGE, HAS_CLAIM, on_usage},
    {PB_MESSAGE_CREDENTIAL_REQUEST, HAS_CLAIM, on_credential},
    {PB_MESSAGE_ATTEMPT_RESULT, HAS_CLAIM, on_result},
    {PB_MESSAGE_AGENT_LOG, NO_CLAIM, on_agent_log},
    {PB_MESSAGE_AGENT_LOG_DATA, NO_CLAIM, on_agent_log_data},
};

/* An attempt that is not the present one, or unknown: its node is to drop it, and all is well. */
static int settle(const struct about *about, int r, struct pb_error *err)
{
    if (r >= 0 || (err->code != PB_ERROR_NOT_FOUND && err->code != PB_ERROR_CONFLICT))
        return r;
    pb_log_debug("node_hub", "execution=%s attempt=%lld discarded: %s", about->claim.execution,
                 (long long)about->claim.attempt, err->message);
    pb_node_send_discard(about->link, about->project_id, about->claim.execution,
                         about->claim.attempt);
    return 0;
}

/* Is the project placed on the node that speaks? Asked of its row, at most once in TRUST_MS. */
static int check_place(const struct about *about, bool *ret_ours, struct pb_error *err)
{
    struct pb_project *project;
    struct pb_arena arena;
    struct pb_db *db;
    int r;

    *ret_ours = about->lane->ours_until > pb_clock_steady_ms();
    if (*ret_ours)
        return 0;
    db = pb_store_reader(about->link->hub->platform->store, err);
    if (!db)
        return -1;
    pb_arena_init(&arena, 4 << 20);
    r = pb_project_load(db, &arena, about->project_id, &project, err);
    if (r == 0)
        *ret_ours = pb_text_equal(project->node_id, about->link->node_id);
    else if (err->code == PB_ERROR_NOT_FOUND)
        r = 0;
    pb_arena_release(&arena);
    if (*ret_ours)
        about->lane->ours_until = pb_clock_steady_ms() + TRUST_MS;
    return r;
}

/* Whoever waits for an answer gets the one it has for an attempt that was given to somebody else. */
static int refuse(const struct about *about, int claim, struct pb_error *err)
{
    enum pb_message_type type = about->message->head.type;

    pb_link_refused(about->link, pb_message_name(type), about->project_id);
    if (type == PB_MESSAGE_RUNNER_HELLO)
        return pb_node_refuse_runner(about->link, about->project_id, about->body, err);
    if (type == PB_MESSAGE_CREDENTIAL_REQUEST)
        send_credential(about, NULL, NULL, "node_lost", "this project is not placed on this node");
    else if (claim == HAS_CLAIM)
        pb_node_send_discard(about->link, about->project_id, about->claim.execution,
                             about->claim.attempt);
    return 0;
}

static int read_claim(struct about *about, struct pb_attempt_ref *ref, struct pb_error *err)
{
    if (pb_attempt_ref_read(about->body, ref, err) < 0)
        return -1;
    about->claim = (struct pb_attempt_claim){about->project_id, ref->execution, ref->attempt,
                                             ref->fence, about->link->node_id};
    return 0;
}

int pb_node_message(struct link *link, struct lane *lane, const struct pb_message *message,
                    struct pb_error *err)
{
    struct pb_attempt_ref ref;
    bool ours = true;
    struct about about = {
        .link = link,
        .lane = lane,
        .message = message,
        .body = message->body,
        .project_id = message->head.project,
    };

    for (size_t i = 0; i < sizeof(HANDLERS) / sizeof(HANDLERS[0]); i++) {
        if (HANDLERS[i].type != message->head.type)
            continue;
        if ((HANDLERS[i].claim == HAS_CLAIM && read_claim(&about, &ref, err) < 0) ||
            (message->head.scope == PB_MESSAGE_SCOPE_PROJECT &&
             check_place(&about, &ours, err) < 0))
            return -1;
        if (!ours)
            return refuse(&about, HANDLERS[i].claim, err);
        if (HANDLERS[i].claim == NO_CLAIM)
            return HANDLERS[i].handle(&about, err);
        pb_pending_remove(link->hub, about.project_id, ref.execution, ref.attempt);
        return settle(&about, HANDLERS[i].handle(&about, err), err);
    }
    return pb_fail(err, PB_ERROR_INVALID, "%s is not for us", pb_message_name(message->head.type));
}

/* Of a state only its session would be missed; results have theirs. */
bool pb_node_overtakes(const struct pb_message *later, const struct pb_message *earlier)
{
    struct pb_attempt_ref a, b;
    struct pb_error ignored;
    const char *session;

    if ((earlier->head.type != PB_MESSAGE_ATTEMPT_ACCEPTED &&
         earlier->head.type != PB_MESSAGE_ATTEMPT_STATE) ||
        (later->head.type != PB_MESSAGE_ATTEMPT_STATE &&
         later->head.type != PB_MESSAGE_ATTEMPT_RESULT) ||
        pb_attempt_ref_read(earlier->body, &a, &ignored) < 0 ||
        pb_attempt_ref_read(later->body, &b, &ignored) < 0)
        return false;
    session = pb_json_text(earlier->body, "session_id", "");
    return strcmp(a.execution, b.execution) == 0 && a.attempt == b.attempt && a.fence == b.fence &&
           (!*session || strcmp(session, pb_json_text(later->body, "session_id", "")) == 0);
}

/* --- node -------------------------------------------------------------------------------------------------- */

static int on_hello(const struct about *about, struct pb_error *err)
{
    return pb_node_on_hello(about->link, about->body, err);
}

static int on_status(const struct about *about, struct pb_error *err)
{
    return pb_node_on_status(about->link, about->body, err);
}

static int on_runner_hello(const struct about *about, struct pb_error *err)
{
    return pb_node_on_runner_hello(about->link, about->project_id, about->body, err);
}

/* --- attempts ---------------------------------------------------------------------------------------------- */

static int on_accepted(const struct about *about, struct pb_error *err)
{
    return pb_execution_accepted(about->link->hub->platform, &about->claim, err);
}

/* The start of a text; the node has bounds too, but it is the node that is not trusted. */
static const char *bounded(struct pb_arena *arena, const struct pb_json *body, const char *name,
                           size_t max)
{
    const char *text = pb_json_text(body, name, NULL);

    if (!text || !*text)
        return NULL;
    return pb_arena_bytes(arena, text, pb_utf8_cut(text, strlen(text), max));
}

/* A number likewise. -1 says that it is not known. */
static int64_t counted(const struct pb_json *body, const char *name, int64_t otherwise)
{
    int64_t count = pb_json_int(body, name, otherwise);

    if (count < 0)
        return otherwise;
    return count < COUNT_MAX ? count : COUNT_MAX;
}

static int on_refused(const struct about *about, struct pb_error *err)
{
    struct pb_arena arena;
    int r;

    pb_arena_init(&arena, 64 << 10);
    r = pb_execution_refused(about->link->hub->platform, &about->claim,
                             bounded(&arena, about->body, "kind", 40),
                             bounded(&arena, about->body, "reason", PB_LIMIT_REASON), err);
    pb_arena_release(&arena);
    return r;
}

static int on_state(const struct about *about, struct pb_error *err)
{
    struct pb_arena arena;
    int r;

    pb_arena_init(&arena, 64 << 10);
    r = pb_execution_progress(about->link->hub->platform, &about->claim,
                              bounded(&arena, about->body, "state", 40),
                              bounded(&arena, about->body, "detail", PB_LIMIT_REASON),
                              bounded(&arena, about->body, "session_id", SESSION_ID_MAX), err);
    pb_arena_release(&arena);
    return r;
}

/* cost_unknown: some calls were of a model that has no price here. */
static void read_usage(const struct pb_json *body, struct pb_execution_usage *ret)
{
    *ret = (struct pb_execution_usage){
        .calls = counted(body, "calls", 0),
        .input_tokens = counted(body, "input_tokens", 0),
        .output_tokens = counted(body, "output_tokens", 0),
        .cache_read_tokens = counted(body, "cache_read_tokens", 0),
        .cache_write_tokens = counted(body, "cache_write_tokens", 0),
        .cost_micro_usd = counted(body, "cost_micro_usd", -1),
    };
    if (pb_json_bool(body, "cost_unknown", false) && ret->cost_micro_usd == 0)
        ret->cost_micro_usd = -1;
}

static int on_usage(const struct about *about, struct pb_error *err)
{
    struct pb_execution_usage usage;

    read_usage(about->body, &usage);
    return pb_execution_used(about->link->hub->platform, &about->claim, &usage, err);
}

static void read_outcome(const struct pb_json *body, struct pb_arena *arena,
                         struct pb_attempt_outcome *ret)
{
    *ret = (struct pb_attempt_outcome){
        .outcome = pb_json_text(body, "outcome", NULL),
        .kind = bounded(arena, body, "kind", 40),
        .reason = bounded(arena, body, "reason", PB_LIMIT_REASON),
        .resume_at_ms = pb_json_int(body, "resume_at_ms", 0),
        .summary = bounded(arena, body, "summary", PB_LIMIT_SUMMARY),
        .question = bounded(arena, body, "question", PB_LIMIT_QUESTION),
        .no_changes = pb_json_bool(body, "no_changes", false),
        .branch = bounded(arena, body, "branch", PB_LIMIT_BRANCH),
        .base_sha = bounded(arena, body, "base_sha", 64),
        .head_sha = bounded(arena, body, "head_sha", 64),
        .pushed = pb_json_bool(body, "pushed", false),
        .files_changed = counted(body, "files_changed", 0),
        .insertions = counted(body, "insertions", 0),
        .deletions = counted(body, "deletions", 0),
        .session_id = bounded(arena, body, "session_id", SESSION_ID_MAX),
        .num_turns = counted(body, "num_turns", 0),
        .cli_cost_micro_usd = counted(body, "total_cost_micro_usd", -1),
        .exit_code = counted(body, "exit_code", -1),
        .signal = counted(body, "signal", -1),
        .last_line = counted(body, "last_line", 0),
    };
    read_usage(pb_json_get(body, "usage"), &ret->usage);
}

static void send_result_ack(const struct about *about)
{
    struct pb_message_builder b;
    struct pb_buf frame;

    pb_buf_init(&frame, 4096);
    pb_message_begin(&b, &frame, PB_MESSAGE_RESULT_ACK, about->project_id);
    pb_json_put_text(&b.json, "execution", about->claim.execution);
    pb_json_put_int(&b.json, "attempt", about->claim.attempt);
    pb_json_put_int(&b.json, "fence", about->claim.fence);
    pb_message_end(&b, NULL, 0);
    (void)pb_link_send(about->link, &frame); /* lost: the result comes again */
    pb_buf_release(&frame);
}

static int on_result(const struct about *about, struct pb_error *err)
{
    struct pb_attempt_outcome outcome;
    struct pb_arena arena;
    int r;

    pb_arena_init(&arena, 1 << 20);
    read_outcome(about->body, &arena, &outcome);
    r = pb_execution_finished(about->link->hub->platform, &about->claim, &outcome, err);
    if (r == 0)
        send_result_ack(about);
    pb_arena_release(&arena);
    return r;
}

/* --- log lines ----------------------------------------------------------------------------------------------- */

static int on_log_chunk(const struct about *about, struct pb_error *err)
{
    return pb_node_on_log_chunk(about->lane, about->message, &about->claim, err);
}

/* --- credentials ----------------------------------------------------------------------------------------------- */

static const struct {
    const char *purpose;
    const char *secret;
    const char *username;
    const char *kind; /* failure kind when it is not set */
} CREDENTIALS[] = {
    {"git_fetch", PB_SECRET_GITHUB_TOKEN, "x-access-token", "github_auth"},
    {"git_push", PB_SECRET_GITHUB_TOKEN, "x-access-token", "github_auth"},
    {"anthropic", PB_SECRET_ANTHROPIC_API_KEY, "", "auth"},
};

static void begin_credential(const struct about *about, struct pb_message_builder *b,
                             struct pb_buf *frame)
{
    const char *request = pb_json_text(about->body, "request", "");
    const char *purpose = pb_json_text(about->body, "purpose", "");

    pb_buf_init(frame, PB_MESSAGE_FRAME_MAX);
    frame->secret = true;
    pb_message_begin(b, frame, PB_MESSAGE_CREDENTIAL, about->project_id);
    pb_json_put_bytes(&b->json, "request", request,
                      pb_utf8_cut(request, strlen(request), REQUEST_ID_MAX));
    pb_json_put_bytes(&b->json, "purpose", purpose,
                      pb_utf8_cut(purpose, strlen(purpose), REQUEST_ID_MAX));
}

static void send_credential(const struct about *about, const char *username, const char *secret,
                            const char *kind, const char *error)
{
    struct pb_message_builder b;
    struct pb_buf frame;

    begin_credential(about, &b, &frame);
    if (secret) {
        pb_json_put_text(&b.json, "username", username);
        pb_json_put_text(&b.json, "secret", secret);
    } else {
        pb_json_put_text(&b.json, "error", error);
        pb_json_put_text(&b.json, "kind", kind);
    }
    pb_message_end(&b, NULL, 0);
    (void)pb_link_send(about->link, &frame);
    pb_buf_release(&frame);
}

static const char *failure_kind(const struct pb_error *err, const char *when_missing)
{
    if (strcmp(err->reason, "secret_missing") == 0)
        return when_missing;
    if (strcmp(err->reason, "cancelled") == 0)
        return "cancelled";
    return err->code == PB_ERROR_DENIED && strcmp(err->reason, "stale_fence") == 0 ? "node_lost"
                                                                                   : "platform";
}

static int give_secret(const struct about *about, size_t which, struct pb_error *err)
{
    struct pb_vault *vault = about->link->hub->platform->vault;
    char actor[ID_TEXT + 8];
    char *secret = NULL;

    (void)snprintf(actor, sizeof(actor), "node:%s", about->link->node_id);
    if (pb_vault_reveal(vault, about->project_id, CREDENTIALS[which].secret, actor,
                        CREDENTIALS[which].purpose, &secret, err) < 0)
        return -1;
    send_credential(about, CREDENTIALS[which].username, secret, NULL, NULL);
    pb_wipe_free(secret);
    return 0;
}

/* The project's variables, for a runner that was restarted and keeps no secrets on disk. */
static int give_env(const struct about *about, struct pb_error *err)
{
    struct pb_message_builder b;
    struct pb_buf frame;
    int r;

    begin_credential(about, &b, &frame);
    r = pb_env_put_of_project(about->link->hub->platform, about->project_id, &b.json, err);
    pb_message_end(&b, NULL, 0);
    if (r == 0)
        (void)pb_link_send(about->link, &frame);
    pb_buf_release(&frame);
    return r;
}

/* Everything is given only while the fence holds; for git_push that is the permission to publish. */
static int on_credential(const struct about *about, struct pb_error *err)
{
    const char *purpose = pb_json_text(about->body, "purpose", "");
    const char *kind = "platform";
    int r = pb_execution_check_fence(about->link->hub->platform, &about->claim, err);
    size_t i;

    for (i = 0; i < sizeof(CREDENTIALS) / sizeof(CREDENTIALS[0]); i++)
        if (strcmp(CREDENTIALS[i].purpose, purpose) == 0)
            break;
    if (i < sizeof(CREDENTIALS) / sizeof(CREDENTIALS[0])) {
        kind = CREDENTIALS[i].kind;
        if (r == 0)
            r = give_secret(about, i, err);
    } else if (strcmp(purpose, "env") != 0) {
        return pb_fail(err, PB_ERROR_INVALID, "there is no credential for '%.40s'", purpose);
    } else if (r == 0) {
        r = give_env(about, err);
    }
    if (r == 0)
        return 0;
    pb_log_fail(PB_LOG_WARN, "node_hub", err, "execution=%s credential=%s refused",
                about->claim.execution, purpose);
    send_credential(about, NULL, NULL, failure_kind(err, kind), err->message);
    return 0;
}

/* --- the agent's own log --------------------------------------------------------------------------------------- */

static int on_agent_log(const struct about *about, struct pb_error *err)
{
    (void)about;
    (void)err;
    return 0; /* read on demand instead (agent_log_read); sending it unasked is allowed and ignored */
}

static int on_agent_log_data(const struct about *about, struct pb_error *err)
{
    struct pb_node_hub *hub = about->link->hub;
    const struct pb_json *lines = pb_json_get(about->body, "lines");
    const char *id = pb_json_need_text(about->body, "request", err);

    if (!id)
        return -1;
    (void)pthread_mutex_lock(&hub->lock);
    for (struct log_request *request = hub->log_requests; request; request = request->next) {
        if (strcmp(request->id, id) != 0 || strcmp(request->project_id, about->project_id) != 0)
            continue;
        for (size_t i = 0; i < pb_json_count(lines); i++) {
            pb_buf_text(request->text, pb_json_as_text(pb_json_at(lines, i), ""));
            pb_buf_char(request->text, '\n');
        }
        request->total = pb_json_int(about->body, "total", 0);
        request->from = pb_json_int(about->body, "from", request->from);
        (void)snprintf(request->error, sizeof(request->error), "%s",
                       pb_json_text(about->body, "error", ""));
        request->is_done = true;
    }
    (void)pthread_cond_broadcast(&hub->answered);
    (void)pthread_mutex_unlock(&hub->lock);
    return 0; /* nobody waits any more: fine */
}
