#include "net/http_front.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/pool.h"

enum { CONNECTIONS_MAX = 10000 };

struct place {
    struct pb_loop *loop;          /* owned, except the first */
    struct pb_http_server *server; /* owned; its loop thread's until joined */
    struct pb_thread *thread;      /* NULL for the first */
    _Atomic int64_t grace_ms;      /* whoever stops says it, the loop's thread reads it */
};

struct pb_http_front {
    unsigned count;
    struct place places[];
};

/* --- opening -------------------------------------------------------------------------------------- */

static int open_place(struct pb_http_front *front, unsigned index,
                      const struct pb_http_server_options *options, struct pb_error *err)
{
    struct pb_http_server_options own = *options;
    struct place *place = &front->places[index];

    own.is_shared = index == 0 && front->count > 1;
    if (index > 0) {
        own.beside = front->places[0].server;
        own.listen = NULL;
        place->loop = pb_loop_new(err);
    }
    if (!place->loop)
        return -1;
    place->server = pb_http_server_new(place->loop, &own, err);
    return place->server ? 0 : -1;
}

struct pb_http_front *pb_http_front_open(struct pb_loop *first, unsigned loops,
                                         const struct pb_http_server_options *options,
                                         struct pb_error *err)
{
    struct pb_http_server_options shared = *options;
    struct pb_http_front *front;

    if (loops == 0 || loops > PB_HTTP_FRONT_LOOPS) {
        (void)pb_fail(err, PB_ERROR_INVALID, "%u loops", loops);
        return NULL;
    }
    front = calloc(1, sizeof(*front) + loops * sizeof(front->places[0]));
    if (!front) {
        (void)pb_fail(err, PB_ERROR_LIMITED, "out of memory");
        return NULL;
    }
    front->count = loops;
    front->places[0].loop = first;
    if (shared.connections_max == 0)
        shared.connections_max = CONNECTIONS_MAX;
    shared.connections_max = (shared.connections_max + loops - 1) / loops;
    for (unsigned i = 0; i < loops; i++) {
        if (open_place(front, i, &shared, err) < 0) {
            pb_http_front_close(front);
            pb_http_front_free(front);
            return NULL;
        }
    }
    return front;
}

uint16_t pb_http_front_port(const struct pb_http_front *front)
{
    return pb_http_server_port(front->places[0].server);
}

/* --- running -------------------------------------------------------------------------------------- */

static void run(void *arg)
{
    pb_loop_run(arg);
}

int pb_http_front_start(struct pb_http_front *front, struct pb_error *err)
{
    for (unsigned i = 1; i < front->count; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "io-%u", i);
        front->places[i].thread = pb_thread_start(name, run, front->places[i].loop, err);
        if (!front->places[i].thread)
            return -1;
    }
    return 0;
}

size_t pb_http_front_connections(const struct pb_http_front *front)
{
    size_t count = 0;

    for (unsigned i = 0; i < front->count; i++)
        count += pb_http_server_connections(front->places[i].server);
    return count;
}

/* --- stopping ------------------------------------------------------------------------------------- */

static void stop_place(void *arg)
{
    struct place *place = arg;

    pb_http_server_stop(place->server, place->grace_ms);
}

void pb_http_front_stop(struct pb_http_front *front, int64_t grace_ms)
{
    for (unsigned i = 0; front && i < front->count; i++) {
        front->places[i].grace_ms = grace_ms;
        if (i == 0)
            stop_place(&front->places[i]);
        else
            (void)pb_loop_post(front->places[i].loop, stop_place, &front->places[i]); /* or close */
    }
}

void pb_http_front_join(struct pb_http_front *front)
{
    for (unsigned i = 1; front && i < front->count; i++) {
        if (front->places[i].thread)
            pb_loop_stop(front->places[i].loop);
        pb_thread_join(&front->places[i].thread);
    }
}

void pb_http_front_close(struct pb_http_front *front)
{
    pb_http_front_join(front);
    for (unsigned i = 0; front && i < front->count; i++) {
        pb_http_server_free(front->places[i].server);
        front->places[i].server = NULL;
    }
}

void pb_http_front_free(struct pb_http_front *front)
{
    for (unsigned i = 1; front && i < front->count; i++)
        pb_loop_free(front->places[i].loop);
    free(front);
}
