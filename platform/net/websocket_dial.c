#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/text.h"
#include "net/address_private.h"
#include "net/http_chunked_private.h"
#include "net/http_head_private.h"
#include "net/resolver_private.h"
#include "net/tls_private.h"
#include "net/websocket_private.h"

enum { ANSWER_MAX = 16 * 1024, REQUEST_MAX = 32 * 1024, ATTEMPT_MS = 3000, PROBLEM_TEXT = 256 };

enum step { WAITING, CONNECTING, SHAKING_HANDS, ASKING };

struct pb_websocket_dial {
    struct pb_loop *loop; /* borrowed */
    pb_websocket_dialled *done;
    void *arg;
    struct pb_tls_client *tls; /* borrowed; NULL = ws:// */
    char host[PB_HOST_TEXT];
    char key[PB_WEBSOCKET_KEY_TEXT];
    struct pb_buf request;
    struct pb_buf answer;
    struct pb_resolve *resolve;
    struct addrinfo *found; /* owned */
    struct addrinfo *next;  /* to try */
    enum step step;
    struct pb_transport transport;
    struct pb_out_queue out;
    struct pb_loop_fd *watch;
    struct pb_loop_timer *timer; /* begins the work; later bounds one attempt */
    char problem[PROBLEM_TEXT];
};

static void try_next(struct pb_websocket_dial *dial);

static void hang_up(struct pb_websocket_dial *dial)
{
    pb_loop_timer_cancel(&dial->timer);
    pb_loop_fd_unwatch(&dial->watch);
    pb_out_queue_clear(&dial->out);
    pb_transport_close(&dial->transport);
}

void pb_websocket_dial_cancel(struct pb_websocket_dial *dial)
{
    if (!dial)
        return;
    pb_resolve_cancel(dial->resolve);
    hang_up(dial);
    if (dial->found)
        freeaddrinfo(dial->found);
    pb_buf_release(&dial->request);
    pb_buf_release(&dial->answer);
    free(dial);
}

/* Reports and frees. */
static void finish(struct pb_websocket_dial *dial, bool is_open)
{
    struct pb_transport transport = dial->transport;
    struct pb_buf in = dial->answer;

    if (is_open) {
        pb_loop_fd_unwatch(&dial->watch);
        dial->transport = (struct pb_transport){.fd = -1};
        pb_buf_init(&dial->answer, ANSWER_MAX);
        dial->done(dial->arg, &transport, &in, NULL);
    } else {
        dial->done(dial->arg, NULL, NULL, dial->problem);
    }
    pb_websocket_dial_cancel(dial);
}

/* This address does not work; the next one may. */
static void give_up_attempt(struct pb_websocket_dial *dial, const char *problem)
{
    (void)snprintf(dial->problem, sizeof(dial->problem), "%s", problem);
    hang_up(dial);
    try_next(dial);
}

/* Whoever answered is the right one, but it does not want us. */
static void give_up(struct pb_websocket_dial *dial, const char *problem)
{
    (void)snprintf(dial->problem, sizeof(dial->problem), "%s", problem);
    finish(dial, false);
}

static struct pb_http_span field(const struct pb_http_head *head, const char *name)
{
    for (size_t i = 0; i < head->count; i++) {
        if (pb_http_span_is(head->names[i], name))
            return head->values[i];
    }
    return (struct pb_http_span){"", 0};
}

static const char *check_answer(struct pb_websocket_dial *dial, size_t len)
{
    static const char *const bad = "the server's answer is no WebSocket handshake";
    char expected[PB_WEBSOCKET_ACCEPT_TEXT];
    struct pb_http_head head;
    struct pb_http_span accept;

    if (pb_http_head_read_answer(dial->answer.data, len, &head))
        return bad;
    if (head.status != 101) {
        (void)snprintf(dial->problem, sizeof(dial->problem), "the server answered %d", head.status);
        return dial->problem;
    }
    pb_websocket_accept_key(dial->key, expected);
    accept = field(&head, "Sec-WebSocket-Accept");
    if (accept.len != strlen(expected) || memcmp(accept.data, expected, accept.len) != 0 ||
        !pb_http_list_has(field(&head, "Upgrade"), "websocket") ||
        !pb_http_list_has(field(&head, "Connection"), "upgrade") ||
        field(&head, "Sec-WebSocket-Extensions").len > 0)
        return bad;
    return NULL;
}

static void take_answer(struct pb_websocket_dial *dial)
{
    char *end = memmem(dial->answer.data, dial->answer.len, "\r\n\r\n", 4);
    const char *problem;
    size_t len;

    if (!end) {
        if (pb_buf_failed(&dial->answer))
            give_up(dial, "the server's answer is too long");
        return;
    }
    len = (size_t)(end + 4 - dial->answer.data);
    problem = check_answer(dial, len);
    if (problem) {
        char words[PROBLEM_TEXT];

        (void)snprintf(words, sizeof(words), "%s", problem);
        give_up(dial, words);
        return;
    }
    pb_buf_consume(&dial->answer, len);
    finish(dial, true);
}

