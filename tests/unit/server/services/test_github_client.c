#include <stdio.h>
#include <string.h>

#include "github_world.h"
#include "net/http_client.h"
#include "pb_test.h"
#include "server/services/github_client.h"
#include "server/services/github_repo.h"
#include "stand_in.h"

#define TOKEN "ghp_thisisadummytokenfortests000000000000"

static struct stand_in *s;
static struct pb_http_client *http;
static struct pb_github *github;
static struct pb_github_account account;
static struct pb_github_answer answer;
static struct pb_error err;

static int get(const char *path)
{
    pb_github_answer_release(&answer);
    return pb_github_get(github, &account, path, &answer, &err);
}

TEST(a_call_carries_what_github_wants)
{
    stand_in_reply(s, "GET /user", 200, "Content-Type: application/json", "{\"login\":\"poppo\"}");
    assert_ok(get("/user"), &err);
    assert_int_equal(answer.status, 200);
    assert_string_equal(pb_json_text(answer.json, "login", ""), "poppo");
    assert_string_equal(stand_in_header(s, "GET /user", 0, "authorization"), "Bearer " TOKEN);
    assert_string_equal(stand_in_header(s, "GET /user", 0, "accept"),
                        "application/vnd.github+json");
    assert_string_equal(stand_in_header(s, "GET /user", 0, "x-github-api-version"), "2022-11-28");
    assert_string_equal(stand_in_header(s, "GET /user", 0, "user-agent"), "poppo-test");
    assert_string_equal(stand_in_header(s, "GET /user", 0, "content-type"), "");
}

TEST(a_base_address_with_a_path_is_kept)
{
    struct pb_github_account ghes;
    char url[128];

    snprintf(url, sizeof(url), "%s/api/v3/", stand_in_url(s));
    assert_ok(pb_github_account_init(&ghes, url, TOKEN, NULL, &err), &err);
    stand_in_reply(s, "GET /api/v3/user", 200, NULL, "{}");
    assert_ok(pb_github_get(github, &ghes, "/user", &answer, &err), &err);
    pb_github_account_release(&ghes);
}

TEST(a_write_carries_its_body)
{
    stand_in_reply(s, "POST /x", 201, NULL, "{\"id\":7}");
    assert_ok(pb_github_call(github, &account,
                             &(struct pb_github_call){.kind = PB_GITHUB_WRITE,
                                                      .method = "POST",
                                                      .path = "/x",
                                                      .body = "{\"a\":1}",
                                                      .body_len = 7},
                             &answer, &err),
              &err);
    assert_string_equal(stand_in_body(s, "POST /x", 0), "{\"a\":1}");
    assert_string_equal(stand_in_header(s, "POST /x", 0, "content-type"), "application/json");
}

