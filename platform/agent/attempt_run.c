#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/attempt_private.h"
#include "agent/broker_link.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

enum {
    TICK_MS = 1000,
    READ_BYTES = 64 << 10,
    READS_PER_TURN = 16, /* others want the loop too */
    LINGER_MS = 20000,   /* after its last word a program should be gone */
    STAGE_MS = 5000,     /* between one signal and the next harsher one */
    ROUNDS = 2,
    STALLED_BYTES = 1 << 20,
};

/* INT is the polite way to cancel; silence and the clock begin with TERM; a program that has said its last word has
 * nothing more to tidy. */
static const enum pb_task_signal STAGES[] = {PB_TASK_INT, PB_TASK_TERM, PB_TASK_KILL};

void pb_attempt_rundir(const struct pb_attempt *attempt, char ret_path[PB_PROJECT_PATH_TEXT])
{
    (void)snprintf(ret_path, PB_PROJECT_PATH_TEXT, "%s/run-%lld", attempt->dir,
                   (long long)attempt->row.round);
}

static void on_line(void *arg, char stream, const char *text, size_t len)
{
    struct pb_attempt *attempt = arg;

    if (!attempt->is_muted)
        pb_attempt_line(attempt, stream, text, len);
}

static struct pb_driver_sink sink_of(struct pb_attempt *attempt)
{
    return (struct pb_driver_sink){.line = on_line, .arg = attempt};
}

int pb_attempt_open_driver(struct pb_attempt *attempt, struct pb_error *err)
{
    attempt->driver->close(attempt->driver_state);
    attempt->driver_state = attempt->driver->open(attempt->plan, (int)attempt->row.round, err);
    attempt->fed[PB_TASK_OUTPUT] = attempt->fed[PB_TASK_ERRORS] = 0;
    attempt->final_ms = 0;
    return attempt->driver_state ? 0 : -1;
}

/* ---- reading ---- */

static void note_progress(struct pb_attempt *attempt)
{
    const char *session = attempt->driver->session_id(attempt->driver_state);

    if (session && !pb_text_equal(session, attempt->facts.session_id)) {
        (void)snprintf(attempt->facts.session_id, sizeof(attempt->facts.session_id), "%s", session);
        pb_attempt_send_state(attempt);
    }
    if (!attempt->final_ms && attempt->driver->is_final(attempt->driver_state))
        attempt->final_ms = pb_clock_steady_ms();
}

/* One piece for the driver. What was stored before a restart passes in silence. */
static ssize_t feed_once(struct pb_attempt *attempt, enum pb_task_file file, struct pb_error *err)
{
    struct pb_driver_sink sink = sink_of(attempt);
    int64_t silent = attempt->muted[file] - attempt->fed[file];
    char data[READ_BYTES];
    size_t max = silent > 0 && silent < READ_BYTES ? (size_t)silent : sizeof(data);
    ssize_t n = pb_task_read(attempt->task, file, (uint64_t)attempt->fed[file], data, max, err);

    if (n <= 0)
        return n;
    attempt->is_muted = silent > 0 || attempt->facts.is_out_of_disk;
    attempt->driver->feed(attempt->driver_state, file, data, (size_t)n, &sink);
    attempt->fed[file] += n;
    if (silent <= 0) {
        *(file == PB_TASK_OUTPUT ? &attempt->row.output_offset : &attempt->row.errors_offset) =
            attempt->fed[file];
        attempt->heard_ms = pb_clock_steady_ms();
    }
    attempt->is_muted = false;
    return n;
}

/* True: there may be more. */
static bool feed_some(struct pb_attempt *attempt)
{
    struct pb_error err;
    int more = 0;

    for (int file = PB_TASK_OUTPUT; file <= PB_TASK_ERRORS; file++) {
        ssize_t n = feed_once(attempt, (enum pb_task_file)file, &err);

        if (n < 0)
            pb_log_fail(PB_LOG_WARN, "attempt", &err, "attempt=%s", attempt->plan->name);
        more += n > 0;
    }
    note_progress(attempt);
    if (pb_spool_is_full(&attempt->spool))
        pb_attempt_store(attempt);
    return more > 0;
}

