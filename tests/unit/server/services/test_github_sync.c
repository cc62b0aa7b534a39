#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "github_world.h"
#include "pb_test.h"
#include "server/services/github_client.h"
#include "server/services/github_effects.h"
#include "server/services/github_sync.h"

#define REPO     "GET /repos/acme/site"
#define ISSUES   "GET /repos/acme/site/issues"
#define COMMENT  "POST /repos/acme/site/issues/12/comments"
#define EDIT     "PATCH /repos/acme/site/issues/comments/77"
#define DEADLINE 20000

static struct pb_error err;

/* Waits until there are that many requests with this key; the server's own memory is the event. */
static void wait_for(const char *key, size_t count)
{
    int64_t until = pb_clock_steady_ms() + DEADLINE;

    while (stand_in_count(world.github, key) < count) {
        if (pb_clock_steady_ms() > until)
            fail_msg("no %zu requests %s in time", count, key);
        stand_in_wait(world.github, 100);
    }
}

static void serve(void)
{
    stand_in_reply(world.github, REPO, 200, NULL,
                   "{\"name\":\"site\",\"full_name\":\"acme/site\",\"default_branch\":\"main\"}");
    stand_in_reply(world.github, ISSUES, 200, NULL, "[]");
}

static void poll_fast(struct pb_project *project)
{
    project->poll_interval_ms = 50;
}

static void poll_rarely(struct pb_project *project)
{
    project->poll_interval_ms = 3600 * 1000;
}

static void pause_it(struct pb_project *project)
{
    project->status = PB_PROJECT_PAUSED;
}

TEST(an_active_project_is_polled_at_its_interval)
{
    struct pb_github_sync *sync;

    serve();
    world_set_project(poll_fast);
    sync = pb_github_sync_start(&world.platform, &err);
    assert_non_null(sync);
    wait_for(ISSUES, 4);
    pb_github_sync_stop(sync);
}

TEST(a_kick_looks_at_once)
{
    struct pb_github_sync *sync;

    serve();
    world_set_project(poll_rarely);
    sync = pb_github_sync_start(&world.platform, &err);
    assert_non_null(sync);
    wait_for(ISSUES, 1);
    pb_github_sync_kick(sync, "site");
    wait_for(ISSUES, 2);
    pb_github_sync_kick(sync, NULL);
    wait_for(ISSUES, 3);
    pb_github_sync_stop(sync);
}

TEST(a_paused_project_is_left_alone_after_a_kick)
{
    struct pb_github_sync *sync;
    size_t before;

    serve();
    world_set_project(poll_fast);
    sync = pb_github_sync_start(&world.platform, &err);
    assert_non_null(sync);
    wait_for(ISSUES, 1);
    world_set_project(pause_it);
    pb_github_sync_kick(sync, "site");
    pb_github_sync_stop(sync);
    before = stand_in_total(world.github);
    sync = pb_github_sync_start(&world.platform, &err);
    assert_non_null(sync);
    pb_github_sync_stop(sync);
    assert_int_equal(stand_in_total(world.github), before);
}

TEST(a_failing_server_is_asked_less_and_less)
{
    struct pb_github_sync *sync;
    int64_t began = pb_clock_steady_ms();

    stand_in_reply(world.github, REPO, 502, NULL, "");
    world_set_project(poll_fast);
    sync = pb_github_sync_start(&world.platform, &err);
    assert_non_null(sync);
    wait_for(REPO, 6);
    /* 50 + 100 + 200 + 400 … less jitter, where a steady interval would need 250 */
    assert_true(pb_clock_steady_ms() - began > 1000);
    pb_github_sync_stop(sync);
}

/* --- effects -------------------------------------------------------------------------------------------- */

static void run(struct pb_execution *execution)
{
    execution->status = PB_EXECUTION_RUNNING;
}

static void serve_issue(void)
{
    serve();
    stand_in_reply(world.github, "GET /user", 200, NULL, "{\"login\":\"poppo\"}");
    stand_in_reply(world.github, "GET /repos/acme/site/issues/12/labels", 200, NULL, "[]");
    stand_in_reply(world.github, "GET /repos/acme/site/issues/12/comments", 200, NULL, "[]");
    stand_in_reply(world.github, "POST /repos/acme/site/issues/12/labels", 200, NULL, "[]");
    stand_in_reply(world.github, "POST /repos/acme/site/labels", 201, NULL, "{}");
    stand_in_reply(world.github, COMMENT, 201, NULL, "{\"id\":77}");
    stand_in_reply(world.github, EDIT, 200, NULL, "{\"id\":77}");
}

