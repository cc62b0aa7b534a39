/*
 * One attempt in the runner: from attempt_start to the platform's word that
 * its result is stored.
 *
 *   PREPARING ──────→ RUNNING ──────→ PUBLISHING ──→ REPORTING ──→ (closed)
 *   workspace,        the driver's    commit, check,  lines and
 *   broker, key       process         push            result are
 *      ↑                 │    │                        acknowledged
 *      └── once more ────┘    └── nothing to publish ──→┘
 *
 * Every move is in the journal before it counts, and every state can be
 * entered again: a runner that was killed goes on where it was. A process that
 * is still running is found again, one that ended meanwhile is read from its
 * files, and one whose shim was killed is reported as lost.
 *
 * Invariants
 *  1. State changes only in pb_attempt_move(), and only along MOVES.
 *  2. No state is reached before the journal has it.
 *  3. A result is sent when every line is acknowledged, and again after each
 *     reconnect, until result_ack.
 *  4. A discarded attempt says nothing more and touches nothing outside, also after a restart.
 *  5. Two attempts never work on one item at the same time, not even while the older is being ended.
 *
 * Everything here runs on the runner's loop, except the steps (agent/step.h).
 */
#ifndef PB_AGENT_ATTEMPT_H
#define PB_AGENT_ATTEMPT_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/broker_link.h"
#include "agent/journal.h"
#include "agent/task.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"
#include "base/loop.h"

/* state, name in the journal and in attempt_state */
#define PB_ATTEMPT_STATES(X)    \
    X(PREPARING, "preparing")   \
    X(RUNNING, "running")       \
    X(PUBLISHING, "publishing") \
    X(REPORTING, "reporting")

enum pb_attempt_state {
#define X(state, name) PB_ATTEMPT_##state,
    PB_ATTEMPT_STATES(X)
#undef X
};

const char *pb_attempt_state_name(enum pb_attempt_state state);

struct pb_attempt;

/* What the runner gives to its attempts. Outlives them. */
struct pb_attempt_host {
    struct pb_loop *loop;
    struct pb_journal *journal;
    const struct pb_project_dirs *dirs;
    const struct pb_task_host *task_host;
    struct pb_broker_link *broker;
    const char *claude_path;
    bool (*is_online)(void *arg);
    /* A frame; forgotten when there is no connection, so whatever matters is said again after one. */
    void (*send)(void *arg, struct pb_buf *frame);
    bool (*is_busy)(void *arg); /* the connection has enough to do: hold log lines back */
    /* Over and forgotten: drop it from the table and free it. */
    void (*closed)(void *arg, struct pb_attempt *attempt);
    void *arg;
};

/* From attempt_start: accepted when this returns, refused (failure kind in err->reason) when it does not. Work
 * begins with pb_attempt_begin(). */
struct pb_attempt *pb_attempt_new(const struct pb_attempt_host *host, const struct pb_json *body,
                                  struct pb_error *err) PB_MUST_CHECK;
/* From the journal, after a restart. Goes on by itself, unless it was still preparing: then as a new one. */
struct pb_attempt *pb_attempt_restore(const struct pb_attempt_host *host,
                                      const struct pb_journal_row *row,
                                      struct pb_error *err) PB_MUST_CHECK;
/* Its process and its files stay. */
void pb_attempt_free(struct pb_attempt *attempt);

const char *pb_attempt_name(const struct pb_attempt *attempt); /* "<execution>.<n>" */
int64_t pb_attempt_fence(const struct pb_attempt *attempt);
bool pb_attempt_is_working(const struct pb_attempt *attempt); /* counts for max_concurrent */

/* One attempt at a time works on an item: the runner lets the next begin when nobody occupies it. */
const char *pb_attempt_item(const struct pb_attempt *attempt);
bool pb_attempt_is_of(const struct pb_attempt *attempt, const char *execution);
bool pb_attempt_is_waiting(const struct pb_attempt *attempt); /* for pb_attempt_begin() */
bool pb_attempt_occupies(
    const struct pb_attempt *attempt); /* its workspace, also while it is being ended */
void pb_attempt_begin(struct pb_attempt *attempt);

/* What the platform says. */
void pb_attempt_cancel(struct pb_attempt *attempt, const char *reason);
void pb_attempt_discard(struct pb_attempt *attempt);
void pb_attempt_log_acked(struct pb_attempt *attempt, int64_t seq);
void pb_attempt_result_acked(struct pb_attempt *attempt);
/* True: it was the answer to a question of this attempt. */
bool pb_attempt_credential(struct pb_attempt *attempt, const struct pb_json *body);

/* A new connection: its line in runner_hello, then everything the platform may have missed. */
void pb_attempt_describe(const struct pb_attempt *attempt, struct pb_json_writer *json);
void pb_attempt_reconnected(struct pb_attempt *attempt);
void pb_attempt_drained(struct pb_attempt *attempt); /* the connection can take more lines */

#endif