/* The journal cannot take more (the disk is full): the bytes stay where they are, in the shim's file. */
static bool is_stalled(const struct pb_attempt *attempt)
{
    return attempt->spool.pending.len > STALLED_BYTES;
}

static void read_on(void *arg);

static void read_later(struct pb_attempt *attempt)
{
    pb_loop_timer_cancel(&attempt->read_timer);
    attempt->read_timer =
        pb_loop_timer_start(attempt->host->loop, is_stalled(attempt) ? TICK_MS : 0, 0, read_on,
                            attempt);
}

static void read_on(void *arg)
{
    struct pb_attempt *attempt = arg;

    for (int turn = 0; turn < READS_PER_TURN; turn++) {
        if (is_stalled(attempt) || !attempt->task)
            break;
        if (!feed_some(attempt)) {
            pb_attempt_store_soon(attempt);
            return;
        }
    }
    pb_attempt_store_soon(attempt);
    if (attempt->task)
        read_later(attempt);
}

/* ---- ending ---- */

static void settle(struct pb_attempt *attempt);

static void finish_reading(struct pb_attempt *attempt)
{
    struct pb_driver_sink sink = sink_of(attempt);

    while (feed_some(attempt))
        continue;
    attempt->is_muted = attempt->facts.is_finished || attempt->facts.is_out_of_disk;
    attempt->driver->finish(attempt->driver_state, &sink);
    attempt->is_muted = false;
    note_progress(attempt);
}

static void note_end(struct pb_attempt *attempt, const struct pb_task_exit *exit)
{
    attempt->exit = *exit;
    if (exit->reason == PB_TASK_WALL_CLOCK && attempt->facts.stop == PB_RUN_ENDED)
        attempt->facts.stop = PB_RUN_WALL_CLOCK;
    if (exit->leaked > 0 && !attempt->facts.is_finished)
        pb_attempt_say(attempt, 's', "%d processes it had left behind were ended", exit->leaked);
    attempt->facts.is_finished = true;
}

static void on_ended(void *arg, const struct pb_task_exit *exit)
{
    struct pb_attempt *attempt = arg;

    if (attempt->is_discarded) {
        pb_attempt_close(attempt);
        return;
    }
    finish_reading(attempt);
    note_end(attempt, exit);
    pb_attempt_store(attempt);
    settle(attempt);
}

static void on_grew(void *arg)
{
    struct pb_attempt *attempt = arg;

    attempt->heard_ms = pb_clock_steady_ms();
    if (!attempt->is_discarded)
        read_on(attempt);
}

/* What it was all for: the driver says what the end means. */
static void settle(struct pb_attempt *attempt)
{
    struct pb_run_end end = {.stop = attempt->facts.stop, .exit = attempt->exit};
    struct pb_error err;
    int r;

    pb_arena_release(&attempt->outcome_arena);
    r = attempt->driver->classify(attempt->driver_state, &end, &attempt->outcome_arena,
                                  &attempt->outcome, &err);
    pb_attempt_end_run(attempt);
    if (attempt->side)
        pb_attempt_stop_steps(attempt);
    if (r < 0) {
        pb_attempt_fail(attempt, &err);
        return;
    }
    if (attempt->facts.is_out_of_disk)
        pb_attempt_set_outcome(attempt, PB_OUTCOME_FAILED, "disk", "the disk of the node is full");
    if (attempt->outcome.run_again && attempt->row.round < ROUNDS &&
        !attempt->facts.was_cancelled) {
        pb_attempt_say(attempt, 'w', "once more, in a fresh session: %s", attempt->outcome.reason);
        attempt->row.round++;
        attempt->row.output_offset = attempt->row.errors_offset = 0;
        attempt->muted[PB_TASK_OUTPUT] = attempt->muted[PB_TASK_ERRORS] = 0;
        attempt->facts.is_finished = false;
        pb_attempt_prepare(attempt);
        return;
    }
    if (pb_outcome_publishes(attempt->outcome.outcome) && attempt->driver->has_process &&
        attempt->plan->repo.url && !attempt->facts.was_cancelled)
        pb_attempt_publish(attempt);
    else
        pb_attempt_conclude(attempt);
}

