/* How the checks of this folder say what is wrong with a field: sentence, reason and field at once. */
#ifndef PB_MODEL_FINDING_PRIVATE_H
#define PB_MODEL_FINDING_PRIVATE_H

#include <stddef.h>

#include "base/error.h"

static inline int pb_finding_at(struct pb_error *err, const char *field)
{
    size_t i;

    for (i = 0; i + 1 < sizeof(err->field) && field[i]; i++)
        err->field[i] = field[i];
    err->field[i] = '\0';
    return -1;
}

/* reason: required, too_short, too_long, characters, range, choice, format, duplicate, reserved */
#define PB_FINDING(err, field, reason, ...) \
    (pb_fail_reason(err, PB_ERROR_INVALID, reason, __VA_ARGS__), pb_finding_at(err, field))

#endif
