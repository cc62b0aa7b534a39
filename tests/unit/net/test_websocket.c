#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/pool.h"
#include "net/tls.h"
#include "net/websocket_private.h"
#include "net_test.h"

#define UPGRADE                                                                                \
    "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

/* One end of a connection and what it saw. */
struct end {
    struct net *net;
    struct pb_websocket *ws;
    struct mark *opened;
    struct mark *messages;
    struct mark *drained;
    struct mark *closed;
    struct pb_buf got; /* messages, each followed by '|' */
    size_t got_len;
    int code;
    char reason[200];
    bool echoes;
    bool pauses; /* after every message */
    bool closes; /* at the first message */
};

struct scene {
    struct net net;
    struct pb_http_server *server;
    uint16_t port;
    struct end at_server;
    struct end at_client;
    struct pb_websocket_options options; /* of the server's end */
    struct pb_websocket_limits limits;   /* of the server's end, unless 0 */
};

static void on_opened(void *arg, struct pb_websocket *ws)
{
    struct end *end = arg;

    (void)ws;
    mark_add(end->opened);
}

static void on_message(void *arg, struct pb_websocket *ws, bool is_text, const void *data,
                       size_t len)
{
    struct end *end = arg;

    end->got_len += len;
    if (end->got.len < 1024 && len < 1024) {
        pb_buf_bytes(&end->got, data, len);
        pb_buf_char(&end->got, is_text ? '|' : '#');
    }
    if (end->echoes)
        CHECK(pb_websocket_send(ws, is_text, data, len), "an echo is taken");
    if (end->pauses)
        pb_websocket_pause(ws, true);
    if (end->closes)
        pb_websocket_close(ws, 4001, "enough");
    mark_add(end->messages);
}

static void on_drained(void *arg, struct pb_websocket *ws)
{
    struct end *end = arg;

    (void)ws;
    mark_add(end->drained);
}

static void on_closed(void *arg, struct pb_websocket *ws, int code, const char *reason)
{
    struct end *end = arg;

    (void)ws;
    CHECK(mark_count(end->closed) == 0, "closed() comes once");
    end->code = code;
    (void)snprintf(end->reason, sizeof(end->reason), "%s", reason);
    mark_add(end->closed);
}

static const struct pb_websocket_events EVENTS = {on_opened, on_message, on_drained, on_closed};

static void end_init(struct end *end, struct net *net)
{
    *end = (struct end){.net = net};
    end->opened = mark_new();
    end->messages = mark_new();
    end->drained = mark_new();
    end->closed = mark_new();
    pb_buf_init(&end->got, 1 << 20);
}

static void end_release(struct end *end)
{
    pb_websocket_unref(end->ws);
    mark_free(end->opened);
    mark_free(end->messages);
    mark_free(end->drained);
    mark_free(end->closed);
    pb_buf_release(&end->got);
}

static void handle(void *arg, struct pb_http_exchange *exchange)
{
    struct scene *scene = arg;
    struct pb_error err = {0};

    scene->options.events = &EVENTS;
    scene->options.arg = &scene->at_server;
    scene->at_server.ws = pb_websocket_accept(exchange, &scene->options, &err);
    if (!scene->at_server.ws) {
        pb_http_reply(exchange, pb_error_http_status(err.code), NULL, 0, err.message,
                      strlen(err.message));
        return;
    }
    if (scene->limits.close_ms)
        pb_websocket_set_limits(scene->at_server.ws, &scene->limits);
    mark_add(scene->at_server.opened);
}

static void set_up_tls(struct scene *scene, struct pb_tls_server *tls)
{
    struct pb_http_server_options options = {.handle = handle, .arg = scene, .tls = tls};

    *scene = (struct scene){0};
    net_start(&scene->net);
    end_init(&scene->at_server, &scene->net);
    end_init(&scene->at_client, &scene->net);
    scene->server = net_serve(&scene->net, &options, NULL);
    scene->port = pb_http_server_port(scene->server);
}