void pb_attempt_end_run(struct pb_attempt *attempt)
{
    pb_loop_timer_cancel(&attempt->tick);
    pb_loop_timer_cancel(&attempt->noop_timer);
    pb_loop_timer_cancel(&attempt->read_timer);
    pb_task_close(attempt->task);
    attempt->task = NULL;
    if (attempt->driver)
        attempt->driver->close(attempt->driver_state);
    attempt->driver_state = NULL;
    attempt->stop_ms = 0;
}

/* ---- stopping ---- */

bool pb_attempt_use_reserve(struct pb_attempt *attempt)
{
    char path[PB_PROJECT_PATH_TEXT + 16];
    struct pb_error err;

    (void)snprintf(path, sizeof(path), "%s/reserve", attempt->dir);
    if (unlink(path) < 0)
        return false;
    pb_log_error("attempt", "attempt=%s the disk is full: ending it", attempt->plan->name);
    pb_attempt_say(attempt, 'x', "the disk of the node is full; what follows is not in this log");
    attempt->facts.is_out_of_disk = true;
    if (attempt->task && pb_task_signal(attempt->task, PB_TASK_KILL, &err) < 0)
        pb_log_fail(PB_LOG_WARN, "attempt", &err, "attempt=%s end its process",
                    attempt->plan->name);
    return true;
}

static void next_stage(struct pb_attempt *attempt)
{
    struct pb_error err;

    if (pb_task_signal(attempt->task, STAGES[attempt->stop_stage], &err) < 0)
        pb_log_fail(PB_LOG_WARN, "attempt", &err, "attempt=%s signal its process",
                    attempt->plan->name);
    attempt->stop_ms = pb_clock_steady_ms() + STAGE_MS;
    if (attempt->stop_stage < (int)(sizeof(STAGES) / sizeof(STAGES[0])) - 1)
        attempt->stop_stage++;
}

void pb_attempt_stop_run(struct pb_attempt *attempt, enum pb_run_stop stop)
{
    if (attempt->stop_ms && stop != PB_RUN_CANCELLED)
        return; /* being stopped already */
    if (attempt->facts.stop == PB_RUN_ENDED)
        attempt->facts.stop = stop;
    if (!attempt->driver->has_process && attempt->noop_timer) {
        settle(attempt);
        return;
    }
    if (!attempt->task)
        return; /* still starting: done_launch looks at was_cancelled */
    attempt->stop_stage = stop == PB_RUN_CANCELLED ? 0 : stop == PB_RUN_LINGERED ? 2 : 1;
    next_stage(attempt);
}

static void check_watchdogs(struct pb_attempt *attempt, int64_t now)
{
    if (attempt->stop_ms) {
        if (now >= attempt->stop_ms)
            next_stage(attempt);
        return;
    }
    if (attempt->final_ms && now - attempt->final_ms >= LINGER_MS) {
        pb_attempt_say(attempt, 'w', "it said its last word %d s ago and is still there: ended",
                       LINGER_MS / 1000);
        pb_attempt_stop_run(attempt, PB_RUN_LINGERED);
    } else if (attempt->plan->silence_ms && now - attempt->heard_ms >= attempt->plan->silence_ms) {
        pb_attempt_say(attempt, 'w', "no output for %lld s: ended",
                       (long long)(attempt->plan->silence_ms / 1000));
        pb_attempt_stop_run(attempt, PB_RUN_SILENT);
    }
}

static void on_tick(void *arg)
{
    struct pb_attempt *attempt = arg;
    struct pb_error err;

    pb_attempt_check_usage(attempt);
    if (attempt->driver->needs_broker && pb_broker_link_check(attempt->host->broker, &err) < 0)
        pb_log_fail(PB_LOG_WARN, "attempt", &err, "attempt=%s the broker", attempt->plan->name);
    check_watchdogs(attempt, pb_clock_steady_ms());
}

/* ---- starting ---- */

