/* What the files of the node hub share: node_hub.c (life), node_link.c (one connection),
 * node_messages.c (what nodes say), node_hello.c (what they say first, and of their state), node_lines.c (log
 * lines), node_wishes.c (what should run where), node_assign.c (work), node_pending.c (work nobody has accepted
 * yet). */
#ifndef PB_SERVER_SERVICES_NODE_PRIVATE_H
#define PB_SERVER_SERVICES_NODE_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "model/project.h"
#include "net/websocket.h"
#include "server/services/execution_control.h"
#include "server/services/node_hub.h"
#include "wire/message.h"

enum {
    ID_TEXT = 64, /* ULIDs and slugs */
    LANES = 64,
    PENDING_BUCKETS = 1024,
    AGENTS = 1024,
    LINK_LANES_MAX = 4096,    /* projects one node speaks of; it has places for fewer */
    LINK_QUEUE_MAX = 4 << 20, /* frames waiting to be handled; more stop the reading */
    LINK_QUEUE_LOW = 1 << 20, /* and it goes on below */
    LINK_SEND_MAX = 16 << 20,
    LANE_TURN = 32,       /* messages handled before other lanes get their turn */
    TRUST_MS = 1000,      /* what was so a moment ago is taken to be so still */
    REFUSALS_LOGGED = 20, /* of one link */
};
#define COUNT_MAX ((int64_t)1000000000000) /* of what nodes count: sums must not overflow */

/* A frame between the loop and a pool thread. */
struct frame {
    struct frame *next;
    struct pb_message message; /* once it was read; until then without a body */
    size_t len;
    char data[];
};

/* The messages of one project on one link, handled in order by one pool thread at a time. */
struct lane {
    struct lane *next;
    struct link *link;
    char project[ID_TEXT]; /* "" = the node's own */
    struct frame *first;   /* guarded by link->lock, as is_running */
    struct frame **last;
    bool is_running;
    /* the running thread's alone: until when the project is known to be this node's, and the claim that log
     * lines were last checked against */
    int64_t ours_until;
    char claim_execution[32];
    int64_t claim_attempt, claim_fence, claim_until;
    size_t wanted;             /* room for its next log chunk */
    size_t granted;            /* set aside for it; given while it stalls, under hub->lines_lock */
    struct lane *next_stalled; /* guarded by hub->lines_lock */
};

struct link {
    atomic_int refs;
    struct link *next; /* hub->links, guarded by the hub's lock */
    struct pb_node_hub *hub;
    struct pb_websocket *ws; /* our reference */
    char node_id[ID_TEXT];
    atomic_bool has_failed_lines; /* said in the log */
    pthread_mutex_t lock;         /* guards what follows */
    struct lane *lanes[LANES];
    size_t lane_count;
    size_t queued;
    unsigned refusals;
    bool is_paused;
    bool is_closed;
    struct pb_message_gate gate;
};

struct node {
    struct node *next;
    char id[ID_TEXT];
    struct link *link;     /* NULL = offline */
    int64_t offline_since; /* steady; attempts are given up some time later */
    bool is_given_up;
};

/* What is known of one project's agent. */
struct agent {
    struct agent *next;
    char project_id[ID_TEXT];
    char node_id[ID_TEXT];
    enum pb_agent_state state;
    bool is_ready; /* its runner has said hello on the present link */
};

/* An assignment that nobody has accepted yet. */
struct pending {
    struct pending *next; /* of its bucket */
    struct pending *older, *newer;
    char project_id[ID_TEXT];
    char node_id[ID_TEXT];
    char execution[32];
    int64_t attempt, fence;
    int64_t deadline; /* steady */
};

/* Somebody waits for lines of an agent's log. */
struct log_request {
    struct log_request *next;
    char id[32];
    const char *project_id; /* whose runner may answer */
    struct pb_buf *text;
    int64_t total;
    int64_t from;
    char error[200];
    bool is_done;
};

struct pb_node_hub {
    struct pb_platform *platform;
    struct pb_pool *pool;       /* node messages */
    pthread_mutex_t lines_lock; /* guards these */
    size_t
        lines_waiting; /* bytes of log lines the log store has not answered, or that are set aside */
    struct lane *stalled,
        **stalled_last;   /* lanes whose next chunk has no room; each holds its link */
    bool is_finished;     /* the pool goes: no lane runs any more */
    pthread_mutex_t lock; /* guards everything below */
    pthread_cond_t answered;
    bool is_stopping;
    struct link *links;
    struct node *nodes;
    struct agent *agents[AGENTS];
    struct pending *pending[PENDING_BUCKETS]; /* owned, by their execution */
    struct pending *oldest_pending, *newest_pending;
    struct log_request *log_requests;
};

unsigned pb_hash_text(const char *text);

/* --- node_link.c ------------------------------------------------------------------------------------------ */

extern const struct pb_websocket_events PB_LINK_EVENTS;

