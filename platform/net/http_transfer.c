#include <curl/curl.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "net/http_chunked_private.h"
#include "net/http_client_private.h"

enum {
    BODY_MAX = 32 * 1024 * 1024,
    CONNECT_MS = 10000,
    SILENCE_MS = 60000,
};

_Static_assert(sizeof(((struct pb_http_stream *)0)->words) >= CURL_ERROR_SIZE, "curl writes that");

void pb_http_stream_unref(struct pb_http_stream *stream)
{
    if (atomic_fetch_sub_explicit(&stream->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (stream->curl)
        curl_easy_cleanup(stream->curl);
    curl_slist_free_all(stream->headers);
    pb_buf_release(&stream->head);
    free(stream->body);
    free(stream);
}

/* Ends it with an error of our own: in a curl callback by refusing more, else at once. */
void pb_http_stream_note_failure(struct pb_http_stream *stream, enum pb_error_code code,
                                 const char *reason, const char *words)
{
    if (stream->failure.code == PB_OK)
        (void)pb_fail_reason(&stream->failure, code, reason, "%s", words);
}

/* ---- what curl said, in our words */

static const struct {
    CURLcode code;
    enum pb_error_code to;
    const char *reason;
} FAILURES[] = {
    {CURLE_COULDNT_RESOLVE_HOST, PB_ERROR_UNREACHABLE, "dns"},
    {CURLE_COULDNT_RESOLVE_PROXY, PB_ERROR_UNREACHABLE, "dns"},
    {CURLE_COULDNT_CONNECT, PB_ERROR_UNREACHABLE, "refused"},
    {CURLE_SSL_CONNECT_ERROR, PB_ERROR_UNREACHABLE, "tls"},
    {CURLE_PEER_FAILED_VERIFICATION, PB_ERROR_UNREACHABLE, "tls"},
    {CURLE_SSL_CACERT_BADFILE, PB_ERROR_UNREACHABLE, "tls"},
    {CURLE_SSL_CERTPROBLEM, PB_ERROR_UNREACHABLE, "tls"},
    {CURLE_SSL_CIPHER, PB_ERROR_UNREACHABLE, "tls"},
    {CURLE_SSL_ISSUER_ERROR, PB_ERROR_UNREACHABLE, "tls"},
    {CURLE_GOT_NOTHING, PB_ERROR_UNREACHABLE, "cut"},
    {CURLE_RECV_ERROR, PB_ERROR_UNREACHABLE, "cut"},
    {CURLE_SEND_ERROR, PB_ERROR_UNREACHABLE, "cut"},
    {CURLE_PARTIAL_FILE, PB_ERROR_UNREACHABLE, "cut"},
    {CURLE_OPERATION_TIMEDOUT, PB_ERROR_TIMEOUT, "timeout"},
    {CURLE_URL_MALFORMAT, PB_ERROR_INVALID, "url"},
    {CURLE_UNSUPPORTED_PROTOCOL, PB_ERROR_INVALID, "url"},
    {CURLE_OUT_OF_MEMORY, PB_ERROR_LIMITED, "memory"},
};

void pb_http_stream_fail(struct pb_http_stream *stream, int curl_code, struct pb_error *err)
{
    CURLcode code = (CURLcode)curl_code;
    const char *words = stream->words[0] ? stream->words : curl_easy_strerror(code);
    long number = 0;

    for (size_t i = 0; i < sizeof(FAILURES) / sizeof(FAILURES[0]); i++) {
        const char *reason = FAILURES[i].reason;

        if (FAILURES[i].code != code)
            continue;
        (void)curl_easy_getinfo(stream->curl, CURLINFO_OS_ERRNO, &number);
        if (code == CURLE_COULDNT_CONNECT && number != ECONNREFUSED)
            reason = "unreachable";
        (void)pb_fail_reason(err, FAILURES[i].to, reason, "%s", words);
        return;
    }
    (void)pb_fail_reason(err, PB_ERROR_UNREACHABLE, "protocol", "%s", words);
}

/* ---- one transfer's head and body */

static void add_field(struct pb_http_stream *stream, const char *line, size_t len)
{
    const char *colon = memchr(line, ':', len);
    const char *value;

    if (!colon || colon == line || line[0] == ' ' || line[0] == '\t')
        return;
    value = colon + 1;
    len -= (size_t)(value - line);
    while (len > 0 && (*value == ' ' || *value == '\t')) {
        value++;
        len--;
    }
    while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t'))
        len--;
    if (memchr(value, '\0', len))
        return;
    if (stream->seen_count++ == PB_HTTP_ANSWER_HEADERS_MAX)
        stream->head.failed = true;
    pb_buf_bytes(&stream->head, line, (size_t)(colon - line));
    pb_buf_char(&stream->head, '\0');
    pb_buf_bytes(&stream->head, value, len);
    pb_buf_char(&stream->head, '\0');
}

static void tell_head(struct pb_http_stream *stream)
{
    struct pb_http_header headers[PB_HTTP_ANSWER_HEADERS_MAX];
    const char *text = stream->head.data;

    for (size_t i = 0; i < stream->seen_count; i++) {
        headers[i].name = text;
        text += strlen(text) + 1;
        headers[i].value = text;
        text += strlen(text) + 1;
    }
    stream->head_done = true;
    if (stream->events.head)
        stream->events.head(stream->arg, stream->status, headers, stream->seen_count);
    pb_buf_release(&stream->head);
}

/* "HTTP/1.1 200 OK" */
static void begin_head(struct pb_http_stream *stream, const char *line, size_t len)
{
    const char *space = memchr(line, ' ', len);

    pb_buf_clear(&stream->head);
    stream->seen_count = 0;
    stream->status = 0;
    for (const char *c = space ? space + 1 : line + len; c < line + len && *c >= '0' && *c <= '9';
         c++)
        stream->status = stream->status * 10 + (*c - '0');
}

static size_t take_header(char *data, size_t size, size_t count, void *arg)
{
    struct pb_http_stream *stream = arg;
    size_t total = size * count, len = total;

    stream->heard_ms = pb_clock_steady_ms();
    if (stream->head_done)
        return total; /* trailers */
    while (len > 0 && (data[len - 1] == '\n' || data[len - 1] == '\r'))
        len--;
    if (len >= 5 && memcmp(data, "HTTP/", 5) == 0)
        begin_head(stream, data, len);
    else if (len > 0)
        add_field(stream, data, len);
    else if (stream->status >= 200)
        tell_head(stream);
    if (!pb_buf_failed(&stream->head))
        return total;
    pb_http_stream_note_failure(stream, PB_ERROR_TOO_LARGE, "headers",
                                "the answer has too many headers");
    return 0;
}

static size_t take_data(char *data, size_t size, size_t count, void *arg)
{
    struct pb_http_stream *stream = arg;
    size_t len = size * count;

    stream->heard_ms = pb_clock_steady_ms();
    if (stream->body_max > 0 && len > stream->body_max - stream->body_len) {
        pb_http_stream_note_failure(stream, PB_ERROR_TOO_LARGE, "too_large",
                                    "the answer is too large");
        return 0;
    }
    stream->body_len += len;
    if (stream->events.data && !stream->events.data(stream->arg, data, len)) {
        stream->is_paused = true;
        (void)curl_easy_pause(stream->curl, CURLPAUSE_RECV);
    }
    return stream->failure.code == PB_OK ? len : 0;
}

static int take_progress(void *arg, curl_off_t to_get, curl_off_t got, curl_off_t to_put,
                         curl_off_t put)
{
    struct pb_http_stream *stream = arg;

    (void)to_get;
    (void)got;
    (void)to_put;
    if (put != stream->uploaded)
        stream->heard_ms = pb_clock_steady_ms();
    stream->uploaded = put;
    return 0;
}

/* ---- setting up */

static bool has_header(const struct pb_http_call *call, const char *name)
{
    for (size_t i = 0; i < call->header_count; i++) {
        if (strcasecmp(call->headers[i].name, name) == 0)
            return true;
    }
    return false;
}

static bool add_line(struct pb_http_stream *stream, const char *line)
{
    struct curl_slist *longer = curl_slist_append(stream->headers, line);

    if (longer)
        stream->headers = longer;
    return longer != NULL;
}

static int add_header(struct pb_http_stream *stream, const struct pb_http_header *header,
                      struct pb_error *err)
{
    struct pb_buf line;
    int r = -1;

    for (const char *c = header->name; *c; c++) {
        if (!pb_http_is_token_char((unsigned char)*c))
            return pb_fail(err, PB_ERROR_INVALID, "'%s' is no header name", header->name);
    }
    for (const char *c = header->value; *c; c++) {
        if (!pb_http_is_text_char((unsigned char)*c))
            return pb_fail(err, PB_ERROR_INVALID, "header '%s' holds control characters",
                           header->name);
    }
    pb_buf_init(&line, PB_HTTP_ANSWER_HEADER_BYTES_MAX);
    pb_buf_text(&line, header->name);
    pb_buf_text(&line, header->value[0] ? ": " : ";"); /* curl's spelling of an empty value */
    pb_buf_text(&line, header->value);
    if (pb_buf_failed(&line) || !add_line(stream, pb_buf_string(&line)))
        (void)pb_fail(err, PB_ERROR_LIMITED, "header '%s' is too long", header->name);
    else
        r = 0;
    pb_buf_release(&line);
    return r;
}

static int set_headers(struct pb_http_stream *stream, const struct pb_http_call *call,
                       struct pb_error *err)
{
    for (size_t i = 0; i < call->header_count; i++) {
        if (add_header(stream, &call->headers[i], err) < 0)
            return -1;
    }
    /* What curl would add on its own to bodies. */
    if (!has_header(call, "Expect") && !add_line(stream, "Expect:"))
        return pb_fail(err, PB_ERROR_LIMITED, "out of memory");
    if (!has_header(call, "Content-Type") && !add_line(stream, "Content-Type:"))
        return pb_fail(err, PB_ERROR_LIMITED, "out of memory");
    (void)curl_easy_setopt(stream->curl, CURLOPT_HTTPHEADER, stream->headers);
    return 0;
}

static bool is_one_of(const char *method, const char *const *methods)
{
    while (*methods && strcmp(method, *methods) != 0)
        methods++;
    return *methods != NULL;
}

static int set_method(struct pb_http_stream *stream, const struct pb_http_call *call,
                      struct pb_error *err)
{
    static const char *const known[] = {"GET",   "HEAD",   "POST",    "PUT",
                                        "PATCH", "DELETE", "OPTIONS", NULL};
    static const char *const with_body[] = {"POST", "PUT", "PATCH", NULL};
    CURL *curl = stream->curl;

    if (!is_one_of(call->method, known))
        return pb_fail(err, PB_ERROR_INVALID, "method '%s' is not known", call->method);
    if (call->body_len > BODY_MAX)
        return pb_fail(err, PB_ERROR_TOO_LARGE, "a request body has at most %d bytes", BODY_MAX);
    if (strcmp(call->method, "HEAD") == 0) {
        (void)curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
        return 0;
    }
    if (call->body_len > 0 || is_one_of(call->method, with_body)) {
        stream->body = malloc(call->body_len + 1);
        if (!stream->body)
            return pb_fail(err, PB_ERROR_LIMITED, "out of memory");
        if (call->body_len > 0)
            memcpy(stream->body, call->body, call->body_len);
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body_len);
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, stream->body);
    }
    (void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, call->method);
    return 0;
}

