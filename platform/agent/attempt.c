#include "agent/attempt.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/attempt_private.h"
#include "agent/step_private.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/text.h"
#include "wire/message.h"

enum {
    PLAN_ARENA_MAX = 8 << 20,
    OUTCOME_ARENA_MAX = 1 << 20,
    FACTS_MAX = 4096,
    PUBLICATION_MAX = 64 << 10
};

static const char *const STATES[] = {
#define X(state, name) [PB_ATTEMPT_##state] = name,
    PB_ATTEMPT_STATES(X)
#undef X
};

static const struct {
    enum pb_attempt_state from;
    enum pb_attempt_state to;
} MOVES[] = {
    {PB_ATTEMPT_PREPARING, PB_ATTEMPT_PREPARING}, /* again, after a restart */
    {PB_ATTEMPT_PREPARING, PB_ATTEMPT_RUNNING},
    {PB_ATTEMPT_PREPARING, PB_ATTEMPT_REPORTING},
    {PB_ATTEMPT_RUNNING, PB_ATTEMPT_RUNNING},
    {PB_ATTEMPT_RUNNING, PB_ATTEMPT_PREPARING}, /* in a fresh session, or: it never started */
    {PB_ATTEMPT_RUNNING, PB_ATTEMPT_PUBLISHING},
    {PB_ATTEMPT_RUNNING, PB_ATTEMPT_REPORTING},
    {PB_ATTEMPT_PUBLISHING, PB_ATTEMPT_PUBLISHING},
    {PB_ATTEMPT_PUBLISHING, PB_ATTEMPT_REPORTING},
};

const char *pb_attempt_state_name(enum pb_attempt_state state)
{
    return STATES[state];
}

static bool state_named(const char *name, enum pb_attempt_state *ret_state)
{
    for (size_t i = 0; i < sizeof(STATES) / sizeof(STATES[0]); i++) {
        if (pb_text_equal(STATES[i], name)) {
            *ret_state = (enum pb_attempt_state)i;
            return true;
        }
    }
    return false;
}

static bool may_move(enum pb_attempt_state from, enum pb_attempt_state to)
{
    for (size_t i = 0; i < sizeof(MOVES) / sizeof(MOVES[0]); i++) {
        if (MOVES[i].from == from && MOVES[i].to == to)
            return true;
    }
    return false;
}

void pb_attempt_move(struct pb_attempt *attempt, enum pb_attempt_state to)
{
    bool is_in_the_table = may_move(attempt->state, to);

    assert(is_in_the_table);
    (void)is_in_the_table; /* a build without assertions */
    if (attempt->state != to)
        pb_log_info("attempt", "attempt=%s %s", attempt->plan->name, STATES[to]);
    attempt->state = to;
    attempt->row.state = STATES[to];
    pb_attempt_store(attempt);
    pb_attempt_send_state(attempt);
}

/* ---- facts ---- */

static void read_fact(const struct pb_json *json, const char *name, char *ret_text, size_t max)
{
    (void)snprintf(ret_text, max, "%s", pb_json_text(json, name, ""));
}

static int read_facts(const char *text, struct pb_attempt_facts *facts, struct pb_error *err)
{
    struct pb_json *json = pb_json_parse(text, strlen(text), err);

    if (!json)
        return pb_fail_in(err, "the facts in the journal");
    read_fact(json, "dummy_key", facts->dummy_key, sizeof(facts->dummy_key));
    read_fact(json, "session_id", facts->session_id, sizeof(facts->session_id));
    facts->stop = (enum pb_run_stop)pb_json_int(json, "stop", PB_RUN_ENDED);
    facts->started_ms = pb_json_int(json, "started_ms", 0);
    facts->has_env = pb_json_bool(json, "has_env", false);
    facts->is_finished = pb_json_bool(json, "is_finished", false);
    facts->was_cancelled = pb_json_bool(json, "was_cancelled", false);
    facts->was_discarded = pb_json_bool(json, "was_discarded", false);
    facts->is_out_of_disk = pb_json_bool(json, "is_out_of_disk", false);
    pb_json_free(json);
    return 0;
}

