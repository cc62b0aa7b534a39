#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "net/http_head_private.h"
#include "net/http_server_private.h"
#include "net/tls_private.h"
#include "net/websocket_private.h"

static const char GUID[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

void pb_websocket_accept_key(const char *key, char ret_accept[PB_WEBSOCKET_ACCEPT_TEXT])
{
    uint8_t digest[PB_SHA1_BYTES];
    struct pb_buf text;

    pb_buf_init(&text, 256);
    pb_buf_text(&text, key);
    pb_buf_text(&text, GUID);
    pb_tls_sha1(pb_buf_string(&text), text.len, digest);
    pb_buf_clear(&text);
    pb_buf_base64(&text, digest, sizeof(digest));
    memcpy(ret_accept, pb_buf_string(&text), PB_WEBSOCKET_ACCEPT_TEXT);
    pb_buf_release(&text);
}

static bool header_has(const struct pb_http_exchange *exchange, const char *name, const char *word)
{
    const struct pb_http_header *headers;
    size_t count = pb_http_headers(exchange, &headers);

    for (size_t i = 0; i < count; i++) {
        struct pb_http_span value = {headers[i].value, strlen(headers[i].value)};

        if (strcasecmp(headers[i].name, name) == 0 && pb_http_list_has(value, word))
            return true;
    }
    return false;
}

static bool is_key(const char *key)
{
    struct pb_buf bytes;
    bool good;

    if (!key || strlen(key) != PB_WEBSOCKET_KEY_TEXT - 1)
        return false;
    pb_buf_init(&bytes, 32);
    good = pb_buf_unbase64(&bytes, key, strlen(key)) && bytes.len == 16;
    pb_buf_release(&bytes);
    return good;
}

static int check_upgrade(const struct pb_http_exchange *exchange, struct pb_error *err)
{
    if (strcmp(pb_http_method(exchange), "GET") != 0 || exchange->request.minor < 1)
        return pb_fail(err, PB_ERROR_INVALID, "a WebSocket begins with GET and HTTP/1.1");
    if (!header_has(exchange, "Upgrade", "websocket") ||
        !header_has(exchange, "Connection", "upgrade"))
        return pb_fail(err, PB_ERROR_INVALID, "this address speaks WebSocket only");
    if (!pb_text_equal(pb_http_header(exchange, "Sec-WebSocket-Version"), "13"))
        return pb_fail(err, PB_ERROR_INVALID, "the WebSocket version spoken here is 13");
    if (!is_key(pb_http_header(exchange, "Sec-WebSocket-Key")))
        return pb_fail(err, PB_ERROR_INVALID, "the Sec-WebSocket-Key is malformed");
    return 0;
}

static void write_answer(struct pb_buf *answer, const struct pb_http_exchange *exchange)
{
    char accept[PB_WEBSOCKET_ACCEPT_TEXT];

    pb_websocket_accept_key(pb_http_header(exchange, "Sec-WebSocket-Key"), accept);
    pb_buf_text(answer, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Accept: ");
    pb_buf_text(answer, accept);
    pb_buf_text(answer, "\r\n\r\n");
}

struct pb_websocket *pb_websocket_accept(struct pb_http_exchange *exchange,
                                         const struct pb_websocket_options *options,
                                         struct pb_error *err)
{
    struct pb_websocket *ws;
    struct pb_transport transport;
    struct pb_buf in, answer;
    int r;

    if (check_upgrade(exchange, err) < 0)
        return NULL;
    ws = pb_websocket_new(pb_http_loop(exchange), true, options);
    if (!ws) {
        (void)pb_fail(err, PB_ERROR_LIMITED, "out of memory");
        return NULL;
    }
    pb_buf_init(&answer, 1024);
    write_answer(&answer, exchange);
    r = pb_http_exchange_upgrade(exchange, &transport, &in);
    if (r < 0) {
        (void)pb_fail(err, PB_ERROR_UNAVAILABLE, "the client has left");
    } else {
        r = pb_websocket_open(ws, &transport, &in, answer.data, answer.len);
        pb_http_exchange_upgraded(exchange, r == 0);
        if (r < 0)
            (void)pb_fail(err, PB_ERROR_LIMITED, "out of memory");
    }
    pb_buf_release(&answer);
    if (r < 0) {
        pb_websocket_unref(ws);
        return NULL;
    }
    return ws;
}
