/* Search through a log, block by block, as long as there is time. */
#include <string.h>

#include "base/clock.h"
#include "server/store/log_pattern_private.h"
#include "server/store/log_store_private.h"

enum { LOOK_AT_CLOCK = 512 }; /* lines between two looks */

struct search {
    const struct pb_log_query *query;
    struct pb_log_pattern *pattern;
    pb_log_hit_fn *fn;
    void *arg;
    uint64_t next; /* the first line not searched */
    bool is_enough;
};

static bool is_late(const struct search *search)
{
    return search->query->until_ms > 0 && pb_clock_steady_ms() >= search->query->until_ms;
}

static void tell(struct search *search, uint64_t line, const char *text, size_t len, size_t at,
                 size_t match_len)
{
    struct pb_log_hit hit = {line, text, len, at, match_len};

    search->is_enough = search->fn(search->arg, &hit) != 0;
    search->next = line + 1;
}

static const char *end_of(const char *line, const char *end)
{
    return memchr(line, '\n', (size_t)(end - line));
}

/* A text, in all lines of the block at once. */
static int find_text(struct search *search, const struct pb_log_block *block, uint64_t line,
                     const char *at, struct pb_error *err)
{
    const char *end = block->text + block->len;

    while (at < end && !search->is_enough) {
        size_t place, len;
        const char *line_end;
        int r = pb_log_pattern_find(search->pattern, block->text, block->len,
                                    (size_t)(at + PB_LOG_PREFIX - block->text), &place, &len, err);

        if (r <= 0)
            return r;
        /* `at` goes to the beginning of the line that has it */
        for (line_end = end_of(at, end); line_end < block->text + place;
             line_end = end_of(at, end)) {
            at = line_end + 1;
            line++;
        }
        if (block->text + place < at + PB_LOG_PREFIX)
            continue; /* in what stands before the text: once more, behind it */
        tell(search, line, at, (size_t)(line_end - at),
             place - (size_t)(at - block->text) - PB_LOG_PREFIX, len);
        at = line_end + 1;
        line++;
    }
    return 0;
}

/* An expression, line by line. */
static int find_expression(struct search *search, const struct pb_log_block *block, uint64_t line,
                           const char *at, struct pb_error *err)
{
    const char *end = block->text + block->len;

    for (; at < end && !search->is_enough; line++) {
        const char *line_end = end_of(at, end);
        size_t place, len;
        int r;

        if (line % LOOK_AT_CLOCK == 0 && is_late(search)) {
            search->next = line;
            search->is_enough = true;
            return 0;
        }
        r = pb_log_pattern_find(search->pattern, at + PB_LOG_PREFIX,
                                (size_t)(line_end - at) - PB_LOG_PREFIX, 0, &place, &len, err);
        if (r < 0)
            return -1;
        if (r > 0)
            tell(search, line, at, (size_t)(line_end - at), place, len);
        at = line_end + 1;
    }
    return 0;
}

static int search_block(struct search *search, const struct pb_log_block *block,
                        struct pb_error *err)
{
    const char *at = block->text;
    uint64_t line = block->line;
    int r;

    if (block->damaged_lines == 0) {
        for (; line < search->next; line++)
            at = end_of(at, block->text + block->len) + 1;
        r = pb_log_pattern_is_text(search->pattern) ? find_text(search, block, line, at, err)
                                                    : find_expression(search, block, line, at, err);
        if (r < 0)
            return -1;
    }
    if (!search->is_enough)
        search->next = block->line + block->lines;
    return 0;
}

static int search_all(struct search *search, struct pb_log_reader *reader, struct pb_error *err)
{
    struct pb_log_block block;

    while (search->next < reader->info.lines && !search->is_enough && !is_late(search)) {
        if (pb_log_load(reader, search->next, &block, err) < 0 ||
            search_block(search, &block, err) < 0)
            return -1;
    }
    return 0;
}

int pb_log_search(struct pb_log_store *logs, const char *execution,
                  const struct pb_log_query *query, pb_log_hit_fn *fn, void *arg,
                  uint64_t *ret_next, struct pb_log_info *ret_info, struct pb_error *err)
{
    struct search search = {.query = query, .fn = fn, .arg = arg, .next = query->from};
    struct pb_log_reader *reader;
    int r = -1;

    search.pattern = pb_log_pattern_new(query->text, query->is_regex, query->is_exact, err);
    reader = search.pattern ? pb_log_reader_open(logs, execution, err) : NULL;
    if (reader)
        r = search_all(&search, reader, err);
    if (r == 0) {
        *ret_next = search.next < reader->info.lines ? search.next : reader->info.lines;
        *ret_info = reader->info;
    }
    pb_log_reader_close(reader);
    pb_log_pattern_free(search.pattern);
    return r;
}
