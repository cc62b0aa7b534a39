#include <string.h>

#include "github_world.h"
#include "pb_test.h"
#include "server/services/github_check.h"

#define REPO   "GET /repos/acme/site"
#define BRANCH "GET /repos/acme/site/branches/main"
#define ISSUES "GET /repos/acme/site/issues"
#define GOOD                                                                  \
    "{\"name\":\"site\",\"full_name\":\"acme/"                                \
    "site\",\"owner\":{\"login\":\"acme\"},\"private\":true,"                 \
    "\"default_branch\":\"main\",\"html_url\":\"https://github.example/acme/" \
    "site\",\"has_issues\":true,"                                             \
    "\"permissions\":{\"push\":true,\"pull\":true}}"

static struct pb_github_check check;
static struct pb_error err;

static void serve(int status, const char *headers, const char *body)
{
    stand_in_reply(world.github, REPO, status, headers, body);
    stand_in_reply(world.github, BRANCH, 200, NULL, "{\"name\":\"main\"}");
    stand_in_reply(world.github, ISSUES, 200, NULL, "[]");
}

static void look(void)
{
    assert_ok(pb_github_check(world.platform.github,
                              &(struct pb_github_check_request){.api_url =
                                                                    stand_in_url(world.github),
                                                                .token = WORLD_TOKEN,
                                                                .owner = "acme",
                                                                .repo = "site"},
                              &world.arena, &check, &err),
              &err);
    for (size_t i = 0; i < check.count; i++) {
        const struct pb_check_row *row = &check.rows[i];

        assert_true(*row->message_en && *row->message_ja);
        assert_true(strcmp(row->state, "ok") == 0 || (row->fix_en && row->fix_ja));
        assert_null(strstr(row->message_en, WORLD_TOKEN));
    }
}

/* The state of one row, "" when there is none. */
static const char *state_of(const char *name)
{
    for (size_t i = 0; i < check.count; i++)
        if (strcmp(check.rows[i].name, name) == 0)
            return check.rows[i].state;
    return "";
}

TEST(a_good_classic_token_passes_everything)
{
    serve(200, "X-OAuth-Scopes: repo, workflow", GOOD);
    look();
    assert_true(check.ok);
    assert_int_equal(check.count, 7);
    for (size_t i = 0; i < check.count; i++)
        assert_string_equal(check.rows[i].state, "ok");
    assert_true(check.has_repository);
    assert_string_equal(check.full_name, "acme/site");
    assert_string_equal(check.default_branch, "main");
    assert_true(check.is_private);
    assert_false(check.is_empty);
}

TEST(a_classic_token_without_scope_is_refused_at_writing)
{
    serve(200, "X-OAuth-Scopes: public_repo", GOOD);
    look();
    assert_false(check.ok);
    assert_string_equal(state_of("contents"), "error");
    assert_string_equal(state_of("pull_requests"), "error");
    assert_string_equal(state_of("labels"), "error");
    assert_string_equal(state_of("issues"), "ok");
}

TEST(what_a_fine_grained_token_may_is_said_to_be_unknown)
{
    serve(200, NULL, GOOD);
    look();
    assert_true(check.ok);
    assert_string_equal(state_of("contents"), "warning");
}

TEST(a_reader_s_token_is_not_enough)
{
    serve(200, NULL,
          "{\"name\":\"site\",\"full_name\":\"acme/site\",\"permissions\":{\"push\":false}}");
    look();
    assert_false(check.ok);
    assert_string_equal(state_of("contents"), "error");
}

TEST(a_wrong_token_is_named_as_such)
{
    serve(401, NULL, "{\"message\":\"Bad credentials\"}");
    look();
    assert_false(check.ok);
    assert_false(check.has_repository);
    assert_string_equal(state_of("reachable"), "ok");
    assert_string_equal(state_of("token"), "error");
    assert_string_equal(state_of("repository"), "");
}

TEST(an_unknown_repository_is_named_as_such)
{
    serve(404, NULL, "{\"message\":\"Not Found\"}");
    look();
    assert_string_equal(state_of("token"), "ok");
    assert_string_equal(state_of("repository"), "error");
}

TEST(what_is_not_github_is_not_reached)
{
    serve(200, "Content-Type: text/html", "<html>hello");
    look();
    assert_string_equal(state_of("reachable"), "error");
    assert_int_equal(check.count, 1);
    stand_in_forget(world.github, REPO);
    stand_in_reply(world.github, REPO, 502, NULL, "");
    look();
    assert_string_equal(state_of("reachable"), "error");
}

TEST(an_empty_repository_is_a_warning)
{
    serve(200, "X-OAuth-Scopes: repo", GOOD);
    stand_in_forget(world.github, BRANCH);
    look();
    assert_true(check.ok);
    assert_true(check.is_empty);
    assert_string_equal(state_of("repository"), "warning");
}

TEST(contents_that_cannot_be_read_cannot_be_written)
{
    serve(200, NULL, GOOD);
    stand_in_forget(world.github, BRANCH);
    stand_in_reply(world.github, BRANCH, 403, NULL, "{\"message\":\"Resource not accessible\"}");
    look();
    assert_string_equal(state_of("contents"), "error");
    assert_string_equal(state_of("pull_requests"), "warning");
}

TEST(archived_and_issueless_repositories_are_errors)
{
    serve(200, NULL,
          "{\"name\":\"site\",\"full_name\":\"acme/site\",\"archived\":true,\"has_issues\":false}");
    look();
    assert_string_equal(state_of("repository"), "error");
    assert_string_equal(state_of("issues"), "error");
}

TEST(a_new_name_is_told)
{
    serve(301, "Location: {url}/repositories/1", "{}");
    stand_in_reply(world.github, "GET /repositories/1", 200, "X-OAuth-Scopes: repo",
                   "{\"name\":\"portal\",\"full_name\":\"acme/portal\",\"size\":1}");
    look();
    assert_string_equal(state_of("repository"), "warning");
}

TEST(malformed_input_is_no_check)
{
    assert_refused(pb_github_check(world.platform.github,
                                   &(struct pb_github_check_request){.api_url =
                                                                         stand_in_url(world.github),
                                                                     .token = WORLD_TOKEN,
                                                                     .owner = "ac/me",
                                                                     .repo = "site"},
                                   &world.arena, &check, &err),
                   &err, PB_ERROR_INVALID);
    assert_string_equal(err.field, "github_owner");
    assert_int_equal(stand_in_total(world.github), 0);
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
        IN_WORLD(a_good_classic_token_passes_everything),
        IN_WORLD(a_classic_token_without_scope_is_refused_at_writing),
        IN_WORLD(what_a_fine_grained_token_may_is_said_to_be_unknown),
        IN_WORLD(a_reader_s_token_is_not_enough),
        IN_WORLD(a_wrong_token_is_named_as_such),
        IN_WORLD(an_unknown_repository_is_named_as_such),
        IN_WORLD(what_is_not_github_is_not_reached),
        IN_WORLD(an_empty_repository_is_a_warning),
        IN_WORLD(contents_that_cannot_be_read_cannot_be_written),
        IN_WORLD(archived_and_issueless_repositories_are_errors),
        IN_WORLD(a_new_name_is_told),
        IN_WORLD(malformed_input_is_no_check),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
