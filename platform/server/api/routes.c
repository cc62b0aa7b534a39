#include <string.h>

#include "server/api/request_stats.h"
#include "server/api/route_private.h"
#include "server/api/router.h"

#define BODY_BEGIN(schema) static const struct pb_body_member BODY_##schema[] = {
#define MEMBER(name, kind, required, nullable, min, max, words) \
    {name, PB_BODY_##kind, required, nullable, min, max, words},
#define BODY_END                                     \
    {                                                \
        NULL, PB_BODY_TEXT, false, false, 0, 0, NULL \
    }                                                \
    }                                                \
    ;
#define ROUTE(...)
#include "server/api/routes.def"
#undef BODY_BEGIN
#undef MEMBER
#undef BODY_END
#undef ROUTE

const struct route PB_ROUTES[] = {
#define BODY_BEGIN(schema)
#define MEMBER(...)
#define BODY_END
#define ROUTE(method, path, permission, pool, handler, body) \
    {#method, path, PB_PERMIT_##permission, ROUTE_##pool, handler, body},
#include "server/api/routes.def"
#undef BODY_BEGIN
#undef MEMBER
#undef BODY_END
#undef ROUTE
};

enum { ROUTE_COUNT = sizeof(PB_ROUTES) / sizeof(PB_ROUTES[0]) };

_Static_assert(sizeof(PB_ROUTES) / sizeof(PB_ROUTES[0]) <= (size_t)PB_REQUESTS_ROUTES,
               "each is counted");

size_t pb_router_routes(struct pb_route_info *ret_routes, size_t max)
{
    for (size_t i = 0; i < ROUTE_COUNT && i < max; i++)
        ret_routes[i] =
            (struct pb_route_info){PB_ROUTES[i].method, PB_ROUTES[i].path, PB_ROUTES[i].permission};
    return ROUTE_COUNT;
}

/* "{id}" in a pattern stands for one path segment that is not empty. */
static bool path_matches(const char *pattern, const char *path, const char **ret_id,
                         size_t *ret_len)
{
    *ret_id = NULL;
    *ret_len = 0;
    while (*pattern && *path) {
        if (*pattern == '{') {
            *ret_id = path;
            *ret_len = strcspn(path, "/");
            if (*ret_len == 0)
                return false;
            pattern = strchr(pattern, '}') + 1;
            path += *ret_len;
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return *pattern == *path;
}

int pb_router_match(const char *method, const char *path, const char **ret_id, size_t *ret_id_len,
                    int *ret_status)
{
    const char *wanted = strcmp(method, "HEAD") == 0 ? "GET" : method;

    *ret_status = 404;
    for (int i = 0; i < ROUTE_COUNT; i++) {
        if (!path_matches(PB_ROUTES[i].path, path, ret_id, ret_id_len))
            continue;
        if (strcmp(PB_ROUTES[i].method, wanted) == 0)
            return i;
        *ret_status = 405;
    }
    return -1;
}
