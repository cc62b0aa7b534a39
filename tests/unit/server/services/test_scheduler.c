#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "model/priority.h"
#include "queue_world.h"
#include "server/services/auth.h"
#include "server/services/queue_control.h"
#include "server/services/queue_gate.h"

#define HOUR INT64_C(3600000)

static const struct pb_principal ADMIN = {.username = "admin"};

static int64_t moment(const char *text)
{
    int64_t ms = 0;

    assert_true(pb_clock_parse(text, &ms));
    return ms;
}

/* The n-th that was assigned. */
static const char *sent(size_t n)
{
    assert_true(n < queue_world.sent_count);
    return queue_world.sent[n].id;
}

static void end_all(void)
{
    for (size_t i = 0; i < queue_world.sent_count; i++)
        if (queue_world_load(sent(i))->status == PB_EXECUTION_ASSIGNED)
            queue_world_finish(sent(i), "succeeded", NULL);
}

/* --- order and room -------------------------------------------------------------------------------------- */

TEST(the_most_urgent_starts_first_and_no_more_than_there_is_room_for)
{
    const char *low, *plain, *high;

    queue_world_project("site", 2, NULL);
    low = queue_world_enqueue("site", (struct pb_enqueue){.priority = PB_PRIORITY_LOW});
    plain = queue_world_enqueue("site", (struct pb_enqueue){.priority = 0});
    high = queue_world_enqueue("site", (struct pb_enqueue){.priority = PB_PRIORITY_HIGH});
    assert_int_equal(queue_world_look(), 2);
    assert_string_equal(sent(0), high);
    assert_string_equal(sent(1), plain);
    assert_int_equal(queue_world_load(high)->status, PB_EXECUTION_ASSIGNED);
    assert_string_equal(queue_world_why(low)->code, "project_full");
    assert_int_equal(queue_world_look(), 0);
    queue_world_finish(high, "succeeded", NULL);
    assert_int_equal(queue_world_look(), 1);
    assert_string_equal(sent(2), low);
}

TEST(urgency_changes_the_order_of_what_is_queued)
{
    const char *first, *second;

    queue_world_project("site", 1, NULL);
    first = queue_world_enqueue("site", (struct pb_enqueue){.title = "1"});
    second = queue_world_enqueue("site", (struct pb_enqueue){.title = "2"});
    assert_int_equal(queue_world_why(second)->position, 2);
    assert_int_equal(queue_world_why(second)->queued, 2);
    assert_ok(pb_execution_set_urgency(&queue_world.platform, second,
                                       &(struct pb_urgency){.has_deadline = true,
                                                            .deadline_at =
                                                                pb_clock_wall_ms() + HOUR},
                                       "amy", &queue_world.err),
              &queue_world.err);
    assert_int_equal(queue_world_why(second)->position, 1);
    assert_int_equal(queue_world_why(first)->position, 2);
    queue_world_look();
    assert_string_equal(sent(0), second);
    queue_world_finish(second, "succeeded", NULL);
    assert_refused(pb_execution_set_urgency(&queue_world.platform, second,
                                            &(struct pb_urgency){.has_priority = true}, "amy",
                                            &queue_world.err),
                   &queue_world.err, PB_ERROR_CONFLICT);
}

static void follow(const char *id, const char *labels)
{
    assert_ok(pb_execution_follow_labels(&queue_world.platform, queue_world_load(id)->work_item_id,
                                         labels, &queue_world.err),
              &queue_world.err);
}

