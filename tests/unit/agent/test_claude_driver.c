#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "agent/claude_driver.h"
#include "base/fs.h"
#include "base/text.h"
#include "pb_test.h"

static const char SESSION[] = "96d2dd69-ed73-433b-889a-3a009379ffec";

static const struct pb_attempt_plan PLAN = {
    .execution = "01JABCDEFGHJKMNPQRSTVWXYZ0",
    .attempt = 1,
    .name = "01JABCDEFGHJKMNPQRSTVWXYZ0.1",
    .item = "issue-12",
    .prompt = "-p do it\n",
    .system_prompt = "You are careful.",
    .author_name = "poppo",
    .author_email = "poppo@example.invalid",
    .driver = "claude",
};

static const struct pb_driver_place PLACE = {
    .workspace = "/p/workspace/issue-12",
    .home = "/p/data/home/issue-12",
    .temp = "/p/temp",
    .claude_path = "/opt/claude",
    .dummy_key = "sk-ant-dummy",
    .broker_port = 4011,
    .round = 1,
};

static void ignore_line(void *arg, char stream, const char *text, size_t len)
{
    (void)arg;
    (void)stream;
    (void)text;
    (void)len;
}

static const struct pb_driver_sink SINK = {.line = ignore_line};

/* The recordings: how the process ended, and what that means. */
static const struct {
    const char *name;
    int code;
    enum pb_outcome_kind outcome;
    const char *kind;
    int http_status;
} RECORDED[] = {
    {"429-default-retries.330", 1, PB_OUTCOME_FAILED, "overloaded", 529},
    {"appendsys.330", 0, PB_OUTCOME_SUCCEEDED, "", 0},
    {"bad_gateway.330", 1, PB_OUTCOME_FAILED, "provider", 502},
    {"bad_json.330", 0, PB_OUTCOME_SUCCEEDED, "", 0},
    {"badflag.330", 1, PB_OUTCOME_FAILED, "cli_crashed", 0},
    {"badinput.330", 0, PB_OUTCOME_SUCCEEDED, "", 0},
    {"badjson-all.330", 1, PB_OUTCOME_FAILED, "provider", 0},
    {"badtool.330", 0, PB_OUTCOME_SUCCEEDED, "", 0},
    {"bare.330", 0, PB_OUTCOME_SUCCEEDED, "", 0},
    {"bash-allowed.330", 0, PB_OUTCOME_SUCCEEDED, "", 0},
    {"bash-bypassmode-root.330", 1, PB_OUTCOME_FAILED, "cli_crashed", 0},
    {"bash-default.330", 0, PB_OUTCOME_SUCCEEDED, "", 0},
    {"budget.330", 1, PB_OUTCOME_BUDGET_EXHAUSTED, "budget", 0},
    {"disc-all.330", 1, PB_OUTCOME_FAILED, "network", 0},
    {"disconnect-x1.330", 0, PB_OUTCOME_SUCCEEDED, "", 0},
    {"e2e.330", 0, PB_OUTCOME_SUCCEEDED, "", 0},
    {"e400-toolong.330", 1, PB_OUTCOME_FAILED, "prompt_too_long", 400},
    {"e401-json.330", 1, PB_OUTCOME_FAILED, "auth", 401},
    {"e401-text.330", 1, PB_OUTCOME_FAILED, "cli_crashed", 0},
    {"e401.330", 1, PB_OUTCOME_FAILED, "auth", 401},
    {"e402.330", 1, PB_OUTCOME_FAILED, "billing", 402},
    {"e403.330", 1, PB_OUTCOME_FAILED, "auth", 403},
    {"e404-model.330", 1, PB_OUTCOME_FAILED, "model", 404},
    {"e429-forever-r2.330", 1, PB_OUTCOME_WAITING_QUOTA, "rate_limit", 429},
    {"e429x2.330", 0, PB_OUTCOME_SUCCEEDED, "", 0},
    {"e500-forever-r2.330", 1, PB_OUTCOME_FAILED, "provider", 500},
    {"e529-fallback.330", 1, PB_OUTCOME_FAILED, "overloaded", 529},
    {"e529-forever-r2.330", 1, PB_OUTCOME_FAILED, "overloaded", 529},
    {"e529x2.330", 0, PB_OUTCOME_SUCCEEDED, "", 0},
    {"empty.330", 0, PB_OUTCOME_SUCCEEDED, "", 0},
    {"hang-apitimeout3s.330", 1, PB_OUTCOME_FAILED, "network", 0},
    {"hang-sigterm.330", 143, PB_OUTCOME_FAILED, "cli_crashed", 0},
    {"hostile-default.330", 0, PB_OUTCOME_SUCCEEDED, "", 0},
    {"html.330", 1, PB_OUTCOME_FAILED, "provider", 0},
    {"max_tokens.330", 0, PB_OUTCOME_SUCCEEDED, "", 0},
    {"maxturns.330", 1, PB_OUTCOME_FAILED, "max_turns", 0},
    {"mcp-bad.330", 1, PB_OUTCOME_FAILED, "cli_crashed", 0},
    {"mcp.330", 0, PB_OUTCOME_SUCCEEDED, "", 0},
    {"no-verbose.330", 1, PB_OUTCOME_FAILED, "cli_crashed", 0},
    {"nokey.330", 1, PB_OUTCOME_FAILED, "auth", 0},
    {"parallel.330", 0, PB_OUTCOME_SUCCEEDED, "", 0},
    {"partial.330", 0, PB_OUTCOME_SUCCEEDED, "", 0},
    {"refusal.330", 1, PB_OUTCOME_FAILED, "refusal", 0},
    {"refused.330", 1, PB_OUTCOME_FAILED, "network", 0},
    {"resume-bad.330", 1, PB_OUTCOME_FAILED, "cli_crashed", 0},
    {"resume-missing.330", 1, PB_OUTCOME_FAILED, "cli_crashed", 0},
    {"resume.330", 0, PB_OUTCOME_SUCCEEDED, "", 0},
    {"schema.330", 0, PB_OUTCOME_SUCCEEDED, "", 0},
    {"sess-dup.330", 1, PB_OUTCOME_FAILED, "cli_crashed", 0},
    {"sigint.330", 0, PB_OUTCOME_FAILED, "cli_output", 0},
    {"sse_error.330", 0, PB_OUTCOME_SUCCEEDED, "", 0},
    {"sseerr-all.330", 1, PB_OUTCOME_FAILED, "overloaded", 529},
    {"stdin-big.330", 0, PB_OUTCOME_SUCCEEDED, "", 0},
    {"text-plain.330", 0, PB_OUTCOME_FAILED, "cli_output", 0},
    {"tools-limit.330", 0, PB_OUTCOME_SUCCEEDED, "", 0},
    {"truncate.330", 0, PB_OUTCOME_SUCCEEDED, "", 0},
    {"unicode.330", 0, PB_OUTCOME_SUCCEEDED, "", 0},
    {"write-default.330", 0, PB_OUTCOME_SUCCEEDED, "", 0},
};

