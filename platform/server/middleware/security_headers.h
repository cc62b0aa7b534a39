/* Headers that tell browsers what our pages may not do. */
#ifndef PB_SERVER_MIDDLEWARE_SECURITY_HEADERS_H
#define PB_SERVER_MIDDLEWARE_SECURITY_HEADERS_H

#include <stdbool.h>
#include <stddef.h>

#include "net/http_server.h"

enum { PB_SECURITY_HEADERS = 6 };

/* Fills `headers` from `count` on (room for PB_SECURITY_HEADERS more); returns the new count. */
size_t pb_security_headers(struct pb_http_header *headers, size_t count, bool is_tls);

#endif
