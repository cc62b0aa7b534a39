/*
 * A list of the API as a table: one call, one row for each item, one field
 * for each column. A list is a table of fields and a path; with --limit among
 * the command's options that is asked for too, and with --json the answer is
 * printed as it came.
 */
#ifndef PB_CLI_CLI_LIST_H
#define PB_CLI_CLI_LIST_H

#include <stddef.h>

#include "cli/cli_command.h"

enum pb_cli_place {
    PB_CLI_LEFT,
    PB_CLI_RIGHT, /* numbers */
    PB_CLI_GIVES, /* left; the one that is cut when the line is too wide */
};

struct pb_cli_field {
    const char *en; /* title */
    const char *ja;
    const char *member; /* of an item: "id", "counts.queued" */
    enum pb_cli_place place;
    /* The member as text, given the object it is in; NULL: it is text already. */
    const char *(*show)(struct pb_arena *arena, const struct pb_json *object, const char *name);
    /* What to say for a name of the API (cli_words.h); NULL: it is shown as it is. */
    const char *(*words)(const char *name);
};

/* `path` may have a query. */
int pb_cli_list(struct pb_cli *cli, const char *path, const struct pb_cli_field *fields,
                size_t count, struct pb_error *err) PB_MUST_CHECK;

/* The table alone, of a page as the API gives it. */
int pb_cli_list_write(struct pb_arena *arena, const struct pb_json *page,
                      const struct pb_cli_field *fields, size_t count, size_t width,
                      struct pb_buf *buf, struct pb_error *err) PB_MUST_CHECK;

/* For `show`. */
const char *pb_cli_show_count(struct pb_arena *arena, const struct pb_json *object,
                              const char *name);
const char *pb_cli_show_bytes(struct pb_arena *arena, const struct pb_json *object,
                              const char *name);
const char *pb_cli_show_ago(struct pb_arena *arena, const struct pb_json *object, const char *name);

#endif