static void feed_file(void *driver, enum pb_task_file file, const char *name, const char *ending)
{
    struct pb_error err = {0};
    struct pb_buf path, data;

    pb_buf_init(&path, 4096);
    pb_buf_init(&data, 1 << 20);
    pb_buf_format(&path, "%s/stream-json/%s%s", TEST_DATA, name, ending);
    if (pb_fs_read(AT_FDCWD, pb_buf_string(&path), &data, &err) == 0)
        PB_DRIVER_CLAUDE.feed(driver, file, pb_buf_string(&data), data.len, &SINK);
    else
        assert_int_equal(err.code, PB_ERROR_NOT_FOUND);
    pb_buf_release(&path);
    pb_buf_release(&data);
}

static struct pb_outcome classify(void *driver, const struct pb_run_end *end,
                                  struct pb_arena *arena)
{
    struct pb_error err = {0};
    struct pb_outcome outcome;

    PB_DRIVER_CLAUDE.finish(driver, &SINK);
    if (PB_DRIVER_CLAUDE.classify(driver, end, arena, &outcome, &err) < 0)
        fail_msg("%s", err.message);
    return outcome;
}

static void *open_driver(int round)
{
    struct pb_error err = {0};
    void *driver = PB_DRIVER_CLAUDE.open(&PLAN, round, &err);

    assert_non_null(driver);
    return driver;
}

