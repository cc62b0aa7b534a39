/*
 * The runner's side of the broker (agent/broker.h): starts it when the first
 * attempt needs it, tells it about attempts, and starts it again when it died.
 *
 * The listening port is made once and kept here, so calls that come while no
 * broker runs wait in the socket's queue instead of being refused. A runner
 * that was restarted finds the broker by its control socket; should that one
 * die too, the port's listener comes back from a shim (pb_task_listener) by
 * pb_broker_link_give_listener().
 *
 * After its own restart a runner registers its attempts again, with the dummy
 * keys it had given out: only then can a broker that dies later be replaced.
 *
 * Calls block for milliseconds, at most 10 s. Any thread.
 */
#ifndef PB_AGENT_BROKER_LINK_H
#define PB_AGENT_BROKER_LINK_H

#include <stdbool.h>

#include "agent/project_dirs.h"
#include "agent/spawn.h"
#include "base/error.h"

enum { PB_BROKER_DUMMY_TEXT = 64 };

struct pb_broker_link;

struct pb_broker_registration {
    const char *attempt; /* "<execution>.<n>" */
    const char *dummy;
    const char *key;
    const char *base_url;
    const char *usage_file; /* absolute */
};

/* Both borrowed. Nothing is started yet. */
struct pb_broker_link *pb_broker_link_new(const struct pb_project_dirs *dirs,
                                          struct pb_spawn *spawn,
                                          struct pb_error *err) PB_MUST_CHECK;
/* The broker goes on. NULL is fine. */
void pb_broker_link_free(struct pb_broker_link *link);

/* "sk-ant-poppo-…", 256 random bits. */
void pb_broker_dummy_key(char ret_dummy[PB_BROKER_DUMMY_TEXT]);

/* The port's listening socket, for shims to keep a copy; borrowed. -1 while there is none. */
int pb_broker_link_listener(struct pb_broker_link *link);
/* One that a shim kept; taken over. */
void pb_broker_link_give_listener(struct pb_broker_link *link, int listener);

/* Remembers the attempt until its end and tells the broker, which is started if need be. */
int pb_broker_link_register(struct pb_broker_link *link,
                            const struct pb_broker_registration *registration,
                            struct pb_error *err) PB_MUST_CHECK;
/* After it no call of this attempt goes through. An unknown attempt is success. */
int pb_broker_link_end(struct pb_broker_link *link, const char *attempt,
                       struct pb_error *err) PB_MUST_CHECK;
/* To be called every second or so while attempts run: a dead broker is replaced. */
int pb_broker_link_check(struct pb_broker_link *link, struct pb_error *err) PB_MUST_CHECK;

#endif
