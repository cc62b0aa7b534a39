/*
 * JSON: read whole documents into a tree, write straight into a pb_buf.
 *
 * Reading is strict (UTF-8 checked, duplicate members refused, depth limited)
 * and is the door to jansson. Writing is our own and streaming: a reply never
 * exists as a tree. Getters never fail on a NULL or wrong-typed value, they
 * return the given default, so optional members need no ceremony; what must
 * be there is fetched by the pb_json_need_* calls, whose error names the member.
 */
#ifndef PB_BASE_JSON_H
#define PB_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum { PB_JSON_DEPTH_MAX = 128 };

struct pb_json; /* one value of a parsed tree; borrowed from its root unless it is the root */

/* Parses `len` bytes; any value may be the root. Otherwise INVALID with line and column, or TOO_LARGE
 * for more than 262,144 values. NUL in a string (\u0000) is refused: our strings end there. The root is freed by pb_json_free(). */
struct pb_json *pb_json_parse(const char *text, size_t len, struct pb_error *err) PB_MUST_CHECK;
void pb_json_free(struct pb_json *root); /* NULL is fine */

/* Members; `object` may be NULL or no object. */
const struct pb_json *pb_json_get(const struct pb_json *object, const char *name);
const char *pb_json_text(const struct pb_json *object, const char *name, const char *otherwise);
int64_t pb_json_int(const struct pb_json *object, const char *name, int64_t otherwise);
double pb_json_number(const struct pb_json *object, const char *name, double otherwise);
bool pb_json_bool(const struct pb_json *object, const char *name, bool otherwise);

/* Like the above, but a missing or wrong-typed member is INVALID with err->field = name. */
const char *pb_json_need_text(const struct pb_json *object, const char *name,
                              struct pb_error *err) PB_MUST_CHECK;
int pb_json_need_int(const struct pb_json *object, const char *name, int64_t *ret_value,
                     struct pb_error *err) PB_MUST_CHECK;

/* The value itself. */
bool pb_json_is_object(const struct pb_json *value);
bool pb_json_is_array(const struct pb_json *value);
bool pb_json_is_null(
    const struct pb_json *value); /* the literal null (a missing member is NULL, not this) */
bool pb_json_is_text(const struct pb_json *value);
bool pb_json_is_int(const struct pb_json *value);
bool pb_json_is_bool(const struct pb_json *value);
const char *pb_json_as_text(const struct pb_json *value, const char *otherwise);
int64_t pb_json_as_int(const struct pb_json *value, int64_t otherwise);
size_t pb_json_count(const struct pb_json *array_or_object);
const struct pb_json *pb_json_at(const struct pb_json *array, size_t index);
/* Walks an object: pass NULL first, then the last name; NULL at the end. */
const char *pb_json_next_name(const struct pb_json *object, const char *after);

/* Writes a parsed value again (compact, members in the order read). */
void pb_json_dump(struct pb_buf *buf, const struct pb_json *value);

/*
 * Writer. Commas are its business; `name` is the member's name inside an
 * object and NULL inside an array or at the top. Nesting deeper than
 * PB_JSON_WRITER_DEPTH fails the buffer.
 */
enum { PB_JSON_WRITER_DEPTH = 32 };

struct pb_json_writer {
    struct pb_buf *buf;
    unsigned depth;
    bool comma[PB_JSON_WRITER_DEPTH];
};

void pb_json_writer_init(struct pb_json_writer *w, struct pb_buf *buf);
void pb_json_begin_object(struct pb_json_writer *w, const char *name);
void pb_json_end_object(struct pb_json_writer *w);
void pb_json_begin_array(struct pb_json_writer *w, const char *name);
void pb_json_end_array(struct pb_json_writer *w);
void pb_json_put_text(struct pb_json_writer *w, const char *name,
                      const char *value); /* NULL → null */
void pb_json_put_bytes(struct pb_json_writer *w, const char *name, const char *data, size_t len);
void pb_json_put_int(struct pb_json_writer *w, const char *name, int64_t value);
void pb_json_put_number(struct pb_json_writer *w, const char *name, double value);
/* Millionths of one: 1500000 is 1.5. */
void pb_json_put_millionths(struct pb_json_writer *w, const char *name, int64_t value);
void pb_json_put_bool(struct pb_json_writer *w, const char *name, bool value);
void pb_json_put_null(struct pb_json_writer *w, const char *name);
/* Already JSON. */
void pb_json_put_raw(struct pb_json_writer *w, const char *name, const char *json);
/* Milliseconds since 1970 as "2026-11-22T10:06:07.037Z"; 0 or less → null. */
void pb_json_put_time(struct pb_json_writer *w, const char *name, int64_t wall_ms);

/* A quoted JSON string; invalid UTF-8 becomes U+FFFD, controls are escaped (as is DEL). */
void pb_buf_json_string(struct pb_buf *buf, const char *data, size_t len);

#endif
