#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/pool.h"
#include "net/http_client.h"
#include "net/tls.h"
#include "net_test.h"

enum { MEGABYTE = 1024 * 1024 };

struct scene {
    struct net net;
    struct pb_http_server *server;
    struct pb_http_client *client;
    struct pb_arena arena;
    char base[64]; /* "http://127.0.0.1:1234" */
    struct mark *arrived;
    struct pb_http_exchange *held[64];
    unsigned held_count; /* on the loop thread */
    unsigned answered;   /* of those held */
};

static void answer_echo(struct pb_http_exchange *exchange)
{
    const char *agent = pb_http_header(exchange, "User-Agent");
    const char *mine = pb_http_header(exchange, "X-Mine");
    struct pb_http_header headers[] = {{"X-Method", pb_http_method(exchange)},
                                       {"X-Query", pb_http_query(exchange)},
                                       {"X-Agent", agent ? agent : "none"},
                                       {"X-Mine", mine ? mine : "none"}};
    size_t len;
    const char *body = pb_http_body(exchange, &len);

    pb_http_reply(exchange, 200, headers, COUNT(headers), body, len);
}

static void answer_megabytes(struct pb_http_exchange *exchange, unsigned count)
{
    static char piece[MEGABYTE];

    memset(piece, 'm', sizeof(piece));
    pb_http_reply_begin(exchange, 200, NULL, 0, -1);
    for (unsigned i = 0; i < count; i++)
        (void)pb_http_reply_write(exchange, piece, sizeof(piece));
    pb_http_reply_end(exchange);
}

static void handle(void *arg, struct pb_http_exchange *exchange)
{
    static const struct pb_http_header redirect[] = {{"Location", "/echo"}};
    struct scene *scene = arg;
    const char *path = pb_http_path(exchange);

    if (strcmp(path, "/echo") == 0) {
        answer_echo(exchange);
    } else if (strcmp(path, "/missing") == 0) {
        pb_http_reply(exchange, 404, NULL, 0, "none", 4);
    } else if (strcmp(path, "/redirect") == 0) {
        pb_http_reply(exchange, 302, redirect, 1, NULL, 0);
    } else if (strcmp(path, "/large") == 0) {
        answer_megabytes(exchange, 2);
    } else if (strcmp(path, "/huge") == 0) {
        answer_megabytes(exchange, 20);
    } else if (strcmp(path, "/cut") == 0) {
        pb_http_reply_begin(exchange, 200, NULL, 0, 100);
        (void)pb_http_reply_write(exchange, "half", 4);
        pb_http_reply_abort(exchange);
    } else if (strcmp(path, "/begun") == 0) {
        pb_http_reply_begin(exchange, 200, NULL, 0, -1);
        (void)pb_http_reply_write(exchange, "first", 5);
        scene->held[scene->held_count++] = exchange;
    } else {
        scene->held[scene->held_count++] = exchange;
    }
    mark_add(scene->arrived);
}

static void set_up_tls(struct scene *scene, struct pb_tls_server *tls, const char *ca_file)
{
    struct pb_http_server_options options = {.handle = handle,
                                             .arg = scene,
                                             .tls = tls,
                                             .body_max = 33 * MEGABYTE};
    struct pb_error err = {0};

    *scene = (struct scene){0};
    scene->arrived = mark_new();
    pb_arena_init(&scene->arena, 64 * MEGABYTE);
    net_start(&scene->net);
    scene->server = net_serve(&scene->net, &options, NULL);
    (void)snprintf(scene->base, sizeof(scene->base), "%s://127.0.0.1:%u", tls ? "https" : "http",
                   pb_http_server_port(scene->server));
    scene->client = pb_http_client_new("tester/1", ca_file, &err);
    assert_non_null(scene->client);
}

static void set_up(struct scene *scene)
{
    set_up_tls(scene, NULL, NULL);
}

static void answer_held(void *arg)
{
    struct scene *scene = arg;

    for (unsigned i = 0; i < scene->held_count; i++) {
        if (strcmp(pb_http_path(scene->held[i]), "/begun") == 0)
            pb_http_reply_end(scene->held[i]);
        else
            pb_http_reply(scene->held[i], 200, NULL, 0, "held", 4);
    }
    scene->answered += scene->held_count;
    scene->held_count = 0;
}

static void tear_down(struct scene *scene)
{
    net_do(&scene->net, answer_held, scene);
    pb_http_client_free(scene->client);
    net_end_server(&scene->net, scene->server);
    net_stop(&scene->net);
    pb_arena_release(&scene->arena);
    mark_free(scene->arrived);
}

