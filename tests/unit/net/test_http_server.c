#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/pool.h"
#include "net/tls.h"
#include "net_test.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

enum { BIG = 10 * 1024 * 1024, PIECE = 64 * 1024 };

/* One server with a handler that does what the path says. */
struct scene {
    struct net net;
    struct pb_http_server *server;
    uint16_t port;
    struct pb_pool *pool;
    struct pb_http_exchange *held;
    struct mark *handled; /* one per request */
    struct mark *gone;
    struct mark *drained;
    size_t waiting_most; /* of the streamed reply */
    size_t streamed;
    struct pb_shared_bytes *shared;
};

static void reply_text(struct pb_http_exchange *exchange, int status, const char *text)
{
    static const struct pb_http_header headers[] = {{"Content-Type", "text/plain"}};

    pb_http_reply(exchange, status, headers, 1, text, strlen(text));
}

static void reply_from_pool(void *arg)
{
    reply_text(arg, 200, "from the pool");
}

/* Writes 10 MB in pieces, waiting for `drained` when a lot is waiting. */
static void stream_on(void *arg);

struct stream {
    struct scene *scene;
    struct pb_http_exchange *exchange;
};

static void stream_gone(void *arg)
{
    struct stream *stream = arg;

    mark_add(stream->scene->gone);
    pb_http_reply_end(stream->exchange);
    free(stream);
}

static void stream_on(void *arg)
{
    static char piece[PIECE];
    struct stream *stream = arg;
    struct scene *scene = stream->scene;

    mark_add(scene->drained);
    memset(piece, 'x', sizeof(piece));
    while (scene->streamed < BIG) {
        size_t waiting = pb_http_reply_write(stream->exchange, piece, sizeof(piece));

        scene->streamed += sizeof(piece);
        if (waiting > scene->waiting_most)
            scene->waiting_most = waiting;
        if (waiting >= PB_HTTP_DRAINED_BELOW)
            return;
    }
    pb_http_reply_end(stream->exchange);
    free(stream);
}

static void stream_begin(struct scene *scene, struct pb_http_exchange *exchange)
{
    struct stream *stream = calloc(1, sizeof(*stream));

    stream->scene = scene;
    stream->exchange = exchange;
    scene->streamed = scene->waiting_most = 0;
    pb_http_reply_watch(exchange, stream_on, stream_gone, stream);
    pb_http_reply_begin(exchange, 200, NULL, 0, BIG);
    stream_on(stream);
}

/* A pool thread that writes without looking at the queue but for what write says. */
static void stream_from_pool(void *arg)
{
    struct pb_http_exchange *exchange = arg;

    pb_http_reply_begin(exchange, 200, NULL, 0, -1);
    for (int i = 0; i < 1000; i++) {
        char line[32];
        int len = snprintf(line, sizeof(line), "line %d\n", i);

        (void)pb_http_reply_write(exchange, line, (size_t)len);
    }
    pb_http_reply_end(exchange);
}

/* Straight-line code that waits on its own thread for the client. */
struct patience {
    struct mark *drained;
    struct mark *gone;
};

static void patience_drained(void *arg)
{
    struct patience *patience = arg;

    mark_add(patience->drained);
}

static void patience_gone(void *arg)
{
    struct patience *patience = arg;

    mark_add(patience->gone);
    mark_add(patience->drained);
}

static void stream_patiently(void *arg)
{
    static char piece[PIECE];
    struct pb_http_exchange *exchange = arg;
    struct patience patience = {mark_new(), mark_new()};
    unsigned drained = 0;

    pb_http_reply_watch(exchange, patience_drained, patience_gone, &patience);
    pb_http_reply_begin(exchange, 200, NULL, 0, BIG);
    for (size_t sent = 0; sent < BIG && mark_count(patience.gone) == 0; sent += sizeof(piece)) {
        if (pb_http_reply_write(exchange, piece, sizeof(piece)) >= PB_HTTP_DRAINED_BELOW)
            mark_wait(patience.drained, ++drained);
    }
    pb_http_reply_end(exchange); /* from here on nobody calls: the marks may go */
    mark_free(patience.drained);
    mark_free(patience.gone);
}

static void echo(struct pb_http_exchange *exchange)
{
    struct pb_buf text;
    size_t len;
    const char *body = pb_http_body(exchange, &len);

    pb_buf_init(&text, 4 << 20);
    pb_buf_format(&text, "%s %s ?%s [", pb_http_method(exchange), pb_http_path(exchange),
                  pb_http_query(exchange));
    pb_buf_bytes(&text, body, len);
    pb_buf_text(&text, "]");
    pb_http_reply(exchange, 200, NULL, 0, text.data, text.len);
    pb_buf_release(&text);
}

static void reply_bulk(struct pb_http_exchange *exchange)
{
    char *bulk = malloc(BIG);

    memset(bulk, 'x', BIG);
    pb_http_reply(exchange, 200, NULL, 0, bulk, BIG);
    free(bulk);
}

