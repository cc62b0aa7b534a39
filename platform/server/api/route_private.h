/* The rows of routes.def, shared by routes.c, which finds them, and router.c, which follows them. */
#ifndef PB_SERVER_API_ROUTE_PRIVATE_H
#define PB_SERVER_API_ROUTE_PRIVATE_H

#include "model/user.h"
#include "server/api/body.h"
#include "server/api/handlers.h"

/* Where its handler runs: on the loop itself (never waits for anything), or in one of two pools. */
enum route_pool { ROUTE_LOOP, ROUTE_QUICK, ROUTE_SLOW };

struct route {
    const char *method;
    const char *path;
    enum pb_permission permission;
    enum route_pool pool;
    pb_handler *handler;
    const struct pb_body_member *body;
};

extern const struct route PB_ROUTES[]; /* by the index of pb_router_match() */

#endif
