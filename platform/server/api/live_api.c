/* The two WebSockets: browsers (/api/ws) and nodes (/api/node/ws). Who may connect is settled on a pool thread;
 * the upgrade itself happens on the loop. */
#include "server/api/live_api.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/loop.h"
#include "net/websocket.h"
#include "server/api/handlers.h"
#include "server/api/problem.h"
#include "server/api/request.h"
#include "server/middleware/authenticate.h"
#include "server/middleware/cookie.h"
#include "server/services/auth.h"
#include "server/services/events.h"
#include "server/services/node_hub.h"
#include "server/services/platform.h"

enum {
    BROWSER_MESSAGE_MAX = 4096,
    BROWSER_QUEUE_MAX = 2 << 20,
    MESSAGES_MAX =
        600, /* of one browser in MESSAGES_MS: pages that come back subscribe to 100 topics */
    MESSAGES_MS = 10 * 1000,
    CLOSE_GOING_AWAY = 1001,
    CLOSE_POLICY = 1008,
};

static const char STOPPING[] = "the platform is stopping";

/* --- tickets ---------------------------------------------------------------------------------------------- */

int ws_ticket(struct pb_request *req, struct pb_error *err)
{
    const char *ticket;

    if (pb_auth_ticket_new(req->platform->auth, req->who, req->arena, &ticket, err) < 0)
        return -1;
    pb_json_begin_object(&req->json, NULL);
    pb_json_put_text(&req->json, "ticket", ticket);
    pb_json_put_int(&req->json, "expires_in", PB_WS_TICKET_SECONDS);
    pb_json_end_object(&req->json);
    return 0;
}

/* --- browsers --------------------------------------------------------------------------------------------- */

struct browser {
    struct browser *next, **link;      /* among those that are connected */
    struct pb_http_exchange *exchange; /* until accepted */
    struct pb_websocket *ws;
    struct pb_subscriber *subscriber;
    int64_t messages_since; /* steady */
    unsigned messages;
};

static struct {
    pthread_mutex_t lock; /* guards what follows: browsers may be on several loops */
    struct browser *first;
    size_t count;
    bool is_stopping;
} browsers = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void add_browser(struct browser *browser)
{
    (void)pthread_mutex_lock(&browsers.lock);
    browser->next = browsers.first;
    browser->link = &browsers.first;
    if (browser->next)
        browser->next->link = &browser->next;
    browsers.first = browser;
    browsers.count++;
    if (browsers.is_stopping)
        pb_websocket_close(browser->ws, CLOSE_GOING_AWAY, STOPPING);
    (void)pthread_mutex_unlock(&browsers.lock);
}

static void remove_browser(struct browser *browser)
{
    (void)pthread_mutex_lock(&browsers.lock);
    *browser->link = browser->next;
    if (browser->next)
        browser->next->link = browser->link;
    browsers.count--;
    (void)pthread_mutex_unlock(&browsers.lock);
}

static void free_browser(struct browser *browser)
{
    pb_subscriber_free(browser->subscriber);
    pb_websocket_unref(browser->ws);
    free(browser);
}

void pb_live_write_error(struct pb_buf *buf, const char *topic, const struct pb_error *err)
{
    struct pb_json_writer w;

    pb_json_writer_init(&w, buf);
    pb_json_begin_object(&w, NULL);
    pb_json_put_text(&w, "type", "error");
    pb_json_put_text(&w, "code", pb_error_reason(err));
    pb_json_put_text(&w, "detail", err->message);
    if (topic)
        pb_json_put_text(&w, "topic", topic);
    pb_json_end_object(&w);
}

static void send_error(struct pb_websocket *ws, const char *topic, const struct pb_error *err)
{
    struct pb_buf text;

    pb_buf_init(&text, 4096);
    pb_live_write_error(&text, topic, err);
    (void)pb_websocket_send(ws, true, text.data, text.len);
    pb_buf_release(&text);
}

static int handle(struct browser *browser, const struct pb_json *message, const char **ret_topic,
                  struct pb_error *err)
{
    const char *op = pb_json_need_text(message, "op", err);
    const char *topic = op ? pb_json_need_text(message, "topic", err) : NULL;

    if (!topic)
        return -1;
    *ret_topic = topic;
    if (strcmp(op, "subscribe") == 0)
        return pb_subscriber_subscribe(browser->subscriber, topic,
                                       pb_json_int(message, "since", -1), err);
    if (strcmp(op, "unsubscribe") != 0)
        return pb_fail(err, PB_ERROR_INVALID, "there is no op '%.40s'", op);
    pb_subscriber_unsubscribe(browser->subscriber, topic);
    return 0;
}

/* Answering costs us more than asking costs them. */
static bool is_too_quick(struct browser *browser)
{
    int64_t now = pb_clock_steady_ms();

    if (now - browser->messages_since >= MESSAGES_MS) {
        browser->messages_since = now;
        browser->messages = 0;
    }
    return ++browser->messages > MESSAGES_MAX;
}

static void on_message(void *arg, struct pb_websocket *ws, bool is_text, const void *data,
                       size_t len)
{
    struct browser *browser = arg;
    const char *topic = NULL;
    struct pb_json *message;
    struct pb_error err;

    if (is_too_quick(browser)) {
        pb_websocket_close(ws, CLOSE_POLICY, "too many messages; come back more slowly");
        return;
    }
    message = is_text ? pb_json_parse(data, len, &err) : NULL;
    if (!message) {
        pb_websocket_close(ws, CLOSE_POLICY, "JSON texts only");
        return;
    }
    if (handle(browser, message, &topic, &err) < 0)
        send_error(ws, topic, &err);
    pb_json_free(message);
}

