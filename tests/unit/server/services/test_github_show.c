#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "github_world.h"
#include "pb_test.h"
#include "server/services/github_show.h"

#define BASE     "/repos/acme/site"
#define REACT    "POST " BASE "/issues/12/reactions"
#define LABELS   "GET " BASE "/issues/12/labels"
#define ADD      "POST " BASE "/issues/12/labels"
#define THREAD   "GET " BASE "/issues/12/comments"
#define COMMENT  "POST " BASE "/issues/12/comments"
#define EDIT     "PATCH " BASE "/issues/comments/77"
#define PULLS    "GET " BASE "/pulls"
#define OPEN     "POST " BASE "/pulls"
#define SET_PULL "PATCH " BASE "/pulls/13"
#define MARKER   "<!-- poppo:item:site/issue-12 -->"
#define SHA      "1111111111111111111111111111111111111111"

static struct pb_github_shown *shown;
static struct pb_error err;
static const char *id;

static void serve(void)
{
    stand_in_reply(world.github, "GET /user", 200, NULL, "{\"login\":\"poppo\"}");
    stand_in_reply(world.github, REACT, 201, NULL, "{\"id\":1,\"content\":\"eyes\"}");
    stand_in_reply(world.github, LABELS, 200, NULL, "[{\"name\":\"poppo\"},{\"name\":\"bug\"}]");
    stand_in_reply(world.github, ADD, 200, NULL, "[]");
    stand_in_reply(world.github, "POST " BASE "/labels", 201, NULL, "{}");
    stand_in_reply(world.github, THREAD, 200, NULL, "[]");
    stand_in_reply(world.github, COMMENT, 201, NULL, "{\"id\":77}");
    stand_in_reply(world.github, EDIT, 200, NULL, "{\"id\":77}");
    stand_in_reply(world.github, PULLS, 200, NULL, "[]");
    stand_in_reply(world.github, OPEN, 201, NULL,
                   "{\"number\":13,\"html_url\":\"https://github.example/acme/site/pull/"
                   "13\",\"state\":\"open\","
                   "\"head\":{\"sha\":\"" SHA "\",\"ref\":\"poppo/issue-12\"}}");
    stand_in_reply(world.github, SET_PULL, 200, NULL, "{}");
}

static int show(void)
{
    int64_t retry_at;

    return pb_github_show(&world.platform, shown, world_item(12)->id, &retry_at, &err);
}

/* A platform that was killed and knows nothing of what it did. */
static void forget(void)
{
    pb_github_shown_free(shown);
    shown = pb_github_shown_new(&err);
    assert_non_null(shown);
}

/* The text member of the n-th request's body, in the world's arena. */
static const char *sent(const char *key, size_t n, const char *member)
{
    const char *body = stand_in_body(world.github, key, n);
    struct pb_json *json = pb_json_parse(body, strlen(body), &err);
    const char *text = pb_arena_text(&world.arena, pb_json_text(json, member, "(missing)"));

    pb_json_free(json);
    return text;
}

static void run(struct pb_execution *execution)
{
    execution->status = PB_EXECUTION_RUNNING;
}

static void succeed(struct pb_execution *execution)
{
    execution->status = PB_EXECUTION_SUCCEEDED;
    execution->completed_at = 2000;
    execution->branch = "poppo/issue-12";
    execution->head_sha = SHA;
    execution->summary = "Painted it.\n\nChecked: looked at it, cc @everyone";
}

static void succeed_without_changes(struct pb_execution *execution)
{
    execution->status = PB_EXECUTION_SUCCEEDED;
    execution->no_changes = true;
}

static void cancel(struct pb_execution *execution)
{
    execution->status = PB_EXECUTION_CANCELLED;
    execution->cancel_by = "bob";
}

