#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/attempt_private.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "wire/message.h"

enum { RETRY_MS = 1000, SAY_BYTES = 4096, TEXT_MAX = 64 << 10, DENIALS_MAX = 50 };

/* ---- lines ---- */

void pb_attempt_line(struct pb_attempt *attempt, char stream, const char *text, size_t len)
{
    if (attempt->is_discarded || attempt->state == PB_ATTEMPT_REPORTING)
        return;
    pb_spool_line(&attempt->spool, pb_clock_wall_ms(), stream, text, len);
    pb_attempt_store_soon(attempt);
}

void pb_attempt_say(struct pb_attempt *attempt, char stream, const char *fmt, ...)
{
    char text[SAY_BYTES];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    pb_attempt_line(attempt, stream, text, strlen(text));
}

static void on_store_timer(void *arg)
{
    struct pb_attempt *attempt = arg;

    pb_loop_timer_cancel(&attempt->store_timer);
    pb_attempt_store(attempt);
}

static void store_within(struct pb_attempt *attempt, int64_t ms)
{
    if (!attempt->store_timer)
        attempt->store_timer =
            pb_loop_timer_start(attempt->host->loop, ms, 0, on_store_timer, attempt);
}

void pb_attempt_store_soon(struct pb_attempt *attempt)
{
    store_within(attempt, PB_SPOOL_BATCH_MS);
}

void pb_attempt_store(struct pb_attempt *attempt)
{
    struct pb_error err;

    if (attempt->is_discarded)
        return;
    pb_loop_timer_cancel(&attempt->store_timer);
    pb_attempt_write_facts(attempt);
    if (pb_spool_store(&attempt->spool, &err) < 0) {
        if (!attempt->store_failed)
            pb_log_fail(PB_LOG_ERROR, "attempt", &err, "attempt=%s store it, trying again",
                        attempt->plan->name);
        attempt->store_failed = true;
        store_within(attempt,
                     pb_text_equal(err.reason, "disk_full") && pb_attempt_use_reserve(attempt)
                         ? 0
                         : RETRY_MS);
        return;
    }
    attempt->store_failed = false;
    pb_attempt_push(attempt);
}

/* ---- sending ---- */

static void begin(struct pb_attempt *attempt, struct pb_message_builder *b, struct pb_buf *frame,
                  enum pb_message_type type)
{
    pb_buf_init(frame, PB_MESSAGE_FRAME_MAX + 4096);
    pb_message_begin(b, frame, type, attempt->host->dirs->project);
    pb_attempt_ref_put(&b->json,
                       &(struct pb_attempt_ref){attempt->plan->execution, attempt->plan->attempt,
                                                attempt->row.fence});
}

static void end(struct pb_attempt *attempt, struct pb_message_builder *b, struct pb_buf *frame,
                const void *blob, size_t blob_len)
{
    pb_message_end(b, blob, blob_len);
    if (pb_buf_failed(frame))
        pb_log_error("attempt", "attempt=%s a message is too large", attempt->plan->name);
    else
        attempt->host->send(attempt->host->arg, frame);
    pb_buf_release(frame);
}

void pb_attempt_send_state(struct pb_attempt *attempt)
{
    struct pb_message_builder b;
    struct pb_buf frame;

    if (attempt->state == PB_ATTEMPT_REPORTING || !attempt->host->is_online(attempt->host->arg))
        return;
    begin(attempt, &b, &frame, PB_MESSAGE_ATTEMPT_STATE);
    pb_json_put_text(&b.json, "state", pb_attempt_state_name(attempt->state));
    pb_json_put_text(&b.json, "detail", "");
    pb_json_put_text(&b.json, "session_id",
                     attempt->facts.session_id[0] ? attempt->facts.session_id : NULL);
    end(attempt, &b, &frame, NULL, 0);
}

static void send_lines(struct pb_attempt *attempt)
{
    struct pb_error err = {0};
    struct pb_buf lines;
    int64_t seq;
    int64_t count;

    pb_buf_init(&lines, PB_MESSAGE_FRAME_MAX);
    while (!attempt->host->is_busy(attempt->host->arg) &&
           pb_spool_next(&attempt->spool, &lines, &seq, &count, &err)) {
        struct pb_message_builder b;
        struct pb_buf frame;

        begin(attempt, &b, &frame, PB_MESSAGE_LOG_CHUNK);
        pb_json_put_int(&b.json, "seq", seq);
        pb_json_put_int(&b.json, "count", count);
        end(attempt, &b, &frame, lines.data, lines.len);
        pb_buf_clear(&lines);
    }
    if (err.code != PB_OK)
        pb_log_fail(PB_LOG_ERROR, "attempt", &err, "attempt=%s read its lines",
                    attempt->plan->name);
    pb_buf_release(&lines);
}

