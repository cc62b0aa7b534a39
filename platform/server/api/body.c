#include "server/api/body.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct check {
    void (*wrong)(void *arg, const struct pb_error *err);
    void *arg;
};

/* Characters, not bytes; `text` is valid UTF-8 (the parser saw to that). */
static int64_t characters(const char *text)
{
    int64_t count = 0;

    for (; *text; text++)
        count += ((unsigned char)*text & 0xC0) != 0x80;
    return count;
}

static bool is_word(const char *words, const char *text)
{
    size_t len = strlen(text);

    while (*words) {
        size_t word = strcspn(words, "|");

        if (word == len && memcmp(words, text, len) == 0)
            return true;
        words += word + (words[word] == '|');
    }
    return false;
}

static int check_text(const struct pb_body_member *m, const char *text, struct pb_error *err)
{
    int64_t count = characters(text);

    if (count < m->min)
        return pb_fail_field(err, m->name, "%s must have at least %lld characters", m->name,
                             (long long)m->min);
    if (count > m->max)
        return pb_fail_field(err, m->name, "%s must have at most %lld characters", m->name,
                             (long long)m->max);
    return 0;
}

static int check_number(const struct pb_body_member *m, double value, struct pb_error *err)
{
    if (isnan(value))
        return pb_fail_field(err, m->name, "%s must be a number", m->name);
    if (value < (double)m->min || value > (double)m->max)
        return pb_fail_field(err, m->name, "%s is out of range", m->name);
    return 0;
}

static int check_integer(const struct pb_body_member *m, const struct pb_json *value,
                         struct pb_error *err)
{
    int64_t number = pb_json_as_int(value, 0);

    if (!pb_json_is_int(value))
        return pb_fail_field(err, m->name, "%s must be a whole number", m->name);
    if (number < m->min)
        return pb_fail_field(err, m->name, "%s must be at least %lld", m->name, (long long)m->min);
    if (number > m->max)
        return pb_fail_field(err, m->name, "%s must be at most %lld", m->name, (long long)m->max);
    return 0;
}

static int check_list(const struct pb_body_member *m, const struct pb_json *list,
                      struct pb_error *err)
{
    if (!pb_json_is_array(list))
        return pb_fail_field(err, m->name, "%s must be a list", m->name);
    if ((int64_t)pb_json_count(list) > m->max)
        return pb_fail_field(err, m->name, "%s must have at most %lld entries", m->name,
                             (long long)m->max);
    for (size_t i = 0; i < pb_json_count(list); i++) {
        const struct pb_json *item = pb_json_at(list, i);

        if (m->kind == PB_BODY_OBJECTS && !pb_json_is_object(item))
            return pb_fail_field(err, m->name, "%s must hold objects", m->name);
        if (m->kind != PB_BODY_TEXTS)
            continue;
        if (!pb_json_is_text(item))
            return pb_fail_field(err, m->name, "%s must hold texts", m->name);
        if (m->min > 0 && characters(pb_json_as_text(item, "")) > m->min)
            return pb_fail_field(err, m->name, "%s: an entry has more than %lld characters",
                                 m->name, (long long)m->min);
    }
    return 0;
}

static int check_value(const struct pb_json *body, const struct pb_body_member *m,
                       const struct pb_json *value, struct pb_error *err)
{
    if (pb_json_is_null(value))
        return m->is_nullable ? 0 : pb_fail_field(err, m->name, "%s must not be null", m->name);
    switch (m->kind) {
    case PB_BODY_TEXT:
        if (!pb_json_is_text(value))
            return pb_fail_field(err, m->name, "%s must be a text", m->name);
        return check_text(m, pb_json_as_text(value, ""), err);
    case PB_BODY_WORD:
        if (!pb_json_is_text(value) || !is_word(m->words, pb_json_as_text(value, "")))
            return pb_fail_field(err, m->name, "%s must be one of %s", m->name, m->words);
        return 0;
    case PB_BODY_INTEGER:
        return check_integer(m, value, err);
    case PB_BODY_NUMBER:
        return check_number(m, pb_json_number(body, m->name, (double)NAN), err);
    case PB_BODY_BOOLEAN:
        return pb_json_is_bool(value)
                   ? 0
                   : pb_fail_field(err, m->name, "%s must be true or false", m->name);
    case PB_BODY_TEXTS:
    case PB_BODY_OBJECTS:
        break;
    }
    return check_list(m, value, err);
}

static bool is_known(const struct pb_body_member *members, const char *name)
{
    for (; members->name; members++)
        if (strcmp(members->name, name) == 0)
            return true;
    return false;
}

static void check_names(const struct check *check, const struct pb_json *body,
                        const struct pb_body_member *members)
{
    for (const char *name = NULL; (name = pb_json_next_name(body, name));) {
        struct pb_error err;

        if (is_known(members, name))
            continue;
        (void)pb_fail_field(&err, name, "there is no member '%.40s' here", name);
        (void)snprintf(err.reason, sizeof(err.reason), "unknown_member");
        check->wrong(check->arg, &err);
    }
}

void pb_body_check(const struct pb_json *body, const struct pb_body_member *members,
                   void (*wrong)(void *arg, const struct pb_error *err), void *arg)
{
    struct check check = {wrong, arg};

    check_names(&check, body, members);
    for (const struct pb_body_member *m = members; m->name; m++) {
        const struct pb_json *value = pb_json_get(body, m->name);
        struct pb_error err;
        int r;

        if (!value && !m->is_required)
            continue;
        if (value) {
            r = check_value(body, m, value, &err);
        } else {
            r = pb_fail_field(&err, m->name, "%s is required", m->name);
            (void)snprintf(err.reason, sizeof(err.reason), "required");
        }
        if (r < 0)
            wrong(arg, &err);
    }
}
