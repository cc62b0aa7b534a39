#include <stdio.h>
#include <string.h>

#include "pb_test.h"
#include "server/api/router.h"

enum { ROUTES_MAX = 200 };

static const char *matched(const char *method, const char *path, char ret_id[64], int *ret_status)
{
    static struct pb_route_info routes[ROUTES_MAX];
    const char *id = NULL;
    size_t len = 0;
    int row = pb_router_match(method, path, &id, &len, ret_status);

    (void)pb_router_routes(routes, ROUTES_MAX);
    (void)snprintf(ret_id, 64, "%.*s", (int)len, id ? id : "");
    return row < 0 ? NULL : routes[row].path;
}

TEST(paths_find_their_row_and_their_id)
{
    static const struct {
        const char *method, *path, *pattern, *id;
    } CASES[] = {
        {"GET", "/api/projects", "/api/projects", ""},
        {"HEAD", "/api/projects", "/api/projects", ""},
        {"GET", "/api/projects/site", "/api/projects/{id}", "site"},
        {"POST", "/api/projects/site/start", "/api/projects/{id}/start", "site"},
        {"GET", "/api/executions/01J/log/raw", "/api/executions/{id}/log/raw", "01J"},
        {"GET", "/api/projects/a%2Fb", "/api/projects/{id}", "a%2Fb"},
    };
    char id[64];
    int status;

    for (size_t i = 0; i < COUNT(CASES); i++) {
        const char *found = matched(CASES[i].method, CASES[i].path, id, &status);

        assert_non_null(found);
        assert_string_equal(found, CASES[i].pattern);
        assert_string_equal(id, CASES[i].id);
    }
}

TEST(what_is_no_route_is_404_and_a_wrong_method_405)
{
    static const struct {
        const char *method, *path;
        int status;
    } CASES[] = {
        {"GET", "/api", 404},
        {"GET", "/api/project", 404},
        {"GET", "/api/projects/", 404},
        {"GET", "/api/projectsx", 404},
        {"GET", "/api/projects//start", 404},
        {"POST", "/api/projects/a/start/b", 404},
        {"PUT", "/api/projects", 405},
        {"GET", "/api/projects/a/start", 405},
        {"POST", "/healthz", 405},
        {"get", "/api/projects", 405},
    };
    char id[64];
    int status;

    for (size_t i = 0; i < COUNT(CASES); i++) {
        assert_null(matched(CASES[i].method, CASES[i].path, id, &status));
        assert_int_equal(status, CASES[i].status);
    }
}

/* The list of what is open to everybody is short, and written twice on purpose. */
TEST(only_these_routes_are_public)
{
    static const char *const PUBLIC[] = {"/healthz",          "/readyz",          "/metrics",
                                         "/api/setup",        "/api/setup",       "/api/auth/login",
                                         "/api/auth/refresh", "/api/auth/logout", "/api/ws",
                                         "/api/events",       "/api/node/ws"};
    struct pb_route_info routes[ROUTES_MAX];
    size_t count = pb_router_routes(routes, ROUTES_MAX);
    size_t open = 0;

    assert_true(count < ROUTES_MAX);
    for (size_t i = 0; i < count; i++) {
        if (routes[i].permission != PB_PERMIT_PUBLIC)
            continue;
        assert_true(open < COUNT(PUBLIC));
        assert_string_equal(routes[i].path, PUBLIC[open++]);
    }
    assert_int_equal(open, COUNT(PUBLIC));
}

TEST(a_viewer_may_only_look)
{
    struct pb_route_info routes[ROUTES_MAX];
    size_t count = pb_router_routes(routes, ROUTES_MAX);

    for (size_t i = 0; i < count; i++) {
        bool harmless = strcmp(routes[i].method, "GET") == 0 ||
                        strcmp(routes[i].path, "/api/me") == 0 ||
                        strcmp(routes[i].path, "/api/ws/ticket") == 0 ||
                        routes[i].permission == PB_PERMIT_PUBLIC;

        if (pb_role_may(PB_ROLE_VIEWER, routes[i].permission) != harmless)
            fail_msg("%s %s", routes[i].method, routes[i].path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_find_their_row_and_their_id),
        cmocka_unit_test(what_is_no_route_is_404_and_a_wrong_method_405),
        cmocka_unit_test(only_these_routes_are_public),
        cmocka_unit_test(a_viewer_may_only_look),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
