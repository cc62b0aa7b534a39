#include "net/http_client.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/loop.h"
#include "base/pool.h"
#include "base/text.h"
#include "net/http_chunked_private.h"

enum {
    CALL_HOST_CONNECTIONS = 4,     /* blocking calls wait for each other rather than crowd a host */
    STREAM_HOST_CONNECTIONS = 256, /* streams last for minutes and must not */
    TOTAL_CONNECTIONS = 512,
    KEPT_CONNECTIONS = 32,
    RESPONSE_MAX = 8 * 1024 * 1024,
    BODY_MAX = 32 * 1024 * 1024,
    HEADERS_MAX = 200,
    HEADER_BYTES_MAX = 128 * 1024,
    RUNNING_MAX = 2048,
    CONNECT_MS = 10000,
    TIMEOUT_MS = 30000,
    SILENCE_MS = 60000,
};

/* One curl multi handle on the client's loop. */
struct multi {
    struct pb_http_client *client;
    CURLM *curl;
    struct pb_loop_timer *timer;
};

struct pb_http_client {
    struct pb_loop *loop;
    struct pb_thread *thread;
    char *user_agent;
    char *ca_file; /* NULL = the system's */
    struct multi calls;
    struct multi streams;
    struct pb_http_stream *running; /* all of both, on the loop thread */

    pthread_mutex_t lock; /* guards: */
    bool is_closing;
    size_t count; /* of running */
};

/* One transfer. A blocking call is one with callbacks of our own. */
struct pb_http_stream {
    _Atomic unsigned refs; /* the transfer's, and one per posted wish */
    struct pb_http_client *client;
    struct multi *multi;
    struct pb_http_stream *prev, *next; /* in client->running */
    struct pb_http_stream_events events;
    void *arg;
    CURL *curl;
    struct curl_slist *headers;
    char *body; /* owned */
    char words[CURL_ERROR_SIZE];

    /* Loop thread only from the start on. */
    struct pb_buf head; /* "name\0value\0" of the head being read */
    size_t seen_count;
    int status;
    bool head_done;
    bool is_running;
    bool is_paused;
    size_t body_max; /* 0 = none */
    size_t body_len;
    struct pb_error failure; /* ours rather than curl's; code PB_OK = none */
    int64_t silence_ms;
    int64_t heard_ms;
    curl_off_t uploaded;
    struct pb_loop_timer *silence;
};

static void start_curl(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    /* OpenSSL below curl writes with write(2); CURLOPT_NOSIGNAL leaves SIGPIPE to us. */
    (void)signal(SIGPIPE, SIG_IGN);
}

static void stream_unref(struct pb_http_stream *stream)
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

static void unlink_stream(struct pb_http_stream *stream)
{
    if (stream->prev)
        stream->prev->next = stream->next;
    else
        stream->client->running = stream->next;
    if (stream->next)
        stream->next->prev = stream->prev;
}

/* The end of a transfer: out of curl, told, forgotten. */
static void finish(struct pb_http_stream *stream, const struct pb_error *err)
{
    struct pb_http_client *client = stream->client;

    stream->is_running = false;
    pb_loop_timer_cancel(&stream->silence);
    (void)curl_multi_remove_handle(stream->multi->curl, stream->curl);
    unlink_stream(stream);
    pthread_mutex_lock(&client->lock);
    client->count--;
    pthread_mutex_unlock(&client->lock);
    if (stream->events.done)
        stream->events.done(stream->arg, err);
    stream_unref(stream);
}

/* Ends it with an error of our own: in a curl callback by refusing more, else at once. */
static void note_failure(struct pb_http_stream *stream, enum pb_error_code code, const char *reason,
                         const char *words)
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

static void fail_from_curl(struct pb_http_stream *stream, CURLcode code, struct pb_error *err)
{
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

static void take_result(struct pb_http_stream *stream, CURLcode code)
{
    struct pb_error err = {0};

    if (stream->failure.code != PB_OK) {
        finish(stream, &stream->failure);
    } else if (code != CURLE_OK) {
        fail_from_curl(stream, code, &err);
        finish(stream, &err);
    } else {
        finish(stream, NULL);
    }
}

static void take_results(struct multi *multi)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(multi->curl, &left))) {
        char *stream = NULL;

        if (message->msg != CURLMSG_DONE)
            continue;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &stream);
        take_result((struct pb_http_stream *)(void *)stream, message->data.result);
    }
}

