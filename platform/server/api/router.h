/*
 * From a request on the loop to a handler on a pool thread and back.
 *
 * The route table is routes.def; the order of checks is the same for every
 * row: path, method, who, permission, body, handler. Paths outside /api are
 * the web UI's files and are answered on the loop.
 */
#ifndef PB_SERVER_API_ROUTER_H
#define PB_SERVER_API_ROUTER_H

#include <stddef.h>

#include "base/error.h"
#include "model/user.h"
#include "net/http_server.h"

struct pb_platform;
struct pb_router;
struct pb_static_files;

/* files may be NULL: then only the API is served. */
struct pb_router *pb_router_new(struct pb_platform *platform, struct pb_static_files *files,
                                struct pb_error *err) PB_MUST_CHECK;
void pb_router_free(struct pb_router *router); /* after the pools have ended */

/* The handler for pb_http_server_options; arg is the router. */
void pb_router_handle(void *arg, struct pb_http_exchange *exchange);

/* The table, for tests and for the list of routes in the docs. */
struct pb_route_info {
    const char *method;
    const char *path;
    enum pb_permission permission;
};
size_t pb_router_routes(struct pb_route_info *ret_routes, size_t max);

/* Which row answers: its index, or -1 with *ret_status 404 or 405. Where the path's {id} lies in `path`
 * (undecoded). */
int pb_router_match(const char *method, const char *path, const char **ret_id, size_t *ret_id_len,
                    int *ret_status);

#endif