TEST(a_new_execution_is_seen_said_and_labelled)
{
    assert_ok(show(), &err);
    assert_string_equal(stand_in_body(world.github, REACT, 0), "{\"content\":\"eyes\"}");
    assert_int_equal(stand_in_count(world.github, "POST " BASE "/labels"), 1);
    assert_string_equal(sent("POST " BASE "/labels", 0, "name"), "poppo:queued");
    assert_string_equal(stand_in_body(world.github, ADD, 0), "{\"labels\":[\"poppo:queued\"]}");
    assert_int_equal(stand_in_count(world.github, COMMENT), 1);
    assert_memory_equal(sent(COMMENT, 0, "body"), MARKER, strlen(MARKER));
    assert_int_equal(world_item(12)->comment_id, 77);
    assert_int_equal(stand_in_count(world.github, PULLS), 0);
}

TEST(the_same_state_again_costs_no_call)
{
    assert_ok(show(), &err);
    stand_in_forget_requests(world.github);
    assert_ok(show(), &err);
    assert_int_equal(stand_in_total(world.github), 0);
}

TEST(one_comment_is_edited_as_it_goes)
{
    assert_ok(show(), &err);
    world_set_execution(id, run);
    stand_in_forget(world.github, LABELS);
    stand_in_reply(world.github, LABELS, 200, NULL,
                   "[{\"name\":\"Poppo:Queued\"},{\"name\":\"bug\"}]");
    stand_in_reply(world.github, "DELETE " BASE "/issues/12/labels/poppo%3Aqueued", 200, NULL,
                   "[]");
    assert_ok(show(), &err);
    assert_int_equal(stand_in_count(world.github, COMMENT), 1);
    assert_int_equal(stand_in_count(world.github, EDIT), 1);
    assert_int_equal(stand_in_count(world.github, REACT), 1);
    assert_int_equal(stand_in_count(world.github,
                                    "DELETE " BASE "/issues/12/labels/poppo%3Aqueued"),
                     1);
    assert_int_equal(stand_in_count(world.github, "DELETE " BASE "/issues/12/labels/bug"), 0);
}

TEST(a_label_that_went_by_itself_is_fine)
{
    assert_ok(show(), &err);
    world_set_execution(id, run);
    stand_in_forget(world.github, LABELS);
    stand_in_reply(world.github, LABELS, 200, NULL, "[{\"name\":\"poppo:queued\"}]");
    assert_ok(show(), &err);
}

TEST(after_a_crash_the_comment_is_found_and_not_doubled)
{
    stand_in_forget(world.github, THREAD);
    stand_in_reply(world.github, THREAD, 200, NULL,
                   "[{\"id\":70,\"body\":\"" MARKER
                   "\\nforged\",\"user\":{\"login\":\"stranger\"}},"
                   "{\"id\":71,\"body\":\"quoting " MARKER "\",\"user\":{\"login\":\"poppo\"}},"
                   "{\"id\":77,\"body\":\"" MARKER "\\nours\",\"user\":{\"login\":\"Poppo\"}}]");
    assert_ok(show(), &err);
    assert_int_equal(stand_in_count(world.github, COMMENT), 0);
    assert_int_equal(stand_in_count(world.github, EDIT), 1);
    assert_int_equal(world_item(12)->comment_id, 77);
}

TEST(a_deleted_comment_is_written_again)
{
    assert_ok(show(), &err);
    world_set_execution(id, run);
    stand_in_forget(world.github, EDIT);
    stand_in_reply(world.github, EDIT, 404, NULL, "{\"message\":\"Not Found\"}");
    stand_in_forget(world.github, COMMENT);
    stand_in_reply(world.github, COMMENT, 201, NULL, "{\"id\":78}");
    assert_ok(show(), &err);
    assert_int_equal(world_item(12)->comment_id, 78);
}