static void set_options(struct pb_http_stream *stream, const struct pb_http_call *call,
                        int64_t timeout_ms)
{
    const struct pb_http_client *client = stream->client;
    int64_t connect_ms = call->connect_timeout_ms ? call->connect_timeout_ms : CONNECT_MS;
    CURL *curl = stream->curl;

    (void)curl_easy_setopt(curl, CURLOPT_PRIVATE, stream);
    (void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, stream->words);
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    (void)curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(curl, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* also overrides the environment */
    (void)curl_easy_setopt(curl, CURLOPT_PIPEWAIT, 0L);
    (void)curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_USERAGENT, client->user_agent);
    if (client->ca_file) {
        (void)curl_easy_setopt(curl, CURLOPT_CAINFO, client->ca_file);
        (void)curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
    }
    (void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERDATA, stream);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_data);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, stream);
    (void)curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, take_progress);
    (void)curl_easy_setopt(curl, CURLOPT_XFERINFODATA, stream);
    (void)curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
}

int pb_http_stream_set_up(struct pb_http_stream *stream, const struct pb_http_call *call,
                          int64_t timeout_ms, struct pb_error *err)
{
    stream->curl = curl_easy_init();
    if (!stream->curl || curl_easy_setopt(stream->curl, CURLOPT_URL, call->url) != CURLE_OK)
        return pb_fail(err, PB_ERROR_LIMITED, "out of memory");
    pb_buf_init(&stream->head, PB_HTTP_ANSWER_HEADER_BYTES_MAX);
    stream->silence_ms = call->silence_ms ? call->silence_ms : SILENCE_MS;
    set_options(stream, call, timeout_ms);
    if (set_method(stream, call, err) < 0)
        return -1;
    return set_headers(stream, call, err);
}
