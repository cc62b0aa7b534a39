/* Bytes and descriptors over a local socket (SCM_RIGHTS). Received descriptors are O_CLOEXEC. */
#ifndef PB_AGENT_FD_MESSAGE_H
#define PB_AGENT_FD_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

enum { PB_FD_MESSAGE_MAX = 8 }; /* descriptors in one message */

struct pb_fd_message {
    size_t len; /* bytes received; 0 = the other end has closed */
    int fds[PB_FD_MESSAGE_MAX];
    size_t fd_count;
    bool is_cut; /* longer than the room given: treat as broken */
};

/* All or nothing on a SEQPACKET socket, which refuses more than about 208 KiB. UNAVAILABLE reason "full" when it would block. */
int pb_fd_message_send(int sock, const void *data, size_t len, const int *fds, size_t fd_count,
                       struct pb_error *err) PB_MUST_CHECK;
/* 1 = a message (or the end: len 0), 0 = nothing there on a non-blocking socket, -1 = err. The descriptors are
 * the caller's: take them, or pb_fd_message_close(). */
int pb_fd_message_receive(int sock, void *data, size_t max, struct pb_fd_message *ret_message,
                          struct pb_error *err) PB_MUST_CHECK;
void pb_fd_message_close(struct pb_fd_message *message);
/* The descriptor at an index, now the caller's; -1 if there is none. */
int pb_fd_message_take(struct pb_fd_message *message, size_t index);

/* A connected pair, both ends O_CLOEXEC. */
int pb_fd_pair(int type, int ret_pair[2], struct pb_error *err) PB_MUST_CHECK;
int pb_fd_set_nonblocking(int fd, bool is_nonblocking, struct pb_error *err) PB_MUST_CHECK;

#endif
