#include <stdlib.h>
#include <string.h>

#include "cli/cli_words.h"
#include "model/execution.h"
#include "model/priority.h"
#include "model/project.h"
#include "model/queue_limit.h"
#include "model/schedule.h"
#include "pb_test.h"

static void use(const char *all, const char *messages, const char *lang)
{
    const char *const names[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
    const char *const values[] = {all, messages, lang};

    for (size_t i = 0; i < COUNT(names); i++)
        assert_int_equal(values[i] ? setenv(names[i], values[i], 1) : unsetenv(names[i]), 0);
    pb_cli_words_init();
}

TEST(the_first_of_three_variables_decides)
{
    use(NULL, NULL, "ja_JP.UTF-8");
    assert_true(pb_cli_is_japanese());
    assert_string_equal(pb_say("yes", "はい"), "はい");
    use("C.UTF-8", NULL, "ja_JP.UTF-8");
    assert_false(pb_cli_is_japanese());
    use(NULL, "ja_JP.UTF-8", "en_US.UTF-8");
    assert_true(pb_cli_is_japanese());
    use("", "", "ja");
    assert_true(pb_cli_is_japanese());
    use(NULL, NULL, NULL);
    assert_false(pb_cli_is_japanese());
    assert_string_equal(pb_say("yes", "はい"), "yes");
}

static bool is_ascii(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text >= 0x80)
            return false;
    return true;
}

/* A status the model learns must get its words here. */
static void assert_has_words(const struct pb_names *names, const char *(*words)(const char *))
{
    for (size_t i = 0; i < names->count; i++)
        if (names->names[i][0] && strcmp(names->names[i], "api") != 0 &&
            strcmp(names->names[i], "webhook") != 0 && is_ascii(words(names->names[i])))
            fail_msg("no Japanese word for '%s'", names->names[i]);
}

TEST(every_name_of_the_model_has_words)
{
    use("ja_JP.UTF-8", NULL, NULL);
    assert_has_words(&PB_EXECUTION_STATUS_NAMES, pb_cli_status_words);
    assert_has_words(&PB_PROJECT_STATUS_NAMES, pb_cli_project_status_words);
    assert_has_words(&PB_PROJECT_HEALTH_NAMES, pb_cli_health_words);
    assert_has_words(&PB_AGENT_STATE_NAMES, pb_cli_agent_words);
    assert_has_words(&PB_TRIGGER_NAMES, pb_cli_trigger_words);
    assert_has_words(&PB_QUEUE_LIMIT_NAMES, pb_cli_limit_words);
    assert_has_words(&PB_SCHEDULE_RESULT_NAMES, pb_cli_schedule_words);
    for (int priority = PB_PRIORITY_LOW; priority <= PB_PRIORITY_CRITICAL; priority++)
        assert_false(is_ascii(pb_cli_priority_words(pb_priority_name(priority))));
}

TEST(an_unknown_name_stands_for_itself)
{
    assert_string_equal(pb_cli_status_words("from_the_future"), "from_the_future");
    assert_string_equal(pb_cli_status_words(NULL), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_of_three_variables_decides),
        cmocka_unit_test(every_name_of_the_model_has_words),
        cmocka_unit_test(an_unknown_name_stands_for_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
