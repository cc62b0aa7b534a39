/*
 * An enum's names, for everything that crosses a border: SQL, JSON, the wire.
 *
 * Each closed set of this folder has one X-macro list and, made from it, one
 * enum (values 0, 1, 2 …) and one constant struct pb_names.
 */
#ifndef PB_MODEL_NAMES_H
#define PB_MODEL_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct pb_names {
    const char *const *names;
    size_t count;
};

/* Is `name` (NULL is not) one of them? Which? False leaves *ret_value alone. */
bool pb_names_find(const struct pb_names *names, const char *name, int *ret_value) PB_MUST_CHECK;
/* "" for a value outside the set. */
const char *pb_names_get(const struct pb_names *names, int value);

#endif
