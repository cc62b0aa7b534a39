/* What the files of the scheduler share: scheduler.c (the thread), scheduler_look.c (one look),
 * scheduler_due.c (what time moves on), scheduler_round.c (who starts). */
#ifndef PB_SERVER_SERVICES_SCHEDULER_PRIVATE_H
#define PB_SERVER_SERVICES_SCHEDULER_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "model/fair_share.h"
#include "server/services/queue_gate.h"
#include "server/store/db.h"
#include "server/store/execution_store.h"

enum {
    PB_ROUND_STARTS = 200, /* in one round; more follow in the next */
    PB_ROUND_HOLDS = 500,
    PB_SCOPE_PROJECTS = 64, /* kicked by name; more are "all" */
};

/* The projects a look is about. */
struct pb_queue_scope {
    bool is_all;
    size_t count;
    char ids[PB_SCOPE_PROJECTS][PB_LIMIT_PROJECT_ID + 1];
};

/* --- scheduler_due.c -------------------------------------------------------------------------------------- */

/* Moves on what is due. ret_moved: set when something was; ret_next: wall time of what comes next, 0 = nothing
 * does. */
int pb_scheduler_due(struct pb_platform *platform, struct pb_db *db,
                     const struct pb_execution_agenda *agenda, bool *ret_moved, int64_t *ret_next,
                     struct pb_error *err) PB_MUST_CHECK;
/* Rows held by limits that have room again. ret_moved: set when there were any; ret_more: there are more. */
int pb_scheduler_release(struct pb_platform *platform, struct pb_db *db, bool *ret_moved,
                         bool *ret_more, struct pb_error *err) PB_MUST_CHECK;

/* --- scheduler_round.c ------------------------------------------------------------------------------------ */

/* Told of each project of a round: why nothing of it starts, NULL when something could. */
typedef void pb_round_tell_fn(void *arg, const char *project_id, const char *why);

struct pb_round_wish {
    struct pb_platform *platform;
    struct pb_fair_share *share;
    const struct pb_queue_scope *scope;
    pb_round_tell_fn *tell;
    void *arg;
};

struct pb_round;

/* Chooses; NULL with err on failure. */
struct pb_round *pb_round_choose(const struct pb_round_wish *wish, struct pb_db *db,
                                 struct pb_error *err) PB_MUST_CHECK;
void pb_round_free(struct pb_round *round); /* NULL is fine */
/* Claims what was chosen; again with the same tokens when it is called again. UNAVAILABLE: nobody knows
 * whether it happened. */
int pb_round_write(struct pb_round *round, struct pb_error *err) PB_MUST_CHECK;
/* Tells the nodes and everybody else, once it is written. */
void pb_round_announce(struct pb_round *round);
bool pb_round_has_more(const struct pb_round *round);    /* another round may start more */
int64_t pb_round_opens_at(const struct pb_round *round); /* the next active hours; 0 = none */
bool pb_round_is_shared(const struct pb_round *round);   /* there are limits across projects */

/* --- scheduler_look.c ------------------------------------------------------------------------------------- */

struct pb_look; /* what one look leaves for the next; one thread's */

struct pb_look *pb_look_new(struct pb_platform *platform, struct pb_error *err) PB_MUST_CHECK;
void pb_look_free(struct pb_look *look); /* NULL is fine */
/* ret_next: wall time at which something is due; 0 = nothing is. */
int pb_look_at_queue(struct pb_look *look, struct pb_queue_scope *scope, int64_t *ret_next,
                     struct pb_error *err) PB_MUST_CHECK;

#endif
