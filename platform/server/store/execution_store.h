/*
 * Executions and their attempts. Statuses are decided by the services (the
 * model's pb_execution_next()); here they are written, compare-and-set, with
 * the counters of pb_project_counts() in step. Rows and texts live in the
 * arena.
 */
#ifndef PB_SERVER_STORE_EXECUTION_STORE_H
#define PB_SERVER_STORE_EXECUTION_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "model/execution.h"
#include "server/store/db.h"
#include "server/store/page.h"

struct pb_execution_list {
    struct pb_execution *items;
    size_t count;
    const char *next_cursor;
};

struct pb_execution_filter {
    struct pb_page page;
    const char *project_id; /* NULL = all */
    const enum pb_execution_status *statuses;
    size_t status_count;  /* 0 = all */
    int64_t work_item_id; /* 0 = all */
    int64_t number;       /* in its project; 0 = all */
    const char
        *query; /* part of the title, or an issue's number, "#42" for that alone; NULL = all */
    size_t search_rows; /* of how many rows one call looks at titles; 0 = 3,000 */
};

/* Inserts a QUEUED execution. `number` and `version` are given by the store: ret_number. CONFLICT,
 * reason "duplicate", when (project, dedupe_key) exists: pb_execution_find_key() tells
 * which. LIMITED, reason "queue_full", at PB_LIMIT_QUEUED_PER_PROJECT. */
int pb_execution_insert(struct pb_db *db, const struct pb_execution *execution, int64_t *ret_number,
                        struct pb_error *err) PB_MUST_CHECK;
/* With its prompt. NOT_FOUND, reason "execution_not_found". */
int pb_execution_load(struct pb_db *db, struct pb_arena *arena, const char *id,
                      struct pb_execution **ret_execution, struct pb_error *err) PB_MUST_CHECK;
/* Marks a trigger as seen, for one that makes no new execution (an answer). CONFLICT, reason
 * "duplicate". */
int pb_execution_take_key(struct pb_db *db, const char *project_id, const char *dedupe_key,
                          const char *execution_id, int64_t now_ms,
                          struct pb_error *err) PB_MUST_CHECK;
/* The execution this trigger made or answered; NULL in ret_id if it was never seen. */
int pb_execution_find_key(struct pb_db *db, struct pb_arena *arena, const char *project_id,
                          const char *dedupe_key, const char **ret_id,
                          struct pb_error *err) PB_MUST_CHECK;
/* The work item's newest; NULL if there is none. */
int pb_execution_newest_of(struct pb_db *db, struct pb_arena *arena, int64_t work_item_id,
                           struct pb_execution **ret_execution, struct pb_error *err) PB_MUST_CHECK;
/* The project's newest; NULL if there is none. */
int pb_execution_last_of(struct pb_db *db, struct pb_arena *arena, const char *project_id,
                         struct pb_execution **ret_execution, struct pb_error *err) PB_MUST_CHECK;
/* Newest first. A search for text stops after so many rows: its page may be short, or empty, and still have
 * a cursor, with which it goes on. */
int pb_execution_list(struct pb_db *db, struct pb_arena *arena,
                      const struct pb_execution_filter *filter, struct pb_execution_list *ret_list,
                      struct pb_error *err) PB_MUST_CHECK;

/*
 * Writes every column that can change (not prompt, not what was asked) and
 * version + 1, if the row still has execution->version and status `from`:
 * otherwise CONFLICT, reason "changed_meanwhile". Times are the caller's;
 * what the queue keeps (place, queued_reason, …) follows from the rest.
 * Load, change the struct, save, in one write function.
 */
int pb_execution_save(struct pb_db *db, const struct pb_execution *execution,
                      enum pb_execution_status from, struct pb_error *err) PB_MUST_CHECK;
/* Follow-up text for the same execution: it becomes the prompt of the next attempt. */
int pb_execution_set_prompt(struct pb_db *db, const char *id, const char *prompt,
                            struct pb_error *err) PB_MUST_CHECK;
/* Frequent and narrow; version stays. */
int pb_execution_set_usage(struct pb_db *db, const char *id, const struct pb_execution_usage *usage,
                           int64_t now_ms, struct pb_error *err) PB_MUST_CHECK;
