/*
 * What people ask to see: single things and pages of them, read with this
 * thread's reader and written as JSON (views.h). Nothing here changes anything.
 *
 * Pages are {"items": […], "next_cursor": text or null}.
 */
#ifndef PB_SERVER_SERVICES_READING_H
#define PB_SERVER_SERVICES_READING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"

struct pb_platform;

/* What a list is asked for; texts as they came, NULL when absent. INVALID (field) for words unknown. */
struct pb_page_wish {
    size_t limit;
    const char *cursor;
    const char *query;
    const char *statuses; /* comma-separated */
    const char *project;  /* executions only, as the next */
    int64_t number;       /* 0 = all */
};

int pb_read_projects(struct pb_platform *platform, const struct pb_page_wish *wish,
                     struct pb_arena *arena, struct pb_json_writer *w,
                     struct pb_error *err) PB_MUST_CHECK;
/* ret_version may be NULL. Deleted ones are NOT_FOUND. */
int pb_read_project(struct pb_platform *platform, const char *id, struct pb_arena *arena,
                    struct pb_json_writer *w, int64_t *ret_version,
                    struct pb_error *err) PB_MUST_CHECK;
/* Of projects, executions and attempts, as pb_store_generation(). */
uint64_t pb_read_generation(struct pb_platform *platform);
/* ret_is_lasting: it says nothing that changes by itself, such as why something waits. */
int pb_read_executions(struct pb_platform *platform, const struct pb_page_wish *wish,
                       struct pb_arena *arena, struct pb_json_writer *w, bool *ret_is_lasting,
                       struct pb_error *err) PB_MUST_CHECK;
int pb_read_execution(struct pb_platform *platform, const char *id, struct pb_arena *arena,
                      struct pb_json_writer *w, struct pb_error *err) PB_MUST_CHECK;
int pb_read_attempts(struct pb_platform *platform, const char *id, struct pb_arena *arena,
                     struct pb_json_writer *w, struct pb_error *err) PB_MUST_CHECK;
/* What people said to it; of the wish: limit and cursor. */
int pb_read_remarks(struct pb_platform *platform, const char *id, const struct pb_page_wish *wish,
                    struct pb_arena *arena, struct pb_json_writer *w,
                    struct pb_error *err) PB_MUST_CHECK;
int pb_read_nodes(struct pb_platform *platform, struct pb_arena *arena, struct pb_json_writer *w,
                  struct pb_error *err) PB_MUST_CHECK;
int pb_read_stats(struct pb_platform *platform, struct pb_arena *arena, struct pb_json_writer *w,
                  struct pb_error *err) PB_MUST_CHECK;

#endif
