#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "net/address_private.h"

static int split_port(const char *text, int port_otherwise, uint16_t *ret_port,
                      struct pb_error *err)
{
    uint64_t port = (uint64_t)port_otherwise;

    if (*text == '\0' && port_otherwise < 0)
        return pb_fail(err, PB_ERROR_INVALID, "an address needs a port, as in 127.0.0.1:3000");
    if (*text != '\0' && (*text != ':' || !pb_parse_u64(text + 1, UINT16_MAX, &port)))
        return pb_fail(err, PB_ERROR_INVALID, "'%s' is not a port", text);
    *ret_port = (uint16_t)port;
    return 0;
}

int pb_address_split(const char *text, size_t len, int port_otherwise, char ret_host[PB_HOST_TEXT],
                     uint16_t *ret_port, struct pb_error *err)
{
    char copy[PB_HOST_TEXT + 16];
    char *host = copy, *end;

    if (len >= sizeof(copy))
        return pb_fail(err, PB_ERROR_INVALID, "the address is too long");
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (*copy == '[') {
        host++;
        end = strchr(copy, ']');
        if (!end)
            return pb_fail(err, PB_ERROR_INVALID, "'%s' has no closing bracket", copy);
        *end++ = '\0';
    } else {
        end = copy + strcspn(copy, ":");
    }
    if (split_port(end, port_otherwise, ret_port, err) < 0)
        return -1;
    *end = '\0';
    if (*host == '\0' || strlen(host) >= PB_HOST_TEXT)
        return pb_fail(err, PB_ERROR_INVALID, "an address needs a host");
    memcpy(ret_host, host, strlen(host) + 1);
    return 0;
}

int pb_address_numeric(const char *host, uint16_t port, struct sockaddr_storage *ret_address,
                       socklen_t *ret_len, struct pb_error *err)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)ret_address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret_address;

    memset(ret_address, 0, sizeof(*ret_address));
    if (strcmp(host, "localhost") == 0)
        host = "127.0.0.1";
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        *ret_len = sizeof(*v4);
        return 0;
    }
    if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        *ret_len = sizeof(*v6);
        return 0;
    }
    return pb_fail(err, PB_ERROR_INVALID, "'%s' is not an IP address", host);
}

void pb_address_text(const struct sockaddr_storage *address, char *ret_text, size_t size)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
    const char *text = NULL;

    if (address->ss_family == AF_INET)
        text = inet_ntop(AF_INET, &v4->sin_addr, ret_text, (socklen_t)size);
    else if (address->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
        text = inet_ntop(AF_INET, v6->sin6_addr.s6_addr + 12, ret_text, (socklen_t)size);
    else if (address->ss_family == AF_INET6)
        text = inet_ntop(AF_INET6, &v6->sin6_addr, ret_text, (socklen_t)size);
    if (!text)
        (void)snprintf(ret_text, size, "%s", address->ss_family == AF_UNIX ? "local" : "unknown");
}
