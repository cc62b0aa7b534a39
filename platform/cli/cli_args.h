/*
 * What people type after `poppo`: words and options, checked against the
 * command's row. Options may stand anywhere; `--` ends them; `--name=value`,
 * `--name value`, `-n value` and `-nvalue` are the same.
 */
#ifndef PB_CLI_CLI_ARGS_H
#define PB_CLI_CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

/* option, name, letter or 0, the value's word or NULL for a switch */
#define PB_CLI_OPTIONS(X)                            \
    X(URL, "url", 0, "URL")                          \
    X(USERNAME, "username", 'u', "NAME")             \
    X(ALLOW_PLAIN_HTTP, "allow-plain-http", 0, NULL) \
    X(PROJECT, "project", 'p', "PROJECT")            \
    X(STATUS, "status", 's', "STATUS")               \
    X(LIMIT, "limit", 'n', "N")                      \
    X(FOLLOW, "follow", 'f', NULL)                   \
    X(TAIL, "tail", 0, "N")                          \
    X(TIMES, "times", 't', NULL)                     \
    X(SEARCH, "search", 0, "TEXT")                   \
    X(REGEX, "regex", 0, NULL)                       \
    X(CASE, "case", 0, NULL)                         \
    X(PRIORITY, "priority", 0, "PRIORITY")           \
    X(DEADLINE, "deadline", 0, "TIME")               \
    X(NOW, "now", 0, NULL)                           \
    X(JSON, "json", 0, NULL)                         \
    X(HELP, "help", 'h', NULL)

enum pb_cli_option {
#define X(option, name, letter, value) PB_CLI_##option,
    PB_CLI_OPTIONS(X)
#undef X
        PB_CLI_OPTION_COUNT
};

#define PB_CLI_BIT(option) (1U << PB_CLI_##option)

enum { PB_CLI_WORDS_MAX = 4 };

struct pb_cli_args {
    const char *words[PB_CLI_WORDS_MAX]; /* borrowed from argv, as are the values */
    size_t word_count;
    const char *values[PB_CLI_OPTION_COUNT]; /* NULL = not given; "" for a switch */
};

/* argv[0…count): what follows the command. `allowed`: bits of options. INVALID with reason "usage". */
int pb_cli_args_read(const char *const *argv, size_t count, unsigned allowed,
                     struct pb_cli_args *ret_args, struct pb_error *err) PB_MUST_CHECK;
bool pb_cli_args_has(const struct pb_cli_args *args, enum pb_cli_option option);
/* A whole number of at least 1; `otherwise` when it was not given. */
int pb_cli_args_number(const struct pb_cli_args *args, enum pb_cli_option option, uint64_t max,
                       uint64_t otherwise, uint64_t *ret_value, struct pb_error *err) PB_MUST_CHECK;
/* "-f, --follow", "--tail N"; and what it does, in the reader's language. */
void pb_cli_option_usage(enum pb_cli_option option, struct pb_buf *buf);
const char *pb_cli_option_help(enum pb_cli_option option);
/* One line per option, for help. */
void pb_cli_args_help(unsigned allowed, struct pb_buf *buf);

#endif
