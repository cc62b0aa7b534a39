#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/pool.h"
#include "net/resolver_private.h"

enum { THREADS = 2, QUEUE_MAX = 64 };

struct pb_resolve {
    char *host;
    char port[8];
    void (*done)(void *arg, struct addrinfo *found, const char *problem);
    void *arg;
    struct addrinfo *found;
    int result;
    _Atomic unsigned
        refs; /* the thread's and the caller's; the caller's passes on to the delivery */

    pthread_mutex_t lock; /* guards: */
    struct pb_loop *loop; /* NULL = cancelled */
};

static struct pb_pool *the_pool; /* lives as long as the process */

static void open_pool(void)
{
    struct pb_error err;

    the_pool = pb_pool_new("resolve", THREADS, QUEUE_MAX, &err);
}

static void resolve_unref(struct pb_resolve *resolve)
{
    if (atomic_fetch_sub_explicit(&resolve->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (resolve->found)
        freeaddrinfo(resolve->found);
    pthread_mutex_destroy(&resolve->lock);
    free(resolve->host);
    free(resolve);
}

static void deliver(void *arg)
{
    struct pb_resolve *resolve = arg;
    struct addrinfo *found = resolve->found;

    resolve->found = NULL;
    if (resolve->loop) /* written on this thread only */
        resolve->done(resolve->arg, found, found ? NULL : gai_strerror(resolve->result));
    else if (found)
        freeaddrinfo(found);
    resolve_unref(resolve);
}

static void work(void *arg)
{
    struct pb_resolve *resolve = arg;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    bool posted = false;

    resolve->result = getaddrinfo(resolve->host, resolve->port, &hints, &resolve->found);
    pthread_mutex_lock(&resolve->lock);
    if (resolve->loop)
        posted = pb_loop_post(resolve->loop, deliver, resolve);
    pthread_mutex_unlock(&resolve->lock);
    if (!posted)
        resolve_unref(resolve);
    resolve_unref(resolve);
}

struct pb_resolve *pb_resolve_start(struct pb_loop *loop, const char *host, uint16_t port,
                                    void (*done)(void *arg, struct addrinfo *found,
                                                 const char *problem),
                                    void *arg, struct pb_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct pb_resolve *resolve = calloc(1, sizeof(*resolve));

    (void)pthread_once(&once, open_pool);
    if (!resolve || !(resolve->host = strdup(host))) {
        free(resolve);
        (void)pb_fail(err, PB_ERROR_LIMITED, "out of memory");
        return NULL;
    }
    (void)snprintf(resolve->port, sizeof(resolve->port), "%u", (unsigned)port);
    resolve->done = done;
    resolve->arg = arg;
    resolve->loop = loop;
    atomic_init(&resolve->refs, 2);
    pthread_mutex_init(&resolve->lock, NULL);
    if (!the_pool || !pb_pool_submit(the_pool, work, resolve)) {
        atomic_store(&resolve->refs, 1);
        resolve_unref(resolve);
        (void)pb_fail(err, PB_ERROR_UNAVAILABLE, "too many names to resolve at once");
        return NULL;
    }
    return resolve;
}

void pb_resolve_cancel(struct pb_resolve *resolve)
{
    if (!resolve)
        return;
    /* The thread, or the delivery that is on its way, gives up our reference. */
    pthread_mutex_lock(&resolve->lock);
    resolve->loop = NULL;
    pthread_mutex_unlock(&resolve->lock);
}
