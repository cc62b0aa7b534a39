#include "server/services/github_limits.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

enum {
    TABLE = 256,
    BUCKETS_MAX = 4096,
    PATIENCE_MS = 3000,            /* a turn further away is refused */
    QUEUE_MS = 60 * 1000,          /* behind other writers of the same token */
    SECONDARY_MS = 60 * 1000,      /* GitHub: "wait for at least one minute", then exponentially */
    STRIKES_MAX = 4,               /* 60 s … 16 min */
    BLOCK_MAX_MS = 65 * 60 * 1000, /* a limit's hour and a margin for clocks that differ */
    RESERVE_PERCENT = 5,
};

/* Counts within a span of time that begins with the first of them. */
struct window {
    int64_t began_ms;
    int64_t length_ms;
    unsigned count;
    unsigned max;
};

struct bucket {
    struct bucket *next;
    char token_hash[PB_SHA256_TEXT];
    unsigned users;        /* turns asked for and not ended */
    bool writing;          /* somebody has the write turn */
    int64_t last_write_ms; /* steady, as all times below */
    int64_t blocked_until_ms;
    int64_t reset_ms;
    int64_t limit;
    int64_t remaining;
    unsigned strikes; /* secondary limits in a row */
    struct window minute;
    struct window hour;
};

struct pb_github_limits {
    struct pb_github_limits_options options;
    pthread_mutex_t mutex; /* guards everything below */
    pthread_cond_t changed;
    struct bucket *table[TABLE];
    size_t count;
    bool stopped;
};

struct pb_github_limits *pb_github_limits_new(const struct pb_github_limits_options *options,
                                              struct pb_error *err)
{
    struct pb_github_limits *limits = calloc(1, sizeof(*limits));
    pthread_condattr_t attr;

    if (!limits) {
        pb_fail(err, PB_ERROR_UNAVAILABLE, "out of memory for GitHub's limits");
        return NULL;
    }
    limits->options = *options;
    pthread_mutex_init(&limits->mutex, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&limits->changed, &attr);
    pthread_condattr_destroy(&attr);
    return limits;
}

void pb_github_limits_free(struct pb_github_limits *limits)
{
    if (!limits)
        return;
    for (size_t i = 0; i < TABLE; i++) {
        while (limits->table[i]) {
            struct bucket *bucket = limits->table[i];

            limits->table[i] = bucket->next;
            free(bucket);
        }
    }
    pthread_cond_destroy(&limits->changed);
    pthread_mutex_destroy(&limits->mutex);
    free(limits);
}

void pb_github_limits_stop(struct pb_github_limits *limits)
{
    pthread_mutex_lock(&limits->mutex);
    limits->stopped = true;
    pthread_cond_broadcast(&limits->changed);
    pthread_mutex_unlock(&limits->mutex);
}

static struct bucket **slot_of(struct pb_github_limits *limits, const char *token_hash)
{
    unsigned hash = 0;

    for (const char *c = token_hash; *c; c++)
        hash = hash * 31 + (unsigned char)*c;
    return &limits->table[hash % TABLE];
}

static bool is_open(const struct window *window, int64_t now)
{
    return window->count && window->began_ms + window->length_ms > now;
}

/* A bucket nobody uses and that holds nothing worth knowing. */
static bool is_idle(const struct bucket *bucket, int64_t now)
{
    return !bucket->users && bucket->blocked_until_ms <= now && !is_open(&bucket->hour, now) &&
           bucket->reset_ms <= now;
}

static void forget_idle(struct pb_github_limits *limits, int64_t now)
{
    for (size_t i = 0; i < TABLE; i++) {
        for (struct bucket **at = &limits->table[i]; *at;) {
            struct bucket *bucket = *at;

            if (is_idle(bucket, now)) {
                *at = bucket->next;
                free(bucket);
                limits->count--;
            } else {
                at = &bucket->next;
            }
        }
    }
}

static struct bucket *find(struct pb_github_limits *limits, const char *token_hash)
{
    for (struct bucket *bucket = *slot_of(limits, token_hash); bucket; bucket = bucket->next)
        if (strcmp(bucket->token_hash, token_hash) == 0)
            return bucket;
    return NULL;
}

/* Waits that began before a restart go on. */
static int64_t recalled_block(const struct pb_github_limits *limits, const char *token_hash)
{
    int64_t at =
        limits->options.recall ? limits->options.recall(limits->options.arg, token_hash) : 0;
    int64_t ms = at - pb_clock_wall_ms();

    if (ms <= 0)
        return 0;
    return pb_clock_steady_ms() + (ms > BLOCK_MAX_MS ? BLOCK_MAX_MS : ms);
}