TEST(priority_labels_count_and_are_followed_while_it_waits)
{
    const char *labelled, *chosen;

    queue_world_project("site", 1, NULL);
    labelled =
        queue_world_enqueue("site", (struct pb_enqueue){.issue_number = 1,
                                                        .labels = "[\"bug\",\"priority:high\"]"});
    assert_int_equal(queue_world_load(labelled)->priority, PB_PRIORITY_HIGH);
    follow(labelled, "[\"bug\",\"priority:critical\"]");
    assert_int_equal(queue_world_load(labelled)->priority, PB_PRIORITY_CRITICAL);
    follow(labelled, "[\"bug\"]");
    assert_int_equal(queue_world_load(labelled)->priority, PB_PRIORITY_NORMAL);

    chosen = queue_world_enqueue("site", (struct pb_enqueue){.issue_number = 2,
                                                             .labels = "[\"priority:high\"]",
                                                             .priority = PB_PRIORITY_LOW});
    assert_int_equal(queue_world_load(chosen)->priority, PB_PRIORITY_LOW);
    follow(chosen, "[\"priority:high\",\"ui\"]"); /* says nothing new about urgency */
    assert_int_equal(queue_world_load(chosen)->priority, PB_PRIORITY_LOW);
    assert_string_equal(queue_world_load(chosen)->labels, "[\"priority:high\",\"ui\"]");
    queue_world_look();
    follow(sent(0), "[\"priority:critical\"]"); /* too late */
    assert_int_equal(queue_world_load(sent(0))->priority, PB_PRIORITY_NORMAL);
}

TEST(more_than_one_round_can_hold_all_start_in_one_look)
{
    queue_world_project("site", 100, NULL);
    queue_world_project("shop", 100, NULL);
    queue_world_project("blog", 100, NULL);
    for (int i = 0; i < 330; i++)
        queue_world_enqueue(i % 3 == 0   ? "site"
                            : i % 3 == 1 ? "shop"
                                         : "blog",
                            (struct pb_enqueue){.title = "T"});
    assert_int_equal(queue_world_look(), 300);
    assert_int_equal(queue_world_look(), 0);
}

TEST(an_issue_has_one_execution_at_a_time)
{
    const char *first, *second;

    queue_world_project("site", 10, NULL);
    first = queue_world_enqueue("site", (struct pb_enqueue){.issue_number = 7});
    second = queue_world_enqueue("site", (struct pb_enqueue){.issue_number = 7});
    assert_int_equal(queue_world_look(), 1);
    assert_string_equal(queue_world_why(second)->code, "work_item_busy");
    queue_world_finish(first, "waiting_input", NULL);
    assert_int_equal(queue_world_look(), 0); /* its answer comes first */
    assert_ok(pb_execution_cancel(&queue_world.platform, first, "amy", &queue_world.err),
              &queue_world.err);
    assert_int_equal(queue_world_look(), 1);
    assert_string_equal(sent(1), second);
}

/* --- fairness -------------------------------------------------------------------------------------------------- */

static void heavy(struct pb_project *project)
{
    project->queue_weight = 30;
}

TEST(projects_that_share_a_node_take_turns_by_weight)
{
    static const struct pb_queue_limit NODE[] = {{PB_QUEUE_LIMIT_NODE, "", "*", 4}};
    int had[3] = {0};

    queue_world_project("heavy", 100, heavy);
    queue_world_project("light", 100, NULL);
    queue_world_project("other", 100, NULL);
    queue_world_limits(NODE, 1);
    for (int i = 0; i < 100; i++) {
        queue_world_enqueue("heavy", (struct pb_enqueue){.priority = PB_PRIORITY_LOW});
        queue_world_enqueue("light", (struct pb_enqueue){.priority = PB_PRIORITY_CRITICAL});
        queue_world_enqueue("other", (struct pb_enqueue){.priority = 0});
    }
    for (int i = 0; i < 20; i++) {
        assert_int_equal(queue_world_look(), 4);
        end_all();
    }
    for (size_t i = 0; i < queue_world.sent_count; i++) {
        const char *project = queue_world_load(sent(i))->project_id;

        had[project[0] == 'h' ? 0 : project[0] == 'l' ? 1 : 2]++;
    }
    assert_in_range(had[0], 46, 50); /* 3 of 5 of 80 */
    assert_in_range(had[1], 15, 17);
    assert_in_range(had[2], 15, 17);
}

/* --- limits ------------------------------------------------------------------------------------------------------ */