static void set_up(struct scene *scene)
{
    set_up_tls(scene, NULL);
}

static void tear_down(struct scene *scene)
{
    net_end_server(&scene->net, scene->server);
    net_stop(&scene->net);
    end_release(&scene->at_server);
    end_release(&scene->at_client);
}

struct dialling {
    struct end *end;
    char url[64];
    const struct pb_http_header *headers;
    size_t header_count;
    struct pb_tls_client *tls;
    struct pb_websocket_options options;
    struct pb_websocket_limits limits;
    struct pb_error err;
};

static void dial(void *arg)
{
    struct dialling *dialling = arg;

    dialling->options.events = &EVENTS;
    dialling->options.arg = dialling->end;
    dialling->end->ws = pb_websocket_connect(dialling->end->net->loop, dialling->url,
                                             dialling->headers, dialling->header_count,
                                             dialling->tls, &dialling->options, &dialling->err);
    if (dialling->end->ws && dialling->limits.close_ms)
        pb_websocket_set_limits(dialling->end->ws, &dialling->limits);
}

static void connect_client(struct scene *scene)
{
    struct dialling dialling = {.end = &scene->at_client};

    (void)snprintf(dialling.url, sizeof(dialling.url), "ws://127.0.0.1:%u/ws", scene->port);
    net_do(&scene->net, dial, &dialling);
    assert_non_null(scene->at_client.ws);
    mark_wait(scene->at_client.opened, 1);
    mark_wait(scene->at_server.opened, 1);
}

static void expect_closed(struct end *end, int code, const char *reason)
{
    mark_wait(end->closed, 1);
    assert_int_equal(end->code, code);
    if (!strstr(end->reason, reason))
        fail_msg("closed with '%s', not '%s'", end->reason, reason);
}