void pb_attempt_write_facts(struct pb_attempt *attempt)
{
    const struct pb_attempt_facts *facts = &attempt->facts;
    struct pb_json_writer json;

    pb_buf_clear(&attempt->facts_text);
    pb_json_writer_init(&json, &attempt->facts_text);
    pb_json_begin_object(&json, NULL);
    pb_json_put_text(&json, "dummy_key", facts->dummy_key);
    pb_json_put_text(&json, "session_id", facts->session_id);
    pb_json_put_int(&json, "stop", (int64_t)facts->stop);
    pb_json_put_int(&json, "started_ms", facts->started_ms);
    pb_json_put_bool(&json, "has_env", facts->has_env);
    pb_json_put_bool(&json, "is_finished", facts->is_finished);
    pb_json_put_bool(&json, "was_cancelled", facts->was_cancelled);
    pb_json_put_bool(&json, "was_discarded", facts->was_discarded);
    pb_json_put_bool(&json, "is_out_of_disk", facts->is_out_of_disk);
    pb_json_end_object(&json);
    attempt->row.facts = pb_buf_string(&attempt->facts_text);
}

/* ---- making one ---- */

static void name_folders(struct pb_attempt *attempt)
{
    const struct pb_project_dirs *dirs = attempt->host->dirs;

    (void)snprintf(attempt->dir, sizeof(attempt->dir), "%s/%s", dirs->attempts,
                   attempt->plan->name);
    (void)snprintf(attempt->workspace, sizeof(attempt->workspace), "%s/%s", dirs->workspace,
                   attempt->plan->item);
    (void)snprintf(attempt->home, sizeof(attempt->home), "%s/%s", dirs->home, attempt->plan->item);
    (void)snprintf(attempt->temp, sizeof(attempt->temp), "%s/%s", dirs->temp,
                   pb_attempt_temp_name(attempt->plan->name));
}

static int choose_driver(struct pb_attempt *attempt, struct pb_error *err)
{
    attempt->driver = pb_driver_find(attempt->plan->driver);
    if (!attempt->driver)
        return pb_fail_reason(err, PB_ERROR_INVALID, "invalid_settings",
                              "there is no driver '%.40s'", attempt->plan->driver);
    if (attempt->driver->needs_repository && !attempt->plan->repo.url)
        return pb_fail_reason(err, PB_ERROR_INVALID, "invalid_settings",
                              "driver %s needs a repository", attempt->driver->name);
    return 0;
}

static struct pb_attempt *make(const struct pb_attempt_host *host, const struct pb_json *body,
                               struct pb_error *err)
{
    struct pb_attempt *attempt = calloc(1, sizeof(*attempt));

    if (!attempt) {
        (void)pb_fail(err, PB_ERROR_LIMITED, "no memory");
        return NULL;
    }
    attempt->host = host;
    pb_arena_init(&attempt->arena, PLAN_ARENA_MAX);
    pb_arena_init(&attempt->outcome_arena, OUTCOME_ARENA_MAX);
    pb_buf_init(&attempt->facts_text, FACTS_MAX);
    pb_buf_init(&attempt->publication, PUBLICATION_MAX);
    attempt->mask = pb_mask_new();
    if (!attempt->mask)
        (void)pb_fail(err, PB_ERROR_LIMITED, "no memory");
    if (!attempt->mask || pb_attempt_plan_read(body, &attempt->arena, &attempt->plan, err) < 0 ||
        choose_driver(attempt, err) < 0) {
        pb_attempt_free(attempt);
        return NULL;
    }
    name_folders(attempt);
    pb_attempt_hide_env(attempt);
    return attempt;
}

void pb_attempt_free(struct pb_attempt *attempt)
{
    if (!attempt)
        return;
    pb_attempt_end_run(attempt);
    pb_loop_timer_cancel(&attempt->store_timer);
    pb_loop_timer_cancel(&attempt->close_timer);
    pb_spool_release(&attempt->spool);
    pb_mask_free(attempt->mask);
    pb_buf_release(&attempt->facts_text);
    pb_buf_release(&attempt->publication);
    pb_arena_release(&attempt->outcome_arena);
    pb_arena_release(&attempt->arena);
    free(attempt->agent_notes);
    free(attempt->result);
    free(attempt);
}