static struct pb_outcome end_of(const char *name, const struct pb_run_end *end, int round,
                                struct pb_arena *arena)
{
    void *driver = open_driver(round);
    struct pb_outcome outcome;

    feed_file(driver, PB_TASK_OUTPUT, name, ".out");
    feed_file(driver, PB_TASK_ERRORS, name, ".err");
    outcome = classify(driver, end, arena);
    PB_DRIVER_CLAUDE.close(driver);
    return outcome;
}

TEST(every_recording_means_what_the_matrix_says)
{
    for (size_t i = 0; i < sizeof(RECORDED) / sizeof(RECORDED[0]); i++) {
        struct pb_run_end end = {.exit = {.code = RECORDED[i].code}};
        struct pb_outcome outcome;
        struct pb_arena arena;

        pb_arena_init(&arena, 1 << 20);
        outcome = end_of(RECORDED[i].name, &end, 2, &arena);
        if (outcome.outcome != RECORDED[i].outcome ||
            !pb_text_equal(outcome.kind, RECORDED[i].kind) ||
            outcome.http_status != RECORDED[i].http_status || outcome.run_again)
            fail_msg("%s: outcome %d kind '%s' status %d: %s", RECORDED[i].name,
                     (int)outcome.outcome, outcome.kind, outcome.http_status, outcome.reason);
        if (RECORDED[i].outcome == PB_OUTCOME_FAILED && outcome.reason[0] == '\0')
            fail_msg("%s: no reason is given", RECORDED[i].name);
        pb_arena_release(&arena);
    }
}

TEST(a_good_last_line_alone_is_no_success)
{
    struct pb_arena arena;
    struct pb_run_end end = {.exit = {.code = 1}};

    pb_arena_init(&arena, 1 << 20);
    assert_string_equal(end_of("text.330", &end, 1, &arena).kind, "cli_crashed");
    end.exit = (struct pb_task_exit){.code = -1, .signal = 11};
    assert_string_equal(end_of("text.330", &end, 1, &arena).kind, "cli_crashed");
    end.stop = PB_RUN_LINGERED; /* we killed it after its last word */
    assert_int_equal(end_of("text.330", &end, 1, &arena).outcome, PB_OUTCOME_SUCCEEDED);
    pb_arena_release(&arena);
}

TEST(stops_have_their_own_names)
{
    struct pb_arena arena;
    struct pb_run_end end = {.stop = PB_RUN_CANCELLED};

    pb_arena_init(&arena, 1 << 20);
    assert_int_equal(end_of("sigint.330", &end, 1, &arena).outcome, PB_OUTCOME_CANCELLED);
    end.stop = PB_RUN_SILENT;
    assert_string_equal(end_of("stall-watchdog.330", &end, 1, &arena).kind, "silent");
    end.stop = PB_RUN_WALL_CLOCK;
    assert_int_equal(end_of("slow-sigterm.330", &end, 1, &arena).outcome, PB_OUTCOME_TIMED_OUT);
    end = (struct pb_run_end){.exit = {.reason = PB_TASK_LOST, .code = -1}};
    assert_int_equal(end_of("hang-sigterm.330", &end, 1, &arena).outcome, PB_OUTCOME_LOST);
    end = (struct pb_run_end){
        .exit = {.reason = PB_TASK_KILLED, .code = -1, .signal = 9, .oom = true}};
    assert_string_equal(end_of("hang-sigterm.330", &end, 1, &arena).kind, "oom");
    end = (struct pb_run_end){.exit = {.reason = PB_TASK_DISK_FULL, .code = -1}};
    assert_string_equal(end_of("hang-sigterm.330", &end, 1, &arena).kind, "disk");
    pb_arena_release(&arena);
}

TEST(a_session_that_cannot_be_used_is_replaced_once)
{
    struct pb_run_end end = {.exit = {.code = 1}};
    struct pb_arena arena;

    pb_arena_init(&arena, 1 << 20);
    assert_true(end_of("resume-missing.330", &end, 1, &arena).run_again);
    assert_true(end_of("sess-dup.330", &end, 1, &arena).run_again);
    assert_false(end_of("sess-dup.330", &end, 2, &arena).run_again);
    assert_false(end_of("e401.330", &end, 1, &arena).run_again);
    pb_arena_release(&arena);
}

