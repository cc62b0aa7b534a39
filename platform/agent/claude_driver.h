/*
 * The driver of the Claude Code CLI (tried with 2.1.197 and 2.1.330).
 *
 * The call keeps the repository's own settings, hooks and MCP servers out
 * (--setting-sources user --strict-mcp-config); its CLAUDE.md comes from the
 * base branch, with the system prompt. The prompt goes in by standard input.
 * The CLI sees a dummy key and the broker's address, the project's variables,
 * and nothing else.
 *
 * Success is four things at once: exit code 0, a last line of type `result`,
 * is_error false, subtype "success". Exit codes and subtypes alone both lie.
 *
 *   result                                      outcome
 *   good, with a ```poppo-question block        waiting_input
 *   good                                        succeeded
 *   error_max_turns                             failed      max_turns
 *   error_max_budget_usd                        budget_exhausted budget
 *   aborted by a signal                         cancelled
 *   session in use or unknown, first round      once more in a fresh session
 *   an API error                                failed      by the table in claude_classify.c
 *   a rate limit                                waiting_quota rate_limit (until a time, if it was told)
 *   none, exit code not 0                       failed      cli_crashed
 *   none, exit code 0                           failed      cli_output
 */
#ifndef PB_AGENT_CLAUDE_DRIVER_H
#define PB_AGENT_CLAUDE_DRIVER_H

#include "agent/driver.h"
#include "agent/stream_json.h"

enum {
    PB_CLAUDE_PROMPT_MAX = 100 << 10, /* of the appended system prompt: one argument has 128 KiB */
    PB_CLAUDE_STDERR_KEPT = 8 << 10,  /* what the classifier looks at */
    PB_CLAUDE_STDERR_LINES = 2000,    /* shown */
    PB_CLAUDE_SUMMARY_MAX = 32 << 10,
    PB_CLAUDE_QUESTION_MAX = 16 << 10,
};

/* What is known when the process is gone. */
struct pb_claude_end {
    const struct pb_stream_facts *facts;
    const char *errors; /* the beginning of standard error */
    const struct pb_run_end *run;
    int round;
};

/* The meaning of an end; texts in the arena. LIMITED when that is full. */
int pb_claude_classify(const struct pb_claude_end *end, struct pb_arena *arena,
                       struct pb_outcome *ret_outcome, struct pb_error *err) PB_MUST_CHECK;

#endif
