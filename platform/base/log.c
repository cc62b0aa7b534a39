#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

enum {
    MESSAGE_MAX = 4096,
    RAW_MAX = 2 * MESSAGE_MAX, /* a secret that straddles the cut is still seen whole and blanked */
    LINE_MAX_BYTES = 6 * MESSAGE_MAX + 512, /* every byte escaped, and what stands before */
    SECRETS_MAX = 64,
    SECRET_MIN = 6,
};

static const char *const LEVELS[] = {
    [PB_LOG_ERROR] = "error",
    [PB_LOG_WARN] = "warn",
    [PB_LOG_INFO] = "info",
    [PB_LOG_DEBUG] = "debug",
};

static char program_name[32] = "poppo";
static _Atomic int level_shown = PB_LOG_INFO;
static _Atomic bool as_json;
static _Thread_local const char *request;

static struct {
    pthread_rwlock_t lock; /* guards the rest */
    char *text[SECRETS_MAX];
    size_t next;
} secrets = {.lock = PTHREAD_RWLOCK_INITIALIZER};

void pb_log_init(const char *program, enum pb_log_level level, bool json)
{
    (void)snprintf(program_name, sizeof(program_name), "%s", program);
    atomic_store(&level_shown, (int)level);
    atomic_store(&as_json, json);
}

void pb_log_request(const char *request_id)
{
    request = request_id;
}

const char *pb_log_request_id(void)
{
    return request;
}

bool pb_log_level_parse(const char *name, enum pb_log_level *ret_level)
{
    for (size_t i = 0; i < sizeof(LEVELS) / sizeof(LEVELS[0]); i++) {
        if (pb_text_equal(name, LEVELS[i])) {
            *ret_level = (enum pb_log_level)i;
            return true;
        }
    }
    return false;
}

static bool is_known_secret(const char *secret)
{
    for (size_t i = 0; i < SECRETS_MAX; i++)
        if (pb_text_equal(secrets.text[i], secret))
            return true;
    return false;
}

static void wipe_and_free(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

void pb_log_hide(const char *secret)
{
    char *copy;

    if (!secret || strlen(secret) < SECRET_MIN)
        return;
    copy = strdup(secret);
    if (!copy)
        abort(); /* going on would print it */
    (void)pthread_rwlock_wrlock(&secrets.lock);
    if (!is_known_secret(secret)) {
        char *oldest = secrets.text[secrets.next];

        secrets.text[secrets.next] = copy;
        secrets.next = (secrets.next + 1) % SECRETS_MAX;
        copy = oldest;
    }
    (void)pthread_rwlock_unlock(&secrets.lock);
    wipe_and_free(copy);
}

/* In place: a blanked value becomes "***". */
static void blank(char *text)
{
    (void)pthread_rwlock_rdlock(&secrets.lock);
    for (size_t i = 0; i < SECRETS_MAX && secrets.text[i]; i++) {
        size_t len = strlen(secrets.text[i]);

        for (char *hit = strstr(text, secrets.text[i]); hit; hit = strstr(hit, secrets.text[i])) {
            memset(hit, '*', 3);
            memmove(hit + 3, hit + len, strlen(hit + len) + 1);
            hit += 3;
        }
    }
    (void)pthread_rwlock_unlock(&secrets.lock);
}

/* One event stays one line, whatever the text holds. */
static void put_plain(struct pb_buf *line, const char *text)
{
    size_t len = strlen(text);
    size_t at = 0;

    while (at < len) {
        size_t step = pb_utf8_char(text + at, len - at);
        unsigned char c = (unsigned char)text[at];

        if (step == 0 || c < 0x20 || c == 0x7f)
            pb_buf_format(line, "\\x%02x", c);
        else
            pb_buf_bytes(line, text + at, step);
        at += step > 0 ? step : 1;
    }
}

static void put_json(struct pb_buf *line, const char *time, enum pb_log_level level,
                     const char *component, const char *message)
{
    struct pb_json_writer w;

    pb_json_writer_init(&w, line);
    pb_json_begin_object(&w, NULL);
    pb_json_put_text(&w, "time", time);
    pb_json_put_text(&w, "level", LEVELS[level]);
    pb_json_put_text(&w, "program", program_name);
    pb_json_put_text(&w, "component", component);
    if (request)
        pb_json_put_text(&w, "request", request);
    pb_json_put_text(&w, "message", message);
    pb_json_end_object(&w);
    pb_buf_char(line, '\n');
}

/* One write(2) per line, so that lines of several threads and processes do not mix. */
static void write_line(enum pb_log_level level, const char *component, const char *message)
{
    struct pb_buf line;
    char time[PB_CLOCK_TEXT];

    pb_clock_format(pb_clock_wall_ms(), time);
    pb_buf_init(&line, LINE_MAX_BYTES);
    if (atomic_load(&as_json)) {
        put_json(&line, time, level, component, message);
    } else {
        pb_buf_format(&line, "time=%s level=%s program=%s component=%s ", time, LEVELS[level],
                      program_name, component);
        if (request) {
            pb_buf_text(&line, "request=");
            put_plain(&line, request);
            pb_buf_char(&line, ' ');
        }
        put_plain(&line, message);
        pb_buf_char(&line, '\n');
    }
    if (write(STDERR_FILENO, pb_buf_string(&line), line.len) < 0) {
        /* There is nowhere left to say so. */
    }
    pb_buf_release(&line);
}

static void log_text(enum pb_log_level level, const char *component, char *text)
{
    blank(text);
    text[pb_utf8_cut(text, strlen(text), MESSAGE_MAX)] = '\0';
    write_line(level, component, text);
}

static void log_va(enum pb_log_level level, const char *component, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));

static void log_va(enum pb_log_level level, const char *component, const char *fmt, va_list ap)
{
    char text[RAW_MAX];

    if ((int)level > atomic_load_explicit(&level_shown, memory_order_relaxed))
        return;
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    log_text(level, component, text);
}

#define LOG_AT(level)                      \
    do {                                   \
        va_list ap;                        \
        va_start(ap, fmt);                 \
        log_va(level, component, fmt, ap); \
        va_end(ap);                        \
    } while (0)

void pb_log_error(const char *component, const char *fmt, ...)
{
    LOG_AT(PB_LOG_ERROR);
}

void pb_log_warn(const char *component, const char *fmt, ...)
{
    LOG_AT(PB_LOG_WARN);
}

void pb_log_info(const char *component, const char *fmt, ...)
{
    LOG_AT(PB_LOG_INFO);
}

void pb_log_debug(const char *component, const char *fmt, ...)
{
    LOG_AT(PB_LOG_DEBUG);
}

void pb_log_fail(enum pb_log_level level, const char *component, const struct pb_error *err,
                 const char *fmt, ...)
{
    char text[RAW_MAX];
    size_t used;
    va_list ap;

    if ((int)level > atomic_load_explicit(&level_shown, memory_order_relaxed))
        return;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    used = strlen(text);
    (void)snprintf(text + used, sizeof(text) - used, ": %s", err->message);
    log_text(level, component, text);
}
