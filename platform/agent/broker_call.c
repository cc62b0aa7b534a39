/*
 * One forwarded call. The server's side lives on the loop thread, the
 * client's callbacks come on its own thread; `lock` guards what both touch.
 *
 *   loop:   handle ─ start ·············· drained / gone ········ finish ─ free
 *   client:            head ─ data … data ─────────────── done ────┘ (posted)
 *
 * The call is freed in finish() alone, which is on the loop thread like the
 * watch callbacks, so none of them can meet a freed call.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "agent/broker_private.h"
#include "agent/usage.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"

enum {
    HEADERS_MAX = 128,
    WAITING_MAX = 512 << 10, /* bytes for a slow client before the upstream is paused */
    SILENCE_MS = 600 * 1000, /* an answer that is not streamed may take that long to begin */
};

struct pb_broker_call {
    struct pb_broker *broker;          /* borrowed */
    struct pb_broker_attempt *attempt; /* counted in attempt->calls */
    struct pb_http_exchange *exchange;
    struct pb_broker_call *next;
    bool counted; /* costs money: gets a usage line */
    int64_t started_ms;

    pthread_mutex_t lock;          /* guards the rest */
    struct pb_http_stream *stream; /* NULL before start and after done */
    bool paused;
    bool gone;
    bool has_head;
    bool reader_open;
    struct pb_usage_reader reader;
    bool failed;
    struct pb_error err;
};

/* What is forwarded: method, path, and whether it is billed. */
static const struct route {
    const char *method, *path;
    bool below; /* also paths below it */
    bool counted;
} ROUTES[] = {
    {"POST", "/v1/messages", false, true},
    {"POST", "/v1/messages/count_tokens", false, false},
    {"GET", "/v1/models", true, false},
};

/* Headers that end here: of one hop, made anew by the client, or the key. */
static const char *const REQUEST_DROPPED[] = {
    "Host",      "Content-Length",  "Connection",          "Keep-Alive",
    "TE",        "Trailer",         "Transfer-Encoding",   "Upgrade",
    "Expect",    "Accept-Encoding", "Proxy-Authorization", "Proxy-Connection",
    "X-Api-Key", "Authorization",
};
static const char *const ANSWER_DROPPED[] = {
    "Content-Length",    "Connection", "Keep-Alive",         "Trailer",
    "Transfer-Encoding", "Upgrade",    "Proxy-Authenticate", "Date",
};

static bool is_listed(const char *name, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(name, list[i]) == 0)
            return true;
    return false;
}

/* The API's own shape, so that the CLI shows our sentence. */
static void reply_error(struct pb_http_exchange *exchange, int status, const char *type,
                        const char *message)
{
    static const struct pb_http_header HEADERS[] = {{"Content-Type", "application/json"}};
    struct pb_json_writer w;
    struct pb_buf body;

    pb_buf_init(&body, 4096);
    pb_json_writer_init(&w, &body);
    pb_json_begin_object(&w, NULL);
    pb_json_put_text(&w, "type", "error");
    pb_json_begin_object(&w, "error");
    pb_json_put_text(&w, "type", type);
    pb_json_put_text(&w, "message", message);
    pb_json_end_object(&w);
    pb_json_end_object(&w);
    pb_http_reply(exchange, status, HEADERS, 1, pb_buf_string(&body), body.len);
    pb_buf_release(&body);
}

/* A server may take "%2e%2e" for "..", "%2f" and a backslash for a slash: nothing that could leave the path. */
static bool stays_below(const char *path)
{
    return !strstr(path, "..") && !strchr(path, '\\') && !strstr(path, "%2") &&
           !strcasestr(path, "%5c");
}

static const struct route *find_route(const char *method, const char *path)
{
    for (size_t i = 0; i < sizeof(ROUTES) / sizeof(ROUTES[0]); i++) {
        size_t len = strlen(ROUTES[i].path);
        if (strcmp(method, ROUTES[i].method) != 0 || strncmp(path, ROUTES[i].path, len) != 0)
            continue;
        if (path[len] == '\0' || (ROUTES[i].below && path[len] == '/' && stays_below(path)))
            return &ROUTES[i];
    }
    return NULL;
}

