/*
 * The proxy between a project's tasks and the Messages API (poppo-broker).
 *
 *   claude ── http://127.0.0.1:<port>, dummy key ──> broker ── https, real key ──> API
 *
 * A task never holds the real key. Each attempt has a dummy key of its own;
 * the broker knows it by that, replaces it, forwards everything else as it
 * came, streams the answer with back-pressure, and counts what was used from
 * the answer itself (agent/usage.h): one line in the attempt's usage file per
 * call, written before the reply ends.
 *
 * Forwarded: POST /v1/messages, POST /v1/messages/count_tokens,
 * GET /v1/models and below. HEAD / is answered here. Nothing else exists.
 *
 * It serves listeners it was given (descriptors 3 and 4 of the program), knows
 * attempts only by what the control socket told it, and keeps keys in memory
 * only. It outlives the runner, but not for ever: it ends when no attempt has
 * been registered for a minute, or nobody has been at the control socket and no
 * call was made for longer than a node may be cut off. An attempt whose usage
 * file was removed is over.
 *
 * Control socket (UNIX, SOCK_SEQPACKET, one JSON object per message; the peer
 * must be our own user or root). Each request has one answer, {"ok":true,…} or
 * {"ok":false,"error":"…"}:
 *
 *   {"op":"attempt","attempt":"<execution>.<n>","dummy":…,"key":…,"base_url":…,"usage_file":…}
 *        registering again replaces key and address; its calls in flight go on
 *   {"op":"end","attempt":…}   forgets it and cuts its calls; an unknown one is success
 *   {"op":"status"}            {"ok":true,"version":…,"pid":…,"attempts":[{"attempt":…,"calls":n}]}
 *   {"op":"stop"}              ends the process
 */
#ifndef PB_AGENT_BROKER_H
#define PB_AGENT_BROKER_H

#include <stdint.h>

#include "base/error.h"
#include "base/loop.h"

enum {
    PB_BROKER_ATTEMPTS_MAX = 64,
    PB_BROKER_BODY_MAX = 32 << 20,    /* the API's own limit */
    PB_BROKER_MESSAGE_MAX = 64 << 10, /* on the control socket */
    PB_BROKER_IDLE_MS = 60 * 1000,
    PB_BROKER_ALONE_MS = 45 * 60 * 1000,
    PB_BROKER_LOOK_MS = 10 * 1000, /* how often it looks for the last two */
};

struct pb_broker;

struct pb_broker_options {
    int listener;    /* listening TCP socket; borrowed */
    int control;     /* listening UNIX socket; borrowed */
    int64_t idle_ms; /* 0 = PB_BROKER_IDLE_MS */
};

/* Serves until the loop stops; stops the loop itself when it is idle or told to end. */
struct pb_broker *pb_broker_new(struct pb_loop *loop, const struct pb_broker_options *options,
                                struct pb_error *err) PB_MUST_CHECK;
void pb_broker_free(
    struct pb_broker *broker); /* after the loop has stopped; wipes keys; NULL is fine */

#endif
