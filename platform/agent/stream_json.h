/*
 * Reads what `claude -p --output-format stream-json --verbose` prints: one
 * JSON object per line, in an order and with members that differ between
 * versions. Bytes come in as they arrive; out come readable log lines, and
 * facts about the run for the classifier.
 *
 * Everything in it is hostile: the text comes from strangers by way of a
 * model. Types that are not known are passed over, a line that is no JSON is
 * shown as text and counted, a line above PB_STREAM_LINE_MAX is dropped and
 * counted. Log lines are UTF-8 without newline and each event makes a bounded
 * number of them; cutting long lines, masking and control characters are the
 * log's business, which is why nothing here ever cuts a word in two: half a
 * secret would pass every mask.
 *
 * Streams: c Claude's words, t a tool call, r its result, s what the program
 * says of itself, w a warning, x an error, o anything else on its stdout.
 */
#ifndef PB_AGENT_STREAM_JSON_H
#define PB_AGENT_STREAM_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum {
    PB_STREAM_LINE_MAX = 16 << 20,
    PB_STREAM_DENIALS_MAX = 50,
    PB_STREAM_RESULT_MAX = 256 << 10, /* of the final text; the rest is cut */
};

/* What the run has told so far. Texts are owned by the stream, NULL when not said. */
struct pb_stream_facts {
    const char *session_id;
    const char *model;
    const char *version;
    bool has_result; /* a result line, and no turn after it */
    bool is_error;
    const char *subtype;         /* of the result */
    const char *terminal_reason; /* of the result, newer versions */
    const char *result;          /* the final text */
    const char *first_error;     /* errors[0] of the result */
    const char *api_error;       /* `error` of the last failed message: "rate_limit", … */
    int api_status;              /* HTTP status in the result, else of the last retry; 0 = none */
    int64_t
        limited_until_ms; /* the account's limit was reached and ends then (wall clock); 0 = no */
    bool refused;         /* the model refused and there was no fallback */
    int64_t num_turns;
    int64_t duration_ms;
    bool has_cost;
    int64_t total_cost_micro_usd;               /* the CLI's word */
    const char *denials[PB_STREAM_DENIALS_MAX]; /* names of tools, each once */
    size_t denial_count;
    unsigned retries;
    unsigned lines;      /* events read */
    unsigned bad_lines;  /* lines that were no JSON */
    unsigned lost_lines; /* lines that were too long */
};

struct pb_stream_json;
typedef void pb_stream_line(void *arg, char stream, const char *text, size_t len);

struct pb_stream_json *pb_stream_json_new(void);         /* NULL when memory is short */
void pb_stream_json_free(struct pb_stream_json *stream); /* NULL is fine */
/* `line` gets the log lines of these bytes. */
void pb_stream_json_feed(struct pb_stream_json *stream, const char *data, size_t len,
                         pb_stream_line *line, void *arg);
/* No more bytes will come: what is left is a line. */
void pb_stream_json_end(struct pb_stream_json *stream, pb_stream_line *line, void *arg);
const struct pb_stream_facts *pb_stream_json_facts(const struct pb_stream_json *stream);

#endif