static void hold_gone(void *arg)
{
    struct scene *scene = arg;

    mark_add(scene->gone);
}

static void handle(void *arg, struct pb_http_exchange *exchange)
{
    static const struct pb_http_header evil[] = {{"X-Evil", "a\r\nSet-Cookie: b=c"},
                                                 {"Content-Length", "999"},
                                                 {"Bad Name", "x"}};
    struct scene *scene = arg;
    const char *path = pb_http_path(exchange);

    if (strcmp(path, "/pool") == 0) {
        assert_true(pb_pool_submit(scene->pool, reply_from_pool, exchange));
    } else if (strcmp(path, "/pool-stream") == 0) {
        assert_true(pb_pool_submit(scene->pool, stream_from_pool, exchange));
    } else if (strcmp(path, "/pool-big") == 0) {
        assert_true(pb_pool_submit(scene->pool, stream_patiently, exchange));
    } else if (strcmp(path, "/big") == 0) {
        stream_begin(scene, exchange);
    } else if (strcmp(path, "/hold") == 0) {
        scene->held = exchange;
        pb_http_reply_watch(exchange, NULL, hold_gone, scene);
    } else if (strcmp(path, "/abort") == 0) {
        pb_http_reply_begin(exchange, 200, NULL, 0, -1);
        (void)pb_http_reply_write(exchange, "half", 4);
        pb_http_reply_abort(exchange);
    } else if (strcmp(path, "/short") == 0) {
        pb_http_reply_begin(exchange, 200, NULL, 0, 10);
        (void)pb_http_reply_write(exchange, "half", 4);
        pb_http_reply_end(exchange);
    } else if (strcmp(path, "/nothing") == 0) {
        pb_http_reply(exchange, 204, NULL, 0, NULL, 0);
    } else if (strcmp(path, "/bulk") == 0) {
        reply_bulk(exchange);
    } else if (strcmp(path, "/shared") == 0) {
        pb_http_reply_shared(exchange, 200, NULL, 0, scene->shared);
    } else if (strcmp(path, "/evil") == 0) {
        pb_http_reply(exchange, 200, evil, 3, "ok", 2);
    } else if (strcmp(path, "/peer") == 0) {
        reply_text(exchange, 200, pb_http_peer(exchange));
    } else {
        echo(exchange);
    }
    mark_add(scene->handled);
}

static void set_up_with(struct scene *scene, struct pb_http_server_options options,
                        const struct pb_http_limits *limits)
{
    struct pb_error err = {0};

    *scene = (struct scene){0};
    scene->handled = mark_new();
    scene->gone = mark_new();
    scene->drained = mark_new();
    net_start(&scene->net);
    scene->pool = pb_pool_new("test-pool", 4, 64, &err);
    assert_non_null(scene->pool);
    options.handle = handle;
    options.arg = scene;
    scene->server = net_serve(&scene->net, &options, limits);
    scene->port = pb_http_server_port(scene->server);
}

static void set_up(struct scene *scene)
{
    set_up_with(scene, (struct pb_http_server_options){0}, NULL);
}

static void tear_down(struct scene *scene)
{
    pb_pool_free(scene->pool);
    net_end_server(&scene->net, scene->server);
    net_stop(&scene->net);
    mark_free(scene->handled);
    mark_free(scene->gone);
    mark_free(scene->drained);
}

/* Sends, then reads until `until` or the end. */
static void talk(struct scene *scene, const char *request, const char *until, struct pb_buf *reply)
{
    int fd = raw_connect(scene->port);

    pb_buf_init(reply, 32 << 20);
    raw_text(fd, request);
    CHECK(raw_read(fd, reply, until), "the server answers in time");
    (void)close(fd);
}

static unsigned count_of(const char *text, const char *part)
{
    unsigned count = 0;

    while ((text = strstr(text, part))) {
        count++;
        text += strlen(part);
    }
    return count;
}

TEST(a_request_is_answered)
{
    struct scene scene;
    struct pb_buf reply;

    set_up(&scene);
    talk(&scene, "POST /a%20b?c=d HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", "]",
         &reply);
    assert_ptr_equal(strstr(reply.data, "HTTP/1.1 200 OK\r\n"), reply.data);
    assert_non_null(strstr(reply.data, "Content-Length: 24\r\n"));
    assert_non_null(strstr(reply.data, "Date: "));
    assert_non_null(strstr(reply.data, " GMT\r\n"));
    assert_non_null(strstr(reply.data, "POST /a%20b ?c=d [hello]"));
    pb_buf_release(&reply);
    tear_down(&scene);
}

