/*
 * A driver for any program: the project's argv, the prompt on its standard
 * input, exit code 0 = success. What it changes in the workspace is published
 * as with every driver; its last line is the summary.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/driver.h"
#include "agent/lines.h"
#include "wire/message.h"

enum { ENV_OWN = 8, SUMMARY_MAX = 2048 };

struct command {
    const struct pb_attempt_plan *plan;
    struct pb_lines lines[2]; /* by enum pb_task_file */
    char last[SUMMARY_MAX];   /* line of output that was not empty */
    enum pb_task_file feeding;
    const struct pb_driver_sink *sink;
};

static void *command_open(const struct pb_attempt_plan *plan, int round, struct pb_error *err)
{
    struct command *command;

    (void)round;
    if (!plan->command[0] || !*plan->command[0]) {
        (void)pb_fail_reason(err, PB_ERROR_INVALID, "invalid_settings",
                             "the project has no command to run");
        return NULL;
    }
    command = calloc(1, sizeof(*command));
    if (!command) {
        (void)pb_fail(err, PB_ERROR_LIMITED, "no memory");
        return NULL;
    }
    command->plan = plan;
    pb_lines_init(&command->lines[PB_TASK_OUTPUT], PB_MESSAGE_LINE_MAX + 1);
    pb_lines_init(&command->lines[PB_TASK_ERRORS], PB_MESSAGE_LINE_MAX + 1);
    return command;
}

static void command_close(void *state)
{
    struct command *command = state;

    if (!command)
        return;
    pb_lines_release(&command->lines[PB_TASK_OUTPUT]);
    pb_lines_release(&command->lines[PB_TASK_ERRORS]);
    free(command);
}

static const char *const *environment(const struct command *command,
                                      const struct pb_driver_place *place, struct pb_arena *arena)
{
    const char *const *own = command->plan->env;
    const char **list;
    size_t count = 0;

    while (own[count])
        count++;
    list = pb_arena_alloc(arena, (count + ENV_OWN) * sizeof(*list));
    if (!list)
        return NULL;
    list[0] = "PATH=/usr/local/bin:/usr/bin:/bin";
    list[1] = "LANG=C.UTF-8";
    list[2] = pb_arena_format(arena, "HOME=%s", place->home);
    list[3] = pb_arena_format(arena, "TMPDIR=%s", place->temp);
    list[4] = pb_arena_format(arena, "POPPO_EXECUTION=%s", command->plan->execution);
    list[5] = pb_arena_format(arena, "POPPO_ISSUE=%lld", (long long)command->plan->number);
    if (count > 0)
        memcpy(list + 6, own, count * sizeof(*list));
    return list[2] && list[3] && list[4] && list[5] ? list : NULL;
}

static int command_build(void *state, const struct pb_driver_place *place, struct pb_arena *arena,
                         struct pb_driver_command *ret_command, struct pb_error *err)
{
    const struct command *command = state;
    const char *const *envp = environment(command, place, arena);

    if (!envp)
        return pb_fail(err, PB_ERROR_LIMITED, "no memory for the environment");
    *ret_command = (struct pb_driver_command){.argv = command->plan->command,
                                              .envp = envp,
                                              .cwd = place->workspace,
                                              .input = command->plan->prompt,
                                              .input_len = strlen(command->plan->prompt)};
    return 0;
}

static void on_line(void *arg, const char *text, size_t len)
{
    struct command *command = arg;

    if (command->feeding == PB_TASK_OUTPUT && len > 0)
        (void)snprintf(command->last, sizeof(command->last), "%.*s",
                       (int)(len < sizeof(command->last) ? len : sizeof(command->last) - 1), text);
    command->sink->line(command->sink->arg, command->feeding == PB_TASK_OUTPUT ? 'o' : 'e', text,
                        len);
}

static void command_feed(void *state, enum pb_task_file file, const char *data, size_t len,
                         const struct pb_driver_sink *sink)
{
    struct command *command = state;

    command->feeding = file;
    command->sink = sink;
    pb_lines_feed(&command->lines[file], data, len, on_line, command);
}

static void command_finish(void *state, const struct pb_driver_sink *sink)
{
    struct command *command = state;

    command->sink = sink;
    for (int file = PB_TASK_OUTPUT; file <= PB_TASK_ERRORS; file++) {
        command->feeding = (enum pb_task_file)file;
        pb_lines_finish(&command->lines[file], on_line, command);
    }
}

static bool command_is_final(const void *state)
{
    (void)state;
    return false;
}

static const char *command_session_id(const void *state)
{
    (void)state;
    return NULL;
}

static const char *reason_of(const struct pb_task_exit *exit, struct pb_arena *arena)
{
    if (exit->signal)
        return pb_arena_format(arena, "the command was ended by signal %d", exit->signal);
    return pb_arena_format(arena, "the command ended with exit code %d", exit->code);
}

static int command_classify(void *state, const struct pb_run_end *end, struct pb_arena *arena,
                            struct pb_outcome *ret_outcome, struct pb_error *err)
{
    const struct command *command = state;
    struct pb_outcome outcome = {.outcome = PB_OUTCOME_SUCCEEDED,
                                 .kind = "",
                                 .reason = "",
                                 .summary = pb_arena_text(arena, command->last),
                                 .question = "",
                                 .total_cost_micro_usd = -1};

    if (!pb_outcome_of_stop(end, &outcome) && end->exit.code != 0) {
        outcome.outcome = PB_OUTCOME_FAILED;
        outcome.kind = "cli_crashed";
        outcome.reason = reason_of(&end->exit, arena);
    }
    if (!outcome.summary || !outcome.reason)
        return pb_fail(err, PB_ERROR_LIMITED, "no memory");
    *ret_outcome = outcome;
    return 0;
}

const struct pb_driver PB_DRIVER_COMMAND = {
    .name = "command",
    .has_process = true,
    .open = command_open,
    .close = command_close,
    .build = command_build,
    .feed = command_feed,
    .finish = command_finish,
    .is_final = command_is_final,
    .session_id = command_session_id,
    .classify = command_classify,
};