TEST(every_refusal_has_its_type)
{
    static const struct {
        int status;
        const char *headers;
        const char *body;
        enum pb_error_code code;
        const char *reason;
        bool temporary;
    } ROWS[] = {
        {401, NULL, "{\"message\":\"Bad credentials\"}", PB_ERROR_UNAUTHENTICATED, "github_token",
         false},
        {403, NULL, "{\"message\":\"Resource not accessible by personal access token\"}",
         PB_ERROR_DENIED, "github_denied", false},
        {404, NULL, "{\"message\":\"Not Found\"}", PB_ERROR_NOT_FOUND, "github_missing", false},
        {410, NULL, "{\"message\":\"Issues are disabled for this repo\"}", PB_ERROR_NOT_FOUND,
         "github_gone", false},
        {451, NULL, "{\"message\":\"Repository access blocked\"}", PB_ERROR_DENIED, "github_denied",
         false},
        {409, NULL, "{\"message\":\"Git Repository is empty.\"}", PB_ERROR_CONFLICT,
         "github_conflict", false},
        {422, NULL,
         "{\"message\":\"Validation "
         "Failed\",\"errors\":[{\"resource\":\"Label\",\"code\":\"already_exists\","
         "\"field\":\"name\"}]}",
         PB_ERROR_CONFLICT, "github_exists", false},
        {422, NULL,
         "{\"message\":\"Validation "
         "Failed\",\"errors\":[{\"resource\":\"PullRequest\",\"code\":\"custom\","
         "\"message\":\"A pull request already exists for acme:poppo/issue-1.\"}]}",
         PB_ERROR_CONFLICT, "github_exists", false},
        {422, NULL,
         "{\"message\":\"Validation "
         "Failed\",\"errors\":[{\"resource\":\"PullRequest\",\"code\":\"custom\","
         "\"message\":\"No commits between main and poppo/issue-1\"}]}",
         PB_ERROR_UNPROCESSABLE, "github_no_commits", false},
        {422, NULL, "{\"message\":\"Draft pull requests are not supported in this repository.\"}",
         PB_ERROR_UNPROCESSABLE, "github_no_draft", false},
        {422, NULL,
         "{\"message\":\"Validation "
         "Failed\",\"errors\":[{\"code\":\"unprocessable\",\"message\":\"Body is too "
         "long\"}]}",
         PB_ERROR_UNPROCESSABLE, "github_refused", false},
        {500, NULL, "oops", PB_ERROR_UNAVAILABLE, "github_down", true},
        {502, "Content-Type: text/html", "<html><h1>502 Bad Gateway</h1>", PB_ERROR_UNAVAILABLE,
         "github_down", true},
        {200, "Content-Type: text/html", "<html>a captive portal</html>", PB_ERROR_UNREACHABLE,
         "github_not_json", true},
        {301, NULL, "{\"message\":\"Moved Permanently\"}", PB_ERROR_UNPROCESSABLE, "github_refused",
         false},
        {302, "Location: https://evil.example/x", "", PB_ERROR_UNREACHABLE, "github_moved_away",
         false},
        {0, NULL, "", PB_ERROR_UNREACHABLE, "cut", true},
    };

    for (size_t i = 0; i < COUNT(ROWS); i++) {
        stand_in_reply(s, "GET /row", ROWS[i].status, ROWS[i].headers, ROWS[i].body);
        assert_refused(get("/row"), &err, ROWS[i].code);
        assert_string_equal(err.reason, ROWS[i].reason);
        assert_int_equal(pb_github_is_temporary(&err), ROWS[i].temporary);
        assert_null(strstr(err.message, TOKEN));
        stand_in_forget(s, "GET /row");
    }
}

TEST(an_error_says_where_and_why_in_one_line)
{
    stand_in_reply(s, "GET /repos/acme/site/issues", 422, NULL,
                   "{\"message\":\"Validation\\nFailed\\u001b[31m\",\"errors\":[{\"code\":"
                   "\"missing\"},\"odd\"]}");
    assert_refused(get("/repos/acme/site/issues?labels=x"), &err, PB_ERROR_UNPROCESSABLE);
    assert_string_equal(err.message,
                        "GitHub GET /repos/acme/site/issues: Validation Failed[31m: missing; ?");
}

TEST(limits_are_told_from_refusals)
{
    static const struct {
        int status;
        const char *headers;
        const char *body;
    } ROWS[] = {
        {403, "Retry-After: 70", "{\"message\":\"You have exceeded a secondary rate limit.\"}"},
        {429, "Retry-After: 70", "{}"},
        {429, NULL, "slow down"},
        {403, "x-ratelimit-remaining: 0\nx-ratelimit-reset: 99999999999",
         "{\"message\":\"API rate limit exceeded for user ID 1.\"}"},
        {403, "x-ratelimit-remaining: 4000",
         "{\"message\":\"You have exceeded a secondary rate limit\"}"},
    };

    for (size_t i = 0; i < COUNT(ROWS); i++) {
        struct pb_github_account other;
        char token[32];

        snprintf(token, sizeof(token), "token-%zu", i);
        assert_ok(pb_github_account_init(&other, stand_in_url(s), token, NULL, &err), &err);
        stand_in_reply(s, "GET /row", ROWS[i].status, ROWS[i].headers, ROWS[i].body);
        assert_refused(pb_github_get(github, &other, "/row", &answer, &err), &err,
                       PB_ERROR_LIMITED);
        assert_string_equal(err.reason, "github_limited");
        assert_true(pb_github_retry_at(github, &other, PB_GITHUB_READ) > 0);
        stand_in_forget(s, "GET /row");
        stand_in_forget_requests(s);
        assert_refused(pb_github_get(github, &other, "/user", &answer, &err), &err,
                       PB_ERROR_LIMITED);
        assert_int_equal(stand_in_total(s), 0);
    }
    assert_int_equal(pb_github_retry_at(github, &account, PB_GITHUB_READ), 0);
}

