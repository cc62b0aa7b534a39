/*
 * What `poppo` can do. A command is a row: its words, its options, its
 * function. The function prints to cli->out and returns 0, or -1 with an
 * error that main() turns into a sentence and an exit code:
 *
 *   0 done   1 refused or failed   2 typed wrongly   3 platform not reachable
 */
#ifndef PB_CLI_CLI_COMMAND_H
#define PB_CLI_CLI_COMMAND_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "cli/cli_api.h"
#include "cli/cli_args.h"

struct pb_cli {
    const struct pb_cli_command *command;
    struct pb_cli_args args;
    struct pb_cli_api *api; /* owned by main() */
    struct pb_arena arena;  /* lives as long as the command */
    FILE *out;
    size_t width; /* of the terminal; 0 = none */
    bool colours;
};

struct pb_cli_command {
    const char *noun;
    const char
        *verb; /* NULL: the noun alone; the first row of a noun is what it does without a verb */
    const char *words; /* what the words are, for help */
    size_t min_words;
    size_t max_words;
    unsigned options; /* PB_CLI_BIT(…) */
    int (*run)(struct pb_cli *cli, struct pb_error *err);
    const char *en; /* one line of help */
    const char *ja;
};

extern const struct pb_cli_command PB_CLI_COMMANDS[]; /* ends with a row without noun */

/* The row for argv[1…]; *ret_used = how many words it took. NULL and INVALID "usage" when there is none. */
const struct pb_cli_command *pb_cli_command_find(const char *const *argv, size_t count,
                                                 size_t *ret_used,
                                                 struct pb_error *err) PB_MUST_CHECK;
int pb_cli_command_check(const struct pb_cli_command *command, const struct pb_cli_args *args,
                         struct pb_error *err) PB_MUST_CHECK;
/* "poppo logs EXECUTION" */
void pb_cli_command_usage(const struct pb_cli_command *row, struct pb_buf *buf);
/* All commands, or those of one noun with their options. */
int pb_cli_help(const char *noun, struct pb_buf *buf, struct pb_error *err) PB_MUST_CHECK;

int pb_cli_exit_code(const struct pb_error *err);
/* What happened and what helps, in the language of pb_say(). */
void pb_cli_explain(const struct pb_error *err, struct pb_buf *buf);

/* errno says why nothing could be written: reason "nobody_reads" for a closed pipe, else "output". */
int pb_cli_fail_output(struct pb_error *err);
/* What was typed does not fit into a request. */
int pb_cli_fail_too_long(struct pb_error *err);
/* Writes all of it to cli->out. */
int pb_cli_print(struct pb_cli *cli, const struct pb_buf *buf, struct pb_error *err) PB_MUST_CHECK;
/* GET; with --json the answer is printed and *ret_json is NULL. The JSON is the caller's to free. */
int pb_cli_get(struct pb_cli *cli, const char *path, struct pb_json **ret_json,
               struct pb_error *err) PB_MUST_CHECK;
/* The same with a method and body. */
int pb_cli_send(struct pb_cli *cli, const char *method, const char *path, const char *body,
                struct pb_json **ret_json, struct pb_error *err) PB_MUST_CHECK;
/* "Name:   value" for people; nothing when the value is NULL or empty. */
void pb_cli_put_pair(struct pb_buf *buf, const char *name, const char *value);

int pb_poppo_login(struct pb_cli *cli, struct pb_error *err);
int pb_poppo_logout(struct pb_cli *cli, struct pb_error *err);
int pb_poppo_projects_list(struct pb_cli *cli, struct pb_error *err);
int pb_poppo_projects_show(struct pb_cli *cli, struct pb_error *err);
int pb_poppo_projects_act(struct pb_cli *cli,
                          struct pb_error *err); /* start, pause, stop, restart: the verb */
int pb_poppo_executions_list(struct pb_cli *cli, struct pb_error *err);
int pb_poppo_executions_show(struct pb_cli *cli, struct pb_error *err);
int pb_poppo_executions_change(struct pb_cli *cli, struct pb_error *err);
int pb_poppo_run(struct pb_cli *cli, struct pb_error *err);
int pb_poppo_cancel(struct pb_cli *cli, struct pb_error *err);
int pb_poppo_logs(struct pb_cli *cli, struct pb_error *err);
int pb_poppo_log_search(struct pb_cli *cli, const char *id, struct pb_error *err);
int pb_poppo_queue_show(struct pb_cli *cli, struct pb_error *err);
int pb_poppo_queue_pause(struct pb_cli *cli, struct pb_error *err);
int pb_poppo_queue_resume(struct pb_cli *cli, struct pb_error *err);
int pb_poppo_schedules_list(struct pb_cli *cli, struct pb_error *err);
int pb_poppo_schedules_run(struct pb_cli *cli, struct pb_error *err);
int pb_poppo_schedules_switch(struct pb_cli *cli, struct pb_error *err); /* on, off: the verb */
int pb_poppo_nodes_list(struct pb_cli *cli, struct pb_error *err);
int pb_poppo_version(struct pb_cli *cli, struct pb_error *err);
int pb_poppo_man(struct pb_cli *cli, struct pb_error *err);
int pb_poppo_help(struct pb_cli *cli, struct pb_error *err);

/* Shared by the commands about executions. */

/* "01J8…" or "PROJECT#NUMBER" → id, in the arena. */
int pb_poppo_execution_id(struct pb_cli *cli, const char *word, const char **ret_id,
                          struct pb_error *err) PB_MUST_CHECK;
/* "/api/executions/ID[/verb]" of the first word; the answer as pb_cli_send(). */
int pb_poppo_execution_send(struct pb_cli *cli, const char *method, const char *verb,
                            const char *body, struct pb_json **ret_json,
                            struct pb_error *err) PB_MUST_CHECK;
/* "app#7", in the arena */
const char *pb_poppo_execution_name(struct pb_arena *arena, const struct pb_json *execution);
/* Prints "app#7: queued". */
int pb_poppo_execution_say(struct pb_cli *cli, const struct pb_json *execution,
                           struct pb_error *err) PB_MUST_CHECK;
/* What is said about it, in the reader's language: of {en, ja, …}. NULL = nothing. */
const char *pb_poppo_sentence(const struct pb_json *value);

struct pb_poppo_follow {
    const char *id;
    bool follow;
    int64_t tail; /* 0 = from the first line */
    bool raw;     /* lines as the API gives them */
};
/* Prints the log; following ends with the last line, or when the execution waits for a person. */
int pb_poppo_follow(struct pb_cli *cli, const struct pb_poppo_follow *wish,
                    struct pb_error *err) PB_MUST_CHECK;

#endif
