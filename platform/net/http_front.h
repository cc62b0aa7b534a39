/*
 * One HTTP server on several loops: a server for each, on the same address.
 * The first loop is the caller's, who runs it; the others get threads of
 * their own. Handlers are called on the loop of their connection.
 *
 *   open → start → stop → join → close → free
 *
 * All calls from the thread that runs the first loop, or before and after it
 * runs. NULL is fine for all that end something.
 */
#ifndef PB_NET_HTTP_FRONT_H
#define PB_NET_HTTP_FRONT_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/loop.h"
#include "net/http_server.h"

struct pb_http_front;

enum { PB_HTTP_FRONT_LOOPS = 64 };

/* Listens; connections wait until the loops run. `connections_max` is for all loops together. */
struct pb_http_front *pb_http_front_open(struct pb_loop *first, unsigned loops,
                                         const struct pb_http_server_options *options,
                                         struct pb_error *err) PB_MUST_CHECK;
uint16_t pb_http_front_port(const struct pb_http_front *front);
/* The other loops begin to run. */
int pb_http_front_start(struct pb_http_front *front, struct pb_error *err) PB_MUST_CHECK;
/* No more connections; those there are end as with pb_http_server_stop(). */
void pb_http_front_stop(struct pb_http_front *front, int64_t grace_ms);
size_t pb_http_front_connections(const struct pb_http_front *front); /* any thread */
/* The other loops end, and what is posted to them waits for ever. */
void pb_http_front_join(struct pb_http_front *front);
/* Connections and listeners go. After the first loop has ended. */
void pb_http_front_close(struct pb_http_front *front);
/* The other loops go: nobody has a WebSocket or an exchange of theirs any more. */
void pb_http_front_free(struct pb_http_front *front);

#endif