static int call_with(struct scene *scene, const char *path, struct pb_http_call call,
                     struct pb_http_answer *answer, struct pb_error *err)
{
    char url[256];

    (void)snprintf(url, sizeof(url), "%s%s", scene->base, path);
    call.url = url;
    if (!call.method)
        call.method = "GET";
    return pb_http_call(scene->client, &call, &scene->arena, answer, err);
}

static int get(struct scene *scene, const char *path, struct pb_http_answer *answer,
               struct pb_error *err)
{
    return call_with(scene, path, (struct pb_http_call){0}, answer, err);
}

TEST(a_call_returns_status_headers_and_body)
{
    static const struct pb_http_header headers[] = {{"X-Mine", "yes"}};
    static const char *const methods[] = {"POST", "PUT", "PATCH", "DELETE"};
    struct scene scene;
    struct pb_http_answer answer;
    struct pb_error err = {0};

    set_up(&scene);
    for (size_t i = 0; i < COUNT(methods); i++) {
        struct pb_http_call call = {.method = methods[i],
                                    .headers = headers,
                                    .header_count = 1,
                                    .body = "hello",
                                    .body_len = 5};

        assert_ok(call_with(&scene, "/echo?a=b", call, &answer, &err), &err);
        assert_int_equal(answer.status, 200);
        assert_string_equal(answer.body, "hello");
        assert_int_equal(answer.len, 5);
        assert_string_equal(pb_http_answer_header(&answer, "x-method"), methods[i]);
        assert_string_equal(pb_http_answer_header(&answer, "X-Query"), "a=b");
        assert_string_equal(pb_http_answer_header(&answer, "X-Agent"), "tester/1");
        assert_string_equal(pb_http_answer_header(&answer, "X-Mine"), "yes");
        assert_null(pb_http_answer_header(&answer, "X-Other"));
    }
    assert_ok(get(&scene, "/missing", &answer, &err), &err);
    assert_int_equal(answer.status, 404);
    assert_ok(get(&scene, "/redirect", &answer, &err), &err);
    assert_int_equal(answer.status, 302);
    assert_string_equal(pb_http_answer_header(&answer, "Location"), "/echo");
    assert_ok(call_with(&scene, "/echo", (struct pb_http_call){.method = "HEAD"}, &answer, &err),
              &err);
    assert_int_equal(answer.len, 0);
    assert_string_equal(pb_http_answer_header(&answer, "X-Method"), "HEAD");
    assert_ok(call_with(&scene, "/echo", (struct pb_http_call){.method = "POST"}, &answer, &err),
              &err);
    assert_string_equal(pb_http_answer_header(&answer, "X-Method"), "POST");
    tear_down(&scene);
}

TEST(large_bodies_go_out_and_larger_ones_are_refused)
{
    struct scene scene;
    struct pb_http_answer answer;
    struct pb_error err = {0};
    size_t len = 32 * MEGABYTE;
    char *body = malloc(len + 1);
    struct pb_http_call call = {.method = "POST",
                                .body = body,
                                .body_len = len,
                                .response_max = 33 * MEGABYTE};

    memset(body, 'b', len);
    set_up(&scene);
    assert_ok(call_with(&scene, "/echo", call, &answer, &err), &err);
    CHECK(answer.len == len && memcmp(answer.body, body, len) == 0, "32 MiB went there and back");
    call.body_len = len + 1;
    assert_refused(call_with(&scene, "/echo", call, &answer, &err), &err, PB_ERROR_TOO_LARGE);
    free(body);
    tear_down(&scene);
}

TEST(answers_beyond_the_maximum_are_refused)
{
    struct scene scene;
    struct pb_http_answer answer;
    struct pb_error err = {0};

    set_up(&scene);
    assert_ok(get(&scene, "/large", &answer, &err), &err);
    assert_int_equal(answer.len, 2 * MEGABYTE);
    assert_refused(get(&scene, "/huge", &answer, &err), &err, PB_ERROR_TOO_LARGE);
    assert_refused(call_with(&scene, "/large", (struct pb_http_call){.response_max = 1000}, &answer,
                             &err),
                   &err, PB_ERROR_TOO_LARGE);
    tear_down(&scene);
}

static void expect_reason(struct scene *scene, const char *path, struct pb_http_call call,
                          enum pb_error_code code, const char *reason)
{
    struct pb_http_answer answer;
    struct pb_error err = {0};

