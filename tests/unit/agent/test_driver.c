/* The drivers for plain commands and for runs without a process, and what all drivers share. */
#include <string.h>

#include "agent/driver.h"
#include "base/buf.h"
#include "base/text.h"
#include "pb_test.h"

static struct pb_arena arena;

static int set_up(void **state)
{
    (void)state;
    pb_arena_init(&arena, 4 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pb_arena_release(&arena);
    return 0;
}

static struct pb_attempt_plan plan_with(const char *const *command)
{
    static const char *const NONE[] = {NULL};

    return (struct pb_attempt_plan){.execution = "01J8ZQ4V5N6M7K8J9H0G1F2E3D",
                                    .attempt = 1,
                                    .name = "01J8ZQ4V5N6M7K8J9H0G1F2E3D.1",
                                    .number = 12,
                                    .prompt = "the prompt",
                                    .command = command,
                                    .env = NONE,
                                    .env_secrets = NONE};
}

static void collect(void *arg, char stream, const char *text, size_t len)
{
    struct pb_buf *seen = arg;

    pb_buf_char(seen, stream);
    pb_buf_char(seen, ' ');
    pb_buf_bytes(seen, text, len);
    pb_buf_char(seen, '\n');
}

TEST(drivers_are_found_by_name)
{
    assert_ptr_equal(pb_driver_find("noop"), &PB_DRIVER_NOOP);
    assert_ptr_equal(pb_driver_find("command"), &PB_DRIVER_COMMAND);
    assert_ptr_equal(pb_driver_find("claude"), &PB_DRIVER_CLAUDE);
    assert_null(pb_driver_find("other"));
    assert_string_equal(pb_outcome_name(PB_OUTCOME_BUDGET_EXHAUSTED), "budget_exhausted");
    assert_true(pb_outcome_publishes(PB_OUTCOME_SUCCEEDED));
    assert_false(pb_outcome_publishes(PB_OUTCOME_FAILED));
}

TEST(a_session_id_is_the_same_for_the_same_round_and_differs_otherwise)
{
    const char *const none[] = {NULL};
    struct pb_attempt_plan plan = plan_with(none);
    char first[PB_UUID_TEXT];
    char again[PB_UUID_TEXT];
    char second[PB_UUID_TEXT];

    pb_driver_session_id(&plan, 1, first);
    pb_driver_session_id(&plan, 1, again);
    pb_driver_session_id(&plan, 2, second);
    assert_string_equal(first, again);
    assert_string_not_equal(first, second);
    assert_true(pb_uuid_valid(first) && pb_uuid_valid(second));
    plan.name = "01J8ZQ4V5N6M7K8J9H0G1F2E3D.2";
    pb_driver_session_id(&plan, 1, second);
    assert_string_not_equal(first, second);
}

TEST(a_noop_run_prints_its_lines_over_its_time_and_goes_on_where_it_was)
{
    const char *const settings[] = {"lines=10", "ms=1000", NULL};
    struct pb_attempt_plan plan = plan_with(settings);
    struct pb_driver_sink sink = {.line = collect};
    uint64_t position = 0;
    struct pb_error err;
    struct pb_buf seen;
    void *run;

    pb_buf_init(&seen, 4096);
    sink.arg = &seen;
    run = PB_DRIVER_NOOP.open(&plan, 1, &err);
    assert_non_null(run);
    assert_int_equal(PB_DRIVER_NOOP.tick(run, 0, &position, &sink), 100);
    assert_int_equal(PB_DRIVER_NOOP.tick(run, 100, &position, &sink), 100);
    assert_string_equal(pb_buf_string(&seen), "o line 1 of 10\n");
    PB_DRIVER_NOOP.close(run);
    pb_buf_clear(&seen);
    run = PB_DRIVER_NOOP.open(&plan, 1, &err); /* as after a restart */
    assert_int_equal(PB_DRIVER_NOOP.tick(run, 5000, &position, &sink), -1);
    assert_int_equal(position, 10);
    assert_true(pb_text_starts(pb_buf_string(&seen), "o line 2 of 10\n"));
    PB_DRIVER_NOOP.close(run);
    pb_buf_release(&seen);
}

TEST(a_noop_run_with_unknown_settings_is_refused)
{
    static const char *const BAD[][2] = {{"lines=x", NULL},
                                         {"rows=1", NULL},
                                         {"outcome=maybe", NULL},
                                         {"", NULL}};

    for (size_t i = 0; i < COUNT(BAD); i++) {
        struct pb_attempt_plan plan = plan_with(BAD[i]);
        struct pb_error err = {0};

        assert_null(PB_DRIVER_NOOP.open(&plan, 1, &err));
        assert_string_equal(err.reason, "invalid_settings");
    }
}

TEST(a_command_gets_the_prompt_and_a_small_environment)
{
    const char *const argv[] = {"make", "check", NULL};
    const char *const env[] = {"A=1", NULL};
    struct pb_attempt_plan plan = plan_with(argv);
    struct pb_driver_place place = {.workspace = "/w", .home = "/h", .temp = "/t"};
    struct pb_driver_command command;
    struct pb_error err;
    void *run;

    plan.env = env;
    run = PB_DRIVER_COMMAND.open(&plan, 1, &err);
    assert_non_null(run);
    assert_ok(PB_DRIVER_COMMAND.build(run, &place, &arena, &command, &err), &err);
    assert_ptr_equal(command.argv, argv);
    assert_string_equal(command.cwd, "/w");
    assert_string_equal(command.input, "the prompt");
    assert_string_equal(command.envp[2], "HOME=/h");
    assert_string_equal(command.envp[3], "TMPDIR=/t");
    assert_string_equal(command.envp[6], "A=1");
    assert_null(command.envp[7]);
    PB_DRIVER_COMMAND.close(run);
}

TEST(a_commands_lines_do_not_depend_on_the_cuts_and_its_exit_code_decides)
{
    static const char OUT[] = "one\n\nthe last words\n\n";
    const char *const argv[] = {"x", NULL};
    struct pb_attempt_plan plan = plan_with(argv);

    for (size_t step = 1; step < sizeof(OUT); step++) {
        struct pb_run_end end = {.stop = PB_RUN_ENDED};
        struct pb_driver_sink sink = {.line = collect};
        struct pb_outcome outcome;
        struct pb_error err;
        struct pb_buf seen;
        void *run = PB_DRIVER_COMMAND.open(&plan, 1, &err);

        pb_buf_init(&seen, 4096);
        sink.arg = &seen;
        for (size_t at = 0; at < strlen(OUT); at += step)
            PB_DRIVER_COMMAND.feed(run, PB_TASK_OUTPUT, OUT + at,
                                   strlen(OUT) - at < step ? strlen(OUT) - at : step, &sink);
        PB_DRIVER_COMMAND.feed(run, PB_TASK_ERRORS, "oops", 4, &sink);
        PB_DRIVER_COMMAND.finish(run, &sink);
        assert_string_equal(pb_buf_string(&seen), "o one\no \no the last words\no \ne oops\n");
        assert_ok(PB_DRIVER_COMMAND.classify(run, &end, &arena, &outcome, &err), &err);
        assert_int_equal(outcome.outcome, PB_OUTCOME_SUCCEEDED);
        assert_string_equal(outcome.summary, "the last words");
        end.exit.code = 2;
        assert_ok(PB_DRIVER_COMMAND.classify(run, &end, &arena, &outcome, &err), &err);
        assert_int_equal(outcome.outcome, PB_OUTCOME_FAILED);
        assert_string_equal(outcome.kind, "cli_crashed");
        PB_DRIVER_COMMAND.close(run);
        pb_buf_release(&seen);
    }
}

TEST(ends_that_mean_the_same_for_all_are_told_apart)
{
    static const struct {
        struct pb_run_end end;
        enum pb_outcome_kind outcome;
        const char *kind;
    } ENDS[] = {
        {{.stop = PB_RUN_CANCELLED}, PB_OUTCOME_CANCELLED, "cancelled"},
        {{.stop = PB_RUN_SILENT}, PB_OUTCOME_TIMED_OUT, "silent"},
        {{.stop = PB_RUN_WALL_CLOCK}, PB_OUTCOME_TIMED_OUT, "wall_clock"},
        {{.exit = {.reason = PB_TASK_LOST}}, PB_OUTCOME_LOST, "node_lost"},
        {{.exit = {.reason = PB_TASK_DISK_FULL}}, PB_OUTCOME_FAILED, "disk"},
        {{.exit = {.reason = PB_TASK_OUTPUT_LIMIT}}, PB_OUTCOME_FAILED, "disk"},
        {{.exit = {.reason = PB_TASK_KILLED, .oom = true}}, PB_OUTCOME_FAILED, "oom"},
        {{.exit = {.reason = PB_TASK_KILLED}}, PB_OUTCOME_LOST, "node_lost"},
    };
    struct pb_run_end by_itself = {.stop = PB_RUN_ENDED};
    struct pb_outcome outcome;

    for (size_t i = 0; i < COUNT(ENDS); i++) {
        outcome = (struct pb_outcome){0};
        assert_true(pb_outcome_of_stop(&ENDS[i].end, &outcome));
        assert_int_equal(outcome.outcome, ENDS[i].outcome);
        assert_string_equal(outcome.kind, ENDS[i].kind);
        assert_true(outcome.reason[0] != '\0');
    }
    assert_false(pb_outcome_of_stop(&by_itself, &outcome));
}

int main(void)
{
#define WITH_ARENA(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_ARENA(drivers_are_found_by_name),
        WITH_ARENA(a_session_id_is_the_same_for_the_same_round_and_differs_otherwise),
        WITH_ARENA(a_noop_run_prints_its_lines_over_its_time_and_goes_on_where_it_was),
        WITH_ARENA(a_noop_run_with_unknown_settings_is_refused),
        WITH_ARENA(a_command_gets_the_prompt_and_a_small_environment),
        WITH_ARENA(a_commands_lines_do_not_depend_on_the_cuts_and_its_exit_code_decides),
        WITH_ARENA(ends_that_mean_the_same_for_all_are_told_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
