/*
 * "Will the key work?", asked live at the Messages API while a project is
 * being set up. Asks for the list of models; only where that does not exist
 * (404) it sends the smallest possible message. Blocks for some seconds.
 */
#ifndef PB_SERVER_SERVICES_CLAUDE_CHECK_H
#define PB_SERVER_SERVICES_CLAUDE_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "server/services/check_row.h"

struct pb_http_client;

enum { PB_CLAUDE_CHECK_ROWS = 4, PB_CLAUDE_CHECK_MODELS = 100 };

struct pb_claude_check {
    bool ok; /* no row is an error */
    struct pb_check_row rows[PB_CLAUDE_CHECK_ROWS];
    size_t count;
    const char *models[PB_CLAUDE_CHECK_MODELS];
    size_t model_count;
};

/* model "" = none asked for. Whatever the other side answers is a row; -1 only when the arena is full or
 * base_url is malformed (INVALID, field anthropic_base_url). */
int pb_claude_check(struct pb_http_client *http, const char *base_url, const char *key,
                    const char *model, struct pb_arena *arena, struct pb_claude_check *ret_check,
                    struct pb_error *err) PB_MUST_CHECK;

#endif