/* ---- curl's wishes to the loop */

struct watched_socket {
    struct multi *multi;
    curl_socket_t fd;
    struct pb_loop_fd *watch;
};

static void on_socket(void *arg, int events)
{
    struct watched_socket *watched = arg;
    struct multi *multi = watched->multi; /* curl may have us free `watched` on the way */
    int mask = (events & PB_LOOP_READ ? CURL_CSELECT_IN : 0) |
               (events & PB_LOOP_WRITE ? CURL_CSELECT_OUT : 0);
    int running;

    (void)curl_multi_socket_action(multi->curl, watched->fd, mask, &running);
    take_results(multi);
}

static void unwatch(struct multi *multi, curl_socket_t fd, struct watched_socket *watched)
{
    if (!watched)
        return;
    (void)curl_multi_assign(multi->curl, fd, NULL);
    pb_loop_fd_unwatch(&watched->watch);
    free(watched);
}

static int watch(CURL *curl, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
    struct multi *multi = arg;
    struct watched_socket *watched = socket_arg;
    int events =
        (what & CURL_POLL_IN ? PB_LOOP_READ : 0) | (what & CURL_POLL_OUT ? PB_LOOP_WRITE : 0);

    (void)curl;
    if (what == CURL_POLL_REMOVE) {
        unwatch(multi, fd, watched);
        return 0;
    }
    if (watched) {
        pb_loop_fd_change(watched->watch, events);
        return 0;
    }
    watched = calloc(1, sizeof(*watched));
    if (!watched)
        return -1;
    watched->multi = multi;
    watched->fd = fd;
    watched->watch = pb_loop_fd_watch(multi->client->loop, fd, events, on_socket, watched);
    if (!watched->watch) {
        free(watched);
        return -1;
    }
    (void)curl_multi_assign(multi->curl, fd, watched);
    return 0;
}

static void on_multi_timer(void *arg)
{
    struct multi *multi = arg;
    int running;

    pb_loop_timer_cancel(&multi->timer);
    (void)curl_multi_socket_action(multi->curl, CURL_SOCKET_TIMEOUT, 0, &running);
    take_results(multi);
}

static int set_timer(CURLM *curl, long timeout_ms, void *arg)
{
    struct multi *multi = arg;

    (void)curl;
    pb_loop_timer_cancel(&multi->timer);
    if (timeout_ms < 0)
        return 0;
    multi->timer = pb_loop_timer_start(multi->client->loop, timeout_ms, 0, on_multi_timer, multi);
    return multi->timer ? 0 : -1;
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
    if (stream->seen_count++ == HEADERS_MAX)
        stream->head.failed = true;
    pb_buf_bytes(&stream->head, line, (size_t)(colon - line));
    pb_buf_char(&stream->head, '\0');
    pb_buf_bytes(&stream->head, value, len);
    pb_buf_char(&stream->head, '\0');
}

static void tell_head(struct pb_http_stream *stream)
{
    struct pb_http_header headers[HEADERS_MAX];
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
    note_failure(stream, PB_ERROR_TOO_LARGE, "headers", "the answer has too many headers");
    return 0;
}