    assert_refused(call_with(scene, path, call, &answer, &err), &err, code);
    assert_string_equal(pb_error_reason(&err), reason);
}

TEST(what_goes_wrong_has_a_reason)
{
    struct scene scene;
    char good[64], dead[64];
    int fd;

    set_up(&scene);
    expect_reason(&scene, "/cut", (struct pb_http_call){0}, PB_ERROR_UNREACHABLE, "cut");
    expect_reason(&scene, "/hold", (struct pb_http_call){.timeout_ms = 200}, PB_ERROR_TIMEOUT,
                  "timeout");
    expect_reason(&scene, "/hold", (struct pb_http_call){.silence_ms = 200}, PB_ERROR_TIMEOUT,
                  "silence");
    expect_reason(&scene, "/begun", (struct pb_http_call){.silence_ms = 200}, PB_ERROR_TIMEOUT,
                  "silence");
    memcpy(good, scene.base, sizeof(good));
    (void)snprintf(scene.base, sizeof(scene.base), "https%s", good + 4);
    expect_reason(&scene, "/echo", (struct pb_http_call){0}, PB_ERROR_UNREACHABLE, "tls");
    (void)snprintf(scene.base, sizeof(scene.base), "ftp%s", good + 4);
    expect_reason(&scene, "/echo", (struct pb_http_call){0}, PB_ERROR_INVALID, "url");
    (void)snprintf(scene.base, sizeof(scene.base), "file:///etc/passwd?");
    expect_reason(&scene, "", (struct pb_http_call){0}, PB_ERROR_INVALID, "url");
    (void)snprintf(scene.base, sizeof(scene.base), "http://");
    expect_reason(&scene, "", (struct pb_http_call){0}, PB_ERROR_INVALID, "url");
    (void)snprintf(scene.base, sizeof(scene.base), "http://name.invalid");
    expect_reason(&scene, "/", (struct pb_http_call){0}, PB_ERROR_UNREACHABLE, "dns");
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(listen(fd, 1), 0);
    (void)snprintf(dead, sizeof(dead), "http://127.0.0.1:%u", raw_port(fd));
    (void)close(fd);
    memcpy(scene.base, dead, sizeof(dead));
    expect_reason(&scene, "/", (struct pb_http_call){0}, PB_ERROR_UNREACHABLE, "refused");
    tear_down(&scene);
}

TEST(bad_calls_are_refused_before_they_go_out)
{
    static const struct pb_http_header evil[] = {{"X-Evil", "a\r\nX-More: b"}};
    static const struct pb_http_header odd[] = {{"X Evil", "a"}};
    struct scene scene;

    set_up(&scene);
    expect_reason(&scene, "/echo", (struct pb_http_call){.headers = evil, .header_count = 1},
                  PB_ERROR_INVALID, "invalid");
    expect_reason(&scene, "/echo", (struct pb_http_call){.headers = odd, .header_count = 1},
                  PB_ERROR_INVALID, "invalid");
    expect_reason(&scene, "/echo", (struct pb_http_call){.method = "GET / HTTP/1.1\r\nX: "},
                  PB_ERROR_INVALID, "invalid");
    CHECK(mark_count(scene.arrived) == 0, "nothing has arrived");
    tear_down(&scene);
}

TEST(proxies_of_the_environment_are_ignored)
{
    struct scene scene;
    struct pb_http_answer answer;
    struct pb_error err = {0};

    (void)setenv("http_proxy", "http://127.0.0.1:1", 1);
    (void)setenv("all_proxy", "http://127.0.0.1:1", 1);
    set_up(&scene);
    assert_ok(get(&scene, "/echo", &answer, &err), &err);
    tear_down(&scene);
    (void)unsetenv("http_proxy");
    (void)unsetenv("all_proxy");
}

TEST(tls_needs_a_known_certificate)
{
    struct certificate certificate;
    struct pb_error err = {0};
    struct pb_tls_server *tls;
    struct pb_http_answer answer;
    struct scene scene;

    certificate_make(&certificate);
    tls = pb_tls_server_new(certificate.certificate, certificate.key, &err);
    assert_non_null(tls);
    set_up_tls(&scene, tls, certificate.certificate);
    for (int i = 0; i < 3; i++) {
        assert_ok(get(&scene, "/large", &answer, &err), &err);
        assert_int_equal(answer.len, 2 * MEGABYTE);
    }
    tear_down(&scene);
    set_up_tls(&scene, tls, NULL);
    expect_reason(&scene, "/echo", (struct pb_http_call){0}, PB_ERROR_UNREACHABLE, "tls");
    tear_down(&scene);
    pb_tls_server_free(tls);
    certificate_remove(&certificate);
}