/* The plan as the journal may have it: the variables may be secrets, so they are left out. */
static char *plan_without_env(const struct pb_json *body, struct pb_arena *arena)
{
    struct pb_json_writer json;
    struct pb_buf text;
    const char *name = NULL;
    char *copy;

    pb_buf_init(&text, PB_MESSAGE_FRAME_MAX + 4096);
    pb_json_writer_init(&json, &text);
    pb_json_begin_object(&json, NULL);
    while ((name = pb_json_next_name(body, name))) {
        struct pb_buf value;

        if (pb_text_equal(name, "env"))
            continue;
        pb_buf_init(&value, PB_MESSAGE_FRAME_MAX + 4096);
        pb_json_dump(&value, pb_json_get(body, name));
        pb_json_put_raw(&json, name, pb_buf_string(&value));
        text.failed = text.failed || pb_buf_failed(&value);
        pb_buf_release(&value);
    }
    pb_json_end_object(&json);
    copy = pb_buf_failed(&text) ? NULL : pb_arena_bytes(arena, text.data, text.len);
    pb_buf_release(&text);
    return copy;
}

static void send_accepted(const struct pb_attempt *attempt)
{
    struct pb_message_builder b;
    struct pb_buf frame;

    pb_buf_init(&frame, 4096);
    pb_message_begin(&b, &frame, PB_MESSAGE_ATTEMPT_ACCEPTED, attempt->host->dirs->project);
    pb_attempt_ref_put(&b.json,
                       &(struct pb_attempt_ref){attempt->plan->execution, attempt->plan->attempt,
                                                attempt->row.fence});
    pb_message_end(&b, NULL, 0);
    attempt->host->send(attempt->host->arg, &frame);
    pb_buf_release(&frame);
}

struct pb_attempt *pb_attempt_new(const struct pb_attempt_host *host, const struct pb_json *body,
                                  struct pb_error *err)
{
    struct pb_attempt *attempt = make(host, body, err);

    if (!attempt)
        return NULL;
    attempt->facts.has_env = attempt->plan->env[0] != NULL;
    attempt->facts.started_ms = pb_clock_wall_ms();
    attempt->row = (struct pb_journal_row){.name = attempt->plan->name,
                                           .fence = attempt->plan->fence,
                                           .plan = plan_without_env(body, &attempt->arena),
                                           .state = STATES[PB_ATTEMPT_PREPARING],
                                           .round = 1};
    pb_attempt_write_facts(attempt);
    if (!attempt->row.plan)
        (void)pb_fail(err, PB_ERROR_TOO_LARGE, "the plan of the attempt is too large");
    if (!attempt->row.plan || pb_journal_add(host->journal, &attempt->row, err) < 0) {
        pb_attempt_free(attempt);
        return NULL;
    }
    pb_spool_init(&attempt->spool, host->journal, attempt->mask, &attempt->row);
    send_accepted(attempt);
    return attempt;
}

/* ---- finding one again ---- */

static int copy_row(struct pb_attempt *attempt, const struct pb_journal_row *row,
                    struct pb_error *err)
{
    attempt->row = *row;
    attempt->row.name = attempt->plan->name;
    attempt->row.plan = pb_arena_text(&attempt->arena, row->plan);
    attempt->result = row->result ? strdup(row->result) : NULL;
    attempt->row.result = attempt->result;
    if (!attempt->row.plan || (row->result && !attempt->result))
        return pb_fail(err, PB_ERROR_LIMITED, "no memory");
    if (!state_named(row->state, &attempt->state))
        return pb_fail(err, PB_ERROR_INVALID, "the journal has a state '%.30s'", row->state);
    attempt->row.state = STATES[attempt->state];
    if (read_facts(row->facts, &attempt->facts, err) < 0)
        return -1;
    pb_attempt_write_facts(attempt);
    return 0;
}