static void on_closed(void *arg, struct pb_websocket *ws, int code, const char *reason)
{
    struct browser *browser = arg;

    (void)ws;
    pb_log_debug("live", "browser left code=%d %s", code, reason ? reason : "");
    remove_browser(browser);
    free_browser(browser);
}

static const struct pb_websocket_events BROWSER_EVENTS = {.message = on_message,
                                                          .closed = on_closed};

static void refuse(struct pb_http_exchange *exchange, int status, const struct pb_error *err)
{
    static const struct pb_http_header HEADERS[] = {{"Content-Type", "application/problem+json"}};
    char id[PB_REQUEST_ID_TEXT];
    struct pb_buf body;

    pb_request_id(exchange, id);
    pb_buf_init(&body, 4096);
    pb_problem_write(&body, err, NULL, 0, id);
    pb_http_reply(exchange, status, HEADERS, 1, body.data, body.len);
    pb_buf_release(&body);
}

/* On the loop. */
static void accept_browser(void *arg)
{
    struct browser *browser = arg;
    const struct pb_websocket_options options = {
        .message_max = BROWSER_MESSAGE_MAX,
        .queue_max = BROWSER_QUEUE_MAX,
        .events = &BROWSER_EVENTS,
        .arg = browser,
    };
    struct pb_error err;

    browser->ws = pb_websocket_accept(browser->exchange, &options, &err);
    if (!browser->ws) {
        refuse(browser->exchange, 400, &err);
        free_browser(browser);
        return;
    }
    pb_subscriber_attach(browser->subscriber, browser->ws);
    add_browser(browser);
}

static int recognise(struct pb_request *req, struct pb_principal *ret_who, struct pb_error *err)
{
    struct pb_auth *auth = req->platform->auth;
    const char *ticket = pb_request_query(req, "ticket");
    const struct pb_principal *who;

    if (ticket)
        return pb_auth_ticket_use(auth, ticket, req->arena, ret_who, err);
    if (pb_authenticate(auth, req->exchange, req->request_id, req->arena, &who, err) < 0)
        return -1;
    *ret_who = *who;
    return 0;
}

/* First a subscriber, then a look at its session: an end that comes in between reaches the subscriber. */
struct pb_subscriber *pb_live_subscriber(struct pb_request *req, struct pb_error *err)
{
    struct pb_platform *platform = req->platform;
    struct pb_subscriber *subscriber;
    struct pb_principal who;

    /* A page of another site could ask, but not with a ticket; the origin is looked at all the same. */
    if (pb_cookie_check_origin(req->exchange, err) < 0 || recognise(req, &who, err) < 0)
        return NULL;
    subscriber = pb_subscriber_new(platform->events, &who, err);
    if (subscriber && pb_auth_session_check(platform->auth, who.session_id, who.user_id, err) < 0) {
        pb_subscriber_free(subscriber);
        return NULL;
    }
    return subscriber;
}

int live_connect(struct pb_request *req, struct pb_error *err)
{
    struct pb_subscriber *subscriber = pb_live_subscriber(req, err);
    struct browser *browser;

    if (!subscriber)
        return -1;
    browser = calloc(1, sizeof(*browser));
    if (!browser) {
        pb_subscriber_free(subscriber);
        return pb_fail(err, PB_ERROR_LIMITED, "out of memory");
    }
    browser->exchange = req->exchange;
    browser->subscriber = subscriber;
    if (!pb_loop_post(pb_http_loop(req->exchange), accept_browser, browser)) {
        free_browser(browser);
        return pb_fail(err, PB_ERROR_UNAVAILABLE, "the platform is stopping; try again soon");
    }
    req->status = 101;
    req->is_answered = true;
    return 0;
}

void pb_live_stop(void)
{
    (void)pthread_mutex_lock(&browsers.lock);
    browsers.is_stopping = true;
    for (struct browser *browser = browsers.first; browser; browser = browser->next)
        pb_websocket_close(browser->ws, CLOSE_GOING_AWAY, STOPPING);
    (void)pthread_mutex_unlock(&browsers.lock);
    pb_event_streams_stop();
}

size_t pb_live_count(void)
{
    size_t count;

    (void)pthread_mutex_lock(&browsers.lock);
    count = browsers.count;
    (void)pthread_mutex_unlock(&browsers.lock);
    return count;
}

/* --- nodes ------------------------------------------------------------------------------------------------ */

struct arrival {
    struct pb_platform *platform;
    struct pb_http_exchange *exchange;
    char node_id[64];
};

/* On the loop. */
static void accept_node(void *arg)
{
    struct arrival *arrival = arg;

    pb_node_hub_accept(arrival->platform->node_hub, arrival->exchange, arrival->node_id);
    free(arrival);
}

int node_connect(struct pb_request *req, struct pb_error *err)
{
    const char *key = pb_bearer_token(req->exchange);
    struct arrival *arrival;

    if (!key)
        return pb_fail_reason(err, PB_ERROR_UNAUTHENTICATED, "token_missing",
                              "this needs a node's key");
    arrival = calloc(1, sizeof(*arrival));
    if (!arrival)
        return pb_fail(err, PB_ERROR_LIMITED, "out of memory");
    arrival->platform = req->platform;
    arrival->exchange = req->exchange;
    if (pb_node_hub_recognise(req->platform->node_hub, key, arrival->node_id,
                              sizeof(arrival->node_id), err) < 0) {
        free(arrival);
        return -1;
    }
    if (!pb_loop_post(pb_http_loop(req->exchange), accept_node, arrival)) {
        free(arrival);
        return pb_fail(err, PB_ERROR_UNAVAILABLE, "the platform is stopping; try again soon");
    }
    req->status = 101;
    req->is_answered = true;
    return 0;
}
