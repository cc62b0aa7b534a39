/* What the tests of net share: a loop on a thread of its own, and things to wait for. */
#ifndef TESTS_NET_TEST_H
#define TESTS_NET_TEST_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/loop.h"
#include "net/http_server.h"
#include "net/http_server_private.h"
#include "pb_test.h"

#define CHECK(condition, sentence)                             \
    do {                                                       \
        if (!(condition))                                      \
            fail_msg("not so: %s (%s)", sentence, #condition); \
    } while (0)

/* A loop that runs on its own thread until net_stop(). */
struct net {
    struct pb_loop *loop;
    struct pb_thread *thread;
};

void net_start(struct net *net);
void net_stop(struct net *net); /* joins; the loop is freed */
/* Runs fn(arg) on the loop's thread and waits for it. */
void net_do(struct net *net, void (*fn)(void *arg), void *arg);

/* Something that happens on another thread; all waits have a deadline of 20 s and fail the test. */
struct mark;
struct mark *mark_new(void);
void mark_free(struct mark *mark);
void mark_add(struct mark *mark);
void mark_wait(struct mark *mark, unsigned count);
unsigned mark_count(struct mark *mark);
/* For what must not happen: does it within `ms`? */
bool mark_within(struct mark *mark, int64_t ms);
/* Waits until check(arg) holds, asking again on every mark_add. */
void mark_until(struct mark *mark, bool (*check)(void *arg), void *arg);

/* A server on a free port of 127.0.0.1. */
struct pb_http_server *net_serve(struct net *net, struct pb_http_server_options *options,
                                 const struct pb_http_limits *limits);
void net_end_server(struct net *net, struct pb_http_server *server);

/* A plain blocking client socket, for bytes no proper client would send. */
int raw_connect(uint16_t port);
uint16_t raw_port(int fd); /* that a socket is bound to */
void raw_send(int fd, const char *bytes, size_t len);
void raw_text(int fd, const char *text);
/* Appends until the peer ends (true) or `until` is in what was read (true); false on deadline. */
bool raw_read(int fd, struct pb_buf *buf, const char *until);

/* Runs a program to its end and keeps what it prints, if wanted; anything but success fails the
 * test. */
void command_run(const char *const *argv, struct pb_buf *ret_out);

/* A self-signed certificate for localhost and 127.0.0.1 in a new folder. */
struct certificate {
    char folder[64];
    char certificate[96];
    char key[96];
};
void certificate_make(struct certificate *certificate);
void certificate_remove(struct certificate *certificate);

#endif