static void go_on(struct pb_attempt *attempt)
{
    attempt->is_discarded = attempt->facts.was_discarded;
    if (attempt->state == PB_ATTEMPT_REPORTING && attempt->is_discarded) {
        pb_attempt_close(attempt);
        return;
    }
    if (attempt->state == PB_ATTEMPT_REPORTING || attempt->state == PB_ATTEMPT_PREPARING)
        return; /* pb_attempt_reconnected() or pb_attempt_begin() do the rest */
    attempt->has_begun = true;
    if (attempt->is_discarded) {
        pb_attempt_adopt(attempt);
        return;
    }
    if (attempt->facts.has_env && attempt->plan->env_secrets[0])
        pb_attempt_recover_env(attempt);
    else
        pb_attempt_adopt(attempt);
}

struct pb_attempt *pb_attempt_restore(const struct pb_attempt_host *host,
                                      const struct pb_journal_row *row, struct pb_error *err)
{
    struct pb_json *body = pb_json_parse(row->plan, strlen(row->plan), err);
    struct pb_attempt *attempt = body ? make(host, body, err) : NULL;

    pb_json_free(body);
    if (!attempt)
        return NULL;
    if (copy_row(attempt, row, err) < 0) {
        pb_attempt_free(attempt);
        return NULL;
    }
    pb_spool_init(&attempt->spool, host->journal, attempt->mask, &attempt->row);
    pb_log_info("attempt", "attempt=%s found in the journal: %s", attempt->plan->name,
                attempt->row.state);
    go_on(attempt);
    return attempt;
}

/* ---- what the platform says ---- */

const char *pb_attempt_name(const struct pb_attempt *attempt)
{
    return attempt->plan->name;
}

int64_t pb_attempt_fence(const struct pb_attempt *attempt)
{
    return attempt->row.fence;
}

bool pb_attempt_is_working(const struct pb_attempt *attempt)
{
    return attempt->state != PB_ATTEMPT_REPORTING && !attempt->is_closing && !attempt->is_discarded;
}

const char *pb_attempt_item(const struct pb_attempt *attempt)
{
    return attempt->plan->item;
}

bool pb_attempt_is_of(const struct pb_attempt *attempt, const char *execution)
{
    return pb_text_equal(attempt->plan->execution, execution);
}

bool pb_attempt_is_waiting(const struct pb_attempt *attempt)
{
    return !attempt->has_begun && attempt->state == PB_ATTEMPT_PREPARING && !attempt->is_closing;
}

bool pb_attempt_occupies(const struct pb_attempt *attempt)
{
    return attempt->has_begun && attempt->state != PB_ATTEMPT_REPORTING && !attempt->is_closing;
}

void pb_attempt_begin(struct pb_attempt *attempt)
{
    attempt->has_begun = true;
    if (attempt->is_discarded)
        pb_attempt_close(attempt);
    else
        pb_attempt_prepare(attempt);
}

void pb_attempt_cancel(struct pb_attempt *attempt, const char *reason)
{
    if (!pb_attempt_is_working(attempt) || attempt->facts.was_cancelled)
        return;
    attempt->facts.was_cancelled = true;
    if (*reason && strcmp(reason, "cancelled") != 0)
        pb_attempt_say(attempt, 's', "stopping the run: %s", reason);
    else
        pb_attempt_say(attempt, 's', "stopping the run");
    pb_attempt_store(attempt);
    pb_attempt_stop_steps(attempt);
    if (attempt->state == PB_ATTEMPT_RUNNING)
        pb_attempt_stop_run(attempt, PB_RUN_CANCELLED);
    if (pb_attempt_is_waiting(attempt)) {
        pb_attempt_set_outcome(attempt, PB_OUTCOME_CANCELLED, "cancelled", "cancelled");
        pb_attempt_conclude(attempt);
    }
}

void pb_attempt_discard(struct pb_attempt *attempt)
{
    struct pb_error err;

    if (attempt->is_discarded)
        return;
    pb_log_info("attempt", "attempt=%s is not ours any more", attempt->plan->name);
    attempt->facts.was_discarded = true;
    pb_attempt_store(attempt); /* its process may live a moment longer than we do */
    attempt->is_discarded = true;
    pb_attempt_stop_steps(attempt);
    if (attempt->task && pb_task_signal(attempt->task, PB_TASK_KILL, &err) < 0)
        pb_log_fail(PB_LOG_WARN, "attempt", &err, "attempt=%s end its process",
                    attempt->plan->name);
    if (!attempt->task && !attempt->step && !attempt->side)
        pb_attempt_close(attempt);
}