struct link *pb_link_new(struct pb_node_hub *hub, const char *node_id);
void pb_link_ref(struct link *link);
void pb_link_unref(struct link *link);
/* Handles what waits in a lane, on a pool thread; holds the link. */
void pb_lane_run(void *lane);
/* A lane that cannot be run: closes the link, and lets go of it. */
void pb_lane_give_up(struct lane *lane);
/* Sends one whole frame; a link that cannot take it is closed. */
bool pb_link_send(struct link *link, const struct pb_buf *frame);
void pb_link_close(struct link *link, int code, const char *reason);
bool pb_link_is_closed(struct link *link);
/* Logs that a node spoke of a project that is not placed on it; not without end. */
void pb_link_refused(struct link *link, const char *message, const char *project_id);
/* The link of a node, referenced; NULL while it is offline. */
struct link *pb_link_of_node(struct pb_node_hub *hub, const char *node_id);
/* The link over which a project's runner can be reached, referenced; NULL when it is not ready. */
struct link *pb_link_of_agent(struct pb_node_hub *hub, const char *project_id);

/* --- node_hub.c, with the hub's lock held ----------------------------------------------------------------- */

struct node *pb_hub_node(struct pb_node_hub *hub,
                         const char *node_id); /* made when missing; NULL = memory */
struct agent *pb_hub_agent(struct pb_node_hub *hub, const char *project_id, bool make);

/* --- node_messages.c -------------------------------------------------------------------------------------- */

enum { PB_NODE_LATER = 1 };
/* On a pool thread. A failure closes the link; PB_NODE_LATER: the same message is to be tried again. */
int pb_node_message(struct link *link, struct lane *lane, const struct pb_message *message,
                    struct pb_error *err) PB_MUST_CHECK;
/* Does the later message say all that the earlier one of the same lane says? */
bool pb_node_overtakes(const struct pb_message *later, const struct pb_message *earlier);

/* --- node_lines.c ----------------------------------------------------------------------------------------- */

/* As pb_node_message(). */
int pb_node_on_log_chunk(struct lane *lane, const struct pb_message *message,
                         const struct pb_attempt_claim *claim, struct pb_error *err) PB_MUST_CHECK;
/* After PB_NODE_LATER, with the message back in its place: true when the lane is run again later; false when it
 * can go on at once. */
bool pb_lines_stall(struct lane *lane) PB_MUST_CHECK;
/* After a message: what was set aside for it and not taken is free again. */
void pb_lines_settle(struct lane *lane);
/* Before the pool goes: stalled lanes end. */
void pb_lines_finish(struct pb_node_hub *hub);
/* The link is closed: what its lanes still hold is not waited for. */
void pb_lines_forget(struct link *link);

/* --- node_hello.c ----------------------------------------------------------------------------------------- */

int pb_node_on_hello(struct link *link, const struct pb_json *body,
                     struct pb_error *err) PB_MUST_CHECK;
int pb_node_on_status(struct link *link, const struct pb_json *body,
                      struct pb_error *err) PB_MUST_CHECK;
int pb_node_on_runner_hello(struct link *link, const char *project_id, const struct pb_json *body,
                            struct pb_error *err) PB_MUST_CHECK;
/* A runner of a project that is not placed on this node: everything it lists is to be dropped. */
int pb_node_refuse_runner(struct link *link, const char *project_id, const struct pb_json *body,
                          struct pb_error *err) PB_MUST_CHECK;
/* Gives up every live attempt of a node. */
int pb_node_give_up(struct pb_node_hub *hub, const char *node_id, const char *why,
                    struct pb_error *err) PB_MUST_CHECK;

/* --- node_wishes.c ---------------------------------------------------------------------------------------- */

/* The whole list of what should run on a node. */
int pb_node_send_wishes(struct link *link, struct pb_error *err) PB_MUST_CHECK;
/* project_remove, for a project that this node still has. */
void pb_node_send_remove(struct link *link, const char *project_id);

/* --- node_assign.c ---------------------------------------------------------------------------------------- */

void pb_node_send_discard(struct link *link, const char *project_id, const char *execution,
                          int64_t attempt);
void pb_node_send_cancel(struct link *link, const struct pb_attempt_claim *claim,
                         const char *reason);

/* --- node_pending.c --------------------------------------------------------------------------------------- */

void pb_pending_add(struct pb_node_hub *hub, const struct pb_execution *execution);
/* Nobody needs to accept this attempt of the project any more. */
void pb_pending_remove(struct pb_node_hub *hub, const char *project_id, const char *execution,
                       int64_t attempt);
/* The node it was sent to has answered, whenever that is read: it was in time. */
void pb_pending_answered(struct pb_node_hub *hub, const char *node_id, const char *project_id,
                         const struct pb_attempt_ref *ref);
/* Was it sent lately, so that a runner may have it without having said so? */
bool pb_pending_has(struct pb_node_hub *hub, const char *execution, int64_t attempt);
/* Takes one whose time is over, for the caller to free; NULL when there is none. */
struct pending *pb_pending_overdue(struct pb_node_hub *hub, int64_t now);
/* With the hub's lock held: the deadline of the first; 0 = there is none. */
int64_t pb_pending_next(const struct pb_node_hub *hub);
void pb_pending_free(struct pb_node_hub *hub);

#endif
