/* What the ways to live data share, and what of them outlasts a request. */
#ifndef PB_SERVER_API_LIVE_API_H
#define PB_SERVER_API_LIVE_API_H

#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

struct pb_request;
struct pb_subscriber;

/* Whoever has a ticket in the query, or an access token, as a subscriber that is told nothing yet. */
struct pb_subscriber *pb_live_subscriber(struct pb_request *req,
                                         struct pb_error *err) PB_MUST_CHECK;

/* The message "error"; topic may be NULL. */
void pb_live_write_error(struct pb_buf *buf, const char *topic, const struct pb_error *err);

/* Closes every browser's WebSocket, ends every stream, and takes no new ones. Before the loops end. */
void pb_live_stop(void);
size_t pb_live_count(void); /* WebSockets still open */

/* events_api.c, for pb_live_stop(). */
void pb_event_streams_stop(void);

#endif