TEST(pushed_work_becomes_a_draft_pull_request)
{
    world_set_execution(id, succeed);
    assert_ok(show(), &err);
    assert_int_equal(stand_in_count(world.github,
                                    PULLS "?head=acme%3Apoppo%2Fissue-12&state=all&sort=created"
                                          "&direction=desc&per_page=100"),
                     1);
    assert_string_equal(sent(OPEN, 0, "title"), "Make it blue (#12)");
    assert_string_equal(sent(OPEN, 0, "head"), "poppo/issue-12");
    assert_string_equal(sent(OPEN, 0, "base"), "main");
    assert_non_null(strstr(stand_in_body(world.github, OPEN, 0), "\"draft\":true"));
    assert_non_null(strstr(sent(OPEN, 0, "body"), "Refs #12"));
    assert_non_null(strstr(sent(OPEN, 0, "body"), "Painted it."));
    assert_null(strstr(sent(OPEN, 0, "body"), "@everyone"));
    assert_int_equal(world_item(12)->pr_number, 13);
    assert_int_equal(world_execution(id)->pr_number, 13);
    assert_non_null(strstr(sent(COMMENT, 0, "body"), "#13"));
    assert_string_equal(stand_in_body(world.github, ADD, 0), "{\"labels\":[\"poppo:done\"]}");
}

#define PULL(state, sha, body)                                                                    \
    "[{\"number\":99,\"html_url\":\"x\",\"state\":\"open\",\"head\":{\"ref\":\"other\",\"sha\":"  \
    "\"\"}},"                                                                                     \
    "{\"number\":13,\"html_url\":\"https://github.example/acme/site/pull/13\",\"state\":\"" state \
    "\","                                                                                         \
    "\"body\":\"" body "\",\"head\":{\"ref\":\"poppo/issue-12\",\"sha\":\"" sha "\"}}]"

TEST(an_open_pull_request_is_brought_up_to_date)
{
    world_set_execution(id, succeed);
    stand_in_forget(world.github, PULLS);
    stand_in_reply(world.github, PULLS, 200, NULL, PULL("open", SHA, "<!-- poppo:OLD -->"));
    assert_ok(show(), &err);
    assert_int_equal(stand_in_count(world.github, OPEN), 0);
    assert_non_null(strstr(sent(SET_PULL, 0, "body"), id));
    assert_int_equal(world_item(12)->pr_number, 13);
}

TEST(a_pull_request_people_rewrote_is_left_alone)
{
    world_set_execution(id, succeed);
    stand_in_forget(world.github, PULLS);
    stand_in_reply(world.github, PULLS, 200, NULL, PULL("open", SHA, "my own words"));
    assert_ok(show(), &err);
    assert_int_equal(stand_in_count(world.github, SET_PULL), 0);
    assert_int_equal(world_item(12)->pr_number, 13);
}

TEST(a_closed_pull_request_stays_closed_until_there_is_more)
{
    world_set_execution(id, succeed);
    stand_in_forget(world.github, PULLS);
    stand_in_reply(world.github, PULLS, 200, NULL, PULL("closed", SHA, ""));
    assert_ok(show(), &err);
    assert_int_equal(stand_in_count(world.github, OPEN), 0);
    forget();
    world_end();
    world_start();
    serve();
    id = world_enqueue(12, "label:issue-12:1");
    world_set_execution(id, succeed);
    stand_in_forget(world.github, PULLS);
    stand_in_reply(world.github, PULLS, 200, NULL, PULL("closed", "2222", ""));
    assert_ok(show(), &err);
    assert_int_equal(stand_in_count(world.github, OPEN), 1);
}

TEST(where_there_are_no_drafts_an_ordinary_one_is_opened)
{
    world_set_execution(id, succeed);
    stand_in_forget(world.github, OPEN);
    stand_in_reply(world.github, OPEN, 422, NULL,
                   "{\"message\":\"Draft pull requests are not supported in this repository.\"}");
    stand_in_reply(world.github, OPEN, 201, NULL,
                   "{\"number\":13,\"html_url\":\"x\",\"state\":\"open\"}");
    assert_ok(show(), &err);
    assert_non_null(strstr(stand_in_body(world.github, OPEN, 1), "\"draft\":false"));
}