static void read_answer(struct pb_websocket_dial *dial)
{
    char *scratch = pb_transport_scratch();
    ssize_t got = pb_transport_read(&dial->transport, scratch, PB_TRANSPORT_SCRATCH);

    if (got == PB_TRANSPORT_AGAIN)
        return;
    if (got <= 0) {
        give_up(dial, "the server hung up during the handshake");
        return;
    }
    pb_buf_bytes(&dial->answer, scratch, (size_t)got);
    take_answer(dial);
}

static void change_watch(struct pb_websocket_dial *dial)
{
    pb_loop_fd_change(dial->watch,
                      pb_transport_events(&dial->transport, true, dial->out.bytes > 0));
}

static void ask(struct pb_websocket_dial *dial)
{
    dial->step = ASKING;
    if (!pb_out_queue_copy(&dial->out, dial->request.data, dial->request.len) ||
        pb_transport_flush(&dial->transport, &dial->out) < 0) {
        give_up_attempt(dial, "connection lost");
        return;
    }
    change_watch(dial);
}

static void shake_hands(struct pb_websocket_dial *dial)
{
    char problem[PROBLEM_TEXT];

    switch (pb_transport_handshake(&dial->transport)) {
    case 0:
        ask(dial);
        return;
    case PB_TRANSPORT_AGAIN:
        change_watch(dial);
        return;
    default:
        (void)snprintf(problem, sizeof(problem), "TLS with %s: %s", dial->host,
                       dial->transport.tls ? pb_tls_session_problem(dial->transport.tls) : "");
        give_up_attempt(dial, problem);
    }
}