TEST(certificates_that_cannot_be_used_are_reported)
{
    struct pb_error err = {0};

    assert_null(pb_tls_server_new("/nonexistent/cert", "/nonexistent/key", &err));
    assert_non_null(strstr(err.message, "/nonexistent/cert"));
    assert_null(pb_tls_client_new("/nonexistent/ca", &err));
    assert_non_null(strstr(err.message, "/nonexistent/ca"));
}

/* One stream and what came of it. */
struct flow {
    struct pb_http_stream *stream;
    struct mark *head;
    struct mark *data;
    struct mark *done;
    int status;
    size_t len;
    unsigned pauses; /* after so many pieces */
    bool has_failed;
    struct pb_error err;
};

static void on_head(void *arg, int status, const struct pb_http_header *headers, size_t count)
{
    struct flow *flow = arg;

    (void)headers;
    (void)count;
    CHECK(mark_count(flow->head) == 0, "the head comes once");
    flow->status = status;
    mark_add(flow->head);
}

static bool on_data(void *arg, const void *data, size_t len)
{
    struct flow *flow = arg;

    (void)data;
    flow->len += len;
    mark_add(flow->data);
    return mark_count(flow->data) > flow->pauses;
}

static void on_done(void *arg, const struct pb_error *err)
{
    struct flow *flow = arg;

    flow->has_failed = err != NULL;
    if (err)
        flow->err = *err;
    mark_add(flow->done);
}

static void flow_start(struct scene *scene, const char *path, struct flow *flow,
                       struct pb_http_call call)
{
    static const struct pb_http_stream_events events = {on_head, on_data, on_done};
    struct pb_error err = {0};
    char url[256];

    (void)snprintf(url, sizeof(url), "%s%s", scene->base, path);
    call.url = url;
    call.method = call.method ? call.method : "GET";
    flow->head = mark_new();
    flow->data = mark_new();
    flow->done = mark_new();
    flow->stream = pb_http_stream_start(scene->client, &call, &events, flow, &err);
    if (!flow->stream)
        fail_msg("%s", err.message);
}

static void flow_release(struct flow *flow)
{
    mark_free(flow->head);
    mark_free(flow->data);
    mark_free(flow->done);
}

TEST(a_stream_tells_head_data_and_end)
{
    struct flow flow = {0};
    struct scene scene;

    set_up(&scene);
    flow_start(&scene, "/large", &flow, (struct pb_http_call){0});
    mark_wait(flow.done, 1);
    CHECK(!flow.has_failed, "it succeeds");
    assert_int_equal(flow.status, 200);
    assert_int_equal(flow.len, 2 * MEGABYTE);
    flow_release(&flow);
    tear_down(&scene);
}

TEST(a_paused_stream_waits_until_it_is_resumed)
{
    struct flow flow = {.pauses = 20};
    struct scene scene;

    set_up(&scene);
    flow_start(&scene, "/large", &flow, (struct pb_http_call){.silence_ms = 300});
    mark_wait(flow.data, 1);
    CHECK(!mark_within(flow.done, 600), "pausing is not silence");
    CHECK(mark_count(flow.data) == 1, "nothing comes meanwhile");
    for (unsigned i = 1; i <= flow.pauses; i++) {
        mark_wait(flow.data, i);
        pb_http_stream_resume(flow.stream);
    }
    mark_wait(flow.done, 1);
    CHECK(!flow.has_failed, "it succeeds");
    assert_int_equal(flow.len, 2 * MEGABYTE);
    flow_release(&flow);
    tear_down(&scene);
}

TEST(a_cancelled_stream_ends)
{
    struct flow flow = {0};
    struct scene scene;

    set_up(&scene);
    flow_start(&scene, "/begun", &flow, (struct pb_http_call){0});
    mark_wait(flow.data, 1);
    pb_http_stream_cancel(flow.stream);
    mark_wait(flow.done, 1);
    CHECK(flow.has_failed, "it fails");
    assert_int_equal(flow.err.code, PB_ERROR_UNAVAILABLE);
    assert_string_equal(pb_error_reason(&flow.err), "cancelled");
    flow_release(&flow);
    tear_down(&scene);
}

TEST(a_cut_stream_fails_after_its_data)
{
    struct flow flow = {0};
    struct scene scene;

    set_up(&scene);
    flow_start(&scene, "/cut", &flow, (struct pb_http_call){0});
    mark_wait(flow.done, 1);
    CHECK(flow.has_failed, "it fails");
    assert_string_equal(pb_error_reason(&flow.err), "cut");
    flow_release(&flow);
    tear_down(&scene);
}

