/*
 * An issue's text, pinned as of now: what an execution will be asked.
 *
 * Title, body and the comments so far of people who may write; comments of
 * others are left out and counted. All of it is cleaned (github_text.h) and
 * wrapped as data by github_words.h.
 */
#ifndef PB_SERVER_SERVICES_GITHUB_PIN_H
#define PB_SERVER_SERVICES_GITHUB_PIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

struct pb_platform;

struct pb_github_pinned {
    const char *title; /* one line */
    const char *url;
    const char *author; /* login */
    const char *prompt;
    const char *labels; /* JSON array */
    bool is_open;
};

/* For a person who starts work on an issue by hand. Blocks on the network. INVALID (field "issue_number") when
 * there is no such issue, or it is a pull request; GitHub's errors as in github_client.h, but what is wrong with
 * the project's token is UNPROCESSABLE here: it says nothing about the person who asks. */
int pb_github_pin_issue(struct pb_platform *platform, const char *project_id, int64_t issue_number,
                        struct pb_arena *arena, struct pb_github_pinned *ret_pinned,
                        struct pb_error *err) PB_MUST_CHECK;

#endif