TEST(a_moved_repository_is_followed_on_its_server)
{
    stand_in_reply(s, "GET /repos/acme/old", 301, "Location: {url}/repositories/42",
                   "{\"message\":\"Moved\"}");
    stand_in_reply(s, "GET /repositories/42", 200, NULL, "{\"full_name\":\"acme/new\"}");
    assert_ok(get("/repos/acme/old"), &err);
    assert_true(answer.moved);
    assert_string_equal(pb_json_text(answer.json, "full_name", ""), "acme/new");
    stand_in_reply(s, "PATCH /repos/acme/old/issues/comments/1", 307,
                   "Location: /repositories/42/issues/comments/1", "");
    stand_in_reply(s, "PATCH /repositories/42/issues/comments/1", 200, NULL, "{\"id\":1}");
    pb_github_answer_release(&answer);
    assert_ok(pb_github_call(github, &account,
                             &(struct pb_github_call){.kind = PB_GITHUB_WRITE,
                                                      .method = "PATCH",
                                                      .path = "/repos/acme/old/issues/comments/1",
                                                      .body = "{}",
                                                      .body_len = 2},
                             &answer, &err),
              &err);
    assert_string_equal(stand_in_body(s, "PATCH /repositories/42/issues/comments/1", 0), "{}");
}

TEST(circles_end)
{
    stand_in_reply(s, "GET /a", 301, "Location: {url}/b", "");
    stand_in_reply(s, "GET /b", 301, "Location: {url}/a", "");
    assert_refused(get("/a"), &err, PB_ERROR_UNREACHABLE);
    assert_string_equal(err.reason, "github_moved_away");
    assert_int_equal(stand_in_total(s), 4);
}

TEST(a_text_json_cannot_hold_does_not_spoil_the_answer)
{
    stand_in_reply(s, "GET /issue", 200, NULL,
                   "{\"body\":\"a\\u0000b\\ud800\",\"number\":12345678901}");
    assert_ok(get("/issue"), &err);
    assert_string_equal(pb_json_text(answer.json, "body", ""), "a\ufffdb\ufffd");
    assert_true(pb_json_int(answer.json, "number", 0) == 12345678901);
}

TEST(accounts_with_odd_values_are_refused)
{
    struct pb_github_account bad;

    assert_refused(pb_github_account_init(&bad, "ftp://x", TOKEN, NULL, &err), &err,
                   PB_ERROR_INVALID);
    assert_string_equal(err.field, "github_api_url");
    assert_refused(pb_github_account_init(&bad, "https://x", "a\nb", NULL, &err), &err,
                   PB_ERROR_INVALID);
    assert_string_equal(err.field, "github_token");
    assert_null(strstr(err.message, "a\nb"));
    assert_refused(pb_github_account_init(&bad, "https://x", "", NULL, &err), &err,
                   PB_ERROR_INVALID);
}

/* --- pages and the cache, with a store ------------------------------------------------------------------ */

static size_t pages;

static int count_page(void *arg, const struct pb_json *array, bool *stop, struct pb_error *page_err)
{
    size_t *items = arg;

    (void)stop;
    (void)page_err;
    pages++;
    *items += pb_json_count(array);
    return 0;
}

TEST(pages_are_followed_verbatim)
{
    struct pb_github_repo repo;
    size_t items = 0;

    pages = 0;
    stand_in_reply(s, "GET /repos/acme/site/issues?page=1", 200,
                   "Link: <{url}/repositories/1/issues?after=abc%3D>; rel=\"next\"", "[{},{}]");
    stand_in_reply(s, "GET /repositories/1/issues?after=abc%3D", 200, NULL, "[{}]");
    assert_ok(pb_github_repo_open(&repo, github, stand_in_url(s), TOKEN, NULL, "acme", "site",
                                  &err),
              &err);
    assert_ok(pb_github_repo_pages(&repo,
                                   &(struct pb_github_call){.kind = PB_GITHUB_READ,
                                                            .method = "GET",
                                                            .path = "/issues?page=1"},
                                   count_page, &items, &err),
              &err);
    assert_int_equal(items, 3);
    assert_int_equal(pages, 2);
    pb_github_repo_close(&repo);
}

TEST(a_page_elsewhere_is_not_followed)
{
    struct pb_github_repo repo;
    size_t items = 0;

    stand_in_reply(s, "GET /repos/acme/site/issues", 200,
                   "Link: <https://evil.example/2>; rel=\"next\"", "[]");
    assert_ok(pb_github_repo_open(&repo, github, stand_in_url(s), TOKEN, NULL, "acme", "site",
                                  &err),
              &err);
    assert_refused(pb_github_repo_pages(&repo,
                                        &(struct pb_github_call){.kind = PB_GITHUB_READ,
                                                                 .method = "GET",
                                                                 .path = "/issues"},
                                        count_page, &items, &err),
                   &err, PB_ERROR_UNREACHABLE);
    pb_github_repo_close(&repo);
}