TEST(pipelined_requests_are_answered_in_order)
{
    struct scene scene;
    struct pb_buf reply;
    const char *first, *second, *third;

    set_up(&scene);
    /* the first takes a detour over the pool; the others have to wait for it */
    talk(&scene,
         GET("/pool") GET("/two") "POST /three HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                                  "Content-Length: 3\r\n\r\nabc",
         NULL, &reply);
    first = strstr(reply.data, "from the pool");
    second = strstr(reply.data, "GET /two");
    third = strstr(reply.data, "POST /three ?[abc]");
    third = third ? third : strstr(reply.data, "POST /three ? [abc]");
    assert_non_null(first);
    assert_non_null(second);
    assert_non_null(third);
    assert_true(first < second && second < third);
    CHECK(count_of(reply.data, "HTTP/1.1 200") == 3, "three replies");
    pb_buf_release(&reply);
    tear_down(&scene);
}

TEST(a_thousand_pipelined_requests_are_answered)
{
    struct scene scene;
    struct pb_buf requests, reply;
    int fd;

    set_up(&scene);
    pb_buf_init(&requests, 1 << 20);
    pb_buf_init(&reply, 1 << 20);
    for (int i = 0; i < 999; i++)
        pb_buf_text(&requests, i % 7 ? GET("/x") : GET("/pool"));
    pb_buf_text(&requests, "GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    fd = raw_connect(scene.port);
    raw_send(fd, requests.data, requests.len);
    CHECK(raw_read(fd, &reply, NULL), "all is answered in time");
    CHECK(count_of(reply.data, "HTTP/1.1 200") == 1000, "each once");
    (void)close(fd);
    pb_buf_release(&requests);
    pb_buf_release(&reply);
    tear_down(&scene);
}

TEST(head_sends_the_length_and_no_body)
{
    struct scene scene;
    struct pb_buf reply;

    set_up(&scene);
    talk(&scene, "HEAD /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", NULL, &reply);
    assert_non_null(strstr(reply.data, "Content-Length: 12\r\n"));
    assert_null(strstr(reply.data, "[]"));
    pb_buf_release(&reply);
    talk(&scene,
         "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n"
         "GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
         NULL, &reply);
    assert_ptr_equal(strstr(reply.data, "HTTP/1.1 204 No Content\r\n"), reply.data);
    assert_ptr_equal(strstr(reply.data, "Content-Length"),
                     strstr(reply.data, "Content-Length: 11"));
    pb_buf_release(&reply);
    tear_down(&scene);
}

TEST(a_client_that_waits_is_told_to_continue)
{
    struct scene scene;
    struct pb_buf reply;
    int fd;

    set_up(&scene);
    pb_buf_init(&reply, 1 << 20);
    fd = raw_connect(scene.port);
    raw_text(fd,
             "POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    CHECK(raw_read(fd, &reply, "\r\n\r\n"), "it is told");
    assert_string_equal(reply.data, "HTTP/1.1 100 Continue\r\n\r\n");
    raw_text(fd, "abc");
    CHECK(raw_read(fd, &reply, "[abc]"), "and answered");
    (void)close(fd);
    pb_buf_release(&reply);
    talk(&scene,
         "POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9999999\r\n\r\n",
         NULL, &reply);
    CHECK(strstr(reply.data, "HTTP/1.1 413 ") == reply.data, "or refused before it sends");
    pb_buf_release(&reply);
    tear_down(&scene);
}

TEST(refusals_are_problem_documents_and_end_the_connection)
{
    struct scene scene;
    struct pb_buf reply;

    set_up(&scene);
    talk(&scene, "GET / HTTP/1.1\r\n\r\n" GET("/smuggled"), NULL, &reply);
    assert_ptr_equal(strstr(reply.data, "HTTP/1.1 400 Bad Request\r\n"), reply.data);
    assert_non_null(strstr(reply.data, "Content-Type: application/problem+json\r\n"));
    assert_non_null(strstr(reply.data, "Connection: close\r\n"));
    assert_non_null(strstr(reply.data,
                           "{\"type\":\"about:blank\",\"title\":\"Bad Request\",\"status\":400,"
                           "\"code\":\"bad_request\",\"detail\":\""));
    assert_null(strstr(reply.data, "smuggled"));
    CHECK(mark_count(scene.handled) == 0, "no handler has run");
    pb_buf_release(&reply);
    tear_down(&scene);
}

TEST(replies_to_http_1_0_end_with_the_connection)
{
    struct scene scene;
    struct pb_buf reply;

    set_up(&scene);
    talk(&scene, "GET /pool-stream HTTP/1.0\r\nHost: a\r\n\r\n", NULL, &reply);
    assert_null(strstr(reply.data, "chunked"));
    assert_non_null(strstr(reply.data, "Connection: close\r\n"));
    assert_non_null(strstr(reply.data, "\r\n\r\nline 0\n"));
    assert_non_null(strstr(reply.data, "line 999\n"));
    pb_buf_release(&reply);
    talk(&scene,
         "GET /x HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"
         "GET /y HTTP/1.0\r\nHost: a\r\n\r\n",
         NULL, &reply);
    CHECK(count_of(reply.data, "HTTP/1.1 200") == 2, "unless it asks to be kept");
    assert_non_null(strstr(reply.data, "Connection: keep-alive\r\n"));
    pb_buf_release(&reply);
    tear_down(&scene);
}

TEST(a_streamed_reply_from_a_pool_thread_arrives_in_order)
{
    struct scene scene;
    struct pb_buf reply;
    const char *at;

    set_up(&scene);
    talk(&scene, GET("/pool-stream"), "\r\n0\r\n\r\n", &reply);
    at = reply.data;
    for (int i = 0; i < 1000; i++) {
        char line[32];

        (void)snprintf(line, sizeof(line), "line %d\n", i);
        at = strstr(at, line);
        assert_non_null(at);
    }
    pb_buf_release(&reply);
    tear_down(&scene);
}

TEST(headers_cannot_be_injected)
{
    struct scene scene;
    struct pb_buf reply;

    set_up(&scene);
    talk(&scene, GET("/evil"), "ok", &reply);
    assert_non_null(strstr(reply.data, "X-Evil: a  Set-Cookie: b=c\r\n"));
    assert_null(strstr(reply.data, "999"));
    assert_null(strstr(reply.data, "Bad Name"));
    pb_buf_release(&reply);
    tear_down(&scene);
}

static bool ended_by_reset(int fd, struct pb_buf *reply)
{
    char bytes[4096];
    ssize_t got;

    while ((got = recv(fd, bytes, sizeof(bytes), 0)) > 0)
        pb_buf_bytes(reply, bytes, (size_t)got);
    return got < 0 && errno == ECONNRESET;
}

TEST(an_aborted_reply_is_seen_to_be_incomplete)
{
    static const char *const requests[] = {GET("/abort"), GET("/short"),
                                           "GET /abort HTTP/1.0\r\nHost: a\r\n\r\n"};
    struct scene scene;
    struct pb_buf reply;

    set_up(&scene);
    for (size_t i = 0; i < COUNT(requests); i++) {
        int fd = raw_connect(scene.port);

        pb_buf_init(&reply, 1 << 20);
        raw_text(fd, requests[i]);
        CHECK(ended_by_reset(fd, &reply), "the connection is reset");
        (void)close(fd);
        pb_buf_release(&reply);
    }
    tear_down(&scene);
}

TEST(a_slow_reader_gets_ten_megabytes_while_memory_stays_bounded)
{
    struct scene scene;
    struct pb_buf reply;
    int fd, small = 64 * 1024;

    set_up(&scene);
    pb_buf_init(&reply, 32 << 20);
    fd = raw_connect(scene.port);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    raw_text(fd, "GET /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    mark_wait(scene.handled, 1); /* it has written what fits and waits for us */
    CHECK(raw_read(fd, &reply, NULL), "all of it comes");
    CHECK(reply.len > BIG && reply.len < BIG + 1000, "and nothing else");
    CHECK(scene.waiting_most <= PB_HTTP_DRAINED_BELOW + PIECE, "never much was waiting");
    CHECK(mark_count(scene.drained) >= 2, "the writer was told to go on");
    (void)close(fd);
    pb_buf_release(&reply);
    tear_down(&scene);
}

TEST(a_pool_thread_may_wait_for_its_client)
{
    struct scene scene;
    struct pb_buf replies[4];
    int fds[4];

    set_up(&scene);
    for (size_t i = 0; i < COUNT(fds); i++) {
        pb_buf_init(&replies[i], 32 << 20);
        fds[i] = raw_connect(scene.port);
        raw_text(fds[i], "GET /pool-big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    }
    mark_wait(scene.handled, 4);
    (void)close(fds[0]); /* the first one does not wait for the end */
    for (size_t i = 1; i < COUNT(fds); i++) {
        CHECK(raw_read(fds[i], &replies[i], NULL), "all of it comes");
        CHECK(replies[i].len > BIG && replies[i].len < BIG + 1000, "and nothing else");
        (void)close(fds[i]);
    }
    for (size_t i = 0; i < COUNT(fds); i++)
        pb_buf_release(&replies[i]);
    tear_down(&scene);
}

TEST(a_writer_is_told_that_its_client_is_gone)
{
    struct scene scene;
    int fd;

    set_up(&scene);
    fd = raw_connect(scene.port);
    raw_text(fd, GET("/big"));
    mark_wait(scene.handled, 1);
    (void)close(fd); /* unread data: a reset */
    mark_wait(scene.gone, 1);
    tear_down(&scene);
}

static void reply_held(void *arg)
{
    struct scene *scene = arg;

    reply_text(scene->held, 200, "late");
}

TEST(a_reply_to_a_client_that_left_is_thrown_away)
{
    struct scene scene;
    int fd;

    set_up(&scene);
    fd = raw_connect(scene.port);
    raw_text(fd, GET("/hold"));
    mark_wait(scene.handled, 1);
    (void)close(fd);
    mark_wait(scene.gone, 1);
    assert_string_equal(pb_http_path(scene.held), "/hold");
    reply_held(&scene); /* from this thread */
    tear_down(&scene);
}

TEST(a_client_that_closed_only_its_half_still_gets_its_reply)
{
    struct scene scene;
    struct pb_buf reply;
    int fd;

    set_up(&scene);
    pb_buf_init(&reply, 1 << 20);
    fd = raw_connect(scene.port);
    raw_text(fd, GET("/hold"));
    (void)shutdown(fd, SHUT_WR);
    mark_wait(scene.gone, 1); /* it may be gone: whoever streams should know */
    net_do(&scene.net, reply_held, &scene);
    CHECK(raw_read(fd, &reply, NULL), "the connection ends");
    assert_non_null(strstr(reply.data, "late"));
    (void)close(fd);
    pb_buf_release(&reply);
    tear_down(&scene);
}

static const struct pb_http_limits SHORT_LIMITS = {
    .handshake_ms = 200,
    .head_ms = 200,
    .body_grace_ms = 200,
    .body_rate = 100000,
    .idle_ms = 200,
    .stall_ms = 400,
    .linger_ms = 200,
};

TEST(slow_heads_and_bodies_are_refused_and_idle_connections_closed)
{
    static const struct {
        const char *bytes;
        const char *begin;
    } rows[] = {
        {"GET / HTT", "HTTP/1.1 408 Request Timeout\r\n"},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc",
         "HTTP/1.1 408 Request Timeout\r\n"},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n",
         "HTTP/1.1 408 Request Timeout\r\n"},
        {"", ""},
        {GET("/x"), "HTTP/1.1 200 OK\r\n"},
    };
    struct scene scene;
    struct pb_buf reply;

    set_up_with(&scene, (struct pb_http_server_options){0}, &SHORT_LIMITS);
    for (size_t i = 0; i < COUNT(rows); i++) {
        talk(&scene, rows[i].bytes, NULL, &reply); /* NULL: until the server ends it */
        CHECK(strncmp(pb_buf_string(&reply), rows[i].begin, strlen(rows[i].begin)) == 0,
              rows[i].bytes);
        pb_buf_release(&reply);
    }
    tear_down(&scene);
}

TEST(a_client_that_reads_nothing_is_cut_off)
{
    struct scene scene;
    int fd;

    set_up_with(&scene, (struct pb_http_server_options){0}, &SHORT_LIMITS);
    fd = raw_connect(scene.port);
    raw_text(fd, GET("/big"));
    mark_wait(scene.gone, 1);
    (void)close(fd);
    tear_down(&scene);
}

TEST(too_many_connections_close_an_idle_one_or_turn_the_newcomer_away)
{
    struct pb_http_server_options options = {.connections_max = 2};
    struct scene scene;
    struct pb_buf reply;
    int idle, busy, third, fourth;

    set_up_with(&scene, options, NULL);
    pb_buf_init(&reply, 1 << 20);
    idle = raw_connect(scene.port);
    raw_text(idle, GET("/x"));
    mark_wait(scene.handled, 1);
    busy = raw_connect(scene.port);
    raw_text(busy, GET("/hold"));
    mark_wait(scene.handled, 2);
    third = raw_connect(scene.port);
    CHECK(raw_read(idle, &reply, NULL), "the idle one is closed");
    raw_text(third, "GET /");
    pb_buf_clear(&reply);
    raw_text(third, "x HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(raw_read(third, &reply, "[]"), "for the third, which is served");
    raw_text(third, "GET / HTTP/1.1\r\n"); /* busy from now on */
    raw_text(third, "X: y\r\n");
    net_do(&scene.net, reply_held, &scene);
    pb_buf_clear(&reply);
    CHECK(raw_read(busy, &reply, "late"), "the held one is answered");
    raw_text(busy, GET("/hold"));
    mark_wait(scene.handled, 4);
    fourth = raw_connect(scene.port);
    pb_buf_clear(&reply);
    CHECK(raw_read(fourth, &reply, NULL), "the fourth is answered");
    assert_non_null(strstr(reply.data, "HTTP/1.1 503 Service Unavailable\r\n"));
    net_do(&scene.net, reply_held, &scene);
    (void)close(idle);
    (void)close(busy);
    (void)close(third);
    (void)close(fourth);
    pb_buf_release(&reply);
    tear_down(&scene);
}

static void stop(void *arg)
{
    struct scene *scene = arg;

    pb_http_server_stop(scene->server, 10000);
}

TEST(stopping_lets_a_reply_finish_and_closes_the_rest)
{
    struct scene scene;
    struct pb_buf reply;
    int idle, busy;

    set_up(&scene);
    pb_buf_init(&reply, 1 << 20);
    idle = raw_connect(scene.port);
    raw_text(idle, GET("/x"));
    CHECK(raw_read(idle, &reply, "[]"), "an idle connection");
    busy = raw_connect(scene.port);
    raw_text(busy, GET("/hold"));
    mark_wait(scene.handled, 2);
    net_do(&scene.net, stop, &scene);
    CHECK(raw_read(idle, &reply, NULL), "the idle one ends");
    pb_buf_clear(&reply);
    net_do(&scene.net, reply_held, &scene);
    CHECK(raw_read(busy, &reply, NULL), "the busy one ends after its reply");
    assert_non_null(strstr(reply.data, "Connection: close\r\n"));
    assert_non_null(strstr(reply.data, "late"));
    (void)close(idle);
    (void)close(busy);
    pb_buf_release(&reply);
    tear_down(&scene);
}

static void stop_at_once(void *arg)
{
    struct scene *scene = arg;

    pb_http_server_stop(scene->server, 50);
}

TEST(stopping_cuts_what_does_not_end_in_time)
{
    struct scene scene;
    struct pb_buf reply;
    int busy;

    set_up(&scene);
    pb_buf_init(&reply, 1 << 20);
    busy = raw_connect(scene.port);
    raw_text(busy, GET("/hold"));
    mark_wait(scene.handled, 1);
    net_do(&scene.net, stop_at_once, &scene);
    CHECK(raw_read(busy, &reply, NULL), "it ends");
    mark_wait(scene.gone, 1);
    reply_held(&scene);
    (void)close(busy);
    pb_buf_release(&reply);
    tear_down(&scene);
}

/* curl has grown up elsewhere: what it understands others will too. */
static void curl(struct scene *scene, const char *scheme, const char *path,
                 const char *const *options, struct pb_buf *ret_out)
{
    const char *argv[16] = {"curl", "-sS", "-i", "--max-time", "20", "--noproxy", "*"};
    size_t count = 7;
    char url[128], twice[128];

    (void)snprintf(url, sizeof(url), "%s://localhost:%u%s", scheme, scene->port, path);
    (void)snprintf(twice, sizeof(twice), "%s://localhost:%u/second", scheme, scene->port);
    while (*options)
        argv[count++] = *options++;
    argv[count++] = url;
    argv[count++] = twice; /* on the same connection, if that was left in order */
    pb_buf_init(ret_out, 32 << 20);
    command_run(argv, ret_out);
}

TEST(curl_understands_every_kind_of_reply)
{
    static const struct {
        const char *path;
        const char *options[5];
        const char *expected;
    } rows[] = {
        {"/x?y=z", {NULL}, "GET /x ?y=z []"},
        {"/x", {"-d", "a=b", NULL}, "POST /x ? [a=b]"},
        {"/x", {"-d", "a=b", "-H", "Transfer-Encoding: chunked", NULL}, "POST /x ? [a=b]"},
        {"/x", {"-d", "a=b", "-H", "Expect: 100-continue", NULL}, "POST /x ? [a=b]"},
        {"/x", {"-X", "DELETE", NULL}, "DELETE /x ? []"},
        {"/x", {"--http1.0", NULL}, "GET /x ? []"},
        {"/nothing", {NULL}, "HTTP/1.1 204 No Content"},
        {"/pool", {NULL}, "from the pool"},
        {"/pool-stream", {NULL}, "line 998\nline 999\n"},
        {"/x", {"-I", NULL}, "Content-Length: "},
    };
    struct scene scene;

    set_up(&scene);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct pb_buf out;

        curl(&scene, "http", rows[i].path, rows[i].options, &out);
        if (!strstr(pb_buf_string(&out), rows[i].expected))
            fail_msg("%s: %s", rows[i].path, pb_buf_string(&out));
        CHECK(count_of(out.data, "HTTP/1.1 20") == 2, "the second request is answered too");
        pb_buf_release(&out);
    }
    tear_down(&scene);
}

TEST(curl_gets_ten_megabytes_over_tls)
{
    struct certificate certificate;
    struct pb_error err = {0};
    struct pb_http_server_options options = {0};
    struct scene scene;
    struct pb_buf out;

    certificate_make(&certificate);
    options.tls = pb_tls_server_new(certificate.certificate, certificate.key, &err);
    assert_non_null(options.tls);
    set_up_with(&scene, options, NULL);
    curl(&scene, "https", "/big", (const char *const[]){"--cacert", certificate.certificate, NULL},
         &out);
    CHECK(out.len > BIG && out.len < BIG + 2000, "all of it came");
    CHECK(memmem(out.data, out.len, "GET /second", 11), "and the second reply");
    mark_wait(scene.handled, 2);
    CHECK(scene.waiting_most <= PB_HTTP_DRAINED_BELOW + PIECE, "never much was waiting");
    pb_buf_release(&out);
    tear_down(&scene);
    pb_tls_server_free(options.tls);
    certificate_remove(&certificate);
}

TEST(a_client_that_never_shakes_hands_is_cut_off)
{
    struct certificate certificate;
    struct pb_error err = {0};
    struct pb_http_server_options options = {0};
    struct scene scene;
    struct pb_buf reply;
    int fd;

    certificate_make(&certificate);
    options.tls = pb_tls_server_new(certificate.certificate, certificate.key, &err);
    assert_non_null(options.tls);
    set_up_with(&scene, options, &SHORT_LIMITS);
    pb_buf_init(&reply, 10000);
    fd = raw_connect(scene.port);
    CHECK(raw_read(fd, &reply, NULL), "the connection ends");
    (void)close(fd);
    fd = raw_connect(scene.port);
    raw_text(fd, GET("/x"));
    CHECK(raw_read(fd, &reply, NULL), "so does one that speaks no TLS");
    CHECK(mark_count(scene.handled) == 0, "no handler has run");
    (void)close(fd);
    pb_buf_release(&reply);
    tear_down(&scene);
    pb_tls_server_free(options.tls);
    certificate_remove(&certificate);
}

static void count_connections(void *arg)
{
    struct scene *scene = arg;

    scene->streamed = pb_http_server_connections(scene->server);
}

TEST(running_out_of_descriptors_turns_clients_away_and_passes)
{
    struct rlimit before, low;
    struct scene scene;
    struct pb_buf reply;
    int clients[64], last, highest;

    set_up(&scene);
    /* eleven descriptors to spare for 64 clients */
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    for (size_t i = 0; i < COUNT(clients); i++)
        clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    highest = clients[COUNT(clients) - 1];
    low = (struct rlimit){.rlim_cur = (rlim_t)highest + 11, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    for (size_t i = 0; i < COUNT(clients); i++) {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(scene.port)};

        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        assert_int_equal(connect(clients[i], (struct sockaddr *)&address, sizeof(address)), 0);
        raw_text(clients[i], GET("/x"));
    }
    pb_buf_init(&reply, 1 << 20);
    last = clients[COUNT(clients) - 1];
    CHECK(raw_read(last, &reply, "\r\n\r\n"), "the last one is served or turned away in time");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    net_do(&scene.net, count_connections, &scene);
    CHECK(scene.streamed <= 12, "no more were kept than there were descriptors");
    for (size_t i = 0; i < COUNT(clients); i++)
        (void)close(clients[i]);
    pb_buf_release(&reply);
    talk(&scene, GET("/x"), "[]", &reply);
    CHECK(strstr(reply.data, "GET /x"), "a later client is served");
    pb_buf_release(&reply);
    tear_down(&scene);
}

TEST(the_highest_descriptors_are_left_to_others)
{
    struct pb_http_server_options options = {0};
    struct scene scene;
    struct pb_buf reply;
    int idle, busy, third;

    set_up(&scene);
    idle = dup(STDOUT_FILENO);
    (void)close(idle);
    tear_down(&scene);
    /* our end of the first connection is `idle` again, the server's the next: there is room for one */
    options.fd_max = idle + 2;
    set_up_with(&scene, options, NULL);
    pb_buf_init(&reply, 1 << 20);
    idle = raw_connect(scene.port);
    raw_text(idle, GET("/x"));
    CHECK(raw_read(idle, &reply, "[]"), "the first is served");
    busy = raw_connect(scene.port);
    CHECK(raw_read(idle, &reply, NULL), "idle now, it is closed");
    raw_text(busy, GET("/hold"));
    mark_wait(scene.handled, 2);
    third = raw_connect(scene.port);
    pb_buf_clear(&reply);
    CHECK(raw_read(third, &reply, NULL), "the third is answered");
    assert_non_null(strstr(reply.data, "HTTP/1.1 503 Service Unavailable\r\n"));
    net_do(&scene.net, reply_held, &scene);
    (void)close(idle);
    (void)close(busy);
    (void)close(third);
    pb_buf_release(&reply);
    tear_down(&scene);
}

TEST(who_does_not_read_what_they_asked_for_is_cut_before_memory_runs_out)
{
    struct pb_http_server_options options = {.held_max = BIG + BIG / 2};
    struct scene scene;
    struct pb_buf reply;
    int first, second;

    set_up_with(&scene, options, NULL);
    pb_buf_init(&reply, 2 * BIG);
    first = raw_connect(scene.port);
    raw_text(first, GET("/bulk"));
    mark_wait(scene.handled, 1);
    second = raw_connect(scene.port);
    raw_text(second, GET("/bulk"));
    mark_wait(scene.handled, 2);
    CHECK(raw_read(first, &reply, NULL), "the first ends");
    assert_true(reply.len < BIG);
    pb_buf_clear(&reply);
    raw_text(second, "GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    CHECK(raw_read(second, &reply, NULL), "the second gets all of it");
    assert_true(reply.len > BIG);
    assert_non_null(strstr(reply.data + BIG, "GET /x"));
    (void)close(first);
    (void)close(second);
    pb_buf_release(&reply);
    tear_down(&scene);
}

TEST(a_shared_body_is_sent_to_many_and_counts_for_none)
{
    struct pb_http_server_options options = {.held_max = PIECE};
    struct scene scene;
    struct pb_buf reply;
    int clients[4];

    set_up_with(&scene, options, NULL);
    scene.shared = pb_shared_bytes_new(BIG);
    memset(scene.shared->data, 'y', BIG);
    for (size_t i = 0; i < COUNT(clients); i++) {
        clients[i] = raw_connect(scene.port);
        raw_text(clients[i], "GET /shared HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    }
    mark_wait(scene.handled, COUNT(clients));
    for (size_t i = 0; i < COUNT(clients); i++) {
        pb_buf_init(&reply, 2 * BIG);
        CHECK(raw_read(clients[i], &reply, NULL), "everybody gets it");
        assert_non_null(strstr(reply.data, "Content-Length: 10485760\r\n"));
        assert_true(reply.len > BIG);
        assert_int_equal(strspn(reply.data + reply.len - BIG, "y"), BIG);
        pb_buf_release(&reply);
        (void)close(clients[i]);
    }
    tear_down(&scene);
    pb_shared_bytes_unref(scene.shared);
}

TEST(the_peer_is_named)
{
    struct scene scene;
    struct pb_buf reply;

    set_up(&scene);
    talk(&scene, GET("/peer"), "127.0.0.1", &reply);
    assert_non_null(strstr(reply.data, "127.0.0.1"));
    pb_buf_release(&reply);
    tear_down(&scene);
}

TEST(an_address_in_use_or_not_understood_is_reported)
{
    struct scene scene;
    struct pb_error err = {0};
    char taken[32];
    struct pb_http_server_options options = {.handle = handle};

    set_up(&scene);
    (void)snprintf(taken, sizeof(taken), "127.0.0.1:%u", scene.port);
    options.listen = taken;
    assert_null(pb_http_server_new(scene.net.loop, &options, &err));
    assert_string_equal(pb_error_reason(&err), "address_in_use");
    options.listen = "127.0.0.1";
    assert_null(pb_http_server_new(scene.net.loop, &options, &err));
    assert_int_equal(err.code, PB_ERROR_INVALID);
    options.listen = "example.org:80";
    assert_null(pb_http_server_new(scene.net.loop, &options, &err));
    assert_int_equal(err.code, PB_ERROR_INVALID);
    tear_down(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_answered),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(a_thousand_pipelined_requests_are_answered),
        cmocka_unit_test(head_sends_the_length_and_no_body),
        cmocka_unit_test(a_client_that_waits_is_told_to_continue),
        cmocka_unit_test(refusals_are_problem_documents_and_end_the_connection),
        cmocka_unit_test(replies_to_http_1_0_end_with_the_connection),
        cmocka_unit_test(a_streamed_reply_from_a_pool_thread_arrives_in_order),
        cmocka_unit_test(headers_cannot_be_injected),
        cmocka_unit_test(an_aborted_reply_is_seen_to_be_incomplete),
        cmocka_unit_test(a_slow_reader_gets_ten_megabytes_while_memory_stays_bounded),
        cmocka_unit_test(a_pool_thread_may_wait_for_its_client),
        cmocka_unit_test(a_writer_is_told_that_its_client_is_gone),
        cmocka_unit_test(a_reply_to_a_client_that_left_is_thrown_away),
        cmocka_unit_test(a_client_that_closed_only_its_half_still_gets_its_reply),
        cmocka_unit_test(slow_heads_and_bodies_are_refused_and_idle_connections_closed),
        cmocka_unit_test(a_client_that_reads_nothing_is_cut_off),
        cmocka_unit_test(too_many_connections_close_an_idle_one_or_turn_the_newcomer_away),
        cmocka_unit_test(stopping_lets_a_reply_finish_and_closes_the_rest),
        cmocka_unit_test(stopping_cuts_what_does_not_end_in_time),
        cmocka_unit_test(curl_understands_every_kind_of_reply),
        cmocka_unit_test(curl_gets_ten_megabytes_over_tls),
        cmocka_unit_test(a_client_that_never_shakes_hands_is_cut_off),
        cmocka_unit_test(running_out_of_descriptors_turns_clients_away_and_passes),
        cmocka_unit_test(the_highest_descriptors_are_left_to_others),
        cmocka_unit_test(who_does_not_read_what_they_asked_for_is_cut_before_memory_runs_out),
        cmocka_unit_test(a_shared_body_is_sent_to_many_and_counts_for_none),
        cmocka_unit_test(the_peer_is_named),
        cmocka_unit_test(an_address_in_use_or_not_understood_is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
