#include "pb_test.h"
#include "server/services/platform.h"
#include "server/services/repository_url.h"

TEST(git_and_pages_are_found_from_the_apis_address)
{
    static const struct {
        const char *api, *project_git, *platform_git, *page;
    } CASES[] = {
        {"https://api.github.com", NULL, "", "https://github.com/octo/app"},
        {"https://api.github.com/", NULL, "", "https://github.com/octo/app"},
        {"https://git.example/api/v3", NULL, "", "https://git.example/octo/app"},
        {"https://git.example/api/v3/", "", "", "https://git.example/octo/app"},
        {"http://127.0.0.1:9", NULL, "", "http://127.0.0.1:9/octo/app"},
        {"https://api.github.com", NULL, "http://mirror/", "http://mirror/octo/app"},
        {"https://api.github.com", "http://own", "http://mirror", "http://own/octo/app"},
    };

    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct pb_platform_settings settings = {.github_git_url = CASES[i].platform_git};
        struct pb_project project = {.github_owner = "octo",
                                     .github_repo = "app",
                                     .github_api_url = CASES[i].api,
                                     .github_git_url = CASES[i].project_git};
        struct pb_arena arena;

        pb_arena_init(&arena, 64 << 10);
        assert_string_equal(pb_repository_page(&settings, &project, &arena), CASES[i].page);
        assert_non_null(pb_repository_clone(&settings, &project, &arena));
        pb_arena_release(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(git_and_pages_are_found_from_the_apis_address)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