static void send_result(struct pb_attempt *attempt)
{
    struct pb_buf frame;

    pb_buf_init(&frame, PB_MESSAGE_FRAME_MAX);
    pb_message_put(&frame, PB_MESSAGE_ATTEMPT_RESULT, attempt->host->dirs->project, attempt->result,
                   strlen(attempt->result));
    if (pb_buf_failed(&frame))
        pb_log_error("attempt", "attempt=%s its result is too large", attempt->plan->name);
    else
        attempt->host->send(attempt->host->arg, &frame);
    attempt->result_was_sent = true;
    pb_buf_release(&frame);
}

void pb_attempt_push(struct pb_attempt *attempt)
{
    if (attempt->is_discarded || attempt->is_closing ||
        !attempt->host->is_online(attempt->host->arg))
        return;
    send_lines(attempt);
    if (attempt->state == PB_ATTEMPT_REPORTING && attempt->result && !attempt->result_was_sent &&
        pb_spool_is_drained(&attempt->spool) && !attempt->store_failed)
        send_result(attempt);
}

/* ---- usage ---- */

static void put_usage(struct pb_json_writer *json, const struct pb_usage *usage)
{
    pb_json_put_int(json, "calls", usage->calls);
    pb_json_put_int(json, "input_tokens", usage->input_tokens);
    pb_json_put_int(json, "output_tokens", usage->output_tokens);
    pb_json_put_int(json, "cache_read_tokens", usage->cache_read_tokens);
    pb_json_put_int(json, "cache_write_tokens", usage->cache_write_tokens);
    pb_json_put_int(json, "cost_micro_usd", usage->cost_micro_usd);
    pb_json_put_bool(json, "cost_unknown", usage->cost_unknown);
}

void pb_attempt_check_usage(struct pb_attempt *attempt)
{
    char path[PB_PROJECT_PATH_TEXT + 16];
    struct pb_message_builder b;
    struct pb_buf frame;
    struct pb_error err;

    if (!attempt->driver->needs_broker || attempt->is_discarded)
        return;
    (void)snprintf(path, sizeof(path), "%s/usage.jsonl", attempt->dir);
    if (pb_usage_add_file(&attempt->usage, AT_FDCWD, path, &attempt->usage_offset, NULL, &err) < 0)
        pb_log_fail(PB_LOG_WARN, "attempt", &err, "attempt=%s read what it used",
                    attempt->plan->name);
    if (attempt->usage.calls == attempt->usage_sent_calls ||
        attempt->state == PB_ATTEMPT_REPORTING || !attempt->host->is_online(attempt->host->arg))
        return;
    begin(attempt, &b, &frame, PB_MESSAGE_USAGE);
    put_usage(&b.json, &attempt->usage);
    end(attempt, &b, &frame, NULL, 0);
    attempt->usage_sent_calls = attempt->usage.calls;
}

/* ---- result ---- */

/* What an agent wrote may repeat a secret it was given. */
static void put_masked(struct pb_attempt *attempt, struct pb_json_writer *json, const char *name,
                       const char *text)
{
    struct pb_buf masked;

    pb_buf_init(&masked, 4 * TEXT_MAX);
    if (text)
        (void)pb_mask_apply(attempt->mask, text, strlen(text), &masked);
    pb_json_put_bytes(json, name, pb_buf_string(&masked),
                      pb_buf_failed(&masked)
                          ? 0
                          : pb_utf8_cut(pb_buf_string(&masked), masked.len, TEXT_MAX));
    pb_buf_release(&masked);
}

static void put_outcome(struct pb_attempt *attempt, struct pb_json_writer *json)
{
    const struct pb_outcome *outcome = &attempt->outcome;
    const char *session = outcome->session_id ? outcome->session_id : attempt->facts.session_id;

    pb_json_put_text(json, "outcome", pb_outcome_name(outcome->outcome));
    pb_json_put_text(json, "kind", outcome->kind ? outcome->kind : "");
    put_masked(attempt, json, "reason", outcome->reason);
    pb_json_put_int(json, "http_status", outcome->http_status);
    pb_json_put_int(json, "resume_at_ms", outcome->resume_at_ms);
    put_masked(attempt, json, "summary", outcome->summary);
    put_masked(attempt, json, "question", outcome->question);
    pb_json_put_text(json, "session_id", session && *session ? session : NULL);
    pb_json_put_int(json, "num_turns", outcome->num_turns);
    if (outcome->total_cost_micro_usd >= 0)
        pb_json_put_int(json, "total_cost_micro_usd", outcome->total_cost_micro_usd);
    pb_json_begin_array(json, "permission_denials");
    for (size_t i = 0;
         outcome->permission_denials && outcome->permission_denials[i] && i < DENIALS_MAX; i++)
        pb_json_put_text(json, NULL, outcome->permission_denials[i]);
    pb_json_end_array(json);
}

