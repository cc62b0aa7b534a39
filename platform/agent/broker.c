#include "agent/broker.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/broker_private.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/text.h"

enum {
    CONNECTIONS_MAX = 256,
    HEAD_MAX = 64 << 10,
};

static void free_attempt(struct pb_broker_attempt *attempt)
{
    pb_buf_release(&attempt->key);
    pb_buf_release(&attempt->base_url);
    pb_close(&attempt->usage_fd);
    pb_wipe(attempt, sizeof(*attempt));
    free(attempt);
}

static struct pb_broker_attempt *find_attempt(struct pb_broker *broker, const char *name)
{
    struct pb_broker_attempt *attempt = broker->attempts;

    while (attempt && strcmp(attempt->name, name) != 0)
        attempt = attempt->next;
    return attempt;
}

struct pb_broker_attempt *pb_broker_find_dummy(struct pb_broker *broker, const char *dummy)
{
    struct pb_broker_attempt *found = NULL;
    uint8_t digest[PB_SHA256_BYTES];

    pb_sha256(dummy, strlen(dummy), digest);
    for (struct pb_broker_attempt *attempt = broker->attempts; attempt; attempt = attempt->next)
        if (pb_secret_equal(digest, attempt->dummy, sizeof(digest)))
            found = attempt;
    return found;
}

/* Ends the process when nothing was registered for idle_ms. */
static void on_idle(void *arg)
{
    struct pb_broker *broker = arg;

    pb_log_info("broker", "no attempt is registered, ending");
    pb_loop_stop(broker->loop);
}

static void watch_idle(struct pb_broker *broker)
{
    pb_loop_timer_cancel(&broker->idle);
    if (!broker->attempts && !broker->calls)
        broker->idle = pb_loop_timer_start(broker->loop, broker->idle_ms, 0, on_idle, broker);
}

static int set_texts(struct pb_broker_attempt *attempt, const char *key, const char *base_url,
                     struct pb_error *err)
{
    size_t len = strlen(base_url);

    while (len > 0 && base_url[len - 1] == '/')
        len--;
    pb_buf_clear(&attempt->key);
    pb_buf_clear(&attempt->base_url);
    pb_buf_text(&attempt->key, key);
    pb_buf_bytes(&attempt->base_url, base_url, len);
    if (pb_buf_failed(&attempt->key) || pb_buf_failed(&attempt->base_url))
        return pb_fail(err, PB_ERROR_TOO_LARGE, "key or address is too long");
    return 0;
}

static struct pb_broker_attempt *new_attempt(struct pb_broker *broker, const char *name,
                                             struct pb_error *err)
{
    struct pb_broker_attempt *attempt;

    if (broker->attempt_count == PB_BROKER_ATTEMPTS_MAX) {
        (void)pb_fail(err, PB_ERROR_LIMITED, "more than %d attempts", PB_BROKER_ATTEMPTS_MAX);
        return NULL;
    }
    attempt = calloc(1, sizeof(*attempt));
    if (!attempt) {
        (void)pb_fail(err, PB_ERROR_LIMITED, "no memory for an attempt");
        return NULL;
    }
    memcpy(attempt->name, name, strlen(name) + 1);
    attempt->usage_fd = -1;
    pb_buf_init(&attempt->key, 4096);
    attempt->key.secret = true;
    pb_buf_init(&attempt->base_url, 2048);
    return attempt;
}

static int check_texts(const char *name, const char *dummy, const char *key, const char *base_url,
                       struct pb_error *err)
{
    if (!name[0] || strlen(name) >= PB_BROKER_NAME)
        return pb_fail_field(err, "attempt", "'%.80s' names no attempt", name);
    if (strlen(dummy) < 16)
        return pb_fail_field(err, "dummy", "the dummy key of %s is too short", name);
    if (!key[0] || key[strcspn(key, "\r\n")])
        return pb_fail_field(err, "key", "the key of %s is empty or has several lines", name);
    if (!pb_text_starts(base_url, "https://") && !pb_text_starts(base_url, "http://"))
        return pb_fail_field(err, "base_url", "the address of %s is no http or https URL", name);
    return 0;
}

