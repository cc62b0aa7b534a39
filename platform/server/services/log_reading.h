/*
 * What people ask to see of an execution's log: lines by number, places worth
 * jumping to, lines that match, the text alone. The execution must exist.
 */
#ifndef PB_SERVER_SERVICES_LOG_READING_H
#define PB_SERVER_SERVICES_LOG_READING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"

struct pb_log_reader;
struct pb_platform;

/* A range of an execution's log. tail > 0: the last lines. */
struct pb_log_wish {
    int64_t from;
    int64_t count;
    int64_t tail;
};
struct pb_log_part {
    int64_t from; /* number of the first line read */
    int64_t count;
    int64_t lines; /* there are in all */
    int64_t bytes;
    int64_t dropped; /* lines that came when the log had reached its limit */
    bool complete;
    int64_t damaged_from, damaged_lines; /* among the lines read; none: 0 lines */
    uint32_t birth;                      /* another one when the log began anew */
};
/* Appends whole lines; fewer than wished when the buffer's maximum is near. */
int pb_read_log(struct pb_platform *platform, const char *id, const struct pb_log_wish *wish,
                struct pb_buf *ret_text, struct pb_log_part *ret_part,
                struct pb_error *err) PB_MUST_CHECK;

/* Writes {"items": […], "next": line to go on from, "lines": …, "complete": …}. */
int pb_read_log_marks(struct pb_platform *platform, const char *id, int64_t from,
                      struct pb_json_writer *w, struct pb_error *err) PB_MUST_CHECK;

struct pb_log_search_wish {
    const char *query;
    bool is_regex;
    bool is_exact; /* upper and lower case differ */
    bool with_text;
    int64_t from;
    int64_t limit;
};
/* The same, of the lines that match. Stops after `limit` of them and after some time. INVALID, field "q". */
int pb_read_log_search(struct pb_platform *platform, const char *id,
                       const struct pb_log_search_wish *wish, struct pb_json_writer *w,
                       struct pb_error *err) PB_MUST_CHECK;

/* The text alone (lines without times and streams) of a log as it was when it was opened. */
struct pb_log_reader *pb_read_log_open(struct pb_platform *platform, const char *id,
                                       struct pb_error *err) PB_MUST_CHECK;
void pb_read_log_close(struct pb_log_reader *reader); /* NULL is fine */
/* Of the log as a whole: from and count are 0. */
struct pb_log_part pb_read_log_part(const struct pb_log_reader *reader);
int64_t pb_read_log_size(const struct pb_log_reader *reader);
/* Bytes from `at` on, as many as the buffer takes. */
int pb_read_log_text(struct pb_log_reader *reader, int64_t at, struct pb_buf *ret_piece,
                     struct pb_error *err) PB_MUST_CHECK;

#endif
