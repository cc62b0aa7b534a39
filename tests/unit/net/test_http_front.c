#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "net/http_front.h"
#include "net_test.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

enum { LOOPS = 3, CLIENTS = 60 };

/* A front whose first loop runs on net's thread. */
struct scene {
    struct net net;
    struct pb_http_server_options options;
    struct pb_http_front *front;
    int started;
    struct pb_error err; /* why not */
    uint16_t port;
    atomic_uint on_loop[LOOPS]; /* requests seen by each */
    _Atomic(struct pb_loop *) loops[LOOPS];
};

static void note_loop(struct scene *scene, struct pb_loop *loop)
{
    for (int i = 0; i < LOOPS; i++) {
        struct pb_loop *none = NULL;

        if (atomic_compare_exchange_strong(&scene->loops[i], &none, loop) || none == loop) {
            scene->on_loop[i]++;
            return;
        }
    }
    fail_msg("more loops than there are");
}

static void handle(void *arg, struct pb_http_exchange *exchange)
{
    note_loop(arg, pb_http_loop(exchange));
    pb_http_reply(exchange, 200, NULL, 0, "here", 4);
}

/* On its loop, which runs already. */
static void open_front(void *arg)
{
    struct scene *scene = arg;

    scene->front = pb_http_front_open(scene->net.loop, LOOPS, &scene->options, &scene->err);
    scene->started = scene->front ? pb_http_front_start(scene->front, &scene->err) : -1;
}

static void set_up(struct scene *scene, struct pb_http_server_options options)
{
    memset(scene, 0, sizeof(*scene));
    net_start(&scene->net);
    options.listen = "127.0.0.1:0";
    options.handle = handle;
    options.arg = scene;
    scene->options = options;
    net_do(&scene->net, open_front, scene);
    assert_ok(scene->started, &scene->err);
    scene->port = pb_http_front_port(scene->front);
}

static void stop(void *arg)
{
    struct scene *scene = arg;

    pb_http_front_stop(scene->front, 0);
}

static void close_front(void *arg)
{
    struct scene *scene = arg;

    pb_http_front_join(scene->front);
    pb_http_front_close(scene->front);
}

static void tear_down(struct scene *scene)
{
    net_do(&scene->net, stop, scene);
    net_do(&scene->net, close_front, scene);
    pb_http_front_free(scene->front);
    net_stop(&scene->net);
}

static bool is_answered(int fd)
{
    struct pb_buf reply;
    bool ok;

    pb_buf_init(&reply, 4096);
    raw_text(fd, GET("/"));
    ok = raw_read(fd, &reply, "here") && strstr(pb_buf_string(&reply), "HTTP/1.1 200");
    pb_buf_release(&reply);
    return ok;
}

TEST(clients_are_spread_over_all_loops)
{
    struct scene scene;
    int fds[CLIENTS];
    unsigned sum = 0;

    set_up(&scene, (struct pb_http_server_options){0});
    for (int i = 0; i < CLIENTS; i++)
        fds[i] = raw_connect(scene.port);
    for (int i = 0; i < CLIENTS; i++)
        CHECK(is_answered(fds[i]), "every client is answered");
    assert_int_equal(pb_http_front_connections(scene.front), CLIENTS);
    /* 60 clients leave one of three loops out once in 10^10 runs */
    for (int i = 0; i < LOOPS; i++) {
        assert_true(scene.on_loop[i] > 0);
        sum += scene.on_loop[i];
    }
    assert_int_equal(sum, CLIENTS);
    for (int i = 0; i < CLIENTS; i++)
        (void)close(fds[i]);
    tear_down(&scene);
}

TEST(an_address_that_is_taken_is_refused)
{
    struct scene scene;
    struct pb_error err = {0};
    struct pb_loop *loop = pb_loop_new(&err);
    char listen[32];

    set_up(&scene, (struct pb_http_server_options){0});
    (void)snprintf(listen, sizeof(listen), "127.0.0.1:%u", scene.port);
    assert_null(pb_http_front_open(
        loop, LOOPS,
        &(struct pb_http_server_options){.listen = listen, .handle = handle, .arg = &scene}, &err));
    assert_int_equal(err.code, PB_ERROR_CONFLICT);
    assert_string_equal(err.reason, "address_in_use");
    pb_loop_free(loop);
    tear_down(&scene);
}

TEST(stopping_ends_idle_clients_of_all_loops)
{
    struct scene scene;
    struct pb_buf rest;
    int fds[CLIENTS];

    set_up(&scene, (struct pb_http_server_options){0});
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = raw_connect(scene.port);
        CHECK(is_answered(fds[i]), "every client is answered");
    }
    net_do(&scene.net, stop, &scene);
    pb_buf_init(&rest, 64);
    for (int i = 0; i < CLIENTS; i++) {
        CHECK(raw_read(fds[i], &rest, NULL), "the server hangs up");
        (void)close(fds[i]);
    }
    assert_int_equal(rest.len, 0);
    pb_buf_release(&rest);
    tear_down(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clients_are_spread_over_all_loops),
        cmocka_unit_test(an_address_that_is_taken_is_refused),
        cmocka_unit_test(stopping_ends_idle_clients_of_all_loops),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