TEST(streams_do_not_wait_for_each_other)
{
    static struct flow flows[50];
    struct scene scene;

    set_up(&scene);
    for (size_t i = 0; i < COUNT(flows); i++) {
        flows[i] = (struct flow){0};
        flow_start(&scene, "/begun", &flows[i], (struct pb_http_call){0});
    }
    for (size_t i = 0; i < COUNT(flows); i++)
        mark_wait(flows[i].data, 1);
    net_do(&scene.net, answer_held, &scene);
    for (size_t i = 0; i < COUNT(flows); i++) {
        mark_wait(flows[i].done, 1);
        CHECK(!flows[i].has_failed, "it succeeds");
        flow_release(&flows[i]);
    }
    tear_down(&scene);
}

struct caller {
    struct scene *scene;
    struct pb_arena arena;
    struct pb_http_answer answer;
    struct pb_error err;
    int result;
};

static void call_held(void *arg)
{
    struct caller *caller = arg;
    char url[128];
    struct pb_http_call call = {.method = "GET", .url = url};

    (void)snprintf(url, sizeof(url), "%s/hold", caller->scene->base);
    pb_arena_init(&caller->arena, MEGABYTE);
    caller->result =
        pb_http_call(caller->scene->client, &call, &caller->arena, &caller->answer, &caller->err);
}

TEST(at_most_four_calls_at_once_go_to_one_host)
{
    struct scene scene;
    struct caller callers[10];
    struct pb_thread *threads[10];
    struct pb_error err = {0};

    set_up(&scene);
    for (size_t i = 0; i < COUNT(callers); i++) {
        callers[i] = (struct caller){.scene = &scene};
        threads[i] = pb_thread_start("caller", call_held, &callers[i], &err);
        assert_non_null(threads[i]);
    }
    while (scene.answered < COUNT(callers)) {
        mark_wait(scene.arrived, scene.answered + 1);
        CHECK(mark_count(scene.arrived) <= scene.answered + 4, "four at most are on their way");
        net_do(&scene.net, answer_held, &scene);
    }
    for (size_t i = 0; i < COUNT(callers); i++) {
        pb_thread_join(&threads[i]);
        CHECK(callers[i].result == 0, callers[i].err.message);
        pb_arena_release(&callers[i].arena);
    }
    tear_down(&scene);
}

TEST(closing_the_client_ends_what_is_running)
{
    struct scene scene;
    struct caller caller = {.scene = &scene};
    struct flow flow = {0};
    struct pb_thread *thread;
    struct pb_error err = {0};

    set_up(&scene);
    thread = pb_thread_start("caller", call_held, &caller, &err);
    assert_non_null(thread);
    flow_start(&scene, "/begun", &flow, (struct pb_http_call){0});
    mark_wait(scene.arrived, 2);
    pb_http_client_free(scene.client);
    scene.client = NULL;
    pb_thread_join(&thread);
    assert_int_equal(caller.result, -1);
    assert_int_equal(caller.err.code, PB_ERROR_UNAVAILABLE);
    mark_wait(flow.done, 1);
    assert_int_equal(flow.err.code, PB_ERROR_UNAVAILABLE);
    pb_arena_release(&caller.arena);
    flow_release(&flow);
    tear_down(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_returns_status_headers_and_body),
        cmocka_unit_test(large_bodies_go_out_and_larger_ones_are_refused),
        cmocka_unit_test(answers_beyond_the_maximum_are_refused),
        cmocka_unit_test(what_goes_wrong_has_a_reason),
        cmocka_unit_test(bad_calls_are_refused_before_they_go_out),
        cmocka_unit_test(proxies_of_the_environment_are_ignored),
        cmocka_unit_test(tls_needs_a_known_certificate),
        cmocka_unit_test(certificates_that_cannot_be_used_are_reported),
        cmocka_unit_test(a_stream_tells_head_data_and_end),
        cmocka_unit_test(a_paused_stream_waits_until_it_is_resumed),
        cmocka_unit_test(a_cancelled_stream_ends),
        cmocka_unit_test(a_cut_stream_fails_after_its_data),
        cmocka_unit_test(streams_do_not_wait_for_each_other),
        cmocka_unit_test(at_most_four_calls_at_once_go_to_one_host),
        cmocka_unit_test(closing_the_client_ends_what_is_running),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
