#include "stand_in.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/buf.h"
#include "base/loop.h"
#include "base/pool.h"
#include "net/http_server.h"

enum { REPLIES = 256, REQUESTS = 2048, HEADERS = 24 };

struct reply {
    char *key;
    int status;
    char *headers;
    char *body;
};

struct request {
    char *key;
    char *path; /* the key without its query */
    char *body;
    struct pb_http_header headers[HEADERS];
    size_t header_count;
};

struct stand_in {
    struct pb_loop *loop;
    struct pb_http_server *server;
    struct pb_thread *thread;
    char url[64];
    pthread_mutex_t mutex; /* guards everything below */
    pthread_cond_t asked;
    struct reply replies[REPLIES];
    size_t reply_count;
    struct request *requests[REQUESTS];
    size_t request_count;
};

static char *copy(const char *text)
{
    char *made = strdup(text);

    if (!made)
        abort();
    return made;
}

static char *format(const char *method, const char *path, const char *query)
{
    char *made = NULL;

    if (asprintf(&made, "%s %s%s%s", method, path, *query ? "?" : "", query) < 0)
        abort();
    return made;
}

static void remember(struct stand_in *s, struct pb_http_exchange *exchange)
{
    struct request *request = calloc(1, sizeof(*request));
    const struct pb_http_header *headers;
    size_t count = pb_http_headers(exchange, &headers);
    size_t len;
    const char *body = pb_http_body(exchange, &len);

    if (!request || s->request_count == REQUESTS)
        abort();
    request->key =
        format(pb_http_method(exchange), pb_http_path(exchange), pb_http_query(exchange));
    request->path = format(pb_http_method(exchange), pb_http_path(exchange), "");
    request->body = strndup(body ? body : "", len);
    for (size_t i = 0; i < count && i < HEADERS; i++)
        request->headers[request->header_count++] =
            (struct pb_http_header){copy(headers[i].name), copy(headers[i].value)};
    s->requests[s->request_count++] = request;
    pthread_cond_broadcast(&s->asked);
}

/* The next reply for this key: used up unless it is the last one. */
static bool take(struct stand_in *s, const char *key, struct reply *ret_reply)
{
    size_t first = REPLIES;
    size_t count = 0;

    for (size_t i = 0; i < s->reply_count; i++) {
        if (!s->replies[i].key || strcmp(s->replies[i].key, key) != 0)
            continue;
        if (!count++)
            first = i;
    }
    if (!count)
        return false;
    *ret_reply = s->replies[first];
    ret_reply->headers = copy(s->replies[first].headers);
    ret_reply->body = copy(s->replies[first].body);
    if (count > 1) {
        free(s->replies[first].key);
        s->replies[first].key = NULL;
    }
    return true;
}

static size_t split_headers(char *text, struct pb_http_header *headers)
{
    size_t count = 0;

    for (char *line = text; line && *line && count < HEADERS;) {
        char *end = strchr(line, '\n');
        char *colon = strstr(line, ": ");

        if (end)
            *end = '\0';
        if (colon) {
            *colon = '\0';
            headers[count++] = (struct pb_http_header){line, colon + 2};
        }
        line = end ? end + 1 : NULL;
    }
    return count;
}

static void answer(struct pb_http_exchange *exchange, struct reply *reply)
{
    struct pb_http_header headers[HEADERS];
    size_t count = split_headers(reply->headers, headers);

    if (reply->status)
        pb_http_reply(exchange, reply->status, headers, count, reply->body, strlen(reply->body));
    else
        pb_http_reply_abort(exchange);
}

static void handle(void *arg, struct pb_http_exchange *exchange)
{
    struct stand_in *s = arg;
    const struct request *request;
    struct reply reply = {.status = 404};
    bool known;

    pthread_mutex_lock(&s->mutex);
    remember(s, exchange);
    request = s->requests[s->request_count - 1];
    known = take(s, request->key, &reply) || take(s, request->path, &reply);
    pthread_mutex_unlock(&s->mutex);
    if (!known) {
        reply.headers = copy("Content-Type: application/json");
        reply.body = copy(
            "{\"message\":\"Not Found\",\"documentation_url\":\"https://docs.github.com/rest\"}");
    }
    answer(exchange, &reply);
    free(reply.headers);
    free(reply.body);
}

static void run(void *arg)
{
    struct stand_in *s = arg;

    pb_loop_run(s->loop);
}

struct stand_in *stand_in_start(void)
{
    struct stand_in *s = calloc(1, sizeof(*s));
    struct pb_error err = {0};

    if (!s)
        abort();
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->asked, NULL);
    s->loop = pb_loop_new(&err);
    if (s->loop)
        s->server = pb_http_server_new(s->loop,
                                       &(struct pb_http_server_options){.listen = "127.0.0.1:0",
                                                                        .listen_fd = -1,
                                                                        .handle = handle,
                                                                        .arg = s},
                                       &err);
    if (s->server) {
        snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%u",
                 (unsigned)pb_http_server_port(s->server));
        s->thread = pb_thread_start("stand-in", run, s, &err);
    }
    if (!s->thread) {
        fprintf(stderr, "stand-in: %s\n", err.message);
        abort();
    }
    return s;
}

