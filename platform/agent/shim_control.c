#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/fd_message.h"
#include "agent/shim_private.h"
#include "agent/shim_protocol.h"
#include "base/fs.h"
#include "base/text.h"

enum { WORD_MAX = 32, REPLY_MAX = 1200, BACKLOG = 4 };

/* Through /proc/self/fd, because a socket's path may have no more than 107 bytes. */
int pb_shim_control_open(struct pb_shim *shim, struct pb_error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    for (size_t i = 0; i < PB_SHIM_CLIENTS; i++)
        shim->clients[i].fd = -1;
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", shim->rundir,
                   PB_SHIM_SOCKET);
    shim->control = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (shim->control < 0 ||
        bind(shim->control, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        fchmodat(shim->rundir, PB_SHIM_SOCKET, 0600, 0) < 0 || listen(shim->control, BACKLOG) < 0)
        return pb_fail_errno(err, "open the control socket");
    return 0;
}

static bool is_own_user(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.uid == geteuid();
}

void pb_shim_control_accept(struct pb_shim *shim)
{
    int fd = accept4(shim->control, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0)
        return;
    for (size_t i = 0; i < PB_SHIM_CLIENTS && is_own_user(fd); i++) {
        if (shim->clients[i].fd < 0) {
            shim->clients[i] = (struct pb_shim_client){.fd = fd};
            return;
        }
    }
    pb_close(&fd);
}

static void drop(struct pb_shim_client *client)
{
    pb_close(&client->fd);
    client->is_watching = false;
}

/* A client that does not read its answers is dropped. */
static void answer(struct pb_shim_client *client, const char *text, const int *fds, size_t fd_count)
{
    struct pb_error ignored;

    if (pb_fd_message_send(client->fd, text, strlen(text), fds, fd_count, &ignored) < 0)
        drop(client);
}

static void answer_status(const struct pb_shim *shim, struct pb_shim_client *client)
{
    char text[REPLY_MAX];

    (void)snprintf(text, sizeof(text), "%s,\"output\":%llu,\"errors\":%llu}", shim->state,
                   (unsigned long long)shim->output.bytes, (unsigned long long)shim->errors.bytes);
    answer(client, text, NULL, 0);
}

static void answer_listener(const struct pb_shim *shim, struct pb_shim_client *client)
{
    if (shim->listener < 0)
        answer(client, "none", NULL, 0);
    else
        answer(client, "ok", &shim->listener, 1);
}

void pb_shim_control_serve(struct pb_shim *shim, struct pb_shim_client *client)
{
    static const struct {
        const char *word;
        enum pb_task_signal number;
    } SIGNALS[] = {{"int", PB_TASK_INT}, {"term", PB_TASK_TERM}, {"kill", PB_TASK_KILL}};
    char word[WORD_MAX + 1];
    ssize_t n = recv(client->fd, word, WORD_MAX, 0);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        drop(client);
        return;
    }
    word[n] = '\0';
    for (size_t i = 0; i < sizeof(SIGNALS) / sizeof(SIGNALS[0]); i++) {
        if (pb_text_equal(word, SIGNALS[i].word)) {
            pb_shim_ask(shim, SIGNALS[i].number);
            answer(client, "ok", NULL, 0);
            return;
        }
    }
    if (pb_text_equal(word, "watch"))
        client->is_watching = true;
    else if (pb_text_equal(word, "status"))
        answer_status(shim, client);
    else if (pb_text_equal(word, "listener"))
        answer_listener(shim, client);
    else
        drop(client);
}

void pb_shim_control_tell(struct pb_shim *shim)
{
    uint64_t bytes = shim->output.bytes + shim->errors.bytes;

    for (size_t i = 0; i < PB_SHIM_CLIENTS; i++) {
        struct pb_shim_client *client = &shim->clients[i];

        if (client->fd < 0 || !client->is_watching || client->told == bytes)
            continue;
        client->is_watching = false;
        client->told = bytes;
        answer(client, "grew", NULL, 0);
    }
}

void pb_shim_control_close(struct pb_shim *shim)
{
    (void)unlinkat(shim->rundir, PB_SHIM_SOCKET, 0);
    for (size_t i = 0; i < PB_SHIM_CLIENTS; i++)
        drop(&shim->clients[i]);
    pb_close(&shim->control);
}
