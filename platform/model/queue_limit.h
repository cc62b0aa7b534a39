/*
 * How many executions may work at once for one person, one label, one node.
 *
 * A limit is of one project or, with project "", of all of them together; both
 * hold. Its subject is a name, or "*" for each that has no limit of its own.
 * A tally counts what works now under the limits it meets, and says of a
 * candidate which limit, if any, stands in its way.
 */
#ifndef PB_MODEL_QUEUE_LIMIT_H
#define PB_MODEL_QUEUE_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "model/names.h"

/* kind, name */
#define PB_QUEUE_LIMIT_KINDS(X) \
    X(USER, "user")             \
    X(LABEL, "label")           \
    X(NODE, "node")

enum pb_queue_limit_kind {
#define X(kind, name) PB_QUEUE_LIMIT_##kind,
    PB_QUEUE_LIMIT_KINDS(X)
#undef X
        PB_QUEUE_LIMIT_KIND_COUNT
};

extern const struct pb_names PB_QUEUE_LIMIT_NAMES;

struct pb_queue_limit {
    enum pb_queue_limit_kind kind;
    const char *project_id; /* "" = all together */
    const char *subject;    /* a login, a label, a node; "*" */
    int64_t max;
};

struct pb_queue_limits {
    struct pb_queue_limit *items;
    size_t count;
};

/* INVALID, field "limits". */
int pb_queue_limit_check(const struct pb_queue_limit *limit, struct pb_error *err) PB_MUST_CHECK;

/* What counts against limits: something that works, or wants to. */
struct pb_queue_load {
    const char *project_id;
    const char *requested_by; /* NULL = nobody's */
    const char *labels;       /* JSON array; NULL = none */
    const char *node;         /* its name; NULL = on none yet */
};

struct pb_queue_tally; /* lives in its arena, as do the limits' texts */

/* NULL when the arena is full. */
struct pb_queue_tally *pb_queue_tally_new(struct pb_arena *arena,
                                          const struct pb_queue_limits *limits) PB_MUST_CHECK;
/* It works now. */
int pb_queue_tally_add(struct pb_queue_tally *tally, const struct pb_queue_load *load,
                       struct pb_error *err) PB_MUST_CHECK;
/* The limit that has no room for it, by its key ("user/shop/alice", in the arena); NULL in ret_key = none has. */
int pb_queue_tally_meets(struct pb_queue_tally *tally, const struct pb_queue_load *load,
                         const char **ret_key, struct pb_error *err) PB_MUST_CHECK;
/* Room left under a limit, by its key; INT64_MAX when there is no such limit (any more). */
int64_t pb_queue_tally_room(const struct pb_queue_tally *tally, const char *key);

/* Which kind of limit a key is of; false for a text that is no key. */
bool pb_queue_limit_kind_of(const char *key, enum pb_queue_limit_kind *ret_kind) PB_MUST_CHECK;

#endif