TEST(a_pull_request_that_is_refused_is_said_in_the_comment_and_the_rest_goes_on)
{
    world_set_execution(id, succeed);
    stand_in_forget(world.github, OPEN);
    stand_in_reply(world.github, OPEN, 403, NULL,
                   "{\"message\":\"Resource not accessible by personal access token\"}");
    assert_refused(show(), &err, PB_ERROR_DENIED);
    assert_non_null(strstr(sent(COMMENT, 0, "body"), "no pull request could be opened"));
    assert_non_null(strstr(sent(COMMENT, 0, "body"), "Resource not accessible"));
    assert_string_equal(stand_in_body(world.github, ADD, 0), "{\"labels\":[\"poppo:done\"]}");
}

TEST(a_branch_with_nothing_new_gets_no_pull_request)
{
    world_set_execution(id, succeed);
    stand_in_forget(world.github, OPEN);
    stand_in_reply(world.github, OPEN, 422, NULL,
                   "{\"message\":\"Validation "
                   "Failed\",\"errors\":[{\"code\":\"custom\",\"message\":\"No commits between "
                   "main and poppo/issue-12\"}]}");
    assert_ok(show(), &err);
    assert_non_null(strstr(world.notes, "no pull request"));
    assert_int_equal(world_item(12)->pr_number, 0);
}

TEST(a_follow_up_that_has_begun_does_not_hide_what_was_pushed)
{
    const char *second;

    world_set_execution(id, succeed);
    second = world_enqueue(12, "comment:1");
    assert_ok(show(), &err);
    assert_int_equal(stand_in_count(world.github, OPEN), 1);
    assert_int_equal(world_execution(id)->pr_number, 13);
    assert_string_equal(stand_in_body(world.github, ADD, 0), "{\"labels\":[\"poppo:queued\"]}");
    assert_non_null(strstr(sent(COMMENT, 0, "body"), second));
}

/* Nothing of it is read from GitHub: another server could take over at any time. */
TEST(question_answer_and_earlier_results_stay_in_the_comment)
{
    const char *second;

    world_answer(id, "Which blue?", "Navy");
    world_set_execution(id, succeed);
    assert_ok(show(), &err);
    assert_non_null(strstr(sent(COMMENT, 0, "body"), "> Which blue?"));
    assert_non_null(strstr(sent(COMMENT, 0, "body"), "issuecomment-5))\n> Navy"));
    second = world_enqueue(12, "label:issue-12:2");
    world_set_execution(second, cancel);
    forget();
    stand_in_forget_requests(world.github);
    assert_ok(show(), &err);
    assert_non_null(strstr(sent(EDIT, 0, "body"), "**🚫 Cancelled** by `bob`"));
    assert_non_null(strstr(sent(EDIT, 0, "body"), "<summary>Earlier: 1</summary>"));
    assert_non_null(strstr(sent(EDIT, 0, "body"), " · Painted it.\n  - ❓ Which blue?\n"));
    assert_int_equal(stand_in_count(world.github, THREAD), 0);
}

TEST(what_runs_is_shown_while_a_follow_up_waits_behind_it)
{
    world_set_execution(id, run);
    world_enqueue(12, "comment:1");
    assert_ok(show(), &err);
    assert_string_equal(stand_in_body(world.github, ADD, 0), "{\"labels\":[\"poppo:working\"]}");
    assert_non_null(strstr(sent(COMMENT, 0, "body"), id));
}

TEST(no_changes_no_pull_request)
{
    world_set_execution(id, succeed_without_changes);
    assert_ok(show(), &err);
    assert_int_equal(stand_in_count(world.github, PULLS), 0);
    assert_non_null(strstr(sent(COMMENT, 0, "body"), "no changes were needed"));
}