/* The members written when it was published, one by one. */
static void put_publication(struct pb_attempt *attempt, struct pb_json_writer *json)
{
    struct pb_error ignored;
    struct pb_json *members =
        pb_json_parse(pb_buf_string(&attempt->publication), attempt->publication.len, &ignored);
    const char *name = NULL;

    while (members && (name = pb_json_next_name(members, name))) {
        struct pb_buf value;

        pb_buf_init(&value, TEXT_MAX);
        pb_json_dump(&value, pb_json_get(members, name));
        pb_json_put_raw(json, name, pb_buf_string(&value));
        pb_buf_release(&value);
    }
    pb_json_free(members);
}

static void write_result(struct pb_attempt *attempt, struct pb_buf *text)
{
    struct pb_json_writer json;

    pb_json_writer_init(&json, text);
    pb_json_begin_object(&json, NULL);
    pb_attempt_ref_put(&json, &(struct pb_attempt_ref){attempt->plan->execution,
                                                       attempt->plan->attempt, attempt->row.fence});
    put_outcome(attempt, &json);
    put_publication(attempt, &json);
    pb_json_begin_object(&json, "usage");
    put_usage(&json, &attempt->usage);
    pb_json_end_object(&json);
    pb_json_put_int(&json, "duration_ms", pb_clock_wall_ms() - attempt->facts.started_ms);
    pb_json_put_int(&json, "exit_code", attempt->exit.code);
    pb_json_put_int(&json, "signal", attempt->exit.signal);
    pb_json_put_int(&json, "last_line", attempt->row.next_line + attempt->spool.pending_count);
    pb_json_end_object(&json);
}

/* The last lines, the result and the state are stored together: a restart finds all of them or none. */
void pb_attempt_conclude(struct pb_attempt *attempt)
{
    struct pb_buf text;

    if (attempt->is_discarded) {
        pb_attempt_close(attempt);
        return;
    }
    if (attempt->state == PB_ATTEMPT_REPORTING)
        return;
    pb_attempt_end_run(attempt);
    pb_attempt_check_usage(attempt);
    pb_buf_init(&text, PB_MESSAGE_FRAME_MAX - 1024);
    write_result(attempt, &text);
    free(attempt->result);
    attempt->result = pb_buf_take(&text, NULL);
    pb_buf_release(&text);
    if (!attempt->result) {
        pb_log_error("attempt", "attempt=%s its result is too large", attempt->plan->name);
        return;
    }
    attempt->row.result = attempt->result;
    pb_log_info("attempt", "attempt=%s %s %s", attempt->plan->name,
                pb_outcome_name(attempt->outcome.outcome),
                attempt->outcome.kind ? attempt->outcome.kind : "");
    pb_attempt_move(attempt, PB_ATTEMPT_REPORTING);
}

void pb_attempt_set_outcome(struct pb_attempt *attempt, enum pb_outcome_kind outcome,
                            const char *kind, const char *reason)
{
    char *kind_copy = pb_arena_text(&attempt->outcome_arena, kind);
    char *reason_copy = pb_arena_text(&attempt->outcome_arena, reason);

    if (attempt->outcome.total_cost_micro_usd == 0 && !attempt->outcome.summary)
        attempt->outcome.total_cost_micro_usd = -1; /* nothing ran */
    attempt->outcome.outcome = outcome;
    attempt->outcome.kind = kind_copy ? kind_copy : "";
    attempt->outcome.reason = reason_copy ? reason_copy : "";
    attempt->outcome.run_again = false;
}

void pb_attempt_set_failure(struct pb_attempt *attempt, const struct pb_error *err)
{
    if (pb_text_equal(err->reason, "cancelled"))
        pb_attempt_set_outcome(attempt, PB_OUTCOME_CANCELLED, "cancelled", "cancelled");
    else if (pb_text_equal(err->reason, PB_TASK_INTERRUPTED))
        pb_attempt_set_outcome(attempt, PB_OUTCOME_LOST, "node_lost", err->message);
    else
        pb_attempt_set_outcome(attempt, PB_OUTCOME_FAILED, pb_error_reason(err), err->message);
}

void pb_attempt_fail(struct pb_attempt *attempt, const struct pb_error *err)
{
    if (attempt->is_discarded) {
        pb_attempt_close(attempt);
        return;
    }
    pb_log_fail(PB_LOG_WARN, "attempt", err, "attempt=%s failed", attempt->plan->name);
    pb_attempt_set_failure(attempt, err);
    pb_attempt_say(attempt, 'x', "%s", err->message);
    pb_attempt_conclude(attempt);
}
