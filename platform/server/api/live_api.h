/* What of the live connections outlasts a request. */
#ifndef PB_SERVER_API_LIVE_API_H
#define PB_SERVER_API_LIVE_API_H

#include <stddef.h>

/* Closes every browser's WebSocket and takes no new ones. On the loop thread, before it ends. */
void pb_live_stop(void);
size_t pb_live_count(void); /* still open; loop thread */

#endif
