/* "127.0.0.1:3000", "[::1]:0", "example.org:443" and what the socket calls want. */
#ifndef PB_NET_ADDRESS_PRIVATE_H
#define PB_NET_ADDRESS_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"

enum { PB_HOST_TEXT = 256 };

/* Splits host and port; the host loses its brackets. `port_otherwise` < 0: a port is needed. */
int pb_address_split(const char *text, size_t len, int port_otherwise, char ret_host[PB_HOST_TEXT],
                     uint16_t *ret_port, struct pb_error *err) PB_MUST_CHECK;
/* Numeric addresses and "localhost" only: nobody is asked. */
int pb_address_numeric(const char *host, uint16_t port, struct sockaddr_storage *ret_address,
                       socklen_t *ret_len, struct pb_error *err) PB_MUST_CHECK;
/* The address without the port; IPv4 in IPv6 is shown as IPv4. */
void pb_address_text(const struct sockaddr_storage *address, char *ret_text, size_t size);

#endif
