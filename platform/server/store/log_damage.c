/* Lines that are damaged: how that is noticed, and what stands in their place. */
#include <stdio.h>
#include <string.h>

#include "server/store/log_store_private.h"

enum { DIGITS = 13 };

uint64_t pb_log_count_lines(const char *text, size_t len)
{
    const char *at = text, *end = text + len;
    uint64_t lines = 0;

    while (at < end) {
        const char *line_end;

        if (end - at < PB_LOG_LINE_MIN || at[DIGITS] != ' ' || at[DIGITS + 2] != ' ')
            return 0;
        line_end = memchr(at + PB_LOG_PREFIX, '\n', (size_t)(end - at) - PB_LOG_PREFIX);
        if (!line_end)
            return 0;
        at = line_end + 1;
        lines++;
    }
    return lines;
}

/* What of a long row is one block: lines of equal length, but for the last ones. */
static struct pb_log_row piece_of(const struct pb_log_row *row, uint64_t line)
{
    uint64_t each = row->bytes / row->lines;
    uint64_t step = each < PB_LOG_BLOCK ? PB_LOG_BLOCK / each : 1;
    uint64_t first = (line - row->line) / step * step;
    struct pb_log_row piece = {.line = row->line + first, .byte = row->byte + first * each};

    piece.lines = row->lines - first < step ? row->lines - first : step;
    piece.bytes =
        first + piece.lines == row->lines ? row->bytes - first * each : piece.lines * each;
    return piece;
}

/* "<time> x damaged: lines 1-2 of this log", cut or filled up to `len` bytes with its end. */
static void put_line(char *to, size_t len, const char *prefix, const char *words)
{
    size_t text = len - PB_LOG_LINE_MIN, said = strlen(words);

    memcpy(to, prefix, PB_LOG_PREFIX);
    memset(to + PB_LOG_PREFIX, ' ', text);
    memcpy(to + PB_LOG_PREFIX, words, said < text ? said : text);
    to[len - 1] = '\n';
}

int pb_log_put_damage(struct pb_buf *text, const struct pb_log_row *row, uint64_t line,
                      const char *execution, struct pb_log_block *ret_block, struct pb_error *err)
{
    char prefix[PB_LOG_PREFIX + 1], words[100], *to;
    struct pb_log_row piece;
    uint64_t each, longer;

    if (row->lines == 0 || row->bytes / row->lines < PB_LOG_LINE_MIN)
        return pb_fail_reason(err, PB_ERROR_INTERNAL, "log_damaged", "log of %s is damaged",
                              execution);
    piece = piece_of(row, line);
    pb_buf_clear(text);
    to = pb_buf_reserve(text, piece.bytes);
    if (!to)
        return pb_fail(err, PB_ERROR_LIMITED, "no memory for the log");
    snprintf(prefix, sizeof(prefix), "%013lld x ", (long long)pb_log_ulid_time(execution));
    snprintf(words, sizeof(words), "damaged: lines %llu-%llu of this log",
             (unsigned long long)row->line + 1, (unsigned long long)(row->line + row->lines));
    each = piece.bytes / piece.lines;
    longer = piece.bytes % piece.lines;
    for (uint64_t i = 0; i < piece.lines; i++) {
        size_t len = (size_t)(each + (i < longer));

        put_line(to + text->len, len, prefix, words);
        text->len += len;
    }
    *ret_block = (struct pb_log_block){
        .line = piece.line,
        .byte = piece.byte,
        .lines = piece.lines,
        .text = text->data,
        .len = text->len,
        .damaged_from = row->line,
        .damaged_lines = row->lines,
    };
    return 0;
}