/* NULL when there are too many busy ones, or no memory. */
static struct bucket *find_or_make(struct pb_github_limits *limits, const char *token_hash)
{
    struct bucket *bucket = find(limits, token_hash);
    struct bucket **slot = slot_of(limits, token_hash);

    if (bucket)
        return bucket;
    if (limits->count >= BUCKETS_MAX)
        forget_idle(limits, pb_clock_steady_ms());
    if (limits->count >= BUCKETS_MAX || strlen(token_hash) >= sizeof(bucket->token_hash))
        return NULL;
    bucket = calloc(1, sizeof(*bucket));
    if (!bucket)
        return NULL;
    memcpy(bucket->token_hash, token_hash, strlen(token_hash) + 1);
    bucket->limit = -1;
    bucket->remaining = -1;
    bucket->blocked_until_ms = recalled_block(limits, token_hash);
    bucket->minute = (struct window){.length_ms = 60 * 1000, .max = 80};
    bucket->hour = (struct window){.length_ms = 60 * 60 * 1000, .max = 500};
    bucket->next = *slot;
    *slot = bucket;
    limits->count++;
    return bucket;
}

static int64_t window_free_at(const struct window *window, int64_t now)
{
    return window->count >= window->max && is_open(window, now)
               ? window->began_ms + window->length_ms
               : 0;
}

static void window_count(struct window *window, int64_t now)
{
    if (!is_open(window, now)) {
        window->began_ms = now;
        window->count = 0;
    }
    window->count++;
}

static bool is_write(enum pb_github_kind kind)
{
    return kind == PB_GITHUB_WRITE || kind == PB_GITHUB_CONTENT;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* When this kind of call may leave, as far as time decides; <= now means now. */
static int64_t due_at(const struct pb_github_limits *limits, const struct bucket *bucket,
                      enum pb_github_kind kind, int64_t now)
{
    int64_t at = bucket->blocked_until_ms;
    int64_t reserve = bucket->limit * RESERVE_PERCENT / 100;

    if (kind == PB_GITHUB_POLL && bucket->remaining >= 0 && bucket->limit > 0 &&
        bucket->remaining <= reserve)
        at = later(at, bucket->reset_ms);
    if (!limits->options.pace_ms || bucket->limit < 0)
        return at; /* where nobody counts, nobody needs to be slow */
    if (is_write(kind) && bucket->last_write_ms)
        at = later(at, bucket->last_write_ms + limits->options.pace_ms);
    if (kind == PB_GITHUB_CONTENT) {
        at = later(at, window_free_at(&bucket->minute, now));
        at = later(at, window_free_at(&bucket->hour, now));
    }
    return at;
}

static void wait_until(struct pb_github_limits *limits, int64_t steady_ms)
{
    struct timespec at = {.tv_sec = steady_ms / 1000, .tv_nsec = steady_ms % 1000 * 1000000};

    pthread_cond_timedwait(&limits->changed, &limits->mutex, &at);
}

static int take_turn(struct pb_github_limits *limits, struct bucket *bucket,
                     enum pb_github_kind kind, struct pb_error *err)
{
    int64_t asked = pb_clock_steady_ms();

    for (;;) {
        int64_t now = pb_clock_steady_ms();
        int64_t due = due_at(limits, bucket, kind, now);

        if (limits->stopped)
            return pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "stopping",
                                  "the platform is stopping");
        if (due - now > PATIENCE_MS)
            return pb_fail_reason(err, PB_ERROR_LIMITED, "github_limited",
                                  "GitHub's limit for this token: again in %lld s",
                                  (long long)((due - now + 999) / 1000));
        if (due > now) {
            wait_until(limits, due);
            continue;
        }
        if (!is_write(kind) || !bucket->writing)
            break;
        if (now - asked >= QUEUE_MS)
            return pb_fail_reason(err, PB_ERROR_LIMITED, "github_limited",
                                  "too many changes at GitHub are waiting for this token");
        wait_until(limits, asked + QUEUE_MS);
    }
    if (is_write(kind))
        bucket->writing = true;
    if (kind == PB_GITHUB_CONTENT) {
        window_count(&bucket->minute, pb_clock_steady_ms());
        window_count(&bucket->hour, pb_clock_steady_ms());
    }
    return 0;
}

int pb_github_limits_begin(struct pb_github_limits *limits, const char *token_hash,
                           enum pb_github_kind kind, struct pb_error *err)
{
    struct bucket *bucket;
    int r = -1;

