#include <string.h>

#include "agent/attempt_plan.h"
#include "pb_test.h"

#define REF "\"execution\":\"01J8ZQ4V5N6M7K8J9H0G1F2E3D\",\"attempt\":2,\"fence\":7"

static int read_plan(const char *text, struct pb_arena *arena, struct pb_attempt_plan **plan,
                     struct pb_error *err)
{
    struct pb_json *json = pb_json_parse(text, strlen(text), err);
    int r;

    assert_non_null(json);
    r = pb_attempt_plan_read(json, arena, plan, err);
    pb_json_free(json); /* nothing in the plan may point into it */
    return r;
}

TEST(a_whole_plan_is_read)
{
    static const char TEXT[] =
        "{" REF ",\"number\":12,\"item\":\"issue-12\",\"title\":\"T\",\"prompt\":\"P\",\"system_"
        "prompt\":\"S\","
        "\"session\":{\"id\":\"abc\",\"resume\":true},\"repo\":{\"url\":\"https://g/"
        "x\",\"base_branch\":\"main\","
        "\"branch\":\"poppo/"
        "issue-12\",\"default_branch\":\"main\"},\"driver\":\"claude\",\"model\":\"m\",\"max_"
        "turns\":5,"
        "\"max_budget_usd\":1.25,\"permission_mode\":\"acceptEdits\",\"allowed_tools\":[\"Bash\"],"
        "\"disallowed_tools\":[\"WebFetch\",\"WebSearch\"],\"command\":[],\"wall_ms\":1000,"
        "\"silence_ms\":2000,"
        "\"author\":{\"name\":\"N\",\"email\":\"e@x\"},\"requested_by\":\"me\",\"env\":{\"A\":"
        "\"1\",\"B_2\":\"x=y\"},"
        "\"env_secrets\":[\"B_2\"],\"allow_workflow_files\":true}";
    struct pb_attempt_plan *plan;
    struct pb_arena arena;
    struct pb_error err;

    pb_arena_init(&arena, 1 << 20);
    assert_ok(read_plan(TEXT, &arena, &plan, &err), &err);
    assert_string_equal(plan->name, "01J8ZQ4V5N6M7K8J9H0G1F2E3D.2");
    assert_int_equal(plan->fence, 7);
    assert_int_equal(plan->number, 12);
    assert_string_equal(plan->session_id, "abc");
    assert_true(plan->resume && plan->allow_workflow_files);
    assert_string_equal(plan->repo.branch, "poppo/issue-12");
    assert_int_equal(plan->max_budget_micro_usd, 1250000);
    assert_string_equal(plan->disallowed_tools[1], "WebSearch");
    assert_null(plan->disallowed_tools[2]);
    assert_string_equal(plan->env[0], "A=1");
    assert_string_equal(plan->env[1], "B_2=x=y");
    assert_null(plan->env[2]);
    assert_string_equal(plan->env_secrets[0], "B_2");
    assert_int_equal(plan->silence_ms, 2000);
    pb_arena_release(&arena);
}

TEST(what_is_missing_has_a_sensible_value)
{
    struct pb_attempt_plan *plan;
    struct pb_arena arena;
    struct pb_error err;

    pb_arena_init(&arena, 1 << 20);
    assert_ok(read_plan("{" REF ",\"item\":\"task-1\",\"repo\":null,\"session\":null,\"env\":null}",
                        &arena, &plan, &err),
              &err);
    assert_null(plan->repo.url);
    assert_null(plan->session_id);
    assert_false(plan->resume);
    assert_null(plan->env[0]);
    assert_null(plan->command[0]);
    assert_string_equal(plan->prompt, "");
    assert_int_equal(plan->wall_ms, 0);
    pb_arena_release(&arena);
}

TEST(what_could_name_a_wrong_folder_or_variable_is_refused)
{
    static const char *const BAD[] = {
        "{" REF ",\"item\":\"\"}",
        "{" REF ",\"item\":\"../x\"}",
        "{" REF ",\"item\":\"a/b\"}",
        "{" REF ",\"item\":\".git\"}",
        "{" REF ",\"item\":\"-rf\"}",
        "{" REF ",\"item\":\"i\",\"env\":{\"A=B\":\"1\"}}",
        "{" REF ",\"item\":\"i\",\"env\":{\"1A\":\"1\"}}",
        "{" REF ",\"item\":\"i\",\"env\":{\"\":\"1\"}}",
        "{" REF ",\"item\":\"i\",\"env\":{\"A\":1}}",
        "{" REF ",\"item\":\"i\",\"command\":[1]}",
        "{" REF ",\"item\":\"i\",\"repo\":{\"url\":\"https://g\"}}",
        "{\"execution\":\"x\",\"attempt\":1,\"item\":\"i\"}",
    };

    for (size_t i = 0; i < COUNT(BAD); i++) {
        struct pb_attempt_plan *plan;
        struct pb_arena arena;
        struct pb_error err;

        pb_arena_init(&arena, 1 << 20);
        assert_refused(read_plan(BAD[i], &arena, &plan, &err), &err, PB_ERROR_INVALID);
        pb_arena_release(&arena);
    }
}

TEST(the_folder_for_what_is_temporary_has_a_short_name_of_its_own)
{
    static const char *const OTHERS[] = {"",          "issue-12",   "claude-1000", "9H0G1F2E3D",
                                         "J9H0G1F2.", "j9h0g1f2.1", "J9H0G1F23.1"};

    assert_string_equal(pb_attempt_temp_name("01J8ZQ4V5N6M7K8J9H0G1F2E3D.2"), "0G1F2E3D.2");
    assert_true(pb_attempt_temp_name_valid(pb_attempt_temp_name("01J8ZQ4V5N6M7K8J9H0G1F2E3D.12")));
    for (size_t i = 0; i < sizeof(OTHERS) / sizeof(OTHERS[0]); i++)
        assert_false(pb_attempt_temp_name_valid(OTHERS[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_plan_is_read),
        cmocka_unit_test(what_is_missing_has_a_sensible_value),
        cmocka_unit_test(what_could_name_a_wrong_folder_or_variable_is_refused),
        cmocka_unit_test(the_folder_for_what_is_temporary_has_a_short_name_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