static const char *dummy_key(const struct pb_http_exchange *exchange)
{
    const char *key = pb_http_header(exchange, "X-Api-Key");
    const char *bearer = pb_http_header(exchange, "Authorization");

    if (key)
        return key;
    if (bearer && strncasecmp(bearer, "Bearer ", 7) == 0)
        return bearer + 7 + strspn(bearer + 7, " ");
    return "";
}

/* The client's thread. */

static size_t answer_headers(const struct pb_http_header *headers, size_t count,
                             struct pb_http_header *ret_kept, bool *ret_is_sse)
{
    size_t kept = 0;

    *ret_is_sse = false;
    for (size_t i = 0; i < count && kept < HEADERS_MAX; i++) {
        if (strcasecmp(headers[i].name, "Content-Type") == 0)
            *ret_is_sse = strncasecmp(headers[i].value, "text/event-stream", 17) == 0;
        if (!is_listed(headers[i].name, ANSWER_DROPPED,
                       sizeof(ANSWER_DROPPED) / sizeof(ANSWER_DROPPED[0])))
            ret_kept[kept++] = headers[i];
    }
    return kept;
}

/* Refusals that no repetition mends. */
static bool is_final(int status)
{
    return status >= 400 && status < 500 && status != 408 && status != 409 && status != 429;
}

/* The API says itself whether to try again. Where a gateway in front of it does not, the CLI would ask ten times
 * with a wrong key, for two minutes; then we say it. */
static size_t add_verdict(int status, struct pb_http_header *kept, size_t count)
{
    static const char NAME[] = "x-should-retry";

    for (size_t i = 0; i < count; i++)
        if (strcasecmp(kept[i].name, NAME) == 0)
            return count;
    if (is_final(status) && count < HEADERS_MAX)
        kept[count++] = (struct pb_http_header){NAME, "false"};
    return count;
}

static void on_head(void *arg, int status, const struct pb_http_header *headers, size_t count)
{
    struct pb_broker_call *call = arg;
    struct pb_http_header kept[HEADERS_MAX];
    bool is_sse;
    size_t kept_count = add_verdict(status, kept, answer_headers(headers, count, kept, &is_sse));

    pthread_mutex_lock(&call->lock);
    call->has_head = true;
    call->reader_open = true;
    pb_usage_reader_init(&call->reader, status, is_sse);
    /* Never with its length: the reply shall end only when its usage line is written. */
    pb_http_reply_begin(call->exchange, status, kept, kept_count, -1);
    pthread_mutex_unlock(&call->lock);
}

static bool on_data(void *arg, const void *data, size_t len)
{
    struct pb_broker_call *call = arg;
    bool go_on;

    pthread_mutex_lock(&call->lock);
    pb_usage_reader_feed(&call->reader, data, len);
    call->paused = pb_http_reply_write(call->exchange, data, len) > WAITING_MAX && !call->gone;
    go_on = !call->paused;
    pthread_mutex_unlock(&call->lock);
    return go_on;
}

static void finish(void *arg);

static void on_done(void *arg, const struct pb_error *err)
{
    struct pb_broker_call *call = arg;
    struct pb_loop *loop = call->broker->loop;

    pthread_mutex_lock(&call->lock);
    call->stream = NULL;
    call->failed = err != NULL;
    if (err)
        call->err = *err;
    pthread_mutex_unlock(&call->lock);
    if (!pb_loop_post(loop, finish, call))
        abort(); /* no memory, and nobody would ever answer the client */
}

/* The loop's thread. */

