#include <pthread.h>
#include <string.h>
#include <strings.h>

#include "net/http_client_private.h"

enum {
    RESPONSE_MAX = 8 * 1024 * 1024,
    TIMEOUT_MS = 30000,
};

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
    pb_buf_init(&waiting.head, 2 * PB_HTTP_ANSWER_HEADER_BYTES_MAX);
    pb_buf_init(&waiting.body, response_max);
    if (pb_http_client_start(client, &client->calls, call, timeout_ms, response_max, &events,
                             &waiting, err))
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