TEST(denials_and_cost_are_reported)
{
    struct pb_run_end end = {0};
    struct pb_outcome outcome;
    struct pb_arena arena;

    pb_arena_init(&arena, 1 << 20);
    outcome = end_of("write-default.330", &end, 1, &arena);
    assert_non_null(outcome.permission_denials);
    assert_string_equal(outcome.permission_denials[0], "Write");
    assert_null(outcome.permission_denials[1]);
    assert_int_equal(outcome.total_cost_micro_usd, 21683);
    assert_int_equal(end_of("sigint.330", &end, 1, &arena).total_cost_micro_usd, -1);
    pb_arena_release(&arena);
}

static struct pb_outcome end_with(const char *line, int code, struct pb_arena *arena)
{
    struct pb_run_end end = {.exit = {.code = code}};
    void *driver = open_driver(1);
    struct pb_outcome outcome;

    PB_DRIVER_CLAUDE.feed(driver, PB_TASK_OUTPUT, line, strlen(line), &SINK);
    outcome = classify(driver, &end, arena);
    PB_DRIVER_CLAUDE.close(driver);
    return outcome;
}

#define GOOD "{\"type\":\"result\",\"subtype\":\"success\",\"is_error\":false,\"result\":"

TEST(a_question_block_waits_for_a_person)
{
    struct pb_outcome outcome;
    struct pb_arena arena;

    pb_arena_init(&arena, 1 << 20);
    outcome =
        end_with(GOOD "\"Hm.\\n```poppo-question\\nWhich\\ncolour?\\n```\\nThanks\"}\n", 0, &arena);
    assert_int_equal(outcome.outcome, PB_OUTCOME_WAITING_INPUT);
    assert_string_equal(outcome.question, "Which\ncolour?");
    outcome = end_with(GOOD "\"```poppo-question\\nnever closed\"}\n", 0, &arena);
    assert_string_equal(outcome.question, "never closed");
    outcome = end_with(GOOD "\"use a ```poppo-question block\"}\n", 0, &arena);
    assert_int_equal(outcome.outcome, PB_OUTCOME_SUCCEEDED);
    outcome = end_with(GOOD "\"```poppo-question\\n```\"}\n", 0, &arena);
    assert_int_equal(outcome.outcome, PB_OUTCOME_SUCCEEDED);
    pb_arena_release(&arena);
}

TEST(an_account_s_limit_is_waited_for_until_it_ends)
{
    struct pb_outcome outcome;
    struct pb_arena arena;

    pb_arena_init(&arena, 1 << 20);
    outcome =
        end_with("{\"type\":\"rate_limit_event\",\"rate_limit_info\":{\"status\":\"rejected\","
                 "\"resetsAt\":1795345800}}\n"
                 "{\"type\":\"result\",\"subtype\":\"success\",\"is_error\":true,"
                 "\"api_error_status\":429,\"result\":\"limit reached\"}\n",
                 1, &arena);
    assert_int_equal(outcome.outcome, PB_OUTCOME_WAITING_QUOTA);
    assert_string_equal(outcome.kind, "rate_limit");
    assert_int_equal(outcome.resume_at_ms, INT64_C(1795345800000));
    pb_arena_release(&arena);
}

TEST(an_interrupted_run_is_cancelled_whatever_its_exit_code)
{
    struct pb_arena arena;

    pb_arena_init(&arena, 1 << 20);
    assert_int_equal(end_with("{\"type\":\"result\",\"subtype\":\"error_during_execution\","
                              "\"is_error\":true,\"terminal_reason\":\"aborted_tools\"}\n",
                              0, &arena)
                         .outcome,
                     PB_OUTCOME_CANCELLED);
    pb_arena_release(&arena);
}

/* The command. */

static struct pb_driver_command build(const struct pb_attempt_plan *plan, int round,
                                      const struct pb_driver_place *place, struct pb_arena *arena)
{
    struct pb_driver_command command;
    struct pb_error err = {0};
    void *driver = PB_DRIVER_CLAUDE.open(plan, round, &err);

    assert_non_null(driver);
    if (PB_DRIVER_CLAUDE.build(driver, place, arena, &command, &err) < 0)
        fail_msg("%s", err.message);
    PB_DRIVER_CLAUDE.close(driver);
    return command;
}

