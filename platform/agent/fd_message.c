#include "agent/fd_message.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fs.h"

union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int) * PB_FD_MESSAGE_MAX)];
};

int pb_fd_message_send(int sock, const void *data, size_t len, const int *fds, size_t fd_count,
                       struct pb_error *err)
{
    union control control = {0};
    struct iovec part = {(void *)(uintptr_t)data, len};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t n;

    if (fd_count > PB_FD_MESSAGE_MAX)
        return pb_fail(err, PB_ERROR_INVALID, "too many descriptors for one message");
    if (fd_count > 0) {
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        memcpy(CMSG_DATA(&control.header), fds, sizeof(int) * fd_count);
    }
    do {
        n = sendmsg(sock, &message, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "full", "the other end does not read");
    if (n < 0)
        return pb_fail_errno(err, "send to a local socket");
    if ((size_t)n != len)
        return pb_fail(err, PB_ERROR_INTERNAL, "a local message was cut");
    return 0;
}

static void take_descriptors(struct msghdr *message, struct pb_fd_message *out)
{
    for (struct cmsghdr *at = CMSG_FIRSTHDR(message); at; at = CMSG_NXTHDR(message, at)) {
        size_t count;

        if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS)
            continue;
        count = (at->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count && out->fd_count < PB_FD_MESSAGE_MAX; i++)
            memcpy(&out->fds[out->fd_count++], CMSG_DATA(at) + i * sizeof(int), sizeof(int));
    }
}

int pb_fd_message_receive(int sock, void *data, size_t max, struct pb_fd_message *ret_message,
                          struct pb_error *err)
{
    union control control;
    struct iovec part = {data, max};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    struct pb_fd_message got = {0};
    ssize_t n;

    do {
        n = recvmsg(sock, &message, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return 0;
    if (n < 0 && errno == ECONNRESET)
        n = 0;
    if (n < 0)
        return pb_fail_errno(err, "receive from a local socket");
    got.len = (size_t)n;
    got.is_cut = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
    take_descriptors(&message, &got);
    *ret_message = got;
    return 1;
}

void pb_fd_message_close(struct pb_fd_message *message)
{
    for (size_t i = 0; i < message->fd_count; i++)
        pb_close(&message->fds[i]);
    message->fd_count = 0;
}

int pb_fd_message_take(struct pb_fd_message *message, size_t index)
{
    int fd = index < message->fd_count ? message->fds[index] : -1;

    if (fd >= 0)
        message->fds[index] = -1;
    return fd;
}

int pb_fd_pair(int type, int ret_pair[2], struct pb_error *err)
{
    if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ret_pair) < 0)
        return pb_fail_errno(err, "make a socket pair");
    return 0;
}

int pb_fd_set_nonblocking(int fd, bool is_nonblocking, struct pb_error *err)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 ||
        fcntl(fd, F_SETFL, is_nonblocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK) < 0)
        return pb_fail_errno(err, "set a descriptor's mode");
    return 0;
}
