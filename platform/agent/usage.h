/*
 * What an attempt used: read from the Messages API's answers on their way
 * through the broker, one line per call in the attempt's usage.jsonl, added up
 * by the runner. The broker's count is the truth about cost; what the CLI says
 * is the cross-check.
 *
 * A call that was cut counts with what was known by then (complete: false):
 * message_start brings the input, each message_delta the output so far. A call
 * of a model without a price counts its tokens and makes the sum's cost a
 * lower bound (cost_unknown).
 */
#ifndef PB_AGENT_USAGE_H
#define PB_AGENT_USAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/price.h"
#include "agent/sse.h"
#include "base/buf.h"
#include "base/error.h"

enum {
    PB_USAGE_MODEL = 96,
    PB_USAGE_BODY_MAX = 8 << 20, /* a reply that is not streamed and larger is not read */
    PB_USAGE_LINE_MAX = 1024,
};

/* One call. */
struct pb_usage_call {
    int64_t at_ms;              /* wall clock at its end */
    char model[PB_USAGE_MODEL]; /* as answered; "" when unknown */
    struct pb_tokens tokens;
    int status; /* HTTP, 0 = no answer */
    int64_t duration_ms;
    bool streamed;
    bool complete; /* the answer came to its proper end */
    bool has_cost;
    int64_t cost_micro_usd;
};

/* Sums over calls. */
struct pb_usage {
    int64_t calls;
    int64_t input_tokens, output_tokens, cache_read_tokens, cache_write_tokens;
    int64_t cost_micro_usd;
    bool cost_unknown; /* some call had no price */
};

/* Reads one answer as it passes. */
struct pb_usage_reader {
    struct pb_usage_call call;
    struct pb_sse sse;
    struct pb_buf body; /* of an answer that is no event stream */
    bool is_sse;
};

void pb_usage_reader_init(struct pb_usage_reader *reader, int status, bool is_sse);
void pb_usage_reader_feed(struct pb_usage_reader *reader, const void *data, size_t len);
/* The answer is over; `cut` = not by its proper end. Prices the call. */
void pb_usage_reader_end(struct pb_usage_reader *reader, bool cut, int64_t now_wall_ms);
void pb_usage_reader_release(struct pb_usage_reader *reader);

/* One line of usage.jsonl, with its newline. */
void pb_usage_write(struct pb_buf *buf, const struct pb_usage_call *call);
/* Adds the whole lines of the file from *offset on and moves *offset behind them. No file yet is
 * success. A line that cannot be read is skipped and counted in *ret_bad (may be NULL). */
int pb_usage_add_file(struct pb_usage *usage, int dirfd, const char *path, int64_t *offset,
                      unsigned *ret_bad, struct pb_error *err) PB_MUST_CHECK;

#endif
