/*
 * Projects, executions and nodes as JSON: one way to write each, for REST
 * replies and for live events alike (openapi.yaml has the shapes).
 */
#ifndef PB_SERVER_SERVICES_VIEWS_H
#define PB_SERVER_SERVICES_VIEWS_H

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "model/execution.h"
#include "model/node.h"
#include "model/project.h"
#include "model/remark.h"
#include "server/store/db.h"

struct pb_attempt_list;
struct pb_log_info;
struct pb_platform;

/* live: the log as it is now, NULL = as counted in the row. attempts: NULL = left out. Why a queued one waits
 * has been worked out (pb_queue_explain()). */
void pb_view_execution(struct pb_json_writer *w, const char *name,
                       const struct pb_execution *execution, const struct pb_log_info *live,
                       const struct pb_attempt_list *attempts);
void pb_view_attempt(struct pb_json_writer *w, const char *name, const struct pb_attempt *attempt);
void pb_view_remark(struct pb_json_writer *w, const char *name, const struct pb_remark *remark);

/* Reads counts, secrets and last execution beside the row. */
int pb_view_project(struct pb_platform *platform, struct pb_db *db, struct pb_arena *arena,
                    struct pb_json_writer *w, const char *name, const struct pb_project *project,
                    struct pb_error *err) PB_MUST_CHECK;

/* projects: how many agents it runs. */
void pb_view_node(struct pb_json_writer *w, const char *name, const struct pb_node *node,
                  int64_t projects);

#endif
