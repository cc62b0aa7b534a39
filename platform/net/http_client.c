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

#include "base/clock.h"
#include "base/pool.h"
#include "net/http_client_private.h"

enum {
    CALL_HOST_CONNECTIONS = 4,     /* blocking calls wait for each other rather than crowd a host */
    STREAM_HOST_CONNECTIONS = 256, /* streams last for minutes and must not */
    TOTAL_CONNECTIONS = 512,
    KEPT_CONNECTIONS = 32,
    RUNNING_MAX = 2048,
};

static void start_curl(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    /* OpenSSL below curl writes with write(2); CURLOPT_NOSIGNAL leaves SIGPIPE to us. */
    (void)signal(SIGPIPE, SIG_IGN);
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
    pb_http_stream_unref(stream);
}

static void take_result(struct pb_http_stream *stream, CURLcode code)
{
    struct pb_error err = {0};

    if (stream->failure.code != PB_OK) {
        finish(stream, &stream->failure);
    } else if (code != CURLE_OK) {
        pb_http_stream_fail(stream, code, &err);
        finish(stream, &err);
    } else {
        finish(stream, NULL);
    }
}

static void take_results(struct pb_http_multi *multi)
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
    struct pb_http_multi *multi;
    curl_socket_t fd;
    struct pb_loop_fd *watch;
};

static void on_socket(void *arg, int events)
{
    struct watched_socket *watched = arg;
    struct pb_http_multi *multi = watched->multi; /* curl may have us free `watched` on the way */
    int mask = (events & PB_LOOP_READ ? CURL_CSELECT_IN : 0) |
               (events & PB_LOOP_WRITE ? CURL_CSELECT_OUT : 0);
    int running;

    (void)curl_multi_socket_action(multi->curl, watched->fd, mask, &running);
    take_results(multi);
}

static void unwatch(struct pb_http_multi *multi, curl_socket_t fd, struct watched_socket *watched)
{
    if (!watched)
        return;
    (void)curl_multi_assign(multi->curl, fd, NULL);
    pb_loop_fd_unwatch(&watched->watch);
    free(watched);
}

static int watch(CURL *curl, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
    struct pb_http_multi *multi = arg;
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
    struct pb_http_multi *multi = arg;
    int running;

    pb_loop_timer_cancel(&multi->timer);
    (void)curl_multi_socket_action(multi->curl, CURL_SOCKET_TIMEOUT, 0, &running);
    take_results(multi);
}

static int set_timer(CURLM *curl, long timeout_ms, void *arg)
{
    struct pb_http_multi *multi = arg;

    (void)curl;
    pb_loop_timer_cancel(&multi->timer);
    if (timeout_ms < 0)
        return 0;
    multi->timer = pb_loop_timer_start(multi->client->loop, timeout_ms, 0, on_multi_timer, multi);
    return multi->timer ? 0 : -1;
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
    pb_http_stream_note_failure(stream, PB_ERROR_TIMEOUT, "silence",
                                "the server sent nothing for too long");
    finish(stream, &stream->failure);
}

static void arm_silence(struct pb_http_stream *stream)
{
    int64_t due_ms = stream->heard_ms + stream->silence_ms - pb_clock_steady_ms();

    pb_loop_timer_cancel(&stream->silence);
    stream->silence = pb_loop_timer_start(stream->client->loop, due_ms, 0, on_silence, stream);
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
        pb_http_stream_note_failure(stream, PB_ERROR_LIMITED, "memory", curl_multi_strerror(code));
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

struct pb_http_stream *pb_http_client_start(struct pb_http_client *client,
                                            struct pb_http_multi *multi,
                                            const struct pb_http_call *call, int64_t timeout_ms,
                                            size_t body_max,
                                            const struct pb_http_stream_events *events, void *arg,
                                            struct pb_error *err)
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
    if (pb_http_stream_set_up(stream, call, timeout_ms, err) < 0 || submit(stream, err) < 0) {
        pb_http_stream_unref(stream);
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
    return pb_http_client_start(client, &client->streams, call, call->timeout_ms, 0, events, arg,
                                err);
}

static void post_wish(struct pb_http_stream *stream, void (*wish)(void *arg))
{
    atomic_fetch_add_explicit(&stream->refs, 1, memory_order_relaxed);
    if (!pb_loop_post(stream->client->loop, wish, stream))
        pb_http_stream_unref(stream);
}

static void resume_now(void *arg)
{
    struct pb_http_stream *stream = arg;
    struct pb_http_multi *multi = stream->multi;
    int running;

    if (stream->is_running && stream->is_paused) {
        stream->is_paused = false;
        stream->heard_ms = pb_clock_steady_ms();
        (void)curl_easy_pause(stream->curl, CURLPAUSE_CONT);
        (void)curl_multi_socket_action(multi->curl, CURL_SOCKET_TIMEOUT, 0, &running);
        take_results(multi);
    }
    pb_http_stream_unref(stream);
}

void pb_http_stream_resume(struct pb_http_stream *stream)
{
    post_wish(stream, resume_now);
}

static void cancel_now(void *arg)
{
    struct pb_http_stream *stream = arg;

    if (stream->is_running) {
        pb_http_stream_note_failure(stream, PB_ERROR_UNAVAILABLE, "cancelled",
                                    "the call was cancelled");
        finish(stream, &stream->failure);
    }
    pb_http_stream_unref(stream);
}

void pb_http_stream_cancel(struct pb_http_stream *stream)
{
    post_wish(stream, cancel_now);
}

/* ---- the client */

static int multi_open(struct pb_http_multi *multi, struct pb_http_client *client,
                      long host_connections)
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
        pb_http_stream_note_failure(client->running, PB_ERROR_UNAVAILABLE, "closing",
                                    "the HTTP client was closed");
        finish(client->running, &client->running->failure);
    }
    pb_loop_stop(client->loop);
}

static void multi_close(struct pb_http_multi *multi)
{
    if (multi->curl)
        (void)curl_multi_cleanup(multi->curl);
    pb_loop_timer_cancel(&multi->timer);
}

void pb_http_client_stop(struct pb_http_client *client)
{
    bool was_closing;

    pthread_mutex_lock(&client->lock);
    was_closing = client->is_closing;
    client->is_closing = true;
    pthread_mutex_unlock(&client->lock);
    if (!was_closing && client->thread && !pb_loop_post(client->loop, close_now, client))
        pb_loop_stop(client->loop);
}

void pb_http_client_free(struct pb_http_client *client)
{
    if (!client)
        return;
    pb_http_client_stop(client);
    pb_thread_join(&client->thread);
    multi_close(&client->calls);
    multi_close(&client->streams);
    pb_loop_free(client->loop);
    pthread_mutex_destroy(&client->lock);
    free(client->user_agent);
    free(client->ca_file);
    free(client);
}
