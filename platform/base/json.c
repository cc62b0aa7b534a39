#include "base/json.h"

#include <jansson.h>
#include <limits.h>
#include <stdint.h>

/* A tree takes up to a hundred times its text, so the text alone is no limit. */
enum { PLACES_MAX = 1 << 18 };

/* struct pb_json is never defined: it is jansson's json_t under a name of ours. */
static json_t *value_of(const struct pb_json *value)
{
    return (json_t *)(uintptr_t)value; /* jansson's iterators want it without const */
}

static const struct pb_json *ours(const json_t *value)
{
    return (const struct pb_json *)value;
}

/* Counts before anything is allocated: how deep, and how many values at most. */
static int check_size(const char *text, size_t len, struct pb_error *err)
{
    size_t depth = 0;
    size_t places = 1;
    bool in_string = false;

    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
            continue;
        }
        if (c == '"')
            in_string = true;
        else if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && depth > 0)
            depth--;
        places += c == ',' || c == '{' || c == '[';
        if (depth > PB_JSON_DEPTH_MAX)
            return pb_fail(err, PB_ERROR_INVALID, "not JSON we read: nested deeper than %d",
                           PB_JSON_DEPTH_MAX);
        if (places > PLACES_MAX)
            return pb_fail(err, PB_ERROR_TOO_LARGE, "not JSON we read: more than %d values",
                           PLACES_MAX);
    }
    return 0;
}

struct pb_json *pb_json_parse(const char *text, size_t len, struct pb_error *err)
{
    json_error_t why;
    json_t *root;

    if (check_size(text, len, err) < 0)
        return NULL;
    root = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    if (!root) {
        (void)pb_fail(err, PB_ERROR_INVALID, "not JSON: line %d, column %d: %s", why.line,
                      why.column, why.text);
        return NULL;
    }
    return (struct pb_json *)root;
}

void pb_json_free(struct pb_json *root)
{
    json_decref((json_t *)root);
}

const struct pb_json *pb_json_get(const struct pb_json *object, const char *name)
{
    return ours(json_object_get(value_of(object), name));
}

const char *pb_json_text(const struct pb_json *object, const char *name, const char *otherwise)
{
    return pb_json_as_text(pb_json_get(object, name), otherwise);
}

int64_t pb_json_int(const struct pb_json *object, const char *name, int64_t otherwise)
{
    return pb_json_as_int(pb_json_get(object, name), otherwise);
}

double pb_json_number(const struct pb_json *object, const char *name, double otherwise)
{
    const json_t *value = json_object_get(value_of(object), name);

    return json_is_number(value) ? json_number_value(value) : otherwise;
}

bool pb_json_bool(const struct pb_json *object, const char *name, bool otherwise)
{
    const json_t *value = json_object_get(value_of(object), name);

    return json_is_boolean(value) ? json_is_true(value) : otherwise;
}

const char *pb_json_need_text(const struct pb_json *object, const char *name, struct pb_error *err)
{
    const struct pb_json *value = pb_json_get(object, name);

    if (!value)
        (void)pb_fail_field(err, name, "'%s' is missing", name);
    else if (!pb_json_is_text(value))
        (void)pb_fail_field(err, name, "'%s' must be text", name);
    return pb_json_as_text(value, NULL);
}

int pb_json_need_int(const struct pb_json *object, const char *name, int64_t *ret_value,
                     struct pb_error *err)
{
    const struct pb_json *value = pb_json_get(object, name);

    if (!value)
        return pb_fail_field(err, name, "'%s' is missing", name);
    if (!pb_json_is_int(value))
        return pb_fail_field(err, name, "'%s' must be a whole number", name);
    *ret_value = pb_json_as_int(value, 0);
    return 0;
}

bool pb_json_is_object(const struct pb_json *value)
{
    return json_is_object(value_of(value));
}

bool pb_json_is_array(const struct pb_json *value)
{
    return json_is_array(value_of(value));
}

bool pb_json_is_null(const struct pb_json *value)
{
    return json_is_null(value_of(value));
}

bool pb_json_is_text(const struct pb_json *value)
{
    return json_is_string(value_of(value));
}

bool pb_json_is_int(const struct pb_json *value)
{
    return json_is_integer(value_of(value));
}

bool pb_json_is_bool(const struct pb_json *value)
{
    return json_is_boolean(value_of(value));
}

const char *pb_json_as_text(const struct pb_json *value, const char *otherwise)
{
    return pb_json_is_text(value) ? json_string_value(value_of(value)) : otherwise;
}

int64_t pb_json_as_int(const struct pb_json *value, int64_t otherwise)
{
    return pb_json_is_int(value) ? (int64_t)json_integer_value(value_of(value)) : otherwise;
}

size_t pb_json_count(const struct pb_json *array_or_object)
{
    if (pb_json_is_object(array_or_object))
        return json_object_size(value_of(array_or_object));
    return json_array_size(value_of(array_or_object));
}

const struct pb_json *pb_json_at(const struct pb_json *array, size_t index)
{
    return ours(json_array_get(value_of(array), index));
}

const char *pb_json_next_name(const struct pb_json *object, const char *after)
{
    json_t *value = value_of(object);
    void *at;

    if (!pb_json_is_object(object))
        return NULL;
    at = after ? json_object_iter_next(value, json_object_iter_at(value, after))
               : json_object_iter(value);
    return at ? json_object_iter_key(at) : NULL;
}

static int append(const char *data, size_t len, void *arg)
{
    pb_buf_bytes(arg, data, len);
    return 0;
}

void pb_json_dump(struct pb_buf *buf, const struct pb_json *value)
{
    if (json_dump_callback(value_of(value), append, buf, JSON_COMPACT | JSON_ENCODE_ANY) < 0)
        buf->failed = true;
}