static bool in_list(const char *const *list, const char *text)
{
    for (size_t i = 0; list[i]; i++)
        if (strcmp(list[i], text) == 0)
            return true;
    return false;
}

static const char *after(const char *const *list, const char *text)
{
    for (size_t i = 0; list[i]; i++)
        if (strcmp(list[i], text) == 0)
            return list[i + 1];
    return NULL;
}

TEST(the_repository_s_settings_are_kept_out)
{
    struct pb_driver_command command;
    struct pb_arena arena;

    pb_arena_init(&arena, 1 << 20);
    command = build(&PLAN, 1, &PLACE, &arena);
    assert_string_equal(command.argv[0], "/opt/claude");
    assert_true(in_list(command.argv, "--setting-sources=user"));
    assert_true(in_list(command.argv, "--strict-mcp-config"));
    assert_true(in_list(command.argv, "--output-format=stream-json"));
    assert_true(in_list(command.argv, "--verbose"));
    assert_true(in_list(command.argv, "--permission-mode=acceptEdits"));
    assert_true(in_list(command.argv, "--append-system-prompt=You are careful."));
    assert_string_equal(after(command.argv, "--allowedTools"), "Bash");
    assert_string_equal(after(command.argv, "--disallowedTools"), "WebFetch");
    assert_string_equal(command.cwd, PLACE.workspace);
    assert_string_equal(command.input, PLAN.prompt);
    assert_int_equal(command.input_len, strlen(PLAN.prompt));
    pb_arena_release(&arena);
}

TEST(the_environment_holds_the_dummy_key_and_no_other)
{
    static const char *const ENV[] = {"ANTHROPIC_API_KEY=real",
                                      "ANTHROPIC_AUTH_TOKEN=x",
                                      "HOME=/root",
                                      "PATH=/my/bin",
                                      "NODE_ENV=test",
                                      "XDG_RUNTIME_DIR=/tmp",
                                      "CLAUDE_CODE_TMPDIR=/",
                                      "TMP=/tmp",
                                      NULL};
    struct pb_attempt_plan plan = PLAN;
    struct pb_driver_command command;
    struct pb_arena arena;

    plan.env = ENV;
    pb_arena_init(&arena, 1 << 20);
    command = build(&plan, 1, &PLACE, &arena);
    assert_true(in_list(command.envp, "ANTHROPIC_API_KEY=sk-ant-dummy"));
    assert_true(in_list(command.envp, "ANTHROPIC_BASE_URL=http://127.0.0.1:4011"));
    assert_true(in_list(command.envp, "HOME=/p/data/home/issue-12"));
    assert_true(in_list(command.envp, "TMPDIR=/p/temp"));
    assert_true(in_list(command.envp, "DISABLE_AUTOUPDATER=1"));
    assert_true(in_list(command.envp, "GIT_AUTHOR_NAME=poppo"));
    assert_true(in_list(command.envp, "PATH=/my/bin"));
    assert_true(in_list(command.envp, "NODE_ENV=test"));
    for (size_t i = 0; command.envp[i]; i++)
        for (size_t k = 0; k < i; k++)
            assert_false(
                strncmp(command.envp[i], command.envp[k], strcspn(command.envp[i], "=") + 1) == 0);
    assert_false(in_list(command.envp, "ANTHROPIC_AUTH_TOKEN=x"));
    assert_false(in_list(command.envp, "XDG_RUNTIME_DIR=/tmp"));
    assert_false(in_list(command.envp, "CLAUDE_CODE_TMPDIR=/"));
    assert_false(in_list(command.envp, "TMP=/tmp"));
    pb_arena_release(&arena);
}

