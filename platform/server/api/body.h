/*
 * Request bodies against their tables (routes.def, made from openapi.yaml).
 *
 * Checks names, kinds and sizes before a handler looks: an unknown member is
 * refused by name, and everything that is wrong is reported at once. What a
 * value means is the model's business.
 */
#ifndef PB_SERVER_API_BODY_H
#define PB_SERVER_API_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/json.h"

enum pb_body_kind {
    PB_BODY_TEXT,    /* min–max characters */
    PB_BODY_WORD,    /* one of words */
    PB_BODY_INTEGER, /* min–max */
    PB_BODY_NUMBER,
    PB_BODY_BOOLEAN,
    PB_BODY_TEXTS,   /* at most max items of at most min characters (0 = any) */
    PB_BODY_OBJECTS, /* at most max items */
};

struct pb_body_member {
    const char *name; /* NULL ends the table */
    enum pb_body_kind kind;
    bool is_required;
    bool is_nullable;
    int64_t min;
    int64_t max;
    const char *words; /* "ja|en" */
};

/* Calls `wrong` for each thing that is not as the table says. */
void pb_body_check(const struct pb_json *body, const struct pb_body_member *members,
                   void (*wrong)(void *arg, const struct pb_error *err), void *arg);

#endif
