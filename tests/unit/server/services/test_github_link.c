#include <stdlib.h>
#include <string.h>

#include "pb_test.h"
#include "server/services/github_link.h"

TEST(github_s_own_header_is_read)
{
    /* as recorded from api.github.com: pages use numeric repository ids */
    static const char HEADER[] =
        "<https://api.github.com/repositories/1000/issues?per_page=3&page=2>; rel=\"next\", "
        "<https://api.github.com/repositories/1000/issues?per_page=3&page=5>; rel=\"last\"";
    char *next = NULL;
    char *prev = NULL;
    char *last = NULL;

    assert_int_equal(pb_github_link_read(HEADER, &next, &prev, &last), 0);
    assert_string_equal(next, "https://api.github.com/repositories/1000/issues?per_page=3&page=2");
    assert_string_equal(last, "https://api.github.com/repositories/1000/issues?per_page=3&page=5");
    assert_null(prev);
    free(next);
    free(last);
}

TEST(what_cannot_be_understood_is_no_page)
{
    static const char *const ODD[] = {"",
                                      "rel=\"next\"",
                                      "<http://x/2>",
                                      "<http",
                                      "<http://x/2>; rel=\"nextish\"",
                                      "<>; rel=\"other\"",
                                      "<http://x/2>; title=\"next\""};
    char *next = NULL;
    char *prev = NULL;
    char *last = NULL;

    assert_int_equal(pb_github_link_read(NULL, &next, &prev, &last), 0);
    for (size_t i = 0; i < COUNT(ODD); i++)
        assert_int_equal(pb_github_link_read(ODD[i], &next, &prev, &last), 0);
    assert_null(next);
    assert_null(prev);
    assert_null(last);
}

TEST(unquoted_and_repeated_relations_are_read)
{
    char *next = NULL;
    char *prev = NULL;
    char *last = NULL;

    assert_int_equal(
        pb_github_link_read(
            "<http://x/1>; rel=prev, <http://x/3>;rel=\"next\", <http://x/4>; rel=\"next\"", &next,
            &prev, &last),
        0);
    assert_string_equal(prev, "http://x/1");
    assert_string_equal(next, "http://x/4");
    free(next);
    free(prev);
}

TEST(a_token_stays_on_its_server)
{
    assert_true(
        pb_github_link_same_origin("https://ghe.example/api/v3", "https://GHE.example/x?y"));
    assert_false(pb_github_link_same_origin("https://ghe.example", "http://ghe.example/x"));
    assert_false(pb_github_link_same_origin("https://ghe.example", "https://ghe.example:8443/x"));
    assert_false(pb_github_link_same_origin("https://ghe.example", "https://ghe.example.evil/x"));
    assert_false(pb_github_link_same_origin("https://ghe.example", "https://ghe.example@evil/x"));
    assert_false(pb_github_link_same_origin("https://ghe.example", "//ghe.example/x"));
    assert_false(pb_github_link_same_origin("", ""));
}

TEST(a_path_is_put_on_the_server)
{
    struct pb_arena arena;

    pb_arena_init(&arena, 4096);
    assert_string_equal(pb_github_link_resolve(&arena, "https://ghe.example/api/v3",
                                               "/repositories/1"),
                        "https://ghe.example/repositories/1");
    pb_arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(github_s_own_header_is_read),
        cmocka_unit_test(what_cannot_be_understood_is_no_page),
        cmocka_unit_test(unquoted_and_repeated_relations_are_read),
        cmocka_unit_test(a_token_stays_on_its_server),
        cmocka_unit_test(a_path_is_put_on_the_server),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
