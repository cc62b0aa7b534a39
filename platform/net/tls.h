/* TLS 1.2+ on our own sockets: certificates for servers, trust for clients. The second door to OpenSSL. Whoever uses
 * it lives without SIGPIPE: it is ignored from the first call on. */
#ifndef PB_NET_TLS_H
#define PB_NET_TLS_H

#include <stdbool.h>

#include "base/error.h"

struct pb_tls_server;
struct pb_tls_client;

struct pb_tls_server *pb_tls_server_new(const char *certificate_file, const char *key_file,
                                        struct pb_error *err) PB_MUST_CHECK;
void pb_tls_server_free(struct pb_tls_server *tls);
/* ca_file NULL = the system's store. */
struct pb_tls_client *pb_tls_client_new(const char *ca_file, struct pb_error *err) PB_MUST_CHECK;
void pb_tls_client_free(struct pb_tls_client *tls);

#endif