TEST(who_has_enough_running_does_not_stand_in_the_way_of_others)
{
    static const struct pb_queue_limit USER[] = {{PB_QUEUE_LIMIT_USER, "", "*", 2}};
    const char *waiting = NULL, *bob;

    queue_world_project("site", 10, NULL);
    queue_world_limits(USER, 1);
    for (int i = 0; i < 200; i++)
        waiting = queue_world_enqueue("site", (struct pb_enqueue){.requested_by = "amy"});
    bob = queue_world_enqueue("site", (struct pb_enqueue){.requested_by = "bob"});
    assert_int_equal(queue_world_look(), 3);
    assert_int_equal(queue_world_load(bob)->status, PB_EXECUTION_ASSIGNED);
    assert_string_equal(queue_world_why(waiting)->code, "user_full");
    assert_int_equal(queue_world_look(), 0);
    queue_world_finish(bob, "succeeded", NULL);
    assert_int_equal(queue_world_look(), 0);
    queue_world_finish(sent(0), "succeeded", NULL);
    assert_int_equal(queue_world_look(), 1);
    queue_world_limits(NULL, 0); /* no limit any more: all of them are free */
    assert_int_equal(queue_world_look(), 8);
    assert_string_equal(queue_world_why(waiting)->code, "project_full");
}

TEST(labels_are_limited_over_projects_or_in_one)
{
    static const struct pb_queue_limit LABELS[] = {{PB_QUEUE_LIMIT_LABEL, "", "deploy", 1},
                                                   {PB_QUEUE_LIMIT_LABEL, "shop", "db", 1}};
    const char *a, *b, *c, *d;

    queue_world_project("shop", 10, NULL);
    queue_world_project("site", 10, NULL);
    queue_world_limits(LABELS, 2);
    a = queue_world_enqueue("shop", (struct pb_enqueue){.labels = "[\"db\",\"Deploy\"]"});
    b = queue_world_enqueue("site", (struct pb_enqueue){.labels = "[\"deploy\"]"});
    c = queue_world_enqueue("shop", (struct pb_enqueue){.labels = "[\"db\"]"});
    d = queue_world_enqueue("site", (struct pb_enqueue){.labels = "[\"db\"]"});
    assert_int_equal(queue_world_look(), 2);
    assert_int_equal(queue_world_load(a)->status, PB_EXECUTION_ASSIGNED);
    assert_int_equal(queue_world_load(d)->status, PB_EXECUTION_ASSIGNED);
    assert_string_equal(queue_world_why(b)->code, "label_full");
    assert_string_equal(queue_world_why(c)->code, "label_full");
    assert_ok(pb_execution_cancel(&queue_world.platform, c, "amy", &queue_world.err),
              &queue_world.err);
    queue_world_finish(a, "failed", "command");
    assert_int_equal(queue_world_look(), 1);
    assert_int_equal(queue_world_load(b)->status, PB_EXECUTION_ASSIGNED);
}

TEST(a_row_that_two_limits_hold_goes_from_one_to_the_other)
{
    static const struct pb_queue_limit BOTH[] = {{PB_QUEUE_LIMIT_USER, "", "amy", 1},
                                                 {PB_QUEUE_LIMIT_LABEL, "", "db", 1}};
    const char *row;

    queue_world_project("site", 10, NULL);
    queue_world_limits(BOTH, 2);
    queue_world_enqueue("site", (struct pb_enqueue){.requested_by = "amy"});
    queue_world_enqueue("site", (struct pb_enqueue){.labels = "[\"db\"]"});
    row = queue_world_enqueue("site",
                              (struct pb_enqueue){.requested_by = "amy", .labels = "[\"db\"]"});
    assert_int_equal(queue_world_look(), 2);
    assert_string_equal(queue_world_why(row)->code, "user_full");
    queue_world_finish(sent(0), "succeeded", NULL);
    assert_int_equal(queue_world_look(), 0);
    assert_string_equal(queue_world_why(row)->code, "label_full");
    queue_world_finish(sent(1), "succeeded", NULL);
    assert_int_equal(queue_world_look(), 1);
    assert_string_equal(sent(2), row);
}

