/*
 * What administrators say about the whole queue: pause, resume, limits. All of
 * it is in the database, so a restart changes nothing.
 */
#ifndef PB_SERVER_SERVICES_QUEUE_CONTROL_H
#define PB_SERVER_SERVICES_QUEUE_CONTROL_H

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "model/queue_limit.h"
#include "server/store/db.h"

struct pb_platform;
struct pb_principal;

/* What is said about the pause, in the arena ("" = nothing); NULL while the queue runs. */
int pb_queue_pause_note(struct pb_db *db, struct pb_arena *arena, const char **ret_note,
                        struct pb_error *err) PB_MUST_CHECK;

/* While paused nothing starts; what runs goes on, what comes (of schedules, too) is queued. Twice is success. */
int pb_queue_pause(struct pb_platform *platform, const char *note, const struct pb_principal *who,
                   struct pb_error *err) PB_MUST_CHECK;
int pb_queue_resume(struct pb_platform *platform, const struct pb_principal *who,
                    struct pb_error *err) PB_MUST_CHECK;
/* Makes the limits exactly these; INVALID, field "limits". */
int pb_queue_set_limits(struct pb_platform *platform, const struct pb_queue_limits *limits,
                        const struct pb_principal *who, struct pb_error *err) PB_MUST_CHECK;

/* The queue as JSON (openapi.yaml: Queue). */
int pb_queue_show(struct pb_platform *platform, struct pb_arena *arena, struct pb_json_writer *w,
                  struct pb_error *err) PB_MUST_CHECK;

#endif