/* QUEUED → ASSIGNED (`from` and `to` by pb_execution_next()), fence + 1, attempt_count + 1, and the
 * attempt's row. Fills ret_execution as it is now. The token is the claimer's own: claiming again with it
 * gives the same attempt, so a claim whose outcome was lost can be repeated. CONFLICT, reason
 * "changed_meanwhile", if somebody else was first. */
struct pb_claim {
    const char *execution_id;
    const char *node_id;
    const char *token;
    int64_t now_ms;
    int64_t lease_until_ms;
};
int pb_execution_claim(struct pb_db *db, struct pb_arena *arena, const struct pb_claim *claim,
                       struct pb_execution **ret_execution, struct pb_error *err) PB_MUST_CHECK;
/* Has a claim with this token happened? */
int pb_execution_is_claimed(struct pb_db *db, const char *token, bool *ret_claimed,
                            struct pb_error *err) PB_MUST_CHECK;

/* WAITING_QUOTA ones whose available_at has come. */
int pb_execution_due(struct pb_db *db, struct pb_arena *arena, int64_t now_ms, size_t limit,
                     struct pb_execution_list *ret_list, struct pb_error *err) PB_MUST_CHECK;
/* What time and limits leave the scheduler to do, in one question. */
struct pb_execution_agenda {
    int64_t next_due; /* the first available_at; 0 = none */
    bool is_cancelling;
    bool is_held; /* by a limit */
};
int pb_execution_agenda(struct pb_db *db, struct pb_execution_agenda *ret_agenda,
                        struct pb_error *err) PB_MUST_CHECK;
/* The next time something waiting becomes due (queue and quota), perhaps past; 0 = nothing waits for a time. */
int pb_execution_next_due(struct pb_db *db, int64_t *ret_at, struct pb_error *err) PB_MUST_CHECK;
/* CANCELLING ones, those asked first first. */
int pb_execution_cancelling(struct pb_db *db, struct pb_arena *arena, size_t limit,
                            struct pb_execution_list *ret_list, struct pb_error *err) PB_MUST_CHECK;

struct pb_execution_stats {
    int64_t succeeded;
    int64_t failed; /* failed, timed_out, budget_exhausted */
    int64_t cost_micro_usd;
};
int pb_execution_stats_since(struct pb_db *db, int64_t since_ms,
                             struct pb_execution_stats *ret_stats,
                             struct pb_error *err) PB_MUST_CHECK;

struct pb_attempt_list {
    struct pb_attempt *items;
    size_t count;
};

/* NOT_FOUND, reason "attempt_not_found". */
int pb_attempt_load(struct pb_db *db, struct pb_arena *arena, const char *execution_id,
                    int64_t number, struct pb_attempt **ret_attempt,
                    struct pb_error *err) PB_MUST_CHECK;
/* By number. */
int pb_attempt_list(struct pb_db *db, struct pb_arena *arena, const char *execution_id,
                    struct pb_attempt_list *ret_list, struct pb_error *err) PB_MUST_CHECK;
/* Not ended and not lost; of one project, one node, or all (NULL, NULL). */
int pb_attempt_live(struct pb_db *db, struct pb_arena *arena, const char *project_id,
                    const char *node_id, struct pb_attempt_list *ret_list,
                    struct pb_error *err) PB_MUST_CHECK;
/* Everything but its keys, if the row has attempt->fence: otherwise CONFLICT, reason "stale_fence".
 * */
int pb_attempt_save(struct pb_db *db, const struct pb_attempt *attempt,
                    struct pb_error *err) PB_MUST_CHECK;
/* Totals over all attempts, for the execution's row. Cost is -1 if it is unknown in all of them. */
/* An execution and one of its attempts, in one question. Errors as those of pb_execution_load() and
 * pb_attempt_load(). */
int pb_attempt_load_both(struct pb_db *db, struct pb_arena *arena, const char *execution_id,
                         int64_t number, struct pb_execution **ret_execution,
                         struct pb_attempt **ret_attempt, struct pb_error *err) PB_MUST_CHECK;
int pb_attempt_usage_sum(struct pb_db *db, const char *execution_id,
                         struct pb_execution_usage *ret_usage, struct pb_error *err) PB_MUST_CHECK;

#endif