    pthread_mutex_lock(&limits->mutex);
    bucket = find_or_make(limits, token_hash);
    if (!bucket) {
        pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "github_limited",
                       "too many GitHub tokens in use");
        goto out;
    }
    bucket->users++;
    r = take_turn(limits, bucket, kind, err);
    if (r < 0)
        bucket->users--;
out:
    pthread_mutex_unlock(&limits->mutex);
    return r;
}

/* How long GitHub wants this token to be quiet: its own word first, then the empty hour, then a
 * minute that doubles. */
static int64_t block_ms(struct bucket *bucket, const struct pb_github_report *report)
{
    int64_t ms;

    if (report->retry_after_ms >= 0) {
        ms = report->retry_after_ms;
    } else if (report->remaining == 0 && report->reset_at_ms >= 0) {
        ms = report->reset_at_ms - pb_clock_wall_ms() + 1000;
    } else {
        ms = (int64_t)SECONDARY_MS << bucket->strikes;
        if (bucket->strikes < STRIKES_MAX)
            bucket->strikes++;
    }
    if (ms < 1000)
        ms = 1000;
    return ms > BLOCK_MAX_MS ? BLOCK_MAX_MS : ms;
}

/* Returns until when the token must wait now (wall clock); 0 = nothing new. */
static int64_t learn(struct bucket *bucket, const struct pb_github_report *report)
{
    int64_t now = pb_clock_steady_ms();
    int64_t ms;

    if (report->limit >= 0)
        bucket->limit = report->limit;
    if (report->remaining >= 0)
        bucket->remaining = report->remaining;
    if (report->reset_at_ms >= 0) {
        ms = report->reset_at_ms - pb_clock_wall_ms();
        bucket->reset_ms = now + (ms > BLOCK_MAX_MS ? BLOCK_MAX_MS : ms);
    }
    if (!report->limited && report->remaining != 0) {
        bucket->strikes = 0;
        return 0;
    }
    if (!report->limited && report->reset_at_ms < 0)
        return 0;
    ms = block_ms(bucket, report);
    bucket->blocked_until_ms = later(bucket->blocked_until_ms, now + ms);
    return pb_clock_wall_ms() + bucket->blocked_until_ms - now;
}

void pb_github_limits_end(struct pb_github_limits *limits, const char *token_hash,
                          enum pb_github_kind kind, const struct pb_github_report *report)
{
    struct bucket *bucket;
    struct pb_github_pause pause = {.remaining = report->remaining,
                                    .reset_at_ms = report->reset_at_ms};

    pthread_mutex_lock(&limits->mutex);
    bucket = find(limits, token_hash);
    if (bucket) {
        pause.retry_at_ms = learn(bucket, report);
        bucket->users--;
        if (is_write(kind)) {
            bucket->writing = false;
            bucket->last_write_ms = pb_clock_steady_ms();
        }
        pthread_cond_broadcast(&limits->changed);
    }
    pthread_mutex_unlock(&limits->mutex);
    if (pause.retry_at_ms && limits->options.remember)
        limits->options.remember(limits->options.arg, token_hash, &pause);
}

int64_t pb_github_limits_retry_at(struct pb_github_limits *limits, const char *token_hash,
                                  enum pb_github_kind kind)
{
    int64_t now = pb_clock_steady_ms();
    int64_t due = 0;
    struct bucket *bucket;

    pthread_mutex_lock(&limits->mutex);
    bucket = find(limits, token_hash);
    if (bucket)
        due = due_at(limits, bucket, kind, now);
    pthread_mutex_unlock(&limits->mutex);
    return due > now ? pb_clock_wall_ms() + due - now : 0;
}

static void add_to_stats(const struct bucket *bucket, int64_t now, struct pb_github_stats *stats)
{
    stats->tokens++;
    stats->waiting += bucket->blocked_until_ms > now;
    if (bucket->remaining < 0 || bucket->reset_ms <= now)
        return; /* of an hour that is over */
    if (stats->remaining < 0 || bucket->remaining < stats->remaining)
        stats->remaining = bucket->remaining;
}

void pb_github_limits_stats(struct pb_github_limits *limits, struct pb_github_stats *ret_stats)
{
    int64_t now = pb_clock_steady_ms();

    *ret_stats = (struct pb_github_stats){.remaining = -1};
    pthread_mutex_lock(&limits->mutex);
    for (size_t i = 0; i < TABLE; i++)
        for (const struct bucket *bucket = limits->table[i]; bucket; bucket = bucket->next)
            add_to_stats(bucket, now, ret_stats);
    pthread_mutex_unlock(&limits->mutex);
}