void stand_in_stop(struct stand_in *s)
{
    pb_loop_stop(s->loop);
    pb_thread_join(&s->thread);
    pb_http_server_free(s->server);
    pb_loop_free(s->loop);
    stand_in_forget_requests(s);
    for (size_t i = 0; i < s->reply_count; i++) {
        free(s->replies[i].key);
        free(s->replies[i].headers);
        free(s->replies[i].body);
    }
    pthread_cond_destroy(&s->asked);
    pthread_mutex_destroy(&s->mutex);
    free(s);
}

const char *stand_in_url(struct stand_in *s)
{
    return s->url;
}

static char *with_url(const struct stand_in *s, const char *text)
{
    struct pb_buf buf;
    const char *at;
    char *made;

    pb_buf_init(&buf, 1 << 16);
    while ((at = strstr(text, "{url}"))) {
        pb_buf_bytes(&buf, text, (size_t)(at - text));
        pb_buf_text(&buf, s->url);
        text = at + strlen("{url}");
    }
    pb_buf_text(&buf, text);
    made = copy(pb_buf_string(&buf));
    pb_buf_release(&buf);
    return made;
}

void stand_in_reply(struct stand_in *s, const char *key, int status, const char *headers,
                    const char *body)
{
    pthread_mutex_lock(&s->mutex);
    if (s->reply_count == REPLIES)
        abort();
    s->replies[s->reply_count++] = (struct reply){.key = copy(key),
                                                  .status = status,
                                                  .headers = with_url(s, headers ? headers : ""),
                                                  .body = copy(body ? body : "")};
    pthread_mutex_unlock(&s->mutex);
}

void stand_in_forget(struct stand_in *s, const char *key)
{
    pthread_mutex_lock(&s->mutex);
    for (size_t i = 0; i < s->reply_count; i++) {
        if (s->replies[i].key && strcmp(s->replies[i].key, key) == 0) {
            free(s->replies[i].key);
            s->replies[i].key = NULL;
        }
    }
    pthread_mutex_unlock(&s->mutex);
}

void stand_in_forget_requests(struct stand_in *s)
{
    pthread_mutex_lock(&s->mutex);
    for (size_t i = 0; i < s->request_count; i++) {
        struct request *request = s->requests[i];

        for (size_t h = 0; h < request->header_count; h++) {
            free((void *)(uintptr_t)request->headers[h].name);
            free((void *)(uintptr_t)request->headers[h].value);
        }
        free(request->key);
        free(request->path);
        free(request->body);
        free(request);
    }
    s->request_count = 0;
    pthread_mutex_unlock(&s->mutex);
}

static bool is_key(const struct request *request, const char *key)
{
    return strcmp(strchr(key, '?') ? request->key : request->path, key) == 0;
}

/* The n-th request with this key, NULL past the last. */
static const struct request *find(struct stand_in *s, const char *key, size_t n)
{
    const struct request *found = NULL;

    pthread_mutex_lock(&s->mutex);
    for (size_t i = 0; i < s->request_count && !found; i++)
        if (is_key(s->requests[i], key) && n-- == 0)
            found = s->requests[i];
    pthread_mutex_unlock(&s->mutex);
    return found;
}

size_t stand_in_count(struct stand_in *s, const char *key)
{
    size_t count = 0;

    while (find(s, key, count))
        count++;
    return count;
}

size_t stand_in_total(struct stand_in *s)
{
    size_t count;

    pthread_mutex_lock(&s->mutex);
    count = s->request_count;
    pthread_mutex_unlock(&s->mutex);
    return count;
}

void stand_in_wait(struct stand_in *s, int64_t ms)
{
    struct timespec at;

    clock_gettime(CLOCK_REALTIME, &at);
    at.tv_nsec += ms % 1000 * 1000000;
    at.tv_sec += ms / 1000 + at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    pthread_mutex_lock(&s->mutex);
    pthread_cond_timedwait(&s->asked, &s->mutex, &at);
    pthread_mutex_unlock(&s->mutex);
}

const char *stand_in_body(struct stand_in *s, const char *key, size_t n)
{
    const struct request *request = find(s, key, n);

    return request ? request->body : "";
}

const char *stand_in_header(struct stand_in *s, const char *key, size_t n, const char *name)
{
    const struct request *request = find(s, key, n);

    for (size_t i = 0; request && i < request->header_count; i++)
        if (strcasecmp(request->headers[i].name, name) == 0)
            return request->headers[i].value;
    return "";
}

const char *stand_in_request(struct stand_in *s, size_t n)
{
    const char *key = "";

    pthread_mutex_lock(&s->mutex);
    if (n < s->request_count)
        key = s->requests[n]->key;
    pthread_mutex_unlock(&s->mutex);
    return key;
}
