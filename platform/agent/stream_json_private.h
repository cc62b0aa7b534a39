/* Shared by stream_json.c (lines and facts) and stream_json_events.c (what each event means). */
#ifndef PB_AGENT_STREAM_JSON_PRIVATE_H
#define PB_AGENT_STREAM_JSON_PRIVATE_H

#include "agent/stream_json.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"

struct pb_stream_json {
    void (*line)(void *arg, char stream, const char *text, size_t len);
    void *arg;
    struct pb_mask *mask;  /* borrowed */
    struct pb_buf partial; /* the line being read */
    bool skipping;         /* the rest of a line that is too long */
    struct pb_stream_facts facts;
    struct pb_arena texts; /* of the facts */
    struct pb_buf result;  /* facts.result */
    struct pb_buf cwd;     /* with a '/' behind: cut from the front of paths */
    bool said_words;       /* some text of Claude has been shown */
};

/* How much of a text one event may show. */
struct pb_stream_bound {
    size_t lines, bytes;
};

/* Splits into lines, bounds, hands over. `prefix` stands before the first line. */
void pb_stream_say(struct pb_stream_json *stream, char kind, const char *prefix, const char *text,
                   struct pb_stream_bound bound);
void pb_stream_sayf(struct pb_stream_json *stream, char kind, const char *fmt, ...) PB_PRINTF(3, 4);
/* A copy that lives as long as the stream, cut behind a word at about `max` bytes; NULL stays NULL. */
const char *pb_stream_keep(struct pb_stream_json *stream, const char *text, size_t max);

/* Where to cut: the end of the word that has the byte `max`; `len` if there is nothing to cut. */
size_t pb_stream_cut(const char *text, size_t len, size_t max);

/* One parsed line. */
void pb_stream_event(struct pb_stream_json *stream, const struct pb_json *event);

#endif