TEST(what_is_in_the_outbox_is_shown_at_start_and_after_kicks)
{
    struct pb_github_effects *effects;
    const char *id;

    serve_issue();
    id = world_enqueue(12, "label:issue-12:1");
    effects = pb_github_effects_start(&world.platform, &err);
    assert_non_null(effects);
    wait_for("POST /repos/acme/site/issues/12/labels", 1);
    world_set_execution(id, run);
    pb_github_effects_kick(effects);
    wait_for("POST /repos/acme/site/issues/12/labels", 2);
    pb_github_effects_stop(effects);
    assert_int_equal(stand_in_count(world.github, COMMENT), 1);
    assert_int_equal(stand_in_count(world.github, EDIT), 1);
}

TEST(a_temporary_failure_is_repeated_and_said_once)
{
    struct pb_github_effects *effects;

    serve_issue();
    stand_in_forget(world.github, COMMENT);
    stand_in_reply(world.github, COMMENT, 502, NULL, "");
    stand_in_reply(world.github, COMMENT, 201, NULL, "{\"id\":77}");
    world_enqueue(12, "label:issue-12:1");
    effects = pb_github_effects_start(&world.platform, &err);
    assert_non_null(effects);
    wait_for("POST /repos/acme/site/issues/12/labels", 1);
    pb_github_effects_stop(effects);
    assert_int_equal(stand_in_count(world.github, COMMENT), 2);
    assert_non_null(strstr(world.notes, "w GitHub not up to date yet"));
    assert_null(strstr(strstr(world.notes, "not up to date yet") + 1, "not up to date yet"));
}

TEST(what_will_not_pass_is_given_up_and_said)
{
    struct pb_github_effects *effects;
    size_t before;

    serve_issue();
    stand_in_forget(world.github, COMMENT);
    stand_in_reply(world.github, COMMENT, 403, NULL,
                   "{\"message\":\"Unable to create comment because issue is locked.\"}");
    world_enqueue(12, "label:issue-12:1");
    effects = pb_github_effects_start(&world.platform, &err);
    assert_non_null(effects);
    wait_for("POST /repos/acme/site/issues/12/labels", 1); /* the rest goes on */
    pb_github_effects_stop(effects);
    assert_non_null(strstr(world.notes, "x GitHub could not be brought up to date"));
    assert_non_null(strstr(world.notes, "issue is locked"));
    before = stand_in_total(world.github);
    effects = pb_github_effects_start(&world.platform, &err);
    assert_non_null(effects);
    pb_github_effects_stop(effects);
    assert_int_equal(stand_in_total(world.github), before);
}

TEST(work_items_are_shown_at_the_same_time_but_each_by_one)
{
    struct pb_github_effects *effects;
    char key[128];

    serve_issue();
    for (int number = 20; number < 40; number++) {
        snprintf(key, sizeof(key), "GET /repos/acme/site/issues/%d/labels", number);
        stand_in_reply(world.github, key, 200, NULL, "[]");
        snprintf(key, sizeof(key), "GET /repos/acme/site/issues/%d/comments", number);
        stand_in_reply(world.github, key, 200, NULL, "[]");
        snprintf(key, sizeof(key), "POST /repos/acme/site/issues/%d/labels", number);
        stand_in_reply(world.github, key, 200, NULL, "[]");
        snprintf(key, sizeof(key), "POST /repos/acme/site/issues/%d/comments", number);
        stand_in_reply(world.github, key, 201, NULL, "{\"id\":77}");
        snprintf(key, sizeof(key), "label:issue-%d:1", number);
        world_enqueue(number, key);
    }
    effects = pb_github_effects_start(&world.platform, &err);
    assert_non_null(effects);
    for (int i = 0; i < 50; i++)
        pb_github_effects_kick(effects);
    for (int number = 20; number < 40; number++) {
        snprintf(key, sizeof(key), "POST /repos/acme/site/issues/%d/labels", number);
        wait_for(key, 1);
    }
    pb_github_effects_stop(effects);
    for (int number = 20; number < 40; number++) {
        snprintf(key, sizeof(key), "POST /repos/acme/site/issues/%d/comments", number);
        assert_int_equal(stand_in_count(world.github, key), 1);
    }
}

static int set_up(void **state __attribute__((unused)))
{
    world_start();
    return 0;
}

static int tear_down(void **state __attribute__((unused)))
{
    world_end();
    return 0;
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(an_active_project_is_polled_at_its_interval),
        IN_WORLD(a_kick_looks_at_once),
        IN_WORLD(a_paused_project_is_left_alone_after_a_kick),
        IN_WORLD(a_failing_server_is_asked_less_and_less),
        IN_WORLD(what_is_in_the_outbox_is_shown_at_start_and_after_kicks),
        IN_WORLD(a_temporary_failure_is_repeated_and_said_once),
        IN_WORLD(what_will_not_pass_is_given_up_and_said),
        IN_WORLD(work_items_are_shown_at_the_same_time_but_each_by_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
