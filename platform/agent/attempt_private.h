/* Parts of an attempt: attempt.c (life), attempt_run.c (the process), attempt_steps.c (worker threads),
 * attempt_report.c (log and result). */
#ifndef PB_AGENT_ATTEMPT_PRIVATE_H
#define PB_AGENT_ATTEMPT_PRIVATE_H

#include "agent/attempt.h"
#include "agent/attempt_plan.h"
#include "agent/driver.h"
#include "agent/mask.h"
#include "agent/spool.h"
#include "agent/step.h"
#include "agent/usage.h"
#include "base/arena.h"

/* What later steps need from earlier ones; stored as JSON with the row. */
struct pb_attempt_facts {
    char dummy_key[PB_BROKER_DUMMY_TEXT];
    char session_id[PB_UUID_TEXT + 28];
    enum pb_run_stop stop;
    int64_t started_ms; /* wall clock, of the first run */
    bool has_env;       /* the plan had variables, which are not in the journal */
    bool is_finished;   /* the process is gone and its last lines are stored */
    bool was_cancelled;
    bool was_discarded;
    bool is_out_of_disk; /* the reserve has been used: the run ends, its later lines are dropped */
};

struct pb_attempt {
    const struct pb_attempt_host *host;
    struct pb_arena arena; /* plan, texts of the row */
    struct pb_attempt_plan *plan;
    const struct pb_driver *driver;
    struct pb_journal_row row;
    struct pb_buf facts_text; /* what row.facts points to */
    enum pb_attempt_state state;
    struct pb_attempt_facts facts;
    struct pb_mask *mask;
    struct pb_spool spool;
    bool has_begun;
    bool is_discarded;
    bool is_closing; /* closed() is on its way */

    /* preparing */
    char dir[PB_PROJECT_PATH_TEXT]; /* attempts/<name> */
    char workspace[PB_PROJECT_PATH_TEXT];
    char home[PB_PROJECT_PATH_TEXT];
    char temp[PB_PROJECT_PATH_TEXT]; /* TMPDIR: the task user's, gone with the attempt */
    char *agent_notes;               /* owned */
    struct pb_step *step;            /* the one in progress */
    struct pb_step *side;            /* telling a broker again about an attempt that runs */

    /* running */
    void *driver_state;
    struct pb_task *task;
    int64_t fed[2];   /* by enum pb_task_file: bytes the driver has seen */
    int64_t muted[2]; /* below this the lines are in the journal already */
    bool is_muted;
    int64_t heard_ms; /* steady clock of the last output */
    int64_t final_ms; /* since when the program should be gone; 0 = not yet */
    int64_t stop_ms;  /* when the next harsher signal is due; 0 = none */
    int stop_stage;
    struct pb_loop_timer *tick;       /* every second while running */
    struct pb_loop_timer *read_timer; /* to go on reading */
    struct pb_loop_timer *noop_timer; /* of drivers without a process */
    struct pb_task_exit exit;

    /* ending */
    struct pb_arena outcome_arena;
    struct pb_outcome outcome;
    struct pb_buf publication; /* members of the result, as JSON without braces */

    /* reporting */
    struct pb_loop_timer *store_timer;
    struct pb_loop_timer *close_timer;
    bool store_failed;    /* the last time; being tried again */
    bool result_was_sent; /* on this connection */
    struct pb_usage usage;
    int64_t usage_offset;
    int64_t usage_sent_calls;
    char *result; /* owned: what row.result points to */
};

/* ---- attempt.c ---- */

/* Stores the move. When the journal cannot be written it is tried again by the store timer; the move counts. */
void pb_attempt_move(struct pb_attempt *attempt, enum pb_attempt_state to);
void pb_attempt_close(struct pb_attempt *attempt);
void pb_attempt_forget(struct pb_attempt *attempt);
void pb_attempt_write_facts(struct pb_attempt *attempt);

/* ---- attempt_steps.c ---- */

void pb_attempt_prepare(struct pb_attempt *attempt);
void pb_attempt_publish(struct pb_attempt *attempt);
void pb_attempt_recover_env(struct pb_attempt *attempt); /* then finds its process again */
void pb_attempt_register_again(struct pb_attempt *attempt);
void pb_attempt_stop_steps(struct pb_attempt *attempt);
void pb_attempt_hide_env(struct pb_attempt *attempt);
/* The last step: removes what only the task user can; pb_attempt_forget() follows. */
void pb_attempt_tidy(struct pb_attempt *attempt);

/* ---- attempt_run.c ---- */

int pb_attempt_open_driver(struct pb_attempt *attempt, struct pb_error *err) PB_MUST_CHECK;
void pb_attempt_watch(struct pb_attempt *attempt); /* attempt->task, new or found again */
void pb_attempt_run_noop(struct pb_attempt *attempt);
void pb_attempt_stop_run(struct pb_attempt *attempt, enum pb_run_stop stop);
void pb_attempt_end_run(struct pb_attempt *attempt); /* lets go of timers, task and driver */
void pb_attempt_adopt(struct pb_attempt *attempt);
/* The journal has no room: gives it the reserve, and ends what fills the disk. False: there is none left. */
bool pb_attempt_use_reserve(struct pb_attempt *attempt);
void pb_attempt_rundir(const struct pb_attempt *attempt, char ret_path[PB_PROJECT_PATH_TEXT]);

/* ---- attempt_report.c ---- */

void pb_attempt_line(struct pb_attempt *attempt, char stream, const char *text, size_t len);
void pb_attempt_say(struct pb_attempt *attempt, char stream, const char *fmt, ...) PB_PRINTF(3, 4);
void pb_attempt_store(struct pb_attempt *attempt);      /* now */
void pb_attempt_store_soon(struct pb_attempt *attempt); /* within PB_SPOOL_BATCH_MS */
void pb_attempt_push(struct pb_attempt *attempt);       /* sends what may be sent */
void pb_attempt_send_state(struct pb_attempt *attempt);
void pb_attempt_check_usage(struct pb_attempt *attempt);
/* The outcome is known: builds the result, stores it, reports. */
void pb_attempt_conclude(struct pb_attempt *attempt);
/* An outcome of ours, not the driver's; texts are copied. */
void pb_attempt_fail(struct pb_attempt *attempt, const struct pb_error *err);
/* The outcome alone: cancelled, lost when it was interrupted from outside, else failed. */
void pb_attempt_set_failure(struct pb_attempt *attempt, const struct pb_error *err);
void pb_attempt_set_outcome(struct pb_attempt *attempt, enum pb_outcome_kind outcome,
                            const char *kind, const char *reason);

#endif
