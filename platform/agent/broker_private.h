/* Shared by broker.c (attempts, life), broker_call.c (forwarding) and broker_control.c (requests). */
#ifndef PB_AGENT_BROKER_PRIVATE_H
#define PB_AGENT_BROKER_PRIVATE_H

#include <pthread.h>
#include <stdbool.h>

#include "agent/broker.h"
#include "base/buf.h"
#include "base/crypto.h"
#include "net/http_client.h"
#include "net/http_server.h"

enum { PB_BROKER_NAME = 64 };

struct pb_broker_call;

/* One registered attempt. Loop thread only, except `usage_fd`, which its calls write. */
struct pb_broker_attempt {
    char name[PB_BROKER_NAME];
    uint8_t dummy[PB_SHA256_BYTES]; /* digest */
    struct pb_buf key;              /* secret */
    struct pb_buf base_url;
    int usage_fd;
    bool ended;     /* out of the table; freed with its last call */
    unsigned calls; /* in flight */
    struct pb_broker_attempt *next;
};

struct pb_broker {
    struct pb_loop *loop; /* borrowed */
    struct pb_http_server *server;
    struct pb_http_client *client;
    struct pb_broker_attempt *attempts;
    unsigned attempt_count;
    struct pb_broker_call *calls; /* in flight */
    struct pb_loop_timer *idle;
    int64_t idle_ms;
    struct pb_loop_timer *look;
    int64_t heard_ms; /* steady clock: when somebody last was here */
    struct pb_broker_control *control;
};

/* The attempt whose dummy key this is; every attempt is compared, in constant time. */
struct pb_broker_attempt *pb_broker_find_dummy(struct pb_broker *broker, const char *dummy);
/* What the control socket asks for. `usage_fd` is taken over on success. */
int pb_broker_register(struct pb_broker *broker, const char *name, const char *dummy,
                       const char *key, const char *base_url, int usage_fd,
                       struct pb_error *err) PB_MUST_CHECK;
void pb_broker_end(struct pb_broker *broker, const char *name);
void pb_broker_release_call(struct pb_broker *broker, struct pb_broker_attempt *attempt);

/* broker_call.c: the handler of every request. */
void pb_broker_handle(void *arg, struct pb_http_exchange *exchange);
/* After the client has ended them and the loop has stopped. */
void pb_broker_finish_calls(struct pb_broker *broker);
void pb_broker_cut_calls(struct pb_broker *broker, const struct pb_broker_attempt *attempt);

/* broker_control.c */
struct pb_broker_control *pb_broker_control_new(struct pb_broker *broker, int listener,
                                                struct pb_error *err) PB_MUST_CHECK;
void pb_broker_control_free(struct pb_broker_control *control);
bool pb_broker_control_has_peers(const struct pb_broker_control *control);

#endif
