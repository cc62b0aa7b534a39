/*
 * What GitHub lets one token do, and when: a bucket per token.
 *
 * Every call asks for its turn first and reports GitHub's answer afterwards.
 * A bucket then knows
 *   - that GitHub said "not before T" (retry-after, an empty primary limit, a
 *     secondary limit): no call leaves before T, whoever asks;
 *   - how much of the hour is left: polling stops at the reserve, so that
 *     results can still be written;
 *   - writes: one at a time; where the server says that it counts
 *     (x-ratelimit-limit; GitHub Enterprise Server does not unless its owner
 *     wants it) also `pace_ms` apart, and at most 80 a minute and 500 an hour
 *     that create content. A pace of 0 turns the last two off.
 *
 * A turn waits for a few seconds at most; a longer wait is refused with
 * LIMITED, and pb_github_limits_retry_at() says when to come back. Any thread.
 */
#ifndef PB_SERVER_SERVICES_GITHUB_LIMITS_H
#define PB_SERVER_SERVICES_GITHUB_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/crypto.h"
#include "base/error.h"

struct pb_github_limits;

enum pb_github_kind {
    PB_GITHUB_READ,    /* needed for something that has begun  */
    PB_GITHUB_POLL,    /* looking for work: may wait for hours */
    PB_GITHUB_WRITE,   /* changes something                    */
    PB_GITHUB_CONTENT, /* a write people are notified of       */
};

/* A token that must wait. */
struct pb_github_pause {
    int64_t remaining; /* -1 = unknown */
    int64_t reset_at_ms;
    int64_t retry_at_ms;
};

struct pb_github_limits_options {
    int64_t pace_ms; /* between two writes of one token; 1000 at github.com */
    /* What must survive a restart: until when a token must wait (wall clock). `remember` is told when that
     * changes, `recall` is asked once for a token not seen before (0 = nothing known). May be NULL. */
    void (*remember)(void *arg, const char *token_hash, const struct pb_github_pause *pause);
    int64_t (*recall)(void *arg, const char *token_hash);
    void *arg;
};

/* What an answer said about limits; -1 = nothing. */
struct pb_github_report {
    bool limited; /* the call was refused for a limit */
    int64_t limit;
    int64_t remaining;
    int64_t reset_at_ms; /* wall clock */
    int64_t retry_after_ms;
};

struct pb_github_limits *pb_github_limits_new(const struct pb_github_limits_options *options,
                                              struct pb_error *err) PB_MUST_CHECK;
void pb_github_limits_free(struct pb_github_limits *limits);
/* Turns being waited for end with UNAVAILABLE, as do later ones. */
void pb_github_limits_stop(struct pb_github_limits *limits);

/* Success is followed by exactly one end. */
int pb_github_limits_begin(struct pb_github_limits *limits, const char *token_hash,
                           enum pb_github_kind kind, struct pb_error *err) PB_MUST_CHECK;
void pb_github_limits_end(struct pb_github_limits *limits, const char *token_hash,
                          enum pb_github_kind kind, const struct pb_github_report *report);

struct pb_github_stats {
    size_t tokens;     /* used lately */
    size_t waiting;    /* of them, that must wait now */
    int64_t remaining; /* the least that one of them has left of its hour; -1 = unknown */
};
void pb_github_limits_stats(struct pb_github_limits *limits, struct pb_github_stats *ret_stats);

/* When this token may be used for such a call again (wall clock); 0 = now. */
int64_t pb_github_limits_retry_at(struct pb_github_limits *limits, const char *token_hash,
                                  enum pb_github_kind kind);

#endif
