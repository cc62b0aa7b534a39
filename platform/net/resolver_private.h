/* Names to addresses without stopping a loop: getaddrinfo(3) on two threads of the process. */
#ifndef PB_NET_RESOLVER_PRIVATE_H
#define PB_NET_RESOLVER_PRIVATE_H

#include <netdb.h>
#include <stdint.h>

#include "base/error.h"
#include "base/loop.h"

struct pb_resolve;

/* `done` runs once on the loop, later; `found` is the callee's to freeaddrinfo(), NULL with
 * `problem` in words. */
struct pb_resolve *pb_resolve_start(struct pb_loop *loop, const char *host, uint16_t port,
                                    void (*done)(void *arg, struct addrinfo *found,
                                                 const char *problem),
                                    void *arg, struct pb_error *err) PB_MUST_CHECK;
/* On the loop thread, before `done`: it will not be called. */
void pb_resolve_cancel(struct pb_resolve *resolve);

#endif
