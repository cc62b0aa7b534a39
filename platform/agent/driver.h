/*
 * A driver knows one kind of agent program: how to call it, how to read what
 * it prints, and what its end means. It starts nothing, waits for nothing,
 * keeps no files; the attempt (agent/attempt.h) does all of that and calls
 * the driver on the runner's loop thread.
 *
 *   open → build → feed … feed → finish → classify → close
 *
 * After a restart of the runner the state is made again by feeding the same
 * bytes from the beginning, with the lines thrown away that were stored
 * before. So a driver's lines, and everything it concludes, are a function of
 * the bytes it was fed, however they were cut, and of nothing else: no clock,
 * no random numbers, no files. (A session id a driver needs is derived from
 * the plan: pb_driver_session_id().)
 */
#ifndef PB_AGENT_DRIVER_H
#define PB_AGENT_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/attempt_plan.h"
#include "agent/project_dirs.h"
#include "agent/task.h"
#include "base/arena.h"
#include "base/error.h"
#include "base/id.h"

/* Streams of log lines: o output, e stderr, c agent's text, t tool call, r tool result, s system (ours),
 * w warning, x error, g start of a group. */
struct pb_driver_sink {
    /* One line without its end; longer than PB_MESSAGE_LINE_MAX is cut and marked, controls are removed,
     * secrets are masked further on. Text with newlines becomes several lines. */
    void (*line)(void *arg, char stream, const char *text, size_t len);
    void *arg;
};

/* Where a run takes place. */
struct pb_driver_place {
    const struct pb_project_dirs *dirs;
    const char
        *workspace;   /* absolute: the work item's clone, or an empty folder without a repository */
    const char *home; /* absolute */
    const char *temp;
    const char *claude_path; /* from the settings */
    const char *agent_notes; /* CLAUDE.md of the base branch, "" = none */
    const char *dummy_key;   /* what the broker knows this attempt by; NULL without a broker */
    int broker_port;
    int round; /* 1; 2 when classify asked for another run in a fresh session */
};

struct pb_driver_command {
    const char *const *argv;
    const char *const *envp;
    const char *cwd;
    const char *input; /* NULL = empty standard input */
    size_t input_len;
};

/* Why the process is gone, seen from here. */
enum pb_run_stop {
    PB_RUN_ENDED,      /* by itself (or killed by others, see exit) */
    PB_RUN_CANCELLED,  /* a person asked */
    PB_RUN_SILENT,     /* no line for silence_ms */
    PB_RUN_WALL_CLOCK, /* wall_ms over */
    PB_RUN_LINGERED, /* still there some time after its final line: killed, the final line counts */
};

struct pb_run_end {
    enum pb_run_stop stop;
    struct pb_task_exit exit; /* all zero for drivers without a process */
};

/* outcome, name on the wire, is what was changed published? */
#define PB_OUTCOMES(X)                             \
    X(SUCCEEDED, "succeeded", true)                \
    X(FAILED, "failed", false)                     \
    X(TIMED_OUT, "timed_out", false)               \
    X(BUDGET_EXHAUSTED, "budget_exhausted", false) \
    X(CANCELLED, "cancelled", false)               \
    X(WAITING_INPUT, "waiting_input", false)       \
    X(WAITING_QUOTA, "waiting_quota", false)       \
    X(LOST, "lost", false)

enum pb_outcome_kind {
#define X(kind, name, publishes) PB_OUTCOME_##kind,
    PB_OUTCOMES(X)
#undef X
};

const char *pb_outcome_name(enum pb_outcome_kind kind);
bool pb_outcome_publishes(enum pb_outcome_kind kind);

/* What a run came to. Texts live in the arena given to classify. */
struct pb_outcome {
    enum pb_outcome_kind outcome;
    const char *kind;       /* failure kind ("auth", "rate_limit" …), "" when there is none */
    const char *reason;     /* a sentence for people, "" when there is none */
    int http_status;        /* of the provider, 0 = none */
    int64_t resume_at_ms;   /* waiting_quota: when it makes sense again; 0 = unknown */
    const char *summary;    /* the agent's last words, "" = none */
    const char *question;   /* waiting_input: what it wants to know, else "" */
    const char *session_id; /* NULL = none */
    int64_t num_turns;
    int64_t total_cost_micro_usd;          /* the program's own word; -1 = none */
    const char *const *permission_denials; /* NULL-terminated tool names; NULL = none */
    bool run_again; /* not an end: once more, with place.round + 1 (at most once) */
};

struct pb_driver {
    const char *name;
    bool has_process;      /* false: tick() instead of build/feed */
    bool needs_repository; /* refuses a plan without repo.url */
    bool needs_broker;

    /* State of one run; NULL + err when the plan makes no sense for this driver (failure kind in err->reason). */
    void *(*open)(const struct pb_attempt_plan *plan, int round, struct pb_error *err);
    void (*close)(void *state); /* NULL is fine */

    int (*build)(void *state, const struct pb_driver_place *place, struct pb_arena *arena,
                 struct pb_driver_command *ret_command, struct pb_error *err);
    /* The next bytes of output or errors, cut anywhere. */
    void (*feed)(void *state, enum pb_task_file file, const char *data, size_t len,
                 const struct pb_driver_sink *sink);
    /* The process is gone: what is left without a line end is now a line. */
    void (*finish)(void *state, const struct pb_driver_sink *sink);
    /* The program has said its last word and should be gone within seconds. */
    bool (*is_final)(const void *state);
    /* As soon as it is known, else NULL. Borrowed from the state. */
    const char *(*session_id)(const void *state);

    /* Without a process: does what is due, moves *position (stored with the lines, so that a restarted runner
     * goes on there), returns milliseconds until the next call or -1 = done. */
    int64_t (*tick)(void *state, int64_t since_start_ms, uint64_t *position,
                    const struct pb_driver_sink *sink);

    int (*classify)(void *state, const struct pb_run_end *end, struct pb_arena *arena,
                    struct pb_outcome *ret_outcome, struct pb_error *err);
};

extern const struct pb_driver PB_DRIVER_NOOP;    /* driver_noop.c */
extern const struct pb_driver PB_DRIVER_COMMAND; /* driver_command.c */
extern const struct pb_driver PB_DRIVER_CLAUDE;  /* claude_driver.c */

/* Ends that mean the same for every program: cancelled, silent, over time, lost, killed, no disk, no memory. False:
 * it ended by itself and the driver must say what that means. Texts are constants. */
bool pb_outcome_of_stop(const struct pb_run_end *end, struct pb_outcome *outcome);

/* NULL if there is none of that name. */
const struct pb_driver *pb_driver_find(const char *name);

/* A session id for a new session: the same for the same attempt and round, different otherwise. */
void pb_driver_session_id(const struct pb_attempt_plan *plan, int round,
                          char ret_uuid[PB_UUID_TEXT]);

#endif