TEST(a_node_runs_no_more_than_it_may)
{
    static const struct pb_queue_limit NODE[] = {{PB_QUEUE_LIMIT_NODE, "", "node-1", 3}};
    const char *last = NULL;

    queue_world_project("site", 10, NULL);
    queue_world_limits(NODE, 1);
    for (int i = 0; i < 5; i++)
        last = queue_world_enqueue("site", (struct pb_enqueue){.title = "T"});
    assert_int_equal(queue_world_look(), 3);
    assert_string_equal(queue_world_why(last)->code, "node_full");
    end_all();
    assert_int_equal(queue_world_look(), 2);
}

/* --- what closes the gate ------------------------------------------------------------------------------------------- */

TEST(a_paused_queue_starts_nothing_also_after_a_restart)
{
    const char *id;
    char dir[64];

    queue_world_project("site", 10, NULL);
    id = queue_world_enqueue("site", (struct pb_enqueue){.title = "T"});
    assert_ok(pb_queue_pause(&queue_world.platform, "moving house", &ADMIN, &queue_world.err),
              &queue_world.err);
    assert_int_equal(queue_world_look(), 0);
    assert_string_equal(queue_world_why(id)->code, "queue_paused");
    memcpy(dir, queue_world.dir, sizeof(dir));
    queue_world_close();
    queue_world_open(dir);
    assert_int_equal(queue_world_look(), 0);
    assert_ok(pb_queue_resume(&queue_world.platform, &ADMIN, &queue_world.err), &queue_world.err);
    assert_int_equal(queue_world_look(), 1);
}

static void paused(struct pb_project *project)
{
    project->status = PB_PROJECT_PAUSED;
}

static void stopped(struct pb_project *project)
{
    project->status = PB_PROJECT_STOPPED;
}

static void archived(struct pb_project *project)
{
    project->status = PB_PROJECT_ARCHIVED;
}

static void active(struct pb_project *project)
{
    project->status = PB_PROJECT_ACTIVE;
}

TEST(a_project_that_is_not_active_says_so)
{
    static const struct {
        void (*change)(struct pb_project *);
        const char *code;
    } CASES[] = {{paused, "project_paused"},
                 {stopped, "project_stopped"},
                 {archived, "project_closed"}};
    const char *id;

    queue_world_project("site", 10, NULL);
    id = queue_world_enqueue("site", (struct pb_enqueue){.title = "T"});
    for (size_t i = 0; i < COUNT(CASES); i++) {
        queue_world_change("site", CASES[i].change);
        assert_int_equal(queue_world_look(), 0);
        assert_string_equal(queue_world_why(id)->code, CASES[i].code);
    }
    queue_world_change("site", active);
    queue_world.why_not = "agent_down";
    assert_int_equal(queue_world_look(), 0);
    assert_string_equal(queue_world_why(id)->code, "agent_down");
    queue_world.why_not = NULL;
    assert_int_equal(queue_world_look(), 1);
}

static void office_hours(struct pb_project *project)
{
    project->active_hours = "mon-fri 09:00-18:00";
    project->time_zone = "Asia/Tokyo";
}

TEST(outside_its_hours_a_project_starts_nothing_and_says_when_it_will)
{
    const char *id;

    pb_clock_set_for_test(moment("2027-03-05T09:30:00Z")); /* Friday evening in Tokyo */
    queue_world_project("site", 10, office_hours);
    id = queue_world_enqueue("site", (struct pb_enqueue){.priority = PB_PRIORITY_CRITICAL});
    assert_int_equal(queue_world_look(), 0);
    assert_string_equal(queue_world_why(id)->code, "outside_hours");
    assert_int_equal(queue_world_why(id)->until, moment("2027-03-08T00:00:00Z"));
    assert_int_equal(queue_world_next(), moment("2027-03-08T00:00:00Z"));
    pb_clock_set_for_test(moment("2027-03-08T00:00:00Z"));
    assert_int_equal(queue_world_look(), 1);
    assert_int_equal(queue_world_next(), 0);
}