void pb_attempt_log_acked(struct pb_attempt *attempt, int64_t seq)
{
    struct pb_error err;

    if (attempt->is_closing)
        return;
    if (pb_spool_ack(&attempt->spool, seq, &err) < 0) {
        pb_log_fail(PB_LOG_WARN, "attempt", &err, "attempt=%s acknowledgement, ignoring",
                    attempt->plan->name);
        return;
    }
    pb_attempt_push(attempt);
}

void pb_attempt_result_acked(struct pb_attempt *attempt)
{
    if (attempt->state == PB_ATTEMPT_REPORTING)
        pb_attempt_close(attempt);
}

bool pb_attempt_credential(struct pb_attempt *attempt, const struct pb_json *body)
{
    return (attempt->step && pb_step_answer(attempt->step, body)) ||
           (attempt->side && pb_step_answer(attempt->side, body));
}

void pb_attempt_describe(const struct pb_attempt *attempt, struct pb_json_writer *json)
{
    pb_json_begin_object(json, NULL);
    pb_attempt_ref_put(json, &(struct pb_attempt_ref){attempt->plan->execution,
                                                      attempt->plan->attempt, attempt->row.fence});
    pb_json_put_text(json, "state", STATES[attempt->state]);
    pb_json_put_int(json, "next_line", attempt->row.next_line);
    pb_json_put_bool(json, "finished", attempt->state == PB_ATTEMPT_REPORTING);
    pb_json_end_object(json);
}

void pb_attempt_reconnected(struct pb_attempt *attempt)
{
    pb_spool_rewind(&attempt->spool);
    attempt->result_was_sent = false;
    attempt->usage_sent_calls = 0;
    if (attempt->step)
        pb_step_ask_again(attempt->step);
    if (attempt->side)
        pb_step_ask_again(attempt->side);
    if (attempt->state != PB_ATTEMPT_REPORTING)
        pb_attempt_send_state(attempt);
    pb_attempt_check_usage(attempt);
    pb_attempt_push(attempt);
}

void pb_attempt_drained(struct pb_attempt *attempt)
{
    pb_attempt_push(attempt);
}

/* ---- the end ---- */

static void tell_closed(void *arg)
{
    struct pb_attempt *attempt = arg;

    attempt->host->closed(attempt->host->arg, attempt); /* frees it */
}

/* What the task user has put into folders of its own is gone by now, or goes at the next start. */
void pb_attempt_forget(struct pb_attempt *attempt)
{
    struct pb_error err;

    if (attempt->driver->needs_broker &&
        pb_broker_link_end(attempt->host->broker, attempt->plan->name, &err) < 0)
        pb_log_fail(PB_LOG_WARN, "attempt", &err, "attempt=%s tell the broker of its end",
                    attempt->plan->name);
    if (pb_journal_forget(attempt->host->journal, attempt->plan->name, &err) < 0)
        pb_log_fail(PB_LOG_WARN, "attempt", &err, "attempt=%s forget it", attempt->plan->name);
    if (pb_fs_remove_tree(AT_FDCWD, attempt->dir, &err) < 0)
        pb_log_fail(PB_LOG_DEBUG, "attempt", &err, "attempt=%s remove its folder",
                    attempt->plan->name);
    pb_log_info("attempt", "attempt=%s closed", attempt->plan->name);
    attempt->close_timer = pb_loop_timer_start(attempt->host->loop, 0, 0, tell_closed, attempt);
}

void pb_attempt_close(struct pb_attempt *attempt)
{
    if (attempt->is_closing)
        return;
    if (attempt->step || attempt->side) { /* their threads look at us; they come back here */
        attempt->is_discarded = true;
        pb_attempt_stop_steps(attempt);
        return;
    }
    attempt->is_closing = true;
    pb_attempt_end_run(attempt);
    pb_loop_timer_cancel(&attempt->store_timer);
    pb_attempt_tidy(attempt);
}
