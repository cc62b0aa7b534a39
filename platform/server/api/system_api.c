/* Health, nodes, counts. */
#include "server/api/handlers.h"
#include "server/api/request.h"
#include "server/services/platform.h"
#include "server/services/reading.h"

static int reply_ok(struct pb_request *req)
{
    pb_json_begin_object(&req->json, NULL);
    pb_json_put_text(&req->json, "status", "ok");
    pb_json_put_text(&req->json, "version", PB_VERSION);
    pb_json_end_object(&req->json);
    return 0;
}

int healthz(struct pb_request *req, struct pb_error *err)
{
    (void)err;
    return reply_ok(req);
}

int readyz(struct pb_request *req, struct pb_error *err)
{
    if (pb_read_ready(req->platform, err) < 0) {
        err->code = PB_ERROR_UNAVAILABLE;
        return -1;
    }
    return reply_ok(req);
}

int nodes_list(struct pb_request *req, struct pb_error *err)
{
    return pb_read_nodes(req->platform, req->arena, &req->json, err);
}

int stats_show(struct pb_request *req, struct pb_error *err)
{
    return pb_read_stats(req->platform, req->arena, &req->json, err);
}