static void write_usage(struct pb_broker_call *call)
{
    struct pb_error err = {0};
    struct pb_buf line;

    if (!call->counted)
        return;
    if (!call->reader_open) {
        pb_usage_reader_init(&call->reader, 0, false);
        call->reader_open = true;
    }
    call->reader.call.duration_ms = pb_clock_steady_ms() - call->started_ms;
    pb_usage_reader_end(&call->reader, call->failed, pb_clock_wall_ms());
    pb_buf_init(&line, PB_USAGE_LINE_MAX);
    pb_usage_write(&line, &call->reader.call);
    if (pb_fs_write_all(call->attempt->usage_fd, pb_buf_string(&line), line.len, &err) < 0)
        pb_log_fail(PB_LOG_ERROR, "broker", &err, "attempt=%s usage is not counted",
                    call->attempt->name);
    if (!call->reader.call.has_cost)
        pb_log_warn("broker", "attempt=%s model '%s' has no price", call->attempt->name,
                    call->reader.call.model);
    pb_buf_release(&line);
}

/* The words are known to agent/claude_classify.c: this is the way's failure, not the API's. */
static void reply_unreachable(struct pb_broker_call *call)
{
    bool late = call->err.code == PB_ERROR_TIMEOUT;
    char words[700];

    (void)snprintf(words, sizeof(words), "the broker cannot reach the API: %s", call->err.message);
    reply_error(call->exchange, late ? 504 : 502, late ? "timeout_error" : "api_error", words);
}

static void end_reply(struct pb_broker_call *call)
{
    if (!call->failed)
        pb_http_reply_end(call->exchange);
    else if (call->has_head || call->gone || call->attempt->ended)
        pb_http_reply_abort(call->exchange);
    else
        reply_unreachable(call);
}

static void forget(struct pb_broker_call *call)
{
    struct pb_broker *broker = call->broker;

    for (struct pb_broker_call **at = &broker->calls; *at; at = &(*at)->next) {
        if (*at == call) {
            *at = call->next;
            break;
        }
    }
    if (call->reader_open)
        pb_usage_reader_release(&call->reader);
    pthread_mutex_destroy(&call->lock);
    pb_broker_release_call(broker, call->attempt);
    free(call);
}

static void finish(void *arg)
{
    struct pb_broker_call *call = arg;

    if (call->failed)
        pb_log_fail(PB_LOG_WARN, "broker", &call->err, "attempt=%s call cut after %lld ms",
                    call->attempt->name, (long long)(pb_clock_steady_ms() - call->started_ms));
    write_usage(call);
    end_reply(call);
    forget(call);
}

void pb_broker_finish_calls(struct pb_broker *broker)
{
    while (broker->calls)
        finish(broker->calls);
}

static void on_drained(void *arg)
{
    struct pb_broker_call *call = arg;

    pthread_mutex_lock(&call->lock);
    if (call->paused && call->stream)
        pb_http_stream_resume(call->stream);
    call->paused = false;
    pthread_mutex_unlock(&call->lock);
}

/* The client is gone, or the attempt is: nobody wants the rest. */
static void on_gone(void *arg)
{
    struct pb_broker_call *call = arg;

    pthread_mutex_lock(&call->lock);
    call->gone = true;
    if (call->stream)
        pb_http_stream_cancel(call->stream);
    pthread_mutex_unlock(&call->lock);
}

void pb_broker_cut_calls(struct pb_broker *broker, const struct pb_broker_attempt *attempt)
{
    for (struct pb_broker_call *call = broker->calls; call; call = call->next)
        if (call->attempt == attempt)
            on_gone(call);
}

static size_t request_headers(const struct pb_http_exchange *exchange,
                              const struct pb_broker_attempt *attempt, struct pb_buf *bearer,
                              struct pb_http_header *ret_kept)
{
    const struct pb_http_header *headers;
    size_t count = pb_http_headers(exchange, &headers), kept = 0;
    const char *key = pb_buf_string(&attempt->key);

