/* One TLS connection on a non-blocking socket; what transport.c needs from OpenSSL. */
#ifndef PB_NET_TLS_PRIVATE_H
#define PB_NET_TLS_PRIVATE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "net/tls.h"

enum { PB_SHA1_BYTES = 20, PB_TLS_RECORD_MAX = 16384 };

struct pb_tls_session;

enum pb_tls_want { PB_TLS_DONE, PB_TLS_WANT_READ, PB_TLS_WANT_WRITE, PB_TLS_FAILED };

/* The descriptor stays the caller's. NULL when memory is short. */
struct pb_tls_session *pb_tls_session_accept(struct pb_tls_server *tls, int fd) PB_MUST_CHECK;
/* The certificate has to be valid for `host`, a name or an address. */
struct pb_tls_session *pb_tls_session_connect(struct pb_tls_client *tls, int fd,
                                              const char *host) PB_MUST_CHECK;
void pb_tls_session_free(struct pb_tls_session *session); /* NULL is fine */

enum pb_tls_want pb_tls_session_handshake(struct pb_tls_session *session);
/* Bytes; 0 = the peer ended; -1 = see *ret_want. */
ssize_t pb_tls_session_read(struct pb_tls_session *session, void *data, size_t size,
                            enum pb_tls_want *ret_want);
ssize_t pb_tls_session_write(struct pb_tls_session *session, const void *data, size_t len,
                             enum pb_tls_want *ret_want);
/* Says goodbye (close_notify), as far as the socket takes it now. */
void pb_tls_session_shutdown(struct pb_tls_session *session);
/* Why the handshake failed, in words. */
const char *pb_tls_session_problem(const struct pb_tls_session *session);

/* RFC 6455 wants SHA-1 in its handshake. Nothing else does. */
void pb_tls_sha1(const void *data, size_t len, uint8_t ret_digest[PB_SHA1_BYTES]);

#endif
