/* The handlers of routes.def, one per route; each *_api.c has those of its subject. */
#ifndef PB_SERVER_API_HANDLERS_H
#define PB_SERVER_API_HANDLERS_H

#include "base/error.h"

struct pb_request;

typedef int pb_handler(struct pb_request *req, struct pb_error *err);

#define BODY_BEGIN(schema)
#define MEMBER(...)
#define BODY_END
#define ROUTE(method, path, permission, pool, handler, body) pb_handler handler;
#include "server/api/routes.def"
#undef BODY_BEGIN
#undef MEMBER
#undef BODY_END
#undef ROUTE

#endif
