/*
 * The live links to nodes: WebSocket /api/node/ws, the messages of
 * wire/message.h, and what the platform wants from each node.
 *
 * A link belongs to the node whose key it showed; a newer link of the same
 * node replaces the older. A node has a say in the projects that are placed
 * on it (their rows name it), and in no others: what it says of those is
 * refused and logged. Messages of one project are handled in order, by
 * one pool thread at a time; different projects do not wait for each other.
 * When they come faster than they are handled, the link is not read.
 *
 * What should run where is computed from the rows and sent whole after each
 * hello (project_wishes) and piecewise after a change. A node that is silent
 * keeps its attempts; they are given up offline_limit + offline_grace later, at once
 * when it comes back with another boot id, and one by one when its runner
 * says what it has (runner_hello) and they are not there.
 *
 * Calls from other services only post to a link; none waits for the network,
 * pb_node_hub_agent_log() excepted.
 */
#ifndef PB_SERVER_SERVICES_NODE_HUB_H
#define PB_SERVER_SERVICES_NODE_HUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "model/execution.h"

struct pb_attempt_claim;
struct pb_http_exchange;
struct pb_node_hub;
struct pb_platform;

struct pb_node_hub *pb_node_hub_open(struct pb_platform *platform,
                                     struct pb_error *err) PB_MUST_CHECK;
/* Closes the links and takes no new ones. On the loop thread, before it ends. NULL is fine. */
void pb_node_hub_stop(struct pb_node_hub *hub);
size_t pb_node_hub_links(struct pb_node_hub *hub); /* still open */
/* After the HTTP server: waits for the messages in hand. NULL is fine. */
void pb_node_hub_finish(struct pb_node_hub *hub);
/* When the writers have nothing to tell any more. NULL is fine. */
void pb_node_hub_close(struct pb_node_hub *hub);

/* Whose key is this? UNAUTHENTICATED "node_key" for one that is not known. */
int pb_node_hub_recognise(struct pb_node_hub *hub, const char *key, char *ret_node_id, size_t size,
                          struct pb_error *err) PB_MUST_CHECK;

/* Upgrades an exchange whose key was recognised. On the loop thread; answers the exchange in any case. */
void pb_node_hub_accept(struct pb_node_hub *hub, struct pb_http_exchange *exchange,
                        const char *node_id);

/* The node where this project's executions can start now, NULL with the reason why not: "no_node",
 * "agent_starting", "agent_down". The text is good until the hub is closed. */
const char *pb_node_hub_where(struct pb_node_hub *hub, const char *project_id,
                              const char **ret_why_not);
/* Sends an assignment, as it was claimed. False when the node cannot be told: the assignment is to be given
 * up. */
bool pb_node_hub_assign(struct pb_node_hub *hub, const struct pb_execution *execution);
void pb_node_hub_cancel(struct pb_node_hub *hub, const struct pb_attempt_claim *claim);
/* The attempt is over without its node, which is to forget it. */
void pb_node_hub_discard(struct pb_node_hub *hub, const struct pb_attempt_claim *claim);
/* Settings, status or open work of a project changed: bring its node's wishes in line. NULL hub is fine. */
void pb_node_hub_project_changed(struct pb_node_hub *hub, const char *project_id);
void pb_node_hub_project_restart(struct pb_node_hub *hub, const char *project_id);
/* An attempt ended: a project that was only kept for it can stop now. NULL hub is fine. */
void pb_node_hub_attempt_ended(struct pb_node_hub *hub, const char *project_id);
bool pb_node_hub_is_online(struct pb_node_hub *hub, const char *node_id);

/* Gives up the attempts of nodes silent for too long, and assignments nobody accepted. By the scheduler. */
void pb_node_hub_sweep(struct pb_node_hub *hub);
/* Steady time of the next sweep that could find something; 0 = none. */
int64_t pb_node_hub_next_sweep(struct pb_node_hub *hub);

/* The agent's own log, asked from its node. Waits up to 5 s: UNAVAILABLE reason "agent_offline", TIMEOUT.
 * tail > 0: the last lines. ret_total: lines there are. */
int pb_node_hub_agent_log(struct pb_node_hub *hub, const char *project_id, int64_t from,
                          int64_t count, int64_t tail, struct pb_buf *ret_text, int64_t *ret_from,
                          int64_t *ret_total, struct pb_error *err) PB_MUST_CHECK;

/* Agents that run now, for the dashboard. */
int64_t pb_node_hub_agents_running(struct pb_node_hub *hub);
/* The same of one node. */
int64_t pb_node_hub_agents_on(struct pb_node_hub *hub, const char *node_id);

#endif