TEST(names_that_would_leave_the_path_are_refused)
{
    static const char *const BAD[] = {"", ".", "..", "a/b", "a?b", "a b", "ä"};
    struct pb_github_repo repo;

    for (size_t i = 0; i < COUNT(BAD); i++) {
        assert_refused(pb_github_repo_open(&repo, github, "https://x", TOKEN, NULL, BAD[i], "site",
                                           &err),
                       &err, PB_ERROR_INVALID);
        assert_string_equal(err.field, "github_owner");
        assert_refused(pb_github_repo_open(&repo, github, "https://x", TOKEN, NULL, "acme", BAD[i],
                                           &err),
                       &err, PB_ERROR_INVALID);
        assert_string_equal(err.field, "github_repo");
    }
}

TEST(an_unchanged_list_costs_nothing_and_is_still_a_list)
{
    static const char PATH[] = "GET /repos/acme/site/issues";
    struct pb_github_call call = {.kind = PB_GITHUB_POLL,
                                  .method = "GET",
                                  .path = "/issues",
                                  .cached = true};
    struct pb_github_repo repo;
    size_t items = 0;

    world_start();
    assert_ok(pb_github_repo_open(&repo, world.platform.github, stand_in_url(s), TOKEN, "site",
                                  "acme", "site", &err),
              &err);
    stand_in_reply(s, PATH, 200, "ETag: W/\"one\"\nLink: <{url}/page2>; rel=\"next\"",
                   "[{\"title\":\"日本\"}]");
    stand_in_reply(s, "GET /page2", 200, "ETag: W/\"two\"", "[{}]");
    assert_ok(pb_github_repo_pages(&repo, &call, count_page, &items, &err), &err);
    assert_string_equal(stand_in_header(s, PATH, 0, "if-none-match"), "");
    stand_in_forget(s, PATH);
    stand_in_forget(s, "GET /page2");
    stand_in_reply(s, PATH, 304, NULL, "");
    stand_in_reply(s, "GET /page2", 304, NULL, "");
    items = 0;
    assert_ok(pb_github_repo_pages(&repo, &call, count_page, &items, &err), &err);
    assert_int_equal(items, 2);
    assert_string_equal(stand_in_header(s, PATH, 1, "if-none-match"), "W/\"one\"");
    assert_string_equal(stand_in_header(s, "GET /page2", 1, "if-none-match"), "W/\"two\"");
    pb_github_repo_close(&repo);
    /* another token has another view: nothing of the first one's is used */
    assert_ok(pb_github_repo_open(&repo, world.platform.github, stand_in_url(s), "other", "site",
                                  "acme", "site", &err),
              &err);
    stand_in_forget(s, PATH);
    stand_in_reply(s, PATH, 200, NULL, "[]");
    assert_ok(pb_github_repo_pages(&repo, &call, count_page, &items, &err), &err);
    assert_string_equal(stand_in_header(s, PATH, 2, "if-none-match"), "");
    pb_github_repo_close(&repo);
    world_end();
}

static int set_up(void **state __attribute__((unused)))
{
    s = stand_in_start();
    http = pb_http_client_new("poppo-test", NULL, &err);
    assert_non_null(http);
    github = pb_github_new(&(struct pb_github_options){.http = http}, &err);
    assert_non_null(github);
    assert_ok(pb_github_account_init(&account, stand_in_url(s), TOKEN, NULL, &err), &err);
    return 0;
}

static int tear_down(void **state __attribute__((unused)))
{
    pb_github_answer_release(&answer);
    pb_github_account_release(&account);
    pb_github_free(github);
    pb_http_client_free(http);
    stand_in_stop(s);
    return 0;
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(a_call_carries_what_github_wants),
        WITH_SERVER(a_base_address_with_a_path_is_kept),
        WITH_SERVER(a_write_carries_its_body),
        WITH_SERVER(every_refusal_has_its_type),
        WITH_SERVER(an_error_says_where_and_why_in_one_line),
        WITH_SERVER(limits_are_told_from_refusals),
        WITH_SERVER(a_moved_repository_is_followed_on_its_server),
        WITH_SERVER(circles_end),
        WITH_SERVER(a_text_json_cannot_hold_does_not_spoil_the_answer),
        WITH_SERVER(accounts_with_odd_values_are_refused),
        WITH_SERVER(pages_are_followed_verbatim),
        WITH_SERVER(a_page_elsewhere_is_not_followed),
        WITH_SERVER(names_that_would_leave_the_path_are_refused),
        WITH_SERVER(an_unchanged_list_costs_nothing_and_is_still_a_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