TEST(watchers_are_told_when_the_reason_of_a_project_changes)
{
    size_t before;

    queue_world_project("site", 10, NULL);
    queue_world_project("shop", 10, NULL);
    queue_world.why_not = "no_node";
    for (int i = 0; i < 30; i++)
        queue_world_enqueue("site", (struct pb_enqueue){.title = "T"});
    queue_world_look();
    before = queue_world.events;
    queue_world_look();
    assert_int_equal(queue_world.events, before);
    queue_world.why_not = "agent_starting";
    queue_world_look();
    assert_int_equal(queue_world.events, before + 20); /* those in front */
}

/* --- faults ------------------------------------------------------------------------------------------------------------ */

TEST(an_assignment_that_cannot_be_sent_goes_back_to_the_queue)
{
    const char *id;

    queue_world_project("site", 10, NULL);
    id = queue_world_enqueue("site", (struct pb_enqueue){.title = "T"});
    queue_world.refuses = true;
    assert_int_equal(queue_world_look(), 0);
    assert_int_equal(queue_world_look(), 0);
    assert_int_equal(queue_world_load(id)->status, PB_EXECUTION_QUEUED);
    assert_int_equal(queue_world_load(id)->lost_count, 0);
    assert_string_equal(queue_world_why(id)->code, "not_yet");
    assert_int_equal(queue_world_why(id)->until, queue_world_next());
    queue_world.refuses = false;
    pb_clock_set_for_test(queue_world_next());
    assert_int_equal(queue_world_look(), 1);
    assert_int_equal(queue_world_load(id)->fence, 2);
}

TEST(a_claim_whose_outcome_is_unknown_is_made_once)
{
    struct pb_queue_scope scope = {.is_all = true};
    int64_t next;
    const char *id;

    queue_world_project("site", 10, NULL);
    id = queue_world_enqueue("site", (struct pb_enqueue){.title = "T"});
    queue_world.unknown_writes = 3;
    for (int i = 0; i < 3; i++)
        assert_refused(pb_look_at_queue(queue_world.look, &scope, &next, &queue_world.err),
                       &queue_world.err, PB_ERROR_UNAVAILABLE);
    assert_int_equal(queue_world.sent_count, 0);
    assert_int_equal(queue_world_look(), 1);
    assert_int_equal(queue_world_load(id)->fence, 1);
    assert_int_equal(queue_world_load(id)->attempt_count, 1);
    assert_int_equal(queue_world_look(), 0);
}

/* --- words --------------------------------------------------------------------------------------------------------------- */

TEST(every_reason_has_words_in_both_languages)
{
    static const char *const CODES[] = {"starting",        "queue_paused",   "no_node",
                                        "agent_starting",  "agent_down",     "project_full",
                                        "node_full",       "user_full",      "label_full",
                                        "outside_hours",   "work_item_busy", "not_yet",
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

#define IN_WORLD(test) \
    cmocka_unit_test_setup_teardown(test, queue_world_setup, queue_world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(the_most_urgent_starts_first_and_no_more_than_there_is_room_for),
        IN_WORLD(urgency_changes_the_order_of_what_is_queued),
        IN_WORLD(priority_labels_count_and_are_followed_while_it_waits),
        IN_WORLD(more_than_one_round_can_hold_all_start_in_one_look),
        IN_WORLD(an_issue_has_one_execution_at_a_time),
        IN_WORLD(projects_that_share_a_node_take_turns_by_weight),
        IN_WORLD(who_has_enough_running_does_not_stand_in_the_way_of_others),
        IN_WORLD(labels_are_limited_over_projects_or_in_one),
        IN_WORLD(a_row_that_two_limits_hold_goes_from_one_to_the_other),
        IN_WORLD(a_node_runs_no_more_than_it_may),
        IN_WORLD(a_paused_queue_starts_nothing_also_after_a_restart),
        IN_WORLD(a_project_that_is_not_active_says_so),
        IN_WORLD(outside_its_hours_a_project_starts_nothing_and_says_when_it_will),
        IN_WORLD(watchers_are_told_when_the_reason_of_a_project_changes),
        IN_WORLD(an_assignment_that_cannot_be_sent_goes_back_to_the_queue),
        IN_WORLD(a_claim_whose_outcome_is_unknown_is_made_once),
        cmocka_unit_test(every_reason_has_words_in_both_languages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
