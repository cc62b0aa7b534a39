#include "pg_proxy.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "pb_test.h"

enum { PAIRS_MAX = 64, CHUNK = 64 << 10 };

struct pair {
    int client, server; /* -1: none */
    bool answer_is_lost;
    bool is_delayed;
};

struct pg_proxy {
    pthread_t thread;
    int listener;
    int wake;
    char server_path[108];
    struct pair pairs[PAIRS_MAX];
    int pair_count;
    atomic_int mode;
    atomic_int accepted;
    atomic_int open;
    atomic_int applied; /* changes of the mode */
    atomic_bool is_stopping;
};

static struct sockaddr_un address_of(const char *dir)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/.s.PGSQL.5432", dir);
    return address;
}

static void end_pair(struct pair *pair)
{
    close(pair->client);
    close(pair->server);
    *pair = (struct pair){-1, -1, false, false};
}

static void take_client(struct pg_proxy *proxy)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct pair *pair = &proxy->pairs[proxy->pair_count];

    memcpy(address.sun_path, proxy->server_path, sizeof(address.sun_path));
    *pair = (struct pair){accept4(proxy->listener, NULL, NULL, SOCK_CLOEXEC),
                          socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), false, false};
    assert_true(pair->client >= 0 && pair->server >= 0 && proxy->pair_count < PAIRS_MAX);
    atomic_fetch_add(&proxy->accepted, 1);
    if (connect(pair->server, (const struct sockaddr *)&address, sizeof(address)) < 0)
        end_pair(pair);
    else
        proxy->pair_count++;
}

/* What the client says. False: the pair is over. */
static bool pass_request(struct pg_proxy *proxy, struct pair *pair)
{
    static const char COMMIT[] = "\0COMMIT"; /* as the statement of a Parse message */
    char data[CHUNK];
    ssize_t len = read(pair->client, data, sizeof(data));
    int mode = atomic_load(&proxy->mode);

    if (len <= 0)
        return false;
    if ((mode == PROXY_DROP_COMMIT || mode == PROXY_DROP_ANSWER) &&
        memmem(data, (size_t)len, COMMIT, sizeof(COMMIT))) {
        atomic_store(&proxy->mode, PROXY_PASS);
        if (mode == PROXY_DROP_COMMIT)
            return false;
        pair->answer_is_lost = true;
    }
    return send(pair->server, data, (size_t)len, MSG_NOSIGNAL) == len;
}

static bool pass_answer(struct pg_proxy *proxy, struct pair *pair)
{
    static const char NOW[] = "00000001000000", LATER[] = "00000009000000";
    char data[CHUNK], *name;
    ssize_t len = read(pair->server, data, sizeof(data));

    if (len <= 0 || pair->answer_is_lost)
        return false;
    name = memmem(data, (size_t)len, NOW, sizeof(NOW) - 1);
    if (name && atomic_load(&proxy->mode) == PROXY_FUTURE)
        memcpy(name, LATER, sizeof(LATER) - 1);
    return send(pair->client, data, (size_t)len, MSG_NOSIGNAL) == len;
}

static void look(struct pg_proxy *proxy, const struct pollfd *fds)
{
    int mode = atomic_load(&proxy->mode), kept = 0;

    for (int i = 0; i < proxy->pair_count; i++) {
        struct pair *pair = &proxy->pairs[i];
        bool ok = mode != PROXY_REFUSE, moves = mode != PROXY_SWALLOW && !pair->is_delayed;

        if (ok && moves && fds[2 * i].revents)
            ok = pass_request(proxy, pair);
        if (ok && moves && fds[2 * i + 1].revents)
            ok = pass_answer(proxy, pair);
        if (ok)
            proxy->pairs[kept++] = *pair;
        else
            end_pair(pair);
    }
    proxy->pair_count = kept;
    atomic_store(&proxy->open, kept);
}

static void apply_mode(struct pg_proxy *proxy)
{
    int mode = atomic_load(&proxy->mode);

    for (int i = 0; i < proxy->pair_count; i++)
        proxy->pairs[i].is_delayed = mode == PROXY_DELAY;
    atomic_fetch_add(&proxy->applied, 1);
}

static void *run(void *arg)
{
    struct pg_proxy *proxy = arg;
    struct pollfd fds[2 * PAIRS_MAX + 2];

    while (!atomic_load(&proxy->is_stopping)) {
        bool is_void = atomic_load(&proxy->mode) == PROXY_SWALLOW;
        int count = 2 * proxy->pair_count;
        uint64_t woken;

        for (int i = 0; i < proxy->pair_count; i++) {
            bool moves = !is_void && !proxy->pairs[i].is_delayed;

            fds[2 * i] = (struct pollfd){moves ? proxy->pairs[i].client : -1, POLLIN, 0};
            fds[2 * i + 1] = (struct pollfd){moves ? proxy->pairs[i].server : -1, POLLIN, 0};
        }
        fds[count] = (struct pollfd){proxy->listener, POLLIN, 0};
        fds[count + 1] = (struct pollfd){proxy->wake, POLLIN, 0};
        assert_true(poll(fds, (nfds_t)count + 2, -1) > 0);
        if (fds[count + 1].revents) {
            assert_int_equal(read(proxy->wake, &woken, sizeof(woken)), sizeof(woken));
            apply_mode(proxy);
        }
        look(proxy, fds);
        if (fds[count].revents)
            take_client(proxy);
    }
    return NULL;
}

static void wake(struct pg_proxy *proxy)
{
    uint64_t one = 1;

    assert_int_equal(write(proxy->wake, &one, sizeof(one)), sizeof(one));
}

struct pg_proxy *pg_proxy_start(const char *dir, const char *server_dir)
{
    struct pg_proxy *proxy = calloc(1, sizeof(*proxy));
    struct sockaddr_un here = address_of(dir), there = address_of(server_dir);

    assert_non_null(proxy);
    memcpy(proxy->server_path, there.sun_path, sizeof(there.sun_path));
    proxy->wake = eventfd(0, EFD_CLOEXEC);
    proxy->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(proxy->listener, (const struct sockaddr *)&here, sizeof(here)), 0);
    assert_int_equal(listen(proxy->listener, 64), 0);
    assert_int_equal(pthread_create(&proxy->thread, NULL, run, proxy), 0);
    return proxy;
}

void pg_proxy_set(struct pg_proxy *proxy, enum pg_proxy_mode mode)
{
    int seen = atomic_load(&proxy->applied);

    atomic_store(&proxy->mode, (int)mode);
    wake(proxy);
    while (atomic_load(&proxy->applied) == seen)
        sched_yield();
}

enum pg_proxy_mode pg_proxy_get(struct pg_proxy *proxy)
{
    return (enum pg_proxy_mode)atomic_load(&proxy->mode);
}

int pg_proxy_accepted(struct pg_proxy *proxy)
{
    return atomic_load(&proxy->accepted);
}

int pg_proxy_open(struct pg_proxy *proxy)
{
    return atomic_load(&proxy->open);
}

void pg_proxy_stop(struct pg_proxy *proxy)
{
    atomic_store(&proxy->is_stopping, true);
    wake(proxy);
    pthread_join(proxy->thread, NULL);
    for (int i = 0; i < proxy->pair_count; i++)
        end_pair(&proxy->pairs[i]);
    close(proxy->listener);
    close(proxy->wake);
    free(proxy);
}
