/*
 * What a person said to an execution on GitHub: the comment it began with, or
 * the answer to a question it asked. Kept so that whoever comes later can read
 * how the work went.
 */
#ifndef PB_MODEL_REMARK_H
#define PB_MODEL_REMARK_H

#include <stdint.h>

struct pb_remark {
    const char *execution_id;
    int64_t number;       /* from 1, in the order they were said */
    const char *question; /* as it was asked; NULL = not an answer */
    const char *text;     /* cleaned, at most PB_LIMIT_REMARK_CHARS characters */
    const char *said_by;  /* login on GitHub */
    const char *url;      /* of the comment; NULL = unknown */
    int64_t said_at;
};

#endif