    for (size_t i = 0; i < count && kept < HEADERS_MAX - 2; i++)
        if (!is_listed(headers[i].name, REQUEST_DROPPED,
                       sizeof(REQUEST_DROPPED) / sizeof(REQUEST_DROPPED[0])))
            ret_kept[kept++] = headers[i];
    /* Usage is read from the answer as it passes, so it must not be compressed. */
    ret_kept[kept++] = (struct pb_http_header){"Accept-Encoding", "identity"};
    if (!pb_text_starts(key, "sk-ant-oat")) {
        ret_kept[kept++] = (struct pb_http_header){"X-Api-Key", key};
    } else {
        pb_buf_text(bearer, "Bearer ");
        pb_buf_text(bearer, key);
        ret_kept[kept++] = (struct pb_http_header){"Authorization", pb_buf_string(bearer)};
    }
    return kept;
}

static int start(struct pb_broker_call *call, struct pb_error *err)
{
    static const struct pb_http_stream_events EVENTS = {on_head, on_data, on_done};
    const struct pb_http_exchange *exchange = call->exchange;
    struct pb_http_header headers[HEADERS_MAX];
    struct pb_http_call request = {
        .method = pb_http_method(exchange),
        .headers = headers,
        .silence_ms = SILENCE_MS,
    };
    const char *query = pb_http_query(exchange);
    struct pb_buf url, bearer;
    int r = 0;

    pb_buf_init(&url, 64 << 10);
    pb_buf_init(&bearer, 8 << 10);
    bearer.secret = true;
    pb_buf_bytes(&url, pb_buf_string(&call->attempt->base_url), call->attempt->base_url.len);
    pb_buf_text(&url, pb_http_path(exchange));
    pb_buf_text(&url, query[0] ? "?" : "");
    pb_buf_text(&url, query);
    request.url = pb_buf_string(&url);
    request.body = pb_http_body(exchange, &request.body_len);
    request.header_count = request_headers(exchange, call->attempt, &bearer, headers);
    pthread_mutex_lock(&call->lock); /* callbacks wait until the stream is known */
    call->stream = pb_http_stream_start(call->broker->client, &request, &EVENTS, call, err);
    if (!call->stream)
        r = -1;
    pthread_mutex_unlock(&call->lock);
    pb_buf_release(&url);
    pb_buf_release(&bearer);
    return r;
}

static void forward(struct pb_broker *broker, struct pb_broker_attempt *attempt,
                    struct pb_http_exchange *exchange, bool counted)
{
    struct pb_broker_call *call = calloc(1, sizeof(*call));
    struct pb_error err = {0};

    if (!call) {
        reply_error(exchange, 503, "overloaded_error", "the broker has no memory left");
        return;
    }
    call->broker = broker;
    call->attempt = attempt;
    call->exchange = exchange;
    call->counted = counted;
    call->started_ms = pb_clock_steady_ms();
    pthread_mutex_init(&call->lock, NULL);
    attempt->calls++;
    call->next = broker->calls;
    broker->calls = call;
    pb_http_reply_watch(exchange, on_drained, on_gone, call);
    if (start(call, &err) < 0) {
        call->failed = true;
        call->err = err;
        finish(call);
    }
}

void pb_broker_handle(void *arg, struct pb_http_exchange *exchange)
{
    struct pb_broker *broker = arg;
    const char *method = pb_http_method(exchange), *path = pb_http_path(exchange);
    const struct route *route = find_route(method, path);
    struct pb_broker_attempt *attempt;

    if (strcmp(method, "HEAD") == 0 && strcmp(path, "/") == 0) {
        pb_http_reply(exchange, 200, NULL, 0, NULL, 0);
        return;
    }
    attempt = pb_broker_find_dummy(broker, dummy_key(exchange));
    if (!attempt)
        reply_error(exchange, 401, "authentication_error",
                    "this key belongs to no running attempt");
    else if (!route)
        reply_error(exchange, 404, "not_found_error", "the broker forwards the Messages API only");
    else
        forward(broker, attempt, exchange, route->counted);
}
