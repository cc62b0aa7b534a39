#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/loop.h"
#include "net/tls_private.h"
#include "net/transport_private.h"

enum { VECTORS_MAX = 32, FLUSH_ROUNDS = 64 };

char *pb_transport_scratch(void)
{
    static _Thread_local char scratch[PB_TRANSPORT_SCRATCH];

    return scratch;
}

int pb_transport_handshake(struct pb_transport *transport)
{
    enum pb_tls_want want;

    if (!transport->tls)
        return 0;
    want = pb_tls_session_handshake(transport->tls);
    if (want == PB_TLS_FAILED)
        return PB_TRANSPORT_FAILED;
    transport->read_wants_write = want == PB_TLS_WANT_WRITE;
    return want == PB_TLS_DONE ? 0 : PB_TRANSPORT_AGAIN;
}

static ssize_t read_tls(struct pb_transport *transport, void *data, size_t size)
{
    enum pb_tls_want want = PB_TLS_DONE;
    ssize_t got = pb_tls_session_read(transport->tls, data, size, &want);

    transport->read_wants_write = got < 0 && want == PB_TLS_WANT_WRITE;
    if (got >= 0)
        return got;
    return want == PB_TLS_FAILED ? PB_TRANSPORT_FAILED : PB_TRANSPORT_AGAIN;
}

ssize_t pb_transport_read(struct pb_transport *transport, void *data, size_t size)
{
    ssize_t got;

    if (transport->tls)
        return read_tls(transport, data, size);
    do
        got = recv(transport->fd, data, size, 0);
    while (got < 0 && errno == EINTR);
    if (got >= 0)
        return got;
    return errno == EAGAIN || errno == EWOULDBLOCK ? PB_TRANSPORT_AGAIN : PB_TRANSPORT_FAILED;
}

static ssize_t write_plain(struct pb_transport *transport, struct pb_out_queue *queue)
{
    struct iovec vectors[VECTORS_MAX];
    struct msghdr message = {.msg_iov = vectors};
    ssize_t sent;

    message.msg_iovlen = (size_t)pb_out_queue_peek(queue, vectors, VECTORS_MAX);
    do
        sent = sendmsg(transport->fd, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent >= 0)
        return sent;
    return errno == EAGAIN || errno == EWOULDBLOCK ? PB_TRANSPORT_AGAIN : PB_TRANSPORT_FAILED;
}

static ssize_t write_tls(struct pb_transport *transport, struct pb_out_queue *queue)
{
    enum pb_tls_want want = PB_TLS_DONE;
    struct iovec vector;
    ssize_t sent;

    (void)pb_out_queue_peek(queue, &vector, 1);
    sent = pb_tls_session_write(transport->tls, vector.iov_base, vector.iov_len, &want);
    transport->write_wants_read = sent < 0 && want == PB_TLS_WANT_READ;
    if (sent >= 0)
        return sent;
    return want == PB_TLS_FAILED ? PB_TRANSPORT_FAILED : PB_TRANSPORT_AGAIN;
}

ssize_t pb_transport_flush(struct pb_transport *transport, struct pb_out_queue *queue)
{
    ssize_t total = 0;

    for (int round = 0; queue->bytes > 0 && round < FLUSH_ROUNDS; round++) {
        ssize_t sent = transport->tls ? write_tls(transport, queue) : write_plain(transport, queue);

        if (sent == PB_TRANSPORT_AGAIN)
            break;
        if (sent < 0)
            return PB_TRANSPORT_FAILED;
        pb_out_queue_sent(queue, (size_t)sent);
        total += sent;
    }
    return total;
}

int pb_transport_events(const struct pb_transport *transport, bool reading, bool writing)
{
    int events = 0;

    if (reading)
        events |= transport->read_wants_write ? PB_LOOP_WRITE : PB_LOOP_READ;
    if (writing)
        events |= transport->write_wants_read ? PB_LOOP_READ : PB_LOOP_WRITE;
    return events;
}

void pb_transport_end(struct pb_transport *transport)
{
    if (transport->tls)
        pb_tls_session_shutdown(transport->tls);
    (void)shutdown(transport->fd, SHUT_WR);
}

void pb_transport_close(struct pb_transport *transport)
{
    pb_tls_session_free(transport->tls);
    transport->tls = NULL;
    pb_close(&transport->fd);
}