TEST(cancelled_work_did_not_work_out)
{
    world_set_execution(id, cancel);
    assert_ok(show(), &err);
    assert_string_equal(stand_in_body(world.github, ADD, 0), "{\"labels\":[\"poppo:failed\"]}");
    assert_non_null(strstr(sent(COMMENT, 0, "body"), "Cancelled"));
}

TEST(a_server_without_reactions_is_asked_once)
{
    stand_in_forget(world.github, REACT);
    stand_in_forget(world.github, COMMENT);
    stand_in_reply(world.github, COMMENT, 502, NULL, "");
    stand_in_reply(world.github, COMMENT, 201, NULL, "{\"id\":77}");
    assert_refused(show(), &err, PB_ERROR_UNAVAILABLE);
    assert_ok(show(), &err);
    assert_int_equal(stand_in_count(world.github, REACT), 1);
}

TEST(a_failure_in_the_middle_is_taken_up_where_it_stopped)
{
    world_set_execution(id, succeed);
    stand_in_forget(world.github, ADD);
    stand_in_reply(world.github, ADD, 502, NULL, "");
    stand_in_reply(world.github, ADD, 200, NULL, "[]");
    assert_refused(show(), &err, PB_ERROR_UNAVAILABLE);
    assert_ok(show(), &err);
    assert_int_equal(stand_in_count(world.github, OPEN), 1);
    assert_int_equal(stand_in_count(world.github, COMMENT), 1);
    assert_int_equal(stand_in_count(world.github, ADD), 2);
}

TEST(a_label_somebody_else_made_meanwhile_is_fine)
{
    stand_in_forget(world.github, "POST " BASE "/labels");
    stand_in_reply(
        world.github, "POST " BASE "/labels", 422, NULL,
        "{\"message\":\"Validation Failed\",\"errors\":[{\"code\":\"already_exists\"}]}");
    assert_ok(show(), &err);
}

static int set_up(void **state __attribute__((unused)))
{
    world_start();
    serve();
    id = world_enqueue(12, "label:issue-12:1");
    shown = pb_github_shown_new(&err);
    assert_non_null(shown);
    return 0;
}

static int tear_down(void **state __attribute__((unused)))
{
    pb_github_shown_free(shown);
    world_end();
    return 0;
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(a_new_execution_is_seen_said_and_labelled),
        IN_WORLD(the_same_state_again_costs_no_call),
        IN_WORLD(one_comment_is_edited_as_it_goes),
        IN_WORLD(a_label_that_went_by_itself_is_fine),
        IN_WORLD(after_a_crash_the_comment_is_found_and_not_doubled),
        IN_WORLD(a_deleted_comment_is_written_again),
        IN_WORLD(pushed_work_becomes_a_draft_pull_request),
        IN_WORLD(an_open_pull_request_is_brought_up_to_date),
        IN_WORLD(a_pull_request_people_rewrote_is_left_alone),
        IN_WORLD(a_closed_pull_request_stays_closed_until_there_is_more),
        IN_WORLD(where_there_are_no_drafts_an_ordinary_one_is_opened),
        IN_WORLD(a_pull_request_that_is_refused_is_said_in_the_comment_and_the_rest_goes_on),
        IN_WORLD(a_branch_with_nothing_new_gets_no_pull_request),
        IN_WORLD(a_follow_up_that_has_begun_does_not_hide_what_was_pushed),
        IN_WORLD(question_answer_and_earlier_results_stay_in_the_comment),
        IN_WORLD(what_runs_is_shown_while_a_follow_up_waits_behind_it),
        IN_WORLD(no_changes_no_pull_request),
        IN_WORLD(cancelled_work_did_not_work_out),
        IN_WORLD(a_server_without_reactions_is_asked_once),
        IN_WORLD(a_failure_in_the_middle_is_taken_up_where_it_stopped),
        IN_WORLD(a_label_somebody_else_made_meanwhile_is_fine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