TEST(a_session_is_begun_continued_or_replaced)
{
    struct pb_attempt_plan plan = PLAN;
    struct pb_driver_command command;
    struct pb_arena arena;
    const char *fresh;

    pb_arena_init(&arena, 1 << 20);
    command = build(&plan, 1, &PLACE, &arena);
    assert_true(pb_uuid_valid(after(command.argv, "--session-id")));
    plan.session_id = SESSION;
    command = build(&plan, 1, &PLACE, &arena);
    assert_string_equal(after(command.argv, "--session-id"), SESSION);
    plan.resume = true;
    command = build(&plan, 1, &PLACE, &arena);
    assert_string_equal(after(command.argv, "--resume"), SESSION);
    assert_null(after(command.argv, "--session-id"));
    command = build(&plan, 2, &PLACE, &arena);
    fresh = after(command.argv, "--session-id");
    assert_true(pb_uuid_valid(fresh));
    assert_string_not_equal(fresh, SESSION);
    assert_null(after(command.argv, "--resume"));
    pb_arena_release(&arena);
}

TEST(limits_model_and_notes_become_arguments)
{
    static const char *const TOOLS[] = {"Bash(git *)", "Read", NULL};
    struct pb_attempt_plan plan = PLAN;
    struct pb_driver_place place = PLACE;
    struct pb_driver_command command;
    struct pb_arena arena;
    struct pb_buf notes;

    plan.model = "claude-sonnet-5-5";
    plan.max_turns = 40;
    plan.max_budget_micro_usd = 5250000;
    plan.permission_mode = "dontAsk";
    plan.allowed_tools = TOOLS;
    place.agent_notes = "- Be brief.";
    pb_arena_init(&arena, 1 << 20);
    command = build(&plan, 1, &place, &arena);
    assert_true(in_list(command.argv, "--model=claude-sonnet-5-5"));
    assert_true(in_list(command.argv, "--max-turns=40"));
    assert_true(in_list(command.argv, "--max-budget-usd=5.250000"));
    assert_true(in_list(command.argv, "--permission-mode=dontAsk"));
    assert_string_equal(after(command.argv, "Bash(git *)"), "Read");
    assert_true(in_list(command.argv, "--append-system-prompt=You are careful.\n\n"
                                      "# CLAUDE.md of this repository (base branch)\n\n"
                                      "- Be brief."));
    pb_buf_init(&notes, 1 << 20);
    while (notes.len < 300000)
        pb_buf_text(&notes, "0123456789");
    place.agent_notes = pb_buf_string(&notes);
    command = build(&plan, 1, &place, &arena);
    for (size_t i = 0; command.argv[i]; i++)
        assert_true(strlen(command.argv[i]) < 128 << 10);
    pb_buf_release(&notes);
    pb_arena_release(&arena);
}

TEST(nonsense_is_refused)
{
    static const char *const TOOLS[] = {"Read", "--dangerously-skip-permissions", NULL};
    struct pb_attempt_plan plan = PLAN;
    struct pb_driver_place place = PLACE;
    struct pb_driver_command command;
    struct pb_error err = {0};
    struct pb_arena arena;
    void *driver;

    plan.disallowed_tools = TOOLS;
    assert_null(PB_DRIVER_CLAUDE.open(&plan, 1, &err));
    plan = PLAN;
    plan.session_id = "--help";
    assert_null(PB_DRIVER_CLAUDE.open(&plan, 1, &err));
    place.claude_path = "";
    pb_arena_init(&arena, 1 << 20);
    driver = open_driver(1);
    assert_int_equal(PB_DRIVER_CLAUDE.build(driver, &place, &arena, &command, &err), -1);
    assert_string_equal(err.reason, "cli_missing");
    PB_DRIVER_CLAUDE.close(driver);
    pb_arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_recording_means_what_the_matrix_says),
        cmocka_unit_test(a_good_last_line_alone_is_no_success),
        cmocka_unit_test(stops_have_their_own_names),
        cmocka_unit_test(a_session_that_cannot_be_used_is_replaced_once),
        cmocka_unit_test(denials_and_cost_are_reported),
        cmocka_unit_test(a_question_block_waits_for_a_person),
        cmocka_unit_test(an_account_s_limit_is_waited_for_until_it_ends),
        cmocka_unit_test(an_interrupted_run_is_cancelled_whatever_its_exit_code),
        cmocka_unit_test(the_repository_s_settings_are_kept_out),
        cmocka_unit_test(the_environment_holds_the_dummy_key_and_no_other),
        cmocka_unit_test(a_session_is_begun_continued_or_replaced),
        cmocka_unit_test(limits_model_and_notes_become_arguments),
        cmocka_unit_test(nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