int pb_broker_register(struct pb_broker *broker, const char *name, const char *dummy,
                       const char *key, const char *base_url, int usage_fd, struct pb_error *err)
{
    struct pb_broker_attempt *attempt, *known;

    if (check_texts(name, dummy, key, base_url, err) < 0)
        return -1;
    known = find_attempt(broker, name);
    attempt = known ? known : new_attempt(broker, name, err);
    if (!attempt)
        return -1;
    if (set_texts(attempt, key, base_url, err) < 0) {
        if (!known)
            free_attempt(attempt);
        return -1;
    }
    pb_sha256(dummy, strlen(dummy), attempt->dummy);
    pb_log_hide(key);
    pb_close(&attempt->usage_fd);
    attempt->usage_fd = usage_fd;
    if (!known) {
        attempt->next = broker->attempts;
        broker->attempts = attempt;
        broker->attempt_count++;
    }
    watch_idle(broker);
    pb_log_info("broker", "attempt=%s %s", name, known ? "registered again" : "registered");
    return 0;
}

void pb_broker_end(struct pb_broker *broker, const char *name)
{
    for (struct pb_broker_attempt **at = &broker->attempts; *at; at = &(*at)->next) {
        struct pb_broker_attempt *attempt = *at;
        if (strcmp(attempt->name, name) != 0)
            continue;
        *at = attempt->next;
        broker->attempt_count--;
        pb_log_info("broker", "attempt=%s ended calls=%u", name, attempt->calls);
        attempt->ended = true;
        attempt->calls++; /* so that cutting does not free it under us */
        pb_broker_cut_calls(broker, attempt);
        pb_broker_release_call(broker, attempt);
        return;
    }
}

void pb_broker_release_call(struct pb_broker *broker, struct pb_broker_attempt *attempt)
{
    attempt->calls--;
    if (attempt->ended && attempt->calls == 0)
        free_attempt(attempt);
    watch_idle(broker);
}

static bool is_removed(const struct pb_broker_attempt *attempt)
{
    struct stat file;

    return fstat(attempt->usage_fd, &file) == 0 && file.st_nlink == 0;
}

static void on_look(void *arg)
{
    struct pb_broker *broker = arg;
    struct pb_broker_attempt *next;

    for (struct pb_broker_attempt *attempt = broker->attempts; attempt; attempt = next) {
        next = attempt->next;
        if (is_removed(attempt))
            pb_broker_end(broker, attempt->name);
    }
    if (broker->calls || pb_broker_control_has_peers(broker->control))
        broker->heard_ms = pb_clock_steady_ms();
    if (pb_clock_steady_ms() - broker->heard_ms < PB_BROKER_ALONE_MS)
        return;
    pb_log_warn("broker", "nobody has come for long, ending");
    pb_loop_stop(broker->loop);
}

struct pb_broker *pb_broker_new(struct pb_loop *loop, const struct pb_broker_options *options,
                                struct pb_error *err)
{
    struct pb_broker *broker = calloc(1, sizeof(*broker));
    struct pb_http_server_options server = {
        .listen_fd = options->listener,
        .head_max = HEAD_MAX,
        .body_max = PB_BROKER_BODY_MAX,
        .connections_max = CONNECTIONS_MAX,
        .handle = pb_broker_handle,
        .arg = broker,
    };

    if (!broker) {
        (void)pb_fail(err, PB_ERROR_LIMITED, "no memory for the broker");
        return NULL;
    }
    broker->loop = loop;
    broker->idle_ms = options->idle_ms ? options->idle_ms : PB_BROKER_IDLE_MS;
    broker->client = pb_http_client_new("poppo-broker/" PB_VERSION, NULL, err);
    if (broker->client)
        broker->server = pb_http_server_new(loop, &server, err);
    if (broker->server)
        broker->control = pb_broker_control_new(broker, options->control, err);
    if (broker->control)
        broker->look =
            pb_loop_timer_start(loop, PB_BROKER_LOOK_MS, PB_BROKER_LOOK_MS, on_look, broker);
    if (!broker->look) {
        pb_broker_free(broker);
        return NULL;
    }
    broker->heard_ms = pb_clock_steady_ms();
    watch_idle(broker);
    return broker;
}

void pb_broker_free(struct pb_broker *broker)
{
    if (!broker)
        return;
    pb_broker_control_free(broker->control);
    pb_http_client_free(
        broker->client); /* ends every call, which is finished here: the loop stands */
    pb_broker_finish_calls(broker);
    pb_http_server_free(broker->server);
    pb_loop_timer_cancel(&broker->idle);
    pb_loop_timer_cancel(&broker->look);
    while (broker->attempts) {
        struct pb_broker_attempt *attempt = broker->attempts;
        broker->attempts = attempt->next;
        free_attempt(attempt);
    }
    free(broker);
}