/* A raw client that has been upgraded. */
static int raw_upgraded(struct scene *scene)
{
    int fd = raw_connect(scene->port);
    struct pb_buf reply;

    pb_buf_init(&reply, 1 << 20);
    raw_text(fd, UPGRADE);
    CHECK(raw_read(fd, &reply, "\r\n\r\n"), "the upgrade is answered");
    assert_ptr_equal(strstr(reply.data, "HTTP/1.1 101 Switching Protocols\r\n"), reply.data);
    /* RFC 6455 §1.3 has this pair */
    assert_non_null(strstr(reply.data, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    pb_buf_release(&reply);
    mark_wait(scene->at_server.opened, 1);
    return fd;
}

/* A masked frame; `first` is FIN, RSV and opcode. */
static void raw_frame(int fd, int first, const char *data, size_t len)
{
    static const uint8_t mask[4] = {1, 2, 3, 4};
    uint8_t header[PB_WEBSOCKET_HEADER_MAX];
    size_t header_len = pb_websocket_write_header(PB_WEBSOCKET_TEXT, len, mask, header);
    char *masked = malloc(len + 1);

    header[0] = (uint8_t)first;
    pb_websocket_mask(mask, data, len, masked);
    raw_send(fd, (const char *)header, header_len);
    raw_send(fd, masked, len);
    free(masked);
}

/* Reads to the end; the last frame has to be a close frame with this code. */
static void expect_raw_close(int fd, int code)
{
    struct pb_buf reply;
    const unsigned char *bytes;

    pb_buf_init(&reply, 4 << 20);
    CHECK(raw_read(fd, &reply, NULL), "the server ends the connection");
    bytes = (const unsigned char *)pb_buf_string(&reply);
    for (size_t at = 0; at + 2 <= reply.len; at += 2 + (bytes[at + 1] & 0x7fU)) {
        if (bytes[at] != 0x88)
            continue;
        assert_int_equal(bytes[at + 2] << 8 | bytes[at + 3], code);
        pb_buf_release(&reply);
        (void)close(fd);
        return;
    }
    fail_msg("no close frame came");
}

TEST(messages_go_both_ways)
{
    struct scene scene;

    set_up(&scene);
    scene.at_server.echoes = true;
    connect_client(&scene);
    CHECK(pb_websocket_send(scene.at_client.ws, true, "grüße", strlen("grüße")), "text is taken");
    CHECK(pb_websocket_send(scene.at_client.ws, false, "\0\xff", 2), "bytes are taken");
    CHECK(pb_websocket_send(scene.at_client.ws, true, "", 0), "nothing is taken too");
    mark_wait(scene.at_client.messages, 3);
    CHECK(scene.at_client.got.len == strlen("grüße") + 2 + 3, "all has come back");
    CHECK(memcmp(scene.at_client.got.data, "grüße|\0\xff#|", scene.at_client.got.len) == 0,
          "as it was sent");
    pb_websocket_close(scene.at_client.ws, 1000, "bye");
    expect_closed(&scene.at_client, 1000, "bye");
    expect_closed(&scene.at_server, 1000, "bye");
    CHECK(!pb_websocket_send(scene.at_client.ws, true, "x", 1), "a closed one takes nothing");
    tear_down(&scene);
}

TEST(sizes_around_the_frame_formats_pass)
{
    static const size_t sizes[] = {125, 126, 127, 65535, 65536, 1 << 20};
    struct scene scene;
    size_t total = 0;
    char *data = calloc(1, 1 << 20);

    set_up(&scene);
    scene.at_server.echoes = true;
    scene.options.queue_max = 4 << 20;
    connect_client(&scene);
    for (unsigned i = 0; i < COUNT(sizes); i++) {
        total += sizes[i];
        CHECK(pb_websocket_send(scene.at_client.ws, false, data,
                                sizes[i] < 1 << 20 ? sizes[i] : (1 << 20) - 100),
              "it is taken");
        mark_wait(scene.at_client.messages, i + 1);
    }
    CHECK(scene.at_client.got_len == total - 100, "every byte came back");
    pb_websocket_close(scene.at_server.ws, 1001, "going away");
    expect_closed(&scene.at_client, 1001, "going away");
    expect_closed(&scene.at_server, 1001, "going away");
    free(data);
    tear_down(&scene);
}

TEST(fragments_are_joined_with_control_frames_in_between)
{
    struct scene scene;
    int fd;

    set_up(&scene);
    fd = raw_upgraded(&scene);
    raw_frame(fd, 0x01, "gr\xc3", 3); /* cuts a character */
    raw_frame(fd, 0x89, "hi", 2);
    raw_frame(fd, 0x00, "\xbc", 1);
    raw_frame(fd, 0x00, "", 0);
    raw_frame(fd, 0x80, "n", 1);
    mark_wait(scene.at_server.messages, 1);
    assert_string_equal(pb_buf_string(&scene.at_server.got), "grün|");
    raw_frame(fd, 0x88, "\x03\xe8", 2);
    {
        struct pb_buf reply;

        pb_buf_init(&reply, 1000);
        CHECK(raw_read(fd, &reply, NULL), "it ends");
        CHECK(reply.len == 8 && memcmp(reply.data, "\x8a\x02hi\x88\x02\x03\xe8", 8) == 0,
              "the ping was answered with a pong, the close with a close");
        pb_buf_release(&reply);
    }
    expect_closed(&scene.at_server, 1000, "");
    (void)close(fd);
    tear_down(&scene);
}

TEST(breaking_the_rules_closes_with_the_right_code)
{
    static char large[2000];
    static const struct {
        const char *sentence;
        int first;
        const char *data;
        size_t len;
        int code;
    } rows[] = {
        {"a message too large", 0x82, large, 1001, 1009},
        {"a continuation of nothing", 0x80, "x", 1, 1002},
        {"an unknown opcode", 0x83, "x", 1, 1002},
        {"an unknown control opcode", 0x8b, "x", 1, 1002},
        {"a reserved bit", 0xc1, "x", 1, 1002},
        {"a fragmented ping", 0x09, "x", 1, 1002},
        {"a ping of 126 bytes", 0x89, large, 126, 1002},
        {"text that is not UTF-8", 0x81, "\xff", 1, 1007},
        {"text that ends inside a character", 0x81, "\xc3", 1, 1007},
        {"a surrogate in text", 0x81, "\xed\xa0\x80", 3, 1007},
        {"a close code cut short", 0x88, "\x03", 1, 1002},
        {"a close code nobody may send", 0x88, "\x03\xed", 2, 1002},
        {"a close code out of range", 0x88, "\x00\x01", 2, 1002},
        {"a close reason that is not UTF-8", 0x88, "\x03\xe8\xff", 3, 1007},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct scene scene;
        int fd;

        set_up(&scene);
        scene.options.message_max = 1000;
        fd = raw_upgraded(&scene);
        raw_frame(fd, rows[i].first, rows[i].data, rows[i].len);
        expect_raw_close(fd, rows[i].code);
        mark_wait(scene.at_server.closed, 1);
        if (scene.at_server.code != rows[i].code)
            fail_msg("%s: %d", rows[i].sentence, scene.at_server.code);
        CHECK(mark_count(scene.at_server.messages) == 0, "no message came of it");
        tear_down(&scene);
    }
}

TEST(a_message_too_large_in_fragments_is_refused)
{
    static char piece[600];
    struct scene scene;
    int fd;

    set_up(&scene);
    scene.options.message_max = 1000;
    fd = raw_upgraded(&scene);
    raw_frame(fd, 0x02, piece, sizeof(piece));
    raw_frame(fd, 0x80, piece, sizeof(piece));
    expect_raw_close(fd, 1009);
    expect_closed(&scene.at_server, 1009, "too large");
    tear_down(&scene);
}

TEST(frames_without_a_mask_are_refused)
{
    struct scene scene;
    int fd;

    set_up(&scene);
    fd = raw_upgraded(&scene);
    raw_send(fd, "\x81\x01x", 3);
    expect_raw_close(fd, 1002);
    expect_closed(&scene.at_server, 1002, "not masked");
    tear_down(&scene);
}

TEST(a_frame_length_not_in_its_shortest_form_is_refused)
{
    struct scene scene;
    int fd;

    set_up(&scene);
    fd = raw_upgraded(&scene);
    raw_send(fd, "\x81\xfe\x00\x01\x01\x02\x03\x04x", 9);
    expect_raw_close(fd, 1002);
    expect_closed(&scene.at_server, 1002, "malformed");
    tear_down(&scene);
}

TEST(frames_that_come_byte_by_byte_or_with_the_upgrade_are_read)
{
    static const char text[] = UPGRADE "\x81\x82\x01\x02\x03\x04\x69\x6b";
    struct scene scene;
    int fd;

    set_up(&scene);
    fd = raw_connect(scene.port);
    raw_send(fd, text, sizeof(text) - 1);
    mark_wait(scene.at_server.messages, 1);
    assert_string_equal(pb_buf_string(&scene.at_server.got), "hi|");
    for (const char *c = strstr(text, "\r\n\r\n") + 4; c < text + sizeof(text) - 1; c++)
        raw_send(fd, c, 1);
    mark_wait(scene.at_server.messages, 2);
    assert_string_equal(pb_buf_string(&scene.at_server.got), "hi|hi|");
    (void)close(fd);
    expect_closed(&scene.at_server, 1006, "connection lost");
    tear_down(&scene);
}

TEST(a_full_queue_refuses_and_tells_when_it_has_drained)
{
    static char piece[1000];
    struct scene scene;
    unsigned taken = 0, before;
    int fd;

    set_up(&scene);
    scene.options.queue_max = 100000;
    fd = raw_upgraded(&scene);
    while (pb_websocket_send(scene.at_server.ws, false, piece, sizeof(piece))) {
        taken++;
        CHECK(pb_websocket_queued(scene.at_server.ws) <= 100000, "the bound holds");
        CHECK(taken < 100000, "the queue has an end");
    }
    before = mark_count(scene.at_server.drained);
    while (pb_websocket_queued(scene.at_server.ws) > 50000) {
        char bytes[65536];

        assert_true(recv(fd, bytes, sizeof(bytes), 0) > 0);
    }
    mark_wait(scene.at_server.drained, before + 1);
    CHECK(pb_websocket_send(scene.at_server.ws, false, piece, sizeof(piece)), "it takes again");
    (void)close(fd);
    expect_closed(&scene.at_server, 1006, "");
    tear_down(&scene);
}

static void resume(void *arg)
{
    pb_websocket_pause(arg, false);
}

TEST(a_paused_end_reads_nothing_until_it_is_resumed)
{
    struct scene scene;

    set_up(&scene);
    scene.at_server.pauses = true;
    connect_client(&scene);
    for (int i = 0; i < 3; i++)
        CHECK(pb_websocket_send(scene.at_client.ws, true, "m", 1), "it is taken");
    for (unsigned i = 1; i <= 3; i++) {
        mark_wait(scene.at_server.messages, i);
        CHECK(mark_count(scene.at_server.messages) == i, "one at a time");
        net_do(&scene.net, resume, scene.at_server.ws);
    }
    assert_string_equal(pb_buf_string(&scene.at_server.got), "m|m|m|");
    pb_websocket_close(scene.at_client.ws, 1000, "");
    expect_closed(&scene.at_client, 1000, "");
    tear_down(&scene);
}

TEST(a_paused_end_can_be_closed)
{
    struct scene scene;

    set_up(&scene);
    scene.at_server.pauses = true;
    connect_client(&scene);
    CHECK(pb_websocket_send(scene.at_client.ws, true, "m", 1), "it is taken");
    CHECK(pb_websocket_send(scene.at_client.ws, true, "n", 1), "it is taken");
    mark_wait(scene.at_server.messages, 1);
    pb_websocket_close(scene.at_server.ws, 1000, "done");
    expect_closed(&scene.at_server, 1000, "done");
    expect_closed(&scene.at_client, 1000, "done");
    CHECK(mark_count(scene.at_server.messages) == 1, "what came after is dropped");
    tear_down(&scene);
}

struct sender {
    struct scene *scene;
    char letter;
    int refused;
};

static void send_many(void *arg)
{
    struct sender *sender = arg;

    for (int i = 0; i < 500; i++) {
        if (!pb_websocket_send(sender->scene->at_server.ws, true, &sender->letter, 1))
            sender->refused++;
    }
}

TEST(many_threads_may_send_at_once)
{
    struct scene scene;
    struct sender senders[4];
    struct pb_thread *threads[4];
    struct pb_error err = {0};

    set_up(&scene);
    connect_client(&scene);
    for (int i = 0; i < 4; i++) {
        senders[i] = (struct sender){&scene, (char)('a' + i), 0};
        threads[i] = pb_thread_start("sender", send_many, &senders[i], &err);
        assert_non_null(threads[i]);
    }
    for (int i = 0; i < 4; i++) {
        pb_thread_join(&threads[i]);
        CHECK(senders[i].refused == 0, "nothing is refused");
    }
    mark_wait(scene.at_client.messages, 2000);
    CHECK(scene.at_client.got_len == 2000, "every message came");
    pb_websocket_close(scene.at_server.ws, 1000, "");
    expect_closed(&scene.at_server, 1000, "");
    expect_closed(&scene.at_client, 1000, "");
    tear_down(&scene);
}

TEST(a_frame_is_built_once_and_sent_to_many)
{
    struct scene scene;
    struct pb_websocket_frame *frame = pb_websocket_frame_new(true, "all", 3);

    set_up(&scene);
    connect_client(&scene);
    CHECK(pb_websocket_send_frame(scene.at_server.ws, frame), "a server sends it");
    CHECK(pb_websocket_send_frame(scene.at_server.ws, frame), "again");
    CHECK(pb_websocket_send_frame(scene.at_client.ws, frame), "a client masks it");
    pb_websocket_frame_unref(frame);
    mark_wait(scene.at_client.messages, 2);
    mark_wait(scene.at_server.messages, 1);
    assert_string_equal(pb_buf_string(&scene.at_client.got), "all|all|");
    assert_string_equal(pb_buf_string(&scene.at_server.got), "all|");
    pb_websocket_close(scene.at_client.ws, 1000, "");
    expect_closed(&scene.at_client, 1000, "");
    expect_closed(&scene.at_server, 1000, "");
    tear_down(&scene);
}

TEST(closing_inside_a_message_is_fine)
{
    struct scene scene;

    set_up(&scene);
    scene.at_server.closes = true;
    connect_client(&scene);
    for (int i = 0; i < 10; i++)
        (void)pb_websocket_send(scene.at_client.ws, true, "x", 1);
    expect_closed(&scene.at_server, 4001, "enough");
    expect_closed(&scene.at_client, 4001, "enough");
    tear_down(&scene);
}

TEST(both_ends_may_close_at_once)
{
    struct scene scene;

    set_up(&scene);
    connect_client(&scene);
    pb_websocket_close(scene.at_server.ws, 1000, "s");
    pb_websocket_close(scene.at_client.ws, 1000, "c");
    pb_websocket_close(scene.at_client.ws, 1001, "c again");
    expect_closed(&scene.at_server, 1000, "");
    expect_closed(&scene.at_client, 1000, "");
    tear_down(&scene);
}

TEST(a_silent_peer_is_pinged_and_then_given_up)
{
    struct scene scene;
    struct pb_buf frames;
    int fd;

    set_up(&scene);
    scene.limits = (struct pb_websocket_limits){.ping_ms = 50, .silence_ms = 300, .close_ms = 1000};
    fd = raw_upgraded(&scene);
    pb_buf_init(&frames, 1000);
    CHECK(raw_read(fd, &frames, NULL), "it is given up");
    CHECK(frames.len >= 4 && memcmp(frames.data, "\x89\x00\x89\x00", 4) == 0, "after pings");
    expect_closed(&scene.at_server, 1006, "nothing heard");
    pb_buf_release(&frames);
    (void)close(fd);
    tear_down(&scene);
}

TEST(a_peer_that_answers_pings_stays)
{
    struct dialling dialling = {
        .limits = {.connect_ms = 5000, .ping_ms = 20, .silence_ms = 200, .close_ms = 1000}};
    struct scene scene;

    set_up(&scene);
    dialling.end = &scene.at_client;
    (void)snprintf(dialling.url, sizeof(dialling.url), "ws://127.0.0.1:%u/ws", scene.port);
    net_do(&scene.net, dial, &dialling);
    mark_wait(scene.at_client.opened, 1);
    mark_wait(scene.at_server.opened, 1);
    /* longer than the silence that would end it */
    CHECK(!mark_within(scene.at_client.closed, 500), "it is still open after half a second");
    pb_websocket_close(scene.at_client.ws, 1000, "");
    expect_closed(&scene.at_client, 1000, "");
    tear_down(&scene);
}

TEST(a_close_nobody_answers_ends_after_its_deadline)
{
    struct scene scene;
    int fd;

    set_up(&scene);
    scene.limits =
        (struct pb_websocket_limits){.ping_ms = 50000, .silence_ms = 50000, .close_ms = 100};
    fd = raw_upgraded(&scene);
    pb_websocket_close(scene.at_server.ws, 1000, "bye");
    expect_closed(&scene.at_server, 1006, "no answer");
    (void)close(fd);
    tear_down(&scene);
}

TEST(requests_that_are_no_upgrade_are_refused)
{
    static const char *const requests[] = {
        "GET /ws HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
        "Sec-WebSocket-Version: 12\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n\r\n",
        "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: close\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    };
    struct scene scene;

    set_up(&scene);
    for (size_t i = 0; i < COUNT(requests); i++) {
        struct pb_buf reply;
        int fd = raw_connect(scene.port);

        pb_buf_init(&reply, 10000);
        raw_text(fd, requests[i]);
        CHECK(raw_read(fd, &reply, "\r\n\r\n"), "it is answered");
        assert_ptr_equal(strstr(reply.data, "HTTP/1.1 400 "), reply.data);
        pb_buf_release(&reply);
        (void)close(fd);
    }
    tear_down(&scene);
}

static void refuse_handle(void *arg, struct pb_http_exchange *exchange)
{
    struct mark *seen = arg;
    const char *key = pb_http_header(exchange, "Authorization");

    if (key && strcmp(key, "Bearer x") == 0)
        mark_add(seen);
    pb_http_reply(exchange, 401, NULL, 0, "no", 2);
}

TEST(a_refused_dial_says_why)
{
    static const struct pb_http_header headers[] = {{"Authorization", "Bearer x"}};
    struct mark *seen = mark_new();
    struct pb_http_server_options options = {.handle = refuse_handle, .arg = seen};
    struct net net;
    struct end end;
    struct dialling dialling = {.end = &end, .headers = headers, .header_count = 1};
    struct pb_http_server *server;
    uint16_t port;

    net_start(&net);
    end_init(&end, &net);
    server = net_serve(&net, &options, NULL);
    port = pb_http_server_port(server);
    (void)snprintf(dialling.url, sizeof(dialling.url), "ws://localhost:%u/ws?a=b", port);
    net_do(&net, dial, &dialling);
    assert_non_null(end.ws);
    expect_closed(&end, 1006, "the server answered 401");
    CHECK(mark_count(seen) == 1, "the header was sent");
    net_end_server(&net, server);
    end_release(&end);

    end_init(&end, &net);
    net_do(&net, dial, &dialling); /* nobody is there any more */
    expect_closed(&end, 1006, "refused");
    net_stop(&net);
    end_release(&end);
    mark_free(seen);
}

TEST(a_dial_without_an_answer_ends_after_its_deadline)
{
    struct dialling dialling = {
        .limits = {.connect_ms = 100, .ping_ms = 1000, .silence_ms = 1000, .close_ms = 1000}};
    struct net net;
    struct end end;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    net_start(&net);
    end_init(&end, &net);
    dialling.end = &end;
    assert_int_equal(listen(fd, 1), 0); /* on a port of its own; nobody accepts */
    (void)snprintf(dialling.url, sizeof(dialling.url), "ws://127.0.0.1:%u/", raw_port(fd));
    net_do(&net, dial, &dialling);
    expect_closed(&end, 1006, "deadline");
    net_stop(&net);
    end_release(&end);
    (void)close(fd);
}

TEST(addresses_that_cannot_be_dialled_are_refused)
{
    static const char *const urls[] = {"http://a/",   "ws://",     "ws://a:b/", "wss://localhost/",
                                       "ws://u:p@a/", "ws://a/ b", "ws://[::1/"};
    struct net net;
    struct end end;

    net_start(&net);
    end_init(&end, &net);
    for (size_t i = 0; i < COUNT(urls); i++) {
        struct dialling dialling = {.end = &end};

        (void)snprintf(dialling.url, sizeof(dialling.url), "%s", urls[i]);
        net_do(&net, dial, &dialling);
        assert_null(end.ws);
        assert_int_equal(dialling.err.code, PB_ERROR_INVALID);
    }
    net_stop(&net);
    end_release(&end);
}

TEST(it_works_over_tls_and_checks_the_certificate)
{
    static char large[300000];
    struct certificate certificate;
    struct pb_error err = {0};
    struct pb_tls_server *server_tls;
    struct pb_tls_client *client_tls, *stranger;
    struct dialling dialling = {.options = {.queue_max = 1 << 20}};
    struct scene scene;

    certificate_make(&certificate);
    server_tls = pb_tls_server_new(certificate.certificate, certificate.key, &err);
    client_tls = pb_tls_client_new(certificate.certificate, &err);
    stranger = pb_tls_client_new(NULL, &err);
    assert_non_null(server_tls);
    assert_non_null(client_tls);
    assert_non_null(stranger);
    set_up_tls(&scene, server_tls);
    scene.at_server.echoes = true;
    dialling.end = &scene.at_client;
    dialling.tls = client_tls;
    (void)snprintf(dialling.url, sizeof(dialling.url), "wss://localhost:%u/ws", scene.port);
    net_do(&scene.net, dial, &dialling);
    mark_wait(scene.at_client.opened, 1);
    for (unsigned i = 0; i < 5; i++) {
        CHECK(pb_websocket_send(scene.at_client.ws, false, large, sizeof(large)), "it is taken");
        mark_wait(scene.at_client.messages, i + 1);
    }
    CHECK(scene.at_client.got_len == 5 * sizeof(large), "all of it comes back");
    pb_websocket_close(scene.at_client.ws, 1000, "");
    expect_closed(&scene.at_client, 1000, "");
    expect_closed(&scene.at_server, 1000, "");
    end_release(&scene.at_client);

    end_init(&scene.at_client, &scene.net);
    dialling.tls = stranger;
    net_do(&scene.net, dial, &dialling);
    expect_closed(&scene.at_client, 1006, "self-signed certificate");
    end_release(&scene.at_client);

    end_init(&scene.at_client, &scene.net);
    dialling.tls = client_tls;
    (void)snprintf(dialling.url, sizeof(dialling.url), "wss://127.0.0.2:%u/ws", scene.port);
    net_do(&scene.net, dial, &dialling);
    expect_closed(&scene.at_client, 1006, "");
    tear_down(&scene);
    pb_tls_server_free(server_tls);
    pb_tls_client_free(client_tls);
    pb_tls_client_free(stranger);
    certificate_remove(&certificate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_go_both_ways),
        cmocka_unit_test(sizes_around_the_frame_formats_pass),
        cmocka_unit_test(fragments_are_joined_with_control_frames_in_between),
        cmocka_unit_test(breaking_the_rules_closes_with_the_right_code),
        cmocka_unit_test(a_message_too_large_in_fragments_is_refused),
        cmocka_unit_test(frames_without_a_mask_are_refused),
        cmocka_unit_test(a_frame_length_not_in_its_shortest_form_is_refused),
        cmocka_unit_test(frames_that_come_byte_by_byte_or_with_the_upgrade_are_read),
        cmocka_unit_test(a_full_queue_refuses_and_tells_when_it_has_drained),
        cmocka_unit_test(a_paused_end_reads_nothing_until_it_is_resumed),
        cmocka_unit_test(a_paused_end_can_be_closed),
        cmocka_unit_test(many_threads_may_send_at_once),
        cmocka_unit_test(a_frame_is_built_once_and_sent_to_many),
        cmocka_unit_test(closing_inside_a_message_is_fine),
        cmocka_unit_test(both_ends_may_close_at_once),
        cmocka_unit_test(a_silent_peer_is_pinged_and_then_given_up),
        cmocka_unit_test(a_peer_that_answers_pings_stays),
        cmocka_unit_test(a_close_nobody_answers_ends_after_its_deadline),
        cmocka_unit_test(requests_that_are_no_upgrade_are_refused),
        cmocka_unit_test(a_refused_dial_says_why),
        cmocka_unit_test(a_dial_without_an_answer_ends_after_its_deadline),
        cmocka_unit_test(addresses_that_cannot_be_dialled_are_refused),
        cmocka_unit_test(it_works_over_tls_and_checks_the_certificate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