void pb_attempt_watch(struct pb_attempt *attempt)
{
    static const struct pb_task_events EVENTS = {.grew = on_grew, .ended = on_ended};
    struct pb_error err;

    attempt->heard_ms = pb_clock_steady_ms();
    attempt->tick = pb_loop_timer_start(attempt->host->loop, TICK_MS, TICK_MS, on_tick, attempt);
    if (!attempt->tick ||
        pb_task_watch(attempt->task, attempt->host->loop, &EVENTS, attempt, &err) < 0) {
        (void)pb_fail(&err, PB_ERROR_LIMITED, "no memory to watch a process");
        pb_attempt_fail(attempt, &err);
        return;
    }
    if (attempt->is_discarded && pb_task_signal(attempt->task, PB_TASK_KILL, &err) < 0)
        pb_log_fail(PB_LOG_WARN, "attempt", &err, "attempt=%s end its process",
                    attempt->plan->name);
    else if (attempt->facts.was_cancelled)
        pb_attempt_stop_run(attempt, PB_RUN_CANCELLED);
}

static void on_noop(void *arg)
{
    struct pb_attempt *attempt = arg;
    struct pb_driver_sink sink = sink_of(attempt);
    uint64_t position = (uint64_t)attempt->row.position;
    int64_t next;

    pb_loop_timer_cancel(&attempt->noop_timer);
    next = attempt->driver->tick(attempt->driver_state,
                                 pb_clock_wall_ms() - attempt->facts.started_ms, &position, &sink);
    attempt->row.position = (int64_t)position;
    if (next < 0) {
        attempt->facts.is_finished = true;
        pb_attempt_store(attempt);
        settle(attempt);
        return;
    }
    if (pb_spool_is_full(&attempt->spool))
        pb_attempt_store(attempt);
    else
        pb_attempt_store_soon(attempt);
    attempt->noop_timer = pb_loop_timer_start(attempt->host->loop, next, 0, on_noop, attempt);
}

void pb_attempt_run_noop(struct pb_attempt *attempt)
{
    attempt->noop_timer = pb_loop_timer_start(attempt->host->loop, 0, 0, on_noop, attempt);
}

/* ---- after a restart ---- */

/* While a shim keeps the broker's port open nobody else can listen there: only this socket serves a next broker. */
static void take_listener_back(struct pb_attempt *attempt)
{
    struct pb_error err;
    int listener = pb_task_listener(attempt->task, &err);

    if (listener >= 0)
        pb_broker_link_give_listener(attempt->host->broker, listener);
    else if (err.code != PB_ERROR_NOT_FOUND)
        pb_log_fail(PB_LOG_WARN, "attempt", &err, "attempt=%s take the broker's listener back",
                    attempt->plan->name);
}

/* The driver reads everything again and so knows again what it knew; the lines are in the journal already. */
static void adopt_process(struct pb_attempt *attempt)
{
    char rundir[PB_PROJECT_PATH_TEXT];
    struct pb_error err;

    pb_attempt_rundir(attempt, rundir);
    if (pb_task_adopt(attempt->host->task_host, rundir, &attempt->task, &err) < 0) {
        if (attempt->is_discarded)
            pb_attempt_close(attempt);
        else if (err.code == PB_ERROR_NOT_FOUND && !attempt->facts.is_finished)
            pb_attempt_prepare(attempt); /* killed between the journal and the start */
        else
            pb_attempt_fail(attempt, &err);
        return;
    }
    attempt->muted[PB_TASK_OUTPUT] =
        attempt->facts.is_finished ? INT64_MAX : attempt->row.output_offset;
    attempt->muted[PB_TASK_ERRORS] =
        attempt->facts.is_finished ? INT64_MAX : attempt->row.errors_offset;
    if (attempt->driver->needs_broker && !attempt->is_discarded && !attempt->facts.is_finished) {
        take_listener_back(attempt);
        pb_attempt_register_again(attempt);
    }
    pb_attempt_watch(attempt);
}

void pb_attempt_adopt(struct pb_attempt *attempt)
{
    struct pb_error err;

    if (pb_attempt_open_driver(attempt, &err) < 0)
        pb_attempt_fail(attempt, &err);
    else if (attempt->is_discarded && !attempt->driver->has_process)
        pb_attempt_close(attempt);
    else if (attempt->driver->has_process)
        adopt_process(attempt);
    else if (attempt->facts.is_finished)
        settle(attempt);
    else
        pb_attempt_run_noop(attempt);
}