static size_t take_data(char *data, size_t size, size_t count, void *arg)
{
    struct pb_http_stream *stream = arg;
    size_t len = size * count;

    stream->heard_ms = pb_clock_steady_ms();
    if (stream->body_max > 0 && len > stream->body_max - stream->body_len) {
        note_failure(stream, PB_ERROR_TOO_LARGE, "too_large", "the answer is too large");
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

static void arm_silence(struct pb_http_stream *stream);

static void on_silence(void *arg)
{
    struct pb_http_stream *stream = arg;

    if (stream->is_paused)
        stream->heard_ms = pb_clock_steady_ms();
    if (pb_clock_steady_ms() - stream->heard_ms < stream->silence_ms) {
        arm_silence(stream);
        return;
    }
    note_failure(stream, PB_ERROR_TIMEOUT, "silence", "the server sent nothing for too long");
    finish(stream, &stream->failure);
}

static void arm_silence(struct pb_http_stream *stream)
{
    int64_t due_ms = stream->heard_ms + stream->silence_ms - pb_clock_steady_ms();

    pb_loop_timer_cancel(&stream->silence);
    stream->silence = pb_loop_timer_start(stream->client->loop, due_ms, 0, on_silence, stream);
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
    pb_buf_init(&line, HEADER_BYTES_MAX);
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

static int set_up(struct pb_http_stream *stream, const struct pb_http_call *call,
                  int64_t timeout_ms, struct pb_error *err)
{
    stream->curl = curl_easy_init();
    if (!stream->curl || curl_easy_setopt(stream->curl, CURLOPT_URL, call->url) != CURLE_OK)
        return pb_fail(err, PB_ERROR_LIMITED, "out of memory");
    pb_buf_init(&stream->head, HEADER_BYTES_MAX);
    stream->silence_ms = call->silence_ms ? call->silence_ms : SILENCE_MS;
    set_options(stream, call, timeout_ms);
    if (set_method(stream, call, err) < 0)
        return -1;
    return set_headers(stream, call, err);
}

static void begin(void *arg)
{
    struct pb_http_stream *stream = arg;
    struct pb_http_client *client = stream->client;
    CURLMcode code;

    stream->next = client->running;
    if (stream->next)
        stream->next->prev = stream;
    client->running = stream;
    stream->is_running = true;
    stream->heard_ms = pb_clock_steady_ms();
    arm_silence(stream);
    code = curl_multi_add_handle(stream->multi->curl, stream->curl);
    if (code != CURLM_OK) {
        note_failure(stream, PB_ERROR_LIMITED, "memory", curl_multi_strerror(code));
        finish(stream, &stream->failure);
    }
}

/* Hands it to the client's thread. */
static int submit(struct pb_http_stream *stream, struct pb_error *err)
{
    struct pb_http_client *client = stream->client;
    int r = -1;

    pthread_mutex_lock(&client->lock);
    if (client->is_closing)
        (void)pb_fail(err, PB_ERROR_UNAVAILABLE, "the HTTP client is closing");
    else if (client->count >= RUNNING_MAX)
        (void)pb_fail(err, PB_ERROR_LIMITED, "too many HTTP calls at once");
    else if (!pb_loop_post(client->loop, begin, stream))
        (void)pb_fail(err, PB_ERROR_LIMITED, "out of memory");
    else
        r = 0;
    if (r == 0)
        client->count++;
    pthread_mutex_unlock(&client->lock);
    return r;
}

static struct pb_http_stream *start(struct pb_http_client *client, struct multi *multi,
                                    const struct pb_http_call *call, int64_t timeout_ms,
                                    size_t body_max, const struct pb_http_stream_events *events,
                                    void *arg, struct pb_error *err)
{
    struct pb_http_stream *stream = calloc(1, sizeof(*stream));

    if (!stream) {
        (void)pb_fail(err, PB_ERROR_LIMITED, "out of memory");
        return NULL;
    }
    atomic_init(&stream->refs, 1);
    stream->client = client;
    stream->multi = multi;
    stream->events = *events;
    stream->arg = arg;
    stream->body_max = body_max;
    if (set_up(stream, call, timeout_ms, err) < 0 || submit(stream, err) < 0) {
        stream_unref(stream);
        return NULL;
    }
    return stream;
}

/* ---- streaming */

struct pb_http_stream *pb_http_stream_start(struct pb_http_client *client,
                                            const struct pb_http_call *call,
                                            const struct pb_http_stream_events *events, void *arg,
                                            struct pb_error *err)
{
    return start(client, &client->streams, call, call->timeout_ms, 0, events, arg, err);
}

static void post_wish(struct pb_http_stream *stream, void (*wish)(void *arg))
{
    atomic_fetch_add_explicit(&stream->refs, 1, memory_order_relaxed);
    if (!pb_loop_post(stream->client->loop, wish, stream))
        stream_unref(stream);
}

static void resume_now(void *arg)
{
    struct pb_http_stream *stream = arg;
    struct multi *multi = stream->multi;
    int running;

    if (stream->is_running && stream->is_paused) {
        stream->is_paused = false;
        stream->heard_ms = pb_clock_steady_ms();
        (void)curl_easy_pause(stream->curl, CURLPAUSE_CONT);
        (void)curl_multi_socket_action(multi->curl, CURL_SOCKET_TIMEOUT, 0, &running);
        take_results(multi);
    }
    stream_unref(stream);
}

void pb_http_stream_resume(struct pb_http_stream *stream)
{
    post_wish(stream, resume_now);
}

static void cancel_now(void *arg)
{
    struct pb_http_stream *stream = arg;

    if (stream->is_running) {
        note_failure(stream, PB_ERROR_UNAVAILABLE, "cancelled", "the call was cancelled");
        finish(stream, &stream->failure);
    }
    stream_unref(stream);
}

void pb_http_stream_cancel(struct pb_http_stream *stream)
{
    post_wish(stream, cancel_now);
}

/* ---- blocking */

struct waiting_call {
    pthread_mutex_t lock; /* guards: */
    pthread_cond_t changed;
    bool is_done;
    int result;
    struct pb_error err;
    int status;
    struct pb_buf head; /* "name\0value\0" */
    size_t header_count;
    struct pb_buf body;
};

static void keep_head(void *arg, int status, const struct pb_http_header *headers, size_t count)
{
    struct waiting_call *waiting = arg;

    waiting->status = status;
    waiting->header_count = count;
    for (size_t i = 0; i < count; i++) {
        pb_buf_bytes(&waiting->head, headers[i].name, strlen(headers[i].name) + 1);
        pb_buf_bytes(&waiting->head, headers[i].value, strlen(headers[i].value) + 1);
    }
}

static bool keep_data(void *arg, const void *data, size_t len)
{
    struct waiting_call *waiting = arg;

    pb_buf_bytes(&waiting->body, data, len); /* cannot pass its maximum: that is body_max too */
    return true;
}

static void wake(void *arg, const struct pb_error *err)
{
    struct waiting_call *waiting = arg;

    pthread_mutex_lock(&waiting->lock);
    waiting->is_done = true;
    waiting->result = err ? -1 : 0;
    if (err)
        waiting->err = *err;
    pthread_cond_signal(&waiting->changed);
    pthread_mutex_unlock(&waiting->lock);
}

static int copy_answer(const struct waiting_call *waiting, struct pb_arena *arena,
                       struct pb_http_answer *ret_answer, struct pb_error *err)
{
    struct pb_http_header *headers =
        pb_arena_alloc(arena, (waiting->header_count + 1) * sizeof(headers[0]));
    const char *text = pb_arena_bytes(arena, waiting->head.data, waiting->head.len);
    const char *body = pb_arena_bytes(arena, waiting->body.data, waiting->body.len);

    if (!headers || !text || !body)
        return pb_fail(err, PB_ERROR_LIMITED, "no room for the answer");
    for (size_t i = 0; i < waiting->header_count; i++) {
        headers[i].name = text;
        text += strlen(text) + 1;
        headers[i].value = text;
        text += strlen(text) + 1;
    }
    *ret_answer = (struct pb_http_answer){.status = waiting->status,
                                          .headers = headers,
                                          .header_count = waiting->header_count,
                                          .body = body,
                                          .len = waiting->body.len};
    return 0;
}

static int wait_for(struct waiting_call *waiting, struct pb_error *err)
{
    pthread_mutex_lock(&waiting->lock);
    while (!waiting->is_done)
        pthread_cond_wait(&waiting->changed, &waiting->lock);
    pthread_mutex_unlock(&waiting->lock);
    if (waiting->result < 0)
        *err = waiting->err;
    return waiting->result;
}

int pb_http_call(struct pb_http_client *client, const struct pb_http_call *call,
                 struct pb_arena *arena, struct pb_http_answer *ret_answer, struct pb_error *err)
{
    static const struct pb_http_stream_events events = {keep_head, keep_data, wake};
    int64_t timeout_ms = call->timeout_ms ? call->timeout_ms : TIMEOUT_MS;
    size_t response_max = call->response_max ? call->response_max : RESPONSE_MAX;
    struct waiting_call waiting = {0};
    int r = -1;

    pthread_mutex_init(&waiting.lock, NULL);
    pthread_cond_init(&waiting.changed, NULL);
    pb_buf_init(&waiting.head, 2 * HEADER_BYTES_MAX);
    pb_buf_init(&waiting.body, response_max);
    if (start(client, &client->calls, call, timeout_ms, response_max, &events, &waiting, err))
        r = wait_for(&waiting, err);
    if (r == 0)
        r = copy_answer(&waiting, arena, ret_answer, err);
    pb_buf_release(&waiting.head);
    pb_buf_release(&waiting.body);
    pthread_cond_destroy(&waiting.changed);
    pthread_mutex_destroy(&waiting.lock);
    return r < 0 ? pb_fail_in(err, "%s %s", call->method, call->url) : 0;
}

const char *pb_http_answer_header(const struct pb_http_answer *answer, const char *name)
{
    for (size_t i = 0; i < answer->header_count; i++) {
        if (strcasecmp(answer->headers[i].name, name) == 0)
            return answer->headers[i].value;
    }
    return NULL;
}

/* ---- the client */

static int multi_open(struct multi *multi, struct pb_http_client *client, long host_connections)
{
    multi->client = client;
    multi->curl = curl_multi_init();
    if (!multi->curl)
        return -1;
    (void)curl_multi_setopt(multi->curl, CURLMOPT_SOCKETFUNCTION, watch);
    (void)curl_multi_setopt(multi->curl, CURLMOPT_SOCKETDATA, multi);
    (void)curl_multi_setopt(multi->curl, CURLMOPT_TIMERFUNCTION, set_timer);
    (void)curl_multi_setopt(multi->curl, CURLMOPT_TIMERDATA, multi);
    (void)curl_multi_setopt(multi->curl, CURLMOPT_MAX_HOST_CONNECTIONS, host_connections);
    (void)curl_multi_setopt(multi->curl, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)TOTAL_CONNECTIONS);
    (void)curl_multi_setopt(multi->curl, CURLMOPT_MAXCONNECTS, (long)KEPT_CONNECTIONS);
    (void)curl_multi_setopt(multi->curl, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
    return 0;
}

static void run(void *arg)
{
    struct pb_http_client *client = arg;

    pb_loop_run(client->loop);
}

struct pb_http_client *pb_http_client_new(const char *user_agent, const char *ca_file,
                                          struct pb_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct pb_http_client *client = calloc(1, sizeof(*client));

    (void)pthread_once(&once, start_curl);
    if (!client) {
        (void)pb_fail(err, PB_ERROR_LIMITED, "out of memory");
        return NULL;
    }
    pthread_mutex_init(&client->lock, NULL);
    client->user_agent = strdup(user_agent);
    client->ca_file = ca_file ? strdup(ca_file) : NULL;
    if (!client->user_agent || (ca_file && !client->ca_file) ||
        multi_open(&client->calls, client, CALL_HOST_CONNECTIONS) < 0 ||
        multi_open(&client->streams, client, STREAM_HOST_CONNECTIONS) < 0) {
        (void)pb_fail(err, PB_ERROR_LIMITED, "out of memory");
        goto fail;
    }
    client->loop = pb_loop_new(err);
    if (!client->loop)
        goto fail;
    client->thread = pb_thread_start("http-client", run, client, err);
    if (client->thread)
        return client;
fail:
    pb_http_client_free(client);
    return NULL;
}

static void close_now(void *arg)
{
    struct pb_http_client *client = arg;

    while (client->running) {
        note_failure(client->running, PB_ERROR_UNAVAILABLE, "closing",
                     "the HTTP client was closed");
        finish(client->running, &client->running->failure);
    }
    pb_loop_stop(client->loop);
}

static void multi_close(struct multi *multi)
{
    if (multi->curl)
        (void)curl_multi_cleanup(multi->curl);
    pb_loop_timer_cancel(&multi->timer);
}

void pb_http_client_free(struct pb_http_client *client)
{
    if (!client)
        return;
    pthread_mutex_lock(&client->lock);
    client->is_closing = true;
    pthread_mutex_unlock(&client->lock);
    if (client->thread && !pb_loop_post(client->loop, close_now, client))
        pb_loop_stop(client->loop);
    pb_thread_join(&client->thread);
    multi_close(&client->calls);
    multi_close(&client->streams);
    pb_loop_free(client->loop);
    pthread_mutex_destroy(&client->lock);
    free(client->user_agent);
    free(client->ca_file);
    free(client);
}
