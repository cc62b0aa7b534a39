/* What is accepted and, row by row, what is refused: request smuggling begins where two readers
 * differ. */
#include <string.h>

#include "net/http_parser.h"
#include "net_test.h"

#define HOST        "Host: a.example\r\n"
#define BYTES(text) text, sizeof(text) - 1

/* Feeds in pieces of `step` bytes; returns the status of the refusal, 0 = complete, -1 = wants
 * more. */
static int feed(struct pb_http_parser *parser, const char *data, size_t len, size_t step,
                size_t *ret_used)
{
    size_t at = 0;

    while (at < len) {
        size_t piece = len - at < step ? len - at : step, used;
        enum pb_http_progress progress = pb_http_parser_feed(parser, data + at, piece, &used);

        at += used;
        *ret_used = at;
        if (progress == PB_HTTP_COMPLETE)
            return 0;
        if (progress == PB_HTTP_REFUSED)
            return pb_http_parser_refusal(parser)->status;
    }
    return -1;
}

static int verdict(const char *data, size_t len, size_t step)
{
    struct pb_http_parser *parser = pb_http_parser_new(4096, 1000);
    size_t used = 0;
    int status = feed(parser, data, len, step, &used);

    pb_http_parser_free(parser);
    return status;
}

static const struct {
    const char *sentence;
    int status; /* 0 = accepted */
    const char *data;
    size_t len;
} CORPUS[] = {
    {"a plain request passes", 0, BYTES("GET / HTTP/1.1\r\n" HOST "\r\n")},
    {"one empty line before a request is forgiven", 0, BYTES("\r\nGET / HTTP/1.1\r\n" HOST "\r\n")},
    {"two empty lines are not", 400, BYTES("\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n")},
    {"no Host is refused", 400, BYTES("GET / HTTP/1.1\r\n\r\n")},
    {"no Host is refused in HTTP/1.0 too", 400, BYTES("GET / HTTP/1.0\r\n\r\n")},
    {"two Hosts are refused", 400, BYTES("GET / HTTP/1.1\r\n" HOST HOST "\r\n")},
    {"two Hosts in different case are refused", 400,
     BYTES("GET / HTTP/1.1\r\n" HOST "hOST: b.example\r\n\r\n")},
    {"an empty Host is refused", 400, BYTES("GET / HTTP/1.1\r\nHost:\r\n\r\n")},
    {"a Host with a path is refused", 400, BYTES("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n")},
    {"a Host with a space is refused", 400, BYTES("GET / HTTP/1.1\r\nHost: a b\r\n\r\n")},
    {"a bare LF after the request line is refused", 400, BYTES("GET / HTTP/1.1\n" HOST "\r\n")},
    {"a bare LF after a header is refused", 400, BYTES("GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n")},
    {"a bare LF at the end is refused", 400, BYTES("GET / HTTP/1.1\r\n" HOST "\n")},
    {"a bare CR in a value is refused", 400,
     BYTES("GET / HTTP/1.1\r\n" HOST "X: a\rTransfer-Encoding: chunked\r\n\r\n")},
    {"a bare CR right after the colon is refused", 400,
     BYTES("GET / HTTP/1.1\r\n" HOST "X:\rTransfer-Encoding: chunked\r\n\r\n")},
    {"a bare CR in the request line is refused", 400, BYTES("GET /\r HTTP/1.1\r\n" HOST "\r\n")},
    {"two CRs before LF are refused", 400, BYTES("GET / HTTP/1.1\r\r\n" HOST "\r\n")},
    {"a NUL in a value is refused", 400, BYTES("GET / HTTP/1.1\r\n" HOST "X: a\0b\r\n\r\n")},
    {"a NUL in a name is refused", 400, BYTES("GET / HTTP/1.1\r\n" HOST "X\0: ab\r\n\r\n")},
    {"a NUL in the target is refused", 400, BYTES("GET /\0 HTTP/1.1\r\n" HOST "\r\n")},
    {"another control character is refused", 400,
     BYTES("GET / HTTP/1.1\r\n" HOST "X: \x01\r\n\r\n")},
    {"DEL in a value is refused", 400, BYTES("GET / HTTP/1.1\r\n" HOST "X: \x7f\r\n\r\n")},
    {"a tab in a value passes", 0, BYTES("GET / HTTP/1.1\r\n" HOST "X: a\tb\r\n\r\n")},
    {"a folded header is refused", 400, BYTES("GET / HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n")},
    {"a header folded by a tab is refused", 400,
     BYTES("GET / HTTP/1.1\r\n" HOST "X: a\r\n\tb\r\n\r\n")},
    {"a first header that begins with a space is refused", 400,
     BYTES("GET / HTTP/1.1\r\n " HOST "\r\n")},
    {"a space before the colon is refused", 400,
     BYTES("GET / HTTP/1.1\r\n" HOST "Content-Length : 3\r\n\r\nabc")},
    {"a header without a colon is refused", 400, BYTES("GET / HTTP/1.1\r\n" HOST "X\r\n\r\n")},
    {"a header without a name is refused", 400, BYTES("GET / HTTP/1.1\r\n" HOST ": x\r\n\r\n")},
    {"a name with a bracket is refused", 400, BYTES("GET / HTTP/1.1\r\n" HOST "X[]: x\r\n\r\n")},
    {"a body of the announced length passes", 0,
     BYTES("POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc")},
    {"TE with CL is refused", 400,
     BYTES("POST / HTTP/1.1\r\n" HOST
           "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")},
    {"CL behind TE is refused", 400,
     BYTES("POST / HTTP/1.1\r\n" HOST
           "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n")},
    {"two equal CLs are refused", 400,
     BYTES("POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc")},
    {"two different CLs are refused", 400,
     BYTES("POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc")},
    {"a list of CLs is refused", 400,
     BYTES("POST / HTTP/1.1\r\n" HOST "Content-Length: 3, 3\r\n\r\nabc")},
    {"a CL with a sign is refused", 400,
     BYTES("POST / HTTP/1.1\r\n" HOST "Content-Length: +3\r\n\r\nabc")},
    {"a negative CL is refused", 400,
     BYTES("POST / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\nabc")},
    {"a hexadecimal CL is refused", 400,
     BYTES("POST / HTTP/1.1\r\n" HOST "Content-Length: 0x3\r\n\r\nabc")},
    {"an empty CL is refused", 400, BYTES("POST / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\nabc")},
    {"a CL beyond 64 bits is refused", 400,
     BYTES("POST / HTTP/1.1\r\n" HOST "Content-Length: 18446744073709551619\r\n\r\nabc")},
    {"a CL above the maximum is refused as too large", 413,
     BYTES("POST / HTTP/1.1\r\n" HOST "Content-Length: 1001\r\n\r\n")},
    {"a chunked body passes", 0,
     BYTES("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")},
    {"chunked in capitals passes", 0,
     BYTES("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n")},
    {"a chunk extension passes", 0,
     BYTES("POST / HTTP/1.1\r\n" HOST
           "Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\n\r\n")},
    {"a trailer passes", 0,
     BYTES("POST / HTTP/1.1\r\n" HOST
           "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n")},
    {"gzip as transfer coding is refused", 501,
     BYTES("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n")},
    {"gzip, chunked is refused", 501,
     BYTES("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n")},
    {"chunked, identity is refused", 501,
     BYTES("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n")},
    {"a quoted chunked is refused", 501,
     BYTES("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n")},
    {"xchunked is refused", 501,
     BYTES("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n")},
    {"chunked with a vertical tab is refused", 400,
     BYTES("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n")},
    {"an empty TE is refused", 501,
     BYTES("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding:\r\n\r\n0\r\n\r\n")},
    {"two TEs are refused", 400,
     BYTES("POST / HTTP/1.1\r\n" HOST
           "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")},
    {"TE on HTTP/1.0 is refused", 400,
     BYTES("POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")},
    {"a chunk size of nothing is refused", 400,
     BYTES("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n\r\nabc\r\n0\r\n\r\n")},
    {"a chunk size with 0x is refused", 400,
     BYTES("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n")},
    {"a chunk size with a sign is refused", 400,
     BYTES("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n+3\r\nabc\r\n0\r\n\r\n")},
    {"a space behind a chunk size is refused", 400,
     BYTES("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n0\r\n\r\n")},
    {"a chunk size beyond 64 bits is refused", 400,
     BYTES("POST / HTTP/1.1\r\n" HOST
           "Transfer-Encoding: chunked\r\n\r\n10000000000000003\r\nabc\r\n0\r\n\r\n")},
    {"a chunk size ended by LF is refused", 400,
     BYTES("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n")},
    {"chunk data ended by LF is refused", 400,
     BYTES("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\n0\r\n\r\n")},
    {"chunk data longer than its size is refused", 400,
     BYTES("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n")},
    {"a bare LF in a chunk extension is refused", 400,
     BYTES("POST / HTTP/1.1\r\n" HOST
           "Transfer-Encoding: chunked\r\n\r\n3;a\nb\r\nabc\r\n0\r\n\r\n")},
    {"a bare CR in a chunk extension is refused", 400,
     BYTES("POST / HTTP/1.1\r\n" HOST
           "Transfer-Encoding: chunked\r\n\r\n3;a\rb\r\nabc\r\n0\r\n\r\n")},
    {"a trailer without a colon is refused", 400,
     BYTES("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\nX\r\n\r\n")},
    {"a folded trailer is refused", 400,
     BYTES("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n z\r\n\r\n")},
    {"a last chunk ended by LF is refused", 400,
     BYTES("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\n")},
    {"a chunk above the maximum is refused as too large", 413,
     BYTES("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3e9\r\n")},
    {"an Upgrade with a body is refused", 400,
     BYTES("POST / HTTP/1.1\r\n" HOST
           "Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\nabc")},
    {"an Upgrade without a body passes", 0,
     BYTES("GET / HTTP/1.1\r\n" HOST "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n")},
    {"an unknown expectation is refused", 417,
     BYTES("POST / HTTP/1.1\r\n" HOST "Expect: miracles\r\nContent-Length: 3\r\n\r\nabc")},
    {"HTTP/2.0 is refused", 505, BYTES("GET / HTTP/2.0\r\n" HOST "\r\n")},
    {"HTTP/1.2 is refused", 505, BYTES("GET / HTTP/1.2\r\n" HOST "\r\n")},
    {"HTTP/0.9 is refused", 400, BYTES("GET /\r\n" HOST "\r\n")},
    {"http in small letters is refused", 400, BYTES("GET / http/1.1\r\n" HOST "\r\n")},
    {"a version with more digits is refused", 400, BYTES("GET / HTTP/1.10\r\n" HOST "\r\n")},
    {"the preface of HTTP/2 is refused", 505, BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")},
    {"two spaces in the request line are refused", 400, BYTES("GET  / HTTP/1.1\r\n" HOST "\r\n")},
    {"a space in the target is refused", 400, BYTES("GET /a b HTTP/1.1\r\n" HOST "\r\n")},
    {"a tab in the request line is refused", 400, BYTES("GET\t/ HTTP/1.1\r\n" HOST "\r\n")},
    {"a space behind the version is refused", 400, BYTES("GET / HTTP/1.1 \r\n" HOST "\r\n")},
    {"a fragment in the target is refused", 400, BYTES("GET /#a HTTP/1.1\r\n" HOST "\r\n")},
    {"a target that is no path is refused", 400, BYTES("GET a HTTP/1.1\r\n" HOST "\r\n")},
    {"an absolute target is refused", 400, BYTES("GET http://b.example/ HTTP/1.1\r\n" HOST "\r\n")},
    {"a target beyond ASCII is refused", 400, BYTES("GET /\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n")},
    {"OPTIONS * passes", 0, BYTES("OPTIONS * HTTP/1.1\r\n" HOST "\r\n")},
    {"GET * is refused", 400, BYTES("GET * HTTP/1.1\r\n" HOST "\r\n")},
    {"CONNECT is refused", 501, BYTES("CONNECT a:1 HTTP/1.1\r\n" HOST "\r\n")},
    {"an unknown method is refused", 501, BYTES("BREW / HTTP/1.1\r\n" HOST "\r\n")},
    {"a method in small letters is refused", 501, BYTES("get / HTTP/1.1\r\n" HOST "\r\n")},
    {"a method with a bracket is refused", 400, BYTES("GE(T / HTTP/1.1\r\n" HOST "\r\n")},
};

/* One test per row, whole and in small pieces. */
static void corpus_row(void **state)
{
    static const size_t steps[] = {1 << 20, 7, 1};
    size_t i = (size_t)(uintptr_t)*state;

    for (size_t k = 0; k < COUNT(steps); k++) {
        int status = verdict(CORPUS[i].data, CORPUS[i].len, steps[k]);

        if (status != CORPUS[i].status)
            fail_msg("in pieces of %zu: %d rather than %d", steps[k], status, CORPUS[i].status);
    }
}

TEST(nothing_is_read_beyond_one_request)
{
    static const char two[] = "POST /a?b=c HTTP/1.1\r\n" HOST
                              "Content-Length: 3\r\n\r\nabcGET /next HTTP/1.1\r\n" HOST "\r\n";
    struct pb_http_parser *parser = pb_http_parser_new(4096, 1000);
    struct pb_http_request request;
    size_t used = 0, again = 0;

    CHECK(feed(parser, BYTES(two), 1 << 20, &used) == 0, "the first request is complete");
    pb_http_parser_take(parser, &request);
    assert_string_equal(request.method, "POST");
    assert_string_equal(request.path, "/a");
    assert_string_equal(request.query, "b=c");
    assert_string_equal(pb_http_request_header(&request, "HOST"), "a.example");
    assert_string_equal(request.body, "abc");
    pb_http_request_release(&request);
    CHECK(feed(parser, two + used, sizeof(two) - 1 - used, 1 << 20, &again) == 0,
          "the rest is the second request");
    pb_http_parser_take(parser, &request);
    assert_string_equal(request.path, "/next");
    assert_string_equal(request.query, "");
    assert_null(request.body);
    pb_http_request_release(&request);
    pb_http_parser_free(parser);
}

TEST(long_heads_are_refused)
{
    struct pb_http_parser *parser = pb_http_parser_new(4096, 1000);
    struct pb_buf head;
    size_t used;

    pb_buf_init(&head, 1 << 20);
    pb_buf_text(&head, "GET / HTTP/1.1\r\n" HOST "X: ");
    while (head.len < 5000)
        pb_buf_char(&head, 'a');
    CHECK(feed(parser, head.data, head.len, 100, &used) == 431, "a head of 5000 bytes is refused");
    CHECK(used <= 4096, "and not kept");
    pb_http_parser_free(parser);
    pb_buf_release(&head);
}

TEST(many_headers_are_refused)
{
    struct pb_buf head;

    pb_buf_init(&head, 1 << 20);
    pb_buf_text(&head, "GET / HTTP/1.1\r\n" HOST);
    for (int i = 0; i < 100; i++)
        pb_buf_text(&head, "X: y\r\n");
    pb_buf_text(&head, "\r\n");
    CHECK(verdict(head.data, head.len, 1 << 20) == 431, "101 headers are refused");
    pb_buf_release(&head);
}

TEST(keep_alive_follows_version_and_connection)
{
    static const struct {
        const char *text;
        bool keep_alive;
    } rows[] = {
        {"GET / HTTP/1.1\r\n" HOST "\r\n", true},
        {"GET / HTTP/1.1\r\n" HOST "Connection: Close\r\n\r\n", false},
        {"GET / HTTP/1.1\r\n" HOST "Connection: x , close\r\n\r\n", false},
        {"GET / HTTP/1.0\r\n" HOST "\r\n", false},
        {"GET / HTTP/1.0\r\n" HOST "Connection: keep-alive\r\n\r\n", true},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct pb_http_parser *parser = pb_http_parser_new(4096, 1000);
        struct pb_http_request request;
        size_t used;

        CHECK(feed(parser, rows[i].text, strlen(rows[i].text), 1 << 20, &used) == 0, "it passes");
        pb_http_parser_take(parser, &request);
        CHECK(request.keep_alive == rows[i].keep_alive, rows[i].text);
        pb_http_request_release(&request);
        pb_http_parser_free(parser);
    }
}

TEST(chunks_are_joined)
{
    static const char text[] = "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
                               "3\r\nabc\r\n0A;x\r\n0123456789\r\n0\r\nX: y\r\n\r\n";
    struct pb_http_parser *parser = pb_http_parser_new(4096, 1000);
    struct pb_http_request request;
    size_t used;

    for (size_t step = 1; step < 20; step++) {
        CHECK(feed(parser, BYTES(text), step, &used) == 0, "it passes in pieces of any size");
        CHECK(used == sizeof(text) - 1, "to its last byte");
        pb_http_parser_take(parser, &request);
        assert_string_equal(request.body, "abc0123456789");
        CHECK(request.body_len == 13, "the body is what the chunks hold");
        pb_http_request_release(&request);
    }
    pb_http_parser_free(parser);
}

TEST(escapes_are_decoded)
{
    char out[32];

    CHECK(pb_http_decode("a%20b+c", 7, false, out), "a path decodes");
    assert_string_equal(out, "a b+c");
    CHECK(pb_http_decode("a%20b+c", 7, true, out), "a query decodes");
    assert_string_equal(out, "a b c");
    CHECK(!pb_http_decode("%00", 3, false, out), "no NUL comes in");
    CHECK(!pb_http_decode("%2", 2, false, out), "a cut escape is refused");
    CHECK(!pb_http_decode("%zz", 3, false, out), "a bad escape is refused");
}

int main(void)
{
    static const struct CMUnitTest others[] = {
        cmocka_unit_test(nothing_is_read_beyond_one_request),
        cmocka_unit_test(long_heads_are_refused),
        cmocka_unit_test(many_headers_are_refused),
        cmocka_unit_test(keep_alive_follows_version_and_connection),
        cmocka_unit_test(chunks_are_joined),
        cmocka_unit_test(escapes_are_decoded),
    };
    static struct CMUnitTest tests[COUNT(CORPUS) + COUNT(others)];

    for (size_t i = 0; i < COUNT(CORPUS); i++)
        tests[i] = (struct CMUnitTest){.name = CORPUS[i].sentence,
                                       .test_func = corpus_row,
                                       .initial_state = (void *)(uintptr_t)i};
    memcpy(tests + COUNT(CORPUS), others, sizeof(others));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
