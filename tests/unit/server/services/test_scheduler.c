#include <string.h>

#include "pb_test.h"
#include "server/services/scheduler.h"

static struct pb_queue_row ready(void)
{
    return (struct pb_queue_row){.project_status = "active", .max_concurrent = 2, .active = 1};
}

TEST(a_row_with_nothing_in_its_way_starts)
{
    struct pb_queue_row row = ready();

    assert_null(pb_scheduler_blocked_by(&row, 0, 1000));
}

TEST(what_stands_in_the_way_is_named)
{
    const struct {
        struct pb_queue_row row;
        int64_t started;
        const char *why;
    } cases[] = {
        {{.project_status = "stopped", .max_concurrent = 1}, 0, "project_stopped"},
        {{.project_status = "paused", .max_concurrent = 1}, 0, "project_paused"},
        {{.project_status = "archived", .max_concurrent = 1}, 0, "project_closed"},
        {{.project_status = "deleted", .max_concurrent = 1}, 0, "project_closed"},
        {{.project_status = "?", .max_concurrent = 1}, 0, "project_closed"},
        {{.project_status = "active", .max_concurrent = 1, .work_item_busy = true},
         0,
         "work_item_busy"},
        {{.project_status = "active", .max_concurrent = 1, .available_at = 1001}, 0, "not_yet"},
        {{.project_status = "active", .max_concurrent = 1, .available_at = 1000}, 0, NULL},
        {{.project_status = "active", .max_concurrent = 2, .active = 2}, 0, "project_full"},
        {{.project_status = "active", .max_concurrent = 2, .active = 1}, 1, "project_full"},
        {{.project_status = "active", .max_concurrent = 3, .active = 1}, 1, NULL},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *why = pb_scheduler_blocked_by(&cases[i].row, cases[i].started, 1000);

        if (cases[i].why)
            assert_string_equal(why, cases[i].why);
        else
            assert_null(why);
    }
}

TEST(every_reason_has_words_in_both_languages)
{
    static const char *const CODES[] = {"no_node",         "agent_starting", "agent_down",
                                        "project_full",    "work_item_busy", "not_yet",
                                        "project_stopped", "project_paused", "project_closed"};

    for (size_t i = 0; i < COUNT(CODES); i++) {
        const struct pb_queued_reason *reason = pb_queued_reason_find(CODES[i]);

        assert_non_null(reason);
        assert_string_equal(reason->code, CODES[i]);
        assert_true(strlen(reason->en) > 10 && strlen(reason->ja) > 10);
    }
    assert_null(pb_queued_reason_find("nonsense"));
    assert_null(pb_queued_reason_find(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_with_nothing_in_its_way_starts),
        cmocka_unit_test(what_stands_in_the_way_is_named),
        cmocka_unit_test(every_reason_has_words_in_both_languages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