static void take_connection(struct pb_websocket_dial *dial)
{
    int error = 0, on = 1;
    socklen_t len = sizeof(error);
    char problem[PROBLEM_TEXT];

    if (getsockopt(dial->transport.fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        error = errno;
    if (error) {
        (void)snprintf(problem, sizeof(problem), "connect to %s: %s", dial->host,
                       strerrordesc_np(error));
        give_up_attempt(dial, problem);
        return;
    }
    pb_loop_timer_cancel(&dial->timer);
    (void)setsockopt(dial->transport.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (dial->tls) {
        dial->transport.tls = pb_tls_session_connect(dial->tls, dial->transport.fd, dial->host);
        if (!dial->transport.tls) {
            give_up_attempt(dial, "out of memory");
            return;
        }
    }
    dial->step = SHAKING_HANDS;
    shake_hands(dial);
}

static void on_socket(void *arg, int events)
{
    struct pb_websocket_dial *dial = arg;

    (void)events;
    if (dial->step == CONNECTING) {
        take_connection(dial);
    } else if (dial->step == SHAKING_HANDS) {
        shake_hands(dial);
    } else if (dial->out.bytes > 0 && pb_transport_flush(&dial->transport, &dial->out) < 0) {
        give_up_attempt(dial, "connection lost");
    } else {
        change_watch(dial);
        read_answer(dial);
    }
}

static void on_attempt_over(void *arg)
{
    struct pb_websocket_dial *dial = arg;
    char problem[PROBLEM_TEXT];

    (void)snprintf(problem, sizeof(problem), "connect to %s: no answer", dial->host);
    give_up_attempt(dial, problem);
}

static void try_next(struct pb_websocket_dial *dial)
{
    const struct addrinfo *address = dial->next;
    int fd;

    if (!address) {
        finish(dial, false);
        return;
    }
    dial->next = address->ai_next;
    fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    dial->transport = (struct pb_transport){.fd = fd};
    dial->step = CONNECTING;
    if (fd < 0 ||
        (connect(fd, address->ai_addr, address->ai_addrlen) < 0 && errno != EINPROGRESS)) {
        char problem[PROBLEM_TEXT];

        (void)snprintf(problem, sizeof(problem), "connect to %s: %s", dial->host,
                       strerrordesc_np(errno));
        give_up_attempt(dial, problem);
        return;
    }
    if (dial->next)
        dial->timer = pb_loop_timer_start(dial->loop, ATTEMPT_MS, 0, on_attempt_over, dial);
    dial->watch = pb_loop_fd_watch(dial->loop, fd, PB_LOOP_WRITE, on_socket, dial);
    if (!dial->watch)
        give_up_attempt(dial, "out of memory");
}

static void on_resolved(void *arg, struct addrinfo *found, const char *problem)
{
    struct pb_websocket_dial *dial = arg;

    dial->resolve = NULL;
    dial->found = dial->next = found;
    if (!found)
        (void)snprintf(dial->problem, sizeof(dial->problem), "resolve %s: %s", dial->host, problem);
    try_next(dial);
}

static void on_begin(void *arg)
{
    struct pb_websocket_dial *dial = arg;

    pb_loop_timer_cancel(&dial->timer);
    try_next(dial);
}

/* An address is taken as it is, a name is asked for. */
static int find_addresses(struct pb_websocket_dial *dial, uint16_t port, struct pb_error *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    char service[8];

    (void)snprintf(service, sizeof(service), "%u", (unsigned)port);
    if (getaddrinfo(dial->host, service, &hints, &dial->found) != 0) {
        dial->found = NULL;
        dial->resolve = pb_resolve_start(dial->loop, dial->host, port, on_resolved, dial, err);
        return dial->resolve ? 0 : -1;
    }
    dial->next = dial->found;
    dial->timer = pb_loop_timer_start(dial->loop, 0, 0, on_begin, dial);
    return dial->timer ? 0 : pb_fail(err, PB_ERROR_LIMITED, "out of memory");
}

static bool is_clean(const char *text, bool (*allowed)(unsigned char c))
{
    for (const char *c = text; *c; c++) {
        if (!allowed((unsigned char)*c))
            return false;
    }
    return true;
}

static bool is_target_char(unsigned char c)
{
    return c > 0x20 && c < 0x7f && c != '#';
}

static int write_request(struct pb_websocket_dial *dial, const char *authority, int authority_len,
                         const char *target, const struct pb_http_header *headers,
                         size_t header_count, struct pb_error *err)
{
    struct pb_buf *request = &dial->request;

    if (!is_clean(target, is_target_char))
        return pb_fail(err, PB_ERROR_INVALID, "the URL holds characters that have to be escaped");
    pb_buf_format(request, "GET %s%s HTTP/1.1\r\nHost: %.*s\r\n", *target == '/' ? "" : "/", target,
                  authority_len, authority);
    pb_buf_format(request,
                  "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                  "Sec-WebSocket-Key: %s\r\n",
                  dial->key);
    for (size_t i = 0; i < header_count; i++) {
        if (!is_clean(headers[i].name, pb_http_is_token_char) ||
            !is_clean(headers[i].value, pb_http_is_text_char))
            return pb_fail(err, PB_ERROR_INVALID, "header '%s' holds control characters",
                           headers[i].name);
        pb_buf_format(request, "%s: %s\r\n", headers[i].name, headers[i].value);
    }
    pb_buf_text(request, "\r\n");
    return pb_buf_failed(request) ? pb_fail(err, PB_ERROR_TOO_LARGE, "too many headers") : 0;
}

static void make_key(char key[PB_WEBSOCKET_KEY_TEXT])
{
    uint8_t random[16];
    struct pb_buf text;

    pb_random(random, sizeof(random));
    pb_buf_init(&text, 64);
    pb_buf_base64(&text, random, sizeof(random));
    memcpy(key, pb_buf_string(&text), PB_WEBSOCKET_KEY_TEXT);
    pb_buf_release(&text);
}

static int prepare(struct pb_websocket_dial *dial, const char *url,
                   const struct pb_http_header *headers, size_t header_count,
                   struct pb_tls_client *tls, struct pb_error *err)
{
    bool is_secure = pb_text_starts(url, "wss://");
    const char *authority = strstr(url, "://");
    size_t authority_len;
    uint16_t port;

    if (!authority || (!is_secure && !pb_text_starts(url, "ws://")))
        return pb_fail(err, PB_ERROR_INVALID, "'%s' is no ws:// or wss:// address", url);
    if (is_secure && !tls)
        return pb_fail(err, PB_ERROR_INVALID, "'%s' needs TLS, which is not set up", url);
    authority += 3;
    authority_len = strcspn(authority, "/?#");
    if (memchr(authority, '@', authority_len))
        return pb_fail(err, PB_ERROR_INVALID, "credentials do not belong into the address");
    if (pb_address_split(authority, authority_len, is_secure ? 443 : 80, dial->host, &port, err) <
        0)
        return -1;
    dial->tls = is_secure ? tls : NULL;
    make_key(dial->key);
    if (write_request(dial, authority, (int)authority_len, authority + authority_len, headers,
                      header_count, err) < 0)
        return -1;
    return find_addresses(dial, port, err);
}

struct pb_websocket_dial *pb_websocket_dial_start(struct pb_loop *loop, const char *url,
                                                  const struct pb_http_header *headers,
                                                  size_t header_count, struct pb_tls_client *tls,
                                                  pb_websocket_dialled *done, void *arg,
                                                  struct pb_error *err)
{
    struct pb_websocket_dial *dial = calloc(1, sizeof(*dial));

    if (!dial) {
        (void)pb_fail(err, PB_ERROR_LIMITED, "out of memory");
        return NULL;
    }
    dial->loop = loop;
    dial->done = done;
    dial->arg = arg;
    dial->transport.fd = -1;
    pb_buf_init(&dial->request, REQUEST_MAX);
    pb_buf_init(&dial->answer, ANSWER_MAX + PB_TRANSPORT_SCRATCH);
    if (prepare(dial, url, headers, header_count, tls, err) < 0) {
        pb_websocket_dial_cancel(dial);
        return NULL;
    }
    return dial;
}
